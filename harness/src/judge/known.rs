//! Known differences: which server does what others do not, from which version to which, and why.
//!
//! They are written in TOML; those that come with the harness are `harness/known-differences.toml`:
//!
//! ```toml
//! [[difference]]
//! id = "event-without-zxid"             # what reports call it
//! title = "Events bear no zxid"
//! server = "zookeeper"                  # whose behaviour it is: any server of these versions...
//! versions = ["<3.9"]                   # (one of the lines fits; `embedded` counts as the version it has)
//! # server = "docker"                   # ...or whatever is called `docker:...`, `embedded`, ...
//! topic = "Watches"                     # where the page on versions lists it
//! cases = ["*"]                         # `*`, chapters, cases, ranges (`watch/3..9`)
//! mask = ['! .* at (\S+)$']             # on the lines of both: what is not compared (the groups, if there are any)
//! has = ['-> NONODE']                   # lines that only it has where both differ
//! lacks = ['-> ok']                     # lines that only the other has where both differ
//! does = "The header of an event says zxid -1."
//! others = "It says the zxid of the transaction that fired it."
//! why = "ZOOKEEPER-4655 added the zxid to the event."
//! ```
//!
//! An entry *applies* to two servers if it speaks of exactly one of them. A case in which two servers differ is
//! *explained* by the applicable entries that name it if nothing but what they say differs. Whatever
//! is not explained fails. An applicable entry that explains nothing, though all cases it names were played on both, is
//! *stale*, and fails as well.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use regex::Regex;
use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::Server;
use super::explain::Excuse;
use crate::suite::{Case, CaseId, Pattern, Suite};

const BUILTIN: &str = include_str!("../../known-differences.toml");

/// A list of known differences. Without any, every difference fails.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifferences {
    #[serde(default, rename = "difference")]
    entries: Vec<KnownDifference>,
}

/// What one server, or some versions, do and others do not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifference {
    /// What reports call it.
    pub id: String,
    /// What is so, in a few words.
    pub title: String,
    /// Whose behaviour it is: `zookeeper` is any server of the `versions`, every other word what a server's name begins
    /// with, such as `embedded` or `docker`.
    pub server: String,
    /// The versions that do so, one of them; any, if there are none.
    #[serde(default, deserialize_with = "parsed")]
    pub versions: Vec<VersionReq>,
    /// Under which heading it is listed.
    pub topic: String,
    /// The cases that show it.
    #[serde(deserialize_with = "parsed")]
    pub cases: Vec<Pattern>,
    /// What is not compared, on the lines of both servers: the groups of a match, the whole match if it has none.
    #[serde(default, deserialize_with = "parsed")]
    pub mask: Vec<Regex>,
    /// Lines that the server has and the other has not.
    #[serde(default, deserialize_with = "parsed")]
    pub has: Vec<Regex>,
    /// Lines that the server has not and the other has.
    #[serde(default, deserialize_with = "parsed")]
    pub lacks: Vec<Regex>,
    /// What it does.
    pub does: String,
    /// What all others do.
    pub others: String,
    /// Why, with the issue or the class where it can be looked up.
    pub why: String,
}

/// An entry that applied and explained nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// The entry.
    pub id: String,
    /// One of the servers.
    pub left: String,
    /// The other.
    pub right: String,
}

/// Why a list of known differences cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KnownError {
    /// It is no TOML, or not what an entry consists of.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// Two entries have one id.
    #[error("two known differences are called `{0}`")]
    Twice(String),
    /// An entry does not say how its difference looks.
    #[error("the known difference `{0}` has none of `mask`, `has` and `lacks`")]
    SaysNothing(String),
}

impl KnownDifferences {
    /// Those that come with the harness.
    ///
    /// # Panics
    ///
    /// If the file cannot be used; a test reads it.
    #[must_use]
    pub fn builtin() -> Self {
        Self::parse(BUILTIN)
            .unwrap_or_else(|error| panic!("harness/known-differences.toml: {error}"))
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it is not what such a file has to be.
    pub fn parse(text: &str) -> Result<Self, KnownError> {
        Self::default().with(toml::from_str(text)?)
    }

    /// Adds others.
    ///
    /// # Errors
    ///
    /// If two have the same id.
    pub fn with(mut self, others: Self) -> Result<Self, KnownError> {
        for entry in others.entries {
            if self.entries.iter().any(|known| known.id == entry.id) {
                return Err(KnownError::Twice(entry.id));
            }
            if entry.mask.is_empty() && entry.has.is_empty() && entry.lacks.is_empty() {
                return Err(KnownError::SaysNothing(entry.id));
            }
            self.entries.push(entry);
        }
        Ok(self)
    }

    /// Every entry, in order.
    #[must_use]
    pub fn entries(&self) -> &[KnownDifference] {
        &self.entries
    }

    /// The entries that apply to two servers.
    #[must_use]
    pub fn between(&self, left: &Server, right: &Server) -> Applicable<'_> {
        let excuses = self.entries.iter().filter_map(|entry| {
            match (entry.speaks_of(left), entry.speaks_of(right)) {
                (true, false) => Some(Excuse { entry, left: true }),
                (false, true) => Some(Excuse { entry, left: false }),
                (true, true) | (false, false) => None,
            }
        });
        Applicable {
            excuses: excuses.collect(),
            oldest: [left, right]
                .into_iter()
                .filter_map(|server| server.version.clone())
                .min(),
        }
    }
}

/// The known differences that apply to two servers.
#[derive(Clone, Debug)]
pub struct Applicable<'a> {
    excuses: Vec<Excuse<'a>>,
    oldest: Option<Version>,
}

impl<'a> Applicable<'a> {
    /// Those that name a case, first those that name the most besides.
    pub(super) fn to(&self, case: &CaseId) -> Vec<Excuse<'a>> {
        let mut found: Vec<(u64, Excuse<'a>)> = self
            .excuses
            .iter()
            .filter_map(|excuse| {
                let naming = excuse.entry.cases.iter().filter(|cases| cases.names(case));
                Some((naming.map(Pattern::breadth).min()?, *excuse))
            })
            .collect();
        found.sort_by_key(|&(breadth, _)| std::cmp::Reverse(breadth));
        found.into_iter().map(|(_, excuse)| excuse).collect()
    }

    /// The ids of those that explained nothing (`used` are those that did), though every case they name was played on
    /// both servers, but for those that one of them is too old for.
    pub(super) fn stale(
        &self,
        suite: &Suite,
        used: &BTreeSet<String>,
        played: impl Fn(&CaseId) -> bool,
    ) -> Vec<String> {
        let too_old = |case: &Case| {
            let oldest = self.oldest.as_ref();
            oldest.is_some_and(|oldest| case.too_new_for(oldest).is_some())
        };
        let is_stale = |entry: &KnownDifference| {
            let named = || suite.cases().filter(|case| entry.names(&case.id));
            named().any(|case| played(&case.id))
                && named().all(|case| played(&case.id) || too_old(case))
                && !suite.left_out().any(|id| entry.names(id))
        };
        let entries = self.excuses.iter().map(|excuse| excuse.entry);
        entries
            .filter(|entry| !used.contains(&entry.id) && is_stale(entry))
            .map(|entry| entry.id.clone())
            .collect()
    }
}

impl KnownDifference {
    /// Whether this server does so.
    #[must_use]
    pub fn speaks_of(&self, server: &Server) -> bool {
        let version = || {
            self.versions.is_empty()
                || server
                    .version
                    .as_ref()
                    .is_some_and(|version| self.versions.iter().any(|some| some.matches(version)))
        };
        let named = || server.name.split(':').next() == Some(self.server.as_str());
        if self.server == "zookeeper" {
            server.version.is_some() && version()
        } else {
            named() && version()
        }
    }

    /// Whether it may show in a case.
    #[must_use]
    pub fn names(&self, case: &CaseId) -> bool {
        self.cases.iter().any(|cases| cases.names(case))
    }
}

fn parsed<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    Vec::<String>::deserialize(from)?
        .iter()
        .map(|text| text.parse().map_err(de::Error::custom))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use semver::Version;

    use super::{KnownDifferences, KnownError};
    use crate::judge::{ComparisonSummary, Findings, Outcome, Server};
    use crate::suite::{Chapter, Suite};

    fn entry(id: &str, rest: &str) -> String {
        format!(
            "[[difference]]\nid = '{id}'\ntopic = 'Watches'\ntitle = 'It is so'\ndoes = 'this'\nothers = 'that'\nwhy = 'because'\n{rest}\n"
        )
    }

    fn server(name: &str) -> Server {
        let version = match name {
            "embedded" => Some("3.9.5"),
            name => name.split_once(':').map(|(_, version)| version),
        };
        Server {
            name: name.to_owned(),
            version: version.and_then(|version| Version::parse(version).ok()),
        }
    }

    #[track_caller]
    fn check_applies(entry_rest: &str, left: &str, right: &str, applies: bool) {
        let text = entry("one", &format!("cases = ['*']\nmask = ['x']\n{entry_rest}"));
        let known = KnownDifferences::parse(&text).expect("known differences");
        let found = known.between(&server(left), &server(right));
        assert_eq!(
            !found.excuses.is_empty(),
            applies,
            "{entry_rest}: {left}, {right}"
        );
    }

    #[test]
    fn an_entry_applies_if_it_speaks_of_exactly_one_of_the_two() {
        let old = "server = 'zookeeper'\nversions = ['<3.8.4', '>=3.9.0, <3.9.2']";
        check_applies(old, "embedded", "zookeeper:3.8.3", true);
        check_applies(old, "zookeeper:3.9.1", "recorded:3.9.5", true);
        check_applies(old, "zookeeper:3.9.1", "zookeeper:3.8.3", false);
        check_applies(old, "embedded", "zookeeper:3.8.4", false);
        // Whoever does not say its version is spoken of by its name alone.
        check_applies(old, "embedded", "docker:latest", false);
        check_applies("server = 'docker'", "embedded", "docker:latest", true);
        check_applies("server = 'embedded'", "embedded", "zookeeper:3.9.5", true);
        check_applies(
            "server = 'embedded'",
            "zookeeper:3.8.5",
            "zookeeper:3.9.5",
            false,
        );
    }

    #[test]
    fn a_list_that_cannot_be_used_is_refused() {
        let good = entry(
            "one",
            "server = 'embedded'\ncases = ['watch/1']\nmask = ['x']",
        );
        assert!(KnownDifferences::parse(&good).is_ok());
        assert!(matches!(
            KnownDifferences::parse(&format!("{good}{good}")),
            Err(KnownError::Twice(id)) if id == "one"
        ));
        let silent = entry("one", "server = 'embedded'\ncases = ['watch/1']");
        assert!(matches!(
            KnownDifferences::parse(&silent),
            Err(KnownError::SaysNothing(id)) if id == "one"
        ));
        for bad in [
            "mask = ['(']",
            "masks = ['x']",
            "mask = ['x']\nversions = ['new']",
        ] {
            let text = entry(
                "one",
                &format!("server = 'zookeeper'\ncases = ['*']\n{bad}"),
            );
            assert!(
                matches!(KnownDifferences::parse(&text), Err(KnownError::Toml(_))),
                "{bad}"
            );
        }
    }

    /// What comes of two cases, `watch/1` and `watch/2`, in which the old server says `old` and ours says `new`.
    fn findings(suite: &Suite, known: &str, differs: [bool; 2]) -> Findings {
        let servers = [server("embedded"), server("zookeeper:3.8.5")];
        let known = KnownDifferences::parse(known).expect("known differences");
        let mut outcomes = HashMap::new();
        for case in suite.cases() {
            let differs = differs.get(case.id.number as usize - 1).copied();
            for place in 0..2 {
                let says_old = place == 1 && differs == Some(true);
                let line = if says_old {
                    "a:   -> old"
                } else {
                    "a:   -> new"
                };
                let outcome = if case.headers.since.is_some() && place == 1 {
                    Outcome::Skipped("needs ZooKeeper 3.9".to_owned())
                } else {
                    Outcome::Played {
                        transcript: ["a: ping", line].into_iter().collect(),
                        took: Duration::ZERO,
                    }
                };
                outcomes.insert((case.id.clone(), place), outcome);
            }
        }
        Findings::new(suite, &servers, &outcomes, &known, Duration::ZERO)
    }

    fn suite() -> Suite {
        let text = "# Watches\n== 1 one\na: ping\n== 2 two\na: ping\n== 3 three\nneeds: since 3.9\na: ping\n";
        Suite::new().with(Chapter::parse("watch", text).expect("a chapter"))
    }

    #[track_caller]
    fn check(suite: &Suite, cases: &str, differs: [bool; 2], unexplained: &[&str], stale: bool) {
        let rest = format!(
            "server = 'zookeeper'\nversions = ['<3.9']\nmask = ['old|new']\ncases = {cases}"
        );
        let findings = findings(suite, &entry("one", &rest), differs);
        let wrong = findings.cases().filter(|case| {
            let mut comparisons = case.comparisons.iter();
            comparisons.any(|comparison| comparison.result == ComparisonSummary::Different)
        });
        let wrong: Vec<&str> = wrong.map(|case| case.id.as_str()).collect();
        assert_eq!(wrong, unexplained, "{cases}");
        let found: Vec<&str> = findings
            .stale
            .iter()
            .map(|stale| stale.id.as_str())
            .collect();
        assert_eq!(found, if stale { &["one"][..] } else { &[] }, "{cases}");
    }

    #[test]
    fn a_difference_is_known_only_in_the_cases_that_are_named() {
        let suite = suite();
        check(&suite, "['watch/1']", [true, false], &[], false);
        check(&suite, "['watch/1']", [true, true], &["watch/2"], false);
        check(&suite, "['watch/1', 'watch/2']", [true, true], &[], false);
        check(&suite, "['watch/1..2']", [true, true], &[], false);
        check(&suite, "['watch']", [true, true], &[], false);
        check(&suite, "['*']", [true, true], &[], false);
        check(&suite, "['multi']", [true, false], &["watch/1"], false);
    }

    #[test]
    fn an_entry_that_explains_nothing_is_stale() {
        let suite = suite();
        check(&suite, "['watch/1']", [false, true], &["watch/2"], true);
        check(&suite, "['watch/1', 'watch/2']", [false, true], &[], false);
        // The old server cannot play the third case.
        check(&suite, "['*']", [false, false], &[], true);
        check(&suite, "['watch/2..']", [false, false], &[], true);
        check(&suite, "['watch/3']", [false, false], &[], false);
    }

    #[test]
    fn an_entry_is_not_stale_if_not_all_of_its_cases_were_to_be_played() {
        let narrow = suite().only(|case| case.id.number == 1);
        check(&narrow, "['watch']", [false, false], &[], false);
        check(
            &narrow,
            "['watch/1', 'watch/2']",
            [false, false],
            &[],
            false,
        );
        check(&narrow, "['watch/1']", [false, false], &[], true);
    }

    #[test]
    fn what_comes_with_the_harness_names_cases_that_there_are() {
        let suite = Suite::builtin();
        for entry in KnownDifferences::builtin().entries() {
            for cases in &entry.cases {
                assert!(
                    suite.cases().any(|case| cases.names(&case.id)),
                    "{}: {cases}",
                    entry.id
                );
            }
        }
    }
}
