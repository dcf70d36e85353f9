//! A client on a blocking socket, with the small overhead that a benchmark needs.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{
    ConnectRequest, ConnectResponse, Malformed, Reader, Reply, ReplyHeader, Request, reply::Answer,
};

/// A session on a blocking socket.
#[derive(Debug)]
pub struct BlockingClient {
    stream: TcpStream,
    session: ConnectResponse,
    last_xid: i32,
}

impl BlockingClient {
    /// Opens a connection and creates a session.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection or the session is refused.
    pub fn connect(address: &str, request: &ConnectRequest) -> io::Result<Self> {
        Self::on(TcpStream::connect(address)?, request)
    }

    /// Opens a connection and creates a session, with a time limit for every read.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`BlockingClient::connect`]. This call and every later one also fail after the
    /// time limit.
    pub fn connect_within(
        patience: Duration,
        address: &str,
        request: &ConnectRequest,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(patience))?;
        Self::on(stream, request)
    }

    fn on(mut stream: TcpStream, request: &ConnectRequest) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.write_all(&request.encode().0)?;
        let frame = read_frame(&mut stream)?;
        let (session, _) = ConnectResponse::decode(&frame).map_err(invalid)?;
        Ok(Self {
            stream,
            session,
            last_xid: 0,
        })
    }

    /// The server's response to the connect request.
    #[must_use]
    pub fn session(&self) -> &ConnectResponse {
        &self.session
    }

    /// Sends a request and waits for its reply, which must be the next frame: no watch may fire in between.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ends or another frame arrives.
    pub fn call(&mut self, request: &Request) -> io::Result<Reply> {
        self.last_xid += 1;
        self.stream.write_all(&request.encode(self.last_xid).0)?;
        self.read(self.last_xid, request)
    }

    /// Sends requests in one write and waits for as many replies, in order.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`BlockingClient::call`].
    pub fn call_all(&mut self, requests: &[Request]) -> io::Result<Vec<Reply>> {
        let first = self.last_xid + 1;
        let mut bytes = Vec::new();
        for request in requests {
            self.last_xid += 1;
            bytes.extend(request.encode(self.last_xid).0);
        }
        self.stream.write_all(&bytes)?;
        let replies = (first..).zip(requests);
        replies
            .map(|(xid, request)| self.read(xid, request))
            .collect()
    }

    fn read(&mut self, xid: i32, request: &Request) -> io::Result<Reply> {
        let frame = read_frame(&mut self.stream)?;
        let mut reader = Reader::new(&frame).map_err(invalid)?;
        let header = ReplyHeader::decode(&mut reader).map_err(invalid)?;
        if header.xid != xid {
            return Err(io::Error::other(format!(
                "xid {} instead of {xid}",
                header.xid
            )));
        }
        let answer = Answer::decode(request.op(), header.err, &mut reader).map_err(invalid)?;
        reader.finish().map_err(invalid)?;
        Ok(Reply { header, answer })
    }

    /// Returns the socket, for callers that send precomputed frames.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

/// Reads the next frame, including its length prefix.
///
/// # Errors
///
/// Returns an error if the connection ends within the frame.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame)?;
    let length = frame.first_chunk().copied().map_or(0, u32::from_be_bytes);
    stream.take(u64::from(length)).read_to_end(&mut frame)?;
    if u64::try_from(frame.len()).is_ok_and(|read| read == u64::from(length) + 4) {
        Ok(frame)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn invalid(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
