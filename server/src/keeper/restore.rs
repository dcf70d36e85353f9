//! State from outside: what a folder holds becomes a snapshot, by the rules by which a real server reads its own.
//!
//! A snapshot of a real server may have been taken while transactions went on, so what is replayed onto it may be there
//! already: `DataTree.processTxn` and `FileTxnSnapLog.processTransaction` let that pass.

use std::sync::Arc;

use super::apply::Changes;
use super::{Rules, Sessions, Snapshot, Tree};
use crate::protocol::{SessionRecord, Timestamp, Txn, TxnRecord, ZnodeRecord, Zxid};

/// A state in the making. It takes sessions and znodes, parents before their children, then [`loaded`](Self::loaded), then
/// later transactions.
#[derive(Debug)]
pub(crate) struct Restored {
    rules: Arc<Rules>,
    tree: Tree,
    sessions: Sessions,
}

impl Restored {
    /// The state of a fresh server: what a folder without a snapshot begins with.
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            rules: Arc::new(rules.clone()),
            tree: Tree::new(),
            sessions: Sessions::new(rules, Timestamp(0)),
        }
    }

    /// A snapshot begins: whatever was taken before is forgotten.
    pub(crate) fn begin(&mut self) {
        self.tree = Tree::empty();
        self.sessions = Sessions::new(&self.rules, Timestamp(0));
    }

    pub(crate) fn session(&mut self, session: SessionRecord) {
        self.sessions.restore(session);
    }

    /// # Errors
    ///
    /// Why it cannot be.
    pub(crate) fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str> {
        self.tree.take(znode)
    }

    /// The snapshot has ended. Gives the digest of the tree.
    pub(crate) fn loaded(&mut self, zxid: Zxid) -> u64 {
        self.tree.set_last_zxid(zxid);
        self.tree.digest().unwrap_or_default()
    }

    /// Takes a later transaction. Gives the digest of the tree after it.
    pub(crate) fn replay(&mut self, txn: &Txn<'_>) -> u64 {
        if let TxnRecord::CreateSession { timeout_ms } = txn.record {
            self.sessions.restore(SessionRecord {
                id: txn.session,
                timeout_ms,
            });
        }
        if let TxnRecord::CloseSession { .. } = txn.record {
            self.sessions.remove(txn.session);
        }
        self.tree.apply(txn, &mut Changes::default());
        self.tree.digest().unwrap_or_default()
    }

    /// What it has become.
    pub(crate) fn finish(self, now: Timestamp) -> Snapshot {
        Snapshot::new(self.tree, self.sessions, now)
    }
}
