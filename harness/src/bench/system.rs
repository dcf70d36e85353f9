//! What the system says about a process.

use std::fs;

const BYTES_PER_KIB: f64 = 1024.0;

/// The resident memory of a process in MB; `None` where there is no `/proc`.
pub(super) fn resident_mb(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * BYTES_PER_KIB / 1e6)
}

/// How many files this process has open; `None` where there is no `/proc`.
pub(super) fn open_files() -> Option<usize> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count())
}
