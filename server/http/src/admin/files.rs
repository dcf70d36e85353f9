//! Snapshots as the bytes of ZooKeeper's files, by way of a temporary folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use minikeeper::Snapshot;
use minikeeper::folder::{StorageError, version_folder};

/// Error of a command that writes or reads a snapshot.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("a temporary folder cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the request has no snapshot: it is too short, or has no last zxid at its end")]
    NoSnapshot,
}

/// Folder that is removed when it is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("minikeeper-snapshot-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // The folder of a failed command may be absent.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the bytes of a snapshot file.
///
/// # Errors
///
/// If the temporary folder cannot be written.
pub(super) fn bytes_of(snapshot: &Snapshot) -> Result<Vec<u8>, FileError> {
    let folder = Temporary::new();
    snapshot.write_to(&folder.0)?;
    let file = only_file(&version_folder(&folder.0))?;
    Ok(fs::read(file)?)
}

fn only_file(folder: &Path) -> io::Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snapshot.") {
            return Ok(entry.path());
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound))
}

/// Length of the seal at the end of a snapshot: a checksum and the text `/` (`SnapStream.sealStream`).
const SEAL: usize = 13;

/// Reads a snapshot from the bytes of its file. Its last zxid is before the seal, where 3.9 writes it.
///
/// # Errors
///
/// If the bytes are no snapshot.
pub(super) fn snapshot_of(bytes: &[u8]) -> Result<Snapshot, FileError> {
    let end = bytes.len().saturating_sub(SEAL);
    let last = bytes.get(..end).and_then(|bytes| bytes.last_chunk());
    let zxid = last.map(|zxid| u64::from_be_bytes(*zxid));
    let zxid = zxid.filter(|_| bytes.starts_with(b"ZKSN"));
    let zxid = zxid.ok_or(FileError::NoSnapshot)?;
    let folder = Temporary::new();
    let version = version_folder(&folder.0);
    fs::create_dir_all(&version)?;
    fs::write(version.join(format!("snapshot.{zxid:x}")), bytes)?;
    Ok(Snapshot::open(&folder.0)?)
}

#[cfg(test)]
mod tests {
    use minikeeper::Server;

    use super::*;

    #[test]
    fn a_snapshot_survives_its_bytes() {
        let server = Server::start().expect("a server starts");
        server.create("/config", b"v1").expect("it is created");
        let snapshot = server.snapshot();
        let bytes = bytes_of(&snapshot).expect("it is written");
        let read = snapshot_of(&bytes).expect("it is read");
        assert_eq!(
            (read.zxid(), read.tree()),
            (snapshot.zxid(), snapshot.tree())
        );
    }

    #[test]
    fn other_bytes_are_no_snapshot() {
        for bytes in [&b""[..], b"ZKSN", &[0; 100]] {
            assert!(matches!(snapshot_of(bytes), Err(FileError::NoSnapshot)));
        }
    }
}
