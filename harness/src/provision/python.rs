//! Python packages, in virtual environments of their own or as files to install from.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Missing, Part, once, run};

/// Returns the `python` of a virtual environment in which these requirements (`kazoo==2.10.0`) are installed.
///
/// # Errors
///
/// If there is no Python 3, or if `pip` cannot install a requirement.
pub fn python_venv(name: &str, requirements: &[&str]) -> Result<PathBuf, Missing> {
    let made = once(
        &format!("venv-{name}"),
        &requirements.join("\n"),
        |folder| {
            run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
            let mut pip = pip(&folder.join("bin/python"), "install");
            run(pip.args(requirements)).map(drop)
        },
    );
    match made {
        Ok(folder) => Ok(folder.join("bin/python")),
        Err(reason) => Err(missing(requirements, reason)),
    }
}

/// Returns a folder with the files of these requirements and of all that they need, for `pip install --no-index
/// --find-links FOLDER`. They are files for this `python`, which has `pip`.
///
/// # Errors
///
/// If `pip` cannot download a requirement.
pub fn python_wheels(name: &str, python: &Path, requirements: &[&str]) -> Result<PathBuf, Missing> {
    once(
        &format!("wheels-{name}"),
        &requirements.join("\n"),
        |folder| {
            let mut pip = pip(python, "download");
            pip.args(["--only-binary", ":all:", "--dest"]).arg(folder);
            run(pip.args(requirements)).map(drop)
        },
    )
    .map_err(|reason| missing(requirements, reason))
}

fn pip(python: &Path, command: &str) -> Command {
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        command,
        "--quiet",
        "--disable-pip-version-check",
    ]);
    pip
}

fn missing(requirements: &[&str], reason: String) -> Missing {
    let what = format!("Python with {}", requirements.join(", "));
    Part::Python.missing(what, reason)
}
