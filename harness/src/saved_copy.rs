//! Folders that are copied, and those that stay lying for whoever wants to know more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Leaves a copy of a folder lying under a name that begins so, and says where.
pub(crate) fn save_copy(folder: &Path, prefix: &str) -> io::Result<PathBuf> {
    let mut builder = tempfile::Builder::new();
    let copy = builder.prefix(prefix).disable_cleanup(true).tempdir()?;
    copy_all(folder, copy.path())?;
    Ok(copy.path().to_owned())
}

/// Copies all that is in a folder to another, which is made if need be.
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
