//! Files of requests: below one folder, and never through a symbolic link.

use std::path::{Component, Path, PathBuf};

use super::Context;
use crate::error::{Code, Failure};

impl Context {
    /// Returns the path of a file or folder below the folder for files.
    ///
    /// # Errors
    ///
    /// If there is no folder for files, the path leads out of it, or a part of the path is a symbolic link.
    fn path(&self, relative: &str) -> Result<PathBuf, Failure> {
        let forbidden = |message: String| Failure::new(Code::Forbidden, message);
        let Some(folder) = &self.files else {
            let message = "this process reads and writes no files for requests".to_owned();
            return Err(forbidden(message).hint("start it with --control-files DIR"));
        };
        let mut path = folder.clone();
        let mut is_empty = true;
        for component in Path::new(relative).components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::CurDir => continue,
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    let message = format!("{relative:?} leads out of the folder for files");
                    return Err(forbidden(message).hint("use a relative path without `..`"));
                }
            }
            is_empty = false;
            refuse_link(&path, relative)?;
        }
        if is_empty || relative.contains('\0') {
            return Err(Failure::bad_request(format!("{relative:?} names no file")));
        }
        Ok(path)
    }

    /// Returns the path of a file or folder to be read.
    ///
    /// # Errors
    ///
    /// As [`place`](Self::place), and if nothing is there.
    pub(super) fn existing(&self, relative: &str) -> Result<PathBuf, Failure> {
        let path = self.place(relative)?;
        if path.exists() {
            return Ok(path);
        }
        let message = format!("there is no file or folder {relative:?} in the folder for files");
        Err(Failure::not_found(message))
    }

    /// Returns the path of a file or folder to be written. What is in it already has no links.
    ///
    /// # Errors
    ///
    /// As [`path`](Self::path), and if the folder cannot be listed.
    pub(super) fn place(&self, relative: &str) -> Result<PathBuf, Failure> {
        let path = self.path(relative)?;
        let mut folders = vec![path.clone()];
        while let Some(folder) = folders.pop().filter(|folder| folder.is_dir()) {
            let failed = |error| Failure::refused(format!("cannot list {relative:?}: {error}"));
            for entry in std::fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?.path();
                refuse_link(&entry, relative)?;
                if entry.is_dir() {
                    folders.push(entry);
                }
            }
        }
        Ok(path)
    }
}

fn refuse_link(path: &Path, relative: &str) -> Result<(), Failure> {
    let is_link = path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_symlink());
    if !is_link {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().display();
    let message = format!("{name} in {relative:?} is a symbolic link, which is not followed");
    Err(Failure::new(Code::Forbidden, message))
}
