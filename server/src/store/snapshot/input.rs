//! Input of a snapshot: its records, and their checksum.

use std::io::Read;
use std::path::{Path, PathBuf};

use simd_adler32::Adler32;

use crate::config::Compression;
use crate::jute::{Malformed, Reader};
use crate::store::compression::decompressed;
use crate::store::{Disk, StorageError};

/// Number of bytes that one call reads; fewer of a smaller file.
const CHUNK: usize = 256 << 10;
/// Most bytes of one record in a compressed file, whatever the length of the file: a few compressed bytes can stand for
/// many.
const MOST_UNPACKED: usize = 64 << 20;

/// Reads records from a file. Only the current record must fit into memory.
pub(super) struct Input {
    source: Box<dyn Read>,
    path: PathBuf,
    compression: Compression,
    /// Bytes in memory, of which the first `filled` were read from the file.
    bytes: Vec<u8>,
    filled: usize,
    /// End of the last parsed record in `bytes`.
    parsed: usize,
    /// Beginning of the last parsed record in `bytes`.
    last: usize,
    /// Position in `bytes` up to which the checksum is calculated.
    summed: usize,
    /// Offset of the first of `bytes` in the file.
    offset: u64,
    checksum: Adler32,
    /// Number of bytes that one call reads.
    chunk: usize,
    /// Most bytes of one record.
    longest: usize,
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
            filled: 0,
            parsed: 0,
            last: 0,
            summed: 0,
            offset: 0,
            checksum: Adler32::new(),
            chunk: length.clamp(1 << 12, CHUNK),
            longest: match compression {
                Compression::None => length,
                Compression::Gzip | Compression::Snappy => length.max(MOST_UNPACKED),
            },
            is_at_end: false,
        })
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Parses the next record. If `parse` fails, it is called again with more bytes after the same ones.
    #[inline]
    pub(super) fn record<T>(
        &mut self,
        mut parse: impl FnMut(&mut Reader<'_>) -> Result<T, Malformed>,
    ) -> Result<T, StorageError> {
        loop {
            let bytes = self.bytes.get(self.parsed..self.filled);
            let mut reader = Reader::new(bytes.unwrap_or_default());
            let length = reader.rest().len();
            match parse(&mut reader) {
                Ok(value) => {
                    let taken = length.saturating_sub(reader.rest().len());
                    self.last = self.parsed;
                    self.parsed = self.parsed.saturating_add(taken);
                    return Ok(value);
                }
                Err(malformed) => self.fill_or_fail(malformed)?,
            }
        }
    }

    /// Returns the number of remaining bytes, at most `most`.
    pub(super) fn remaining(&mut self, most: usize) -> Result<usize, StorageError> {
        while !self.is_at_end && self.filled.saturating_sub(self.parsed) < most {
            self.fill()?;
        }
        Ok(self.filled.saturating_sub(self.parsed).min(most))
    }

    /// Checksum of all parsed records.
    pub(super) fn checksum(&mut self) -> u32 {
        let new = self.bytes.get(self.summed..self.parsed);
        self.checksum.write(new.unwrap_or_default());
        self.summed = self.parsed;
        self.checksum.finish()
    }

    /// Makes the error for damage in the last parsed record.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> StorageError {
        self.damaged_at(self.last, reason)
    }

    pub(super) fn damaged_at(&self, at: usize, reason: impl Into<String>) -> StorageError {
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        StorageError::damaged(&self.path, self.offset.saturating_add(at), reason)
    }

    #[cold]
    fn fill_or_fail(&mut self, malformed: Malformed) -> Result<(), StorageError> {
        let unparsed = self.filled.saturating_sub(self.parsed);
        if self.is_at_end || unparsed >= self.longest {
            let at = self.parsed.saturating_add(malformed.at);
            let reason = match self.is_at_end && malformed.at >= unparsed {
                true => format!("the file ends where {} is expected", malformed.what),
                false => format!("expected {}", malformed.what),
            };
            return Err(self.damaged_at(at, reason));
        }
        self.fill()
    }

    /// Reads more bytes: as many as there are, so that a long record is parsed only a few times.
    fn fill(&mut self) -> Result<(), StorageError> {
        self.checksum();
        self.bytes.copy_within(self.parsed..self.filled, 0);
        let gone = u64::try_from(self.parsed).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(gone);
        self.filled = self.filled.saturating_sub(self.parsed);
        self.parsed = 0;
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
            // Errors of the decompressor, not of the disk.
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::InvalidData
                        | std::io::ErrorKind::InvalidInput
                        | std::io::ErrorKind::UnexpectedEof
                ) =>
            {
                Err(self.damaged_at(self.filled, format!("cannot be decompressed: {error}")))
            }
            Err(error) => Err(StorageError::io(&self.path, error)),
        }
    }
}
