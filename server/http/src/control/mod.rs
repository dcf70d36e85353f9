//! Control API: many servers in one process, each with everything that a test places on it.

mod clock;
mod config;
mod data;
mod ensemble;
mod faults;
mod files;
mod holds;
mod instance;
mod journal;
mod numbered;
mod process;
mod race;
mod servers;
mod sessions;
mod snapshots;
mod start;
mod stream;
mod tree;
mod waits;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Incoming;
use minikeeper::{Server, Snapshot};
use tokio::sync::Semaphore;

use self::instance::Instance;
use self::numbered::Numbered;
use crate::check::{BodyKind, Checks, body_kind};
use crate::error::{Code, Failure};
use crate::json;
use crate::listener::{Answering, HttpThread, Limits, Site, listen};
use crate::query::Query;
use crate::reply::Reply;
use crate::route::{Call, Handler, Nothing, Route, find};

/// Default port of the control API.
const PORT: u16 = 2180;

/// Control API that is being served. It ends when this is dropped; the servers that it made end with it.
///
/// ```
/// let control = minikeeper_http::Control::builder().start()?;
/// assert!(control.url().starts_with("http://127.0.0.1:"));
/// # Ok::<(), minikeeper_http::ControlError>(())
/// ```
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    token: Option<String>,
    context: Arc<Context>,
    // Dropped last: requests that are being answered end before their servers.
    http: Option<HttpThread>,
}

/// Reason why the control API is not served.
///
/// ```
/// use minikeeper_http::Control;
///
/// let first = Control::builder().start()?;
/// let error = Control::builder().address(first.address()).start().unwrap_err();
/// assert!(error.to_string().contains("cannot listen on 127.0.0.1:"));
/// # Ok::<(), minikeeper_http::ControlError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for the control API: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The address can be reached from other machines, and there is no token.
    #[error(
        "the control API at {0} can be reached from other machines and needs a token; set one, or use 127.0.0.1"
    )]
    NoToken(SocketAddr),
    /// The token cannot be sent in a header.
    #[error("the token must be printable ASCII without spaces")]
    Token,
    /// The folder for files does not exist.
    #[error("cannot use the folder {} for files of the control API: {source}", path.display())]
    Files {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The process has no threads left.
    #[error("cannot start the thread of the control API: {0}")]
    Thread(#[source] std::io::Error),
}

/// Settings of a [`Control`].
///
/// ```
/// use minikeeper_http::Control;
///
/// let control = Control::builder().token("secret").start()?;
/// assert_eq!(control.token(), Some("secret"));
/// # Ok::<(), minikeeper_http::ControlError>(())
/// ```
#[derive(Debug)]
#[must_use = "the API is served by `start`"]
pub struct ControlBuilder {
    address: SocketAddr,
    token: Option<String>,
    hosts: Vec<String>,
    files: Option<PathBuf>,
    limits: Limits,
    servers: Vec<(String, Server)>,
}

impl Control {
    /// Default address of the binary: 127.0.0.1:2180.
    pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);

    /// Returns the settings, to be changed. Without a change, it listens on a free port of 127.0.0.1.
    pub fn builder() -> ControlBuilder {
        ControlBuilder {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            hosts: Vec::new(),
            files: None,
            limits: Limits::default(),
            servers: Vec::new(),
        }
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of the API for a client on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}")
    }

    /// Returns the token that requests must have, if there is one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        for instance in self.context.take_all() {
            instance.end();
        }
        drop(self.http.take());
    }
}

impl ControlBuilder {
    /// Sets the address to listen on. Port 0 takes a free port.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Sets the token that requests must have. It is required if the address is not loopback.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Allows a name in the header `Host`, for example that of a container. Loopback and the address are allowed
    /// always.
    pub fn allow_host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// Sets the folder for files. Without it, no request can read or write files.
    pub fn files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = Some(folder.into());
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts a server under the API, with an id. The API cannot delete it.
    pub fn server(mut self, id: &str, server: Server) -> Self {
        self.servers.push((id.to_owned(), server));
        self
    }

    /// Serves the API.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, the token is missing or malformed, the folder for files does not exist, or
    /// the process has no threads left.
    pub fn start(self) -> Result<Control, ControlError> {
        let token = self.token.filter(|token| !token.is_empty());
        if token.is_none() && !self.address.ip().is_loopback() {
            return Err(ControlError::NoToken(self.address));
        }
        let is_sendable = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        if !token.iter().all(is_sendable) {
            return Err(ControlError::Token);
        }
        let files = match self.files {
            Some(path) => Some(
                path.canonicalize()
                    .map_err(|source| ControlError::Files { path, source })?,
            ),
            None => None,
        };
        let failed = |source| ControlError::Listen {
            address: self.address,
            source,
        };
        let listener = listen(self.address).map_err(failed)?;
        let http = HttpThread::start().map_err(ControlError::Thread)?;
        let context = Arc::new(Context::new(self.limits, files));
        for (id, server) in self.servers {
            context.add(Arc::new(Instance::given(id, server)));
        }
        let site = Arc::new(ControlSite {
            context: Arc::clone(&context),
            routes: routes(),
            checks: Checks {
                bound: self.address.ip(),
                hosts: self.hosts,
                token: token.clone(),
                body_bytes: self.limits.body_bytes,
            },
        });
        let address = http.serve(listener, site, self.limits).map_err(failed)?;
        Ok(Control {
            address,
            token,
            context,
            http: Some(http),
        })
    }
}

/// Everything that the routes of one control API share.
pub(crate) struct Context {
    pub(crate) limits: Limits,
    /// Folder below which files may be read and written.
    files: Option<PathBuf>,
    instances: Mutex<Instances>,
    server_slots: Arc<Semaphore>,
    wait_slots: Arc<Semaphore>,
    stream_slots: Arc<Semaphore>,
    snapshots: Mutex<Numbered<Snapshot>>,
}

/// Servers by their ids.
#[derive(Debug, Default)]
struct Instances {
    by_id: BTreeMap<String, Arc<Instance>>,
    next: u64,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("servers", &self.instances().by_id.len())
            .finish_non_exhaustive()
    }
}

impl Context {
    fn new(limits: Limits, files: Option<PathBuf>) -> Self {
        let slots = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self {
            server_slots: slots(limits.servers),
            wait_slots: slots(limits.waits),
            stream_slots: slots(limits.streams),
            snapshots: Mutex::new(Numbered::new("snapshot", 'p')),
            limits,
            files,
            instances: Mutex::default(),
        }
    }

    fn instances(&self) -> MutexGuard<'_, Instances> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a new id for a server.
    fn new_id(&self) -> String {
        let mut instances = self.instances();
        instances.next += 1;
        format!("s{}", instances.next)
    }

    fn add(&self, instance: Arc<Instance>) {
        let mut instances = self.instances();
        instances.by_id.insert(instance.id.clone(), instance);
    }

    /// Returns a server.
    ///
    /// # Errors
    ///
    /// If no server has the id.
    fn instance(&self, id: &str) -> Result<Arc<Instance>, Failure> {
        let instances = self.instances();
        let instance = instances.by_id.get(id);
        instance.cloned().ok_or_else(|| {
            Failure::not_found(format!(
                "there is no server {id}; {}",
                numbered::in_words("server", instances.by_id.keys().map(String::as_str))
            ))
        })
    }

    /// Returns all servers, in the order in which they were made.
    fn all(&self) -> Vec<Arc<Instance>> {
        let mut all: Vec<_> = self.instances().by_id.values().cloned().collect();
        all.sort_by(|one, other| (one.id.len(), &one.id).cmp(&(other.id.len(), &other.id)));
        all
    }

    fn free_waits(&self) -> usize {
        self.wait_slots.available_permits().min(self.limits.waits)
    }

    fn count(&self) -> usize {
        self.instances().by_id.len()
    }

    /// Removes a server, if it can be deleted.
    fn remove(&self, id: &str) -> Result<Arc<Instance>, Failure> {
        let instance = self.instance(id)?;
        if instance.is_given() {
            let message = format!("the server {id} ends with its process and cannot be deleted");
            return Err(
                Failure::conflict(message).hint("POST .../reset removes what was placed on it")
            );
        }
        let removed = self.instances().by_id.remove(id);
        // Another request may have been faster.
        removed.map_or_else(|| self.instance(id), Ok)
    }

    fn take_all(&self) -> Vec<Arc<Instance>> {
        let by_id = std::mem::take(&mut self.instances().by_id);
        by_id.into_values().collect()
    }
}

impl Call {
    /// Returns the server of the path.
    ///
    /// # Errors
    ///
    /// If no server has the id.
    fn instance(&self) -> Result<Arc<Instance>, Failure> {
        self.context.instance(self.param("server"))
    }
}

/// Error of a limit.
fn limit_reached(what: &str, most: usize) -> Failure {
    Failure::new(
        Code::LimitReached,
        format!("there are {most} {what} already, which is the limit"),
    )
}

/// All routes, in the order of the OpenAPI document.
pub(crate) fn routes() -> Vec<Route> {
    let groups = [
        process::routes(),
        servers::routes(),
        config::routes(),
        clock::routes(),
        sessions::routes(),
        tree::routes(),
        faults::routes(),
        holds::routes(),
        journal::routes(),
        stream::routes(),
        waits::routes(),
        ensemble::routes(),
        snapshots::routes(),
    ];
    groups.into_iter().flatten().collect()
}

/// Site of the control API.
struct ControlSite {
    context: Arc<Context>,
    routes: Vec<Route>,
    checks: Checks,
}

impl Site for ControlSite {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answering {
        Box::pin(async move {
            let reply = self.reply(request).await;
            reply.unwrap_or_else(Failure::into_reply).into_response()
        })
    }
}

impl ControlSite {
    async fn reply(&self, request: Request<Incoming>) -> Result<Reply, Failure> {
        let (head, body) = request.into_parts();
        self.checks.check(&head)?;
        let found = find(&self.routes, &head.method, head.uri.path())?;
        let kind = body_kind(&head)?;
        let query = Query::parse(head.uri.query(), found.route.params)?;
        let body = self.read(body).await?;
        match found.route.body {
            Some(expected) if expected != kind => {
                let expected = match expected {
                    BodyKind::Json => crate::reply::JSON,
                    BodyKind::Octets => crate::reply::OCTETS,
                };
                let message = format!("this route has a body of {expected}");
                return Err(Failure::new(Code::UnsupportedMediaType, message));
            }
            Some(_) => {}
            None => {
                json::read::<Nothing>(&body)?;
            }
        }
        let handler = found.route.handler.clone();
        let call = found.call(&self.context, query, &head, body);
        answer(handler, call).await
    }

    /// Reads a body, within the limits.
    async fn read(&self, body: Incoming) -> Result<Bytes, Failure> {
        let limits = &self.context.limits;
        let most = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
        let read = Limited::new(body, most).collect();
        match tokio::time::timeout(limits.body, read).await {
            Ok(Ok(read)) => Ok(read.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(self.checks.too_large()),
            Ok(Err(error)) => Err(Failure::bad_request(format!(
                "the body cannot be read: {error}"
            ))),
            Err(_) => Err(Failure::new(
                Code::Timeout,
                format!(
                    "the body did not arrive within {} ms",
                    limits.body.as_millis()
                ),
            )),
        }
    }
}

/// Calls the function of a route.
async fn answer(handler: Handler, call: Call) -> Result<Reply, Failure> {
    match handler {
        Handler::Waiting(handler) => handler(call).await,
        Handler::Blocking(handler) => {
            let called = tokio::task::spawn_blocking(move || handler(&call)).await;
            called.unwrap_or_else(|_| {
                let message = "the request panicked, which is a bug of minikeeper; \
                     the message is on the standard error of the process";
                Err(Failure::new(Code::Internal, message))
            })
        }
    }
}
