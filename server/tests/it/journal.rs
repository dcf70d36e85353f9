//! The journal: its lines, claims, waits, budgets, leaks, and the timeline page.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use minikeeper::{
    Ensemble, ErrorCode, Fault, Journal, Matcher, Op, Server,
    journal::{self, Budget, Claim, Entry, JournalMode, Mark},
    matcher::EventKind,
    protocol::{EventType, Timestamp},
};

use crate::client::{Client, EPHEMERAL, Event, Fields, buffer, op, read};

/// Lines of a journal without number and time.
fn lines(journal: &Journal) -> Vec<String> {
    let line = |entry: &Entry| {
        let line = entry.to_string();
        let behind_time = line.splitn(3, ' ').nth(2);
        behind_time.expect("number, time, the rest").to_owned()
    };
    journal.iter().map(line).collect()
}

/// Message of a panic.
fn panic_of(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("it panics");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .expect("it says why")
}

#[test]
fn every_entry_is_one_line_with_source_event_and_result() {
    let server = Server::builder().manual_clock().start().unwrap();
    server.create("/locks", b"").unwrap();
    let worker = server.labelled("worker").unwrap();
    let mark = server.mark();
    let mut client = Client::connect(worker.addr());
    let session = client.session();
    server.advance(Duration::from_millis(250));
    client.create("/locks/lock-", b"me", 3);
    client.exists("/locks/other", true);
    server.create("/locks/other", b"\xff").unwrap();
    client.event();
    client.create("/locks/lock-\n", b"", 0);
    server.expire(session);
    client.ends();
    let gone = server
        .wait_for(Matcher::of(EventKind::Disconnected))
        .since(mark);
    gone.blocking().unwrap();
    let journal = server.journal().since(mark);
    let all = lines(&journal);
    assert!(all[0].starts_with("worker accepted from 127.0.0.1:"));
    assert_eq!(
        all[1..],
        [
            "worker connect timeout 40000ms".to_owned(),
            format!("worker connect -> new session {session} timeout 40000ms"),
            "test clock +250ms".to_owned(),
            r#"worker create /locks/lock- "me""#.to_owned(),
            "worker create /locks/lock- -> /locks/lock-0000000000 zxid 0x3".to_owned(),
            "worker exists /locks/other watch".to_owned(),
            "worker exists /locks/other -> NONODE zxid 0x3".to_owned(),
            "worker event NodeCreated /locks/other zxid 0x4".to_owned(),
            r#"test create2 /locks/other "\xff" -> ok zxid 0x4"#.to_owned(),
            r#"worker create "/locks/lock-\n" """#.to_owned(),
            r#"worker create "/locks/lock-\n" -> BADARGUMENTS zxid 0x5"#.to_owned(),
            "worker session expired, deleted /locks/lock-0000000000 zxid 0x6".to_owned(),
            "worker closing session_expired".to_owned(),
            "worker disconnected".to_owned(),
        ]
    );
    let created = &journal.entries()[5];
    assert_eq!(
        created.to_string(),
        format!(
            "{} +0.250s worker create /locks/lock- -> /locks/lock-0000000000 zxid 0x3",
            created.number
        )
    );
}

#[test]
fn actions_of_the_test_are_entries() {
    let server = Server::builder().manual_clock().start().unwrap();
    let mut client = Client::connect(server.addr());
    let session = client.session();
    let fault = server.fault("no writes").on(Op::Write);
    let fault = fault.then(Fault::Error {
        code: ErrorCode::NoAuth,
    });
    let mark = server.mark();
    client.create("/a", b"", 0);
    drop(fault);
    let hold = server.hold(Matcher::reply(Op::Exists));
    client.send(op::EXISTS, &read("/", false));
    hold.wait_for(1).blocking().unwrap();
    hold.release_all();
    client.receive();
    server.mute(session);
    server.labelled("unused").unwrap();
    drop(server.partition("unused"));
    server.stop();
    server.start_again().unwrap();
    let all = lines(&server.journal().since(mark));
    for wanted in [
        r#"test cut 1 both of Matcher::any().label("unused")"#,
        "test healed 1",
        "test stopped the server",
        "test started the server again",
    ] {
        assert!(all.iter().any(|line| line == wanted), "{wanted}: {all:#?}");
    }
    assert_eq!(
        all[..6],
        [
            format!("{session} create /a \"\""),
            format!("{session} fault \"no writes\": error code NOAUTH"),
            format!("{session} create /a -> NOAUTH zxid 0x1"),
            format!("{session} exists /"),
            format!("{session} exists / -> ok zxid 0x1"),
            format!("{session} held 1: reply exists /"),
        ]
    );
    assert_eq!(
        all[6..8],
        [
            format!("{session} released 1: reply exists /"),
            format!("{session} muted")
        ]
    );
}

#[test]
fn entries_of_holds_have_the_message_and_its_client() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.labelled("b").unwrap().addr());
    client.exists("/x", true);
    let hold = server.hold(Matcher::watch_event());
    let made = server.wait_for(Matcher::watch_event().path("/x"));
    server.create("/x", b"").unwrap();
    made.blocking().expect("it is made, though it is held");
    let about = |kind| Matcher::of(kind).path("/x").label("b");
    let held = server
        .wait_for(about(EventKind::Held))
        .since(Mark::BEGINNING)
        .blocking()
        .unwrap();
    assert!(
        held.to_string()
            .ends_with(" b held 1: event NodeCreated /x")
    );
    let json = serde_json::to_value(&held).unwrap();
    assert_eq!(json["message"]["event_type"], "NodeCreated");
    hold.release_all();
    client.event();
    let journal = server.journal();
    let released = journal.matching(about(EventKind::Released)).next().unwrap();
    let line = released.to_string();
    assert!(line.ends_with(" b released 1: event NodeCreated /x"));
}

#[test]
fn a_resumed_session_differs_from_a_new_one() {
    let server = Server::start().unwrap();
    let first = Client::connect(server.addr());
    let _second = Client::resume(server.addr(), &first.granted).unwrap();
    let connected = Matcher::of(EventKind::Connected);
    let entry = server
        .wait_for(connected)
        .since(Mark::BEGINNING)
        .nth(2)
        .blocking()
        .unwrap();
    assert!(matches!(
        entry.event,
        journal::Event::Connected { new: false, .. }
    ));
    assert!(
        entry.to_string().contains("connect -> resumed session"),
        "{entry}"
    );
}

#[test]
fn a_session_has_the_label_of_its_last_connection() {
    let server = Server::builder().manual_clock().start().unwrap();
    let client = Client::connect(server.labelled("a").unwrap().addr());
    let granted = client.granted.clone();
    drop(client);
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    gone.since(Mark::BEGINNING).blocking().unwrap();
    assert_eq!(server.sessions()[0].label.as_deref(), Some("a"));
    let client = Client::resume(server.labelled("b").unwrap().addr(), &granted).unwrap();
    let session = client.session();
    assert_eq!(server.sessions()[0].label.as_deref(), Some("b"));
    let mark = server.mark();
    server.mute(session);
    let expired = server.wait_for(Matcher::of(EventKind::SessionExpired).label("b"));
    server.advance(Duration::from_secs(60));
    let expired = expired.blocking().unwrap();
    assert_eq!(expired.session, Some(session));
    assert_eq!(expired.connection, None);
    assert!(expired.to_string().contains(" b session expired"));
    let ended = server.try_mute(session).unwrap_err().to_string();
    assert!(ended.contains("there is no session"), "{ended}");
    let journal = server.journal().since(mark);
    journal.assert_count(Matcher::of(EventKind::Muted), 1);
    journal.assert_count(Matcher::of(EventKind::Muted).label("b"), 1);
    journal.assert_count(Matcher::of(EventKind::SessionExpired).label("b"), 1);
    journal.assert_never(Matcher::any().label("a"));
    drop(client);

    server.set_journal(JournalMode::Off);
    let client = Client::connect(server.labelled("c").unwrap().addr());
    assert_eq!(server.sessions()[0].label.as_deref(), Some("c"));
    let closed = server.wait_for(Matcher::of(EventKind::SessionClosed).label("c"));
    client.close();
    closed.blocking().unwrap();
}

#[test]
fn the_journal_has_the_last_entries_with_the_beginning_of_their_data() {
    let mode = JournalMode::Last(4);
    let server = Server::builder().journal(mode).start().unwrap();
    server.create("/a", &[b'x'; 1000]).unwrap();
    let journal = server.journal();
    let journal::Event::Wrote {
        data: Some(data), ..
    } = &journal.entries()[0].event
    else {
        panic!("{}", server.journal());
    };
    assert_eq!((data.length, data.begin.len()), (1000, 256));
    for _ in 0..5000 {
        server.set("/a", b"").unwrap();
    }
    let numbers: Vec<u64> = server.journal().iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [4998, 4999, 5000, 5001]);
    assert!(!server.journal().is_whole());

    server.set_journal(JournalMode::Full);
    for _ in 0..100 {
        server.set("/a", &[b'x'; 1000]).unwrap();
    }
    let journal = server.journal();
    assert!(journal.len() > 100);
    let journal::Event::Wrote {
        data: Some(data), ..
    } = &journal.entries().last().unwrap().event
    else {
        panic!("{}", server.journal());
    };
    assert!(data.is_whole());
}

#[test]
fn claims_on_a_journal_with_missing_entries_fail() {
    let off = JournalMode::Off;
    let server = Server::builder().journal(off).start().unwrap();
    let wrote = Matcher::of(EventKind::Wrote);
    let mark = server.mark();
    server.create("/a", b"").unwrap();
    let text = panic_of(|| server.journal().assert_never(&wrote));
    assert!(
        text.contains("the claim cannot be decided: the journal is off"),
        "{text}"
    );
    server.set_journal(JournalMode::DEFAULT);
    server.create("/b", b"").unwrap();
    let text = panic_of(|| server.journal().since(mark).assert_count(&wrote, 1));
    assert!(text.contains("entries before number 2 are gone"), "{text}");
    server.clear_journal();
    server.journal().assert_never(&wrote);
    server.set("/b", b"").unwrap();
    server.journal().assert_count(&wrote, 1);
}

#[test]
fn claims_on_counts_and_sequences_show_the_entries_when_they_fail() {
    let server = Server::start().unwrap();
    for path in ["/a", "/b", "/c"] {
        server.create(path, b"").unwrap();
    }
    let wrote = |path: &str| Matcher::of(EventKind::Wrote).path(path);
    let journal = server.journal();
    journal.assert_sequence([wrote("/a"), wrote("/c")]);
    journal.assert_count(wrote("/?"), 3);
    journal.assert_at_most(wrote("/a"), 1);
    journal.assert_never(wrote("/d"));

    let text = panic_of(|| journal.assert_sequence([wrote("/b"), wrote("/a")]));
    assert!(
        text.starts_with(
            "step 2 of 2 never passed: Matcher::of(EventKind::Wrote).path(\"/a\"); of 1 write of the test that passed, \
             0 matched; 1 differed only in the path (the first had /c)\n"
        ),
        "{text}"
    );
    assert!(text.contains("passed before it:\n  2 +"), "{text}");
    assert!(text.contains("passed since:\n  3 +"), "{text}");
    let text = panic_of(|| journal.assert_at_most(wrote("/*"), 2));
    assert!(
        text.starts_with("wanted at most 2 times, passed 3 times"),
        "{text}"
    );
    assert!(text.contains("\n  3 +0."), "{text}");

    let claim = Claim::Exactly {
        matcher: wrote("/a"),
        count: 1,
    };
    let json = serde_json::to_string(&claim).unwrap();
    assert_eq!(
        json,
        r#"{"claim":"exactly","matcher":{"kind":"wrote","path":"/a"},"count":1}"#
    );
    assert_eq!(journal.check(&serde_json::from_str(&json).unwrap()), Ok(()));
}

#[test]
fn a_wait_sees_later_messages_with_the_journal_off_too() {
    for mode in [JournalMode::Off, JournalMode::DEFAULT] {
        let server = Server::builder().journal(mode).start().unwrap();
        server.create("/before", b"").unwrap();
        let any = server.wait_for(Matcher::of(EventKind::Wrote));
        let third = server.wait_for(Matcher::of(EventKind::Wrote)).nth(3);
        let both = server
            .wait_for_sequence(["/2", "/3"].map(|path| Matcher::of(EventKind::Wrote).path(path)));
        for path in ["/1", "/2", "/3"] {
            server.create(path, b"").unwrap();
        }
        assert!(any.blocking().unwrap().to_string().contains(" /1 "));
        assert!(third.blocking().unwrap().to_string().contains(" /3 "));
        assert_eq!(both.blocking().unwrap().len(), 2);
    }
}

#[test]
fn since_counts_messages_after_a_mark() {
    let server = Server::start().unwrap();
    server.create("/1", b"").unwrap();
    let mark = server.mark();
    server.create("/2", b"").unwrap();
    let wrote = || server.wait_for(Matcher::of(EventKind::Wrote));
    assert_eq!(wrote().since(mark).blocking().unwrap().number, 2);
    assert_eq!(
        wrote()
            .since(Mark::BEGINNING)
            .nth(2)
            .blocking()
            .unwrap()
            .number,
        2
    );
    assert_eq!(
        wrote()
            .nth(2)
            .since(Mark::BEGINNING)
            .blocking()
            .unwrap()
            .number,
        2
    );
    let text = wrote().within(Duration::ZERO).blocking().unwrap_err();
    let text = text.to_string();
    assert!(
        text.contains("waiting for Matcher::of(EventKind::Wrote); no write of the test passed"),
        "{text}"
    );
    assert!(text.contains("\n  2 +0."), "{text}");
}

#[test]
fn a_timed_out_wait_lists_matches_earlier_messages_and_due_sessions() {
    let clock = Server::builder().manual_clock();
    let server = clock.start_time(Timestamp(0)).start().unwrap();
    let wrote = |path: &str| Matcher::of(EventKind::Wrote).path(path);
    server.create("/1", b"").unwrap();
    let error = server.wait_for(wrote("/1")).within(Duration::ZERO);
    let text = error.blocking().unwrap_err();
    assert_eq!(format!("{text:?}"), text.to_string());
    let wanted = concat!(
        r#"timed out after 0ns waiting for Matcher::of(EventKind::Wrote).path("/1"); "#,
        r#"no write of the test passed; "#,
        r#"something that matches passed before (entry 1): .since(mark) counts it; "#,
        r#"the clock is manual: it stands until `advance` turns it, and no session is due; "#,
        r#"the journal ends with"#,
    );
    assert!(text.to_string().starts_with(wanted), "{text}");
    let since = server.wait_for(wrote("/2")).since(Mark::BEGINNING);
    let text = since.within(Duration::ZERO).blocking().unwrap_err();
    assert!(!text.to_string().contains("passed before"), "{text}");

    drop(Client::connect(server.labelled("a").unwrap().addr()));
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    gone.since(Mark::BEGINNING).blocking().unwrap();
    server.advance(Duration::from_secs(34));
    let steps = server.wait_for_sequence(["/3", "/4", "/5"].map(wrote));
    server.create("/3", b"").unwrap();
    server.create("/5", b"").unwrap();
    let text = steps.within(Duration::ZERO).blocking().unwrap_err();
    let text = text.to_string();
    assert!(
        text.contains(concat!(
            r#"waiting for Matcher::of(EventKind::Wrote).path("/4"), 2 of 3; "#,
            r#"of 1 write of the test that passed, 0 matched"#,
        )),
        "{text}"
    );
    let due = "the clock is manual: the session of a is due in 8s\npassed before it:\n";
    assert!(text.contains(due), "{text}");
    let (_, came) = text.split_once(due).unwrap();
    let came: Vec<&str> = came.lines().collect();
    assert!(came[0].contains("create2 /3"), "{text}");
    assert_eq!(came[1], "the journal ends with", "{text}");
}

#[test]
fn a_timed_out_wait_for_no_leaks_lists_the_leaks() {
    let server = Server::builder().manual_clock().start().unwrap();
    let mut client = Client::connect(server.labelled("worker").unwrap().addr());
    client.create("/leader", b"", 1);
    let waited = server.wait_for_no_leaks().within(Duration::ZERO);
    let text = waited.blocking().unwrap_err().to_string();
    let leaks = "\nclients still have\n  connection 1 of worker, since +0.000s\n";
    assert!(text.contains(leaks), "{text}");
    assert!(
        text.contains("\n  ephemeral /leader of worker, since +0.000s\nthe journal ends with"),
        "{text}"
    );
}

#[test]
fn json_lines_survive_a_round_trip() {
    let server = Server::start().unwrap();
    let _fault = server
        .fault("no \"writes\"")
        .on(Op::Write)
        .then(Fault::Error {
            code: ErrorCode::NoAuth,
        });
    let mut client = Client::connect(server.addr());
    client.create("/</script>\u{2028}", b"\xff\0", 0);
    client.exists("/", true);
    client.ask(op::GET_CHILDREN, &read("/", false));
    let hold = server.hold(Matcher::watch_event());
    server.labelled("unused").unwrap();
    drop(server.partition("unused"));
    drop(hold);
    let journal = server.journal();
    let again = Journal::from_json_lines(&journal.to_json_lines()).unwrap();
    assert_eq!(again.entries(), journal.entries());
    assert!(again.is_whole());
    let error = Journal::from_json_lines("\n{\"number\":1}\n").unwrap_err();
    assert!(
        error.to_string().starts_with("line 2: missing field"),
        "{error}"
    );
}

#[test]
fn a_herd_exceeds_its_budget() {
    let server = Server::start().unwrap();
    let watches = server.budget(Budget::watches_per_path("/lock*", 1));
    let events = server.budget(Budget::events_per_transaction(1));
    let requests = server.budget(Budget::total(Matcher::request(Op::Exists), 3));
    let mut clients = [(); 2].map(|()| Client::connect(server.addr()));
    clients[0].exists("/lock-1", true);
    clients[1].exists("/lock-2", true);
    clients[0].exists("/other", true);
    server.create("/lock-1", b"").unwrap();
    server.create("/lock-2", b"").unwrap();
    for client in &mut clients {
        client.event();
    }
    assert_eq!(watches.check(), Ok(()));
    assert_eq!(events.check(), Ok(()));
    assert_eq!(requests.check(), Ok(()));

    clients[1].exists("/other", true);
    for client in &mut clients {
        client.exists("/lock", true);
    }
    server.create("/lock", b"").unwrap();
    let text = panic_of(|| drop(watches));
    assert!(
        text.starts_with(
            "a budget is exceeded: at most 1 client watches one znode of /lock*: 2 watch /lock"
        ),
        "{text}"
    );
    assert!(text.contains("exists /lock watch"), "{text}");
    let exceeded = events.check().unwrap_err();
    let text = exceeded.to_string();
    assert_eq!(format!("{exceeded:?}"), text);
    assert_eq!(
        text.matches("event NodeCreated /lock zxid").count(),
        2,
        "{text}"
    );
    let text = panic_of(|| drop(requests));
    assert!(
        text.contains("at most 3 in total of Matcher::request(Op::Exists): 4 counted"),
        "{text}"
    );
    drop(events);
}

#[test]
fn budgets_work_with_the_journal_off_too() {
    let off = JournalMode::Off;
    let server = Server::builder().journal(off).start().unwrap();
    let budget = server.budget(Budget::total(Matcher::of(EventKind::Wrote), 0));
    server.create("/a", b"").unwrap();
    assert!(budget.check().is_err());
    drop(budget);
    assert!(server.journal().is_empty());
    let json = serde_json::to_string(&Budget::watches_per_path("/a/*", 1)).unwrap();
    assert_eq!(
        json,
        r#"{"budget":"watches_per_path","paths":"/a/*","at_most":1}"#
    );
}

#[test]
fn leaks_are_listed_with_their_client() {
    let server = Server::builder().manual_clock().start().unwrap();
    let worker = server.labelled("worker").unwrap();
    server.advance(Duration::from_millis(1500));
    let mut client = Client::connect(worker.addr());
    client.create("/leader", b"", 1);
    client.exists("/other", true);
    let text = panic_of(|| server.assert_no_leaks());
    let session = client.session();
    assert_eq!(
        text,
        format!(
            "clients still have\n  connection 1 of worker, since +1.500s\n  \
             session {session} of worker, since +1.500s\n  ephemeral /leader of worker, since +1.500s\n  \
             watch on /other of worker, since +1.500s"
        )
    );
    let quiet = server.wait_for_no_leaks();
    client.send(op::CLOSE_SESSION, &[]);
    drop(client);
    quiet.blocking().unwrap();
    server.assert_no_leaks();
    server.wait_for_no_leaks().blocking().unwrap();
}

/// Journal with hostile texts, a fault and a hold.
fn hostile() -> Journal {
    let server = Server::start().expect("it can be had");
    let address = server
        .labelled("</script><script>alert(1)</script>")
        .expect("it can be had");
    let _fault = server
        .fault("</SCRIPT ><img src=x onerror=alert(2)>")
        .on(Op::Delete)
        .then(Fault::DropBefore);
    let mut client = Client::connect(address.addr());
    client.create("/<!--<script>", b"</script>", 0);
    client.create("/\u{202e}}};alert(3)//", b"<\xff", 0);
    client.exists("/b", true);
    server
        .create("/b", b"<a href=//example.org>")
        .expect("it can be had");
    assert_eq!(client.event(), Event::Created("/b".to_owned()));
    let mut delete = buffer(b"/b");
    delete.extend((-1_i32).to_be_bytes());
    client.send(op::DELETE, &delete);
    client.ends();
    server.journal()
}

#[test]
fn the_page_is_self_contained_and_escapes_hostile_texts() {
    let journal = hostile();
    let page = journal.to_html();
    assert_eq!(page.matches("<script").count(), 2, "{page}");
    assert_eq!(page.to_ascii_lowercase().matches("</script").count(), 2);
    assert!(!page.contains("<!--") && !page.contains("<img"), "{page}");
    let (before, rest) = page
        .split_once(r#"<script type="application/json" id="journal">"#)
        .unwrap();
    let (json, after) = rest.split_once("</script>").unwrap();
    for part in [before, after] {
        for outside in [
            "http:",
            "https:",
            "src=",
            "href=",
            "url(",
            "@import",
            "import(",
            "fetch(",
            "innerHTML",
        ] {
            assert!(!part.contains(outside), "{outside}");
        }
    }
    assert!(before.contains("default-src 'none'"));
    let page_json: serde_json::Value = serde_json::from_str(json).unwrap();
    let entries: Vec<Entry> = serde_json::from_value(page_json["entries"].clone()).unwrap();
    assert_eq!(entries, journal.entries());
    assert_eq!(page_json["whole"], true);
    // The title distinguishes pages.
    assert_eq!(
        page_json["test"],
        "journal::the_page_is_self_contained_and_escapes_hostile_texts"
    );
    assert!(page_json["address"].as_str().unwrap().starts_with("port "));
    assert!(page_json["started_ms"].as_i64().unwrap() > 0);
}

#[test]
fn replies_have_the_data_that_the_client_read() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    client.create("/a", b"v1", 0);
    client.data("/a", true);
    server.set("/a", b"v2").unwrap();
    client.event();
    let reply = Matcher::reply(Op::GetData);
    let journal = server.journal();
    let journal::Event::Reply {
        data: Some(data), ..
    } = &journal.matching(reply).next().unwrap().event
    else {
        panic!("{journal}");
    };
    assert_eq!(data.begin[..], *b"v1");
    journal.assert_count(
        Matcher::watch_event().event_type(EventType::NodeDataChanged),
        1,
    );
}

/// Lets four clients take turns with a lock, by the recipe of ZooKeeper, for this number of rounds.
fn locks(server: &Server, rounds: usize) {
    let names = ["ann", "bob", "cyd", "dan"];
    let addresses = names.map(|name| server.labelled(name).expect("an address"));
    let mut clients: Vec<Client> = addresses
        .iter()
        .map(|address| Client::connect(address.addr()))
        .collect();
    server.create("/locks", b"").expect("it is new");
    for round in 0..rounds {
        let mut locks: Vec<String> = Vec::new();
        for client in &mut clients {
            let reply = client.create("/locks/lock-", b"", 3);
            let lock = Fields(&reply.body).text();
            client.ask(op::GET_CHILDREN, &read("/locks", false));
            if let Some(before) = locks.last() {
                client.exists(before, true);
            }
            locks.push(lock);
        }
        for (at, lock) in locks.iter().enumerate() {
            let hold = (at == 1 && round == 0)
                .then(|| server.hold(Matcher::watch_event().label("cyd").path("/locks/*")));
            let mut delete = buffer(lock.as_bytes());
            delete.extend((-1_i32).to_be_bytes());
            if let Some(client) = clients.get_mut(at) {
                client.ask_ok(op::DELETE, &delete);
            }
            if let Some(hold) = hold {
                hold.wait_for(1).blocking().expect("the event is held");
                server.advance(Duration::from_millis(1500));
                hold.release_all();
            }
            if let Some(next) = clients.get_mut(at + 1) {
                next.event();
            }
        }
    }
    let fault = server
        .fault("the reply is lost")
        .on(Op::Create)
        .label("bob")
        .then(Fault::ApplyThenDrop);
    let mut bob = clients.remove(1);
    bob.send(
        op::CREATE,
        &crate::client::create("/locks/lock-", b"bob", 3),
    );
    let granted = bob.granted.clone();
    bob.ends();
    drop(fault);
    let [_, address, ..] = &addresses;
    let mut bob = Client::resume(address.addr(), &granted).expect("it is still there");
    bob.exists("/locks", false);
    let partition = server.partition("dan");
    server.advance(Duration::from_secs(60));
    server
        .set("/locks", b"after the partition")
        .expect("it is there");
    drop(partition);
    clients.remove(2).ends();
    bob.close();
}

#[test]
fn a_page_is_written_for_journals_of_any_length() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, rounds) in [("timeline.html", 1), ("timeline-long.html", 120)] {
        let server = Server::builder().manual_clock().start().unwrap();
        locks(&server, rounds);
        let page = server.journal().to_html();
        // For inspection in a browser: no test can check that the page is readable.
        std::fs::write(folder.join(name), &page).unwrap();
        assert!(page.len() > 5_000);
    }
    let server = Server::builder().manual_clock().start().unwrap();
    let workers = server.labelled("workers").unwrap();
    let mut clients = [(); 2].map(|()| Client::connect(workers.addr()));
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    drop(std::net::TcpStream::connect(workers.addr()).unwrap());
    gone.blocking().unwrap();
    for client in &mut clients {
        client.exists("/a", true);
    }
    let [first, second] = clients;
    server.expire(first.session());
    let session = second.granted.clone();
    drop(second);
    let other = server.labelled("other").unwrap();
    Client::resume(other.addr(), &session).unwrap().close();
    first.ends();
    let page = server.journal().to_html();
    std::fs::write(folder.join("timeline-workers.html"), page).unwrap();

    let ensemble = Ensemble::start(3).unwrap();
    let mut client = Client::connect(ensemble.member(1).addr());
    client.create("/a", b"", 1);
    let granted = client.granted.clone();
    ensemble.member(1).stop();
    client.ends();
    let mut client = Client::resume(ensemble.member(2).addr(), &granted).unwrap();
    client.exists("/a", true);
    ensemble.server().delete("/a").unwrap();
    client.event();
    let journal = ensemble.server().journal();
    assert!(lines(&journal).contains(&"test ensemble stop member 1".to_owned()));
    std::fs::write(folder.join("timeline-ensemble.html"), journal.to_html()).unwrap();
    std::fs::write(folder.join("timeline-hostile.html"), hostile().to_html()).unwrap();
}

/// Set for a child process in which a test panics.
const PANICS: &str = "MINIKEEPER_TEST_PANICS";

#[test]
fn a_panicking_test_prints_the_last_entries_unless_switched_off() {
    if let Ok(wanted) = std::env::var(PANICS) {
        let builder = Server::builder().journal_on_panic(wanted == "loud");
        let server = builder.start().unwrap();
        for _ in 0..50 {
            let _refused = server.create("/a", b"v1");
        }
        let another = server.clone();
        assert!(
            std::thread::spawn(move || drop(another)).join().is_ok(),
            "a thread that does not panic prints nothing"
        );
        panic!("the test fails");
    }
    let name = "journal::a_panicking_test_prints_the_last_entries_unless_switched_off";
    let loud = stderr_of(name, "loud");
    assert!(loud.contains("the test fails"), "{loud}");
    assert_eq!(loud.matches(" test create2 /a ").count(), 30, "{loud}");
    assert!(loud.contains("\n  50 +"), "{loud}");
    let quiet = stderr_of(name, "quiet");
    assert!(!quiet.contains("create2"), "{quiet}");
}

/// Standard error of a test of this program that panics.
fn stderr_of(name: &str, wanted: &str) -> String {
    let this = std::env::current_exe().expect("it has a name");
    let output = std::process::Command::new(this)
        .args([name, "--exact", "--nocapture"])
        .env(PANICS, wanted)
        .output()
        .expect("it can be run");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).expect("it is text")
}

#[test]
fn a_panicking_test_prints_the_journal_once_before_unwinding() {
    let act = || {
        let server = Server::start().unwrap();
        let mut client = Client::connect(server.labelled("b").unwrap().addr());
        client.exists("/x", true);
        let _other = server.clone();
        let _fault = server.fault("lost").on(Op::Delete).then(Fault::DropBefore);
        let _budget = server.budget(Budget::total(Matcher::of(EventKind::Wrote), 0));
        let hold = server.hold(Matcher::watch_event());
        server.create("/x", b"").unwrap();
        hold.wait_for(1).blocking().unwrap();
        let _partition = server.partition("b");
        let _another = server.clone();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _third = server.clone();
            server.labelled("c").unwrap();
            let _cut = server.partition("c");
            panic!("the first panic");
        }));
        assert!(caught.is_err());
        server.set("/x", b"").unwrap();
        let _fourth = server.clone();
        let _second_hold = hold;
        panic!("the second panic");
    };
    if std::env::var(PANICS).is_ok() {
        act();
    }
    let name = "journal::a_panicking_test_prints_the_journal_once_before_unwinding";
    let text = stderr_of(name, "loud");
    assert_eq!(
        text.matches("the last that minikeeper").count(),
        2,
        "{text}"
    );
    assert!(!text.contains(" released "), "{text}");
    let (first, last) = text.split_once("the second panic").unwrap();
    assert!(!first.contains(" healed ") && !last.contains(" healed 1"));
    let cut = "\nlinks cut: b both ways\nlinks cut: c both ways\n";
    assert!(first.contains(cut), "{text}");
    let in_hands = "\nstill held: event NodeCreated /x for b\nlinks cut: b both ways\n\
                    budget exceeded: at most 0 in total of Matcher::of(EventKind::Wrote): 1 counted\n";
    assert!(last.contains(in_hands), "{text}");
}

#[test]
fn a_panicking_test_writes_its_timeline_to_the_named_folder() {
    const NAME: &str = "journal::a_panicking_test_writes_its_timeline_to_the_named_folder";
    if std::env::var(PANICS).is_ok() {
        // The thread has this name for any number of test threads.
        let test = std::thread::Builder::new().name("room::a <test>".to_owned());
        let panics = test.spawn(|| {
            let server = Server::start().unwrap();
            println!("port {}", server.addr().port());
            server.create("/printed", b"").unwrap();
            let alone = Server::builder().without_listener().manual_clock().start();
            alone.unwrap().create("/alone", b"").unwrap();
            panic!("the test fails");
        });
        panics.unwrap().join().unwrap();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("timelines");
    let _ = std::fs::remove_dir_all(&folder);
    let this = std::env::current_exe().expect("it has a name");
    let run = |folder: &Path| {
        let output = std::process::Command::new(&this)
            .args([NAME, "--exact", "--nocapture"])
            .env(PANICS, "loud")
            .env("MINIKEEPER_TIMELINE", folder)
            .output()
            .expect("it can be run");
        assert!(!output.status.success());
        let text = |bytes| String::from_utf8(bytes).expect("it is text");
        (text(output.stdout), text(output.stderr))
    };
    let (stdout, stderr) = run(&folder);
    let (_, port) = stdout.split_once("port ").expect("it says so");
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let file = folder.join(format!("room.a__test_-{port}.html"));
    let page = std::fs::read_to_string(&file).expect("it was written");
    assert!(page.contains("/printed") && page.contains("room::a "));
    let line = format!("\nthe timeline is in {}\n", file.display());
    assert!(stderr.contains(&line), "{stderr}");
    // A file with the name of the folder.
    let (_, stderr) = run(&file);
    let line = format!("\nthe timeline cannot be written to {}", file.display());
    assert!(stderr.contains(&line), "{stderr}");
    assert!(
        stderr.contains("; MINIKEEPER_TIMELINE must name a folder"),
        "{stderr}"
    );
    assert_eq!(stderr.matches("panicked at").count(), 2, "{stderr}");
}

/// Server that no test drops.
static SHARED: std::sync::OnceLock<Server> = std::sync::OnceLock::new();

#[test]
fn a_panic_prints_the_journal_of_a_used_server_in_a_static() {
    if std::env::var(PANICS).is_ok() {
        let server = SHARED.get_or_init(|| Server::start().unwrap());
        server.create("/shared", b"").unwrap();
        let other = std::thread::spawn(|| panic!("a thread that has not used it"));
        assert!(other.join().is_err());
        let user = std::thread::spawn(|| {
            let server = SHARED.get().expect("it was started");
            server.set("/shared", b"v1").unwrap();
            panic!("a thread that has used it");
        });
        assert!(user.join().is_err());
        panic!("the last panic");
    }
    let name = "journal::a_panic_prints_the_journal_of_a_used_server_in_a_static";
    let text = stderr_of(name, "loud");
    let (before, after) = text.split_once("a thread that has used it").unwrap();
    assert!(!before.contains("create2 /shared"), "{text}");
    assert!(after.contains("create2 /shared"), "{text}");
    assert!(after.contains("setData /shared"), "{text}");
}

#[test]
fn a_fault_that_hides_the_error_of_a_test_shows_the_error() {
    let failing = |server: &Server, is_checked: bool| -> Result<(), Box<dyn std::error::Error>> {
        let fault = server.fault("no reply").on(Op::Create);
        let fault = match is_checked {
            true => fault.optional().then(Fault::LoseReply),
            false => fault.then(Fault::LoseReply),
        };
        server.create("/none/a", b"")?;
        fault.check()?;
        Ok(())
    };
    let server = Server::start().unwrap();
    let text = panic_of(|| drop(failing(&server, false)));
    assert!(
        text.starts_with("the fault \"no reply\" never happened: "),
        "{text}"
    );
    let hidden = "\nthe last error that minikeeper returned to this thread, which this panic may hide: \
                  the znode does not exist";
    assert!(text.ends_with(hidden), "{text}");
    let error = failing(&server, true).unwrap_err();
    assert_eq!(error.to_string(), "the znode does not exist");
    server.create("/none", b"").unwrap();
    let error = failing(&server, true).unwrap_err().to_string();
    assert!(
        error.starts_with("the fault \"no reply\" never happened: "),
        "{error}"
    );
    // After an error of `check`, dropping the guard does not panic.
    let fault = server
        .fault("no reply")
        .on(Op::Create)
        .then(Fault::LoseReply);
    assert!(fault.check().is_err());
}

#[test]
fn a_timed_out_blocking_wait_on_a_current_thread_runtime_says_to_await() {
    let server = Server::start().unwrap();
    let waited = || {
        let event = server
            .wait_for(Matcher::watch_event())
            .within(Duration::ZERO);
        event.blocking().unwrap_err().to_string()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let text = runtime.block_on(async { waited() });
    assert!(text.contains("await the wait instead"), "{text}");
    assert!(!waited().contains("await the wait instead"));
}

#[test]
fn waits_holds_and_claims_show_near_misses() {
    let server = Server::builder().manual_clock().start().unwrap();
    let mut client = Client::connect(server.labelled("a").unwrap().addr());
    server.labelled("b").unwrap();
    let create = Matcher::request(Op::Create).path("/a").label("b");
    let mark = server.mark();
    let wait = server.wait_for(create.clone()).within(Duration::ZERO);
    let hold = server.hold(create.clone());
    let fault = server.fault("it").matching(create.clone()).optional();
    let fault = fault.then(Fault::LoseReply);
    client.create("/a", b"", 0);
    client.create("/a", b"", 0);
    client.exists("/a", false);
    let near =
        "of 3 requests that passed, 0 matched; 2 differed only in the label (the first had \"a\")";
    for text in [
        wait.blocking().unwrap_err().to_string(),
        hold.wait_for(1)
            .within(Duration::ZERO)
            .blocking()
            .unwrap_err()
            .to_string(),
        fault
            .happened()
            .within(Duration::ZERO)
            .blocking()
            .unwrap_err()
            .to_string(),
        panic_of(|| server.journal().since(mark).assert_count(&create, 1)),
        panic_of(|| {
            server
                .journal()
                .since(mark)
                .assert_sequence([create.clone()])
        }),
    ] {
        assert!(text.contains(&format!("{create}; {near}")), "{text}");
    }
    let text = panic_of(|| server.journal().assert_never(Matcher::request(Op::Exists)));
    assert!(text.starts_with("wanted never, passed once: "), "{text}");
}

#[test]
fn every_guard_can_be_shared_by_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<journal::BudgetGuard>();
    is_shared::<minikeeper::fault::FaultGuard>();
    is_shared::<minikeeper::fault::ChaosGuard>();
    is_shared::<minikeeper::Hold>();
    is_shared::<minikeeper::fault::Partition>();
    is_shared::<minikeeper::ensemble::Lag>();
    is_shared::<minikeeper::ensemble::MemberPartition>();
}

#[test]
fn waits_for_nothing_for_ever_and_since_any_mark_are_allowed() {
    let server = Server::builder().manual_clock().start().unwrap();
    let none = server.wait_for_sequence([]).within(Duration::ZERO);
    assert_eq!(none.blocking(), Ok(Vec::new()), "nothing has passed");
    let wrote = || server.wait_for(Matcher::of(EventKind::Wrote));
    let most = wrote().nth(usize::MAX).within(Duration::ZERO);
    let last: Mark = serde_json::from_str("18446744073709551615").unwrap();
    let late = wrote().since(last).within(Duration::ZERO);
    server.create("/a", b"").unwrap();
    assert!(most.blocking().unwrap_err().to_string().contains("2 of "));
    late.blocking().expect("it passed after the call");
    let first = wrote().nth(2).nth(1).since(Mark::BEGINNING);
    assert_eq!(first.blocking().unwrap().number, 1);
}

#[test]
fn a_wait_on_a_dropped_server_says_so() {
    let server = Server::start().unwrap();
    let waiting = server.wait_for(Matcher::watch_event());
    drop(server);
    let text = pollster::block_on(waiting);
    assert!(text.unwrap_err().to_string().contains("the server is gone"));
}

#[test]
fn a_week_without_events_is_one_step_of_the_clock() {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    let server = Server::builder().manual_clock().start().unwrap();
    let _client = Client::connect(server.addr());
    server.create("/a", b"").unwrap();
    let mark = server.mark();
    server.advance(WEEK);
    assert_eq!(
        lines(&server.journal().since(mark)),
        ["test clock +604800000ms"]
    );
    let muted = Client::connect(server.addr());
    server.mute(muted.session());
    let mark = server.mark();
    let expired = server.advance(WEEK).expired;
    let steps = server.journal().since(mark);
    let kinds: Vec<_> = lines(&steps)
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        (expired.len(), &*kinds[0], &*kinds[1]),
        (1, "clock", "session")
    );
    // The connection may end at any moment meanwhile.
    assert!(steps.count(Matcher::of(EventKind::Clock)) <= 3, "{steps}");
}

#[test]
fn a_clock_that_several_threads_advance_never_goes_back() {
    let server = Server::builder().manual_clock().start().unwrap();
    let clients: [Client; 10] = std::array::from_fn(|_| Client::connect(server.addr()));
    clients
        .iter()
        .for_each(|client| server.mute(client.session()));
    let turn = || {
        let turned = (0..200).map(|_| server.advance(Duration::from_secs(1)).expired.len());
        turned.sum::<usize>()
    };
    let expired: usize = std::thread::scope(|scope| {
        let turning: [_; 4] = std::array::from_fn(|_| scope.spawn(turn));
        let expired = turning.into_iter().map(|turning| turning.join().unwrap());
        expired.sum()
    });
    assert_eq!(expired, clients.len());
    assert!(server.journal().iter().is_sorted_by_key(|entry| entry.time));
    let forward = |entry: &Entry| {
        let journal::Event::Clock { from, to } = &entry.event else {
            return true;
        };
        from <= to
    };
    assert!(server.journal().iter().all(forward));
}

#[test]
fn every_transaction_is_an_entry_if_configured() {
    let server = Server::builder()
        .journal_transactions(true)
        .start()
        .unwrap();
    let worker = server.labelled("worker").unwrap();
    let of_worker = server.wait_for(Matcher::of(EventKind::Committed).path("/a").label("worker"));
    let mut client = Client::connect(worker.addr());
    client.create("/a", b"", EPHEMERAL);
    client.create("/a", b"", EPHEMERAL);
    server.set("/a", b"v1").unwrap();
    let id = client.session();
    client.close();
    let created = of_worker.blocking().unwrap();
    assert_eq!(created.session, Some(id));
    let journal = server.journal();
    let committed = journal.matching(Matcher::of(EventKind::Committed));
    let committed: Vec<String> = committed.map(|entry| entry.event.to_string()).collect();
    assert_eq!(
        committed,
        [
            "committed createSession zxid 0x1",
            "committed create /a zxid 0x2",
            "committed error zxid 0x3",
            "committed setData /a zxid 0x4",
            "committed closeSession /a zxid 0x5",
        ]
    );
    // The entry of a transaction comes before messages that reflect it.
    journal.assert_sequence([
        Matcher::of(EventKind::Committed).path("/a"),
        Matcher::reply(Op::Create),
        Matcher::of(EventKind::Committed).path("/a"),
        Matcher::of(EventKind::Wrote),
    ]);
    let again = Journal::from_json_lines(&journal.to_json_lines()).unwrap();
    assert_eq!(again.entries(), journal.entries());
    assert_eq!(again.count(Matcher::of(EventKind::Committed)), 5);
}

#[test]
fn a_matcher_of_transactions_is_refused_unless_they_are_entries() {
    let server = Server::start().unwrap();
    let never = server
        .check(&Matcher::of(EventKind::Committed))
        .unwrap_err();
    let text = never.to_string();
    assert!(
        text.ends_with("start it with journal_transactions(true)"),
        "{text}"
    );
    server.create("/a", b"").unwrap();
    assert_eq!(server.journal().len(), 1);
    let forked = Server::builder()
        .journal_transactions(true)
        .start()
        .unwrap();
    assert!(
        forked
            .fork()
            .unwrap()
            .check(&Matcher::of(EventKind::Committed))
            .is_ok()
    );
}
