//! State that survives a stop, and state that does not.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use minikeeper::{Server, SessionId, StartError};

use crate::client::{Client, EPHEMERAL, Event, PERSISTENT};

fn start() -> Server {
    Server::start().expect("a server starts")
}

#[test]
fn a_stopped_server_refuses_connections_and_reserves_its_port() {
    let server = start();
    let address = server.addr();
    let client = Client::connect(address);
    server.stop();
    assert!(!server.is_running());
    client.ends();
    let refused = TcpStream::connect(address).expect_err("the port is closed");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    // No other socket can take the port.
    let other = Server::builder().address(address).start();
    assert!(matches!(other, Err(StartError::AddressInUse { address: of }) if of == address));
    assert!(TcpListener::bind(address).is_err());
    assert!(TcpListener::bind(("0.0.0.0", address.port())).is_err());

    server.start_again().expect("the port is still ours");
    assert!(server.is_running());
    assert_eq!(server.addr(), address);
    Client::connect(address).ping();
    // A second time, since connections of the first may linger in the kernel.
    for _ in 0..3 {
        server.restart().expect("the port is still ours");
        Client::connect(address).ping();
    }
    server.stop();
    assert!(TcpListener::bind(address).is_err());
    drop(server);
    TcpListener::bind(address).expect("the port is free");
}

#[test]
fn a_second_stop_or_start_does_nothing() {
    let server = start();
    server.stop();
    server.stop();
    server.start_again().expect("it starts");
    let mut client = Client::connect(server.addr());
    server.start_again().expect("it runs");
    client.ping();
}

#[test]
fn znodes_zxids_and_sessions_survive_a_restart() {
    let server = start();
    let mut owner = Client::connect(server.addr());
    owner.create("/config", b"v1", PERSISTENT);
    let last = owner.create("/leader", b"me", EPHEMERAL).zxid;
    let granted = owner.granted.clone();
    server.restart().expect("it starts");
    owner.ends();

    assert_eq!(server.data("/config").as_deref(), Some(&b"v1"[..]));
    let view = server.sessions().remove(0);
    assert_eq!((view.id, view.connected), (granted.session, false));

    let mut other = Client::connect(server.addr());
    assert_ne!(other.session(), granted.session);
    assert_eq!(other.data("/leader", true), b"me");

    let mut owner = Client::resume(server.addr(), &granted).expect("the session is there");
    assert_eq!(owner.granted, granted);
    assert!(server.sessions().iter().all(|view| view.connected));
    // The session of the other client took the zxid in between.
    assert_eq!(owner.create("/next", b"", PERSISTENT).zxid, last + 2);
    other.assert_no_bytes();
    owner.close();
    assert_eq!(other.event(), Event::Deleted("/leader".to_owned()));
}

#[test]
fn a_wrong_password_is_refused_after_a_restart_as_before() {
    let server = start();
    let owner = Client::connect(server.addr());
    let mut granted = owner.granted.clone();
    granted.password[0] ^= 1;
    for _ in 0..2 {
        assert!(Client::resume(server.addr(), &granted).is_none());
        server.restart().expect("it starts");
    }
    assert!(Client::resume(server.addr(), &owner.granted).is_some());
    granted.session = SessionId(1);
    assert!(Client::resume(server.addr(), &granted).is_none());
}

#[test]
fn watches_do_not_survive_a_restart() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client.exists("/a", true);
    server.restart().expect("it starts");
    assert_eq!(server.watches(), []);
    let mut client = Client::resume(server.addr(), &client.granted).expect("it is there");
    server.create("/a", b"").expect("it is not there");
    client.assert_no_bytes();
}

#[test]
fn every_session_has_its_whole_timeout_after_a_restart() {
    let server = Server::builder()
        .manual_clock()
        .tick_time(Duration::from_millis(1))
        .session_timeouts(Duration::from_secs(1), Duration::from_secs(60))
        .start()
        .expect("a server starts");
    let client = Client::connect(server.addr());
    let timeout = client.granted.timeout;
    let session = client.session();
    server.mute(session);
    server.advance(timeout - Duration::from_secs(1));
    server.stop();
    client.ends();
    // While the server is stopped, nothing falls due.
    server.advance(timeout * 10);
    assert_eq!(server.sessions().len(), 1);
    server.start_again().expect("it starts");
    server.advance(timeout);
    assert_eq!(server.sessions().len(), 1);
    server.advance(Duration::from_millis(1));
    assert_eq!(server.sessions(), []);
}

#[test]
fn a_stopped_server_can_be_read_and_written() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client.create("/leader", b"", EPHEMERAL);
    let session = client.session();
    server.stop();
    server.create("/meanwhile", b"1").expect("it is not there");
    assert_eq!(server.data("/meanwhile").as_deref(), Some(&b"1"[..]));
    assert_eq!(server.expire(session).expired, [session]);
    assert_eq!(server.znode("/leader"), None);
    server.start_again().expect("it starts");
    assert!(Client::resume(server.addr(), &client.granted).is_none());
    assert_eq!(
        Client::connect(server.addr()).data("/meanwhile", false),
        b"1"
    );
}

#[test]
fn two_threads_can_restart_one_server() {
    let server = start();
    let restarts = |server: Server| {
        move || {
            for _ in 0..20 {
                server.restart().expect("it starts");
                server.stop();
                server.start_again().expect("it starts");
            }
        }
    };
    let threads = [(); 3].map(|()| std::thread::spawn(restarts(server.clone())));
    for thread in threads {
        thread.join().expect("no panic");
    }
    Client::connect(server.addr()).ping();
}
