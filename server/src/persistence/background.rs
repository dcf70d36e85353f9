//! Threads that work in the background of the log writer: snapshots, and zeros ahead of the log.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::shared::Shared;
use super::snapshots::SnapshotWriter;
use crate::keeper::Snapshot;
use crate::store::{Filler, StorageError};

/// Background threads of a log, which are joined when this is dropped.
#[derive(Debug)]
pub(super) struct Background {
    snapshots: Arc<SnapshotWriter>,
    filler: Filler,
    /// Fills the log ahead, from the first time on that this is due.
    filling: Option<JoinHandle<()>>,
    /// Writes, or has written, the last snapshot.
    writing: Option<JoinHandle<()>>,
}

impl Background {
    pub(super) fn new(snapshots: SnapshotWriter, filler: Filler) -> Self {
        Self {
            snapshots: Arc::new(snapshots),
            filler,
            filling: None,
            writing: None,
        }
    }

    /// Writes a snapshot, if there is a state to write, and purges if that is due. Does nothing while another snapshot
    /// is being written.
    pub(super) fn write_snapshot(&mut self, shared: &Arc<Shared>, state: Option<Box<Snapshot>>) {
        if shared.set_writing_snapshot(true) {
            return;
        }
        // The thread of the last snapshot has ended, or is about to.
        join(self.writing.take());
        let (shared_by_thread, snapshots) = (Arc::clone(shared), Arc::clone(&self.snapshots));
        let started = thread::Builder::new()
            .name("minikeeper-snapshot".to_owned())
            .spawn(move || {
                let written = snapshots.write_and_purge(state);
                shared_by_thread.set_writing_snapshot(false);
                if let Err(failure) = written {
                    shared_by_thread.fail(failure);
                }
            });
        match started {
            Ok(started) => self.writing = Some(started),
            Err(error) => {
                shared.set_writing_snapshot(false);
                tracing::warn!(
                    %error,
                    "cannot start a thread to write a snapshot; the next start replays more of the log"
                );
            }
        }
    }

    /// Replaces the content of the folder by a snapshot, after the snapshot that is being written.
    pub(super) fn replace(&mut self, state: &Snapshot) -> Result<(), StorageError> {
        join(self.writing.take());
        self.snapshots.replace(state)
    }

    /// Fills the log ahead of the next writes, if that is due.
    pub(super) fn fill_ahead(&mut self, shared: &Arc<Shared>) {
        if !self.filler.is_due() {
            return;
        }
        if let Some(filling) = &self.filling
            && !filling.is_finished()
        {
            filling.thread().unpark();
            return;
        }
        let filler = self.filler.clone();
        let shared = Arc::clone(shared);
        let started = thread::Builder::new()
            .name("minikeeper-fill".to_owned())
            .spawn(move || {
                while !shared.is_ending() && !shared.is_broken() {
                    if filler.is_due() {
                        if let Err(error) = filler.fill_ahead() {
                            // The log writer meets the same error, if it matters.
                            tracing::debug!(%error, "cannot fill the log ahead");
                            return;
                        }
                    } else {
                        thread::park();
                    }
                }
            });
        self.filling = started.ok();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(filling) = &self.filling {
            filling.thread().unpark();
        }
        join(self.filling.take());
        join(self.writing.take());
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread
        && thread.join().is_err()
    {
        tracing::error!("a background thread of the log panicked; this is a bug of minikeeper");
    }
}
