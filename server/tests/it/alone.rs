//! Tests that measure or change their whole process, and therefore run in a process of their own.

use std::process::Command;

const VARIABLE: &str = "MINIKEEPER_TEST_ALONE";

/// Returns whether this process runs only the test of this name. If not, starts a process that does, and asserts that
/// the test passes there.
pub(crate) fn is_alone(test: &str) -> bool {
    if std::env::var(VARIABLE).is_ok_and(|alone| alone == test) {
        return true;
    }
    let binary = std::env::current_exe().expect("it has a name");
    let output = Command::new(binary)
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, test)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "alone, {test} fails:\n{said}\n{complained}"
    );
    false
}

/// Resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("it has a size");
    let kb: usize = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kb << 10
}
