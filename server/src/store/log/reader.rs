//! One log, entry by entry; what is its end, and what is damage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::torn::{Behind, is_torn};
use super::{HEADER_LENGTH, MAGIC, OURS};
use crate::jute::Reader;
use crate::protocol::{DataFormat, Txn};
use crate::store::txn::{ENTRY_END, ENTRY_HEAD, TxnDigest, decode_txn};
use crate::store::{Disk, DiskFile, StorageError};

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry<'a> {
    /// Where it begins, in bytes from the beginning of the file.
    pub(crate) offset: u64,
    pub(crate) txn: Txn<'a>,
    pub(crate) digest: Option<TxnDigest>,
    /// The oldest release that can have written it.
    pub(crate) least: DataFormat,
}

/// What lies behind the last entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing, or zeros.
    Clean,
    /// Part of what was written last, and never synced. Where the next log does not go on from there, that is damage.
    Torn(&'static str),
    /// Damage that a real server takes for the end.
    Short(&'static str),
    /// Damage that stops a real server.
    Broken(&'static str),
}

/// Reads one log, entry by entry. Nothing on the disk is changed.
#[derive(Debug)]
pub(crate) struct LogReader {
    window: Window,
    path: PathBuf,
    /// Where the next entry begins.
    offset: u64,
    /// Whether our writer wrote it.
    is_ours: bool,
    tail: Option<Tail>,
}

impl LogReader {
    /// Opens a log and checks its header.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], and [`StorageError::Damaged`] if it is no log.
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
            // Of the version a real server thinks nothing: `FileTxnIterator.inStreamCreated`.
            (Ok(MAGIC), Ok(_), Ok(database)) => {
                reader.is_ours = database == OURS;
                reader.offset = HEADER_LENGTH;
            }
            // The file was made, and the power lost before its header was on the disk.
            _ if reader.behind(0)?.is_some_and(begins_header) => {
                reader.tail = Some(Tail::Torn("it has no header"));
            }
            _ => {
                let reason = "no transaction log: it does not begin with ZKLG";
                return Err(StorageError::damaged(path, 0, reason));
            }
        }
        Ok(reader)
    }

    /// The next entry, `None` at the end.
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
                self.tail = Some(Tail::Broken("its payload is no transaction"));
                let at = begin.saturating_add(whole(malformed.at));
                let reason = format!("no transaction: {} should be here", malformed.what);
                Err(StorageError::damaged(&self.path, at, reason))
            }
        }
    }

    /// Where the next entry begins or, at the end, where the last has ended.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What lies behind the last entry, once that is known.
    pub(crate) fn tail(&self) -> Option<Tail> {
        self.tail
    }

    /// What is wrong behind the last entry, if that is what a crash leaves of what was written last; known at the end.
    pub(crate) fn torn(&self) -> Option<StorageError> {
        match self.tail? {
            Tail::Torn(reason) => Some(StorageError::damaged(&self.path, self.offset, reason)),
            Tail::Clean | Tail::Short(_) | Tail::Broken(_) => None,
        }
    }

    /// The length of the next entry's payload; or notes what is there instead, and gives 0.
    fn length_of_next(&mut self) -> Result<usize, StorageError> {
        let mut length = self.look_at_next()?;
        // A server may be writing it just now, and to read takes in what was written later before what was written sooner.
        for _ in 0..LOOKS {
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
        let left = self.window.length.saturating_sub(self.offset);
        let mut fields = Reader::new(self.at(self.offset, ENTRY_HEAD)?);
        let (Ok(checksum), Ok(length)) = (fields.long(), fields.int()) else {
            return self.end("an entry ends with the file", whole(ENTRY_HEAD), false);
        };
        let Ok(length) = usize::try_from(length) else {
            return self.end("an entry's length is negative", left, true);
        };
        if length == 0 {
            let reason = "an entry's length is 0, but more lies behind it";
            return self.end(reason, whole(ENTRY_HEAD), false);
        }
        let extent = whole(length).saturating_add(whole(ENTRY_HEAD + 1));
        if extent > left {
            let reason = "an entry goes on behind the end of the file";
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
            Some((&ENTRY_END, _)) => {
                self.end("an entry's checksum is not that of its bytes", extent, true)
            }
            Some((0, _)) => self.end("an entry has no end mark", extent, false),
            _ => self.end("an entry has another byte for its end mark", extent, false),
        }
    }

    /// There is no entry where one should begin. What would be one is `extent` bytes long. Notes what that means.
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
        let tail = match self.behind(offset)? {
            Some([]) => Tail::Clean,
            Some(rest) => {
                let behind = Behind {
                    rest,
                    offset,
                    extent: usize::try_from(extent).unwrap_or(usize::MAX),
                    is_ours,
                    stops_real,
                };
                match is_torn(&behind) {
                    true => Tail::Torn("what was written last is not whole"),
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

    /// What lies behind an offset, without the zeros at the end of the file; `None` if it is more than was ever written
    /// at once.
    fn behind(&mut self, offset: u64) -> Result<Option<&[u8]>, StorageError> {
        let path = &self.path;
        self.window
            .behind(offset)
            .map_err(|error| StorageError::io(path, error))
    }
}

/// More than a writer has under way at once.
const MOST_BEHIND: usize = 256 << 20;
/// How often it is looked again at what is no entry.
const LOOKS: usize = 3;
static ZEROS: [u8; 16 << 10] = [0; 16 << 10];
/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// Part of a file in memory.
#[derive(Debug)]
struct Window {
    file: Arc<dyn DiskFile>,
    length: u64,
    bytes: Vec<u8>,
    /// Where its first byte is in the file.
    offset: u64,
}

impl Window {
    /// Reads anew what is asked for next.
    fn forget(&mut self) -> std::io::Result<()> {
        self.bytes.clear();
        self.offset = 0;
        self.length = self.file.length()?;
        Ok(())
    }

    /// The bytes at an offset, fewer at the end of the file. No more is held than the file has.
    fn at(&mut self, offset: u64, length: usize) -> std::io::Result<&[u8]> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(left);
        let start = offset
            .checked_sub(self.offset)
            .and_then(|start| usize::try_from(start).ok())
            .filter(|start| *start <= self.bytes.len());
        match start {
            Some(start) if self.bytes.len().saturating_sub(start) >= length => {}
            Some(start) => {
                self.bytes.drain(..start);
                self.offset = offset;
                self.read(length.max(CHUNK).min(left))?;
            }
            None => {
                self.bytes.clear();
                self.offset = offset;
                self.read(length.max(CHUNK).min(left))?;
            }
        }
        let start = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(start..).unwrap_or_default();
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    /// Reads on until there are so many bytes, or the file has ended.
    fn read(&mut self, length: usize) -> std::io::Result<()> {
        let mut filled = self.bytes.len();
        while filled < length {
            // Nobody's word is taken for how much there will be.
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

    /// What lies behind an offset, without the zeros at the end of the file.
    fn behind(&mut self, offset: u64) -> std::io::Result<Option<&[u8]>> {
        let mut last = offset;
        let mut at = offset;
        loop {
            let bytes = self.at(at, CHUNK)?;
            if bytes.is_empty() {
                break;
            }
            // Whole blocks are compared at once, which is fast in a test's own build too: a real server's log ends in many zeros.
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
        match length <= MOST_BEHIND {
            true => self.at(offset, length).map(Some),
            false => Ok(None),
        }
    }
}

/// Whether there is no more than a header, and as much of it as there is may be one.
fn begins_header(bytes: &[u8]) -> bool {
    let magic = MAGIC.to_be_bytes();
    bytes.len() < 16 && bytes.iter().zip(magic).all(|(byte, magic)| *byte == magic)
}

fn whole(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
