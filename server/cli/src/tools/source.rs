//! Source of a tool: a file or a folder.

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

/// Flags for the reading of incomplete or damaged folders.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Tolerance {
    /// Read the logs up to the first damage or gap, and ignore the rest; no file is changed
    #[arg(long)]
    recover: bool,

    /// Read logs without a snapshot, as snapshot.trust.empty=true does
    #[arg(long)]
    trust_empty: bool,
}

/// A file or a folder.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    path: &'a Path,
    data_log_dir: Option<&'a Path>,
    tolerance: Tolerance,
}

impl<'a> Source<'a> {
    pub(crate) fn new(
        path: &'a Path,
        data_log_dir: Option<&'a Path>,
        tolerance: Tolerance,
    ) -> Self {
        Self {
            path,
            data_log_dir,
            tolerance,
        }
    }

    pub(crate) fn open(&self) -> Result<Snapshot, Failure> {
        if let Some(logs) = self.data_log_dir
            && self.path.is_file()
        {
            return Err(Failure::Source(format!(
                "{} is a file without logs; name its data folder to read the logs in {}",
                self.path.display(),
                logs.display()
            )));
        }
        let _progress = Progress::of(format!("reading {}", self.path.display()));
        let mut options = OpenOptions::default();
        options.data_log_dir = self.data_log_dir.map(PathBuf::from);
        options.recover = self.tolerance.recover;
        options.trust_empty = self.tolerance.trust_empty;
        Snapshot::open_with(self.path, &options)
            .map_err(|error| unreadable(self.path, FileKind::Snapshot, &error))
    }
}

/// Formats an error of a read, with advice.
pub(crate) fn unreadable(path: &Path, expected: FileKind, error: &StorageError) -> Failure {
    let path = path.display();
    let hint = match (error, expected) {
        (
            StorageError::Damaged {
                file, offset: 0, ..
            },
            FileKind::Snapshot,
        ) if is_log(file) => {
            format!("; it is a transaction log: use minikeeper log show {path}")
        }
        (
            StorageError::Damaged {
                file, offset: 0, ..
            },
            FileKind::Log,
        ) if is_snapshot(file) => {
            format!("; it is a snapshot: use minikeeper snapshot show {path}")
        }
        (StorageError::NoSnapshot { .. }, FileKind::Snapshot) => {
            "; use --trust-empty to read them".to_owned()
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
    // Compressed files begin with the magic of the compression.
    begins(file, b"ZKSN")
        || begins(file, b"\x1f\x8b") && named()
        || begins(file, b"\x82SNA") && named()
}

fn begins(file: &Path, magic: &[u8]) -> bool {
    let mut bytes = vec![0; magic.len()];
    let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut bytes));
    read.is_ok() && bytes == magic
}
