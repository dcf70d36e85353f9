//! Parts that may be missing, and whether that is allowed.

use std::fmt;

/// A part from outside that some tests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A Java runtime, and the packages that Maven installs for it.
    Java,
    /// Python 3 with `venv` and `pip`.
    Python,
    /// `npm`, which installs Node and its packages.
    Node,
    /// Go, and the modules that it downloads.
    Go,
    /// A container engine.
    Docker,
}

impl Part {
    /// All parts, in the order of messages.
    pub const ALL: [Self; 5] = [Self::Java, Self::Python, Self::Node, Self::Go, Self::Docker];

    /// Returns the name of the part in `MINIKEEPER_REQUIRE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::Node => "node",
            Self::Go => "go",
            Self::Docker => "docker",
        }
    }

    /// Returns whether `MINIKEEPER_REQUIRE` contains this part, so that its absence is a failure.
    ///
    /// # Panics
    ///
    /// If the variable contains an unknown name: a typing error must not make a required part optional.
    #[must_use]
    pub fn is_required(self) -> bool {
        match Requirement::from_env() {
            Ok(requirement) => requirement.asks_for(self),
            Err(unknown) => panic!("MINIKEEPER_REQUIRE: {unknown}"),
        }
    }

    /// Returns the error that this part is missing, with the reason.
    #[must_use]
    pub fn missing(self, what: impl Into<String>, reason: impl Into<String>) -> Missing {
        Missing {
            part: self,
            what: what.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Parts whose absence is a failure, as in `MINIKEEPER_REQUIRE`: `all`, or a list with commas.
///
/// ```
/// use minikeeper_harness::provision::{Part, Requirement};
///
/// let requirement = Requirement::parse("java, docker")?;
/// assert!(requirement.asks_for(Part::Java));
/// assert!(!requirement.asks_for(Part::Python));
/// # Ok::<(), minikeeper_harness::provision::UnknownPart>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement(Vec<Part>);

impl Requirement {
    /// Returns the requirement of the environment; an empty one if `MINIKEEPER_REQUIRE` is not set.
    ///
    /// # Errors
    ///
    /// If the variable contains an unknown name.
    pub fn from_env() -> Result<Self, UnknownPart> {
        std::env::var("MINIKEEPER_REQUIRE")
            .map_or_else(|_| Ok(Self::default()), |s| Self::parse(&s))
    }

    /// Parses `all`, or part names between commas. Blanks and empty items are ignored.
    ///
    /// # Errors
    ///
    /// If a name is not that of a part.
    pub fn parse(text: &str) -> Result<Self, UnknownPart> {
        let mut parts = Vec::new();
        for word in text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            if word == "all" {
                parts.extend(Part::ALL);
            } else if let Some(part) = Part::ALL.into_iter().find(|part| part.name() == word) {
                parts.push(part);
            } else {
                return Err(UnknownPart(word.to_owned()));
            }
        }
        Ok(Self(parts))
    }

    /// Returns whether the absence of this part is a failure.
    #[must_use]
    pub fn asks_for(&self, part: Part) -> bool {
        self.0.contains(&part)
    }
}

/// A word in `MINIKEEPER_REQUIRE` that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part; use java, python, node, go, docker or all")]
pub struct UnknownPart(String);

/// A part that is missing, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is missing (needs {part}): {reason}")]
pub struct Missing {
    /// Kind of the part.
    pub part: Part,
    /// Description of the part, such as `ZooKeeper 3.9.5`.
    pub what: String,
    /// Reason for which it cannot be had.
    pub reason: String,
}

/// Result of a test that lacks a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The test is ignored, for this reason.
    Ignored(String),
    /// The part is required, so the test fails, for this reason.
    Failed(String),
}

impl Missing {
    /// Returns whether a test without this part is ignored or fails, by `MINIKEEPER_REQUIRE`.
    ///
    /// # Panics
    ///
    /// The panics of [`Part::is_required`].
    #[must_use]
    pub fn consequence(&self) -> Consequence {
        if self.part.is_required() {
            Consequence::Failed(format!("{self}; MINIKEEPER_REQUIRE requires it"))
        } else {
            Consequence::Ignored(self.to_string())
        }
    }
}

/// Reason for which a test did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A part from outside is missing.
    Missing(Missing),
    /// The test failed.
    Wrong(String),
}

impl Trouble {
    /// Returns whether the test is ignored or fails.
    ///
    /// # Panics
    ///
    /// The panics of [`Part::is_required`].
    #[must_use]
    pub fn consequence(self) -> Consequence {
        match self {
            Self::Missing(missing) => missing.consequence(),
            Self::Wrong(wrong) => Consequence::Failed(wrong),
        }
    }
}

impl From<Missing> for Trouble {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<String> for Trouble {
    fn from(wrong: String) -> Self {
        Self::Wrong(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Requirement};

    fn check(text: &str, parts: &[Part]) {
        let requirement = Requirement::parse(text).expect("only known parts");
        for part in Part::ALL {
            assert_eq!(
                requirement.asks_for(part),
                parts.contains(&part),
                "{text}: {part}"
            );
        }
    }

    #[test]
    fn a_requirement_names_parts_or_all() {
        check("", &[]);
        check("java", &[Part::Java]);
        check(" python ,docker,", &[Part::Python, Part::Docker]);
        check("all", &Part::ALL);
    }

    #[test]
    fn an_unknown_part_is_refused() {
        let unknown = Requirement::parse("java,jawa").expect_err("jawa is no part");
        assert!(unknown.to_string().starts_with("`jawa` is not a part"));
    }
}
