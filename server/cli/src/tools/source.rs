//! Where a tool reads from.

use std::path::{Path, PathBuf};

use clap::Args;
use minikeeper::{Snapshot, Storage};

use super::Failure;
use super::progress::Progress;

/// How a state is read that is not quite as it should be.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct How {
    /// Cut a damaged log where the damage begins, as a real server does; on the disk nothing is changed
    #[arg(long)]
    recover: bool,

    /// Read logs without any snapshot, as snapshot.trust.empty does
    #[arg(long)]
    trust_empty: bool,
}

/// A file or a folder.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    path: &'a Path,
    data_log_dir: Option<&'a Path>,
    how: How,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a Path, data_log_dir: Option<&'a Path>, how: How) -> Self {
        Self {
            path,
            data_log_dir,
            how,
        }
    }

    pub(crate) fn open(&self) -> Result<Snapshot, Failure> {
        let _progress = Progress::of(format!("reading {}", self.path.display()));
        let mut storage = Storage::default();
        storage.data_log_dir = self.data_log_dir.map(PathBuf::from);
        storage.recover = self.how.recover;
        storage.trust_empty = self.how.trust_empty;
        Snapshot::open_as(self.path, &storage).map_err(|error| Failure::Source(error.to_string()))
    }
}
