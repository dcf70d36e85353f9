//! The folder that the servers hand over, and copies of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;

use super::InteropError;
use crate::saved_copy::{copy_all, save_copy};

/// Folder of a server, with its state under `data`.
#[derive(Debug)]
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Result<Self, InteropError> {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("minikeeper-interop-").tempdir()?;
        fs::create_dir(folder.path().join("data"))?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns the data directory of the server.
    pub(super) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Returns a copy of the folder.
    pub(super) fn copy(&self) -> Result<Self, InteropError> {
        let copy = Self::new()?;
        copy_all(&self.data(), &copy.data())?;
        Ok(copy)
    }

    /// Saves a copy that outlives the run, and returns its path.
    pub(super) fn save_copy(&self, prefix: &str) -> Result<PathBuf, InteropError> {
        Ok(save_copy(self.path(), prefix)?)
    }

    /// Lists the files with their lengths and modification times.
    pub(super) fn listed(&self) -> Result<Vec<(PathBuf, u64, SystemTime)>, InteropError> {
        let mut listed = Vec::new();
        for folder in [self.data(), self.data().join("version-2")] {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let about = entry.metadata()?;
                listed.push((entry.path(), about.len(), about.modified()?));
            }
        }
        listed.sort_unstable();
        Ok(listed)
    }

    /// Counts the logs and the snapshots.
    pub(super) fn files(&self) -> Result<(usize, usize), InteropError> {
        let (mut logs, mut snapshots) = (0, 0);
        for entry in fs::read_dir(self.data().join("version-2"))? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            logs += usize::from(name.starts_with("log."));
            snapshots += usize::from(name.starts_with("snapshot."));
        }
        Ok((logs, snapshots))
    }
}
