//! Matchers: those that can never match are refused, and multis match by their operations.

use std::panic::{AssertUnwindSafe, catch_unwind};

use minikeeper::{
    Ensemble, ErrorCode, Fault, Journal, Matcher, Op, Server, SessionId, StartError,
    ensemble::MemberId,
    fault::{Direction, FaultRule},
    journal::{Budget, Claim},
    matcher::EventKind,
    protocol::EventType,
};

use crate::client::{self, Client, Reply, create, op, read, set};

const MULTI: i32 = 14;
const MULTI_READ: i32 = 22;
const CHECK: i32 = 13;
const EPHEMERAL: i32 = 1;

/// Body of a multi or multiRead.
fn multi(operations: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (operation, body) in operations {
        bytes.extend(operation.to_be_bytes());
        bytes.push(0);
        bytes.extend((-1_i32).to_be_bytes());
        bytes.extend(body);
    }
    bytes.extend((-1_i32).to_be_bytes());
    bytes.push(1);
    bytes.extend((-1_i32).to_be_bytes());
    bytes
}

/// Path and version.
fn versioned(path: &str, version: i32) -> Vec<u8> {
    [
        client::buffer(path.as_bytes()),
        version.to_be_bytes().to_vec(),
    ]
    .concat()
}

/// Body of the reply to a multi in which every operation has an error.
fn errors(codes: &[i32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for code in codes {
        bytes.extend((-1_i32).to_be_bytes());
        bytes.push(0);
        bytes.extend(code.to_be_bytes());
        bytes.extend(code.to_be_bytes());
    }
    bytes.extend([0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff]);
    bytes
}

/// Multi that checks `/`, creates `/a`, creates the ephemeral `/b` and sets `/have`.
fn mixed() -> Vec<u8> {
    multi(&[
        (CHECK, versioned("/", -1)),
        (op::CREATE, create("/a", b"", 0)),
        (op::CREATE, create("/b", b"", EPHEMERAL)),
        (op::SET_DATA, set("/have", b"new")),
    ])
}

fn panic_of<T>(act: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| {
        act();
    }))
    .expect_err("it panics");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .expect("it says why")
}

/// Server and a client that is connected to it.
fn served() -> (Server, Client) {
    let server = Server::builder().manual_clock().start();
    let server = server.expect("a server starts");
    server.create("/have", b"old").expect("it is new");
    let client = Client::connect(server.addr());
    (server, client)
}

#[test]
fn a_matcher_that_can_never_match_is_refused_everywhere() {
    let server = Server::start().unwrap();
    let journal = server.journal();
    for never in [
        Matcher::watch_event().error(ErrorCode::NoNode),
        Matcher::reply(Op::GetData).event_type(EventType::NodeCreated),
        Matcher::request(Op::GetData).ephemeral(),
        Matcher::reply(Op::GetData).sequential(),
        Matcher::request(Op::Create).watching(),
        Matcher::request(Op::Ping).path("/a"),
        Matcher::request(Op::Create).error(ErrorCode::NodeExists),
        Matcher::request(Op::Create).session(SessionId(0)),
        Matcher::watch_event().label("worker").connection(0),
        Matcher::of(EventKind::Request).op(Op::Connect),
        Matcher::watch_event().connection(0),
        Matcher::watch_event().member(MemberId(2)),
        Matcher::watch_event().label("wroker"),
        Matcher::watch_event()
            .path("/")
            .event_type(EventType::NodeCreated),
        Matcher::any()
            .error(ErrorCode::NoNode)
            .ephemeral()
            .watching(),
    ] {
        let wanted = format!("{never} can never match: ");
        let refused = |text: String| assert!(text.contains(&wanted), "{wanted} {text}");
        refused(server.check(&never).unwrap_err().to_string());
        refused(server.try_hold(never.clone()).unwrap_err().to_string());
        let fault = FaultRule::new("it", never.clone(), Fault::LoseReply);
        refused(match server.add_fault(fault) {
            Ok(_) => "a fault".to_owned(),
            // A fault that does not apply to this kind is refused for that reason.
            Err(error) if error.to_string().contains("does not happen to") => wanted.clone(),
            Err(error) => error.to_string(),
        });
        refused(panic_of(|| server.hold(never.clone())));
        refused(panic_of(|| server.wait_for(never.clone())));
        refused(panic_of(|| {
            server.wait_for_sequence([Matcher::watch_event(), never.clone()])
        }));
        refused(panic_of(|| server.budget(Budget::total(never.clone(), 1))));
        refused(panic_of(|| journal.assert_never(&never)));
        refused(panic_of(|| journal.assert_at_most(&never, 3)));
        refused(panic_of(|| journal.assert_count(&never, 0)));
        refused(panic_of(|| journal.assert_sequence([never.clone()])));
        let claim = Claim::AtMost {
            matcher: never.clone(),
            count: 1,
        };
        refused(journal.check(&claim).unwrap_err().to_string());
    }
}

#[test]
fn a_label_is_known_once_it_is_named() {
    let server = Server::builder().label("early").start().unwrap();
    let of = |label: &str| Matcher::watch_event().label(label);
    assert!(server.check(&of("early")).is_ok());
    let text = server.check(&of("late")).unwrap_err().to_string();
    assert!(text.contains(r#"(known labels: "early")"#), "{text}");
    assert!(
        text.contains(r#"add it to the server first (in Rust: labelled("late")"#),
        "{text}"
    );
    let journal = server.journal();
    server.labelled("late").unwrap();
    assert!(server.check(&of("late")).is_ok());
    server.journal().assert_never(of("late"));
    assert!(panic_of(|| journal.assert_never(of("late"))).contains("is not known"));

    let (_client, io) = tokio::io::duplex(64);
    let _serving = server.serve_labelled("served", io).unwrap();
    assert!(server.check(&of("served")).is_ok());
    server.restart().unwrap();
    assert!(server.check(&of("late")).is_ok());

    let unknown = Matcher::any().label("unknown");
    for text in [
        panic_of(|| server.partition("unknown")),
        panic_of(|| server.cut(unknown.clone(), Direction::Both)),
        panic_of(|| server.disconnect(&unknown)),
        panic_of(|| server.fault("it").label("unknown").then(Fault::LoseReply)),
    ] {
        assert!(text.contains("add it to the server first"), "{text}");
    }
}

#[test]
fn a_member_of_an_ensemble_names_labels_for_all() {
    let ensemble = Ensemble::start(3).unwrap();
    ensemble.member(2).labelled("worker").unwrap();
    let of_worker = Matcher::watch_event().label("worker").member(MemberId(3));
    assert!(ensemble.server().check(&of_worker).is_ok());
    let text = ensemble
        .server()
        .check(&Matcher::watch_event().member(MemberId(4)));
    let text = text.unwrap_err().to_string();
    assert!(text.contains("members are numbered from 1 to 3"), "{text}");
}

#[test]
fn a_journal_from_json_knows_its_labels() {
    let server = Server::start().unwrap();
    let _client = Client::connect(server.labelled("worker").unwrap().addr());
    server.labelled("boss").unwrap();
    let journal = Journal::from_json_lines(&server.journal().to_json_lines()).unwrap();
    journal.assert_count(Matcher::request(Op::Connect).label("worker"), 1);
    let text = panic_of(|| journal.assert_never(Matcher::any().label("boss")));
    assert!(
        text.contains(r#"no entry of this journal has the label "boss" (known labels: "worker")"#),
        "{text}"
    );
}

#[test]
fn a_cut_or_a_disconnect_accepts_only_conditions_on_connections() {
    let server = Server::start().unwrap();
    let of_requests = Matcher::request(Op::Create).path("/a");
    for text in [
        panic_of(|| server.disconnect(&of_requests)),
        panic_of(|| server.cut(Matcher::any().path("/a"), Direction::Both)),
    ] {
        assert!(text.contains("connections are matched here"), "{text}");
    }
}

#[test]
fn a_mark_of_another_server_or_of_a_later_time_is_refused() {
    let (one, two) = (Server::start().unwrap(), Server::start().unwrap());
    let journal = one.journal();
    let text = panic_of(|| one.journal().since(two.mark()));
    assert!(text.contains("to the journal of another server"), "{text}");
    let text = panic_of(|| one.wait_for(Matcher::watch_event()).since(two.mark()));
    assert!(text.contains("to the journal of another server"), "{text}");
    one.create("/a", b"").unwrap();
    let text = panic_of(|| journal.since(one.mark()));
    assert!(
        text.contains("this copy of the journal ends before the mark"),
        "{text}"
    );
    assert!(one.journal().since(one.mark()).is_empty());
    let fork = one.fork().unwrap();
    let text = panic_of(|| fork.journal().since(one.mark()));
    assert!(text.contains("to the journal of another server"), "{text}");
}

#[test]
fn a_wait_for_more_than_can_happen_is_refused() {
    let server = Server::start().unwrap();
    let fault = server
        .fault("twice")
        .times(2)
        .optional()
        .then(Fault::LoseReply);
    let text = panic_of(|| fault.happened_times(3));
    assert!(
        text.contains("happens at most 2 times, so it never happens 3 times"),
        "{text}"
    );
    let text = panic_of(|| server.wait_for(Matcher::watch_event()).nth(0));
    assert!(text.contains("counted from 1"), "{text}");
    let text = panic_of(|| {
        server.budget(Budget::PerTransaction {
            matcher: Matcher::request(Op::Create),
            at_most: 1,
        })
    });
    assert!(
        text.contains("here only these count: watch events, replies"),
        "{text}"
    );
}

#[test]
fn a_name_that_the_journal_uses_cannot_be_a_label() {
    let server = Server::start().unwrap();
    for label in ["test", "server", "ensemble"] {
        assert!(matches!(
            server.labelled(label),
            Err(StartError::ReservedLabel(_))
        ));
        assert!(Server::builder().label(label).start().is_err());
    }
}

#[test]
fn a_reply_matches_by_the_flags_of_its_request() {
    let (server, mut client) = served();
    let hold = server.hold(Matcher::reply(Op::GetData).watching());
    client.data("/have", false);
    client.send(op::GET_DATA, &read("/have", true));
    assert_eq!(hold.wait_for(1).blocking(), Ok(()));
    hold.release_all();
    client.receive();
    client.create("/e-", b"", 3);
    let journal = server.journal();
    journal.assert_count(Matcher::reply(Op::GetData).watching(), 1);
    journal.assert_count(Matcher::reply(Op::GetData).not_watching(), 1);
    journal.assert_count(Matcher::reply(Op::Create).ephemeral().sequential(), 1);
    journal.assert_never(Matcher::reply(Op::Create).not_ephemeral());
    let again = Journal::from_json_lines(&journal.to_json_lines()).unwrap();
    assert_eq!(again.entries(), journal.entries());
    again.assert_count(Matcher::reply(Op::GetData).watching(), 1);
}

#[test]
fn an_error_fault_fails_one_operation_of_a_multi() {
    let (server, mut client) = served();
    let budget = server.budget(Budget::total(Matcher::request(Op::Create), 2));
    let before = (server.tree(), server.znode("/").unwrap().stat);
    let fault = |on: Matcher| {
        let rule = FaultRule::new(
            "it",
            on,
            Fault::Error {
                code: ErrorCode::NoAuth,
            },
        );
        server.add_fault(rule).unwrap()
    };
    for (on, codes) in [
        (Matcher::request(Op::Create), [0, -102, -2, -2]),
        (Matcher::request(Op::Create).path("/b"), [0, 0, -102, -2]),
        (Matcher::request(Op::Create).ephemeral(), [0, 0, -102, -2]),
        (Matcher::request(Op::SetData).path("/have"), [0, 0, 0, -102]),
        (Matcher::request(Op::Check), [-102, -2, -2, -2]),
    ] {
        let fault = fault(on.clone());
        let Reply { error, body, .. } = client.ask(MULTI, &mixed());
        // As in a reply of a real 3.9.5: the header has no error, and every operation has one.
        assert_eq!((error, body), (0, errors(&codes)), "{on}");
        assert_eq!(fault.hits(), 1, "{on}");
    }
    assert_eq!((server.tree(), server.znode("/").unwrap().stat), before);
    assert!(budget.check().is_err(), "five multis have a create each");
    let journal = server.journal();
    journal.assert_count(Matcher::request(Op::Create), 5);
    journal.assert_count(
        Matcher::reply(Op::Create)
            .path("/b")
            .error(ErrorCode::NoAuth),
        2,
    );
    journal.assert_count(Matcher::reply(Op::Multi).error(ErrorCode::NoAuth), 5);
    let last = journal.matching(Matcher::reply(Op::Multi)).last().unwrap();
    assert!(last.to_string().contains(" -> NOAUTH "), "{last}");
}

#[test]
fn a_multi_that_fails_by_a_fault_has_the_reply_of_a_real_failure() {
    let (server, mut client) = served();
    let operations = multi(&[
        (CHECK, versioned("/", -1)),
        (op::CREATE, create("/have", b"", 0)),
        (op::DELETE, versioned("/have", -1)),
    ]);
    let by_itself = client.ask(MULTI, &operations);
    let _fault = server.fault("it").on(Op::Create).then(Fault::Error {
        code: ErrorCode::NodeExists,
    });
    let by_fault = client.ask(MULTI, &operations);
    assert_eq!(
        (by_fault.error, by_fault.body),
        (by_itself.error, by_itself.body)
    );
    let failed = Matcher::reply(Op::Create)
        .path("/have")
        .error(ErrorCode::NodeExists);
    server.journal().assert_count(failed, 2);
    let not_tried = Matcher::reply(Op::Delete).error(ErrorCode::RuntimeInconsistency);
    server.journal().assert_count(not_tried, 2);
}

#[test]
fn all_conditions_must_hold_for_one_operation_of_a_multi() {
    let (server, mut client) = served();
    let fault = |on: Matcher| {
        let mut rule = FaultRule::new("it", on, Fault::LoseReply);
        rule.optional = true;
        server.add_fault(rule)
    };
    let crossed = fault(Matcher::request(Op::Create).path("/a").ephemeral()).unwrap();
    let other = fault(Matcher::request(Op::SetData).path("/a")).unwrap();
    assert_eq!(client.ask(MULTI, &mixed()).error, 0);
    assert_eq!((crossed.hits(), other.hits()), (0, 0));
    let journal = server.journal();
    journal.assert_never(Matcher::request(Op::Write).path("/a").ephemeral());
    journal.assert_count(Matcher::request(Op::Write).path("/b").ephemeral(), 1);
    journal.assert_count(Matcher::request(Op::Check).path("/"), 1);
    journal.assert_never(Matcher::request(Op::Delete));
    let again = Journal::from_json_lines(&journal.to_json_lines()).unwrap();
    again.assert_never(Matcher::reply(Op::Write).path("/a").ephemeral());
    again.assert_count(Matcher::reply(Op::Create).path("/b").ephemeral(), 1);
}

#[test]
fn a_multi_that_matches_as_a_whole_is_refused_as_a_whole() {
    let (server, mut client) = served();
    for op in [Op::Multi, Op::Write, Op::Any] {
        let fault = server.fault("it").on(op).then(Fault::Error {
            code: ErrorCode::NoAuth,
        });
        let Reply { error, body, .. } = client.ask(MULTI, &mixed());
        assert_eq!((error, body), (client::NO_AUTH, Vec::new()), "{op:?}");
        drop(fault);
    }
    assert_eq!(server.znode("/a"), None);
}

#[test]
fn other_faults_and_holds_apply_to_the_whole_multi() {
    let (server, mut client) = served();
    let hold = server.hold(Matcher::request(Op::Create).path("/b"));
    client.send(MULTI, &mixed());
    hold.wait_for(1).blocking().unwrap();
    assert_eq!(server.znode("/a"), None);
    hold.release_all();
    assert_eq!(client.receive().error, 0);
    drop(hold);
    let hold = server.hold(Matcher::reply(Op::Delete).path("/a"));
    client.send(MULTI, &multi(&[(op::DELETE, versioned("/a", -1))]));
    hold.wait_for(1).blocking().unwrap();
    assert_eq!(server.znode("/a"), None, "it was carried out");
    drop(hold);
    assert_eq!(client.receive().error, 0);
    let fault = server
        .fault("it")
        .on(Op::SetData)
        .then(Fault::ApplyThenDrop);
    client.send(MULTI, &multi(&[(op::SET_DATA, set("/have", b"newer"))]));
    client.ends();
    assert_eq!(fault.hits(), 1);
    assert_eq!(server.data("/have").as_deref(), Some(&b"newer"[..]));
}

#[test]
fn only_the_matching_reads_of_a_multi_read_fail() {
    let (server, mut client) = served();
    let reads = multi(&[
        (op::GET_DATA, read("/have", false)),
        (op::GET_CHILDREN, read("/have", false)),
        (op::GET_DATA, read("/none", false)),
    ]);
    let well = client.ask(MULTI_READ, &reads).body;
    let fault = server.fault("it").on(Op::GetChildren).then(Fault::Error {
        code: ErrorCode::NoAuth,
    });
    let Reply { error, body, .. } = client.ask(MULTI_READ, &reads);
    assert_eq!(error, 0);
    assert_eq!(fault.hits(), 1);
    // The children are an empty list after a header of nine bytes; an error has the same length.
    let begin = body
        .iter()
        .zip(&well)
        .take_while(|(one, other)| one == other);
    let begin = begin.count();
    let refused = [(-1_i32).to_be_bytes(), (-102_i32).to_be_bytes()];
    assert_eq!(body[begin..begin + 4], refused[0]);
    assert_eq!(body[begin + 9..begin + 13], refused[1]);
    assert_eq!(body[begin + 13..], well[begin + 13..]);
    let journal = server.journal();
    journal.assert_count(Matcher::reply(Op::GetChildren).error(ErrorCode::NoAuth), 1);
    journal.assert_count(
        Matcher::reply(Op::GetData)
            .path("/none")
            .error(ErrorCode::NoNode),
        2,
    );
    journal.assert_never(
        Matcher::reply(Op::GetData)
            .path("/have")
            .error(ErrorCode::NoNode),
    );
    journal.assert_never(
        Matcher::reply(Op::MultiRead)
            .path("/have")
            .error(ErrorCode::NoNode),
    );
}

#[test]
fn a_close_happens_to_replies_of_requests_that_match() {
    let (server, mut client) = served();
    let fault = server.fault("it").on(Op::Create).then(Fault::Close);
    client.send(op::CREATE, &create("/a", b"", 0));
    client.ends();
    assert!(server.znode("/a").is_some(), "it was carried out");
    assert_eq!(fault.hits(), 1);
    let mut client = Client::connect(server.addr());
    let only_refused = FaultRule::new(
        "it",
        serde_json::from_str(r#"{"op": "create", "error": "NODEEXISTS"}"#).unwrap(),
        Fault::Close,
    );
    let fault = server.add_fault(only_refused).unwrap();
    assert_eq!(client.create("/b", b"", 0).error, 0);
    client.send(op::CREATE, &create("/b", b"", 0));
    client.ends();
    assert_eq!(fault.hits(), 1);
}

#[test]
fn a_connection_is_refused_whether_or_not_the_fault_names_connect() {
    let (server, _client) = served();
    for on in [
        Matcher::any().op(Op::Connect),
        Matcher::request(Op::Connect),
    ] {
        let fault = server
            .add_fault(FaultRule::new("it", on, Fault::Refuse))
            .unwrap();
        client::receive_end(&mut client::open(server.addr()));
        assert_eq!(fault.hits(), 1);
    }
    let fault = server.fault("it").on(Op::Connect).then(Fault::Refuse);
    client::receive_end(&mut client::open(server.addr()));
    assert_eq!(fault.hits(), 1);
}
