//! Tasks that await a wait, and their timers.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Waker;
use std::time::Duration;

use super::clock::{Countdown, Deadline};
use crate::control::{Wait, WaitId, Waits};

/// Tasks that await a wait, and the time that each has left.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_id: BTreeMap<WaitId, Waiter>,
    /// Ends of the waits that are measured in real time, the next one first.
    deadlines: BTreeSet<(Deadline, WaitId)>,
}

#[derive(Debug, Default)]
pub(super) struct Waiter {
    /// Runs from the first poll.
    pub(super) countdown: Option<Countdown>,
    pub(super) waker: Option<Waker>,
    /// Its entry among the deadlines.
    deadline: Option<Deadline>,
}

impl Waiters {
    /// Returns the task of a wait.
    pub(super) fn of(&mut self, id: WaitId) -> &mut Waiter {
        self.by_id.entry(id).or_default()
    }

    pub(super) fn remove(&mut self, id: WaitId) {
        if let Some(deadline) = self.by_id.remove(&id).and_then(|waiter| waiter.deadline) {
            self.deadlines.remove(&(deadline, id));
        }
    }

    /// Measures the rest of a wait in real time.
    pub(super) fn measure(&mut self, id: WaitId) {
        let waiter = self.by_id.entry(id).or_default();
        if let Some(before) = waiter.deadline.take() {
            self.deadlines.remove(&(before, id));
        }
        let Some(countdown) = &mut waiter.countdown else {
            return;
        };
        countdown.go_on_in_real_time();
        waiter.deadline = countdown.deadline();
        self.deadlines
            .extend(waiter.deadline.map(|deadline| (deadline, id)));
    }

    /// Takes the wakers of waits that have ended.
    pub(super) fn wakers_of(&mut self, ended: Vec<WaitId>) -> impl Iterator<Item = Waker> {
        ended
            .into_iter()
            .filter_map(|id| self.by_id.get_mut(&id)?.waker.take())
    }

    pub(super) fn all_wakers(&mut self) -> Vec<Waker> {
        let waiters = self.by_id.values_mut();
        waiters.filter_map(|waiter| waiter.waker.take()).collect()
    }

    /// Returns the real time until the first wait times out.
    pub(super) fn next_timeout(&mut self, waits: &Waits) -> Option<(Duration, WaitId)> {
        while let Some((_, id)) = self.deadlines.first().copied() {
            if waits.get(id).is_some_and(Wait::is_open) {
                return Some((self.remaining(id), id));
            }
            // It has an outcome already.
            self.deadlines.pop_first();
        }
        None
    }

    /// Returns the rest of the time of a wait, zero if it was never polled.
    pub(super) fn remaining(&self, id: WaitId) -> Duration {
        let countdown = self
            .by_id
            .get(&id)
            .and_then(|waiter| waiter.countdown.as_ref());
        countdown.map_or(Duration::ZERO, Countdown::remaining)
    }

    /// Returns the timeout of a wait, zero if it was never polled.
    pub(super) fn span(&self, id: WaitId) -> Duration {
        let countdown = self
            .by_id
            .get(&id)
            .and_then(|waiter| waiter.countdown.as_ref());
        countdown.map_or(Duration::ZERO, Countdown::span)
    }
}
