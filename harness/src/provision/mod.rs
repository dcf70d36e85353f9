//! Parts that come from outside: Java, ZooKeeper's jars, Python packages. What can be fetched is fetched by its
//! ordinary client (`mvn`, `pip`) into a folder of its own; what cannot be had is said by name, with the reason.
//!
//! ```no_run
//! use minikeeper_harness::provision;
//!
//! match provision::zookeeper_jars("3.9.5") {
//!     Ok(class_path) => println!("java -cp '{class_path}' org.apache.zookeeper.ZooKeeperMain"),
//!     Err(missing) => println!("ignored: {missing}"),
//! }
//! ```

mod java;
mod part;
mod python;

pub use java::{
    ClassPath, DEBIAN, InstalledZooKeeper, java, zookeeper, zookeeper_jars, zookeeper_version,
};
pub use part::{Missing, Part, Requirement, UnknownPart, Verdict};
pub use python::python_venv;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where fetched parts are kept: `MINIKEEPER_PROVISION_DIR`, else `target/provision` in the workspace.
#[must_use]
pub fn folder() -> PathBuf {
    match std::env::var_os("MINIKEEPER_PROVISION_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/provision"),
    }
}

/// Fills `folder()/name` by `fill` unless that was done before. Other processes that want the same part wait
/// meanwhile; what a failed or interrupted attempt left is thrown away.
///
/// `recipe` is what the part was made from: if it changes, the part is made anew.
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
    // Goes with the file handle, so a killed process leaves nothing locked.
    fs4::FileExt::lock(&lock).map_err(say)?;
    if is_done() {
        return Ok(part);
    }
    if part.exists() {
        fs::remove_dir_all(&part).map_err(say)?;
    }
    fs::create_dir_all(&part).map_err(say)?;
    fill(&part)?;
    // Written aside and renamed: whoever looks without the lock sees all of it or nothing.
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(say)?;
    file.write_all(recipe.as_bytes()).map_err(say)?;
    file.persist(&done).map_err(|error| say(error.error))?;
    Ok(part)
}

/// Runs a command to its end and gives back what it printed, or a line on why it failed.
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
        line.unwrap_or("it said nothing")
    ))
}

#[cfg(test)]
mod tests {
    use super::run;
    use std::process::Command;

    #[test]
    fn a_program_that_is_not_there_is_said_by_name() {
        let error = run(&mut Command::new("no-such-program")).expect_err("there is none");
        assert!(
            error.starts_with("`no-such-program` cannot be run"),
            "{error}"
        );
    }
}
