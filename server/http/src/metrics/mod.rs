//! Metrics for Prometheus, by the names and types of `PrometheusMetricsProvider`.

mod process;
mod text;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use minikeeper::admin::Admin;
use minikeeper::ensemble::Mode;

use crate::body::Body;
use crate::listener::{Answering, Limits, Served, Site};
use crate::query;

/// Settings of a [`MetricsServer`].
///
/// ```
/// let settings = minikeeper_http::MetricsSettings::default();
/// assert_eq!((settings.address.port(), settings.export_jvm_info), (7000, true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsSettings {
    /// Address to listen on (`metricsProvider.httpHost`, `metricsProvider.httpPort`). Port 0 takes a free one. Default
    /// `0.0.0.0:7000`.
    pub address: SocketAddr,
    /// Whether there are metrics of the process, `process_*` (`metricsProvider.exportJvmInfo`). There is no JVM, so
    /// there are no `jvm_*`. Default true.
    pub export_jvm_info: bool,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([0, 0, 0, 0], 7000)),
            export_jvm_info: true,
        }
    }
}

/// Metrics of a [`minikeeper::Server`] at `/metrics`. The server ends when it is dropped.
///
/// ```
/// use minikeeper::Server;
/// use minikeeper_http::{MetricsServer, MetricsSettings};
///
/// let server = Server::start()?;
/// let mut settings = MetricsSettings::default();
/// settings.address = "127.0.0.1:0".parse()?;
/// let metrics = MetricsServer::start(server.admin(), settings)?;
/// println!("curl http://{}/metrics", metrics.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MetricsServer(Served);

impl MetricsServer {
    /// Starts to serve the metrics.
    ///
    /// # Errors
    ///
    /// If the address is in use or not one of this machine, or this process or machine has no sockets or threads left.
    pub fn start(admin: Admin, settings: MetricsSettings) -> io::Result<Self> {
        let limits = Limits {
            connections: CONNECTIONS,
            ..Limits::default()
        };
        let site = Arc::new(MetricsSite {
            admin,
            export_jvm_info: settings.export_jvm_info,
        });
        Served::start(settings.address, site, limits).map(Self)
    }

    /// Returns the address that the metrics are served on.
    ///
    /// ```
    /// # use minikeeper_http::{MetricsServer, MetricsSettings};
    /// # let server = minikeeper::Server::start()?;
    /// let mut settings = MetricsSettings::default();
    /// settings.address = "127.0.0.1:0".parse()?;
    /// assert_ne!(MetricsServer::start(server.admin(), settings)?.address().port(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// Maximum number of connections.
const CONNECTIONS: usize = 1000;

/// Content type of a page about an error.
const PAGE: &str = "text/html;charset=iso-8859-1";

/// Content type of the text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Debug)]
struct MetricsSite {
    admin: Admin,
    export_jvm_info: bool,
}

impl Site for MetricsSite {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answering {
        Box::pin(async move {
            let (head, _) = request.into_parts();
            if head.uri.path() != "/metrics" {
                let page =
                    "<html><h2>Error 404 Not Found</h2><p>the metrics are at /metrics</p></html>\n";
                return response(StatusCode::NOT_FOUND, PAGE, page.to_owned());
            }
            match head.method {
                Method::GET | Method::HEAD | Method::POST => {}
                _ => {
                    let mut refused = Response::new(Body::whole(Vec::new()));
                    *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                    return refused;
                }
            }
            let names = names(head.uri.query().unwrap_or_default());
            // The files of the process are counted.
            let text = tokio::task::spawn_blocking(move || self.text(&names)).await;
            match text {
                Ok(text) => response(StatusCode::OK, FORMAT, text),
                Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, FORMAT, String::new()),
            }
        })
    }
}

impl MetricsSite {
    /// The metrics as text; those with these names only, if there are any.
    fn text(&self, names: &[String]) -> String {
        let mut families: Vec<text::Family> =
            self.admin.metrics().iter().map(text::Family::of).collect();
        if self.export_jvm_info {
            families.extend(process::families());
        }
        families.extend(own(&self.admin));
        text::print(&families, names)
    }
}

/// Metrics that only minikeeper has.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
fn own(admin: &Admin) -> Vec<text::Family> {
    vec![
        text::Family::new(
            "minikeeper_info",
            "gauge",
            "Version of minikeeper.",
            vec![("version", env!("CARGO_PKG_VERSION").to_owned())],
            1.0,
        ),
        text::Family::new(
            "minikeeper_running",
            "gauge",
            "Whether the server is running.",
            Vec::new(),
            f64::from(u8::from(admin.mode() != Mode::Stopped)),
        ),
        text::Family::new(
            "minikeeper_clock_seconds",
            "gauge",
            "Time of the server's clock since unix epoch in seconds.",
            Vec::new(),
            admin.now().0 as f64 / 1000.0,
        ),
    ]
}

/// Returns the names that a query asks for: `name[]=NAME`, any number of times.
fn names(query: &str) -> Vec<String> {
    let pairs = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_name = query::decode(name).is_ok_and(|name| name == "name[]");
        query::decode(value).ok().filter(|_| is_name)
    });
    pairs.collect()
}

fn response(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
