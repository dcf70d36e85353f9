//! World of a run: a server, clients that send requests without waiting, and an observer without faults that sees all
//! changes.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use minikeeper::{
    Hold, Server, SessionId,
    fault::{FaultGuard, FaultRule, Partition},
    hold::Release,
};
use proptest::test_runner::TestCaseError;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::received::{Received, Seen};
use super::{Ask, CLIENTS, LABELS, Step, Which};
use crate::client::{self, op};

/// More bytes than any run sends, so that no side waits for room.
const ROOM: usize = 1 << 20;

/// Longer than all delays together, and shorter than a session timeout.
const UNTIL_ALL_IS_SENT: Duration = Duration::from_secs(5);

const DELETE: i32 = op::DELETE;
const PERSISTENT_RECURSIVE: i32 = 1;
const PING_XID: i32 = -2;

pub(super) struct World {
    server: Server,
    clients: [Client; CLIENTS],
    witness: Client,
    holds: Vec<Hold>,
    faults: Vec<FaultGuard>,
    cuts: Vec<Partition>,
}

/// Client: its requests, and the bytes that it received.
pub(super) struct Client {
    io: DuplexStream,
    session: SessionId,
    next_xid: i32,
    pub(super) asked: Vec<(i32, Ask)>,
    /// Whether a reply may have been lost.
    pub(super) loses: bool,
    received: Vec<u8>,
    /// Whether the connection has ended.
    pub(super) ended: bool,
}

impl World {
    pub(super) fn play(steps: &[Step]) -> Result<(), TestCaseError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime starts");
        runtime.block_on(async {
            let mut world = Self::begin().await;
            for step in steps {
                world.happen(step);
                settle().await;
            }
            world.end().await;
            let Self {
                clients, witness, ..
            } = world;
            let witness = Received::of(&witness)?;
            let seen = Seen::by(&witness)?;
            clients
                .iter()
                .try_for_each(|client| Received::of(client)?.keeps_promises(&seen))
        })
    }

    async fn begin() -> Self {
        let builder = Server::builder().manual_clock().without_listener();
        let server = builder.start().expect("a server starts");
        let mut witness = Client::connect(&server, "witness").await;
        let mode = PERSISTENT_RECURSIVE.to_be_bytes();
        witness.send(
            1,
            op::ADD_WATCH,
            &[&client::buffer(b"/")[..], &mode].concat(),
        );
        witness.asked.push((1, Ask::Ping));
        let [a, b, c] = LABELS;
        Self {
            clients: [
                Client::connect(&server, a).await,
                Client::connect(&server, b).await,
                Client::connect(&server, c).await,
            ],
            server,
            witness,
            holds: Vec::new(),
            faults: Vec::new(),
            cuts: Vec::new(),
        }
    }

    fn happen(&mut self, step: &Step) {
        match step {
            Step::Asks(client, asks) => self.clients[*client].ask(asks),
            // A step that is not possible now is skipped.
            Step::Writes(Ask::Create(path, _)) => drop(self.server.create(path, b"")),
            Step::Writes(Ask::Set(path)) => drop(self.server.set(path, b"")),
            Step::Writes(Ask::Delete(path)) => drop(self.server.delete(path)),
            Step::Writes(_) => {}
            Step::Hold(on) => self.holds.extend(self.server.try_hold(on.clone())),
            Step::Release(hold, which) => {
                if !self.holds.is_empty() {
                    self.release(hold.get(&self.holds), which);
                }
            }
            Step::DropHold(hold) => {
                if !self.holds.is_empty() {
                    drop(self.holds.remove(hold.index(self.holds.len())));
                }
            }
            Step::Fault(client, on, fault) => {
                let loses = matches!(
                    fault,
                    minikeeper::Fault::LoseReply | minikeeper::Fault::LoseRequest
                );
                self.clients[*client].loses |= loses;
                let on = on.clone().label(LABELS[*client]);
                let mut rule = FaultRule::new("drawn", on, fault.clone());
                rule.optional = true;
                let placed = self.server.add_fault(rule);
                self.faults
                    .push(placed.expect("each goes with what it matches"));
            }
            Step::Cut(client, way) => {
                let label = minikeeper::Matcher::any().label(LABELS[*client]);
                self.cuts.push(self.server.cut(label, *way));
            }
            Step::Heal(cut) => {
                if !self.cuts.is_empty() {
                    self.cuts.remove(cut.index(self.cuts.len())).heal();
                }
            }
            Step::Advance(ms) => drop(self.server.advance(Duration::from_millis(*ms))),
            Step::Expire(client) => drop(self.server.expire(self.clients[*client].session)),
            Step::Leaves(client) => self.clients[*client].leave(),
        }
    }

    fn release(&self, hold: &Hold, which: &Which) {
        let which = match which {
            Which::As(release) => release.clone(),
            Which::One(index) => {
                let held = hold.held();
                if held.is_empty() {
                    return;
                }
                let item = index.get(&held).item;
                Release::Item { item }
            }
            Which::Of(client) => Release::Session {
                session: self.clients[*client].session,
            },
        };
        // A release is refused if the message would overtake another one.
        let _ = hold.release(&which);
    }

    /// Ends faults, holds and cuts, and waits until all pending messages are sent.
    async fn end(&mut self) {
        // Each delay may start when another one ends.
        let delays = 2 + self.faults.len();
        self.faults.clear();
        self.cuts.clear();
        settle().await;
        self.holds.clear();
        for _ in 0..delays {
            settle().await;
            self.server.advance(UNTIL_ALL_IS_SENT);
        }
        settle().await;
        for client in self.clients.iter_mut().chain([&mut self.witness]) {
            client.receive();
        }
    }
}

/// Runs all tasks until they are idle: a request is read, its replies are sent, and each step is one turn of a task.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

impl Client {
    async fn connect(server: &Server, label: &str) -> Self {
        let (mut io, theirs) = tokio::io::duplex(ROOM);
        tokio::spawn(server.serve_labelled(label, theirs).expect("it is a label"));
        let request = client::connect_request(client::TIMEOUT, None);
        io.write_all(&request).await.expect("there is room");
        let mut frame = [0; 41];
        io.read_exact(&mut frame).await.expect("it is answered");
        let granted = client::grant(&frame[4..]).expect("a session is granted");
        Self {
            io,
            session: granted.session,
            next_xid: 1,
            asked: Vec::new(),
            loses: false,
            received: Vec::new(),
            ended: false,
        }
    }

    /// Sends all requests in one write.
    fn ask(&mut self, asks: &[Ask]) {
        let mut bytes = Vec::new();
        for ask in asks {
            let xid = self.next_xid;
            let data = format!("{}-{xid}", self.session);
            let (operation, body) = match ask {
                Ask::Create(path, flags) => {
                    (op::CREATE, client::create(path, data.as_bytes(), *flags))
                }
                Ask::Set(path) => (op::SET_DATA, client::set(path, data.as_bytes())),
                Ask::Delete(path) => {
                    let any_version = (-1_i32).to_be_bytes().to_vec();
                    (
                        DELETE,
                        [client::buffer(path.as_bytes()), any_version].concat(),
                    )
                }
                Ask::Exists(path, watch) => (op::EXISTS, client::read(path, *watch)),
                Ask::Get(path, watch) => (op::GET_DATA, client::read(path, *watch)),
                Ask::Children(path, watch) => (op::GET_CHILDREN, client::read(path, *watch)),
                Ask::Ping => (op::PING, Vec::new()),
            };
            let xid = if *ask == Ask::Ping {
                PING_XID
            } else {
                self.next_xid += 1;
                xid
            };
            self.asked.push((xid, *ask));
            bytes.extend(client::request(xid, operation, &body));
        }
        self.write(&bytes);
    }

    fn send(&mut self, xid: i32, op: i32, body: &[u8]) {
        self.write(&client::request(xid, op, body));
    }

    /// It does not matter whether the server reads the bytes.
    fn write(&mut self, bytes: &[u8]) {
        let write = pin!(self.io.write_all(bytes));
        let _ = at_once(write);
    }

    /// Disconnects: the client sends and receives nothing more.
    fn leave(&mut self) {
        self.receive();
        let (io, _) = tokio::io::duplex(1);
        self.io = io;
        self.ended = true;
    }

    /// Reads all bytes that have arrived.
    fn receive(&mut self) {
        while !self.ended {
            let read = pin!(self.io.read_buf(&mut self.received));
            match at_once(read) {
                Poll::Pending => return,
                Poll::Ready(Ok(0) | Err(_)) => self.ended = true,
                Poll::Ready(Ok(_)) => {}
            }
        }
    }

    pub(super) fn received(&self) -> Vec<&[u8]> {
        client::frames(&self.received)
    }

    pub(super) fn data_of(&self, xid: i32) -> String {
        format!("{}-{xid}", self.session)
    }
}

fn at_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
