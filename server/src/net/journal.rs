//! The engine's calls for the journal and budgets.

use super::engine::Engine;
use crate::config::JournalMode;
use crate::control::{
    BadMark, Budget, BudgetId, Control, Exceeded, Journal, Known, Mark, NeverMatches, Recorded,
    Source,
};
use crate::protocol::Timestamp;

/// Copy of the journal that is not decoded yet.
pub(super) struct Copied {
    recorded: Recorded,
    known: Known,
    server: Source,
}

impl Copied {
    pub(super) fn journal(self) -> Journal {
        self.recorded.journal(self.known).with_source(self.server)
    }
}

impl Engine {
    pub(crate) fn journal(&self) -> Journal {
        self.control(|control| self.copy_journal(control)).journal()
    }

    /// Returns the entries after a mark.
    pub(crate) fn journal_since(&self, mark: Mark) -> Journal {
        self.control(|control| {
            let journal = &control.journal;
            let mark = Mark::at(mark.number().min(journal.noted()));
            self.copy_of(control, journal.after(mark))
        })
        .journal()
    }

    /// Copies the journal, to be decoded without the lock.
    pub(super) fn copy_journal(&self, control: &Control) -> Copied {
        self.copy_of(control, control.journal.all())
    }

    fn copy_of(&self, control: &Control, recorded: Recorded) -> Copied {
        let journal = &control.journal;
        Copied {
            recorded,
            known: control.known.clone(),
            server: Source {
                port: self.port(),
                started: journal.started(),
            },
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
        self.control(|control| Mark::in_journal(control.journal.noted(), control.known.journal))
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

    /// Whether a budget is exceeded.
    pub(crate) fn check_budget(&self, id: BudgetId) -> Result<(), Exceeded> {
        self.control(|control| control.journal.budgets.check(id))
    }

    /// Removes a budget. Returns whether it was exceeded.
    pub(crate) fn remove_budget(&self, id: BudgetId) -> Result<(), Exceeded> {
        self.control(|control| control.journal.budgets.remove(id))
    }
}
