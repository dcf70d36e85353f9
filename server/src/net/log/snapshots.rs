//! Snapshots in the background, and the purge of what they make superfluous.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::appender::Kept;
use super::restore::keep;
use crate::net::clock::Countdown;
use crate::store::{Folder, SnapshotForm, StorageError};

/// How snapshots are written, and what becomes of older ones.
#[derive(Debug)]
pub(crate) struct Keeping {
    pub(crate) folder: Arc<Folder>,
    pub(crate) form: SnapshotForm,
    pub(crate) purge: Option<Purge>,
}

/// Removes what newer snapshots make superfluous, now and then.
#[derive(Debug)]
pub(crate) struct Purge {
    retain: usize,
    every: Duration,
    /// Until the next; `None` before the first, at the start.
    next: Mutex<Option<Countdown>>,
}

impl Keeping {
    /// Writes a snapshot, if there is something to write, and purges if it is time.
    pub(super) fn keep(&self, kept: Option<Kept>) -> Result<(), StorageError> {
        if let Some(kept) = kept {
            self.write(kept)?;
        }
        self.purge();
        Ok(())
    }

    fn write(&self, kept: Kept) -> Result<(), StorageError> {
        let zxid = kept.zxid();
        let file = keep(&self.folder, self.form, kept.digest(), &kept)?;
        // What nobody else has of it goes here, where that keeps nobody waiting.
        drop(kept);
        tracing::debug!(%zxid, file = %file.display(), "snapshot");
        Ok(())
    }

    /// Purges if it is time.
    fn purge(&self) {
        if let Some(purge) = &self.purge
            && purge.is_due()
        {
            match self.folder.purge(purge.retain) {
                Ok(removed) => tracing::debug!(?removed, "purged"),
                // A real server does without it too: DatadirCleanupManager.PurgeTask.
                Err(error) => tracing::warn!(%error, "cannot purge"),
            }
        }
    }
}

impl Purge {
    pub(crate) fn new(retain: usize, every: Duration) -> Self {
        Self {
            retain,
            every,
            next: Mutex::new(None),
        }
    }

    fn is_due(&self) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.as_ref().is_none_or(|next| next.left().is_zero());
        if due {
            *next = Some(Countdown::begin(self.every));
        }
        due
    }
}
