//! Checked settings in the units of the rules.

use std::net::SocketAddr;
use std::time::Duration;

use super::{ClockKind, Config, DigestAlgorithm, JournalMode, Storage};
use crate::protocol::{DataFormat, MemberId};

/// Settings that the rules depend on, checked. [`Config`] describes each.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) tick_ms: i64,
    /// Whether a session expires when its timeout ends, and not at the end of that tick.
    pub(crate) exact_expiry: bool,
    pub(crate) min_session_timeout_ms: i32,
    pub(crate) max_session_timeout_ms: i32,
    pub(crate) max_client_connections: usize,
    pub(crate) max_connections: usize,
    pub(crate) sessionless_timeout_ms: i64,
    pub(crate) server_id: u8,
    /// Number of members of the ensemble; 1 for a standalone server.
    pub(crate) members: u8,
    /// Whether a member without a quorum serves reads.
    pub(crate) read_only_mode: bool,
    pub(crate) extended_types: bool,
    pub(crate) enforce_quota: bool,
    pub(crate) skip_acl: bool,
    pub(crate) super_digest: Option<String>,
    pub(crate) digest_auth: bool,
    pub(crate) digest_algorithm: DigestAlgorithm,
    pub(crate) required_auth_schemes: Vec<String>,
    pub(crate) reconfig_enabled: bool,
    pub(crate) container_check_interval_ms: i64,
    pub(crate) container_interval_ms: i64,
    pub(crate) container_max_never_used_ms: i64,
    /// Whether a session whose connection is up counts as active, because clients cannot send pings while time stands
    /// still.
    pub(crate) connection_keeps_session_alive: bool,
    /// Whether the digest of the tree is maintained.
    pub(crate) digest: bool,
    /// Release of ZooKeeper whose limits apply: what its files cannot hold is refused.
    pub(crate) data_format: DataFormat,
}

impl Config {
    /// Returns the members with their addresses; `None` for a member without a listener. Unless the addresses are set,
    /// the members after the first have the next ports, or free ones.
    pub(crate) fn members(&self) -> impl Iterator<Item = (MemberId, Option<SocketAddr>)> {
        (1..=self.members).map(|member| {
            let before = member - 1;
            if let Some(address) = self.member_addresses.get(usize::from(before)) {
                return (MemberId(member), *address);
            }
            let mut address = self.address;
            if address.port() != 0 {
                address.set_port(address.port().saturating_add(u16::from(before)));
            }
            (MemberId(member), Some(address))
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
        if self.member_addresses.is_empty() {
            let last = u32::from(self.address.port()) + u32::from(self.members) - 1;
            if self.address.port() != 0 && last > u32::from(u16::MAX) {
                return Err(format!(
                    "the port of the last member would be {last}; use a lower port, or port 0 for free ones"
                ));
            }
        } else if self.member_addresses.len() != usize::from(self.members) {
            let (members, addresses) = (self.members, self.member_addresses.len());
            return Err(format!(
                "the number of member addresses, {addresses}, differs from the number of members, {members}"
            ));
        } else if self.member_addresses.iter().all(Option::is_none) {
            return Err("no member has an address".to_owned());
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
