//! Listener: accepts clients and has them served, until it is closed.

use std::future;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::sync::oneshot;

use super::engine::{AcceptDecision, Engine};
use super::io_workers::IoWorkers;
use super::machine::Descriptors;
use crate::control::ListenerId;

/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);

/// Socket that stops listening when it is dropped, even if another process has a copy of it. A child process that
/// another thread of the test is starting has copies of all sockets until it runs its own program.
struct Listening(tokio::net::TcpListener);

impl Drop for Listening {
    fn drop(&mut self) {
        // On platforms where a listening socket cannot be shut down, the error has no remedy.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

/// Accepts connections and serves them until the listener is closed. When it is done, no client can connect and all
/// connections have ended. Panics if the task of a connection does.
pub(super) async fn accept(
    engine: Arc<Engine>,
    listener_id: ListenerId,
    listener: tokio::net::TcpListener,
    mut closed: oneshot::Receiver<()>,
) {
    let listening = Listening(listener);
    let mut workers = IoWorkers::new(Arc::clone(&engine));
    let descriptors = match &engine.log {
        Some(_) => Descriptors::with_reserve(),
        None => Descriptors::ANY,
    };
    let mut is_short = false;
    loop {
        let accepted = future::poll_fn(|context| {
            if Pin::new(&mut closed).poll(context).is_ready() {
                return Poll::Ready(None);
            }
            workers.poll_ended(context);
            listening.0.poll_accept(context).map(Some)
        });
        match accepted.await {
            None => break,
            Some(Ok((socket, peer))) if !descriptors.may_be(&socket) => {
                // A server that cannot begin the next log ends, so connections do not get the last descriptors.
                if !std::mem::replace(&mut is_short, true) {
                    tracing::warn!(
                        %peer,
                        "refusing connections: the last file descriptors are for the log and snapshots; \
                         raise the limit (ulimit -n)"
                    );
                }
            }
            Some(Ok((socket, peer))) => {
                is_short = false;
                // Without it, small replies wait for one another. A socket that refuses it is about to fail anyway.
                let _ = socket.set_nodelay(true);
                match engine.accept(peer, &listener_id) {
                    AcceptDecision::Serve(id) => workers.serve(id, socket),
                    AcceptDecision::Close => {}
                    AcceptDecision::Reset => {
                        // A linger time of zero makes close send a RST.
                        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                    }
                }
            }
            Some(Err(error)) => {
                // Most likely the process has no file descriptor left. Connections that end free some.
                tracing::warn!(%error, "cannot accept a connection");
                if tokio::time::timeout(PAUSE, &mut closed).await.is_ok() {
                    break;
                }
            }
        }
    }
    drop(listening);
    workers.end().await;
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::net::ReservedPort;
    use crate::net::connection::tests::engine;

    #[test]
    fn the_port_can_be_listened_on_again_while_a_child_that_starts_has_a_copy_of_the_socket() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let port = ReservedPort::reserve(any, 0).expect("there is a free port");
        let listener = port.listen().expect("the port is reserved");
        let _copy = listener.try_clone().expect("there is a descriptor left");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime starts");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is a socket");
            let (_close, closed) = oneshot::channel();
            let mut accepting =
                std::pin::pin!(accept(engine(), ListenerId::default(), listener, closed));
            let pending = future::poll_fn(|context| {
                Poll::Ready(accepting.as_mut().poll(context).is_pending())
            });
            assert!(pending.await, "no client connects");
        });
        port.listen().expect("the port is its own");
    }
}
