//! Appending to a log.

use std::sync::Arc;

use bytes::BytesMut;

use crate::protocol::Zxid;
use crate::store::{Folder, StorageError};

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// The most that is filled with zeros ahead of what is written, in bytes; 0 for nothing.
    pub(crate) pre_alloc_size: u64,
}

/// Appends batches of entries to the newest log. One thread has it, which may be another than the one with the
/// [`Filler`].
#[derive(Debug)]
pub(crate) struct LogWriter {
    folder: Arc<Folder>,
    settings: LogSettings,
    filler: Filler,
}

impl LogWriter {
    /// A writer whose first batch begins a new log.
    pub(crate) fn new(folder: Arc<Folder>, settings: LogSettings) -> Self {
        Self {
            folder,
            settings,
            filler: Filler {},
        }
    }

    /// Appends entries, as [`encode_txn`](crate::store::encode_txn) made them, by one write. Fills in their checksums
    /// first; the batch is as it was written afterwards. If there is no log yet, or since [`roll`](Self::roll), begins
    /// one that has the number of the first entry. Nothing is on the disk before [`sync`](Self::sync).
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]. Nothing may be written any more after it.
    pub(crate) fn write(
        &mut self,
        first_zxid: Zxid,
        batch: &mut BytesMut,
    ) -> Result<(), StorageError> {
        let _ = (&self.folder, self.settings, first_zxid, batch);
        Ok(())
    }

    /// Has everything written so far outlast a loss of power.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]. Nothing may be written any more after it.
    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    /// The next batch begins a new log. Nothing is opened or written by this.
    pub(crate) fn roll(&mut self) {}

    /// How long the current log is, without what was filled ahead; 0 if there is none.
    pub(crate) fn size(&self) -> u64 {
        0
    }

    /// What fills the log with zeros ahead, for another thread.
    pub(crate) fn filler(&self) -> Filler {
        self.filler.clone()
    }
}

/// Fills the newest log with zeros ahead of its [`LogWriter`]: to write into them and to sync that changes no metadata.
#[derive(Clone, Debug)]
pub(crate) struct Filler {}

impl Filler {
    /// Whether it is time for [`fill_ahead`](Self::fill_ahead). Cheap: to be asked after each write.
    pub(crate) fn is_due(&self) -> bool {
        false
    }

    /// Writes zeros ahead of where the writer is, and syncs them. The writer goes on meanwhile.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]: the disk may be full. The writer will find out by itself.
    pub(crate) fn fill_ahead(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
