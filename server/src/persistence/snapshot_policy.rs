//! When to write a snapshot.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::protocol::Zxid;

/// Number of transactions and of bytes after which a snapshot is due, and how much was logged since the last one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SnapshotPolicy {
    limit: Logged,
    /// Drawn for the next snapshot: half of the limit to all of it.
    next: Logged,
    since_last: Logged,
}

/// Amount of transactions.
#[derive(Clone, Copy, Debug, Default)]
struct Logged {
    transactions: u64,
    bytes: u64,
}

impl SnapshotPolicy {
    /// Makes the policy of a server whose last transaction is `zxid`. A snapshot is due after about so many
    /// transactions or bytes of transactions; 0 bytes is no limit.
    pub(crate) fn new(transactions: u64, bytes: u64, zxid: Zxid) -> Self {
        let mut policy = Self {
            limit: Logged {
                // SyncRequestProcessor and ZooKeeperServer.getSnapCount: at least 2.
                transactions: transactions.max(2),
                bytes,
            },
            next: Logged::default(),
            since_last: Logged::default(),
        };
        policy.draw(zxid);
        policy
    }

    /// Counts one transaction of so many bytes.
    pub(super) fn count(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.since_last.transactions += 1;
        self.since_last.bytes = self.since_last.bytes.saturating_add(bytes);
    }

    /// Returns whether a snapshot is due after the transaction `zxid`. If so, counting starts again.
    pub(super) fn is_due(&mut self, zxid: Zxid) -> bool {
        let is_due = self.since_last.transactions > self.next.transactions
            || self.limit.bytes > 0 && self.since_last.bytes > self.next.bytes;
        if is_due {
            self.draw(zxid);
        }
        is_due
    }

    /// Draws the next limits, from half of the configured ones up, so that the members of an ensemble do not all write
    /// a snapshot at the same time: `SyncRequestProcessor.shouldSnapshot`. The zxid is the seed, so every run is the
    /// same.
    fn draw(&mut self, zxid: Zxid) {
        let draw = |limit: u64, seed: u64| {
            let half = limit / 2;
            half + FixedState::with_seed(seed).hash_one(zxid.0) % half.max(1)
        };
        self.next = Logged {
            transactions: draw(self.limit.transactions, 0),
            bytes: draw(self.limit.bytes, 1),
        };
        self.since_last = Logged::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_after_half_of_the_limit_to_all_of_it() {
        let mut policy = SnapshotPolicy::new(1000, 0, Zxid(0));
        let mut counted = 0;
        for zxid in 1..100_000 {
            counted += 1;
            policy.count(1);
            if policy.is_due(Zxid(zxid)) {
                assert!((501..=1000).contains(&counted), "{counted}");
                counted = 0;
            }
        }
        assert!(counted <= 1000);
    }

    #[test]
    fn a_snapshot_is_due_after_a_number_of_bytes() {
        let mut policy = SnapshotPolicy::new(u64::MAX, 1000, Zxid(0));
        let due = (1..1000).filter(|zxid| {
            policy.count(100);
            policy.is_due(Zxid(*zxid))
        });
        assert!((99..200).contains(&due.count()));
    }
}
