//! `minikeeper snapshot` and `minikeeper log`: tools that show, summarize, compare, check and export ZooKeeper's files.
//! They never change a file that they read.

mod bytes;
mod diff;
mod export;
pub(crate) mod files;
mod filter;
mod flags;
mod log;
mod progress;
mod sessions;
mod show;
mod source;
mod summary;
mod value;
mod verify;
mod walk;
mod words;

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;

use thiserror::Error;

pub(crate) use flags::{LogCommand, SnapshotCommand};

/// Error of a tool.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The source is not readable: one line with file, offset and reason.
    #[error("{0}")]
    Source(String),
    /// The target is not writable.
    #[error("{0}")]
    Target(String),
    /// The output is not writable.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Runs a tool. The exit code is 1 if it finds differences or damage.
///
/// # Errors
///
/// If the tool fails. The exit code is 1, and 2 for `diff`, for which 1 means differences.
pub(crate) fn run_snapshot(command: &SnapshotCommand) -> Result<ExitCode, (ExitCode, String)> {
    let is_diff = matches!(command, SnapshotCommand::Diff(_));
    let trouble = if is_diff {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    };
    finish(
        trouble,
        match command {
            SnapshotCommand::Show(flags) => with_output(|out| show::run(flags, out)),
            SnapshotCommand::Summary(flags) => with_output(|out| summary::run(flags, out)),
            SnapshotCommand::Diff(flags) => with_output(|out| diff::run(flags, out)),
            SnapshotCommand::Verify(flags) => with_output(|out| verify::run(flags, out)),
            SnapshotCommand::Export(flags) => with_output(|out| export::run(flags, out)),
        },
    )
}

/// Runs a tool for logs.
///
/// # Errors
///
/// If the tool fails, with exit code 1.
pub(crate) fn run_log(command: &LogCommand) -> Result<ExitCode, (ExitCode, String)> {
    let LogCommand::Show(flags) = command;
    finish(ExitCode::FAILURE, with_output(|out| log::run(flags, out)))
}

/// Result of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// No differences and no damage.
    Nothing,
    /// Differences, or damage.
    Something,
}

fn finish(
    trouble: ExitCode,
    outcome: Result<Found, Failure>,
) -> Result<ExitCode, (ExitCode, String)> {
    match outcome {
        Ok(Found::Nothing) => Ok(ExitCode::SUCCESS),
        Ok(Found::Something) => Ok(ExitCode::FAILURE),
        // The reader has closed the pipe: `minikeeper log show ... | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => Err((trouble, failure.to_string())),
    }
}

/// Writes warnings about a folder to stderr, such as a skipped snapshot or the torn end of a log.
fn log_warnings() {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(io::stderr)
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
}

fn with_output(
    tool: impl FnOnce(&mut dyn io::Write) -> Result<Found, Failure>,
) -> Result<Found, Failure> {
    log_warnings();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let found = tool(&mut out);
    // The output before a failure is written.
    let flushed = out.flush();
    let found = found?;
    flushed?;
    Ok(found)
}
