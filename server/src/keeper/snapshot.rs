//! The whole state as a value, and servers that begin with one.

use super::{Keeper, Output, Outputs, Rules, Sessions, Tree, Znode};
use crate::protocol::{
    Owner, SessionId, SessionRecord, Timestamp, ZnodeRecord, Zxid, validate_path,
};

/// The znodes and sessions of a server at one moment. Connections and watches are no part of it.
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

    /// Makes what is looked at and started from of what was copied, once. It takes a while where there are many znodes, and the
    /// server has no part in it.
    pub(crate) fn index(&mut self) {
        self.tree.index();
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The number of the last transaction in it.
    pub(crate) fn zxid(&self) -> Zxid {
        self.tree.last_zxid()
    }

    /// The digest of its tree, where one is kept.
    pub(crate) fn digest(&self) -> Option<u64> {
        self.tree.digest()
    }

    /// The digest of its tree, made of every znode anew if none is kept.
    pub(crate) fn computed_digest(&self) -> u64 {
        self.digest().unwrap_or_else(|| self.tree.computed_digest())
    }

    /// Its sessions as they are kept, by number.
    pub(crate) fn sessions_to_keep(&self) -> impl Iterator<Item = SessionRecord> {
        let sessions = self.sessions.sorted().into_iter();
        sessions.map(|(id, session)| SessionRecord {
            id,
            timeout_ms: session.first_timeout_ms,
        })
    }

    /// Its znodes as they are kept, parents before their children and siblings in the order of their creation. It need not
    /// be [indexed](Self::index) for that.
    pub(crate) fn znodes_to_keep(&self) -> impl Iterator<Item = ZnodeRecord<'_>> + Clone {
        self.tree.to_keep()
    }

    /// Session of the server with id 255, if one is open or owns a znode.
    pub(crate) fn session_of_server_255(&self) -> Option<SessionId> {
        let owners = self.tree.all_ephemerals().map(|(session, _)| session);
        let open = self.sessions.sorted().into_iter().map(|(id, _)| id);
        owners
            .chain(open)
            .find(|session| Owner::is_of_server_255(*session))
    }

    /// Znodes whose ACL no snapshot lists.
    pub(crate) fn with_unlisted_acl(&self) -> impl Iterator<Item = &Znode> {
        self.tree.with_unlisted_acl()
    }

    /// A znode that no server makes, with the reason; of several, the first by its path.
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

    /// When it was taken.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }
}

/// Two snapshots are equal if they hold the same znodes and sessions, whenever they were taken. Muted sessions are
/// not compared: no folder holds that state.
impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        fn sessions(snapshot: &Snapshot) -> impl Iterator<Item = impl PartialEq> {
            let sorted = snapshot.sessions.sorted().into_iter();
            sorted.map(|(id, session)| (id, session.timeout_ms))
        }
        self.tree == other.tree && sessions(self).eq(sessions(other))
    }
}

/// Takes what nobody is there for.
struct Nobody;

impl Outputs for Nobody {
    fn emit(&mut self, _: Output<'_>) {}
}

impl Keeper {
    /// Copies the state, to be [indexed](Snapshot::index) before it is looked at. Neither the copy nor this server sees what
    /// becomes of the other.
    pub(crate) fn snapshot(&mut self, now: Timestamp) -> Snapshot {
        Snapshot {
            tree: self.tree.share(),
            sessions: self.sessions.disconnected(),
            now,
        }
    }

    /// The same where the state is needed still.
    #[cfg(test)]
    pub(crate) fn resume(rules: Rules, snapshot: &Snapshot, now: Timestamp) -> Self {
        Self::begin_with(rules, snapshot.clone(), now)
    }

    /// A server that begins with this state, as one does that was restarted: every session has its whole timeout before
    /// it, and no connection yet.
    pub(crate) fn begin_with(rules: Rules, snapshot: Snapshot, now: Timestamp) -> Self {
        let mut keeper = Self::new(rules, now);
        keeper.tree = snapshot.tree;
        keeper.tree.index();
        keeper.tree.maintain_digest(keeper.rules.digest);
        keeper.tree.set_extended_types(keeper.rules.extended_types);
        keeper.sessions.go_on_from(&snapshot.sessions);
        keeper.members.go_on_from(keeper.tree.last_zxid());
        // Nobody is connected yet.
        keeper.restarted(now, &mut Nobody);
        keeper
    }
}
