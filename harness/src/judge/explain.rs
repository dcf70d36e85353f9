//! Decides whether known differences explain everything that differs between two transcripts.
//!
//! Masked text is not compared. The lines of both transcripts are aligned by their shapes, without zxids and
//! session ids. Where the shapes differ, lines that an entry attributes to one server are removed, and the
//! remaining lines must be equal. Finally, the zxids of all aligned lines must have the same order on both
//! sides, and the sessions must correspond one to one. So a difference does not shift the names of all later
//! zxids, and no difference is lost.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::KnownDifference;
use crate::alignment::pair_up;
use crate::transcript::Transcript;

/// A known difference that applies to two servers and names the case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excuse<'a> {
    pub(super) entry: &'a KnownDifference,
    /// Whether the entry describes the left server.
    pub(super) left: bool,
}

/// Text that replaces masked text.
const MASKED: &str = "…";

/// Names that the transcript's rules give to zxids and sessions.
static NAMES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:\bat |zxid=|time\()z(\d+)\b|\bsession-(\d+)\b").ok());

/// Returns the ids of a minimal set of excuses that explains everything that differs, or `None` if there is
/// none. The excuses at the front are the first to be omitted.
pub(super) fn explain(
    left: &Transcript,
    right: &Transcript,
    excuses: &[Excuse<'_>],
) -> Option<Vec<String>> {
    let mut needed = excuses.to_vec();
    if !is_explained(left, right, &needed) {
        return None;
    }
    let mut at = 0;
    while at < needed.len() {
        let excuse = needed.remove(at);
        if !is_explained(left, right, &needed) {
            needed.insert(at, excuse);
            at += 1;
        }
    }
    Some(
        needed
            .iter()
            .map(|excuse| excuse.entry.id.clone())
            .collect(),
    )
}

fn is_explained(left: &Transcript, right: &Transcript, excuses: &[Excuse<'_>]) -> bool {
    let lines = |transcript: &Transcript, of_left: bool| -> Vec<Line> {
        let lines = transcript.lines().iter();
        lines.map(|line| Line::of(line, of_left, excuses)).collect()
    };
    let (left, right) = (lines(left, true), lines(right, false));
    let mut same = Same::default();
    let mut hunk = (Vec::new(), Vec::new());
    let (mut lefts, mut rights) = (left.iter(), right.iter());
    for (mark, _, _) in pair_up(&left, &right) {
        let left = if mark == '>' { None } else { lefts.next() };
        let right = if mark == '<' { None } else { rights.next() };
        if mark == ' ' {
            if !same.take_hunk(&mut hunk) {
                return false;
            }
            hunk = (left.into_iter().collect(), right.into_iter().collect());
            if !same.take_hunk(&mut hunk) {
                return false;
            }
        } else {
            hunk.0.extend(left.filter(|line| !line.may_be_alone));
            hunk.1.extend(right.filter(|line| !line.may_be_alone));
        }
    }
    same.take_hunk(&mut hunk) && same.zxids_are_in_order()
}

/// A line without masked text.
struct Line {
    /// The line without the names of zxids and sessions.
    shape: String,
    /// The names, each with its number: `z`, 3.
    names: Vec<(Kind, u64)>,
    /// Whether the other transcript may lack the line.
    may_be_alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Zxid,
    Session,
}

impl AsRef<str> for Line {
    fn as_ref(&self) -> &str {
        &self.shape
    }
}

impl Line {
    fn of(line: &str, of_left: bool, excuses: &[Excuse<'_>]) -> Self {
        let mut masked = line.to_owned();
        for mask in excuses.iter().flat_map(|excuse| &excuse.entry.mask) {
            masked = without(mask, &masked);
        }
        let alone = excuses.iter().flat_map(|excuse| {
            if excuse.left == of_left {
                &excuse.entry.has
            } else {
                &excuse.entry.lacks
            }
        });
        let may_be_alone = alone.into_iter().any(|pattern| pattern.is_match(line));
        let mut names = Vec::new();
        let mut shape = String::new();
        let mut end = 0;
        for found in NAMES.iter().flat_map(|name| name.captures_iter(&masked)) {
            let kinds = [(Kind::Zxid, found.get(1)), (Kind::Session, found.get(2))];
            for (kind, number) in kinds {
                if let Some(number) = number
                    && let Ok(value) = number.as_str().parse()
                {
                    names.push((kind, value));
                    shape.push_str(masked.get(end..number.start()).unwrap_or_default());
                    end = number.end();
                }
            }
        }
        shape.push_str(masked.get(end..).unwrap_or_default());
        Self {
            shape,
            names,
            may_be_alone,
        }
    }
}

/// Returns the line with masked text replaced by [`MASKED`].
fn without(mask: &Regex, line: &str) -> String {
    let mut text = String::new();
    let mut end = 0;
    for found in mask.captures_iter(line) {
        let skip = usize::from(found.len() > 1);
        for group in found.iter().skip(skip).flatten() {
            // A group within another group is already replaced.
            if group.start() >= end {
                text.push_str(line.get(end..group.start()).unwrap_or_default());
                text.push_str(MASKED);
                end = group.end();
            }
        }
    }
    text.push_str(line.get(end..).unwrap_or_default());
    text
}

/// Correspondence of the names on the left and on the right.
#[derive(Default)]
struct Same {
    rights: BTreeMap<(Kind, u64), u64>,
    lefts: BTreeMap<(Kind, u64), u64>,
}

impl Same {
    /// Takes lines that must be equal on both sides, and returns whether they are.
    fn take_hunk(&mut self, (left, right): &mut (Vec<&Line>, Vec<&Line>)) -> bool {
        let same = left.len() == right.len()
            && left
                .iter()
                .zip(right.iter())
                .all(|(a, b)| a.shape == b.shape && self.take_names(&a.names, &b.names));
        left.clear();
        right.clear();
        same
    }

    fn take_names(&mut self, left: &[(Kind, u64)], right: &[(Kind, u64)]) -> bool {
        left.iter().zip(right).all(|(&(kind, a), &(of, b))| {
            kind == of
                && *self.rights.entry((kind, a)).or_insert(b) == b
                && *self.lefts.entry((kind, b)).or_insert(a) == a
        })
    }

    /// Whether the zxids have the same order on both sides.
    fn zxids_are_in_order(&self) -> bool {
        let zxids = self
            .rights
            .iter()
            .filter(|((kind, _), _)| *kind == Kind::Zxid);
        zxids.map(|(_, right)| right).is_sorted()
    }
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::explain;
    use crate::judge::{KnownDifferences, Server};
    use crate::suite::CaseId;
    use crate::transcript::Transcript;

    fn server(name: &str, version: &str) -> Server {
        Server {
            name: name.to_owned(),
            version: Version::parse(version).ok(),
        }
    }

    /// Explains the differences between an old server on the left and a new one on the right by `entries`, and
    /// returns the ids.
    fn explanation(entries: &str, left: &[&str], right: &[&str]) -> Option<Vec<String>> {
        let mut text = String::new();
        for (at, entry) in entries.lines().enumerate() {
            text.push_str(&format!(
                "[[difference]]\nid = \"{}\"\nserver = \"zookeeper\"\nversions = [\"<3.9\"]\ncases = [\"watch\"]\n\
                 topic = \"\"\ntitle = \"\"\ndoes = \"\"\nothers = \"\"\nwhy = \"\"\n{entry}\n",
                at + 1
            ));
        }
        let known = KnownDifferences::parse(&text).expect("known differences");
        let old = server("zookeeper:3.8.5", "3.8.5");
        let new = server("embedded", "3.9.5");
        let case = CaseId {
            chapter: "watch".to_owned(),
            number: 1,
        };
        let transcript = |lines: &[&str]| lines.iter().copied().collect::<Transcript>();
        let (left, right) = (transcript(left), transcript(right));
        let found = explain(&left, &right, &known.between(&old, &new).to(&case));
        assert_eq!(
            explain(&right, &left, &known.between(&new, &old).to(&case)),
            found,
            "the result does not depend on the sides"
        );
        found
    }

    #[track_caller]
    fn check(entries: &str, left: &[&str], right: &[&str], ids: Option<&[&str]>) {
        let ids = ids.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
        assert_eq!(explanation(entries, left, right), ids);
    }

    const EVENT: &str = r"mask = ['! .* at (\S+)$']";

    #[test]
    fn masked_text_is_not_compared() {
        check(
            EVENT,
            &["a:   ! NodeDeleted /x state=3 at -1"],
            &["a:   ! NodeDeleted /x state=3 at z1"],
            Some(&["1"]),
        );
        check(
            EVENT,
            &["a:   ! NodeDeleted /x state=3 at -1"],
            &["a:   ! NodeDeleted /y state=3 at z1"],
            None,
        );
    }

    #[test]
    fn a_whole_match_is_masked_if_it_has_no_groups() {
        check(
            "mask = ['cversion=-?[0-9]+']",
            &["a:   -> ok at z1 cversion=1 aversion=0"],
            &["a:   -> ok at z1 cversion=-1 aversion=0"],
            Some(&["1"]),
        );
    }

    #[test]
    fn a_zxid_in_masked_text_does_not_shift_the_others() {
        let right = [
            "a:   ! NodeDeleted /x state=3 at z2",
            "a:   -> ok at z3 czxid=z1",
            "a:   -> ok at z4 mtime=time(z4)",
        ];
        let event = "a:   ! NodeDeleted /x state=3 at -1";
        let after = |third| [event, "a:   -> ok at z2 czxid=z1", third];
        check(
            EVENT,
            &after("a:   -> ok at z3 mtime=time(z3)"),
            &right,
            Some(&["1"]),
        );
        // One transaction has two names, and two transactions have one.
        check(
            EVENT,
            &after("a:   -> ok at z3 mtime=time(z2)"),
            &right,
            None,
        );
        check(
            EVENT,
            &after("a:   -> ok at z2 mtime=time(z2)"),
            &right,
            None,
        );
        // Two transactions have the wrong order.
        check(
            EVENT,
            &after("a:   -> ok at z0 mtime=time(z0)"),
            &right,
            None,
        );
    }

    #[test]
    fn an_entry_explains_a_line_of_one_server() {
        let entries = "has = ['the connection ends']\nlacks = ['-> UNIMPLEMENTED']";
        let left = ["a: whoAmI", "a:   the connection ends", "b: exists /x"];
        let right = [
            "a: whoAmI",
            "a:   -> UNIMPLEMENTED (-6) at z1",
            "b: exists /x",
        ];
        check(entries, &left, &right, Some(&["1", "2"]));
        check("has = ['connection ends']", &left, &right, None);
        check(
            "has = ['connection ends']\n",
            &left,
            &["a: whoAmI", "b: exists /x"],
            Some(&["1"]),
        );
        // The other server has the line.
        check(
            "lacks = ['connection ends']\n",
            &left,
            &["a: whoAmI", "b: exists /x"],
            None,
        );
    }

    #[test]
    fn a_line_of_both_servers_may_occur_once_more_on_one_of_them() {
        check(
            "has = ['!']",
            &["a:   ! NodeCreated /x", "a: ping", "a:   ! NodeDeleted /x"],
            &["a:   ! NodeCreated /x", "a: ping"],
            Some(&["1"]),
        );
    }

    #[test]
    fn every_difference_needs_an_explanation() {
        let left = [
            "a:   ! NodeDeleted /x state=3 at -1",
            "a: ping",
            "a:   -> ok 1",
        ];
        let right = [
            "a:   ! NodeDeleted /x state=3 at z1",
            "a: ping",
            "a:   -> ok 2",
        ];
        check(EVENT, &left, &right, None);
        let both = format!("{EVENT}\nmask = ['ok .']");
        check(&both, &left, &right, Some(&["1", "2"]));
    }

    #[test]
    fn an_entry_that_is_not_needed_explains_nothing() {
        let entries = format!("mask = ['version=.']\n{EVENT}\nmask = ['czxid']");
        check(
            &entries,
            &["a:   ! NodeDeleted /x state=3 at -1"],
            &["a:   ! NodeDeleted /x state=3 at z1"],
            Some(&["2"]),
        );
    }

    #[test]
    fn sessions_correspond_one_to_one() {
        let entry = "has = ['refused']";
        let right = [
            "a:   -> session-1",
            "b:   -> session-2",
            "b:   -> owner=session-1",
        ];
        let left = |last| {
            [
                "x:   -> refused session-1",
                "a:   -> session-2",
                "b:   -> session-3",
                last,
            ]
        };
        check(
            entry,
            &left("b:   -> owner=session-2"),
            &right,
            Some(&["1"]),
        );
        check(entry, &left("b:   -> owner=session-3"), &right, None);
    }
}
