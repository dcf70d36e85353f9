//! The `search` command.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use super::{Found, Progress, Report, Search};
use crate::backend::{BackendKind, BackendSource};
use crate::random::seed_of_the_clock;
use crate::stage::StageError;

/// Arguments of `search`.
#[derive(Clone, Debug, clap::Args)]
pub struct SearchArgs {
    /// Minimum number of steps to run
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000)
    )]
    ops: u64,
    /// Seed of all random choices; random if not given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The server under test: `embedded`, or `zookeeper:VERSION`
    #[arg(long, value_name = "A", default_value_t = BackendKind::Embedded)]
    left: BackendKind,
    /// The server to compare with
    #[arg(long, value_name = "B", default_value_t = BackendKind::newest_zookeeper())]
    right: BackendKind,
    /// Maximum number of clients in a sequence
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=4))]
    clients: u8,
    /// Maximum number of steps drawn for a sequence
    #[arg(long, value_name = "L", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1000))]
    length: u16,
    /// Percentage of steps in sequences that wait for sessions, containers and TTL znodes to expire
    #[arg(long, value_name = "P", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=100))]
    time_share: u64,
    /// Number of differences after which the search stops
    #[arg(long, value_name = "D", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    most: u16,
    /// Number of pairs of servers that run at the same time, in addition to the pair for sequences that wait
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    lanes: u16,
    /// Folder into which each difference is written as a script
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

impl SearchArgs {
    /// Runs the search, writes its findings to `out`, and returns whether the servers agreed.
    ///
    /// # Errors
    ///
    /// Returns an error if a server does not start or a file cannot be written.
    pub fn run(&self, mut out: impl Write + Send) -> Result<bool, StageError> {
        let seed = self.seed.unwrap_or_else(seed_of_the_clock);
        let (left, right): (&dyn BackendSource, &dyn BackendSource) = (&self.left, &self.right);
        writeln!(
            out,
            "seed {seed}: {} steps on {} and {}",
            self.ops, self.left, self.right
        )?;
        let search = Search {
            left,
            right,
            seed,
            ops: self.ops,
            clients: usize::from(self.clients),
            length: usize::from(self.length),
            time_share: self.time_share,
            most: usize::from(self.most),
            lanes: usize::from(self.lanes),
        };
        let said = Mutex::new((Instant::now(), &mut out));
        let report = search.run(|progress| {
            // A poisoned lock means that another lane lost its output; this lane can still write.
            let mut said = said
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let (last, out) = &mut *said;
            let written = match progress {
                Progress::Played(steps) if last.elapsed().as_secs() >= 10 => {
                    *last = Instant::now();
                    writeln!(out, "{steps} steps")
                }
                Progress::Played(_) => Ok(()),
                Progress::Found(found) => writeln!(out, "DIFFERENT\n{found}"),
                Progress::Unsteady(found) => {
                    writeln!(out, "unsteady: {} differed once", found.name)
                }
            };
            let _ = written.and_then(|()| out.flush());
        })?;
        if let Some(folder) = &self.keep {
            write_differences(folder, &report)?;
        }
        let seconds = report.took.as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
        let rate = report.steps as f64 / seconds;
        writeln!(
            out,
            "seed {seed}: {} steps in {} sequences, {} of them in sequences that wait, in {seconds:.0} s \
             ({rate:.0} a second); {} different, {} unsteady",
            report.steps,
            report.sequences,
            report.waiting_steps,
            report.found.len(),
            report.unsteady.len(),
        )?;
        Ok(report.found.is_empty())
    }
}

/// Writes each difference as a script into a folder.
fn write_differences(folder: &Path, report: &Report) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let write = |kind: &str, found: &Found| {
        let file = folder.join(format!("{kind}{}.txt", found.name));
        fs::write(file, found.to_string())
    };
    report.found.iter().try_for_each(|found| write("", found))?;
    let mut unsteady = report.unsteady.iter();
    unsteady.try_for_each(|found| write("unsteady-", found))
}
