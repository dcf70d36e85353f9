//! What a test asks of the journal, behind the engine's lock.

use super::{Budget, BudgetId, Exceeded, Journal, JournalMode, Mark};
use crate::net::Engine;
use crate::protocol::Timestamp;

impl Engine {
    pub(crate) fn journal(&self) -> Journal {
        let kept = self.control(|control| control.journal.all());
        kept.journal()
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
        self.control(|control| Mark(control.journal.noted()))
    }

    /// When the server started, by its clock.
    pub(crate) fn started(&self) -> Timestamp {
        self.control(|control| control.journal.started())
    }

    pub(crate) fn add_budget(&self, budget: Budget) -> BudgetId {
        self.control(|control| control.journal.budgets.add(budget))
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
