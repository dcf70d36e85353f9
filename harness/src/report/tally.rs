//! How often each verdict was given, per pair of servers.

use crate::judge::{CaseFindings, Findings, Judgement, Trouble};
use std::ops::AddAssign;

/// A verdict without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The servers do the same.
    Same,
    /// There was one server alone, and it played the case.
    Played,
    /// They differ as was known.
    Known,
    /// They differ.
    Different,
    /// The case was not played.
    Skipped,
    /// It broke off.
    Failed,
}

impl Class {
    /// All, in the order in which reports show them.
    pub const ALL: [Self; 6] = [
        Self::Same,
        Self::Played,
        Self::Known,
        Self::Different,
        Self::Skipped,
        Self::Failed,
    ];

    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Played => "played",
            Self::Known => "known",
            Self::Different => "different",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// Whether a run with it is not as it should be.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Different | Self::Failed)
    }

    /// Whether it says something of two servers.
    #[must_use]
    pub fn compares(self) -> bool {
        matches!(self, Self::Same | Self::Known | Self::Different)
    }
}

/// How many cases got each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([usize; Class::ALL.len()]);

impl Tally {
    /// How many got this one.
    #[must_use]
    pub fn of(&self, class: Class) -> usize {
        Class::ALL
            .iter()
            .zip(self.0)
            .find_map(|(&known, count)| (known == class).then_some(count))
            .unwrap_or(0)
    }

    /// Adds one.
    pub fn count(&mut self, class: Class) {
        for (known, count) in Class::ALL.iter().zip(&mut self.0) {
            *count += usize::from(*known == class);
        }
    }

    /// How many there are altogether.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// How many are not as they should be.
    #[must_use]
    pub fn bad(&self) -> usize {
        Class::ALL
            .iter()
            .zip(self.0)
            .filter(|(class, _)| class.is_bad())
            .map(|(_, count)| count)
            .sum()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

/// Who is judged: two servers, or one alone if there is nothing to compare it with. By their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) left: usize,
    pub(super) right: Option<usize>,
}

/// The verdict on a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) class: Class,
    /// The reason, or the ids of known differences.
    pub(super) why: Option<String>,
}

impl Pair {
    /// Everyone who is judged, in order.
    pub(super) fn all(findings: &Findings) -> Vec<Self> {
        let servers = findings.servers.len();
        if servers < 2 {
            return (0..servers)
                .map(|left| Self { left, right: None })
                .collect();
        }
        (1..servers)
            .map(|right| Self {
                left: 0,
                right: Some(right),
            })
            .collect()
    }

    /// `embedded and zookeeper:3.9.5`.
    pub(super) fn name(self, findings: &Findings) -> String {
        let of = |place: usize| findings.servers.get(place).map_or("?", String::as_str);
        match self.right {
            Some(right) => format!("{} and {}", of(self.left), of(right)),
            None => of(self.left).to_owned(),
        }
    }

    /// The places of those judged.
    pub(super) fn servers(self) -> impl Iterator<Item = usize> {
        [Some(self.left), self.right].into_iter().flatten()
    }

    /// What the case says of them.
    pub(super) fn verdict(self, case: &CaseFindings) -> Verdict {
        let Some(right) = self.right else {
            return match case.plays.get(self.left).map(|play| &play.trouble) {
                Some(None) => verdict(Class::Played, None),
                Some(Some(Trouble::Failed(why))) => verdict(Class::Failed, Some(why)),
                Some(Some(Trouble::Skipped(why))) => verdict(Class::Skipped, Some(why)),
                None => verdict(Class::Skipped, Some("not played")),
            };
        };
        let judgement = case
            .comparisons
            .iter()
            .find(|comparison| comparison.left == self.left && comparison.right == right)
            .map(|comparison| &comparison.verdict);
        match judgement {
            Some(Judgement::Same) => verdict(Class::Same, None),
            Some(Judgement::Different) => verdict(Class::Different, None),
            Some(Judgement::Known(ids)) => verdict(Class::Known, Some(&ids.join(", "))),
            Some(Judgement::Skipped(why)) => verdict(Class::Skipped, Some(why)),
            Some(Judgement::Failed(why)) => verdict(Class::Failed, Some(why)),
            None => verdict(Class::Skipped, Some("not compared")),
        }
    }

    /// What all these cases say of them.
    pub(super) fn tally<'a>(self, cases: impl IntoIterator<Item = &'a CaseFindings>) -> Tally {
        let mut tally = Tally::default();
        for case in cases {
            tally.count(self.verdict(case).class);
        }
        tally
    }
}

fn verdict(class: Class, why: Option<&str>) -> Verdict {
    Verdict {
        class,
        why: why.map(str::to_owned),
    }
}

impl Tally {
    /// All verdicts of a run: each case counts once for every server that the first is compared with.
    #[must_use]
    pub fn all(findings: &Findings) -> Self {
        let mut all = Self::default();
        for pair in Pair::all(findings) {
            all += pair.tally(findings.cases());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Pair, Tally};
    use crate::report::sample;

    #[test]
    fn every_case_counts_once_for_each_pair() {
        let findings = sample::three_servers();
        let all = Tally::all(&findings);
        assert_eq!(all.total(), 2 * findings.cases().count());
        assert_eq!(all.of(Class::Different), 2);
        assert_eq!(all.bad(), 3);
    }

    #[test]
    fn a_server_alone_is_not_said_to_be_the_same_as_anything() {
        let findings = sample::alone();
        let pairs = Pair::all(&findings);
        assert_eq!(pairs.len(), 1);
        let all = Tally::all(&findings);
        assert_eq!(all.of(Class::Same), 0);
        assert_eq!(all.of(Class::Played), 2);
    }
}
