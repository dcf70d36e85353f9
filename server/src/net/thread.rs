//! The thread that serves, with a runtime of its own: so it serves under any runtime of the caller's or none, even
//! while the caller blocks.

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

/// A running server. It listens where it is told to, and stops doing so, while it runs.
#[derive(Debug)]
pub(crate) struct ServerThread {
    engine: Arc<Engine>,
    runtime: runtime::Handle,
    /// Takes listeners to the thread.
    accepting: mpsc::UnboundedSender<Accepting>,
    open: Vec<Open>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// An open listener, as who may close it sees it.
#[derive(Debug)]
struct Open {
    addr: SocketAddr,
    close: oneshot::Sender<()>,
    /// Ends when the listener is closed, and its connections with it.
    closed: blocking::Receiver<Infallible>,
}

/// An open listener, as the thread sees it.
struct Accepting {
    accept: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Dropped when there is nothing left of it.
    _closed: blocking::Sender<Infallible>,
}

impl ServerThread {
    /// Starts to keep time. It does not listen anywhere yet.
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
                        // Sent, or dropped with the handle: either way it is time to go.
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

    /// Listens on a port, and serves whoever connects there. When this returns, clients can connect.
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
        // A thread that has panicked takes nothing any more, and says so when it is stopped.
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

    /// Listens on a port no longer. When this returns, who connects there is refused, the connections that came by it
    /// have ended, and the port is kept. Does nothing if nobody listens on it.
    pub(super) fn close(&mut self, port: &ReservedPort) {
        for open in self.open.extract_if(.., |open| open.addr == port.addr()) {
            let Open { close, closed, .. } = open;
            let _ = close.send(());
            // It never says anything but that it is gone.
            let _ = closed.recv();
        }
        port.keep();
    }

    /// Stops serving: when this returns, the sockets are closed. Gives what the thread panicked with, if it did.
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
