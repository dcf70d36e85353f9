//! What differs from one server to the next.

use crate::protocol::DataFormat;

/// What a server was told that the rules depend on; `Config` explains each.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) tick_ms: i64,
    /// Whether a session ends when its timeout does, and not at the end of that tick.
    pub(crate) exact_expiry: bool,
    pub(crate) min_session_timeout_ms: i32,
    pub(crate) max_session_timeout_ms: i32,
    pub(crate) max_client_connections: usize,
    pub(crate) max_connections: usize,
    pub(crate) sessionless_timeout_ms: i64,
    pub(crate) server_id: u8,
    /// How many members the ensemble has; one if it is none.
    pub(crate) members: u8,
    /// Whether a member that reaches no quorum serves reads.
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
    /// Whether a session whose connection is up counts as heard from, because time stands still while clients could
    /// speak.
    pub(crate) presence_is_life: bool,
    /// Whether the digest of the tree is kept up to date.
    pub(crate) digest: bool,
    /// What it could not hold is refused, as the release of that name refuses it.
    pub(crate) data_format: DataFormat,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            tick_ms: 2000,
            exact_expiry: false,
            min_session_timeout_ms: 4000,
            max_session_timeout_ms: 40_000,
            max_client_connections: 0,
            max_connections: 0,
            sessionless_timeout_ms: 10_000,
            server_id: 1,
            members: 1,
            read_only_mode: false,
            extended_types: true,
            enforce_quota: false,
            skip_acl: false,
            super_digest: None,
            digest_auth: true,
            digest_algorithm: DigestAlgorithm::Sha1,
            required_auth_schemes: Vec::new(),
            reconfig_enabled: false,
            container_check_interval_ms: 60_000,
            container_interval_ms: 6,
            container_max_never_used_ms: 0,
            presence_is_life: false,
            digest: false,
            data_format: DataFormat::default(),
        }
    }
}

/// How the `digest` scheme hashes `user:password`.
///
/// ```
/// use minikeeper::{Server, config::DigestAlgorithm};
///
/// let server = Server::builder().digest_algorithm(DigestAlgorithm::Sha256).super_user("super:secret").start()?;
/// assert!(server.config().super_digest.as_ref().is_some_and(|digest| digest.starts_with("super:")));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// SHA-1, ZooKeeper's default.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}
