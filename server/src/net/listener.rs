//! The address of a server: kept while it is stopped, listened on while it runs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::connection;
use super::engine::Engine;

/// Enough for the clients of a large test that all connect at once.
const DEFAULT_BACKLOG: i32 = 1024;

/// A port that is this server's whether it listens or not.
#[derive(Debug)]
pub(crate) struct Address {
    address: SocketAddr,
    backlog: i32,
    /// Bound and not listening: as long as it is there nobody else gets the port, and who connects is refused.
    _reserved: Option<Socket>,
}

impl Address {
    /// Takes the port, a free one if it is 0.
    pub(crate) fn reserve(address: SocketAddr, backlog: i32) -> io::Result<Self> {
        let socket = bind(address)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        // Only Unix lets a second socket listen beside one that is bound to the same port. Elsewhere the port is free
        // while the server is stopped.
        let reserved = cfg!(unix).then_some(socket);
        Ok(Self {
            address,
            backlog,
            _reserved: reserved,
        })
    }

    pub(crate) fn get(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        let socket = bind(self.address)?;
        socket.listen(if self.backlog > 0 {
            self.backlog
        } else {
            DEFAULT_BACKLOG
        })?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
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

/// Accepts connections for ever, and spawns a task for each.
pub(super) async fn accept(engine: Arc<Engine>, listener: tokio::net::TcpListener) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                // Without it small answers wait for one another; a socket that cannot do it is about to fail anyway.
                let _ = socket.set_nodelay(true);
                let id = engine.accept(peer);
                tokio::spawn(connection::serve(Arc::clone(&engine), id, socket));
            }
            Err(error) => {
                // Out of file descriptors, most likely. Connections that end make room, so wait for one to.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}
