//! Reports and commands of the AdminServer, as data.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::endpoint::NO_LISTENER;
use super::{Server, Snapshot};
use crate::net::Engine;
use crate::protocol::{ErrorCode, MemberId, MetricsProvider, Mode, SessionId, Timestamp, Zxid};
use crate::store::StorageError;
use crate::wire::{
    self, ConfReport, ConnectionReport, DumpReport, EnvironmentReport, Metric, ServerReport,
};

/// Reports and commands of one server or member of an ensemble: those of four-letter words and of the AdminServer.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let admin = server.admin();
/// admin.reset();
/// assert_eq!(admin.server().received, 0);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Admin {
    server: Server,
    member: MemberId,
}

/// Facts about replies and time that only the AdminServer shows.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert_eq!(server.admin().details().response_sizes, None);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Details {
    /// Last, smallest and largest size of a reply, in bytes; `None` before the first reply.
    pub response_sizes: Option<(u64, u64, u64)>,
    /// Number of failed authentications.
    pub auth_failed: u64,
    /// Time since the start.
    pub uptime: Duration,
    /// Size of the snapshots, in bytes.
    pub data_size: u64,
    /// Size of the logs, in bytes.
    pub log_size: u64,
}

/// A member's view of its ensemble.
///
/// ```
/// let ensemble = minikeeper::Ensemble::start(3)?;
/// let quorum = ensemble.member(1).admin().quorum().expect("it is a member");
/// assert_eq!(quorum.members.len(), 3);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quorum {
    /// Number of the member.
    pub member: MemberId,
    /// Leader, if the member follows one or leads.
    pub leader: Option<MemberId>,
    /// Last transaction that the member has.
    pub last_zxid: Zxid,
    /// Members with their addresses for clients. The port of a member without an address is 0.
    pub members: Vec<(MemberId, SocketAddr)>,
}

/// Reason why a caller may not use a command.
///
/// ```
/// use minikeeper::admin::Denied;
///
/// let server = minikeeper::Server::start()?;
/// let address = std::net::Ipv4Addr::LOCALHOST.into();
/// assert_eq!(server.admin().authorize(address, "sasl", None), Err(Denied::NotAuthenticated));
/// assert_eq!(server.admin().authorize(address, "ip", None), Ok(()));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The scheme is unknown, or its credentials are not valid.
    #[error("the credentials are not valid; use `digest user:password` or `ip`")]
    NotAuthenticated,
    /// The ACL of the root denies a permission.
    #[error("the ACL of / denies a permission to these credentials; all five are needed")]
    NotAuthorized,
}

/// Reason why the state of a server cannot be replaced.
///
/// ```
/// use minikeeper::admin::RestoreError;
///
/// let ensemble = minikeeper::Ensemble::start(3)?;
/// let admin = ensemble.member(1).admin();
/// assert!(matches!(admin.restore(&admin.snapshot()), Err(RestoreError::Ensemble)));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The data folder cannot hold the state, or the disk refused a write. In the second case the server has stopped
    /// serving.
    #[error("the data folder cannot be replaced: {0}")]
    Folder(#[from] StorageError),
    /// The members of an ensemble have epochs of their own.
    #[error("an ensemble cannot be restored; start a new one from the snapshot")]
    Ensemble,
}

impl Server {
    /// Returns the reports and commands of the AdminServer. For an [ensemble](crate::Ensemble), those of the first
    /// member.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().sessions().sessions, []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::of(self, MemberId(1))
    }
}

impl Admin {
    pub(in crate::handle) fn of(server: &Server, member: MemberId) -> Self {
        Self {
            server: server.clone(),
            member,
        }
    }

    fn engine(&self) -> &Engine {
        &self.server.shared.engine
    }

    /// Returns the version of ZooKeeper whose behaviour the server has, with that of minikeeper.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.admin().version().starts_with("3.9.5-minikeeper-"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn version(&self) -> &'static str {
        wire::VERSION
    }

    /// Returns the mode of the server. A server that was stopped is [`Mode::Stopped`].
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().mode(), minikeeper::ensemble::Mode::Standalone);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.server.is_running() {
            self.engine().mode_of(self.member)
        } else {
            Mode::Stopped
        }
    }

    /// Returns the settings, as `conf` shows them. Lists the data folder, if there is one.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().configuration().client_port, server.addr().port());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn configuration(&self) -> ConfReport {
        let mut report = self.engine().conf_report();
        if let Some(quorum) = self.quorum() {
            report.server_id = u64::from(self.member.0);
            let mut members = quorum.members.iter();
            if let Some((_, addr)) = members.find(|(member, _)| *member == self.member) {
                report.client_port = addr.port();
            }
        }
        report
    }

    /// Returns the connections, oldest first, as `cons` shows them.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().connections(), []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionReport> {
        self.engine().connection_reports()
    }

    /// Returns the sessions and their ephemerals, as `dump` shows them.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().sessions().ephemerals, []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn sessions(&self) -> DumpReport {
        self.engine().dump_report()
    }

    /// Returns the summary of `srvr`.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().server().znodes, 5);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn server(&self) -> ServerReport {
        self.engine().server_report(self.member)
    }

    /// Returns the facts that only the AdminServer shows. Lists the data folder, if there is one.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().details().auth_failed, 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn details(&self) -> Details {
        let engine = self.engine();
        let (data_size, log_size) = engine.sizes();
        let (auth_failed, uptime) = engine.auth_failures_and_uptime();
        Details {
            response_sizes: engine.response_sizes(),
            auth_failed,
            uptime,
            data_size,
            log_size,
        }
    }

    /// Returns every metric of a real server, in the order of `mntr`.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let metrics = server.admin().metrics();
    /// assert!(metrics.iter().any(|metric| metric.name == "connection_request_count"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.engine().metrics(self.member)
    }

    /// Returns the environment, as `envi` shows it.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.admin().environment().os_name.is_some());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn environment(&self) -> EnvironmentReport {
        Engine::environment_report()
    }

    /// Returns the watched paths with the session that watches each, as `wchc` shows them: data watches and those of
    /// `exists`.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().watched_paths(), []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn watched_paths(&self) -> Vec<(String, SessionId)> {
        self.engine().watched_paths()
    }

    /// Returns the numbers of watching connections, watched paths and watches, as `wchs` shows them.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().watch_counts(), (0, 0, 0));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn watch_counts(&self) -> (usize, usize, usize) {
        self.engine().watch_counts()
    }

    /// Returns the digests of the state, as `hash` shows them: one for every 128 transactions of a server with a data
    /// folder.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().digests(), []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn digests(&self) -> Vec<(Zxid, i64)> {
        self.engine().digests()
    }

    /// Returns the zxid and the time of the newest snapshot. A server without a data folder has that of its start.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let (zxid, _) = server.admin().last_snapshot().expect("it has that of its start");
    /// assert_eq!(zxid, minikeeper::protocol::Zxid(0));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn last_snapshot(&self) -> Option<(Zxid, Timestamp)> {
        self.engine().last_snapshot()
    }

    /// Returns the view of the ensemble; `None` for a standalone server.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().quorum(), None);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn quorum(&self) -> Option<Quorum> {
        let addrs = &self.server.shared.addrs;
        if addrs.len() < 2 {
            return None;
        }
        let (leader, last_zxid) = self.server.shared.engine.with_keeper(|keeper| {
            let is_served = matches!(
                keeper.members().mode(self.member),
                Mode::Leader | Mode::Follower
            );
            let leader = keeper.members().leader().filter(|_| is_served);
            (leader, keeper.last_zxid_of(self.member))
        });
        let numbers = (1..).map(MemberId);
        Some(Quorum {
            member: self.member,
            leader,
            last_zxid,
            members: numbers
                .zip(addrs.iter().map(|addr| addr.unwrap_or(NO_LISTENER)))
                .collect(),
        })
    }

    /// Returns the trace mask, which has no effect.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().trace_mask(), 306);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn trace_mask(&self) -> i64 {
        self.engine().trace_mask()
    }

    /// Sets the trace mask, which has no effect.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.admin().set_trace_mask(2);
    /// assert_eq!(server.admin().trace_mask(), 2);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn set_trace_mask(&self, mask: i64) {
        self.engine().set_trace_mask(mask);
    }

    /// Resets the counts of the server, as `srst` does.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.admin().reset();
    /// assert_eq!(server.admin().server().sent, 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn reset(&self) {
        self.engine().reset_counts();
    }

    /// Resets the counts of the connections, as `crst` does.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.admin().reset_connections();
    /// assert_eq!(server.admin().connections(), []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn reset_connections(&self) {
        self.engine().reset_connection_counts();
    }

    /// Returns the time of the server's clock.
    ///
    /// ```
    /// let server = minikeeper::Server::builder().manual_clock().start()?;
    /// assert_eq!(server.admin().now(), server.now());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.server.now()
    }

    /// Returns the form of the metrics in `mntr`.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let provider = server.admin().metrics_provider();
    /// assert_eq!(provider, minikeeper::config::MetricsProvider::Default);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn metrics_provider(&self) -> MetricsProvider {
        self.server.shared.config.metrics_provider
    }

    /// Copies the state: see [`Server::snapshot`].
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.admin().snapshot(), server.snapshot());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.server.snapshot()
    }

    /// Replaces the state of a running server: znodes, sessions and the last zxid. Connections are closed, and watches
    /// are gone. Clients can resume the sessions of the snapshot. Ports, labels, faults and the journal stay.
    ///
    /// A data folder then starts with the restored state; its former files are renamed to `replaced-*`. The folder of
    /// a real server keeps them, and after a restart the server has its former state again, together with the later
    /// writes (`ZooKeeperServer.restoreFromSnapshot`).
    ///
    /// # Errors
    ///
    /// If the server is an ensemble, or if its data folder cannot be replaced.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let empty = server.snapshot();
    /// server.create("/config", b"v1")?;
    /// server.admin().restore(&empty)?;
    /// assert_eq!(server.data("/config"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), RestoreError> {
        let shared = &self.server.shared;
        if shared.addrs.len() > 1 {
            return Err(RestoreError::Ensemble);
        }
        shared.engine.restore(snapshot.state().clone())?;
        if shared.unique_session_ids {
            shared.engine.make_session_ids_unique();
        }
        Ok(())
    }

    /// Checks that a caller may use `snapshot` and `restore`: its credentials have every permission on the root.
    ///
    /// # Errors
    ///
    /// If the credentials are not valid, or if they lack a permission.
    ///
    /// ```
    /// let server = minikeeper::Server::builder().super_user("super:secret").start()?;
    /// let address = std::net::Ipv4Addr::LOCALHOST.into();
    /// assert_eq!(server.admin().authorize(address, "digest", Some("super:secret")), Ok(()));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn authorize(
        &self,
        address: IpAddr,
        scheme: &str,
        credentials: Option<&str>,
    ) -> Result<(), Denied> {
        let engine = &self.server.shared.engine;
        let checked =
            engine.with_keeper(|keeper| keeper.check_administrator(address, scheme, credentials));
        checked.map_err(|code| {
            if code == ErrorCode::AuthFailed {
                Denied::NotAuthenticated
            } else {
                Denied::NotAuthorized
            }
        })
    }
}
