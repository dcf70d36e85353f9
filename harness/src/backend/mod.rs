//! Servers on which a scenario can run: ours in this process, real ZooKeepers that the harness starts, containers, and
//! whatever runs somewhere. What the harness starts is set up alike: every four-letter word, no limit on connections,
//! TTL znodes on, the same super user. [`BackendKind::NAMES`] says how each is called.

mod address;
mod borrowed;
mod child;
#[cfg(feature = "docker")]
mod docker;
mod embedded;
mod ensemble;
mod folder_settings;
mod four_letter;
mod kind;
mod member;
mod minikeeper_process;
mod ports;
mod process;
mod setup;

pub use address::Address;
pub(crate) use borrowed::BorrowedServer;
#[cfg(feature = "docker")]
pub use docker::Container;
pub use embedded::Embedded;
pub use ensemble::Ensemble;
pub use folder_settings::{Compression, FolderSettings};
pub use four_letter::four_letter_word;
pub use kind::{BackendKind, UnknownBackend};
pub use minikeeper_process::MinikeeperProcess;
pub use process::ZooKeeper;
pub use setup::ServerSetup;

use crate::patience::InVain;
use crate::provision::Missing;
use semver::Version;
use std::fmt;
use std::io;
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
    fn supports(&self, capability: Capability<'_>) -> bool;

    /// Turns the server's clock, if it has one that can be turned.
    fn advance_clock(&self, _by: Duration) -> Clock {
        Clock::RealTime
    }

    /// Tells a server whose clock is turned that a session is not to be heard from, though its connection is up.
    fn mute(&self, _session_id: i64) {}

    /// If the server is somebody else's: what tells the znodes of this run from all others. They are taken away again.
    fn run_id(&self) -> Option<&str> {
        None
    }

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
    Advanced,
    /// It cannot be turned: whoever wants time to pass must wait.
    RealTime,
}

/// What a case may need beyond a server. A backend without it is skipped by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability<'a> {
    /// It can be restarted with its state kept.
    Restart,
    /// It can be set up as a case wants it, and started anew for it.
    Setup,
    /// Its clock can be turned.
    ManualTime,
    /// It has the super user of [`SUPER_DIGEST`].
    SuperUser,
    /// It has TTL znodes.
    TtlZnodes,
    /// It answers a wish for a session timeout of so many milliseconds as ticks of 500 ms do.
    Timeout(i32),
    /// It answers this four-letter word.
    FourLetterWord(&'a str),
}

impl fmt::Display for Capability<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart => f.write_str("a restart with its state kept"),
            Self::Setup => f.write_str("a server of its own"),
            Self::ManualTime => f.write_str("a clock that can be turned"),
            Self::SuperUser => f.write_str("the super user super:test"),
            Self::TtlZnodes => f.write_str("TTL znodes"),
            Self::Timeout(ms) => write!(f, "session timeouts as of 500 ms ticks ({ms} ms)"),
            Self::FourLetterWord(word) => write!(f, "the four-letter word {word}"),
        }
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
    fn starts_quickly(&self) -> bool {
        false
    }

    /// Whether one can be set up as a case wants it. Where not, none is started for cases that want that.
    fn takes_setups(&self) -> bool {
        true
    }

    /// How many may run at once.
    fn max_running(&self) -> usize {
        1
    }
}

/// What all backends are told before they start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The length of a tick; session timeouts lie between 2 and 20 of them.
    pub tick_time: Duration,
    /// Whether a Java server is to run fast (for measuring) rather than to start fast.
    pub optimizing_jit: bool,
    /// Whether a clock that can be turned stands still until then.
    pub manual_time: bool,
    /// What is switched on and off.
    pub setup: ServerSetup,
    /// How it keeps its folder, if it has one.
    pub folder_settings: FolderSettings,
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
            optimizing_jit: false,
            manual_time: false,
            setup: ServerSetup::Usual,
            folder_settings: FolderSettings::USUAL,
        }
    }
}

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
    /// A server that was running already cannot be used.
    #[error("{address}: {why}")]
    Address {
        /// Where it listens.
        address: String,
        /// Why not.
        why: String,
    },
    /// A container does not run.
    #[error("a container of {image}: {why}")]
    Container {
        /// Its image.
        image: String,
        /// Why not.
        why: String,
    },
}
