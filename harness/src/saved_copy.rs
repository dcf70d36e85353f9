//! Copies of folders, among them copies that are saved for later inspection.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Copies a folder to a temporary folder that is not deleted, and returns its path. The name begins with
/// `prefix`.
pub(crate) fn save_copy(folder: &Path, prefix: &str) -> io::Result<PathBuf> {
    let mut builder = tempfile::Builder::new();
    let copy = builder.prefix(prefix).disable_cleanup(true).tempdir()?;
    copy_all(folder, copy.path())?;
    Ok(copy.path().to_owned())
}

/// Copies a folder and everything below it, creating the target if it does not exist.
pub(crate) fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
