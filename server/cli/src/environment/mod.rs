//! Environment variables of the official image, of Bitnami's and of Confluent's, and system properties in `JVMFLAGS`
//! and `KAFKA_OPTS`.

mod bitnami;
mod confluent;
mod official;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use minikeeper::config::Place;
use tracing_subscriber::filter::LevelFilter;

use crate::keys::{Key, Why};
use crate::properties;
use crate::settings::Refusal;

/// The environment's variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Variables of this process. Parts of a value that are not Unicode are replaced.
    pub(crate) fn of_this_process() -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(
            std::env::vars_os()
                .map(|(name, value)| (lossy(name), lossy(value)))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn set_and_not_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Variables whose names begin with `prefix`, except those that Kubernetes and Docker make for a service of that
    /// name.
    fn beginning_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, value)| name.starts_with(prefix) && !is_service_link(name, value))
    }
}

/// Whether the variable describes another service: a service `zookeeper-client` makes
/// `ZOOKEEPER_CLIENT_PORT=tcp://10.0.0.7:2181` and `ZOOKEEPER_CLIENT_SERVICE_HOST`, a link `zoo` makes
/// `ZOO_NAME=/app/zoo` and `ZOO_ENV_PATH`.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_of_a_port = name.split_once("_PORT_").is_some_and(|(_, behind)| {
        let (port, protocol) = behind.split_once('_').unwrap_or_default();
        port.parse::<u16>().is_ok()
            && ["TCP", "UDP"]
                .iter()
                .any(|known| protocol.starts_with(known))
    });
    ["tcp://", "udp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_NAME") && value.starts_with('/'))
        || name.contains("_ENV_")
        || is_of_a_port
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .iter()
                .map(|&(name, value)| (String::from(name), String::from(value)))
                .collect(),
        )
    }
}

/// One `name = value` that the user gave, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

impl Given {
    /// The value of a variable that stands for one key.
    fn of_variable(variable: &str, key: &str, value: &str) -> Self {
        Self {
            name: String::from(key),
            value: String::from(value),
            origin: Origin::Variable(String::from(variable)),
        }
    }

    /// Name that the user knows: the name of the variable if one stands for the key.
    pub(crate) fn label(&self) -> &str {
        match &self.origin {
            Origin::Variable(variable) => variable,
            Origin::Line { .. }
            | Origin::Words(_)
            | Origin::ImageDefault(_)
            | Origin::CommandLine => &self.name,
        }
    }
}

/// Source of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Line {
        file: Rc<str>,
        line: usize,
    },
    /// A variable that stands for one key.
    Variable(String),
    /// A variable that holds several keys.
    Words(String),
    /// A variable of the image that has the value the image gives it.
    ImageDefault(&'static str),
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) | Self::Words(name) => f.write_str(name),
            Self::ImageDefault(name) => f.write_str(name),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// The variables that hold system properties.
pub(crate) const PROPERTIES: [&str; 3] = ["KAFKA_OPTS", "SERVER_JVMFLAGS", "JVMFLAGS"];

/// System properties that a start script would pass to Java. Of two with one name, the later counts.
pub(crate) fn system_properties(variables: &Variables) -> Vec<Given> {
    // zkServer.sh puts SERVER_JVMFLAGS before JVMFLAGS; Kafka's start script, which Confluent's image uses, has
    // KAFKA_OPTS.
    let mut found = Vec::new();
    for variable in PROPERTIES {
        for word in words(variables.get(variable).unwrap_or_default()) {
            // All other words are for the virtual machine: -Xmx, -XX, -agentlib.
            let Some(property) = word.strip_prefix("-D") else {
                continue;
            };
            let (name, value) = property.split_once('=').unwrap_or((property, ""));
            found.push(Given {
                name: String::from(name),
                value: String::from(value),
                origin: Origin::Words(String::from(variable)),
            });
        }
    }
    found
}

/// Splits at spaces that are neither quoted nor escaped by a backslash.
///
/// `zkServer.sh` expands `$JVMFLAGS` without quotes, so its shell splits at every space and does not interpret quotes.
/// Here quotes work as users expect. The crate `shlex` differs: it takes `#` for the start of a comment, and refuses a
/// text with an open quote.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Variable that marks the image, and its only value.
pub(crate) const DEFAULTS: (&str, &str) = ("MINIKEEPER_DEFAULTS", "image");

/// Configuration that the variables give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Configured {
    /// This file exists, so the variables have no effect.
    File(PathBuf),
    Variables(Box<FromVariables>),
}

/// Variables of all images, grouped by their effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FromVariables {
    /// Whether the official image's defaults apply where no variable gives a value; otherwise the binary's own do.
    pub(crate) is_image: bool,
    /// Lines of a `zoo.cfg`; of two with one name, the later counts.
    pub(crate) lines: Vec<Given>,
    /// System properties that are not keys of a `zoo.cfg`.
    pub(crate) properties: Vec<Given>,
    /// The number in `myid`.
    pub(crate) id: Option<Given>,
    /// Variables that are known and have no effect here.
    pub(crate) idle: Vec<(Why, String)>,
    pub(crate) unknown: Vec<String>,
    /// Reasons not to start a server with these variables, although ZooKeeper itself might start.
    pub(crate) lacks: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl FromVariables {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes a variable that stands for one key.
    fn take(&mut self, variable: &str, key: &str, value: &str) {
        self.lines.push(Given::of_variable(variable, key, value));
    }

    /// Takes a variable that stands for this key of the table, or for `name` if the key stands for several.
    fn take_key(&mut self, variable: &str, (key, name): (&Key, &str), value: &str) {
        let given = Given::of_variable(variable, name, value);
        match key.place {
            Place::Jvm => self.properties.push(given),
            Place::File | Place::Both | Place::Guide(_) => self.lines.push(given),
        }
    }
}

/// Reads the variables of the official image, of Bitnami's and of Confluent's. `None` if there is none of them.
///
/// # Errors
///
/// Refuses values that cannot be read, above all lists of servers: a list asks for an ensemble.
pub(crate) fn configured(variables: &Variables) -> Result<Option<Configured>, Refusal> {
    let is_image = match variables.set_and_not_empty(DEFAULTS.0) {
        None => false,
        Some(word) if word == DEFAULTS.1 => true,
        Some(other) => {
            let (name, value) = DEFAULTS;
            let reason = format!("{name}={other}: must be {value}, or not be set");
            return Err(Refusal::Whole(reason));
        }
    };
    let folder = variables.set_and_not_empty("ZOO_CONF_DIR");
    if let Some(folder) = folder.or(is_image.then_some("/conf")) {
        let file = PathBuf::from(folder).join("zoo.cfg");
        if file.is_file() {
            return Ok(Some(Configured::File(file)));
        }
    }
    let mut found = FromVariables::default();
    confluent::read(variables, &mut found)?;
    bitnami::read(variables, &mut found)?;
    official::read(variables, &mut found)?;
    found.warnings.extend(contradictions(&found.lines));
    if is_image {
        official::complete(variables, &mut found);
    } else if found.is_empty() {
        return Ok(None);
    }
    Ok(Some(Configured::Variables(Box::new(found))))
}

/// Warnings about variables that give one key different values; the later variable counts.
fn contradictions(lines: &[Given]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (at, earlier) in lines.iter().enumerate() {
        let later = lines
            .iter()
            .skip(at + 1)
            .rfind(|later| later.name == earlier.name);
        let (Some(later), Origin::Variable(variable)) = (later, &earlier.origin) else {
            continue;
        };
        if later.value != earlier.value {
            warnings.push(format!(
                "{variable}={} is ignored: {} sets {}={}",
                earlier.value, later.origin, later.name, later.value
            ));
        }
    }
    warnings
}

/// The level that `ZOO_LOG_LEVEL` or `ZOOKEEPER_LOG4J_ROOT_LOGLEVEL` names, in the words of log4j.
pub(crate) fn log_level(variables: &Variables) -> Option<LevelFilter> {
    let mut named = LOG_LEVELS
        .iter()
        .filter_map(|name| variables.set_and_not_empty(name));
    named.find_map(|word| {
        let word = word.split(',').next().unwrap_or_default();
        Some(match word.trim().to_ascii_uppercase().as_str() {
            "ALL" | "TRACE" => LevelFilter::TRACE,
            "DEBUG" => LevelFilter::DEBUG,
            "INFO" => LevelFilter::INFO,
            "WARN" => LevelFilter::WARN,
            "ERROR" | "FATAL" => LevelFilter::ERROR,
            "OFF" => LevelFilter::OFF,
            _ => return None,
        })
    })
}

/// Bitnami's and Confluent's variables for the level of logging.
pub(crate) const LOG_LEVELS: [&str; 2] = ["ZOO_LOG_LEVEL", "ZOOKEEPER_LOG4J_ROOT_LOGLEVEL"];

/// The image writes each word as a line of its own; Java then reads the line.
fn each_word(variable: &str, text: &str) -> Vec<Given> {
    text.split_whitespace()
        .flat_map(|word| properties::parse(word.as_bytes()).unwrap_or_default())
        .map(|property| Given {
            name: property.name,
            value: property.value,
            origin: Origin::Words(String::from(variable)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_unquoted_spaces() {
        let check = |text, expected: &[&str]| assert_eq!(words(text), expected, "{text}");
        check("", &[]);
        check("  -Xmx1g   -Da=1\t", &["-Xmx1g", "-Da=1"]);
        check(r#""-Da=1 2" -D'b'="3""#, &["-Da=1 2", "-Db=3"]);
        check(r"-Da=1\ 2 -Db='\'", &["-Da=1 2", r"-Db=\"]);
        check("-Da='open", &["-Da=open"]);
        check("''", &[""]);
    }

    #[test]
    fn jvmflags_come_after_server_jvmflags() {
        let variables = Variables::from([
            ("JVMFLAGS", "-Dzookeeper.skipACL=yes -Dflag"),
            ("SERVER_JVMFLAGS", "-Xmx512m -Dzookeeper.skipACL=no"),
        ]);
        let found: Vec<_> = system_properties(&variables)
            .into_iter()
            .map(|given| (given.origin.to_string(), given.name, given.value))
            .collect();
        let line = |origin: &str, name: &str, value: &str| {
            (
                String::from(origin),
                String::from(name),
                String::from(value),
            )
        };
        assert_eq!(
            found,
            [
                line("SERVER_JVMFLAGS", "zookeeper.skipACL", "no"),
                line("JVMFLAGS", "zookeeper.skipACL", "yes"),
                line("JVMFLAGS", "flag", ""),
            ]
        );
    }

    fn found(pairs: &[(&str, &str)]) -> FromVariables {
        let variables = Variables(
            pairs
                .iter()
                .map(|&(name, value)| (String::from(name), String::from(value)))
                .collect(),
        );
        match configured(&variables).expect("it is in order") {
            Some(Configured::Variables(found)) => *found,
            other => panic!("expected variables, got {other:?}"),
        }
    }

    fn lines(pairs: &[(&str, &str)]) -> Vec<String> {
        let given = found(pairs).lines;
        given
            .iter()
            .map(|given| format!("{}={}", given.name, given.value))
            .collect()
    }

    #[test]
    fn without_a_variable_of_an_image_nothing_is_configured() {
        let nothing =
            Variables::from([("JVMFLAGS", "-Da=b"), ("PATH", "/bin"), ("ZOO_NOEXEC", "")]);
        assert_eq!(configured(&nothing).expect("it is in order"), None);
    }

    #[test]
    fn the_image_writes_its_defaults_before_the_variables() {
        let written = lines(&[
            DEFAULTS,
            ("ZOO_TICK_TIME", "500"),
            ("ZOO_INIT_LIMIT", "5"),
            ("ZOO_SERVERS", ""),
            ("ZOO_4LW_COMMANDS_WHITELIST", "ruok, mntr"),
            ("ZOO_DATADIR_AUTOCREATE_DISABLE", "1"),
            ("ZOO_CFG_EXTRA", "tickTime=700 skipACL=yes"),
        ]);
        assert_eq!(
            written,
            [
                "dataDir=/data",
                "dataLogDir=/datalog",
                "tickTime=2000",
                "initLimit=5",
                "syncLimit=2",
                "autopurge.snapRetainCount=3",
                "autopurge.purgeInterval=0",
                "maxClientCnxns=60",
                "standaloneEnabled=true",
                "admin.enableServer=true",
                "server.1=localhost:2888:3888;2181",
                "tickTime=500",
                "4lw.commands.whitelist=ruok, mntr",
                "datadir.autocreate=false",
                "tickTime=700",
                "skipACL=yes",
            ]
        );
    }

    #[test]
    fn outside_the_image_a_variable_says_what_it_says_and_no_more() {
        assert_eq!(lines(&[("ZOO_TICK_TIME", "500")]), ["tickTime=500"]);
        let stray = [
            ("ZOO_LOG4J_PROP", "INFO"),
            ("ZOO_LOG_DIR", "/var/log/zookeeper"),
        ];
        let stray = configured(&Variables::from(stray)).expect("it is in order");
        assert_eq!(stray, None);
        let wrong =
            configured(&Variables::from([(DEFAULTS.0, "yes")])).expect_err("it is no such word");
        assert_eq!(
            wrong.to_string(),
            "MINIKEEPER_DEFAULTS=yes: must be image, or not be set"
        );
    }

    #[test]
    fn a_port_of_another_image_takes_the_place_of_the_default_server_line() {
        for pair in [
            ("ZOO_PORT_NUMBER", "2182"),
            ("ZOOKEEPER_CLIENT_PORT", "2182"),
        ] {
            let written = lines(&[DEFAULTS, pair]);
            assert!(
                written.iter().all(|line| !line.starts_with("server.")),
                "{written:?}"
            );
            assert!(
                written.iter().any(|line| line == "clientPort=2182"),
                "{written:?}"
            );
        }
    }

    #[test]
    fn bitnamis_list_of_servers_is_read_in_each_of_its_forms() {
        let check = |list: &str, expected: &[&str]| {
            assert_eq!(
                lines(&[("ZOO_SERVERS", list), ("ZOO_PORT_NUMBER", "7")]),
                [&["clientPort=7"], expected].concat(),
                "{list}"
            );
        };
        let two = ["server.1=zk1:2888:3888;7", "server.2=zk2:2888:3888;7"];
        check("zk1:2888:3888::1 zk2:2888:3888::2", &two);
        check("zk1:2888:3888::1,zk2:2888:3888::2", &two);
        check("zk1:2888:3888::1; zk2:2888:3888::2;", &two);
        check("zk1:2888:3888 zk2:2888:3888", &two);
        check(
            "zk1:2888:3888:participant::4,zk2:2888:3888:observer::9",
            &[
                "server.4=zk1:2888:3888:participant;7",
                "server.9=zk2:2888:3888:observer;7",
            ],
        );
        // Alone, it is a standalone server there too.
        check("zk1:2888:3888::1", &[]);
        check(
            "server.1=a:2888:3888;7 group.1=1",
            &["server.1=a:2888:3888;7", "group.1=1"],
        );
    }

    #[test]
    fn a_list_of_servers_that_cannot_be_read_is_refused() {
        for (list, expected) in [
            (
                "3",
                "ZOO_SERVERS: \"3\" is not host:2888:3888 or server.1=host:2888:3888;2181",
            ),
            (
                "zk1:2888:3888::1 zk2:2888:3888",
                "ZOO_SERVERS: \"zk2:2888:3888\" is not host:2888:3888::id",
            ),
            (
                "zk1:2888:3888::one",
                "ZOO_SERVERS: \"zk1:2888:3888::one\" is not host:2888:3888::id",
            ),
            (
                "server.1=zk1:2888:3888;2181 zk2:2888:3888",
                "ZOO_SERVERS: zk2=2888:3888: is not server.N=host:port:port;port; separate servers with spaces",
            ),
        ] {
            let refusal = configured(&Variables::from([("ZOO_SERVERS", list)])).expect_err(list);
            assert_eq!(refusal.to_string(), expected);
        }
    }

    #[test]
    fn bitnamis_variables_become_lines() {
        let written = lines(&[
            ("ZOO_AUTOPURGE_INTERVAL", "24"),
            ("ZOO_AUTOPURGE_RETAIN_COUNT", "8"),
            ("ZOO_CFG_autopurge_purgeInterval", "3"),
            ("ZOO_ENABLE_AUTH", "no"),
            ("ZOO_MAX_CNXNS", "9"),
            ("ZOO_MAX_SESSION_TIMEOUT", "5000"),
            ("ZOO_PORT_NUMBER", ""),
            ("ZOO_RECONFIG_ENABLED", "Yes"),
            ("ZOO_SNAPCOUNT", "77"),
            ("ZOO_TLS_CLIENT_ENABLE", "false"),
        ]);
        assert_eq!(
            written,
            [
                "maxCnxns=9",
                "maxSessionTimeout=5000",
                "snapCount=77",
                "autopurge.purgeInterval=24",
                "autopurge.snapRetainCount=8",
                "reconfigEnabled=true",
                "autopurge.purgeInterval=3",
            ]
        );
    }

    #[test]
    fn a_value_may_stand_in_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("port");
        std::fs::write(&file, "2182\n").expect("a file can be written there");
        let file = file.to_str().expect("the path is Unicode");
        let written = lines(&[("ZOO_PORT_NUMBER_FILE", file), ("ZOO_PORT_NUMBER", "1")]);
        assert_eq!(written, ["clientPort=2182"]);
        let found = found(&[("ZOO_SNAPCOUNT_FILE", "/nowhere/count")]);
        assert!(
            found
                .warnings
                .concat()
                .starts_with("ZOO_SNAPCOUNT_FILE: /nowhere/count cannot be read")
        );
    }

    #[test]
    fn confluents_variables_become_the_keys_that_they_spell() {
        for (variable, line) in [
            ("ZOOKEEPER_CLIENT_PORT", "clientPort"),
            ("ZOOKEEPER_TICK_TIME", "tickTime"),
            ("ZOOKEEPER_MAX_CLIENT_CNXNS", "maxClientCnxns"),
            (
                "ZOOKEEPER_FSYNC_WARNING_THRESHOLDMS",
                "fsync.warningthresholdms",
            ),
            (
                "ZOOKEEPER_AUTOPURGE_SNAP_RETAIN_COUNT",
                "autopurge.snapRetainCount",
            ),
            ("ZOOKEEPER_SKIP_ACL", "skipACL"),
            ("ZOOKEEPER_QUORUM_LISTEN_ON_ALL_IPS", "quorumListenOnAllIPs"),
            ("ZOOKEEPER_SECURE_CLIENT_PORT", "secureClientPort"),
            (
                "ZOOKEEPER_X509_AUTHENTICATION_PROVIDER_SUPER_USER",
                "X509AuthenticationProvider.superUser",
            ),
            ("ZOOKEEPER_SSL_KEYSTORE_LOCATION", "ssl.keystore.location"),
            ("ZOOKEEPER_SSL_QUORUM", "sslQuorum"),
            ("ZOOKEEPER_SSL_QUORUM_CLIENT_AUTH", "ssl.quorum.client.auth"),
            ("ZOOKEEPER_SERVER_CNXN_FACTORY", "serverCnxnFactory"),
            ("ZOOKEEPER_AUTH_PROVIDER_SASL", "authProvider.sasl"),
            (
                "ZOOKEEPER_CLIENT_PORT_UNIFICATION",
                "client.portUnification",
            ),
            ("ZOOKEEPER_ADMIN_ENABLE_SERVER", "admin.enableServer"),
            ("ZOOKEEPER_4LW_COMMANDS_WHITELIST", "4lw.commands.whitelist"),
        ] {
            assert_eq!(
                lines(&[(variable, "x")]),
                [format!("{line}=x")],
                "{variable}"
            );
        }
        let buffer = found(&[("ZOOKEEPER_JUTE_MAX_BUFFER", "9")]);
        assert_eq!(buffer.lines, []);
        let [property] = buffer.properties.as_slice() else {
            panic!("one was expected of {buffer:?}");
        };
        assert_eq!(
            (property.name.as_str(), property.value.as_str()),
            ("jute.maxbuffer", "9")
        );
    }

    #[test]
    fn every_variable_of_confluents_template_is_known() {
        for name in [
            "CLIENT_PORT",
            "TICK_TIME",
            "GLOBAL_OUTSTANDING_LIMIT",
            "PRE_ALLOC_SIZE",
            "SNAP_COUNT",
            "TRACE_FILE",
            "MAX_CLIENT_CNXNS",
            "CLIENT_PORT_ADDRESS",
            "MIN_SESSION_TIMEOUT",
            "MAX_SESSION_TIMEOUT",
            "FSYNC_WARNING_THRESHOLDMS",
            "AUTOPURGE_SNAP_RETAIN_COUNT",
            "AUTOPURGE_PURGE_INTERVAL",
            "SYNC_ENABLED",
            "ELECTION_ALG",
            "INIT_LIMIT",
            "LEADER_SERVES",
            "SYNC_LIMIT",
            "CNX_TIMEOUT",
            "FORCE_SYNC",
            "JUTE_MAX_BUFFER",
            "SKIP_ACL",
            "QUORUM_LISTEN_ON_ALL_IPS",
            "CLIENT_CNXN_SOCKET",
            "SECURE_CLIENT_PORT",
            "SERVER_CNXN_SOCKET",
            "TCP_KEEP_ALIVE",
            "X509_AUTHENTICATION_PROVIDER_SUPER_USER",
            "SSL_AUTH_PROVIDER",
            "SSL_CLIENT_AUTH",
            "SSL_KEYSTORE_LOCATION",
            "SSL_KEYSTORE_PASSWORD",
            "SSL_KEYSTORE_TYPE",
            "SSL_TRUSTSTORE_LOCATION",
            "SSL_TRUSTSTORE_PASSWORD",
            "SSL_TRUSTSTORE_TYPE",
            "SSL_ENABLED_PROTOCOLS",
            "SSL_CONTEXT_SUPPLIER_CLASS",
            "SSL_CIPHER_SUITES",
            "SSL_HOSTNAME_VERIFICATION",
            "SSL_CRL",
            "SSL_OCPS",
            "SSL_HANDSHAKE_DETECTION_TIMEOUT_MILLIS",
            "SSL_QUORUM",
            "SSL_QUORUM_CLIENT_AUTH",
            "SSL_QUORUM_KEYSTORE_LOCATION",
            "SSL_QUORUM_KEYSTORE_PASSWORD",
            "SSL_QUORUM_KEYSTORE_TYPE",
            "SSL_QUORUM_TRUSTSTORE_LOCATION",
            "SSL_QUORUM_TRUSTSTORE_PASSWORD",
            "SSL_QUORUM_TRUSTSTORE_TYPE",
            "SSL_QUORUM_ENABLED_PROTOCOLS",
            "SSL_QUORUM_CIPHER_SUITES",
            "SSL_QUORUM_CONTEXT_SUPPLIER_CLASS",
            "SSL_QUORUM_HOSTNAME_VERIFICATION",
            "SSL_QUORUM_CRL",
            "SSL_QUORUM_OCPS",
            "SSL_QUORUM_HANDSHAKE_DETECTION_TIMEOUT_MILLIS",
            "SERVER_CNXN_FACTORY",
            "AUTH_PROVIDER_X509",
            "AUTH_PROVIDER_SASL",
            "CLIENT_PORT_UNIFICATION",
            "ADMIN_ENABLE_SERVER",
            "ADMIN_SERVER_ADDRESS",
            "ADMIN_SERVER_PORT",
            "ADMIN_IDLE_TIMEOUT",
            "ADMIN_COMMAND_URL",
        ] {
            let variable = format!("ZOOKEEPER_{name}");
            let found = found(&[(&variable, "1")]);
            assert_eq!(found.unknown, [""; 0], "{variable}");
        }
    }

    #[test]
    fn confluents_lists_become_numbered_lines() {
        let written = lines(&[
            ("ZOOKEEPER_SERVERS", "a:2888:3888;b:2888:3888"),
            ("ZOOKEEPER_GROUPS", "1;2"),
            ("ZOOKEEPER_WEIGHTS", "1;1"),
        ]);
        let expected = [
            "group.1=1",
            "group.2=2",
            "server.1=a:2888:3888",
            "server.2=b:2888:3888",
            "weight.1=1",
            "weight.2=1",
        ];
        assert_eq!(written, expected);
        let numbered = lines(&[("ZOOKEEPER_SERVERS", "4|a:2888:3888")]);
        assert_eq!(numbered, ["server.4=a:2888:3888"]);
        let connect = found(&[("ZOOKEEPER_SERVERS", "a:2181,b:2181")]);
        assert_eq!(connect.lines, []);
        assert!(
            connect
                .warnings
                .concat()
                .contains("but this is a connect string")
        );
    }

    #[test]
    fn variables_that_describe_services_are_ignored() {
        let links = Variables::from([
            ("ZOOKEEPER_CLIENT_PORT", "tcp://10.0.0.7:2181"),
            ("ZOOKEEPER_CLIENT_PORT_2181_TCP", "tcp://10.0.0.7:2181"),
            ("ZOOKEEPER_CLIENT_PORT_2181_TCP_PORT", "2181"),
            ("ZOOKEEPER_CLIENT_SERVICE_HOST", "10.0.0.7"),
            ("ZOOKEEPER_CLIENT_SERVICE_PORT_CLIENT", "2181"),
            ("ZOO_NAME", "/app/zoo"),
            ("ZOO_ENV_PATH", "/bin"),
        ]);
        assert_eq!(configured(&links).expect("it is in order"), None);
    }

    #[test]
    fn variables_without_effect_differ_from_unknown_ones() {
        let found = found(&[
            ("KAFKA_HEAP_OPTS", "-Xmx1g"),
            ("ZOOKEEPER_HOME", "/opt/zookeeper"),
            ("ZOO_HEAP_SIZE", "512"),
            ("ZOO_NONSENSE", "1"),
            ("ZOO_SERVER_USERS", "me"),
        ]);
        let idle: Vec<_> = found
            .idle
            .iter()
            .map(|(why, name)| (*why, name.as_str()))
            .collect();
        assert_eq!(
            idle,
            [
                (Why::Java, "KAFKA_HEAP_OPTS"),
                (Why::Java, "ZOO_HEAP_SIZE"),
                (Why::Sasl, "ZOO_SERVER_USERS")
            ]
        );
        assert_eq!(found.unknown, ["ZOOKEEPER_HOME", "ZOO_NONSENSE"]);
    }

    #[test]
    fn two_variables_that_differ_are_warned_about() {
        let found = found(&[("ZOOKEEPER_TICK_TIME", "1"), ("ZOO_TICK_TIME", "2")]);
        assert_eq!(
            found.warnings,
            ["ZOOKEEPER_TICK_TIME=1 is ignored: ZOO_TICK_TIME sets tickTime=2"]
        );
    }

    #[test]
    fn the_level_of_the_log_is_one_of_log4js() {
        let level = |word| log_level(&Variables::from([("ZOO_LOG_LEVEL", word)]));
        assert_eq!(level("error"), Some(LevelFilter::ERROR));
        assert_eq!(level("FATAL"), Some(LevelFilter::ERROR));
        assert_eq!(level("ALL"), Some(LevelFilter::TRACE));
        assert_eq!(level("loud"), None);
        let confluents = Variables::from([("ZOOKEEPER_LOG4J_ROOT_LOGLEVEL", "WARN, stdout")]);
        assert_eq!(log_level(&confluents), Some(LevelFilter::WARN));
    }

    #[test]
    fn the_page_on_configuration_has_every_variable() {
        let page = include_str!("../../../../docs/configuration.md");
        for (variable, key, default) in official::LINES {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{variable}` |")));
            assert!(
                row.is_some_and(|row| row.contains(default) && row.contains(key)),
                "{variable}: {row:?}"
            );
        }
        let others = official::OTHERS.iter().copied();
        let bitnamis = bitnami::VARIABLES.iter().map(|(name, _)| *name);
        let confluents = confluent::IDLE.iter().map(|(name, _)| *name);
        let all = others
            .chain(bitnamis)
            .chain(confluents)
            .chain(bitnami::OPEN)
            .chain(PROPERTIES);
        let all = all
            .chain(confluent::LISTS.map(|(name, _)| name))
            .chain(LOG_LEVELS)
            .chain([DEFAULTS.0]);
        for variable in all {
            assert!(page.contains(&format!("`{variable}")), "{variable}");
        }
    }

    #[test]
    fn a_zoo_cfg_in_the_conf_folder_wins_over_variables() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("zoo.cfg");
        std::fs::write(&file, "").expect("a file can be written there");
        let path = folder.path().to_str().expect("the path is Unicode");
        let variables = Variables::from([("ZOO_CONF_DIR", path), ("ZOO_TICK_TIME", "500")]);
        let configured = configured(&variables).expect("it is in order");
        assert_eq!(configured, Some(Configured::File(file)));
    }
}
