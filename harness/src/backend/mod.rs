//! Servers on which a scenario can run: ours in this process, or a real ZooKeeper that the harness starts.
//! All are set up alike: every four-letter word, no limit on connections, TTL znodes on, the same super user.

mod embedded;
mod four_letter;
mod process;
mod setup;

pub use embedded::Embedded;
pub use four_letter::four_letter_word;
pub use process::ZooKeeper;
pub use setup::ServerSetup;

use crate::patience::InVain;
use crate::provision::Missing;
use semver::Version;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// The super user of every backend, as `user:base64` of its digest. The password is `test`.
pub const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

/// A server that runs, and stops when dropped.
pub trait Backend: fmt::Debug + Send {
    /// Which it is, such as `zookeeper:3.9.5`.
    fn name(&self) -> String;

    /// The ZooKeeper whose behaviour it has, if it can be known.
    fn version(&self) -> Option<Version>;

    /// `HOST:PORT`, more of them between commas, the same after a restart.
    fn connect_string(&self) -> String;

    /// Whether this backend can do something beyond serving.
    fn can(&self, capability: Capability) -> bool;

    /// Turns the server's clock, if it has one that can be turned.
    fn turn_clock(&self, _by: Duration) -> Clock {
        Clock::RunsByItself
    }

    /// Tells a server whose clock is turned that a session is not to be heard from, though its connection is up.
    fn mute(&self, _session_id: i64) {}

    /// Stops the server and starts it again, its state kept.
    ///
    /// # Errors
    /// If it does not serve again.
    fn restart(&mut self) -> Result<(), BackendError>;

    /// Stops the server; its clients see their connections end.
    fn stop(&mut self);
}

/// What came of turning a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It was turned, and what was due is done.
    Turned,
    /// It cannot be turned: whoever wants time to pass must wait.
    RunsByItself,
}

/// What a case may need beyond a server. A backend without it is skipped by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// It can be restarted with its state kept.
    Restart,
    /// It can be set up as a case wants it, and started anew for it.
    Setup,
    /// Its clock can be turned.
    ManualTime,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restart => "a restart",
            Self::Setup => "a server of its own",
            Self::ManualTime => "a clock that can be turned",
        })
    }
}

/// Where backends come from: a kind of server that can be started as often as need be.
pub trait BackendSource: fmt::Debug + Send + Sync {
    /// Which it is, such as `zookeeper:3.9.5`.
    fn name(&self) -> String;

    /// The ZooKeeper whose behaviour its servers have, if that is known before one runs.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Starts one with nothing in it.
    ///
    /// # Errors
    /// If a part it needs is missing, or it does not come up.
    fn start(&self, settings: &Settings) -> Result<Box<dyn Backend>, BackendError>;

    /// Whether starting one costs so little that every case has its own.
    fn is_quick(&self) -> bool {
        false
    }

    /// How many may run at once.
    fn at_once(&self) -> usize {
        1
    }
}

/// What all backends are told before they start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The length of a tick; session timeouts lie between 2 and 20 of them.
    pub tick_time: Duration,
    /// Whether a Java server is to run fast (for measuring) rather than to start fast.
    pub fast_rather_than_soon: bool,
    /// Whether a clock that can be turned stands still until then.
    pub manual_time: bool,
    /// What is switched on and off.
    pub setup: ServerSetup,
}

impl Settings {
    /// How often containers and TTL znodes are looked at.
    #[must_use]
    pub fn reaping_interval(&self) -> Duration {
        if self.setup == ServerSetup::Reaping {
            Duration::from_millis(500)
        } else {
            Duration::from_secs(24 * 60 * 60)
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tick_time: Duration::from_millis(500),
            fast_rather_than_soon: false,
            manual_time: false,
            setup: ServerSetup::Usual,
        }
    }
}

/// A backend by name: `embedded`, or `zookeeper:VERSION`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// minikeeper, in this process.
    Embedded,
    /// A real ZooKeeper of this version, in a process of its own.
    ZooKeeper(String),
}

impl BackendKind {
    /// The version that decides what is right.
    pub const NEWEST_ZOOKEEPER: &'static str = "3.9.5";

    /// The real ZooKeeper that decides what is right.
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
        Version::parse(match self {
            Self::Embedded => Self::NEWEST_ZOOKEEPER,
            Self::ZooKeeper(version) => version,
        })
        .ok()
    }

    fn start(&self, settings: &Settings) -> Result<Box<dyn Backend>, BackendError> {
        match self {
            Self::Embedded => Ok(Box::new(Embedded::start(settings)?)),
            Self::ZooKeeper(version) => Ok(Box::new(ZooKeeper::start(version, settings)?)),
        }
    }

    fn is_quick(&self) -> bool {
        *self == Self::Embedded
    }

    fn at_once(&self) -> usize {
        match self {
            Self::Embedded => 2,
            Self::ZooKeeper(_) => 4,
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.pad("embedded"),
            Self::ZooKeeper(version) => f.pad(&format!("zookeeper:{version}")),
        }
    }
}

impl FromStr for BackendKind {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        match text.split_once(':') {
            None if text == "embedded" => Ok(Self::Embedded),
            Some(("zookeeper", version)) if !version.is_empty() => {
                Ok(Self::ZooKeeper(version.to_owned()))
            }
            _ => Err(UnknownBackend(text.to_owned())),
        }
    }
}

/// A name that is no backend's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no backend; there are `embedded` and `zookeeper:VERSION`")]
pub struct UnknownBackend(String);

/// Why a backend does not run.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// A part from outside is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It was started and did not come up in time.
    #[error(transparent)]
    InVain(#[from] InVain),
    /// Ours does not start.
    #[error(transparent)]
    Start(#[from] minikeeper::StartError),
    /// The system refused something.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It was started and ended by itself.
    #[error("the server ended by itself; its log ends with:\n{0}")]
    Ended(String),
}

#[cfg(test)]
mod tests {
    use super::BackendKind;

    #[test]
    fn a_backend_reads_back_from_its_name() {
        for name in ["embedded", "zookeeper:3.8.5"] {
            let kind: BackendKind = name.parse().expect("a backend");
            assert_eq!(kind.to_string(), name);
        }
        for name in ["", "zookeeper", "zookeeper:", "embedded:1", "etcd:3"] {
            assert!(name.parse::<BackendKind>().is_err(), "{name}");
        }
    }
}
