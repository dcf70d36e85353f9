//! The rows, one function each.

mod build;
mod control;
mod disk;
mod expiry;
mod fan_out;
mod instructions;
mod long_answers;
mod open;
mod size;
mod snapshot;
mod start;
mod throughput;

pub(super) use build::build;
pub(super) use control::{control, stream};
pub(super) use disk::{DISK_SET, DISK_SYNC, DISK_SYNC_1X1, on_disk};
pub(super) use expiry::expiry;
pub(super) use fan_out::fan_out;
pub(super) use instructions::instructions;
pub(super) use long_answers::{long_list, long_word, slow_readers};
pub(super) use open::{open_million, snapshot_pause};
pub(super) use size::{idle, million};
pub(super) use snapshot::snapshot;
pub use start::thousand_servers;
pub(super) use start::{exec, start, thousand};
pub(super) use throughput::{
    CREATE_4X64, GET_1X1, GET_4X64, JOURNAL_GET, JOURNAL_SET, SET_4X64, journal, throughput,
};

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use minikeeper::journal::JournalMode;

use super::report::Row;
use super::{OPEN_FILES, child};
use crate::backend::{Backend, Embedded, FolderSettings, ServerSetup, Settings};

/// Number of rounds of which a value is the median.
const ROUNDS: usize = 5;

/// Settings of a server without configuration, for throughput rather than a fast start.
const SETTINGS: Settings = Settings {
    tick_time: Duration::from_secs(2),
    optimizing_jit: true,
    manual_time: false,
    setup: ServerSetup::Usual,
    folder_settings: FolderSettings::USUAL,
};

/// Hidden subcommand that serves minikeeper in a process of its own, without a journal as the binary does, or with
/// one as in a test.
///
/// # Errors
///
/// If the server does not start.
pub fn serve_ours(journal: bool) -> io::Result<()> {
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let server = ours()?;
    server.server().set_journal(if journal {
        JournalMode::DEFAULT
    } else {
        JournalMode::Off
    });
    child::announce(&server.connect_string())?;
    child::wait_for_the_end_of_input()
}

/// Hidden subcommand that serves minikeeper on a data folder in a process of its own. It ends when its standard input
/// does.
///
/// # Errors
///
/// If the server does not start.
pub fn serve_folder(folder: &Path, settings: &Settings) -> io::Result<()> {
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let server = Embedded::start_on(folder, settings).map_err(io::Error::other)?;
    server.server().set_journal(JournalMode::Off);
    child::announce(&server.connect_string())?;
    child::wait_for_the_end_of_input()
}

/// Starts minikeeper in this process.
fn ours() -> io::Result<Embedded> {
    Embedded::start(&SETTINGS).map_err(io::Error::other)
}

/// Measures the binary. Without it, the row has the reason.
fn of_binary(
    mut row: Row,
    measure: impl FnOnce(&mut Row, &Path) -> io::Result<()>,
) -> io::Result<Row> {
    match binary() {
        Ok(binary) => measure(&mut row, &binary)?,
        Err(error) => row.missing.push(error.to_string()),
    }
    Ok(row)
}

/// Returns the path of the `minikeeper` binary: `MINIKEEPER_BINARY`, or in the folder of this program.
fn binary() -> io::Result<PathBuf> {
    let name = format!("minikeeper{}", std::env::consts::EXE_SUFFIX);
    let binary = match std::env::var_os("MINIKEEPER_BINARY") {
        Some(path) => path.into(),
        None => std::env::current_exe()?.with_file_name(name),
    };
    if binary.exists() {
        Ok(binary)
    } else {
        let why = format!(
            "{} is not built; `cargo build --release` builds it",
            binary.display()
        );
        Err(io::Error::new(io::ErrorKind::NotFound, why))
    }
}
