//! The control API: servers over HTTP, and the stream of a journal.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::of_binary;
use super::start::milliseconds;
use crate::bench::child::ChildServer;
use crate::bench::report::Row;
use crate::bench::system::resident_mb;
use crate::client::{BlockingClient, ConnectRequest, Request};

/// Number of servers of which the time is the median.
const SERVERS: usize = 501;
/// Number of servers after which nothing may remain.
const MANY: usize = 10_000;
/// Number of requests that the stream shows.
const REQUESTS: usize = 20_000;

/// A connection to a control API.
struct Http {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Http {
    fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: address.to_owned(),
        })
    }

    /// Sends a request, and reads the answer.
    fn call(&mut self, method: &str, path: &str, body: &str) -> io::Result<Value> {
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", number)) => {
                    length = number.parse().map_err(io::Error::other)?;
                }
                Some(_) => {}
                None if line.starts_with("HTTP/1.1 2") => {}
                None if line.trim_end().is_empty() && !line.is_empty() => break,
                None => return Err(io::Error::other(format!("{method} {path}: {line}"))),
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        serde_json::from_slice(&body).map_err(io::Error::other)
    }

    /// Starts a server, and returns its id and its address.
    fn create(&mut self) -> io::Result<(String, String)> {
        let created = self.call("POST", "servers", "{}")?;
        let text = |name: &str| {
            let value = created.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Ok((text("id"), text("connect_string")))
    }

    fn delete(&mut self, id: &str) -> io::Result<Value> {
        self.call("DELETE", &format!("servers/{id}"), "")
    }
}

/// Starts the binary with the control API and no server.
fn process(binary: &Path) -> io::Result<ChildServer> {
    let mut command = Command::new(binary);
    ChildServer::start(command.args(["control", "127.0.0.1:0", "--log", "off"]))
}

pub(in crate::bench) fn control() -> io::Result<Row> {
    let row = Row::new("control", "a server over HTTP: create and delete");
    of_binary(row, measure_servers)
}

fn measure_servers(row: &mut Row, binary: &Path) -> io::Result<()> {
    let process = process(binary)?;
    let mut http = Http::connect(&process.address)?;
    let mut times = Vec::new();
    for _ in 0..SERVERS {
        let start = Instant::now();
        let (id, _) = http.create()?;
        http.delete(&id)?;
        times.push(milliseconds(start.elapsed()));
    }
    let median = row.value("minikeeper", "ms", times);
    row.at_most(median, 1.5, "ms");
    let before = resident_mb(process.pid()).unwrap_or(f64::NAN);
    for _ in 0..MANY {
        let (id, address) = http.create()?;
        let mut client = BlockingClient::connect(&address, &ConnectRequest::new(10_000))?;
        client.call(&Request::CloseSession)?;
        http.delete(&id)?;
    }
    let after = resident_mb(process.pid()).unwrap_or(f64::NAN);
    let more = "memory after 10,000 more servers, each with a session";
    let grown = row.value(more, "MB more", vec![after - before]);
    row.at_most(grown, 5.0, "MB more");
    let rest = http.call("GET", "servers", "")?;
    if rest.get("servers").and_then(Value::as_array) != Some(&Vec::new()) {
        return Err(io::Error::other(format!("servers remain: {rest}")));
    }
    Ok(())
}

pub(in crate::bench) fn stream() -> io::Result<Row> {
    let row = Row::new(
        "stream",
        "the journal, followed over HTTP while a client reads",
    );
    of_binary(row, measure_stream)
}

fn measure_stream(row: &mut Row, binary: &Path) -> io::Result<()> {
    let process = process(binary)?;
    let mut http = Http::connect(&process.address)?;
    let (id, address) = http.create()?;
    let mut client = BlockingClient::connect(&address, &ConnectRequest::new(40_000))?;
    let mut stream = TcpStream::connect(&process.address)?;
    // The body of HTTP/1.0 has no chunks.
    let path = format!("/v1/servers/{id}/journal/stream");
    stream.write_all(
        format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", process.address).as_bytes(),
    )?;
    let mut lines = BufReader::new(stream).lines();
    // The stream has begun when its head is there.
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    let start = Instant::now();
    let writer = std::thread::spawn(move || {
        let read = Request::GetData {
            path: "/".to_owned(),
            watch: false,
        };
        (0..REQUESTS).try_for_each(|_| client.call(&read).map(drop))
    });
    // A request and a reply each.
    let (mut entries, mut gaps) = (0_usize, 0_usize);
    for line in lines {
        let line = line?;
        entries += usize::from(line.starts_with("id: "));
        gaps += usize::from(line.starts_with("event: skipped"));
        // After a gap, so many entries never come.
        if gaps > 0 || entries >= 2 * REQUESTS {
            break;
        }
    }
    if gaps == 0 && entries < 2 * REQUESTS {
        let message = format!("the stream ended after {entries} entries");
        return Err(io::Error::other(message));
    }
    let seconds = start.elapsed().as_secs_f64();
    let written = writer.join();
    written.unwrap_or_else(|_| Err(io::Error::other("the client panicked")))?;
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let (entries, gaps) = (entries as f64, gaps as f64);
    let rate = row.value("minikeeper", "entries/s", vec![entries / seconds]);
    row.at_least(rate, 10_000.0, "entries/s");
    row.at_most(gaps, 1.0, "gaps");
    Ok(())
}
