//! What is told of something that did not happen in time.

use std::fmt;
use std::time::Duration;

use super::journal::{Kept, show, times};
use super::state::Control;
use super::wait::{Condition, Wait, WaitId};
use super::{Entry, JournalMode};

/// Reason why a wait for a server that is gone cannot end otherwise.
pub(crate) const GONE: &str = "the server is gone";

/// It did not happen in time. The last lines of the journal are told with it, if that is kept.
///
/// ```
/// use std::time::Duration;
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// server.create("/a", b"")?;
/// let waited = server.wait_for(Matcher::watch_event().path("/a")).within(Duration::ZERO).blocking();
/// let error = waited.unwrap_err().to_string();
/// assert!(error.contains(r#"in vain for Matcher::watch_event().path("/a"); no watch event passed"#), "{error}");
/// assert!(error.contains("test create2 /a"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct TimedOut {
    /// What was waited for, for how long, and why it may not have come.
    message: String,
    /// The last lines of the journal.
    tail: String,
}

impl TimedOut {
    /// Says something more, in lines of their own.
    pub(crate) fn and_lines(mut self, title: &str, lines: &str) -> Self {
        self.message += &format!("\n{title}{lines}");
        self
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = if self.message.contains('\n') {
            "\n"
        } else {
            "; "
        };
        write!(f, "{}{behind}{}", self.message, self.tail)
    }
}

/// The same: it is what a test shows that unwraps it, or gives it with `?`.
impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How many lines of the journal are told when nothing came.
const TAIL: usize = 20;

/// Data for the message of a wait that timed out: a copy, from which the message is made without the lock.
#[derive(Debug)]
pub(crate) struct Unmet {
    wait: Wait,
    /// Timeout of the wait.
    span: Duration,
    /// Everything that the journal has kept.
    kept: Kept,
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
            kept,
            why,
            ..
        } = self;
        let mut message = format!(
            "waited for {span:?} in vain for {}",
            wait.what(self.about.as_deref())
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
            match kept.tail(TAIL) {
                tail if tail.is_empty() => "the journal is empty".to_owned(),
                tail => format!("the journal ends with{tail}"),
            }
        };
        TimedOut { message, tail }
    }

    /// The last that passed before and would have been what is waited for.
    fn passed_before(&self) -> Option<Entry> {
        let before = self.kept.entries();
        before
            .take_while(|entry| entry.number <= self.wait.since.number())
            .filter(|entry| self.wait.wants(|matcher| entry.is_meant_by(matcher)))
            .last()
    }
}

impl Wait {
    /// Description of the awaited messages, with near misses.
    pub(crate) fn what(&self, about: Option<&str>) -> String {
        let next = self.found.len().saturating_add(1);
        let near = |matched| {
            let kind = self.next().and_then(|matcher| matcher.kind);
            self.near.in_words(kind, matched)
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
            Condition::State(what) => what.to_string(),
        }
    }
}

impl Control {
    /// Ends a wait in vain. `why` is the reason why nothing happened.
    pub(crate) fn time_out(&mut self, id: WaitId, span: Duration, why: &str) {
        if let Some(unmet) = self.unmet(id, span, Some(why.to_owned())) {
            self.end_wait(id, unmet.error());
        }
    }

    /// Data for the message of a wait that is pending.
    pub(crate) fn unmet(
        &mut self,
        id: WaitId,
        span: Duration,
        why: Option<String>,
    ) -> Option<Unmet> {
        let wait = self.waits.find(id)?;
        let about = match wait.condition {
            Condition::Held { hold, .. } => self.holds.in_words(hold),
            Condition::Happened { fault, .. } => self.faults.waits_for(fault),
            Condition::Passes(_)
            | Condition::Nth { .. }
            | Condition::Quiet
            | Condition::State(_) => None,
        };
        wait.is_open().then(|| Unmet {
            wait: wait.clone(),
            span,
            kept: self.journal.all(),
            is_journal_off: self.journal.mode() == JournalMode::Off,
            why,
            about,
        })
    }

    pub(crate) fn end_wait(&mut self, id: WaitId, error: TimedOut) {
        if let Some(wait) = self.waits.find(id) {
            wait.end(Err(error), &mut self.ended_waits);
        }
    }
}
