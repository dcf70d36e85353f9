//! A blocking HTTP client: one request, one answer, one connection.

use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;

use super::request::Request;

/// Client of one control API.
pub(super) struct Client {
    /// Host and port, as in `Host`.
    host: String,
    token: Option<String>,
}

/// Answer of the API.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Empty for a stream.
    pub(super) body: Vec<u8>,
}

/// Longest line of a head, in bytes.
const LONGEST_LINE: u64 = 64 << 10;
const DEFAULT_PORT: u16 = 80;

impl Client {
    /// Makes a client from `http://HOST:PORT`, or from `HOST:PORT`.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme or a path.
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self, String> {
        let host = url.strip_prefix("http://").unwrap_or(url);
        let host = host.trim_end_matches('/');
        if host.is_empty() || host.contains(['/', '@', ' ']) || host.contains(char::is_control) {
            return Err(format!(
                "{url:?} is not the URL of a control API; use http://HOST:PORT"
            ));
        }
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port {
            host.to_owned()
        } else {
            format!("{host}:{DEFAULT_PORT}")
        };
        Ok(Self { host, token })
    }

    /// Sends a request, and reads the whole answer.
    ///
    /// # Errors
    ///
    /// If the API cannot be reached, or its answer is no HTTP.
    pub(super) fn call(&self, request: &Request) -> Result<Answer, String> {
        let (mut answer, mut body) = self.open(request)?;
        body.read_to_end(&mut answer.body)
            .map_err(|error| self.failed(&error))?;
        Ok(answer)
    }

    /// Sends a request, and reads the head of the answer. The body of an error is read too.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub(super) fn open(&self, request: &Request) -> Result<(Answer, Box<dyn BufRead>), String> {
        let opened = self.send(request).and_then(read_head);
        let (status, mut body) = opened.map_err(|error| self.failed(&error))?;
        let mut answer = Answer {
            status,
            body: Vec::new(),
        };
        if status >= 400 {
            body.read_to_end(&mut answer.body)
                .map_err(|error| self.failed(&error))?;
        }
        Ok((answer, body))
    }

    fn failed(&self, error: &io::Error) -> String {
        let host = &self.host;
        format!(
            "cannot reach the control API at http://{host}: {error}; \
             start one with `minikeeper control`, or name it with --control URL"
        )
    }

    fn send(&self, request: &Request) -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect(&self.host)?;
        let Request { method, path, body } = request;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n",
            self.host,
            body.len()
        );
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        head += "\r\n";
        socket.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        Ok(socket)
    }
}

/// Reads the head of an answer; returns the status and the body.
fn read_head(socket: TcpStream) -> io::Result<(u16, Box<dyn BufRead>)> {
    let malformed = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut reader = BufReader::new(socket);
    let status = line(&mut reader)?;
    let status = status
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| malformed("the answer is not HTTP"))?;
    let mut length = None;
    let mut is_chunked = false;
    loop {
        let header = line(&mut reader)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok(),
            "transfer-encoding" => is_chunked = true,
            _ => {}
        }
    }
    Ok((
        status,
        match length {
            _ if is_chunked => Box::new(BufReader::new(Chunks { reader, rest: 0 })),
            Some(length) => Box::new(reader.take(length)),
            None => Box::new(reader),
        },
    ))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.take(LONGEST_LINE).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// Body in chunks.
struct Chunks<R> {
    reader: R,
    /// Rest of the present chunk, in bytes.
    rest: u64,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest == 0 {
            let mut size = line(&mut self.reader)?;
            if size.is_empty() {
                // The end of the chunk before.
                size = line(&mut self.reader)?;
            }
            let digits = size.split(';').next().unwrap_or_default();
            self.rest = u64::from_str_radix(digits.trim(), 16)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if self.rest == 0 {
                return Ok(0);
            }
        }
        let count = (&mut self.reader).take(self.rest).read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.rest -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_chunks_is_joined() {
        let text: &[u8] = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let mut body = String::new();
        Chunks {
            reader: text,
            rest: 0,
        }
        .read_to_string(&mut body)
        .unwrap();
        assert_eq!(body, "abcde");
    }

    #[test]
    fn a_url_is_a_host_and_a_port() {
        let host = |url| Client::new(url, None).map(|client| client.host);
        assert_eq!(
            host("http://127.0.0.1:2180/"),
            Ok("127.0.0.1:2180".to_owned())
        );
        assert_eq!(host("localhost:1"), Ok("localhost:1".to_owned()));
        assert_eq!(host("http://zk"), Ok("zk:80".to_owned()));
        assert!(host("https://zk:2180").is_err());
    }
}
