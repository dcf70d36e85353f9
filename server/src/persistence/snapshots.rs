//! Snapshots of a server's state, and the purge of files that they replace.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::stopwatch::Stopwatch;
use crate::keeper::Snapshot;
use crate::protocol::{DataFormat, Owner};
use crate::store::{FileKind, Folder, SnapshotForm, StorageError, write_snapshot};

/// Writes snapshots into a folder, and purges the folder.
#[derive(Debug)]
pub(super) struct SnapshotWriter {
    pub(super) folder: Arc<Folder>,
    pub(super) form: SnapshotForm,
    pub(super) purge: Option<Purge>,
}

/// Regular removal of files that newer snapshots replace.
#[derive(Debug)]
pub(super) struct Purge {
    /// Number of snapshots that stay.
    retain: usize,
    interval: Duration,
    /// Runs since the last purge; `None` before the first one, at the start.
    since_last: Mutex<Option<Stopwatch>>,
}

impl SnapshotWriter {
    /// Writes a snapshot, if there is a state to write, and purges if that is due.
    pub(super) fn write_and_purge(&self, state: Option<Box<Snapshot>>) -> Result<(), StorageError> {
        if let Some(state) = state {
            let zxid = state.zxid();
            let file = write_state(&self.folder, self.form, state.digest(), &state)?;
            // Frees the znodes that only this snapshot has, while no client waits for it.
            drop(state);
            tracing::debug!(%zxid, file = %file.display(), "wrote a snapshot");
        }
        if let Some(purge) = &self.purge
            && purge.is_due()
        {
            match self.folder.purge(purge.retain) {
                Ok(removed) => {
                    tracing::debug!(?removed, "purged files that newer snapshots replace")
                }
                // A real server continues too: DatadirCleanupManager.PurgeTask.
                Err(error) => tracing::warn!(
                    %error,
                    "cannot purge old snapshots and logs; the next purge tries again"
                ),
            }
        }
        Ok(())
    }

    /// Replaces everything in the folder by a snapshot. The former files stay as `replaced-*`. If the power is lost
    /// meanwhile, the folder has a former state or this one, and never parts of both.
    pub(super) fn replace(&self, state: &Snapshot) -> Result<(), StorageError> {
        self.folder.set_aside(FileKind::Log, None)?;
        // Flushed in any case: no older snapshot can replace this one.
        let form = SnapshotForm {
            synced: true,
            ..self.form
        };
        let file = write_state(&self.folder, form, state.digest(), state)?;
        self.folder.set_aside(FileKind::Snapshot, Some(&file))
    }
}

impl Purge {
    pub(super) fn new(retain: usize, interval: Duration) -> Self {
        Self {
            retain,
            interval,
            since_last: Mutex::new(None),
        }
    }

    /// Returns whether a purge is due. If so, the next interval begins.
    fn is_due(&self) -> bool {
        let mut since_last = self
            .since_last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_due = since_last
            .as_ref()
            .is_none_or(|since| since.elapsed() >= self.interval);
        if is_due {
            *since_last = Some(Stopwatch::start());
        }
        is_due
    }
}

/// Writes a state as a snapshot, with a digest of its tree if there is one. Returns the path of the file.
pub(super) fn write_state(
    folder: &Folder,
    form: SnapshotForm,
    digest: Option<u64>,
    state: &Snapshot,
) -> Result<PathBuf, StorageError> {
    write_snapshot(
        folder,
        form,
        state.zxid(),
        digest,
        state.session_records(),
        state.znode_records(),
    )
}

/// Checks that a release reads every znode as what it is. ZooKeeper 3.4 takes an owner that is no session for a session
/// that has ended.
pub(super) fn check_format(
    format: DataFormat,
    folder: &Path,
    state: &Snapshot,
) -> Result<(), StorageError> {
    if format >= DataFormat::V3_5 {
        return Ok(());
    }
    let special = state.tree().all().filter_map(|znode| {
        let what = match znode.owner() {
            Owner::Container => "a container",
            Owner::Ttl { .. } => "a znode with a time to live",
            Owner::Unowned | Owner::Session(_) => return None,
        };
        Some((znode.path(), what))
    });
    // The order of the tree differs from run to run, so the error names the first path.
    match special.min() {
        None => Ok(()),
        Some((path, what)) => Err(StorageError::NotInFormat {
            folder: folder.to_path_buf(),
            format,
            what: format!("{path}, {what}"),
        }),
    }
}
