//! One write for all connections that had something to say, where whoever appends writes too.
//!
//! To write costs the same, almost, for a few transactions and for many. So the connections leave it to one task, which has its
//! turn behind all of those that were ready with them, and are answered after it.

use std::future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::Log;

/// Goes with the task: nobody leaves anything to it any more.
struct Rounds(Arc<Log>);

impl Log {
    /// Writes once in each round what connections have left to it.
    pub(in crate::net) fn write_each_round(
        self: &Arc<Self>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let rounds = Rounds(Arc::clone(self));
        future::poll_fn(move |context| {
            let Rounds(log) = &rounds;
            log.round().get_or_insert_with(|| context.waker().clone());
            log.write_at_once(None);
            Poll::Pending
        })
    }

    /// Leaves it to the end of the round to write what was appended; says whether somebody will.
    pub(in crate::net) fn puts_off(&self) -> bool {
        if !self.at_once.load(Ordering::Acquire) {
            return false;
        }
        // Held, so that whoever is woken has not gone meanwhile.
        let round = self.round();
        round.as_ref().map(Waker::wake_by_ref).is_some()
    }

    fn round(&self) -> MutexGuard<'_, Option<Waker>> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        let Self(log) = self;
        *log.round() = None;
        // What was left to it in the last moment.
        log.write_at_once(None);
    }
}
