//! Port of a server, reserved also while the server does not listen on it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard};

use socket2::{Domain, Protocol, Socket, Type};

/// Backlog for the clients of a large test that all connect at once.
const DEFAULT_BACKLOG: i32 = 1024;

/// Whether a socket can listen on a port to which another socket is bound that does not listen. Only Linux is known to
/// allow it, and only if both have `SO_REUSEADDR` set at that moment.
const CAN_SHARE_PORT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Port that is reserved for this server, whether it listens or not.
#[derive(Debug)]
pub(crate) struct ReservedPort {
    addr: SocketAddr,
    backlog: i32,
    /// Socket that is bound and does not listen. It prevents other processes from taking the port; clients that connect
    /// are refused.
    reserved: Mutex<Option<Socket>>,
}

impl ReservedPort {
    /// Reserves a port; 0 stands for a free one.
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

    /// Listens until the returned listener is dropped. The caller then calls [`reserve_again`](Self::reserve_again).
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let backlog = if self.backlog > 0 {
            self.backlog
        } else {
            DEFAULT_BACKLOG
        };
        let mut reserved = self.reserved();
        let socket = if CAN_SHARE_PORT {
            let share = |may| {
                let reserved = reserved.as_ref();
                reserved.map_or(Ok(()), |reserved| reserved.set_reuse_address(may))
            };
            share(true)?;
            let socket = bind(self.addr).and_then(|socket| {
                socket.listen(backlog)?;
                Ok(socket)
            });
            // From here on, no other process can share the port.
            share(false)?;
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

    /// Reserves the port again after its listener was closed. On platforms that need a new socket for it, another
    /// process may have taken the port.
    pub(super) fn reserve_again(&self) {
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
