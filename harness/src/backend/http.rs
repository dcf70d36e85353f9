//! Requests to the AdminServer and to the metrics, each on a connection of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// HTTP server of a ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpServer {
    /// The AdminServer.
    Admin,
    /// The metrics for Prometheus.
    Metrics,
}

/// Request of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method, such as `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header `Authorization`.
    pub authorization: Option<String>,
}

impl HttpRequest {
    /// Returns the server that the path belongs to.
    #[must_use]
    pub fn server(&self) -> HttpServer {
        if self.path.starts_with("/metrics") {
            HttpServer::Metrics
        } else {
            HttpServer::Admin
        }
    }
}

/// Answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status, such as 200.
    pub status: u16,
    /// Headers, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// Returns the value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// Sends a request and returns the answer.
///
/// # Errors
///
/// If nothing listens, or if the answer is not one of HTTP or does not end in time.
pub fn http(address: SocketAddr, request: &HttpRequest) -> io::Result<HttpAnswer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let HttpRequest {
        method,
        path,
        authorization,
    } = request;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
    );
    if let Some(authorization) = authorization {
        head += &format!("Authorization: {authorization}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| io::Error::other("the answer is not one of HTTP"))
}

fn parse(bytes: &[u8]) -> Option<HttpAnswer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let mut answer = HttpAnswer {
        status,
        headers: headers.collect(),
        body: Vec::new(),
    };
    let rest = bytes.get(end + 4..)?;
    // An answer to HEAD names the coding of the body that it does not have.
    answer.body = match answer.header("transfer-encoding") {
        Some("chunked") if !rest.is_empty() => dechunked(rest)?,
        Some(_) | None => rest.to_vec(),
    };
    Some(answer)
}

/// Joins the pieces of a body that came in chunks.
fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = std::str::from_utf8(rest.get(..end)?).ok()?;
        let length = usize::from_str_radix(length.split(';').next()?, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let begin = end + 2;
        body.extend_from_slice(rest.get(begin..begin + length)?);
        rest = rest.get(begin + length + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_has_a_status_headers_and_a_body() {
        let answer = parse(b"HTTP/1.1 401 Unauthorized\r\nLast_Zxid: 0x4\r\n\r\nbody\r\n\r\n");
        let answer = answer.expect("it is one of HTTP");
        assert_eq!(
            (answer.status, answer.header("last_zxid")),
            (401, Some("0x4"))
        );
        assert_eq!(answer.body, b"body\r\n\r\n");
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n"), None);
    }

    #[test]
    fn chunks_are_joined() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = parse(format!("{head}3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n").as_bytes());
        assert_eq!(answer.expect("it is one of HTTP").body, b"abcd");
    }
}
