//! Transaction logs: a file header, entries, zeros up to the end of the file.
//!
//! The reader says what is the end of a log and what is damage; the writer appends batches into zeros that were written
//! ahead, so that to sync a batch changes nothing but data.

mod blocks;
mod reader;
mod torn;
mod writer;

pub(crate) use reader::{LogEntry, LogReader, Tail};
pub(crate) use writer::{Filler, LogSettings, LogWriter};

/// `ZKLG`.
const MAGIC: i32 = 0x5a4b_4c47;
const VERSION: i32 = 2;
/// What our writer has in the header where real servers have a 0 that none of them reads (`FileHeader.dbid`): by it the
/// reader knows that each batch was synced before the next was written. `MINIKEEP`.
const OURS: i64 = 0x4d49_4e49_4b45_4550;
pub(super) const HEADER_LENGTH: u64 = 16;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
