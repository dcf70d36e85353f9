//! Hashes of the `digest` authentication scheme.

/// Hash of `user:password` in the `digest` scheme.
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
