//! The names of digest algorithms.

use minikeeper::config::DigestAlgorithm;

/// Algorithm that `DigestAuthenticationProvider.digestAlg` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Here(DigestAlgorithm),
    OnlyInJava,
    Nowhere,
}

/// Returns the algorithm of this name in Java 17.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_algorithms_are_those_of_java() {
        assert_eq!(algorithm("sha-256"), Found::Here(DigestAlgorithm::Sha256));
        assert_eq!(algorithm("SHA"), Found::Here(DigestAlgorithm::Sha1));
        assert_eq!(algorithm("MD5"), Found::OnlyInJava);
        assert_eq!(algorithm(""), Found::Nowhere);
    }
}
