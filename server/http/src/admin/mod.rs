//! AdminServer of ZooKeeper 3.5 and newer: commands over HTTP, answered with JSON.

mod answer;
mod command;
mod files;
mod json;
mod rate;
mod reports;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Request, Response, StatusCode};
use minikeeper::admin::Admin;

use self::answer::{Answers, Asked};
use crate::body::Body;
use crate::listener::{Answering, Limits, Peer, Served, Site};

/// Settings of an [`AdminServer`].
///
/// ```
/// use minikeeper_http::AdminSettings;
///
/// let settings = AdminSettings::default();
/// assert_eq!((settings.address.port(), settings.command_url.as_str()), (8080, "/commands"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminSettings {
    /// Address to listen on (`admin.serverAddress`, `admin.serverPort`). Port 0 takes a free one. Default
    /// `0.0.0.0:8080`.
    pub address: SocketAddr,
    /// Time that a client has for the head of a request (`admin.idleTimeout`). Default 30 s.
    pub idle_timeout: Duration,
    /// Path of the commands (`admin.commandURL`). Default `/commands`.
    pub command_url: String,
    /// Interval in which `restore` is carried out once, and `snapshot` once in a thousandth of it, as in a real server
    /// (`admin.rateLimiterIntervalInMS`). Default five minutes.
    pub rate_limiter_interval: Duration,
    /// Whether `snapshot` is carried out (`admin.snapshot.enabled`). Default true.
    pub snapshot_enabled: bool,
    /// Whether `restore` is carried out (`admin.restore.enabled`). Default true.
    pub restore_enabled: bool,
    /// Whether snapshots have the last zxid, which both commands need (`serializeLastProcessedZxid.enabled`). Default
    /// true.
    pub serializes_last_zxid: bool,
    /// Text of the `zoo.cfg`, for `initial_configuration`.
    pub initial_configuration: Option<String>,
    /// System properties that the user has set, for `system_properties`.
    pub system_properties: Vec<(String, String)>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([0, 0, 0, 0], 8080)),
            idle_timeout: Duration::from_secs(30),
            command_url: "/commands".to_owned(),
            rate_limiter_interval: Duration::from_secs(300),
            snapshot_enabled: true,
            restore_enabled: true,
            serializes_last_zxid: true,
            initial_configuration: None,
            system_properties: Vec::new(),
        }
    }
}

/// AdminServer of a [`minikeeper::Server`]. It ends when it is dropped.
///
/// ```
/// use minikeeper::Server;
/// use minikeeper_http::{AdminServer, AdminSettings};
///
/// let server = Server::start()?;
/// let mut settings = AdminSettings::default();
/// settings.address = "127.0.0.1:0".parse()?;
/// let admin = AdminServer::start(server.admin(), settings)?;
/// println!("curl http://{}/commands/ruok", admin.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AdminServer(Served);

impl AdminServer {
    /// Starts an AdminServer.
    ///
    /// # Errors
    ///
    /// If the address is in use or not one of this machine, or this process or machine has no sockets or threads left.
    pub fn start(admin: Admin, settings: AdminSettings) -> io::Result<Self> {
        let address = settings.address;
        let limits = Limits {
            connections: CONNECTIONS,
            head: settings.idle_timeout,
            ..Limits::default()
        };
        let site = Arc::new(AdminSite(Arc::new(Answers::new(admin, settings))));
        Served::start(address, site, limits).map(Self)
    }

    /// Returns the address that the AdminServer listens on.
    ///
    /// ```
    /// # use minikeeper_http::{AdminServer, AdminSettings};
    /// # let server = minikeeper::Server::start()?;
    /// let mut settings = AdminSettings::default();
    /// settings.address = "127.0.0.1:0".parse()?;
    /// assert_ne!(AdminServer::start(server.admin(), settings)?.address().port(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// Maximum number of connections.
const CONNECTIONS: usize = 1000;

/// Maximum length of a snapshot in a request, in bytes.
const BODY: usize = 256 << 20;

#[derive(Debug)]
struct AdminSite(Arc<Answers>);

impl Site for AdminSite {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answering {
        let answers = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let peer = head.extensions.get::<Peer>().map(|peer| peer.0.ip());
            let authorization = head.headers.get(AUTHORIZATION);
            let authorization = authorization.and_then(|value| value.to_str().ok());
            let mut asked = Asked {
                method: head.method.clone(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                authorization: authorization.map(str::to_owned),
                peer: peer.unwrap_or_else(|| std::net::Ipv4Addr::UNSPECIFIED.into()),
                body: Vec::new(),
            };
            if answers.reads_body(&asked) {
                let body = Limited::new(body, BODY).collect();
                match tokio::time::timeout(Limits::default().body, body).await {
                    Ok(Ok(body)) => asked.body = body.to_bytes().into(),
                    Ok(Err(_)) => return status(StatusCode::PAYLOAD_TOO_LARGE),
                    Err(_) => return status(StatusCode::REQUEST_TIMEOUT),
                }
            }
            // A command may list a folder or write a snapshot.
            let answer = tokio::task::spawn_blocking(move || answers.answer(&asked)).await;
            answer.map_or_else(
                |_| status(StatusCode::INTERNAL_SERVER_ERROR),
                answer::Answer::into_response,
            )
        })
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::whole(Vec::new()));
    *response.status_mut() = status;
    response
}
