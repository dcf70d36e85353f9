//! `record-golden` and `record-transcripts`: what a real ZooKeeper does, kept in this repository.

use super::{CommandError, Status};
use crate::golden;
use crate::judge::{self, Contestant};
use crate::suite::Suite;
use clap::Subcommand;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Record {
    /// Record a real ZooKeeper's answers to every operation, byte for byte, into a folder.
    RecordGolden {
        /// Where the files go; in this repository, `server/tests/golden`.
        folder: PathBuf,
    },
    /// Record what a real ZooKeeper does in every case, as text, into a folder. Cases that are recorded there as they
    /// are now are left alone.
    RecordTranscripts {
        /// The server that is recorded.
        #[arg(long, value_name = "SERVER", default_value = "zookeeper:3.9.5")]
        on: Contestant,
        /// Record every case anew.
        #[arg(long)]
        anew: bool,
        /// Where the files go, in a folder for the version; in this repository, `harness/recorded`.
        folder: PathBuf,
    },
}

impl Record {
    pub(super) fn start(&self, suite: &Suite) -> Result<Status, CommandError> {
        match self {
            Self::RecordGolden { folder } => {
                let files = golden::record(folder).map_err(CommandError::failed)?;
                writeln!(io::stdout(), "{files} files in {}", folder.display())?;
            }
            Self::RecordTranscripts { on, anew, folder } => {
                let played =
                    judge::record(suite, on, folder, *anew).map_err(CommandError::failed)?;
                let folder = folder.display();
                writeln!(io::stdout(), "{played} cases played, recorded in {folder}")?;
            }
        }
        Ok(Status::Expected)
    }
}
