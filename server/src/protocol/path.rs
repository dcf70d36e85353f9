//! Paths: their validity, parents and names.

use super::ErrorCode;

/// Checks a path as `PathUtils.validatePath` does. It looks at UTF-16 units, so a character outside of the basic
/// multilingual plane is a pair of surrogates, and those are not allowed.
pub(crate) fn validate_path(path: &str) -> Result<(), ErrorCode> {
    if is_valid(path) {
        Ok(())
    } else {
        Err(ErrorCode::BadArguments)
    }
}

fn is_valid(path: &str) -> bool {
    if path == "/" {
        return true;
    }
    let Some(components) = path.strip_prefix('/') else {
        return false;
    };
    let mut start = 0;
    let bytes = components.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'/' if !is_component(bytes.get(start..at)) => return false,
            b'/' => start = at + 1,
            0x20..=0x7e => {}
            0x80.. => return is_valid_beyond_ascii(components),
            _ => return false,
        }
    }
    is_component(bytes.get(start..))
}

fn is_component(bytes: Option<&[u8]>) -> bool {
    !matches!(bytes, None | Some(b"" | b"." | b".."))
}

#[cold]
fn is_valid_beyond_ascii(components: &str) -> bool {
    components.split('/').all(|component| is_component(Some(component.as_bytes())))
        && !components.chars().any(|c| {
            matches!(c,
                '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}'
                | '\u{10000}'..)
        })
}

/// Returns the text before the last `/`, which is empty for a child of the root; `None` without a `/`.
#[inline]
pub(crate) fn parent_of(path: &str) -> Option<&str> {
    path.get(..last_slash(path)?)
}

/// Returns the text after the last `/`.
#[inline]
pub(crate) fn name_of(path: &str) -> &str {
    last_slash(path)
        .and_then(|at| path.get(at + 1..))
        .unwrap_or(path)
}

/// Returns the position of the last `/`. Names are short, so a plain loop is faster than `str::rfind`.
#[inline]
fn last_slash(path: &str) -> Option<usize> {
    path.as_bytes().iter().rposition(|byte| *byte == b'/')
}

/// Returns the path itself and all its ancestors up to `/`, like `PathParentIterator.forAll`.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        if *path == "/" {
            return None;
        }
        parent_of(path).map(|parent| if parent.is_empty() { "/" } else { parent })
    })
}

/// Whether `getEphemerals` with `prefix` lists `path`. Texts are compared, not path components.
pub(crate) fn is_ephemeral_prefix(prefix: Option<&str>, path: &str) -> bool {
    // FinalRequestProcessor trims the prefix to decide whether it matches all, but compares with the untrimmed text.
    // Java's trim removes everything up to U+0020.
    let Some(prefix) = prefix else { return true };
    matches!(prefix.trim_matches(|c| c <= ' '), "" | "/") || path.starts_with(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_checked_character_by_character() {
        for valid in [
            "/",
            "/a",
            "/a b",
            "/.x",
            "/..x",
            "/...",
            "/\u{a0}",
            "/\u{d7ff}",
            "/\u{f900}",
            "/\u{ffef}",
            "/é",
        ] {
            assert!(is_valid(valid), "{valid:?}");
        }
        for invalid in [
            "",
            "a",
            "/a/",
            "//",
            "//a",
            "/a//b",
            "/.",
            "/..",
            "/a/./b",
            "/a/..",
            "/\0",
            "/\u{1}",
            "/\u{1f}",
            "/\u{7f}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{f8ff}",
            "/\u{fff0}",
            "/\u{ffff}",
            "/\u{1f600}",
        ] {
            assert!(!is_valid(invalid), "{invalid:?}");
        }
    }

    #[test]
    fn ancestors_end_at_the_root() {
        assert_eq!(ancestors("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(ancestors("/").collect::<Vec<_>>(), ["/"]);
    }

    #[test]
    fn an_ephemeral_prefix_is_a_text() {
        assert!(is_ephemeral_prefix(Some("/t/e"), "/t/eph"));
        assert!(is_ephemeral_prefix(Some(" / "), "/t"));
        assert!(is_ephemeral_prefix(None, "/t"));
        assert!(!is_ephemeral_prefix(Some("/u"), "/t"));
    }
}
