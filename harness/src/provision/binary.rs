//! The binary `minikeeper` of this workspace.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Builds the binary once in this process, with the profile of the caller, and returns its path. `target` is Cargo's
/// target folder.
///
/// # Errors
///
/// If `cargo build` fails; the text has its output.
pub fn binary(target: &Path) -> Result<PathBuf, String> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BINARY.get_or_init(|| build(target)).clone()
}

fn build(target: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "-p", "minikeeper-cli", "--message-format=json"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().map_err(|error| error.to_string())?;
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .ok_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            format!("no binary was built: {errors}")
        })
}
