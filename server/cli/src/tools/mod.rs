//! `minikeeper snapshot` and `minikeeper log`: what stands in ZooKeeper's own files, shown, summed up, compared, checked
//! and written elsewhere. Nothing is ever changed where it is read.

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

/// Why a tool could not do what it was asked to.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// What was to be read cannot be; one line with file, offset and reason.
    #[error("{0}")]
    Source(String),
    /// Nothing can be written there.
    #[error("{0}")]
    Target(String),
    /// The output takes no more.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Runs a tool; what it gives is 1 where it found differences or damage.
///
/// # Errors
///
/// When it could not do its work. The exit code is 1, and 2 for `diff`, whose 1 means something else.
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

/// Likewise.
///
/// # Errors
///
/// When it could not do its work.
pub(crate) fn run_log(command: &LogCommand) -> Result<ExitCode, (ExitCode, String)> {
    let LogCommand::Show(flags) = command;
    finish(ExitCode::FAILURE, with_output(|out| log::run(flags, out)))
}

/// What a tool found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// What was to be shown was shown, and all is well.
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
        // Who reads has seen enough: `minikeeper log show ... | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => Err((trouble, failure.to_string())),
    }
}

/// What is remarkable about a folder without being damage (a snapshot was passed over, the end of a log is torn) is told on the
/// standard error output.
fn tell_warnings() {
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
    tell_warnings();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let found = tool(&mut out);
    // What was said before a failure is said.
    let flushed = out.flush();
    let found = found?;
    flushed?;
    Ok(found)
}
