//! Order in which the connections of one thread do work that takes long.
//!
//! A connection that has a lot to write, or a long answer to make, does a part of it in each turn. Without an order,
//! all such connections would have a turn between two turns of any other connection. So only a few have one at a
//! time, first come, first served, and other connections wait only for these few.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::keeper::ConnectionId;

/// Number of connections that may have a turn at a time.
const AT_A_TIME: usize = 2;

/// Long turns of the connections of one thread. All of these connections are polled until they end, so none that has
/// a turn blocks the others.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    granted: Vec<ConnectionId>,
    waiting: VecDeque<(ConnectionId, Waker)>,
}

impl Turns {
    /// Ready when the connection may have its turn, which then lasts until it is [ended](Self::end).
    pub(super) fn poll(&self, id: ConnectionId, context: &Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.granted.contains(&id) {
            return Poll::Ready(());
        }
        if let Some((_, waker)) = inner.waiting.iter_mut().find(|(waiting, _)| *waiting == id) {
            waker.clone_from(context.waker());
            return Poll::Pending;
        }
        if inner.granted.len() < AT_A_TIME {
            inner.granted.push(id);
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        inner.waiting.push_back((id, waker));
        Poll::Pending
    }

    /// Ends the turn of a connection, or its wait for one.
    pub(super) fn end(&self, id: ConnectionId) {
        let next = {
            let mut inner = self.lock();
            if let Some(at) = inner.granted.iter().position(|granted| *granted == id) {
                inner.granted.swap_remove(at);
                let next = inner.waiting.pop_front();
                inner.granted.extend(next.as_ref().map(|(id, _)| *id));
                next
            } else {
                inner.waiting.retain(|(waiting, _)| *waiting != id);
                None
            }
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }

    /// Whether connections wait for their turn.
    pub(super) fn are_wanted(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic leaves nothing in here half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the other connections have had their turn, including those whose sockets have new data. A wake-up alone
/// is not enough: a runtime with tasks to run polls its sockets only after dozens of tasks.
pub(super) fn give_way(context: &mut Context<'_>) -> Poll<()> {
    pin!(tokio::task::yield_now()).poll(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_given_in_the_order_in_which_they_were_asked_for() {
        let turns = Turns::default();
        let context = Context::from_waker(Waker::noop());
        let [a, b, c, d] = [1, 2, 3, 4].map(ConnectionId);
        assert!(turns.poll(a, &context).is_ready());
        assert!(turns.poll(b, &context).is_ready());
        assert!(turns.poll(c, &context).is_pending());
        assert!(turns.poll(d, &context).is_pending());
        turns.end(a);
        assert!(turns.poll(a, &context).is_pending(), "it is behind d");
        assert!(turns.poll(d, &context).is_pending());
        assert!(turns.poll(c, &context).is_ready());
        turns.end(c);
        assert!(turns.poll(d, &context).is_ready());
    }

    #[test]
    fn a_connection_that_ends_while_it_waits_is_passed_over() {
        let turns = Turns::default();
        let context = Context::from_waker(Waker::noop());
        for id in 1..=4 {
            let _ = turns.poll(ConnectionId(id), &context);
        }
        turns.end(ConnectionId(3));
        turns.end(ConnectionId(1));
        assert!(turns.poll(ConnectionId(4), &context).is_ready());
        assert!(!turns.are_wanted());
    }
}
