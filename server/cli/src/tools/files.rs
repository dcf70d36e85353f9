//! The files of a data folder, by their names.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A snapshot or a log, be it one in truth or by its name alone.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) zxid: u64,
}

/// What a file of ZooKeeper's is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Snapshot,
    Log,
}

impl File {
    pub(crate) fn named(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (kind, rest) = match name.split_once('.')? {
            ("snapshot", rest) => (Kind::Snapshot, rest),
            ("log", rest) => (Kind::Log, rest),
            _ => return None,
        };
        let digits = rest.split('.').next().unwrap_or_default();
        let zxid = u64::from_str_radix(digits, 16).ok()?;
        Some(Self { path, kind, zxid })
    }
}

/// The snapshots and logs of a data folder, or of the `version-2` in it.
pub(crate) fn of(folder: &Path) -> io::Result<Vec<File>> {
    let inner = folder.join("version-2");
    let folder = if inner.is_dir() { &inner } else { folder };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.extend(File::named(entry?.path()));
    }
    Ok(files)
}

/// The log that begins last.
pub(crate) fn newest_log(files: &[File]) -> Option<&File> {
    let logs = files.iter().filter(|file| file.kind == Kind::Log);
    logs.max_by_key(|log| log.zxid)
}
