//! Variables of Confluent's image `cp-zookeeper`, by the rule in its documentation (`ZOOKEEPER_TICK_TIME` is
//! `tickTime`, `ZOOKEEPER_AUTOPURGE_PURGE_INTERVAL` is `autopurge.purgeInterval`) and by its
//! `zookeeper.properties.template`.

use super::{FromVariables, Given, LOG_LEVELS, Variables};
use crate::keys::{self, Why};
use crate::settings::Refusal;

const PREFIX: &str = "ZOOKEEPER_";

/// The members of the ensemble, `host:2888:3888`, separated by semicolons.
const SERVERS: &str = "ZOOKEEPER_SERVERS";
const SERVER_ID: &str = "ZOOKEEPER_SERVER_ID";

/// Lists of which each item becomes a line, numbered from 1.
pub(crate) const LISTS: [(&str, &str); 3] = [
    (SERVERS, "server"),
    ("ZOOKEEPER_GROUPS", "group"),
    ("ZOOKEEPER_WEIGHTS", "weight"),
];

/// Variables without effect here.
pub(crate) const IDLE: &[(&str, Why)] = &[
    ("ZOOKEEPER_TRACE_FILE", Why::Tuning),
    ("ZOOKEEPER_CLIENT_CNXN_SOCKET", Why::Tuning),
    ("ZOOKEEPER_SERVER_CNXN_SOCKET", Why::Tuning),
    ("ZOOKEEPER_LOG4J_LOGGERS", Why::Java),
    ("ZOOKEEPER_TOOLS_LOG4J_LOGLEVEL", Why::Java),
    ("KAFKA_HEAP_OPTS", Why::Java),
    ("KAFKA_JVM_PERFORMANCE_OPTS", Why::Java),
    ("KAFKA_LOG4J_OPTS", Why::Java),
    ("KAFKA_JMX_OPTS", Why::Java),
    ("KAFKA_JMX_PORT", Why::Java),
    ("KAFKA_JMX_HOSTNAME", Why::Java),
];

/// Takes the variables that are set and not empty.
pub(super) fn read(variables: &Variables, found: &mut FromVariables) -> Result<(), Refusal> {
    for &(name, why) in IDLE {
        if variables.set_and_not_empty(name).is_some() {
            found.idle.push((why, String::from(name)));
        }
    }
    for (name, value) in variables
        .beginning_with(PREFIX)
        .filter(|(_, value)| !value.is_empty())
    {
        if IDLE.iter().any(|(idle, _)| *idle == name) {
            continue;
        }
        if name == SERVER_ID {
            found.id = Some(Given::of_variable(name, "myid", value));
        } else if let Some((_, key)) = LISTS.iter().find(|(list, _)| *list == name) {
            list(name, key, value, found);
        } else if LOG_LEVELS.contains(&name) {
            if super::log_level(variables).is_none() {
                found
                    .unknown
                    .push(format!("{name}={value} (not a log level)"));
            }
        } else {
            let rest = name.strip_prefix(PREFIX).unwrap_or_default();
            match keys::by_variable(rest) {
                Some((key, whole)) => found.take_key(name, (&key, &whole), value),
                None => found.unknown.push(String::from(name)),
            }
        }
    }
    Ok(())
}

/// Takes a list. Programs that use ZooKeeper often have its connect string in a variable of this name.
fn list(name: &str, key: &str, value: &str, found: &mut FromVariables) {
    let is_connect_string = value
        .split([',', ';'])
        .all(|server| server.matches(':').count() < 2);
    if name == SERVERS && is_connect_string {
        found.warnings.push(format!(
            "{name}={value} is ignored: a member of an ensemble is host:2888:3888, but this is a connect string"
        ));
        return;
    }
    for (at, one) in value.split(';').enumerate() {
        // Images before 5.0 take `id|host:2888:3888`.
        let numbered = one
            .split_once('|')
            .filter(|(id, _)| name == SERVERS && id.parse::<i64>().is_ok());
        match numbered {
            Some((id, one)) => found.take(name, &format!("{key}.{id}"), one),
            None => found.take(name, &format!("{key}.{}", at + 1), one),
        }
    }
}
