//! Filters for znodes and sessions.

use std::str::FromStr;

use minikeeper::{SessionId, matcher::PathPattern};

/// A pattern, or a path that stands for its whole subtree.
#[derive(Clone, Debug)]
pub(crate) enum PathFilter {
    Subtree(String),
    Pattern(PathPattern),
}

impl FromStr for PathFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("{text:?} does not begin with a slash"));
        }
        if text.contains(['*', '?', '[']) {
            let pattern = text.parse::<PathPattern>();
            return pattern
                .map(Self::Pattern)
                .map_err(|error| error.to_string());
        }
        Ok(Self::Subtree(String::from(text.trim_end_matches('/'))))
    }
}

impl PathFilter {
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(path),
            Self::Subtree(top) => path
                .strip_prefix(top.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    /// Whether any filter matches the path. Without filters, every path matches.
    pub(crate) fn any(filters: &[Self], path: &str) -> bool {
        filters.is_empty() || filters.iter().any(|filter| filter.matches(path))
    }
}

/// Parses a session id in hexadecimal, as in ZooKeeper's logs.
pub(crate) fn session(text: &str) -> Result<SessionId, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16)
        .map(|number| SessionId(number.cast_signed()))
        .map_err(|_| "expected a session id in hexadecimal".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_its_subtree_and_a_pattern_its_matches() {
        let check = |filter: &str, yes: &[&str], no: &[&str]| {
            let filter: PathFilter = filter.parse().expect("it is a filter");
            for path in yes {
                assert!(filter.matches(path), "{filter:?} {path}");
            }
            for path in no {
                assert!(!filter.matches(path), "{filter:?} {path}");
            }
        };
        check("/", &["/", "/a", "/a/b"], &[]);
        check("/a", &["/a", "/a/b", "/a/b/c"], &["/", "/ab", "/b/a"]);
        check("/a/", &["/a", "/a/b"], &["/ab"]);
        check("/a/*", &["/a/b"], &["/a", "/a/b/c"]);
        check("/a/**", &["/a/b", "/a/b/c"], &["/a", "/b"]);
        assert!("a".parse::<PathFilter>().is_err());
        assert!("/a/***".parse::<PathFilter>().is_err());
    }

    #[test]
    fn a_session_id_is_hexadecimal_with_and_without_0x() {
        assert_eq!(session("0x10"), Ok(SessionId(16)));
        assert_eq!(
            session("ff00000000000001"),
            Ok(SessionId(-0xff_ffff_ffff_ffff))
        );
        assert!(session("me").is_err());
    }
}
