//! Reading a log entry by entry, up to its end or to damage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::torn::{End, is_torn};
use super::{HEADER_LENGTH, MAGIC, OURS};
use crate::jute::Reader;
use crate::protocol::{DataFormat, Txn};
use crate::store::txn::{ENTRY_END, ENTRY_HEAD, TxnDigest, decode_txn};
use crate::store::{Disk, DiskFile, StorageError};

/// Entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry<'a> {
    /// Offset of the entry in the file, in bytes.
    pub(crate) offset: u64,
    pub(crate) txn: Txn<'a>,
    pub(crate) digest: Option<TxnDigest>,
    /// Oldest release that can have written the entry.
    pub(crate) least: DataFormat,
}

/// Kind of the bytes after the last entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing, or zeros.
    Clean,
    /// Part of the last batch, which was never flushed. If the next log does not continue from there, it is damage.
    Torn(&'static str),
    /// Damage that a real server takes for the end of the log.
    Short(&'static str),
    /// Damage that stops a real server.
    Broken(&'static str),
}

/// Reads one log, entry by entry. Nothing on the disk is changed.
#[derive(Debug)]
pub(crate) struct LogReader {
    window: Window,
    path: PathBuf,
    /// Offset of the next entry.
    offset: u64,
    /// Whether our writer wrote the log.
    is_ours: bool,
    tail: Option<Tail>,
}

impl LogReader {
    /// Opens a log and checks its header.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], and [`StorageError::Damaged`] if the file is not a log.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, StorageError> {
        let open = || {
            let file = disk.open(path)?;
            let length = file.length()?;
            Ok(Window {
                file,
                length,
                bytes: Vec::new(),
                offset: 0,
            })
        };
        let mut reader = Self {
            window: open().map_err(|error| StorageError::io(path, error))?,
            path: path.to_path_buf(),
            offset: 0,
            is_ours: false,
            tail: None,
        };
        let header = reader.at(0, 16)?;
        let mut fields = Reader::new(header);
        match (fields.int(), fields.int(), fields.long()) {
            // A real server does not check the version: `FileTxnIterator.inStreamCreated`.
            (Ok(MAGIC), Ok(_), Ok(database)) => {
                reader.is_ours = database == OURS;
                reader.offset = HEADER_LENGTH;
            }
            // The power was lost after the file was created and before its header was durable.
            _ if reader.bytes_after(0)?.is_some_and(begins_header) => {
                reader.tail = Some(Tail::Torn("the log has no header"));
            }
            _ => {
                let reason = "not a transaction log: it does not begin with ZKLG";
                return Err(StorageError::damaged(path, 0, reason));
            }
        }
        Ok(reader)
    }

    /// Reads the next entry; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::Damaged`].
    pub(crate) fn next(&mut self) -> Result<Option<LogEntry<'_>>, StorageError> {
        let length = match self.tail {
            Some(_) => 0,
            None => self.length_of_next()?,
        };
        match self.tail {
            None => {}
            Some(Tail::Clean | Tail::Torn(_)) => return Ok(None),
            Some(Tail::Short(reason) | Tail::Broken(reason)) => {
                return Err(StorageError::damaged(&self.path, self.offset, reason));
            }
        }
        let offset = self.offset;
        let begin = offset.saturating_add(whole(ENTRY_HEAD));
        self.offset = begin.saturating_add(whole(length)).saturating_add(1);
        let path = &self.path;
        let payload = self
            .window
            .at(begin, length)
            .map_err(|error| StorageError::io(path, error))?;
        match decode_txn(payload) {
            Ok(decoded) => Ok(Some(LogEntry {
                offset,
                txn: decoded.txn,
                digest: decoded.digest,
                least: decoded.least,
            })),
            Err(malformed) => {
                self.offset = offset;
                self.tail = Some(Tail::Broken("the entry is not a transaction"));
                let at = begin.saturating_add(whole(malformed.at));
                let reason = format!("not a transaction: expected {}", malformed.what);
                Err(StorageError::damaged(&self.path, at, reason))
            }
        }
    }

    /// Offset of the next entry, or the end of the last one.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Kind of the bytes after the last entry; known at the end.
    pub(crate) fn tail(&self) -> Option<Tail> {
        self.tail
    }

    /// Error for a torn end, as a crash leaves it; known at the end.
    pub(crate) fn torn(&self) -> Option<StorageError> {
        match self.tail? {
            Tail::Torn(reason) => Some(StorageError::damaged(&self.path, self.offset, reason)),
            Tail::Clean | Tail::Short(_) | Tail::Broken(_) => None,
        }
    }

    /// Returns the length of the next entry's payload, or sets `tail` and returns 0.
    fn length_of_next(&mut self) -> Result<usize, StorageError> {
        let mut length = self.look_at_next()?;
        // A server may be writing to the log, and a read can see later bytes before earlier ones. So damage is read
        // again.
        for _ in 0..READS_OF_DAMAGE {
            if matches!(self.tail, None | Some(Tail::Clean)) {
                break;
            }
            let path = &self.path;
            self.window
                .forget()
                .map_err(|error| StorageError::io(path, error))?;
            self.tail = None;
            length = self.look_at_next()?;
        }
        Ok(length)
    }

    fn look_at_next(&mut self) -> Result<usize, StorageError> {
        let remaining = self.window.length.saturating_sub(self.offset);
        let mut fields = Reader::new(self.at(self.offset, ENTRY_HEAD)?);
        let (Ok(checksum), Ok(length)) = (fields.long(), fields.int()) else {
            return self.end("the file ends within an entry", whole(ENTRY_HEAD), false);
        };
        let Ok(length) = usize::try_from(length) else {
            return self.end("the entry's length is negative", remaining, true);
        };
        if length == 0 {
            let reason = "the entry's length is 0, but more bytes follow";
            return self.end(reason, whole(ENTRY_HEAD), false);
        }
        let extent = whole(length).saturating_add(whole(ENTRY_HEAD + 1));
        if extent > remaining {
            let reason = "the entry is longer than the rest of the file";
            return self.end(reason, extent, false);
        }
        let begin = self.offset.saturating_add(whole(ENTRY_HEAD));
        let entry = self.at(begin, length.saturating_add(1))?;
        match entry.split_last() {
            Some((&ENTRY_END, payload))
                if i64::from(simd_adler32::adler32(&payload)) == checksum =>
            {
                Ok(length)
            }
            Some((&ENTRY_END, _)) => self.end("the entry's checksum does not match", extent, true),
            Some((0, _)) => self.end("the entry has no end mark", extent, false),
            _ => self.end(
                "the entry has another byte in place of its end mark",
                extent,
                false,
            ),
        }
    }

    /// Sets `tail` where no valid entry begins. `extent` is the length of the entry by its own length field.
    fn end(
        &mut self,
        reason: &'static str,
        extent: u64,
        stops_real: bool,
    ) -> Result<usize, StorageError> {
        let damage = match stops_real {
            true => Tail::Broken(reason),
            false => Tail::Short(reason),
        };
        let offset = self.offset;
        let is_ours = self.is_ours;
        let tail = match self.bytes_after(offset)? {
            Some([]) => Tail::Clean,
            Some(rest) => {
                let end = End {
                    rest,
                    offset,
                    extent: usize::try_from(extent).unwrap_or(usize::MAX),
                    is_ours,
                    stops_real,
                };
                match is_torn(&end) {
                    true => Tail::Torn("the last batch was not written completely"),
                    false => damage,
                }
            }
            None => damage,
        };
        self.tail = Some(tail);
        Ok(0)
    }

    fn at(&mut self, offset: u64, length: usize) -> Result<&[u8], StorageError> {
        let path = &self.path;
        self.window
            .at(offset, length)
            .map_err(|error| StorageError::io(path, error))
    }

    /// Returns the bytes from an offset on, without the zeros at the end of the file; `None` if they are more than one
    /// batch.
    fn bytes_after(&mut self, offset: u64) -> Result<Option<&[u8]>, StorageError> {
        let path = &self.path;
        self.window
            .bytes_after(offset)
            .map_err(|error| StorageError::io(path, error))
    }
}

/// Upper bound on the length of one batch, in bytes.
const LONGEST_END: usize = 256 << 20;
/// Number of times that damage is read again before it counts.
const READS_OF_DAMAGE: usize = 3;
static ZEROS: [u8; 16 << 10] = [0; 16 << 10];
/// Number of bytes that one call reads.
const CHUNK: usize = 1 << 20;

/// Part of a file in memory.
#[derive(Debug)]
struct Window {
    file: Arc<dyn DiskFile>,
    length: u64,
    bytes: Vec<u8>,
    /// Offset of the first byte in the file.
    offset: u64,
}

impl Window {
    /// Forgets the bytes in memory, so that the file is read again.
    fn forget(&mut self) -> std::io::Result<()> {
        self.bytes.clear();
        self.offset = 0;
        self.length = self.file.length()?;
        Ok(())
    }

    /// Returns the bytes at an offset, fewer at the end of the file. Memory is allocated only for bytes that the file
    /// has.
    fn at(&mut self, offset: u64, length: usize) -> std::io::Result<&[u8]> {
        let remaining = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(remaining);
        let start = offset
            .checked_sub(self.offset)
            .and_then(|start| usize::try_from(start).ok())
            .filter(|start| *start <= self.bytes.len());
        match start {
            Some(start) if self.bytes.len().saturating_sub(start) >= length => {}
            Some(start) => {
                self.bytes.drain(..start);
                self.offset = offset;
                self.read(length.max(CHUNK).min(remaining))?;
            }
            None => {
                self.bytes.clear();
                self.offset = offset;
                self.read(length.max(CHUNK).min(remaining))?;
            }
        }
        let start = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(start..).unwrap_or_default();
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    /// Reads until there are so many bytes in memory, or until the end of the file.
    fn read(&mut self, length: usize) -> std::io::Result<()> {
        let mut filled = self.bytes.len();
        while filled < length {
            // Memory grows with the bytes that are really there.
            self.bytes
                .resize(length.min(filled.saturating_add(CHUNK)), 0);
            let offset = self.offset.saturating_add(whole(filled));
            let room = self.bytes.get_mut(filled..).unwrap_or_default();
            let read = self.file.read_at(offset, room)?;
            filled = filled.saturating_add(read);
            self.bytes.truncate(filled);
            if read == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Returns the bytes from an offset on, without the zeros at the end of the file; `None` if there are too many.
    fn bytes_after(&mut self, offset: u64) -> std::io::Result<Option<&[u8]>> {
        let mut last = offset;
        let mut at = offset;
        loop {
            let bytes = self.at(at, CHUNK)?;
            if bytes.is_empty() {
                break;
            }
            // Whole blocks are compared, which is fast in debug builds too: a real server's log ends in many zeros.
            let mut rest = bytes;
            while let Some(before) = rest.strip_suffix(&ZEROS) {
                rest = before;
            }
            if let Some(place) = rest.iter().rposition(|byte| *byte != 0) {
                last = at.saturating_add(whole(place)).saturating_add(1);
            }
            at = at.saturating_add(whole(bytes.len()));
        }
        let length = usize::try_from(last.saturating_sub(offset)).unwrap_or(usize::MAX);
        match length <= LONGEST_END {
            true => self.at(offset, length).map(Some),
            false => Ok(None),
        }
    }
}

/// Whether the bytes are the beginning of a header and nothing else.
fn begins_header(bytes: &[u8]) -> bool {
    let magic = MAGIC.to_be_bytes();
    bytes.len() < 16 && bytes.iter().zip(magic).all(|(byte, magic)| *byte == magic)
}

fn whole(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
