//! The digest of a tree, by which servers find out that they do not have the same: ZooKeeper's `DigestCalculator`, version 2.
//!
//! It is the sum of what each znode comes to, so a change takes away what a znode came to and adds what it comes to now.

use super::tree::Tree;
use super::znode::Znode;

/// What a znode comes to: CRC-32 of its path, its data and what is kept of its stat.
fn digest_of(znode: &Znode) -> u64 {
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
    let mut fields = [0; 60];
    let longs = [
        stat.czxid.0,
        stat.mzxid.0,
        stat.pzxid.0,
        stat.ctime.0,
        stat.mtime.0,
    ];
    let ints = [stat.version, stat.cversion, stat.aversion];
    let (first, rest) = fields.split_at_mut(40);
    let (middle, last) = rest.split_at_mut(12);
    for (place, long) in first.chunks_exact_mut(8).zip(longs) {
        place.copy_from_slice(&long.to_be_bytes());
    }
    for (place, int) in middle.chunks_exact_mut(4).zip(ints) {
        place.copy_from_slice(&int.to_be_bytes());
    }
    last.copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    let mut crc = Crc::new();
    crc.take(path.as_bytes());
    crc.take(znode.data().unwrap_or_default());
    crc.take(&fields);
    u64::from(crc.end())
}

impl Tree {
    /// The digest of all znodes, where one is kept.
    #[inline]
    pub(crate) fn digest(&self) -> Option<u64> {
        self.digest
    }

    /// From here on a digest is kept, or none.
    pub(super) fn keep_digest(&mut self, wanted: bool) {
        match (wanted, self.digest) {
            (true, None) => self.digest = Some(self.reckoned_digest()),
            (false, Some(_)) => self.digest = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// The digest made of every znode anew.
    pub(crate) fn reckoned_digest(&self) -> u64 {
        let znodes = self.all().map(digest_of);
        znodes.fold(0, u64::wrapping_add)
    }

    /// What it was before all of a transaction is taken back.
    pub(super) fn set_digest(&mut self, digest: Option<u64>) {
        self.digest = digest;
    }

    /// A znode is about to change or to go.
    #[inline]
    pub(super) fn digest_without(&mut self, id: u32) {
        if let Some(digest) = self.digest {
            self.digest = Some(digest.wrapping_sub(self.digest_at(id)));
        }
    }

    /// A znode has changed or come.
    #[inline]
    pub(super) fn digest_with(&mut self, id: u32) {
        if let Some(digest) = self.digest {
            self.digest = Some(digest.wrapping_add(self.digest_at(id)));
        }
    }

    #[inline(never)]
    fn digest_at(&self, id: u32) -> u64 {
        self.slot(id).map_or(0, digest_of)
    }
}

/// How many bytes are taken at once.
const STRIDE: usize = 16;

/// What a byte comes to that stands so many places before the last one of a stride.
type Tables = [[u32; 256]; STRIDE];

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "done by the compiler, and iterators are not for it"
)]
static TABLE: Tables = {
    let mut tables = [[0; 256]; STRIDE];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320);
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut place = 1;
    while place < STRIDE {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[place - 1][byte];
            tables[place][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        place += 1;
    }
    tables
};

/// CRC-32 as zlib has it.
struct Crc(u32);

impl Crc {
    fn new() -> Self {
        Self(!0)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a byte is always within a table of 256, and the compiler sees it"
    )]
    fn take(&mut self, bytes: &[u8]) {
        let (strides, rest) = bytes.as_chunks::<STRIDE>();
        strides.iter().for_each(|stride| self.take_together(stride));
        let (fours, rest) = rest.as_chunks::<4>();
        fours.iter().for_each(|four| self.take_together(four));
        for byte in rest {
            let [low, ..] = self.0.to_le_bytes();
            self.0 = (self.0 >> 8) ^ TABLE[0][usize::from(low ^ byte)];
        }
    }

    /// Takes at least four bytes at once. Their places are independent of each other, so the machine looks up many at a time.
    #[expect(
        clippy::indexing_slicing,
        reason = "a byte is always within a table of 256, and the compiler sees it"
    )]
    #[inline]
    fn take_together<const N: usize>(&mut self, bytes: &[u8; N]) {
        let mut bytes = *bytes;
        for (byte, before) in bytes.iter_mut().zip(self.0.to_le_bytes()) {
            *byte ^= before;
        }
        let places = bytes.iter().rev().zip(&TABLE);
        let looked_up = places.map(|(byte, table)| table[usize::from(*byte)]);
        self.0 = looked_up.fold(0, |crc, part| crc ^ part);
    }

    fn end(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc(pieces: &[&[u8]]) -> u32 {
        let mut crc = Crc::new();
        for piece in pieces {
            crc.take(piece);
        }
        crc.end()
    }

    #[test]
    fn the_check_sum_is_that_of_zlib() {
        assert_eq!(crc(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(crc(&[]), 0);
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(crc(&[text]), 0x414f_a339);
        for at in 0..text.len() {
            let (first, rest) = text.split_at(at);
            assert_eq!(crc(&[first, rest]), 0x414f_a339, "{at}");
        }
    }
}
