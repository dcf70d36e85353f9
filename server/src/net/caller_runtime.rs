//! Connections over any stream, served on the caller's runtime; and the timer of a server without a thread.

use std::future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

pub(crate) use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use super::connection;
use super::engine::{AcceptDecision, Engine};
use crate::control::ListenerId;

/// Connections that the caller's runtime serves.
#[derive(Debug)]
pub(crate) struct CallerRuntime {
    engine: Arc<Engine>,
    /// Whether the server runs. Each change ends all connections.
    running: watch::Sender<bool>,
    /// Permit to drive the timer, for one task at a time. `None` if a thread of the server drives it.
    time: Option<Arc<Semaphore>>,
}

impl CallerRuntime {
    pub(crate) fn new(engine: Arc<Engine>, drives_timer: bool) -> Self {
        Self {
            engine,
            running: watch::Sender::new(false),
            time: drives_timer.then(|| Arc::new(Semaphore::new(1))),
        }
    }

    pub(crate) fn start(&self) {
        self.running.send_replace(true);
    }

    /// Ends every connection. After this returns, nothing that clients send is processed. The tasks that poll the
    /// connections drop the streams.
    pub(crate) fn stop(&self) {
        self.running.send_replace(false);
        // Connections of the server's own thread end with that thread.
        self.engine.disconnect_all();
    }

    pub(crate) fn is_running(&self) -> bool {
        *self.running.borrow()
    }

    /// Accepts a connection now. The returned future serves it until the connection ends, the server stops or the
    /// future is dropped.
    pub(crate) fn serve<IO: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: IO,
        peer: SocketAddr,
        listener_id: &ListenerId,
    ) -> impl Future<Output = ()> + use<IO> {
        let accepted = {
            // The borrow ends after the accept, so that no connection is accepted while the server stops.
            let running = self.running.borrow();
            let decision = running.then(|| self.engine.accept(peer, listener_id));
            let id = match decision {
                Some(AcceptDecision::Serve(id)) => Some(id),
                // Only sockets can be reset.
                Some(AcceptDecision::Close | AcceptDecision::Reset) | None => None,
            };
            id.map(|id| {
                let connection = connection::serve(Arc::clone(&self.engine), id, io, None);
                (connection, self.running.subscribe())
            })
        };
        let time = drive_timer(Arc::clone(&self.engine), self.time.clone());
        async move {
            let Some((connection, mut running)) = accepted else {
                return;
            };
            let mut connection = pin!(connection);
            let mut stopped = pin!(running.changed());
            let mut time = pin!(time);
            future::poll_fn(|context| {
                if stopped.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                let _: Poll<()> = time.as_mut().poll(context);
                connection.as_mut().poll(context)
            })
            .await;
        }
    }

    /// Drives the timer as long as the server exists, unless another task does.
    pub(crate) fn drive_timer(&self) -> impl Future<Output = ()> + use<> {
        let mut running = self.running.subscribe();
        let (engine, time) = (Arc::clone(&self.engine), self.time.clone());
        async move {
            while running.wait_for(|running| *running).await.is_ok() {
                let mut stopped = pin!(running.changed());
                let mut time = pin!(drive_timer(Arc::clone(&engine), time.clone()));
                future::poll_fn(|context| {
                    let _: Poll<()> = time.as_mut().poll(context);
                    stopped.as_mut().poll(context).map(|_| ())
                })
                .await;
            }
        }
    }
}

/// Drives the timer forever, once it has the permit.
async fn drive_timer(engine: Arc<Engine>, turn: Option<Arc<Semaphore>>) {
    let Some(turn) = turn else {
        return future::pending().await;
    };
    let _turn = turn.acquire().await;
    engine.drive_timer().await;
}
