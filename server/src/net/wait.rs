//! Whoever waits for something to happen: without polling, on any runtime or none.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::time::Sleep;

use super::TimedOut;
use super::clock::Countdown;
use super::control::Control;
use super::engine::Engine;
use super::hold::HoldId;
use super::journal::{BadMark, Mark};
use super::near::Near;
use super::sight::{Sight, Who};
use super::{Entry, FaultId, JournalMode, Matcher};

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waiting: Vec<Wait>,
    next: u64,
    /// Whether the server is gone, so that nothing can happen any more.
    pub(super) ended: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Wait {
    id: u64,
    pub(super) condition: Condition,
    /// What passed before does not count.
    pub(super) since: Mark,
    /// What has passed of what is waited for.
    pub(super) found: Vec<Entry>,
    /// Messages that pass while the wait reads older entries, if it does.
    meanwhile: Option<Vec<Entry>>,
    /// Messages that passed while it waited for the next match.
    pub(super) near: Near,
    /// Runs from when somebody minds.
    pub(super) left: Option<Countdown>,
    waker: Option<Waker>,
    pub(super) outcome: Option<Result<(), TimedOut>>,
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
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn add(&mut self, condition: Condition, since: Mark) -> u64 {
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
            left: None,
            waker: None,
            outcome: outcome.then_some(Ok(())),
        });
        self.next
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().map(|wait| wait.id)
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        let waiting = self.waiting.iter_mut();
        waiting.filter_map(|wait| wait.waker.take()).collect()
    }

    fn remove(&mut self, id: u64) {
        self.waiting.retain(|wait| wait.id != id);
    }

    pub(super) fn find(&mut self, id: u64) -> Option<&mut Wait> {
        self.waiting.iter_mut().find(|wait| wait.id == id)
    }

    /// Something passes: whom to wake.
    pub(super) fn pass(
        &mut self,
        who: Option<&Who<'_>>,
        sight: &Sight<'_>,
        entry: impl Fn() -> Entry,
        wakers: &mut Vec<Waker>,
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
                wait.take(entry(), wakers);
            } else {
                wait.passes_by(who, sight);
            }
        }
    }

    /// The number of messages that a hold keeps back has changed: whom to wake.
    pub(super) fn held(&mut self, hold: HoldId, count: usize, wakers: &mut Vec<Waker>) {
        for wait in &mut self.waiting {
            if let Condition::Held { hold: of, number } = wait.condition
                && of == hold
                && count >= number
            {
                wait.end(Ok(()), wakers);
            }
        }
    }

    /// Nobody is connected, and no session is left: whom to wake.
    pub(super) fn quiet(&mut self, wakers: &mut Vec<Waker>) {
        for wait in &mut self.waiting {
            if matches!(wait.condition, Condition::Quiet) {
                wait.end(Ok(()), wakers);
            }
        }
    }

    /// Wakes every wait for a state, since the state may have changed.
    pub(super) fn changed(&mut self, wakers: &mut Vec<Waker>) {
        for wait in &mut self.waiting {
            if matches!(wait.condition, Condition::State(_)) {
                wait.end(Ok(()), wakers);
            }
        }
    }

    /// A fault has happened so many times: whom to wake.
    pub(super) fn happened(&mut self, fault: FaultId, hits: u64, wakers: &mut Vec<Waker>) {
        for wait in &mut self.waiting {
            if let Condition::Happened { fault: of, times } = wait.condition
                && of == fault
                && hits >= times
            {
                wait.end(Ok(()), wakers);
            }
        }
    }

    /// Real time until the first wait ends.
    fn next_timeout(&self) -> Option<(Duration, u64)> {
        let open = self.waiting.iter().filter(|wait| wait.is_open());
        let timed = open.filter_map(|wait| Some((wait.left.as_ref()?, wait.id)));
        timed
            .filter(|(left, _)| left.is_real())
            .map(|(left, id)| (left.left(), id))
            .min()
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
    pub(super) fn wants(&self, is_meant: impl FnOnce(&Matcher) -> bool) -> bool {
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

    /// Counts a message that is not waited for.
    fn passes_by(&mut self, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        let mut near = std::mem::take(&mut self.near);
        if self.outcome.is_none()
            && let Some(matcher) = self.next()
        {
            near.note(matcher, who, sight);
        }
        self.near = near;
    }

    /// Counts a message that is waited for.
    fn find(&mut self, entry: Entry) {
        self.found.push(entry);
        if let Condition::Passes(_) = self.condition {
            self.near = Near::default();
        } else {
            self.near.matched();
        }
    }

    /// It passed.
    fn take(&mut self, entry: Entry, wakers: &mut Vec<Waker>) {
        self.find(entry);
        if self.is_found() {
            self.end(Ok(()), wakers);
        }
    }

    /// Whether everything has passed that is waited for.
    fn is_found(&self) -> bool {
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
    pub(super) fn is_open(&self) -> bool {
        self.outcome.is_none() || self.has_changed()
    }

    /// Whether the state may have changed since the last check.
    fn has_changed(&self) -> bool {
        matches!(
            (&self.condition, &self.outcome),
            (Condition::State(_), Some(Ok(())))
        )
    }

    pub(super) fn end(&mut self, outcome: Result<(), TimedOut>, wakers: &mut Vec<Waker>) {
        if self.outcome.is_none() || self.has_changed() && outcome.is_err() {
            self.outcome = Some(outcome);
            wakers.extend(self.waker.take());
        }
    }
}

/// Waits for something: a future that needs no particular runtime. It sees what passes from when it is made; its time
/// runs from when it is first asked.
pub(crate) struct Waiting {
    engine: Arc<Engine>,
    span: Duration,
    id: u64,
    /// How far it looks back.
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
            .control(|control| control.waits.find(self.id).map(|wait| wait.what(None)));
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
        let id = self.id;
        self.engine.control(|control| {
            if let Some(wait) = control.waits.find(id)
                && let Condition::Nth { nth: wanted, .. } = &mut wait.condition
            {
                *wanted = nth.max(1);
                if !wait.is_found() {
                    wait.outcome = None;
                }
            }
        });
        if let Some(mark) = self.since {
            self.look_back(mark);
        }
    }

    /// Counts also messages that passed since a mark, as far as the journal has kept them. The kept entries are read
    /// without the server's lock, so other uses of the server need not wait. Messages that pass meanwhile count after
    /// them.
    pub(crate) fn look_back(&mut self, mark: Mark) {
        self.since = Some(mark);
        let id = self.id;
        let begun = self.engine.control(|control| {
            let journal = &control.journal;
            let wait = control.waits.find(id)?;
            if journal.mode() == JournalMode::Off {
                return None;
            }
            wait.found.clear();
            wait.outcome = None;
            wait.near = Near::default();
            wait.since = Mark::at(mark.number().min(journal.noted()));
            wait.meanwhile = Some(Vec::new());
            Some((wait.clone(), journal.since(mark)))
        });
        let Some((mut wait, kept)) = begun else {
            return;
        };
        for entry in kept.entries() {
            if wait.is_found() {
                break;
            }
            if wait.wants(|matcher| entry.is_meant_by(matcher)) {
                wait.find(entry);
            } else {
                entry.see_with_who(|who, sight| wait.passes_by(who, sight));
            }
        }
        self.engine.control(|control| {
            let Control { waits, wakers, .. } = control;
            if let Some(own) = waits.find(id) {
                (own.found, own.near) = (wait.found, wait.near);
                if own.is_found() {
                    own.end(Ok(()), wakers);
                }
                for entry in own.meanwhile.take().unwrap_or_default() {
                    if own.wants(|matcher| entry.is_meant_by(matcher)) {
                        own.take(entry, wakers);
                    }
                }
            }
        });
    }

    /// Marks the state as checked: changes from now on count.
    pub(crate) fn look_again(&self) {
        self.engine.control(|control| {
            if let Some(wait) = control.waits.find(self.id)
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
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        self.blocks = true;
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = poll(&mut self, &mut context) {
                return outcome;
            }
            let id = self.id;
            let left = self.engine.control(|control| {
                let left = control.waits.find(id).and_then(|wait| wait.left.as_ref());
                left.map_or(Duration::ZERO, Countdown::left)
            });
            if left.is_zero() {
                self.engine.time_out(id);
            } else {
                thread::park_timeout(left);
            }
        }
    }
}

/// Reason why nothing that is waited for can happen.
pub(super) const GONE: &str = "the server is gone";

impl Engine {
    /// Ends the waits whose real time is over. Returns the real time until the next one ends.
    pub(super) fn end_late_waits(&self) -> Option<Duration> {
        loop {
            let next = match self.try_lock() {
                Ok(state) => state.control.waits.next_timeout(),
                Err(panicked) => {
                    // A wait that is polled again ends with the panic of the server.
                    let wakers = panicked.into_inner().control.waits.take_wakers();
                    wakers.into_iter().for_each(Waker::wake);
                    return None;
                }
            };
            match next {
                Some((left, id)) if left.is_zero() => self.time_out(id),
                next => return next.map(|(left, _)| left),
            }
        }
    }

    fn begin_to_wait(&self, condition: Condition) -> u64 {
        let mut state = self.lock();
        let is_quiet = state.is_quiet();
        let control = &mut state.control;
        let watched = condition.clone();
        let since = Mark::at(control.journal.noted());
        let id = control.waits.add(condition, since);
        let Control {
            waits,
            wakers,
            holds,
            faults,
            ..
        } = control;
        match watched {
            Condition::Held { hold, .. } => waits.held(hold, holds.held(hold), wakers),
            Condition::Happened { fault, .. } => {
                waits.happened(fault, faults.hits(fault), wakers);
            }
            Condition::Passes(_)
            | Condition::Nth { .. }
            | Condition::Quiet
            | Condition::State(_) => {}
        }
        if is_quiet {
            waits.quiet(wakers);
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
            .control(|control| {
                if control.waits.ended {
                    control.time_out(self.id, GONE);
                }
                let Some(wait) = control.waits.find(self.id) else {
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
                wait.waker = Some(context.waker().clone());
                let begins = wait.left.is_none();
                let left = wait.left.get_or_insert_with(|| {
                    if by_runtime {
                        Countdown::begin_by(self.engine.clock(), self.span)
                    } else {
                        Countdown::begin(self.span)
                    }
                });
                Err(if by_runtime && !left.is_real() {
                    Timing::Runtime(left.left())
                } else if begins || !left.is_real() {
                    left.go_on_in_real_time();
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
                    let Err(error) = self.engine.patience.begin(&self.engine) else {
                        return Poll::Pending;
                    };
                    let why = format!("cannot start the thread that measures its time: {error}");
                    let id = self.id;
                    self.engine.control(|control| control.time_out(id, &why));
                }
                Timing::Runtime(left) => {
                    let sleep = self
                        .sleep
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
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
            self.engine.control(|control| control.waits.remove(self.id));
        }
    }
}
