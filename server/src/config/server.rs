//! Settings of a server, as plain data.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{
    ClockKind, DigestAlgorithm, FourLetterWords, JournalMode, MetricsProvider, Rules, Storage,
};
use crate::protocol::{MemberId, Timestamp};

/// Settings of a server. [`ServerBuilder`](crate::ServerBuilder) has a setter for each field.
///
/// The defaults are those of a server for tests: every four-letter word, no limit on connections, TTL znodes on,
/// `tickTime` 2000. They are not all the defaults of a real `zoo.cfg`; [`Config::like_zoo_cfg`] has those.
///
/// ```
/// use std::time::Duration;
///
/// let mut config = minikeeper::Config::default();
/// config.tick_time = Duration::from_millis(500);
/// let server = minikeeper::ServerBuilder::from(config).start()?;
/// assert_eq!(server.config().tick_time, Duration::from_millis(500));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Address that clients connect to (`clientPort`, `clientPortAddress`). Port 0 takes a free one. Default
    /// `127.0.0.1:0`.
    pub address: SocketAddr,
    /// Whether the server listens on `address`, with a thread of its own. Default true. Otherwise clients are served by
    /// [`Server::serve`](crate::Server::serve) only.
    pub listener: bool,
    /// Length of the queue of connections that are not accepted yet (`clientPortListenBacklog`). Default -1: 1024.
    pub listen_backlog: i32,
    /// Length of a tick (`tickTime`), at least 1 ms. Default 2000 ms.
    pub tick_time: Duration,
    /// Whether a silent session expires when its timeout ends. Default false: it expires at the end of that tick, as in
    /// ZooKeeper.
    pub exact_expiry: bool,
    /// Shortest session timeout that a client can get (`minSessionTimeout`). Default: two ticks.
    pub min_session_timeout: Option<Duration>,
    /// Longest session timeout that a client can get (`maxSessionTimeout`). Default: twenty ticks.
    pub max_session_timeout: Option<Duration>,
    /// Maximum number of connections from one address (`maxClientCnxns`); 0 is no limit. Default 0.
    pub max_client_connections: usize,
    /// Maximum number of connections (`zookeeper.maxCnxns`); 0 is no limit. Default 0.
    pub max_connections: usize,
    /// Time after which a connection without a session is closed (`zookeeper.nio.sessionlessCnxnTimeout`). Default 10
    /// s.
    pub sessionless_timeout: Duration,
    /// Largest frame that is read, in bytes (`jute.maxbuffer`). Default 1,048,575.
    pub max_frame: usize,
    /// Id of the server, the top byte of its session ids (`myid`), 0 to 254; 255 too without
    /// [`extended_types`](Self::extended_types). Default 1.
    pub server_id: u8,
    /// Number of members of the ensemble, 1 to 254; 1 is a standalone server. Default 1. See
    /// [`Ensemble`](crate::Ensemble).
    pub members: u8,
    /// Labels that matchers may use from the start. [`Server::labelled`](crate::Server::labelled) and
    /// [`Server::serve_labelled`](crate::Server::serve_labelled) add others. Default: none.
    pub labels: Vec<String>,
    /// Whether a member of an ensemble without a quorum serves reads (`readonlymode.enabled`, together with
    /// `localSessionsEnabled`). Default false.
    pub read_only_mode: bool,
    /// Four-letter words that are answered (`4lw.commands.whitelist`). Default: all.
    pub four_letter_words: FourLetterWords,
    /// Form of the metrics in `mntr` (`metricsProvider.className`). Default: that of `DefaultMetricsProvider`.
    pub metrics_provider: MetricsProvider,
    /// Whether TTL znodes can be created (`zookeeper.extendedTypesEnabled`). Default true.
    pub extended_types: bool,
    /// Whether hard quotas are enforced (`zookeeper.enforceQuota`). Default false.
    pub enforce_quota: bool,
    /// Whether permissions are not checked (`zookeeper.skipACL=yes`). Default false.
    pub skip_acl: bool,
    /// Digest of the super user, `user:base64` (`zookeeper.DigestAuthenticationProvider.superDigest`).
    pub super_digest: Option<String>,
    /// Whether the `digest` scheme exists (`zookeeper.DigestAuthenticationProvider.enabled`). Default true.
    pub digest_auth: bool,
    /// Hash of passwords (`zookeeper.DigestAuthenticationProvider.digestAlg`). Default SHA-1.
    pub digest_algorithm: DigestAlgorithm,
    /// Authentication schemes of which a client must use one before other requests (`enforce.auth.enabled`,
    /// `enforce.auth.schemes`). Default: none is required.
    pub required_auth_schemes: Vec<String>,
    /// Whether `reconfig` passes its first check (`reconfigEnabled`). A standalone server refuses it in any case.
    pub reconfig_enabled: bool,
    /// Interval at which containers and TTL znodes are checked (`znode.container.checkIntervalMs`). Default 60 s.
    pub container_check_interval: Duration,
    /// Maximum number of containers and TTL znodes removed per minute (`znode.container.maxPerMinute`). Default 10,000.
    pub container_max_per_minute: u32,
    /// Time after which a container that never had a child is removed (`znode.container.maxNeverUsedIntervalMs`).
    /// Default zero: never.
    pub container_max_never_used: Duration,
    /// Clock of the server. Default: the machine's.
    pub clock: ClockKind,
    /// Size of the journal. Default: the last 10,000 entries.
    pub journal: JournalMode,
    /// Whether the journal has an entry for each transaction, before those of the replies and watch events that show
    /// it. Default false.
    pub journal_transactions: bool,
    /// Whether the last events of the journal are printed when a test panics, with its held messages, cut links and
    /// exceeded budgets: once, on standard error, before unwinding. Default true.
    pub journal_on_panic: bool,
    /// First reading of the clock. Default: the time of day, rounded down to a tick on a manual clock. With a fixed
    /// reading and a clock other than the machine's, two runs of a test have the same session ids, `ctime`s and
    /// `mtime`s.
    pub start_time: Option<Timestamp>,
    /// Data folder. Default: none; the state is in memory.
    pub storage: Storage,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            listener: true,
            listen_backlog: -1,
            tick_time: Duration::from_millis(2000),
            exact_expiry: false,
            min_session_timeout: None,
            max_session_timeout: None,
            max_client_connections: 0,
            max_connections: 0,
            sessionless_timeout: Duration::from_secs(10),
            max_frame: 0xf_ffff,
            server_id: 1,
            members: 1,
            labels: Vec::new(),
            read_only_mode: false,
            four_letter_words: FourLetterWords::All,
            metrics_provider: MetricsProvider::Default,
            extended_types: true,
            enforce_quota: false,
            skip_acl: false,
            super_digest: None,
            digest_auth: true,
            digest_algorithm: DigestAlgorithm::Sha1,
            required_auth_schemes: Vec::new(),
            reconfig_enabled: false,
            container_check_interval: Duration::from_secs(60),
            container_max_per_minute: 10_000,
            container_max_never_used: Duration::ZERO,
            clock: ClockKind::System,
            journal: JournalMode::DEFAULT,
            journal_transactions: false,
            journal_on_panic: true,
            start_time: None,
            storage: Storage::default(),
        }
    }
}

impl Config {
    /// The defaults of a real server that was given a `zoo.cfg` saying nothing: `tickTime` 3000, 60 connections an
    /// address, only the four-letter word `srvr`, no TTL znodes.
    ///
    /// ```
    /// assert_eq!(minikeeper::Config::like_zoo_cfg().max_client_connections, 60);
    /// ```
    #[must_use]
    pub fn like_zoo_cfg() -> Self {
        Self {
            tick_time: Duration::from_millis(3000),
            max_client_connections: 60,
            four_letter_words: FourLetterWords::Only(Vec::new()),
            extended_types: false,
            journal: JournalMode::Off,
            journal_on_panic: false,
            ..Self::default()
        }
    }
}

impl Config {
    /// Returns the members with their addresses. The members after the first have the next ports, or free ones.
    pub(crate) fn members(&self) -> impl Iterator<Item = (MemberId, SocketAddr)> {
        (1..=self.members).map(|member| {
            let mut address = self.address;
            if address.port() != 0 {
                address.set_port(address.port().saturating_add(u16::from(member) - 1));
            }
            (MemberId(member), address)
        })
    }

    /// Returns the shortest and the longest session timeout that a client can get.
    pub(crate) fn session_timeouts(&self) -> (Duration, Duration) {
        let ticks = |number: u32| self.tick_time.saturating_mul(number);
        (
            self.min_session_timeout.unwrap_or_else(|| ticks(2)),
            self.max_session_timeout.unwrap_or_else(|| ticks(20)),
        )
    }

    /// Returns the rules of the default settings.
    pub(crate) fn default_rules() -> Rules {
        let rules = Self::default().rules();
        rules.expect("the default settings are valid")
    }

    /// Checks the settings, alone and against each other. Returns those that the rules depend on.
    ///
    /// # Errors
    ///
    /// Describes the first setting that is invalid.
    // Longer than 60 lines: it checks each setting, and lists the rules.
    pub(crate) fn rules(&self) -> Result<Rules, String> {
        let (shortest, longest) = self.session_timeouts();
        let timeout = |span, name| {
            let ms = positive(span, name)?;
            Ok::<_, String>(i32::try_from(ms).unwrap_or(i32::MAX))
        };
        let rules = Rules {
            tick_ms: positive(self.tick_time, "tick time")?,
            exact_expiry: self.exact_expiry,
            min_session_timeout_ms: timeout(shortest, "minimum session timeout")?,
            max_session_timeout_ms: timeout(longest, "maximum session timeout")?,
            max_client_connections: self.max_client_connections,
            max_connections: self.max_connections,
            sessionless_timeout_ms: positive(
                self.sessionless_timeout,
                "timeout of a connection without a session",
            )?,
            server_id: self.server_id,
            members: self.members,
            read_only_mode: self.read_only_mode,
            extended_types: self.extended_types,
            enforce_quota: self.enforce_quota,
            skip_acl: self.skip_acl,
            super_digest: self.super_digest.clone(),
            digest_auth: self.digest_auth,
            digest_algorithm: self.digest_algorithm,
            required_auth_schemes: self.required_auth_schemes.clone(),
            reconfig_enabled: self.reconfig_enabled,
            container_check_interval_ms: positive(
                self.container_check_interval,
                "check interval of containers",
            )?,
            container_interval_ms: 60_000 / i64::from(self.container_max_per_minute.max(1)),
            container_max_never_used_ms: millis(self.container_max_never_used),
            connection_keeps_session_alive: self.clock == ClockKind::Manual,
            digest: self.storage.digest && self.storage.data_dir.is_some(),
            data_format: self.storage.data_format.unwrap_or_default(),
        };
        let (min, max) = (rules.min_session_timeout_ms, rules.max_session_timeout_ms);
        if min > max {
            return Err(format!(
                "minimum session timeout {min} ms is longer than maximum session timeout {max} ms"
            ));
        }
        self.check_clock()?;
        self.check_members()?;
        self.check_storage()?;
        Ok(rules)
    }

    fn check_clock(&self) -> Result<(), String> {
        if self.start_time.is_some_and(|time| time.0 < 0) {
            return Err("start time is before 1970".to_owned());
        }
        #[cfg(feature = "tokio-clock")]
        if self.clock == ClockKind::Tokio && self.listener {
            return Err(
                "the tokio clock needs a server on the caller's runtime; call without_listener()"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn check_members(&self) -> Result<(), String> {
        if self.server_id == u8::MAX && self.extended_types {
            // EphemeralType.validateServerId.
            return Err(
                "server id 255 needs extended types switched off, because its ephemerals would look like TTL znodes"
                    .to_owned(),
            );
        }
        if self.members == 0 || self.members == u8::MAX {
            let members = self.members;
            return Err(format!("an ensemble has 1 to 254 members, not {members}"));
        }
        Ok(())
    }

    fn check_storage(&self) -> Result<(), String> {
        if self.storage.data_dir.is_none() && self.storage.data_log_dir.is_some() {
            return Err("dataLogDir is set, but dataDir is not".to_owned());
        }
        if self.storage.data_dir.is_some() && self.members > 1 {
            return Err(
                "an ensemble has its state in memory and cannot have a data folder".to_owned(),
            );
        }
        Ok(())
    }

    /// Returns the settings of a server without listener and folder, for making an initial state.
    pub(crate) fn in_memory(&self) -> Self {
        Self {
            listener: false,
            storage: Storage::default(),
            journal: JournalMode::Off,
            ..self.clone()
        }
    }
}

/// The rules of the default settings.
#[cfg(test)]
impl Default for Rules {
    fn default() -> Self {
        Config::default_rules()
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn positive(span: Duration, name: &str) -> Result<i64, String> {
    match millis(span) {
        0 => Err(format!("{name} {span:?} is shorter than a millisecond")),
        ms => Ok(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_id_255_needs_extended_types_switched_off() {
        let mut config = Config {
            server_id: 255,
            ..Config::default()
        };
        let refused = config.rules().expect_err("extended types are on");
        assert!(refused.contains("extended types"), "{refused}");
        config.extended_types = false;
        assert_eq!(config.rules().map(|rules| rules.server_id), Ok(255));
    }
}
