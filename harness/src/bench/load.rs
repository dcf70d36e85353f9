//! Client side of the throughput benchmarks. Frames are precomputed. After each read, one write sends a new request for
//! every reply, and only the error of each reply is checked. The measurement therefore shows the cost of the server,
//! not of the client.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{BlockingClient, ConnectRequest, error_name};

/// The request that each connection repeats.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// One request with its length prefix.
    pub(super) request: Vec<u8>,
    /// Position of eight digits that differ in every request, so that each creates a znode of its own.
    pub(super) counter: Option<Range<usize>>,
    /// Number of replies to it: more than one if it is several requests. Watch events do not count.
    pub(super) replies: usize,
}

/// Amount of load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) connections: usize,
    pub(super) in_flight: usize,
    pub(super) until: Until,
}

/// End of a measurement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Elapsed(Duration),
    /// Number of answered requests on each connection.
    Replies(u64),
}

/// Protocol of the other side: ZooKeeper's, or frames that are echoed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    ZooKeeper,
    Echo,
}

/// Drives the load and returns the replies per second over all connections.
pub(super) fn drive(
    address: &str,
    protocol: Protocol,
    load: Load,
    exchange: impl Fn(usize) -> Exchange,
) -> io::Result<f64> {
    let barrier = Arc::new(Barrier::new(load.connections));
    let threads: Vec<_> = (0..load.connections)
        .map(|number| {
            let mut pump =
                LoadConnection::new(open(address, protocol)?, exchange(number), load.in_flight);
            let barrier = Arc::clone(&barrier);
            Ok(thread::spawn(move || {
                barrier.wait();
                pump.run(load.until)
            }))
        })
        .collect::<io::Result<_>>()?;
    let mut rate = 0.0;
    for thread in threads {
        rate += thread.join().expect("a load thread does not panic")?;
    }
    Ok(rate)
}

/// Opens a connection that is ready for requests.
pub(super) fn open(address: &str, protocol: Protocol) -> io::Result<TcpStream> {
    match protocol {
        Protocol::ZooKeeper => {
            Ok(BlockingClient::connect(address, &ConnectRequest::new(40_000))?.into_stream())
        }
        Protocol::Echo => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        }
    }
}

struct LoadConnection {
    stream: TcpStream,
    exchange: Exchange,
    in_flight: usize,
    sent: u64,
    /// As many requests as may be in flight.
    batch: Vec<u8>,
    received: Vec<u8>,
    filled: usize,
    /// Number of replies to a request of which others are still to come.
    partly: usize,
}

impl LoadConnection {
    fn new(stream: TcpStream, exchange: Exchange, in_flight: usize) -> Self {
        let batch = exchange.request.repeat(in_flight);
        let received = vec![0; 256 * 1024];
        Self {
            stream,
            exchange,
            in_flight,
            sent: 0,
            batch,
            received,
            filled: 0,
            partly: 0,
        }
    }

    fn run(&mut self, until: Until) -> io::Result<f64> {
        let start = Instant::now();
        let mut replies = 0;
        self.send(self.in_flight)?;
        loop {
            let came = self.receive()?;
            replies += u64::try_from(came).unwrap_or(0);
            let elapsed = start.elapsed();
            let enough = match until {
                Until::Elapsed(limit) => elapsed >= limit,
                Until::Replies(limit) => replies >= limit,
            };
            if enough {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a rate needs no more than 52 bits"
                )]
                return Ok(replies as f64 / elapsed.as_secs_f64());
            }
            self.send(came)?;
        }
    }

    fn send(&mut self, requests: usize) -> io::Result<()> {
        let size = self.exchange.request.len();
        let Some(batch) = self.batch.get_mut(..requests * size) else {
            return Err(io::Error::other("more replies than requests"));
        };
        if let Some(place) = &self.exchange.counter {
            for request in batch.chunks_mut(size) {
                let digits = request.get_mut(place.clone()).unwrap_or_default();
                let mut number = self.sent;
                for digit in digits.iter_mut().rev() {
                    *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
                    number /= 10;
                }
                self.sent += 1;
            }
        }
        self.stream.write_all(batch)
    }

    /// Reads the available bytes, at least up to one whole answer, and returns the number of answered requests.
    fn receive(&mut self) -> io::Result<usize> {
        let mut replies = self.partly;
        while replies < self.exchange.replies {
            let room = self.received.get_mut(self.filled..).unwrap_or_default();
            match self.stream.read(room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.filled += read,
            }
            let mut at = 0;
            while let Some(end) = end_of_frame(&self.received, at).filter(|end| *end <= self.filled)
            {
                let err = self.received.get(at + 16..at + 20).unwrap_or_default();
                if err != [0; 4] {
                    let header = self.received.get(at..at + 20).unwrap_or_default();
                    return Err(refused(header));
                }
                let xid = self.received.get(at + 4..at + 8).unwrap_or_default();
                replies += usize::from(xid != WATCH_EVENT);
                at = end;
            }
            self.received.copy_within(at..self.filled, 0);
            self.filled -= at;
        }
        self.partly = replies % self.exchange.replies;
        Ok(replies / self.exchange.replies)
    }
}

/// Xid of a watch event.
const WATCH_EVENT: [u8; 4] = [0xff; 4];

fn end_of_frame(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..)?.first_chunk()?;
    Some(at + 4 + usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn refused(header: &[u8]) -> io::Error {
    let err = header.last_chunk().copied().map_or(0, i32::from_be_bytes);
    let name = error_name(err);
    io::Error::other(format!(
        "a request of the benchmark was refused: {name} ({err})"
    ))
}
