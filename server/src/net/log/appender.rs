//! What happens under the engine's lock: transactions are encoded and numbered, and given over at the end of the turn.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::task::Waker;

use foldhash::fast::FixedState;

use super::{Log, Turn};
use crate::keeper::{Keeper, Snapshot};
use crate::protocol::{DataFormat, Timestamp, Txn, Zxid};
use crate::store::encode_txn;

/// Takes what is committed to the log.
#[derive(Debug)]
pub(crate) struct Appender {
    log: Arc<Log>,
    format: DataFormat,
    turn: Turn,
    /// The number of the last transaction.
    appended: u64,
    /// How often a snapshot is taken.
    pace: Pace,
}

/// After how much a snapshot is taken, and how much there was since the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    transactions: u64,
    bytes: u64,
    /// What is drawn for the next: half of the above to all of it.
    next: (u64, u64),
    since: (u64, u64),
}

impl Appender {
    pub(crate) fn new(log: Arc<Log>, format: DataFormat, pace: Pace) -> Self {
        Self {
            log,
            format,
            turn: Turn::default(),
            appended: 0,
            pace,
        }
    }

    pub(in crate::net) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// The number of the last transaction.
    pub(in crate::net) fn appended(&self) -> u64 {
        self.appended
    }

    /// Up to where the log must be flushed before anybody may hear of anything, if it is not.
    pub(in crate::net) fn unflushed(&self) -> Option<u64> {
        (self.log.flushed() < self.appended).then_some(self.appended)
    }

    /// Somebody is to hear of something when that may be heard of.
    pub(in crate::net) fn wake_later(&mut self, waker: Option<Waker>) {
        self.turn.waiting.extend(waker);
    }

    /// Takes one transaction.
    pub(in crate::net) fn append(&mut self, txn: &Txn<'_>, digest: Option<u64>) {
        self.appended += 1;
        if self.log.is_broken() {
            // It is counted, and so never heard of.
            return;
        }
        self.turn.first.get_or_insert(txn.zxid);
        let before = self.turn.entries.len();
        encode_txn(self.format, txn, digest, &mut self.turn.entries);
        self.pace.count(self.turn.entries.len() - before);
    }

    /// Gives over what the turn has appended, and with it the state where it is time for a snapshot. Says up to where the log
    /// must be flushed before anybody may hear of the turn; `wakers` are those who need not wait for that.
    pub(in crate::net) fn end_turn(
        &mut self,
        keeper: &mut Keeper,
        now: Timestamp,
        wakers: &mut Vec<Waker>,
    ) -> Option<u64> {
        if self.turn.first.is_some() {
            self.turn.number = self.appended;
            if self.pace.is_over(keeper.tree().last_zxid()) {
                let busy = self.log.is_keeping();
                self.turn.roll = Some((!busy).then(|| Box::new(keeper.snapshot(now))));
            }
            self.log.append(&mut self.turn);
        } else if !self.turn.waiting.is_empty()
            && !self.log.wakes_all(self.appended, &mut self.turn.waiting)
        {
            wakers.append(&mut self.turn.waiting);
        }
        self.unflushed()
    }
}

impl Pace {
    /// After about so many transactions, or bytes of them, where 0 is never. It begins behind `zxid`.
    pub(crate) fn new(transactions: u64, bytes: u64, zxid: Zxid) -> Self {
        let mut pace = Self {
            // SyncRequestProcessor and ZooKeeperServer.getSnapCount: fewer would be none.
            transactions: transactions.max(2),
            bytes,
            next: (0, 0),
            since: (0, 0),
        };
        pace.draw(zxid);
        pace
    }

    fn count(&mut self, bytes: usize) {
        self.since.0 += 1;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.since.1 = self.since.1.saturating_add(bytes);
    }

    /// Whether it is time; if so, the next is drawn.
    fn is_over(&mut self, zxid: Zxid) -> bool {
        let over = self.since.0 > self.next.0 || self.bytes > 0 && self.since.1 > self.next.1;
        if over {
            self.draw(zxid);
        }
        over
    }

    /// Half of what was asked for, and up to as much again, so that the members of an ensemble do not all do it at once:
    /// `SyncRequestProcessor.shouldSnapshot`. Drawn from the zxid, so that the same happens in every run.
    fn draw(&mut self, zxid: Zxid) {
        let drawn = |most: u64, seed: u64| {
            let half = most / 2;
            half + FixedState::with_seed(seed).hash_one(zxid.0) % half.max(1)
        };
        self.next = (drawn(self.transactions, 0), drawn(self.bytes, 1));
        self.since = (0, 0);
    }
}

/// What a snapshot is written of.
pub(super) type Kept = Box<Snapshot>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_taken_after_half_of_what_was_asked_for_to_all_of_it() {
        let mut pace = Pace::new(1000, 0, Zxid(0));
        let mut counted = 0;
        for zxid in 1..100_000 {
            counted += 1;
            pace.count(1);
            if pace.is_over(Zxid(zxid)) {
                assert!((501..=1000).contains(&counted), "{counted}");
                counted = 0;
            }
        }
        assert!(counted <= 1000);
    }

    #[test]
    fn or_after_so_many_bytes() {
        let mut pace = Pace::new(u64::MAX, 1000, Zxid(0));
        let taken = (1..1000).filter(|zxid| {
            pace.count(100);
            pace.is_over(Zxid(*zxid))
        });
        assert!((99..200).contains(&taken.count()));
    }
}
