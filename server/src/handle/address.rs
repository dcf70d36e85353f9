//! Labelled addresses: who connects to one is known by its label.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;

use super::serve::LOCALHOST;
use super::{Member, Server, StartError, port_error};
use crate::control::ListenerId;
use crate::net::ReservedPort;
use crate::protocol::MemberId;

/// A further address of a server: who connects there is known by its label, in any language.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let worker = server.labelled("worker")?;
/// assert_eq!(worker.label(), "worker");
/// assert_ne!(worker.addr(), server.addr());
/// // Give this to the worker, and another to the boss.
/// println!("ZOOKEEPER={worker}");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Address {
    label: String,
    /// That of each member, by number.
    addrs: Vec<SocketAddr>,
}

impl Address {
    /// The name of whoever connects there.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.labelled("worker")?.label(), "worker");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where the server listens: a port of its own, of the server's IP address. Of an ensemble, that of the first member.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.labelled("worker")?.addr().ip(), server.addr().ip());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addrs.first().copied().unwrap_or(LOCALHOST)
    }

    /// Where each member of an ensemble listens, by number; of a server that is none, the one address.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.server().labelled("worker")?.addrs().len(), 3);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// What a client on this machine is to be given, as [`Server::connect_string`] is. [`Display`](fmt::Display) writes
    /// the same.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let worker = server.labelled("worker")?;
    /// assert_eq!(worker.connect_string(), worker.to_string());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connect_string(&self) -> String {
        connect_string(&self.addrs)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.connect_string())
    }
}

impl Server {
    /// Listens on one more free port, of the same IP address, over the same tree, and so does each member of an ensemble:
    /// every connection that comes by it bears the label, in [`connections`](Self::connections) and wherever else connections and sessions are told apart. The
    /// same label asked for again gives the same address.
    ///
    /// When this returns, clients can connect, or as soon as the server starts again if it is stopped. Stop and restart
    /// are for all addresses, and so is the limit on connections from one IP address.
    ///
    /// # Errors
    ///
    /// When the label is empty, begins or ends with white space, has control characters or is a name that the journal
    /// uses (`test`, `server`, `ensemble`), when this process or machine has no sockets or ports left, or when the
    /// server has [no listener](crate::ServerBuilder::without_listener).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let (worker, boss) = (server.labelled("worker")?, server.labelled("boss")?);
    /// let _socket = std::net::TcpStream::connect(worker.addr());
    /// assert_ne!(worker, boss);
    /// assert_eq!(server.labelled("worker")?, worker);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn labelled(&self, label: &str) -> Result<Address, StartError> {
        let addrs = self.shared.addrs.iter().copied();
        let members = (1..).map(MemberId).zip(addrs);
        self.add_label(label, members)
    }

    /// Listens on a further port for each of these members, if it does not yet.
    fn add_label(
        &self,
        label: &str,
        members: impl Iterator<Item = (MemberId, SocketAddr)>,
    ) -> Result<Address, StartError> {
        let checked = check_label(label)?;
        if !self.config().listener {
            return Err(StartError::NoListener);
        }
        self.shared.engine.name_label(&checked);
        let mut ports = self.ports();
        let mut addrs = Vec::new();
        for (member, mut addr) in members {
            let listener_id = ListenerId {
                label: Some(Arc::clone(&checked)),
                member,
            };
            if let Some(addr) = ports.find(|other| *other == listener_id) {
                addrs.push(addr);
                continue;
            }
            addr.set_port(0);
            let port = ReservedPort::reserve(addr, self.config().listen_backlog)
                .map_err(|error| super::listen_error(addr, error))?;
            addrs.push(port.addr());
            ports.add(port, listener_id).map_err(port_error)?;
        }
        Ok(Address {
            label: label.to_owned(),
            addrs,
        })
    }
}

impl Member {
    /// The labelled address of this member alone. That of the [server](Server::labelled) leads to every member.
    ///
    /// # Errors
    ///
    /// As [`Server::labelled`].
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let worker = ensemble.member(2).labelled("worker")?;
    /// assert_eq!(ensemble.server().labelled("worker")?.addrs()[1], worker.addr());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn labelled(&self, label: &str) -> Result<Address, StartError> {
        let member = (self.id(), self.addr());
        self.server.add_label(label, std::iter::once(member))
    }
}

/// Checks that a label can be printed in a line of the journal, and is not one of the journal's own names.
pub(super) fn check_label(label: &str) -> Result<Arc<str>, StartError> {
    if label.is_empty() || label.trim() != label || label.contains(char::is_control) {
        return Err(StartError::Label(label.to_owned()));
    }
    if let "test" | "server" | "ensemble" = label {
        return Err(StartError::ReservedLabel(label.to_owned()));
    }
    Ok(label.into())
}

/// What a client on this machine is to be given that may connect to any of these.
pub(super) fn connect_string(addrs: &[SocketAddr]) -> String {
    let addrs: Vec<String> = addrs
        .iter()
        .map(|addr| reachable(*addr).to_string())
        .collect();
    addrs.join(",")
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
