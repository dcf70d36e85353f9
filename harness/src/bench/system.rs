//! Data of the operating system about a process.

use std::fs;
use std::path::Path;

const BYTES_PER_KIB: f64 = 1024.0;

/// Returns the resident memory of a process in MB; `None` where there is no `/proc`.
pub(super) fn resident_mb(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * BYTES_PER_KIB / 1e6)
}

/// Returns the number of files that this process has open; `None` where there is no `/proc`.
pub(super) fn open_files() -> Option<usize> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count())
}

/// Returns the type and the device of the file system of a folder; `None` where there is no `/proc`.
pub(super) fn file_system(folder: &Path) -> Option<(String, String)> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let of_line = |line: &str| {
        let mut words = line.split(' ');
        let (device, place, kind) = (words.next()?, words.next()?, words.next()?);
        let (place, kind, device) = (place.to_owned(), kind.to_owned(), device.to_owned());
        folder.starts_with(&place).then_some((place, kind, device))
    };
    // The last of the longest mount points, since one may be mounted over another.
    let (_, kind, device) = mounts
        .lines()
        .filter_map(of_line)
        .max_by_key(|(place, ..)| place.len())?;
    Some((kind, device))
}

/// Returns whether the file system of a folder is in memory.
pub(super) fn is_in_memory(folder: &Path) -> bool {
    file_system(folder).is_some_and(|(kind, _)| kind == "tmpfs" || kind == "ramfs")
}
