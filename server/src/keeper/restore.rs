//! State from outside: what a folder holds becomes a snapshot, by the rules by which a real server reads its own.
//!
//! A snapshot of a real server may have been taken while transactions went on, so what is replayed onto it may be there
//! already, or gone again: `DataTree.processTxn` and `FileTxnSnapLog.processTransaction` let that pass.

use super::apply::{Changes, TxnHeader};
use super::undo::UndoLog;
use super::{Rules, Sessions, Snapshot, Tree, quota};
use crate::protocol::{
    SessionId, SessionRecord, StatPersisted, Timestamp, Txn, TxnRecord, ZnodeRecord, Zxid, open_acl,
};

/// A state in the making. It takes sessions and znodes, parents before their children, then [`loaded`](Self::loaded), then
/// later transactions.
#[derive(Debug)]
pub(crate) struct Restored {
    rules: Rules,
    tree: Tree,
    sessions: Sessions,
}

impl Restored {
    /// The state of a fresh server: what a folder without a snapshot begins with.
    pub(crate) fn new(rules: &Rules) -> Self {
        let mut tree = Tree::new(rules.data_format);
        tree.keep_digest(rules.digest);
        Self {
            rules: rules.clone(),
            tree,
            sessions: Sessions::new(rules, Timestamp(0)),
        }
    }

    /// A snapshot begins: whatever was taken before is forgotten.
    pub(crate) fn begin(&mut self) {
        self.tree = Tree::empty();
        self.tree.keep_digest(self.rules.digest);
        self.sessions = Sessions::new(&self.rules, Timestamp(0));
    }

    /// Takes a session. Of two with the same number the later one holds.
    pub(crate) fn session(&mut self, session: SessionRecord) {
        self.sessions.restore(session);
    }

    /// Takes a znode, whose parent it has taken already.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    pub(crate) fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str> {
        self.tree.take(znode)
    }

    /// The snapshot has ended. Gives the digest of the tree, where one is kept.
    pub(crate) fn loaded(&mut self, zxid: Zxid) -> Option<u64> {
        if self.tree.get("/").is_none() {
            self.plant_root();
        }
        self.tree.set_last_zxid(zxid);
        quota::count_anew(&mut self.tree);
        self.tree.digest()
    }

    /// Takes a later transaction. Gives the digest of the tree after it, where one is kept.
    pub(crate) fn replay(&mut self, txn: &Txn<'_>) -> Option<u64> {
        self.tree.apply(txn, &mut Changes::default());
        if let TxnRecord::CreateSession { timeout_ms } = txn.record {
            self.sessions.restore(SessionRecord {
                id: txn.session,
                timeout_ms,
            });
        }
        if let TxnRecord::CloseSession { .. } = txn.record {
            self.sessions.remove(txn.session);
            // Before 3.6 no list says which znodes went, and those that a list does not name go too: DataTree.killSession.
            self.drop_ephemerals(txn.session, txn.zxid);
        }
        self.tree.note_digest();
        self.tree.digest()
    }

    /// What it has become.
    pub(crate) fn finish(mut self, now: Timestamp) -> Snapshot {
        // ZooKeeperServer.loadData: what belongs to nobody that is alive goes, and no transaction says so. So whoever goes on
        // from here writes a snapshot first, as a real server does at every start.
        let owners = self.tree.all_ephemerals().map(|(session, _)| session);
        let dead: Vec<SessionId> = owners
            .filter(|session| self.sessions.get(*session).is_none())
            .collect();
        let last_zxid = self.tree.last_zxid();
        for session in dead {
            self.drop_ephemerals(session, last_zxid);
        }
        self.tree.make_shared();
        Snapshot::new(self.tree, self.sessions, now)
    }

    fn drop_ephemerals(&mut self, session: SessionId, zxid: Zxid) {
        let paths = self
            .tree
            .ephemerals(session)
            .map(|path| path.to_owned().into());
        let record = TxnRecord::CloseSession {
            paths: paths.collect(),
        };
        let header = TxnHeader {
            session,
            zxid,
            time: Timestamp(0),
        };
        let (mut undo, mut changes) = (UndoLog::default(), Changes::default());
        self.tree
            .apply_record(header, &record, &mut undo, &mut changes);
    }

    /// A snapshot without any znode is one of a server that has none but the root.
    fn plant_root(&mut self) {
        let root = ZnodeRecord {
            path: "/",
            data: Some(&[]),
            acl: &open_acl(),
            stat: StatPersisted {
                czxid: Zxid(0),
                mzxid: Zxid(0),
                pzxid: Zxid(0),
                ctime: Timestamp(0),
                mtime: Timestamp(0),
                version: 0,
                cversion: 0,
                aversion: 0,
                ephemeral_owner: 0,
            },
        };
        let planted = self.tree.take(&root);
        debug_assert_eq!(planted, Ok(()), "the first znode is the root");
    }
}
