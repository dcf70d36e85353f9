//! What falls due when.

use std::collections::BTreeSet;

use super::ConnectionId;
use crate::protocol::{SessionId, Timestamp};

/// Something that falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    /// A session was not heard from; or it was, and its real deadline is later.
    Session(SessionId),
    /// A connection did not ask for a session.
    Sessionless(ConnectionId),
    /// It is time to look for containers and TTL znodes to remove.
    LookForReapable,
    /// The next of those found may go.
    Reap,
}

/// The end of time, at which everything would be due again as soon as it was put off.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// Everything that will fall due, soonest first.
///
/// An entry may come too early, never too late: what is put off is not moved here, but looked at again when its
/// entry comes. So to hear from a session costs nothing here.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(Timestamp, Deadline)>);

impl Deadlines {
    pub(super) fn add(&mut self, at: Timestamp, deadline: Deadline) {
        self.0.insert((at, deadline));
    }

    pub(super) fn remove(&mut self, at: Timestamp, deadline: Deadline) {
        self.0.remove(&(at, deadline));
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        let next = self.0.first().map(|(at, _)| *at);
        next.filter(|at| *at != NEVER)
    }

    /// Takes the first entry that is due.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Deadline> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, deadline)| deadline)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
