//! Client of the tests: blocking, over a plain socket, able to send any bytes. It shares no code with the server, so a
//! mistake of the server is not repeated here.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use minikeeper::SessionId;

/// Session timeout of a client that requests no other: the longest one, since a test may keep a client silent for long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(40);

/// Longest wait before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const PERSISTENT: i32 = 0;
pub(crate) const EPHEMERAL: i32 = 1;
pub(crate) const CONTAINER: i32 = 4;
pub(crate) const PERSISTENT_WITH_TTL: i32 = 5;

pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const PING: i32 = 11;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const CLOSE_SESSION: i32 = -11;
}

pub(crate) const NO_NODE: i32 = -101;
pub(crate) const NO_AUTH: i32 = -102;
pub(crate) const NODE_EXISTS: i32 = -110;

/// Change and path of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Created(String),
    Deleted(String),
    Changed(String),
    Children(String),
}

/// Reply to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) xid: i32,
    pub(crate) zxid: i64,
    pub(crate) error: i32,
    pub(crate) body: Vec<u8>,
}

/// Session that a server granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) timeout: Duration,
    pub(crate) session: SessionId,
    pub(crate) password: Vec<u8>,
}

/// Connection with a session.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    pub(crate) granted: Granted,
    xid: i32,
    events: VecDeque<Event>,
}

impl Client {
    /// Opens a session.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::with_timeout(address, TIMEOUT)
    }

    pub(crate) fn with_timeout(address: SocketAddr, timeout: Duration) -> Self {
        let mut socket = open(address);
        send(&mut socket, &connect_request(timeout, None));
        Self::granted(socket).expect("a session is granted")
    }

    /// Resumes a session, if it still exists.
    pub(crate) fn resume(address: SocketAddr, granted: &Granted) -> Option<Self> {
        let mut socket = open(address);
        let request = connect_request(TIMEOUT, Some(granted));
        send(&mut socket, &request);
        Self::granted(socket)
    }

    /// Reads the reply to a connect request.
    pub(crate) fn granted(mut socket: TcpStream) -> Option<Self> {
        let frame = receive(&mut socket);
        let Some(granted) = grant(&frame) else {
            receive_end(&mut socket);
            return None;
        };
        Some(Self {
            socket,
            granted,
            xid: 0,
            events: VecDeque::new(),
        })
    }

    pub(crate) fn session(&self) -> SessionId {
        self.granted.session
    }

    /// Sends a request without waiting, and returns its xid.
    pub(crate) fn send(&mut self, op: i32, body: &[u8]) -> i32 {
        self.xid = match op {
            op::PING => -2,
            op::AUTH => -4,
            _ => self.xid.max(0) + 1,
        };
        send(&mut self.socket, &request(self.xid, op, body));
        self.xid
    }

    /// Returns the next reply, and stores the events before it.
    pub(crate) fn receive(&mut self) -> Reply {
        loop {
            let frame = receive(&mut self.socket);
            match message(&frame) {
                Ok(event) => self.events.push_back(event),
                Err(reply) => return reply,
            }
        }
    }

    /// Sends a request and returns its reply.
    pub(crate) fn ask(&mut self, op: i32, body: &[u8]) -> Reply {
        let xid = self.send(op, body);
        let reply = self.receive();
        assert_eq!(reply.xid, xid, "the answer to another request");
        reply
    }

    /// Sends a request and returns its reply, which must not be an error.
    pub(crate) fn ask_ok(&mut self, op: i32, body: &[u8]) -> Reply {
        let reply = self.ask(op, body);
        assert_eq!(reply.error, 0, "operation {op} was refused");
        reply
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8], flags: i32) -> Reply {
        self.ask(op::CREATE, &create(path, data, flags))
    }

    pub(crate) fn set(&mut self, path: &str, data: &[u8]) -> Reply {
        self.ask(op::SET_DATA, &set(path, data))
    }

    pub(crate) fn exists(&mut self, path: &str, watch: bool) -> Reply {
        self.ask(op::EXISTS, &read(path, watch))
    }

    pub(crate) fn data(&mut self, path: &str, watch: bool) -> Vec<u8> {
        let reply = self.ask_ok(op::GET_DATA, &read(path, watch));
        Fields(&reply.body).buffer().expect("not null").to_vec()
    }

    pub(crate) fn ping(&mut self) {
        self.ask_ok(op::PING, &[]);
    }

    /// Returns the next event.
    pub(crate) fn event(&mut self) -> Event {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        let frame = receive(&mut self.socket);
        message(&frame).unwrap_or_else(|reply| panic!("{reply:?} instead of an event"))
    }

    /// Asserts that no unsolicited message has arrived.
    pub(crate) fn assert_no_bytes(&mut self) {
        self.ping();
        assert_eq!(self.events, []);
    }

    /// Waits until the server closes the connection without sending anything else.
    pub(crate) fn ends(mut self) {
        assert_eq!(self.events, []);
        receive_end(&mut self.socket);
    }

    pub(crate) fn close(mut self) {
        self.ask_ok(op::CLOSE_SESSION, &[]);
        self.ends();
    }
}

/// Opens a socket whose reads and writes fail after the deadline.
pub(crate) fn open(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the server listens");
    with_deadline(&socket);
    socket
}

/// Returns whether no socket listens at the address.
pub(crate) fn refuses(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

pub(crate) fn with_deadline(socket: &TcpStream) {
    socket
        .set_read_timeout(Some(DEADLINE))
        .expect("a timeout can be set");
    socket
        .set_write_timeout(Some(DEADLINE))
        .expect("a timeout can be set");
    socket.set_nodelay(true).expect("it can be set");
}

pub(crate) fn send(socket: &mut TcpStream, bytes: &[u8]) {
    socket.write_all(bytes).expect("the server reads");
}

/// Reads the next frame, without its length.
pub(crate) fn receive(socket: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).expect("a frame comes");
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame).expect("the frame is whole");
    frame
}

/// Reads everything up to the end of the connection.
pub(crate) fn receive_rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => {}
        // A socket that is closed with unread bytes is reset.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no end: {error}"),
    }
    rest
}

pub(crate) fn receive_end(socket: &mut TcpStream) {
    let rest = receive_rest(socket);
    assert!(rest.is_empty(), "something before the end: {rest:?}");
}

/// Session that a server grants in reply to a connect request, if it does.
pub(crate) fn grant(frame: &[u8]) -> Option<Granted> {
    let mut fields = Fields(frame);
    assert_eq!(fields.int(), 0, "the protocol's version");
    let timeout_ms = fields.int();
    let session = SessionId(fields.long());
    let password = fields.buffer().expect("a password").to_vec();
    assert_eq!(fields.0, [0], "not read-only");
    if timeout_ms == 0 {
        assert_eq!(session, SessionId(0));
        assert!(password.iter().all(|byte| *byte == 0));
        return None;
    }
    Some(Granted {
        timeout: Duration::from_millis(u64::try_from(timeout_ms).expect("no negative timeout")),
        session,
        password,
    })
}

/// Decodes an event, or else a reply.
pub(crate) fn message(frame: &[u8]) -> Result<Event, Reply> {
    let mut fields = Fields(frame);
    let (xid, zxid, error) = (fields.int(), fields.long(), fields.int());
    if xid != -1 {
        let body = fields.0.to_vec();
        return Err(Reply {
            xid,
            zxid,
            error,
            body,
        });
    }
    let (kind, state) = (fields.int(), fields.int());
    assert_eq!(state, 3, "the state of an event");
    let path = fields.text();
    assert!(fields.0.is_empty(), "behind an event");
    Ok(match kind {
        1 => Event::Created(path),
        2 => Event::Deleted(path),
        3 => Event::Changed(path),
        4 => Event::Children(path),
        other => panic!("an event of type {other}"),
    })
}

/// Splits received bytes into frames. An incomplete frame at the end is dropped.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>()
        && let Some((frame, behind)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)
    {
        frames.push(frame);
        bytes = behind;
    }
    frames
}

/// Frame with this content.
pub(crate) fn framed(content: &[u8]) -> Vec<u8> {
    let length = i32::try_from(content.len()).expect("a short frame");
    [&length.to_be_bytes()[..], content].concat()
}

pub(crate) fn request(xid: i32, op: i32, body: &[u8]) -> Vec<u8> {
    framed(&[&xid.to_be_bytes()[..], &op.to_be_bytes()[..], body].concat())
}

pub(crate) fn connect_request(timeout: Duration, granted: Option<&Granted>) -> Vec<u8> {
    let timeout_ms = i32::try_from(timeout.as_millis()).expect("a short timeout");
    let session = granted.map_or(0, |granted| granted.session.0);
    let password = granted.map_or(&[0; 16][..], |granted| &granted.password);
    framed(
        &[
            &0_i32.to_be_bytes()[..],
            &0_i64.to_be_bytes()[..],
            &timeout_ms.to_be_bytes()[..],
            &session.to_be_bytes()[..],
            &buffer(password)[..],
            &[0][..],
        ]
        .concat(),
    )
}

/// Buffer or string: both are bytes after their length.
pub(crate) fn buffer(bytes: &[u8]) -> Vec<u8> {
    framed(bytes)
}

pub(crate) fn read(path: &str, watch: bool) -> Vec<u8> {
    [buffer(path.as_bytes()), vec![u8::from(watch)]].concat()
}

pub(crate) fn set(path: &str, data: &[u8]) -> Vec<u8> {
    let any_version = (-1_i32).to_be_bytes();
    [buffer(path.as_bytes()), buffer(data), any_version.to_vec()].concat()
}

pub(crate) fn create(path: &str, data: &[u8], flags: i32) -> Vec<u8> {
    [
        buffer(path.as_bytes()),
        buffer(data),
        acl(31, "world", "anyone"),
        flags.to_be_bytes().to_vec(),
    ]
    .concat()
}

/// List of one entry.
pub(crate) fn acl(permissions: i32, scheme: &str, id: &str) -> Vec<u8> {
    [
        1_i32.to_be_bytes().to_vec(),
        permissions.to_be_bytes().to_vec(),
        buffer(scheme.as_bytes()),
        buffer(id.as_bytes()),
    ]
    .concat()
}

/// Reader of one field after another.
#[derive(Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    pub(crate) fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    pub(crate) fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    pub(crate) fn buffer(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.int()).ok()?;
        Some(self.take(length))
    }

    pub(crate) fn text(&mut self) -> String {
        let bytes = self.buffer().expect("not null").to_vec();
        String::from_utf8(bytes).expect("text")
    }
}
