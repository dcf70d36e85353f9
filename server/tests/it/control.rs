//! Faults, holds, cut links and the journal, as a client sees them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use minikeeper::{
    Ensemble, ErrorCode, Fault, Matcher, Op, Server,
    fault::{Chaos, Direction},
    hold::ReleaseError,
    journal::Budget,
    matcher::{EventKind, PathPattern},
    protocol::{EventType, Operation},
};

use crate::client::{Client, Event, op};

fn create(client: &mut Client, path: &str) -> i32 {
    client.create(path, b"", 0).error
}

#[test]
fn an_error_fault_refuses_a_request_without_carrying_it_out() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    let fault = server
        .fault("no locks")
        .on(Op::Create)
        .path("/locks/*")
        .nth(2)
        .then(Fault::Error {
            code: ErrorCode::NoAuth,
        });
    assert_eq!(create(&mut client, "/locks"), 0);
    assert_eq!(create(&mut client, "/locks/a"), 0);
    assert_eq!(create(&mut client, "/locks/b"), ErrorCode::NoAuth.number());
    assert_eq!(create(&mut client, "/locks/b"), 0);
    assert_eq!(fault.hits(), 1);
}

#[test]
fn apply_then_drop_carries_out_a_write_and_loses_its_reply() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    let _fault = server
        .fault("the ambiguous write")
        .on(Op::Create)
        .then(Fault::ApplyThenDrop);
    client.send(op::CREATE, &crate::client::create("/a", b"", 0));
    client.ends();
    assert!(server.znode("/a").is_some());
}

#[test]
#[should_panic(expected = "the fault \"never\" never happened")]
fn a_fault_that_never_happens_fails_the_test() {
    let server = Server::start().unwrap();
    drop(server.fault("never").on(Op::Create).then(Fault::DropBefore));
}

#[test]
fn held_events_are_released_in_any_order_across_clients() {
    let server = Server::start().unwrap();
    let (mut a, mut b) = (
        Client::connect(server.addr()),
        Client::connect(server.addr()),
    );
    for client in [&mut a, &mut b] {
        client.exists("/leader", true);
    }
    let hold = server.hold(Matcher::watch_event().path("/leader"));
    server.create("/leader", b"").unwrap();
    hold.wait_for(2).blocking().unwrap();
    let held = hold.held();
    assert_eq!(held.len(), 2);
    assert_eq!(hold.release_session(b.session()), 1);
    assert_eq!(b.event(), Event::Created("/leader".to_owned()));
    // The reply to the next request of the other client waits behind its event.
    let xid = a.send(op::PING, &[]);
    assert_eq!(hold.release_all(), 1);
    assert_eq!(a.event(), Event::Created("/leader".to_owned()));
    assert_eq!(a.receive().xid, xid);
}

#[test]
fn no_message_overtakes_a_held_one_on_the_same_connection() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    for path in ["/a", "/b"] {
        client.exists(path, true);
    }
    let hold = server.hold(Matcher::watch_event());
    server.create("/a", b"").unwrap();
    server.create("/b", b"").unwrap();
    let [first, second] = &hold.held()[..] else {
        panic!("{:?}", hold.held());
    };
    assert_eq!(
        hold.release_item(second.item),
        Err(ReleaseError::WouldOvertake {
            item: second.item,
            before: first.item
        })
    );
    hold.release_item(first.item).unwrap();
    hold.release_item(second.item).unwrap();
    assert_eq!(client.event(), Event::Created("/a".to_owned()));
    assert_eq!(client.event(), Event::Created("/b".to_owned()));
}

#[test]
fn the_journal_has_all_messages_and_can_be_waited_on() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    client.exists("/a", true);
    let waiting = server.wait_for(Matcher::watch_event().event_type(EventType::NodeCreated));
    let writer = std::thread::spawn({
        let server = server.clone();
        move || server.create("/a", b"").unwrap()
    });
    let entry = waiting.blocking().unwrap();
    assert!(
        matches!(&entry.event, minikeeper::journal::Event::WatchEvent { path, .. } if path == "/a")
    );
    writer.join().unwrap();
    let kinds: Vec<String> = server
        .journal()
        .iter()
        .map(|entry| {
            serde_json::to_value(entry).unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "accepted",
            "connect",
            "connected",
            "request",
            "reply",
            "watch_event",
            "wrote"
        ]
    );
    let exists = server
        .journal()
        .into_iter()
        .find(|entry| entry.matches(&Matcher::of(EventKind::Reply).error(ErrorCode::NoNode)));
    assert!(matches!(
        exists.unwrap().event,
        minikeeper::journal::Event::Reply {
            operation: Some(Operation::Exists),
            ..
        }
    ));
}

#[test]
fn guards_of_a_panicking_test_end_on_a_shared_server() {
    let ensemble = Ensemble::start(3).unwrap();
    let server = ensemble.server();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let drop_all = server.fault("all").on(Op::Any).always();
        let _fault = drop_all.then(Fault::DropBefore);
        let refuse = Matcher::of(EventKind::Accepted);
        let _chaos = server.chaos(Chaos::new().rule("all", 1.0, refuse, Fault::Refuse));
        let _cut = server.cut(Matcher::any(), Direction::Both);
        let _budget = server.budget(Budget::total(Matcher::any(), 0));
        let _partition = ensemble.member(1).partition();
        let _lag = ensemble.member(2).lag().unwrap();
        let _waiting = server.wait_for(Matcher::watch_event());
        panic!("the test fails");
    }));
    assert!(panicked.is_err());
    for member in ensemble.view() {
        assert_eq!((member.partitioned, member.behind), (false, None));
        let mut client = Client::connect(member.addr);
        assert_eq!(create(&mut client, &format!("/{}", member.id)), 0);
    }
}

#[test]
fn a_path_pattern_matches_like_a_shell_pattern_in_bounded_time() {
    for (pattern, meant, not_meant) in [
        (
            "/locks/**",
            &["/locks/a", "/locks/a/b"][..],
            &["/locks", "/", "/locksmith"][..],
        ),
        ("/**", &["/", "/a", "/a/b"], &[]),
        ("**", &["/", "/a/b"], &[]),
        (
            "/**/lock-*",
            &["/lock-1", "/a/b/lock-"],
            &["/a/lock", "/lock-1/a"],
        ),
        (
            "/a/**/b/**/c",
            &["/a/b/c", "/a/x/b/y/b/z/c"],
            &["/a/b", "/a/c", "/a/b/c/d"],
        ),
        ("/*", &["/a"], &["/a/b"]),
        ("/a?[b-d]", &["/a-c"], &["/a/c", "/a-e", "/a-"]),
        ("/a", &["/a"], &["/a/", "/A", "/b"]),
    ] {
        let parsed: PathPattern = pattern.parse().unwrap();
        for path in meant {
            assert!(parsed.matches(path), "{pattern} stands for {path}");
        }
        for path in not_meant {
            assert!(!parsed.matches(path), "{pattern} does not stand for {path}");
        }
    }
    // A backtracking matcher would try more combinations for each of these than there are atoms in the universe.
    let name = "a".repeat(10_000);
    let stars: PathPattern = format!("/{}b/x", "*a".repeat(100)).parse().unwrap();
    assert!(!stars.matches(&format!("/{name}/x")));
    let many = format!("{}/b/c", "/**/a".repeat(1000));
    let many: PathPattern = many.parse().unwrap();
    assert!(!many.matches(&format!("{}/b", "/a".repeat(10_000))));
    assert!("*".repeat(10_000).parse::<PathPattern>().is_err());
    assert!("*a".repeat(10_000).parse::<PathPattern>().is_err());
}
