//! Whoever waits for something to happen: without polling, on any runtime or none.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::clock::Countdown;
use super::engine::Engine;
use super::hold::HoldId;
use super::sight::{Sight, Who};
use super::{Entry, FaultId, Matcher};

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waiting: Vec<Wait>,
    next: u64,
}

#[derive(Debug)]
struct Wait {
    id: u64,
    condition: Condition,
    left: Countdown,
    waker: Option<Waker>,
    outcome: Option<Result<Option<Entry>, TimedOut>>,
}

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// Something passes.
    Passes(Box<Matcher>),
    /// So many messages are held back.
    Held { hold: HoldId, number: usize },
    /// A fault has happened so many times.
    Happened { fault: FaultId, times: u64 },
}

/// Nothing of the kind happened in time.
///
/// ```
/// use std::time::Duration;
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// let waited = server.wait_for(Matcher::event()).within(Duration::ZERO).blocking();
/// assert!(waited.is_err());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waited for {span:?} in vain for {what}")]
pub struct TimedOut {
    /// What was waited for.
    what: String,
    /// For how long.
    span: Duration,
}

impl Waits {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn add(&mut self, condition: Condition, left: Countdown) -> u64 {
        self.next += 1;
        self.waiting.push(Wait {
            id: self.next,
            condition,
            left,
            waker: None,
            outcome: None,
        });
        self.next
    }

    fn remove(&mut self, id: u64) {
        self.waiting.retain(|wait| wait.id != id);
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
            if let Condition::Passes(matcher) = &wait.condition
                && wait.outcome.is_none()
                && matcher.matches_any(who, sight)
            {
                wait.outcome = Some(Ok(Some(entry())));
                wakers.extend(wait.waker.take());
            }
        }
    }

    /// The number of messages that a hold keeps back has changed: whom to wake.
    pub(super) fn held(&mut self, hold: HoldId, count: usize, wakers: &mut Vec<Waker>) {
        for wait in &mut self.waiting {
            if let Condition::Held { hold: of, number } = wait.condition
                && of == hold
                && count >= number
                && wait.outcome.is_none()
            {
                wait.outcome = Some(Ok(None));
                wakers.extend(wait.waker.take());
            }
        }
    }

    /// A fault has happened so many times: whom to wake.
    pub(super) fn happened(&mut self, fault: FaultId, hits: u64, wakers: &mut Vec<Waker>) {
        for wait in &mut self.waiting {
            if let Condition::Happened { fault: of, times } = wait.condition
                && of == fault
                && hits >= times
                && wait.outcome.is_none()
            {
                wait.outcome = Some(Ok(None));
                wakers.extend(wait.waker.take());
            }
        }
    }

    /// Who has waited long enough first, and how long that is.
    pub(super) fn next_timeout(&self) -> Option<(Duration, u64)> {
        let open = self.waiting.iter().filter(|wait| wait.outcome.is_none());
        open.map(|wait| (wait.left.left(), wait.id)).min()
    }

    /// It has waited long enough: whom to wake.
    pub(super) fn time_out(&mut self, id: u64, wakers: &mut Vec<Waker>) {
        if let Some(wait) = self.find(Some(id))
            && wait.outcome.is_none()
        {
            wait.give_up();
            wakers.extend(wait.waker.take());
        }
    }
}

impl Wait {
    fn give_up(&mut self) {
        self.outcome = Some(Err(TimedOut {
            what: match &self.condition {
                Condition::Passes(matcher) => serde_json::to_string(matcher).unwrap_or_default(),
                Condition::Held { number, .. } => format!("{number} messages to be held back"),
                Condition::Happened { times, .. } => format!("a fault to happen {times} times"),
            },
            span: self.left.span(),
        }));
    }
}

/// Waits for something: a future that needs no particular runtime. It looks back as far as the test said when it began.
#[derive(Debug)]
pub(crate) struct Waiting {
    engine: Arc<Engine>,
    condition: Condition,
    span: Duration,
    /// The first number of the journal that counts.
    from: u64,
    id: Option<u64>,
    /// Whether a thread does. The time that it has is real: a runtime whose time stands may wait for it.
    blocks: bool,
}

impl Waiting {
    pub(crate) fn new(
        engine: Arc<Engine>,
        condition: Condition,
        from: u64,
        span: Duration,
    ) -> Self {
        Self {
            engine,
            condition,
            span,
            from,
            id: None,
            blocks: false,
        }
    }

    pub(crate) fn set_span(&mut self, span: Duration) {
        self.span = span;
    }

    fn begin(&mut self) -> Result<u64, Option<Entry>> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        let (condition, from) = (self.condition.clone(), self.from);
        let left = if self.blocks {
            Countdown::begin(self.span)
        } else {
            Countdown::begin_by(self.engine.clock(), self.span)
        };
        let begun = self.engine.control(|control| {
            control.already(&condition, from)?;
            Ok(control.waits.add(condition, left))
        });
        if let Ok(id) = begun {
            self.id = Some(id);
            self.engine.patience_changed();
        }
        begun
    }

    /// Blocks this thread until it has happened, or the time is over.
    pub(crate) fn block(mut self) -> Result<Option<Entry>, TimedOut> {
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
            if let Poll::Ready(outcome) = Pin::new(&mut self).poll(&mut context) {
                return outcome;
            }
            // The server may be stopped, and then nobody but this thread minds the time.
            let left = self.engine.control(|control| {
                let wait = control.waits.find(self.id);
                wait.map_or(Duration::ZERO, |wait| {
                    let left = wait.left.left();
                    if left.is_zero() && wait.outcome.is_none() {
                        wait.give_up();
                    }
                    left
                })
            });
            if !left.is_zero() {
                thread::park_timeout(left);
            }
        }
    }
}

impl Waits {
    fn find(&mut self, id: Option<u64>) -> Option<&mut Wait> {
        self.waiting.iter_mut().find(|wait| Some(wait.id) == id)
    }
}

impl Future for Waiting {
    type Output = Result<Option<Entry>, TimedOut>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let id = match self.begin() {
            Ok(id) => id,
            Err(already) => return Poll::Ready(Ok(already)),
        };
        self.engine.control(|control| {
            let Some(wait) = control.waits.find(Some(id)) else {
                return Poll::Pending;
            };
            if let Some(outcome) = wait.outcome.clone() {
                return Poll::Ready(outcome);
            }
            wait.waker = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(id) = self.id
            && !thread::panicking()
        {
            self.engine.control(|control| control.waits.remove(id));
        }
    }
}
