//! State on disk: ZooKeeper's data folder, read and written.
//!
//! [`Storage`](crate::folder::Storage) has the settings. A folder is read as a [`Snapshot`], and its logs as [`Log`]s.

mod failure;
mod log;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use failure::Failure;
pub use log::{Change, Log, Transaction};

use crate::config::{Compression, Config};
use crate::handle::{Server, Snapshot, StartError};
use crate::keeper::Rules;
use crate::persistence;
use crate::protocol::DataFormat;
use crate::store::{OpenOptions, Origin, RealDisk, StorageError};

impl Server {
    /// Starts a server with the state of a data folder, or of one snapshot file. The server keeps its state in memory:
    /// it never writes to the folder, and another server may use the folder meanwhile.
    ///
    /// Sessions continue as after a restart, as with [`Snapshot::start`]: a client can resume its session with its
    /// password.
    ///
    /// To set more, such as a manual clock or a port, use [`Snapshot::open`] and
    /// [`ServerBuilder::snapshot`](crate::ServerBuilder::snapshot). The [`origin`](Snapshot::origin) of that snapshot
    /// lists the files that were read; a server has no origin.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or has no state, and as [`ServerBuilder::start`](crate::ServerBuilder::start).
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("minikeeper-copy-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// use minikeeper::Server;
    ///
    /// let server = Server::builder().data_dir(&folder).start()?;
    /// server.create("/config", b"v1")?;
    ///
    /// let copy = Server::open_copy(&folder)?;
    /// copy.set("/config", b"v2")?;
    /// assert_eq!(server.data("/config").as_deref(), Some(&b"v1"[..]));
    /// # drop(server);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_copy(path: impl AsRef<Path>) -> Result<Self, StartError> {
        let snapshot = Snapshot::open(path).map_err(StartError::Storage)?;
        Self::builder().snapshot(snapshot).start()
    }

    /// Writes the state to a folder, from which a real server or minikeeper can start. The folder is created if it does
    /// not exist. See [`Snapshot::write_to`].
    ///
    /// # Errors
    ///
    /// If the folder is not empty, or the disk refuses a write.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("minikeeper-export-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// use minikeeper::Server;
    ///
    /// let server = Server::start()?;
    /// server.create("/config", b"v1")?;
    /// server.export(&folder)?;
    /// assert_eq!(Server::open_copy(&folder)?.snapshot(), server.snapshot());
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn export(&self, path: impl AsRef<Path>) -> Result<(), StorageError> {
        self.snapshot().write_to(path)
    }
}

impl Snapshot {
    /// Reads the state of a data folder of ZooKeeper (`dataDir` or the `version-2` in it) or of one snapshot file. The
    /// files are not changed. [`open_with`](Self::open_with) also finds logs in another folder.
    ///
    /// # Errors
    ///
    /// If the file or folder does not exist, if it has neither a snapshot nor a log ([`StorageError::Empty`], so that a
    /// mistyped path is not taken for an empty state), or if it is damaged. The error has file, offset and reason in
    /// one line.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("minikeeper-open-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// use minikeeper::{Server, Snapshot, tree};
    ///
    /// Server::builder().seed(tree! { "/config" => "v1" }).data_dir(&folder).start()?;
    /// assert_eq!(Snapshot::open(&folder)?.tree(), tree! { "/config" => "v1" });
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::open_with(path, &OpenOptions::default())
    }

    /// Reads a state like [`open`](Self::open), with options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, StorageError> {
        let rules = Rules {
            digest: options.digest,
            ..Config::default_rules()
        };
        let read =
            |rules: &Rules| persistence::read(Arc::new(RealDisk), path.as_ref(), options, rules);
        let (state, origin) = match read(&rules) {
            // Only a server without extended types has such sessions.
            Err(StorageError::ServerId255 { .. }) => read(&Rules {
                extended_types: false,
                ..rules
            })?,
            read => read?,
        };
        Ok(Self::of(state, Config::default()).read_at(origin))
    }

    /// Returns the files that the snapshot was [read](Self::open) from. The snapshot of a running server has none, even
    /// if the server was started from a folder or a copy.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.read_from()
    }

    /// Writes the state to a folder as ZooKeeper 3.9 does. ZooKeeper and minikeeper can start from it. The folder is
    /// created if it does not exist.
    ///
    /// # Errors
    ///
    /// If the folder is not empty, or the disk refuses a write.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("minikeeper-write-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// use minikeeper::{Server, Snapshot};
    ///
    /// let before = Server::start()?.snapshot();
    /// before.write_to(&folder)?;
    /// assert_eq!(Snapshot::open(&folder)?, before);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(&self, path: impl AsRef<Path>) -> Result<(), StorageError> {
        self.write_with(path, DataFormat::default(), Compression::None)
    }

    /// Writes the state as [`write_to`](Self::write_to) does, in the format of another release, or compressed.
    ///
    /// # Errors
    ///
    /// As [`write_to`](Self::write_to), and if the format cannot represent the state.
    pub fn write_with(
        &self,
        path: impl AsRef<Path>,
        format: DataFormat,
        compression: Compression,
    ) -> Result<(), StorageError> {
        let disk = Arc::new(RealDisk);
        persistence::write(disk, path.as_ref(), format, compression, &self.state())
    }
}
