//! Findings of a run, as plain data. The JSON report is this data, and every other report is made from it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Applicable, ComparisonResult, KnownDifferences, Outcome, Server, Stale, compare_with_known,
};
use crate::suite::{Case, CaseId, Suite};

/// Version of the JSON format of [`Findings`]. It increases when a reader of older files would misread newer
/// ones.
pub const FORMAT: u32 = 2;

/// Findings of a run of a suite on some servers, the first compared with each of the others.
///
/// As JSON, every struct is an object with the names of its fields. A [`ComparisonSummary`] is `"same"`,
/// `"different"`, `{"known": [ID, ...]}`, `{"skipped": WHY}` or `{"failed": WHY}`. A [`Trouble`] is
/// `{"skipped": WHY}` or `{"failed": WHY}`, or `null` if the case completed. Servers are identified by their
/// index in `servers`, from 0. Readers should ignore unknown fields.
///
/// ```json
/// {
///   "format": 2,
///   "started": "2026-01-31T12:00:00Z",
///   "took_ms": 81500,
///   "servers": ["embedded", "zookeeper:3.9.5"],
///   "absent": [{"server": "zookeeper:3.8.5", "why": "java: ..."}],
///   "explained": [{
///     "id": "event-without-zxid", "title": "Events have no zxid", "does": "...", "others": "...", "why": "..."
///   }],
///   "played_again": ["container/29"],
///   "stale": [{"id": "event-without-zxid", "left": "embedded", "right": "zookeeper:3.8.5"}],
///   "chapters": [{
///     "name": "watch",
///     "title": "Watches: every kind, every trigger",
///     "cases": [{
///       "id": "watch/1",
///       "title": "a deleted znode fires its data watch once",
///       "script": "a: create /x \"1\"\n...",
///       "plays": [
///         {"lines": ["a: create /x \"1\"", "a:   -> ok at z1 /x"], "trouble": null, "took_ms": 3},
///         {"lines": ["..."], "trouble": null, "took_ms": 41}
///       ],
///       "comparisons": [{"left": 0, "right": 1, "result": "same"}]
///     }]
///   }]
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// [`FORMAT`] of the program that wrote the findings.
    pub format: u32,
    /// Start of the run in the format of RFC 3339, if it is known.
    #[serde(default)]
    pub started: Option<String>,
    /// The servers, by name.
    pub servers: Vec<String>,
    /// Requested servers that took part in no case.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// Known differences that no longer show.
    #[serde(default)]
    pub stale: Vec<Stale>,
    /// The known differences that showed, by id.
    #[serde(default)]
    pub explained: Vec<Explained>,
    /// Cases that depend on real time, differed or failed at first, and were run again. Their findings are
    /// those of the last run.
    #[serde(default)]
    pub played_again: Vec<String>,
    /// The chapters, in order.
    pub chapters: Vec<ChapterFindings>,
    /// Duration of the run, in milliseconds.
    pub took_ms: u64,
}

/// A known difference that showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Id, as in [`ComparisonSummary::Known`].
    pub id: String,
    /// Short description of the difference.
    pub title: String,
    /// Behaviour of the server that the entry describes.
    pub does: String,
    /// Behaviour of all others.
    pub others: String,
    /// Reason, with a reference.
    pub why: String,
}

/// A server that took part in no case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Name of the server.
    pub server: String,
    /// Reason, such as a requirement that this machine does not meet.
    pub why: String,
}

/// Findings of a chapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChapterFindings {
    /// Name, such as `watch`.
    pub name: String,
    /// Subject of the chapter, in one line.
    pub title: String,
    /// Cases of the chapter, in order.
    pub cases: Vec<CaseFindings>,
}

/// Findings of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFindings {
    /// Id, such as `watch/17`.
    pub id: String,
    /// The fact that the case shows.
    pub title: String,
    /// Text of the case, if it is a script.
    pub script: Option<String>,
    /// Results on each server, in the order of the servers.
    pub plays: Vec<Play>,
    /// Comparisons of the first server with each of the others.
    pub comparisons: Vec<Comparison>,
}

/// Result of a case on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Play {
    /// The transcript, as far as the case ran.
    pub lines: Vec<String>,
    /// Reason why the case was not run, or not to its end.
    pub trouble: Option<Trouble>,
    /// Duration, in milliseconds.
    pub took_ms: u64,
}

/// Reason why a case did not complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The server lacks something that the case needs.
    Skipped(String),
    /// The case failed.
    Failed(String),
}

/// Comparison of a case on two servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Index of the first server.
    pub left: usize,
    /// Index of the other server.
    pub right: usize,
    /// Result of the comparison.
    pub result: ComparisonSummary,
}

/// Result of a comparison, without the transcripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparisonSummary {
    /// The transcripts are equal.
    Same,
    /// The transcripts differ.
    Different,
    /// The transcripts differ, and the known differences with these ids explain it.
    Known(Vec<String>),
    /// One of the servers could not run the case, for this reason.
    Skipped(String),
    /// The case failed on one of the servers, for this reason.
    Failed(String),
}

impl CaseFindings {
    /// Compares the first of the outcomes with each of the others, by the known differences that apply to both.
    fn new<'a>(
        case: &Case,
        outcomes: &[&Outcome],
        known: impl Iterator<Item = &'a Applicable<'a>>,
    ) -> Self {
        let comparisons = match outcomes {
            [] => Vec::new(),
            [left, rights @ ..] => (1..)
                .zip(rights)
                .zip(known)
                .map(|((right, outcome), known)| Comparison {
                    left: 0,
                    right,
                    result: compare_with_known(&case.id, left, outcome, known).into(),
                })
                .collect(),
        };
        Self {
            id: case.id.to_string(),
            title: case.title.clone(),
            script: case.script().map(ToString::to_string),
            plays: outcomes.iter().map(|outcome| Play::of(outcome)).collect(),
            comparisons,
        }
    }
}

impl Findings {
    // Longer than 60 lines: the comparisons and the stale entries come from the same borrowed pairs.
    /// Combines the results of a run. `servers` are those that [`run`](super::run) returned.
    #[must_use]
    pub fn new(
        suite: &Suite,
        servers: &[Server],
        outcomes: &HashMap<(CaseId, usize), Outcome>,
        known: &KnownDifferences,
        took: Duration,
    ) -> Self {
        let missing = Outcome::Skipped("not run".to_owned());
        let of = |id: &CaseId, server| outcomes.get(&(id.clone(), server)).unwrap_or(&missing);
        let rights: Vec<_> = match servers {
            [] => Vec::new(),
            [left, rights @ ..] => rights
                .iter()
                .zip(1..)
                .map(|(right, place)| (place, left, right, known.between(left, right)))
                .collect(),
        };
        let chapters: Vec<ChapterFindings> = suite
            .chapters
            .iter()
            .map(|chapter| ChapterFindings {
                name: chapter.name.clone(),
                title: chapter.title.clone(),
                cases: chapter
                    .cases
                    .iter()
                    .map(|case| {
                        let outcomes = (0..servers.len()).map(|server| of(&case.id, server));
                        let outcomes: Vec<&Outcome> = outcomes.collect();
                        CaseFindings::new(case, &outcomes, rights.iter().map(|right| &right.3))
                    })
                    .collect(),
            })
            .collect();
        let played = |id: &CaseId, server| {
            matches!(
                outcomes.get(&(id.clone(), server)),
                Some(Outcome::Played { .. })
            )
        };
        let mut stale = Vec::new();
        for (place, left, right, known) in &rights {
            let used = chapters.iter().flat_map(|chapter| &chapter.cases);
            let used: BTreeSet<String> = used
                .flat_map(|case| {
                    case.comparisons
                        .iter()
                        .filter(|other| other.right == *place)
                })
                .flat_map(|comparison| comparison.result.known().to_vec())
                .collect();
            let ids = known.stale(suite, &used, |id| played(id, 0) && played(id, *place));
            stale.extend(ids.into_iter().map(|id| Stale {
                id,
                left: left.name.clone(),
                right: right.name.clone(),
            }));
        }
        Self {
            format: FORMAT,
            started: None,
            servers: servers.iter().map(|server| server.name.clone()).collect(),
            absent: Vec::new(),
            stale,
            explained: explained(&chapters, known),
            played_again: Vec::new(),
            chapters,
            took_ms: ms(took),
        }
    }

    /// Removes servers, except for the first, on which every case was skipped for one and the same reason. They
    /// are listed in [`absent`](Self::absent) with the reason.
    #[must_use]
    pub fn without_absent(mut self) -> Self {
        for place in (1..self.servers.len()).rev() {
            let Some(why) = self.absence(place) else {
                continue;
            };
            let server = self.servers.remove(place);
            self.absent.insert(0, Absent { server, why });
            for case in self
                .chapters
                .iter_mut()
                .flat_map(|chapter| &mut chapter.cases)
            {
                case.plays.remove(place);
                case.comparisons
                    .retain(|comparison| comparison.left != place && comparison.right != place);
                for comparison in &mut case.comparisons {
                    for server in [&mut comparison.left, &mut comparison.right] {
                        *server -= usize::from(*server > place);
                    }
                }
            }
        }
        self
    }

    fn absence(&self, server: usize) -> Option<String> {
        let mut reasons = self.cases().map(|case| {
            match case
                .plays
                .get(server)
                .and_then(|play| play.trouble.as_ref())
            {
                Some(Trouble::Skipped(why)) => Some(why),
                Some(Trouble::Failed(_)) | None => None,
            }
        });
        let first = reasons.next()??;
        reasons.all(|why| why == Some(first)).then(|| first.clone())
    }

    /// Returns every case, in order.
    pub fn cases(&self) -> impl Iterator<Item = &CaseFindings> {
        self.chapters.iter().flat_map(|chapter| &chapter.cases)
    }
}

/// Returns the known differences that a result names.
fn explained(chapters: &[ChapterFindings], known: &KnownDifferences) -> Vec<Explained> {
    let comparisons = chapters
        .iter()
        .flat_map(|chapter| &chapter.cases)
        .flat_map(|case| &case.comparisons);
    let used: BTreeSet<&String> = comparisons.flat_map(|found| found.result.known()).collect();
    let entries = known.entries().iter();
    entries
        .filter(|entry| used.contains(&entry.id))
        .map(|entry| Explained {
            id: entry.id.clone(),
            title: entry.title.clone(),
            does: entry.does.clone(),
            others: entry.others.clone(),
            why: entry.why.clone(),
        })
        .collect()
}

impl Play {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Played { transcript, took } => Self {
                lines: transcript.lines().to_vec(),
                trouble: None,
                took_ms: ms(*took),
            },
            Outcome::Skipped(why) => Self {
                lines: Vec::new(),
                trouble: Some(Trouble::Skipped(why.clone())),
                took_ms: 0,
            },
            Outcome::Failed { why, so_far } => Self {
                lines: so_far
                    .as_ref()
                    .map(|so_far| so_far.lines().to_vec())
                    .unwrap_or_default(),
                trouble: Some(Trouble::Failed(why.clone())),
                took_ms: 0,
            },
        }
    }
}

impl ComparisonSummary {
    /// Returns the ids of the known differences that explain everything that differs.
    #[must_use]
    pub fn known(&self) -> &[String] {
        match self {
            Self::Known(ids) => ids,
            Self::Same | Self::Different | Self::Skipped(_) | Self::Failed(_) => &[],
        }
    }
}

impl From<ComparisonResult> for ComparisonSummary {
    fn from(result: ComparisonResult) -> Self {
        match result {
            ComparisonResult::Same => Self::Same,
            ComparisonResult::Known { ids, .. } => Self::Known(ids),
            ComparisonResult::Different(_) => Self::Different,
            ComparisonResult::Skipped(why) => Self::Skipped(why),
            ComparisonResult::Failed(why) => Self::Failed(why),
        }
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
