//! Exchange of a data folder between real servers and minikeeper. Each server works on the folder and is terminated
//! or killed; the state that the next server finds is compared with the state before, znode by znode.
//!
//! One seed determines everything that is random.

mod acl_writes;
mod command;
mod folder;
mod missing_log;
mod opened_folder;
mod sequences;
mod server;
mod server_state;
mod turn;
mod workload;

pub use command::{InteropArgs, InteropOutcome};
pub(crate) use server_state::ServerState;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use semver::Version;

use crate::backend::{BackendError, Compression, FolderSettings};
use crate::client::ConnectRequest;
use crate::patience::TimedOut;
use crate::random::Random;
use crate::stage::StageError;
use folder::Folder;
use server::{Ending, OpenSession, ServerKind};
use turn::Turn;

/// Timeout of sessions that the next server must find.
const LONGEST: Duration = Duration::from_secs(600);

/// Versions of ZooKeeper whose folders minikeeper reads and writes.
pub const VERSIONS: [&str; 6] = ["3.4.14", "3.5.10", "3.6.4", "3.7.2", "3.8.5", "3.9.5"];

/// Parameters of a run.
#[derive(Clone, Debug)]
pub struct Interop {
    /// Version of the real server.
    pub version: String,
    /// Seed of everything that is random.
    pub seed: u64,
    /// Approximate number of requests that each server gets before it hands over.
    pub ops: usize,
    /// Number of times that the folder goes from a real server to minikeeper and back.
    pub rounds: usize,
    /// Compression of both servers' snapshots.
    pub compression: Compression,
    /// Whether a second real server runs in place of minikeeper, to find what the comparison itself reports.
    pub control: bool,
    /// Program with the harness's commands, which runs minikeeper.
    pub program: PathBuf,
    /// Server id of both servers; random if `None`. Before 3.5 it is 1.
    pub server_id: Option<u8>,
    /// Whether both servers have extended types; random if `None`. Never with server id 255, which a real server then
    /// refuses (`EphemeralType.validateServerId`).
    pub extended_types: Option<bool>,
    /// Number of filler znodes, which make snapshots take longer while other znodes get new ACLs.
    pub filler_znodes: usize,
}

/// Server ids to choose from.
const SERVER_IDS: [u8; 7] = [0, 1, 1, 127, 128, 254, 255];

/// Server id of a run, and whether the servers have extended types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Top byte of session ids.
    pub server_id: u8,
    /// Whether znodes may have a time to live.
    pub extended_types: bool,
}

/// Result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of comparisons between the states of two servers.
    pub comparisons: usize,
    /// Number of requests.
    pub requests: usize,
    /// Number of znodes at the end.
    pub znodes: usize,
    /// Number of open sessions at the end.
    pub sessions: usize,
    /// The last zxid.
    pub zxid: i64,
    /// Numbers of logs and of snapshots in the folder.
    pub files: (usize, usize),
    /// State that a real server does not find again in its own folder, and other observations that are no failure.
    pub notes: Vec<String>,
    /// Duration of the run.
    pub took: Duration,
}

/// Reason for which a run failed.
#[derive(Debug, thiserror::Error)]
pub enum InteropError {
    /// A server cannot be installed, or does not start.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A sequence was interrupted.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// An awaited change did not happen in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A system call or a connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A server found a state that differs from the one before.
    #[error("{0}")]
    Differs(String),
}

impl Interop {
    /// Returns the identity of the servers.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut random = Random::new(self.seed, 2);
        let drawn = *random.one(&SERVER_IDS);
        let extended_types = random.percent(60);
        if self.version.starts_with("3.4.") {
            return Identity {
                server_id: 1,
                extended_types: true,
            };
        }
        let server_id = self.server_id.unwrap_or(drawn);
        Identity {
            server_id,
            extended_types: self.extended_types.unwrap_or(extended_types) && server_id != u8::MAX,
        }
    }

    // Longer than 60 lines: the turns of a run in their order, with the values that they share.
    /// Runs to the end, or to the first difference. Calls `log` with a description of each action.
    ///
    /// # Errors
    ///
    /// If a server cannot be had, or if it finds a state that differs from the one before.
    pub fn run(&self, log: &mut dyn FnMut(&str)) -> Result<Report, InteropError> {
        let start = Instant::now();
        let mut random = Random::new(self.seed, 0);
        let folder = Folder::new()?;
        let version = Version::parse(&self.version)
            .map_err(|error| InteropError::Differs(format!("{}: {error}", self.version)))?;
        let identity = self.identity();
        let folder_settings = |random: &mut Random| FolderSettings {
            force_sync: false,
            snap_count: Some(*random.one(&[60, 150, 400, 1000])),
            pre_alloc_kib: Some(*random.one(&[16, 64, 1024])),
            compression: self.compression,
            trust_empty: version < Version::new(3, 5, 0),
            longest_session: Some(LONGEST),
            server_id: identity.server_id,
            extended_types: identity.extended_types,
        };
        let mut turn = Turn {
            version: &version,
            folder: &folder,
            seed: self.seed,
            ops: self.ops,
            filler_znodes: self.filler_znodes,
            folder_settings: folder_settings(&mut random),
            life: 0,
            sequence: 0,
            open_sessions: Vec::new(),
            expiring: Vec::new(),
            observer: None,
            last_state: None,
            report: Report::default(),
            log,
        };
        let real = ServerKind::Real(&self.version);
        let ours = if self.control {
            real
        } else {
            ServerKind::Ours(&self.program)
        };
        // Each server is ended in both ways, whatever the seed.
        let first = usize::from(random.percent(50));
        for round in 0..self.rounds.max(1) {
            let ending = |of: usize| {
                if (round + of + first).is_multiple_of(2) {
                    Ending::Killed
                } else {
                    Ending::Asked
                }
            };
            turn.folder_settings = folder_settings(&mut random);
            turn.run(real, &mut random, ending(0))?;
            turn.check_restart(real)?;
            if !self.control {
                turn.check_copy()?;
                turn.check_missing_log(real)?;
                turn.check_without_extended_types(real, ours)?;
            }
            turn.folder_settings = folder_settings(&mut random);
            turn.run(ours, &mut random, ending(1))?;
            if !self.control {
                turn.check_export(real)?;
            }
        }
        turn.finish(real)?;
        let mut report = turn.report;
        report.files = folder.files()?;
        report.took = start.elapsed();
        Ok(report)
    }
}

/// Opens the session that reads the states, which leaves no trace by reading.
fn observer(address: &str) -> Result<OpenSession, InteropError> {
    let timeout_ms = i32::try_from(LONGEST.as_millis()).unwrap_or(i32::MAX);
    let request = ConnectRequest::new(timeout_ms);
    let client = crate::client::BlockingClient::connect_within(
        crate::patience::PATIENCE,
        address,
        &request,
    )?;
    Ok(OpenSession::of(client.session().clone()))
}
