//! A folder becomes a state, and a state a folder.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::restore::{Restoring, keep};
use super::snapshots::{Keeping, Purge};
use super::thread::Writing;
use super::{Appender, Log, Pace, Storage};
use crate::keeper::{Rules, Snapshot, Znode};
use crate::protocol::{DataFormat, OwnerKind, Zxid};
use crate::store::{
    self, Compression, Disk, FileKind, FileName, Folder, LogSettings, LogWriter, OpenOptions,
    Origin, Restore, SnapshotForm, StorageError, read_snapshot,
};

/// A folder that is a server's own, and what was in it.
#[derive(Debug)]
pub(crate) struct Opened {
    folder: Arc<Folder>,
    origin: Origin,
    /// What the server begins with.
    pub(crate) state: Snapshot,
    /// The release for which it is written.
    pub(crate) format: DataFormat,
}

impl Opened {
    /// Opens the folder that a server is to keep its state in, if it is.
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

    /// Whether nothing was in it.
    pub(crate) fn is_fresh(&self) -> bool {
        self.origin.is_empty()
    }

    /// What takes the transactions of a server to the log, and what is to write them; and the state that it begins with. A
    /// fresh folder has its first snapshot before.
    pub(crate) fn begin(
        self,
        storage: &Storage,
    ) -> Result<(Snapshot, Appender, Writing), StorageError> {
        can_hold(self.format, self.folder.snapshots(), &self.state)?;
        let form = SnapshotForm {
            format: self.format,
            compression: storage.compression,
            synced: storage.force_sync,
            last_zxid: storage.last_zxid,
        };
        form.check(self.folder.snapshots())?;
        if self.is_fresh() || self.origin.has_dropped {
            // No older snapshot can replace it, or it has znodes that a create in the log would find again.
            let form = SnapshotForm {
                synced: true,
                ..form
            };
            keep(&self.folder, form, self.state.digest(), &self.state)?;
        }
        let purge = (!storage.purge_interval.is_zero()).then(|| {
            let retain = usize::try_from(storage.purge_retain).unwrap_or(usize::MAX);
            Purge::new(retain, storage.purge_interval)
        });
        // To fill ahead is to sync sooner, and nothing is synced otherwise.
        let pre_alloc_size = if storage.force_sync {
            storage.pre_alloc_size
        } else {
            0
        };
        let zxid = self.state.zxid();
        let pace = Pace::new(storage.snap_count.into(), storage.snap_size_limit, zxid);
        let writing = Writing {
            writer: LogWriter::new(
                Arc::clone(&self.folder),
                LogSettings {
                    pre_alloc_size,
                    size_limit: storage.log_size_limit,
                    force_sync: storage.force_sync,
                },
            ),
            force_sync: storage.force_sync,
            at_once: !storage.force_sync,
            fsync_warning: storage.fsync_warning,
            keeping: Keeping {
                folder: self.folder,
                form,
                purge,
            },
            // So that the next start has less to replay: ZooKeeperServer.loadData.
            keeps_at_once: self.origin.replayed > 0,
        };
        let log = Arc::new(Log::default());
        let appender = Appender::new(log, self.format, pace);
        Ok((self.state, appender, writing))
    }
}

/// What a folder holds, be it `dataDir` or the `version-2` in it, or one file of a snapshot, and how it was found. Nothing is
/// changed.
pub(crate) fn read(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &OpenOptions,
    rules: &Rules,
) -> Result<(Snapshot, Origin), StorageError> {
    match disk.list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
        Err(error) => return Err(StorageError::io(path, error)),
        Ok(_) => {
            return read_all(disk, path, options, rules);
        }
    }
    let mut restoring = Restoring::new(rules);
    let end = read_snapshot(&*disk, path, &mut restoring)?;
    let named = FileName::of(path)
        .filter(|name| name.kind == FileKind::Snapshot)
        .map(|name| name.zxid)
        .or(end.last_zxid)
        .unwrap_or(Zxid(0));
    let digest = restoring.loaded(named);
    // What the file says is true of a later tree, if there were writes while it was written.
    let said = end.digest.filter(|said| said.zxid == named);
    let differs = said.is_some_and(|said| digest.is_some_and(|digest| digest != said.digest));
    let origin = Origin {
        format: Some(end.least),
        snapshot: Some(path.to_path_buf()),
        compression: end.compression,
        digest,
        digest_mismatch: differs.then_some(named),
        last_zxid: named,
        ..Origin::empty()
    };
    let latest = restoring.latest();
    let state = restoring.finish(latest);
    check_state(path, rules, &state)?;
    Ok((state, origin))
}

/// The same of a folder. There must be something in it: a server may begin with nothing, but what is to be looked at or copied is
/// somewhere.
fn read_all(
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
    // A name that is wrong would give the snapshot alone, as if nothing had happened since.
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
            "there is the snapshot of a fresh server and no log: if the logs lie elsewhere (dataLogDir), all writes are missing"
        );
    }
    if origin.is_empty() {
        let missing = "there is neither a snapshot nor a log here";
        return Err(empty(folder.snapshots(), missing));
    }
    Ok((state, origin))
}

/// Writes a folder that a server begins with.
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
    can_hold(format, path, state)?;
    let form = SnapshotForm {
        format,
        compression,
        synced: true,
        last_zxid: true,
    };
    // Before there is a folder: one without a snapshot would be opened as empty.
    form.check(path)?;
    let folder = Folder::open_to_write(disk, path, None)?;
    keep(&folder, form, Some(state.reckoned_digest()), state)?;
    Ok(())
}

/// Whether that release would take every znode for what it is: 3.4 takes an owner that is no session for one that has gone.
fn can_hold(format: DataFormat, folder: &Path, state: &Snapshot) -> Result<(), StorageError> {
    if format >= DataFormat::V3_5 {
        return Ok(());
    }
    let special = state.tree().all().filter_map(|znode| {
        let what = match znode.owner() {
            OwnerKind::Container => "a container",
            OwnerKind::Ttl { .. } => "a znode with a time to live",
            OwnerKind::Nobody | OwnerKind::Session(_) => return None,
        };
        Some((znode.path(), what))
    });
    // By their order in the tree it would be another each time.
    match special.min() {
        None => Ok(()),
        Some((path, what)) => Err(StorageError::NotInFormat {
            folder: folder.to_path_buf(),
            format,
            what: format!("{path}, {what}"),
        }),
    }
}

fn recover(
    folder: &Folder,
    options: &OpenOptions,
    rules: &Rules,
) -> Result<(Snapshot, Origin), StorageError> {
    let mut restoring = Restoring::new(rules);
    let mut origin = store::recover(folder, options, &mut restoring)?;
    // Without a snapshot, only the logs tell on what their transactions were made: 3.4 has fewer znodes of its own.
    let found = options.data_format.or(origin.format);
    if let Some(found) = found.filter(|found| *found != rules.data_format)
        && origin.snapshot.is_none()
    {
        let rules = Rules {
            data_format: found,
            ..rules.clone()
        };
        restoring = Restoring::new(&rules);
        origin = store::recover(folder, options, &mut restoring)?;
    }
    for error in &origin.passed_over {
        tracing::warn!(%error, "a snapshot was passed over");
    }
    for error in &origin.torn {
        tracing::warn!(%error, "the end of a log is torn and left out, as after a crash");
    }
    for error in &origin.cut {
        tracing::warn!(%error, "a log is damaged, and left out from there on, as it was asked for; if it is cut, it is kept as it was as damaged-log.*");
    }
    // The folder of an export has one snapshot and no log, but that of a server has logs if it was ever used.
    let snapshots = folder.files(FileKind::Snapshot).unwrap_or_default();
    if origin.logs.is_empty() && snapshots.len() > 1 {
        tracing::warn!(
            folder = %folder.logs().display(),
            "there are snapshots and no logs: if the logs lie elsewhere (dataLogDir), all later writes are missing"
        );
    }
    if let Some(zxid) = origin.repeated {
        tracing::warn!(%zxid, "a transaction comes after later ones: two servers wrote to the folder at once");
    }
    if let Some(zxid) = origin.digest_mismatch {
        tracing::warn!(%zxid, "the digest of the tree is not what the folder says, from this transaction on");
    }
    let latest = restoring.latest();
    origin.has_dropped = restoring.has_orphans();
    let state = restoring.finish(latest);
    check_state(folder.snapshots(), rules, &state)?;
    if let Some(path) = state.with_unlisted_acl().map(Znode::path).min() {
        let znodes = state.with_unlisted_acl().count();
        tracing::warn!(
            znodes,
            first = path,
            "the snapshot does not list the ACL of some znodes, and no log supplies it: requests for them fail with MarshallingError"
        );
    }
    Ok((state, origin))
}

/// Whether a server can continue from the state that was read. Every znode must be one that a server makes, and
/// ephemerals must be distinguishable from znodes with a time to live. A real server with extended types takes the
/// ephemerals of a server with id 255 for znodes with a time to live, and deletes them or does not start
/// (`EphemeralType.get`: "Invalid ephemeralOwner").
fn check_state(path: &Path, rules: &Rules, state: &Snapshot) -> Result<(), StorageError> {
    let folder = || path.to_path_buf();
    if let Some((path, reason)) = state.impossible() {
        return Err(StorageError::Impossible {
            folder: folder(),
            path: path.into(),
            reason,
        });
    }
    match state
        .session_of_server_255()
        .filter(|_| rules.extended_types)
    {
        None => Ok(()),
        Some(session) => Err(StorageError::ServerId255 {
            folder: folder(),
            session,
        }),
    }
}

/// How large the files in it are: those where snapshots lie, and those where logs do.
pub(super) fn sizes(folder: &Folder) -> (u64, u64) {
    let disk = folder.disk();
    let size = |path: &Path| {
        let names = disk.list(path).unwrap_or_default().into_iter();
        let files = names.filter_map(|name| disk.open(&path.join(name)).ok());
        files.filter_map(|file| file.length().ok()).sum()
    };
    (size(folder.snapshots()), size(folder.logs()))
}
