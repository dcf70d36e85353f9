//! The address of a server: kept while it is stopped, listened on while it runs.

use std::future;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::Entrance;
use super::crew::Crew;
use super::engine::{Engine, Welcome};

/// Enough for the clients of a large test that all connect at once.
const DEFAULT_BACKLOG: i32 = 1024;

/// Whether a second socket can listen beside one that is bound to the same port and does not listen. Only Linux is known
/// to allow it, and only if both have `SO_REUSEADDR` set at that moment.
const CAN_STAND_BESIDE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A port that is this server's whether it listens or not.
#[derive(Debug)]
pub(crate) struct Address {
    address: SocketAddr,
    backlog: i32,
    /// Bound and not listening: as long as it is there nobody else gets the port, and who connects is refused.
    reserved: Mutex<Option<Socket>>,
}

impl Address {
    /// Takes the port, a free one if it is 0.
    pub(crate) fn reserve(address: SocketAddr, backlog: i32) -> io::Result<Self> {
        let socket = bind(address)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Self {
            address,
            backlog,
            reserved: Mutex::new(Some(socket)),
        })
    }

    pub(crate) fn get(&self) -> SocketAddr {
        self.address
    }

    /// Listens, until what it gives is dropped; then the port is to be [kept](Self::keep).
    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        let backlog = if self.backlog > 0 {
            self.backlog
        } else {
            DEFAULT_BACKLOG
        };
        let mut reserved = self.reserved();
        let socket = if CAN_STAND_BESIDE {
            let beside = |may| {
                let reserved = reserved.as_ref();
                reserved.map_or(Ok(()), |reserved| reserved.set_reuse_address(may))
            };
            beside(true)?;
            let socket = bind(self.address).and_then(|socket| {
                socket.listen(backlog)?;
                Ok(socket)
            });
            // From here on nobody else can do the same.
            beside(false)?;
            socket?
        } else {
            let socket = match reserved.take() {
                Some(socket) => socket,
                None => bind(self.address)?,
            };
            socket.listen(backlog)?;
            socket
        };
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    /// Keeps the port while nobody listens on it. Where that takes a new socket, it may come too late.
    pub(crate) fn keep(&self) {
        let mut reserved = self.reserved();
        if reserved.is_none() {
            *reserved = bind(self.address).ok();
        }
    }

    fn reserved(&self) -> MutexGuard<'_, Option<Socket>> {
        self.reserved
            .lock()
            .expect("nothing panics while a socket is opened")
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A listener that listens no longer once it is dropped, whoever else may hold its socket: a child that another thread
/// of the test is just starting has a copy of every socket, and would keep the port until it runs its own program.
struct Listening(tokio::net::TcpListener);

impl Drop for Listening {
    fn drop(&mut self) {
        // Where a socket that listens cannot be shut down there is nothing to be done about it.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

/// Accepts connections for ever, and has each served. Panics if one of them does.
pub(super) async fn accept(engine: Arc<Engine>, listener: tokio::net::TcpListener) {
    let Listening(listener) = &Listening(listener);
    let mut crew = Crew::new(Arc::clone(&engine));
    loop {
        let accepted = future::poll_fn(|context| {
            crew.poll_ended(context);
            listener.poll_accept(context)
        });
        match accepted.await {
            Ok((socket, peer)) => {
                // Without it small answers wait for one another; a socket that cannot do it is about to fail anyway.
                let _ = socket.set_nodelay(true);
                match engine.accept(peer, &Entrance::default()) {
                    Welcome::Serve(id) => crew.serve(id, socket),
                    Welcome::Close => {}
                    Welcome::Reset => {
                        // With nothing to linger for, closing is TCP's RST.
                        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                    }
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely. Connections that end make room, so wait for one to.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::net::connection::tests::engine;

    #[test]
    fn the_port_can_be_listened_on_again_while_a_child_that_starts_has_a_copy_of_the_socket() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let address = Address::reserve(any, 0).expect("there is a free port");
        let listener = address.listen().expect("the port is reserved");
        let _copy = listener.try_clone().expect("there is a descriptor left");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime starts");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is a socket");
            let mut accepting = std::pin::pin!(accept(engine(), listener));
            let pending = future::poll_fn(|context| {
                std::task::Poll::Ready(accepting.as_mut().poll(context).is_pending())
            });
            assert!(pending.await, "nobody connects");
        });
        address.listen().expect("the port is its own");
    }
}
