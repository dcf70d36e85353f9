//! Labelled addresses: the clients of an address have its label.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::control::ListenerId;
use crate::handle::endpoint::{LOCALHOST, check_label, connect_string};
use crate::handle::start_error::{StartError, listen_error, port_error};
use crate::handle::{Member, Server};
use crate::net::ReservedPort;
use crate::protocol::MemberId;

/// Additional address of a server. The label of the address identifies its clients, in any language.
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
    /// Address of each member, by number.
    addrs: Vec<SocketAddr>,
}

impl Address {
    /// Label of the clients that connect to the address.
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

    /// Address that the server listens on: a port of its own on the IP address of the server. For an ensemble, the
    /// address of the first member.
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

    /// Address of each member of an ensemble, by number; for a server that is not an ensemble, its only address.
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

    /// Connect string for a client on this machine, like [`Server::connect_string`]. [`Display`](fmt::Display) writes
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
    /// Returns the addresses of all labels that have one at every member, in the order in which they were added.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let worker = server.labelled("worker")?;
    /// assert_eq!(server.labels(), [worker]);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn labels(&self) -> Vec<Address> {
        let mut addresses: Vec<Address> = Vec::new();
        for (label, addr) in self.ports().labelled() {
            match addresses.iter_mut().find(|it| it.label == **label) {
                Some(address) => address.addrs.push(addr),
                None => addresses.push(Address {
                    label: label.to_string(),
                    addrs: vec![addr],
                }),
            }
        }
        let members = self.shared.addrs.iter().flatten().count();
        addresses.retain(|address| address.addrs.len() == members);
        addresses
    }

    /// Listens on an additional port of the same IP address, and returns the address. Connections to the address have
    /// the label, in [`connections`](Self::connections) and wherever connections and sessions are identified. All
    /// addresses serve the same tree. In an ensemble, every member listens on an additional port. A second call with
    /// the same label returns the same address.
    ///
    /// When this returns, clients can connect; if the server is stopped, clients can connect once it starts again. Stop
    /// and restart affect all addresses. The limit on connections from one IP address counts the connections to all
    /// addresses.
    ///
    /// # Errors
    ///
    /// If the label is empty, begins or ends with white space, has control characters or is a name that the journal
    /// uses (`test`, `server`, `ensemble`); if this process or machine has no sockets or ports left; or if the server
    /// has [no listener](crate::ServerBuilder::without_listener).
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
        let listening = members.filter_map(|(member, addr)| Some((member, addr?)));
        self.add_label(label, listening)
    }

    /// Listens on an additional port for each of these members, unless it does already.
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
                .map_err(|error| listen_error(addr, error))?;
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
    /// Listens on an additional port of this member alone. The address of the [server](Server::labelled) leads to every
    /// member.
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
