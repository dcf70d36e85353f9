//! Variables of Bitnami's image, as its `zookeeper-env.sh` and `libzookeeper.sh` read them. The variables that the
//! official image has too are in `official`.

use std::net::Ipv4Addr;

use super::{FromVariables, Given, Variables};
use crate::keys::Why;
use crate::members::{self, Reading};
use crate::settings::Refusal;

/// Effect of a variable of Bitnami's image.
#[derive(Clone, Copy)]
pub(crate) enum Becomes {
    /// A line with this key and the variable's value.
    Line(&'static str),
    /// A line with this key: `true` for each value that Bitnami's scripts take for yes, `false` for any other value.
    Switch(&'static str),
    /// A line with this key and value for yes, and no line for no. Any other value is refused, since the variable may
    /// be meant to close the server.
    Closes(&'static str, &'static str),
    /// The number in `myid`.
    Id,
    /// `--log`.
    Log,
    Nothing(Why),
}

use Becomes::{Closes, Id, Line, Log, Nothing, Switch};

/// Provider that `ZOO_ENABLE_PROMETHEUS_METRICS` turns on.
const PROMETHEUS: &str = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";

#[rustfmt::skip]
pub(crate) const VARIABLES: &[(&str, Becomes)] = &[
    ("ZOO_PORT_NUMBER", Line("clientPort")),
    ("ZOO_SERVER_ID", Id),
    ("ZOO_MAX_CNXNS", Line("maxCnxns")),
    ("ZOO_MAX_SESSION_TIMEOUT", Line("maxSessionTimeout")),
    ("ZOO_PRE_ALLOC_SIZE", Line("preAllocSize")),
    ("ZOO_SNAPCOUNT", Line("snapCount")),
    ("ZOO_AUTOPURGE_INTERVAL", Line("autopurge.purgeInterval")),
    ("ZOO_AUTOPURGE_RETAIN_COUNT", Line("autopurge.snapRetainCount")),
    ("ZOO_RECONFIG_ENABLED", Switch("reconfigEnabled")),
    ("ZOO_LISTEN_ALLIPS_ENABLED", Switch("quorumListenOnAllIPs")),
    ("ZOO_PEER_TYPE", Line("peerType")),
    ("ZOO_FIPS_MODE", Switch("fips-mode")),
    ("ZOO_ENABLE_ADMIN_SERVER", Switch("admin.enableServer")),
    ("ZOO_ADMIN_SERVER_ADDRESS", Line("admin.serverAddress")),
    ("ZOO_ADMIN_SERVER_PORT_NUMBER", Line("admin.serverPort")),
    ("ZOO_ENABLE_PROMETHEUS_METRICS", Closes("metricsProvider.className", PROMETHEUS)),
    ("ZOO_PROMETHEUS_METRICS_PORT_NUMBER", Line("metricsProvider.httpPort")),
    ("ZOO_LOG_LEVEL", Log),
    ("ZOO_HEAP_SIZE", Nothing(Why::Java)),
    ("ZOO_HC_TIMEOUT", Nothing(Why::Health)),
    ("ZOO_ENABLE_AUTH", Closes("sessionRequireClientSASLAuth", "true")),
    ("ZOO_CLIENT_USER", Nothing(Why::Sasl)),
    ("ZOO_CLIENT_PASSWORD", Nothing(Why::Sasl)),
    ("ZOO_SERVER_USERS", Nothing(Why::Sasl)),
    ("ZOO_SERVER_PASSWORDS", Nothing(Why::Sasl)),
    ("ZOO_ENABLE_QUORUM_AUTH", Closes("quorum.auth.enableSasl", "true")),
    ("ZOO_QUORUM_LEARNER_USER", Nothing(Why::Sasl)),
    ("ZOO_QUORUM_LEARNER_PASSWORD", Nothing(Why::Sasl)),
    ("ZOO_QUORUM_SERVER_USERS", Nothing(Why::Sasl)),
    ("ZOO_QUORUM_SERVER_PASSWORDS", Nothing(Why::Sasl)),
    ("ZOO_TLS_CLIENT_ENABLE", Closes("secureClientPort", "3181")),
    ("ZOO_TLS_PORT_NUMBER", Nothing(Why::Tls)),
    ("ZOO_TLS_CLIENT_KEYSTORE_FILE", Nothing(Why::Tls)),
    ("ZOO_TLS_CLIENT_KEYSTORE_TYPE", Nothing(Why::Tls)),
    ("ZOO_TLS_CLIENT_KEYSTORE_PASSWORD", Nothing(Why::Tls)),
    ("ZOO_TLS_CLIENT_TRUSTSTORE_FILE", Nothing(Why::Tls)),
    ("ZOO_TLS_CLIENT_TRUSTSTORE_TYPE", Nothing(Why::Tls)),
    ("ZOO_TLS_CLIENT_TRUSTSTORE_PASSWORD", Nothing(Why::Tls)),
    ("ZOO_TLS_CLIENT_AUTH", Nothing(Why::Tls)),
    ("ZOO_TLS_QUORUM_ENABLE", Closes("sslQuorum", "true")),
    ("ZOO_TLS_QUORUM_KEYSTORE_FILE", Nothing(Why::Tls)),
    ("ZOO_TLS_QUORUM_KEYSTORE_TYPE", Nothing(Why::Tls)),
    ("ZOO_TLS_QUORUM_KEYSTORE_PASSWORD", Nothing(Why::Tls)),
    ("ZOO_TLS_QUORUM_TRUSTSTORE_FILE", Nothing(Why::Tls)),
    ("ZOO_TLS_QUORUM_TRUSTSTORE_TYPE", Nothing(Why::Tls)),
    ("ZOO_TLS_QUORUM_TRUSTSTORE_PASSWORD", Nothing(Why::Tls)),
    ("ZOO_TLS_QUORUM_CLIENT_AUTH", Nothing(Why::Tls)),
];

/// Variables that let clients in without authentication. The second is the name of the first in newer images.
pub(crate) const OPEN: [&str; 2] = ["ALLOW_ANONYMOUS_LOGIN", "ALLOW_EMPTY_PASSWORD"];

/// The prefix of variables that are a key each, with `_` for `.`: `ZOO_CFG_autopurge_purgeInterval`.
const KEYS: &str = "ZOO_CFG_";

/// Whether Bitnami's image has this variable, or has one that names a file with its value.
pub(super) fn is_known(name: &str) -> bool {
    let is_listed = |name: &str| VARIABLES.iter().any(|(known, _)| *known == name);
    is_listed(name) || name.starts_with(KEYS) || name.strip_suffix("_FILE").is_some_and(is_listed)
}

/// Takes the variables that are set and not empty.
pub(super) fn read(variables: &Variables, found: &mut FromVariables) -> Result<(), Refusal> {
    for &(name, becomes) in VARIABLES {
        let Some((variable, value)) = value(variables, name, found) else {
            continue;
        };
        let variable = variable.as_str();
        let value = value.as_str();
        match becomes {
            Line(key) => found.take(variable, key, value),
            Switch(key) => found.take(variable, key, if is_yes(value) { "true" } else { "false" }),
            Closes(key, wanted) if is_yes(value) => found.take(variable, key, wanted),
            Closes(..) if is_no(value) => {}
            Closes(..) => {
                let given = Given::of_variable(variable, variable, value);
                return Err(Refusal::value(&given, "must be yes or no"));
            }
            Id => found.id = Some(Given::of_variable(variable, "myid", value)),
            Log if super::log_level(variables).is_some() => {}
            Log => found
                .unknown
                .push(format!("{variable}={value} (not a log level)")),
            Nothing(why) => found.idle.push((why, String::from(variable))),
        }
    }
    for (name, value) in variables.beginning_with(KEYS) {
        let key = name
            .strip_prefix(KEYS)
            .unwrap_or_default()
            .replace('_', ".");
        // `official` reads this one.
        if name != "ZOO_CFG_EXTRA" {
            found.take(name, &key, value);
        }
    }
    for name in OPEN {
        let value = variables.set_and_not_empty(name);
        if let Some(value) = value.filter(|value| is_no(value)) {
            found.lacks.push(format!(
                "{name}={value} (SASL is not supported, and every client can connect)"
            ));
        }
    }
    Ok(())
}

/// Value of a variable, or the content of the file that the variable with the suffix `_FILE` names. The file wins.
fn value(variables: &Variables, name: &str, found: &mut FromVariables) -> Option<(String, String)> {
    let in_file = format!("{name}_FILE");
    if !VARIABLES.iter().any(|(known, _)| *known == in_file)
        && let Some(path) = variables.set_and_not_empty(&in_file)
    {
        match std::fs::read_to_string(path) {
            Ok(text) => return Some((in_file, String::from(text.trim_end_matches(['\n', '\r'])))),
            Err(error) => found.warnings.push(format!(
                "{in_file}: {path} cannot be read, so {name} is not set by it: {error}"
            )),
        }
    }
    let value = variables.set_and_not_empty(name)?;
    Some((String::from(name), String::from(value)))
}

/// `is_boolean_yes` of Bitnami's scripts.
fn is_yes(value: &str) -> bool {
    ["1", "yes", "true"]
        .iter()
        .any(|yes| value.eq_ignore_ascii_case(yes))
}

fn is_no(value: &str) -> bool {
    ["0", "no", "false", "off"]
        .iter()
        .any(|no| value.eq_ignore_ascii_case(no))
}

/// Reads a list of servers as Bitnami writes it: `host:2888:3888[:observer][::id]`, separated by blanks, commas or
/// semicolons. One server alone is a standalone server there too.
///
/// # Errors
///
/// Refuses a server in another form.
pub(super) fn servers(
    variables: &Variables,
    list: &str,
    found: &mut FromVariables,
) -> Result<(), Refusal> {
    let has_ids = list.contains("::");
    let port = variables
        .set_and_not_empty("ZOO_PORT_NUMBER")
        .unwrap_or("2181");
    let mut lines = Vec::new();
    let servers = list
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
        .filter(|word| !word.is_empty());
    for (at, server) in servers.enumerate() {
        let wrong = || {
            let form = if has_ids {
                "host:2888:3888::id"
            } else {
                "host:2888:3888 or server.1=host:2888:3888;2181"
            };
            Refusal::Whole(format!("ZOO_SERVERS: {server:?} is not {form}"))
        };
        let (address, id) = match server.rsplit_once("::") {
            Some((address, id)) => (address, id.parse::<i64>().map_err(|_| wrong())?),
            None if has_ids => return Err(wrong()),
            None => (
                server,
                i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1),
            ),
        };
        let line = Given::of_variable(
            "ZOO_SERVERS",
            &format!("server.{id}"),
            &format!("{address};{port}"),
        );
        let reading = Reading {
            host: Ipv4Addr::UNSPECIFIED,
            many_addresses: false,
        };
        members::parse(&line.name, &line.value, reading).map_err(|_| wrong())?;
        lines.push(line);
    }
    if lines.len() > 1 {
        found.lines.extend(lines);
    }
    Ok(())
}
