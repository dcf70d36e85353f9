//! What is said before a server starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::config::{ClockKind, Config, DigestAlgorithm, FourLetterWords, JournalMode};
#[cfg(not(feature = "tokio-clock"))]
use super::missing::{NotEnabled, TokioClock};
use super::{Ensemble, Server, Snapshot, StartError, Storage, Tree};
use crate::protocol::Timestamp;

/// Says how a server is to be, then starts it. See [`Config`] for what each setting means and its default.
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

impl From<Config> for ServerBuilder {
    fn from(config: Config) -> Self {
        Self {
            config,
            snapshot: None,
            seed: None,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $name: $type) -> Self {
                self.config.$name = $name;
                self
            }
        )*
    };
}

impl ServerBuilder {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// When the port is taken, a setting cannot be, the seed cannot be written, or this process or machine has no sockets or
    /// threads left.
    pub fn start(self) -> Result<Server, StartError> {
        Server::launch(self.config, self.snapshot.as_ref(), self.seed.as_ref())
    }

    /// Begins with everything that another server had: see [`Snapshot::start`], which also takes over what that server was
    /// told.
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

    /// Begins with these znodes, before anybody can connect: see [`Server::seed`].
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

    /// Starts an ensemble of so many members. If there is a [port](Self::port), it is that of the first, and those of the
    /// others follow. Members number sessions by themselves, so [`server_id`](Self::server_id) does not count.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and when the number is not 1 to 254.
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

    /// Names a label before a client has it, so that faults, holds, waits and claims can use it from the start. Only
    /// a server on which no [`address`](Server::labelled) with the label is requested first needs this, such as a
    /// server [without a listener](Self::without_listener).
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

    /// Takes this port, of 127.0.0.1 unless [`address`](Self::address) names another.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.config.address.set_port(port);
        self
    }

    /// Lets it listen nowhere and have no thread: clients are served on the caller's own runtime by [`Server::serve`]
    /// alone, and time is kept by them, or by [`Server::drive_timer`]. If that runtime's time is paused, the clock must be
    /// `tokio_clock` or [`manual_clock`](Self::manual_clock): by the machine's, its timer would wait in vain, and busily.
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

    /// Lets time stand still until [`Server::advance`] moves it.
    #[must_use]
    pub fn manual_clock(mut self) -> Self {
        self.config.clock = ClockKind::Manual;
        self
    }

    /// Lets it follow the time of the tokio runtime inside which it is started, which a test may have paused
    /// (`tokio::time::pause`, `#[tokio::test(start_paused = true)]`): then time passes as soon as nothing else can happen.
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

    /// What the clock says when the server starts, instead of the time of day: with a clock that is not the machine's, two
    /// runs of a test then have the same session ids, `ctime`s and `mtime`s.
    ///
    /// Two servers that start at the same fixed time give the same session ids. So does a server that begins with a
    /// [snapshot](Self::snapshot) on a clock other than the machine's, beside the server that the snapshot was taken
    /// from. All other servers of one process give different ids, in ZooKeeper's layout: the server id, the time of
    /// the start in milliseconds, a counter.
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

    /// The shortest and the longest session timeout that a client can get.
    #[must_use]
    pub fn session_timeouts(mut self, shortest: Duration, longest: Duration) -> Self {
        self.config.min_session_timeout = Some(shortest);
        self.config.max_session_timeout = Some(longest);
        self
    }

    /// Whoever authenticates with `digest` and this user and password passes every check.
    #[must_use]
    pub fn super_user(mut self, user_and_password: &str) -> Self {
        self.config.super_digest = Some(crate::keeper::digest_of(
            self.config.digest_algorithm,
            user_and_password,
        ));
        self
    }

    /// Keeps the state in this folder, ZooKeeper's `dataDir`, and begins with what is there: whatever was acknowledged before,
    /// by a server of these or a real one, is there again, and its sessions can be resumed. The folder is made if need be, and
    /// is this server's alone. A [`seed`](Self::seed) or a [`snapshot`](Self::snapshot) is for a fresh folder: a seed is passed
    /// over if there is a state already, a snapshot refused. What else there is to say of it: [`Storage`].
    ///
    /// A server [without a listener](Self::without_listener) whose clock is not the machine's flushes on the caller's own runtime,
    /// so that no time passes meanwhile. Not for an [ensemble](Self::ensemble).
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

    /// Keeps transaction logs in another folder than snapshots, ZooKeeper's `dataLogDir`.
    #[must_use]
    pub fn data_log_dir(mut self, data_log_dir: impl Into<PathBuf>) -> Self {
        self.config.storage.data_log_dir = Some(data_log_dir.into());
        self
    }

    setters! {
        /// Where clients connect; port 0 takes a free one.
        address: SocketAddr;
        /// Whether it listens, with a thread of its own.
        listener: bool;
        /// The length of the queue of connections not yet accepted.
        listen_backlog: i32;
        /// The length of a tick.
        tick_time: Duration;
        /// Whether a session that is not heard from ends when its timeout does, and not at the end of that tick.
        exact_expiry: bool;
        /// The shortest session timeout a client can get; `None` is two ticks.
        min_session_timeout: Option<Duration>;
        /// The longest session timeout a client can get; `None` is twenty ticks.
        max_session_timeout: Option<Duration>;
        /// Connections allowed from one address; 0 is no limit.
        max_client_connections: usize;
        /// Connections allowed altogether; 0 is no limit.
        max_connections: usize;
        /// How long a connection may stay without a session.
        sessionless_timeout: Duration;
        /// The longest frame that is read, in bytes.
        max_frame: usize;
        /// How many members the ensemble has; at 1 it is none.
        members: u8;
        /// Whether a member of an ensemble that reaches no quorum serves reads.
        read_only_mode: bool;
        /// The server's number, the top byte of its session ids.
        server_id: u8;
        /// Which four-letter words are answered.
        four_letter_words: FourLetterWords;
        /// Whether TTL znodes can be created.
        extended_types: bool;
        /// Whether hard quotas are enforced.
        enforce_quota: bool;
        /// Whether permissions are not checked.
        skip_acl: bool;
        /// The digest of the super user, `user:base64`.
        super_digest: Option<String>;
        /// Whether the `digest` scheme exists.
        digest_auth: bool;
        /// How passwords are hashed.
        digest_algorithm: DigestAlgorithm;
        /// The schemes of which a client must have authenticated with one.
        required_auth_schemes: Vec<String>;
        /// Whether `reconfig` gets past its first check.
        reconfig_enabled: bool;
        /// How often containers and TTL znodes are looked at.
        container_check_interval: Duration;
        /// Containers and TTL znodes removed in a minute at most.
        container_max_per_minute: u32;
        /// After which time a container that never had a child goes; zero is never.
        container_max_never_used: Duration;
        /// How much of what passes is kept in the journal.
        journal: JournalMode;
        /// Whether the journal has an entry for each transaction, those of sessions and refused writes included.
        ///
        /// ```
        /// use minikeeper::{Matcher, Server, matcher::EventKind};
        ///
        /// let server = Server::builder().journal_transactions(true).start()?;
        /// let committed = server.wait_for(Matcher::of(EventKind::Committed).path("/config"));
        /// server.create("/config", b"v1")?;
        /// assert!(committed.blocking()?.to_string().ends_with(" server committed create /config zxid 0x1"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        journal_transactions: bool;
        /// Whether a test that panics is told the journal's last lines, and what it had in its hands.
        journal_on_panic: bool;
        /// The clock.
        clock: ClockKind;
        /// Where the state is kept, and how. It takes the place of what [`data_dir`](Self::data_dir) and
        /// [`data_log_dir`](Self::data_log_dir) have said before.
        storage: Storage;
    }
}
