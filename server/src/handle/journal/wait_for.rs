//! Waits for events and states.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::control::{Condition, Entry, Mark, TimedOut};
use crate::handle::{Server, Shared, last_error};
use crate::net::Waiting;

/// Longest time that a wait takes unless it is set by [`WaitFor::within`].
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Wait for an event or a state. It is a future that needs no particular runtime; [`blocking`](Self::blocking) waits
/// without one. Events count from when the wait is created: create the wait first, then cause the event, then await.
///
/// ```
/// use minikeeper::{Matcher, matcher::EventKind};
///
/// let server = minikeeper::Server::start()?;
/// let second = server.wait_for(Matcher::of(EventKind::Wrote)).nth(2);
/// server.create("/a", b"")?;
/// server.create("/b", b"")?;
/// assert!(second.blocking()?.to_string().contains("/b"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a wait does nothing unless it is awaited"]
pub struct WaitFor<T = Entry> {
    waiting: Waiting,
    wanted: Wanted<T>,
    /// Server whose state is added to the message if the wait times out.
    server: Weak<Shared>,
    /// Adds lines about the server to that message.
    explain: Option<Explain>,
}

/// Source of a wait's outcome.
enum Wanted<T> {
    /// The messages that passed.
    Entries(fn(Vec<Entry>) -> T),
    /// The state, read after each change. The lock makes the wait shareable and is never contended.
    State(Mutex<Look<T>>),
}

/// Reads the awaited value from the state, if the state has it.
type Look<T> = Box<dyn FnMut(&Server) -> Option<T> + Send>;

/// Returns lines about the likely reason of a timeout.
type Explain = Box<dyn Fn(&Server) -> Option<String> + Send + Sync>;

/// Prints the condition and the time, and not the server.
impl<T> fmt::Debug for WaitFor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitFor").field(&self.waiting).finish()
    }
}

impl<T> WaitFor<T> {
    pub(in crate::handle) fn new(
        server: &Server,
        condition: Condition,
        take: fn(Vec<Entry>) -> T,
    ) -> Self {
        Self::of(server, condition, Wanted::Entries(take))
    }

    /// Waits until `look` returns a value. `what` describes the value in messages.
    pub(super) fn for_state(
        server: &Server,
        what: String,
        look: impl FnMut(&Server) -> Option<T> + Send + 'static,
    ) -> Self {
        let look: Look<T> = Box::new(look);
        let condition = Condition::State(what.into());
        Self::of(server, condition, Wanted::State(Mutex::new(look)))
    }

    fn of(server: &Server, condition: Condition, wanted: Wanted<T>) -> Self {
        let engine = Arc::clone(&server.shared.engine);
        Self {
            waiting: Waiting::new(engine, condition, DEFAULT_TIMEOUT),
            wanted,
            server: Arc::downgrade(&server.shared),
            explain: None,
        }
    }

    /// Adds lines to the message if the wait times out.
    pub(in crate::handle) fn explained_by(mut self, explain: Explain) -> Self {
        self.explain = Some(explain);
        self
    }

    /// Sets the longest time that the wait takes; the default is 10 s. The time starts when this is awaited. It ends in
    /// every state of the server: while the server is stopped, while it serves no client, and while a [manual
    /// clock](crate::ServerBuilder::manual_clock) stands still. If the last handle of the server is dropped, the wait
    /// ends at once.
    ///
    /// The time is real time, also on a manual clock, and also if the runtime that awaits this has paused its own time.
    /// Only a server that follows [tokio's time](crate::config::ClockKind) uses the time of its runtime, if the wait is
    /// awaited there and does not [block](Self::blocking).
    pub fn within(mut self, span: Duration) -> Self {
        self.waiting.set_span(span);
        self
    }

    /// Blocks this thread until the event has happened. Await the wait instead if the client runs on this same thread,
    /// as under `#[tokio::test]`: the client could not proceed while the thread is blocked. The error names this case.
    ///
    /// # Errors
    ///
    /// If the event does not happen in time.
    pub fn blocking(self) -> Result<T, TimedOut> {
        let Self {
            waiting,
            mut wanted,
            server,
            explain,
        } = self;
        let outcome = waiting.block_on(|waiting, context| wanted.poll(waiting, &server, context));
        outcome.map_err(|error| {
            let error = explained(error, &server, explain.as_ref());
            last_error::note(error.of_blocked_thread())
        })
    }
}

impl WaitFor<Entry> {
    /// Waits for the match of this number, and returns that one. The first match is 1.
    ///
    /// # Panics
    ///
    /// If the number is 0.
    #[track_caller]
    pub fn nth(mut self, nth: usize) -> Self {
        assert!(
            nth > 0,
            "matches are counted from 1, so nth(0) never matches"
        );
        self.waiting.set_nth(nth);
        self
    }

    /// Also counts events since a mark, as far as the journal still has them. If the journal is off, it has none.
    ///
    /// # Panics
    ///
    /// If the mark is from another server.
    ///
    /// ```
    /// use minikeeper::{Matcher, journal::Mark, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.create("/a", b"")?;
    /// let created = server.wait_for(Matcher::of(EventKind::Wrote)).since(Mark::BEGINNING).blocking()?;
    /// assert_eq!(created.number, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn since(self, mark: Mark) -> Self {
        self.look_back(mark)
    }
}

impl WaitFor<Vec<Entry>> {
    /// Also counts events since a mark, as far as the journal still has them. If the journal is off, it has none.
    ///
    /// # Panics
    ///
    /// If the mark is from another server.
    #[track_caller]
    pub fn since(self, mark: Mark) -> Self {
        self.look_back(mark)
    }
}

impl<T> WaitFor<T> {
    #[track_caller]
    fn look_back(mut self, mark: Mark) -> Self {
        if let Err(bad) = self.waiting.check_mark(mark) {
            panic!("{bad}");
        }
        self.waiting.look_back(mark);
        self
    }
}

impl<T> Future for WaitFor<T> {
    type Output = Result<T, TimedOut>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            waiting,
            wanted,
            server,
            explain,
        } = &mut *self;
        let outcome = wanted.poll(waiting, server, context);
        outcome.map_err(|error| last_error::note(explained(error, server, explain.as_ref())))
    }
}

impl<T> Wanted<T> {
    fn poll(
        &mut self,
        waiting: &mut Waiting,
        server: &Weak<Shared>,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, TimedOut>> {
        let waiting = Pin::new(waiting);
        match self {
            Self::Entries(take) => waiting.poll(context).map(|outcome| outcome.map(take)),
            Self::State(look) => {
                // A change that comes while `look` runs makes it run again.
                waiting.look_again();
                let look = look.get_mut().unwrap_or_else(PoisonError::into_inner);
                if let Some(shared) = server.upgrade()
                    && let Some(found) = look(&Server { shared })
                {
                    return Poll::Ready(Ok(found));
                }
                match waiting.poll(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

/// The error, with the lines that `explain` adds.
fn explained(error: TimedOut, server: &Weak<Shared>, explain: Option<&Explain>) -> TimedOut {
    let more = explain.and_then(|explain| {
        let shared = server.upgrade()?;
        explain(&Server { shared })
    });
    match more {
        Some(more) => error.and_lines("", &more),
        None => error,
    }
}

pub(super) fn last(mut found: Vec<Entry>) -> Entry {
    found.pop().expect("a finished wait has at least one entry")
}
