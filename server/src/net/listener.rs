//! One listener: who connects is accepted and served, until it is closed.

use std::future;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::sync::oneshot;

use super::crew::Crew;
use super::engine::{Engine, Welcome};
use super::machine::Descriptors;
use crate::control::ListenerId;

/// How long nothing is accepted after it could not be.
const PAUSE: Duration = Duration::from_millis(20);

/// A listener that listens no longer once it is dropped, whoever else may hold its socket: a child that another thread
/// of the test is just starting has a copy of every socket, and would keep the port until it runs its own program.
struct Listening(tokio::net::TcpListener);

impl Drop for Listening {
    fn drop(&mut self) {
        // Where a socket that listens cannot be shut down there is nothing to be done about it.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

/// Accepts connections, and has each served, until it is closed: then nobody can connect, and the connections have ended.
/// Panics if one of them does.
pub(super) async fn accept(
    engine: Arc<Engine>,
    listener_id: ListenerId,
    listener: tokio::net::TcpListener,
    mut closed: oneshot::Receiver<()>,
) {
    let listening = Listening(listener);
    let mut crew = Crew::new(Arc::clone(&engine));
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
            crew.poll_ended(context);
            listening.0.poll_accept(context).map(Some)
        });
        match accepted.await {
            None => break,
            Some(Ok((socket, peer))) if !descriptors.may_be(&socket) => {
                // A server that cannot begin the next log ends, so connections do not get the last descriptors.
                if !std::mem::replace(&mut is_short, true) {
                    tracing::warn!(
                        %peer,
                        "refusing connections: the last file descriptors are for the log and snapshots; raise the limit (ulimit -n)"
                    );
                }
            }
            Some(Ok((socket, peer))) => {
                is_short = false;
                // Without it small answers wait for one another; a socket that cannot do it is about to fail anyway.
                let _ = socket.set_nodelay(true);
                match engine.accept(peer, &listener_id) {
                    Welcome::Serve(id) => crew.serve(id, socket),
                    Welcome::Close => {}
                    Welcome::Reset => {
                        // With nothing to linger for, closing is TCP's RST.
                        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                    }
                }
            }
            Some(Err(error)) => {
                // Out of file descriptors, most likely. Connections that end make room, so wait for one to.
                tracing::warn!(%error, "cannot accept a connection");
                if tokio::time::timeout(PAUSE, &mut closed).await.is_ok() {
                    break;
                }
            }
        }
    }
    drop(listening);
    crew.end().await;
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
            assert!(pending.await, "nobody connects");
        });
        port.listen().expect("the port is its own");
    }
}
