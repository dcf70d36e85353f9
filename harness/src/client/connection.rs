//! A connection over any stream.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::record::{Malformed, Reader};
use super::reply::{Answer, ConnectResponse, Event, Reply, ReplyHeader};
use super::request::{ConnectRequest, Request, WATCH_EVENT_XID};

/// Reason why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server closed the connection within a frame.
    #[error("the server closed the connection after {0} bytes of a frame")]
    CutShort(usize),
    /// The length prefix of a frame is negative or exceeds the maximum.
    #[error("invalid frame length: {0} bytes")]
    BadLength(i32),
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The server sent bytes that a strict client refuses.
    #[error("malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A reply to an xid that is not outstanding.
    #[error("a reply to xid {0}, which no request has")]
    StrayReply(i32),
}

/// Maximum frame length, in bytes. A longer frame would be a list of a million children.
const LONGEST_FRAME: usize = 64 << 20;

/// A decoded frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The answer to a request.
    Reply(Reply),
    /// A watch event.
    Event(Event),
}

/// A connection to a server.
///
/// ```no_run
/// # async fn example() -> Result<(), minikeeper_harness::client::ClientError> {
/// use minikeeper_harness::client::{Client, ConnectRequest, Request};
///
/// let mut client = Client::open("127.0.0.1:2181").await?;
/// client.connect(&ConnectRequest::new(4000)).await?;
/// let reply = client.call(&Request::Exists { path: "/a".to_owned(), watch: true }).await?;
/// assert_eq!(reply.header.err, -101);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    received: Vec<u8>,
    last_xid: i32,
    /// Outstanding requests, as xid and operation.
    pending: VecDeque<(i32, i32)>,
    events: VecDeque<Event>,
}

impl Client<TcpStream> {
    /// Opens a TCP connection and sends nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is refused.
    pub async fn open(address: &str) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::new(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Creates a client on a stream on which nothing has been sent yet.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
            last_xid: 0,
            pending: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Sends a connect request and reads the response.
    ///
    /// # Errors
    ///
    /// Returns an error if the server closes the connection or sends a malformed response.
    pub async fn connect(
        &mut self,
        request: &ConnectRequest,
    ) -> Result<ConnectResponse, ClientError> {
        self.send_bytes(&request.encode().0).await?;
        let frame = self.frame().await?;
        Ok(ConnectResponse::decode(&frame)?.0)
    }

    /// Sends a request under the xid of an ordinary client and returns the xid.
    ///
    /// # Errors
    ///
    /// Returns an error if the write fails.
    pub async fn send(&mut self, request: &Request) -> Result<i32, ClientError> {
        let xid = self.next_xid(request);
        self.send_as(xid, request).await?;
        Ok(xid)
    }

    /// Returns the xid that an ordinary client would give to this request, and advances the counter.
    pub fn next_xid(&mut self, request: &Request) -> i32 {
        request.special_xid().unwrap_or_else(|| {
            self.last_xid += 1;
            self.last_xid
        })
    }

    /// Sends a request under any xid.
    ///
    /// # Errors
    ///
    /// Returns an error if the write fails.
    pub async fn send_as(&mut self, xid: i32, request: &Request) -> Result<(), ClientError> {
        self.expect_reply(xid, request.op());
        self.send_bytes(&request.encode(xid).0).await
    }

    /// Sends raw bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the write fails.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Registers an xid and operation, so that the reply to a request sent by [`Client::send_bytes`] can be
    /// decoded.
    pub fn expect_reply(&mut self, xid: i32, op: i32) {
        self.pending.push_back((xid, op));
    }

    /// Sends a request and reads up to its reply. Events that arrive before it are queued for
    /// [`Client::event`].
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ends before the reply, or the server sends malformed bytes.
    pub async fn call(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.send(request).await?;
        loop {
            match self.receive().await? {
                Message::Reply(reply) => return Ok(reply),
                Message::Event(event) => self.events.push_back(event),
            }
        }
    }

    /// Returns the events that arrived with earlier replies and were not taken yet, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// Returns the next event, which may have arrived already.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ends first, or a reply arrives that no [`Client::call`] waits for.
    pub async fn event(&mut self) -> Result<Event, ClientError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        match self.receive().await? {
            Message::Event(event) => Ok(event),
            Message::Reply(reply) => Err(ClientError::StrayReply(reply.header.xid)),
        }
    }

    /// Reads the next reply or event.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ends first, or the server sends malformed bytes.
    pub async fn receive(&mut self) -> Result<Message, ClientError> {
        let frame = self.frame().await?;
        self.understand(&frame).map(|(message, _)| message)
    }

    /// Decodes a frame and returns the message and its fields.
    ///
    /// # Errors
    ///
    /// Returns an error if the frame is malformed or answers no outstanding request.
    pub fn understand(
        &mut self,
        frame: &[u8],
    ) -> Result<(Message, Vec<super::Field>), ClientError> {
        let mut reader = Reader::new(frame)?;
        let header = ReplyHeader::decode(&mut reader)?;
        let place = self.pending.iter().position(|&(xid, _)| xid == header.xid);
        let message = match place.and_then(|place| self.pending.remove(place)) {
            Some((_, op)) => {
                let answer = Answer::decode(op, header.err, &mut reader)?;
                Message::Reply(Reply { header, answer })
            }
            None if header.xid == WATCH_EVENT_XID => {
                Message::Event(Event::decode(header, &mut reader)?)
            }
            None => return Err(ClientError::StrayReply(header.xid)),
        };
        Ok((message, reader.finish()?))
    }

    /// Reads the next frame, including its length prefix. Cancellation loses no bytes: the next call continues.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection ends within the frame.
    pub async fn frame(&mut self) -> Result<Vec<u8>, ClientError> {
        loop {
            if let Some(length) = self.received.first_chunk::<4>() {
                let said = i32::from_be_bytes(*length);
                let length = usize::try_from(said).unwrap_or(usize::MAX);
                if length > LONGEST_FRAME {
                    return Err(ClientError::BadLength(said));
                }
                if self.received.len() >= length + 4 {
                    let rest = self.received.split_off(length + 4);
                    return Ok(std::mem::replace(&mut self.received, rest));
                }
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) if self.received.is_empty() => return Err(ClientError::Closed),
                Ok(0) => return Err(ClientError::CutShort(self.received.len())),
                // A server that closes a connection with unread requests resets it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ClientError::Closed);
                }
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Closes the sending half, as a client does that disappears without closing its session.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket is already closed.
    pub async fn shutdown(&mut self) -> Result<(), ClientError> {
        Ok(self.stream.shutdown().await?)
    }
}
