//! Labelled addresses: who connects to one is known by its label.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;

use super::{Server, StartError, port_error};
use crate::net::{Entrance, ReservedPort};
use crate::protocol::MemberId;

/// A further address of a server: who connects there is known by its label, in any language.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let worker = server.address("worker")?;
/// assert_eq!(worker.label(), "worker");
/// assert_ne!(worker.addr(), server.addr());
/// // Give this to the worker, and another to the boss.
/// println!("ZOOKEEPER={worker}");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Address {
    label: String,
    addr: SocketAddr,
}

impl Address {
    /// The name of whoever connects there.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.address("worker")?.label(), "worker");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where the server listens: a port of its own, of the server's IP address.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.address("worker")?.addr().ip(), server.addr().ip());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client on this machine is to be given, as [`Server::connect_string`] is. [`Display`](fmt::Display) writes
    /// the same.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let worker = server.address("worker")?;
    /// assert_eq!(worker.connect_string(), worker.to_string());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connect_string(&self) -> String {
        reachable(self.addr).to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", reachable(self.addr))
    }
}

impl Server {
    /// Listens on one more free port, of the same IP address, over the same tree: every connection that comes by it bears
    /// the label, in [`connections`](Self::connections) and wherever else connections and sessions are told apart. The
    /// same label asked for again gives the same address.
    ///
    /// When this returns, clients can connect, or as soon as the server starts again if it is stopped. Stop and restart
    /// are for all addresses, and so is the limit on connections from one IP address.
    ///
    /// # Errors
    ///
    /// When the label is empty, begins or ends with white space or has control characters, when this process or machine has
    /// no sockets or ports left, or when the server has [no listener](crate::ServerBuilder::without_listener).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let (worker, boss) = (server.address("worker")?, server.address("boss")?);
    /// let _socket = std::net::TcpStream::connect(worker.addr());
    /// assert_ne!(worker, boss);
    /// assert_eq!(server.address("worker")?, worker);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn address(&self, label: &str) -> Result<Address, StartError> {
        let checked = check_label(label)?;
        if !self.config().listener {
            return Err(StartError::NoListener);
        }
        let bears_it = |entrance: &Entrance| entrance.label.as_deref() == Some(label);
        let mut ports = self.ports();
        let addr = match ports.find(bears_it) {
            Some(addr) => addr,
            None => {
                let mut asked = self.addr();
                asked.set_port(0);
                let port = ReservedPort::reserve(asked, self.config().listen_backlog)
                    .map_err(|error| super::listen_error(asked, error))?;
                let addr = port.addr();
                let entrance = Entrance {
                    label: Some(checked),
                    member: MemberId::default(),
                };
                ports.add(port, entrance).map_err(port_error)?;
                addr
            }
        };
        Ok(Address {
            label: label.to_owned(),
            addr,
        })
    }
}

/// A label that can be told from others in a line of text.
pub(super) fn check_label(label: &str) -> Result<Arc<str>, StartError> {
    if label.is_empty() || label.trim() != label || label.contains(char::is_control) {
        return Err(StartError::Label(label.to_owned()));
    }
    Ok(label.into())
}

/// Where a client on this machine finds who listens there.
pub(super) fn reachable(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}
