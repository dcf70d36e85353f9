//! Time to start a server.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{ROUNDS, of_binary, ours};
use crate::backend::Backend;
use crate::bench::OPEN_FILES;
use crate::bench::child::ChildServer;
use crate::bench::report::Row;
use crate::bench::system;
use crate::client::{BlockingClient, ConnectRequest};

const SERVERS: usize = 1000;

pub(in crate::bench) fn start() -> io::Result<Row> {
    let mut row = Row::new("start", "in-process start to first session granted");
    let times = (0..201).map(|_| {
        let start = Instant::now();
        let server = ours()?;
        let _client =
            BlockingClient::connect(&server.connect_string(), &ConnectRequest::new(10_000))?;
        Ok(milliseconds(start.elapsed()))
    });
    let median = row.value("embedded", "ms", times.collect::<io::Result<_>>()?);
    row.at_most(median, 1.0, "ms");
    Ok(row)
}

pub(in crate::bench) fn exec() -> io::Result<Row> {
    let row = Row::new("exec", "binary exec to first session");
    of_binary(row, measure_exec)
}

fn measure_exec(row: &mut Row, binary: &Path) -> io::Result<()> {
    let times = (0..21).map(|_| {
        let start = Instant::now();
        let served = ChildServer::start(Command::new(binary).args(["--listen", "127.0.0.1:0"]))?;
        let _client = BlockingClient::connect(&served.address, &ConnectRequest::new(10_000))?;
        Ok(milliseconds(start.elapsed()))
    });
    let median = row.value("minikeeper", "ms", times.collect::<io::Result<_>>()?);
    row.at_most(median, 5.0, "ms");
    Ok(())
}

pub(in crate::bench) fn thousand() -> io::Result<Row> {
    let mut row = Row::new(
        "thousand",
        "1,000 servers in one process: start, one session each, drop",
    );
    // In a process of its own, so that only the servers' memory is counted.
    let (mut seconds, mut megabytes, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let output = Command::new(std::env::current_exe()?)
            .arg("thousand-servers")
            .output()?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(errors.into_owned()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text
            .split_whitespace()
            .map(|word| word.parse().unwrap_or(f64::NAN));
        for values in [&mut seconds, &mut megabytes, &mut files] {
            values.push(numbers.next().unwrap_or(f64::NAN));
        }
    }
    let seconds = row.value("time", "s", seconds);
    let megabytes = row.value("resident memory", "MB", megabytes);
    row.value("open files per server, with its client's", "", files);
    row.at_most(seconds, 1.0, "s");
    row.at_most(megabytes, 100.0, "MB");
    Ok(row)
}

/// Hidden subcommand of the row: returns seconds, MB and open files per server.
///
/// # Errors
///
/// If a server does not start.
pub fn thousand_servers() -> io::Result<String> {
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let files_before = system::open_files();
    let start = Instant::now();
    let alive = (0..SERVERS)
        .map(|_| {
            let server = ours()?;
            let client =
                BlockingClient::connect(&server.connect_string(), &ConnectRequest::new(10_000))?;
            Ok((server, client))
        })
        .collect::<io::Result<Vec<_>>>()?;
    let up = start.elapsed();
    let megabytes = system::resident_mb(std::process::id());
    let files = system::open_files()
        .zip(files_before)
        .map(|(now, before)| now - before);
    let down = Instant::now();
    drop(alive);
    let seconds = (up + down.elapsed()).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a number of files is small")]
    let files = files.map_or(f64::NAN, |files| files as f64 / SERVERS as f64);
    Ok(format!(
        "{seconds} {} {files}",
        megabytes.unwrap_or(f64::NAN)
    ))
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
