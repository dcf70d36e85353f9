//! Connections that the caller's own runtime serves, over any stream; and time, where no thread of the server keeps it.

use std::future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

pub(crate) use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use super::connection;
use super::engine::{Engine, Welcome};
use crate::control::ListenerId;

/// The connections that the caller's runtime serves.
#[derive(Debug)]
pub(crate) struct Hosted {
    engine: Arc<Engine>,
    /// Whether the server runs. Whenever that changes, every connection ends.
    running: watch::Sender<bool>,
    /// The one permit to keep time, for all. `None` if the server has a thread that does.
    time: Option<Arc<Semaphore>>,
}

impl Hosted {
    pub(crate) fn new(engine: Arc<Engine>, keeps_time: bool) -> Self {
        Self {
            engine,
            running: watch::Sender::new(false),
            time: keeps_time.then(|| Arc::new(Semaphore::new(1))),
        }
    }

    pub(crate) fn start(&self) {
        self.running.send_replace(true);
    }

    /// Ends every connection. When this returns, nothing that they send is heard any more; whoever polls them lets go of
    /// their streams.
    pub(crate) fn stop(&self) {
        self.running.send_replace(false);
        // Those of the server's own thread end with it.
        self.engine.disconnect_all();
    }

    pub(crate) fn is_running(&self) -> bool {
        *self.running.borrow()
    }

    /// Accepts a connection now and serves it until it ends, until the server stops, or until what is returned is dropped.
    pub(crate) fn serve<IO: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: IO,
        peer: SocketAddr,
        listener_id: &ListenerId,
    ) -> impl Future<Output = ()> + use<IO> {
        let accepted = {
            // Held meanwhile, so that none is accepted while the server stops.
            let running = self.running.borrow();
            let welcome = running.then(|| self.engine.accept(peer, listener_id));
            let id = match welcome {
                Some(Welcome::Serve(id)) => Some(id),
                // A stream that is no socket cannot be reset.
                Some(Welcome::Close | Welcome::Reset) | None => None,
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

    /// Keeps time as long as there is a server, if nobody else does.
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

/// Keeps time for ever, as soon as it is this one's turn to.
async fn drive_timer(engine: Arc<Engine>, turn: Option<Arc<Semaphore>>) {
    let Some(turn) = turn else {
        return future::pending().await;
    };
    let _turn = turn.acquire().await;
    engine.drive_timer().await;
}
