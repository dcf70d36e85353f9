//! Near misses: messages that passed a waiting matcher and differed from it in one condition only.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::criterion::{Criterion, with_who};
use super::sight::{Sight, Who};
use super::{EventKind, Matcher};

/// Messages that passed while something was waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Near {
    /// Number of messages that passed, of kinds that can match.
    passed: u64,
    /// Kinds that can match, once they are known. Not used where the matcher has a kind.
    kinds: Option<Vec<EventKind>>,
    /// For each condition that was the only one not met: the number of messages, and the value of the first.
    misses: BTreeMap<Criterion, (u64, Option<String>)>,
}

impl Near {
    /// Counts a message that does not match.
    pub(crate) fn note(&mut self, on: &Matcher, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        let kind = sight.kind();
        let can_match = match on.kind {
            Some(own) => own == kind,
            None => self
                .kinds
                .get_or_insert_with(|| {
                    let kinds = EventKind::ALL.into_iter();
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

    /// Counts a message that matches.
    pub(crate) fn matched(&mut self) {
        self.passed += 1;
    }

    /// Description of the messages that passed and of the near misses: `of 3 requests that passed, 1 matched; 1
    /// differed only in the path (the first had /a)`.
    pub(crate) fn in_words(&self, kind: Option<EventKind>, matched: u64) -> String {
        let (one, several) = kind.map_or(("entry", "entries"), EventKind::words);
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
