//! How soon everyone is told.

use super::{OPEN_FILES, ROUNDS, SETTINGS};
use crate::backend::{BackendError, BackendKind};
use crate::bench::child::Served;
use crate::bench::report::Row;
use crate::client::{Acl, BlockingClient, ConnectRequest, Request, read_frame};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

const WATCHERS: usize = 10_000;
const PATH: &str = "/watched";
/// The length of an event: its prefix, a header, type, state, and the path with its length.
const EVENT: usize = 4 + 16 + 4 + 4 + 4 + PATH.len();
/// The xid of a change, above those that the writer counts itself.
const CHANGE: i32 = 1_000_000;

pub(in crate::bench) fn fan_out() -> io::Result<Row> {
    let mut row = Row::new(
        "fan-out",
        "one change, 10,000 watchers on 10,000 connections, until the last is told",
    );
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let ours = Served::this_program(&["serve-ours"])?;
    let median = row.value("embedded", "ms", rounds(&ours.address)?);
    row.at_most(median, 100.0, "ms");
    match BackendKind::newest_zookeeper().start(&SETTINGS) {
        Ok(real) => {
            row.value(
                real.kind().to_string(),
                "ms",
                rounds(&real.connect_string())?,
            );
        }
        Err(BackendError::Missing(missing)) => row.missing.push(missing.to_string()),
        Err(error) => return Err(io::Error::other(error)),
    }
    Ok(row)
}

fn rounds(address: &str) -> io::Result<Vec<f64>> {
    let path = || PATH.to_owned();
    let mut writer = BlockingClient::connect(address, &ConnectRequest::new(40_000))?;
    let create = Request::Create {
        path: path(),
        data: None,
        acl: Acl::open(),
        flags: 0,
    };
    writer.call(&create)?;
    let mut watchers = (0..WATCHERS)
        .map(|_| BlockingClient::connect(address, &ConnectRequest::new(40_000)))
        .collect::<io::Result<Vec<_>>>()?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        for watcher in &mut watchers {
            watcher.call(&Request::Exists {
                path: path(),
                watch: true,
            })?;
        }
        let change = Request::SetData {
            path: path(),
            data: None,
            version: -1,
        };
        let start = Instant::now();
        writer.stream().write_all(&change.encode(CHANGE).0)?;
        // One after the other: whoever is told while another is waited for has its event in its socket already.
        for watcher in &watchers {
            await_event(watcher.stream())?;
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let reply = read_frame(&mut writer.stream())?;
        if reply.get(4..8) != Some(&CHANGE.to_be_bytes()) {
            return Err(io::Error::other("the change was not answered"));
        }
    }
    Ok(times)
}

/// Reads the event with one call, as it came in one packet.
fn await_event(mut stream: &TcpStream) -> io::Result<()> {
    let mut event = [0; EVENT];
    stream.read_exact(&mut event)?;
    if event.get(4..8) == Some(&[0xff; 4]) {
        Ok(())
    } else {
        Err(io::Error::other("something other than an event"))
    }
}
