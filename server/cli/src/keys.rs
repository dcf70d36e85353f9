//! Every key that ZooKeeper reads from `zoo.cfg` or from Java system properties.
//!
//! The keys that set a setting are in the library's table, [`SETTINGS`]. This file has all others: those that the
//! binary itself reads, and those without effect or refused. The sources are `QuorumPeerConfig.parseProperties`, the
//! administrator's guide and the code that reads system properties, all of 3.9.5.

use minikeeper::config::{Check, Place, SETTINGS, Setting};

/// Key of ZooKeeper, and its effect here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Name in `zoo.cfg`; a name that ends in `*` stands for every name with this prefix.
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// Values that ZooKeeper accepts at its start.
    pub(crate) check: Check,
    pub(crate) effect: Effect,
}

/// Effect of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// Sets a setting of the library.
    Sets(&'static Setting),
    /// Has a meaning for the binary alone.
    Reads(Own),
    /// None; a warning names the key.
    Nothing(Why),
    /// A refusal, because a server that ignores the key would behave wrongly.
    Refused(When, &'static str),
}

/// Values with which a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    True,
    /// `true`, together with the `serverCnxnFactory` that alone reads the key.
    TrueWithNetty,
}

/// Key that the binary itself reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// `admin.*`
    Admin,
    /// `authProvider.*`: no provider is loaded, but a scheme may then be one of theirs.
    AuthProvider,
    /// `datadir.autocreate`
    AutoCreate,
    /// `dynamicConfigFile`
    DynamicConfigFile,
    /// `server.*`
    Server,
    /// `metricsProvider.*`
    Metrics,
    /// `standaloneEnabled`
    StandaloneEnabled,
}

/// Reason why a key has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// No audit log is written.
    Audit,
    /// There are only plain client sockets.
    Connections,
    /// The format of the files does not depend on it.
    Disk,
    /// The key configures the health check of another image.
    Health,
    /// There is no Java virtual machine.
    Java,
    /// This server has its state in memory.
    Memory,
    /// The metrics are never queued or sampled.
    Metrics,
    /// Members of one process have no protocol among them.
    Quorum,
    /// SASL and Kerberos are not supported.
    Sasl,
    /// The load of a client never delays or rejects its requests.
    Throttling,
    /// TLS is not supported; ZooKeeper does not use it without a secure port either.
    Tls,
    /// It changes the internals of a server, which clients cannot see.
    Tuning,
}

impl Key {
    /// Whether the key has an effect only with a data folder.
    pub(crate) fn needs_data_dir(&self) -> bool {
        match self.effect {
            Sets(setting) => {
                setting.needs_data_dir && !matches!(self.name, "dataDir" | "dataLogDir")
            }
            Reads(own) => own == AutoCreate,
            Nothing(_) | Refused(..) => false,
        }
    }
}

impl Why {
    /// Returns the reason as text for users.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Audit => "no audit log is written",
            Self::Connections => "only plain connections are supported",
            Self::Disk => "the format of the files does not depend on it",
            Self::Health => "the health check is `minikeeper health`",
            Self::Java => "there is no Java virtual machine",
            Self::Memory => "the state is in memory",
            Self::Metrics => "metrics are never queued or sampled",
            Self::Quorum => "no quorum protocol",
            Self::Sasl => "SASL and Kerberos are not supported",
            Self::Throttling => "requests are never throttled",
            Self::Tls => "TLS is not supported, and clients connect without it",
            Self::Tuning => "clients cannot see it",
        }
    }
}

/// Returns every key, those of settings first.
pub(crate) fn all() -> impl Iterator<Item = Key> {
    let of_settings = SETTINGS.iter().flat_map(|setting| {
        setting.keys.iter().map(move |key| Key {
            name: key.name,
            place: key.place,
            check: key.check,
            effect: Sets(setting),
        })
    });
    of_settings.chain(OTHERS.iter().copied())
}

/// Returns the key of this name in a `zoo.cfg`.
pub(crate) fn in_file(name: &str) -> Option<Key> {
    find(name, |place| !matches!(place, Place::Jvm))
}

/// Returns the key of a system property, whose name includes the prefix `zookeeper.` if it has one.
pub(crate) fn as_property(name: &str) -> Option<Key> {
    find(name, |place| place == Place::Jvm).or_else(|| {
        find(name.strip_prefix("zookeeper.")?, |place| {
            place == Place::Both
        })
    })
}

/// Returns the key of a variable by the rule of Confluent's image, without the image's prefix: `TICK_TIME` is
/// `tickTime`. The result has the full name, which is longer if the key stands for several: `SSL_CLIENT_AUTH` is
/// `ssl.client.auth`.
pub(crate) fn by_variable(variable: &str) -> Option<(Key, String)> {
    let wanted = letters(variable);
    let exact = |place: fn(Place) -> bool| {
        let mut keys = all().filter(|key| place(key.place) && !NOT_BY_VARIABLE.contains(&key.name));
        keys.find(|key| !key.name.ends_with('*') && letters(key.name) == wanted)
    };
    let key = exact(|place| matches!(place, Place::File | Place::Both))
        .or_else(|| exact(|place| place == Place::Jvm));
    if let Some(key) = key {
        return Some((key, String::from(key.name)));
    }
    let starts = all().filter(|key| !NOT_BY_VARIABLE.contains(&key.name));
    starts
        .filter_map(|key| Some((key, key.name.strip_suffix('*')?)))
        .find_map(|(key, start)| {
            let words = start.trim_end_matches('.');
            let rest = after_letters(variable, &letters(words))?.strip_prefix('_')?;
            Some((
                key,
                format!("{start}{}", rest.to_ascii_lowercase().replace('_', ".")),
            ))
        })
}

/// Keys that no variable sets: in many images `ENV ZOOKEEPER_VERSION` is the installed release, and members have lists
/// of their own.
const NOT_BY_VARIABLE: [&str; 4] = ["version", "server.*", "group*", "weight*"];

/// Returns the name without the characters that a variable cannot have: capitals, dots, dashes.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Returns the part of a name after these letters.
fn after_letters<'a>(name: &'a str, letters: &str) -> Option<&'a str> {
    let mut rest = name;
    for expected in letters.chars() {
        rest = rest.trim_start_matches('_');
        let mut chars = rest.chars();
        if chars.next()?.to_ascii_lowercase() != expected {
            return None;
        }
        rest = chars.as_str();
    }
    Some(rest)
}

fn find(name: &str, may: impl Fn(Place) -> bool) -> Option<Key> {
    let exact = all().find(|key| key.name == name && may(key.place));
    exact.or_else(|| {
        all().find(|key| {
            let prefix = key.name.strip_suffix('*');
            prefix.is_some_and(|prefix| name.starts_with(prefix)) && may(key.place)
        })
    })
}

const fn file(name: &'static str, check: Check, effect: Effect) -> Key {
    Key {
        name,
        place: Place::File,
        check,
        effect,
    }
}

const fn both(name: &'static str, check: Check, effect: Effect) -> Key {
    Key {
        name,
        place: Place::Both,
        check,
        effect,
    }
}

const fn jvm(name: &'static str, check: Check, effect: Effect) -> Key {
    Key {
        name,
        place: Place::Jvm,
        check,
        effect,
    }
}

const fn guide(name: &'static str, property: &'static str) -> Key {
    Key {
        name,
        place: Place::Guide(property),
        check: Any,
        effect: Nothing(Throttling),
    }
}

const fn guide_quorum(name: &'static str, property: &'static str) -> Key {
    Key {
        name,
        place: Place::Guide(property),
        check: Any,
        effect: Nothing(Quorum),
    }
}

use Check::{Any, AtLeast, Bool, Class, Hex, Int, Long, OneOf, Real};
use Effect::{Nothing, Reads, Refused, Sets};
use Own::{AuthProvider, AutoCreate, DynamicConfigFile, Server, StandaloneEnabled};
use When::{Always, True, TrueWithNetty};
use Why::{Audit, Connections, Disk, Java, Metrics, Quorum, Sasl, Throttling, Tls, Tuning};

const NO_TLS: &str = "TLS is not supported";
const NO_SASL: &str = "SASL is not supported";

#[rustfmt::skip]
const OTHERS: &[Key] = &[
    // Permissions.
    both("authProvider.*", Any, Reads(AuthProvider)),
    both("authProvider", Any, Nothing(Sasl)),
    both("sessionRequireClientSASLAuth", Any, Refused(True, NO_SASL)),
    both("allowSaslFailedClients", Any, Nothing(Sasl)),
    both("letAnySaslUserDoX", Any, Nothing(Sasl)),
    both("SASLAuthenticationProvider.superPassword", Any, Nothing(Sasl)),
    both("superUser", Any, Nothing(Sasl)),
    both("ensembleAuthName", Any, Nothing(Sasl)),
    both("sasl.serverconfig", Any, Nothing(Sasl)),
    both("sasl.*", Any, Nothing(Sasl)),
    both("server.realm", Any, Nothing(Sasl)),
    both("server.principal", Any, Nothing(Sasl)),
    both("kinit", Any, Nothing(Sasl)),
    both("requireKerberosConfig", Any, Nothing(Sasl)),
    both("security.auth_to_local", Any, Nothing(Sasl)),
    both("kerberos.removeHostFromPrincipal", Any, Nothing(Sasl)),
    both("kerberos.removeRealmFromPrincipal", Any, Nothing(Sasl)),
    both("kerberos.canonicalizeHostNames", Any, Nothing(Sasl)),
    both("kerberos.minReLoginTimeMs", Any, Nothing(Sasl)),
    jvm("java.security.auth.login.config", Any, Nothing(Sasl)),
    both("X509AuthenticationProvider.superUser", Any, Nothing(Connections)),
    both("IPAuthenticationProvider.usexforwardedfor", Any, Nothing(Connections)),

    // TLS.
    file("secureClientPort", Int, Refused(Always, NO_TLS)),
    file("secureClientPortAddress", Any, Refused(Always, NO_TLS)),
    file("sslQuorum", Bool, Refused(True, NO_TLS)),
    file("portUnification", Bool, Refused(True, NO_TLS)),
    file("sslQuorumReloadCertFiles", Bool, Nothing(Connections)),
    both("ssl.*", Any, Nothing(Tls)),
    both("client.secure", Any, Nothing(Tls)),
    both("client.portUnification", Any, Refused(TrueWithNetty, NO_TLS)),
    both("client.certReload", Any, Nothing(Connections)),
    both("fips-mode", Any, Nothing(Connections)),
    both("netty.server.outstandingHandshake.limit", Any, Nothing(Connections)),
    both("netty.server.earlyDropSecureConnectionHandshakes", Any, Nothing(Connections)),

    // The ensemble.
    file("server.*", Any, Reads(Server)),
    file("standaloneEnabled", Bool, Reads(StandaloneEnabled)),
    file("dynamicConfigFile", Any, Reads(DynamicConfigFile)),
    file("group*", Any, Nothing(Quorum)),
    file("weight*", Long, Nothing(Quorum)),
    file("version", Hex, Nothing(Quorum)),
    file("oraclePath", Any, Nothing(Quorum)),
    file("initLimit", Int, Nothing(Quorum)),
    file("syncLimit", Int, Nothing(Quorum)),
    file("connectToLearnerMasterLimit", Int, Nothing(Quorum)),
    file("electionAlg", OneOf(&["3"]), Nothing(Quorum)),
    file("peerType", OneOf(&["observer", "participant"]), Nothing(Quorum)),
    file("syncEnabled", Bool, Nothing(Quorum)),
    file("observerMasterPort", Int, Nothing(Quorum)),
    file("localSessionsEnabled", Bool, Nothing(Quorum)),
    file("localSessionsUpgradingEnabled", Bool, Nothing(Quorum)),
    file("quorumListenOnAllIPs", Bool, Nothing(Quorum)),
    file("multiAddress.enabled", Bool, Nothing(Quorum)),
    file("multiAddress.reachabilityCheckEnabled", Bool, Nothing(Quorum)),
    file("multiAddress.reachabilityCheckTimeoutMs", Int, Nothing(Quorum)),
    both("multiAddress.enabled", Any, Nothing(Quorum)),
    both("multiAddress.reachabilityCheckEnabled", Any, Nothing(Quorum)),
    both("multiAddress.reachabilityCheckTimeoutMs", Any, Nothing(Quorum)),
    file("quorum.cnxn.threads.size", Int, Nothing(Quorum)),
    file("quorum.auth.enableSasl", Bool, Refused(True, NO_SASL)),
    file("quorum.auth.serverRequireSasl", Bool, Refused(True, NO_SASL)),
    file("quorum.auth.learnerRequireSasl", Bool, Refused(True, NO_SASL)),
    file("quorum.auth.learner.saslLoginContext", Any, Nothing(Sasl)),
    file("quorum.auth.server.saslLoginContext", Any, Nothing(Sasl)),
    file("quorum.auth.kerberos.servicePrincipal", Any, Nothing(Sasl)),
    both("leaderServes", Any, Nothing(Quorum)),
    both("cnxTimeout", Any, Nothing(Quorum)),
    both("quorumCnxnTimeoutMs", Any, Nothing(Quorum)),
    both("tcpKeepAlive", Any, Nothing(Quorum)),
    both("electionPortBindRetry", Any, Nothing(Quorum)),
    both("fastleader.minNotificationInterval", Any, Nothing(Quorum)),
    both("fastleader.maxNotificationInterval", Any, Nothing(Quorum)),
    both("leader.maxTimeToWaitForEpoch", Any, Nothing(Quorum)),
    both("leader.maxConcurrentSnapSyncs", Any, Nothing(Quorum)),
    both("leader.maxConcurrentDiffSyncs", Any, Nothing(Quorum)),
    both("leader.ackLoggingFrequency", Any, Nothing(Quorum)),
    both("leader.closeSocketAsync", Any, Nothing(Quorum)),
    both("leaderConnectDelayDuringRetryMs", Any, Nothing(Quorum)),
    both("learner.asyncSending", Any, Nothing(Quorum)),
    both("learner.closeSocketAsync", Any, Nothing(Quorum)),
    jvm("learner.asyncSending", Any, Nothing(Quorum)),
    jvm("learner.closeSocketAsync", Any, Nothing(Quorum)),
    jvm("leader.closeSocketAsync", Any, Nothing(Quorum)),
    jvm("leader.nodelay", Any, Nothing(Quorum)),
    jvm("follower.nodelay", Any, Nothing(Quorum)),
    both("observer.reconnectDelayMs", Any, Nothing(Quorum)),
    both("observer.election.DelayMs", Any, Nothing(Quorum)),
    both("observer.syncEnabled", Any, Nothing(Quorum)),
    both("observerMaster.sizeLimit", Any, Nothing(Quorum)),
    both("follower.skipLearnerRequestToNextProcessor", Any, Nothing(Quorum)),
    both("forward_learner_requests_to_commit_processor_disabled", Any, Nothing(Quorum)),
    both("enableEagerACLCheck", Any, Nothing(Quorum)),
    both("forceSnapshotSync", Any, Nothing(Quorum)),
    both("messageTracker.BufferSize", Any, Nothing(Quorum)),
    both("messageTracker.Enabled", Any, Nothing(Quorum)),
    both("testingonly.initialZxid", Any, Nothing(Quorum)),
    both("test.allowDiscontinuousProposals", Any, Nothing(Quorum)),
    both("commitLogCount", Any, Nothing(Quorum)),
    both("snapshotSizeFactor", Any, Nothing(Quorum)),
    both("controllerPort", Any, Nothing(Quorum)),

    // Disk.
    both("emulate353TTLNodes", Any, Nothing(Disk)),
    both("closeSessionTxn.enabled", Any, Nothing(Disk)),
    both("datadir.autocreate", Any, Reads(AutoCreate)),
    both("db.autocreate", Any, Nothing(Disk)),
    both("jute.maxbuffer.extrasize", Any, Nothing(Disk)),

    // Internals.
    both("serverCnxnFactory", Class(&[
        "org.apache.zookeeper.server.NIOServerCnxnFactory",
        "org.apache.zookeeper.server.NettyServerCnxnFactory",
    ]), Nothing(Tuning)),
    both("watchManagerName", Class(&[
        "org.apache.zookeeper.server.watch.WatchManager",
        "org.apache.zookeeper.server.watch.WatchManagerOptimized",
    ]), Nothing(Tuning)),
    both("watcherCleanThreadsNum", Any, Nothing(Tuning)),
    both("watcherCleanThreshold", Any, Nothing(Tuning)),
    both("watcherCleanIntervalInSeconds", Any, Nothing(Tuning)),
    both("maxInProcessingDeadWatchers", Any, Nothing(Tuning)),
    both("bitHashCacheSize", Any, Nothing(Tuning)),
    both("globalOutstandingLimit", Any, Nothing(Throttling)),
    both("maxResponseCacheSize", Any, Nothing(Tuning)),
    both("maxGetChildrenResponseCacheSize", Any, Nothing(Tuning)),
    both("flushDelay", Any, Nothing(Tuning)),
    both("maxWriteQueuePollTime", Any, Nothing(Tuning)),
    both("maxBatchSize", Any, Nothing(Tuning)),
    both("clientTcpKeepAlive", Any, Nothing(Tuning)),
    both("intBufferStartingSizeBytes", AtLeast(32), Nothing(Tuning)),
    both("nio.numSelectorThreads", AtLeast(1), Nothing(Tuning)),
    both("nio.numWorkerThreads", Any, Nothing(Tuning)),
    both("nio.directBufferBytes", Any, Nothing(Tuning)),
    both("nio.shutdownTimeout", Any, Nothing(Tuning)),
    both("commitProcessor.numWorkerThreads", Any, Nothing(Tuning)),
    both("commitProcessor.maxReadBatchSize", Any, Nothing(Tuning)),
    both("commitProcessor.maxCommitBatchSize", Any, Nothing(Tuning)),
    both("commitProcessor.shutdownTimeout", Any, Nothing(Tuning)),
    both("netty.advancedFlowControl.enabled", Any, Nothing(Tuning)),
    both("largeRequestMaxBytes", Any, Nothing(Throttling)),
    both("largeRequestThreshold", Any, Nothing(Throttling)),
    both("request_throttle_max_requests", Any, Nothing(Throttling)),
    both("request_throttle_stall_time", Any, Nothing(Throttling)),
    both("request_throttle_drop_stale", Any, Nothing(Throttling)),
    both("request_stale_latency_check", Any, Nothing(Throttling)),
    both("request_stale_connection_check", Any, Nothing(Throttling)),
    both("request_throttler.shutdownTimeout", Any, Nothing(Throttling)),
    both("throttled_op_wait_time", Any, Nothing(Throttling)),
    both("connection_throttle_tokens", Any, Nothing(Throttling)),
    both("connection_throttle_fill_time", Any, Nothing(Throttling)),
    both("connection_throttle_fill_count", Any, Nothing(Throttling)),
    both("connection_throttle_freeze_time", Any, Nothing(Throttling)),
    both("connection_throttle_drop_increase", Real, Nothing(Throttling)),
    both("connection_throttle_drop_decrease", Real, Nothing(Throttling)),
    both("connection_throttle_decrease_ratio", Real, Nothing(Throttling)),
    both("connection_throttle_weight_enabled", Any, Nothing(Throttling)),
    both("connection_throttle_global_session_weight", Any, Nothing(Throttling)),
    both("connection_throttle_local_session_weight", Any, Nothing(Throttling)),
    both("connection_throttle_renew_session_weight", Any, Nothing(Throttling)),
    guide("connectionMaxTokens", "zookeeper.connection_throttle_tokens"),
    guide("connectionTokenFillTime", "zookeeper.connection_throttle_fill_time"),
    guide("connectionTokenFillCount", "zookeeper.connection_throttle_fill_count"),
    guide("connectionFreezeTime", "zookeeper.connection_throttle_freeze_time"),
    guide("connectionDropIncrease", "zookeeper.connection_throttle_drop_increase"),
    guide("connectionDropDecrease", "zookeeper.connection_throttle_drop_decrease"),
    guide("connectionDecreaseRatio", "zookeeper.connection_throttle_decrease_ratio"),
    guide("requestThrottleLimit", "zookeeper.request_throttle_max_requests"),
    guide("requestThrottleStallTime", "zookeeper.request_throttle_stall_time"),
    guide("requestThrottleDropStale", "zookeeper.request_throttle_drop_stale"),
    guide("requestStaleLatencyCheck", "zookeeper.request_stale_latency_check"),
    guide("requestStaleConnectionCheck", "zookeeper.request_stale_connection_check"),
    guide("throttledOpWaitTime", "zookeeper.throttled_op_wait_time"),
    guide("advancedFlowControlEnabled", "zookeeper.netty.advancedFlowControl.enabled"),
    guide("outstandingHandshake.limit", "zookeeper.netty.server.outstandingHandshake.limit"),
    guide_quorum("maxConcurrentSnapSyncs", "zookeeper.leader.maxConcurrentSnapSyncs"),
    guide_quorum("maxConcurrentDiffSyncs", "zookeeper.leader.maxConcurrentDiffSyncs"),
    guide_quorum("maxTimeToWaitForEpoch", "zookeeper.leader.maxTimeToWaitForEpoch"),

    // Monitoring.
    both("admin.enableServer", Any, Reads(Own::Admin)),
    both("admin.serverAddress", Any, Reads(Own::Admin)),
    both("admin.serverPort", Any, Reads(Own::Admin)),
    both("admin.idleTimeout", Any, Reads(Own::Admin)),
    both("admin.commandURL", Any, Reads(Own::Admin)),
    both("admin.rateLimiterIntervalInMS", Any, Reads(Own::Admin)),
    both("admin.snapshot.enabled", Any, Reads(Own::Admin)),
    both("admin.restore.enabled", Any, Reads(Own::Admin)),
    both("admin.forceHttps", Any, Refused(True, "the AdminServer has no TLS")),
    both("admin.*", Any, Nothing(Tls)),
    file("metricsProvider.httpHost", Any, Reads(Own::Metrics)),
    file("metricsProvider.httpPort", Int, Reads(Own::Metrics)),
    file("metricsProvider.exportJvmInfo", Any, Reads(Own::Metrics)),
    file("metricsProvider.*", Any, Nothing(Metrics)),
    both("pathStats.*", Any, Nothing(Metrics)),
    both("pathStats.sampleRate", Real, Nothing(Metrics)),
    both("audit.enable", Any, Nothing(Audit)),
    both("audit.impl.class", Any, Nothing(Audit)),
    file("jvm.pause.monitor", Bool, Nothing(Java)),
    file("jvm.pause.sleep.time.ms", Long, Nothing(Java)),
    file("jvm.pause.warn-threshold.ms", Long, Nothing(Java)),
    file("jvm.pause.info-threshold.ms", Long, Nothing(Java)),
    both("jmx.log4j.disable", Any, Nothing(Java)),
    both("jmx.log4j.mbean", Any, Nothing(Java)),
    both("log.dir", Any, Nothing(Java)),
    both("log.file", Any, Nothing(Java)),
    both("log.threshold", Any, Nothing(Java)),
    both("console.threshold", Any, Nothing(Java)),
    both("root.logger", Any, Nothing(Java)),
    both("auditlog.*", Any, Nothing(Audit)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_key_once_for_each_place() {
        for (at, key) in all().enumerate() {
            let again = all()
                .skip(at + 1)
                .any(|other| other.name == key.name && other.place == key.place);
            assert!(!again, "{} is in the table twice", key.name);
        }
    }

    #[test]
    fn an_exact_name_overrides_a_prefix() {
        let key = in_file("metricsProvider.className").expect("it is known");
        assert_eq!(key.name, "metricsProvider.className");
        let key = in_file("metricsProvider.numWorkerThreads").expect("it is known");
        assert_eq!(key.name, "metricsProvider.*");
    }

    #[test]
    fn a_system_property_has_its_prefix_or_an_exact_name() {
        assert!(as_property("zookeeper.skipACL").is_some());
        assert!(as_property("skipACL").is_none());
        assert!(as_property("jute.maxbuffer").is_some());
        assert!(as_property("zookeeper.jute.maxbuffer").is_none());
        assert!(as_property("zookeeper.tickTime").is_none());
        assert!(in_file("jute.maxbuffer").is_none());
    }
}
