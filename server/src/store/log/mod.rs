//! Transaction logs: a file header, entries, and zeros up to the end of the file.
//!
//! The reader decides whether a log ends or is damaged. The writer appends batches into zeros that were written ahead,
//! so flushing a batch changes data and no metadata.

mod blocks;
mod reader;
mod torn;
mod writer;

pub(crate) use reader::{LogEntry, LogReader, Tail};
pub(crate) use writer::{Filler, LogSettings, LogWriter};

/// `ZKLG`.
const MAGIC: i32 = 0x5a4b_4c47;
const VERSION: i32 = 2;
/// `MINIKEEP`, the mark of our writer in the header, where real servers have a 0 that none of them reads
/// (`FileHeader.dbid`). It means that each batch was flushed before the next one was written.
const OURS: i64 = 0x4d49_4e49_4b45_4550;
pub(super) const HEADER_LENGTH: u64 = 16;
/// Number of bytes that a disk writes completely or not at all.
const SECTOR: usize = 512;
