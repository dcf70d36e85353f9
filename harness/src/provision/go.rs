//! Go, and modules from the module proxy.

use std::path::PathBuf;
use std::process::Command;

use super::{Missing, Part, once, run};

/// An installed Go with some modules, in caches of its own.
#[derive(Clone, Debug)]
pub struct Go {
    folder: PathBuf,
}

/// Returns the installed Go with these modules (`github.com/go-zookeeper/zk@v1.0.4`) and all that they need.
///
/// # Errors
///
/// If there is no `go`, or if it cannot download a module.
pub fn go(name: &str, modules: &[&str]) -> Result<Go, Missing> {
    let recipe = modules.join("\n");
    let made = once(&format!("go-{name}"), &recipe, |folder| {
        let go = Go {
            folder: folder.to_owned(),
        };
        let project = folder.join("project");
        std::fs::create_dir(&project).map_err(|error| error.to_string())?;
        std::fs::write(project.join("go.mod"), "module project\n")
            .map_err(|error| error.to_string())?;
        // Later commands have the cache of these as their proxy. `get` downloads the modules that builds need,
        // `download` the rest, which a module's own tests need.
        for arguments in [&["get"][..], &["mod", "download"]] {
            let mut command = go.caches("go");
            command.args(arguments).current_dir(&project);
            if arguments == ["get"] {
                command.args(modules);
            }
            run(&mut command)?;
        }
        Ok(())
    });
    match made {
        Ok(folder) => Ok(Go { folder }),
        Err(reason) => Err(Part::Go.missing(format!("Go with {}", modules.join(", ")), reason)),
    }
}

impl Go {
    /// Returns a command, such as `go`, that finds the modules and downloads nothing.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.caches(program);
        let proxy = self.folder.join("modules/cache/download");
        command
            .env("GOPROXY", format!("file://{}", proxy.display()))
            // The checksums were verified when the modules were downloaded.
            .env("GOSUMDB", "off");
        command
    }

    fn caches(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("GOMODCACHE", self.folder.join("modules"))
            .env("GOCACHE", self.folder.join("cache"))
            .env("GOFLAGS", "-mod=mod -modcacherw")
            .env("GOTOOLCHAIN", "local");
        command
    }

    /// Returns whether the release is at least this one, such as (1, 26).
    ///
    /// # Errors
    ///
    /// If `go version` fails or prints no release.
    pub fn is_at_least(&self, wanted: (u32, u32)) -> Result<bool, String> {
        let text = run(self.caches("go").arg("version"))?;
        parse(&text)
            .map(|release| release >= wanted)
            .ok_or_else(|| format!("`go version` printed {text:?}"))
    }
}

/// Returns the release in a line such as `go version go1.19.8 linux/amd64`.
fn parse(line: &str) -> Option<(u32, u32)> {
    let release = line.split_whitespace().nth(2)?.strip_prefix("go")?;
    let mut numbers = release.split('.').map(|number| {
        let digits = number.split(|char: char| !char.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_release_is_read_from_the_version_line() {
        let parse = |release: &str| super::parse(&format!("go version {release} linux/amd64"));
        assert_eq!(parse("go1.19.8"), Some((1, 19)));
        assert_eq!(parse("go1.26rc1"), Some((1, 26)));
        assert_eq!(parse("devel"), None);
    }
}
