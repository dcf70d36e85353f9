//! The cost of a data folder, compared with a server without one, with a real server, and with the disk itself.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::throughput::{Throughput, WARM_UP};
use super::{ROUNDS, SETTINGS};
use crate::backend::{
    Backend, BackendError, BackendKind, FolderSettings, MinikeeperProcess, Settings, ZooKeeper,
};
use crate::bench::child::ChildServer;
use crate::bench::load::Protocol;
use crate::bench::report::Row;
use crate::bench::system;

const ROUND: Duration = Duration::from_secs(2);
const PAGE: [u8; 4096] = [b'x'; 4096];
/// Length of the preallocated file in the measurement of the disk's own rate.
const FILLED: usize = 64 << 20;

/// Load of a row, and its targets.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct OnDisk {
    load: Throughput,
    force_sync: bool,
    /// Target relative to the same load without a folder.
    of_memory: Option<f64>,
    /// Target relative to the real server, both as shipped and as started for a test.
    times_real: Option<f64>,
    /// Target relative to pages that are appended and flushed one by one.
    of_disk: Option<f64>,
}

pub(in crate::bench) const DISK_SET: OnDisk = OnDisk {
    load: Throughput::set(
        "disk-set",
        "setData 100 B, 4 x 64, with a folder, flushed by the operating system",
        4,
        64,
    ),
    force_sync: false,
    of_memory: Some(0.6),
    times_real: Some(20.0),
    of_disk: None,
};

pub(in crate::bench) const DISK_SYNC: OnDisk = OnDisk {
    load: Throughput::set(
        "disk-sync",
        "setData 100 B, 4 x 64, with a folder, durable before it is answered",
        4,
        64,
    ),
    force_sync: true,
    of_memory: None,
    times_real: Some(15.0),
    of_disk: None,
};

pub(in crate::bench) const DISK_SYNC_1X1: OnDisk = OnDisk {
    load: Throughput::set(
        "disk-sync-1x1",
        "setData 100 B, 1 x 1, with a folder, durable before it is answered",
        1,
        1,
    ),
    force_sync: true,
    of_memory: None,
    times_real: None,
    of_disk: Some(0.8),
};

// Longer than 60 lines: the rounds alternate between all servers, whose results form one row.
pub(in crate::bench) fn on_disk(row: &OnDisk) -> io::Result<Row> {
    let load = &row.load;
    let mut found = Row::new(load.name, load.what);
    let settings = Settings {
        folder_settings: FolderSettings {
            force_sync: row.force_sync,
            ..FolderSettings::USUAL
        },
        ..SETTINGS
    };
    let (own_folder, bare_folder) = (folder()?, folder()?);
    found
        .notes
        .push(format!("on {}", where_is(own_folder.path())));
    let zookeeper = Protocol::ZooKeeper;
    let mut reals = Vec::new();
    let ways: &[JvmMode] = match row.times_real {
        Some(_) => &[JvmMode::Shipped, JvmMode::Test],
        None => &[JvmMode::Shipped],
    };
    for way in ways {
        match Real::start(*way, &settings) {
            Ok(real) => {
                load.prepare(&real.address(), 0)?;
                load.drive(&real.address(), zookeeper, 0, WARM_UP)?;
                reals.push(real);
            }
            Err(BackendError::Missing(missing)) => {
                found.missing.push(missing.to_string());
                break;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    let program = std::env::current_exe()?;
    let ours = MinikeeperProcess::start(&program, own_folder.path(), &settings)
        .map_err(io::Error::other)?;
    let memory = row
        .of_memory
        .map(|_| ChildServer::this_program(&["serve-ours"]))
        .transpose()?;
    let (mut of_ours, mut of_memory, mut of_disk) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        load.prepare(&ours.connect_string(), round)?;
        of_ours.push(load.drive(&ours.connect_string(), zookeeper, round, ROUND)?);
        if let Some(memory) = &memory {
            load.prepare(&memory.address, round)?;
            of_memory.push(load.drive(&memory.address, zookeeper, round, ROUND)?);
        }
        if row.of_disk.is_some() {
            of_disk.push(appends(bare_folder.path(), ROUND)?);
        }
        for real in &mut reals {
            load.prepare(&real.address(), round)?;
            let rate = load.drive(&real.address(), zookeeper, round, ROUND)?;
            real.rates.push(rate);
        }
    }
    drop(ours);
    let ours = found.value("minikeeper", "/s", of_ours);
    if let Some(wanted) = row.of_memory {
        let memory = found.value("minikeeper without a folder", "/s", of_memory);
        found.value("with / without", "", vec![ours / memory]);
        found.at_least(ours / memory, wanted, "of the rate without a folder:");
    }
    if let Some(wanted) = row.of_disk {
        let disk = found.value("the disk: 4 KiB and fdatasync", "/s", of_disk);
        found.value("minikeeper / the disk", "", vec![ours / disk]);
        found.at_least(ours / disk, wanted, "of the disk's own rate:");
    }
    for real in reals {
        let (name, how) = real.way.names();
        let real = found.value(name.clone(), "/s", real.rates);
        found.value(format!("minikeeper / {name}"), "", vec![ours / real]);
        if let Some(wanted) = row.times_real {
            found.at_least(
                ours / real,
                wanted,
                &format!("times ZooKeeper's rate, {how}:"),
            );
        }
    }
    Ok(found)
}

/// Options of a real server's JVM. The JIT compiler has optimized the code after about a million requests, which a
/// server in a test seldom reaches; the harness starts its servers with the first compiler alone, so that they start
/// sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JvmMode {
    Shipped,
    Test,
}

impl JvmMode {
    /// Returns the name of the rate, and its description.
    fn names(self) -> (String, &'static str) {
        let name = BackendKind::newest_zookeeper().to_string();
        match self {
            Self::Shipped => (name, "as shipped and warmed up"),
            Self::Test => (
                format!("{name} -XX:TieredStopAtLevel=1"),
                "as started for a test",
            ),
        }
    }
}

/// A real server, and its results.
#[derive(Debug)]
struct Real {
    way: JvmMode,
    server: ZooKeeper,
    rates: Vec<f64>,
    /// Removed after the server has ended.
    _folder: TempDir,
}

impl Real {
    fn start(way: JvmMode, settings: &Settings) -> Result<Self, BackendError> {
        let folder = folder()?;
        let settings = Settings {
            optimizing_jit: way == JvmMode::Shipped,
            ..settings.clone()
        };
        let version = BackendKind::NEWEST_ZOOKEEPER;
        Ok(Self {
            way,
            server: ZooKeeper::start_on(folder.path(), version, &settings)?,
            rates: Vec::new(),
            _folder: folder,
        })
    }

    fn address(&self) -> String {
        self.server.connect_string()
    }
}

/// Measures the pages per second that are written and flushed one by one, to a file that is filled with zeros before,
/// so that no block has to be allocated.
fn appends(folder: &Path, span: Duration) -> io::Result<f64> {
    let mut file = File::create(folder.join("pages"))?;
    file.write_all(&vec![0; FILLED])?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let start = Instant::now();
    let mut pages = 0_u32;
    while start.elapsed() < span {
        if usize::try_from(pages)
            .unwrap_or(0)
            .is_multiple_of(FILLED / PAGE.len())
        {
            file.seek(SeekFrom::Start(0))?;
        }
        file.write_all(&PAGE)?;
        file.sync_data()?;
        pages += 1;
    }
    Ok(f64::from(pages) / start.elapsed().as_secs_f64())
}

/// Creates a folder on a disk: in the directory for temporary files, unless that is in memory.
pub(super) fn folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("minikeeper-bench-");
    let usual = std::env::temp_dir();
    if system::is_in_memory(&usual) {
        let target = PathBuf::from("target");
        std::fs::create_dir_all(&target)?;
        builder.tempdir_in(target.canonicalize()?)
    } else {
        builder.tempdir_in(usual)
    }
}

/// Describes a folder: its path, and its file system.
pub(super) fn where_is(folder: &Path) -> String {
    let parent = folder.parent().unwrap_or(folder).display();
    match system::file_system(folder) {
        Some((kind, device)) => format!("{parent} ({kind}, {device})"),
        None => parent.to_string(),
    }
}
