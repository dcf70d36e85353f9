//! Instructions that the server executes per request, a count that other load on the machine does not change.

use std::io;
use std::path::Path;
use std::process::Command;

use super::binary;
use super::throughput::{DATA, create};
use crate::bench::child::ChildServer;
use crate::bench::load::{Exchange, Load, Protocol, Until, drive};
use crate::bench::report::Row;
use crate::client::{BlockingClient, ConnectRequest, Request};

/// Numbers of requests of the two runs. The difference counts, since starting and stopping are in both.
const REQUESTS: [u64; 2] = [20_000, 84_000];

const IN_FLIGHT: usize = 64;

/// Number of children that are listed.
const CHILDREN: usize = 10;

/// Number of operations in a multi.
const MULTI: usize = 10;

/// Znode of the requests, and folder of created ones.
const PATH: &str = "/bench";

/// Operations, and the maximum number of instructions for a request of each in memory, where there is a target.
const OPERATIONS: [(&str, Operation, Option<f64>); 8] = [
    ("getData", Operation::Get, Some(750.0)),
    ("exists", Operation::Exists, None),
    ("setData", Operation::Set, Some(1300.0)),
    ("create", Operation::Create, Some(2500.0)),
    ("delete", Operation::Delete, None),
    ("getChildren", Operation::Children, None),
    ("multi of 10 setData", Operation::Multi, None),
    ("getData with a watch, and setData", Operation::Watch, None),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Get,
    Exists,
    Set,
    Create,
    Delete,
    Children,
    Multi,
    /// A watch is set and fired.
    Watch,
}

pub(in crate::bench) fn instructions() -> io::Result<Row> {
    let mut row = Row::new(
        "instructions",
        "instructions per request, 1 connection, 64 in flight, 100 B, whole process",
    );
    if Command::new("valgrind").arg("--version").output().is_err() {
        row.missing.push("valgrind is not installed".to_owned());
        return Ok(row);
    }
    if let Err(error) = binary() {
        row.missing.push(error.to_string());
        return Ok(row);
    }
    for (name, operation, limit) in OPERATIONS {
        let each = row.value(name, "instructions", vec![operation.count(false)?]);
        if let Some(limit) = limit {
            row.at_most(each, limit + 1.0, name);
        }
        let name = format!("{name}, with a folder");
        row.value(name, "instructions", vec![operation.count(true)?]);
    }
    Ok(row)
}

impl Operation {
    /// Instructions for one request, in memory or with a data folder that the operating system flushes.
    fn count(self, has_folder: bool) -> io::Result<f64> {
        let [few, many] = REQUESTS.map(|requests| self.total(has_folder, requests));
        let (few, many) = (few?, many?);
        #[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
        let each = (many - few) as f64 / (REQUESTS[1] - REQUESTS[0]) as f64;
        Ok(each)
    }

    /// Instructions that the binary executes from its start to its end when it is sent so many requests.
    fn total(self, has_folder: bool, requests: u64) -> io::Result<u64> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("callgrind.out");
        let mut command = Command::new("valgrind");
        command
            .arg("--tool=callgrind")
            .arg("--quiet")
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(binary()?)
            .args(["--listen", "127.0.0.1:0"]);
        if has_folder {
            let data = folder.path().join("data");
            command.arg("--no-fsync").arg("--data-dir").arg(data);
        }
        let served = ChildServer::start(&mut command)?;
        self.prepare(&served.address)?;
        let load = Load {
            connections: 1,
            in_flight: IN_FLIGHT,
            until: Until::Replies(requests),
        };
        drive(&served.address, Protocol::ZooKeeper, load, |_| {
            self.exchange()
        })?;
        served.terminate()?;
        total(&file)
    }

    /// Creates the znodes that the requests need, as many in each run.
    fn prepare(self, address: &str) -> io::Result<()> {
        let mut client = BlockingClient::connect(address, &ConnectRequest::new(40_000))?;
        client.call(&create(PATH.to_owned()))?;
        match self {
            Self::Children => {
                for number in 0..CHILDREN {
                    client.call(&create(format!("{PATH}/{number:08}")))?;
                }
            }
            Self::Delete => {
                let znodes = REQUESTS[1] + 2 * IN_FLIGHT as u64;
                let creates: Vec<Request> = (0..znodes)
                    .map(|number| create(format!("{PATH}/{number:08}")))
                    .collect();
                for creates in creates.chunks(1000) {
                    client.call(&Request::Multi(creates.to_vec()))?;
                }
            }
            Self::Get | Self::Exists | Self::Set | Self::Create | Self::Multi | Self::Watch => {}
        }
        client.call(&Request::CloseSession).map(drop)
    }

    fn exchange(self) -> Exchange {
        let path = || PATH.to_owned();
        let numbered = || format!("{PATH}/00000000");
        let get = |watch| Request::GetData {
            path: path(),
            watch,
        };
        let set = || Request::SetData {
            path: path(),
            data: Some(DATA.to_vec()),
            version: -1,
        };
        let requests = match self {
            Self::Get => vec![get(false)],
            Self::Exists => vec![Request::Exists {
                path: path(),
                watch: false,
            }],
            Self::Set => vec![set()],
            Self::Create => vec![create(numbered())],
            Self::Delete => vec![Request::Delete {
                path: numbered(),
                version: -1,
            }],
            Self::Children => vec![Request::GetChildren {
                path: path(),
                watch: false,
            }],
            Self::Multi => vec![Request::Multi((0..MULTI).map(|_| set()).collect())],
            Self::Watch => vec![get(true), set()],
        };
        // Behind length, xid, type and the path's length.
        let digits = 16 + PATH.len() + 1;
        let has_digits = matches!(self, Self::Create | Self::Delete);
        Exchange {
            request: requests.iter().flat_map(|it| it.encode(1).0).collect(),
            counter: has_digits.then_some(digits..digits + 8),
            replies: requests.len(),
        }
    }
}

/// Number of instructions in a file of callgrind.
fn total(file: &Path) -> io::Result<u64> {
    let text = std::fs::read_to_string(file)?;
    let found = total_in(&text);
    found.ok_or_else(|| io::Error::other(format!("no totals in {}", file.display())))
}

fn total_in(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| {
        line.strip_prefix("totals:")
            .or(line.strip_prefix("summary:"))
    })?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_total_is_found() {
        let text = "events: Ir\nfn=(1) main\n1 2\n\ntotals: 123456\n";
        assert_eq!(super::total_in(text), Some(123_456));
        assert_eq!(super::total_in("events: Ir\n"), None);
    }
}
