//! Python packages, each set in a virtual environment of its own.

use std::path::PathBuf;
use std::process::Command;

use super::{Missing, Part, once, run};

/// Returns the `python` of a virtual environment in which these requirements (`kazoo==2.10.0`) are installed.
///
/// # Errors
///
/// If there is no Python 3, or if `pip` cannot install a requirement.
pub fn python_venv(name: &str, requirements: &[&str]) -> Result<PathBuf, Missing> {
    let recipe = requirements.join("\n");
    let made = once(&format!("venv-{name}"), &recipe, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        run(pip.args(requirements)).map(drop)
    });
    match made {
        Ok(folder) => Ok(folder.join("bin/python")),
        Err(reason) => {
            let what = format!("Python with {}", requirements.join(", "));
            Err(Part::Python.missing(what, reason))
        }
    }
}
