//! A data folder: names of its files, its lock, and the purge.

use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Compression, Disk, DiskLock, StorageError};
use crate::protocol::Zxid;

/// Data folder, of a real server or of this one.
#[derive(Debug)]
pub(crate) struct Folder {
    disk: Arc<dyn Disk>,
    snapshots: PathBuf,
    logs: PathBuf,
    /// Locks of a folder that was opened for writing, each with the path of the folder.
    locks: Vec<(PathBuf, Box<dyn DiskLock>)>,
}

/// Kind of a file in a data folder, by its name.
///
/// ```
/// use minikeeper::folder::FileKind;
///
/// assert_eq!(FileKind::of("log.1"), Some(FileKind::Log));
/// assert_eq!(FileKind::of("snapshot.0.gz"), Some(FileKind::Snapshot));
/// assert_eq!(FileKind::of("minikeeper.lock"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A snapshot, `snapshot.<zxid>`.
    Snapshot,
    /// A transaction log, `log.<zxid>`.
    Log,
}

impl FileKind {
    /// Returns the kind of file that a name stands for, whatever follows the first dot:
    /// `Util.isSnapshotFileName`, `Util.isLogFileName`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (first, _) = name.split_once('.')?;
        [Self::Snapshot, Self::Log]
            .into_iter()
            .find(|kind| kind.prefix() == first)
    }

    /// Name of the file of this kind for a zxid, without the extension of a compressed one: `Util.makeSnapshotName`,
    /// `Util.makeLogName`.
    pub(super) fn name(self, zxid: Zxid) -> String {
        format!("{}.{:x}", self.prefix(), zxid.0)
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Log => "log",
        }
    }
}

/// Name of a snapshot or log: its kind and its zxid. The zxid of a snapshot is the last transaction in it when the
/// server began to write it; that of a log is its first transaction.
///
/// ```
/// use minikeeper::{folder::{FileKind, FileName}, protocol::Zxid};
///
/// let name = FileName::of("/data/version-2/snapshot.1f.gz").expect("it is the name of a snapshot");
/// assert_eq!((name.kind, name.zxid), (FileKind::Snapshot, Zxid(0x1f)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileName {
    /// Whether it is a snapshot or a log.
    pub kind: FileKind,
    /// The zxid in the name.
    pub zxid: Zxid,
}

impl FileName {
    /// Parses the last component of a path. Returns `None` if ZooKeeper would ignore the file: `Util.getZxidFromName`.
    pub fn of(path: impl AsRef<Path>) -> Option<Self> {
        let name = path.as_ref().file_name()?.to_str()?;
        let kind = FileKind::of(name)?;
        let number = name.split('.').nth(1)?;
        match i64::from_str_radix(number, 16) {
            Ok(zxid @ 0..) => Some(Self {
                kind,
                zxid: Zxid(zxid),
            }),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Returns the folder in which the files of `dataDir` or `dataLogDir` are, `version-2` (`FileTxnSnapLog.version`). A
/// path that ends so already is that folder.
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(minikeeper::folder::version_folder("/data"), Path::new("/data/version-2"));
/// assert_eq!(minikeeper::folder::version_folder("/data/version-2"), Path::new("/data/version-2"));
/// ```
pub fn version_folder(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    match path.ends_with(VERSION_FOLDER) {
        true => path.to_path_buf(),
        false => path.join(VERSION_FOLDER),
    }
}

/// Snapshot or log in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(super) zxid: Zxid,
    pub(super) path: PathBuf,
}

impl NamedFile {
    pub(crate) fn zxid(&self) -> Zxid {
        self.zxid
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

const VERSION_FOLDER: &str = "version-2";
/// File that is locked. Real servers have no lock, and ignore the file.
const LOCK: &str = "minikeeper.lock";
/// Prefix of files that are not complete yet.
const TEMPORARY: &str = "tmp-";

/// Prefix of copies of damaged logs that were cut. Neither a real server nor this one reads them as logs.
const DAMAGED: &str = "damaged-";
/// Prefix of the files that a restored snapshot has replaced.
const REPLACED: &str = "replaced-";

impl Folder {
    /// Opens a folder for reading: one with a `version-2`, or a `version-2` itself. Nothing in it is changed or locked.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`] if the folder does not exist, [`StorageError::Misplaced`].
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        data_dir: &Path,
        data_log_dir: Option<&Path>,
    ) -> Result<Self, StorageError> {
        let folder = Self::at(disk, data_dir, data_log_dir);
        folder
            .disk
            .list(&folder.snapshots)
            .map_err(|error| StorageError::io(&folder.snapshots, error))?;
        folder.check_places()?;
        Ok(folder)
    }

    /// Opens a folder for writing, and creates it if it does not exist. The folder is locked until the value is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::InUse`], [`StorageError::Misplaced`].
    pub(crate) fn open_to_write(
        disk: Arc<dyn Disk>,
        data_dir: &Path,
        data_log_dir: Option<&Path>,
    ) -> Result<Self, StorageError> {
        // The working directory may have changed when the log rolls.
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let logs = data_log_dir.map(whole);
        let mut folder = Self::at(disk, &whole(data_dir), logs.as_deref());
        let on = |path: &Path, error| StorageError::io(path, error);
        let make = |path: &Path| folder.disk.make_folder(path);
        for path in [&folder.snapshots, &folder.logs] {
            make(path).map_err(|error| on(path, error))?;
        }
        if folder.disk.is_same(&folder.snapshots, &folder.logs) {
            folder.logs.clone_from(&folder.snapshots);
        }
        let mut own = vec![folder.snapshots.clone()];
        if folder.logs != folder.snapshots {
            own.push(folder.logs.clone());
        }
        for path in &own {
            let above = path.parent().unwrap_or(path);
            let lock = above.join(LOCK);
            let lock = folder.disk.lock(&lock).map_err(|error| on(&lock, error))?;
            let lock = lock.ok_or_else(|| StorageError::InUse {
                folder: above.to_path_buf(),
            })?;
            folder.locks.push((above.to_path_buf(), lock));
            folder
                .disk
                .sync_folder(above)
                .map_err(|error| on(above, error))?;
        }
        folder.check_places()?;
        for path in &own {
            for name in folder.list(path)? {
                if name.starts_with(TEMPORARY) {
                    let file = path.join(name);
                    folder
                        .disk
                        .remove(&file)
                        .map_err(|error| on(&file, error))?;
                }
            }
        }
        Ok(folder)
    }

    /// Whether a folder has no files, except those that remain where the creation of a folder was interrupted.
    pub(crate) fn is_empty(disk: &dyn Disk, path: &Path) -> bool {
        // A missing path, or one that is no folder, is an error later, when the folder is written.
        let names = |folder: &Path| disk.list(folder).unwrap_or_default();
        let is_temporary = |name: &String| name.starts_with(TEMPORARY);
        let is_version = path.ends_with(VERSION_FOLDER);
        let is_nothing = |name: &String| match &**name {
            VERSION_FOLDER | LOCK => true,
            _ => is_version && is_temporary(name),
        };
        let in_version = names(&path.join(VERSION_FOLDER));
        in_version.iter().all(is_temporary) && names(path).iter().all(is_nothing)
    }

    fn at(disk: Arc<dyn Disk>, data_dir: &Path, data_log_dir: Option<&Path>) -> Self {
        let snapshots = version_folder(data_dir);
        let logs = data_log_dir.map(version_folder);
        // Two paths may name the same folder, also relative to the working directory.
        let whole = |path: &Path| std::path::absolute(path).ok();
        let logs =
            logs.filter(|logs| whole(logs) != whole(&snapshots) && !disk.is_same(logs, &snapshots));
        Self {
            disk,
            logs: logs.unwrap_or_else(|| snapshots.clone()),
            snapshots,
            locks: Vec::new(),
        }
    }

    /// Checks that each folder has only its own kind of files: `FileTxnSnapLog.checkLogDir` and `checkSnapDir`.
    fn check_places(&self) -> Result<(), StorageError> {
        if self.logs == self.snapshots {
            return Ok(());
        }
        for (folder, kind, what) in [
            (&self.logs, FileKind::Snapshot, "snapshots"),
            (&self.snapshots, FileKind::Log, "logs"),
        ] {
            let names = self.list(folder)?;
            if names.iter().any(|name| FileKind::of(name) == Some(kind)) {
                return Err(StorageError::Misplaced {
                    folder: folder.clone(),
                    what,
                });
            }
        }
        Ok(())
    }

    /// Whether the folder was opened for writing, and so belongs to this value alone.
    pub(super) fn is_locked(&self) -> bool {
        !self.locks.is_empty()
    }

    /// Checks that the folder is still found under its path. Otherwise writes would be lost, or go to a folder of
    /// another server.
    ///
    /// # Errors
    ///
    /// [`StorageError::Gone`].
    pub(super) fn check_in_place(&self) -> Result<(), StorageError> {
        let mut locks = self.locks.iter();
        match locks.find(|(_, lock)| !lock.is_in_place()) {
            None => Ok(()),
            Some((folder, _)) => Err(StorageError::Gone {
                folder: folder.clone(),
            }),
        }
    }

    /// Removes all but the newest `retain` snapshots, or 3 if that is more, and the logs that none of them needs:
    /// `PurgeTxnLog`. Returns the removed files.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::Gone`].
    pub(crate) fn purge(&self, retain: usize) -> Result<Vec<PathBuf>, StorageError> {
        self.check_in_place()?;
        let mut snapshots = self.files(FileKind::Snapshot)?;
        snapshots.reverse();
        let mut oldest = None;
        let mut valid = Vec::new();
        for snapshot in &snapshots {
            if valid.len() < retain.max(3) && self.incompleteness(&snapshot.path)?.is_none() {
                valid.push(snapshot.path.clone());
                oldest = Some(snapshot.zxid);
            }
        }
        let Some(oldest) = oldest else {
            return Ok(Vec::new());
        };
        let logs = self.files(FileKind::Log)?;
        let needed = logs.iter().rfind(|log| log.zxid <= oldest);
        let needed = needed.map_or(oldest, |log| log.zxid);
        let mut removed: Vec<PathBuf> = Vec::new();
        // The oldest first: if the power is lost meanwhile, the remaining files have no gap.
        let logs = logs.into_iter().filter(|log| log.zxid < needed);
        let snapshots = snapshots.into_iter().rev();
        let superfluous = snapshots.filter(|file| file.zxid < oldest).chain(logs);
        let superfluous: Vec<NamedFile> = superfluous.collect();
        if !superfluous.is_empty() {
            // With forceSync=no, the snapshots that stay may not be durable yet, unlike those that are removed.
            for path in &valid {
                self.sync(path)?;
            }
            self.sync_names(&self.snapshots)?;
        }
        for file in superfluous {
            self.disk
                .remove(&file.path)
                .map_err(|error| StorageError::io(&file.path, error))?;
            removed.push(file.path);
        }
        Ok(removed)
    }

    /// Makes a file durable that is complete. If the file belongs to another user, it may be readable only.
    pub(super) fn sync(&self, path: &Path) -> Result<(), StorageError> {
        let opened = self.disk.open_to_write(path).or_else(|error| {
            let refused = error.kind() == io::ErrorKind::PermissionDenied;
            if refused {
                self.disk.open(path)
            } else {
                Err(error)
            }
        });
        opened
            .and_then(|file| file.sync_data())
            .map_err(|error| StorageError::io(path, error))
    }

    /// Saves a copy of a log before it is cut, as `damaged-log.5`, or as `damaged-log.5.2` if there is one already.
    pub(super) fn save_damaged(&self, path: &Path) -> Result<(), StorageError> {
        let name = self.free_name(DAMAGED, path, &self.logs)?;
        let temporary = self.logs.join(format!("{TEMPORARY}{name}"));
        let saved = self.logs.join(&name);
        let from = |error| StorageError::io(path, error);
        let on = |error| StorageError::io(&temporary, error);
        let damaged = self.disk.open(path).map_err(from)?;
        let copy = self.disk.create(&temporary).map_err(on)?;
        let mut buffer = vec![0; 1 << 20];
        let mut offset = 0_u64;
        loop {
            let read = damaged.read_at(offset, &mut buffer).map_err(from)?;
            let bytes = buffer.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            copy.write_at(offset, bytes).map_err(on)?;
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        copy.sync_data().map_err(on)?;
        self.disk.rename(&temporary, &saved).map_err(on)?;
        self.sync_names(&self.logs)
    }

    /// Renames all files of one kind but one, as `replaced-log.5`, or as `replaced-log.5.2` if there is one already.
    /// The newest is first, and each name is durable before the next one changes: the remaining files have no gap.
    pub(crate) fn set_aside(
        &self,
        kind: FileKind,
        except: Option<&Path>,
    ) -> Result<(), StorageError> {
        let folder = self.of_kind(kind);
        for file in self.files(kind)?.iter().rev() {
            if Some(&*file.path) == except {
                continue;
            }
            let new = folder.join(self.free_name(REPLACED, &file.path, folder)?);
            let renamed = self.disk.rename(&file.path, &new);
            renamed.map_err(|error| StorageError::io(&file.path, error))?;
            self.sync_names(folder)?;
        }
        Ok(())
    }

    /// Returns a name that no file in a folder has: the prefix and the name of `path`, and a number if needed.
    fn free_name(&self, prefix: &str, path: &Path, folder: &Path) -> Result<String, StorageError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        let others = self.list(folder)?;
        let mut names = iter::once(name.clone()).chain((2..).map(|n| format!("{name}.{n}")));
        let free = names.find(|name| !others.contains(name));
        Ok(free.unwrap_or(name))
    }

    /// Makes the names in a folder durable: files that were created, renamed or removed.
    pub(super) fn sync_names(&self, folder: &Path) -> Result<(), StorageError> {
        let synced = self.disk.sync_folder(folder);
        synced.map_err(|error| StorageError::io(folder, error))
    }

    /// Returns the snapshots or logs, sorted by zxid: `Util.sortDataDir`.
    pub(crate) fn files(&self, kind: FileKind) -> Result<Vec<NamedFile>, StorageError> {
        let folder = self.of_kind(kind);
        let mut files: Vec<NamedFile> = Vec::new();
        for name in self.list(folder)? {
            if let Some(FileName { zxid, .. }) =
                FileName::of(&name).filter(|name| name.kind == kind)
            {
                let path = folder.join(&name);
                files.push(NamedFile { zxid, path });
            }
        }
        files.sort_by(|a, b| (a.zxid, &a.path).cmp(&(b.zxid, &b.path)));
        Ok(files)
    }

    /// Folder with the files of a kind.
    fn of_kind(&self, kind: FileKind) -> &Path {
        match kind {
            FileKind::Snapshot => &self.snapshots,
            FileKind::Log => &self.logs,
        }
    }

    /// Reason why a snapshot cannot be complete, by its last bytes or, if it is compressed, by its first ones:
    /// `SnapStream.isValidSnapshot`.
    pub(super) fn incompleteness(&self, path: &Path) -> Result<Option<&'static str>, StorageError> {
        let look = || -> io::Result<bool> {
            let file = self.disk.open(path)?;
            let length = file.length()?;
            let mut bytes = [0; 8];
            let (expected, offset): (&[u8], u64) = match Compression::of(path) {
                Compression::None if length < 10 => return Ok(false),
                Compression::None => (b"\0\0\0\x01/", length.saturating_sub(5)),
                Compression::Gzip => (&[0x1f, 0x8b], 0),
                Compression::Snappy => (b"\x82SNAPPY\0", 0),
            };
            let bytes = bytes.get_mut(..expected.len()).unwrap_or_default();
            let mut filled = 0;
            while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
                let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
                match file.read_at(at, room)? {
                    0 => return Ok(false),
                    read => filled = filled.saturating_add(read),
                }
            }
            Ok(bytes == expected)
        };
        match look() {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some("incomplete, or not a snapshot")),
            // A folder, a pipe, a dangling link: SnapStream.isValidSnapshot throws, and FileSnap.findNValidSnapshots
            // skips the file.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Ok(Some("not a regular file"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Some("a link to a file that does not exist"))
            }
            Err(error) => Err(StorageError::io(path, error)),
        }
    }

    /// Total size of the files in the folder of the snapshots and in that of the logs, in bytes.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let size = |path: &Path| {
            let names = self.disk.list(path).unwrap_or_default().into_iter();
            let files = names.filter_map(|name| self.disk.open(&path.join(name)).ok());
            files.filter_map(|file| file.length().ok()).sum()
        };
        (size(&self.snapshots), size(&self.logs))
    }

    /// Disk that the folder is on.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Names in a folder; none if the folder does not exist.
    pub(super) fn list(&self, folder: &Path) -> Result<Vec<String>, StorageError> {
        match self.disk.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map_err(|error| StorageError::io(folder, error)),
        }
    }

    /// Folder of the snapshots.
    pub(crate) fn snapshots(&self) -> &Path {
        &self.snapshots
    }

    /// Folder of the logs.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }
}
