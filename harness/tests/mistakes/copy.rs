//! Copies of source folders.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Makes the folder `to` equal to the folder `from`, except for hidden files and build output (`target`). A file of
/// `from` that is in `changed` has the text given there.
///
/// Files that are equal already are not written, so that a build of the copy compiles only changed crates.
pub(crate) fn mirror(
    from: &Path,
    to: &Path,
    changed: &BTreeMap<PathBuf, String>,
) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || is_hidden(&name) {
            continue;
        }
        let copy = to.join(&name);
        if entry.file_type()?.is_dir() {
            mirror(&entry.path(), &copy, changed)?;
        } else {
            let content = match changed.get(&entry.path()) {
                Some(text) => text.clone().into_bytes(),
                None => fs::read(entry.path())?,
            };
            write_if_changed(&copy, &content)?;
        }
        names.insert(name);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if names.contains(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes a file, unless it has this content already.
fn write_if_changed(file: &Path, content: &[u8]) -> io::Result<()> {
    if fs::read(file).is_ok_and(|present| present == content) {
        return Ok(());
    }
    fs::write(file, content)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
