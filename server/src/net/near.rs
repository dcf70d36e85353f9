//! Near misses: what a matcher that waits has seen that was not quite what it waits for.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::criterion::{Criterion, with_who};
use super::sight::{Sight, Who};
use super::{Kind, Matcher};

/// What passed while something was waited for, as far as it came near.
#[derive(Clone, Debug, Default)]
pub(super) struct Near {
    /// How many messages of a kind passed that could match.
    passed: u64,
    /// The kinds that can match, once they are known; of no interest where the matcher has a kind.
    kinds: Option<Vec<Kind>>,
    /// By the one condition that was not met: how often, and the value of the first.
    misses: BTreeMap<Criterion, (u64, Option<String>)>,
}

impl Near {
    /// Looks at something that passes and does not match.
    pub(super) fn note(&mut self, on: &Matcher, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        let kind = sight.kind();
        let can_match = match on.kind {
            Some(own) => own == kind,
            None => self
                .kinds
                .get_or_insert_with(|| {
                    let kinds = Kind::ALL.into_iter();
                    kinds.filter(|kind| on.is_possible_as(*kind)).collect()
                })
                .contains(&kind),
        };
        if !can_match {
            return;
        }
        self.passed += 1;
        with_who(who, sight, |who| {
            if let Some(criterion) = on.only_miss(who, sight) {
                let first = || criterion.shown(who, sight);
                self.misses
                    .entry(criterion)
                    .or_insert_with(|| (0, first()))
                    .0 += 1;
            }
        });
    }

    /// Looks at something that passes and matches.
    pub(super) fn matched(&mut self) {
        self.passed += 1;
    }

    /// What passed and what came near: `of 3 requests that passed, 1 matched; 1 differed only in the path (the first had
    /// /a)`.
    pub(super) fn in_words(&self, kind: Option<Kind>, matched: u64) -> String {
        let (one, several) = kind.map_or(("entry", "entries"), Kind::words);
        let mut text = match self.passed {
            0 => format!("no {one} passed"),
            1 => format!("of 1 {one} that passed, {matched} matched"),
            passed => format!("of {passed} {several} that passed, {matched} matched"),
        };
        for (criterion, (number, first)) in &self.misses {
            let _ = write!(text, "; {number} differed only in {criterion}");
            if let Some(first) = first {
                let _ = write!(text, " (the first had {first})");
            }
        }
        text
    }
}
