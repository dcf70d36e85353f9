//! A plain HTTP client: one connection, requests as text.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use minikeeper_http::Control;
use serde_json::Value;

/// Time after which a test fails instead of waiting for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a control API.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&self.body));
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Client {
    pub(crate) fn of(control: &Control) -> Self {
        Self::at(control.address())
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the API listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("it can be set");
        stream.set_nodelay(true).expect("it can be set");
        Self {
            stream: BufReader::new(stream),
            host: address.to_string(),
        }
    }

    /// Calls a route below `/v1`, and returns the status and the body.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.send(method, path, &[], body.to_string().as_bytes());
        (answer.status, answer.json())
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, &serde_json::json!({}));
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(crate) fn post(&mut self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call("POST", path, &body);
        assert!(matches!(status, 200 | 201), "POST {path} {body}: {answer}");
        answer
    }

    pub(crate) fn delete(&mut self, path: &str) -> Value {
        let (status, body) = self.call("DELETE", path, &serde_json::json!({}));
        assert_eq!(status, 200, "DELETE {path}: {body}");
        body
    }

    /// Starts a server, and returns its path.
    pub(crate) fn server(&mut self, description: Value) -> String {
        let server = self.post("/servers", description);
        format!("/servers/{}", server["id"].as_str().expect("it has an id"))
    }

    /// Returns the error of a request that must be refused with a status.
    pub(crate) fn refused(&mut self, status: u16, method: &str, path: &str, body: Value) -> String {
        let (found, answer) = self.call(method, path, &body);
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        let error = &answer["error"];
        format!(
            "{}: {}; {}",
            error["code"].as_str().expect("it has a code"),
            error["message"].as_str().expect("it has a message"),
            error["hint"].as_str().unwrap_or("no hint")
        )
    }

    /// Sends a request with JSON and more headers.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Answer {
        let mut head = format!(
            "{method} /v1{path} HTTP/1.1\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, default) in [
            ("Host", self.host.as_str()),
            ("Content-Type", "application/json"),
        ] {
            if !headers.iter().any(|header| header.starts_with(name)) {
                head += &format!("{name}: {default}\r\n");
            }
        }
        for header in headers.iter().filter(|header| !header.ends_with(": -")) {
            head += &format!("{header}\r\n");
        }
        head += "\r\n";
        self.write(&[head.as_bytes(), body].concat());
        self.answer().expect("the API answers")
    }

    /// Sends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // A server that has closed the connection already is seen when the answer is read.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Reads an answer; `None` if the connection ends before it.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line()?.split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, length)| length.parse().expect("it is a number"));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some(Answer {
            status,
            headers,
            body,
        })
    }

    /// Reads one line; `None` at the end of the connection.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.stream.read_line(&mut line).ok()?;
        (count > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = self.stream.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }
}
