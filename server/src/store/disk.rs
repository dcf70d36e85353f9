//! The disk as the store sees it, and the one that the machine has: the only place where its files are opened.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is written past the operating system's cache is made up of such blocks.
pub(crate) const BLOCK: usize = 4096;

/// Whether an error says that the file cannot be written past the operating system's cache, and nothing else.
pub(crate) fn is_no_direct(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, Unsupported};
    matches!(error.kind(), InvalidInput | Unsupported)
}

/// Folders and files. A test has one that loses, tears and fails.
pub(crate) trait Disk: Send + Sync + Debug {
    /// The names in a folder, in any order; those that are no UTF-8 are none of ours.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Opens a file that is there, to read it. A folder, a pipe or a device is refused as invalid input.
    fn open(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is there, to read and write it.
    fn open_to_write(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is there once more, to read and write it past the operating system's cache: a write waits until the disk
    /// has it, though it may lose it with its power before [`DiskFile::sync_data`]. Offsets, lengths and where the bytes lie in memory
    /// must be multiples of [`BLOCK`]. An error where that cannot be, be it only with the first write, is [`is_no_direct`].
    fn open_direct(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes an empty file, or empties the one that is there, to read and write it.
    fn create(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, in place of the file that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, file: &Path) -> io::Result<()>;
    /// Makes a folder and those above it, where they are not there yet.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Has what was made, renamed and removed in the folder outlast a loss of power.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Whether two paths lead to one folder that is there, be it by a link.
    fn is_same(&self, one: &Path, other: &Path) -> bool;
    /// Takes the file for this process alone, and makes it if need be; `None` if somebody else has it. It is given back
    /// with the value, and by the operating system if the process ends.
    fn lock(&self, file: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;
}

/// An open file. Several threads may have it at once.
pub(crate) trait DiskFile: Send + Sync + Debug {
    /// Reads what is there at an offset, at most what fits; 0 bytes are the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all of it at an offset; the file becomes longer if need be.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Cuts the file, or lets it go on with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Has what was written outlast a loss of power: `fdatasync`.
    fn sync_data(&self) -> io::Result<()>;
    /// Whether the file was removed, so that its content is lost once it is closed.
    fn is_removed(&self) -> bool;
}

/// Holds a file for this process alone.
pub(crate) trait DiskLock: Send + Sync + Debug {
    /// Whether the file is still found where it was: its folder may have been renamed or removed, and another be in its place.
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
        // To open a pipe waits for somebody who writes into it, and a device has no end.
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

    // Windows has no such thing: it writes the names of files with the files.
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

/// Whether both are of one file or folder. It must be there, for a number that is free is given again.
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

/// In so many words, for to close the file is not enough: a child process that another thread is just starting has it too, until it
/// becomes another program.
impl Drop for RealLock {
    fn drop(&mut self) {
        // If that cannot be, it goes with the last who has the file.
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

    // An open file can be neither renamed nor removed there.
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
        // If the disk does not answer, the next write fails.
        self.0.metadata().is_ok_and(|found| found.nlink() == 0)
    }

    // An open file cannot be removed there.
    #[cfg(not(unix))]
    fn is_removed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_goes_although_a_child_process_has_its_file_still() {
        let name = format!("minikeeper-lock-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::create(&path).unwrap();
        // What a child process has of it between `fork` and `exec`.
        let childs = file.try_clone().unwrap();
        assert!(file.try_lock().is_ok());
        let lock = RealLock {
            file,
            path: path.clone(),
        };
        assert!(RealDisk.lock(&path).unwrap().is_none());
        drop(lock);
        assert!(RealDisk.lock(&path).unwrap().is_some());
        drop(childs);
        fs::remove_file(&path).unwrap();
    }
}
