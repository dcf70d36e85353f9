//! The `record-golden` and `record-transcripts` commands: recordings of a real ZooKeeper for this repository.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Subcommand;

use super::{CommandError, Status};
use crate::golden;
use crate::judge::{self, Contestant};
use crate::suite::Suite;

#[derive(Debug, Subcommand)]
pub(super) enum Record {
    /// Record a real ZooKeeper's answers to every operation, byte for byte, into a folder
    RecordGolden {
        /// Folder of the files; in this repository, `server/tests/golden`
        folder: PathBuf,
    },
    /// Record the behaviour of a real ZooKeeper in every case, as text, into a folder. Cases that did not change
    /// since their recording are skipped
    RecordTranscripts {
        /// Server to record
        #[arg(long, value_name = "SERVER", default_value = "zookeeper:3.9.5")]
        on: Contestant,
        /// Record every case again
        #[arg(long)]
        anew: bool,
        /// Folder of the files, which get a subfolder for the version; in this repository, `harness/recorded`
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
