//! Conditions that a test waits for, and the progress of each wait.

use std::sync::Arc;

use super::TimedOut;
use super::hold::HoldId;
use super::journal::Mark;
use super::near::Near;
use super::sight::{Sight, Who};
use super::{Entry, FaultId, Matcher};

/// Number of a wait.
pub(crate) type WaitId = u64;

/// Waits that have not been dropped.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    waiting: Vec<Wait>,
    next: u64,
    /// Whether the server is gone, so that nothing can happen any more.
    pub(crate) ended: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Wait {
    id: WaitId,
    pub(crate) condition: Condition,
    /// What passed before does not count.
    pub(crate) since: Mark,
    /// What has passed of what is waited for.
    pub(crate) found: Vec<Entry>,
    /// Messages that pass while the wait reads older entries, if it does.
    pub(crate) meanwhile: Option<Vec<Entry>>,
    /// Messages that passed while it waited for the next match.
    pub(crate) near: Near,
    pub(crate) outcome: Option<Result<(), TimedOut>>,
}

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// These pass, one after the other.
    Passes(Vec<Matcher>),
    /// This passes so many times.
    Nth { matcher: Box<Matcher>, nth: usize },
    /// So many messages are held back.
    Held { hold: HoldId, number: usize },
    /// A fault has happened so many times.
    Happened { fault: FaultId, times: u64 },
    /// Nobody is connected, and no session is left.
    Quiet,
    /// The state of the server changes. The text describes the awaited state. The task that awaits checks the state
    /// itself, without the lock, so only the end of its time ends such a wait here.
    State(Arc<str>),
}

impl Waits {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn add(&mut self, condition: Condition, since: Mark) -> WaitId {
        self.next += 1;
        // A sequence of nothing has passed.
        let outcome = matches!(&condition, Condition::Passes(steps) if steps.is_empty());
        self.waiting.push(Wait {
            id: self.next,
            condition,
            since,
            found: Vec::new(),
            meanwhile: None,
            near: Near::default(),
            outcome: outcome.then_some(Ok(())),
        });
        self.next
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = WaitId> {
        self.waiting.iter().map(|wait| wait.id)
    }

    pub(crate) fn remove(&mut self, id: WaitId) {
        self.waiting.retain(|wait| wait.id != id);
    }

    pub(crate) fn find(&mut self, id: WaitId) -> Option<&mut Wait> {
        self.waiting.iter_mut().find(|wait| wait.id == id)
    }

    /// Something passes: whom to wake.
    pub(crate) fn pass(
        &mut self,
        who: Option<&Who<'_>>,
        sight: &Sight<'_>,
        entry: impl Fn() -> Entry,
        ended: &mut Vec<WaitId>,
    ) {
        for wait in &mut self.waiting {
            if let Some(meanwhile) = &mut wait.meanwhile {
                if wait
                    .condition
                    .may_want(|matcher| matcher.matches_any(who, sight))
                {
                    meanwhile.push(entry());
                }
            } else if wait.wants(|matcher| matcher.matches_any(who, sight)) {
                wait.take(entry(), ended);
            } else {
                wait.passes_by(who, sight);
            }
        }
    }

    /// The number of messages that a hold keeps back has changed: whom to wake.
    pub(crate) fn held(&mut self, hold: HoldId, count: usize, ended: &mut Vec<WaitId>) {
        for wait in &mut self.waiting {
            if let Condition::Held { hold: of, number } = wait.condition
                && of == hold
                && count >= number
            {
                wait.end(Ok(()), ended);
            }
        }
    }

    /// Nobody is connected, and no session is left: whom to wake.
    pub(crate) fn quiet(&mut self, ended: &mut Vec<WaitId>) {
        for wait in &mut self.waiting {
            if matches!(wait.condition, Condition::Quiet) {
                wait.end(Ok(()), ended);
            }
        }
    }

    /// Wakes every wait for a state, since the state may have changed.
    pub(crate) fn changed(&mut self, ended: &mut Vec<WaitId>) {
        for wait in &mut self.waiting {
            if matches!(wait.condition, Condition::State(_)) {
                wait.end(Ok(()), ended);
            }
        }
    }

    /// A fault has happened so many times: whom to wake.
    pub(crate) fn happened(&mut self, fault: FaultId, hits: u64, ended: &mut Vec<WaitId>) {
        for wait in &mut self.waiting {
            if let Condition::Happened { fault: of, times } = wait.condition
                && of == fault
                && hits >= times
            {
                wait.end(Ok(()), ended);
            }
        }
    }
}

impl Condition {
    /// Whether some message may be waited for, now or later.
    fn may_want(&self, is_meant: impl FnMut(&Matcher) -> bool) -> bool {
        match self {
            Self::Passes(steps) => steps.iter().any(is_meant),
            Self::Nth { matcher, .. } => std::iter::once(&**matcher).any(is_meant),
            Self::Held { .. } | Self::Happened { .. } | Self::Quiet | Self::State(_) => false,
        }
    }
}

impl Wait {
    /// Whether it is this that is waited for next.
    pub(crate) fn wants(&self, is_meant: impl FnOnce(&Matcher) -> bool) -> bool {
        match &self.condition {
            Condition::Passes(steps) if self.outcome.is_none() => {
                steps.get(self.found.len()).is_some_and(is_meant)
            }
            Condition::Nth { matcher, .. } if self.outcome.is_none() => is_meant(matcher),
            Condition::Passes(_)
            | Condition::Nth { .. }
            | Condition::Held { .. }
            | Condition::Happened { .. }
            | Condition::Quiet
            | Condition::State(_) => false,
        }
    }

    /// Matcher for the next awaited message.
    pub(crate) fn next(&self) -> Option<&Matcher> {
        match &self.condition {
            Condition::Passes(steps) => steps.get(self.found.len()),
            Condition::Nth { matcher, .. } => Some(matcher),
            Condition::Held { .. }
            | Condition::Happened { .. }
            | Condition::Quiet
            | Condition::State(_) => None,
        }
    }

    /// Counts a message that is not waited for.
    pub(crate) fn passes_by(&mut self, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        let mut near = std::mem::take(&mut self.near);
        if self.outcome.is_none()
            && let Some(matcher) = self.next()
        {
            near.note(matcher, who, sight);
        }
        self.near = near;
    }

    /// Counts a message that is waited for.
    pub(crate) fn find(&mut self, entry: Entry) {
        self.found.push(entry);
        if let Condition::Passes(_) = self.condition {
            self.near = Near::default();
        } else {
            self.near.matched();
        }
    }

    /// It passed.
    pub(crate) fn take(&mut self, entry: Entry, ended: &mut Vec<WaitId>) {
        self.find(entry);
        if self.is_found() {
            self.end(Ok(()), ended);
        }
    }

    /// Whether everything has passed that is waited for.
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

    /// Whether the wait may still end in vain.
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

    pub(crate) fn end(&mut self, outcome: Result<(), TimedOut>, ended: &mut Vec<WaitId>) {
        if self.outcome.is_none() || self.has_changed() && outcome.is_err() {
            self.outcome = Some(outcome);
            ended.push(self.id);
        }
    }
}
