//! Checked settings in the units of the rules.

use super::DigestAlgorithm;
use crate::protocol::DataFormat;

/// Settings that the rules depend on, checked. [`Config`](super::Config) describes each.
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
