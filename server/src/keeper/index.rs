//! A hash index of znodes by path. A large index has parts. A copy shares each part until the copy or the original
//! changes it.

use hashbrown::HashTable;

use super::shared::Shared;

/// Number of entries from which on an index has parts.
const LARGE: usize = 4096;

/// Number of parts of a large index, so high that a copy of one part takes microseconds.
const PARTS: usize = 1 << PART_BITS;
const PART_BITS: u32 = 8;

/// Entry of a path. It holds the hash too, so that the index can grow, and skip most other entries, without reading
/// znodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) hash: u32,
    pub(super) id: u32,
}

type Part = Shared<HashTable<Entry>>;

/// Number of the znode of each path.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// One part, or [`PARTS`] by the first bits of the hash: paths that differ only in their last byte are in the
    /// same part.
    parts: Vec<Part>,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            parts: vec![Shared::Own(HashTable::new())],
            len: 0,
        }
    }
}

impl Index {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn part_of(&self, hash: u32) -> usize {
        if self.parts.len() == 1 {
            0
        } else {
            (hash >> (u32::BITS - PART_BITS)) as usize
        }
    }

    /// Finds the entry with this hash that `is_it` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let part = self.parts.get(self.part_of(hash))?.get();
        let entry = part.find(spread(hash), |entry| entry.hash == hash && is_it(entry.id))?;
        Some(entry.id)
    }

    /// Adds an entry, which must be new.
    #[inline]
    pub(super) fn insert(&mut self, hash: u32, id: u32) {
        if self.len == LARGE && self.parts.len() == 1 {
            self.divide();
        }
        let part = self.part_of(hash);
        if let Some(part) = self.parts.get_mut(part) {
            let entry = Entry { hash, id };
            let part = part.get_mut();
            part.insert_unique(spread(hash), entry, |entry| spread(entry.hash));
            self.len += 1;
        }
    }

    /// Removes the entry of a znode.
    pub(super) fn remove(&mut self, hash: u32, id: u32) {
        let part = self.part_of(hash);
        if let Some(part) = self.parts.get_mut(part)
            && let Ok(entry) = part
                .get_mut()
                .find_entry(spread(hash), |entry| entry.id == id)
        {
            entry.remove();
            self.len -= 1;
        }
    }

    #[cold]
    fn divide(&mut self) {
        let whole = std::mem::take(&mut self.parts);
        self.parts = vec![Shared::Own(HashTable::new()); PARTS];
        self.len = 0;
        for part in &whole {
            for Entry { hash, id } in part.get() {
                self.insert(*hash, *id);
            }
        }
    }

    /// Makes later clones share the parts, in negligible time.
    pub(super) fn make_shared(&mut self) {
        for part in &mut self.parts {
            part.share();
        }
    }

    /// Copies the index, in negligible time.
    pub(super) fn share(&mut self) -> Self {
        let parts = self.parts.iter_mut();
        Self {
            parts: parts.map(|part| Shared::Shared(part.share())).collect(),
            len: self.len,
        }
    }
}

/// A table takes a position from the low bits of a hash and its tag from the high bits, so the tags of neighbours
/// differ.
#[inline]
fn spread(hash: u32) -> u64 {
    const GOLDEN: u32 = 0x9e37_79b9;
    u64::from(hash) | u64::from(hash.wrapping_mul(GOLDEN)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_whatever_the_size() {
        let mut index = Index::default();
        let hash = |id: u32| id.wrapping_mul(0x9e37_79b9);
        for count in 0..3 * u32::try_from(LARGE).unwrap() {
            assert_eq!(index.len(), count as usize);
            index.insert(hash(count), count);
            for id in [0, count / 2, count] {
                assert_eq!(index.find(hash(id), |found| found == id), Some(id));
            }
            assert_eq!(
                index.find(hash(count + 1), |found| found == count + 1),
                None
            );
        }
        assert_eq!(index.parts.len(), PARTS);
        index.remove(hash(7), 7);
        index.remove(hash(7), 7);
        assert_eq!(index.find(hash(7), |found| found == 7), None);
        assert_eq!(index.len(), 3 * LARGE - 1);
    }

    #[test]
    fn a_change_copies_one_part_and_the_copy_does_not_see_it() {
        let mut index = Index::default();
        let hash = |id: u32| id.wrapping_mul(0x9e37_79b9);
        (0..10_000).for_each(|id| index.insert(hash(id), id));
        let copy = index.share();
        index.insert(hash(20_000), 20_000);
        index.remove(hash(20_000), 20_000);
        let own = |index: &Index| {
            let parts = index.parts.iter();
            parts.filter(|part| matches!(part, Shared::Own(_))).count()
        };
        assert_eq!((own(&index), own(&copy)), (1, 0));
        assert_eq!((index.len(), copy.len()), (10_000, 10_000));
        for id in 0..10_000 {
            assert_eq!(copy.find(hash(id), |found| found == id), Some(id));
        }
    }
}
