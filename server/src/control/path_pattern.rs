//! Patterns of paths, matched name by name.

use glob::Pattern;
use serde::{Deserialize, Serialize};

use crate::protocol::validate_path;

/// Pattern of paths. `*` and `?` have the same meaning as in a shell and never match a `/`. `**` matches any number of
/// names, so `/locks/**` matches everything below `/locks`.
///
/// A pattern that no path matches is refused: a path begins with a slash, does not end with one, and has no empty name
/// and neither `.` nor `..` among its names.
///
/// ```
/// use minikeeper::matcher::PathPattern;
///
/// let below: PathPattern = "/locks/**".parse()?;
/// assert!(below.matches("/locks/a/b") && !below.matches("/locks"));
/// for pattern in ["/a/***", "locks/**", "/locks/", "//", "/a//b", "/a/../b", "*"] {
///     assert!(pattern.parse::<PathPattern>().is_err(), "{pattern}");
/// }
/// # Ok::<(), minikeeper::matcher::BadPattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    text: String,
    /// Parts between the slashes.
    names: Vec<Names>,
    /// Whether the pattern matches some path besides the root.
    below_root: bool,
}

/// Part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    /// `**`: any number of names.
    Any,
    /// One name.
    One(Pattern),
}

/// Reason why a text is not a pattern of paths, or is a pattern that no path matches.
///
/// ```
/// let error = "/locks/".parse::<minikeeper::matcher::PathPattern>().unwrap_err();
/// assert!(error.to_string().contains(r#""/locks/" matches no path"#), "{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {pattern:?} {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: String,
}

/// Maximum number of stars in one name. The `glob` crate recurses once for each star.
const MOST_STARS: usize = 100;

impl PathPattern {
    /// Whether the pattern matches this path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.text == path || self.matches_names(path)
    }

    /// Returns the only path that the pattern matches; `None` if it has wildcards.
    pub(super) fn literal(&self) -> Option<&str> {
        (!self.text.contains(['*', '?', '['])).then_some(&*self.text)
    }

    /// Whether the pattern matches some path besides the root.
    pub(crate) fn matches_below_root(&self) -> bool {
        self.below_root
    }

    /// Whether some path besides the root can match: the name before the first slash is empty, and no other name is.
    fn can_match_below_root(names: &[Names]) -> bool {
        let Some((first, rest)) = names.split_first() else {
            return false;
        };
        let begins = match first {
            Names::Any => true,
            Names::One(pattern) => pattern.matches(""),
        };
        let is_long_enough = !rest.is_empty() || *first == Names::Any;
        begins
            && is_long_enough
            && rest.iter().all(|part| match part {
                Names::Any => true,
                Names::One(pattern) => some_name(pattern).is_some(),
            })
    }

    /// Matches name by name. Only the last `**` is tried again with one more name, so the time is at most
    /// proportional to the number of pairs of names in pattern and path.
    fn matches_names(&self, path: &str) -> bool {
        let (mut parts, mut names) = (&self.names[..], path.split('/'));
        let mut again = None;
        loop {
            match (parts.split_first(), names.clone().next()) {
                (None, None) => return true,
                (Some((Names::Any, [])), Some(_)) => return true,
                (Some((Names::Any, rest)), Some(_)) => {
                    again = Some((parts, names.clone()));
                    parts = rest;
                    continue;
                }
                (Some((Names::One(part), rest)), Some(name)) if part.matches(name) => {
                    (parts, _) = (rest, names.next());
                    continue;
                }
                (Some(_), None) => return false,
                (Some((Names::One(_), _)) | None, Some(_)) => {}
            }
            let Some((from, mut behind)) = again.take() else {
                return false;
            };
            let _ = behind.next();
            (parts, names) = (from, behind);
        }
    }
}

/// Text of the pattern.
impl std::fmt::Display for PathPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for PathPattern {
    type Err = BadPattern;

    fn from_str(pattern: &str) -> Result<Self, BadPattern> {
        let bad = |reason: String| BadPattern {
            pattern: pattern.to_owned(),
            reason,
        };
        let names = pattern.split('/').map(|part| match part {
            "**" => Ok(Names::Any),
            _ if part.matches('*').count() > MOST_STARS => {
                Err(bad("has more than 100 stars in one name".to_owned()))
            }
            _ => Pattern::new(part)
                .map(Names::One)
                .map_err(|error| bad(format!("is not one: {}", error.msg))),
        });
        let names: Vec<Names> = names.collect::<Result<_, _>>()?;
        let below_root = Self::can_match_below_root(&names)
            // A text is always a pattern that matches itself.
            || (pattern != "/" && validate_path(pattern).is_ok());
        let parsed = Self {
            names,
            text: pattern.to_owned(),
            below_root,
        };
        if below_root || parsed.matches("/") {
            Ok(parsed)
        } else {
            Err(bad(why_no_path(pattern)))
        }
    }
}

/// Reason why no path matches, with the pattern to write instead.
fn why_no_path(pattern: &str) -> String {
    let reason = if !pattern.starts_with(['/', '*']) {
        format!(
            "every path begins with a slash: write {:?}",
            format!("/{pattern}")
        )
    } else if !pattern.contains('/') {
        "every path begins with a slash: write \"/*\" for the children of the root or \"/**\" for all paths".to_owned()
    } else if let Some(parent) = pattern.strip_suffix('/').filter(|it| !it.ends_with('/')) {
        format!(
            "no path ends with a slash: write {parent:?} for the znode, {:?} for its children or {:?} for all below it",
            format!("{parent}/*"),
            format!("{parent}/**")
        )
    } else if pattern.contains("//") {
        "no path has an empty name between slashes: leave the second slash out".to_owned()
    } else {
        "no path has a name of \".\" or \"..\", or of characters that ZooKeeper does not allow"
            .to_owned()
    };
    format!("matches no path: {reason}")
}

/// Name of a znode that a pattern matches, if there is one: each `*` and `?` stands for a letter.
fn some_name(pattern: &Pattern) -> Option<String> {
    let mut name = String::new();
    let mut rest = pattern.as_str();
    while let Some(next) = rest.chars().next() {
        rest = rest.get(next.len_utf8()..)?;
        name.push(match next {
            '*' | '?' => 'a',
            '[' => {
                let (set, behind) = CharSet::parse(rest)?;
                rest = behind;
                set.some_char()?
            }
            other => other,
        });
    }
    let is_name = !name.is_empty() && validate_path(&format!("/{name}")).is_ok();
    is_name.then_some(name)
}

/// Set of characters between brackets.
struct CharSet {
    negated: bool,
    /// First and last character of each range.
    ranges: Vec<(char, char)>,
}

impl CharSet {
    /// Reads a set behind its opening bracket. Returns it with the rest of the text. A closing bracket in the first
    /// place is a member of the set.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (negated, text) = match text.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let end = text.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
        let members: Vec<char> = text.get(..end)?.chars().collect();
        let mut ranges = Vec::new();
        let mut members = members.as_slice();
        while let Some((first, rest)) = members.split_first() {
            members = rest;
            if let ['-', last, behind @ ..] = rest {
                ranges.push((*first, *last));
                members = behind;
            } else {
                ranges.push((*first, *first));
            }
        }
        Some((Self { negated, ranges }, text.get(end + 1..)?))
    }

    fn contains(&self, c: char) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|(first, last)| (*first..=*last).contains(&c)) != self.negated
    }

    /// Character that a name may have; a dot only if there is no other.
    fn some_char(&self) -> Option<char> {
        let may_be_in_name = |c: &char| validate_path(&format!("/a{c}")).is_ok() && *c != '/';
        let usual = (' '..='~').filter(|c| *c != '.');
        let others = || {
            let ranges = self.ranges.iter();
            ranges.flat_map(|(first, last)| *first..=(*last).min('\u{ffff}'))
        };
        let mut found = usual
            .chain((!self.negated).then(others).into_iter().flatten())
            .chain(
                self.negated
                    .then_some('\u{a0}'..='\u{ffff}')
                    .into_iter()
                    .flatten(),
            )
            .filter(|c| self.contains(*c))
            .filter(may_be_in_name);
        let dot = self.contains('.').then_some('.');
        found.find(|c| *c != '.').or(dot)
    }
}

impl TryFrom<String> for PathPattern {
    type Error = BadPattern;

    fn try_from(pattern: String) -> Result<Self, BadPattern> {
        pattern.parse()
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_accepted_if_and_only_if_some_path_matches() {
        for pattern in [
            "/",
            "/a",
            "/*",
            "/**",
            "**",
            "**/",
            "**/a",
            "*/a",
            "/**/",
            "/a/**/b",
            "/?",
            "/.*",
            "/.?",
            "/[.]*",
            "/[.a]",
            "/[!a]",
            "/a[-]b",
            "/[]]",
            "/[!]]",
            "/[.]",
            "/[.][.]/a",
            "/..a",
            "/\u{e4}",
        ] {
            assert!(pattern.parse::<PathPattern>().is_ok(), "{pattern}");
        }
        for pattern in [
            "",
            "a",
            "?",
            "*",
            "?/a",
            "[a]/b",
            "//",
            "/a/",
            "/a//b",
            "/*/",
            "/**/a/",
            "/a/**/",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/\u{0}",
            "/a\u{7f}",
            "/[\u{1}-\u{2}]",
            "/[\u{e000}-\u{f8ff}]",
        ] {
            let error = pattern.parse::<PathPattern>().expect_err(pattern);
            assert!(error.to_string().contains("matches no path: "), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_write_instead() {
        for (pattern, instead) in [
            (
                "/locks/",
                r#"write "/locks" for the znode, "/locks/*" for its children or "/locks/**""#,
            ),
            ("locks", r#"write "/locks""#),
            ("/a//b", "leave the second slash out"),
            ("*", r#"write "/*""#),
        ] {
            let error = pattern.parse::<PathPattern>().unwrap_err().to_string();
            assert!(error.contains(instead), "{error}");
        }
    }

    #[test]
    fn the_root_is_not_below_itself() {
        let below = |pattern: &str| pattern.parse::<PathPattern>().unwrap().matches_below_root();
        assert!(!below("/") && !below("**/") && below("/*") && below("**") && below("/a"));
    }
}
