//! One zxid, all or nothing: every write is checked, becomes a [`Txn`] and is applied, a single one as well as a multi.

use crate::protocol::{ErrorCode, SessionId, Stat, Timestamp, Txn, TxnRecord, Xid, Zxid};

use super::apply::{Changes, TxnHeader};
use super::tree::Tree;
use super::undo::UndoLog;

/// A transaction in the making.
pub(super) struct Transaction<'t> {
    tree: &'t mut Tree,
    header: TxnHeader,
    cxid: Xid,
    undo: UndoLog,
    /// The digest of the tree before it.
    digest: Option<u64>,
}

impl<'t> Transaction<'t> {
    /// Begins the next transaction. It takes its number now, so a refused write uses up one too:
    /// `PrepRequestProcessor.pRequestHelper` takes it before it checks.
    pub(super) fn begin(
        tree: &'t mut Tree,
        session: SessionId,
        cxid: Xid,
        time: Timestamp,
        several: bool,
    ) -> Self {
        let header = TxnHeader {
            session,
            zxid: tree.last_zxid().next(),
            time,
        };
        Self {
            digest: tree.digest(),
            tree,
            header,
            cxid,
            undo: if several {
                UndoLog::kept()
            } else {
                UndoLog::default()
            },
        }
    }

    pub(super) fn tree(&self) -> &Tree {
        self.tree
    }

    /// What the operations before this one would change.
    pub(super) fn undo(&self) -> &UndoLog {
        &self.undo
    }

    /// Notes what an operation of a multi created; see [`UndoLog::note_created`].
    pub(super) fn note_created(&mut self, path: &str, seemingly_ephemeral: bool) {
        self.undo.note_created(path, seemingly_ephemeral);
    }

    pub(super) fn apply(&mut self, record: &TxnRecord<'_>, changes: &mut Changes) -> Option<Stat> {
        self.tree
            .apply_record(self.header, record, &mut self.undo, changes)
    }

    /// Ends it: what was applied stays.
    pub(super) fn commit(mut self, record: TxnRecord<'_>) -> Txn<'_> {
        self.tree.keep(&mut self.undo);
        self.end(record)
    }

    /// Ends it: what was applied is taken back.
    pub(super) fn refuse<'r>(mut self, record: TxnRecord<'r>, changes: &mut Changes) -> Txn<'r> {
        self.tree.roll_back(&mut self.undo);
        self.tree.reset_digest(self.digest);
        changes.list.clear();
        self.end(record)
    }

    fn end(self, record: TxnRecord<'_>) -> Txn<'_> {
        let TxnHeader {
            session,
            zxid,
            time,
        } = self.header;
        self.tree.set_last_zxid(zxid);
        self.tree.note_digest();
        Txn {
            session,
            cxid: self.cxid,
            zxid,
            time,
            record,
        }
    }
}

impl Tree {
    /// Carries out a transaction that another tree has committed. Besides the making of a transaction this is the only
    /// way a tree changes; two trees that were given the same transactions are equal.
    pub(super) fn apply(&mut self, txn: &Txn<'_>, changes: &mut Changes) {
        let header = TxnHeader {
            session: txn.session,
            zxid: txn.zxid,
            time: txn.time,
        };
        self.apply_record(header, &txn.record, &mut UndoLog::default(), changes);
        self.set_last_zxid(Zxid(self.last_zxid().0.max(txn.zxid.0)));
    }
}

/// The record of a refusal.
pub(super) fn refusal<'a>(code: ErrorCode) -> TxnRecord<'a> {
    TxnRecord::Error { code }
}
