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
/// Longest body of an answer, in bytes: more than a tree of a million znodes.
const LONGEST_BODY: u64 = 1 << 30;
/// Header of every answer of a control API.
const VERSION_HEADER: &str = "minikeeper-version";

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
        if token
            .as_ref()
            .is_some_and(|token| token.contains(char::is_control))
        {
            return Err("the token has a control character".to_owned());
        }
        let is_v6 = host.ends_with(']');
        let host = match host.rsplit_once(':').filter(|_| !is_v6) {
            Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
            Some((_, port)) => return Err(format!("{url:?}: {port:?} is not a port")),
            None => format!("{host}:{DEFAULT_PORT}"),
        };
        Ok(Self { host, token })
    }

    /// Sends a request, and reads the whole answer.
    ///
    /// # Errors
    ///
    /// If the API cannot be reached, or its answer is not one of a control API, or incomplete.
    pub(super) fn call(&self, request: &Request) -> Result<Answer, String> {
        let (mut answer, body) = self.open(request)?;
        read_to_end(body, &mut answer.body).map_err(|error| self.failed(&error))?;
        Ok(answer)
    }

    /// Sends a request, and reads the head of the answer. The body of an error is read too.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub(super) fn open(&self, request: &Request) -> Result<(Answer, Box<dyn BufRead>), String> {
        let opened = self.send(request).and_then(read_head);
        let (status, body) = opened.map_err(|error| self.failed(&error))?;
        let mut answer = Answer {
            status,
            body: Vec::new(),
        };
        if status >= 400 {
            read_to_end(body, &mut answer.body).map_err(|error| self.failed(&error))?;
            return Ok((answer, Box::new(io::empty())));
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
    let mut is_ours = false;
    loop {
        let header = line(&mut reader)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let parsed = value.trim().parse::<u64>();
                length =
                    Some(parsed.map_err(|_| malformed("the length of the answer is no number"))?);
            }
            "transfer-encoding" => is_chunked = true,
            VERSION_HEADER => is_ours = true,
            _ => {}
        }
    }
    if !is_ours {
        return Err(malformed("the answer is not one of minikeeper"));
    }
    Ok((
        status,
        match length {
            _ if is_chunked => Box::new(BufReader::new(Chunks { reader, rest: 0 })),
            Some(length) => Box::new(BufReader::new(Exactly {
                reader,
                rest: length,
            })),
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

/// Reads a whole body. No answer is longer than [`LONGEST_BODY`].
fn read_to_end(body: impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let read = body.take(LONGEST_BODY).read_to_end(bytes)?;
    if read as u64 == LONGEST_BODY {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the answer is too long",
        ));
    }
    Ok(())
}

/// Body of a known length.
struct Exactly<R> {
    reader: R,
    /// Number of bytes that are still to come.
    rest: u64,
}

impl<R: BufRead> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_part(&mut self.reader, &mut self.rest, buffer)
    }
}

/// Reads some of the `rest` bytes that are still to come. The end of the connection before the last one is an error.
fn read_part(reader: &mut impl Read, rest: &mut u64, buffer: &mut [u8]) -> io::Result<usize> {
    let count = reader.take(*rest).read(buffer)?;
    if count == 0 && *rest > 0 && !buffer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    *rest -= count as u64;
    Ok(count)
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
        read_part(&mut self.reader, &mut self.rest, buffer)
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

    /// Answers one request with these bytes. Returns what a client makes of them.
    fn answered(bytes: &'static [u8]) -> Result<Vec<u8>, String> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = socket.read(&mut request).unwrap();
            socket.write_all(bytes).unwrap();
        });
        let client = Client::new(&address, None).unwrap();
        let answer = client.call(&Request::get("/v1".to_owned()));
        server.join().unwrap();
        answer.map(|answer| answer.body)
    }

    #[test]
    fn an_answer_that_is_foreign_or_incomplete_is_an_error() {
        let whole = b"HTTP/1.1 200 OK\r\nminikeeper-version: 1\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(answered(whole), Ok(b"{}".to_vec()));
        let short = b"HTTP/1.1 200 OK\r\nminikeeper-version: 1\r\nContent-Length: 9\r\n\r\n{}";
        assert!(answered(short).is_err());
        let length = b"HTTP/1.1 200 OK\r\nminikeeper-version: 1\r\nContent-Length: -4\r\n\r\n{}";
        assert!(answered(length).unwrap_err().contains("is no number"));
        let foreign = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert!(
            answered(foreign)
                .unwrap_err()
                .contains("not one of minikeeper")
        );
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
        assert_eq!(host("[::1]"), Ok("[::1]:80".to_owned()));
        assert!(host("https://zk:2180").is_err());
        assert!(host("zk:99999").is_err());
        assert!(Client::new("zk", Some("a\nb".to_owned())).is_err());
    }
}
