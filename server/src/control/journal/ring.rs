//! Ring of stored entries: a few blocks of bytes, the oldest of which is used again.
//!
//! A copy shares all blocks but the last, so it takes microseconds however many entries there are.

use std::collections::VecDeque;
use std::sync::Arc;

/// Size of the first block; each block is twice as large as the one before it, up to the largest.
const SMALLEST: usize = 1 << 10;
const LARGEST: usize = 64 << 10;

/// Approximate maximum size of a ring that stores only the last entries.
const MOST_BYTES: usize = 32 << 20;

/// Entries as bytes, the oldest first. The ring grows as it is filled.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Only the last block is written to, and it is never shared.
    blocks: VecDeque<Arc<Block>>,
    /// Memory of a block that is free to be used again.
    spare: Vec<u8>,
    /// Number of entries.
    count: usize,
    /// Capacity of all blocks, in bytes.
    room: usize,
}

/// Copy of some blocks, which does not change with the ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks(VecDeque<Arc<Block>>);

#[derive(Clone, Debug)]
struct Block {
    /// Each entry after its length.
    bytes: Vec<u8>,
    /// Number of the first entry.
    first: u64,
    count: usize,
}

impl Ring {
    /// Adds an entry of about `about` bytes. If it needs another block, the oldest blocks beyond `most` entries are
    /// dropped.
    pub(crate) fn push(
        &mut self,
        number: u64,
        most: usize,
        about: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let about = about + size_of::<u32>();
        let fits = self.blocks.back().is_some_and(|block| {
            block.bytes.len() + about <= block.bytes.capacity()
                && block.first + block.count as u64 == number
        });
        if !fits {
            self.shorten(most);
            self.add_block(number, about);
        }
        let Some(block) = self.blocks.back_mut().and_then(Arc::get_mut) else {
            return;
        };
        let before = block.bytes.capacity();
        let at = block.bytes.len();
        block.bytes.extend_from_slice(&[0; size_of::<u32>()]);
        let begin = block.bytes.len();
        write(&mut block.bytes);
        let length = u32::try_from(block.bytes.len() - begin)
            .expect("an entry is hardly longer than the frame of its message");
        if let Some(length_bytes) = block.bytes.get_mut(at..begin) {
            length_bytes.copy_from_slice(&length.to_le_bytes());
        }
        block.count += 1;
        self.count += 1;
        self.room += block.bytes.capacity() - before;
    }

    /// Drops the oldest entries until about `most` remain. A block is dropped as a whole.
    pub(crate) fn shorten(&mut self, most: usize) {
        while let Some(oldest) = self.blocks.front()
            && (self.count - oldest.count >= most
                || (self.room > MOST_BYTES && most < usize::MAX && self.blocks.len() > 1))
        {
            self.pop();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Number of the oldest entry.
    #[cfg(test)]
    pub(crate) fn first(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.first)
    }

    /// Entries with this number and later ones, each with its number.
    #[cfg(test)]
    pub(crate) fn from(&self, from: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let blocks = self.blocks.range(self.skipped(from)..);
        blocks.flat_map(move |block| block.from(from))
    }

    /// Copy of the entries with this number and later ones, which does not change with the ring. The copy also has
    /// the earlier entries of the same block.
    pub(crate) fn share(&self, from: u64) -> Blocks {
        let mut blocks: VecDeque<Arc<Block>> =
            self.blocks.range(self.skipped(from)..).cloned().collect();
        if let Some(last) = blocks.back_mut() {
            *last = Arc::new(Block::clone(last));
        }
        Blocks(blocks)
    }

    /// Number of blocks that have only entries before this one.
    fn skipped(&self, from: u64) -> usize {
        self.blocks
            .partition_point(|block| block.first + block.count as u64 <= from)
    }

    fn add_block(&mut self, first: u64, about: usize) {
        let doubled = self
            .blocks
            .back()
            .map_or(SMALLEST, |last| last.bytes.capacity().saturating_mul(2));
        let wanted = doubled.min(LARGEST).max(about);
        let bytes = if self.spare.capacity() >= wanted {
            std::mem::take(&mut self.spare)
        } else {
            Vec::with_capacity(wanted)
        };
        self.room += bytes.capacity();
        self.blocks.push_back(Arc::new(Block {
            bytes,
            first,
            count: 0,
        }));
    }

    fn pop(&mut self) {
        if let Some(oldest) = self.blocks.pop_front() {
            self.count -= oldest.count;
            self.room -= oldest.bytes.capacity();
            // A copy may still share the block.
            if oldest.bytes.capacity() <= LARGEST
                && let Some(mut oldest) = Arc::into_inner(oldest)
            {
                oldest.bytes.clear();
                self.spare = oldest.bytes;
            }
        }
    }
}

impl Blocks {
    /// Entries with this number and later ones, each with its number.
    pub(crate) fn from(&self, from: u64) -> impl Iterator<Item = (u64, &[u8])> {
        self.0.iter().flat_map(move |block| block.from(from))
    }
}

impl Block {
    fn from(&self, from: u64) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..)
            .zip(Entries(&self.bytes))
            .filter(move |(number, _)| *number >= from)
    }
}

/// Entries of a block.
struct Entries<'b>(&'b [u8]);

impl<'b> Iterator for Entries<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (entry, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(numbers: std::ops::RangeInclusive<u64>, most: usize) -> Ring {
        let mut ring = Ring::default();
        for number in numbers {
            ring.push(number, most, 100, |bytes| {
                bytes.extend_from_slice(&[7; 100])
            });
        }
        ring
    }

    #[test]
    fn the_last_entries_are_stored_and_the_oldest_are_dropped_a_block_at_a_time() {
        let ring = filled(1..=100_000, 1_000);
        let numbers: Vec<u64> = ring.from(99_001).map(|(number, _)| number).collect();
        assert_eq!(numbers, (99_001..=100_000).collect::<Vec<_>>());
        let first = ring.first().unwrap();
        assert!((98_000..=99_001).contains(&first), "{first}");
        assert!(ring.room < 4 * LARGEST, "{}", ring.room);
        assert!(ring.from(1).all(|(_, entry)| entry == [7; 100]));
    }

    #[test]
    fn a_ring_with_few_entries_is_small() {
        assert_eq!(filled(1..=3, 10_000).room, SMALLEST);
    }

    #[test]
    fn huge_entries_do_not_fill_the_memory() {
        let mut ring = Ring::default();
        for number in 1..=200 {
            ring.push(number, 10_000, 1 << 20, |bytes| {
                bytes.resize(bytes.len() + (1 << 20), 7)
            });
        }
        assert!(ring.room <= MOST_BYTES + (2 << 20), "{}", ring.room);
        assert_eq!(ring.from(200).count(), 1);
    }

    #[test]
    fn a_copy_does_not_change_with_the_ring() {
        let mut ring = filled(1..=5_000, 1_000);
        let copy = ring.share(4_500);
        for number in 5_001..=20_000 {
            ring.push(number, 1_000, 100, |bytes| {
                bytes.extend_from_slice(&[8; 100])
            });
        }
        let numbers: Vec<u64> = copy.from(4_500).map(|(number, _)| number).collect();
        assert_eq!(numbers, (4_500..=5_000).collect::<Vec<_>>());
        assert!(copy.from(4_500).all(|(_, entry)| entry == [7; 100]));
        assert_eq!(ring.from(19_001).count(), 1_000);
        assert!(ring.from(19_001).all(|(_, entry)| entry == [8; 100]));
    }

    #[test]
    fn numbers_may_be_skipped() {
        let mut ring = filled(1..=3, 10);
        ring.push(9, 10, 1, |bytes| bytes.push(1));
        let numbers: Vec<u64> = ring.from(2).map(|(number, _)| number).collect();
        assert_eq!(numbers, [2, 3, 9]);
    }
}
