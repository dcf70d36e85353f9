//! Forms of the metrics in `mntr`.

/// Form in which `mntr` shows the metrics (`metricsProvider.className`).
///
/// ```
/// use minikeeper::{Server, config::MetricsProvider};
///
/// let server = Server::builder().metrics_provider(MetricsProvider::Prometheus).start()?;
/// assert_eq!(server.config().metrics_provider, MetricsProvider::Prometheus);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsProvider {
    /// `DefaultMetricsProvider`: averages, extremes and percentiles.
    #[default]
    Default,
    /// `PrometheusMetricsProvider`: the samples that Prometheus reads, as floating-point numbers.
    Prometheus,
}
