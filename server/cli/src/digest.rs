//! The digest of a super user, as ZooKeeper's `digest` scheme makes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minikeeper::DigestAlgorithm;
use sha1::Digest as _;

/// What `DigestAuthenticationProvider.digestAlg` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Here(DigestAlgorithm),
    OnlyInJava,
    Nowhere,
}

/// The algorithm that Java 17 knows under this name.
pub(crate) fn algorithm(name: &str) -> Found {
    match name.to_uppercase().as_str() {
        "SHA1" | "SHA-1" | "SHA" => Found::Here(DigestAlgorithm::Sha1),
        "SHA256" | "SHA-256" => Found::Here(DigestAlgorithm::Sha256),
        "SHA384" | "SHA-384" => Found::Here(DigestAlgorithm::Sha384),
        "SHA512" | "SHA-512" => Found::Here(DigestAlgorithm::Sha512),
        "MD2" | "MD5" | "SHA224" | "SHA-224" | "SHA-512/224" | "SHA-512/256" | "SHA512/224"
        | "SHA512/256" | "SHA3-224" | "SHA3-256" | "SHA3-384" | "SHA3-512" => Found::OnlyInJava,
        _ => Found::Nowhere,
    }
}

/// `DigestAuthenticationProvider.generateDigest`: `user:base64(hash(user:password))`.
pub(crate) fn of(algorithm: DigestAlgorithm, user_and_password: &str) -> String {
    let bytes = user_and_password.as_bytes();
    let hash = match algorithm {
        DigestAlgorithm::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
        DigestAlgorithm::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
        DigestAlgorithm::Sha384 => sha2::Sha384::digest(bytes).to_vec(),
        DigestAlgorithm::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
    };
    let user = user_and_password.split(':').next().unwrap_or_default();
    format!("{user}:{}", STANDARD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_zookeepers() {
        assert_eq!(
            of(DigestAlgorithm::Sha1, "super:test"),
            "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
        );
    }

    #[test]
    fn names_of_algorithms_are_those_of_java() {
        assert_eq!(algorithm("sha-256"), Found::Here(DigestAlgorithm::Sha256));
        assert_eq!(algorithm("SHA"), Found::Here(DigestAlgorithm::Sha1));
        assert_eq!(algorithm("MD5"), Found::OnlyInJava);
        assert_eq!(algorithm(""), Found::Nowhere);
    }
}
