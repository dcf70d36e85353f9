//! Transaction logs: a file header, entries, zeros up to the end of the file.
//!
//! The reader says what is the end of a log and what is damage; the writer appends batches into zeros that were written
//! ahead, so that to sync a batch changes nothing but data.

mod reader;
mod writer;

pub(crate) use reader::{LogEntry, LogReader};
pub(crate) use writer::{Filler, LogSettings, LogWriter};
