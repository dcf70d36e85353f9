//! Record of the threads that have printed the last events of a server.

use std::thread::{self, ThreadId};

/// Threads for which the last events were printed.
#[derive(Debug, Default)]
pub(super) struct PanicReports {
    /// Whether they were printed.
    is_printed: bool,
    /// Threads that have used the server since then without panicking. A panic of one of these is a new one.
    calm: Vec<ThreadId>,
}

impl PanicReports {
    /// Records that this thread uses the server.
    pub(super) fn note_use(&mut self) {
        if self.is_printed && !thread::panicking() {
            let id = thread::current().id();
            if !self.calm.contains(&id) {
                self.calm.push(id);
            }
        }
    }

    /// Whether the events are to be printed for this thread, which panics.
    pub(super) fn should_print(&mut self) -> bool {
        if self.is_printed && !self.calm.contains(&thread::current().id()) {
            return false;
        }
        self.is_printed = true;
        self.calm.clear();
        true
    }
}
