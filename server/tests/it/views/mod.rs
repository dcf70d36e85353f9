//! A view always includes the effects of the calls before it.

mod model;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use minikeeper::{
    Ensemble, Fault, Hold, Matcher, Op, Server, SessionId,
    journal::{CloseReason, Event, JournalMode, Mark},
    matcher::EventKind,
};

use crate::client::{self, Client, EPHEMERAL, op};

/// Number of runs; a view that lags shows in about half of the runs.
const ROUNDS: usize = 40;

fn start() -> Server {
    let builder = Server::builder().manual_clock();
    builder.start().expect("a server starts")
}

fn address(server: &Server, label: &str) -> SocketAddr {
    server.labelled(label).expect("it listens").addr()
}

/// Asserts that the journal ends with these kinds of entries, among those of this connection.
fn assert_ends(server: &Server, connection: u64, kinds: &[EventKind]) {
    let journal = server.journal();
    let of_connection = Matcher::any().connection(connection);
    let entries: Vec<_> = journal.matching(&of_connection).collect();
    assert!(entries.len() >= kinds.len(), "{journal}");
    for (entry, kind) in entries.iter().rev().zip(kinds.iter().rev()) {
        assert!(entry.matches(&Matcher::of(*kind)), "{kind:?}: {journal}");
    }
}

fn number_of(server: &Server, client: &Client) -> u64 {
    let connections = server.connections();
    let own = |it: &&minikeeper::inspect::ConnectionView| it.session == Some(client.session());
    connections.iter().find(own).expect("it is up").number
}

#[test]
fn a_connection_that_a_call_closes_has_ended_when_the_call_returns() {
    let ensemble = Ensemble::start(3).expect("an ensemble starts");
    let server = ensemble.server();
    let verbs: [&dyn Fn(&Client); 8] = [
        &|_| assert_eq!(server.disconnect(Matcher::any().label("a")), 1),
        &|client| assert_eq!(server.expire(client.session()).expired.len(), 1),
        &|_| drop(ensemble.elect(None).expect("there is a quorum")),
        &|_| drop(ensemble.lose_quorum()),
        &|_| drop(ensemble.member(1).stop()),
        &|_| drop(ensemble.member(1).partition()),
        &|_| server.stop(),
        &|_| server.restart().expect("it starts again"),
    ];
    let member = ensemble.member(1);
    let addr = member.labelled("a").expect("it listens").addr();
    for (verb, close) in verbs.iter().enumerate() {
        for round in 0..ROUNDS / 8 {
            ensemble.regain_quorum();
            member.start_again().expect("it starts again");
            server.start_again().expect("it starts again");
            let mut client = Client::connect(addr);
            client.exists("/a", true);
            let number = number_of(server, &client);
            close(&client);
            let seen = format!("verb {verb}, round {round}");
            assert_eq!(server.connections(), [], "{seen}");
            assert_eq!(server.watches(), [], "{seen}");
            assert_eq!(ensemble.view()[0].sessions, [], "{seen}");
            let sessions = server.sessions();
            assert!(sessions.iter().all(|session| !session.connected), "{seen}");
            assert_ends(server, number, &[EventKind::Disconnected]);
            for session in sessions {
                server.expire(session.id);
            }
            server.assert_no_leaks();
            let no_leaks = server.wait_for_no_leaks().within(Duration::ZERO);
            no_leaks.blocking().expect("no leaks remain");
            client.ends();
        }
    }
}

#[test]
fn the_journal_has_the_reason_of_a_close_and_then_the_end() {
    let server = start();
    let client = Client::connect(server.addr());
    let number = number_of(&server, &client);
    server.expire(client.session());
    assert_ends(
        &server,
        number,
        &[EventKind::Closing, EventKind::Disconnected],
    );
    let journal = server.journal();
    let closing = Matcher::of(EventKind::Closing).connection(number);
    let reason = CloseReason::SessionExpired;
    let entry = journal.matching(closing).next().expect("it is noted");
    assert_eq!(entry.event, Event::Closing { reason });
    client.ends();
}

#[test]
fn a_client_that_has_its_last_reply_is_disconnected() {
    let server = start();
    for round in 0..ROUNDS {
        let mut client = Client::connect(server.addr());
        client.ask_ok(op::CLOSE_SESSION, &[]);
        assert_eq!(server.connections(), [], "round {round}");
        server.assert_no_leaks();
        let mut socket = client::open(server.addr());
        socket.write_all(b"ruok").expect("the server reads");
        let mut answer = [0; 4];
        std::io::Read::read_exact(&mut socket, &mut answer).expect("it is answered");
        assert_eq!(server.connections(), [], "round {round}");
    }
}

#[test]
fn a_closed_connection_counts_towards_no_limit() {
    let builder = Server::builder().max_client_connections(1);
    let server = builder.start().expect("a server starts");
    for _ in 0..ROUNDS {
        let client = Client::connect(server.addr());
        server.disconnect(Matcher::any());
        Client::resume(server.addr(), &client.granted)
            .expect("there is room for it")
            .close();
    }
}

/// Client whose create of an ephemeral is held.
fn held(server: &Server, hold: &Hold) -> Client {
    let mut client = Client::connect(address(server, "a"));
    client.send(op::CREATE, &client::create("/a", b"", EPHEMERAL));
    hold.wait_for(1).blocking().expect("it is held");
    client
}

#[test]
fn a_held_request_is_dropped_with_its_session() {
    let server = start();
    let hold = server.hold(Matcher::request(Op::Create));
    let ends: [&dyn Fn(SessionId); 4] = [
        &|session| drop(server.expire(session)),
        &|_| assert_eq!(server.disconnect(Matcher::any().label("a")), 1),
        &|session| {
            server.mute(session);
            server.advance(2 * client::TIMEOUT);
        },
        &|_| server.restart().expect("it starts again"),
    ];
    for (verb, end) in ends.iter().enumerate() {
        for round in 0..ROUNDS / 4 {
            let client = held(&server, &hold);
            let [item] = &hold.held()[..] else {
                panic!("one request is held");
            };
            end(client.session());
            let seen = format!("verb {verb}, round {round}");
            assert_eq!(hold.held(), [], "{seen}");
            let nothing = minikeeper::hold::ReleaseError::NothingHeld;
            assert_eq!(hold.release_next(), Err(nothing), "{seen}");
            let item = item.item;
            let gone = minikeeper::hold::ReleaseError::NotHeld { item };
            assert_eq!(hold.release_item(item), Err(gone), "{seen}");
            client.ends();
        }
    }
    assert!(server.znode("/a").is_none());
}

#[test]
fn held_and_delayed_messages_are_dropped_with_a_connection_that_the_test_closes() {
    let server = start();
    let delay = Fault::DelayReply {
        by: Duration::from_secs(1),
    };
    for label in ["held", "late"] {
        server.labelled(label).expect("it is a label");
    }
    let hold = server.hold(Matcher::reply(Op::Exists).label("held"));
    let late = server
        .fault("late")
        .on(Op::Exists)
        .label("late")
        .then(delay);
    for label in ["held", "late"] {
        let mut client = Client::connect(address(&server, label));
        client.send(op::EXISTS, &client::read("/a", false));
        let kind = if label == "held" {
            EventKind::Held
        } else {
            EventKind::Fault
        };
        let seen = server.wait_for(Matcher::of(kind));
        seen.since(Mark::BEGINNING).blocking().expect("it passes");
        assert_eq!(server.disconnect(Matcher::any().label(label)), 1);
        assert_eq!(server.connections(), []);
        assert_eq!(hold.held(), []);
        client.ends();
    }
    assert_eq!(late.hits(), 1);
}

#[test]
fn a_connection_stays_open_while_its_last_reply_is_held() {
    let server = start();
    let hold = server.hold(Matcher::reply(Op::CloseSession));
    for round in 0..ROUNDS {
        let mut client = Client::connect(server.addr());
        client.send(op::CLOSE_SESSION, &[]);
        hold.wait_for(1).blocking().expect("it is held");
        assert_eq!(server.sessions(), []);
        let [up] = &server.connections()[..] else {
            panic!("the connection stays open for the reply");
        };
        assert_eq!(up.session, None, "its session is over");
        let quiet = server.wait_for_no_leaks();
        hold.release_next().expect("it is held");
        assert_eq!(server.connections(), [], "round {round}");
        quiet.blocking().expect("nothing is left");
        assert_eq!(client.receive().error, 0);
        client.ends();
    }
}

#[test]
fn a_held_request_is_carried_out_when_its_release_returns() {
    let server = start();
    let hold = server.hold(Matcher::request(Op::Create));
    for round in 0..ROUNDS {
        let mut client = held(&server, &hold);
        assert!(server.znode("/a").is_none());
        hold.release_next().expect("it is held");
        let owner = server.znode("/a").and_then(|znode| znode.owner());
        assert_eq!(owner, Some(client.session()), "round {round}");
        assert_eq!(client.receive().error, 0);
        client.close();
    }
    let mut client = held(&server, &hold);
    drop(hold);
    assert!(server.znode("/a").is_some());
    assert_eq!(client.receive().error, 0);
    client.close();
    let connect = server.hold(Matcher::request(Op::Connect));
    let mut socket = client::open(server.addr());
    client::send(&mut socket, &client::connect_request(client::TIMEOUT, None));
    connect.wait_for(1).blocking().expect("it is held");
    connect.release_next().expect("it is held");
    assert_eq!(server.sessions().len(), 1);
    Client::granted(socket).expect("it is granted").close();
}

#[test]
fn requests_that_are_released_together_are_carried_out_oldest_first() {
    let server = start();
    server.create("/a", b"").expect("it is not there");
    let mut clients = ["a", "b", "c"].map(|label| Client::connect(address(&server, label)));
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let hold = server.hold(Matcher::request(Op::SetData));
        for (count, which) in (1..).zip(order) {
            let data = [u8::try_from(which).expect("a small number")];
            clients[which].send(op::SET_DATA, &client::set("/a", &data));
            hold.wait_for(count).blocking().expect("it is held");
        }
        let mark = server.mark();
        assert_eq!(hold.release_all(), 3);
        let journal = server.journal().since(mark);
        let replies = journal.matching(Matcher::reply(Op::SetData));
        let sessions: Vec<_> = replies.filter_map(|reply| reply.session).collect();
        assert_eq!(sessions, order.map(|which| clients[which].session()));
        for client in &mut clients {
            assert_eq!(client.receive().error, 0);
        }
    }
}

#[test]
fn a_delayed_request_is_carried_out_after_its_delay() {
    let server = start();
    let by = Duration::from_secs(1);
    let late = server.fault("late").on(Op::Create).always();
    let late = late.then(Fault::DelayRequest { by });
    let mut client = Client::connect(server.addr());
    for round in 1..ROUNDS {
        client.send(op::CREATE, &client::create("/a", b"", EPHEMERAL));
        let times = u64::try_from(round).expect("a small number");
        late.happened_times(times).blocking().expect("it happens");
        server.advance(by / 2);
        assert!(server.znode("/a").is_none());
        server.advance(by / 2);
        assert!(server.znode("/a").is_some(), "round {round}");
        assert_eq!(client.receive().error, 0);
        server.delete("/a").expect("it is there");
    }
}

/// Duration of a call, and the longest of the concurrent writes of another thread.
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn write_during(server: &Server, takes_long: impl FnOnce()) -> (Duration, Duration) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::SeqCst) {
                let begun = Instant::now();
                server.set("/a", b"").expect("it is there");
                longest = longest.max(begun.elapsed());
            }
            longest
        });
        let begun = Instant::now();
        takes_long();
        let took = begun.elapsed();
        over.store(true, Ordering::SeqCst);
        (took, writes.join().expect("it does not panic"))
    })
}

/// Asserts that the writes of another thread do not wait for all of a long call. On a busy machine a thread can wait as
/// long, so this is tried again.
fn others_go_on(what: &str, server: &Server, takes_long: impl Fn()) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        let (took, longest) = write_during(server, &takes_long);
        if longest < took / 2 {
            return;
        }
        seen.push((took, longest));
    }
    panic!("writes wait for {what}: {seen:?}");
}

#[test]
fn other_calls_do_not_wait_for_a_long_view() {
    let server = start();
    server.set_journal(JournalMode::Full);
    server.create("/a", b"").expect("it is not there");
    for _ in 0..10_000 {
        server.set("/a", b"").expect("it is there");
    }
    let in_vain = || {
        server
            .wait_for(Matcher::watch_event())
            .within(Duration::ZERO)
    };
    others_go_on("journal()", &server, || drop(server.journal()));
    others_go_on("since()", &server, || {
        drop(in_vain().since(Mark::BEGINNING))
    });
    others_go_on("a wait in vain", &server, || drop(in_vain().blocking()));
    server.set_journal(JournalMode::Off);
    for number in 0..10_000 {
        let path = format!("/{number}");
        server.create(&path, b"").expect("it is not there");
    }
    others_go_on("dump()", &server, || drop(server.dump()));
    others_go_on("tree()", &server, || drop(server.tree()));
}

#[test]
fn messages_during_a_look_back_count_after_the_earlier_ones() {
    let server = start();
    server.create("/a", b"").expect("it is not there");
    let wrote = || Matcher::of(EventKind::Wrote).path("/a");
    thread::scope(|scope| {
        for _ in 0..4 {
            let write =
                || (0..500).for_each(|_| server.set("/a", b"").map(|_| ()).expect("it is there"));
            scope.spawn(write);
        }
        for number in 1..100 {
            let nth = server.wait_for(wrote()).nth(number).since(Mark::BEGINNING);
            let entry = nth.blocking().expect("it passes");
            assert_eq!(entry.number, u64::try_from(number).expect("a small number"));
        }
    });
}
