//! The schedule of everything that happens by time alone.

use std::collections::BTreeSet;

use super::connection::ConnectionId;
use crate::config::Rules;
use crate::protocol::{SessionId, Timestamp};

/// An event that is due at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    /// A session may have expired. If its client was alive since, the real deadline is later.
    Session(SessionId),
    /// A client did not ask for a session in time.
    Sessionless(ConnectionId),
    /// The reaper looks for expired containers and TTL znodes.
    LookForReapable,
    /// The reaper removes the next znode that it found.
    Reap,
}

/// The last possible time. An entry for it would be due again as soon as it was deferred.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// All deadlines, the earliest first.
///
/// An entry may come too early, never too late. If a deadline is deferred, its entry stays and is checked again when it
/// comes, so a sign of life of a session costs nothing here.
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

    /// Removes and returns the first entry that is due.
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

/// Returns the time at which the reaper looks for expired znodes next.
pub(super) fn next_look(rules: &Rules, now: Timestamp) -> Timestamp {
    let interval = rules.container_check_interval_ms.max(1);
    Timestamp(now.0.saturating_add(interval))
}
