//! The part of the log under the engine's lock: transactions are encoded, numbered, and submitted at the end of a turn.

use std::sync::Arc;
use std::task::Waker;

use super::Log;
use super::shared::{Roll, Turn};
use super::snapshot_policy::SnapshotPolicy;
use crate::keeper::{Keeper, Snapshot};
use crate::protocol::{DataFormat, Timestamp, Txn};
use crate::store::{StorageError, encode_txn};

/// Appends committed transactions to a log.
#[derive(Debug)]
pub(crate) struct Appender {
    log: Arc<Log>,
    format: DataFormat,
    turn: Turn,
    /// Number of the last transaction.
    appended: u64,
    snapshot_policy: SnapshotPolicy,
    /// Whether this turn has replaced the whole state.
    has_replaced: bool,
}

impl Appender {
    pub(crate) fn new(log: Arc<Log>, format: DataFormat, snapshot_policy: SnapshotPolicy) -> Self {
        Self {
            log,
            format,
            turn: Turn::default(),
            appended: 0,
            snapshot_policy,
            has_replaced: false,
        }
    }

    /// Checks that the format of the folder can hold a state.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotInFormat`].
    pub(crate) fn check_format(&self, state: &Snapshot) -> Result<(), StorageError> {
        self.log.check_format(self.format, state)
    }

    /// Replaces the folder at the end of this turn by the state that the turn leaves.
    pub(crate) fn replace(&mut self) {
        self.has_replaced = true;
    }

    pub(crate) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Number of the last transaction.
    pub(crate) fn appended(&self) -> u64 {
        self.appended
    }

    /// Number of the last transaction, if it is not durable: nothing that shows the present state may be sent before.
    pub(crate) fn unflushed(&self) -> Option<u64> {
        (self.log.durable_up_to() < self.appended).then_some(self.appended)
    }

    /// Wakes a connection once everything up to the end of this turn is durable.
    pub(crate) fn wake_later(&mut self, waker: Option<Waker>) {
        self.turn.waiting.extend(waker);
    }

    /// Appends one transaction.
    pub(crate) fn append(&mut self, txn: &Txn<'_>, digest: Option<u64>) {
        self.appended += 1;
        if self.log.is_broken() {
            // It has a number that never becomes durable, so nothing that shows it is sent.
            return;
        }
        self.turn.first.get_or_insert(txn.zxid);
        let before = self.turn.entries.len();
        encode_txn(self.format, txn, digest, &mut self.turn.entries);
        self.snapshot_policy.count(self.turn.entries.len() - before);
    }

    /// Submits the transactions of the turn, with the state if a snapshot is due. Returns the number up to which the
    /// log must be durable before anything that shows the turn is sent. Adds to `wakers` the connections that need not
    /// wait.
    pub(crate) fn end_turn(
        &mut self,
        keeper: &mut Keeper,
        now: Timestamp,
        wakers: &mut Vec<Waker>,
    ) -> Option<u64> {
        if std::mem::take(&mut self.has_replaced) {
            self.turn.roll = Some(Roll::Replace(Box::new(keeper.snapshot(now))));
            // The replacement becomes durable like a transaction.
            self.appended += 1;
        }
        if self.turn.first.is_some() || self.turn.roll.is_some() {
            self.turn.number = self.appended;
            if self.turn.roll.is_none() && self.snapshot_policy.is_due(keeper.tree().last_zxid()) {
                let is_busy = self.log.shared.is_writing_snapshot();
                let snapshot = (!is_busy).then(|| Box::new(keeper.snapshot(now)));
                self.turn.roll = Some(Roll::Snapshot(snapshot));
            }
            self.log.submit(&mut self.turn);
        } else if !self.turn.waiting.is_empty()
            && !self
                .log
                .shared
                .wake_all_when_durable(self.appended, &mut self.turn.waiting)
        {
            wakers.append(&mut self.turn.waiting);
        }
        self.unflushed()
    }
}
