//! Time until all watchers are notified.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::{ROUNDS, SETTINGS};
use crate::backend::{BackendError, BackendKind, BackendSource};
use crate::bench::OPEN_FILES;
use crate::bench::child::ChildServer;
use crate::bench::load::{Protocol, open};
use crate::bench::report::Row;
use crate::client::{Acl, CreateKind, Request, read_frame};

const WATCHERS: usize = 10_000;
const PATH: &str = "/watched";
/// Length of an event: prefix, header, type, state, and the path with its length.
const EVENT: usize = 4 + 16 + 4 + 4 + 4 + PATH.len();

// One server after the other: the process has file descriptors for one set of watchers.
pub(in crate::bench) fn fan_out() -> io::Result<Row> {
    let mut row = Row::new(
        "fan-out",
        "one change, 10,000 watchers on 10,000 connections, until the last is notified",
    );
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let bare = ChildServer::this_program(&[
        "serve-bare-events",
        &WATCHERS.to_string(),
        &EVENT.to_string(),
    ])?;
    row.value(
        "bare loop of writes",
        "ms",
        rounds(&bare.address, Protocol::Echo)?,
    );
    let ours = ChildServer::this_program(&["serve-ours"])?;
    let median = row.value(
        "embedded",
        "ms",
        rounds(&ours.address, Protocol::ZooKeeper)?,
    );
    row.at_most(median, 100.0, "ms");
    match BackendKind::newest_zookeeper().start(&SETTINGS) {
        Ok(real) => {
            let times = rounds(&real.connect_string(), Protocol::ZooKeeper)?;
            row.value(real.name(), "ms", times);
        }
        Err(BackendError::Missing(missing)) => row.missing.push(missing.to_string()),
        Err(error) => return Err(io::Error::other(error)),
    }
    Ok(row)
}

fn rounds(address: &str, protocol: Protocol) -> io::Result<Vec<f64>> {
    let mut writer = open(address, protocol)?;
    let mut watchers = (0..WATCHERS)
        .map(|_| open(address, protocol))
        .collect::<io::Result<Vec<_>>>()?;
    let create = Request::Create {
        kind: CreateKind::Create,
        path: PATH.to_owned(),
        data: None,
        acl: Acl::open(),
        flags: 0,
    };
    let watch = Request::Exists {
        path: PATH.to_owned(),
        watch: true,
    };
    let change = Request::SetData {
        path: PATH.to_owned(),
        data: None,
        version: -1,
    };
    if protocol == Protocol::ZooKeeper {
        call(&mut writer, &create)?;
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        if protocol == Protocol::ZooKeeper {
            for watcher in &mut watchers {
                call(watcher, &watch)?;
            }
        }
        let start = Instant::now();
        writer.write_all(&change.encode(1).0)?;
        // The last watcher is read first: this process then wakes up once instead of ten thousand times, which would
        // be measured too.
        for watcher in watchers.iter_mut().rev() {
            await_event(watcher)?;
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
        read_frame(&mut writer)?;
    }
    Ok(times)
}

fn call(stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    stream.write_all(&request.encode(1).0)?;
    read_frame(stream).map(drop)
}

/// Reads the event with one call, since it arrives in one packet.
fn await_event(stream: &mut TcpStream) -> io::Result<()> {
    let mut event = [0; EVENT];
    stream.read_exact(&mut event)?;
    if event.get(4..8) == Some(&[0xff; 4]) {
        Ok(())
    } else {
        Err(io::Error::other("the frame is not an event"))
    }
}
