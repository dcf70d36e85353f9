//! The manual clock, and silent sessions while it advances.

use std::net::Shutdown;
use std::time::Duration;

use minikeeper::{
    Fault, Op, Server, ServerBuilder, SessionId,
    protocol::{EventType, Timestamp},
};

use crate::client::{
    self, CONTAINER, Client, EPHEMERAL, Event, NO_NODE, PERSISTENT, PERSISTENT_WITH_TTL, op,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const TICK: Duration = Duration::from_millis(500);

fn manual() -> ServerBuilder {
    Server::builder().manual_clock().tick_time(TICK)
}

fn start(builder: ServerBuilder) -> Server {
    builder.start().expect("a server starts")
}

/// Time until the end of the `step` in which `span` from now ends.
fn until_the_end_of(server: &Server, span: Duration, step: Duration) -> Duration {
    let ms = |span: Duration| i64::try_from(span.as_millis()).expect("a short span");
    let end = (server.now() + span).0.div_euclid(ms(step)) * ms(step);
    (Timestamp(end) + step).since(server.now())
}

#[test]
fn a_muted_session_expires_at_the_end_of_its_tick_and_not_a_millisecond_earlier() {
    // At any moment of a tick.
    for offset_ms in [0, 1, 123, 499] {
        let server = start(manual());
        server.advance(MS * offset_ms);
        let mut owner = Client::with_timeout(server.addr(), 2 * SECOND);
        let mut other = Client::connect(server.addr());
        owner.create("/leader", b"", EPHEMERAL);
        other.exists("/leader", true);
        server.mute(owner.session());
        assert!(server.sessions()[0].muted);

        let remaining = until_the_end_of(&server, 2 * SECOND, TICK);
        server.advance(remaining - MS);
        assert!(server.znode("/leader").is_some());
        other.assert_no_bytes();
        // Requests of a muted session are answered and do not count.
        owner.ping();

        server.advance(MS);
        assert!(server.znode("/leader").is_none());
        assert_eq!(server.sessions().len(), 1);
        assert_eq!(other.event(), Event::Deleted("/leader".to_owned()));
        other.assert_no_bytes();
        let granted = owner.granted.clone();
        owner.ends();
        assert!(Client::resume(server.addr(), &granted).is_none());
    }
}

#[test]
fn a_connected_session_does_not_expire() {
    let server = start(manual());
    let mut client = Client::with_timeout(server.addr(), SECOND);
    client.create("/leader", b"", EPHEMERAL);
    server.advance(24 * HOUR);
    assert_eq!(client.exists("/leader", false).error, 0);
}

#[test]
fn an_unmuted_session_has_its_whole_timeout_again() {
    let server = start(manual());
    let mut client = Client::with_timeout(server.addr(), 2 * SECOND);
    server.mute(client.session());
    server.advance(2 * SECOND);
    server.unmute(client.session());
    assert!(!server.sessions()[0].muted);
    server.advance(HOUR);
    client.ping();
    // Muting the session again starts a new timeout.
    server.mute(client.session());
    server.advance(2 * SECOND);
    client.ping();
    server.advance(TICK);
    client.ends();
}

#[test]
fn a_session_whose_connection_has_ended_expires() {
    let server = start(manual());
    let mut client = Client::with_timeout(server.addr(), 2 * SECOND);
    client.create("/leader", b"", EPHEMERAL);
    client.socket.shutdown(Shutdown::Write).expect("it is open");
    client.ends();
    let session = server.sessions().remove(0);
    assert!(!session.connected);
    let remaining = until_the_end_of(&server, 2 * SECOND, TICK);
    server.advance(remaining - MS);
    assert!(server.znode("/leader").is_some());
    server.advance(MS);
    assert!(server.znode("/leader").is_none());
    assert_eq!(server.sessions(), []);
}

#[test]
fn a_client_that_reconnects_in_time_resumes_its_session() {
    let server = start(manual());
    let client = Client::with_timeout(server.addr(), 2 * SECOND);
    let granted = client.granted.clone();
    client.socket.shutdown(Shutdown::Write).expect("it is open");
    client.ends();
    server.advance(2 * SECOND);
    let mut client = Client::resume(server.addr(), &granted).expect("it is there");
    server.advance(HOUR);
    client.ping();
}

#[test]
fn expire_ends_one_session_at_once() {
    for builder in [manual(), Server::builder()] {
        let server = start(builder);
        let mut owner = Client::connect(server.addr());
        let mut other = Client::connect(server.addr());
        owner.create("/leader", b"", EPHEMERAL);
        other.exists("/leader", true);
        let granted = owner.granted.clone();
        let effects = server.expire(granted.session);
        assert_eq!(effects.expired, [granted.session]);
        assert_eq!(effects.deleted, ["/leader"]);
        assert_eq!(other.event(), Event::Deleted("/leader".to_owned()));
        owner.ends();
        for gone in [granted.session, SessionId(1)] {
            assert_eq!(server.expire(gone).expired, []);
        }
        assert!(Client::resume(server.addr(), &granted).is_none());
        assert_eq!(server.sessions()[0].id, other.session());
        other.assert_no_bytes();
    }
}

#[test]
fn muting_an_unknown_session_is_refused() {
    let server = start(manual());
    let mut client = Client::connect(server.addr());
    let refused = server.try_mute(SessionId(1)).unwrap_err().to_string();
    let others = format!(
        "there is no session 0x1; the server has {}",
        client.session()
    );
    assert_eq!(refused, others);
    server.unmute(SessionId(1));
    server.advance(HOUR);
    client.ping();
}

#[test]
fn ctime_and_mtime_follow_the_clock() {
    let server = start(manual());
    let mut client = Client::connect(server.addr());
    let begin = server.now();
    client.create("/a", b"", PERSISTENT);
    server.advance(1234 * MS);
    client.set("/a", b"1");
    let stat = server.znode("/a").expect("it is there").stat;
    assert_eq!(stat.ctime, begin);
    assert_eq!(stat.mtime, begin + 1234 * MS);
    assert_eq!(server.now(), begin + 1234 * MS);
    let stat = server.create("/b", b"").expect("it is not there");
    assert_eq!((stat.ctime, stat.mtime), (server.now(), server.now()));
}

#[test]
fn containers_and_ttl_znodes_are_removed_when_they_fall_due() {
    let server = start(manual().container_check_interval(10 * SECOND));
    let mut client = Client::connect(server.addr());
    let container = |path| client::create(path, b"", CONTAINER);
    client.ask_ok(op::CREATE_CONTAINER, &container("/used"));
    client.ask_ok(op::CREATE_CONTAINER, &container("/unused"));
    client.create("/used/child", b"", EPHEMERAL);
    let ttl = |path, ms: i64| {
        let mut body = client::create(path, b"", PERSISTENT_WITH_TTL);
        body.extend(ms.to_be_bytes());
        body
    };
    client.ask_ok(op::CREATE_TTL, &ttl("/short", 5_000));
    client.ask_ok(op::CREATE_TTL, &ttl("/long", 25_000));
    for path in ["/used", "/unused", "/short", "/long"] {
        assert_eq!(client.exists(path, true).error, 0);
    }
    let gone = |path: &str| Event::Deleted(path.to_owned());

    server.advance(10 * SECOND - MS);
    client.assert_no_bytes();
    server.advance(MS);
    assert_eq!(client.event(), gone("/short"));
    client.assert_no_bytes();

    client.ask_ok(
        op::DELETE,
        &[client::buffer(b"/used/child"), vec![0xff; 4]].concat(),
    );
    server.advance(10 * SECOND - MS);
    client.assert_no_bytes();
    server.advance(MS);
    assert_eq!(client.event(), gone("/used"));

    server.advance(10 * SECOND);
    assert_eq!(client.event(), gone("/long"));
    client.assert_no_bytes();
    assert_eq!(
        server.children("/").expect("it is there"),
        ["unused", "zookeeper"]
    );
    assert_eq!(client.exists("/used", false).error, NO_NODE);
}

#[test]
fn a_connection_without_a_session_is_closed_after_its_timeout() {
    let server = start(manual().sessionless_timeout(3 * SECOND));
    let mut silent = client::open(server.addr());
    let mut late = client::open(server.addr());
    // Connections are accepted in the order in which they were opened.
    let mut client = Client::connect(server.addr());
    let remaining = until_the_end_of(&server, 3 * SECOND, 3 * SECOND);
    server.advance(remaining - MS);
    client::send(&mut late, &client::connect_request(SECOND, None));
    let mut late = Client::granted(late).expect("a session");
    server.advance(MS);
    client::receive_end(&mut silent);
    client.ping();
    late.ping();
}

#[test]
fn a_silent_session_expires_on_the_system_clock() {
    let server = start(
        Server::builder()
            .tick_time(10 * MS)
            .session_timeouts(20 * MS, HOUR),
    );
    let mut other = Client::with_timeout(server.addr(), HOUR);
    let mut owner = Client::with_timeout(server.addr(), HOUR);
    owner.create("/leader", b"", EPHEMERAL);
    other.exists("/leader", true);
    let granted = owner.granted.clone();
    // The client resumes its session with a short timeout.
    owner.socket.shutdown(Shutdown::Write).expect("it is open");
    owner.ends();
    let mut socket = client::open(server.addr());
    client::send(
        &mut socket,
        &client::connect_request(20 * MS, Some(&granted)),
    );
    let owner = Client::granted(socket).expect("it is there");
    assert_eq!(owner.granted.timeout, 20 * MS);
    assert_eq!(other.event(), Event::Deleted("/leader".to_owned()));
    owner.ends();
}

#[test]
fn a_muted_session_expires_on_the_system_clock_although_it_pings() {
    let server = start(
        Server::builder()
            .tick_time(10 * MS)
            .session_timeouts(20 * MS, HOUR),
    );
    let mut other = Client::with_timeout(server.addr(), HOUR);
    let mut owner = Client::with_timeout(server.addr(), 5 * SECOND);
    owner.create("/leader", b"", EPHEMERAL);
    other.exists("/leader", true);
    server.mute(owner.session());
    // The client pings as fast as it can until it is closed.
    let pings = std::thread::spawn(move || {
        let ping = client::request(-2, op::PING, &[]);
        let mut number = 0_u64;
        while std::io::Write::write_all(&mut owner.socket, &ping).is_ok()
            && std::io::Read::read_exact(&mut owner.socket, &mut [0; 20]).is_ok()
        {
            number += 1;
        }
        number
    });
    assert_eq!(other.event(), Event::Deleted("/leader".to_owned()));
    assert!(pings.join().expect("no panic") > 0);
}

#[test]
fn the_system_clock_cannot_be_advanced() {
    let server = start(Server::builder());
    let turned = std::panic::catch_unwind(|| server.advance(SECOND));
    assert!(turned.is_err());
    Client::connect(server.addr()).ping();
}

#[test]
fn advance_returns_its_effects() {
    let server = start(manual());
    let mut owner = Client::with_timeout(server.addr(), 2 * SECOND);
    let mut other = Client::connect(server.addr());
    owner.create("/leader", b"", EPHEMERAL);
    other.exists("/leader", true);
    server.mute(owner.session());
    assert_eq!(server.advance(SECOND).expired, []);

    let effects = server.advance(2 * SECOND);
    assert_eq!(effects.expired, [owner.session()]);
    assert_eq!(effects.deleted, ["/leader"]);
    let [event] = &effects.events[..] else {
        panic!("one event was sent, and not {:?}", effects.events);
    };
    assert_eq!(event.session, other.session());
    assert_eq!(event.event_type, EventType::NodeDeleted);
    assert_eq!(event.path, "/leader");
    assert_eq!(other.event(), Event::Deleted("/leader".to_owned()));
}

#[test]
fn exact_expiry_adds_no_tick() {
    let server = start(manual().exact_expiry(true));
    server.advance(MS * 123);
    let owner = Client::with_timeout(server.addr(), 2 * SECOND);
    server.mute(owner.session());
    assert_eq!(server.advance(2 * SECOND - MS).expired, []);
    assert_eq!(server.advance(MS).expired, [owner.session()]);
}

#[test]
fn reaping_removes_containers_and_ttl_znodes_that_are_due() {
    let server = start(manual());
    let mut client = Client::connect(server.addr());
    for path in ["/used", "/used/inner", "/unused"] {
        let body = client::create(path, b"", CONTAINER);
        client.ask_ok(op::CREATE_CONTAINER, &body);
    }
    client.create("/used/inner/child", b"", 0);
    server.delete("/used/inner/child").expect("it is there");
    let mut body = client::create("/ttl", b"", PERSISTENT_WITH_TTL);
    body.extend(1000_i64.to_be_bytes());
    client.ask_ok(op::CREATE_TTL, &body);

    assert_eq!(server.reap_ttl().deleted, [""; 0], "it has time remaining");
    // A container that becomes empty is removed too, but not one that was never used.
    assert_eq!(server.reap_containers().deleted, ["/used/inner", "/used"]);
    server.advance(SECOND + MS);
    assert_eq!(server.reap_ttl().deleted, ["/ttl"]);
    assert!(server.znode("/unused").is_some());
}

#[test]
fn a_session_expires_after_the_same_time_in_every_run() {
    for _ in 0..5 {
        let server = Server::builder()
            .manual_clock()
            .start()
            .expect("a server starts");
        let client = Client::with_timeout(server.addr(), Duration::from_secs(30));
        server.mute(client.session());
        let tick = server.config().tick_time;
        let almost = Duration::from_secs(30) + tick - Duration::from_millis(1);
        assert!(server.advance(almost).expired.is_empty());
        assert_eq!(server.advance(Duration::from_millis(1)).expired.len(), 1);
    }
}

#[test]
fn time_can_reach_its_maximum() {
    const REMAINING: i64 = 60_000;
    let end = Timestamp(i64::MAX);
    let server = start(manual().start_time(Timestamp(end.0 - REMAINING)));
    let mut client = Client::connect(server.addr());
    let late = server.fault("late").on(Op::Create).always();
    let late = late.then(Fault::DelayReply { by: Duration::MAX });
    client.send(op::CREATE, &client::create("/a", b"", EPHEMERAL));
    late.happened().blocking().unwrap();
    let muted = Client::connect(server.addr());
    server.mute(muted.session());
    assert_eq!(server.advance(Duration::MAX).expired.len(), 1);
    assert_eq!(server.now(), end);
    assert_eq!(client.receive().error, 0);
    server.mute(client.session());
    assert_eq!(
        server.advance(Duration::MAX).expired.len(),
        0,
        "no time passes"
    );
    client.create("/b", b"", EPHEMERAL);
    server.unmute(client.session());
}
