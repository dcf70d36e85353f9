//! The digest of a tree, by which servers detect that their trees differ: ZooKeeper's `DigestCalculator`, version 2.
//!
//! The digest is the sum of the digests of all znodes, so a change of a znode subtracts its old digest and adds its new
//! one.

use std::collections::VecDeque;

use crc32fast::Hasher;

use super::znode::{NIL, Znode};
use crate::protocol::Zxid;

/// Returns the digest of a znode: the CRC-32 of its path, its data and the persisted part of its stat.
fn digest_of(znode: &Znode, crc: &Hasher) -> u64 {
    // DigestCalculator.calculateDigest: each server counts usage for itself, so znodes below /zookeeper have no digest.
    if znode.path.starts_with("/zookeeper/") {
        return 0;
    }
    let path = if &*znode.path == "/" {
        ""
    } else {
        &*znode.path
    };
    let stat = znode.persisted();
    let longs = [
        stat.czxid.0,
        stat.mzxid.0,
        stat.pzxid.0,
        stat.ctime.0,
        stat.mtime.0,
    ];
    let ints = [stat.version, stat.cversion, stat.aversion];
    let mut fields = [0; 60];
    let (first, rest) = fields.split_at_mut(40);
    let (middle, last) = rest.split_at_mut(12);
    for (place, long) in first.chunks_exact_mut(8).zip(longs) {
        place.copy_from_slice(&long.to_be_bytes());
    }
    for (place, int) in middle.chunks_exact_mut(4).zip(ints) {
        place.copy_from_slice(&int.to_be_bytes());
    }
    last.copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    let data = znode.data().unwrap_or_default();
    u64::from(checksum([path.as_bytes(), data, &fields], crc.clone()))
}

/// Returns the CRC-32 of three pieces. Short pieces are joined first, since the CRC of one long piece is several times
/// as fast.
fn checksum(pieces: [&[u8]; 3], mut crc: Hasher) -> u32 {
    let mut together = [0; 256];
    let mut length = 0;
    for piece in pieces {
        let Some(place) = together.get_mut(length..length + piece.len()) else {
            pieces.iter().for_each(|piece| crc.update(piece));
            return crc.finalize();
        };
        place.copy_from_slice(piece);
        length += piece.len();
    }
    crc.update(together.get(..length).unwrap_or_default());
    crc.finalize()
}

/// The digest of a tree, and the digests of znodes that changed recently. A client that changes a znode mostly changes
/// it again, and the old digest can then be subtracted without computing it once more.
#[derive(Clone, Debug)]
pub(super) struct TreeDigest {
    sum: u64,
    recent: [Recent; RECENT],
    /// A hasher that has hashed nothing yet. A copy is cheaper than a new one, which asks the processor for its
    /// features.
    crc: Hasher,
    /// Digests after some of the transactions, the oldest first. The four-letter word `hash` shows them.
    history: VecDeque<(Zxid, u64)>,
}

/// The digest of a znode after its last change.
#[derive(Clone, Copy, Debug)]
struct Recent {
    id: u32,
    digest: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self { id: NIL, digest: 0 }
    }
}

/// Number of places for recent digests. Each znode has one place where its digest can be.
const RECENT: usize = 256;

/// One of this many transactions has its digest in the history: `DataTree.DIGEST_LOG_INTERVAL`.
const HISTORY_INTERVAL: i64 = 128;

/// Longest history: `DataTree.DIGEST_LOG_LIMIT`.
const HISTORY_LIMIT: usize = 1024;

impl TreeDigest {
    pub(super) fn of<'z>(znodes: impl Iterator<Item = &'z Znode>) -> Self {
        Self {
            sum: sum_of(znodes),
            recent: [Recent::default(); RECENT],
            crc: Hasher::new(),
            history: VecDeque::new(),
        }
    }

    #[inline]
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns to an earlier digest.
    pub(super) fn reset(&mut self, sum: u64) {
        self.sum = sum;
        self.recent.fill(Recent::default());
    }

    pub(super) fn history(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.history.iter().copied()
    }

    /// Notes the digest after a transaction: `DataTree.logZxidDigest`.
    #[inline]
    pub(super) fn note(&mut self, zxid: Zxid) {
        if zxid.0 % HISTORY_INTERVAL == 0 {
            self.history.push_back((zxid, self.sum));
            if self.history.len() > HISTORY_LIMIT {
                self.history.pop_front();
            }
        }
    }

    /// Subtracts the digest of a znode that is about to change or to be removed.
    pub(super) fn subtract(&mut self, id: u32, znode: Option<&Znode>) {
        let place = self.place(id).filter(|recent| recent.id == id);
        let known = place.map(|recent| std::mem::take(recent).digest);
        let of_znode = known.or_else(|| Some(digest_of(znode?, &self.crc)));
        self.sum = self.sum.wrapping_sub(of_znode.unwrap_or_default());
    }

    /// Adds the digest of a znode that has changed or is new.
    pub(super) fn add(&mut self, id: u32, znode: Option<&Znode>) {
        let of_znode = znode.map_or(0, |znode| digest_of(znode, &self.crc));
        self.sum = self.sum.wrapping_add(of_znode);
        if let Some(recent) = self.place(id) {
            *recent = Recent {
                id,
                digest: of_znode,
            };
        }
    }

    /// Place of the digest of a znode.
    fn place(&mut self, id: u32) -> Option<&mut Recent> {
        self.recent.get_mut(usize::try_from(id).ok()? % RECENT)
    }
}

/// Computes the digest of these znodes.
pub(super) fn sum_of<'z>(znodes: impl Iterator<Item = &'z Znode>) -> u64 {
    let crc = Hasher::new();
    let digests = znodes.map(|znode| digest_of(znode, &crc));
    digests.fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_that_of_zlib_however_it_is_cut() {
        assert_eq!(
            checksum([b"12345", b"", b"6789"], Hasher::new()),
            0xcbf4_3926
        );
        assert_eq!(checksum([&[]; 3], Hasher::new()), 0);
        let long: Vec<u8> = (0..600_u32).map(|at| at.to_le_bytes()[0]).collect();
        for end in (0..long.len()).step_by(7) {
            let (whole, _) = long.split_at(end);
            let (first, rest) = whole.split_at(end / 3);
            let (second, third) = rest.split_at(end / 3);
            assert_eq!(
                checksum([first, second, third], Hasher::new()),
                crc32fast::hash(whole),
                "{end}"
            );
        }
    }
}
