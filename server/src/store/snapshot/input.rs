//! The bytes of a snapshot, record by record, and their checksum.

use std::io::Read;
use std::path::{Path, PathBuf};

use simd_adler32::Adler32;

use crate::jute::{Malformed, Reader};
use crate::store::compression::{Compression, decompressed};
use crate::store::{Disk, StorageError};

/// How much is read at once, and less of a file that is smaller.
const CHUNK: usize = 256 << 10;
/// What one record may take of a compressed file, however long that is: a few bytes may stand for many.
const MOST_UNPACKED: usize = 64 << 20;

/// Gives records of what is read, each of which lies in memory as a whole, and nothing else.
pub(super) struct Input {
    source: Box<dyn Read>,
    path: PathBuf,
    compression: Compression,
    bytes: Vec<u8>,
    /// What of it was given, and what of that is in the checksum.
    given: usize,
    /// Where what was given last begins.
    last: usize,
    summed: usize,
    filled: usize,
    /// Where the first byte is in all that was read.
    offset: u64,
    checksum: Adler32,
    /// How much is read at once.
    chunk: usize,
    /// How long a record may be.
    most: usize,
    is_at_end: bool,
}

impl Input {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, StorageError> {
        let open = || {
            let file = disk.open(path)?;
            let length = file.length()?;
            Ok((file, length))
        };
        let (file, length) = open().map_err(|error| StorageError::io(path, error))?;
        let compression = Compression::of(path);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Self {
            source: decompressed(file, compression, path)?,
            path: path.to_path_buf(),
            compression,
            bytes: Vec::new(),
            given: 0,
            last: 0,
            summed: 0,
            filled: 0,
            offset: 0,
            checksum: Adler32::new(),
            chunk: length.clamp(1 << 12, CHUNK),
            most: match compression {
                Compression::None => length,
                Compression::Gzip | Compression::Snappy => length.max(MOST_UNPACKED),
            },
            is_at_end: false,
        })
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Parses the next record. `parse` may be called again with more of the same bytes, if it said that they were
    /// malformed.
    #[inline]
    pub(super) fn record<T>(
        &mut self,
        mut parse: impl FnMut(&mut Reader<'_>) -> Result<T, Malformed>,
    ) -> Result<T, StorageError> {
        loop {
            let bytes = self.bytes.get(self.given..self.filled);
            let mut reader = Reader::new(bytes.unwrap_or_default());
            let length = reader.rest().len();
            match parse(&mut reader) {
                Ok(value) => {
                    let taken = length.saturating_sub(reader.rest().len());
                    self.last = self.given;
                    self.given = self.given.saturating_add(taken);
                    return Ok(value);
                }
                Err(malformed) => self.fill_or_say(malformed)?,
            }
        }
    }

    /// How many bytes are left, `most` at most.
    pub(super) fn left(&mut self, most: usize) -> Result<usize, StorageError> {
        while !self.is_at_end && self.filled.saturating_sub(self.given) < most {
            self.fill()?;
        }
        Ok(self.filled.saturating_sub(self.given).min(most))
    }

    /// The checksum of all that was given.
    pub(super) fn checksum(&mut self) -> u32 {
        let new = self.bytes.get(self.summed..self.given);
        self.checksum.write(new.unwrap_or_default());
        self.summed = self.given;
        self.checksum.finish()
    }

    /// Damage in what was given last.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> StorageError {
        self.damaged_at(self.last, reason)
    }

    pub(super) fn damaged_at(&self, at: usize, reason: impl Into<String>) -> StorageError {
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        StorageError::damaged(&self.path, self.offset.saturating_add(at), reason)
    }

    #[cold]
    fn fill_or_say(&mut self, malformed: Malformed) -> Result<(), StorageError> {
        let left = self.filled.saturating_sub(self.given);
        if self.is_at_end || left >= self.most {
            let at = self.given.saturating_add(malformed.at);
            let reason = match self.is_at_end && malformed.at >= left {
                true => format!("it ends where {} should be", malformed.what),
                false => format!("{} should be here", malformed.what),
            };
            return Err(self.damaged_at(at, reason));
        }
        self.fill()
    }

    /// Reads on: as much again as there is, so that a long record is not tried too often.
    fn fill(&mut self) -> Result<(), StorageError> {
        self.checksum();
        self.bytes.copy_within(self.given..self.filled, 0);
        let gone = u64::try_from(self.given).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(gone);
        self.filled = self.filled.saturating_sub(self.given);
        self.given = 0;
        self.last = 0;
        self.summed = 0;
        let goal = self.filled.saturating_add(self.filled.max(self.chunk));
        if self.bytes.len() < goal {
            self.bytes.resize(goal, 0);
        }
        let room = self.bytes.get_mut(self.filled..goal).unwrap_or_default();
        match self.source.read(room) {
            Ok(read) => {
                self.filled = self.filled.saturating_add(read);
                self.is_at_end = read == 0;
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            // What the decompressor cannot make sense of, and not what the disk refuses.
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::InvalidData
                        | std::io::ErrorKind::InvalidInput
                        | std::io::ErrorKind::UnexpectedEof
                ) =>
            {
                Err(self.damaged_at(self.filled, format!("it cannot be decompressed: {error}")))
            }
            Err(error) => Err(StorageError::io(&self.path, error)),
        }
    }
}
