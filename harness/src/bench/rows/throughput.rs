//! Throughput of one operation.

use std::io::{self, Write};
use std::time::Duration;

use super::{ROUNDS, SETTINGS};
use crate::backend::{Backend, BackendError, BackendKind, BackendSource};
use crate::bench::child::ChildServer;
use crate::bench::load::{Exchange, Load, Protocol, Until, drive};
use crate::bench::report::Row;
use crate::client::{Acl, BlockingClient, ConnectRequest, CreateKind, Request, read_frame};

const ROUND: Duration = Duration::from_secs(1);
/// Duration of the warm-up, in which the JVM compiles the code that runs often.
pub(super) const WARM_UP: Duration = Duration::from_secs(5);
pub(super) const DATA: [u8; 100] = [b'x'; 100];

/// Load of a row, and its targets.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Throughput {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    operation: Operation,
    connections: usize,
    in_flight: usize,
    /// Target relative to the real server.
    times_real: Option<f64>,
    /// Target relative to the echo server.
    of_echo: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Get,
    Set,
    Create,
}

pub(in crate::bench) const GET_1X1: Throughput = Throughput {
    name: "get-1x1",
    what: "getData 100 B, 1 connection, 1 in flight",
    operation: Operation::Get,
    connections: 1,
    in_flight: 1,
    times_real: None,
    of_echo: Some(0.85),
};

pub(in crate::bench) const GET_4X64: Throughput = Throughput {
    name: "get-4x64",
    what: "getData 100 B, 4 connections, 64 in flight each",
    operation: Operation::Get,
    connections: 4,
    in_flight: 64,
    times_real: Some(50.0),
    of_echo: Some(0.4),
};

pub(in crate::bench) const SET_4X64: Throughput = Throughput {
    name: "set-4x64",
    what: "setData 100 B, 4 connections, 64 in flight each",
    operation: Operation::Set,
    connections: 4,
    in_flight: 64,
    times_real: Some(40.0),
    of_echo: None,
};

pub(in crate::bench) const CREATE_4X64: Throughput = Throughput {
    name: "create-4x64",
    what: "create 100 B, 4 connections, 64 in flight each",
    operation: Operation::Create,
    connections: 4,
    in_flight: 64,
    times_real: Some(30.0),
    of_echo: None,
};

pub(in crate::bench) const JOURNAL_GET: Throughput = Throughput {
    name: "journal-get",
    what: "getData 100 B, 4 x 64, journal on",
    ..GET_4X64
};

pub(in crate::bench) const JOURNAL_SET: Throughput = Throughput {
    name: "journal-set",
    what: "setData 100 B, 4 x 64, journal on",
    ..SET_4X64
};

/// Minimum rate with the journal on, relative to the rate without it.
const WITH_JOURNAL: f64 = 0.7;

pub(in crate::bench) fn journal(row: &Throughput) -> io::Result<Row> {
    let mut found = Row::new(row.name, row.what);
    let off = ChildServer::this_program(&["serve-ours"])?;
    let on = ChildServer::this_program(&["serve-ours", "--journal"])?;
    let (mut of_off, mut of_on) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        for (served, rates) in [(&off, &mut of_off), (&on, &mut of_on)] {
            row.prepare(&served.address, round)?;
            rates.push(row.drive(&served.address, Protocol::ZooKeeper, round, ROUND)?);
        }
    }
    let off = found.value("journal off", "/s", of_off);
    let on = found.value("journal on", "/s", of_on);
    found.value("on / off", "", vec![on / off]);
    found.at_least(on / off, WITH_JOURNAL, "of the rate without a journal:");
    Ok(found)
}

pub(in crate::bench) fn throughput(row: &Throughput) -> io::Result<Row> {
    let mut found = Row::new(row.name, row.what);
    let real = match BackendKind::newest_zookeeper().start(&SETTINGS) {
        Ok(real) => Some(real),
        Err(BackendError::Missing(missing)) => {
            found.missing.push(missing.to_string());
            None
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    let real: Option<&dyn Backend> = real.as_deref();
    if let Some(real) = real {
        row.prepare(&real.connect_string(), 0)?;
        row.drive(&real.connect_string(), Protocol::ZooKeeper, 0, WARM_UP)?;
    }
    let mut ours = ChildServer::this_program(&["serve-ours"])?;
    row.prepare(&ours.address, 0)?;
    let (request, reply) = row.sizes(&ours.address)?;
    let echo =
        ChildServer::this_program(&["serve-echo", &request.to_string(), &reply.to_string()])?;

    let (mut of_echo, mut of_ours, mut of_real) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        of_echo.push(row.drive(&echo.address, Protocol::Echo, round, ROUND)?);
        if row.operation == Operation::Create {
            // A new server, since znodes of the rounds before would affect the result.
            ours = ChildServer::this_program(&["serve-ours"])?;
        }
        row.prepare(&ours.address, round)?;
        of_ours.push(row.drive(&ours.address, Protocol::ZooKeeper, round, ROUND)?);
        if let Some(real) = real {
            row.prepare(&real.connect_string(), round)?;
            of_real.push(row.drive(&real.connect_string(), Protocol::ZooKeeper, round, ROUND)?);
        }
    }
    let ours = found.value("embedded", "/s", of_ours);
    let echo = found.value("echo server", "/s", of_echo);
    found.value("embedded / echo server", "", vec![ours / echo]);
    if real.is_some() {
        let real = found.value(BackendKind::newest_zookeeper().to_string(), "/s", of_real);
        found.value("embedded / zookeeper", "", vec![ours / real]);
        if let Some(wanted) = row.times_real {
            found.at_least(ours / real, wanted, "times ZooKeeper's rate:");
        }
    }
    if let Some(wanted) = row.of_echo {
        found.at_least(ours / echo, wanted, "of the echo server's rate:");
    }
    Ok(found)
}

impl Throughput {
    /// setData on so many connections with so many requests in flight each.
    pub(super) const fn set(
        name: &'static str,
        what: &'static str,
        connections: usize,
        in_flight: usize,
    ) -> Self {
        Self {
            name,
            what,
            operation: Operation::Set,
            connections,
            in_flight,
            times_real: None,
            of_echo: None,
        }
    }

    pub(super) fn drive(
        &self,
        address: &str,
        protocol: Protocol,
        round: usize,
        time: Duration,
    ) -> io::Result<f64> {
        let load = Load {
            connections: self.connections,
            in_flight: self.in_flight,
            until: Until::Elapsed(time),
        };
        drive(address, protocol, load, |connection| {
            self.exchange(round, connection)
        })
    }

    /// Creates the znodes that the requests of a round need. Rounds differ, so that each can create its own znodes.
    pub(super) fn prepare(&self, address: &str, round: usize) -> io::Result<()> {
        let mut client = BlockingClient::connect(address, &ConnectRequest::new(40_000))?;
        for connection in 0..self.connections {
            client.call(&create(folder(round, connection)))?;
        }
        client.call(&Request::CloseSession).map(drop)
    }

    pub(super) fn exchange(&self, round: usize, connection: usize) -> Exchange {
        let path = folder(round, connection);
        let (request, counter) = match self.operation {
            Operation::Get => (Request::GetData { path, watch: false }, None),
            Operation::Set => (
                Request::SetData {
                    path,
                    data: Some(DATA.to_vec()),
                    version: -1,
                },
                None,
            ),
            Operation::Create => {
                // Position after length, xid, type and the path's length.
                let digits = 16 + path.len() + 1;
                (create(format!("{path}/00000000")), Some(digits..digits + 8))
            }
        };
        Exchange {
            request: request.encode(1).0,
            counter,
            replies: 1,
        }
    }

    /// Measures the lengths of a request and its reply.
    fn sizes(&self, address: &str) -> io::Result<(usize, usize)> {
        let request = self.exchange(0, 0).request;
        let client = BlockingClient::connect(address, &ConnectRequest::new(40_000))?;
        let mut stream = client.into_stream();
        stream.write_all(&request)?;
        Ok((request.len(), read_frame(&mut stream)?.len()))
    }
}

fn folder(round: usize, connection: usize) -> String {
    format!("/bench-{round}-{connection}")
}

pub(super) fn create(path: String) -> Request {
    Request::Create {
        kind: CreateKind::Create,
        path,
        data: Some(DATA.to_vec()),
        acl: Acl::open(),
        flags: 0,
    }
}
