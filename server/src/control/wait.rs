//! Waits: the conditions that tests wait for, and the messages that meet them.
//!
//! A wait here is data. `net` holds the wakers and measures the time; [`Waits::take_ended`] lists the waits whose
//! tasks are to be woken.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::client::Client;
use super::event::Event;
use super::fault::FaultId;
use super::hold::HoldId;
use super::journal::{Entry, Mark};
use super::matcher::Matcher;
use super::near::Near;
use super::timed_out::TimedOut;

/// Number of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaitId(u64);

/// All waits of one server.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    waiting: BTreeMap<WaitId, Wait>,
    next: u64,
    /// Waits that have an outcome, and whose tasks are not woken yet.
    ended: Vec<WaitId>,
    /// Whether the server is gone, so that nothing can happen any more.
    pub(crate) server_is_gone: bool,
}

/// One wait.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    id: WaitId,
    pub(super) condition: Condition,
    /// Events before this place do not count.
    pub(crate) since: Mark,
    /// Entries that matched so far.
    pub(crate) found: Vec<Entry>,
    /// Messages that pass while the wait reads older entries, if it does.
    pub(crate) meanwhile: Option<Vec<Entry>>,
    /// Messages that passed while it waited for the next match.
    pub(crate) near: Near,
    pub(crate) outcome: Option<Result<(), TimedOut>>,
}

/// Condition that a test waits for.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// Messages match these, one after the other.
    Passes(Vec<Matcher>),
    /// This many messages match.
    Nth { matcher: Box<Matcher>, nth: usize },
    /// A hold holds this many messages.
    Held { hold: HoldId, number: usize },
    /// A fault has happened this many times.
    Happened { fault: FaultId, times: u64 },
    /// No connection and no session exists.
    Quiet,
    /// The state of the server changes. The text describes the awaited state. The task that awaits checks the state
    /// itself, without the lock, so only the end of its time ends such a wait here.
    State(Arc<str>),
}

impl Waits {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a wait.
    pub(crate) fn add(&mut self, condition: Condition, since: Mark) -> WaitId {
        self.next += 1;
        let id = WaitId(self.next);
        // An empty sequence has passed.
        let is_over = matches!(&condition, Condition::Passes(steps) if steps.is_empty());
        let wait = Wait {
            id,
            condition,
            since,
            found: Vec::new(),
            meanwhile: None,
            near: Near::default(),
            outcome: is_over.then_some(Ok(())),
        };
        self.waiting.insert(id, wait);
        id
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = WaitId> {
        self.waiting.keys().copied()
    }

    pub(crate) fn remove(&mut self, id: WaitId) {
        self.waiting.remove(&id);
    }

    pub(crate) fn get(&self, id: WaitId) -> Option<&Wait> {
        self.waiting.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: WaitId) -> Option<&mut Wait> {
        self.waiting.get_mut(&id)
    }

    /// Takes the waits that have got an outcome since the last call: their tasks are to be woken.
    pub(crate) fn take_ended(&mut self) -> Vec<WaitId> {
        std::mem::take(&mut self.ended)
    }

    /// Offers a message or entry to all waits.
    pub(super) fn pass(
        &mut self,
        client: &Client<'_>,
        event: &Event<'_>,
        entry: impl Fn() -> Entry,
    ) {
        for wait in self.waiting.values_mut() {
            if let Some(meanwhile) = &mut wait.meanwhile {
                if wait
                    .condition
                    .may_want(|matcher| matcher.matches(client, event))
                {
                    meanwhile.push(entry());
                }
            } else if wait.wants(|matcher| matcher.matches(client, event)) {
                wait.find(entry());
                if wait.is_found() {
                    wait.end(Ok(()), &mut self.ended);
                }
            } else {
                wait.pass_by(client, event);
            }
        }
    }

    /// Ends the waits for messages of a hold, which now holds `count` messages.
    pub(crate) fn held(&mut self, hold: HoldId, count: usize) {
        self.end_where(|condition| {
            matches!(condition, Condition::Held { hold: of, number } if *of == hold && count >= *number)
        });
    }

    /// Ends the waits for a server without connections and sessions.
    pub(crate) fn quiet(&mut self) {
        self.end_where(|condition| matches!(condition, Condition::Quiet));
    }

    /// Wakes every wait for a state, since the state may have changed.
    pub(crate) fn changed(&mut self) {
        self.end_where(|condition| matches!(condition, Condition::State(_)));
    }

    /// Ends the waits for a fault, which has now happened `hits` times.
    pub(crate) fn happened(&mut self, fault: FaultId, hits: u64) {
        self.end_where(|condition| {
            matches!(condition, Condition::Happened { fault: of, times } if *of == fault && hits >= *times)
        });
    }

    fn end_where(&mut self, is_met: impl Fn(&Condition) -> bool) {
        for wait in self.waiting.values_mut() {
            if is_met(&wait.condition) {
                wait.end(Ok(()), &mut self.ended);
            }
        }
    }

    /// Ends a wait without a match.
    pub(crate) fn fail(&mut self, id: WaitId, error: TimedOut) {
        if let Some(wait) = self.waiting.get_mut(&id) {
            wait.end(Err(error), &mut self.ended);
        }
    }

    /// Continues a wait that has read older entries: the entries found there come first, then the messages that passed
    /// meanwhile.
    pub(crate) fn resume(&mut self, id: WaitId, found: Vec<Entry>, near: Near) {
        let Some(wait) = self.waiting.get_mut(&id) else {
            return;
        };
        (wait.found, wait.near) = (found, near);
        for entry in wait.meanwhile.take().unwrap_or_default() {
            if !wait.is_found() && wait.wants(|matcher| entry.matches(matcher)) {
                wait.find(entry);
            }
        }
        if wait.is_found() {
            wait.end(Ok(()), &mut self.ended);
        }
    }
}

impl Condition {
    /// Whether some message may be awaited, now or later.
    fn may_want(&self, accepts: impl FnMut(&Matcher) -> bool) -> bool {
        match self {
            Self::Passes(steps) => steps.iter().any(accepts),
            Self::Nth { matcher, .. } => std::iter::once(&**matcher).any(accepts),
            Self::Held { .. } | Self::Happened { .. } | Self::Quiet | Self::State(_) => false,
        }
    }
}

impl Wait {
    /// Whether the next awaited event is one for which `accepts` is true.
    pub(crate) fn wants(&self, accepts: impl FnOnce(&Matcher) -> bool) -> bool {
        self.outcome.is_none() && self.next().is_some_and(accepts)
    }

    /// Matcher of the next awaited message.
    pub(super) fn next(&self) -> Option<&Matcher> {
        match &self.condition {
            Condition::Passes(steps) => steps.get(self.found.len()),
            Condition::Nth { matcher, .. } => Some(matcher),
            Condition::Held { .. }
            | Condition::Happened { .. }
            | Condition::Quiet
            | Condition::State(_) => None,
        }
    }

    /// Sets the number of matches that are awaited, where matches are counted.
    pub(crate) fn set_nth(&mut self, number: usize) {
        if let Condition::Nth { nth, .. } = &mut self.condition {
            *nth = number.max(1);
            if !self.is_found() {
                self.outcome = None;
            }
        }
    }

    /// Starts again at `since`: older entries are read, and messages that pass meanwhile are recorded.
    pub(crate) fn look_back(&mut self, since: Mark) {
        self.found.clear();
        self.outcome = None;
        self.near = Near::default();
        self.since = since;
        self.meanwhile = Some(Vec::new());
    }

    /// Counts a message that is not awaited.
    pub(crate) fn pass_by(&mut self, client: &Client<'_>, event: &Event<'_>) {
        let mut near = std::mem::take(&mut self.near);
        if self.outcome.is_none()
            && let Some(matcher) = self.next()
        {
            near.note(matcher, client, event);
        }
        self.near = near;
    }

    /// Counts a message that is awaited.
    pub(crate) fn find(&mut self, entry: Entry) {
        self.found.push(entry);
        if let Condition::Passes(_) = self.condition {
            self.near = Near::default();
        } else {
            self.near.matched();
        }
    }

    /// Whether all awaited messages have passed.
    pub(crate) fn is_found(&self) -> bool {
        match &self.condition {
            Condition::Passes(steps) => steps.len() <= self.found.len(),
            Condition::Nth { nth, .. } => *nth <= self.found.len(),
            Condition::Held { .. }
            | Condition::Happened { .. }
            | Condition::Quiet
            | Condition::State(_) => false,
        }
    }

    /// Whether the wait may still time out.
    pub(crate) fn is_open(&self) -> bool {
        self.outcome.is_none() || self.has_changed()
    }

    /// Whether the state may have changed since the last check.
    pub(crate) fn has_changed(&self) -> bool {
        matches!(
            (&self.condition, &self.outcome),
            (Condition::State(_), Some(Ok(())))
        )
    }

    fn end(&mut self, outcome: Result<(), TimedOut>, ended: &mut Vec<WaitId>) {
        if self.outcome.is_none() || self.has_changed() && outcome.is_err() {
            self.outcome = Some(outcome);
            ended.push(self.id);
        }
    }
}
