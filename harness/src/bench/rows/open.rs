//! A folder of a million znodes: the time to open it, and the longest wait of clients while a snapshot of it is
//! written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use minikeeper::Server;
use tempfile::TempDir;

use super::disk::{folder, where_is};
use super::size::in_memory;
use super::{SETTINGS, of_binary};
use crate::backend::{
    Backend, BackendError, BackendKind, FolderSettings, MinikeeperProcess, Settings, ZooKeeper,
};
use crate::bench::child::ChildServer;
use crate::bench::load::{Load, Protocol, Until, drive};
use crate::bench::report::Row;
use crate::bench::rows::throughput::Throughput;
use crate::bench::system::resident_mb;
use crate::client::{BlockingClient, ConnectRequest, Request};

const ZNODES: usize = 1_000_000;
const PARENTS: usize = 4;
const ROUNDS: usize = 3;
/// Duration of the load while one client measures its waits.
const BUSY: Duration = Duration::from_secs(15);
/// Number of transactions between two snapshots.
const SNAP_COUNT: u32 = 300_000;

pub(in crate::bench) fn open_million() -> io::Result<Row> {
    let row = Row::new(
        "open-million",
        "exec to the first answer from a folder of 1,000,000 znodes of 100 B",
    );
    of_binary(row, measure_open)
}

fn measure_open(row: &mut Row, binary: &Path) -> io::Result<()> {
    let full = full_folder()?;
    row.notes.push(format!("on {}", where_is(full.path())));
    let version = BackendKind::NEWEST_ZOOKEEPER;
    let (mut of_ours, mut of_real, mut megabytes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let own = linked(&full)?;
        let start = Instant::now();
        let served = ChildServer::start(
            Command::new(binary)
                .args(["--listen", "127.0.0.1:0", "--data-dir"])
                .arg(own.path().join("data")),
        )?;
        ask(&served.address)?;
        of_ours.push(start.elapsed().as_secs_f64());
        megabytes.extend(resident_mb(served.pid()));
        drop(served);
        let real = linked(&full)?;
        let start = Instant::now();
        match ZooKeeper::start_on(real.path(), version, &SETTINGS) {
            Ok(server) => {
                ask(&server.connect_string())?;
                of_real.push(start.elapsed().as_secs_f64());
            }
            Err(BackendError::Missing(missing)) => {
                row.missing = vec![missing.to_string()];
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    let ours = row.value("minikeeper", "s", of_ours);
    row.at_most(ours, 1.0, "s");
    if !of_real.is_empty() {
        let real = row.value(BackendKind::newest_zookeeper().to_string(), "s", of_real);
        row.value("zookeeper / minikeeper", "", vec![real / ours]);
        row.at_least(real / ours, 5.0, "times as fast as ZooKeeper:");
    }
    let with = row.value("minikeeper, resident memory", "MB", megabytes);
    let without = in_memory(binary)?;
    if let Some(without) = resident_mb(without.pid()) {
        let without = row.value("without a folder", "MB", vec![without]);
        row.at_most(with / without, 1.05, "of the memory without a folder:");
    }
    row.at_most(with, 300.0, "MB");
    Ok(())
}

pub(in crate::bench) fn snapshot_pause() -> io::Result<Row> {
    let mut row = Row::new(
        "snapshot-pause",
        "1,000,000 znodes with a folder under load: longest wait of a client for a reply",
    );
    let full = full_folder()?;
    row.notes.push(format!("on {}", where_is(full.path())));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (snap_count, waits) in [(u32::MAX, &mut without), (SNAP_COUNT, &mut with)] {
            let own = linked(&full)?;
            let before = snapshots(own.path())?;
            waits.push(longest_wait(own.path(), snap_count)?);
            let written = snapshots(own.path())?.saturating_sub(before);
            let note = format!("{written} snapshots with snapCount={snap_count}");
            if !row.notes.contains(&note) {
                row.notes.push(note);
            }
        }
    }
    let without = row.value("without a snapshot", "ms", without);
    let with = row.value("with snapshots", "ms", with);
    row.at_most(with - without, 10.0, "ms more");
    Ok(row)
}

/// Measures the longest wait of one client for a reply, in milliseconds, while four others write.
fn longest_wait(folder: &Path, snap_count: u32) -> io::Result<f64> {
    let settings = Settings {
        folder_settings: FolderSettings {
            snap_count: Some(snap_count),
            ..FolderSettings::USUAL
        },
        ..SETTINGS
    };
    let program = std::env::current_exe()?;
    let ours = MinikeeperProcess::start(&program, &folder.join("data"), &settings)
        .map_err(io::Error::other)?;
    let address = ours.connect_string();
    let throughput = Throughput::set("", "", PARENTS, 16);
    throughput.prepare(&address, 0)?;
    let busy = {
        let address = address.clone();
        thread::spawn(move || {
            let load = Load {
                connections: PARENTS,
                in_flight: 16,
                until: Until::Elapsed(BUSY),
            };
            drive(&address, Protocol::ZooKeeper, load, |connection| {
                throughput.exchange(0, connection)
            })
        })
    };
    let mut client = BlockingClient::connect(&address, &ConnectRequest::new(40_000))?;
    let get = Request::GetData {
        path: "/0/00000000".to_owned(),
        watch: false,
    };
    let mut longest = Duration::ZERO;
    while !busy.is_finished() {
        let start = Instant::now();
        client.call(&get)?;
        longest = longest.max(start.elapsed());
    }
    busy.join().expect("a load thread does not panic")?;
    Ok(longest.as_secs_f64() * 1000.0)
}

/// Reads the last znode.
fn ask(address: &str) -> io::Result<()> {
    let mut client = BlockingClient::connect(address, &ConnectRequest::new(40_000))?;
    let last = (ZNODES - 1) / PARENTS;
    let reply = client.call(&Request::Exists {
        path: format!("/{}/{last:08}", (ZNODES - 1) % PARENTS),
        watch: false,
    })?;
    if reply.header.err == 0 {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "the last znode is missing: {reply:?}"
        )))
    }
}

/// Creates a folder with a million znodes.
fn full_folder() -> io::Result<TempDir> {
    let server = Server::start().map_err(io::Error::other)?;
    for parent in 0..PARENTS {
        let path = format!("/{parent}");
        server.create(&path, b"").map_err(io::Error::other)?;
    }
    for number in 0..ZNODES {
        let path = format!("/{}/{:08}", number % PARENTS, number / PARENTS);
        server
            .create(&path, &[b'x'; 100])
            .map_err(io::Error::other)?;
    }
    let full = folder()?;
    server
        .export(full.path().join("data"))
        .map_err(io::Error::other)?;
    Ok(full)
}

/// Creates a folder of hard links for one server, which may write there: no server changes existing files.
fn linked(full: &TempDir) -> io::Result<TempDir> {
    let linked = folder()?;
    let (from, to) = (versioned(full.path()), versioned(linked.path()));
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::hard_link(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(linked)
}

fn versioned(folder: &Path) -> PathBuf {
    folder.join("data").join("version-2")
}

fn snapshots(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(versioned(folder))? {
        let name = entry?.file_name();
        count += usize::from(name.to_string_lossy().starts_with("snapshot."));
    }
    Ok(count)
}
