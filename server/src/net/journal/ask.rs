//! What a test asks of the journal, behind the engine's lock.

use super::{BadMark, Budget, BudgetId, Exceeded, Journal, JournalMode, Mark, Source};
use crate::net::Engine;
use crate::net::possible::NeverMatches;
use crate::protocol::Timestamp;

impl Engine {
    pub(crate) fn journal(&self) -> Journal {
        let (kept, known, started) = self.control(|control| {
            let journal = &control.journal;
            (journal.all(), control.known.clone(), journal.started())
        });
        let port = self.port();
        Journal {
            server: Some(Source { port, started }),
            ..kept.journal(known)
        }
    }

    pub(crate) fn journal_mode(&self) -> JournalMode {
        self.control(|control| control.journal.mode())
    }

    pub(crate) fn set_journal(&self, mode: JournalMode) {
        self.control(|control| control.journal.set_mode(mode));
    }

    pub(crate) fn clear_journal(&self) {
        self.control(|control| control.journal.clear());
    }

    pub(crate) fn mark(&self) -> Mark {
        self.control(|control| Mark {
            number: control.journal.noted(),
            journal: control.known.journal,
        })
    }

    /// Refuses a mark of another server's journal.
    pub(crate) fn check_mark(&self, mark: Mark) -> Result<(), BadMark> {
        self.control(|control| mark.check(control.known.journal))
    }

    /// When the server started, by its clock.
    pub(crate) fn started(&self) -> Timestamp {
        self.control(|control| control.journal.started())
    }

    pub(crate) fn add_budget(&self, budget: Budget) -> Result<BudgetId, NeverMatches> {
        self.control(|control| {
            budget.check(&control.known)?;
            Ok(control.journal.budgets.add(budget))
        })
    }

    /// Whether a budget is kept so far.
    pub(crate) fn check_budget(&self, id: BudgetId) -> Result<(), Exceeded> {
        self.control(|control| control.journal.budgets.check(id))
    }

    /// No longer keeps an eye on it; says whether it was kept.
    pub(crate) fn remove_budget(&self, id: BudgetId) -> Result<(), Exceeded> {
        self.control(|control| control.journal.budgets.remove(id))
    }
}
