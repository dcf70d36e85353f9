//! Snapshots of the whole state, and servers that start from one.

use super::{Keeper, Output, Outputs, Rules, Sessions, Tree, Znode};
use crate::protocol::{
    Owner, SessionId, SessionRecord, Timestamp, ZnodeRecord, Zxid, validate_path,
};

/// The znodes and sessions of a server at one moment, without connections and watches.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    tree: Tree,
    sessions: Sessions,
    now: Timestamp,
}

impl Snapshot {
    pub(super) fn new(tree: Tree, sessions: Sessions, now: Timestamp) -> Self {
        Self {
            tree,
            sessions,
            now,
        }
    }

    /// Builds the indexes that reading and starting from the copy need, once. This takes a while for many znodes and
    /// does not involve the server.
    pub(crate) fn index(&mut self) {
        self.tree.index();
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Returns the zxid of the last transaction.
    pub(crate) fn zxid(&self) -> Zxid {
        self.tree.last_zxid()
    }

    /// Returns the digest of the tree, if the server maintains one.
    pub(crate) fn digest(&self) -> Option<u64> {
        self.tree.digest()
    }

    /// Returns the digest of the tree, computed from all znodes if the server does not maintain one.
    pub(crate) fn computed_digest(&self) -> u64 {
        self.digest().unwrap_or_else(|| self.tree.computed_digest())
    }

    /// Returns the persisted part of all sessions, ordered by id.
    pub(crate) fn session_records(&self) -> impl Iterator<Item = SessionRecord> {
        let sessions = self.sessions.sorted().into_iter();
        sessions.map(|(id, session)| SessionRecord {
            id,
            timeout_ms: session.first_timeout_ms,
        })
    }

    /// Returns the persisted part of all znodes, parents before their children and siblings in the order of their
    /// creation. The snapshot need not be [indexed](Self::index) for that.
    pub(crate) fn znode_records(&self) -> impl Iterator<Item = ZnodeRecord<'_>> + Clone {
        self.tree.records()
    }

    /// Returns a session of the server with id 255, if one is open or owns a znode.
    pub(crate) fn session_of_server_255(&self) -> Option<SessionId> {
        let owners = self.tree.all_ephemerals().map(|(session, _)| session);
        let open = self.sessions.sorted().into_iter().map(|(id, _)| id);
        owners
            .chain(open)
            .find(|session| Owner::is_of_server_255(*session))
    }

    /// Returns the znodes whose ACL no snapshot lists.
    pub(crate) fn with_unlisted_acl(&self) -> impl Iterator<Item = &Znode> {
        self.tree.with_unlisted_acl()
    }

    /// Returns a znode that no server creates, with the reason. Of several, it is the first by path.
    pub(crate) fn impossible(&self) -> Option<(&str, &'static str)> {
        let found = self.tree.all().filter_map(|znode| {
            let is_ephemeral = matches!(znode.owner(), Owner::Session(_));
            let reason = if validate_path(znode.path()).is_err() {
                "has a path that no client may create"
            } else if is_ephemeral && znode.has_children() {
                "is ephemeral and has children"
            } else if is_ephemeral && znode.path() == "/" {
                "is ephemeral"
            } else {
                return None;
            };
            Some((znode.path(), reason))
        });
        found.min()
    }

    /// Returns the time at which the snapshot was taken.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }
}

/// Two snapshots are equal if they have the same znodes and sessions, whenever they were taken. Muted sessions are not
/// compared, since no folder contains that state.
impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        fn sessions(snapshot: &Snapshot) -> impl Iterator<Item = impl PartialEq> {
            let sorted = snapshot.sessions.sorted().into_iter();
            sorted.map(|(id, session)| (id, session.timeout_ms))
        }
        self.tree == other.tree && sessions(self).eq(sessions(other))
    }
}

/// Drops all outputs.
struct NoOutputs;

impl Outputs for NoOutputs {
    fn emit(&mut self, _: Output<'_>) {}
}

impl Keeper {
    /// Copies the state. The copy must be [indexed](Snapshot::index) before it is read. Neither the copy nor this
    /// server sees later changes of the other.
    pub(crate) fn snapshot(&mut self, now: Timestamp) -> Snapshot {
        Snapshot {
            tree: self.tree.share(),
            sessions: self.sessions.disconnected(),
            now,
        }
    }

    /// Creates a server from a snapshot that is still needed.
    #[cfg(test)]
    pub(crate) fn resume(rules: Rules, snapshot: &Snapshot, now: Timestamp) -> Self {
        Self::begin_with(rules, snapshot.clone(), now)
    }

    /// Creates a server with this state, like one that was restarted: every session has its whole timeout and no
    /// connection.
    pub(crate) fn begin_with(rules: Rules, snapshot: Snapshot, now: Timestamp) -> Self {
        let mut keeper = Self::new(rules, now);
        keeper.tree = snapshot.tree;
        keeper.tree.index();
        keeper.tree.maintain_digest(keeper.rules.digest);
        keeper.tree.set_extended_types(keeper.rules.extended_types);
        keeper.sessions.continue_from(&snapshot.sessions);
        keeper.members.continue_from(keeper.tree.last_zxid());
        // There are no connections yet, so no outputs matter.
        keeper.restarted(now, &mut NoOutputs);
        keeper
    }

    /// Replaces the whole state. Every connection must have ended.
    pub(crate) fn replace(&mut self, snapshot: Snapshot, now: Timestamp) {
        *self = Self::begin_with(self.rules.clone(), snapshot, now);
    }
}
