//! Record of the threads that have printed the last events of a server.

use std::thread::{self, ThreadId};

/// Who was told.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    /// Whether anybody was.
    told: bool,
    /// Who has used the server since, without panicking: if one of these panics, that is another panic.
    calm: Vec<ThreadId>,
}

impl LastWords {
    /// Somebody uses the server.
    pub(super) fn used(&mut self) {
        if self.told && !thread::panicking() {
            let id = thread::current().id();
            if !self.calm.contains(&id) {
                self.calm.push(id);
            }
        }
    }

    /// Whether this thread, which panics, is to be told.
    pub(super) fn is_wanted(&mut self) -> bool {
        if self.told && !self.calm.contains(&thread::current().id()) {
            return false;
        }
        self.told = true;
        self.calm.clear();
        true
    }
}
