//! The state of a server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::connection::{Connection, ConnectionId, Connections};
use super::deadline::{Deadline, Deadlines, next_look};
use super::ensemble::{MemberState, Members};
use super::session::Sessions;
use super::tree::Tree;
use super::watch::Watches;
use crate::config::Rules;
use crate::protocol::{MemberId, SessionId, Timestamp, Zxid};

/// The state of a server.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    pub(super) rules: Rules,
    /// The committed znodes.
    pub(super) tree: Tree,
    pub(super) sessions: Sessions,
    pub(super) watches: Watches,
    pub(super) connections: Connections,
    pub(super) members: Members,
    pub(super) deadlines: Deadlines,
    /// Paths of containers and TTL znodes that were found to be expired.
    pub(super) reap_queue: VecDeque<Box<str>>,
}

impl Keeper {
    /// Creates the state of a fresh server.
    pub(crate) fn new(rules: Rules, now: Timestamp) -> Self {
        let sessions = Sessions::new(&rules, now);
        let mut deadlines = Deadlines::default();
        deadlines.add(next_look(&rules, now), Deadline::LookForReapable);
        let members = Members::new(&rules);
        let mut tree = Tree::new(rules.data_format);
        tree.extended_types = rules.extended_types;
        tree.maintain_digest(rules.digest);
        tree.set_last_zxid(members.start_of_epoch());
        Self {
            tree,
            sessions,
            watches: Watches::default(),
            connections: Connections::new(),
            members,
            deadlines,
            reap_queue: VecDeque::new(),
            rules,
        }
    }

    /// Returns the time at which the next [`Input::Tick`](super::Input::Tick) is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.next()
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    #[cfg(test)]
    pub(crate) fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Returns the watches of clients of up-to-date members, then those of clients of each other member.
    pub(crate) fn all_watches(&self) -> impl Iterator<Item = &Watches> {
        std::iter::once(&self.watches).chain(self.members.watches())
    }

    /// Returns the session of each connection that has one.
    pub(crate) fn sessions_by_connection(&self) -> BTreeMap<ConnectionId, SessionId> {
        self.connections.sessions().collect()
    }

    /// Returns an open connection.
    pub(crate) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id)
    }

    /// Numbers new sessions as if the clock were ahead by this duration, so that servers that start at the same moment
    /// assign different ids.
    pub(crate) fn move_session_ids_ahead(&mut self, now: Timestamp, ahead: Duration) {
        self.sessions.move_ids_ahead(&self.rules, now, ahead);
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Returns the zxid of the last transaction that a member has.
    pub(crate) fn last_zxid_of(&self, member: MemberId) -> Zxid {
        self.members.last_zxid(member, &self.tree)
    }

    /// Returns the sessions on connections to a member, ordered by id.
    pub(crate) fn sessions_at(&self, member: MemberId) -> Vec<SessionId> {
        let connections = self.connections.of(member).into_iter();
        let mut sessions: Vec<_> = connections
            .filter_map(|id| self.connections.get(id)?.session)
            .collect();
        sessions.sort_unstable();
        sessions
    }

    /// Returns the state of a member.
    pub(crate) fn member(&self, member: MemberId) -> Option<MemberState> {
        self.members.state(member, &self.tree)
    }
}
