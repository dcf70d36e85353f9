//! Folders that no server has open: read without a change, or written as a whole.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::recovery::{check_state, recover};
use super::snapshots::{check_format, write_state};
use crate::keeper::{Restored, Rules, Snapshot};
use crate::protocol::{DataFormat, Restore, Zxid};
use crate::store::{
    Compression, Disk, FileKind, FileName, Folder, OpenOptions, Origin, SnapshotForm, StorageError,
    read_snapshot,
};

/// Reads the state of a folder (`dataDir` or the `version-2` in it) or of one snapshot file. Nothing is changed.
pub(crate) fn read(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &OpenOptions,
    rules: &Rules,
) -> Result<(Snapshot, Origin), StorageError> {
    match disk.list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            read_file(&*disk, path, rules)
        }
        Err(error) => Err(StorageError::io(path, error)),
        Ok(_) => read_folder(disk, path, options, rules),
    }
}

fn read_file(
    disk: &dyn Disk,
    path: &Path,
    rules: &Rules,
) -> Result<(Snapshot, Origin), StorageError> {
    let mut restoring = Restored::new(rules);
    let end = read_snapshot(disk, path, &mut restoring)?;
    let zxid = FileName::of(path)
        .filter(|name| name.kind == FileKind::Snapshot)
        .map(|name| name.zxid)
        .or(end.last_zxid)
        .unwrap_or(Zxid(0));
    let digest = restoring.loaded(zxid);
    // If there were writes while the file was written, it has the digest of a later tree.
    let stored = end.digest.filter(|stored| stored.zxid == zxid);
    let differs = stored.is_some_and(|stored| digest.is_some_and(|digest| digest != stored.digest));
    let origin = Origin {
        format: Some(end.least),
        snapshot: Some(path.to_path_buf()),
        compression: end.compression,
        digest,
        digest_mismatch: differs.then_some(zxid),
        last_zxid: zxid,
        ..Origin::empty()
    };
    let latest = restoring.latest();
    let state = restoring.finish(latest);
    check_state(path, rules, &state)?;
    Ok((state, origin))
}

/// Reads a folder that must not be empty: a server may start with an empty folder, but a path to read from is mistyped
/// if there is nothing.
fn read_folder(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &OpenOptions,
    rules: &Rules,
) -> Result<(Snapshot, Origin), StorageError> {
    let empty = |folder: &Path, missing| StorageError::Empty {
        folder: folder.to_path_buf(),
        missing,
    };
    let logs = options.data_log_dir.as_deref();
    let folder = Folder::open(disk, path, logs);
    let folder = folder.map_err(|error| match error.is_not_found() {
        true => empty(path, "there is no version-2 here"),
        false => error,
    })?;
    // With a mistyped folder of logs, the snapshot alone would be read, as if there had been no later writes.
    match (logs, folder.disk().list(folder.logs())) {
        (Some(logs), Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(empty(logs, "there is no version-2 here"));
        }
        _ => {}
    }
    let (state, origin) = recover(&folder, options, rules)?;
    if origin.logs.is_empty() && origin.snapshot.is_some() && state.zxid() == Zxid(0) {
        tracing::warn!(
            folder = %folder.logs().display(),
            "found the snapshot of a fresh server but no logs: if the logs are in another folder, set dataLogDir, or \
             all writes are missing"
        );
    }
    if origin.is_empty() {
        let missing = "there is neither a snapshot nor a log here";
        return Err(empty(folder.snapshots(), missing));
    }
    Ok((state, origin))
}

/// Writes a new folder, from which a server can start with this state.
pub(crate) fn write(
    disk: Arc<dyn Disk>,
    path: &Path,
    format: DataFormat,
    compression: Compression,
    state: &Snapshot,
) -> Result<(), StorageError> {
    if !Folder::is_empty(&*disk, path) {
        return Err(StorageError::NotEmpty {
            folder: path.to_path_buf(),
        });
    }
    check_format(format, path, state)?;
    let form = SnapshotForm {
        format,
        compression,
        synced: true,
        last_zxid: true,
    };
    // Checked before the folder is made: a folder without a snapshot would be opened as an empty one.
    form.check(path)?;
    let folder = Folder::open_to_write(disk, path, None)?;
    write_state(&folder, form, Some(state.computed_digest()), state)?;
    Ok(())
}
