//! What may be missing, and whether that is allowed.

use std::fmt;

/// A part from outside that some tests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A Java runtime, and what Maven fetches for it.
    Java,
    /// Python 3 with `venv` and `pip`.
    Python,
    /// A container engine.
    Docker,
}

impl Part {
    /// Every part, in the order in which they are named to people.
    pub const ALL: [Self; 3] = [Self::Java, Self::Python, Self::Docker];

    /// The word for this part in `MINIKEEPER_REQUIRE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::Docker => "docker",
        }
    }

    /// Whether `MINIKEEPER_REQUIRE` asks for this part, so that its absence is a failure.
    ///
    /// # Panics
    /// If the variable names a part that does not exist: a typing error must not turn a demand off.
    #[must_use]
    pub fn is_required(self) -> bool {
        match Requirement::from_env() {
            Ok(requirement) => requirement.asks_for(self),
            Err(unknown) => panic!("MINIKEEPER_REQUIRE: {unknown}"),
        }
    }

    /// This part is missing, and why.
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

/// The parts whose absence is a failure, as `MINIKEEPER_REQUIRE` names them: `all`, or a list with commas.
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
    /// What the environment asks for; nothing, if `MINIKEEPER_REQUIRE` is not set.
    ///
    /// # Errors
    /// If the variable names a part that does not exist.
    pub fn from_env() -> Result<Self, UnknownPart> {
        std::env::var("MINIKEEPER_REQUIRE")
            .map_or_else(|_| Ok(Self::default()), |s| Self::parse(&s))
    }

    /// Reads `all`, or part names between commas. Blanks and empty items do not count.
    ///
    /// # Errors
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

    /// Whether the absence of this part is a failure.
    #[must_use]
    pub fn asks_for(&self, part: Part) -> bool {
        self.0.contains(&part)
    }
}

/// A word in `MINIKEEPER_REQUIRE` that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no part; there are java, python, docker, and all of them: all")]
pub struct UnknownPart(String);

/// A part that could not be had, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is missing (needs {part}): {reason}")]
pub struct Missing {
    /// The kind of part.
    pub part: Part,
    /// What exactly was wanted, such as `ZooKeeper 3.9.5`.
    pub what: String,
    /// Why it could not be had.
    pub reason: String,
}

/// What a test that lacks a part comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The test is ignored, for this reason.
    Ignored(String),
    /// The part was required: the test fails, for this reason.
    Failed(String),
}

impl Missing {
    /// Whether a test without this part is ignored or fails, by `MINIKEEPER_REQUIRE`.
    ///
    /// # Panics
    /// As [`Part::is_required`].
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.part.is_required() {
            Verdict::Failed(format!("{self}; MINIKEEPER_REQUIRE asks for it"))
        } else {
            Verdict::Ignored(self.to_string())
        }
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
    fn a_word_that_names_no_part_is_refused() {
        let unknown = Requirement::parse("java,jawa").expect_err("jawa is no part");
        assert!(unknown.to_string().starts_with("`jawa` is no part"));
    }
}
