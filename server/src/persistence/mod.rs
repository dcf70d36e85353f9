//! A server's data folder: read as a state, and followed by a log of all transactions and by snapshots.
//!
//! Under the engine's lock, the [`Appender`] encodes and numbers transactions and submits them at the end of each turn.
//! The log writer writes and flushes everything that was submitted meanwhile in one batch. Nothing that shows a
//! transaction leaves the server before the transaction is durable.

mod appender;
mod background;
mod copy;
mod data_folder;
mod flusher;
mod log;
mod recovery;
mod shared;
mod snapshot_policy;
mod snapshots;
mod stopwatch;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use crate::config::Storage;
pub(crate) use appender::Appender;
pub(crate) use copy::{read, write};
pub(crate) use data_folder::DataFolder;
pub(crate) use log::Log;
#[cfg(test)]
pub(crate) use snapshot_policy::SnapshotPolicy;
pub(crate) use writer::{LogSetup, WriteMode};
