//! The server is killed under load, again and again, at points that count acknowledged writes. Started again on its folder,
//! it must have every write that was acknowledged and every one that any client saw, and nothing half.
//!
//! Each writer has a parent znode of its own, and its requests are answered in order: so what may be found there is known
//! but for how many of the last ones, which nobody has answered, came through.

mod command;
mod model;
mod reader;
mod round;
mod sessions;
mod writer;

pub use command::{CrashArgs, CrashOutcome};

use crate::backend::{
    Backend, BackendError, Compression, FolderSettings, MinikeeperProcess, ServerSetup, Settings,
    ZooKeeper,
};
use crate::client::ClientError;
use crate::dice::Dice;
use crate::patience::InVain;
use crate::saved_copy::save_copy;
use round::Clients;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many rounds one folder lasts.
const ROUNDS_PER_FOLDER: usize = 50;
/// Longer than any round.
const SESSION_TIMEOUT: Duration = Duration::from_secs(600);
/// Acknowledged writes after which the server is killed at the latest, as a power of two.
const MAX_TARGET_LOG2: usize = 12;

/// What is played.
#[derive(Clone, Debug)]
pub struct Crash {
    /// Where everything that is drawn comes from.
    pub seed: u64,
    /// How often the server is killed.
    pub rounds: usize,
    /// Whether a write is on the disk before it is answered.
    pub force_sync: bool,
    /// A real ZooKeeper of this version that stands in for ours, to see what the judge itself is worth.
    pub control: Option<String>,
    /// A program that has the harness's commands: the server is run by it.
    pub program: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many rounds were played.
    pub rounds: usize,
    /// How many writes were acknowledged.
    pub acknowledged: u64,
    /// How many were under way when the server was killed, and came through.
    pub came_through: u64,
    /// How many were, and did not.
    pub lost: u64,
    /// How many events and reads were held against what was found.
    pub seen: u64,
    /// How many sessions went on.
    pub resumed: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why a round did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}, round {round}: {why}")]
pub struct CrashError {
    /// The seed.
    pub seed: u64,
    /// The round, from 0.
    pub round: usize,
    /// What was wrong.
    #[source]
    pub why: Failure,
}

/// What was wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server does not come up.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server says nonsense.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server does not answer.
    #[error(transparent)]
    InVain(#[from] InVain),
    /// A promise was broken.
    #[error("{0}")]
    Broken(String),
}

impl Crash {
    /// Plays all rounds, or up to the first that fails. `tell` is told after each.
    ///
    /// # Errors
    /// If a promise was broken.
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
                let copy = save_copy(folder.path(), "minikeeper-crash-kept-")
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
        let mut dice = Dice::new(self.seed, purpose);
        let compressions = [Compression::None, Compression::Gzip, Compression::Snappy];
        let settings = Settings {
            setup: ServerSetup::Usual,
            folder_settings: FolderSettings {
                force_sync: self.force_sync,
                snap_count: Some(*dice.one(&[50, 200, 1000, 5000])),
                pre_alloc_kib: Some(*dice.one(&[16, 64, 1024])),
                compression: *dice.one(&compressions),
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
        let power = dice.number(0..MAX_TARGET_LOG2 + 1);
        let target = dice.number(0..1 << power);
        clients.play(server, target, dice.throw(), report)
    }
}

fn new_folder() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("minikeeper-crash-")
        .tempdir()
}
