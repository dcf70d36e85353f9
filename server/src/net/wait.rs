//! Waiting for an event: a future that polls nothing and needs no particular runtime.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Sleep;

use super::clock::Countdown;
use super::engine::{Engine, State};
use super::unpark::unpark_this_thread;
use super::waiters::Waiters;
use crate::config::JournalMode;
use crate::control::{BadMark, Condition, Control, Entry, GONE, Mark, TimedOut, WaitId};
use crate::protocol::Timestamp;

/// Waits for something: a future that needs no particular runtime. It sees what passes from when it is made; its time
/// runs from when it is first asked.
pub(crate) struct Waiting {
    engine: Arc<Engine>,
    span: Duration,
    id: WaitId,
    /// Mark from which on earlier events count.
    since: Option<Mark>,
    /// Whether it blocks a thread. Its time is then real: a runtime whose time is paused may wait for it.
    blocks: bool,
    /// Timer for a wait whose time is that of the runtime that polls it.
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Prints what is waited for and for how long, and not the server.
impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self
            .engine
            .control(|control| control.waits.get(self.id).map(|wait| wait.describe(None)));
        f.debug_struct("Waiting")
            .field(
                "for",
                &format_args!("{}", what.as_deref().unwrap_or("nothing")),
            )
            .field("within", &self.span)
            .finish_non_exhaustive()
    }
}

impl Waiting {
    pub(crate) fn new(engine: Arc<Engine>, condition: Condition, span: Duration) -> Self {
        let id = engine.begin_to_wait(condition);
        Self {
            engine,
            span,
            id,
            since: None,
            blocks: false,
            sleep: None,
        }
    }

    /// Refuses a mark of another server's journal.
    pub(crate) fn check_mark(&self, mark: Mark) -> Result<(), BadMark> {
        self.engine.check_mark(mark)
    }

    pub(crate) fn set_span(&mut self, span: Duration) {
        self.span = span;
    }

    /// Waits for the match of this number, and not for the first.
    pub(crate) fn set_nth(&mut self, nth: usize) {
        self.engine.control(|control| {
            if let Some(wait) = control.waits.get_mut(self.id) {
                wait.set_nth(nth);
            }
        });
        if let Some(mark) = self.since {
            self.look_back(mark);
        }
    }

    /// Counts also events that passed since a mark, as far as the journal has stored them. These entries are read
    /// without the server's lock, so other uses of the server need not wait. Events that pass meanwhile count after
    /// them.
    pub(crate) fn look_back(&mut self, mark: Mark) {
        self.since = Some(mark);
        let id = self.id;
        let begun = self.engine.control(|control| {
            let journal = &control.journal;
            let wait = control.waits.get_mut(id)?;
            if journal.mode() == JournalMode::Off {
                return None;
            }
            wait.look_back(Mark::at(mark.number().min(journal.noted())));
            Some((wait.clone(), journal.since(mark)))
        });
        let Some((mut wait, recorded)) = begun else {
            return;
        };
        for entry in recorded.entries() {
            if wait.is_found() {
                break;
            }
            if wait.wants(|matcher| entry.matches(matcher)) {
                wait.find(entry);
            } else {
                wait.pass_by(&entry.client(), &entry.event);
            }
        }
        self.engine
            .control(|control| control.waits.resume(id, wait.found, wait.near));
    }

    /// Marks the state as checked: changes from now on count.
    pub(crate) fn look_again(&self) {
        self.engine.control(|control| {
            if let Some(wait) = control.waits.get_mut(self.id)
                && wait.has_changed()
            {
                wait.outcome = None;
            }
        });
    }

    /// Blocks this thread until `poll`, which polls this, is ready.
    pub(crate) fn block_on<T>(
        mut self,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> T {
        self.blocks = true;
        let waker = unpark_this_thread();
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = poll(&mut self, &mut context) {
                return outcome;
            }
            let id = self.id;
            let remaining = self.engine.waits(|_, waiters| waiters.remaining(id));
            if remaining.is_zero() {
                self.engine.time_out(id);
            } else {
                thread::park_timeout(remaining);
            }
        }
    }
}

impl Engine {
    /// Starts the thread that ends waits whose time is over, unless it runs.
    fn start_wait_timer(self: &Arc<Self>) -> io::Result<()> {
        let engine = Arc::downgrade(self);
        let next_timeout = move || Some(engine.upgrade()?.end_late_waits());
        self.wait_timer.begin(next_timeout)
    }

    /// Ends the waits whose real time is over. Returns the real time until the next one ends.
    pub(super) fn end_late_waits(&self) -> Option<Duration> {
        loop {
            let next = match self.try_lock() {
                Ok(mut state) => {
                    let State {
                        control, waiters, ..
                    } = &mut *state;
                    waiters.next_timeout(&control.waits)
                }
                Err(panicked) => {
                    // A wait that is polled again ends with the panic of the server.
                    let wakers = panicked.into_inner().waiters.all_wakers();
                    wakers.into_iter().for_each(Waker::wake);
                    return None;
                }
            };
            match next {
                Some((remaining, id)) if remaining.is_zero() => self.time_out(id),
                next => return next.map(|(remaining, _)| remaining),
            }
        }
    }

    /// Looks at the waits, or changes them, and wakes the tasks of those that have ended.
    fn waits<T>(&self, with: impl FnOnce(&mut Control, &mut Waiters) -> T) -> T {
        self.with_locked(|state| with(&mut state.control, &mut state.waiters))
    }

    /// Ends a wait whose time is over.
    pub(super) fn time_out(&self, id: WaitId) {
        let unmet = self.with_state(|state, now| {
            let why = if state.control.stopped {
                Some("the server is stopped until `start_again`".to_owned())
            } else {
                self.clock()
                    .is_manual()
                    .then(|| state.next_due_in_words(now))
            };
            let span = state.waiters.span(id);
            state.control.unmet(id, span, why)
        });
        if let Some(unmet) = unmet {
            let error = unmet.error();
            self.control(|control| control.waits.fail(id, error));
        }
    }

    /// Ends all waits because the server is gone, also waits that are awaited later. A wait for a server that
    /// panicked ends too, and the panic has its own message.
    pub(crate) fn end_waits(&self) {
        if self.is_sound() {
            self.waits(|control, waiters| {
                control.waits.server_is_gone = true;
                let ids: Vec<WaitId> = control.waits.ids().collect();
                for id in ids {
                    control.time_out(id, waiters.span(id), GONE);
                }
            });
        }
        self.wait_timer.end();
    }

    fn begin_to_wait(&self, condition: Condition) -> WaitId {
        let mut state = self.lock();
        let id = state.control.begin_wait(condition);
        if state.is_quiet() {
            state.control.waits.quiet();
        }
        id
    }
}

/// Measurement of a wait's time after a poll.
enum Timing {
    /// No change, or the thread that blocks measures it.
    Settled,
    /// Real time from now on.
    Real,
    /// The runtime that polls the wait measures it; this much is left.
    Runtime(Duration),
}

impl Waiting {
    /// Returns the outcome, or the way in which the time is measured. In the second case `context` is woken when
    /// there is an outcome.
    fn look(&self, context: &Context<'_>) -> Result<Result<Vec<Entry>, TimedOut>, Timing> {
        let by_runtime = !self.blocks && self.engine.clock.is_of_this_runtime();
        self.engine
            .waits(|control, waiters| {
                if control.waits.server_is_gone {
                    control.time_out(self.id, waiters.span(self.id), GONE);
                }
                let Some(wait) = control.waits.get_mut(self.id) else {
                    return Err(Timing::Settled);
                };
                if wait.has_changed() {
                    // The state changed during the last check, so the wait is polled again.
                    wait.outcome = None;
                    context.waker().wake_by_ref();
                }
                if let Some(outcome) = &wait.outcome {
                    let outcome = outcome.clone();
                    return Ok(outcome.map(|()| std::mem::take(&mut wait.found)));
                }
                let waiter = waiters.of(self.id);
                waiter.waker = Some(context.waker().clone());
                let begins = waiter.countdown.is_none();
                let countdown = waiter.countdown.get_or_insert_with(|| {
                    if by_runtime {
                        Countdown::begin_by(self.engine.clock(), self.span)
                    } else {
                        Countdown::begin(self.span)
                    }
                });
                let is_real = countdown.is_real();
                Err(if by_runtime && !is_real {
                    Timing::Runtime(countdown.remaining())
                } else if begins || !is_real {
                    waiters.measure(self.id);
                    Timing::Real
                } else {
                    Timing::Settled
                })
            })
            .map_err(|timing| if self.blocks { Timing::Settled } else { timing })
    }
}

impl Future for Waiting {
    type Output = Result<Vec<Entry>, TimedOut>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let timing = match self.look(context) {
                Ok(outcome) => return Poll::Ready(outcome),
                Err(timing) => timing,
            };
            match timing {
                Timing::Settled => return Poll::Pending,
                Timing::Real => {
                    let Err(error) = self.engine.start_wait_timer() else {
                        return Poll::Pending;
                    };
                    let why = format!("cannot start the thread that measures its time: {error}");
                    let id = self.id;
                    self.engine.waits(|control, waiters| {
                        control.time_out(id, waiters.span(id), &why);
                    });
                }
                Timing::Runtime(remaining) => {
                    let sleep = self
                        .sleep
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(remaining)));
                    if sleep.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    self.engine.time_out(self.id);
                }
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !thread::panicking() || self.engine.is_sound() {
            self.engine.waits(|control, waiters| {
                control.waits.remove(self.id);
                waiters.remove(self.id);
            });
        }
    }
}

impl TimedOut {
    /// Says what may be wrong where a thread has blocked that a runtime needs.
    pub(crate) fn of_blocked_thread(self) -> Self {
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        if let Ok(RuntimeFlavor::CurrentThread) = flavor {
            self.and_lines(
                "hint: ",
                "blocking() was called on a current-thread tokio runtime, as of #[tokio::test]: a client whose tasks \
                 run on this thread could not act meanwhile; await the wait instead",
            )
        } else {
            self
        }
    }
}

impl State {
    /// Describes the next deadline of a clock that is turned by hand.
    fn next_due_in_words(&self, now: Timestamp) -> String {
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
