//! The address of a server: kept while it is stopped, listened on while it runs.

use std::future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::crew::Crew;
use super::engine::Engine;

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

/// Accepts connections for ever, and has each served. Panics if one of them does.
pub(super) async fn accept(engine: Arc<Engine>, listener: tokio::net::TcpListener) {
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
                if let Some(id) = engine.accept(peer) {
                    crew.serve(id, socket);
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
