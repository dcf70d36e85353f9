//! Facts of the operating system about this process and machine (on Linux, from `/proc`), and files that a test names.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::timestamp;
use crate::protocol::Timestamp;
use crate::wire::EnvironmentReport;

/// The text of a file that the test named.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file)
}

/// Folder to which a test that panics writes its timeline, if one is named (`MINIKEEPER_TIMELINE`).
pub(super) fn timeline_folder() -> Option<PathBuf> {
    let folder = env::var_os("MINIKEEPER_TIMELINE")?;
    (!folder.is_empty()).then(|| folder.into())
}

/// Writes or replaces a file of this name, in a folder that is made if it is missing. Returns the full path.
pub(super) fn write_to(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(name);
    fs::write(&file, text)?;
    // A test may run in any folder, so the full path is returned.
    Ok(fs::canonicalize(&file).unwrap_or(file))
}

/// Time at which a file was last modified.
pub(super) fn modified(file: &Path) -> Option<Timestamp> {
    fs::metadata(file).ok()?.modified().ok().map(timestamp)
}

/// The number of open files and the most there may be; 0 where it is not known.
pub(super) fn file_descriptors() -> (u64, u64) {
    let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count());
    let limit = most_file_descriptors().unwrap_or(0);
    (u64::try_from(open).unwrap_or(u64::MAX), limit)
}

/// Maximum number of files that this process may have open, if it is known.
fn most_file_descriptors() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// File descriptors that connections may have where files are written too. The operating system gives the lowest free
/// number, so a connection with a higher number leaves too few for the log and for snapshots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptors {
    /// Connections have lower numbers than this; `None` if there is no limit, or if it is not known.
    below: Option<u64>,
}

impl Descriptors {
    /// Number of descriptors that are left for files: the log, the next one, a snapshot, each twice, and the folders.
    const RESERVED: u64 = 16;

    /// Any number, for a server that writes no files.
    pub(super) const ANY: Self = Self { below: None };

    /// Reserves some descriptors for files: a quarter where there are few.
    pub(super) fn with_reserve() -> Self {
        let most = most_file_descriptors();
        Self {
            below: most.map(|most| most.saturating_sub(Self::RESERVED.min(most / 4))),
        }
    }

    /// Whether a connection may have this descriptor.
    #[cfg(unix)]
    pub(super) fn may_be(self, socket: &impl std::os::fd::AsRawFd) -> bool {
        let number = u64::try_from(socket.as_raw_fd()).unwrap_or(0);
        self.below.is_none_or(|below| number < below)
    }

    #[cfg(not(unix))]
    pub(super) fn may_be<T>(self, _: &T) -> bool {
        self.below.is_none()
    }
}

/// Time since the machine started; zero where it is not known.
pub(super) fn uptime() -> Duration {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = uptime
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.unwrap_or_default()
}

/// Returns the report of `envi`.
pub(super) fn environment() -> EnvironmentReport {
    let line = |path: &str| {
        fs::read_to_string(path)
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let (free_kb, total_kb) = memory_kb();
    EnvironmentReport {
        host_name: line("/proc/sys/kernel/hostname"),
        temporary_directory: Some(env::temp_dir().display().to_string()),
        os_name: Some(match env::consts::OS {
            "linux" => "Linux".to_owned(),
            "macos" => "Mac OS X".to_owned(),
            other => other.to_owned(),
        }),
        os_arch: Some(
            if env::consts::ARCH == "x86_64" {
                "amd64"
            } else {
                env::consts::ARCH
            }
            .to_owned(),
        ),
        os_version: line("/proc/sys/kernel/osrelease"),
        user_name: env::var("USER").ok(),
        user_home: env::var("HOME").ok(),
        user_directory: env::current_dir()
            .ok()
            .map(|directory| directory.display().to_string()),
        memory_free_mb: free_kb / 1024,
        memory_max_mb: total_kb / 1024,
        memory_total_mb: total_kb / 1024,
    }
}

/// Returns a path from the root, like `File.getAbsolutePath`: a relative one is behind the working directory.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let directory = env::current_dir().unwrap_or_default();
    directory.join(path)
}

fn memory_kb() -> (u64, u64) {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| {
        let line = meminfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    (field("MemAvailable:"), field("MemTotal:"))
}
