//! Every fault, byte for byte, as seen by a client that sends several requests at once; and the guards of faults.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use minikeeper::{
    ErrorCode, Fault, Matcher, Op, Server,
    fault::{FaultError, FaultRule},
    journal::{self, Entry, JournalMode},
    matcher::EventKind,
};

use crate::client::{
    self, Client, Event, TIMEOUT, connect_request, create, frames, op, open, read, receive,
    receive_end, request, send, set,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Xid of the last request.
const LAST: i32 = 99;

fn server_with(journal: JournalMode) -> Server {
    Server::builder()
        .manual_clock()
        .journal(journal)
        .start()
        .expect("a server starts")
}

fn server() -> Server {
    server_with(JournalMode::DEFAULT)
}

/// Received messages as text, up to the last reply or the end: xids of replies with their errors, and bytes that are
/// not a whole frame.
fn heard(socket: &mut TcpStream) -> String {
    heard_up_to(socket, LAST)
}

fn heard_up_to(socket: &mut TcpStream, last: i32) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let whole = frames(&bytes);
        let texts: Vec<String> = whole.iter().map(|frame| text(frame)).collect();
        if texts.last() == Some(&last.to_string()) {
            return texts.join(" ");
        }
        let used: usize = whole.iter().map(|frame| frame.len() + 4).sum();
        let end = match socket.read(&mut buffer) {
            Ok(0) => true,
            Ok(read) => {
                bytes.extend(buffer.iter().take(read));
                false
            }
            // A socket that is closed with unread bytes is reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("{texts:?}, and then {error}"),
        };
        if end {
            let cut_short = bytes.len() - used;
            let rest = (cut_short > 0).then(|| format!("+{cut_short}"));
            let texts = texts.into_iter().chain(rest).chain(["end".to_owned()]);
            return texts.collect::<Vec<_>>().join(" ");
        }
    }
}

fn text(frame: &[u8]) -> String {
    if frame.len() < 16 {
        return format!("{frame:?}");
    }
    if frame.len() == 37 && frame.starts_with(&[0; 4]) {
        return "session".to_owned();
    }
    match client::message(frame) {
        Ok(_) => "event".to_owned(),
        Err(reply) if reply.error == 0 || reply.error == client::NO_NODE => reply.xid.to_string(),
        Err(reply) => format!("{}!{}", reply.xid, reply.error),
    }
}

/// Three requests in one write, with a create in the middle, and a last one.
fn batch() -> Vec<u8> {
    [
        request(1, op::EXISTS, &read("/a", false)),
        request(2, op::CREATE, &create("/a", b"", 0)),
        request(3, op::EXISTS, &read("/b", false)),
        request(LAST, op::EXISTS, &read("/", false)),
    ]
    .concat()
}

#[test]
fn each_fault_has_its_effect_on_a_request() {
    let none = Duration::ZERO;
    let no_auth = ErrorCode::NoAuth;
    let cases = [
        (Fault::Error { code: no_auth }, "1 2!-102 3 99", false),
        (Fault::DropBefore, "1 end", false),
        (Fault::ApplyThenDrop, "1 end", true),
        (Fault::ReplyThenDrop, "1 2 end", true),
        (Fault::LoseRequest, "1 3 99", false),
        (Fault::LoseReply, "1 3 99", true),
        (Fault::DelayRequest { by: none }, "1 2 3 99", true),
        (Fault::DelayReply { by: none }, "1 2 3 99", true),
        (Fault::Truncate { bytes: 0 }, "1 end", true),
        (Fault::Truncate { bytes: 10 }, "1 +10 end", true),
        (Fault::Truncate { bytes: 4096 }, "1 2 end", true),
        (
            Fault::Split {
                bytes: 1,
                every: none,
            },
            "1 2 3 99",
            true,
        ),
        (
            Fault::Garbage {
                bytes: vec![0, 0, 0, 1, 7],
            },
            "1 [7] 3 99",
            true,
        ),
        (Fault::Garbage { bytes: vec![] }, "1 3 99", true),
        (Fault::Duplicate, "1 2 2 3 99", true),
        (Fault::WrongXid { xid: 77 }, "1 77 3 99", true),
        (Fault::SessionMoved, "1 end", false),
        (Fault::AuthFailed, "1 2!-115 end", false),
        (Fault::Expire, "1 end", false),
    ];
    for journal in [JournalMode::Off, JournalMode::Full] {
        for (fault, expected, applied) in &cases {
            let server = server_with(journal);
            let mut client = Client::connect(server.addr());
            let guard = server.fault("it").on(Op::Create).then(fault.clone());
            send(&mut client.socket, &batch());
            assert_eq!(&heard(&mut client.socket), expected, "{fault:?}");
            assert_eq!(server.znode("/a").is_some(), *applied, "{fault:?}");
            assert_eq!(guard.hits(), 1);
            let expired = *fault == Fault::Expire;
            assert_eq!(server.sessions().is_empty(), expired, "{fault:?}");
        }
    }
}

#[test]
fn each_fault_has_its_effect_behind_a_held_message() {
    let none = Duration::ZERO;
    let cases = [
        (Fault::DropBefore, "event 1 end"),
        (Fault::ApplyThenDrop, "event 1 end"),
        (Fault::LoseReply, "event 1 3 99"),
        (Fault::Truncate { bytes: 10 }, "event 1 +10 end"),
        (
            Fault::Split {
                bytes: 3,
                every: none,
            },
            "event 1 2 3 99",
        ),
        (Fault::Duplicate, "event 1 2 2 3 99"),
        (Fault::DelayReply { by: none }, "event 1 2 3 99"),
        (Fault::SessionMoved, "event 1 end"),
    ];
    for (fault, expected) in cases {
        let server = server();
        let mut client = Client::connect(server.addr());
        client.exists("/leader", true);
        let hold = server.hold(Matcher::watch_event());
        server.create("/leader", b"").unwrap();
        let guard = server.fault("it").on(Op::Create).then(fault.clone());
        send(&mut client.socket, &batch());
        guard.happened().blocking().unwrap();
        drop(hold);
        assert_eq!(heard(&mut client.socket), expected, "{fault:?}");
    }
}

#[test]
fn a_released_message_still_has_the_effect_of_its_fault() {
    for (fault, expected) in [
        (Fault::Duplicate, "2 2 99"),
        (Fault::Truncate { bytes: 10 }, "+10 end"),
        (
            Fault::Split {
                bytes: 1,
                every: Duration::ZERO,
            },
            "2 99",
        ),
        (Fault::ReplyThenDrop, "2 end"),
    ] {
        let server = server();
        let mut client = Client::connect(server.addr());
        let hold = server.hold(Matcher::reply(Op::Create));
        let guard = server.fault("it").on(Op::Create).then(fault.clone());
        send(
            &mut client.socket,
            &[
                request(2, op::CREATE, &create("/a", b"", 0)),
                request(LAST, op::EXISTS, &read("/", false)),
            ]
            .concat(),
        );
        guard.happened().blocking().unwrap();
        assert_eq!(hold.held().len(), 1, "{fault:?}");
        assert_eq!(hold.release_all(), 1);
        assert_eq!(heard(&mut client.socket), expected, "{fault:?}");
    }
}

#[test]
fn a_held_and_delayed_message_leaves_when_both_have_ended() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let hold = server.hold(Matcher::reply(Op::Create));
    let late = Fault::DelayReply { by: HOUR };
    let guard = server.fault("late").on(Op::Create).then(late);
    let xid = client.send(op::CREATE, &create("/a", b"", 0));
    guard.happened().blocking().unwrap();
    hold.release_all();
    server.advance(HOUR);
    assert_eq!(client.receive().xid, xid);

    let late = Fault::DelayRequest { by: HOUR };
    let guard = server.fault("late").on(Op::Delete).then(late);
    let hold = server.hold(Matcher::request(Op::Delete));
    let delete = [client::buffer(b"/a"), (-1_i32).to_be_bytes().to_vec()].concat();
    let xid = client.send(op::DELETE, &delete);
    hold.wait_for(1).blocking().unwrap();
    assert_eq!(guard.hits(), 0, "what is held has not arrived");
    hold.release_all();
    guard.happened().blocking().unwrap();
    assert!(server.znode("/a").is_some());
    server.advance(HOUR);
    assert_eq!(client.receive().xid, xid);
}

#[test]
fn a_delayed_request_delays_later_ones_and_matches_once() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let late = Fault::DelayRequest { by: HOUR };
    let guard = server.fault("late").on(Op::Create).always().then(late);
    send(&mut client.socket, &batch());
    assert_eq!(heard_up_to(&mut client.socket, 1), "1");
    guard.happened().blocking().unwrap();
    server.advance(HOUR - Duration::from_millis(1));
    assert_eq!(server.znode("/a"), None);
    server.advance(Duration::from_millis(1));
    assert_eq!(heard(&mut client.socket), "2 3 99");
    assert_eq!(guard.hits(), 1);
    let requests = server.journal();
    let requests = requests
        .iter()
        .filter(|entry| entry.matches(&Matcher::request(Op::Create)));
    assert_eq!(requests.count(), 1, "the journal has one entry");
}

#[test]
fn a_fault_that_ends_during_its_delay_does_not_match_the_next_request() {
    let server = server_with(JournalMode::Off);
    let mut client = Client::connect(server.addr());
    let late = server
        .fault("late")
        .on(Op::Create)
        .then(Fault::DelayRequest { by: HOUR });
    let xid = client.send(op::CREATE, &create("/a", b"", 0));
    late.happened().blocking().unwrap();
    drop(late);
    server.advance(HOUR);
    assert_eq!(client.receive().xid, xid);
    let code = ErrorCode::NoAuth;
    let _next = server
        .fault("no")
        .on(Op::Create)
        .then(Fault::Error { code });
    assert_eq!(client.create("/b", b"", 0).error, client::NO_AUTH);
}

#[test]
fn pieces_of_a_split_reply_leave_on_a_manual_and_on_the_system_clock() {
    let every = Duration::from_millis(20);
    for manual in [true, false] {
        let server = if manual {
            server()
        } else {
            Server::start().unwrap()
        };
        let mut client = Client::connect(server.addr());
        let split = Fault::Split { bytes: 7, every };
        let _fault = server.fault("pieces").on(Op::Ping).then(split);
        let xid = client.send(op::PING, &[]);
        if manual {
            // 20 bytes, in three pieces.
            client.socket.read_exact(&mut [0; 7]).unwrap();
            server.advance(every);
            client.socket.read_exact(&mut [0; 7]).unwrap();
            server.advance(every);
            client.socket.read_exact(&mut [0; 6]).unwrap();
        } else {
            assert_eq!(client.receive().xid, xid);
        }
        client.ping();
    }
}

#[test]
fn a_delayed_reply_leaves_in_real_time_too() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    let by = Duration::from_millis(20);
    let _reply = server
        .fault("slow reply")
        .on(Op::Exists)
        .then(Fault::DelayReply { by });
    let _request = server
        .fault("slow request")
        .on(Op::Create)
        .then(Fault::DelayRequest { by });
    send(&mut client.socket, &batch());
    assert_eq!(heard(&mut client.socket), "1 2 3 99");
}

#[test]
fn each_fault_has_its_effect_on_a_connect_request() {
    let cases = [
        (Fault::DropBefore, "end", 0),
        (Fault::ApplyThenDrop, "end", 1),
        (Fault::ReplyThenDrop, "session end", 1),
        (Fault::LoseReply, "99", 1),
        (Fault::Truncate { bytes: 5 }, "+5 end", 1),
        (Fault::Duplicate, "session session 99", 1),
        (
            Fault::Split {
                bytes: 1,
                every: Duration::ZERO,
            },
            "session 99",
            1,
        ),
        (
            Fault::Garbage {
                bytes: vec![0, 0, 0, 1, 7],
            },
            "[7] 99",
            1,
        ),
        // There is no session to expire.
        (Fault::Expire, "session 99", 1),
    ];
    for (fault, expected, sessions) in cases {
        let server = server();
        let _guard = server.fault("it").on(Op::Connect).then(fault.clone());
        let mut socket = open(server.addr());
        let last = request(LAST, op::EXISTS, &read("/", false));
        send(
            &mut socket,
            &[connect_request(TIMEOUT, None), last].concat(),
        );
        assert_eq!(heard(&mut socket), expected, "{fault:?}");
        assert_eq!(server.sessions().len(), sessions, "{fault:?}");
    }
}

#[test]
fn the_request_after_a_lost_connect_request_is_the_connect_request() {
    let server = server();
    let fault = server.fault("it").on(Op::Connect).then(Fault::LoseRequest);
    let mut socket = open(server.addr());
    send(&mut socket, &connect_request(TIMEOUT, None));
    fault.happened().blocking().unwrap();
    assert_eq!(server.sessions(), []);
    send(&mut socket, &connect_request(TIMEOUT, None));
    Client::granted(socket).expect("it is asked again").ping();
}

#[test]
fn a_session_expires_while_its_client_reconnects() {
    let server = server();
    let client = Client::connect(server.addr());
    let granted = client.granted.clone();
    drop(client);
    let _fault = server
        .fault("too late")
        .on(Op::Connect)
        .session(granted.session)
        .then(Fault::Expire);
    assert!(Client::resume(server.addr(), &granted).is_none());
    assert_eq!(server.sessions(), []);
}

#[test]
fn each_fault_has_its_effect_on_an_event_of_any_cause() {
    let cases = [
        (Fault::LoseReply, "99"),
        (Fault::ReplyThenDrop, "event end"),
        (Fault::Close, "end"),
        (Fault::Truncate { bytes: 6 }, "+6 end"),
        (Fault::Truncate { bytes: 0 }, "end"),
        (
            Fault::Garbage {
                bytes: vec![0, 0, 0, 1, 7],
            },
            "[7] 99",
        ),
        (Fault::Duplicate, "event event 99"),
        (
            Fault::Split {
                bytes: 1,
                every: Duration::ZERO,
            },
            "event 99",
        ),
        (Fault::DelayReply { by: Duration::ZERO }, "event 99"),
    ];
    for (fault, expected) in cases {
        for by_itself in [true, false] {
            let server = server();
            let mut client = Client::connect(server.addr());
            client.exists("/a", true);
            let guard = server
                .fault("it")
                .on(Matcher::watch_event())
                .path("/a")
                .then(fault.clone());
            if by_itself {
                let create = request(LAST, op::CREATE, &create("/a", b"", 0));
                send(&mut client.socket, &create);
            } else {
                server.create("/a", b"").unwrap();
                if expected.ends_with("99") {
                    let last = request(LAST, op::EXISTS, &read("/", false));
                    send(&mut client.socket, &last);
                }
            }
            assert_eq!(heard(&mut client.socket), expected, "{fault:?} {by_itself}");
            assert_eq!(guard.hits(), 1);
        }
    }
}

#[test]
fn a_reply_matches_by_its_content() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let fault = server
        .fault("no such znode")
        .matching(Matcher::reply(Op::Exists).error(ErrorCode::NoNode))
        .then(Fault::Close);
    client.exists("/", false);
    client.send(op::EXISTS, &read("/a", false));
    client.ends();
    assert_eq!(fault.hits(), 1);
}

#[test]
fn a_connection_is_refused_reset_or_accepted_late() {
    let server = server();
    let refused = server.fault("refused").then(Fault::Refuse);
    let reset = server.fault("reset").then(Fault::Reset);
    receive_end(&mut open(server.addr()));
    let mut socket = open(server.addr());
    let error = socket.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!((refused.hits(), reset.hits()), (1, 1));
    assert_eq!(server.connections().len(), 0);

    for said in [&connect_request(TIMEOUT, None)[..], b"ruok"] {
        let by = Duration::from_secs(5);
        let slow = server.fault("slow").then(Fault::SlowAccept { by });
        let connects = server
            .fault("the first request is still judged")
            .on(Op::Connect)
            .optional()
            .then(Fault::Duplicate);
        let mut socket = open(server.addr());
        send(&mut socket, said);
        slow.happened().blocking().unwrap();
        server.advance(by - Duration::from_millis(1));
        assert_eq!(server.sessions(), []);
        server.advance(Duration::from_millis(1));
        if said == b"ruok" {
            assert_eq!(client::receive_rest(&mut socket), b"imok");
        } else {
            assert_eq!(receive(&mut socket), receive(&mut socket));
            assert_eq!(connects.hits(), 1);
            server.expire(server.sessions()[0].id);
        }
    }
}

#[test]
fn a_late_accept_beyond_the_sessionless_timeout_closes_the_connection() {
    let server = Server::builder()
        .manual_clock()
        .sessionless_timeout(Duration::from_secs(1))
        .start()
        .unwrap();
    let slow = server.fault("slow").then(Fault::SlowAccept { by: HOUR });
    let mut socket = open(server.addr());
    slow.happened().blocking().unwrap();
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    server.advance(Duration::from_secs(2));
    receive_end(&mut socket);
    gone.blocking().unwrap();
    assert_eq!(server.connections().len(), 0);
}

#[test]
fn delayed_and_held_messages_are_dropped_with_their_client() {
    let server = server();
    let mut client = Client::connect(server.addr());
    client.exists("/a", true);
    let hold = server.hold(Matcher::watch_event());
    let late = server
        .fault("late")
        .on(Op::Exists)
        .then(Fault::DelayReply { by: HOUR });
    client.send(op::EXISTS, &read("/b", false));
    server.create("/a", b"").unwrap();
    late.happened().blocking().unwrap();
    hold.wait_for(1).blocking().unwrap();
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    drop(client);
    gone.blocking().unwrap();
    assert_eq!(hold.held(), []);
    assert_eq!(hold.release_all(), 0);
}

#[test]
fn a_request_matches_once_it_is_complete() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let fault = server.fault("it").on(Op::Create).then(Fault::ApplyThenDrop);
    let request = request(1, op::CREATE, &create("/a", b"", 0));
    let (half, rest) = request.split_at(7);
    send(&mut client.socket, half);
    // A later connection is served after the bytes that were read before.
    Client::connect(server.addr()).ping();
    assert_eq!(fault.hits(), 0);
    send(&mut client.socket, rest);
    client.ends();
    assert!(server.znode("/a").is_some());
}

#[test]
fn a_delayed_request_is_dropped_when_its_session_expires_or_moves() {
    for takeover in [true, false] {
        let server = server();
        let mut client = Client::connect(server.addr());
        let granted = client.granted.clone();
        let late = server
            .fault("late")
            .on(Op::Create)
            .then(Fault::DelayRequest { by: HOUR });
        client.send(op::CREATE, &create("/a", b"", 0));
        late.happened().blocking().unwrap();
        let resumed = if takeover {
            Client::resume(server.addr(), &granted)
        } else {
            server.expire(granted.session);
            None
        };
        client.ends();
        server.advance(HOUR * 2);
        assert_eq!(server.znode("/a"), None);
        drop(resumed);
    }
}

#[test]
fn faults_survive_a_restart_and_delayed_messages_do_not() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let late = server
        .fault("late")
        .on(Op::Create)
        .nth(1)
        .times(2)
        .then(Fault::DelayRequest { by: HOUR });
    client.send(op::CREATE, &create("/a", b"", 0));
    late.happened().blocking().unwrap();
    server.restart().unwrap();
    client.ends();
    server.advance(HOUR);
    assert_eq!(server.znode("/a"), None);
    let mut client = Client::connect(server.addr());
    let xid = client.send(op::CREATE, &create("/a", b"", 0));
    late.happened_times(2).blocking().unwrap();
    server.advance(HOUR);
    assert_eq!(client.receive().xid, xid);
}

#[test]
fn the_first_fault_that_matches_happens_and_each_counts_its_own_matches() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let fault = |name, code, nth, times| {
        let fault = server.fault(name).on(Op::SetData).nth(nth).times(times);
        fault.then(Fault::Error { code })
    };
    let first = fault("the second and third", ErrorCode::NoAuth, 2, 2);
    let second = fault("then once", ErrorCode::BadVersion, 2, 1);
    server.create("/a", b"").unwrap();
    let mut errors = Vec::new();
    for _ in 0..6 {
        errors.push(client.set("/a", b"").error);
    }
    // The second fault counts the requests that the first one did not take: the first request, and those from the
    // fourth on.
    assert_eq!(errors, [0, -102, -102, -103, 0, 0]);
    assert_eq!((first.hits(), second.hits()), (2, 1));
}

#[test]
fn a_fault_happens_only_where_all_conditions_hold() {
    let server = server();
    let worker = server.labelled("worker").unwrap();
    let mut client = Client::connect(server.addr());
    let mut other = Client::connect(worker.addr());
    let code = ErrorCode::NoAuth;
    let fault = |matcher: Matcher| {
        let rule = FaultRule::new("narrow", matcher, Fault::Error { code });
        server.add_fault(rule).unwrap()
    };
    server.create("/locks", b"").unwrap();

    let by_label = fault(Matcher::request(Op::Create).label("worker"));
    assert_eq!(client.create("/locks/a", b"", 0).error, 0);
    assert_eq!(other.create("/locks/b", b"", 0).error, -102);
    drop(by_label);
    let by_session = fault(Matcher::request(Op::Create).session(client.session()));
    assert_eq!(other.create("/locks/b", b"", 0).error, 0);
    assert_eq!(client.create("/locks/c", b"", 0).error, -102);
    drop(by_session);
    let deep = fault(Matcher::request(Op::Any).path("/locks/**"));
    assert_eq!(client.exists("/locks", false).error, 0);
    assert_eq!(client.exists("/locks/a/b/c", false).error, -102);
    drop(deep);
    let below = fault(Matcher::request(Op::Any).path("/locks/*"));
    assert_eq!(client.exists("/locks/a/b", false).error, -101);
    assert_eq!(client.exists("/locks/a", false).error, -102);
    drop(below);
    let watching = fault(Matcher::request(Op::Exists).watching());
    assert_eq!(client.exists("/locks", false).error, 0);
    assert_eq!(client.exists("/locks", true).error, -102);
    drop(watching);
    let candidacy = fault(Matcher::request(Op::Create).ephemeral().sequential());
    for (flags, error) in [(0, 0), (1, 0), (2, 0), (3, -102)] {
        assert_eq!(client.create(&format!("/{flags}"), b"", flags).error, error);
    }
    drop(candidacy);
    let journal = server.journal();
    let asked = |matcher: Matcher| {
        let asked = journal.iter().filter(|entry| entry.matches(&matcher));
        asked.count()
    };
    assert_eq!(
        asked(Matcher::request(Op::Create).path("/?").ephemeral()),
        2
    );
    assert_eq!(
        asked(Matcher::request(Op::Create).path("/?").sequential()),
        2
    );
    assert_eq!(asked(Matcher::request(Op::Exists).watching()), 1);
}

#[test]
#[should_panic(
    expected = "the fault \"a lock\" never happened: it waited for match 2 of Matcher::request(Op::Create)\
                .path(\"/locks/*\"); of 3 requests that passed, 1 matched; 1 differed only in the operation (the first \
                had Exists); 1 differed only in the path (the first had /a)"
)]
fn a_fault_that_never_happened_lists_the_nearest_misses() {
    let server = server();
    server.create("/locks", b"").unwrap();
    let mut client = Client::connect(server.addr());
    let _fault = server
        .fault("a lock")
        .on(Op::Create)
        .path("/locks/*")
        .nth(2)
        .then(Fault::LoseReply);
    client.create("/locks/a", b"", 0);
    client.create("/a", b"", 0);
    client.exists("/locks/a", false);
}

#[test]
#[should_panic(expected = "no accepted connection passed")]
fn a_fault_without_any_connection_says_so() {
    let server = server();
    drop(server.fault("unused").then(Fault::Refuse));
}

#[test]
fn a_fault_that_can_never_happen_is_refused() {
    let server = server();
    let place = |json: &str| {
        server
            .add_fault(serde_json::from_str(json).unwrap())
            .map(drop)
    };
    for (on, then) in [
        (r#"{"kind": "watch_event"}"#, r#"{"fault": "expire"}"#),
        (
            r#"{"kind": "watch_event"}"#,
            r#"{"fault": "wrong_xid", "xid": 1}"#,
        ),
        (r#"{"op": "connect"}"#, r#"{"fault": "session_moved"}"#),
        (
            r#"{"op": "connect"}"#,
            r#"{"fault": "wrong_xid", "xid": 1}"#,
        ),
        (
            r#"{"kind": "session_expired"}"#,
            r#"{"fault": "lose_reply"}"#,
        ),
        (r#"{"op": "create"}"#, r#"{"fault": "refuse"}"#),
        (
            r#"{"op": "connect", "session": "0x1"}"#,
            r#"{"fault": "refuse"}"#,
        ),
    ] {
        let rule = format!(r#"{{"name": "it", "on": {on}, "then": {then}}}"#);
        assert!(place(&rule).is_err(), "{rule}");
    }
    for on in [
        r#"{"kind": "watch_event", "op": "create"}"#,
        r#"{"kind": "request", "error": "NONODE"}"#,
        r#"{"kind": "request", "event_type": "NodeDeleted"}"#,
        r#"{"kind": "reply", "op": "connect"}"#,
        r#"{"kind": "connect", "path": "/a"}"#,
    ] {
        let rule = format!(r#"{{"name": "it", "on": {on}, "then": {{"fault": "lose_reply"}}}}"#);
        let error = place(&rule).unwrap_err();
        assert!(matches!(error, FaultError::NeverMatches { .. }), "{rule}");
    }
    for times in [r#""nth": 0"#, r#""times": 0"#] {
        let rule = format!(r#"{{"name": "it", {times}, "then": {{"fault": "lose_reply"}}}}"#);
        assert!(place(&rule).is_err(), "{rule}");
    }
}

#[test]
fn a_rule_survives_a_round_trip_through_json() {
    let rules = [
        concat!(
            r#"{"name":"a","on":{"op":"create","path":"/locks/**","label":"worker"},"nth":2,"#,
            r#""times":null,"optional":true,"then":{"fault":"error","code":"NOAUTH"}}"#,
        ),
        concat!(
            r#"{"name":"b","on":{"kind":"watch_event","event_type":"NodeDeleted"},"nth":1,"times":3,"#,
            r#""optional":false,"then":{"fault":"split","bytes":1,"every_ms":20}}"#,
        ),
        concat!(
            r#"{"name":"c","on":{"session":"0x1a"},"nth":1,"times":1,"optional":false,"#,
            r#""then":{"fault":"partition","direction":"to_client"}}"#,
        ),
        concat!(
            r#"{"name":"d","on":{"op":"connect"},"nth":1,"times":1,"optional":false,"#,
            r#""then":{"fault":"delay_request","by_ms":1500}}"#,
        ),
        concat!(
            r#"{"name":"e","on":{"watching":true},"nth":1,"times":1,"optional":false,"#,
            r#""then":{"fault":"garbage","bytes":[1,255]}}"#,
        ),
        concat!(
            r#"{"name":"f","on":{"ephemeral":true,"sequential":false},"nth":1,"times":1,"#,
            r#""optional":false,"then":{"fault":"apply_then_drop"}}"#,
        ),
    ];
    for json in rules {
        let rule: FaultRule = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&rule).unwrap(), json);
    }
    for json in [
        r#"{"name":"a","then":{"fault":"lose_reply"},"when":"now"}"#,
        r#"{"name":"a","on":{"paht":"/a"},"then":{"fault":"lose_reply"}}"#,
        r#"{"name":"a","then":{"fault":"delay_reply","by_ms":1,"by":1}}"#,
        r#"{"name":"a","then":{"fault":"lose_everything"}}"#,
        r#"{"name":"a","on":{"path":"/a/***"},"then":{"fault":"lose_reply"}}"#,
        r#"{"name":"a"}"#,
    ] {
        assert!(serde_json::from_str::<FaultRule>(json).is_err(), "{json}");
    }
}

#[test]
fn the_journal_names_a_fault() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let _fault = server.fault("no ping").on(Op::Ping).then(Fault::LoseReply);
    client.send(op::PING, &[]);
    client.ping();
    let journal = server.journal();
    let entry = journal
        .iter()
        .find(|entry| entry.matches(&Matcher::of(EventKind::Fault)));
    let fault = journal::Event::Fault {
        name: "no ping".into(),
        then: std::borrow::Cow::Owned(Fault::LoseReply),
    };
    assert_eq!(entry.map(|entry| &entry.event), Some(&fault));
}

/// All commands of ZooKeeper's own `ControlCommand`, by its names.
mod controller {
    use super::*;

    #[test]
    fn ping() {
        assert!(server().is_running());
    }

    #[test]
    fn shutdown() {
        let server = server();
        let client = Client::connect(server.addr());
        server.stop();
        client.ends();
        assert!(client::refuses(server.addr()));
    }

    #[test]
    fn closeconnection() {
        let server = server();
        let [mut a, b, c] = [(); 3].map(|()| Client::connect(server.addr()));
        assert_eq!(server.disconnect(Matcher::any().session(b.session())), 1);
        b.ends();
        a.ping();
        assert_eq!(server.disconnect(Matcher::any()), 2);
        a.ends();
        let granted = c.granted.clone();
        c.ends();
        Client::resume(server.addr(), &granted).expect("sessions are kept");
    }

    #[test]
    fn expiresession() {
        let server = server();
        let [a, b] = [(); 2].map(|()| Client::connect(server.addr()));
        server.expire(a.session());
        a.ends();
        for session in server.sessions() {
            server.expire(session.id);
        }
        b.ends();
        assert_eq!(server.sessions(), []);
    }

    #[test]
    fn rejectconnections() {
        let server = server();
        let mut before = Client::connect(server.addr());
        let rejected = server.fault("reject").always().then(Fault::Refuse);
        receive_end(&mut open(server.addr()));
        receive_end(&mut open(server.addr()));
        assert_eq!(rejected.hits(), 2);
        before.ping();
    }

    #[test]
    fn adddelay() {
        let server = server();
        let mut client = Client::connect(server.addr());
        let by = Duration::from_secs(1);
        let delay = server
            .fault("delay")
            .on(Op::Any)
            .always()
            .then(Fault::DelayRequest { by });
        for times in 1..3 {
            let xid = client.send(op::EXISTS, &read("/", false));
            delay.happened_times(times).blocking().unwrap();
            server.advance(by);
            assert_eq!(client.receive().xid, xid);
        }
    }

    #[test]
    fn failrequests() {
        let server = server();
        let mut client = Client::connect(server.addr());
        let fail = Fault::Error {
            code: ErrorCode::ApiError,
        };
        let two = server.fault("two").on(Op::Any).times(2).then(fail.clone());
        let errors: Vec<i32> = (0..3).map(|_| client.exists("/", false).error).collect();
        assert_eq!(errors, [-100, -100, 0]);
        drop(two);
        let _all = server.fault("all").on(Op::Any).always().then(fail);
        assert!((0..3).all(|_| client.exists("/", false).error == -100));
    }

    #[test]
    fn noresponse() {
        let server = server();
        let mut client = Client::connect(server.addr());
        let eaten = server
            .fault("eaten")
            .on(Op::Any)
            .times(2)
            .then(Fault::LoseReply);
        client.send(op::CREATE, &create("/a", b"", 0));
        client.send(op::SET_DATA, &set("/a", b"v"));
        assert_eq!(client.data("/a", false), b"v");
        assert_eq!(eaten.hits(), 2);
    }

    #[test]
    fn reset() {
        let server = server();
        let mut client = Client::connect(server.addr());
        let refuse = server.fault("reject").always().then(Fault::Refuse);
        let eat = server
            .fault("eat")
            .on(Op::Any)
            .always()
            .then(Fault::LoseReply);
        client.send(op::CREATE, &create("/a", b"", 0));
        eat.happened().blocking().unwrap();
        server.clear_faults();
        client.ping();
        Client::connect(server.addr()).ping();
        assert_eq!((refuse.hits(), eat.hits()), (0, 1));
    }
}

#[test]
fn the_event_of_a_write_precedes_later_replies_under_every_delay() {
    let server = server();
    let mut client = Client::connect(server.addr());
    client.exists("/a", true);
    let late = server
        .fault("late")
        .on(Matcher::watch_event())
        .then(Fault::DelayReply { by: HOUR });
    let xid = client.send(op::CREATE, &create("/a", b"", 0));
    late.happened().blocking().unwrap();
    server.advance(HOUR);
    assert_eq!(client.event(), Event::Created("/a".to_owned()));
    assert_eq!(client.receive().xid, xid);
}

#[test]
fn a_session_close_and_a_fault_that_closes_make_one_entry() {
    let server = server();
    let mut client = Client::connect(server.addr());
    let _fault = server
        .fault("both")
        .on(Op::CloseSession)
        .then(Fault::ReplyThenDrop);
    client.send(op::CLOSE_SESSION, &[]);
    client.receive();
    client.ends();
    let journal = server.journal();
    let closing = |entry: &&Entry| matches!(entry.event, journal::Event::Closing { .. });
    assert_eq!(journal.iter().filter(closing).count(), 1);
    assert_eq!(server.sessions(), []);
}

#[test]
fn the_code_of_a_fault_is_in_the_entry_of_the_reply() {
    let server = server();
    let mut client = Client::connect(server.addr());
    for code in [ErrorCode::SystemError, ErrorCode::RequestTimeout] {
        let _fault = server
            .fault("refused")
            .on(Op::Create)
            .then(Fault::Error { code });
        client.send(op::CREATE, &create("/a", b"", client::PERSISTENT));
        assert_eq!(client.receive().error, code.number());
        let journal = server.journal();
        let replied = journal.last_lines(1).concat();
        let code = format!("-> {}", code.name());
        assert!(replied.contains(&code), "{journal}");
    }
}
