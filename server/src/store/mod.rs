//! ZooKeeper's own files: snapshots and transaction logs, read and written.
//!
//! Records go in and out as types of [`protocol`](crate::protocol); the rules of the keeper are not applied here. Only
//! `disk.rs` opens files.

mod compression;
mod disk;
mod error;
mod folder;
mod log;
mod options;
mod origin;
mod recover;
#[cfg(feature = "compression")]
mod snappy;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;
mod txn;

pub(crate) use crate::config::Compression;
pub(crate) use disk::{Disk, DiskFile, DiskLock, RealDisk};
pub use error::StorageError;
pub(crate) use folder::Folder;
pub use folder::{FileKind, FileName, version_folder};
pub(crate) use log::{Filler, LogEntry, LogReader, LogSettings, LogWriter};
pub use options::OpenOptions;
pub use origin::Origin;
pub(crate) use recover::recover;
pub(crate) use snapshot::{SnapshotForm, read_snapshot, write_snapshot};
pub(crate) use txn::encode_txn;
