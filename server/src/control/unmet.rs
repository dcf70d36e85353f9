//! Messages for waits that time out.

use std::time::Duration;

use super::journal::{Entry, Mark, Recorded, show, times};
use super::state::Control;
use super::timed_out::TimedOut;
use super::wait::{Condition, Wait, WaitId};
use crate::config::JournalMode;

/// Reason of a wait that ends because its server is gone.
pub(crate) const GONE: &str = "the server is gone";

/// Number of lines of the journal that a message ends with.
const TAIL: usize = 20;

/// Data for the message of a wait that timed out: a copy, from which the message is made without the lock.
#[derive(Debug)]
pub(crate) struct Unmet {
    wait: Wait,
    /// Timeout of the wait.
    span: Duration,
    /// All entries of the journal.
    recorded: Recorded,
    is_journal_off: bool,
    /// Reason why nothing happened.
    why: Option<String>,
    /// Description of the awaited hold or fault, with near misses.
    about: Option<String>,
}

impl Unmet {
    pub(crate) fn error(&self) -> TimedOut {
        let Self {
            wait,
            span,
            recorded,
            why,
            ..
        } = self;
        let mut message = format!(
            "timed out after {span:?} waiting for {}",
            wait.describe(self.about.as_deref())
        );
        if let Some(entry) = self.passed_before() {
            message += &format!(
                "; something that matches passed before (entry {}): .since(mark) counts it",
                entry.number
            );
        }
        if let Some(why) = why {
            message += &format!("; {why}");
        }
        let found: Vec<&Entry> = wait.found.iter().collect();
        show(&mut message, "passed before it", &found);
        let tail = if self.is_journal_off {
            "the journal is off".to_owned()
        } else {
            match recorded.tail(TAIL) {
                tail if tail.is_empty() => "the journal is empty".to_owned(),
                tail => format!("the journal ends with{tail}"),
            }
        };
        TimedOut::new(message, tail)
    }

    /// Last entry before the wait that would have matched.
    fn passed_before(&self) -> Option<Entry> {
        let before = self.recorded.entries();
        before
            .take_while(|entry| entry.number <= self.wait.since.number())
            .filter(|entry| self.wait.wants(|matcher| entry.matches(matcher)))
            .last()
    }
}

impl Wait {
    /// Description of the awaited messages, with near misses.
    pub(crate) fn describe(&self, about: Option<&str>) -> String {
        let next = self.found.len().saturating_add(1);
        let near = |matched| {
            let kind = self.next().and_then(|matcher| matcher.kind);
            self.near.describe(kind, matched)
        };
        match &self.condition {
            Condition::Passes(steps) => match (steps.get(self.found.len()), steps.len()) {
                (Some(step), 1) => format!("{step}; {}", near(0)),
                (Some(step), all) => format!("{step}, {next} of {all}; {}", near(0)),
                (None, _) => "nothing".to_owned(),
            },
            Condition::Nth { matcher, nth: 1 } => format!("{matcher}; {}", near(0)),
            Condition::Nth { matcher, nth } => {
                let matched = u64::try_from(self.found.len()).unwrap_or(u64::MAX);
                format!("{matcher}, {next} of {nth}; {}", near(matched))
            }
            Condition::Held { number, .. } => {
                let held = match number {
                    1 => "1 message to be held".to_owned(),
                    number => format!("{number} messages to be held"),
                };
                match about {
                    Some(near) => format!("{held} by {near}"),
                    None => held,
                }
            }
            Condition::Happened { times: wanted, .. } => {
                let wanted = times(usize::try_from(*wanted).unwrap_or(usize::MAX));
                match about {
                    Some(near) => format!("a fault to happen {wanted}: {near}"),
                    None => format!("a fault to happen {wanted}"),
                }
            }
            Condition::Quiet => "every connection and session to be gone".to_owned(),
            Condition::State(text) => text.to_string(),
        }
    }
}

impl Control {
    /// Ends a wait without a match, after `span`. `why` is the reason why nothing happened.
    pub(crate) fn time_out(&mut self, id: WaitId, span: Duration, why: &str) {
        if let Some(unmet) = self.unmet(id, span, Some(why.to_owned())) {
            self.waits.fail(id, unmet.error());
        }
    }

    /// Copies the data for the message of a pending wait.
    pub(crate) fn unmet(&self, id: WaitId, span: Duration, why: Option<String>) -> Option<Unmet> {
        let wait = self.waits.get(id).filter(|wait| wait.is_open())?;
        let about = match wait.condition {
            Condition::Held { hold, .. } => self.holds.describe(hold),
            Condition::Happened { fault, .. } => self.faults.waits_for(fault),
            Condition::Passes(_)
            | Condition::Nth { .. }
            | Condition::Quiet
            | Condition::State(_) => None,
        };
        Some(Unmet {
            wait: wait.clone(),
            span,
            recorded: self.journal.all(),
            is_journal_off: self.journal.mode() == JournalMode::Off,
            why,
            about,
        })
    }

    /// Adds a wait, which may have its outcome at once.
    pub(crate) fn begin_wait(&mut self, condition: Condition) -> WaitId {
        let since = Mark::at(self.journal.noted());
        let id = self.waits.add(condition, since);
        match self.waits.get(id).map(|wait| &wait.condition) {
            Some(&Condition::Held { hold, .. }) => self.waits.held(hold, self.holds.held(hold)),
            Some(&Condition::Happened { fault, .. }) => {
                self.waits.happened(fault, self.faults.hits(fault));
            }
            Some(
                Condition::Passes(_)
                | Condition::Nth { .. }
                | Condition::Quiet
                | Condition::State(_),
            )
            | None => {}
        }
        id
    }
}
