//! Settings of a server, and its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(not(feature = "tokio-clock"))]
use super::missing::{NotEnabled, TokioClock};
use super::{Ensemble, Server, Snapshot, StartError, Tree};
use crate::config::{
    ClockKind, Config, DigestAlgorithm, FourLetterWords, JournalMode, MetricsProvider, Storage,
    with_settings,
};
use crate::protocol::Timestamp;

/// Builder of a [`Server`]. See [`Config`] for the meaning and the default of each setting.
///
/// ```
/// use std::time::Duration;
///
/// let server = minikeeper::Server::builder()
///     .tick_time(Duration::from_millis(500))
///     .manual_clock()
///     .start()?;
/// server.advance(Duration::from_secs(60));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerBuilder {
    config: Config,
    snapshot: Option<Snapshot>,
    seed: Option<Tree>,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1, empty and with the system clock.
    ///
    /// When this returns, clients can connect. The server needs no async runtime, and works under any.
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets or threads left.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.addr().ip().is_loopback());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Returns a builder, to configure a server before it starts.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let server = minikeeper::Server::builder().tick_time(Duration::from_millis(100)).start()?;
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

impl From<Config> for ServerBuilder {
    fn from(config: Config) -> Self {
        Self {
            config,
            snapshot: None,
            seed: None,
        }
    }
}

/// Makes the setters of all settings, except of those whose setters are written by hand.
macro_rules! setters {
    ($([$($own:ident)?] $(#[doc = $doc:literal])+ $name:ident: $type:ty;)*) => {
        impl ServerBuilder {
            $(setter! { [$($own)?] $(#[doc = $doc])+ $name: $type })*
        }
    };
}

macro_rules! setter {
    ([own] $($setting:tt)*) => {};
    ([] $(#[doc = $doc:literal])+ $name:ident: $type:ty) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.config.$name = $name;
            self
        }
    };
}

with_settings!(setters);

impl ServerBuilder {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// If the port is in use, a setting is invalid, the seed cannot be written, or this process or machine has no
    /// sockets or threads left.
    pub fn start(self) -> Result<Server, StartError> {
        self.start_with(|_| ()).map(|(server, ())| server)
    }

    /// Starts the server as [`start`](Self::start) does, and calls a function before the first connection is accepted.
    /// A fault or hold that the function places therefore misses no message.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start). The function is not called if the error comes before it.
    ///
    /// ```
    /// use minikeeper::matcher::EventKind;
    /// use minikeeper::{Fault, Matcher, Server};
    ///
    /// let (_server, fault) = Server::builder().start_with(|server| {
    ///     let first = server.fault("first").matching(Matcher::of(EventKind::Accepted));
    ///     first.optional().then(Fault::Refuse)
    /// })?;
    /// assert_eq!(fault.hits(), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn start_with<T>(
        self,
        prepare: impl FnOnce(&Server) -> T,
    ) -> Result<(Server, T), StartError> {
        let server = Server::prepare(self.config, self.snapshot.as_ref(), self.seed.as_ref())?;
        let prepared = prepare(&server);
        server.begin(&mut server.ports())?;
        Ok((server, prepared))
    }

    /// Starts the server with the state of another one: see [`Snapshot::start`], which also takes over the settings of
    /// that server.
    ///
    /// ```
    /// use minikeeper::Server;
    ///
    /// let server = Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let fork = Server::builder().manual_clock().snapshot(server.snapshot()).start()?;
    /// assert_eq!(fork.znode("/config"), server.znode("/config"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// Creates these znodes before clients can connect: see [`Server::seed`].
    ///
    /// ```
    /// use minikeeper::{Server, protocol::Zxid, tree};
    ///
    /// let server = Server::builder().seed(tree! { "/config" => "v1", "/locks" => {} }).start()?;
    /// assert_eq!(server.znode("/config").map(|znode| znode.stat.czxid), Some(Zxid(1)));
    /// assert_eq!(server.znode("/locks").map(|znode| znode.stat.czxid), Some(Zxid(2)));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn seed(mut self, tree: Tree) -> Self {
        self.seed = Some(tree);
        self
    }

    /// Starts an ensemble with this number of members. If a [port](Self::port) is set, the first member has it and the
    /// other members have the ports after it. Members number their sessions themselves, so
    /// [`server_id`](Self::server_id) has no effect.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and if the number is not between 1 and 254.
    ///
    /// ```
    /// let ensemble = minikeeper::Server::builder().manual_clock().read_only_mode(true).ensemble(3)?;
    /// ensemble.lose_quorum();
    /// assert_eq!(ensemble.member(1).mode(), minikeeper::ensemble::Mode::ReadOnly);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn ensemble(mut self, members: u8) -> Result<Ensemble, StartError> {
        self.config.members = members;
        Ok(self.start()?.ensemble())
    }

    /// Names a label before a client has it, so that faults, holds, waits and claims can use it from the start. This is
    /// only needed on a server whose [labelled address](Server::labelled) is not requested first, such as a server
    /// [without a listener](Self::without_listener).
    ///
    /// ```
    /// use minikeeper::{Matcher, Server};
    ///
    /// let server = Server::builder().without_listener().label("worker").start()?;
    /// let hold = server.hold(Matcher::watch_event().label("worker"));
    /// # drop(hold);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.config.labels.push(label.to_owned());
        self
    }

    /// Listens on this port, of 127.0.0.1 unless [`address`](Self::address) sets another IP address.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.config.address.set_port(port);
        self
    }

    /// Starts the server without a listener and without a thread. Clients are served by [`Server::serve`] on the
    /// runtime of the caller. The timer of the server runs in these connections, or in [`Server::drive_timer`].
    ///
    /// If the time of that runtime is paused, the clock must be `tokio_clock` or [`manual_clock`](Self::manual_clock).
    /// With the system clock, the timer would wait in a busy loop for time that does not pass.
    ///
    /// ```
    /// let server = minikeeper::Server::builder().without_listener().start()?;
    /// assert!(server.labelled("worker").is_err());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn without_listener(mut self) -> Self {
        self.config.listener = false;
        self
    }

    /// Uses a clock that stands still until [`Server::advance`] moves it.
    #[must_use]
    pub fn manual_clock(mut self) -> Self {
        self.config.clock = ClockKind::Manual;
        self
    }

    /// Uses the time of the tokio runtime that the server is started in. A test can pause this time
    /// (`tokio::time::pause`, `#[tokio::test(start_paused = true)]`): then time advances as soon as all tasks are idle.
    /// Only for a server [without a listener](Self::without_listener). Needs the feature `tokio-clock`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = minikeeper::Server::builder().without_listener().tokio_clock().start()?;
    /// let before = server.now();
    /// tokio::time::sleep(Duration::from_secs(3600)).await;
    /// assert_eq!(server.now().since(before), Duration::from_secs(3600));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tokio-clock")]
    #[must_use]
    pub fn tokio_clock(mut self) -> Self {
        self.config.clock = ClockKind::Tokio;
        self
    }

    /// Placeholder for the method without its feature: a call does not compile, and the compiler names the feature.
    #[cfg(not(feature = "tokio-clock"))]
    #[doc(hidden)]
    #[must_use]
    pub fn tokio_clock(self) -> Self
    where
        for<'always> NotEnabled: TokioClock,
    {
        self
    }

    /// Sets the time of the clock when the server starts, instead of the time of day. With a manual or a tokio clock,
    /// two runs of a test then have the same session ids, `ctime`s and `mtime`s.
    ///
    /// Two servers that start at the same fixed time assign the same session ids. A server that starts from a
    /// [snapshot](Self::snapshot) on a manual or tokio clock assigns the same ids as the server that the snapshot was
    /// taken from. All other servers of one process assign different ids, in ZooKeeper's layout: the server id, the
    /// time of the start in milliseconds, a counter.
    ///
    /// ```
    /// use minikeeper::{Server, protocol::Timestamp};
    ///
    /// let server = Server::builder().manual_clock().start_time(Timestamp(1_000_000)).start()?;
    /// server.create("/config", b"v1")?;
    /// assert_eq!(server.znode("/config").map(|znode| znode.stat.ctime), Some(Timestamp(1_000_000)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn start_time(mut self, start_time: Timestamp) -> Self {
        self.config.start_time = Some(start_time);
        self
    }

    /// Sets the shortest and the longest session timeout that a client can get.
    #[must_use]
    pub fn session_timeouts(mut self, shortest: Duration, longest: Duration) -> Self {
        self.config.min_session_timeout = Some(shortest);
        self.config.max_session_timeout = Some(longest);
        self
    }

    /// Sets the super user: a client that authenticates with `digest`, this user and this password passes every ACL
    /// check.
    #[must_use]
    pub fn super_user(mut self, user_and_password: &str) -> Self {
        self.config.super_digest = Some(crate::keeper::digest_of(
            self.config.digest_algorithm,
            user_and_password,
        ));
        self
    }

    /// Stores the state in this folder, ZooKeeper's `dataDir`. Existing state is loaded: every write that was
    /// acknowledged before, by minikeeper or by a real server, and the sessions, which clients can resume. The folder
    /// is created if it does not exist, and only one server can use it at a time.
    ///
    /// A [`seed`](Self::seed) or a [`snapshot`](Self::snapshot) is for an empty folder: if the folder has state, a seed
    /// is ignored and a snapshot is refused. [`Storage`] has the other settings of the folder.
    ///
    /// A server [without a listener](Self::without_listener) on a manual or tokio clock flushes on the runtime of the
    /// caller, so that no time passes meanwhile. An [ensemble](Self::ensemble) cannot have a folder.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("minikeeper-data-dir-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// use minikeeper::Server;
    ///
    /// let server = Server::builder().data_dir(&folder).start()?;
    /// server.create("/config", b"v1")?;
    /// drop(server);
    ///
    /// let server = Server::builder().data_dir(&folder).start()?;
    /// assert_eq!(server.data("/config").as_deref(), Some(&b"v1"[..]));
    /// # drop(server);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn data_dir(mut self, data_dir: impl Into<PathBuf>) -> Self {
        self.config.storage.data_dir = Some(data_dir.into());
        self
    }

    /// Stores transaction logs in another folder than snapshots, ZooKeeper's `dataLogDir`.
    #[must_use]
    pub fn data_log_dir(mut self, data_log_dir: impl Into<PathBuf>) -> Self {
        self.config.storage.data_log_dir = Some(data_log_dir.into());
        self
    }

    /// Sets the data folder and its settings. Replaces the folders that [`data_dir`](Self::data_dir) and
    /// [`data_log_dir`](Self::data_log_dir) set before.
    #[must_use]
    pub fn storage(mut self, storage: Storage) -> Self {
        self.config.storage = storage;
        self
    }
}
