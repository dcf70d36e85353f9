//! The `bench` command.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::{CommandError, Status};
use crate::bench::{Measure, Report};

/// Measure speed and size, compared with a real ZooKeeper and a bare echo server
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Run only this row; may be given several times
    #[arg(long, value_name = "ROW")]
    only: Vec<Measure>,
    /// Count only the instructions per request, by valgrind
    #[arg(long, conflicts_with = "only")]
    instructions: bool,
    /// File for the results as JSON
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
}

impl Bench {
    pub(super) fn start(&self) -> Result<Status, CommandError> {
        if cfg!(debug_assertions) {
            eprintln!("minikeeper-harness: this is a debug build; measure with a release build");
        }
        let measures: &[Measure] = if self.instructions {
            &[Measure::Instructions]
        } else if self.only.is_empty() {
            Measure::USUAL
        } else {
            &self.only
        };
        let mut report = Report::default();
        for measure in measures {
            let row = measure.run()?;
            writeln!(io::stdout(), "{row}")?;
            report.rows.push(row);
        }
        if let Some(folder) = self.json.parent() {
            fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_vec_pretty(&report).map_err(CommandError::failed)?;
        fs::write(&self.json, json)?;
        Ok(Status::Expected)
    }
}
