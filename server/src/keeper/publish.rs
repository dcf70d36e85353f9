//! Committing transactions and sending their effects.

use std::cell::Cell;

use super::access;
use super::apply::{Change, Changes};
use super::connection::{ConnectionId, Connections};
use super::ensemble::Members;
use super::output::{Output, Outputs, notify, reply};
use super::state::Keeper;
use super::transaction::{Transaction, refusal};
use super::tree::Tree;
use super::watch::Watches;
use super::write::{self, Caller};
use crate::config::Rules;
use crate::protocol::{
    ErrorCode, EventType, Permissions, Request, SessionId, Timestamp, Txn, TxnRecord, Xid, Zxid,
};

impl Keeper {
    pub(super) fn write(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        request: &Request<'_>,
        out: &mut impl Outputs,
    ) {
        let Some(asking) = self.connections.get(connection) else {
            return;
        };
        let caller = Caller {
            rules: &self.rules,
            ids: &asking.ids,
            expanded: &Cell::new(0),
            has_session: asking.session.is_some(),
        };
        let session = asking.session.unwrap_or(SessionId::NONE);
        let member = asking.member;
        let several = matches!(request, Request::Multi(_));
        let mut changes = self.changes();
        let mut transaction = Transaction::begin(&mut self.tree, session, xid, now, several);
        let written = write::write(&mut transaction, caller, request, &mut changes);
        let txn = if written.committed {
            transaction.commit(written.record)
        } else {
            let txn = transaction.refuse(written.record, &mut changes);
            report_quota(request, &txn.record, out);
            txn
        };
        // Events come before the reply: DataTree fires watches before FinalRequestProcessor answers.
        self.publish(&txn, &changes, out);
        if !self.members.are_uniform() {
            self.release(now, member, usize::MAX, Some(connection), out);
        }
        let result = written
            .result
            .map(|outcome| write::respond(&outcome, &txn.record));
        reply(out, connection, xid, txn.zxid, result);
    }

    /// Commits a transaction that no connection waits for: the end of a session, the removal of a container.
    pub(super) fn write_unasked(
        &mut self,
        now: Timestamp,
        session: SessionId,
        xid: Xid,
        record: TxnRecord<'_>,
        out: &mut impl Outputs,
    ) {
        let mut changes = self.changes();
        let mut transaction = Transaction::begin(&mut self.tree, session, xid, now, false);
        transaction.apply(&record, &mut changes);
        let txn = transaction.commit(record);
        self.publish(&txn, &changes, out);
    }

    /// Returns an empty list of changes, to be filled if any watch exists.
    pub(super) fn changes(&self) -> Changes {
        Changes {
            wanted: !self.watches.is_empty(),
            list: Vec::new(),
        }
    }

    /// Emits a transaction, then the events of its changes.
    pub(super) fn publish(&mut self, txn: &Txn<'_>, changes: &Changes, out: &mut impl Outputs) {
        committed(&mut self.members, &self.tree, txn, out);
        if changes.list.is_empty() {
            return;
        }
        fire(
            &self.rules,
            &mut self.watches,
            &self.connections,
            txn.zxid,
            &changes.list,
            out,
        );
    }
}

/// Reports the path whose write a quota refused, if that is the reason of a refusal.
fn report_quota(request: &Request<'_>, record: &TxnRecord<'_>, out: &mut impl Outputs) {
    let refusal = refusal(ErrorCode::QuotaExceeded);
    let is_quota = |record: &TxnRecord<'_>| *record == refusal;
    let failed = if let TxnRecord::Multi(records) = record {
        records.iter().position(is_quota)
    } else {
        is_quota(record).then_some(0)
    };
    // Every operation up to the refused one has a path.
    let mut at = 0;
    request.paths(|path| {
        if failed == Some(at) {
            out.quota_exceeded(path);
        }
        at += 1;
    });
}

/// Emits a transaction, and hands it to members that apply it later.
pub(super) fn committed(members: &mut Members, tree: &Tree, txn: &Txn<'_>, out: &mut impl Outputs) {
    // PrepRequestProcessor.pRequest2Txn throws before it computes the digest.
    let is_refusal = matches!(txn.record, TxnRecord::Error { .. });
    let digest = tree.digest().filter(|_| !is_refusal);
    out.emit(Output::Committed { txn, digest });
    if members.are_uniform() {
        return;
    }
    for replica in members.replicas_mut() {
        replica.enqueue(txn);
    }
}

/// Sends the events of the changes to watchers that may read the znode. The watch of a client that may not is used up
/// too.
pub(super) fn fire(
    rules: &Rules,
    watches: &mut Watches,
    connections: &Connections,
    zxid: Zxid,
    changes: &[Change],
    out: &mut impl Outputs,
) {
    for change in changes {
        watches.fire(change, |connection, event_type, path| {
            let acl = match event_type {
                EventType::NodeChildrenChanged => &change.parent_acl,
                EventType::NodeCreated | EventType::NodeDeleted | EventType::NodeDataChanged => {
                    &change.acl
                }
            };
            let may_read = connections.get(connection).is_some_and(|watcher| {
                access::check(rules, (acl.0, &acl.1), Permissions::READ, &watcher.ids).is_ok()
            });
            if may_read {
                notify(out, connection, zxid, event_type, path);
            }
        });
    }
}
