//! Memory of a server.

use std::io;
use std::path::Path;
use std::process::Command;

use super::of_binary;
use crate::bench::child::ChildServer;
use crate::bench::load::{Exchange, Load, Protocol, Until, drive};
use crate::bench::report::Row;
use crate::bench::system::resident_mb;
use crate::client::{Acl, BlockingClient, ConnectRequest, CreateKind, Request};

const CONNECTIONS: usize = 4;
const ZNODES_EACH: u64 = 250_000;

pub(in crate::bench) fn million() -> io::Result<Row> {
    let row = Row::new(
        "million",
        "1,000,000 znodes of 100 B, resident memory of the binary",
    );
    of_binary(row, |row, binary| {
        let served = in_memory(binary)?;
        resident_of(row, served.pid(), 300.0);
        Ok(())
    })
}

/// Starts the binary with a million znodes in memory; not this program, which needs more memory of its own than a
/// server.
pub(super) fn in_memory(binary: &Path) -> io::Result<ChildServer> {
    let ours = ChildServer::start(Command::new(binary).args(["--listen", "127.0.0.1:0"]))?;
    let mut client = BlockingClient::connect(&ours.address, &ConnectRequest::new(40_000))?;
    let create = |path| Request::Create {
        kind: CreateKind::Create,
        path,
        data: Some(vec![b'x'; 100]),
        acl: Acl::open(),
        flags: 0,
    };
    for connection in 0..CONNECTIONS {
        client.call(&create(format!("/{connection}")))?;
    }
    let load = Load {
        connections: CONNECTIONS,
        in_flight: 64,
        until: Until::Replies(ZNODES_EACH),
    };
    drive(&ours.address, Protocol::ZooKeeper, load, |connection| {
        Exchange {
            request: create(format!("/{connection}/00000000")).encode(1).0,
            // Position after length, xid, type, the path's length, and the digit between two slashes.
            counter: Some(19..27),
            replies: 1,
        }
    })?;
    // Replies are counted by whole reads, so the server may have a few more.
    let count = client.call(&Request::GetAllChildrenNumber {
        path: "/".to_owned(),
    })?;
    let Some(crate::client::Answer::Number(1_000_000..)) = count.answer else {
        return Err(io::Error::other(format!("not a million znodes: {count:?}")));
    };
    Ok(ours)
}

pub(in crate::bench) fn idle() -> io::Result<Row> {
    let row = Row::new("idle", "the idle binary, resident memory after one session");
    of_binary(row, |row, binary| {
        let served = ChildServer::start(Command::new(binary).args(["--listen", "127.0.0.1:0"]))?;
        let mut client = BlockingClient::connect(&served.address, &ConnectRequest::new(10_000))?;
        client.call(&Request::CloseSession)?;
        resident_of(row, served.pid(), 6.0);
        Ok(())
    })
}

fn resident_of(row: &mut Row, pid: u32, limit: f64) {
    match resident_mb(pid) {
        Some(megabytes) => {
            row.value("minikeeper", "MB", vec![megabytes]);
            row.at_most(megabytes, limit, "MB");
        }
        None => row
            .missing
            .push("this system has no /proc to read memory from".to_owned()),
    }
}
