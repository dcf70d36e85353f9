//! Who takes part in a comparison: a server that is started, or what one did when it was recorded.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use semver::Version;

use super::Recording;
use crate::backend::{BackendKind, BackendSource, UnknownBackend};

/// One side of a comparison.
#[derive(Clone, Debug)]
pub enum Contestant {
    /// Plays every case.
    Live(Arc<dyn BackendSource>),
    /// Plays nothing: `recorded:3.9.5` is what the real 3.9.5 did when it was recorded, `recorded:FOLDER/3.6.4` what was
    /// recorded into a folder.
    Recorded(Recording),
}

/// Who took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Such as `zookeeper:3.9.5`.
    pub name: String,
    /// The ZooKeeper whose behaviour it has, if it said so.
    pub version: Option<Version>,
}

impl Contestant {
    /// A server of whatever kind.
    pub fn live(source: impl BackendSource + 'static) -> Self {
        Self::Live(Arc::new(source))
    }

    /// Which it is, such as `recorded:3.9.5`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Live(source) => source.name(),
            Self::Recorded(recording) => format!("recorded:{}", recording.version()),
        }
    }

    /// The ZooKeeper whose behaviour it has, if that is known before it runs.
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

/// A name that is nobody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownContestant {
    /// It is neither a backend's nor that of a recording.
    #[error("{0}, and `recorded:VERSION`")]
    Backend(#[from] UnknownBackend),
    /// This folder is no recording.
    #[error("{0}")]
    Unreadable(String),
    /// This version was not recorded.
    #[error("ZooKeeper `{version}` is not recorded; recorded are {there_are}")]
    NotRecorded {
        /// The version asked for.
        version: String,
        /// The versions that are recorded.
        there_are: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Contestant;

    #[test]
    fn a_contestant_reads_back_from_its_name() {
        for name in ["embedded", "zookeeper:3.8.5", "recorded:3.9.5"] {
            let contestant: Contestant = name.parse().expect("a contestant");
            assert_eq!(contestant.to_string(), name);
        }
        for name in ["recorded:", "recorded:3.9.4", "etcd"] {
            assert!(name.parse::<Contestant>().is_err(), "{name}");
        }
    }
}
