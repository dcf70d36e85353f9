//! Latency, as `srvr`, `cons` and `mntr` report it.

/// Latency of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LatencyReport {
    /// 0 before the first request.
    pub(crate) min_ms: u64,
    pub(crate) max_ms: u64,
    pub(crate) total_ms: u64,
    pub(crate) count: u64,
}

impl LatencyReport {
    /// Average latency, 0 before the first request.
    #[expect(
        clippy::cast_precision_loss,
        reason = "an average of more than 2^53 ms is not one"
    )]
    pub(super) fn average_ms(self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.total_ms as f64 / self.count as f64
        }
    }
}
