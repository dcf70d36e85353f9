//! Instructions that the server executes per request, a count that other load on the machine does not change.

use std::io;
use std::process::Command;

use super::binary;
use super::throughput::{CREATE_4X64, GET_4X64, SET_4X64, Throughput};
use crate::bench::child::ChildServer;
use crate::bench::load::{Load, Protocol, Until, drive};
use crate::bench::report::Row;

/// Numbers of requests of the two runs. The difference counts, since starting and stopping are in both.
const REQUESTS: [u64; 2] = [20_000, 84_000];

const IN_FLIGHT: usize = 64;

/// Operations, and the maximum number of instructions for a request of each.
const OPERATIONS: [(&str, &Throughput, f64); 3] = [
    ("getData", &GET_4X64, 1510.0),
    ("setData", &SET_4X64, 2535.0),
    ("create", &CREATE_4X64, 4892.0),
];

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
        let [few, many] = REQUESTS.map(|requests| count(operation, requests));
        let (few, many) = (few?, many?);
        #[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
        let each = (many - few) as f64 / (REQUESTS[1] - REQUESTS[0]) as f64;
        let each = row.value(name, "instructions", vec![each]);
        row.at_most(each, limit + 1.0, name);
    }
    Ok(row)
}

/// Number of instructions that the binary executes from its start to its end when it is sent so many requests.
fn count(operation: &Throughput, requests: u64) -> io::Result<u64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg("--quiet")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(binary()?)
        .args(["--listen", "127.0.0.1:0"]);
    let served = ChildServer::start(&mut command)?;
    operation.prepare(&served.address, 0)?;
    let load = Load {
        connections: 1,
        in_flight: IN_FLIGHT,
        until: Until::Replies(requests),
    };
    drive(&served.address, Protocol::ZooKeeper, load, |connection| {
        operation.exchange(0, connection)
    })?;
    served.terminate()?;
    let text = std::fs::read_to_string(&file)?;
    total(&text).ok_or_else(|| io::Error::other(format!("no totals in {}", file.display())))
}

/// Number of instructions in callgrind's output.
fn total(text: &str) -> Option<u64> {
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
        assert_eq!(super::total(text), Some(123_456));
        assert_eq!(super::total("events: Ir\n"), None);
    }
}
