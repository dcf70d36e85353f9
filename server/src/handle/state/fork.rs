//! Servers that start from a snapshot.

use super::Snapshot;
use crate::handle::Server;
use crate::handle::builder::ServerBuilder;
use crate::handle::start_error::StartError;

impl Server {
    /// Starts another server with the same state and configuration, on a free port of the same address. Later changes
    /// of one server do not affect the other. The new server is in memory, even if this one has a data folder. See
    /// [`Snapshot::start`].
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets or threads left.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let fork = server.fork()?;
    /// fork.set("/config", b"v2")?;
    /// assert_eq!(server.data("/config").as_deref(), Some(&b"v1"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fork(&self) -> Result<Self, StartError> {
        self.snapshot().start()
    }
}

/// Starts a server with this state; see [`Snapshot::start`].
///
/// ```
/// use minikeeper::Server;
///
/// let server = Server::start()?;
/// let other = Server::try_from(server.snapshot())?;
/// assert_eq!(other.snapshot(), server.snapshot());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
impl TryFrom<Snapshot> for Server {
    type Error = StartError;

    fn try_from(snapshot: Snapshot) -> Result<Self, StartError> {
        snapshot.start()
    }
}

impl Snapshot {
    /// Starts a server with this state and the configuration of the original server, on a free port of the same
    /// address.
    ///
    /// Sessions continue as after a restart: each has its whole timeout again, and its client can resume it with its
    /// password. Containers and TTL znodes use the time of the new server. With a manual clock, that time starts at the
    /// time of the snapshot; it is never earlier. The snapshot of an ensemble starts an ensemble in a new epoch, with
    /// all members running and connected. Labelled addresses must be requested again.
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets or threads left.
    ///
    /// ```
    /// let server = minikeeper::Server::builder().manual_clock().start()?;
    /// let other = server.snapshot().start()?;
    /// assert_ne!(other.addr(), server.addr());
    /// assert_eq!(other.now(), server.now());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn start(&self) -> Result<Server, StartError> {
        let mut config = self.config().clone();
        config.take_free_ports();
        ServerBuilder::from(config).snapshot(self.clone()).start()
    }
}
