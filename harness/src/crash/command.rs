//! The `crash` command.

use std::io::{self, Write};

use super::{Crash, Report};
use crate::program::Program;
use crate::random::seed_of_the_clock;

/// Arguments of `crash`.
#[derive(Clone, Debug, clap::Args)]
pub struct CrashArgs {
    /// Number of times that the server is killed with forceSync=yes, and again with forceSync=no
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seed of everything that is random; a random one by default
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Run with this value of forceSync only
    #[arg(long, value_name = "yes|no")]
    force_sync: Option<Toggle>,
    /// Run a real ZooKeeper of this version in place of minikeeper, to find what the check itself reports
    #[arg(long, value_name = "VERSION")]
    control: Option<String>,
    #[command(flatten)]
    program: Program,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Toggle {
    Yes,
    No,
}

/// Result of `crash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashOutcome {
    /// Every restarted server had all acknowledged writes.
    Passed,
    /// A restarted server lacked a write, or had a part of one.
    Broken,
}

impl CrashArgs {
    /// Runs the rounds and writes the results.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn run(&self, mut out: impl Write) -> io::Result<CrashOutcome> {
        let seed = self.seed.unwrap_or_else(seed_of_the_clock);
        let program = self.program.path()?;
        for force_sync in [true, false] {
            let skipped = match self.force_sync {
                Some(only) => (only == Toggle::Yes) != force_sync,
                None => false,
            };
            if skipped {
                continue;
            }
            let crash = Crash {
                seed,
                rounds: usize::try_from(self.rounds).unwrap_or(usize::MAX),
                force_sync,
                control: self.control.clone(),
                program: program.clone(),
            };
            let how = if force_sync { "yes" } else { "no" };
            writeln!(out, "seed {seed}, forceSync={how}")?;
            let result = crash.run(|report| {
                if report.rounds.is_multiple_of(50) {
                    // A write error that is ignored here is returned with the final report.
                    let _ = write_report(&mut out, report).and_then(|()| out.flush());
                }
            });
            match result {
                Ok(report) => write_report(&mut out, &report)?,
                Err(error) => {
                    writeln!(out, "BROKEN\n{error}")?;
                    return Ok(CrashOutcome::Broken);
                }
            }
        }
        Ok(CrashOutcome::Passed)
    }
}

fn write_report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(
        out,
        "{} crashes: {} acknowledged writes, all found; {} unacknowledged writes found, {} lost; {} reads and events \
         checked; {} sessions resumed; {:.1} s",
        report.rounds,
        report.acknowledged,
        report.came_through,
        report.lost,
        report.seen,
        report.resumed,
        report.took.as_secs_f64()
    )
}
