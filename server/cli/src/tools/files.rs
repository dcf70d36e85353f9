//! Files of a data folder.

use std::path::{Path, PathBuf};
use std::{fs, io};

use minikeeper::folder::{FileKind, FileName};

/// Snapshot or log with its parsed name.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) name: FileName,
}

impl File {
    fn named(path: PathBuf) -> Option<Self> {
        let name = FileName::of(&path)?;
        Some(Self { path, name })
    }
}

/// Lists the snapshots and logs of a data folder, or of the `version-2` in it.
pub(crate) fn of(folder: &Path) -> io::Result<Vec<File>> {
    let inner = minikeeper::folder::version_folder(folder);
    let folder = if inner.is_dir() { &inner } else { folder };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.extend(File::named(entry?.path()));
    }
    Ok(files)
}

/// Returns the log with the highest first zxid.
pub(crate) fn newest_log(files: &[File]) -> Option<&File> {
    let logs = files.iter().filter(|file| file.name.kind == FileKind::Log);
    logs.max_by_key(|log| log.name.zxid)
}
