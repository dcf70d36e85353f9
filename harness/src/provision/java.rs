//! Java, and ZooKeeper's jars of an exact version, from Maven or from Debian's package.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Missing, Part, once, run};

/// Argument of `java -cp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassPath(String);

impl ClassPath {
    /// Returns the class path as one argument.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClassPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the `java` program of `JAVA_HOME`, or else the one on the path.
///
/// # Errors
///
/// If there is none that runs.
pub fn java() -> Result<PathBuf, Missing> {
    static JAVA: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    JAVA.get_or_init(|| {
        let program = match std::env::var_os("JAVA_HOME") {
            Some(home) => Path::new(&home).join("bin/java"),
            None => PathBuf::from("java"),
        };
        run(Command::new(&program).arg("-version")).map(|_| program)
    })
    .clone()
    .map_err(|reason| Part::Java.missing("Java", reason))
}

/// Version that means the one of Debian's package, whichever is installed.
pub const DEBIAN: &str = "debian";

/// A ZooKeeper that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledZooKeeper {
    /// Version, such as `3.9.5`.
    pub version: String,
    /// ZooKeeper's jars and their dependencies.
    pub class_path: ClassPath,
}

/// Installs a ZooKeeper of exactly this version, or finds that of [`DEBIAN`].
///
/// # Errors
///
/// The errors of [`zookeeper_jars`].
pub fn zookeeper(version: &str) -> Result<InstalledZooKeeper, Missing> {
    if version == DEBIAN {
        java()?;
        return debian()
            .map_err(|reason| Part::Java.missing("ZooKeeper from Debian's package", reason));
    }
    Ok(InstalledZooKeeper {
        version: version.to_owned(),
        class_path: zookeeper_jars(version)?,
    })
}

/// Returns the exact version: `said` itself, or that of [`DEBIAN`] if it is installed. Downloads nothing.
#[must_use]
pub fn zookeeper_version(said: &str) -> Option<String> {
    if said == DEBIAN {
        debian().ok().map(|installed| installed.version)
    } else {
        Some(said.to_owned())
    }
}

/// Returns the class path of a ZooKeeper of exactly this version: server, `ZooKeeperMain` and the Java client.
///
/// # Errors
///
/// If there is no Java, or if neither Maven nor Debian's package has the version.
pub fn zookeeper_jars(version: &str) -> Result<ClassPath, Missing> {
    java()?;
    from_maven(version)
        .or_else(|maven| from_debian(version).map_err(|debian| format!("{maven}; {debian}")))
        .map_err(|reason| Part::Java.missing(format!("ZooKeeper {version}"), reason))
}

fn from_maven(version: &str) -> Result<ClassPath, String> {
    if !version
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    {
        return Err(format!("`{version}` is not a version"));
    }
    let pom = pom(version);
    let jars = once(&format!("zookeeper-{version}"), &pom, |folder| {
        let project = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = project.path().join("pom.xml");
        fs::write(&file, &pom).map_err(|error| error.to_string())?;
        run(Command::new("mvn")
            .args(["-q", "-B", "-Dstyle.color=never", "-f"])
            .arg(&file)
            .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", folder.display())))?;
        Ok(())
    })?;
    Ok(ClassPath(format!("{}/*", jars.display())))
}

fn pom(version: &str) -> String {
    let mut dependencies = vec![("org.apache.zookeeper", "zookeeper", version)];
    // ZooKeeper's own pom calls these `provided` from 3.5 on, but the server needs the first two at run time, and
    // zkCli the third.
    if !version.starts_with("3.4.") {
        dependencies.push(("io.dropwizard.metrics", "metrics-core", "4.1.12.1"));
        dependencies.push(("org.xerial.snappy", "snappy-java", "1.1.10.5"));
        dependencies.push(("commons-cli", "commons-cli", "1.5.0"));
        let (jetty, jackson) = of_admin_server(version);
        dependencies.push(("org.eclipse.jetty", "jetty-server", jetty));
        dependencies.push(("org.eclipse.jetty", "jetty-servlet", jetty));
        dependencies.push(("com.fasterxml.jackson.core", "jackson-databind", jackson));
    }
    if version.starts_with("3.9.") {
        // Not every release of the provider is in Maven Central. That of 3.9.4 runs on every 3.9.
        let provider = "zookeeper-prometheus-metrics";
        dependencies.push(("org.apache.zookeeper", provider, "3.9.4"));
    }
    let dependencies: String = dependencies
        .iter()
        .map(|(group, artifact, version)| {
            format!(
                "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                 <version>{version}</version></dependency>\n"
            )
        })
        .collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>minikeeper</groupId><artifactId>provision</artifactId><version>1</version>\n  \
         <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}

/// Returns the versions of Jetty and Jackson that a release line is built with. Its pom calls both `provided`, but the
/// AdminServer needs them at run time.
fn of_admin_server(version: &str) -> (&'static str, &'static str) {
    let line: Vec<&str> = version.split('.').take(2).collect();
    match line.as_slice() {
        ["3", "5"] => ("9.4.46.v20220331", "2.13.3"),
        ["3", "6"] => ("9.4.49.v20220914", "2.13.4.2"),
        ["3", "7"] => ("9.4.52.v20230823", "2.15.2"),
        ["3", "8"] => ("9.4.57.v20241219", "2.15.2"),
        _ => ("9.4.58.v20250814", "2.15.2"),
    }
}

fn from_debian(version: &str) -> Result<ClassPath, String> {
    let installed = debian()?;
    if installed.version == version {
        Ok(installed.class_path)
    } else {
        Err(format!(
            "Debian's package has version {}",
            installed.version
        ))
    }
}

/// Finds the jars of the package libzookeeper-java. Its jar names its dependencies, but no library that writes a log.
fn debian() -> Result<InstalledZooKeeper, String> {
    let folder = Path::new("/usr/share/java");
    let missing = || "Debian's package libzookeeper-java is not installed".to_owned();
    let jar = fs::canonicalize(folder.join("zookeeper.jar")).map_err(|_| missing())?;
    // The version is in the name of the jar, or in that of a link to it.
    let version = fs::read_dir(folder)
        .map_err(|_| missing())?
        .filter_map(Result::ok)
        .filter(|entry| fs::canonicalize(entry.path()).is_ok_and(|to| to == jar))
        .find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix("zookeeper-")?.strip_suffix(".jar")?;
            Some(version.to_owned())
        })
        .ok_or_else(|| format!("no file name of {} contains a version", jar.display()))?;
    let jars = ["zookeeper.jar", "slf4j-log4j12.jar", "log4j-1.2.jar"]
        .map(|name| folder.join(name).display().to_string());
    Ok(InstalledZooKeeper {
        version,
        class_path: ClassPath(jars.join(":")),
    })
}

#[cfg(test)]
mod tests {
    use super::{from_maven, pom};

    #[test]
    fn a_pom_names_the_exact_version() {
        assert!(
            pom("3.9.5").contains("<artifactId>zookeeper</artifactId><version>3.9.5</version>")
        );
    }

    #[test]
    fn a_path_is_not_accepted_as_a_version() {
        assert_eq!(
            from_maven("../up"),
            Err("`../up` is not a version".to_owned())
        );
    }
}
