//! Reads of the journal, waits and budgets.

mod state_waits;
mod wait_for;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub use wait_for::WaitFor;

use self::wait_for::last;
use crate::config::JournalMode;
use crate::control::{
    Budget, BudgetId, Condition, Entry, Exceeded, Journal, Mark, Matcher, NeverMatches,
};
use crate::handle::{Server, last_error};

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

    /// Ends the budget, and returns whether it was exceeded. Later messages do not count, and dropping the guard does
    /// not panic.
    ///
    /// # Errors
    ///
    /// If the budget was exceeded, also if an earlier [`check`](Self::check) has said so.
    ///
    /// ```
    /// use minikeeper::{Matcher, journal::Budget, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let budget = server.budget(Budget::total(Matcher::of(EventKind::Wrote), 0));
    /// server.create("/a", b"")?;
    /// assert!(budget.end().is_err());
    /// server.create("/b", b"")?;
    /// assert!(budget.end().is_ok(), "it has ended already");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end(&self) -> Result<(), Exceeded> {
        self.reported.store(true, Ordering::Relaxed);
        let ended = self.server.shared.engine.remove_budget(self.id);
        ended.map_err(last_error::note)
    }
}

impl Drop for BudgetGuard {
    fn drop(&mut self) {
        self.server.report_if_panicking();
        let engine = &self.server.shared.engine;
        if thread::panicking() && !engine.is_sound() {
            return;
        }
        if let Err(exceeded) = engine.remove_budget(self.id)
            && !self.reported.load(Ordering::Relaxed)
            && !thread::panicking()
        {
            panic!("{exceeded}{}", last_error::hidden(self.errors_before));
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

    /// Returns the entries after a mark, as [`Journal::since`] does, without a copy of the older ones. A mark beyond
    /// the end is the end.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/a", b"")?;
    /// let mark = server.mark();
    /// server.create("/b", b"")?;
    /// assert_eq!(server.journal_since(mark).len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn journal_since(&self, mark: Mark) -> Journal {
        self.shared.engine.journal_since(mark)
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
