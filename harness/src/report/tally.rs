//! Counts of results per pair of servers.

use std::ops::AddAssign;

use crate::judge::{CaseFindings, ComparisonSummary, Findings, Trouble};

/// Kind of a result, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The servers behave alike.
    Same,
    /// The case was run on the only server.
    Played,
    /// The servers differ as a known difference says.
    Known,
    /// The servers differ.
    Different,
    /// The case was not run.
    Skipped,
    /// The case was interrupted by an error.
    Failed,
}

impl Class {
    /// All kinds, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Same,
        Self::Played,
        Self::Known,
        Self::Different,
        Self::Skipped,
        Self::Failed,
    ];

    /// Returns the name of the kind.
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

    /// Returns whether a run with such a result fails.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Different | Self::Failed)
    }

    /// Returns whether the result compares two servers.
    #[must_use]
    pub fn compares(self) -> bool {
        matches!(self, Self::Same | Self::Known | Self::Different)
    }
}

/// Number of cases per kind of result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([usize; Class::ALL.len()]);

impl Tally {
    /// Returns the number of cases of this kind.
    #[must_use]
    pub fn of(&self, class: Class) -> usize {
        Class::ALL
            .iter()
            .zip(self.0)
            .find_map(|(&known, count)| (known == class).then_some(count))
            .unwrap_or(0)
    }

    /// Counts one case.
    pub fn count(&mut self, class: Class) {
        for (known, count) in Class::ALL.iter().zip(&mut self.0) {
            *count += usize::from(*known == class);
        }
    }

    /// Returns the number of all cases.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// Returns the number of cases that make the run fail.
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

/// A pair of servers that is compared, or one alone if there is no other, by their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) left: usize,
    pub(super) right: Option<usize>,
}

/// Result of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaseResult {
    pub(super) class: Class,
    /// Reason, or ids of known differences.
    pub(super) why: Option<String>,
}

impl Pair {
    /// Returns all pairs, in order.
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

    /// Returns the names, such as `embedded and zookeeper:3.9.5`.
    pub(super) fn name(self, findings: &Findings) -> String {
        let of = |place: usize| findings.servers.get(place).map_or("?", String::as_str);
        match self.right {
            Some(right) => format!("{} and {}", of(self.left), of(right)),
            None => of(self.left).to_owned(),
        }
    }

    /// Returns the positions of the servers.
    pub(super) fn servers(self) -> impl Iterator<Item = usize> {
        [Some(self.left), self.right].into_iter().flatten()
    }

    /// Returns the result of a case for this pair.
    pub(super) fn result(self, case: &CaseFindings) -> CaseResult {
        let Some(right) = self.right else {
            return match case.plays.get(self.left).map(|play| &play.trouble) {
                Some(None) => result(Class::Played, None),
                Some(Some(Trouble::Failed(why))) => result(Class::Failed, Some(why)),
                Some(Some(Trouble::Skipped(why))) => result(Class::Skipped, Some(why)),
                None => result(Class::Skipped, Some("not played")),
            };
        };
        let judgement = case
            .comparisons
            .iter()
            .find(|comparison| comparison.left == self.left && comparison.right == right)
            .map(|comparison| &comparison.result);
        match judgement {
            Some(ComparisonSummary::Same) => result(Class::Same, None),
            Some(ComparisonSummary::Different) => result(Class::Different, None),
            Some(ComparisonSummary::Known(ids)) => result(Class::Known, Some(&ids.join(", "))),
            Some(ComparisonSummary::Skipped(why)) => result(Class::Skipped, Some(why)),
            Some(ComparisonSummary::Failed(why)) => result(Class::Failed, Some(why)),
            None => result(Class::Skipped, Some("not compared")),
        }
    }

    /// Counts the results of cases for this pair.
    pub(super) fn tally<'a>(self, cases: impl IntoIterator<Item = &'a CaseFindings>) -> Tally {
        let mut tally = Tally::default();
        for case in cases {
            tally.count(self.result(case).class);
        }
        tally
    }
}

fn result(class: Class, why: Option<&str>) -> CaseResult {
    CaseResult {
        class,
        why: why.map(str::to_owned),
    }
}

impl Tally {
    /// Counts all results of a run: each case counts once for every server that the first is compared with.
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
    fn a_single_server_is_not_compared() {
        let findings = sample::alone();
        let pairs = Pair::all(&findings);
        assert_eq!(pairs.len(), 1);
        let all = Tally::all(&findings);
        assert_eq!(all.of(Class::Same), 0);
        assert_eq!(all.of(Class::Played), 2);
    }
}
