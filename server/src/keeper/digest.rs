//! The digest of a tree, by which servers find out that they do not have the same: ZooKeeper's `DigestCalculator`, version 2.
//!
//! It is the sum of what each znode comes to, so a change takes away what a znode came to and adds what it comes to now.

use std::collections::VecDeque;

use crc32fast::Hasher;

use super::tree::Tree;
use super::znode::{NIL, Znode};
use crate::protocol::Zxid;

/// What a znode comes to: CRC-32 of its path, its data and what is kept of its stat.
fn digest_of(znode: &Znode, crc: &Hasher) -> u64 {
    // DigestCalculator.calculateDigest: usage is counted by each server for itself, so what is below /zookeeper is left out.
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

/// The CRC-32 of three pieces. It is made several times as fast of many bytes at once, so few are put together first.
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

/// The digest of a tree, and what the znodes that changed last came to: who changes a znode mostly changes it again, and to
/// take away what it came to is then not to reckon it once more.
#[derive(Clone, Debug)]
pub(super) struct TreeDigest {
    sum: u64,
    recent: [Recent; RECENT],
    /// Of nothing yet: to begin one anew is to ask the processor what it can do.
    crc: Hasher,
    /// What it was after some of the transactions, the oldest first: what the word `hash` tells.
    history: VecDeque<(Zxid, u64)>,
}

/// What a znode came to when it changed last.
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

/// How many znodes that is known of, at most; each has one place where it can be.
const RECENT: usize = 256;

/// Of every so many transactions one has its digest in the history: `DataTree.DIGEST_LOG_INTERVAL`.
const HISTORY_INTERVAL: i64 = 128;

/// So many are in the history: `DataTree.DIGEST_LOG_LIMIT`.
const HISTORY_LIMIT: usize = 1024;

impl TreeDigest {
    fn new(sum: u64) -> Self {
        Self {
            sum,
            recent: [Recent::default(); RECENT],
            crc: Hasher::new(),
            history: VecDeque::new(),
        }
    }

    /// Where it stands what a znode came to, if that is known.
    fn place(&mut self, id: u32) -> Option<&mut Recent> {
        self.recent.get_mut(usize::try_from(id).ok()? % RECENT)
    }
}

impl Tree {
    /// The digest of all znodes, where one is kept.
    #[inline]
    pub(crate) fn digest(&self) -> Option<u64> {
        self.digest.as_ref().map(|digest| digest.sum)
    }

    /// From here on a digest is kept, or none.
    pub(super) fn keep_digest(&mut self, wanted: bool) {
        match (wanted, &self.digest) {
            (true, None) => self.digest = Some(Box::new(TreeDigest::new(self.reckoned_digest()))),
            (false, Some(_)) => self.digest = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// The digest made of every znode anew.
    pub(crate) fn reckoned_digest(&self) -> u64 {
        let crc = Hasher::new();
        let znodes = self.all().map(|znode| digest_of(znode, &crc));
        znodes.fold(0, u64::wrapping_add)
    }

    /// What it was before all of a transaction is taken back.
    pub(super) fn set_digest(&mut self, digest: Option<u64>) {
        if let (Some(kept), Some(sum)) = (&mut self.digest, digest) {
            kept.sum = sum;
            kept.recent.fill(Recent::default());
        }
    }

    /// What the digest was after every 128th transaction, the oldest first, where one is kept.
    pub(crate) fn digest_history(&self) -> impl Iterator<Item = (Zxid, u64)> {
        let history = self.digest.iter().flat_map(|digest| &digest.history);
        history.copied()
    }

    /// A transaction has ended: `DataTree.logZxidDigest`.
    #[inline]
    pub(super) fn note_digest(&mut self) {
        let zxid = self.last_zxid();
        if let Some(TreeDigest { sum, history, .. }) = self.digest.as_deref_mut()
            && zxid.0 % HISTORY_INTERVAL == 0
        {
            history.push_back((zxid, *sum));
            if history.len() > HISTORY_LIMIT {
                history.pop_front();
            }
        }
    }

    /// A znode is about to change or to go.
    #[inline]
    pub(super) fn digest_without(&mut self, id: u32) {
        if self.digest.is_some() {
            self.take_from_digest(id);
        }
    }

    /// A znode has changed or come.
    #[inline]
    pub(super) fn digest_with(&mut self, id: u32) {
        if self.digest.is_some() {
            self.add_to_digest(id);
        }
    }

    #[inline(never)]
    fn take_from_digest(&mut self, id: u32) {
        let Some(digest) = self.digest.as_deref_mut() else {
            return;
        };
        let place = digest.place(id).filter(|recent| recent.id == id);
        let known = place.map(|recent| std::mem::take(recent).digest);
        let of_znode = known.or_else(|| Some(digest_of(self.znodes.get(id)?, &digest.crc)));
        digest.sum = digest.sum.wrapping_sub(of_znode.unwrap_or_default());
    }

    #[inline(never)]
    fn add_to_digest(&mut self, id: u32) {
        let Some(digest) = self.digest.as_deref_mut() else {
            return;
        };
        let znode = self.znodes.get(id);
        let of_znode = znode.map_or(0, |znode| digest_of(znode, &digest.crc));
        digest.sum = digest.sum.wrapping_add(of_znode);
        if let Some(recent) = digest.place(id) {
            *recent = Recent {
                id,
                digest: of_znode,
            };
        }
    }
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
