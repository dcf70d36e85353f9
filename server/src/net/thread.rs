//! The server's own thread and runtime. The server therefore works under any runtime of the caller or none, and while
//! the caller blocks.

use std::convert::Infallible;
use std::future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc as blocking};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

use super::engine::Engine;
use super::listener;
use super::port::ReservedPort;
use crate::control::ListenerId;

/// Thread of a running server. Listeners can be added and closed while it runs.
#[derive(Debug)]
pub(crate) struct ServerThread {
    engine: Arc<Engine>,
    runtime: runtime::Handle,
    /// Sends listeners to the thread.
    accepting: mpsc::UnboundedSender<Accepting>,
    open: Vec<Open>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Open listener, as the owner of the thread sees it.
#[derive(Debug)]
struct Open {
    addr: SocketAddr,
    close: oneshot::Sender<()>,
    /// Disconnected when the listener is closed and its connections have ended.
    closed: blocking::Receiver<Infallible>,
}

/// Open listener, as the thread sees it.
struct Accepting {
    accept: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Dropped together with the listener.
    _closed: blocking::Sender<Infallible>,
}

impl ServerThread {
    /// Starts the thread and its timer. It has no listener yet.
    pub(super) fn start(engine: Arc<Engine>) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        if let Some(log) = engine.log() {
            runtime.spawn(log.run_flusher());
        }
        let (accepting, handed) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("minikeeper".to_owned())
            .spawn({
                let engine = Arc::clone(&engine);
                move || {
                    let (mut handed, mut stopped) = (handed, stopped);
                    let mut time = pin!(engine.drive_timer());
                    let mut listeners: Vec<Accepting> = Vec::new();
                    // Not spawned, so that a panic in here ends the thread, and is noticed.
                    runtime.block_on(future::poll_fn(|context| {
                        let _: Poll<()> = time.as_mut().poll(context);
                        while let Poll::Ready(Some(accepting)) = handed.poll_recv(context) {
                            listeners.push(accepting);
                        }
                        listeners.retain_mut(|listener| listener.poll(context).is_pending());
                        if engine.poll_broken(context).is_ready() {
                            return Poll::Ready(());
                        }
                        // The message was sent, or the sender was dropped: the thread ends in both cases.
                        Pin::new(&mut stopped).poll(context).map(|_| ())
                    }));
                }
            })?;
        Ok(Self {
            engine,
            runtime: handle,
            accepting,
            open: Vec::new(),
            stop,
            thread,
        })
    }

    /// Listens on a port and serves its clients. When this returns, clients can connect.
    pub(super) fn listen(
        &mut self,
        port: &ReservedPort,
        listener_id: ListenerId,
    ) -> io::Result<()> {
        let listener = port.listen()?;
        let listener = {
            let _context = self.runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (close, closing) = oneshot::channel();
        let (alive, closed) = blocking::channel();
        let accept = listener::accept(Arc::clone(&self.engine), listener_id, listener, closing);
        // A thread that has panicked receives nothing. `stop` returns its panic.
        let _ = self.accepting.send(Accepting {
            accept: Box::pin(accept),
            _closed: alive,
        });
        self.open.push(Open {
            addr: port.addr(),
            close,
            closed,
        });
        Ok(())
    }

    /// Closes the listener of a port, if it has one. When this returns, new connections are refused, the connections of
    /// the listener have ended, and the port stays reserved.
    pub(super) fn close(&mut self, port: &ReservedPort) {
        for open in self.open.extract_if(.., |open| open.addr == port.addr()) {
            let Open { close, closed, .. } = open;
            let _ = close.send(());
            // Nothing is ever sent: an error means that the listener is gone.
            let _ = closed.recv();
        }
        port.reserve_again();
    }

    /// Stops the thread. When this returns, the sockets are closed. Returns the panic of the thread, if it panicked.
    pub(super) fn stop(self) -> thread::Result<()> {
        let _ = self.stop.send(());
        if self.thread.thread().id() == thread::current().id() {
            // The last handle was dropped by the server itself, which cannot wait for its own end.
            return Ok(());
        }
        self.thread.join()
    }
}

impl Accepting {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.accept.as_mut().poll(context)
    }
}
