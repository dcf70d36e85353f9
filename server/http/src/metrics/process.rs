//! Metrics of the process, by the names of Prometheus's `StandardExports`; none where there is no `/proc`.

use std::fs;

use super::text::Family;

/// Number of clock ticks in a second, which is 100 on every Linux.
const TICKS: f64 = 100.0;
/// Size of a page, in bytes.
const PAGE: f64 = 4096.0;

/// Returns the metrics that can be measured.
pub(super) fn families() -> Vec<Family> {
    measure().unwrap_or_default()
}

fn measure() -> Option<Vec<Family>> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
    let boot: f64 = boot.trim().parse().ok()?;
    // The name of the program, in parentheses, may have blanks.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // Fields are counted as in proc(5), where the state is the third.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let limit = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    let limit: f64 = limit.split_whitespace().nth(3)?.parse().ok()?;
    let open = u32::try_from(open).map_or(f64::INFINITY, f64::from);
    Some(
        [
            (
                "process_cpu_seconds_total",
                "counter",
                "Total user and system CPU time spent in seconds.",
                (field(14)? + field(15)?) / TICKS,
            ),
            (
                "process_start_time_seconds",
                "gauge",
                "Start time of the process since unix epoch in seconds.",
                boot + field(22)? / TICKS,
            ),
            (
                "process_open_fds",
                "gauge",
                "Number of open file descriptors.",
                open,
            ),
            (
                "process_max_fds",
                "gauge",
                "Maximum number of open file descriptors.",
                limit,
            ),
            (
                "process_virtual_memory_bytes",
                "gauge",
                "Virtual memory size in bytes.",
                field(23)?,
            ),
            (
                "process_resident_memory_bytes",
                "gauge",
                "Resident memory size in bytes.",
                field(24)? * PAGE,
            ),
        ]
        .map(|(name, kind, help, value)| Family::new(name, kind, help, Vec::new(), value))
        .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn every_metric_of_a_process_is_measured() {
        assert_eq!(families().len(), 6);
    }
}
