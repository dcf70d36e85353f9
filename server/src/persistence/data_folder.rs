//! The data folder of a server: opened, read as a state, and continued.

use std::sync::Arc;

use super::recovery::recover;
use super::snapshot_policy::SnapshotPolicy;
use super::snapshots::{Purge, SnapshotWriter, check_format, write_state};
use super::writer::{LogSetup, WriteMode};
use super::{Appender, Log, Storage};
use crate::keeper::{Rules, Snapshot};
use crate::protocol::DataFormat;
use crate::store::{
    Disk, Folder, LogSettings, LogWriter, OpenOptions, Origin, SnapshotForm, StorageError,
};

/// Data folder that belongs to one server, and the state that it holds.
#[derive(Debug)]
pub(crate) struct DataFolder {
    folder: Arc<Folder>,
    origin: Origin,
    /// State that the server starts with.
    pub(crate) state: Snapshot,
    /// Release in whose format the server writes.
    pub(crate) format: DataFormat,
}

impl DataFolder {
    /// Opens the folder of a server; `None` if the server has no folder.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        storage: &Storage,
        rules: &Rules,
    ) -> Result<Option<Self>, StorageError> {
        let Some(data_dir) = &storage.data_dir else {
            return Ok(None);
        };
        let folder = Folder::open_to_write(disk, data_dir, storage.data_log_dir.as_deref())?;
        let options = OpenOptions {
            data_log_dir: storage.data_log_dir.clone(),
            data_format: storage.data_format,
            trust_empty: storage.trust_empty,
            recover: storage.recover,
            digest: storage.digest,
        };
        let (state, origin) = recover(&folder, &options, rules)?;
        let format = storage.data_format.or(origin.format).unwrap_or_default();
        Ok(Some(Self {
            folder: Arc::new(folder),
            origin,
            state,
            format,
        }))
    }

    /// Whether the folder was empty.
    pub(crate) fn is_fresh(&self) -> bool {
        self.origin.is_empty()
    }

    /// Prepares the log. Returns the state that the server starts with, the appender for its transactions, and the
    /// setup with which the log begins. A fresh folder gets its first snapshot here.
    pub(crate) fn begin(
        self,
        storage: &Storage,
    ) -> Result<(Snapshot, Appender, LogSetup), StorageError> {
        check_format(self.format, self.folder.snapshots(), &self.state)?;
        let form = SnapshotForm {
            format: self.format,
            compression: storage.compression,
            synced: storage.force_sync,
            last_zxid: storage.last_zxid,
        };
        form.check(self.folder.snapshots())?;
        if self.is_fresh() || self.origin.has_dropped {
            // Flushed in any case: no older snapshot can replace this one, or the older ones have znodes that a create
            // in the log would find again.
            let form = SnapshotForm {
                synced: true,
                ..form
            };
            write_state(&self.folder, form, self.state.digest(), &self.state)?;
        }
        let zxid = self.state.zxid();
        let policy = SnapshotPolicy::new(storage.snap_count.into(), storage.snap_size_limit, zxid);
        let appender = Appender::new(Arc::new(Log::default()), self.format, policy);
        let setup = LogSetup {
            writer: LogWriter::new(Arc::clone(&self.folder), log_settings(storage)),
            force_sync: storage.force_sync,
            mode: match storage.force_sync {
                true => WriteMode::Thread,
                false => WriteMode::Inline,
            },
            fsync_warning: storage.fsync_warning,
            snapshots: SnapshotWriter {
                folder: self.folder,
                form,
                purge: purge(storage),
            },
            // So that the next start has less to replay: ZooKeeperServer.loadData.
            needs_snapshot: self.origin.replayed > 0,
        };
        Ok((self.state, appender, setup))
    }
}

fn log_settings(storage: &Storage) -> LogSettings {
    LogSettings {
        // Zeros ahead of the log make a flush faster, and are of no use without one.
        pre_alloc_size: match storage.force_sync {
            true => storage.pre_alloc_size,
            false => 0,
        },
        size_limit: storage.log_size_limit,
        force_sync: storage.force_sync,
    }
}

fn purge(storage: &Storage) -> Option<Purge> {
    let retain = usize::try_from(storage.purge_retain).unwrap_or(usize::MAX);
    (!storage.purge_interval.is_zero()).then(|| Purge::new(retain, storage.purge_interval))
}
