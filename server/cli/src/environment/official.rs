//! The variables of the official image, `zookeeper` on Docker Hub: its `docker-entrypoint.sh` and `zkServer.sh`.

use super::{FromVariables, Given, Origin, Variables, bitnami, each_word};
use crate::settings::Refusal;

/// The variables that become a line each: variable, key, the image's default.
pub(crate) const LINES: &[(&str, &str, &str)] = &[
    ("ZOO_DATA_DIR", "dataDir", "/data"),
    ("ZOO_DATA_LOG_DIR", "dataLogDir", "/datalog"),
    ("ZOO_TICK_TIME", "tickTime", "2000"),
    ("ZOO_INIT_LIMIT", "initLimit", "5"),
    ("ZOO_SYNC_LIMIT", "syncLimit", "2"),
    (
        "ZOO_AUTOPURGE_SNAPRETAINCOUNT",
        "autopurge.snapRetainCount",
        "3",
    ),
    (
        "ZOO_AUTOPURGE_PURGEINTERVAL",
        "autopurge.purgeInterval",
        "0",
    ),
    ("ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", "60"),
    ("ZOO_STANDALONE_ENABLED", "standaloneEnabled", "true"),
    ("ZOO_ADMINSERVER_ENABLED", "admin.enableServer", "true"),
];

/// The image's other variables; those that concern logs and the start script have no effect here.
pub(crate) const OTHERS: &[&str] = &[
    "ZOO_SERVERS",
    "ZOO_4LW_COMMANDS_WHITELIST",
    "ZOO_CFG_EXTRA",
    "ZOO_MY_ID",
    "ZOO_CONF_DIR",
    "ZOO_LOG_DIR",
    "ZOO_LOG_FILE",
    "ZOO_LOG4J_PROP",
    "ZOO_DATADIR_AUTOCREATE_DISABLE",
    "ZOO_NOEXEC",
];

const SERVERS: &str = "ZOO_SERVERS";

/// Takes the variables that are set. A variable with the image's own value counts as not set, since the image sets
/// it.
pub(super) fn read(variables: &Variables, found: &mut FromVariables) -> Result<(), Refusal> {
    for &(variable, key, default) in LINES {
        if let Some(value) = variables.get(variable).filter(|value| *value != default) {
            found.take(variable, key, value);
        }
    }
    if let Some(servers) = variables.set_and_not_empty(SERVERS) {
        if servers.contains('=') {
            found.lines.extend(server_lines(servers)?);
        } else {
            bitnami::servers(variables, servers, found)?;
        }
        found.id.get_or_insert_with(|| id("1"));
    }
    if let Some(number) = variables.set_and_not_empty("ZOO_MY_ID") {
        found.id = Some(id(number));
    }
    if let Some(list) = variables.set_and_not_empty("ZOO_4LW_COMMANDS_WHITELIST") {
        found.take("ZOO_4LW_COMMANDS_WHITELIST", "4lw.commands.whitelist", list);
    }
    // zkServer.sh makes it a system property.
    let must_be_there = "ZOO_DATADIR_AUTOCREATE_DISABLE";
    if variables.set_and_not_empty(must_be_there).is_some() {
        found.take(must_be_there, "datadir.autocreate", "false");
    }
    if let Some(extra) = variables.set_and_not_empty("ZOO_CFG_EXTRA") {
        found.lines.extend(each_word("ZOO_CFG_EXTRA", extra));
    }
    let known = |name: &str| {
        LINES.iter().any(|line| line.0 == name) || OTHERS.contains(&name) || bitnami::is_known(name)
    };
    let unknown = variables
        .beginning_with("ZOO_")
        .filter(|(name, _)| !known(name));
    found
        .unknown
        .extend(unknown.map(|(name, _)| String::from(name)));
    Ok(())
}

/// Puts the image's defaults before the values that were found.
pub(super) fn complete(variables: &Variables, found: &mut FromVariables) {
    let default = |variable, key: &str, value: &str| Given {
        name: String::from(key),
        value: String::from(value),
        origin: Origin::ImageDefault(variable),
    };
    let mut lines: Vec<_> = LINES
        .iter()
        .map(|&(variable, key, value)| default(variable, key, value))
        .collect();
    // A port from another image's variable replaces the port in the server line that is written where there is no
    // other server line.
    let port = found
        .lines
        .iter()
        .any(|line| line.name == "clientPort" && matches!(line.origin, Origin::Variable(_)));
    if !port && variables.set_and_not_empty(SERVERS).is_none() && !has_servers(found) {
        lines.push(default(SERVERS, "server.1", "localhost:2888:3888;2181"));
    }
    lines.append(&mut found.lines);
    found.lines = lines;
    found.id.get_or_insert_with(|| id("1"));
    found.is_image = true;
}

fn has_servers(found: &FromVariables) -> bool {
    found
        .lines
        .iter()
        .any(|line| line.name.starts_with("server.") && matches!(line.origin, Origin::Variable(_)))
}

fn id(number: &str) -> Given {
    Given::of_variable("ZOO_MY_ID", "myid", number)
}

/// Reads `server.1=host:2888:3888;2181 server.2=...`.
///
/// # Errors
///
/// Refuses a word that is not a server line: the image would write it, and ZooKeeper would ignore that member.
fn server_lines(servers: &str) -> Result<Vec<Given>, Refusal> {
    let lines = each_word(SERVERS, servers);
    let belongs = |line: &&Given| {
        ["server.", "group", "weight"]
            .iter()
            .any(|start| line.name.starts_with(start))
    };
    match lines.iter().find(|line| !belongs(line)) {
        None => Ok(lines),
        Some(line) => {
            let reason = "is not server.N=host:port:port;port; separate servers with spaces";
            Err(Refusal::value(line, reason))
        }
    }
}
