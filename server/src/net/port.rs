//! A port that is a server's: kept while nobody listens on it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard};

use socket2::{Domain, Protocol, Socket, Type};

/// Enough for the clients of a large test that all connect at once.
const DEFAULT_BACKLOG: i32 = 1024;

/// Whether a second socket can listen beside one that is bound to the same port and does not listen. Only Linux is known
/// to allow it, and only if both have `SO_REUSEADDR` set at that moment.
const CAN_STAND_BESIDE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A port that is this server's whether it listens or not.
#[derive(Debug)]
pub(crate) struct ReservedPort {
    addr: SocketAddr,
    backlog: i32,
    /// Bound and not listening: as long as it is there nobody else gets the port, and who connects is refused.
    reserved: Mutex<Option<Socket>>,
}

impl ReservedPort {
    /// Takes the port, a free one if it is 0.
    pub(crate) fn reserve(addr: SocketAddr, backlog: i32) -> io::Result<Self> {
        let socket = bind(addr)?;
        let addr = socket.local_addr()?.as_socket().unwrap_or(addr);
        Ok(Self {
            addr,
            backlog,
            reserved: Mutex::new(Some(socket)),
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Listens, until what it gives is dropped; then the port is to be [kept](Self::keep).
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
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
            let socket = bind(self.addr).and_then(|socket| {
                socket.listen(backlog)?;
                Ok(socket)
            });
            // From here on nobody else can do the same.
            beside(false)?;
            socket?
        } else {
            let socket = match reserved.take() {
                Some(socket) => socket,
                None => bind(self.addr)?,
            };
            socket.listen(backlog)?;
            socket
        };
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    /// Keeps the port while nobody listens on it. Where that takes a new socket, it may come too late.
    pub(super) fn keep(&self) {
        let mut reserved = self.reserved();
        if reserved.is_none() {
            *reserved = bind(self.addr).ok();
        }
    }

    fn reserved(&self) -> MutexGuard<'_, Option<Socket>> {
        self.reserved
            .lock()
            .expect("nothing panics while a socket is opened")
    }
}

fn bind(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket)
}
