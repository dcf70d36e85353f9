//! Files and folders behind a trait, and their implementation on the machine's disk. No other file of the store opens
//! files.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Length of the blocks in which a file is written past the operating system's cache, in bytes.
pub(crate) const BLOCK: usize = 4096;

/// Whether an error means that a file cannot be written past the operating system's cache.
pub(crate) fn is_no_direct(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, Unsupported};
    matches!(error.kind(), InvalidInput | Unsupported)
}

/// Folders and files. Tests implement it with a disk that loses, tears and refuses writes.
pub(crate) trait Disk: Send + Sync + Debug {
    /// Lists the names in a folder, in any order, except those that are not UTF-8.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading. A folder, a pipe or a device is refused as invalid input.
    fn open(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open_to_write(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing past the operating system's cache. A write returns once the disk
    /// has the bytes, which may still be lost with the power before [`DiskFile::sync_data`]. Offsets, lengths and
    /// addresses in memory must be multiples of [`BLOCK`]. If the file system does not support this, the error here or
    /// of the first write [`is_no_direct`].
    fn open_direct(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Creates a file or truncates an existing one, for reading and writing.
    fn create(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames a file, and replaces the file that had the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, file: &Path) -> io::Result<()>;
    /// Creates a folder and its parents, if they do not exist.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable: files that were created, renamed or removed.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Whether two paths lead to the same existing folder, also by a link.
    fn is_same(&self, one: &Path, other: &Path) -> bool;
    /// Locks a file for this value, and creates it if it does not exist. Returns `None` if it is locked already. The
    /// lock ends when the value is dropped or the process ends.
    fn lock(&self, file: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;
}

/// Open file. Several threads may use it at the same time.
pub(crate) trait DiskFile: Send + Sync + Debug {
    /// Reads bytes at an offset, at most as many as the buffer has. 0 bytes mean the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all bytes at an offset. The file grows if necessary.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Truncates the file, or extends it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Makes the written bytes durable: `fdatasync`.
    fn sync_data(&self) -> io::Result<()>;
    /// Whether the file was removed. Its content is then lost when it is closed.
    fn is_removed(&self) -> bool;
}

/// Lock on a file.
pub(crate) trait DiskLock: Send + Sync + Debug {
    /// Whether the file is still found under its path. Its folder may have been renamed, removed or replaced.
    fn is_in_place(&self) -> bool;
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn open(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        // Opening a pipe would block until it has a writer, and a device has no end.
        if !fs::metadata(file)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        Ok(Arc::new(RealFile(File::open(file)?)))
    }

    fn open_to_write(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(file)?;
        Ok(Arc::new(RealFile(file)))
    }

    #[cfg(target_os = "linux")]
    fn open_direct(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_DIRECT)
            .open(file)?;
        Ok(Arc::new(RealFile(file)))
    }

    #[cfg(not(target_os = "linux"))]
    fn open_direct(&self, _: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(file)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    // On Windows, the name of a file is durable with the file.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if cfg!(unix) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    #[cfg(unix)]
    fn is_same(&self, one: &Path, other: &Path) -> bool {
        match (fs::metadata(one), fs::metadata(other)) {
            (Ok(one), Ok(other)) => is_one(&one, &other),
            _ => false,
        }
    }

    #[cfg(not(unix))]
    fn is_same(&self, one: &Path, other: &Path) -> bool {
        match (fs::canonicalize(one), fs::canonicalize(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let path = path.to_path_buf();
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(RealLock { file, path }))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Whether both are of the same file or folder. It must exist, since the number of a removed file is used again.
#[cfg(unix)]
fn is_one(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[derive(Debug)]
struct RealLock {
    file: File,
    path: PathBuf,
}

/// Unlocks the file explicitly, since closing it is not enough: between `fork` and `exec`, a child process that another
/// thread starts has the open file too.
impl Drop for RealLock {
    fn drop(&mut self) {
        // If this fails, the lock ends when the last process closes the file.
        let _ = self.file.unlock();
    }
}

impl DiskLock for RealLock {
    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(found), Ok(held)) => is_one(&found, &held),
            _ => false,
        }
    }

    // On Windows, an open file can be neither renamed nor removed.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        self.path.exists()
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset = offset.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[cfg(unix)]
    fn is_removed(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        // If this fails, the next write fails too.
        self.0.metadata().is_ok_and(|found| found.nlink() == 0)
    }

    // On Windows, an open file cannot be removed.
    #[cfg(not(unix))]
    fn is_removed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_although_a_child_process_still_has_its_file() {
        let name = format!("minikeeper-lock-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::create(&path).unwrap();
        // A child process has this copy between `fork` and `exec`.
        let inherited = file.try_clone().unwrap();
        assert!(file.try_lock().is_ok());
        let lock = RealLock {
            file,
            path: path.clone(),
        };
        assert!(RealDisk.lock(&path).unwrap().is_none());
        drop(lock);
        assert!(RealDisk.lock(&path).unwrap().is_some());
        drop(inherited);
        fs::remove_file(&path).unwrap();
    }
}
