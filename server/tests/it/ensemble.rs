//! Members of an ensemble, over sockets: the view of clients when a test acts on a member.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use minikeeper::{
    Ensemble, Server, SessionId,
    ensemble::{ApplyError, EnsembleAction, EnsembleError, MemberId, Mode},
    journal::Entry,
    protocol::Zxid,
};

use crate::client::{self, Client, EPHEMERAL, Event, NO_NODE, PERSISTENT, op, refuses};

const SYNC: i32 = 9;
const NOT_READ_ONLY: i32 = -119;

fn three() -> Ensemble {
    Ensemble::start(3).expect("an ensemble starts")
}

fn at(ensemble: &Ensemble, member: u8) -> Client {
    Client::connect(ensemble.member(member).addr())
}

fn modes(ensemble: &Ensemble) -> Vec<Mode> {
    ensemble.view().iter().map(|member| member.mode).collect()
}

fn word(address: SocketAddr, word: &str) -> String {
    let mut socket = client::open(address);
    client::send(&mut socket, word.as_bytes());
    String::from_utf8(client::receive_rest(&mut socket)).expect("text")
}

/// Connect request of a client that has seen a zxid, and may accept a read-only server.
fn connect_request(client: Option<&Client>, seen: Zxid, read_only: bool) -> Vec<u8> {
    let granted = client.map(|client| &client.granted);
    let mut request = client::connect_request(client::TIMEOUT, granted);
    let seen_at = request.get_mut(8..16).expect("it is longer");
    seen_at.copy_from_slice(&seen.0.to_be_bytes());
    *request.last_mut().expect("it has bytes") = u8::from(read_only);
    request
}

/// Requests a session, and returns the whole frame of the answer, or nothing if the connection ends.
fn ask_for_session(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut socket = client::open(address);
    client::send(&mut socket, request);
    let mut first = [0];
    match socket.read(&mut first) {
        Ok(0) => Vec::new(),
        Ok(_) => {
            let mut rest = [0; 40];
            socket.read_exact(&mut rest).expect("the frame is whole");
            [&first[..], &rest].concat()
        }
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn all_members_serve_one_tree_and_number_their_own_sessions() {
    let ensemble = three();
    let [mut one, mut two, three] = [1, 2, 3].map(|member| at(&ensemble, member));
    for (client, member) in [(&one, 1), (&two, 2), (&three, 3)] {
        assert_eq!(client.session().0 >> 56, member);
    }
    assert_eq!(two.exists("/a", true).error, NO_NODE);
    let created = one.create("/a", b"1", EPHEMERAL);
    assert_eq!(created.zxid, 0x1_0000_0004);
    assert_eq!(two.event(), Event::Created("/a".to_owned()));
    assert_eq!(two.data("/a", false), b"1");
    assert_eq!(ensemble.server().data("/a").as_deref(), Some(&b"1"[..]));

    let sessions = ensemble.server().sessions();
    let members: Vec<_> = sessions.iter().map(|session| session.member).collect();
    assert_eq!(members, [1, 2, 3].map(|id| Some(MemberId(id))));
    assert_eq!(ensemble.member(2).view().sessions, [two.session()]);
}

#[test]
fn a_stopped_member_refuses_connections_and_reserves_its_port() {
    let ensemble = three();
    let (client, mut other) = (at(&ensemble, 1), at(&ensemble, 3));
    let session = client.session();
    let member = ensemble.member(1);
    let effects = member.stop();
    assert_eq!(effects.disconnected, [session]);
    assert_eq!(effects.leading, None);
    assert!(refuses(member.addr()));
    assert!(TcpListener::bind(member.addr()).is_err());
    other.ping();
    let granted = client.granted.clone();
    client.ends();
    // The session survives, and can move to another member.
    let moved = Client::resume(ensemble.member(2).addr(), &granted).expect("it is alive");
    assert_eq!(moved.session(), session);
    member.start_again().expect("the port is its own");
    assert_eq!(
        modes(&ensemble),
        [Mode::Follower, Mode::Follower, Mode::Leader]
    );
    at(&ensemble, 1).ping();
}

#[test]
fn stopping_the_leader_ends_all_connections_and_starts_an_epoch() {
    let ensemble = three();
    let mut clients = [1, 2, 3].map(|member| at(&ensemble, member));
    clients[0].create("/leader", b"", EPHEMERAL);
    let effects = ensemble.member(3).stop();
    let mut ended = effects.disconnected;
    ended.sort_unstable();
    assert_eq!(ended, clients.each_ref().map(Client::session));
    let leading = effects.leading.expect("there is a new leader");
    assert_eq!((leading.leader, leading.epoch), (Some(MemberId(2)), 2));
    let granted = clients[0].granted.clone();
    clients.into_iter().for_each(Client::ends);
    let mut client = Client::resume(ensemble.member(2).addr(), &granted).expect("it is alive");
    assert_eq!(client.exists("/leader", false).error, 0);
    assert_eq!(client.set("/leader", b"new").zxid, 0x2_0000_0001);
}

#[test]
fn the_old_connection_of_a_moved_session_reads_and_cannot_write() {
    let ensemble = three();
    let mut old = at(&ensemble, 1);
    old.create("/a", b"1", PERSISTENT);
    let mut new = Client::resume(ensemble.member(2).addr(), &old.granted).expect("it is alive");
    assert_eq!(old.data("/a", false), b"1");
    old.send(op::SET_DATA, &client::set("/a", b"2"));
    old.ends();
    assert_eq!(new.data("/a", false), b"1");
    assert_eq!(
        new.set("/a", b"3").zxid,
        0x1_0000_0004,
        "the other took one"
    );
}

#[test]
fn without_a_quorum_no_client_is_served_and_no_session_expires() {
    let ensemble = Server::builder()
        .manual_clock()
        .ensemble(3)
        .expect("an ensemble starts");
    let mut client = at(&ensemble, 1);
    client.create("/e", b"", EPHEMERAL);
    ensemble.member(2).stop();
    let effects = ensemble.member(3).stop();
    assert_eq!(effects.leading.map(|leading| leading.leader), Some(None));
    let granted = client.granted.clone();
    client.ends();
    let refused = ask_for_session(
        ensemble.member(1).addr(),
        &connect_request(None, Zxid(0), true),
    );
    assert!(refused.is_empty());
    let effects = ensemble.server().advance(Duration::from_secs(3600));
    assert_eq!(effects.expired, []);

    let effects = ensemble.member(2).start_again().expect("it listens");
    assert_eq!(effects.leading.map(|leading| leading.epoch), Some(2));
    let effects = ensemble.server().advance(Duration::from_secs(39));
    assert_eq!(effects.expired, []);
    Client::resume(ensemble.member(1).addr(), &granted).expect("it is alive");
}

#[test]
fn a_read_only_member_serves_its_last_state_to_read_only_clients() {
    let ensemble = Server::builder()
        .read_only_mode(true)
        .ensemble(3)
        .expect("an ensemble starts");
    let server = ensemble.server();
    server.create("/a", b"old").expect("it is not there");
    let partition = ensemble.member(1).partition();
    server.set("/a", b"new").expect("it is there");
    assert_eq!(
        modes(&ensemble),
        [Mode::ReadOnly, Mode::Follower, Mode::Leader]
    );
    let address = ensemble.member(1).addr();
    let refused = ask_for_session(address, &connect_request(None, Zxid(0), false));
    assert!(refused.is_empty());

    let mut socket = client::open(address);
    client::send(&mut socket, &connect_request(None, Zxid(0), true));
    let granted = client::receive(&mut socket);
    assert_eq!(granted.last(), Some(&1), "read-only");
    let mut ask = |op, body: &[u8]| {
        client::send(&mut socket, &client::request(1, op, body));
        let frame = client::receive(&mut socket);
        client::message(&frame).expect_err("it is no event")
    };
    let reply = ask(op::GET_DATA, &client::read("/a", true));
    assert_eq!((reply.error, &reply.body[4..7]), (0, &b"old"[..]));
    assert_eq!(
        ask(op::SET_DATA, &client::set("/a", b"")).error,
        NOT_READ_ONLY
    );
    assert_eq!(ask(SYNC, &client::buffer(b"/")).error, NOT_READ_ONLY);
    assert_eq!(word(address, "isro"), "ro");

    partition.heal();
    client::receive_end(&mut socket);
    assert_eq!(at(&ensemble, 1).data("/a", false), b"new");
}

#[test]
fn a_member_that_lags_serves_an_old_prefix_until_a_sync() {
    let ensemble = three();
    ensemble
        .server()
        .create("/a", b"0")
        .expect("it is not there");
    let (mut behind, mut ahead) = (at(&ensemble, 1), at(&ensemble, 2));
    let lag = ensemble.member(1).lag().expect("it has a leader");
    assert_eq!(behind.data("/a", true), b"0");
    let last = ahead.set("/a", b"1").zxid;
    assert_eq!(ahead.data("/a", false), b"1");
    assert_eq!(lag.pending(), 1);
    assert_eq!(
        behind.data("/a", false),
        b"0",
        "older than another client has seen"
    );

    // A client that has seen the new state is refused by this member, and accepted by the next.
    let request = connect_request(Some(&ahead), Zxid(last), false);
    let [refused, taken] =
        [1, 3].map(|member| ask_for_session(ensemble.member(member).addr(), &request));
    assert_eq!((refused.len(), taken.len()), (0, 41));

    behind.send(SYNC, &client::buffer(b"/a"));
    assert_eq!(behind.event(), Event::Changed("/a".to_owned()));
    assert_eq!(behind.receive().zxid, last);
    assert_eq!(behind.data("/a", false), b"1");
    assert_eq!(lag.pending(), 0);
}

#[test]
fn released_transactions_fire_watches_one_by_one() {
    let ensemble = three();
    let server = ensemble.server();
    let mut client = at(&ensemble, 1);
    client.exists("/a", true);
    client.exists("/b", true);
    let lag = ensemble.member(1).lag().expect("it has a leader");
    for path in ["/a", "/b"] {
        server.create(path, b"").expect("it is not there");
    }
    assert_eq!(server.watches().len(), 2);
    client.assert_no_bytes();
    let effects = lag.release(1);
    assert_eq!(effects.events.len(), 1);
    assert_eq!(effects.events[0].session, client.session());
    assert_eq!(client.event(), Event::Created("/a".to_owned()));
    client.assert_no_bytes();
    drop(lag);
    assert_eq!(client.event(), Event::Created("/b".to_owned()));
    assert_eq!(server.watches(), []);
}

#[test]
fn four_letter_words_show_the_mode_of_a_member() {
    let ensemble = three();
    let mode = |member: u8, of: &str| {
        let text = word(ensemble.member(member).addr(), of);
        let line = text.lines().find(|line| line.starts_with("Mode: "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert_eq!(mode(1, "srvr"), "Mode: follower");
    assert_eq!(mode(3, "stat"), "Mode: leader");
    let address = ensemble.member(1).addr();
    assert!(word(address, "mntr").contains("zk_server_state\tfollower\n"));
    ensemble.lose_quorum();
    let nothing = "This ZooKeeper instance is not currently serving requests\n";
    for (asked, answer) in [
        ("srvr", nothing),
        ("mntr", nothing),
        ("conf", nothing),
        ("isro", "null"),
        ("ruok", "imok"),
    ] {
        assert_eq!(word(address, asked), answer, "{asked}");
    }
}

#[test]
fn every_action_has_a_form_as_data() {
    let ensemble = three();
    for (json, modes_then) in [
        (
            r#"{"action":"stop","member":1}"#,
            [Mode::Stopped, Mode::Follower, Mode::Leader],
        ),
        (
            r#"{"action":"start","member":1}"#,
            [Mode::Follower, Mode::Follower, Mode::Leader],
        ),
        (
            r#"{"action":"elect"}"#,
            [Mode::Follower, Mode::Leader, Mode::Follower],
        ),
        (
            r#"{"action":"partition","member":2}"#,
            [Mode::Follower, Mode::NotServing, Mode::Leader],
        ),
        (
            r#"{"action":"heal","member":2}"#,
            [Mode::Follower, Mode::Follower, Mode::Leader],
        ),
        (
            r#"{"action":"lag","member":1}"#,
            [Mode::Follower, Mode::Follower, Mode::Leader],
        ),
        (
            r#"{"action":"release","member":1}"#,
            [Mode::Follower, Mode::Follower, Mode::Leader],
        ),
        (
            r#"{"action":"catch_up","member":1}"#,
            [Mode::Follower, Mode::Follower, Mode::Leader],
        ),
        (r#"{"action":"lose_quorum"}"#, [Mode::NotServing; 3]),
        (
            r#"{"action":"regain_quorum"}"#,
            [Mode::Follower, Mode::Follower, Mode::Leader],
        ),
    ] {
        let action: EnsembleAction = serde_json::from_str(json).expect("it is an action");
        ensemble.apply(action).expect("it can be done");
        assert_eq!(modes(&ensemble), modes_then, "{json}");
    }
}

#[test]
fn an_impossible_action_returns_the_reason() {
    let ensemble = three();
    let refusal = |action| match ensemble.apply(action) {
        Err(ApplyError::Ensemble(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refusal(EnsembleAction::Lag {
            member: MemberId(7)
        }),
        EnsembleError::NoSuchMember(MemberId(7))
    );
    ensemble.member(1).stop();
    assert_eq!(
        refusal(EnsembleAction::Elect {
            leader: Some(MemberId(1))
        }),
        EnsembleError::CannotLead(MemberId(1))
    );
    assert!(Ensemble::start(0).is_err() && Ensemble::start(255).is_err());
}

#[test]
fn a_standalone_server_has_one_member() {
    let server = Server::start().expect("a server starts");
    let ensemble = server.ensemble();
    let member = ensemble.member(1);
    assert_eq!(
        (member.addr(), member.mode()),
        (server.addr(), Mode::Standalone)
    );
    let mut client = Client::connect(server.addr());
    ensemble.lose_quorum();
    ensemble.elect(None).expect("it does nothing");
    client.ping();
    assert_eq!((ensemble.epoch(), client.session().0 >> 56), (0, 1));
    member.stop();
    assert!(refuses(server.addr()));
    client.ends();
    member.start_again().expect("the port is its own");
    Client::connect(server.addr()).ping();
}

#[test]
fn a_restart_of_the_ensemble_is_an_election_without_stopped_members() {
    let ensemble = three();
    ensemble.member(3).stop();
    let client = at(&ensemble, 1);
    let granted = client.granted.clone();
    ensemble.server().restart().expect("its ports are its own");
    client.ends();
    assert_eq!(ensemble.epoch(), 3);
    assert!(refuses(ensemble.member(3).addr()));
    assert_eq!(
        modes(&ensemble),
        [Mode::Follower, Mode::Leader, Mode::Stopped]
    );
    let client = Client::resume(ensemble.member(2).addr(), &granted).expect("it is alive");
    assert_ne!(client.session(), SessionId(0));
}

#[test]
fn a_labelled_address_of_a_member_stops_and_starts_with_it() {
    let ensemble = three();
    let member = ensemble.member(2);
    let worker = member.labelled("worker").expect("there is a port");
    let other = ensemble
        .member(1)
        .labelled("worker")
        .expect("there is a port");
    assert_ne!(worker, other, "each member has its own");
    let client = Client::connect(worker.addr());
    let session = &ensemble.server().sessions()[0];
    assert_eq!(session.label.as_deref(), Some("worker"));
    assert_eq!(session.member, Some(MemberId(2)));
    member.stop();
    client.ends();
    let boss = member.labelled("boss").expect("there is a port");
    assert!(refuses(worker.addr()) && refuses(boss.addr()) && !refuses(other.addr()));
    member.start_again().expect("the ports are its own");
    assert!(!refuses(worker.addr()) && !refuses(boss.addr()));
}

#[test]
fn the_journal_has_actions_and_leaders() {
    let ensemble = three();
    let server = ensemble.server();
    ensemble.member(3).stop();
    let entries = server.journal().entries().to_vec();
    let whats: Vec<&minikeeper::journal::Event<'_>> =
        entries.iter().map(|entry| &entry.event).collect();
    let member = MemberId(3);
    let action = EnsembleAction::Stop { member };
    let (leader, epoch) = (Some(MemberId(2)), 2);
    assert_eq!(
        whats,
        [
            &minikeeper::journal::Event::Ensemble { action },
            &minikeeper::journal::Event::Leading { leader, epoch }
        ]
    );
    let json = serde_json::to_string(&entries).expect("it is plain data");
    let read: Vec<Entry> = serde_json::from_str(&json).expect("it was just written");
    assert_eq!(read, entries);
}

#[test]
fn a_fork_of_an_ensemble_starts_with_an_election() {
    let ensemble = three();
    let mut client = at(&ensemble, 2);
    client.create("/e", b"", EPHEMERAL);
    let snapshot = ensemble.server().snapshot();
    let fork = Server::builder()
        .snapshot(snapshot.clone())
        .ensemble(3)
        .expect("it starts");
    assert_eq!((fork.epoch(), ensemble.epoch()), (2, 1));
    let mut moved =
        Client::resume(fork.member(1).addr(), &client.granted).expect("its session is there too");
    assert_eq!(moved.set("/e", b"").zxid, 0x2_0000_0001);
    let new = at(&fork, 2);
    assert_ne!(new.session(), client.session());

    // A standalone server continues in its epoch.
    let single = Server::builder()
        .snapshot(snapshot)
        .start()
        .expect("it starts");
    single.create("/a", b"").expect("it is not there");
    let zxid = single.znode("/a").expect("it is there").stat.czxid;
    assert_eq!(zxid, Zxid(0x1_0000_0003));
}

#[test]
fn the_guards_of_one_member_do_not_end_each_others_lag() {
    let ensemble = Ensemble::start(3).unwrap();
    let member = ensemble.member(1);
    let lags = || member.view().behind.is_some();
    let first = member.lag().unwrap();
    drop(member.lag().unwrap());
    assert!(lags(), "the first guard is still there");
    let second = member.lag().unwrap();
    assert!(first.catch_up().events.is_empty());
    assert!(lags(), "the second guard is still there");
    drop(second);
    assert!(!lags());

    // A guard whose lag was ended by a stop does not end the next lag.
    let stale = member.lag().unwrap();
    member.restart().unwrap();
    assert!(!lags());
    let next = member.lag().unwrap();
    drop(stale);
    assert!(lags());
    drop(next);
    assert!(!lags());

    // A partition or lag that an action begins is ended by an action, for all guards.
    let id = member.id();
    ensemble.apply(EnsembleAction::Lag { member: id }).unwrap();
    drop(member.lag().unwrap());
    assert!(lags());
    let ended = member.lag().unwrap();
    ensemble
        .apply(EnsembleAction::CatchUp { member: id })
        .unwrap();
    assert!(!lags());
    let next = member.lag().unwrap();
    drop(ended);
    assert!(lags());
    drop(next);
}

#[test]
fn the_guards_of_one_member_do_not_end_each_others_partition() {
    let ensemble = Ensemble::start(3).unwrap();
    let member = ensemble.member(1);
    let is_partitioned = || member.view().partitioned;
    let first = member.partition();
    drop(member.partition());
    assert!(is_partitioned(), "the first guard is still there");
    let second = member.partition();
    first.heal();
    assert!(is_partitioned(), "the second guard is still there");
    second.heal();
    assert!(!is_partitioned());

    // A guard does not heal a partition that an action began.
    ensemble.lose_quorum();
    drop(member.partition());
    assert!(is_partitioned());
    let stale = member.partition();
    ensemble.regain_quorum();
    assert!(!is_partitioned());
    let next = member.partition();
    drop(stale);
    assert!(is_partitioned());
    drop(next);
    assert!(!is_partitioned());
}

#[test]
fn a_member_has_its_own_address_or_none() {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let builder = || Server::builder().member_addresses(vec![None, Some(free), Some(free)]);
    let ensemble = builder().ensemble(3).expect("an ensemble starts");
    let [one, two, three] = [1, 2, 3].map(|number| ensemble.member(number));
    assert_eq!(
        (one.addr().port(), one.connect_string()),
        (0, String::new())
    );
    assert_eq!(
        ensemble.connect_string(),
        format!("{},{}", two.addr(), three.addr())
    );
    assert_eq!(ensemble.server().addr(), two.addr());
    let worker = ensemble.server().labelled("worker").expect("it listens");
    assert_eq!(worker.addrs().len(), 2);
    assert_eq!(ensemble.server().labels(), [worker]);
    one.stop();
    assert_eq!(
        modes(&ensemble),
        [Mode::Stopped, Mode::Follower, Mode::Leader]
    );
    one.start_again().expect("it needs no port");
    let refused = builder()
        .ensemble(2)
        .expect_err("there are three addresses");
    assert!(refused.to_string().contains("differs"), "{refused}");
}

#[test]
fn a_copy_of_an_ensemble_takes_free_ports() {
    let addresses = |ports: [u16; 2]| {
        let [one, two] = ports.map(|port| Some(SocketAddr::from(([127, 0, 0, 1], port))));
        vec![one, None, two]
    };
    // Without a listener, no other program can have the ports.
    let builder = Server::builder().member_addresses(addresses([2181, 2183]));
    let origin = builder.without_listener().ensemble(3).expect("it starts");
    let copy = origin.server().fork().expect("it starts");
    assert_eq!(copy.config().member_addresses, addresses([0, 0]));
}

#[test]
fn a_server_without_a_listener_has_a_connect_string_for_its_address() {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let server = Server::builder().address(any).without_listener().start();
    let member = server.expect("it starts").ensemble().member(1);
    assert_eq!(member.connect_string(), "127.0.0.1:0");
}
