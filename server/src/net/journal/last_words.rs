//! What a test that panics is told: what passed last, and what it still had in its hands.
//!
//! Unwinding lets go what is held, heals links and makes clients leave. The first guard or handle to go is told, so that what
//! is told is what led to the panic; the others have nothing to add.

use std::fmt::Write;
use std::thread::{self, ThreadId};

use super::Notes;
use crate::net::Engine;
use crate::net::engine::State;

/// How many lines a test that panics is told.
const LINES: usize = 30;

/// Who was told.
#[derive(Debug, Default)]
pub(in crate::net) struct LastWords {
    /// Whether anybody was.
    told: bool,
    /// Who has used the server since, without panicking: if one of these panics, that is another panic.
    calm: Vec<ThreadId>,
}

impl LastWords {
    /// Somebody uses the server.
    pub(in crate::net) fn used(&mut self) {
        if self.told && !thread::panicking() {
            let id = thread::current().id();
            if !self.calm.contains(&id) {
                self.calm.push(id);
            }
        }
    }

    /// Whether this thread, which panics, is to be told.
    fn is_wanted(&mut self) -> bool {
        if self.told && !self.calm.contains(&thread::current().id()) {
            return false;
        }
        self.told = true;
        self.calm.clear();
        true
    }
}

impl Notes {
    /// The last lines for a test that panics; `None` if it has been told.
    fn last_words(&mut self) -> Option<String> {
        self.last_words.is_wanted().then(|| self.tail(LINES))
    }
}

impl Engine {
    /// What a test that panics is to be told, unless it was told already or nothing has passed.
    pub(crate) fn last_words(&self) -> Option<String> {
        // Nothing may panic here.
        let mut state = self.panicked_state()?;
        let mut lines = state.control.journal.last_words()?;
        state.in_hands(&mut lines);
        Some(lines).filter(|lines| !lines.is_empty())
    }
}

impl State {
    /// What the test has in its hands.
    fn in_hands(&self, lines: &mut String) {
        for held in self.all_held() {
            let _ = write!(lines, "\nstill held: {} for {}", held.message, held.whom());
        }
        for cut in self.control.cuts_in_words() {
            let _ = write!(lines, "\nlinks cut: {cut}");
        }
        for exceeded in self.control.journal.budgets.exceeded() {
            let _ = write!(lines, "\nbudget exceeded: {exceeded}");
        }
    }
}
