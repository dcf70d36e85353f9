//! The journal as a test reads it, and waiting for what it will say.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Server;
use crate::net::{Condition, Entry, Matcher, TimedOut, Waiting};

/// How long anything is waited for if nothing else is said.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something: a future that needs no particular runtime, or [`blocking`](Self::blocking).
#[must_use = "nothing is waited for before this is awaited"]
#[derive(Debug)]
pub struct WaitFor<T = Entry> {
    waiting: Waiting,
    take: fn(Option<Entry>) -> T,
}

impl<T> WaitFor<T> {
    pub(super) fn new(waiting: Waiting, take: fn(Option<Entry>) -> T) -> Self {
        Self { waiting, take }
    }

    /// Waits no longer than this, of real time; 10 s if it is not said. Where the server follows
    /// [tokio's time](crate::ClockKind) it is of that, unless it [blocks](Self::blocking).
    pub fn within(mut self, span: Duration) -> Self {
        self.waiting.set_span(span);
        self
    }

    /// Blocks this thread until it has happened. Do not do so where the client that is waited for runs on this same
    /// thread, as it does under `#[tokio::test]`: it would never get to act. Await it there.
    ///
    /// # Errors
    ///
    /// If it does not happen in time.
    pub fn blocking(self) -> Result<T, TimedOut> {
        self.waiting.block().map(self.take)
    }
}

impl<T> Future for WaitFor<T> {
    type Output = Result<T, TimedOut>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let take = self.take;
        Pin::new(&mut self.waiting)
            .poll(context)
            .map(|outcome| outcome.map(take))
    }
}

impl Server {
    /// What the journal has kept, in order.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.journal().is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.shared.engine.journal(0)
    }

    /// Waits for something to pass, from now on. What passed before does not count; see [`Server::journal`] for that.
    pub fn wait_for(&self, matcher: Matcher) -> WaitFor {
        let engine = &self.shared.engine;
        let from = engine.noted() + 1;
        let condition = Condition::Passes(Box::new(matcher));
        let waiting = Waiting::new(Arc::clone(engine), condition, from, PATIENCE);
        WaitFor::new(waiting, |entry| entry.expect("what passed is told"))
    }
}
