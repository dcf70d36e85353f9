//! Servers on which cases run: minikeeper in this process, real ZooKeepers that the harness starts, containers, and
//! servers that run already. All servers that the harness starts have the same setup: every four-letter word, no
//! limit on connections, TTL znodes, the same super user. [`BackendKind::NAMES`] lists their names.

mod address;
mod borrowed;
mod child;
#[cfg(feature = "docker")]
mod docker;
mod embedded;
mod ensemble;
mod folder_settings;
mod four_letter;
mod http;
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
pub use http::{HttpAnswer, HttpRequest, HttpServer, http};
pub use kind::{BackendKind, UnknownBackend};
pub use minikeeper_process::MinikeeperProcess;
pub use process::ZooKeeper;
pub use setup::ServerSetup;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use semver::Version;

use crate::patience::TimedOut;
use crate::provision::Missing;

/// Super user of every backend, as `user:base64` of its digest. The password is `test`.
pub const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

/// A running server, which stops when dropped.
pub trait Backend: fmt::Debug + Send {
    /// Returns the name, such as `zookeeper:3.9.5`.
    fn name(&self) -> String;

    /// Returns the version of ZooKeeper whose behaviour the server has, if it is known.
    fn version(&self) -> Option<Version>;

    /// Returns `HOST:PORT`, or several separated by commas. It does not change with a restart.
    fn connect_string(&self) -> String;

    /// Returns whether the server has a capability that not every server has.
    fn supports(&self, capability: Capability<'_>) -> bool;

    /// Returns the address of an HTTP server, if the [setup](ServerSetup) has it.
    fn http_address(&self, _server: HttpServer) -> Option<SocketAddr> {
        None
    }

    /// Advances the server's clock, if it has a manual one.
    fn advance_clock(&self, _by: Duration) -> Clock {
        Clock::RealTime
    }

    /// Makes a server with a manual clock treat a session as silent, although its connection stays open.
    fn mute(&self, _session_id: i64) {}

    /// Returns the id of this run, if the server does not belong to the harness: it marks the znodes of the run,
    /// which are deleted afterwards.
    fn run_id(&self) -> Option<&str> {
        None
    }

    /// Restarts the server with its state.
    ///
    /// # Errors
    ///
    /// If the server does not answer again.
    fn restart(&mut self) -> Result<(), BackendError>;

    /// Stops the server, which closes the connections of its clients.
    fn stop(&mut self);
}

/// Result of advancing a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The clock was advanced, and all timers that were due have fired.
    Advanced,
    /// The clock is not manual; the caller has to wait.
    RealTime,
}

/// A capability that a case may need. On a backend without it, the case is skipped with the capability's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability<'a> {
    /// The server can be restarted with its state.
    Restart,
    /// The server can be started anew with the setup of a case.
    Setup,
    /// The clock can be advanced.
    ManualTime,
    /// The server has the super user of [`SUPER_DIGEST`].
    SuperUser,
    /// The server has TTL znodes.
    TtlZnodes,
    /// The server grants the same session timeout as a server with ticks of 500 ms if this many milliseconds are
    /// requested.
    Timeout(i32),
    /// The server answers this four-letter word.
    FourLetterWord(&'a str),
    /// The server can be started with its AdminServer and its metrics.
    Http,
}

impl fmt::Display for Capability<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart => f.write_str("a restart with its state"),
            Self::Setup => f.write_str("a server of its own"),
            Self::ManualTime => f.write_str("a manual clock"),
            Self::SuperUser => f.write_str("the super user super:test"),
            Self::TtlZnodes => f.write_str("TTL znodes"),
            Self::Timeout(ms) => write!(f, "session timeouts of 500 ms ticks ({ms} ms)"),
            Self::FourLetterWord(word) => write!(f, "the four-letter word {word}"),
            Self::Http => f.write_str("an AdminServer"),
        }
    }
}

/// A source of backends: it starts any number of servers of one kind.
pub trait BackendSource: fmt::Debug + Send + Sync {
    /// Returns the name of the kind, such as `zookeeper:3.9.5`.
    fn name(&self) -> String;

    /// Returns the version of ZooKeeper whose behaviour the servers have, if it is known before one runs.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Starts an empty server.
    ///
    /// # Errors
    ///
    /// If a required part is missing, or if the server does not start.
    fn start(&self, settings: &Settings) -> Result<Box<dyn Backend>, BackendError>;

    /// Whether a start is fast enough for a new server per case.
    fn starts_quickly(&self) -> bool {
        false
    }

    /// Whether a server can be started with the setup of a case. If not, cases that need a setup are skipped.
    fn takes_setups(&self) -> bool {
        true
    }

    /// Returns the maximum number of servers that run at the same time.
    fn max_running(&self) -> usize {
        1
    }
}

/// Settings of a server of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Length of a tick; session timeouts lie between 2 and 20 ticks.
    pub tick_time: Duration,
    /// Whether a JVM uses its optimizing compiler, as measurements need; without it a JVM starts faster.
    pub optimizing_jit: bool,
    /// Whether the clock of minikeeper is manual.
    pub manual_time: bool,
    /// Options that are turned on and off.
    pub setup: ServerSetup,
    /// Settings of the data folder, if the server has one.
    pub folder_settings: FolderSettings,
}

impl Settings {
    /// Returns the interval at which containers and TTL znodes are checked.
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

/// Reason for which a backend does not run.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// A required part is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The server was started, but did not answer in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// minikeeper does not start.
    #[error(transparent)]
    Start(#[from] minikeeper::StartError),
    /// A system call failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The process ended by itself after its start.
    #[error("the server ended by itself; its log ends with:\n{0}")]
    Ended(String),
    /// A server that runs already cannot be used.
    #[error("{address}: {why}")]
    Address {
        /// Address of the server.
        address: String,
        /// Reason.
        why: String,
    },
    /// A container does not run.
    #[error("a container of {image}: {why}")]
    Container {
        /// Image of the container.
        image: String,
        /// Reason.
        why: String,
    },
}
