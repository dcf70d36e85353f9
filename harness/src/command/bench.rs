//! The `bench` command.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::{CommandError, Status};
use crate::bench::{Measure, Record, Report, Row};

/// Measure speed and size, compared with a real ZooKeeper and a bare echo server
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Run only this row; may be given several times
    #[arg(long, value_name = "ROW")]
    only: Vec<Measure>,
    /// Count only the instructions per request, by valgrind
    #[arg(long, conflicts_with = "only")]
    instructions: bool,
    /// Compare the instructions with the record in this file; a count that has grown by more than 3 % is an error
    #[arg(long, value_name = "FILE", requires = "instructions")]
    check: Option<PathBuf>,
    /// Write the instructions to this file, as the record for later checks
    #[arg(long, value_name = "FILE", requires = "instructions")]
    record: Option<PathBuf>,
    /// File for the results as JSON
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
}

impl Bench {
    pub(super) fn start(&self) -> Result<Status, CommandError> {
        // Instructions are those of the binary alone.
        if cfg!(debug_assertions) && !self.instructions {
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
        report
            .rows
            .first()
            .map_or(Ok(Status::Expected), |row| self.compare(row))
    }

    /// Compares the counts of instructions with the record, and writes a new one, as the flags say.
    fn compare(&self, row: &Row) -> Result<Status, CommandError> {
        let new = self.instructions.then(|| Record::of(row));
        let mut status = Status::Expected;
        if let (Some(new), Some(file)) = (&new, &self.check) {
            let comparison = Record::read(file)
                .map_err(|error| CommandError::failed(format!("{}: {error}", file.display())))?
                .compare(new);
            write!(io::stdout(), "{}", comparison.text)?;
            if new.instructions.is_empty() {
                status = Status::NothingCompared;
            } else if comparison.has_grown {
                status = Status::Unexpected;
                writeln!(
                    io::stdout(),
                    "make a new record with `bench --instructions --record {}`, and give the reason in the commit",
                    file.display()
                )?;
            }
        }
        if let (Some(new), Some(file)) = (&new, &self.record) {
            new.write(file)?;
        }
        Ok(status)
    }
}
