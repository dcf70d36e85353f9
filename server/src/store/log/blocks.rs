//! Writing of bytes as whole blocks, past the operating system's cache.

use std::io::{self, Write as _};
use std::sync::Arc;

use crate::store::DiskFile;
use crate::store::disk::BLOCK;

/// Most that one call writes, in bytes.
const CAPACITY: usize = 256 << 10;

/// Appends to a file that was [opened past the cache](crate::store::Disk::open_direct). It remembers the beginning of
/// the last block that it wrote, since the next bytes are in the same block.
#[derive(Debug)]
pub(super) struct Blocks {
    file: Arc<dyn DiskFile>,
    memory: Box<Memory>,
    /// Offset at which the next bytes are expected. The memory begins with the bytes before them in their block.
    end: Option<u64>,
}

/// Whole blocks, aligned as the operating system requires.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Memory([u8; CAPACITY]);

const _: () = assert!(align_of::<Memory>() == BLOCK && CAPACITY.is_multiple_of(BLOCK));

impl Blocks {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Self {
        Self {
            file,
            memory: Box::new(Memory([0; CAPACITY])),
            end: None,
        }
    }

    /// End of the last block that some bytes at an offset are in.
    pub(super) fn end_of(offset: u64, length: usize) -> u64 {
        let end = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        match end % BLOCK_LENGTH {
            0 => end,
            used => end.saturating_add(BLOCK_LENGTH - used),
        }
    }

    /// Writes bytes at an offset, and zeros after them up to the end of their last block.
    ///
    /// # Errors
    ///
    /// The error of the disk. The same bytes may be written again.
    pub(super) fn write(&mut self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        let Self { file, memory, end } = self;
        let Memory(memory) = &mut **memory;
        // After an error, the content of the memory is unknown.
        if end.take() != Some(offset)
            && let (block, before @ 1..) = place_of(offset)
            && let Some(first) = memory.first_chunk_mut::<BLOCK>()
            && file.read_at(block, first)? < before
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while !bytes.is_empty() {
            let (block, before) = place_of(offset);
            let mut room = memory.get_mut(before..).unwrap_or_default();
            let taken = room.write(bytes)?;
            let filled = before + taken;
            let whole = filled.next_multiple_of(BLOCK);
            memory.get_mut(filled..whole).unwrap_or_default().fill(0);
            file.write_at(block, memory.get(..whole).unwrap_or_default())?;
            memory.copy_within(filled - filled % BLOCK..filled, 0);
            bytes = bytes.get(taken..).unwrap_or_default();
            offset += u64::try_from(taken).unwrap_or_default();
        }
        *end = Some(offset);
        Ok(())
    }
}

const BLOCK_LENGTH: u64 = BLOCK as u64;

/// Beginning of the block of an offset, and the number of bytes from there to the offset.
fn place_of(offset: u64) -> (u64, usize) {
    let before = offset % BLOCK_LENGTH;
    (offset - before, usize::try_from(before).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::Disk as _;
    use crate::store::tests::{FaultyDisk, Seeded};

    #[test]
    fn bytes_are_where_they_were_written_among_other_writes() {
        let path = Path::new("/data/log.1");
        for seed in 0..50 {
            let mut seeded = Seeded(seed);
            let disk = FaultyDisk::default();
            let mut expected = vec![0; 4 << 20];
            disk.put(path, &expected);
            let (file, direct) = (disk.open_to_write(path), disk.open_direct(path));
            let (file, mut blocks) = (file.unwrap(), Blocks::new(direct.unwrap()));
            let mut at = seeded.below(10_000);
            // These bytes must not change.
            expected[..at].fill(b'x');
            file.write_at(0, &expected[..at]).unwrap();
            while at < 1 << 20 {
                let most = [10, 4096, 3 * CAPACITY][seeded.below(3)];
                let some = vec![b'a' + u8::try_from(at % 26).unwrap(); 1 + seeded.below(most)];
                let offset = at as u64;
                expected[at..at + some.len()].copy_from_slice(&some);
                at += some.len();
                if seeded.below(4) == 0 {
                    file.write_at(offset, &some).unwrap();
                } else {
                    blocks.write(offset, &some).unwrap();
                }
                assert!(Blocks::end_of(offset, some.len()) >= at as u64);
            }
            assert!(disk.bytes(path).unwrap() == expected, "seed {seed}");
        }
    }

    #[test]
    fn the_last_block_ends_at_or_after_the_last_byte() {
        let ends = [(0, 0, 0), (0, 1, 4096), (4095, 1, 4096), (4096, 1, 8192)];
        for (offset, length, end) in ends {
            assert_eq!(Blocks::end_of(offset, length), end);
        }
        assert_eq!(Blocks::end_of(u64::MAX - 1, 1), u64::MAX);
    }
}
