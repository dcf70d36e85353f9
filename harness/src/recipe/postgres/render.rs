//! PostgreSQL's configuration files, made from the JSON of a znode.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::text::{Unwritable, conninfo, hba_line, hba_name, parameter};

/// Content of the znode: the part of Patroni's `config` key that configures PostgreSQL.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) postgresql: PostgreSql,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct PostgreSql {
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) pg_hba: Vec<Rule>,
}

/// A rule of `pg_hba.conf`: a line, or its parts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Rule {
    Line(String),
    Parts {
        #[serde(rename = "type")]
        kind: String,
        /// A name, or all.
        database: Option<String>,
        /// A name, or all.
        user: Option<String>,
        address: Option<String>,
        method: String,
    },
}

/// Primary of a standby.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Primary {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) password: String,
    /// Name of the standby.
    pub(super) application_name: String,
}

/// Contents of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// `postgresql.conf`.
    pub(super) conf: Vec<String>,
    /// `pg_hba.conf`.
    pub(super) hba: Vec<String>,
    /// Whether there is a `standby.signal`.
    pub(super) standby: bool,
}

/// Parameters that a running server cannot change.
const FIXED_AT_START: [&str; 12] = [
    "hot_standby",
    "listen_addresses",
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "port",
    "shared_buffers",
    "shared_preload_libraries",
    "wal_level",
];

impl Settings {
    pub(super) fn render(&self, primary: Option<&Primary>) -> Result<Files, Unwritable> {
        let mut conf = Vec::new();
        for (name, value) in &self.postgresql.parameters {
            // Null removes a parameter, so that the server has its default.
            if let Some(text) = written(name, value)? {
                conf.push(parameter(name, &text)?);
            }
        }
        if let Some(primary) = primary {
            let port = primary.port.to_string();
            let info = conninfo([
                ("host", primary.host.as_str()),
                ("port", &port),
                ("user", "replicator"),
                ("password", &primary.password),
                ("application_name", &primary.application_name),
            ]);
            conf.push(parameter("primary_conninfo", &info)?);
            let slot: String = primary
                .application_name
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() {
                        c.to_ascii_lowercase()
                    } else {
                        '_'
                    }
                })
                .collect();
            conf.push(parameter("primary_slot_name", &slot)?);
            conf.push(parameter("recovery_target_timeline", "latest")?);
        }
        let hba = self.postgresql.pg_hba.iter().map(Rule::render);
        Ok(Files {
            conf,
            hba: hba.collect::<Result<_, _>>()?,
            standby: primary.is_some(),
        })
    }

    /// Returns the changed parameters that take effect only after a restart of the server.
    pub(super) fn pending_restart(&self, before: &Self) -> Vec<String> {
        FIXED_AT_START
            .into_iter()
            .filter(|name| {
                self.postgresql.parameters.get(*name) != before.postgresql.parameters.get(*name)
            })
            .map(str::to_owned)
            .collect()
    }
}

/// Formats a value as text; `None` for null.
fn written(name: &str, value: &Value) -> Result<Option<String>, Unwritable> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return Err(Unwritable::Shape(name.to_owned())),
    }))
}

impl Rule {
    fn render(&self) -> Result<String, Unwritable> {
        match self {
            Self::Line(line) => hba_line(line),
            Self::Parts {
                kind,
                database,
                user,
                address,
                method,
            } => {
                let name = |name: &Option<String>| match name {
                    None => "all".to_owned(),
                    Some(name) => hba_name(name),
                };
                let mut parts = vec![kind.clone(), name(database), name(user)];
                parts.extend(address.clone());
                parts.push(method.clone());
                hba_line(&parts.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Primary, Settings};

    fn settings(postgresql: &str) -> Settings {
        serde_json::from_str(&format!(r#"{{"ttl":30,"postgresql":{postgresql}}}"#))
            .expect("settings")
    }

    #[track_caller]
    fn check_conf(parameters: &str, lines: &[&str]) {
        let settings = settings(&format!(r#"{{"parameters":{parameters}}}"#));
        assert_eq!(settings.render(None).expect("files").conf, lines);
    }

    #[test]
    fn parameters_come_in_the_order_of_their_names_whatever_their_kind() {
        check_conf("{}", &[]);
        check_conf(
            r#"{"work_mem":"16MB","hot_standby":true,"max_connections":100,
                "checkpoint_completion_target":0.9,"jit":false}"#,
            &[
                "checkpoint_completion_target = '0.9'",
                "hot_standby = 'on'",
                "jit = 'off'",
                "max_connections = '100'",
                "work_mem = '16MB'",
            ],
        );
    }

    #[test]
    fn null_leaves_a_parameter_out_and_a_list_is_refused() {
        check_conf(r#"{"work_mem":null}"#, &[]);
        let list = settings(r#"{"parameters":{"work_mem":[1]}}"#);
        assert!(list.render(None).is_err());
    }

    #[test]
    fn a_standby_knows_its_primary_with_both_quotings() {
        let primary = Primary {
            host: "pg1".to_owned(),
            port: 5432,
            password: "it's".to_owned(),
            application_name: "pg-0".to_owned(),
        };
        let files = Settings::default().render(Some(&primary)).expect("files");
        assert!(files.standby);
        assert_eq!(
            files.conf,
            [
                r"primary_conninfo = 'host=pg1 port=5432 user=replicator password=''it\\''s'' application_name=pg-0'",
                "primary_slot_name = 'pg_0'",
                "recovery_target_timeline = 'latest'",
            ]
        );
    }

    #[test]
    fn rules_keep_their_order_and_odd_names_are_quoted() {
        let settings = settings(
            r#"{"pg_hba":["local all all peer",
                {"type":"hostssl","database":"all","user":"a b","address":"10.0.0.0/8","method":"scram-sha-256"},
                {"type":"local","method":"reject"}]}"#,
        );
        assert_eq!(
            settings.render(None).expect("files").hba,
            [
                "local all all peer",
                r#"hostssl "all" "a b" 10.0.0.0/8 scram-sha-256"#,
                "local all all reject",
            ]
        );
    }

    #[test]
    fn only_what_is_fixed_at_the_start_needs_a_restart() {
        let before = settings(r#"{"parameters":{"max_connections":100,"work_mem":"4MB"}}"#);
        let after =
            settings(r#"{"parameters":{"max_connections":200,"work_mem":"8MB","port":5433}}"#);
        assert_eq!(after.pending_restart(&before), ["max_connections", "port"]);
        assert!(before.pending_restart(&before).is_empty());
    }
}
