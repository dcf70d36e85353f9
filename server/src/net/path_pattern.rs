//! Patterns of paths, matched name by name: what a test says costs no more than the path is long.

use glob::Pattern;
use serde::{Deserialize, Serialize};

/// Paths, as a pattern: `*` and `?` stand for what they do in a shell and never for a `/`; `**` stands for any number of
/// names, so `/locks/**` is everything below `/locks`.
///
/// ```
/// use minikeeper::PathPattern;
///
/// let below: PathPattern = "/locks/**".parse()?;
/// assert!(below.matches("/locks/a/b") && !below.matches("/locks"));
/// assert!("/a/***".parse::<PathPattern>().is_err());
/// assert!("locks/**".parse::<PathPattern>().is_err(), "it could match no path");
/// # Ok::<(), minikeeper::BadPattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    text: String,
    /// What stands between the slashes.
    names: Vec<Names>,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    /// `**`: any number of names.
    Any,
    /// One name.
    One(Pattern),
}

/// Why a text is no pattern of paths.
///
/// ```
/// assert!("/a/***".parse::<minikeeper::PathPattern>().unwrap_err().to_string().contains("/a/***"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is no pattern of paths: {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: &'static str,
}

/// More stars than this in one name are refused: each is a step deeper into the stack.
const MOST_STARS: usize = 100;

impl PathPattern {
    /// Whether it stands for this path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.text == path || self.matches_names(path)
    }

    /// Name by name, so that it takes no longer than there are pairs of names in pattern and path: what does not fit behind
    /// the last `**` fits nowhere else if that takes one more name.
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

/// The pattern.
impl std::fmt::Display for PathPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for PathPattern {
    type Err = BadPattern;

    fn from_str(pattern: &str) -> Result<Self, BadPattern> {
        let bad = |reason| BadPattern {
            pattern: pattern.to_owned(),
            reason,
        };
        if !pattern.starts_with(['/', '*', '?', '[']) {
            return Err(bad(
                "it matches no path, since every path begins with a slash",
            ));
        }
        let names = pattern.split('/').map(|part| match part {
            "**" => Ok(Names::Any),
            _ if part.matches('*').count() > MOST_STARS => {
                Err(bad("a name has no more than 100 stars"))
            }
            _ => Pattern::new(part)
                .map(Names::One)
                .map_err(|error| bad(error.msg)),
        });
        Ok(Self {
            names: names.collect::<Result<_, _>>()?,
            text: pattern.to_owned(),
        })
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
