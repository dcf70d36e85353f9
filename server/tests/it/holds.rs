//! Holds: the order in which messages are released, and their end with the connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use minikeeper::{
    Ensemble, ErrorCode, Fault, Hold, Matcher, Op, Server, SessionId,
    ensemble::MemberId,
    hold::{Held, HeldMessage, HoldError, Release, ReleaseError},
    matcher::EventKind,
    protocol::{EventType, Operation},
};

use crate::client::{self, Client, EPHEMERAL, Event, Granted, NO_NODE, op};

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Server {
    let builder = Server::builder().manual_clock();
    builder.start().expect("a server starts")
}

/// One client for each label.
fn clients<const N: usize>(server: &Server, labels: [&str; N]) -> [Client; N] {
    labels.map(|label| Client::connect(address(server, label)))
}

fn address(server: &Server, label: &str) -> std::net::SocketAddr {
    server.labelled(label).expect("it listens").addr()
}

fn wait_for(hold: &Hold, number: usize) -> Vec<Held> {
    hold.wait_for(number).blocking().expect("they come");
    hold.held()
}

fn created(path: &str) -> Event {
    Event::Created(path.to_owned())
}

#[test]
fn a_held_message_has_its_client_and_content() {
    let server = start();
    let [mut a, mut b] = clients(&server, ["A", "B"]);
    let event = server.hold(Matcher::watch_event().path("/*"));
    let reply = server.hold(Matcher::reply(Op::Exists).label("A"));
    let request = server.hold(Matcher::request(Op::Create).session(b.session()));
    a.send(op::EXISTS, &client::read("/x", true));
    wait_for(&reply, 1);
    b.send(op::CREATE, &client::create("/x", b"", 0));
    let [held] = &wait_for(&request, 1)[..] else {
        panic!("one request is held");
    };
    assert_eq!(held.label.as_deref(), Some("B"));
    assert_eq!(held.session, b.session());
    let paths = vec!["/x".to_owned()];
    let operation = Some(Operation::Create);
    assert_eq!(held.message, HeldMessage::Request { operation, paths });
    assert!(
        server.znode("/x").is_none(),
        "the request is not carried out yet"
    );

    assert!(matches!(
        reply.held()[0].message,
        HeldMessage::Reply {
            operation: Some(Operation::Exists),
            ..
        }
    ));
    request.release_next().unwrap();
    b.receive();
    let [held] = &event.held()[..] else {
        panic!("one event is held");
    };
    let expected = HeldMessage::WatchEvent {
        event_type: EventType::NodeCreated,
        path: "/x".to_owned(),
        zxid: server.znode("/x").expect("it was created").stat.czxid,
    };
    assert_eq!((&held.message, held.session), (&expected, a.session()));
}

#[test]
fn clients_get_events_in_the_order_that_the_test_chooses() {
    let server = start();
    let labels = ["A", "B", "C"];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut clients = clients(&server, labels);
        for client in &mut clients {
            client.exists("/leader", true);
        }
        let hold = server.hold(Matcher::watch_event().path("/leader"));
        server.create("/leader", b"").unwrap();
        for (place, client) in order.into_iter().enumerate() {
            assert_eq!(hold.release_label(labels[client]), 1);
            assert_eq!(clients[client].event(), created("/leader"));
            assert_eq!(hold.held().len(), 2 - place);
        }
        server.delete("/leader").unwrap();
    }
}

#[test]
fn messages_are_released_oldest_first() {
    let server = start();
    let [mut a, mut b] = clients(&server, ["A", "B"]);
    for path in ["/1", "/2", "/3"] {
        a.exists(path, true);
        b.exists(path, true);
    }
    let hold = server.hold(Matcher::watch_event());
    for path in ["/1", "/2", "/3"] {
        server.create(path, b"").unwrap();
    }
    let numbers: Vec<u64> = hold.held().iter().map(|held| held.item).collect();
    assert!(numbers.is_sorted());
    assert_eq!(hold.release(&Release::First { count: 2 }).unwrap().len(), 2);
    assert_eq!([a.event(), b.event()], [created("/1"), created("/1")]);
    let next = hold.release_next().unwrap();
    assert_eq!(next.item, numbers[2]);
    assert_eq!(hold.release_all(), 3);
    assert_eq!(hold.release_next(), Err(ReleaseError::NothingHeld));
    let item = numbers[5];
    assert_eq!(
        hold.release_item(item),
        Err(ReleaseError::NotHeld { item }),
        "it has been let go"
    );
    for client in [&mut a, &mut b] {
        assert_eq!(
            [client.event(), client.event()],
            [created("/2"), created("/3")]
        );
    }
}

#[test]
fn no_message_overtakes_one_that_another_hold_holds() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    a.exists("/a", true);
    let events = server.hold(Matcher::watch_event());
    let replies = server.hold(Matcher::reply(Op::Any));
    server.create("/a", b"").unwrap();
    let before = events.held()[0].item;
    a.send(op::EXISTS, &client::read("/a", false));
    let item = wait_for(&replies, 1)[0].item;
    let refused = ReleaseError::WouldOvertake { item, before };
    assert_eq!(replies.release_item(item), Err(refused.clone()));
    assert_eq!(replies.release_next(), Err(refused));
    // A release of all messages has no order to violate.
    assert_eq!(replies.release_all(), 1);
    events.release_next().unwrap();
    assert_eq!(a.event(), created("/a"));
    assert_eq!(a.receive().error, 0);
}

#[test]
fn no_message_overtakes_a_delayed_one() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    a.exists("/a", true);
    let _delay = server
        .fault("late")
        .matching(Matcher::watch_event())
        .then(Fault::DelayReply { by: SECOND });
    let hold = server.hold(Matcher::reply(Op::Exists));
    server.create("/a", b"").unwrap();
    a.send(op::EXISTS, &client::read("/a", false));
    let item = wait_for(&hold, 1)[0].item;
    let until = server.now() + SECOND;
    let refused = ReleaseError::WouldOvertakeDelayed { item, until };
    assert_eq!(hold.release_item(item), Err(refused));
    server.advance(SECOND);
    hold.release_item(item).unwrap();
    assert_eq!(a.event(), created("/a"));
    assert_eq!(a.receive().error, 0);
}

#[test]
fn requests_in_one_write_are_held_in_order() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    let hold = server.hold(Matcher::request(Op::Create));
    let paths = ["/a", "/b", "/c"];
    let mut asked = Vec::new();
    for (xid, path) in (1..).zip(paths) {
        asked.extend(client::request(
            2 * xid - 1,
            op::CREATE,
            &client::create(path, b"", 0),
        ));
        asked.extend(client::request(
            2 * xid,
            op::EXISTS,
            &client::read(path, false),
        ));
    }
    client::send(&mut a.socket, &asked);
    for path in paths {
        // The next request of the connection is not seen yet.
        assert_eq!(wait_for(&hold, 1).len(), 1);
        assert!(server.znode(path).is_none());
        hold.release_next().unwrap();
        assert_eq!([a.receive().error, a.receive().error], [0, 0]);
    }
}

#[test]
fn a_request_can_be_released_as_soon_as_it_is_held() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    for round in 0..200 {
        let hold = server.hold(Matcher::request(Op::Exists));
        let waiting = hold.wait_for(1);
        a.send(op::EXISTS, &client::read("/a", false));
        waiting.blocking().unwrap();
        hold.release_next().unwrap();
        assert_eq!(a.receive().error, NO_NODE, "round {round}");
    }
}

#[test]
fn a_request_for_a_session_can_be_held_and_so_can_its_answer() {
    let server = start();
    let request = server.hold(Matcher::request(Op::Connect));
    let answer = server.hold(Matcher::reply(Op::Connect));
    let mut socket = client::open(server.addr());
    client::send(&mut socket, &client::connect_request(client::TIMEOUT, None));
    let session = SessionId(0);
    assert_eq!(
        wait_for(&request, 1)[0].message,
        HeldMessage::Connect { session }
    );
    assert!(server.sessions().is_empty());
    request.release_next().unwrap();
    assert_eq!(wait_for(&answer, 1)[0].message, HeldMessage::Connected);
    assert_eq!(server.sessions().len(), 1);
    answer.release_next().unwrap();
    assert!(Client::granted(socket).is_some());
}

#[test]
fn a_hold_on_a_session_follows_it_from_member_to_member() {
    let ensemble = Ensemble::start(3).unwrap();
    let [one, two] = [1, 2].map(|member| ensemble.member(member).addr());
    let server = ensemble.server();
    let (a, mut b) = (Client::connect(one), Client::connect(two));
    let (session, granted) = (a.session(), a.granted.clone());
    let connect = server.hold(Matcher::request(Op::Connect).session(session));
    let events = server.hold(Matcher::watch_event().member(MemberId(2)).session(session));
    drop(a);
    let moved = thread::spawn(move || Client::resume(two, &granted).unwrap());
    let [held] = &wait_for(&connect, 1)[..] else {
        panic!("one request is held");
    };
    assert_eq!(held.message, HeldMessage::Connect { session });
    assert_eq!(held.session, session);
    assert_eq!(connect.release_session(session), 1);
    let mut a = moved.join().unwrap();
    for client in [&mut a, &mut b] {
        client.exists("/a", true);
    }
    server.create("/a", b"").unwrap();
    assert_eq!(b.event(), created("/a"));
    assert_eq!(events.release_next().unwrap().session, session);
    assert_eq!(a.event(), created("/a"));
}

#[test]
fn faults_happen_to_a_request_when_it_is_released() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    let hold = server.hold(Matcher::request(Op::Create));
    let fault = server.fault("refused").on(Op::Create).then(Fault::Error {
        code: ErrorCode::NoAuth,
    });
    a.send(op::CREATE, &client::create("/a", b"", 0));
    wait_for(&hold, 1);
    assert_eq!(fault.hits(), 0);
    hold.release_next().unwrap();
    assert_eq!(a.receive().error, ErrorCode::NoAuth.number());
    assert_eq!(fault.hits(), 1);
}

#[test]
fn held_messages_are_dropped_with_their_connection() {
    let server = start();
    let hold = server.hold(Matcher::watch_event());
    let held_by = |end: &dyn Fn(Client) -> Option<Granted>| {
        let [mut a] = clients(&server, ["A"]);
        a.exists("/a", true);
        server.create("/a", b"").unwrap();
        assert_eq!(hold.held().len(), 1);
        let item = hold.held()[0].item;
        let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
        let granted = end(a);
        gone.blocking().unwrap();
        assert_eq!(hold.held(), []);
        assert_eq!(hold.release_item(item), Err(ReleaseError::NotHeld { item }));
        server.delete("/a").unwrap();
        granted
    };
    // The client disconnects.
    held_by(&|a| Some(a.granted));
    // The session expires.
    held_by(&|a| {
        server.expire(a.session());
        a.ends();
        None
    });
    // The session moves to another connection. Its held events are dropped, since the client sets its watches again.
    held_by(&|a| {
        let mut moved = Client::resume(server.addr(), &a.granted).expect("it is there");
        moved.assert_no_bytes();
        a.ends();
        Some(moved.granted)
    });
    // The server stops.
    held_by(&|a| {
        server.restart().unwrap();
        a.ends();
        None
    });
    // The hold still exists.
    held_by(&|a| Some(a.granted));
}

#[test]
fn a_held_request_arrives_though_its_client_has_gone() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    let hold = server.hold(Matcher::request(Op::Create));
    a.send(op::CREATE, &client::create("/a", b"", 0));
    wait_for(&hold, 1);
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    a.socket.shutdown(std::net::Shutdown::Write).unwrap();
    hold.release_next().unwrap();
    gone.blocking().unwrap();
    assert!(server.znode("/a").is_some());
}

#[test]
fn a_closed_session_still_gets_its_held_reply() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    a.create("/a", b"", EPHEMERAL);
    let hold = server.hold(Matcher::reply(Op::CloseSession));
    let mut asked = client::request(7, op::CLOSE_SESSION, &[]);
    asked.extend(client::request(8, op::EXISTS, &client::read("/a", false)));
    client::send(&mut a.socket, &asked);
    wait_for(&hold, 1);
    assert!(server.sessions().is_empty());
    assert!(server.znode("/a").is_none());
    hold.release_next().unwrap();
    assert_eq!(a.receive().xid, 7);
    a.ends();
}

#[test]
fn dropping_a_hold_releases_all_messages() {
    let server = start();
    let [mut a, mut b] = clients(&server, ["A", "B"]);
    a.exists("/a", true);
    let hold = server.hold(Matcher::any());
    server.create("/a", b"").unwrap();
    b.send(op::PING, &[]);
    wait_for(&hold, 2);
    drop(hold);
    assert_eq!(a.event(), created("/a"));
    assert_eq!(b.receive().error, 0);
    b.ping();
}

#[test]
fn a_panicking_test_releases_held_messages() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    let hold = server.hold(Matcher::reply(Op::Any));
    a.send(op::PING, &[]);
    wait_for(&hold, 1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _hold = hold;
        panic!("the test fails");
    }));
    assert!(panicked.is_err());
    assert_eq!(a.receive().error, 0);
}

#[test]
fn a_hold_that_can_never_match_is_refused() {
    let server = start();
    server.labelled("A").unwrap();
    for kind in [
        EventKind::SessionExpired,
        EventKind::Accepted,
        EventKind::Clock,
    ] {
        let error = server.try_hold(Matcher::of(kind)).unwrap_err();
        assert_eq!(error, HoldError::CannotBeHeld { kind });
    }
    for on in [
        Matcher::watch_event().error(ErrorCode::NoNode),
        Matcher::request(Op::Connect).path("/a"),
        Matcher::reply(Op::Create).event_type(EventType::NodeCreated),
        Matcher::any()
            .event_type(EventType::NodeCreated)
            .error(ErrorCode::NoNode),
        Matcher::watch_event().label("unknown"),
    ] {
        let error = server.try_hold(on.clone()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("{on} can never match: ")), "{text}");
        assert!(matches!(error, HoldError::NeverMatches(_)));
    }
    for on in [
        Matcher::any(),
        Matcher::any().path("/a"),
        Matcher::any().event_type(EventType::NodeCreated),
        Matcher::any().error(ErrorCode::NoNode),
        Matcher::reply(Op::GetData).watching(),
        Matcher::reply(Op::Connect).label("A"),
    ] {
        assert!(server.try_hold(on.clone()).is_ok(), "{on:?}");
    }
}

#[test]
fn held_messages_and_releases_are_plain_data() {
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    a.exists("/a", true);
    let on: Matcher =
        serde_json::from_str(r#"{"kind": "watch_event", "path": "/*", "label": "A"}"#).unwrap();
    let hold = server.try_hold(on).unwrap();
    server.create("/a", b"").unwrap();
    let held = serde_json::to_value(hold.held()).unwrap();
    let session = a.session();
    assert_eq!(
        held,
        serde_json::json!([{
            "item": 1,
            "connection": 1,
            "session": format!("{session}"),
            "label": "A",
            "message": {
                "kind": "watch_event",
                "event_type": "NodeCreated",
                "path": "/a",
                "zxid": "0x2"
            }
        }])
    );
    for which in [
        r#"{"release": "session", "session": "0x7"}"#.to_owned(),
        r#"{"release": "label", "label": "B"}"#.to_owned(),
    ] {
        let which: Release = serde_json::from_str(&which).unwrap();
        assert_eq!(hold.release(&which), Ok(Vec::new()));
    }
    let which = serde_json::from_str(r#"{"release": "item", "item": 1}"#).unwrap();
    assert_eq!(hold.release(&which).unwrap().len(), 1);
    assert_eq!(a.event(), created("/a"));
}

#[test]
fn ten_thousand_messages_are_held_and_released_one_by_one() {
    const NUMBER: usize = 10_000;
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    let watch = [client::buffer(b"/"), 1_i32.to_be_bytes().to_vec()].concat();
    a.ask_ok(op::ADD_WATCH, &watch);
    server.create("/a", b"").unwrap();
    assert_eq!(a.event(), created("/a"));
    let hold = server.hold(Matcher::watch_event());
    for _ in 0..NUMBER {
        server.set("/a", b"").unwrap();
    }
    assert_eq!(hold.held().len(), NUMBER);
    for _ in 0..NUMBER / 2 {
        hold.release_next().unwrap();
    }
    let last = hold.held()[NUMBER / 2 - 1].item;
    assert!(hold.release_item(last).is_err());
    assert_eq!(hold.release_all(), NUMBER / 2);
    for _ in 0..NUMBER {
        assert_eq!(a.event(), Event::Changed("/a".to_owned()));
    }
}

#[test]
fn a_client_with_held_replies_is_read_up_to_a_limit_and_loses_none() {
    const LAST: i32 = 100;
    let server = start();
    let [mut a] = clients(&server, ["A"]);
    a.create("/a", &[7; 1_000_000], 0);
    let hold = server.hold(Matcher::reply(Op::Exists));
    let mut asked = client::request(1, op::EXISTS, &client::read("/a", false));
    for xid in 2..=LAST {
        asked.extend(client::request(
            xid,
            op::GET_DATA,
            &client::read("/a", false),
        ));
    }
    client::send(&mut a.socket, &asked);
    wait_for(&hold, 1);
    let read = server.wait_for(Matcher::reply(Op::GetData)).nth(32);
    read.since(minikeeper::journal::Mark::BEGINNING)
        .blocking()
        .unwrap();
    hold.release_all();
    for xid in 1..=LAST {
        assert_eq!(a.receive().xid, xid);
    }
}
