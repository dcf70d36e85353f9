//! Parts from outside: Java, ZooKeeper's jars, Python packages, Node, Go modules. Their ordinary clients (`mvn`, `pip`,
//! `npm`, `go`) install them into a folder of their own; a part that cannot be had is reported with its name and the
//! reason.
//!
//! ```no_run
//! use minikeeper_harness::provision;
//!
//! match provision::zookeeper_jars("3.9.5") {
//!     Ok(class_path) => println!("java -cp '{class_path}' org.apache.zookeeper.ZooKeeperMain"),
//!     Err(missing) => println!("ignored: {missing}"),
//! }
//! ```

mod binary;
mod go;
mod java;
mod node;
mod part;
mod python;

pub use binary::binary;
pub use go::{Go, go};
pub use java::{
    ClassPath, DEBIAN, InstalledZooKeeper, java, zookeeper, zookeeper_jars, zookeeper_version,
};
pub use node::{node, npm_packages};
pub use part::{Consequence, Missing, Part, Requirement, Trouble, UnknownPart};
pub use python::{python_venv, python_wheels};

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the folder of installed parts: `MINIKEEPER_PROVISION_DIR`, or else `target/provision` in the workspace.
#[must_use]
pub fn folder() -> PathBuf {
    match std::env::var_os("MINIKEEPER_PROVISION_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/provision"),
    }
}

/// Fills `folder()/name` by `fill`, unless that was done before. Other processes that want the same part wait
/// meanwhile. The remains of a failed or interrupted attempt are deleted.
///
/// `recipe` describes the contents of the part: if it changes, the part is made again.
fn once(
    name: &str,
    recipe: &str,
    fill: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let say = |error: io::Error| format!("{name} in {}: {error}", folder().display());
    fs::create_dir_all(folder()).map_err(say)?;
    let folder = folder().canonicalize().map_err(say)?;
    let part = folder.join(name);
    let done = folder.join(format!("{name}.done"));
    let is_done = || fs::read_to_string(&done).is_ok_and(|made_from| made_from == recipe);
    if is_done() {
        return Ok(part);
    }
    let lock = File::create(folder.join(format!("{name}.lock"))).map_err(say)?;
    // The lock ends with the file handle, so a killed process leaves no lock behind.
    fs4::FileExt::lock(&lock).map_err(say)?;
    if is_done() {
        return Ok(part);
    }
    if part.exists() {
        fs::remove_dir_all(&part).map_err(say)?;
    }
    fs::create_dir_all(&part).map_err(say)?;
    fill(&part)?;
    // Written to another file and renamed, so that a reader without the lock sees the complete file or none.
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(say)?;
    file.write_all(recipe.as_bytes()).map_err(say)?;
    file.persist(&done).map_err(|error| say(error.error))?;
    Ok(part)
}

/// Runs a command to its end and returns its output, or a line with the reason of its failure.
fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("`{program}` cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = || errors.lines().chain(text.lines()).map(str::trim);
    let line = said()
        .find(|line| line.contains("ERROR"))
        .or_else(|| said().find(|line| !line.is_empty()));
    Err(format!(
        "`{program}` failed ({}): {}",
        output.status,
        line.unwrap_or("it printed nothing")
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::run;

    #[test]
    fn an_error_names_the_missing_program() {
        let error = run(&mut Command::new("no-such-program")).expect_err("there is none");
        assert!(
            error.starts_with("`no-such-program` cannot be run"),
            "{error}"
        );
    }
}
