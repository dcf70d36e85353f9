//! A data folder that is handed from a real server to ours and back: each works on it, is ended or killed, and what the next
//! one finds there is compared with what the one before had, znode by znode.
//!
//! Everything that is drawn comes from one seed.

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

use crate::backend::{BackendError, Compression, FolderSettings};
use crate::client::ConnectRequest;
use crate::dice::Dice;
use crate::patience::InVain;
use crate::stage::StageError;
use folder::Folder;
use semver::Version;
use server::{Ending, OpenSession, ServerKind};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use turn::Turn;

/// How long a session lives that is to be found again.
const LONGEST: Duration = Duration::from_secs(600);

/// Every version of ZooKeeper whose folders are opened and written.
pub const VERSIONS: [&str; 6] = ["3.4.14", "3.5.10", "3.6.4", "3.7.2", "3.8.5", "3.9.5"];

/// What is played, and with whom.
#[derive(Clone, Debug)]
pub struct Interop {
    /// The version of the real server.
    pub version: String,
    /// Where everything that is drawn comes from.
    pub seed: u64,
    /// About how many requests a server is sent before it hands over.
    pub ops: usize,
    /// How often the folder goes from a real server to ours and back.
    pub rounds: usize,
    /// How both compress their snapshots.
    pub compression: Compression,
    /// Whether a real server stands in for ours, to see what the judge itself is worth.
    pub control: bool,
    /// A program that has the harness's commands: ours is run by it.
    pub program: PathBuf,
    /// Server id of both, drawn if `None`. Before 3.5 it is 1.
    pub server_id: Option<u8>,
    /// Whether both have extended types, drawn if `None`; never with server id 255, which a real server refuses then
    /// (`EphemeralType.validateServerId`).
    pub extended_types: Option<bool>,
    /// Number of planted znodes, which make snapshots take their time while other znodes get new ACLs.
    pub filler_znodes: usize,
}

/// Server ids that are drawn.
const SERVER_IDS: [u8; 7] = [0, 1, 1, 127, 128, 254, 255];

/// Server id of a relay, and whether it has extended types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Top byte of session ids.
    pub server_id: u8,
    /// Whether znodes may have a time to live.
    pub extended_types: bool,
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How often one server's state was compared with another's.
    pub comparisons: usize,
    /// How many requests were sent.
    pub requests: usize,
    /// How many znodes the folder had in the end.
    pub znodes: usize,
    /// How many sessions were open in the end.
    pub sessions: usize,
    /// The last zxid.
    pub zxid: i64,
    /// How many logs and snapshots there were in the folder.
    pub files: (usize, usize),
    /// What a real server does not find again in its own folder, and other curiosities.
    pub notes: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Why a relay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum InteropError {
    /// A server cannot be had, or does not come up.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A sequence broke off.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Something did not happen.
    #[error(transparent)]
    InVain(#[from] InVain),
    /// The system or a connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What is found is not what was left.
    #[error("{0}")]
    Differs(String),
}

impl Interop {
    /// Identity of the servers.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut dice = Dice::new(self.seed, 2);
        let drawn = *dice.one(&SERVER_IDS);
        let extended_types = dice.percent(60);
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

    /// Plays it to the end, or to the first difference. `tell` is told what is done.
    ///
    /// # Errors
    /// If a server cannot be had, or one finds what another has not left.
    pub fn run(&self, log: &mut dyn FnMut(&str)) -> Result<Report, InteropError> {
        let start = Instant::now();
        let mut dice = Dice::new(self.seed, 0);
        let folder = Folder::new()?;
        let version = Version::parse(&self.version)
            .map_err(|error| InteropError::Differs(format!("{}: {error}", self.version)))?;
        let identity = self.identity();
        let folder_settings = |dice: &mut Dice| FolderSettings {
            force_sync: false,
            snap_count: Some(*dice.one(&[60, 150, 400, 1000])),
            pre_alloc_kib: Some(*dice.one(&[16, 64, 1024])),
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
            folder_settings: folder_settings(&mut dice),
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
        // Both are ended both ways, whatever the seed says.
        let first = usize::from(dice.percent(50));
        for round in 0..self.rounds.max(1) {
            let ending = |of: usize| {
                if (round + of + first).is_multiple_of(2) {
                    Ending::Killed
                } else {
                    Ending::Asked
                }
            };
            turn.folder_settings = folder_settings(&mut dice);
            turn.run(real, &mut dice, ending(0))?;
            turn.check_restart(real)?;
            if !self.control {
                turn.check_copy()?;
                turn.check_missing_log(real)?;
                turn.check_without_extended_types(real, ours)?;
            }
            turn.folder_settings = folder_settings(&mut dice);
            turn.run(ours, &mut dice, ending(1))?;
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

/// A session for who looks, and leaves no trace by looking.
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
