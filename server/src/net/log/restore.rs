//! Between the folder and the rules, which do not know each other: what is read becomes a state, and a state is written.

use std::path::PathBuf;

use crate::keeper::{Restored, Rules, Snapshot};
use crate::protocol::{SessionRecord, Timestamp, Txn, ZnodeRecord, Zxid};
use crate::store::{Folder, Restore, SnapshotForm, StorageError, write_snapshot};

/// A state in the making, from what a folder holds.
#[derive(Debug)]
pub(crate) struct Restoring {
    restored: Restored,
    /// The latest moment that was read of.
    latest: Timestamp,
}

impl Restoring {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            restored: Restored::new(rules),
            latest: Timestamp(0),
        }
    }

    /// The latest moment at which something was changed: time goes on from there.
    pub(crate) fn latest(&self) -> Timestamp {
        self.latest
    }

    pub(crate) fn finish(self, now: Timestamp) -> Snapshot {
        self.restored.finish(now)
    }
}

impl Restore for Restoring {
    fn begin(&mut self) {
        self.latest = Timestamp(0);
        self.restored.begin();
    }

    fn session(&mut self, session: SessionRecord) {
        self.restored.session(session);
    }

    fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str> {
        self.latest = self.latest.max(znode.stat.mtime).max(znode.stat.ctime);
        self.restored.znode(znode)
    }

    fn loaded(&mut self, zxid: Zxid) -> Option<u64> {
        self.restored.loaded(zxid)
    }

    fn replay(&mut self, txn: &Txn<'_>) -> Option<u64> {
        self.latest = self.latest.max(txn.time);
        self.restored.replay(txn)
    }
}

/// Writes a state into a folder as a snapshot, with the digest of its tree or without; gives its file.
pub(crate) fn keep(
    folder: &Folder,
    form: SnapshotForm,
    digest: Option<u64>,
    state: &Snapshot,
) -> Result<PathBuf, StorageError> {
    write_snapshot(
        folder,
        form,
        state.zxid(),
        digest,
        state.sessions_to_keep(),
        state.znodes_to_keep(),
    )
}
