//! What the operating system says of this process and machine, as far as it says it: on Linux, by `/proc`; and files.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::wire::EnvironmentReport;

/// The text of a file that the test named.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file)
}

/// The number of open files and the most there may be; 0 where it is not known.
pub(super) fn file_descriptors() -> (u64, u64) {
    let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count());
    let limit = fs::read_to_string("/proc/self/limits")
        .ok()
        .and_then(|limits| {
            let line = limits
                .lines()
                .find(|line| line.starts_with("Max open files"))?;
            line.split_whitespace().nth(3)?.parse().ok()
        });
    (u64::try_from(open).unwrap_or(u64::MAX), limit.unwrap_or(0))
}

/// The time since the machine started; nothing where it is not known.
pub(super) fn uptime() -> Duration {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = uptime
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.unwrap_or_default()
}

/// What `envi` shows.
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

fn memory_kb() -> (u64, u64) {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| {
        let line = meminfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    (field("MemAvailable:"), field("MemTotal:"))
}
