//! `crash`: crashes on the command line.

use super::{Crash, Report};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// What `crash` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct CrashArgs {
    /// How often the server is killed, with a flush of every write to the disk and as often without.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where everything that is drawn comes from; drawn itself if it is not given.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Only with a flush of every write to the disk, or only without.
    #[arg(long, value_name = "yes|no")]
    force_sync: Option<Toggle>,
    /// Let a real ZooKeeper of this version stand in for ours, to see what the judge itself is worth.
    #[arg(long, value_name = "VERSION")]
    control: Option<String>,
    /// The program that runs the server; by default this one.
    #[arg(long, hide = true)]
    program: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Toggle {
    Yes,
    No,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashOutcome {
    /// Every promise was kept.
    Passed,
    /// One was not.
    Broken,
}

impl CrashArgs {
    /// Plays the rounds and writes what comes of them.
    ///
    /// # Errors
    /// If nothing can be written.
    pub fn run(&self, mut out: impl Write) -> io::Result<CrashOutcome> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let drawn = since_1970.map_or(0, |span| u64::from(span.subsec_nanos()));
        let seed = self.seed.unwrap_or(drawn);
        let program = match &self.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
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
                    // What cannot be told now is told in the end.
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
        "{} crashes: {} writes acknowledged, all there; {} more came through whole, {} did not; {} reads and events held \
         against it; {} sessions went on; {:.1} s",
        report.rounds,
        report.acknowledged,
        report.came_through,
        report.lost,
        report.seen,
        report.resumed,
        report.took.as_secs_f64()
    )
}
