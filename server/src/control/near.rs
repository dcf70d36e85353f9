//! Near misses: events that passed a matcher and differed from it in one condition only.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::client::Client;
use super::criterion::Criterion;
use super::event::Event;
use super::event_kind::EventKind;
use super::matcher::Matcher;

/// Events that passed while a matcher waited for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Near {
    /// Number of events that passed, of kinds that can match.
    passed: u64,
    /// Kinds that can match, once they are known. Unused where the matcher has a kind.
    kinds: Option<Vec<EventKind>>,
    /// For each condition that was the only one not met: the number of events, and the value of the first one.
    misses: BTreeMap<Criterion, (u64, Option<String>)>,
}

impl Near {
    /// Counts an event that does not match.
    pub(crate) fn note(&mut self, on: &Matcher, client: &Client<'_>, event: &Event<'_>) {
        let kind = event.kind();
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
        if let Some(criterion) = on.only_miss(client, event) {
            let first = || criterion.shown(client, event);
            self.misses
                .entry(criterion)
                .or_insert_with(|| (0, first()))
                .0 += 1;
        }
    }

    /// Counts an event that matches.
    pub(crate) fn matched(&mut self) {
        self.passed += 1;
    }

    /// Describes the events that passed, and the near misses: `of 3 requests that passed, 1 matched; 1
    /// differed only in the path (the first had /a)`.
    pub(crate) fn describe(&self, kind: Option<EventKind>, matched: u64) -> String {
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
