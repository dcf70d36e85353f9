//! The sides of a comparison: a live server, or the recording of one.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use semver::Version;

use super::Recording;
use crate::backend::{BackendKind, BackendSource, UnknownBackend};

/// A side of a comparison.
#[derive(Clone, Debug)]
pub enum Contestant {
    /// A server that runs every case.
    Live(Arc<dyn BackendSource>),
    /// A recording. `recorded:3.9.5` is the built-in recording of the real 3.9.5; `recorded:FOLDER/3.6.4` is a
    /// recording in a folder.
    Recorded(Recording),
}

/// A side after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name, such as `zookeeper:3.9.5`.
    pub name: String,
    /// The ZooKeeper version whose behaviour the server has, if it is known.
    pub version: Option<Version>,
}

impl Contestant {
    /// Creates a side from a source of servers.
    pub fn live(source: impl BackendSource + 'static) -> Self {
        Self::Live(Arc::new(source))
    }

    /// Returns the name, such as `recorded:3.9.5`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Live(source) => source.name(),
            Self::Recorded(recording) => format!("recorded:{}", recording.version()),
        }
    }

    /// Returns the ZooKeeper version whose behaviour the side has, if it is known before the run.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Live(source) => source.version(),
            Self::Recorded(recording) => Some(recording.version().clone()),
        }
    }
}

impl<S: BackendSource + 'static> From<S> for Contestant {
    fn from(source: S) -> Self {
        Self::live(source)
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl FromStr for Contestant {
    type Err = UnknownContestant;

    fn from_str(text: &str) -> Result<Self, UnknownContestant> {
        match text.strip_prefix("recorded:") {
            Some(folder) if folder.contains('/') => {
                let recording = Recording::in_folder(Path::new(folder));
                let unreadable = |error| UnknownContestant::Unreadable(format!("{error}"));
                Ok(Self::Recorded(recording.map_err(unreadable)?))
            }
            Some(version) => Recording::builtin(version)
                .map(Self::Recorded)
                .ok_or_else(|| UnknownContestant::NotRecorded {
                    version: version.to_owned(),
                    there_are: Recording::builtin_versions().join(", "),
                }),
            None => Ok(Self::live(text.parse::<BackendKind>()?)),
        }
    }
}

/// Error for a name that is not the name of a side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownContestant {
    /// The name is neither that of a backend nor that of a recording.
    #[error("{0}, or `recorded:VERSION`")]
    Backend(#[from] UnknownBackend),
    /// The folder is not a recording.
    #[error("{0}")]
    Unreadable(String),
    /// There is no recording of this version.
    #[error("no recording of ZooKeeper `{version}`; recorded versions: {there_are}")]
    NotRecorded {
        /// The requested version.
        version: String,
        /// The recorded versions.
        there_are: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Contestant;

    #[test]
    fn a_contestant_parses_from_its_name() {
        for name in ["embedded", "zookeeper:3.8.5", "recorded:3.9.5"] {
            let contestant: Contestant = name.parse().expect("a contestant");
            assert_eq!(contestant.to_string(), name);
        }
        for name in ["recorded:", "recorded:3.9.4", "etcd"] {
            assert!(name.parse::<Contestant>().is_err(), "{name}");
        }
    }
}
