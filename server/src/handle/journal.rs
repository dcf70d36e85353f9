//! Reads of the journal, waits and budgets.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use super::{Server, Shared, last_error};
use crate::config::JournalMode;
use crate::control::{
    Budget, BudgetId, Condition, Entry, Exceeded, Journal, Mark, Matcher, NeverMatches, TimedOut,
};
use crate::net::Waiting;

/// Longest time that a wait takes unless it is set by [`WaitFor::within`].
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

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
pub(super) type Explain = Box<dyn Fn(&Server) -> Option<String> + Send + Sync>;

/// Prints the condition and the time, and not the server.
impl<T> fmt::Debug for WaitFor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitFor").field(&self.waiting).finish()
    }
}

impl<T> WaitFor<T> {
    pub(super) fn new(server: &Server, condition: Condition, take: fn(Vec<Entry>) -> T) -> Self {
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
            waiting: Waiting::new(engine, condition, PATIENCE),
            wanted,
            server: Arc::downgrade(&server.shared),
            explain: None,
        }
    }

    /// Adds lines to the message if the wait times out.
    pub(super) fn explained_by(mut self, explain: Explain) -> Self {
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

/// Guard of a budget. The server watches the budget until the guard is dropped.
///
/// # Panics
///
/// Dropping the guard panics if the budget was exceeded, and the message lists the entries that exceeded it. It does
/// not panic if the thread is panicking already.
///
/// ```
/// use minikeeper::{Matcher, journal::Budget, matcher::EventKind};
///
/// let server = minikeeper::Server::start()?;
/// let budget = server.budget(Budget::total(Matcher::of(EventKind::Wrote), 1));
/// server.create("/a", b"")?;
/// assert!(budget.check().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a budget is only watched until its guard is dropped"]
pub struct BudgetGuard {
    server: Server,
    id: BudgetId,
    reported: AtomicBool,
    /// Number of errors that the thread had been given when the budget was placed.
    errors_before: u64,
}

impl BudgetGuard {
    /// Checks that the budget is not exceeded so far. After an error from this call, dropping the guard does not panic.
    ///
    /// # Errors
    ///
    /// If the budget is exceeded.
    pub fn check(&self) -> Result<(), Exceeded> {
        let checked = self.server.shared.engine.check_budget(self.id);
        self.reported.fetch_or(checked.is_err(), Ordering::Relaxed);
        checked.map_err(last_error::note)
    }
}

impl Drop for BudgetGuard {
    fn drop(&mut self) {
        self.server.on_drop();
        let engine = &self.server.shared.engine;
        if thread::panicking() && !engine.is_sound() {
            return;
        }
        if let Err(exceeded) = engine.remove_budget(self.id)
            && !self.reported.load(Ordering::Relaxed)
            && !thread::panicking()
        {
            panic!("{exceeded}{}", hidden_error(self.errors_before));
        }
    }
}

impl Server {
    /// Returns the journal, oldest entry first. It has the last 10,000 entries unless [configured
    /// otherwise](crate::ServerBuilder::journal).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.journal().is_empty());
    /// server.create("/config", b"v1")?;
    /// println!("{}", server.journal());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.shared.engine.journal()
    }

    /// Returns the mode of the journal.
    ///
    /// ```
    /// use minikeeper::{Server, journal::JournalMode};
    ///
    /// assert_eq!(Server::start()?.journal_mode(), JournalMode::DEFAULT);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn journal_mode(&self) -> JournalMode {
        self.shared.engine.journal_mode()
    }

    /// Changes the mode of the journal. Existing entries remain as far as the new mode allows; `Off` removes them all.
    ///
    /// ```
    /// use minikeeper::{Server, journal::JournalMode};
    ///
    /// let server = Server::start()?;
    /// server.set_journal(JournalMode::Full);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn set_journal(&self, mode: JournalMode) {
        self.shared.engine.set_journal(mode);
    }

    /// Removes all entries of the journal. The numbers of later entries continue.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// server.clear_journal();
    /// assert!(server.journal().is_empty() && server.journal().is_whole());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear_journal(&self) {
        self.shared.engine.clear_journal();
    }

    /// Returns a mark for the end of the journal, for [`Journal::since`] and [`WaitFor::since`].
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.shared.engine.mark()
    }

    /// Waits for a message that matches, from now on. Earlier messages count only if [`since`](WaitFor::since) is
    /// called. This also works if the journal is off.
    ///
    /// # Panics
    ///
    /// If no message can ever match. To get an error instead, [`check`](Self::check) the matcher first.
    ///
    /// ```
    /// use minikeeper::{Matcher, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let accepted = server.wait_for(Matcher::of(EventKind::Accepted));
    /// let _client = std::net::TcpStream::connect(server.addr())?;
    /// assert_eq!(accepted.blocking()?.connection, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for(&self, matcher: impl Into<Matcher>) -> WaitFor {
        let matcher = matcher.into();
        self.must_be_possible(&matcher);
        let condition = Condition::Nth {
            matcher: Box::new(matcher),
            nth: 1,
        };
        WaitFor::new(self, condition, last)
    }

    /// Waits for messages that match these steps in order, with any others in between, from now on, and returns them.
    ///
    /// # Panics
    ///
    /// If no message can ever match one of the steps. To get an error instead, [`check`](Self::check) them first.
    ///
    /// ```
    /// use minikeeper::{Matcher, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let came_and_went =
    ///     server.wait_for_sequence([Matcher::of(EventKind::Accepted), Matcher::of(EventKind::Disconnected)]);
    /// drop(std::net::TcpStream::connect(server.addr())?);
    /// assert_eq!(came_and_went.blocking()?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for_sequence(
        &self,
        steps: impl IntoIterator<Item = Matcher>,
    ) -> WaitFor<Vec<Entry>> {
        let steps: Vec<Matcher> = steps.into_iter().collect();
        for step in &steps {
            self.must_be_possible(step);
        }
        let condition = Condition::Passes(steps);
        WaitFor::new(self, condition, |found| found)
    }

    /// Checks that some message can match, given the labels and members that are known now. Faults, holds, waits,
    /// claims and budgets check their matchers in this way. Sessions, connections and paths may come later; a label
    /// must have been named before.
    ///
    /// # Errors
    ///
    /// If no message can ever match.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let of_worker = Matcher::watch_event().label("worker");
    /// assert!(server.check(&of_worker).is_err());
    /// server.labelled("worker")?;
    /// assert!(server.check(&of_worker).is_ok());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn check(&self, matcher: &Matcher) -> Result<(), NeverMatches> {
        self.shared.engine.check(matcher)
    }

    #[track_caller]
    fn must_be_possible(&self, matcher: &Matcher) {
        if let Err(never) = self.check(matcher) {
            panic!("{never}");
        }
    }

    /// Watches a [`Budget`] from now on.
    ///
    /// # Panics
    ///
    /// If no message can ever match, so that it could not be exceeded. To get an error instead, use
    /// [`try_budget`](Self::try_budget).
    #[track_caller]
    pub fn budget(&self, budget: Budget) -> BudgetGuard {
        match self.try_budget(budget) {
            Ok(guard) => guard,
            Err(never) => panic!("{never}"),
        }
    }

    /// Watches a [`Budget`] from now on, as [`budget`](Self::budget) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If no message can ever match, so that it could not be exceeded.
    ///
    /// ```
    /// use minikeeper::{ErrorCode, Matcher, journal::Budget};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let never = Budget::total(Matcher::watch_event().error(ErrorCode::NoNode), 3);
    /// assert!(server.try_budget(never).is_err(), "events carry no error");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn try_budget(&self, budget: Budget) -> Result<BudgetGuard, NeverMatches> {
        Ok(BudgetGuard {
            server: self.clone(),
            id: self.shared.engine.add_budget(budget)?,
            reported: AtomicBool::new(false),
            errors_before: last_error::count(),
        })
    }
}

/// Text about an error that a panic may hide: the last one that was returned to this thread after the first `since`
/// errors.
pub(super) fn hidden_error(since: u64) -> String {
    last_error::since(since).map_or_else(String::new, |error| {
        format!("\nthe last error that minikeeper returned to this thread, which this panic may hide: {error}")
    })
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

fn last(mut found: Vec<Entry>) -> Entry {
    found.pop().expect("a finished wait has at least one entry")
}

impl Server {
    /// Called when a guard or handle is dropped. If the test is panicking, prints the last entries of the journal and
    /// the faults, holds and waits of the test, unless the panic hook has printed them.
    pub(super) fn on_drop(&self) {
        if thread::panicking() {
            self.shared.engine.tell_last_words();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.on_drop();
    }
}
