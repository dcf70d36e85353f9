//! Repeated kills of the server under load, each after a number of acknowledged writes. Started again on its folder,
//! the server must have every write that was acknowledged, every write that any client saw, and no part of a write.
//!
//! Each writer has a parent znode of its own, and its requests are answered in order. So the state below the parent
//! is known, except for the number of the last, unanswered requests that took effect.

mod command;
mod model;
mod reader;
mod round;
mod sessions;
mod writer;

pub use command::{CrashArgs, CrashOutcome};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::backend::{
    Backend, BackendError, Compression, FolderSettings, MinikeeperProcess, ServerSetup, Settings,
    ZooKeeper,
};
use crate::client::ClientError;
use crate::patience::TimedOut;
use crate::random::Random;
use crate::saved_copy::save_copy;
use round::Clients;

/// Number of rounds on one folder.
const ROUNDS_PER_FOLDER: usize = 50;
/// Session timeout that is longer than any round.
const SESSION_TIMEOUT: Duration = Duration::from_secs(600);
/// Maximum number of acknowledged writes before the server is killed, as a power of two.
const MAX_TARGET_LOG2: usize = 12;

/// Parameters of a run.
#[derive(Clone, Debug)]
pub struct Crash {
    /// Seed of everything that is random.
    pub seed: u64,
    /// Number of times that the server is killed.
    pub rounds: usize,
    /// Whether a write is durable before it is answered.
    pub force_sync: bool,
    /// Version of a real ZooKeeper that runs in place of minikeeper, to find what the check itself reports.
    pub control: Option<String>,
    /// Program with the harness's commands, which runs the server.
    pub program: PathBuf,
}

/// Result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of rounds.
    pub rounds: usize,
    /// Number of acknowledged writes.
    pub acknowledged: u64,
    /// Number of unacknowledged writes that the restarted servers had.
    pub came_through: u64,
    /// Number of unacknowledged writes that the restarted servers did not have.
    pub lost: u64,
    /// Number of reads and events that were compared with the state of the restarted servers.
    pub seen: u64,
    /// Number of resumed sessions.
    pub resumed: u64,
    /// Duration of the run.
    pub took: Duration,
}

/// Failure of a round.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}, round {round}: {why}")]
pub struct CrashError {
    /// The seed.
    pub seed: u64,
    /// Number of the round, from 0.
    pub round: usize,
    /// Cause of the failure.
    #[source]
    pub why: Failure,
}

/// Cause of a failed round.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server does not start.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A system call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server's reply cannot be decoded.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server does not answer in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A restarted server has a wrong state.
    #[error("{0}")]
    Broken(String),
}

impl Crash {
    /// Runs all rounds, or up to the first that fails. Calls `progress` after each.
    ///
    /// # Errors
    ///
    /// If a round fails.
    pub fn run(&self, mut progress: impl FnMut(&Report)) -> Result<Report, CrashError> {
        let start = Instant::now();
        let mut report = Report::default();
        let mut folder: Option<(tempfile::TempDir, Clients)> = None;
        for round in 0..self.rounds {
            let fail = |why| CrashError {
                seed: self.seed,
                round,
                why,
            };
            if round.is_multiple_of(ROUNDS_PER_FOLDER) {
                let new = new_folder().map_err(|error| fail(error.into()))?;
                folder = Some((new, Clients::new(self.seed, round)));
            }
            let Some((folder, clients)) = &mut folder else {
                continue;
            };
            if let Err(why) = self.round(round, folder.path(), clients, &mut report) {
                let copy = save_copy(folder.path(), "minikeeper-crash-failed-")
                    .map_err(|error| fail(error.into()))?;
                let why = Failure::Broken(format!("{why}\nthe folder is in {}", copy.display()));
                return Err(fail(why));
            }
            report.rounds = round + 1;
            report.took = start.elapsed();
            progress(&report);
        }
        Ok(report)
    }

    fn round(
        &self,
        round: usize,
        folder: &Path,
        clients: &mut Clients,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let purpose = u64::try_from(round).unwrap_or(u64::MAX);
        let mut random = Random::new(self.seed, purpose);
        let compressions = [Compression::None, Compression::Gzip, Compression::Snappy];
        let settings = Settings {
            setup: ServerSetup::Usual,
            folder_settings: FolderSettings {
                force_sync: self.force_sync,
                snap_count: Some(*random.one(&[50, 200, 1000, 5000])),
                pre_alloc_kib: Some(*random.one(&[16, 64, 1024])),
                compression: *random.one(&compressions),
                trust_empty: false,
                longest_session: Some(SESSION_TIMEOUT),
                ..FolderSettings::USUAL
            },
            ..Settings::default()
        };
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        let server: Box<dyn Backend> = match &self.control {
            Some(version) => Box::new(ZooKeeper::start_on(folder, version, &settings)?),
            None => Box::new(MinikeeperProcess::start(&self.program, &data, &settings)?),
        };
        let power = random.number(0..MAX_TARGET_LOG2 + 1);
        let target = random.number(0..1 << power);
        clients.play(server, target, random.next_u64(), report)
    }
}

fn new_folder() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("minikeeper-crash-")
        .tempdir()
}
