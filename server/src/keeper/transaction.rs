//! Transactions. Every write, single or multi, is checked, becomes a [`Txn`] with one zxid, and is applied completely
//! or not at all.

use crate::protocol::{ErrorCode, SessionId, Stat, Timestamp, Txn, TxnRecord, Xid, Zxid};

use super::apply::{Changes, TxnHeader};
use super::tree::Tree;
use super::undo::UndoLog;

/// A transaction in progress.
pub(super) struct Transaction<'t> {
    tree: &'t mut Tree,
    header: TxnHeader,
    cxid: Xid,
    undo: UndoLog,
    /// The digest of the tree before the transaction.
    digest: Option<u64>,
}

impl<'t> Transaction<'t> {
    /// Begins the next transaction. It takes its zxid now, so a refused write uses up a zxid too:
    /// `PrepRequestProcessor.pRequestHelper` takes the zxid before it checks.
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
                UndoLog::recording()
            } else {
                UndoLog::default()
            },
        }
    }

    pub(super) fn tree(&self) -> &Tree {
        self.tree
    }

    /// Returns the changes of the operations so far.
    pub(super) fn undo(&self) -> &UndoLog {
        &self.undo
    }

    /// Records a znode that an operation of a multi created; see [`UndoLog::note_created`].
    pub(super) fn note_created(&mut self, path: &str, seemingly_ephemeral: bool) {
        self.undo.note_created(path, seemingly_ephemeral);
    }

    pub(super) fn apply(&mut self, record: &TxnRecord<'_>, changes: &mut Changes) -> Option<Stat> {
        self.tree
            .apply_record(self.header, record, &mut self.undo, changes)
    }

    /// Ends the transaction and commits its changes.
    pub(super) fn commit(mut self, record: TxnRecord<'_>) -> Txn<'_> {
        self.tree.commit(&mut self.undo);
        self.end(record)
    }

    /// Ends the transaction and rolls its changes back.
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
    /// Applies a transaction that another tree has committed. Apart from a [`Transaction`], this is the only way to
    /// change a tree. Two trees that applied the same transactions are equal.
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

/// Returns the record of a refusal.
pub(super) fn refusal<'a>(code: ErrorCode) -> TxnRecord<'a> {
    TxnRecord::Error { code }
}
