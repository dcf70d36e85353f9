//! The folder that is handed on, and copies of it.

use super::InteropError;
use crate::saved_copy::{copy_all, save_copy};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;

/// A folder for a server, with its state under `data`.
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

    /// Where a server has its state.
    pub(super) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A folder with the same state.
    pub(super) fn opened_folder(&self) -> Result<Self, InteropError> {
        let opened_folder = Self::new()?;
        copy_all(&self.data(), &opened_folder.data())?;
        Ok(opened_folder)
    }

    /// Leaves it lying for whoever wants to know more, and says where.
    pub(super) fn save_copy(&self, as_what: &str) -> Result<PathBuf, InteropError> {
        Ok(save_copy(self.path(), as_what)?)
    }

    /// What there is, and how long each file is and when it was changed.
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

    /// How many logs and snapshots there are.
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
