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

impl std::fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// Error for the name of an unknown digest algorithm.
///
/// ```
/// let error = "MD5".parse::<minikeeper::config::DigestAlgorithm>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown digest algorithm `MD5`: use `SHA-1`, `SHA-256`, `SHA-384` or `SHA-512`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown digest algorithm `{0}`: use `SHA-1`, `SHA-256`, `SHA-384` or `SHA-512`")]
pub struct NoSuchDigest(String);

/// Parses the names of Java 17, in any case.
impl std::str::FromStr for DigestAlgorithm {
    type Err = NoSuchDigest;

    fn from_str(text: &str) -> Result<Self, NoSuchDigest> {
        match text.to_uppercase().as_str() {
            "SHA1" | "SHA-1" | "SHA" => Ok(Self::Sha1),
            "SHA256" | "SHA-256" => Ok(Self::Sha256),
            "SHA384" | "SHA-384" => Ok(Self::Sha384),
            "SHA512" | "SHA-512" => Ok(Self::Sha512),
            _ => Err(NoSuchDigest(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_algorithms_are_those_of_java() {
        assert_eq!("sha-256".parse(), Ok(DigestAlgorithm::Sha256));
        assert_eq!("SHA".parse(), Ok(DigestAlgorithm::Sha1));
        assert!("MD5".parse::<DigestAlgorithm>().is_err());
        assert!("".parse::<DigestAlgorithm>().is_err());
    }
}
