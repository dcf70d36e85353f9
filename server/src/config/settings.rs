//! Table of settings. Each setting stands here once, with its name, unit, defaults, checks, `zoo.cfg` keys, system
//! properties, flag and documentation.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::declare::settings;
use super::key::{Check, Place, decode, is_true};
use super::value::{BadValue, Value, Values};
use super::{
    ClockKind, Compression, DigestAlgorithm, FourLetterWords, JournalMode, MetricsProvider,
};
use crate::protocol::{DataFormat, Timestamp};

use Check::{Any, AtLeast, Bool, Int, NotZero};

/// Largest number of 32 bits.
const MAX_INT: i64 = 0x7fff_ffff;
/// Largest number of 32 bits without a sign.
const MAX_COUNT: i64 = 0xffff_ffff;
const HOUR: Duration = Duration::from_secs(3600);

settings! {
    /// Settings of a server. [`ServerBuilder`](crate::ServerBuilder) has a setter for each field, and [`SETTINGS`]
    /// lists them.
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
        /// Address that clients connect to. Port 0 takes a free one.
        ///
        /// `clientPort` and `clientPortAddress`. Default `127.0.0.1:0`.
        address: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) =>
            row().flag("listen", "ADDR:PORT", "A port alone is on 127.0.0.1").keys(&[
                file("clientPort", Int, with_others),
                file("clientPortAddress", Any, with_others),
            ]);

        /// Whether the server listens on its address, with a thread of its own.
        ///
        /// Default true. Otherwise clients are served by [`Server::serve`](crate::Server::serve) only.
        listener: bool = true => row();

        /// Length of the queue of connections that are not accepted yet; -1 is 1024.
        ///
        /// `clientPortListenBacklog`. Default -1.
        listen_backlog: i32 = -1 => row().keys(&[
            file("clientPortListenBacklog", Int, |config, text| {
                // Java's ServerSocket.bind takes 50 for every value below 1.
                int(text, |backlog| config.listen_backlog = if backlog < 1 { 50 } else { backlog })
            }).note("values below 1 count as 50"),
        ]);

        /// Length of a tick.
        ///
        /// `tickTime`, at least 1 ms. Default 2000 ms.
        tick_time: Duration = Duration::from_millis(2000), zoo_cfg Duration::from_millis(3000) =>
            row().unit("ms").range(1, MAX_INT).flag("tick-time", "MS", "").keys(&[
                file("tickTime", Int, |config, text| {
                    int(text, |ms| config.tick_time = millis(ms))
                }),
            ]);

        /// Whether a silent session expires when its timeout ends, and not at the end of that tick, as in ZooKeeper.
        ///
        /// Default false.
        exact_expiry: bool = false => row();

        /// Shortest session timeout that a client can get.
        ///
        /// `minSessionTimeout`. Default: two ticks.
        min_session_timeout: Option<Duration> = None =>
            row().unit("ms").unset("2 ticks").range(1, MAX_INT).flag("min-session-timeout", "MS", "").keys(&[
                file("minSessionTimeout", Int, |config, text| {
                    int(text, |ms| config.min_session_timeout = timeout(ms))
                }).note("-1 counts as not set"),
            ]);

        /// Longest session timeout that a client can get.
        ///
        /// `maxSessionTimeout`. Default: twenty ticks.
        max_session_timeout: Option<Duration> = None =>
            row().unit("ms").unset("20 ticks").range(1, MAX_INT).flag("max-session-timeout", "MS", "").keys(&[
                file("maxSessionTimeout", Int, |config, text| {
                    int(text, |ms| config.max_session_timeout = timeout(ms))
                }).note("-1 counts as not set"),
            ]);

        /// Maximum number of connections from one IP address; 0 is no limit.
        ///
        /// `maxClientCnxns`. Default 0.
        max_client_connections: usize = 0, zoo_cfg 60 =>
            row().flag("max-client-connections", "COUNT", "").keys(&[
                file("maxClientCnxns", Int, |config, text| {
                    int(text, |limit| config.max_client_connections = usize::try_from(limit).unwrap_or(0))
                }),
            ]);

        /// Maximum number of connections; 0 is no limit.
        ///
        /// `zookeeper.maxCnxns`. Default 0.
        max_connections: usize = 0 => row().keys(&[
            both("maxCnxns", Any, |config, text| {
                decoded(text, |limit| config.max_connections = usize::try_from(limit).unwrap_or(0))
            }),
        ]);

        /// Time after which a connection without a session is closed.
        ///
        /// `zookeeper.nio.sessionlessCnxnTimeout`. Default 10 s.
        sessionless_timeout: Duration = Duration::from_secs(10) => row().unit("ms").keys(&[
            both("nio.sessionlessCnxnTimeout", NotZero, |config, text| {
                decoded(text, |ms| {
                    if let Ok(ms) = u64::try_from(ms) {
                        config.sessionless_timeout = Duration::from_millis(ms);
                    }
                })
            }),
        ]);

        /// Maximum frame length of a request.
        ///
        /// `jute.maxbuffer`, in bytes. Default 1,048,575.
        max_frame: usize = 0xf_ffff => row().unit("bytes").flag("jute-max-buffer", "BYTES", "").keys(&[
            jvm("jute.maxbuffer", Any, |config, text| {
                decoded(text, |bytes| config.max_frame = usize::try_from(bytes).unwrap_or(0))
            }),
        ]);

        /// Id of the server, the top byte of its session ids.
        ///
        /// 0 to 254; 255 too without [`extended_types`](Self::extended_types). Default 1.
        server_id: u8 = 1 => row();

        /// Number of members of the ensemble, 1 to 254; 1 is a standalone server.
        ///
        /// Default 1. See [`Ensemble`](crate::Ensemble).
        members: u8 = 1 => row().range(1, 254).flag("members", "COUNT", "They take consecutive ports");

        /// Address of each member for clients, by its number; `none` for a member that clients cannot reach.
        ///
        /// One entry for each member, or none. Port 0 takes a free port. By default the first member has
        /// [`address`](Self::address), and the others the ports after it.
        member_addresses: Vec<Option<SocketAddr>> = Vec::new() => row().unset("consecutive ports");

        /// Labels that matchers may use from the start.
        ///
        /// [`Server::labelled`](crate::Server::labelled) and
        /// [`Server::serve_labelled`](crate::Server::serve_labelled) add others. Default: none.
        @own labels: Vec<String> = Vec::new() => row().unset("none");

        /// Whether a member of an ensemble without a quorum serves reads.
        ///
        /// `readonlymode.enabled` together with `localSessionsEnabled` of a real ensemble. Default false.
        read_only_mode: bool = false => row();

        /// Four-letter words that are answered, separated by commas; * is all.
        ///
        /// `4lw.commands.whitelist`, to which `readonlymode.enabled` adds `isro`. Default: all.
        four_letter_words: FourLetterWords = FourLetterWords::All, zoo_cfg FourLetterWords::Only(Vec::new()) =>
            row().flag("four-letter-words", "WORDS", "").keys(&[
                both("4lw.commands.whitelist", Any, |config, text| set(&mut config.four_letter_words, list(text))),
                jvm("readonlymode.enabled", Any, |config, text| {
                    // FourLetterCommands.isEnabled compares with "true" and nothing else.
                    if text == "true" && let FourLetterWords::Only(words) = &mut config.four_letter_words {
                        words.push("isro".to_owned());
                    }
                    Ok(())
                }).note("`true` adds `isro`"),
            ]);

        /// Form of the metrics in `mntr` (`metricsProvider.className`): `default` or `prometheus`.
        ///
        /// Default: that of `DefaultMetricsProvider`.
        metrics_provider: MetricsProvider = MetricsProvider::Default => row().keys(&[
            file("metricsProvider.className", Check::Class(&[
                "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
                "org.apache.zookeeper.metrics.impl.NullMetricsProvider",
                "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
            ]), |config, text| set(&mut config.metrics_provider, if text.ends_with(".PrometheusMetricsProvider") {
                MetricsProvider::Prometheus
            } else {
                MetricsProvider::Default
            })),
        ]);

        /// Whether clients can create TTL znodes.
        ///
        /// `zookeeper.extendedTypesEnabled`. Default true.
        extended_types: bool = true, zoo_cfg false => row().flag("extended-types", "BOOL", "").keys(&[
            both("extendedTypesEnabled", Any, |config, text| set(&mut config.extended_types, is_true(text))),
        ]);

        /// Whether hard quotas are enforced.
        ///
        /// `zookeeper.enforceQuota`. Default false.
        enforce_quota: bool = false => row().keys(&[
            both("enforceQuota", Any, |config, text| set(&mut config.enforce_quota, is_true(text))),
        ]);

        /// Whether ACLs are ignored.
        ///
        /// `zookeeper.skipACL=yes`. Default false.
        skip_acl: bool = false => row().keys(&[
            both("skipACL", Any, |config, text| set(&mut config.skip_acl, text == "yes"))
                .note("only `yes` switches it on"),
        ]);

        /// Digest of the super user.
        ///
        /// `user:base64`, as in `zookeeper.DigestAuthenticationProvider.superDigest`. Default: none.
        super_digest: Option<String> = None =>
            row().unset("none").values(Values::Pair).flag("super-digest", "USER:DIGEST", "").keys(&[
                both("DigestAuthenticationProvider.superDigest", Any, |config, text| {
                    set(&mut config.super_digest, (!text.is_empty()).then(|| text.to_owned()))
                }),
            ]);

        /// Whether the `digest` scheme exists.
        ///
        /// `zookeeper.DigestAuthenticationProvider.enabled`. Default true.
        digest_auth: bool = true => row().keys(&[
            both("DigestAuthenticationProvider.enabled", Any, |config, text| {
                set(&mut config.digest_auth, is_true(text))
            }),
        ]);

        /// Hash of the passwords of the `digest` scheme: SHA-1, SHA-256, SHA-384 or SHA-512.
        ///
        /// `zookeeper.DigestAuthenticationProvider.digestAlg`. Default SHA-1.
        digest_algorithm: DigestAlgorithm = DigestAlgorithm::Sha1 => row().keys(&[
            both("DigestAuthenticationProvider.digestAlg", Any, |config, text| match text.parse() {
                Ok(algorithm) => set(&mut config.digest_algorithm, algorithm),
                Err(_) => Err(BadValue::Refused("is not a digest algorithm".to_owned())),
            }),
        ]);

        /// Authentication schemes of which a client must use one before other requests, separated by commas.
        ///
        /// `enforce.auth.enabled` and `enforce.auth.schemes`. Default: none is required.
        required_auth_schemes: Vec<String> = Vec::new() => row().unset("none").keys(&[
            both("enforce.auth.enabled", Any, with_others),
            both("enforce.auth.schemes", Any, with_others),
        ]);

        /// Whether `reconfig` passes its first check.
        ///
        /// `reconfigEnabled`. A standalone server refuses it in any case. Default false.
        reconfig_enabled: bool = false => row().keys(&[
            file("reconfigEnabled", Bool, |config, text| set(&mut config.reconfig_enabled, is_true(text))),
        ]);

        /// Interval at which containers and TTL znodes are checked.
        ///
        /// `znode.container.checkIntervalMs`. Default 60 s.
        container_check_interval: Duration = Duration::from_secs(60) => row().unit("ms").keys(&[
            jvm("znode.container.checkIntervalMs", AtLeast(1), |config, text| {
                decoded(text, |ms| config.container_check_interval = Duration::from_millis(from_zero(ms)))
            }),
        ]);

        /// Maximum number of containers and TTL znodes that are removed in a minute.
        ///
        /// `znode.container.maxPerMinute`. Default 10,000.
        container_max_per_minute: u32 = 10_000 => row().keys(&[
            jvm("znode.container.maxPerMinute", Any, |config, text| {
                decoded(text, |limit| config.container_max_per_minute = u32::try_from(limit).unwrap_or(u32::MAX))
            }),
        ]);

        /// Time after which a container that never had a child is removed; 0 is never.
        ///
        /// `znode.container.maxNeverUsedIntervalMs`. Default zero.
        container_max_never_used: Duration = Duration::ZERO => row().unit("ms").keys(&[
            jvm("znode.container.maxNeverUsedIntervalMs", Any, |config, text| {
                decoded(text, |ms| config.container_max_never_used = Duration::from_millis(from_zero(ms)))
            }),
        ]);

        /// Clock of the server: `system` or `manual`.
        ///
        /// Default: the machine's.
        clock: ClockKind = ClockKind::System => row();

        /// Size of the journal: `off`, `full` or the number of the last entries.
        ///
        /// Default: the last 10,000 entries.
        journal: JournalMode = JournalMode::DEFAULT, zoo_cfg JournalMode::Off => row();

        /// Whether the journal has an entry for each transaction.
        ///
        /// The entry precedes those of the replies and watch events that show the transaction. Sessions and refused
        /// writes have transactions too. Default false.
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
        journal_transactions: bool = false => row();

        /// Whether the last events of the journal are printed when a test panics, with its held messages, cut links
        /// and exceeded budgets.
        ///
        /// They are printed once, on standard error, before unwinding. Default true.
        journal_on_panic: bool = true, zoo_cfg false => row();

        /// First reading of the clock, in milliseconds since 1970.
        ///
        /// Default: the time of day, rounded down to a tick on a manual clock. With a fixed reading and a clock other
        /// than the machine's, two runs of a test have the same session ids, `ctime`s and `mtime`s.
        @own start_time: Option<Timestamp> = None => row().unit("ms").unset("the time of day");
    }

    /// Settings of a data folder. Without a [`data_dir`](Self::data_dir), which is the default, the state is in memory.
    ///
    /// The folder is ZooKeeper's own. A real server of the release that [`data_format`](Self::data_format) names opens
    /// folders from here, and its folders open here.
    ///
    /// ```
    /// use minikeeper::folder::Storage;
    ///
    /// let storage: Storage = serde_json::from_str(r#"{"data_dir": "/data", "force_sync": false}"#)?;
    /// assert_eq!(storage.data_dir.as_deref(), Some("/data".as_ref()));
    /// assert_eq!(storage.snap_count, 100_000);
    ///
    /// // In code, all but what differs is the default.
    /// let mut storage = Storage::default();
    /// storage.force_sync = false;
    /// storage.data_format = Some(minikeeper::folder::DataFormat::V3_6);
    /// let builder = minikeeper::Server::builder().storage(storage).data_dir("/data");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[non_exhaustive]
    pub struct Storage {
        /// ZooKeeper's data folder; existing state is loaded.
        ///
        /// `dataDir`, with the files in `version-2` below it. It is created if it is missing. Default: none; the state
        /// is in memory.
        data_dir: Option<PathBuf> = None =>
            row().unset("memory").flag("data-dir", "DIR", "").keys(&[file("dataDir", Any, with_others)]);

        /// Folder of the transaction logs.
        ///
        /// `dataLogDir`. Default: [`data_dir`](Self::data_dir).
        data_log_dir: Option<PathBuf> = None =>
            row().unset("the data folder").flag("data-log-dir", "DIR", "Needs --data-dir or --open-copy")
                .keys(&[file("dataLogDir", Any, with_others)]);

        /// Whether a write is flushed to the disk before its reply.
        ///
        /// `forceSync`. Otherwise the operating system flushes it later. Default true.
        force_sync: bool = true => row()
            .switch("no-fsync", "false", "Answer a write before it is on the disk, as forceSync=no does. A crash of \
                the machine can lose the last writes; a crash of the server cannot")
            .keys(&[
                // FileTxnLog compares with "no" and nothing else.
                both("forceSync", Any, |config, text| set(&mut config.storage.force_sync, text != "no"))
                    .note("only `no` switches it off"),
            ]);

        /// Duration of a flush above which a warning is logged.
        ///
        /// `fsync.warningthresholdms`. Default 1 s.
        fsync_warning: Duration = Duration::from_secs(1) => row().unit("ms").keys(&[
            jvm("fsync.warningthresholdms", Any, fsync_warning),
            both("fsync.warningthresholdms", Any, fsync_warning),
        ]);

        /// Number of transactions after which a snapshot is written and the next log begins. The actual number is
        /// drawn each time, between half of it and all of it.
        ///
        /// `snapCount`, at least 2. Default 100,000.
        snap_count: u32 = 100_000 => row().unit("transactions").range(2, MAX_COUNT).keys(&[
            // ZooKeeperServer.getSnapCount. Integer.getInteger ignores text that is not a number of 32 bits.
            both("snapCount", Any, |config, text| {
                decoded(text, |count| {
                    if let Ok(count) = i32::try_from(count) {
                        config.storage.snap_count = u32::try_from(count).unwrap_or(0).max(2);
                    }
                })
            }).note("values below 2 count as 2"),
        ]);

        /// Number of bytes of transactions after which a snapshot is written, likewise; 0 is never.
        ///
        /// `snapSizeLimitInKb`, in KiB there. Default 4 GiB.
        snap_size_limit: u64 = 4 << 30 => row().unit("bytes").keys(&[
            both("snapSizeLimitInKb", NotZero, |config, text| {
                decoded(text, |kib| config.storage.snap_size_limit = kibibytes(kib))
            }).note("KiB; below 0 is never"),
        ]);

        /// Size of a log after which the next log begins without a snapshot; 0 is no limit. Zeros ahead of the
        /// transactions do not count, but do count on a real server.
        ///
        /// In bytes; `txnLogSizeLimitInKb`, in KiB there. Default 0.
        log_size_limit: u64 = 0 => row().unit("bytes").keys(&[
            // FileTxnLog: zero and less is no limit.
            both("txnLogSizeLimitInKb", Any, |config, text| {
                decoded(text, |kib| config.storage.log_size_limit = kibibytes(kib))
            }).note("KiB; below 0 is no limit"),
        ]);

        /// Number of bytes of a log that are filled with zeros ahead of the transactions, of which at most 1 MiB is
        /// used.
        ///
        /// `preAllocSize`, in KiB there. Default 64 MiB.
        pre_alloc_size: u64 = 64 << 20 => row().unit("bytes").keys(&[
            // FilePadding reads it with Long.parseLong, and ignores other text.
            both("preAllocSize", Any, |config, text| match text.parse() {
                Ok(kib) => set(&mut config.storage.pre_alloc_size, kibibytes(kib)),
                Err(_) => Err(BadValue::Ignored("not a number, ignored".to_owned())),
            }).note("KiB; a value that is not a number is ignored"),
        ]);

        /// Compression of snapshots: `gz` or `snappy`.
        ///
        /// `zookeeper.snapshot.compression.method`. Default: none.
        compression: Compression = Compression::None => row().unset("none").keys(&[
            // SnapStream.StreamMode.fromString: any other value is no compression.
            both("snapshot.compression.method", Any, |config, text| {
                set(&mut config.storage.compression, text.parse().unwrap_or_default())
            }).note("upper or lower case; other values are no compression"),
        ]);

        /// Number of snapshots that a purge retains, with their logs.
        ///
        /// `autopurge.snapRetainCount`, at least 3. Default 3.
        purge_retain: u32 = 3 => row().range(3, MAX_COUNT).keys(&[
            // QuorumPeerConfig.parseProperties raises smaller values to 3.
            file("autopurge.snapRetainCount", Int, |config, text| {
                int(text, |count| config.storage.purge_retain = u32::try_from(count).unwrap_or(0).max(3))
            }).note("values below 3 count as 3"),
        ]);

        /// Interval of purges; 0 is never. The server purges at its start, and with the first snapshot after the
        /// interval.
        ///
        /// `autopurge.purgeInterval`, in hours there. Default zero.
        purge_interval: Duration = Duration::ZERO => row().unit("ms").keys(&[
            file("autopurge.purgeInterval", Int, |config, text| {
                int(text, |hours| config.storage.purge_interval = HOUR * u32::try_from(hours).unwrap_or(0))
            }).note("hours; below 0 is never"),
        ]);

        /// Whether a folder with logs and no snapshot is opened.
        ///
        /// `zookeeper.snapshot.trust.empty`. Default false.
        trust_empty: bool = false => row()
            .switch("trust-empty", "true", "Load transaction logs without a snapshot, as snapshot.trust.empty=true \
                does (a young folder of ZooKeeper 3.4 has none)")
            .keys(&[
                both("snapshot.trust.empty", Any, |config, text| {
                    set(&mut config.storage.trust_empty, is_true(text))
                }),
            ]);

        /// Whether a damaged log is truncated where the damage or a gap in the zxids begins.
        ///
        /// A copy is saved as `damaged-log.*` in the same folder; logs behind a gap are removed, with a copy too.
        /// Default false: damage and gaps are errors.
        recover: bool = false => row()
            .switch("recover", "true", "Truncate a transaction log at damage or a gap instead of refusing the \
                folder; a copy of the log is saved as damaged-log.*");

        /// Release of ZooKeeper, 3.4 to 3.9, that can open the folder. State that it cannot hold is refused.
        ///
        /// Default: the release of the existing files, and 3.9 for an empty folder.
        data_format: Option<DataFormat> = None => row().unset("the release of the folder, or 3.9 if it is empty")
            .flag("data-format", "RELEASE", "");

        /// Whether the digest of the tree is written and checked.
        ///
        /// `zookeeper.digest.enabled`. Default true.
        digest: bool = true => row().keys(&[
            both("digest.enabled", Any, |config, text| set(&mut config.storage.digest, is_true(text))),
        ]);

        /// Whether a snapshot of 3.9 ends with the zxid of the last transaction.
        ///
        /// `zookeeper.serializeLastProcessedZxid.enabled`. Default true.
        last_zxid: bool = true => row().keys(&[
            both("serializeLastProcessedZxid.enabled", Any, |config, text| {
                set(&mut config.storage.last_zxid, is_true(text))
            }),
        ]);
    }

    /// Every setting of [`Config`], those of the data folder last.
    ///
    /// ```
    /// let names: Vec<_> = minikeeper::config::SETTINGS.iter().map(|setting| setting.name).collect();
    /// assert!(names.contains(&"tick_time") && names.contains(&"snap_count"));
    /// ```
    pub const SETTINGS: &[Setting];
}

impl Config {
    /// Returns the defaults of a real server whose `zoo.cfg` says nothing: `tickTime` 3000, 60 connections an address,
    /// only the four-letter word `srvr`, no TTL znodes.
    ///
    /// ```
    /// assert_eq!(minikeeper::Config::like_zoo_cfg().max_client_connections, 60);
    /// ```
    #[must_use]
    pub fn like_zoo_cfg() -> Self {
        let mut config = Self::default();
        config.set_zoo_cfg_defaults();
        config
    }

    /// Sets all ports to 0: a server with these settings takes free ones, and does not need those of another server.
    ///
    /// ```
    /// let mut config = minikeeper::Config::like_zoo_cfg();
    /// config.address.set_port(2181);
    /// config.take_free_ports();
    /// assert_eq!(config.address.port(), 0);
    /// ```
    pub fn take_free_ports(&mut self) {
        self.address.set_port(0);
        for address in self.member_addresses.iter_mut().flatten() {
            address.set_port(0);
        }
    }
}

/// Setting of a server: the name, the values, and everything that can set it.
///
/// ```
/// use minikeeper::Config;
/// use minikeeper::config::Setting;
///
/// let setting = Setting::named("tick_time").expect("it is a setting");
/// assert_eq!((setting.unit, setting.summary().as_str()), ("ms", "Length of a tick."));
///
/// let mut config = Config::default();
/// setting.set(&mut config, "500")?;
/// assert_eq!(setting.get(&config), "500");
/// # Ok::<(), minikeeper::config::BadValue>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Setting {
    /// Name of the field of [`Config`] or [`Storage`].
    pub name: &'static str,
    /// Unit of a number, or an empty text.
    pub unit: &'static str,
    /// Values that the setting accepts.
    pub values: Values,
    /// Meaning of an empty text; an empty text if the setting always has a value.
    pub unset: &'static str,
    /// Whether the setting has an effect only with a data folder.
    pub needs_data_dir: bool,
    /// Flag of the binary.
    pub flag: Option<Flag>,
    /// Keys of ZooKeeper, in the order in which they are applied.
    pub keys: &'static [Key],
    /// Lines of the documentation of the field.
    doc: &'static [&'static str],
    get: fn(&Config) -> String,
    set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Setting {
    /// Returns the setting with this name.
    ///
    /// ```
    /// assert!(minikeeper::config::Setting::named("tickTime").is_none());
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Returns the first paragraph of the documentation.
    #[must_use]
    pub fn summary(&self) -> String {
        let lines = self.doc.iter().map(|line| line.trim());
        let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        lines.join(" ")
    }

    /// Returns the value as text; an empty text if it is not set.
    #[must_use]
    pub fn get(&self, config: &Config) -> String {
        (self.get)(config)
    }

    /// Sets the value from the text that [`get`](Self::get) returns.
    ///
    /// # Errors
    ///
    /// If the setting does not accept the value.
    pub fn set(&self, config: &mut Config, text: &str) -> Result<(), BadValue> {
        let is_unset = text.is_empty() && !self.unset.is_empty();
        let checked = if is_unset {
            Ok(())
        } else {
            self.values.check(text)
        };
        checked
            .and_then(|()| (self.set)(config, text))
            .map_err(BadValue::Refused)
    }
}

/// Flag of the binary `minikeeper`.
///
/// ```
/// use minikeeper::config::{Flag, Setting};
///
/// let flag = Setting::named("tick_time").and_then(|setting| setting.flag);
/// assert!(matches!(flag, Some(Flag::Value { name: "tick-time", placeholder: "MS", .. })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// A flag with a value.
    Value {
        /// Name without the dashes.
        name: &'static str,
        /// Placeholder of the value in the help text.
        placeholder: &'static str,
        /// Sentence that the help text adds to the summary of the setting.
        note: &'static str,
    },
    /// A flag without a value.
    Switch {
        /// Name without the dashes.
        name: &'static str,
        /// Value that the flag sets.
        value: &'static str,
        /// Help text.
        help: &'static str,
    },
}

impl Flag {
    /// Returns the name without the dashes.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Value { name, .. } | Self::Switch { name, .. } => name,
        }
    }
}

/// Key of ZooKeeper that sets a setting.
///
/// ```
/// use minikeeper::Config;
/// use minikeeper::config::Setting;
///
/// let setting = Setting::named("max_frame").expect("it is a setting");
/// let mut config = Config::default();
/// setting.keys[0].apply(&mut config, "0x100000")?;
/// assert_eq!((setting.keys[0].name, config.max_frame), ("jute.maxbuffer", 1_048_576));
/// # Ok::<(), minikeeper::config::BadValue>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Key {
    /// Name in `zoo.cfg`, or of the property.
    pub name: &'static str,
    /// Source that can set the key.
    pub place: Place,
    /// Values with which ZooKeeper starts.
    pub check: Check,
    /// Difference between the key's value and the setting's, such as another unit; an empty text if there is none.
    pub note: &'static str,
    read: fn(&mut Config, &str) -> Result<(), BadValue>,
}

impl Key {
    /// Sets the setting from a value of the key, as ZooKeeper reads it. The value passed the check before.
    ///
    /// Does nothing for a key that has a meaning only with other keys: the ports and addresses, the folders,
    /// `enforce.auth.*`.
    ///
    /// # Errors
    ///
    /// If ZooKeeper refuses the value, or ignores it with a warning.
    pub fn apply(&self, config: &mut Config, text: &str) -> Result<(), BadValue> {
        (self.read)(config, text)
    }

    const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }
}

/// Returns the row of a setting without unit, flag and keys.
const fn row() -> Setting {
    Setting {
        name: "",
        unit: "",
        values: Values::Any,
        unset: "",
        needs_data_dir: false,
        flag: None,
        keys: &[],
        doc: &[],
        get: |_| String::new(),
        set: |_, _| Ok(()),
    }
}

/// Parts of a row.
impl Setting {
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    const fn unset(mut self, unset: &'static str) -> Self {
        self.unset = unset;
        self
    }

    const fn range(self, min: i64, max: i64) -> Self {
        self.values(Values::Range(min, max))
    }

    const fn values(mut self, values: Values) -> Self {
        self.values = values;
        self
    }

    /// Takes over the values of the field's type unless the row has its own.
    const fn of_type(self, values: Values) -> Self {
        match self.values {
            Values::Any => self.values(values),
            Values::Range(..) | Values::Words(_) | Values::Pair => self,
        }
    }

    const fn flag(
        mut self,
        name: &'static str,
        placeholder: &'static str,
        note: &'static str,
    ) -> Self {
        self.flag = Some(Flag::Value {
            name,
            placeholder,
            note,
        });
        self
    }

    const fn switch(mut self, name: &'static str, value: &'static str, help: &'static str) -> Self {
        self.flag = Some(Flag::Switch { name, value, help });
        self
    }

    const fn keys(mut self, keys: &'static [Key]) -> Self {
        self.keys = keys;
        self
    }
}

type Read = fn(&mut Config, &str) -> Result<(), BadValue>;

const fn file(name: &'static str, check: Check, read: Read) -> Key {
    Key {
        name,
        place: Place::File,
        check,
        note: "",
        read,
    }
}

const fn both(name: &'static str, check: Check, read: Read) -> Key {
    Key {
        name,
        place: Place::Both,
        check,
        note: "",
        read,
    }
}

const fn jvm(name: &'static str, check: Check, read: Read) -> Key {
    Key {
        name,
        place: Place::Jvm,
        check,
        note: "",
        read,
    }
}

/// Reader of a key that has a meaning only with other keys.
fn with_others(_: &mut Config, _: &str) -> Result<(), BadValue> {
    Ok(())
}

/// Reader of the property with the prefix `zookeeper.`, and of the one without, which it overrides.
fn fsync_warning(config: &mut Config, text: &str) -> Result<(), BadValue> {
    decoded(text, |ms| {
        config.storage.fsync_warning = Duration::from_millis(from_zero(ms))
    })
}

fn set<T>(field: &mut T, value: T) -> Result<(), BadValue> {
    *field = value;
    Ok(())
}

/// Reads a number like `Integer.parseInt`.
fn int(text: &str, set: impl FnOnce(i32)) -> Result<(), BadValue> {
    match (text.parse(), Int.refusal(text)) {
        (Ok(number), _) => set(number),
        (Err(_), refusal) => return Err(BadValue::Refused(refusal.unwrap_or_default())),
    }
    Ok(())
}

/// Reads a number like `Integer.getInteger` and `Long.getLong`: other text counts as not set.
fn decoded(text: &str, set: impl FnOnce(i64)) -> Result<(), BadValue> {
    if let Some(number) = decode(text) {
        set(number);
    }
    Ok(())
}

/// Converts a span of Java, which can be zero or negative; the shortest span here is a millisecond.
fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1))
}

/// Converts a session timeout; -1 is none.
fn timeout(ms: i32) -> Option<Duration> {
    (ms != -1).then(|| millis(ms))
}

fn list(text: &str) -> FourLetterWords {
    text.parse().unwrap_or(FourLetterWords::All)
}

fn from_zero(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn kibibytes(number: i64) -> u64 {
    from_zero(number).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the names of the fields of a configuration, those of the data folder too.
    fn fields() -> Vec<String> {
        let text = format!("{:#?}", Config::default());
        let lines = text.lines().filter_map(|line| {
            let name = line
                .strip_prefix("        ")
                .or_else(|| line.strip_prefix("    "))?;
            let (name, _) = name.split_once(':')?;
            (!name.starts_with(' ') && name != "storage").then(|| name.to_owned())
        });
        lines.collect()
    }

    #[test]
    fn every_field_of_the_configuration_is_a_setting() {
        let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names, fields());
    }

    #[test]
    fn every_setting_accepts_its_own_default() {
        for default in [Config::default(), Config::like_zoo_cfg()] {
            for setting in SETTINGS {
                let mut config = Config::default();
                let text = setting.get(&default);
                assert_eq!(setting.set(&mut config, &text), Ok(()), "{}", setting.name);
                assert_eq!(setting.get(&config), text, "{}", setting.name);
            }
        }
    }

    #[test]
    fn every_setting_is_documented_with_its_keys_and_has_a_flag_of_its_own() {
        let mut flags: Vec<_> = SETTINGS
            .iter()
            .filter_map(|setting| Some(setting.flag?.name()))
            .collect();
        let count = flags.len();
        flags.sort_unstable();
        flags.dedup();
        assert_eq!(flags.len(), count);
        for setting in SETTINGS {
            let doc = setting.doc.concat();
            for key in setting.keys {
                assert!(
                    doc.contains(key.name),
                    "{} does not name {}",
                    setting.name,
                    key.name
                );
            }
            let summary = setting.summary();
            assert!(
                summary.ends_with('.') && !summary.contains("]("),
                "{summary}"
            );
            let is_unset = setting.get(&Config::default()).is_empty();
            assert_eq!(is_unset, !setting.unset.is_empty(), "{}", setting.name);
        }
    }

    #[test]
    fn a_value_that_a_setting_does_not_accept_is_refused() {
        for (name, text, reason) in [
            ("tick_time", "0", "0 is not in 1..=2147483647"),
            ("tick_time", "soon", "invalid digit found in string"),
            ("members", "255", "255 is not in 1..=254"),
            ("max_frame", "-1", "invalid digit found in string"),
            ("extended_types", "yes", "expected true or false"),
            (
                "super_digest",
                "me",
                "expected two parts separated by a colon",
            ),
            (
                "data_format",
                "3.3",
                "no data format: 3.3; there are 3.4, 3.5, 3.6, 3.7, 3.8 and 3.9",
            ),
        ] {
            let setting = Setting::named(name).expect(name);
            let refused = setting.set(&mut Config::default(), text);
            assert_eq!(
                refused,
                Err(BadValue::Refused(reason.to_owned())),
                "{name}={text}"
            );
        }
    }
}
