//! Tasks that await a wait, and their timers.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use super::clock::Countdown;
use crate::control::{WaitId, Waits};

/// Tasks that await a wait, and the time that each has left.
#[derive(Debug, Default)]
pub(super) struct Waiters(pub(super) BTreeMap<WaitId, Waiter>);

#[derive(Debug, Default)]
pub(super) struct Waiter {
    /// Runs from the first poll.
    pub(super) countdown: Option<Countdown>,
    pub(super) waker: Option<Waker>,
}

impl Waiters {
    /// Takes the wakers of waits that have ended.
    pub(super) fn wakers_of(&mut self, ended: Vec<WaitId>) -> impl Iterator<Item = Waker> {
        ended
            .into_iter()
            .filter_map(|id| self.0.get_mut(&id)?.waker.take())
    }

    pub(super) fn all_wakers(&mut self) -> Vec<Waker> {
        let waiters = self.0.values_mut();
        waiters.filter_map(|waiter| waiter.waker.take()).collect()
    }

    /// Returns the real time until the first wait times out.
    pub(super) fn next_timeout(&self, waits: &Waits) -> Option<(Duration, WaitId)> {
        let timed = self.0.iter().filter_map(|(id, waiter)| {
            let countdown = waiter.countdown.as_ref().filter(|it| it.is_real())?;
            waits
                .get(*id)?
                .is_open()
                .then(|| (countdown.remaining(), *id))
        });
        timed.min()
    }

    /// Returns the rest of the time of a wait, zero if it was never polled.
    pub(super) fn remaining(&self, id: WaitId) -> Duration {
        let countdown = self.0.get(&id).and_then(|waiter| waiter.countdown.as_ref());
        countdown.map_or(Duration::ZERO, Countdown::remaining)
    }

    /// Returns the timeout of a wait, zero if it was never polled.
    pub(super) fn span(&self, id: WaitId) -> Duration {
        let countdown = self.0.get(&id).and_then(|waiter| waiter.countdown.as_ref());
        countdown.map_or(Duration::ZERO, Countdown::span)
    }
}
