//! Pause of a server while its state is copied.

use std::io;
use std::time::{Duration, Instant};

use minikeeper::Server;

use crate::bench::report::Row;

const ZNODES: usize = 1_000_000;
const PARENTS: usize = 4;
const ROUNDS: usize = 31;

pub(in crate::bench) fn snapshot() -> io::Result<Row> {
    let mut row = Row::new(
        "snapshot",
        "snapshot of 1,000,000 znodes of 100 B, and a fork of it",
    );
    let server = Server::start().map_err(io::Error::other)?;
    let path = |number: usize| format!("/{}/{:08}", number % PARENTS, number / PARENTS);
    for parent in 0..PARENTS {
        let path = format!("/{parent}");
        server.create(&path, b"").map_err(io::Error::other)?;
    }
    for number in 0..ZNODES {
        let created = server.create(&path(number), &[b'x'; 100]);
        created.map_err(io::Error::other)?;
    }
    let (mut pauses, mut writes) = (Vec::new(), Vec::new());
    let mut last = None;
    for round in 0..ROUNDS {
        let snapshot = timed(&mut pauses, || Ok(server.snapshot()))?;
        // The first write to its chunk after a snapshot, which copies the chunk.
        let path = path(round * 7919);
        timed(&mut writes, || {
            server.set(&path, &[b'y'; 100]).map_err(io::Error::other)
        })?;
        last = Some(snapshot);
    }
    let pause = row.value("pause of the server", "ms", pauses);
    row.at_most(pause, 1.0, "ms");
    row.value("first write after it", "ms", writes);
    if let Some(snapshot) = last {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        timed(&mut first, || snapshot.start().map_err(io::Error::other))?;
        timed(&mut later, || snapshot.start().map_err(io::Error::other))?;
        row.value("first server from it", "ms", first);
        row.value("next server from it", "ms", later);
    }
    Ok(row)
}

/// Runs `work` and adds its duration in milliseconds to `times`.
fn timed<T>(times: &mut Vec<f64>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    let result = work()?;
    let time: Duration = start.elapsed();
    times.push(time.as_secs_f64() * 1000.0);
    Ok(result)
}
