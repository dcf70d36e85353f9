//! Backends by name.

use std::fmt;
use std::str::FromStr;

use semver::Version;

use super::{
    Address, Backend, BackendError, BackendSource, Embedded, Ensemble, Settings, ZooKeeper,
    address::Host,
};
use crate::provision::{DEBIAN, zookeeper_version};

/// Name of a backend; [`BackendKind::NAMES`] lists the forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// minikeeper in this process.
    Embedded,
    /// minikeeper in this process, with a data folder.
    EmbeddedData,
    /// A real ZooKeeper of this version, in a process of its own.
    ZooKeeper(String),
    /// Three real ZooKeepers of this version.
    Ensemble(String),
    /// A container of this image.
    Docker(String),
    /// A server that runs already, or the members of an ensemble.
    Address(String),
}

/// Newest version of each release line, for names that contain the line only.
const NEWEST: [&str; 6] = ["3.9.5", "3.8.5", "3.7.2", "3.6.4", "3.5.10", "3.4.14"];

impl BackendKind {
    /// Version whose behaviour is correct by definition.
    pub const NEWEST_ZOOKEEPER: &'static str = "3.9.5";

    /// Forms of names, one a line.
    pub const NAMES: &'static str =
        "\x20 embedded            minikeeper in this process, with a manual clock
  embedded:data       the same, with a temporary data folder
  zookeeper:VERSION   a real one as a local process, through Java and Maven: any version such as
                      3.9.5; `3.9` is the newest 3.9, `debian` the one of Debian's package
  ensemble:VERSION    three real ones as local processes
  docker:IMAGE        a container of an image that takes the official one's variables; `docker`
                      is the official image (needs the cargo feature `docker` and an engine)
  HOST:PORT           a server that runs already, also `[::1]:2181`; commas or `+` separate the
                      members of an ensemble; cases delete the znodes that they create";

    /// Returns the real ZooKeeper whose behaviour is correct by definition.
    #[must_use]
    pub fn newest_zookeeper() -> Self {
        Self::ZooKeeper(Self::NEWEST_ZOOKEEPER.to_owned())
    }
}

impl BackendSource for BackendKind {
    fn name(&self) -> String {
        self.to_string()
    }

    fn version(&self) -> Option<Version> {
        match self {
            Self::Embedded | Self::EmbeddedData => Version::parse(Self::NEWEST_ZOOKEEPER).ok(),
            Self::ZooKeeper(said) | Self::Ensemble(said) => {
                Version::parse(&zookeeper_version(said)?).ok()
            }
            // The image or address may be of any version, which is known once the server runs.
            Self::Docker(_) | Self::Address(_) => None,
        }
    }

    fn start(&self, settings: &Settings) -> Result<Box<dyn Backend>, BackendError> {
        match self {
            Self::Embedded => Ok(Box::new(Embedded::start(settings)?)),
            Self::EmbeddedData => Ok(Box::new(Embedded::start_with_folder(settings)?)),
            Self::ZooKeeper(version) => Ok(Box::new(ZooKeeper::start(version, settings)?)),
            Self::Ensemble(version) => Ok(Box::new(Ensemble::start(version, settings)?)),
            #[cfg(feature = "docker")]
            Self::Docker(image) => Ok(Box::new(super::Container::start(image, settings)?)),
            #[cfg(not(feature = "docker"))]
            Self::Docker(image) => Err(crate::provision::Part::Docker
                .missing(
                    format!("a container of {image}"),
                    "the harness was built without its feature `docker`",
                )
                .into()),
            Self::Address(hosts) => Ok(Box::new(Address::start(hosts)?)),
        }
    }

    fn starts_quickly(&self) -> bool {
        matches!(self, Self::Embedded | Self::EmbeddedData)
    }

    fn takes_setups(&self) -> bool {
        !matches!(self, Self::Address(_))
    }

    fn max_running(&self) -> usize {
        match self {
            Self::Embedded | Self::EmbeddedData | Self::Docker(_) => 2,
            Self::ZooKeeper(_) => 4,
            // An ensemble has three processes, and a server that runs already exists once.
            Self::Ensemble(_) | Self::Address(_) => 1,
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.pad("embedded"),
            Self::EmbeddedData => f.pad("embedded:data"),
            Self::ZooKeeper(version) => f.pad(&format!("zookeeper:{version}")),
            Self::Ensemble(version) => f.pad(&format!("ensemble:{version}")),
            Self::Docker(image) => f.pad(&format!("docker:{image}")),
            Self::Address(hosts) => f.pad(hosts),
        }
    }
}

impl FromStr for BackendKind {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        let no = |why: &str| UnknownBackend {
            name: text.to_owned(),
            why: why.to_owned(),
        };
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        match word {
            "embedded" if text == word => Ok(Self::Embedded),
            "embedded" if rest == "data" => Ok(Self::EmbeddedData),
            "docker" if text == word => Ok(Self::Docker(format!(
                "zookeeper:{}",
                Self::NEWEST_ZOOKEEPER
            ))),
            "docker" if rest.is_empty() => Err(no("an image must follow the colon")),
            "docker" => Ok(Self::Docker(rest.to_owned())),
            // In a compose file, `zookeeper:2181` is an address; a version is never a bare number.
            "zookeeper" | "ensemble" if rest.parse::<u16>().is_err() => {
                let version = version(rest).ok_or_else(|| {
                    no("a version such as 3.9.5, or `debian`, must follow the colon")
                })?;
                Ok(if word == "zookeeper" {
                    Self::ZooKeeper(version)
                } else {
                    Self::Ensemble(version)
                })
            }
            _ => match Host::parse_all(text) {
                Ok(hosts) => {
                    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
                    Ok(Self::Address(hosts.join(",")))
                }
                Err(why) => Err(no(&why)),
            },
        }
    }
}

/// Returns an exact version: `said` itself, or the newest of its release line.
fn version(said: &str) -> Option<String> {
    if said == DEBIAN {
        return Some(said.to_owned());
    }
    let of_line = |version: &&str| {
        version
            .rsplit_once('.')
            .is_some_and(|(line, _)| line == said)
    };
    if let Some(newest) = NEWEST.into_iter().find(of_line) {
        return Some(newest.to_owned());
    }
    Version::parse(said).is_ok().then(|| said.to_owned())
}

/// A name of no known form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is not a backend: {why}; use embedded, zookeeper:VERSION, ensemble:VERSION, docker:IMAGE or HOST:PORT"
)]
pub struct UnknownBackend {
    name: String,
    why: String,
}

#[cfg(test)]
mod tests {
    use super::BackendKind;

    #[track_caller]
    fn check(name: &str, canonical: &str) {
        let kind: BackendKind = name.parse().expect("a backend");
        assert_eq!(kind.to_string(), canonical);
    }

    #[track_caller]
    fn is_refused(name: &str, why: &str) {
        let error = name.parse::<BackendKind>().expect_err("no backend");
        let begin = format!("`{name}` is not a backend: {why}; use ");
        assert!(error.to_string().starts_with(&begin), "{error}");
    }

    #[test]
    fn a_name_is_parsed_into_its_backend() {
        for name in [
            "embedded",
            "embedded:data",
            "zookeeper:3.8.5",
            "zookeeper:3.5.4-beta",
            "zookeeper:debian",
            "ensemble:3.9.5",
            "docker:zookeeper:3.9.5",
            "docker:registry:5000/minikeeper",
            "localhost:2181",
            "[::1]:2181",
            "zookeeper:2181",
            "a:1,b:2,[::1]:3",
        ] {
            check(name, name);
        }
    }

    #[test]
    fn an_incomplete_version_means_the_newest() {
        check("zookeeper:3.9", "zookeeper:3.9.5");
        check("ensemble:3.4", "ensemble:3.4.14");
        check("docker", "docker:zookeeper:3.9.5");
        check("a:1+b:2", "a:1,b:2");
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_reason() {
        let version = "a version such as 3.9.5, or `debian`, must follow the colon";
        for name in [
            "zookeeper",
            "zookeeper:",
            "ensemble:latest",
            "zookeeper:3.x",
        ] {
            is_refused(name, version);
        }
        is_refused("docker:", "an image must follow the colon");
        is_refused("", "`` has no port");
        is_refused("etcd", "`etcd` has no port");
        is_refused("etcd:x", "`x` is not a port");
        is_refused("etcd:0", "`0` is not a port");
        is_refused(":2181", "`:2181` has no host");
        is_refused("a:1,", "`` has no port");
        is_refused("::1:2181", "`::1:2181` needs brackets around the address");
        is_refused("a:2181/x", "`2181/x` is not a port");
    }
}
