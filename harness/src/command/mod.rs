//! The command line: `run`, `compare`, `search`, `interop`, `crash`, `bench`, `list`, `report`. A binary with cases
//! of its own needs a few lines:
//!
//! ```no_run
//! use minikeeper_harness::command;
//! use minikeeper_harness::suite::{Chapter, Suite};
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     let mine = Chapter::parse("mine", include_str!("../../cases/watch.txt")).expect("a chapter");
//!     command::main(Suite::builtin().with(mine))
//! }
//! ```

mod bench;
mod list;
mod progress;
mod record;
mod report;
mod run;
mod serve;

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backend::{BackendError, BackendKind};
use crate::crash::{CrashArgs, CrashOutcome};
use crate::interop::{InteropArgs, InteropOutcome};
use crate::provision::Requirement;
use crate::search::SearchArgs;
use crate::stage::StageError;
use crate::suite::{NoSuchCase, Suite};

/// Runs coordination scenarios on minikeeper and on real ZooKeeper, and shows the differences
#[derive(Debug, Parser)]
#[command(
    name = "minikeeper-harness",
    version,
    args_conflicts_with_subcommands = true,
    after_help = STATUSES,
    after_long_help = format!("{EXAMPLES}\nServers:\n{}\n{RECORDED}\n{LONG_STATUSES}", BackendKind::NAMES)
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Invocation>,
    #[command(flatten)]
    run: run::Run,
}

const EXAMPLES: &str = "\
Examples:
  minikeeper-harness                                    embedded and the real 3.9.5 and 3.8.5
  minikeeper-harness run --only watch/3..9 --show       a few cases, with all messages
  minikeeper-harness run --html report.html --junit report.xml
  minikeeper-harness compare zookeeper:3.6.4 zookeeper:3.9.5     changes of a migration
  minikeeper-harness search --ops 100000 --seed 7                random sequences of steps
  minikeeper-harness list --only multi
  minikeeper-harness report run.json --html report.html
";

const RECORDED: &str = "\x20 recorded:VERSION    the recording of a real one; nothing is started
";

const LONG_STATUSES: &str = "\
Exit status:
  0  all results are as expected
  1  servers differ, or a case failed
  2  wrong usage, or a requested server is missing";

const STATUSES: &str = "\
Exit status: 0 all results are as expected; 1 servers differ, or a case failed; 2 wrong usage, or a requested server
is missing. `--help` shows examples.";

#[derive(Debug, Subcommand)]
enum Invocation {
    /// Run the cases on several servers and compare the results (the default without a subcommand)
    Run(run::Run),
    /// Run the cases on two servers and compare the results
    Compare(run::Compare),
    /// Run random sequences of steps on two servers and compare after each step
    Search(SearchArgs),
    /// Hand a data folder from real servers to minikeeper and back, and compare the states that each finds
    Interop(InteropArgs),
    /// Kill the server under load repeatedly, and compare its state with the acknowledged and visible writes
    Crash(CrashArgs),
    /// Measure speed and size, compared with a real ZooKeeper and a bare echo server
    Bench(bench::Bench),
    /// List chapters and cases
    List(list::List),
    /// Show the results of a run that was saved with `--json`
    Report(report::Report),
    /// Record the behaviour of a real ZooKeeper
    #[command(flatten)]
    Record(record::Record),
    #[command(flatten)]
    Serve(serve::Serve),
}

/// Result of a command that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// All results are as expected.
    Expected,
    /// Servers differ, or a case failed.
    Unexpected,
    /// Nothing was compared, or a server is missing, although the caller asked for it.
    NothingCompared,
}

/// Reason for which a command did not run.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// The arguments are wrong.
    #[error("{0}")]
    Usage(String),
    /// The command failed.
    #[error("{0}")]
    Failed(String),
    /// The reader of the standard output has closed it.
    #[error("the output was closed")]
    Closed,
}

impl CommandError {
    fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<NoSuchCase> for CommandError {
    fn from(error: NoSuchCase) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::failed(error)
        }
    }
}

/// Checks that these words, of which the first is the name of the program, are a command line. Nothing is run.
///
/// # Errors
///
/// If they are not one.
pub fn check<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<(), clap::Error> {
    Arguments::try_parse_from(words).map(drop)
}

/// Runs the command of this process's arguments with these cases. No other function turns a result into an exit
/// status.
#[must_use]
pub fn main(suite: Suite) -> ExitCode {
    match started(std::env::args_os(), suite) {
        // A reader of a list may stop early; a run returns its result in any case.
        Ok(Status::Expected) | Err(CommandError::Closed) => ExitCode::SUCCESS,
        Ok(Status::Unexpected) => ExitCode::FAILURE,
        Ok(Status::NothingCompared) => ExitCode::from(2),
        Err(error @ CommandError::Usage(_)) => {
            eprintln!("minikeeper-harness: {error}");
            ExitCode::from(2)
        }
        Err(error @ CommandError::Failed(_)) => {
            eprintln!("minikeeper-harness: {error}");
            ExitCode::FAILURE
        }
    }
}

fn started(
    arguments: impl Iterator<Item = OsString>,
    suite: Suite,
) -> Result<Status, CommandError> {
    let arguments = Arguments::parse_from(arguments);
    if let Err(unknown) = Requirement::from_env() {
        return Err(CommandError::Usage(format!(
            "MINIKEEPER_REQUIRE: {unknown}"
        )));
    }
    match arguments.command.unwrap_or(Invocation::Run(arguments.run)) {
        Invocation::Run(run) => run.start(suite),
        Invocation::Compare(compare) => compare.start(suite),
        Invocation::Search(search) => match search.run(io::stdout()) {
            Ok(true) => Ok(Status::Expected),
            Ok(false) => Ok(Status::Unexpected),
            Err(StageError::Backend(BackendError::Missing(missing))) => {
                eprintln!("minikeeper-harness: nothing was compared: {missing}");
                Ok(Status::NothingCompared)
            }
            Err(error) => Err(CommandError::failed(error)),
        },
        Invocation::Interop(interop) => match interop.run(io::stdout())? {
            InteropOutcome::Same => Ok(Status::Expected),
            InteropOutcome::Different => Ok(Status::Unexpected),
            InteropOutcome::Missing(_) => Ok(Status::NothingCompared),
        },
        Invocation::Crash(crashes) => match crashes.run(io::stdout())? {
            CrashOutcome::Passed => Ok(Status::Expected),
            CrashOutcome::Broken => Ok(Status::Unexpected),
        },
        Invocation::Bench(bench) => bench.start(),
        Invocation::List(list) => list.start(suite),
        Invocation::Report(report) => report.start(),
        Invocation::Record(record) => record.start(&suite),
        Invocation::Serve(serve) => serve.start(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Invocation};

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_subcommand_means_run() {
        let arguments = ["minikeeper-harness", "--only", "watch/3..9", "--fail-fast"];
        let arguments = Arguments::try_parse_from(arguments).expect("a command");
        assert!(arguments.command.is_none());
    }

    #[test]
    fn every_command_is_parsed() {
        for line in [
            "run --on embedded,zookeeper:3.8.5 --only watch --only multi/7 --json a --junit b --html c",
            "compare zookeeper:3.6.4 zookeeper:3.9.5 --patience 60 --quiet",
            "list --markdown",
            "report run.json --terminal",
            "search --ops 100 --seed 1 --left embedded --right zookeeper:3.9.5",
            "interop --versions 3.4.14,3.9.5 --ops 100 --seed 1 --compression none,gz",
            "crash --rounds 3 --seed 1 --force-sync no",
            "bench --json target/bench.json",
        ] {
            let words = std::iter::once("minikeeper-harness").chain(line.split(' '));
            let arguments = Arguments::try_parse_from(words).expect(line);
            assert!(
                !matches!(arguments.command, None | Some(Invocation::Serve(_))),
                "{line}"
            );
        }
        for line in [
            "compare embedded",
            "run --on etcd",
            "run --only watch/9..3",
            "list --json --markdown",
            "report",
            "fly",
        ] {
            let words = std::iter::once("minikeeper-harness").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_err(), "{line}");
        }
    }
}
