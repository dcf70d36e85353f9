//! The few requests that the tests of the binary make: a small client, which knows nothing of the server's code.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);
const CREATE: i32 = 1;
const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const GET_ACL: i32 = 6;
const MULTI: i32 = 14;

/// The part of a stat that tests look at.
pub(crate) struct Stat {
    pub(crate) owner: i64,
}

/// One session on one connection.
pub(crate) struct Client {
    socket: TcpStream,
    /// Its number and its password, as the server gave them.
    session: Vec<u8>,
    xid: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::with_session(address, &[0; 8 + 4 + 16])
    }

    /// The number of its session as the log writes it.
    pub(crate) fn session(&self) -> String {
        let number = self
            .session
            .first_chunk()
            .expect("it begins with its number");
        format!("{:#x}", i64::from_be_bytes(*number))
    }

    /// Says nothing until the server closes the connection.
    pub(crate) fn wait_for_the_end(mut self) {
        let mut rest = Vec::new();
        self.socket
            .read_to_end(&mut rest)
            .expect("the server closes it in time");
    }

    /// Comes back with the session of another connection.
    pub(crate) fn resume(&self, address: SocketAddr) -> Self {
        Self::with_session(address, &self.session)
    }

    fn with_session(address: SocketAddr, session: &[u8]) -> Self {
        let socket = TcpStream::connect_timeout(&address, DEADLINE).expect("it listens");
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("a deadline can be set");
        let mut client = Self {
            socket,
            session: Vec::new(),
            xid: 0,
        };
        let mut request = vec![0; 4 + 8];
        request.extend(30_000_i32.to_be_bytes());
        request.extend(session);
        client.send(&request);
        let answer = client.receive();
        client.session = answer
            .get(8..8 + 8 + 4 + 16)
            .expect("it is a session")
            .to_vec();
        client
    }

    /// Whether the server has given the session that was asked for.
    pub(crate) fn has_session_of(&self, other: &Self) -> bool {
        self.session == other.session
    }

    /// Creates a znode that everybody may use, ephemeral or not.
    pub(crate) fn create(&mut self, path: &str, data: &[u8], ephemeral: bool) {
        let body = create(path, data, ephemeral);
        self.request(CREATE, &body).expect("it can be created");
    }

    /// Both at once.
    pub(crate) fn multi_create_and_delete(&mut self, created: &str, deleted: &str) {
        let head = |operation: i32, done: bool| {
            let mut head = operation.to_be_bytes().to_vec();
            head.push(done.into());
            head.extend((-1_i32).to_be_bytes());
            head
        };
        let any_version = (-1_i32).to_be_bytes();
        let body = [
            &head(CREATE, false)[..],
            &create(created, b"", false),
            &head(DELETE, false),
            &buffer(deleted.as_bytes()),
            &any_version,
            &head(-1, true),
        ];
        self.request(MULTI, &body.concat())
            .expect("both can be done");
    }

    /// Writes until the server is gone; gives how many writes it acknowledged, of which the last has that number as
    /// data.
    pub(crate) fn set_until_it_ends(mut self, path: &str, padding: usize) -> u32 {
        let mut acknowledged = 0;
        loop {
            let mut body = buffer(path.as_bytes());
            let number = (acknowledged + 1_u32).to_be_bytes();
            body.extend(buffer(&[&number[..], &vec![b'x'; padding]].concat()));
            body.extend((-1_i32).to_be_bytes());
            let mut request = [0; 4].to_vec();
            request.extend(SET_DATA.to_be_bytes());
            request.extend(body);
            let mut head = [0; 4];
            let sent = self.socket.write_all(&buffer(&request));
            if sent
                .and_then(|()| self.socket.read_exact(&mut head))
                .is_err()
            {
                return acknowledged;
            }
            let length = usize::try_from(i32::from_be_bytes(head)).expect("it is a length");
            let mut answer = vec![0; length];
            if self.socket.read_exact(&mut answer).is_err() {
                return acknowledged;
            }
            assert_eq!(answer.get(12..16), Some(&[0; 4][..]), "it is not refused");
            acknowledged += 1;
        }
    }

    pub(crate) fn set(&mut self, path: &str, data: &[u8]) -> Result<(), i32> {
        let mut body = buffer(path.as_bytes());
        body.extend(buffer(data));
        body.extend((-1_i32).to_be_bytes());
        self.request(SET_DATA, &body).map(drop)
    }

    /// The data of a znode that is there.
    pub(crate) fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        let mut body = buffer(path.as_bytes());
        body.push(0);
        let answer = self.request(GET_DATA, &body).ok()?;
        let length = answer
            .first_chunk()
            .map(|length| i32::from_be_bytes(*length));
        let length = usize::try_from(length?).ok()?;
        answer.get(4..4 + length).map(<[u8]>::to_vec)
    }

    /// The ACL of a znode, as `zkCli` writes it, or the error.
    pub(crate) fn acl(&mut self, path: &str) -> Result<Vec<String>, i32> {
        let answer = self.request(GET_ACL, &buffer(path.as_bytes()))?;
        let mut fields = answer.as_slice();
        let int = |fields: &mut &[u8]| {
            let (int, rest) = fields.split_first_chunk().expect("there is a number");
            *fields = rest;
            i32::from_be_bytes(*int)
        };
        let count = int(&mut fields);
        let entries = (0..count).map(|_| {
            let permissions = int(&mut fields);
            let mut text = || {
                let length = usize::try_from(int(&mut fields)).expect("it is a length");
                let (text, rest) = fields.split_at(length);
                fields = rest;
                String::from_utf8_lossy(text).into_owned()
            };
            format!("{}:{}:{permissions}", text(), text())
        });
        Ok(entries.collect())
    }

    /// The stat of a znode, or the error.
    pub(crate) fn exists(&mut self, path: &str) -> Result<Stat, i32> {
        let mut body = buffer(path.as_bytes());
        body.push(0);
        let stat = self.request(EXISTS, &body)?;
        let number = |at: usize| {
            let bytes = stat.get(at..).and_then(|rest| rest.first_chunk());
            bytes.map(|bytes| i64::from_be_bytes(*bytes))
        };
        Ok(Stat {
            owner: number(4 * 8 + 3 * 4).expect("it is a stat"),
        })
    }

    pub(crate) fn delete(&mut self, path: &str) -> Result<(), i32> {
        let mut body = buffer(path.as_bytes());
        body.extend((-1_i32).to_be_bytes());
        self.request(DELETE, &body).map(drop)
    }

    /// Returns the reply without its header, or its error.
    fn request(&mut self, operation: i32, body: &[u8]) -> Result<Vec<u8>, i32> {
        self.xid += 1;
        let mut request = self.xid.to_be_bytes().to_vec();
        request.extend(operation.to_be_bytes());
        request.extend(body);
        self.send(&request);
        let answer = self.receive();
        let (head, body) = answer.split_at(4 + 8 + 4);
        assert_eq!(head.get(..4), Some(&self.xid.to_be_bytes()[..]));
        match head.last_chunk().map(|error| i32::from_be_bytes(*error)) {
            Some(0) => Ok(body.to_vec()),
            error => Err(error.expect("there is a head")),
        }
    }

    fn send(&mut self, frame: &[u8]) {
        self.socket.write_all(&buffer(frame)).expect("it reads");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).expect("it answers");
        let length = usize::try_from(i32::from_be_bytes(length)).expect("it is a length");
        let mut frame = vec![0; length];
        self.socket.read_exact(&mut frame).expect("it answers");
        frame
    }
}

fn create(path: &str, data: &[u8], ephemeral: bool) -> Vec<u8> {
    let mut body = buffer(path.as_bytes());
    body.extend(buffer(data));
    body.extend([0, 0, 0, 1, 0, 0, 0, 31]);
    body.extend(buffer(b"world"));
    body.extend(buffer(b"anyone"));
    body.extend(i32::from(ephemeral).to_be_bytes());
    body
}

fn buffer(bytes: &[u8]) -> Vec<u8> {
    let length = i32::try_from(bytes.len()).expect("it is short");
    [&length.to_be_bytes(), bytes].concat()
}
