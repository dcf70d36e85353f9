//! Hostile and faulty clients: each harms only itself.

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use minikeeper::Server;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::alone::is_alone;
#[cfg(target_os = "linux")]
use crate::alone::resident;
use crate::client::{self, Client, EPHEMERAL, Event, Fields, op};

const MIB: usize = 1 << 20;

/// Data so large that a few replies fill the buffers of a client that does not read.
const LARGE: usize = 1_000_000;

fn start() -> Server {
    Server::start().expect("a server starts")
}

fn with_large_znode() -> Server {
    let server = start();
    server
        .create("/large", &vec![7; LARGE])
        .expect("it is not there");
    server
}

/// Sends requests as a well-behaved client does, and reads every reply.
fn is_served(neighbour: &mut Client) {
    neighbour.ping();
    assert_eq!(neighbour.set("/neighbour", b"1").error, 0);
    assert_eq!(neighbour.data("/neighbour", true), b"1");
    assert_eq!(neighbour.set("/neighbour", b"2").error, 0);
    assert_eq!(neighbour.event(), Event::Changed("/neighbour".to_owned()));
}

fn neighbour(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    assert_eq!(client.create("/neighbour", b"", EPHEMERAL).error, 0);
    client
}

/// Frame of a request that a client could send.
fn valid_frame() -> impl Strategy<Value = Vec<u8>> {
    let path = prop_oneof![
        Just("/".to_owned()),
        Just("/a".to_owned()),
        Just("/a/b".to_owned()),
        "/[a-c]{1,3}",
    ];
    let data = prop::collection::vec(any::<u8>(), 0..64);
    let op = prop_oneof![
        Just(op::CREATE),
        Just(op::DELETE),
        Just(op::EXISTS),
        Just(op::GET_DATA),
        Just(op::SET_DATA),
        Just(op::SET_ACL),
        Just(op::GET_CHILDREN),
        Just(op::CREATE_CONTAINER),
        Just(op::CREATE_TTL),
        Just(op::ADD_WATCH),
        Just(op::AUTH),
        Just(op::CLOSE_SESSION),
        -12..30_i32,
        99..110_i32,
    ];
    (any::<i32>(), op, path, data, any::<bool>(), 0..8_i32).prop_map(
        |(xid, op, path, data, watch, flags)| {
            let body = match op {
                op::EXISTS | op::GET_DATA | op::GET_CHILDREN => client::read(&path, watch),
                op::SET_DATA => client::set(&path, &data),
                op::CREATE_TTL => [
                    client::create(&path, &data, flags),
                    vec![0, 0, 0, 0, 0, 0, 9, 9],
                ]
                .concat(),
                _ => client::create(&path, &data, flags),
            };
            client::request(xid, op, &body)
        },
    )
}

/// Random bytes, or a conversation with some bytes changed.
fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let conversation = (any::<bool>(), prop::collection::vec(valid_frame(), 0..8)).prop_map(
        |(connects, frames)| {
            let mut bytes = Vec::new();
            if connects {
                bytes = client::connect_request(Duration::from_secs(10), None);
            }
            bytes.extend(frames.concat());
            bytes
        },
    );
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let mutated = (conversation, changes).prop_map(|(mut bytes, changes)| {
        for (at, byte) in changes {
            if !bytes.is_empty() {
                *at.get_mut(&mut bytes) = byte;
            }
        }
        bytes
    });
    prop_oneof![4 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..256)]
}

#[test]
fn hostile_bytes_disturb_no_other_client() {
    let server = start();
    let neighbour = RefCell::new(neighbour(server.addr()));
    let address = server.addr();
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..5);
    let config = Config {
        cases: 256,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(
            &(any::<bool>(), hostile_bytes(), cuts),
            |(has_session, bytes, cuts)| {
                let mut neighbour = neighbour.borrow_mut();
                let mut socket = if has_session {
                    Client::connect(address).socket
                } else {
                    client::open(address)
                };
                let mut cuts: Vec<usize> =
                    cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
                cuts.extend([0, bytes.len()]);
                cuts.sort_unstable();
                for cut in cuts.windows(2) {
                    // The connection may have been closed already.
                    let _ = socket.write_all(&bytes[cut[0]..cut[1]]);
                    neighbour.ping();
                }
                let _ = socket.shutdown(Shutdown::Write);
                client::receive_rest(&mut socket);
                is_served(&mut neighbour);
                Ok(())
            },
        )
        .unwrap_or_else(|failure| panic!("{failure}"));
    // Only the sessions of the hostile clients remain.
    let connected = server.sessions();
    let connected = connected.iter().filter(|session| session.connected);
    assert_eq!(connected.count(), 1);
}

#[test]
fn an_invalid_length_closes_the_connection_at_once() {
    let server = start();
    let mut neighbour = neighbour(server.addr());
    for length in [-1, i32::MIN, 1 << 20, 1 << 30, i32::MAX] {
        let mut fresh = client::open(server.addr());
        client::send(&mut fresh, &length.to_be_bytes());
        client::receive_end(&mut fresh);
        let mut client = Client::connect(server.addr());
        client::send(&mut client.socket, &length.to_be_bytes());
        client.ends();
        is_served(&mut neighbour);
    }
}

#[test]
fn requests_before_a_broken_frame_are_answered() {
    let server = start();
    for broken in [&(-1_i32).to_be_bytes()[..], &client::framed(&[1, 2, 3])] {
        let mut client = Client::connect(server.addr());
        let exists = client::read("/", false);
        let mut bytes = client::request(1, op::EXISTS, &exists);
        bytes.extend(client::request(2, op::EXISTS, &exists));
        bytes.extend(broken);
        bytes.extend(client::request(3, op::EXISTS, &exists));
        client::send(&mut client.socket, &bytes);
        assert_eq!(client.receive().xid, 1);
        assert_eq!(client.receive().xid, 2);
        client.ends();
    }
}

#[test]
fn requests_before_a_half_close_are_answered() {
    // More than a socket buffer holds.
    const REQUESTS: i32 = 40;
    let server = with_large_znode();
    let mut client = Client::connect(server.addr());
    for _ in 0..REQUESTS {
        client.send(op::GET_DATA, &client::read("/large", false));
    }
    client.socket.shutdown(Shutdown::Write).expect("it is open");
    for xid in 1..=REQUESTS {
        has_large(&client.receive(), xid);
    }
    client.ends();
    assert!(!server.sessions()[0].connected);
}

fn has_large(reply: &client::Reply, xid: i32) {
    assert_eq!((reply.xid, reply.error), (xid, 0));
    let data = Fields(&reply.body).buffer().expect("not null");
    assert_eq!(data.len(), LARGE);
}

#[test]
fn a_frame_sent_byte_by_byte_delays_no_other_client() {
    let server = start();
    let mut neighbour = neighbour(server.addr());
    let mut slow = Client::connect(server.addr());
    // Bytes after the last field of a request are ignored, so a request can be as long as a frame may be.
    let mut body = client::read("/", false);
    body.resize(1_000_000, 0);
    let frame = client::request(1, op::EXISTS, &body);
    let (bytes, rest) = frame.split_at(100);
    for byte in bytes {
        client::send(&mut slow.socket, &[*byte]);
        neighbour.ping();
    }
    is_served(&mut neighbour);
    client::send(&mut slow.socket, rest);
    assert_eq!(slow.receive().xid, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_frame_takes_no_memory_before_its_bytes_arrive() {
    if !is_alone("hostile::a_frame_takes_no_memory_before_its_bytes_arrive") {
        return;
    }
    let server = start();
    let mut neighbour = neighbour(server.addr());
    let before = resident();
    let mut held = Vec::new();
    for _ in 0..100 {
        // Only the first bytes of a frame of the maximum length.
        let mut client = Client::connect(server.addr());
        client::send(&mut client.socket, &1_000_000_i32.to_be_bytes());
        client::send(&mut client.socket, &[0; 8]);
        held.push(client);
        // A longer frame, with as many bytes as the socket takes.
        let mut client = Client::connect(server.addr());
        client::send(&mut client.socket, &(1_i32 << 30).to_be_bytes());
        let _ = client.socket.write_all(&[0; 10_000]);
        client::receive_rest(&mut client.socket);
    }
    is_served(&mut neighbour);
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 * MIB, "{} MiB more than before", grown / MIB);
}

/// Sends requests for large replies without reading any, until the server reads no more. Returns the number of requests
/// that were sent, the last perhaps in part, and the unsent rest of it.
fn ask_until_blocked(client: &mut Client, neighbour: &mut Client) -> (i32, Vec<u8>) {
    // Bytes after the last field are ignored, so the buffers of the sockets are full after fewer requests.
    let mut body = client::read("/large", false);
    body.resize(200_000, 0);
    client.socket.set_nonblocking(true).expect("it can be set");
    for xid in 1..1000 {
        let request = client::request(xid, op::GET_DATA, &body);
        let mut rest = &request[..];
        let mut idle = 0;
        while !rest.is_empty() {
            match client.socket.write(rest) {
                Ok(sent) => {
                    rest = rest.split_at(sent).1;
                    idle = 0;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Once the other client has been answered this often, the server has had many turns.
                    for _ in 0..20 {
                        neighbour.ping();
                    }
                    idle += 1;
                    if idle == 20 {
                        client.socket.set_nonblocking(false).expect("it can be set");
                        return (xid, rest.to_vec());
                    }
                }
                Err(error) => panic!("not sent: {error}"),
            }
        }
    }
    panic!("the server reads on, although the client does not read the replies");
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_does_not_read_is_not_read() {
    if !is_alone("hostile::a_client_that_does_not_read_is_not_read") {
        return;
    }
    let server = with_large_znode();
    let mut neighbour = neighbour(server.addr());
    let before = resident();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(server.addr())).collect();
    let blocked: Vec<(i32, Vec<u8>)> = clients
        .iter_mut()
        .map(|client| ask_until_blocked(client, &mut neighbour))
        .collect();
    is_served(&mut neighbour);
    // A reply that starts below the limit may double the size, an incomplete frame also takes memory, and a buffer that
    // grows exists twice for a moment. The requested data are six times as large.
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 * 8 * MIB, "{} MiB more than before", grown / MIB);

    for (mut client, (last, rest)) in clients.into_iter().zip(blocked) {
        let mut socket = client.socket.try_clone().expect("a socket can be shared");
        let sending = std::thread::spawn(move || client::send(&mut socket, &rest));
        for xid in 1..=last {
            has_large(&client.receive(), xid);
        }
        sending.join().expect("no panic");
        client.assert_no_bytes();
    }
    is_served(&mut neighbour);
}

#[test]
fn a_session_can_be_taken_over_from_a_connection_that_does_not_read() {
    let server = with_large_znode();
    let mut neighbour = neighbour(server.addr());
    let mut stuck = Client::connect(server.addr());
    ask_until_blocked(&mut stuck, &mut neighbour);
    let mut next = Client::resume(server.addr(), &stuck.granted).expect("it is there");
    is_cut_off(stuck);
    next.ping();
    is_served(&mut neighbour);
}

#[test]
fn an_expiring_session_closes_a_connection_that_does_not_read() {
    let server = with_large_znode();
    let mut neighbour = neighbour(server.addr());
    let mut stuck = Client::connect(server.addr());
    ask_until_blocked(&mut stuck, &mut neighbour);
    assert_eq!(server.expire(stuck.session()).expired, [stuck.session()]);
    is_cut_off(stuck);
    is_served(&mut neighbour);
}

#[test]
fn a_server_with_a_client_that_does_not_read_can_stop() {
    let server = with_large_znode();
    let mut neighbour = neighbour(server.addr());
    let mut stuck = Client::connect(server.addr());
    ask_until_blocked(&mut stuck, &mut neighbour);
    server.restart().expect("it starts");
    is_cut_off(stuck);
    Client::connect(server.addr()).ping();
}

/// Waits until a client that blocks in a send, and does not read, finds the connection closed.
fn is_cut_off(mut client: Client) {
    // The connection is closed at once, not after an idle time.
    let soon = Some(Duration::from_secs(3));
    client
        .socket
        .set_write_timeout(soon)
        .expect("it can be set");
    let error = loop {
        if let Err(error) = client.socket.write_all(&[0; 1 << 16]) {
            break error;
        }
    };
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{error}"
    );
}

/// Path that nearly fills a frame: about 64 events with it reach the limit.
fn long_path() -> String {
    format!("/{}", "p".repeat(MIB - 128))
}

/// Sets a persistent recursive watch on the root.
fn watch_all(client: &mut Client) {
    let recursive = 1_i32.to_be_bytes().to_vec();
    client.ask_ok(op::ADD_WATCH, &[client::buffer(b"/"), recursive].concat());
}

#[cfg(target_os = "linux")]
#[test]
fn a_watcher_that_does_not_read_is_closed() {
    if !is_alone("hostile::a_watcher_that_does_not_read_is_closed") {
        return;
    }
    let server = start();
    let path = long_path();
    server.create(&path, b"").expect("it is not there");
    let mut neighbour = neighbour(server.addr());
    let mut watcher = Client::connect(server.addr());
    watch_all(&mut watcher);
    let before = resident();
    // The buffers of the sockets take some of the events.
    const EVENTS: usize = 85;
    let mut most = 0;
    for _ in 0..EVENTS {
        server.set(&path, b"").expect("it is there");
        most = most.max(resident());
    }
    is_served(&mut neighbour);
    // A buffer that grows exists twice for a moment.
    let grown = most.saturating_sub(before);
    assert!(grown < 224 * MIB, "{} MiB more than before", grown / MIB);

    let heard = client::receive_rest(&mut watcher.socket);
    assert!(heard.len() < 64 * MIB, "it was not closed before it read");
    for frame in client::frames(&heard) {
        assert_eq!(client::message(frame), Ok(Event::Changed(path.clone())));
    }
    let session = watcher.session();
    let sessions = server.sessions();
    let view = sessions.iter().find(|view| view.id == session);
    assert!(view.is_some_and(|view| !view.connected));
    // The session still exists and can be resumed.
    let mut watcher = Client::resume(server.addr(), &watcher.granted).expect("it is there");
    watcher.assert_no_bytes();
    assert_eq!(server.watches(), []);
}

#[test]
fn a_watcher_that_reads_late_gets_all_events() {
    let server = start();
    let path = long_path();
    server.create(&path, b"").expect("it is not there");
    let mut watcher = Client::connect(server.addr());
    watch_all(&mut watcher);
    for _ in 0..40 {
        server.set(&path, b"").expect("it is there");
    }
    for _ in 0..40 {
        assert!(watcher.event() == Event::Changed(path.clone()));
    }
    watcher.assert_no_bytes();
}

#[test]
fn a_flood_of_requests_does_not_delay_other_clients() {
    let server = start();
    let mut neighbour = neighbour(server.addr());
    let mut flooding = Client::connect(server.addr());
    const BATCHES: i32 = 50;
    const IN_ONE_BATCH: i32 = 4000;
    let mut socket = flooding.socket.try_clone().expect("a socket can be shared");
    let sending = std::thread::spawn(move || {
        for batch in 0..BATCHES {
            let requests = (1..=IN_ONE_BATCH).map(|number| {
                let xid = batch * IN_ONE_BATCH + number;
                client::request(xid, op::EXISTS, &client::read("/", false))
            });
            client::send(&mut socket, &requests.collect::<Vec<_>>().concat());
        }
    });
    let receiving = std::thread::spawn(move || {
        for xid in 1..=BATCHES * IN_ONE_BATCH {
            assert_eq!(flooding.receive().xid, xid);
        }
    });
    while !receiving.is_finished() {
        is_served(&mut neighbour);
    }
    sending.join().expect("no panic");
    receiving.join().expect("no panic");
}

#[test]
fn many_connections_come_and_go_and_none_is_counted_afterwards() {
    let server = Server::builder()
        .max_client_connections(3)
        .start()
        .expect("a server starts");
    for round in 0..2000 {
        let client = Client::connect(server.addr());
        match round % 3 {
            0 => client.close(),
            1 => {
                client.socket.shutdown(Shutdown::Write).expect("it is open");
                client.ends();
            }
            _ => {
                let mut fresh = client::open(server.addr());
                client::send(&mut fresh, &[0xff; 4]);
                client::receive_end(&mut fresh);
                client.close();
            }
        }
    }
    // If one connection were still counted, the limit would be reached.
    let clients = [(); 3].map(|()| Client::connect(server.addr()));
    drop(clients);
}
