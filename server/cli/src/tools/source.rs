//! Where a tool reads from.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use minikeeper::{
    Snapshot,
    folder::{FileKind, FileName, OpenOptions, StorageError},
};

use super::Failure;
use super::progress::Progress;

/// How a state is read that is not quite as it should be.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct How {
    /// Read the logs up to the first damage or gap, and ignore the rest; nothing on the disk is changed
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
        if let Some(logs) = self.data_log_dir
            && self.path.is_file()
        {
            return Err(Failure::Source(format!(
                "{} is a file and has no logs: the logs in {} are read for a data folder",
                self.path.display(),
                logs.display()
            )));
        }
        let _progress = Progress::of(format!("reading {}", self.path.display()));
        let mut options = OpenOptions::default();
        options.data_log_dir = self.data_log_dir.map(PathBuf::from);
        options.recover = self.how.recover;
        options.trust_empty = self.how.trust_empty;
        Snapshot::open_with(self.path, &options)
            .map_err(|error| unreadable(self.path, FileKind::Snapshot, &error))
    }
}

/// Why something cannot be read, and what would help.
pub(crate) fn unreadable(path: &Path, expected: FileKind, error: &StorageError) -> Failure {
    let path = path.display();
    let hint = match (error, expected) {
        (
            StorageError::Damaged {
                file, offset: 0, ..
            },
            FileKind::Snapshot,
        ) if is_log(file) => {
            format!("; it is a transaction log: minikeeper log show {path}")
        }
        (
            StorageError::Damaged {
                file, offset: 0, ..
            },
            FileKind::Log,
        ) if is_snapshot(file) => {
            format!("; it is a snapshot: minikeeper snapshot show {path}")
        }
        (StorageError::NoSnapshot { .. }, FileKind::Snapshot) => {
            String::from("; here that is --trust-empty")
        }
        _ => String::new(),
    };
    Failure::Source(format!("{error}{hint}"))
}

pub(crate) fn is_log(file: &Path) -> bool {
    begins(file, b"ZKLG")
}

fn is_snapshot(file: &Path) -> bool {
    let named = || FileName::of(file).is_some_and(|name| name.kind == FileKind::Snapshot);
    // What is compressed begins with something else.
    begins(file, b"ZKSN")
        || begins(file, b"\x1f\x8b") && named()
        || begins(file, b"\x82SNA") && named()
}

fn begins(file: &Path, magic: &[u8]) -> bool {
    let mut bytes = vec![0; magic.len()];
    let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut bytes));
    read.is_ok() && bytes == magic
}
