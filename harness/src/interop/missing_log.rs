//! Folders with a missing log.

use std::fs;
use std::path::{Path, PathBuf};

use super::InteropError;

/// Removes a log from a folder, and the snapshots that make it unnecessary, so that transactions of one epoch are
/// missing between two others. Returns the name of the log, or `None` if there is none to remove.
pub(super) fn remove_log(data: &Path) -> Result<Option<String>, InteropError> {
    let (mut snapshots, mut logs) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(data.join("version-2"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let numbered = |prefix: &str| {
            let number = name.strip_prefix(prefix)?.split('.').next()?;
            i64::from_str_radix(number, 16).ok()
        };
        if let Some(zxid) = numbered("snapshot.") {
            snapshots.push((zxid, path));
        } else if let Some(zxid) = numbered("log.") {
            logs.push((zxid, path));
        }
    }
    snapshots.sort_unstable();
    logs.sort_unstable();
    let found = logs.windows(3).find_map(|three| {
        let [before, gone, behind] = three else {
            return None;
        };
        let is_one_epoch = before.0 >> 32 == behind.0 >> 32;
        // A real server replays something before the gap, or does not see the gap.
        let base = snapshots.iter().rfind(|(zxid, _)| zxid + 1 < gone.0);
        let base = base.filter(|(zxid, _)| is_one_epoch && zxid + 1 >= before.0);
        base.map(|(zxid, _)| (*zxid, &gone.1))
    });
    let Some((base, gone)) = found else {
        return Ok(None);
    };
    let superfluous = snapshots.iter().filter(|(taken, _)| *taken > base);
    let files: Vec<&PathBuf> = superfluous.map(|(_, path)| path).collect();
    for file in files.into_iter().chain([gone]) {
        fs::remove_file(file)?;
    }
    Ok(Some(
        gone.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    ))
}
