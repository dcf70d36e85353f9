//! The thread that serves, with a runtime of its own: so it serves under any runtime of the caller's or none, even
//! while the caller blocks.

use std::future;
use std::io;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::oneshot;

use super::engine::Engine;
use super::listener;

/// A running server.
#[derive(Debug)]
pub(crate) struct ServerThread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ServerThread {
    /// Starts to serve on a listener.
    pub(crate) fn start(engine: Arc<Engine>, listener: TcpListener) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("minikeeper".to_owned())
            .spawn(move || {
                let mut stopped = stopped;
                let mut time = pin!(engine.keep_time());
                let mut patience = pin!(engine.keep_patience());
                let mut accept = pin!(listener::accept(Arc::clone(&engine), listener));
                // Not spawned, so that a panic in here ends the thread, and is noticed.
                runtime.block_on(future::poll_fn(|context| {
                    let _: Poll<()> = time.as_mut().poll(context);
                    let _: Poll<()> = patience.as_mut().poll(context);
                    let _: Poll<()> = accept.as_mut().poll(context);
                    // Sent, or dropped with the handle: either way it is time to go.
                    Pin::new(&mut stopped).poll(context).map(|_| ())
                }));
            })?;
        Ok(Self { stop, thread })
    }

    /// Stops serving: when this returns, the sockets are closed. Gives what the thread panicked with, if it did.
    pub(crate) fn stop(self) -> thread::Result<()> {
        let _ = self.stop.send(());
        if self.thread.thread().id() == thread::current().id() {
            // The last handle was dropped by the server itself, which cannot wait for its own end.
            return Ok(());
        }
        self.thread.join()
    }
}
