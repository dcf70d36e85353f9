//! Client of the recipes, with the knowledge of an application and no more. It sets its watches again when it
//! reconnects, as real clients do, and shares no code with the server.

use std::collections::{BTreeSet, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use minikeeper::SessionId;

use crate::client::{self, Event, Fields, Granted, NO_NODE, Reply, op};

pub(super) const EPHEMERAL: i32 = 1;
pub(super) const SEQUENTIAL: i32 = 2;

const SYNC: i32 = 9;
const SET_WATCHES_2: i32 = 105;
const SET_WATCHES_XID: i32 = -8;

/// Error of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection has ended, and the outcome of the request is unknown.
    Lost,
    /// The session has expired.
    Expired,
    /// The server returned this error code.
    Refused(i32),
}

pub(super) type Outcome<T> = Result<T, Trouble>;

/// Client with a session.
#[derive(Debug)]
pub(super) struct User {
    /// Known servers, the connected one first.
    servers: VecDeque<SocketAddr>,
    socket: TcpStream,
    granted: Granted,
    /// Last zxid that the client has seen.
    pub(super) last_zxid: i64,
    xid: i32,
    events: VecDeque<Event>,
    /// Paths of one-shot watches on existing and on missing znodes, and of persistent watches.
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    persistent: BTreeSet<String>,
}

impl User {
    /// Opens a session with the first of these servers.
    pub(super) fn connect(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let servers: VecDeque<SocketAddr> = servers.into_iter().collect();
        let (socket, granted) = open(servers[0], None, 0)
            .expect("the server answers")
            .expect("and grants a session");
        Self {
            servers,
            socket,
            granted,
            last_zxid: 0,
            xid: 0,
            events: VecDeque::new(),
            data: BTreeSet::new(),
            exist: BTreeSet::new(),
            persistent: BTreeSet::new(),
        }
    }

    pub(super) fn session(&self) -> SessionId {
        self.granted.session
    }

    /// Simulates a network failure.
    pub(super) fn lose_connection(&mut self) {
        // The connection may have ended already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Resumes the session on the next server that accepts it, and sets the watches again.
    pub(super) fn reconnect(&mut self) -> Outcome<()> {
        self.lose_connection();
        for _ in 0..=self.servers.len() {
            let tried = self.servers.pop_front();
            self.servers.extend(tried);
            match open(self.servers[0], Some(&self.granted), self.last_zxid) {
                Err(Trouble::Lost) => {}
                Err(trouble) => return Err(trouble),
                Ok(None) => return Err(Trouble::Expired),
                Ok(Some((socket, _))) => {
                    self.socket = socket;
                    return self.sets_watches();
                }
            }
        }
        Err(Trouble::Lost)
    }

    /// Opens a new session in place of the expired one.
    pub(super) fn begins_anew(&mut self) {
        *self = Self::connect(std::mem::take(&mut self.servers));
    }

    fn sets_watches(&mut self) -> Outcome<()> {
        if [&self.data, &self.exist, &self.persistent]
            .iter()
            .all(|paths| paths.is_empty())
        {
            return Ok(());
        }
        let body = [
            self.last_zxid.to_be_bytes().to_vec(),
            list(&self.data),
            list(&self.exist),
            list(&BTreeSet::new()),
            list(&self.persistent),
            list(&BTreeSet::new()),
        ];
        self.asks(SET_WATCHES_XID, SET_WATCHES_2, &body.concat())?;
        Ok(())
    }

    /// Creates a znode and returns its path, including a sequence number.
    pub(super) fn create(&mut self, path: &str, data: &[u8], flags: i32) -> Outcome<String> {
        let reply = self.ask(op::CREATE, &client::create(path, data, flags))?;
        Ok(Fields(&reply.body).text())
    }

    pub(super) fn delete(&mut self, path: &str) -> Outcome<()> {
        let any_version = (-1_i32).to_be_bytes();
        let body = [client::buffer(path.as_bytes()), any_version.to_vec()].concat();
        self.ask(op::DELETE, &body).map(|_| ())
    }

    pub(super) fn set(&mut self, path: &str, data: &[u8]) -> Outcome<()> {
        self.ask(op::SET_DATA, &client::set(path, data)).map(|_| ())
    }

    pub(super) fn get(&mut self, path: &str) -> Outcome<Vec<u8>> {
        self.data_of(path, false)
    }

    pub(super) fn get_and_watch(&mut self, path: &str) -> Outcome<Vec<u8>> {
        let data = self.data_of(path, true)?;
        self.data.insert(path.to_owned());
        Ok(data)
    }

    fn data_of(&mut self, path: &str, watch: bool) -> Outcome<Vec<u8>> {
        let reply = self.ask(op::GET_DATA, &client::read(path, watch))?;
        Ok(Fields(&reply.body).buffer().unwrap_or_default().to_vec())
    }

    /// Returns whether a znode exists, and sets a watch on it.
    pub(super) fn is_there(&mut self, path: &str) -> Outcome<bool> {
        match self.ask(op::EXISTS, &client::read(path, true)) {
            Ok(_) => {
                self.data.insert(path.to_owned());
                Ok(true)
            }
            Err(Trouble::Refused(NO_NODE)) => {
                self.exist.insert(path.to_owned());
                Ok(false)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Returns the names of the children, sorted.
    pub(super) fn children(&mut self, path: &str) -> Outcome<Vec<String>> {
        let reply = self.ask(op::GET_CHILDREN, &client::read(path, false))?;
        let mut fields = Fields(&reply.body);
        let mut names: Vec<String> = (0..fields.int()).map(|_| fields.text()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Sets a persistent watch.
    pub(super) fn watch_persistently(&mut self, path: &str) -> Outcome<()> {
        let persistent = 0_i32.to_be_bytes();
        let body = [client::buffer(path.as_bytes()), persistent.to_vec()].concat();
        self.ask(op::ADD_WATCH, &body)?;
        self.persistent.insert(path.to_owned());
        Ok(())
    }

    /// Lets the server catch up with the leader.
    pub(super) fn sync(&mut self) -> Outcome<()> {
        self.ask(SYNC, &client::buffer(b"/")).map(|_| ())
    }

    /// Waits for the next event.
    pub(super) fn next_event(&mut self) -> Outcome<Event> {
        while self.events.is_empty() {
            if let Some(reply) = self.receive()? {
                panic!("{reply:?} was not asked for");
            }
        }
        Ok(self.events.pop_front().expect("it is not empty"))
    }

    /// Returns the next event, if the server has sent one. A ping ensures that no wait is needed.
    pub(super) fn event_so_far(&mut self) -> Outcome<Option<Event>> {
        if self.events.is_empty() {
            self.asks(-2, op::PING, &[])?;
        }
        Ok(self.events.pop_front())
    }

    /// Returns whether the client can see the end of the connection without sending a request. For cut links, on which
    /// no message is on its way.
    pub(super) fn is_disconnected(&self) -> bool {
        self.socket.set_nonblocking(true).expect("it can be set");
        let seen = self.socket.peek(&mut [0]);
        self.socket.set_nonblocking(false).expect("it can be set");
        !matches!(seen, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    fn ask(&mut self, op: i32, body: &[u8]) -> Outcome<Reply> {
        self.xid += 1;
        self.asks(self.xid, op, body)
    }

    fn asks(&mut self, xid: i32, op: i32, body: &[u8]) -> Outcome<Reply> {
        let sent = self.socket.write_all(&client::request(xid, op, body));
        sent.map_err(|_| Trouble::Lost)?;
        loop {
            let Some(reply) = self.receive()? else {
                continue;
            };
            assert_eq!(reply.xid, xid, "the answer to another request");
            return match reply.error {
                0 => Ok(reply),
                code => Err(Trouble::Refused(code)),
            };
        }
    }

    /// Reads a reply; `None` if it was an event.
    fn receive(&mut self) -> Outcome<Option<Reply>> {
        let frame = read_frame(&mut self.socket)?;
        match client::message(&frame) {
            Err(reply) => {
                self.last_zxid = self.last_zxid.max(reply.zxid);
                Ok(Some(reply))
            }
            Ok(event) => {
                let (Event::Created(path)
                | Event::Deleted(path)
                | Event::Changed(path)
                | Event::Children(path)) = &event;
                self.data.remove(path);
                self.exist.remove(path);
                self.events.push_back(event);
                Ok(None)
            }
        }
    }
}

/// Requests a session, a new one or its own; `None` if it has expired.
fn open(
    server: SocketAddr,
    own: Option<&Granted>,
    last_zxid: i64,
) -> Outcome<Option<(TcpStream, Granted)>> {
    let mut socket = TcpStream::connect(server).map_err(|_| Trouble::Lost)?;
    client::with_deadline(&socket);
    let mut request = client::connect_request(client::TIMEOUT, own);
    request[8..16].copy_from_slice(&last_zxid.to_be_bytes());
    socket.write_all(&request).map_err(|_| Trouble::Lost)?;
    let frame = read_frame(&mut socket)?;
    Ok(client::grant(&frame).map(|granted| (socket, granted)))
}

fn read_frame(socket: &mut TcpStream) -> Outcome<Vec<u8>> {
    let lost = |error: std::io::Error| {
        let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_late, "nothing came in time");
        Trouble::Lost
    };
    let mut length = [0; 4];
    socket.read_exact(&mut length).map_err(lost)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame).map_err(lost)?;
    Ok(frame)
}

fn list(paths: &BTreeSet<String>) -> Vec<u8> {
    let number = i32::try_from(paths.len()).expect("a few");
    let paths = paths
        .iter()
        .flat_map(|path| client::buffer(path.as_bytes()));
    number.to_be_bytes().into_iter().chain(paths).collect()
}
