//! Digest algorithms that Java has and this server has not.

/// Whether `DigestAuthenticationProvider.digestAlg` can name this algorithm in Java 17, but not here.
pub(crate) fn is_only_in_java(name: &str) -> bool {
    matches!(
        name.to_uppercase().as_str(),
        "MD2"
            | "MD5"
            | "SHA224"
            | "SHA-224"
            | "SHA-512/224"
            | "SHA-512/256"
            | "SHA512/224"
            | "SHA512/256"
            | "SHA3-224"
            | "SHA3-256"
            | "SHA3-384"
            | "SHA3-512"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_of_java_alone_differs_from_an_unknown_one() {
        assert!(is_only_in_java("md5") && is_only_in_java("SHA3-256"));
        assert!(!is_only_in_java("SHA-256") && !is_only_in_java(""));
    }
}
