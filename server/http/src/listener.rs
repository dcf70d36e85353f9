//! HTTP stack: a thread with a runtime, listeners on it, and the connections of the listeners.
//!
//! A [`Site`] answers the requests of a listener. The stack knows no routes; it bounds connections and slow clients.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Sleep;

use crate::body::Body;

/// Maximum sizes and spans of the control API.
///
/// ```
/// use minikeeper_http::{Control, Limits};
///
/// let mut limits = Limits::default();
/// limits.servers = 10;
/// let control = Control::builder().limits(limits).start()?;
/// # Ok::<(), minikeeper_http::ControlError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum length of a request body, in bytes.
    pub body_bytes: u64,
    /// Maximum number of connections; further ones are closed when they are accepted.
    pub connections: usize,
    /// Maximum number of servers.
    pub servers: usize,
    /// Maximum number of snapshots.
    pub snapshots: usize,
    /// Maximum number of waits, armed ones and long polls.
    pub waits: usize,
    /// Maximum number of journal streams.
    pub streams: usize,
    /// Maximum time of one long poll.
    pub wait: Duration,
    /// Maximum time between the first and the last byte of a request's head.
    pub head: Duration,
    /// Maximum time for the body of a request.
    pub body: Duration,
    /// Time without entries after which a stream sends a comment.
    pub stream_comment: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            connections: 20_000,
            servers: 10_000,
            snapshots: 10_000,
            waits: 10_000,
            streams: 1_000,
            wait: Duration::from_secs(25),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            stream_comment: Duration::from_secs(15),
        }
    }
}

/// Answer to one request, in the making.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Address of the client, among the extensions of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Answers the requests of a listener.
pub(crate) trait Site: Send + Sync + 'static {
    /// Answers one request. The future ends with its connection.
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answering;
}

/// Length of the queue of connections that are not accepted yet. When it is full, a client tries again after a second.
const BACKLOG: i32 = 4096;

/// Listens on an address. Port 0 takes a free port.
///
/// # Errors
///
/// If the address is in use or not one of this machine, or the process has no files left.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A site on an address and a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Served {
    address: SocketAddr,
    _thread: HttpThread,
}

impl Served {
    /// Serves a site.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, or the process has no threads left.
    pub(crate) fn start(
        address: SocketAddr,
        site: Arc<impl Site>,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = listen(address)?;
        let thread = HttpThread::start()?;
        let address = thread.serve(listener, site, limits)?;
        Ok(Self {
            address,
            _thread: thread,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Thread with the runtime of all listeners. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct HttpThread {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Threads for calls that may wait for a lock, a disk or a thread that ends.
const BLOCKING_THREADS: usize = 64;
/// Time after which an idle one of these threads ends.
const IDLE: Duration = Duration::from_secs(2);
/// Time that calls have to end when the thread is dropped.
const GRACE: Duration = Duration::from_secs(5);

impl HttpThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the process has no threads or files left.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(IDLE)
            .thread_name("minikeeper-call")
            .build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let run = move || {
            let _ = runtime.block_on(ended);
            runtime.shutdown_timeout(GRACE);
        };
        let thread = thread::Builder::new()
            .name("minikeeper-http".to_owned())
            .spawn(run)?;
        Ok(Self {
            handle,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Serves a site on a listener, and returns its address.
    ///
    /// # Errors
    ///
    /// If the listener cannot be used without blocking.
    pub(crate) fn serve(
        &self,
        listener: TcpListener,
        site: Arc<impl Site>,
        limits: Limits,
    ) -> io::Result<SocketAddr> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let _inside = self.handle.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.handle.spawn(accept(listener, site, limits));
        Ok(address)
    }
}

impl Drop for HttpThread {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Pause after a refused accept, for example when the process has no files left.
const PAUSE: Duration = Duration::from_millis(50);

async fn accept(listener: tokio::net::TcpListener, site: Arc<impl Site>, limits: Limits) {
    let connections = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // A connection beyond the limit is closed at once.
        if let Ok(permit) = Arc::clone(&connections).try_acquire_owned() {
            let site = Arc::clone(&site);
            tokio::spawn(async move {
                serve_connection(stream, Peer(peer), site, limits).await;
                drop(permit);
            });
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: Peer, site: Arc<impl Site>, limits: Limits) {
    // An answer is one write, so there is nothing to gather.
    let _ = stream.set_nodelay(true);
    let serving = Arc::new(AtomicBool::new(false));
    let stream = Watched {
        stream,
        serving: Arc::clone(&serving),
        head: limits.head,
        deadline: None,
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let in_request = InRequest::begin(&serving);
        let answer = Arc::clone(&site).answer(request);
        async move { Ok::<_, Infallible>(answer.await.map(|body| body.of_request(in_request))) }
    });
    // Errors are those of the client: a malformed head, a closed connection.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Marks a connection as one that serves a request, until it is dropped.
#[derive(Debug)]
pub(crate) struct InRequest(Arc<AtomicBool>);

impl InRequest {
    fn begin(serving: &Arc<AtomicBool>) -> Self {
        serving.store(true, Ordering::Relaxed);
        Self(Arc::clone(serving))
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Stream that fails if the head of a request does not arrive in time. An idle connection may last; a part of a head
/// may not.
struct Watched {
    stream: TcpStream,
    /// Whether a request is being answered.
    serving: Arc<AtomicBool>,
    head: Duration,
    /// End of the time for the present head, once its first byte has arrived.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.serving.load(Ordering::Relaxed) {
            self.deadline = None;
            return read;
        }
        if buffer.filled().len() > before && self.deadline.is_none() {
            self.deadline = Some(Box::pin(tokio::time::sleep(self.head)));
        }
        if read.is_pending()
            && let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            let slow = "the head of the request did not arrive in time";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, slow)));
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
