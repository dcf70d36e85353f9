//! Znodes by number, in chunks that a copy shares until one of the two changes them.
//!
//! A copy of a million znodes costs as much as a copy of the list of chunks, and the first write to a chunk afterwards
//! copies that chunk alone.

use super::shared::Shared;
use super::znode::Znode;

/// Number of znodes in a chunk, so low that a copy of a chunk takes microseconds.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 9;

type Slots = Vec<Option<Znode>>;

/// Numbered places for znodes. Every chunk but the last is full.
#[derive(Clone, Debug, Default)]
pub(super) struct Slab {
    chunks: Vec<Chunk>,
}

type Chunk = Shared<Slots>;

impl Slab {
    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&Znode> {
        let (chunk, slot) = place(id);
        self.chunks.get(chunk)?.get().get(slot)?.as_ref()
    }

    /// Returns the place with this number, if it exists.
    #[inline]
    pub(super) fn slot_mut(&mut self, id: u32) -> Option<&mut Option<Znode>> {
        let (chunk, slot) = place(id);
        self.chunks.get_mut(chunk)?.get_mut().get_mut(slot)
    }

    /// Adds an empty place and returns its number.
    pub(super) fn push(&mut self) -> u32 {
        let last = match self.chunks.last_mut() {
            Some(last) if last.get().len() < CHUNK => last,
            last => {
                // A tree that filled one chunk will fill another.
                let room = if last.is_some() { CHUNK } else { 0 };
                self.chunks.push(Shared::Own(Vec::with_capacity(room)));
                self.chunks.last_mut().expect("a chunk was just added")
            }
        };
        let slots = last.get_mut();
        slots.push(None);
        let slot = slots.len() - 1;
        let id = (self.chunks.len() - 1) * CHUNK + slot;
        u32::try_from(id).expect("fewer than four thousand million znodes")
    }

    /// Returns all znodes with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Znode)> {
        let slots = self.chunks.iter().flat_map(Shared::get);
        (0..)
            .zip(slots)
            .filter_map(|(id, slot)| Some((id, slot.as_ref()?)))
    }

    /// Makes later clones share the chunks, in negligible time.
    pub(super) fn make_shared(&mut self) {
        for chunk in &mut self.chunks {
            chunk.share();
        }
    }

    /// Copies the slab, in negligible time.
    pub(super) fn share(&mut self) -> Self {
        let chunks = self.chunks.iter_mut();
        Self {
            chunks: chunks.map(|chunk| Shared::Shared(chunk.share())).collect(),
        }
    }
}

#[inline]
fn place(id: u32) -> (usize, usize) {
    let id = id as usize;
    (id >> CHUNK_BITS, id & (CHUNK - 1))
}

#[cfg(test)]
mod tests {
    use super::super::acl_table::AclId;
    use super::*;

    fn filled(count: usize) -> Slab {
        let mut slab = Slab::default();
        for number in 0..count {
            let id = slab.push();
            assert_eq!(id as usize, number);
            put(&mut slab, id, &format!("/{number}"));
        }
        slab
    }

    fn put(slab: &mut Slab, id: u32, path: &str) {
        *slab.slot_mut(id).unwrap() = Some(Znode::built_in(path, AclId::OPEN, 0));
    }

    fn paths(slab: &Slab) -> Vec<String> {
        let paths = slab.iter().map(|(_, znode)| znode.path().to_owned());
        paths.collect()
    }

    #[test]
    fn numbers_go_on_from_chunk_to_chunk() {
        let slab = filled(2 * CHUNK + 3);
        for (id, znode) in slab.iter() {
            assert_eq!(znode.path(), format!("/{id}"));
            assert_eq!(slab.get(id).unwrap().path(), znode.path());
        }
        assert!(slab.get(u32::MAX).is_none());
    }

    #[test]
    fn neither_of_two_copies_sees_what_the_other_changes() {
        let mut slab = filled(CHUNK + 3);
        let before = paths(&slab);
        let mut copy = slab.share();
        put(&mut slab, 1, "/changed");
        *slab.slot_mut(2).unwrap() = None;
        let added = slab.push();
        put(&mut slab, added, "/added");
        assert_eq!(paths(&copy), before);

        let changed = paths(&slab);
        put(&mut copy, 1, "/changed/in/the/copy");
        put(&mut copy, 0, "/and/this");
        assert_eq!(paths(&slab), changed);
    }

    #[test]
    fn a_clone_of_what_was_made_shared_has_the_same_chunks() {
        let mut slab = filled(CHUNK + 1);
        slab.make_shared();
        let clone = slab.clone();
        for id in [0, 1] {
            assert!(std::ptr::eq(slab.get(id).unwrap(), clone.get(id).unwrap()));
        }
        put(&mut slab, 0, "/changed");
        assert_eq!(clone.get(0).unwrap().path(), "/0");
    }

    #[test]
    fn a_write_copies_one_chunk_and_only_while_it_is_shared() {
        let mut slab = filled(2 * CHUNK);
        let is_own = |slab: &Slab, chunk: usize| matches!(slab.chunks[chunk], Shared::Own(_));
        let copy = slab.share();
        put(&mut slab, 0, "/changed");
        assert!(is_own(&slab, 0) && !is_own(&slab, 1));
        let shared = slab.get(u32::try_from(CHUNK).unwrap()).unwrap() as *const Znode;
        drop(copy);
        put(&mut slab, u32::try_from(CHUNK).unwrap() + 1, "/changed");
        let after = slab.get(u32::try_from(CHUNK).unwrap()).unwrap() as *const Znode;
        assert_eq!(shared, after, "it is taken back where it is");
    }
}
