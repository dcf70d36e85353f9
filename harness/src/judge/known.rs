//! Known differences: deviating behaviour of some servers, the affected versions, and the reason.
//!
//! The entries are written in TOML. The built-in ones are in `harness/known-differences.toml`:
//!
//! ```toml
//! [[difference]]
//! id = "event-without-zxid"             # name in reports
//! title = "Events have no zxid"
//! server = "zookeeper"                  # affected servers: any server of these versions...
//! versions = ["<3.9"]                   # (one of them matches; `embedded` has the version that it implements)
//! # server = "docker"                   # ...or servers named `docker:...`, `embedded`, ...
//! topic = "Watches"                     # heading on the page about versions
//! cases = ["*"]                         # `*`, chapters, cases, ranges (`watch/3..9`)
//! mask = ['! .* at (\S+)$']             # on the lines of both: text that is not compared (the groups, if any)
//! has = ['-> NONODE']                   # lines that only this server has where both differ
//! lacks = ['-> ok']                     # lines that only the other server has where both differ
//! does = "The header of an event says zxid -1."
//! others = "It says the zxid of the transaction that fired it."
//! why = "ZOOKEEPER-4655 added the zxid to the event."
//! ```
//!
//! An entry *applies* to two servers if it describes exactly one of them. The applicable entries that name a
//! case *explain* the difference of two servers in it if nothing else differs. A difference without an
//! explanation is a failure. An applicable entry that explains nothing, although all cases that it names ran on
//! both servers, is *stale*, which is a failure as well.

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

/// A list of known differences. With an empty list, every difference is a failure.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifferences {
    #[serde(default, rename = "difference")]
    entries: Vec<KnownDifference>,
}

/// A behaviour of one server, or of some versions, that differs from all others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifference {
    /// Name in reports.
    pub id: String,
    /// Short description of the difference.
    pub title: String,
    /// The affected servers: `zookeeper` means every server of the `versions`; any other word is the beginning
    /// of a server's name, such as `embedded` or `docker`.
    pub server: String,
    /// The affected versions, of which one must match; all versions if the list is empty.
    #[serde(default, deserialize_with = "parsed")]
    pub versions: Vec<VersionReq>,
    /// Heading under which the entry is listed.
    pub topic: String,
    /// The cases that show the difference.
    #[serde(deserialize_with = "parsed")]
    pub cases: Vec<Pattern>,
    /// Patterns for text that is not compared, on the lines of both servers: the groups of a match, or the
    /// whole match if there are no groups.
    #[serde(default, deserialize_with = "parsed")]
    pub mask: Vec<Regex>,
    /// Patterns for lines that the server has and the other lacks.
    #[serde(default, deserialize_with = "parsed")]
    pub has: Vec<Regex>,
    /// Patterns for lines that the server lacks and the other has.
    #[serde(default, deserialize_with = "parsed")]
    pub lacks: Vec<Regex>,
    /// Behaviour of the affected servers.
    pub does: String,
    /// Behaviour of all others.
    pub others: String,
    /// Reason, with a reference to an issue or a class.
    pub why: String,
}

/// An entry that applied and explained nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// Id of the entry.
    pub id: String,
    /// One of the servers.
    pub left: String,
    /// The other server.
    pub right: String,
}

/// Reason why a list of known differences is invalid.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KnownError {
    /// The text is not TOML, or an entry has missing or unknown fields.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// Two entries have the same id.
    #[error("two known differences have the id `{0}`")]
    Twice(String),
    /// An entry has no pattern.
    #[error("known difference `{0}` needs `mask`, `has` or `lacks`")]
    SaysNothing(String),
}

impl KnownDifferences {
    /// Returns the built-in known differences.
    ///
    /// # Panics
    ///
    /// Panics if the file is invalid; a test reads it.
    #[must_use]
    pub fn builtin() -> Self {
        Self::parse(BUILTIN)
            .unwrap_or_else(|error| panic!("harness/known-differences.toml: {error}"))
    }

    /// Parses a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is invalid.
    pub fn parse(text: &str) -> Result<Self, KnownError> {
        Self::default().with(toml::from_str(text)?)
    }

    /// Adds the entries of another list.
    ///
    /// # Errors
    ///
    /// Returns an error if two entries have the same id.
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

    /// Returns every entry, in order.
    #[must_use]
    pub fn entries(&self) -> &[KnownDifference] {
        &self.entries
    }

    /// Returns the entries that apply to two servers.
    #[must_use]
    pub fn between(&self, left: &Server, right: &Server) -> Applicable<'_> {
        let excuses = self.entries.iter().filter_map(|entry| {
            match (entry.describes(left), entry.describes(right)) {
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
    /// Returns the entries that name a case, those that name the most cases first.
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

    /// Returns the ids of the entries that explained nothing, given those that did (`used`). Requires that
    /// every case that an entry names ran on both servers, except for cases for which one of the servers is too
    /// old.
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
                && !suite.excluded().any(|id| entry.names(id))
        };
        let entries = self.excuses.iter().map(|excuse| excuse.entry);
        entries
            .filter(|entry| !used.contains(&entry.id) && is_stale(entry))
            .map(|entry| entry.id.clone())
            .collect()
    }
}

impl KnownDifference {
    /// Whether the entry describes this server.
    #[must_use]
    pub fn describes(&self, server: &Server) -> bool {
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

    /// Whether the entry names this case.
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
            "[[difference]]\nid = '{id}'\ntopic = 'Watches'\ntitle = 'A difference'\ndoes = 'this'\n\
                 others = 'that'\nwhy = 'because'\n{rest}\n"
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
    fn an_entry_applies_if_it_describes_exactly_one_server() {
        let old = "server = 'zookeeper'\nversions = ['<3.8.4', '>=3.9.0, <3.9.2']";
        check_applies(old, "embedded", "zookeeper:3.8.3", true);
        check_applies(old, "zookeeper:3.9.1", "recorded:3.9.5", true);
        check_applies(old, "zookeeper:3.9.1", "zookeeper:3.8.3", false);
        check_applies(old, "embedded", "zookeeper:3.8.4", false);
        // A server without a known version is described by its name alone.
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
    fn an_invalid_list_is_refused() {
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

    /// Findings of two cases, `watch/1` and `watch/2`, in which the old server returns `old` and ours returns
    /// `new`.
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
    fn a_difference_is_known_only_in_the_named_cases() {
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
        // The old server cannot run the third case.
        check(&suite, "['*']", [false, false], &[], true);
        check(&suite, "['watch/2..']", [false, false], &[], true);
        check(&suite, "['watch/3']", [false, false], &[], false);
    }

    #[test]
    fn an_entry_is_not_stale_if_the_run_leaves_out_one_of_its_cases() {
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
    fn the_built_in_entries_name_existing_cases() {
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
