//! Every expected outcome was observed with ZooKeeper 3.9.5.

use std::time::Duration;

use minikeeper::{
    config::{DigestAlgorithm, FourLetterWords, MetricsProvider},
    folder::{Compression, DataFormat, Storage},
};

use super::*;
use crate::environment::DEFAULTS;
use crate::flags::tests::serve;

/// Outcome of a configuration, here and with ZooKeeper 3.9.5.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Both serve.
    Serves,
    /// Both refuse.
    Refused,
    /// ZooKeeper serves; minikeeper refuses without `--ignore-unsupported`.
    NotHere,
}
use Outcome::{NotHere, Refused, Serves};

/// Settles a `zoo.cfg` of these lines. `DIR` stands for the folder of the file.
pub(super) fn of_file(
    text: &str,
    flags: &[(&str, &str)],
    options: &Serve,
) -> Result<Settings, Refusal> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let dir = folder.path().to_str().expect("the path is Unicode");
    std::fs::write(folder.path().join("myid"), "1\n").expect("it can be written");
    std::fs::write(
        folder.path().join("dynamic"),
        "server.1=localhost:2888:3888;2182\n",
    )
    .expect("it can be written");
    std::fs::write(
        folder.path().join("broken"),
        "server.1=localhost:2888:3888\nfoo=1\n",
    )
    .expect("it can be written");
    let path = folder.path().join("zoo.cfg");
    std::fs::write(&path, text.replace("DIR", dir)).expect("it can be written");
    let flags: Vec<String> = flags
        .iter()
        .map(|(name, value)| format!("'-D{name}={value}'"))
        .collect();
    let variables = Variables::from([("JVMFLAGS", flags.join(" ").as_str())]);
    settle(&Source::File(path), &variables, options)
}

fn outcome_of(settled: &Result<Settings, Refusal>) -> Outcome {
    match settled {
        Ok(_) => Serves,
        Err(Refusal::Unsupported { .. }) => NotHere,
        Err(_) => Refused,
    }
}

fn config(text: &str) -> Config {
    of_file(text, &[], &Serve::default())
        .expect("it is in order")
        .config
}

const BASE: &str = "dataDir=DIR\nclientPort=2181\n";

#[test]
fn each_line_of_a_zoo_cfg_is_checked_as_by_zookeeper() {
    for (line, expected) in [
        ("", Serves),
        ("tickTime=abc", Refused),
        ("tickTime=0", Refused),
        ("tickTime=-5", Refused),
        ("tickTime=+2000", Serves),
        ("tickTime =  2000  ", Serves),
        ("tickTime=2000ms", Refused),
        ("tickTime=99999999999", Refused),
        ("tickTime=", Refused),
        ("tickTime=0x10", Refused),
        ("maxSessionTimeout=-5", Refused),
        ("minSessionTimeout=-2", Serves),
        ("minSessionTimeout=0", Serves),
        ("minSessionTimeout=100000", Refused),
        ("maxSessionTimeout=1000", Refused),
        ("minSessionTimeout=5000\nmaxSessionTimeout=4000", Refused),
        ("maxClientCnxns=-1", Serves),
        ("maxClientCnxns=x", Refused),
        ("clientPortListenBacklog=0", Serves),
        ("clientPortListenBacklog=-7", Serves),
        ("clientPortListenBacklog=x", Refused),
        ("clientPortAddress=127.0.0.1", Serves),
        ("clientPortAddress=", Serves),
        ("clientPortAddress=nosuch.invalid", Refused),
        ("electionAlg=1", Refused),
        ("electionAlg=3", Serves),
        ("peerType=foo", Refused),
        ("peerType=OBSERVER", Serves),
        ("localSessionsEnabled=yes", Refused),
        ("localSessionsEnabled=TRUE", Serves),
        ("reconfigEnabled=1", Refused),
        ("syncEnabled=1", Refused),
        ("autopurge.snapRetainCount=1", Serves),
        ("autopurge.snapRetainCount=abc", Refused),
        ("autopurge.purgeInterval=-1", Serves),
        ("initLimit=x", Refused),
        ("observerMasterPort=x", Refused),
        ("observerMasterPort=-1", Serves),
        ("connectToLearnerMasterLimit=x", Refused),
        ("quorumListenOnAllIPs=x", Refused),
        ("multiAddress.enabled=maybe", Refused),
        ("multiAddress.reachabilityCheckTimeoutMs=x", Refused),
        ("quorum.cnxn.threads.size=x", Refused),
        ("jvm.pause.monitor=maybe", Refused),
        ("jvm.pause.monitor=true", Serves),
        ("jvm.pause.sleep.time.ms=x", Refused),
        ("oraclePath=/x", Serves),
        ("metricsProvider.className=foo", Refused),
        (
            "metricsProvider.className=org.apache.zookeeper.metrics.impl.NullMetricsProvider",
            Serves,
        ),
        ("metricsProvider.httpPort=7000", Serves),
        ("version=zz", Refused),
        ("snapCount=0", Serves),
        ("snapSizeLimitInKb=0", Refused),
        ("snapSizeLimitInKb=-1", Serves),
        ("preAllocSize=x", Serves),
        ("snapshot.compression.method=lz4", Serves),
        ("dataLogDir=x", Refused),
        ("dataLogDir=", Refused),
        ("foo", Serves),
        ("=x", Serves),
        ("foo\\u12", Refused),
        ("zookeeper.extendedTypesEnabled=true", Serves),
        // Members.
        ("server.1=localhost:2888:3888", Serves),
        ("server.1=localhost:2888", Refused),
        ("server.x=localhost:2888:3888", Refused),
        ("server.=x", Refused),
        ("server1=x", Serves),
        ("server.1=localhost:2888:3888:observer", Refused),
        ("server.1=localhost:2888:2888", Refused),
        ("server.1=localhost:2888:3888;x", Refused),
        ("server.1=localhost:a:3888", Refused),
        (
            "server.1=localhost:2888:3888\nserver.2=localhost:2889:3889:observer",
            Refused,
        ),
        ("server.1=localhost:2888:3888;2189", Refused),
        ("server.1=localhost:2888:3888;127.0.0.1:2181", Serves),
        ("server.2=localhost:2888:3888;2189", Serves),
        (
            "server.1=localhost:2888:3888\nserver.2=localhost:2889:3889\ninitLimit=5\nsyncLimit=2",
            NotHere,
        ),
        ("standaloneEnabled=no", Refused),
        ("standaloneEnabled=false", Refused),
        (
            "standaloneEnabled=false\nserver.1=localhost:2888:3888\ninitLimit=5\nsyncLimit=2",
            NotHere,
        ),
        ("weight.1=1", Serves),
        ("weight.1=x", Refused),
        ("group.1=1\nweight.1=1", Serves),
        ("group.1=1", Refused),
        ("groupfoo=1", Refused),
        ("weightfoo=1", Refused),
        ("oraclePath=/x\ngroupfoo=1", Serves),
        // Several addresses of one server: the line comes too late, and the hosts are not looked up.
        (
            "multiAddress.enabled=true\nserver.1=a:2888:3888|b:2889:3889;2181",
            Refused,
        ),
        ("server.1=a:2888:3888|b:2889:3889;2181", Refused),
        ("server.1=nosuch.invalid:2888:3888;2181", Serves),
        ("dynamicConfigFile=/nonexistent", Refused),
        ("dynamicConfigFile=DIR/broken", Refused),
        (
            "dynamicConfigFile=DIR/dynamic\nserver.1=localhost:2888:3888",
            Refused,
        ),
        // TLS and SASL.
        ("secureClientPort=x", Refused),
        (
            "secureClientPort=2281\nserverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            NotHere,
        ),
        ("sslQuorum=true", NotHere),
        ("sslQuorum=false", Serves),
        ("portUnification=true", NotHere),
        ("portUnification=maybe", Refused),
        ("client.portUnification=true", Serves),
        (
            "client.portUnification=true\nserverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            NotHere,
        ),
        ("client.secure=true", Serves),
        ("sslQuorumReloadCertFiles=x", Refused),
        ("ssl.clientAuth=none", Serves),
        ("ssl.keyStore.location=/x", Serves),
        ("ssl.quorum.keyStore.location=/x", Serves),
        ("ssl.clientAuth=need\nsecureClientPort=2281", NotHere),
        ("quorum.auth.enableSasl=true", NotHere),
        ("quorum.auth.enableSasl=x", Refused),
        (
            "sessionRequireClientSASLAuth=true\n\
             authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            NotHere,
        ),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=sasl\n\
             authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            NotHere,
        ),
        ("authProvider.1=foo", Serves),
        // What becomes a system property.
        ("enforce.auth.enabled=true", Refused),
        ("enforce.auth.enabled=yes", Serves),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=sasl",
            Refused,
        ),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=digest",
            Serves,
        ),
        ("enforce.auth.enabled=true\nenforce.auth.schemes=ip", Serves),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=world",
            Refused,
        ),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=digest,nope",
            Refused,
        ),
        ("enforce.auth.enabled=true\nenforce.auth.schemes=", Refused),
        ("skipACL=true", Serves),
        ("maxCnxns=abc", Serves),
        ("maxCnxns=-3", Serves),
        ("snapCount=abc", Serves),
        ("extendedTypesEnabled=yes", Serves),
        ("connection_throttle_drop_increase=abc", Refused),
        ("pathStats.sampleRate=abc", Refused),
        ("watchManagerName=foo", Refused),
        ("watchManagerName=WatchManagerOptimized", Refused),
        (
            "watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized",
            Serves,
        ),
        ("serverCnxnFactory=foo", Refused),
        (
            "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            Serves,
        ),
        ("DigestAuthenticationProvider.digestAlg=nope", Refused),
        ("DigestAuthenticationProvider.digestAlg=", Refused),
        ("DigestAuthenticationProvider.digestAlg=SHA-512", Serves),
        ("DigestAuthenticationProvider.digestAlg=sha-256", Serves),
        ("DigestAuthenticationProvider.digestAlg=SHA", Serves),
        ("DigestAuthenticationProvider.digestAlg=MD5", NotHere),
        ("DigestAuthenticationProvider.digestAlg=SHA3-256", NotHere),
        ("DigestAuthenticationProvider.superDigest=nonsense", Serves),
        ("nio.numSelectorThreads=0", Refused),
        ("nio.numSelectorThreads=abc", Serves),
        ("nio.sessionlessCnxnTimeout=0", Refused),
        ("nio.sessionlessCnxnTimeout=-1", Serves),
        ("intBufferStartingSizeBytes=1", Refused),
        ("snapshot.compression.method=zip", Serves),
        ("4lw.commands.whitelist=foo", Serves),
        ("admin.serverPort=abc", Serves),
        ("jute.maxbuffer=abc", Serves),
        ("znode.container.checkIntervalMs=0", Serves),
    ] {
        let outcome = of_file(&format!("{BASE}{line}\n"), &[], &Serve::default());
        assert_eq!(outcome_of(&outcome), expected, "{line}: {outcome:?}");
    }
}

/// Returns the settings of the AdminServer with these lines of a `zoo.cfg` and these system properties.
fn admin_with(lines: &str, properties: &[(&str, &str)]) -> Option<AdminSettings> {
    let settings = of_file(&format!("{BASE}{lines}"), properties, &Serve::default());
    settings.expect("it is in order").admin
}

#[test]
fn the_admin_server_is_on_with_a_zoo_cfg_unless_it_is_switched_off() {
    let admin = admin_with("", &[]).expect("it is on");
    assert_eq!(admin.address, SocketAddr::from(([0, 0, 0, 0], 8080)));
    let written = admin.initial_configuration.expect("there is a file");
    assert!(written.contains("clientPort="), "{written}");
    assert_eq!(admin_with("admin.enableServer=false\n", &[]), None);
    assert_eq!(
        admin_with("", &[("zookeeper.admin.enableServer", "false")]),
        None
    );
    // AdminServerFactory compares with "false" and nothing else.
    assert!(admin_with("admin.enableServer=FALSE\n", &[]).is_some());
    let plain = settle(&Source::Variables, &Variables::default(), &Serve::default());
    assert_eq!(plain.expect("it is in order").admin, None);
}

#[test]
fn the_admin_server_has_the_settings_of_a_zoo_cfg() {
    let admin = admin_with(
        "admin.serverAddress=127.0.0.1\nadmin.serverPort=0\nadmin.commandURL=/zk\nadmin.idleTimeout=7\n\
         admin.rateLimiterIntervalInMS=5\nadmin.snapshot.enabled=false\nadmin.restore.enabled=true\n\
         serializeLastProcessedZxid.enabled=false\n",
        &[("zookeeper.foo", "bar")],
    );
    let admin = admin.expect("it is on");
    assert_eq!(admin.address, SocketAddr::from(([127, 0, 0, 1], 0)));
    assert_eq!(
        (admin.command_url.as_str(), admin.idle_timeout.as_millis()),
        ("/zk", 7)
    );
    assert_eq!(admin.rate_limiter_interval.as_millis(), 5);
    assert!(!admin.snapshot_enabled && admin.restore_enabled && !admin.serializes_last_zxid);
    let has = |name: &str, value: &str| {
        let property = (name.to_owned(), value.to_owned());
        admin.system_properties.contains(&property)
    };
    assert!(has("zookeeper.foo", "bar") && has("zookeeper.admin.serverPort", "0"));
    let outcome = of_file(
        &format!("{BASE}admin.serverPort=70000\n"),
        &[],
        &Serve::default(),
    );
    assert_eq!(outcome_of(&outcome), Refused);
}

#[test]
fn prometheus_is_on_with_its_provider() {
    let lines = "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
                 metricsProvider.httpHost=127.0.0.1\nmetricsProvider.exportJvmInfo=false\n";
    let settings = of_file(&format!("{BASE}{lines}"), &[], &Serve::default());
    let settings = settings.expect("it is in order");
    let metrics = settings.metrics.expect("they are on");
    assert_eq!(metrics.address, SocketAddr::from(([127, 0, 0, 1], 7000)));
    assert!(!metrics.export_jvm_info);
    assert_eq!(
        settings.config.metrics_provider,
        MetricsProvider::Prometheus
    );
    let without = of_file(BASE, &[], &Serve::default());
    assert_eq!(without.expect("it is in order").metrics, None);
}

#[test]
fn an_incomplete_zoo_cfg_is_checked_as_by_zookeeper() {
    for (text, expected) in [
        ("clientPort=2181", Refused),
        ("dataDir=DIR\nclientPort=70000", Refused),
        ("dataDir=DIR\nclientPort=65536", Refused),
        ("dataDir=DIR\nclientPort=-1", Refused),
        ("dataDir=DIR\nclientPort=x", Refused),
        ("dataDir=DIR\nclientPort=", Refused),
        ("dataDir=DIR\nclientPortAddress=127.0.0.1", Refused),
        ("dataDir=DIR\nsecureClientPortAddress=127.0.0.1", NotHere),
        ("dataDir=DIR\nserver.1=localhost:2888:3888;2181", Serves),
        ("dataDir=DIR\ndynamicConfigFile=DIR/dynamic", Serves),
        // It starts, but listens nowhere.
        ("dataDir=DIR", NotHere),
    ] {
        let outcome = of_file(text, &[], &Serve::default());
        assert_eq!(outcome_of(&outcome), expected, "{text}: {outcome:?}");
    }
}

#[test]
fn groups_with_one_server_line_are_checked_as_by_zookeeper() {
    for (lines, expected) in [
        ("group.1=1", Serves),
        ("group.1=1\nweight.1=1", Serves),
        ("group.1=1\nweight.1=0", Serves),
        ("group.1=1\nweight.1=-1", Serves),
        ("group.1=1\nweight.2=3", Serves),
        ("group.1=1:", Serves),
        ("group.1=+1", Serves),
        ("group.1=1:2\nweight.2=1", Serves),
        ("weight.1=1", Refused),
        ("group.1=2", Refused),
        ("group.1=1:2", Refused),
        ("group.1=1:1", Refused),
        ("group.1=1\ngroup.2=1", Refused),
        ("group.x=1", Refused),
        ("group.1=a", Refused),
        ("group.1=", Refused),
        ("group.1=1\nweight.x=1", Refused),
        ("server.2=localhost:2889:3889:observer\ngroup.1=1", Refused),
        ("server.2=localhost:2889:3889\ngroup.1=1:2", NotHere),
    ] {
        let text = format!("{BASE}server.1=localhost:2888:3888;2181\n{lines}\n");
        let outcome = of_file(&text, &[], &Serve::default());
        assert_eq!(outcome_of(&outcome), expected, "{lines}: {outcome:?}");
    }
}

#[test]
fn several_addresses_of_one_server_want_the_system_property() {
    let text = format!("{BASE}multiAddress.enabled=false\nserver.1=a:2888:3888|b:2889:3889;2181\n");
    let property = [("zookeeper.multiAddress.enabled", "true")];
    let outcome = of_file(&text, &property, &Serve::default());
    assert_eq!(outcome_of(&outcome), Serves, "{outcome:?}");
    let refusal = of_file(&text, &[], &Serve::default()).expect_err("it is not allowed");
    assert!(
        refusal
            .to_string()
            .contains("zookeeper.multiAddress.enabled=true"),
        "{refusal}"
    );
}

#[test]
fn keys_of_tls_without_a_secure_port_draw_a_warning() {
    let text = format!("{BASE}ssl.keyStore.location=/x\nclient.portUnification=true\n");
    let settings = of_file(&text, &[], &Serve::default()).expect("a real server serves");
    assert_eq!(
        settings.warnings,
        [
            "settings without effect: ssl.keyStore.location, client.portUnification \
          (TLS is not supported, and clients connect without it)"
        ]
    );
}

#[test]
fn a_system_property_is_checked_as_by_zookeeper() {
    for (name, value, expected) in [
        ("jute.maxbuffer", "abc", Serves),
        ("jute.maxbuffer", "-1", Serves),
        ("znode.container.checkIntervalMs", "0", Refused),
        ("znode.container.checkIntervalMs", "-5", Refused),
        ("znode.container.checkIntervalMs", "abc", Serves),
        ("znode.container.maxPerMinute", "-1", Serves),
        ("znode.container.maxNeverUsedIntervalMs", "-1", Serves),
        ("zookeeper.enforce.auth.enabled", "true", Refused),
        ("zookeeper.tickTime", "x", Serves),
        ("zookeeper.ssl.keyStore.location", "/x", Serves),
        ("java.awt.headless", "true", Serves),
    ] {
        let outcome = of_file(BASE, &[(name, value)], &Serve::default());
        assert_eq!(
            outcome_of(&outcome),
            expected,
            "{name}={value}: {outcome:?}"
        );
    }
}

#[test]
fn without_configuration_the_defaults_are_those_of_a_server_for_tests() {
    let settings = settle(&Source::Variables, &Variables::default(), &Serve::default())
        .expect("nothing was asked for");
    let mut expected = Config::default();
    expected.address = ([127, 0, 0, 1], 2181).into();
    expected.journal = JournalMode::Off;
    assert_eq!(settings.config, expected);
    assert!(settings.warnings.is_empty());
}

#[test]
fn a_zoo_cfg_has_the_real_servers_defaults() {
    let config = config("dataDir=DIR\nclientPort=2182");
    assert_eq!(config.address, ([0, 0, 0, 0], 2182).into());
    assert_eq!(config.tick_time, Duration::from_millis(3000));
    assert_eq!(config.max_client_connections, 60);
    assert_eq!(config.four_letter_words, FourLetterWords::Only(Vec::new()));
    assert!(!config.extended_types);
}

#[test]
fn options_have_the_defaults_of_zookeepers_main_class() {
    let arguments = |line: &str| {
        let words = line.split_whitespace().map(String::from).collect();
        settle(
            &Source::Arguments(words),
            &Variables::default(),
            &Serve::default(),
        )
    };
    let config = arguments("2182 /nowhere")
        .expect("two arguments are enough")
        .config;
    assert_eq!(config.address, ([0, 0, 0, 0], 2182).into());
    assert_eq!(config.tick_time, Duration::from_millis(3000));
    assert_eq!(config.max_client_connections, 0);
    let config = arguments("2182 /nowhere 500 7")
        .expect("four arguments may be")
        .config;
    assert_eq!(config.tick_time, Duration::from_millis(500));
    assert_eq!(config.max_client_connections, 7);
    for line in [
        "x /nowhere",
        "2182 /nowhere x",
        "2182 /nowhere 0",
        "2182 /nowhere 500 x",
    ] {
        assert_eq!(outcome_of(&arguments(line)), Refused, "{line}");
    }
}

#[test]
fn the_images_variables_have_the_images_defaults() {
    let settings = settle(
        &Source::Variables,
        &Variables::from([
            DEFAULTS,
            ("ZOO_MY_ID", "1"),
            ("ZOO_CFG_EXTRA", "skipACL=yes snapCount=7"),
        ]),
        &Serve::default(),
    )
    .expect("it is in order");
    let config = settings.config;
    assert_eq!(config.address, ([0, 0, 0, 0], 2181).into());
    assert_eq!(config.tick_time, Duration::from_millis(2000));
    assert_eq!(config.max_client_connections, 60);
    assert_eq!(config.four_letter_words, FourLetterWords::Only(Vec::new()));
    assert!(config.skip_acl);
    assert_eq!(settings.warnings, [""; 0]);
    assert_eq!(config.storage.data_dir, Some(PathBuf::from("/data")));
    assert_eq!(config.storage.data_log_dir, Some(PathBuf::from("/datalog")));
}

#[test]
fn the_images_ensemble_is_refused_and_its_own_line_says_the_port() {
    let servers = "server.1=a:2888:3888;2181 server.2=b:2888:3888;2182";
    let variables = Variables::from([DEFAULTS, ("ZOO_SERVERS", servers), ("ZOO_MY_ID", "2")]);
    let refusal =
        settle(&Source::Variables, &variables, &Serve::default()).expect_err("two members vote");
    assert_eq!(
        refusal.to_string(),
        "not supported: ZOO_SERVERS: 2 voting members (use --members-from-config to serve all of them from this \
         process); \
         use --ignore-unsupported to start anyway"
    );
    let options = Serve {
        ignore_unsupported: true,
        ..Serve::default()
    };
    let settings =
        settle(&Source::Variables, &variables, &options).expect("it serves all the same");
    assert_eq!(settings.config.address, ([0, 0, 0, 0], 2182).into());
}

/// Settings that these variables alone give.
fn of_variables<const N: usize>(pairs: [(&str, &str); N]) -> Result<Settings, Refusal> {
    settle(
        &Source::Variables,
        &Variables::from(pairs),
        &Serve::default(),
    )
}

#[test]
fn outside_the_image_variables_leave_the_binarys_defaults_as_they_are() {
    let stray = of_variables([
        ("ZOO_LOG4J_PROP", "INFO,CONSOLE"),
        ("ZOO_LOG_DIR", "/var/log"),
    ]);
    let stray = stray.expect("they say nothing");
    assert_eq!(stray.warnings, [""; 0]);
    assert_eq!(
        stray.config,
        of_variables([]).expect("nothing was said").config
    );

    let settings = of_variables([("ZOO_TICK_TIME", "500")]).expect("it is in order");
    let mut expected = of_variables([]).expect("nothing was said").config;
    expected.tick_time = Duration::from_millis(500);
    assert_eq!(settings.config, expected);

    let folder = of_variables([("ZOO_DATA_DIR", "/d")])
        .expect("it is in order")
        .config;
    assert_eq!(folder.storage.data_dir, Some(PathBuf::from("/d")));
    assert_eq!(folder.storage.data_log_dir, None);
    assert!(folder.address.ip().is_loopback());
}

#[test]
fn outside_the_image_a_port_alone_is_on_the_loopback_address() {
    let address =
        |pairs: [(&str, &str); 2]| of_variables(pairs).expect("it is in order").config.address;
    let none = ("ZOO_NOEXEC", "");
    let line = "server.1=localhost:2888:3888;2182";
    let loopback = ([127, 0, 0, 1], 2182).into();
    assert_eq!(address([("ZOO_SERVERS", line), none]), loopback);
    assert_eq!(address([("ZOO_PORT_NUMBER", "2182"), none]), loopback);
    assert_eq!(address([("ZOOKEEPER_CLIENT_PORT", "2182"), none]), loopback);
    assert_eq!(
        address([
            ("ZOOKEEPER_CLIENT_PORT", "2182"),
            ("ZOOKEEPER_CLIENT_PORT_ADDRESS", "0.0.0.0")
        ]),
        ([0, 0, 0, 0], 2182).into()
    );
    assert_eq!(
        address([
            ("ZOO_PORT_NUMBER", "2182"),
            ("ZOO_SERVERS", "server.1=a:1:2;0.0.0.0:2182")
        ]),
        ([0, 0, 0, 0], 2182).into()
    );
    assert_eq!(
        address([DEFAULTS, ("ZOO_PORT_NUMBER", "2182")]),
        ([0, 0, 0, 0], 2182).into()
    );
}

#[test]
fn variables_of_bitnamis_and_confluents_images_are_honoured() {
    let bitnamis = of_variables([
        ("ALLOW_ANONYMOUS_LOGIN", "yes"),
        ("ZOO_MAX_SESSION_TIMEOUT", "5000"),
        ("ZOO_PORT_NUMBER", "2182"),
        ("ZOO_SERVER_ID", "1"),
        ("ZOO_RECONFIG_ENABLED", "yes"),
        ("ZOO_ENABLE_AUTH", "no"),
        ("ZOO_TLS_CLIENT_ENABLE", "false"),
        ("ZOO_HEAP_SIZE", "512"),
        ("ZOO_NONSENSE", "1"),
    ]);
    let bitnamis = bitnamis.expect("it is in order");
    assert_eq!(bitnamis.config.address.port(), 2182);
    assert_eq!(
        bitnamis.config.max_session_timeout,
        Some(Duration::from_millis(5000))
    );
    assert!(bitnamis.config.reconfig_enabled);
    assert_eq!(
        bitnamis.warnings,
        [
            "settings without effect: ZOO_HEAP_SIZE (there is no Java virtual machine)",
            "unknown settings, ignored: ZOO_NONSENSE"
        ]
    );
    let confluents = of_variables([
        ("KAFKA_OPTS", "-Dzookeeper.4lw.commands.whitelist=ruok"),
        ("ZOOKEEPER_CLIENT_PORT", "32181"),
        ("ZOOKEEPER_JUTE_MAX_BUFFER", "4096"),
        ("ZOOKEEPER_SYNC_LIMIT", "2"),
        ("ZOOKEEPER_TICK_TIME", "500"),
    ]);
    let confluents = confluents.expect("it is in order");
    assert_eq!(confluents.config.address, ([127, 0, 0, 1], 32181).into());
    assert_eq!(confluents.config.tick_time, Duration::from_millis(500));
    assert_eq!(confluents.config.max_frame, 4096);
    let words = vec!["ruok".to_owned()];
    assert_eq!(
        confluents.config.four_letter_words,
        FourLetterWords::Only(words)
    );
    assert_eq!(
        confluents.warnings,
        ["settings without effect: ZOOKEEPER_SYNC_LIMIT (no quorum protocol)"]
    );
}

#[test]
fn variables_that_ask_for_a_closed_server_are_refused_as_the_lines_are() {
    for (variable, value, expected) in [
        (
            "ZOO_ENABLE_AUTH",
            "yes",
            "ZOO_ENABLE_AUTH: sessionRequireClientSASLAuth=true (SASL is not supported)",
        ),
        (
            "ZOO_ENABLE_QUORUM_AUTH",
            "TRUE",
            "ZOO_ENABLE_QUORUM_AUTH: quorum.auth.enableSasl=true (SASL is not supported)",
        ),
        (
            "ZOO_TLS_CLIENT_ENABLE",
            "1",
            "ZOO_TLS_CLIENT_ENABLE: secureClientPort=3181 (TLS is not supported)",
        ),
        (
            "ZOO_TLS_QUORUM_ENABLE",
            "yes",
            "ZOO_TLS_QUORUM_ENABLE: sslQuorum=true (TLS is not supported)",
        ),
        (
            "ALLOW_ANONYMOUS_LOGIN",
            "no",
            "ALLOW_ANONYMOUS_LOGIN=no (SASL is not supported, and every client can connect)",
        ),
        (
            "ZOO_CFG_sslQuorum",
            "true",
            "ZOO_CFG_sslQuorum: sslQuorum=true (TLS is not supported)",
        ),
        (
            "ZOOKEEPER_SECURE_CLIENT_PORT",
            "2182",
            "ZOOKEEPER_SECURE_CLIENT_PORT: secureClientPort=2182 (TLS is not supported)",
        ),
        (
            "ZOOKEEPER_SSL_QUORUM",
            "true",
            "ZOOKEEPER_SSL_QUORUM: sslQuorum=true (TLS is not supported)",
        ),
        (
            "KAFKA_OPTS",
            "-Dzookeeper.sessionRequireClientSASLAuth=true",
            "KAFKA_OPTS: zookeeper.sessionRequireClientSASLAuth=true (SASL is not supported)",
        ),
    ] {
        let refusal = of_variables([(variable, value)])
            .expect_err(variable)
            .to_string();
        assert_eq!(
            refusal,
            format!("not supported: {expected}; use --ignore-unsupported to start anyway")
        );
        let options = Serve {
            ignore_unsupported: true,
            ..Serve::default()
        };
        let variables = Variables::from([(variable, value)]);
        let settings = settle(&Source::Variables, &variables, &options).expect("it was asked to");
        assert!(
            settings.warnings.concat().contains(expected),
            "{:?}",
            settings.warnings
        );
        if value != "no" && variable != "KAFKA_OPTS" && variable != "ZOOKEEPER_SECURE_CLIENT_PORT" {
            let off = of_variables([(variable, "false")]).expect(variable);
            assert_eq!(off.warnings, [""; 0], "{variable}");
        }
    }
    let unclear = of_variables([("ZOO_ENABLE_AUTH", "perhaps")]).expect_err("it may be meant");
    assert_eq!(
        unclear.to_string(),
        "ZOO_ENABLE_AUTH: ZOO_ENABLE_AUTH=perhaps: must be yes or no"
    );
}

#[test]
fn honoured_settings_reach_the_config() {
    let config = config(
        "dataDir=DIR\ndataLogDir=/logs\nclientPort=2181\nclientPortAddress=127.0.0.1\nclientPortListenBacklog=9\n\
         tickTime=100\nminSessionTimeout=10\nmaxSessionTimeout=20\nmaxClientCnxns=3\nmaxCnxns=5\n\
         nio.sessionlessCnxnTimeout=77\n4lw.commands.whitelist=ruok, mntr\nextendedTypesEnabled=true\n\
         enforceQuota=true\nskipACL=yes\nreconfigEnabled=true\n\
         DigestAuthenticationProvider.superDigest=super:x\nDigestAuthenticationProvider.enabled=false\n\
         DigestAuthenticationProvider.digestAlg=SHA-256\nenforce.auth.enabled=true\nenforce.auth.schemes=ip\n",
    );
    assert_eq!(config.address, ([127, 0, 0, 1], 2181).into());
    assert_eq!(config.listen_backlog, 9);
    assert_eq!(config.tick_time, Duration::from_millis(100));
    assert_eq!(config.min_session_timeout, Some(Duration::from_millis(10)));
    assert_eq!(config.max_session_timeout, Some(Duration::from_millis(20)));
    assert_eq!(
        (config.max_client_connections, config.max_connections),
        (3, 5)
    );
    assert_eq!(config.sessionless_timeout, Duration::from_millis(77));
    let words = vec!["ruok".to_owned(), "mntr".to_owned()];
    assert_eq!(config.four_letter_words, FourLetterWords::Only(words));
    assert!(config.extended_types && config.enforce_quota);
    assert!(config.skip_acl && config.reconfig_enabled && !config.digest_auth);
    assert_eq!(config.super_digest.as_deref(), Some("super:x"));
    assert_eq!(config.digest_algorithm, DigestAlgorithm::Sha256);
    assert_eq!(config.required_auth_schemes, ["ip"]);
    assert_eq!(config.storage.data_log_dir, Some(PathBuf::from("/logs")));
}

#[test]
fn system_properties_with_names_of_their_own_reach_the_config() {
    let flags = [
        ("jute.maxbuffer", "0x100000"),
        ("znode.container.checkIntervalMs", "50"),
        ("znode.container.maxPerMinute", "7"),
        ("znode.container.maxNeverUsedIntervalMs", "9"),
        ("readonlymode.enabled", "true"),
    ];
    let config = of_file(BASE, &flags, &Serve::default())
        .expect("it is in order")
        .config;
    assert_eq!(config.max_frame, 0x10_0000);
    assert_eq!(config.container_check_interval, Duration::from_millis(50));
    assert_eq!(config.container_max_per_minute, 7);
    assert_eq!(config.container_max_never_used, Duration::from_millis(9));
    assert_eq!(
        config.four_letter_words,
        FourLetterWords::Only(vec!["isro".to_owned()])
    );
}

#[test]
fn zoo_cfg_wins_over_a_system_property_and_a_flag_over_both() {
    let flags = [
        ("zookeeper.4lw.commands.whitelist", "ruok"),
        ("zookeeper.skipACL", "yes"),
    ];
    let text = format!("{BASE}4lw.commands.whitelist=*\ntickTime=1\ntickTime=9\n");
    let config = of_file(&text, &flags, &Serve::default())
        .expect("it is in order")
        .config;
    assert_eq!(config.four_letter_words, FourLetterWords::All);
    assert!(config.skip_acl);
    assert_eq!(
        config.tick_time,
        Duration::from_millis(9),
        "the last of two lines counts"
    );

    let options = serve(
        "--listen 127.0.0.1:0 --tick-time 5 --max-client-connections 1 --four-letter-words srvr \
         --jute-max-buffer 2 --super-user super:test",
    );
    let settings = of_file(&text, &flags, &options).expect("it is in order");
    assert_eq!(settings.super_user.as_deref(), Some("super:test"));
    let config = settings.config;
    assert_eq!(config.address, ([127, 0, 0, 1], 0).into());
    assert_eq!(config.tick_time, Duration::from_millis(5));
    assert_eq!((config.max_client_connections, config.max_frame), (1, 2));
}

#[test]
fn a_refusal_has_file_line_key_value_and_reason() {
    for (text, expected) in [
        (
            "dataDir=DIR\n\ntickTime=soon\n",
            "/zoo.cfg:3: tickTime=soon: must be a whole number of 32 bits",
        ),
        (
            "dataDir=DIR\nclientPort=1\ntickTime=0\n",
            "/zoo.cfg:3: tickTime=0: tickTime 0 is less than 1",
        ),
        (
            "dataDir=DIR\nclientPort=1\nmaxSessionTimeout=5\n",
            "/zoo.cfg:3: maxSessionTimeout=5: minSessionTimeout 6000 is larger than maxSessionTimeout 5",
        ),
        ("clientPort=1\n", "/zoo.cfg: dataDir is not set"),
        (
            "dataDir=DIR\nclientPort=1\nfoo\\u1\n",
            "/zoo.cfg: line 3: a \\u is not followed by four hexadecimal digits",
        ),
    ] {
        let refusal = of_file(text, &[], &Serve::default())
            .expect_err(text)
            .to_string();
        assert!(refusal.ends_with(expected), "{refusal}");
    }
}

#[test]
fn settings_without_effect_are_named_once_and_unknown_ones_with_a_hint() {
    let flags = [
        ("zookeeper.foo", "1"),
        ("zookeeper.peerType", "5"),
        ("java.net.x", "1"),
    ];
    let text = format!(
        "{BASE}initLimit=5\nsyncLimit=2\nadmin.httpVersion=11\nbar=1\njute.maxbuffer=5\nzookeeper.skipACL=yes\n"
    );
    let settings = of_file(&text, &flags, &Serve::default()).expect("it is in order");
    let [idle, unknown] = settings.warnings.as_slice() else {
        panic!("two warnings were expected, got {:?}", settings.warnings);
    };
    assert_eq!(
        idle,
        "settings without effect: initLimit, syncLimit (no quorum protocol); \
         admin.httpVersion (TLS is not supported, and clients connect without it)"
    );
    assert_eq!(
        unknown,
        "unknown settings, ignored: zookeeper.foo, zookeeper.peerType (only in a zoo.cfg), bar, \
         jute.maxbuffer (only as a system property), zookeeper.skipACL (in a zoo.cfg without the `zookeeper.`)"
    );
}

/// Returns the settings of the data folder from a `zoo.cfg` with these lines, system properties and flags.
fn storage(lines: &str, flags: &[(&str, &str)], options: &Serve) -> Storage {
    let text = format!("dataDir=/d\ndataLogDir=/l\nclientPort=2181\n{lines}");
    let settings = of_file(&text, flags, options).expect("it is in order");
    assert_eq!(settings.warnings, [""; 0], "{lines}");
    settings.config.storage
}

#[test]
fn settings_of_the_data_folder_have_zookeepers_units() {
    let mut default = Storage::default();
    default.data_dir = Some(PathBuf::from("/d"));
    default.data_log_dir = Some(PathBuf::from("/l"));
    assert_eq!(storage("", &[], &Serve::default()), default);
    let check = |lines: &str, expected: fn(&mut Storage)| {
        let mut all = default.clone();
        expected(&mut all);
        assert_eq!(storage(lines, &[], &Serve::default()), all, "{lines}");
    };
    check("forceSync=no", |storage| storage.force_sync = false);
    check("forceSync=NO", |_| ());
    check("forceSync=false", |_| ());
    check("fsync.warningthresholdms=20", |storage| {
        storage.fsync_warning = Duration::from_millis(20);
    });
    check("fsync.warningthresholdms=x", |_| ());
    check("snapCount=7", |storage| storage.snap_count = 7);
    check("snapCount=0x10", |storage| storage.snap_count = 16);
    check("snapCount=1", |storage| storage.snap_count = 2);
    check("snapCount=-3", |storage| storage.snap_count = 2);
    check("snapCount=many", |_| ());
    check("snapCount=3000000000", |_| ());
    check("snapSizeLimitInKb=3", |storage| {
        storage.snap_size_limit = 3 << 10
    });
    check("snapSizeLimitInKb=-1", |storage| {
        storage.snap_size_limit = 0
    });
    check("txnLogSizeLimitInKb=3", |storage| {
        storage.log_size_limit = 3 << 10
    });
    check("txnLogSizeLimitInKb=-1", |_| ());
    check("txnLogSizeLimitInKb=much", |_| ());
    check("serializeLastProcessedZxid.enabled=false", |storage| {
        storage.last_zxid = false
    });
    check("preAllocSize=16", |storage| {
        storage.pre_alloc_size = 16 << 10
    });
    check("preAllocSize=-5", |storage| storage.pre_alloc_size = 0);
    check("snapshot.compression.method=GZ", |storage| {
        storage.compression = Compression::Gzip
    });
    check("snapshot.compression.method=snappy", |storage| {
        storage.compression = Compression::Snappy
    });
    check("snapshot.compression.method=lz4", |_| ());
    check("snapshot.trust.empty=TRUE", |storage| {
        storage.trust_empty = true
    });
    check("snapshot.trust.empty=yes", |_| ());
    check("digest.enabled=false", |storage| storage.digest = false);
    check("autopurge.snapRetainCount=5", |storage| {
        storage.purge_retain = 5
    });
    check("autopurge.snapRetainCount=1", |_| ());
    check("autopurge.purgeInterval=2", |storage| {
        storage.purge_interval = Duration::from_secs(7200);
    });
    check("autopurge.purgeInterval=-1", |_| ());
    let slow = |flags: &[(&str, &str)]| storage("", flags, &Serve::default()).fsync_warning;
    let (alone, whole) = (
        ("fsync.warningthresholdms", "5"),
        ("zookeeper.fsync.warningthresholdms", "6"),
    );
    assert_eq!(slow(&[alone]), Duration::from_millis(5));
    assert_eq!(slow(&[whole, alone]), Duration::from_millis(6));
}

#[test]
fn flags_of_the_data_folder_override_all_other_sources() {
    let folders = |options: &Serve| {
        let storage = storage("", &[], options);
        (storage.data_dir, storage.data_log_dir)
    };
    let (here, there) = (PathBuf::from("/here"), PathBuf::from("/there"));
    assert_eq!(folders(&serve("--in-memory")), (None, None));
    let flags = serve("--data-dir /here");
    assert_eq!(folders(&flags), (Some(here.clone()), None));
    let flags = serve("--data-dir /here --data-log-dir /there");
    assert_eq!(folders(&flags), (Some(here), Some(there)));
    let options = serve("--recover --trust-empty --no-fsync --data-format 3.6");
    let storage = storage("forceSync=yes", &[], &options);
    assert!(storage.recover && storage.trust_empty && !storage.force_sync);
    assert_eq!(storage.data_format, Some(DataFormat::V3_6));
}

#[test]
fn settings_of_the_data_folder_without_a_folder_are_warned_about() {
    let variables = Variables::from([("JVMFLAGS", "-Dzookeeper.snapCount=5")]);
    let warnings = |flags: &str| {
        let settings = settle(&Source::Variables, &variables, &serve(flags));
        settings.expect("it is in order").warnings
    };
    assert_eq!(
        warnings("--no-fsync"),
        ["settings without effect: zookeeper.snapCount, --no-fsync (the state is in memory)"]
    );
    assert_eq!(warnings("--no-fsync --data-dir /d"), [""; 0]);
}

#[test]
fn a_relative_folder_without_a_dot_is_warned_about() {
    let warnings = |folder: &str| {
        let text = format!("dataDir={folder}\nclientPort=2181\n");
        let settings = of_file(&text, &[], &Serve::default());
        settings.expect("it is in order").warnings
    };
    assert_eq!(warnings("./data"), [""; 0]);
    let warning = warnings("data").concat();
    assert!(
        warning.starts_with("dataDir=data is relative: /"),
        "{warning}"
    );
    assert!(
        warning.ends_with("/data; put ./ before it if this is intended"),
        "{warning}"
    );
}

#[test]
fn without_autocreate_the_folders_must_exist() {
    let text = format!("{BASE}datadir.autocreate=false\n");
    assert_eq!(outcome_of(&of_file(&text, &[], &Serve::default())), Refused);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::create_dir(folder.path().join("version-2")).expect("it can be made");
    let text = format!(
        "dataDir={}\nclientPort=1\ndatadir.autocreate=false\n",
        folder.path().display()
    );
    assert_eq!(outcome_of(&of_file(&text, &[], &Serve::default())), Serves);
}

#[test]
fn unsupported_settings_are_ignored_on_request() {
    let options = Serve {
        ignore_unsupported: true,
        ..Serve::default()
    };
    let text = "dataDir=DIR\nsslQuorum=true\n";
    let settings = of_file(text, &[], &options).expect("it was asked to");
    assert_eq!(settings.config.address.port(), 2181);
    let last = settings.warnings.last().expect("it is a warning");
    assert!(last.starts_with("not supported, ignored: "), "{last}");
}
