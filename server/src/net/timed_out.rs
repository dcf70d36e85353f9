//! What is told of something that did not happen in time.

use std::fmt;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::clock::Countdown;
use super::control::Control;
use super::engine::{Engine, State};
use super::journal::{Kept, show, times};
use super::wait::{Condition, GONE, Wait};
use super::{Entry, JournalMode};
use crate::protocol::Timestamp;

/// It did not happen in time. The last lines of the journal are told with it, if that is kept.
///
/// ```
/// use std::time::Duration;
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// server.create("/a", b"")?;
/// let waited = server.wait_for(Matcher::event().path("/a")).within(Duration::ZERO).blocking();
/// let error = waited.unwrap_err().to_string();
/// assert!(error.contains(r#"in vain for Matcher::event().path("/a"); no event passed"#), "{error}");
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
    /// Says what may be wrong where a thread has blocked that a runtime needs.
    pub(crate) fn of_blocked_thread(self) -> Self {
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        if let Ok(RuntimeFlavor::CurrentThread) = flavor {
            self.and_lines(
                "hint: ",
                "blocking() was called on a current-thread tokio runtime, as of #[tokio::test]: a client whose tasks run on \
                 this thread could not act meanwhile; await the wait instead",
            )
        } else {
            self
        }
    }

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

/// Data for the message of a wait in vain: a copy, from which the message is made without the lock.
struct Vain {
    wait: Wait,
    /// Everything that the journal has kept.
    kept: Kept,
    is_journal_off: bool,
    /// Reason why nothing happened.
    why: Option<String>,
    /// Description of the awaited hold or fault, with near misses.
    about: Option<String>,
}

impl Vain {
    fn error(&self) -> TimedOut {
        let Self {
            wait, kept, why, ..
        } = self;
        let span = wait.left.as_ref().map_or(Duration::ZERO, Countdown::span);
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
    pub(super) fn what(&self, about: Option<&str>) -> String {
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
    pub(super) fn time_out(&mut self, id: u64, why: &str) {
        if let Some(vain) = self.vain(id, Some(why.to_owned())) {
            self.end_wait(id, vain.error());
        }
    }

    /// Data for the message of a wait that is pending.
    fn vain(&mut self, id: u64, why: Option<String>) -> Option<Vain> {
        let wait = self.waits.find(id)?;
        let about = match wait.condition {
            Condition::Held { hold, .. } => self.holds.in_words(hold),
            Condition::Happened { fault, .. } => self.faults.waits_for(fault),
            Condition::Passes(_)
            | Condition::Nth { .. }
            | Condition::Quiet
            | Condition::State(_) => None,
        };
        wait.is_open().then(|| Vain {
            wait: wait.clone(),
            kept: self.journal.all(),
            is_journal_off: self.journal.mode() == JournalMode::Off,
            why,
            about,
        })
    }

    fn end_wait(&mut self, id: u64, error: TimedOut) {
        if let Some(wait) = self.waits.find(id) {
            wait.end(Err(error), &mut self.wakers);
        }
    }
}

impl Engine {
    /// Ends a wait whose time is over.
    pub(super) fn time_out(&self, id: u64) {
        let vain = self.with_state(|state, now| {
            let why = if state.control.stopped {
                Some("the server is stopped until `start_again`".to_owned())
            } else {
                self.clock().is_manual().then(|| state.what_is_due(now))
            };
            state.control.vain(id, why)
        });
        if let Some(vain) = vain {
            let error = vain.error();
            self.control(|control| control.end_wait(id, error));
        }
    }

    /// Ends all waits because the server is gone, also waits that are awaited later. A wait for a server that
    /// panicked ends in vain too, and the panic has its own message.
    pub(crate) fn end_waits(&self) {
        if self.is_sound() {
            self.control(|control| {
                control.waits.ended = true;
                let ids: Vec<u64> = control.waits.ids().collect();
                ids.into_iter().for_each(|id| control.time_out(id, GONE));
            });
        }
        self.patience.end();
    }
}

impl State {
    /// What falls due next if the clock is turned, in words.
    fn what_is_due(&self, now: Timestamp) -> String {
        let mut due = Vec::new();
        if let Some((session, at)) = self.keeper.next_silent() {
            let whose = match self.control.label_of(session) {
                Some(label) => format!("the session of {label}"),
                None => format!("session {session}"),
            };
            due.push((at, whose));
        }
        if let Some((at, _)) = self.due.first() {
            due.push((*at, "what is delayed".to_owned()));
        }
        due.sort();
        let words: Vec<String> = due
            .into_iter()
            .map(|(at, what)| format!("{what} is due in {:?}", at.since(now)))
            .collect();
        if words.is_empty() {
            "the clock is manual: it stands until `advance` turns it, and no session is due"
                .to_owned()
        } else {
            format!("the clock is manual: {}", words.join(", "))
        }
    }
}
