//! Links cut by the test and by faults, in one or both directions: the messages that each side gets, and when.

use std::time::Duration;

use minikeeper::{Fault, Matcher, Op, Server, SessionId, fault::Direction, matcher::EventKind};

use crate::client::{
    self, Client, Event, TIMEOUT, connect_request, create, op, open, read, receive_rest, request,
    send,
};

const HOUR: Duration = Duration::from_secs(3600);

fn server() -> Server {
    Server::builder()
        .manual_clock()
        .start()
        .expect("a server starts")
}

/// Server on the system clock with the shortest session timeouts that a test can use.
fn server_in_real_time() -> Server {
    Server::builder()
        .tick_time(Duration::from_millis(20))
        .session_timeouts(Duration::from_millis(20), TIMEOUT)
        .start()
        .expect("a server starts")
}

fn worker(server: &Server) -> Client {
    Client::connect(server.labelled("worker").expect("a port is free").addr())
}

fn create_leader(client: &mut Client) {
    assert_eq!(client.create("/leader", b"", client::EPHEMERAL).error, 0);
}

/// Asserts that no bytes have arrived at the client and that the connection is open.
fn nothing_has_arrived(client: &Client) {
    client.socket.set_nonblocking(true).expect("it can be set");
    let error = client
        .socket
        .peek(&mut [0])
        .expect_err("nothing has arrived");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    client.socket.set_nonblocking(false).expect("it can be set");
}

#[test]
fn messages_sent_during_a_cut_arrive_when_it_is_healed() {
    let server = server();
    let mut client = worker(&server);
    client.exists("/a", true);
    let partition = server.partition("worker");
    server.create("/a", b"").unwrap();
    let xid = client.send(op::CREATE, &create("/b", b"", 0));
    // A client that connects later by another address is served.
    Client::connect(server.addr()).ping();
    nothing_has_arrived(&client);
    assert_eq!(server.znode("/b"), None);
    partition.heal();
    assert_eq!(client.event(), Event::Created("/a".to_owned()));
    assert_eq!(client.receive().xid, xid);
    assert!(server.znode("/b").is_some());
}

#[test]
fn a_link_cut_to_the_client_carries_requests_and_no_replies() {
    let server = server();
    let mut client = worker(&server);
    let cut = server.cut(Matcher::any().label("worker"), Direction::ToClient);
    let created = server.wait_for(Matcher::request(Op::Create));
    let xid = client.send(op::CREATE, &create("/a", b"", 0));
    created.blocking().unwrap();
    assert!(server.znode("/a").is_some());
    server.advance(HOUR);
    assert_eq!(server.sessions().len(), 1, "it is heard");
    nothing_has_arrived(&client);
    cut.heal();
    assert_eq!(client.receive().xid, xid);
}

#[test]
fn a_link_cut_to_the_server_carries_events_and_the_session_expires() {
    let server = server();
    let mut client = worker(&server);
    client.exists("/a", true);
    let _cut = server.cut(Matcher::any().label("worker"), Direction::ToServer);
    server.create("/a", b"").unwrap();
    assert_eq!(client.event(), Event::Created("/a".to_owned()));
    assert_eq!(server.advance(HOUR).expired, [client.session()]);
    // The client sees the end of the connection.
    client.ends();
}

#[test]
fn a_client_that_is_cut_off_does_not_learn_that_its_session_expired_before_it_is_healed() {
    for manual in [true, false] {
        let server = if manual {
            server()
        } else {
            server_in_real_time()
        };
        let address = server.labelled("worker").unwrap();
        let mut client = Client::with_timeout(address.addr(), Duration::from_millis(500));
        create_leader(&mut client);
        let partition = server.partition("worker");
        let expired = server.wait_for(Matcher::of(EventKind::SessionExpired));
        if manual {
            let effects = server.advance(HOUR);
            assert_eq!(effects.deleted, ["/leader"]);
        }
        expired.blocking().unwrap();
        assert_eq!(server.znode("/leader"), None);
        nothing_has_arrived(&client);
        client.send(op::EXISTS, &read("/leader", false));
        partition.heal();
        let granted = client.granted.clone();
        assert_eq!(receive_rest(&mut client.socket), [0; 0]);
        assert!(Client::resume(address.addr(), &granted).is_none());
    }
}

#[test]
fn a_cut_off_leader_still_believes_that_it_leads() {
    let server = server();
    let mut old = worker(&server);
    create_leader(&mut old);
    let partition = server.partition("worker");
    server.advance(HOUR);
    let mut new = Client::connect(server.addr());
    create_leader(&mut new);
    nothing_has_arrived(&old);
    partition.heal();
    old.ends();
    new.ping();
}

#[test]
fn a_cut_address_accepts_connections_and_sends_nothing() {
    let server = server();
    let address = server.labelled("worker").unwrap();
    let partition = server.partition("worker");
    let accepted = server.wait_for(Matcher::of(EventKind::Accepted).label("worker"));
    let mut socket = open(address.addr());
    accepted.blocking().unwrap();
    send(&mut socket, &connect_request(TIMEOUT, None));
    let mut word = open(address.addr());
    send(&mut word, b"ruok");
    Client::connect(server.addr()).ping();
    assert_eq!(server.sessions().len(), 1);
    partition.heal();
    assert_eq!(receive_rest(&mut word), b"imok");
    Client::granted(socket)
        .expect("its request was under way")
        .ping();
}

#[test]
fn a_connection_of_a_cut_address_can_time_out_before_it_is_healed() {
    let server = server();
    let address = server.labelled("worker").unwrap();
    let partition = server.partition("worker");
    let accepted = server.wait_for(Matcher::of(EventKind::Accepted).label("worker"));
    let mut socket = open(address.addr());
    accepted.blocking().unwrap();
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    server.advance(HOUR);
    gone.blocking().unwrap();
    assert_eq!(server.connections(), []);
    partition.heal();
    assert_eq!(receive_rest(&mut socket), [0; 0]);
}

#[test]
fn a_cut_session_cannot_be_resumed_on_another_connection() {
    let server = server();
    let client = Client::connect(server.addr());
    let granted = client.granted.clone();
    let partition = server.cut(Matcher::any().session(client.session()), Direction::Both);
    let mut socket = open(server.addr());
    let asked = connect_request(TIMEOUT, Some(&granted));
    send(&mut socket, &asked);
    let mut other = Client::connect(server.addr());
    other.ping();
    nothing_has_arrived(&client);
    // Another cut does not change this one.
    server.labelled("unused").unwrap();
    server.partition("unused").heal();
    other.ping();
    partition.heal();
    Client::granted(socket)
        .expect("the session is there")
        .ping();
    client.ends();
}

#[test]
fn overlapping_cuts_heal_one_by_one() {
    let server = server();
    let mut client = worker(&server);
    let both = server.partition("worker");
    let half = server.cut(Matcher::any().label("worker"), Direction::ToClient);
    both.heal();
    let created = server.wait_for(Matcher::request(Op::Create));
    let xid = client.send(op::CREATE, &create("/a", b"", 0));
    created.blocking().unwrap();
    nothing_has_arrived(&client);
    half.heal();
    assert_eq!(client.receive().xid, xid);
}

#[test]
fn a_server_stops_starts_and_is_dropped_while_links_are_cut() {
    let server = server();
    let mut client = worker(&server);
    let granted = client.granted.clone();
    let partition = server.partition("worker");
    client.send(op::CREATE, &create("/a", b"", 0));
    server.restart().unwrap();
    client.ends();
    assert_eq!(server.connections(), []);
    let mut socket = open(server.labelled("worker").unwrap().addr());
    send(&mut socket, &connect_request(TIMEOUT, Some(&granted)));
    Client::connect(server.addr()).ping();
    assert!(server.sessions().iter().any(|it| it.id == granted.session));
    server.stop();
    server.start_again().unwrap();
    partition.heal();
    drop(server);
    receive_rest(&mut socket);
}

#[test]
fn a_connection_that_the_server_closed_while_it_was_cut_off_ends_with_the_server() {
    let server = server();
    let client = worker(&server);
    let _partition = server.partition("worker");
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    assert_eq!(server.disconnect(Matcher::any()), 1);
    gone.blocking().unwrap();
    assert_eq!(server.connections(), []);
    nothing_has_arrived(&client);
    server.stop();
    client.ends();
}

#[test]
fn the_server_sees_a_client_close_a_half_open_link() {
    let server = server();
    let client = worker(&server);
    let cut = server.cut(Matcher::any().label("worker"), Direction::ToClient);
    let gone = server.wait_for(Matcher::of(EventKind::Disconnected));
    drop(client);
    gone.blocking().unwrap();
    assert_eq!(server.connections(), []);
    cut.heal();
}

#[test]
fn a_fault_cuts_the_link_at_one_request() {
    for (direction, applied, behind_the_cut) in [
        (Direction::Both, false, vec![2, 3]),
        (Direction::ToServer, false, vec![2, 3]),
        (Direction::ToClient, true, vec![2, 3]),
    ] {
        let server = server();
        let mut client = worker(&server);
        let fault = server
            .fault("cut off")
            .on(Op::Create)
            .then(Fault::Partition { direction });
        send(
            &mut client.socket,
            &[
                request(1, op::EXISTS, &read("/a", false)),
                request(2, op::CREATE, &create("/a", b"", 0)),
                request(3, op::EXISTS, &read("/a", false)),
            ]
            .concat(),
        );
        // The replies before the cut arrive.
        assert_eq!(client.receive().xid, 1);
        fault.happened().blocking().unwrap();
        Client::connect(server.addr()).ping();
        nothing_has_arrived(&client);
        assert_eq!(server.znode("/a").is_some(), applied, "{direction:?}");
        fault.heal();
        let journal = server.journal();
        let count = |kind| {
            journal
                .iter()
                .filter(|entry| entry.matches(&Matcher::of(kind)))
                .count()
        };
        assert_eq!((count(EventKind::Cut), count(EventKind::Healed)), (1, 1));
        for xid in behind_the_cut {
            assert_eq!(client.receive().xid, xid);
        }
        assert_eq!(fault.hits(), 1);
    }
}

#[test]
fn a_fault_cuts_the_link_at_an_event_or_a_reply() {
    let server = server();
    let mut client = worker(&server);
    client.exists("/a", true);
    let direction = Direction::ToClient;
    let fault = server
        .fault("cut off")
        .on(Matcher::watch_event())
        .then(Fault::Partition { direction });
    server.create("/a", b"").unwrap();
    assert_eq!(fault.hits(), 1);
    nothing_has_arrived(&client);
    drop(fault);
    assert_eq!(client.event(), Event::Created("/a".to_owned()));

    let fault = server
        .fault("cut off")
        .matching(Matcher::reply(Op::Create))
        .then(Fault::Partition {
            direction: Direction::Both,
        });
    send(
        &mut client.socket,
        &[
            request(1, op::EXISTS, &read("/b", false)),
            request(2, op::CREATE, &create("/b", b"", 0)),
            request(3, op::DELETE, &[]),
        ]
        .concat(),
    );
    assert_eq!(client.receive().xid, 1);
    fault.happened().blocking().unwrap();
    assert!(server.znode("/b").is_some());
    nothing_has_arrived(&client);
    server.clear_faults();
    assert_eq!((client.receive().xid, client.receive().xid), (2, 3));
}

#[test]
fn a_fault_cuts_every_connection_of_a_client_by_its_label_or_else_its_session() {
    let server = server();
    let (mut a, mut b) = (worker(&server), worker(&server));
    let mut c = Client::connect(server.addr());
    let cut = |session: SessionId| {
        server
            .fault("cut off")
            .on(Op::Create)
            .session(session)
            .then(Fault::Partition {
                direction: Direction::Both,
            })
    };
    let fault = cut(a.session());
    a.send(op::CREATE, &create("/a", b"", 0));
    fault.happened().blocking().unwrap();
    b.send(op::PING, &[]);
    c.ping();
    nothing_has_arrived(&b);
    let effects = server.advance(HOUR);
    assert_eq!(effects.expired.len(), 2, "both fell silent");
    drop(fault);
    a.ends();
    b.ends();

    let fault = cut(c.session());
    c.send(op::CREATE, &create("/a", b"", 0));
    fault.happened().blocking().unwrap();
    Client::connect(server.addr()).close();
    assert_eq!(server.advance(HOUR).expired, [c.session()]);
    drop(fault);
    c.ends();
}

#[test]
fn a_cut_off_waiter_of_a_lock_gets_the_event_when_its_link_is_healed() {
    let server = server();
    server.create("/lock", b"").unwrap();
    let mut waiter = worker(&server);
    waiter.exists("/lock", true);
    let partition = server.partition("worker");
    server.delete("/lock").unwrap();
    server.advance(Duration::from_secs(1));
    nothing_has_arrived(&waiter);
    partition.heal();
    assert_eq!(waiter.event(), Event::Deleted("/lock".to_owned()));
}

#[test]
fn complete_frames_that_were_read_before_a_cut_are_processed() {
    let server = server();
    let mut client = worker(&server);
    let hold = server.hold(Matcher::request(Op::Create));
    send(
        &mut client.socket,
        &[
            request(1, op::CREATE, &create("/a", b"", 0)),
            request(2, op::CREATE, &create("/b", b"", 0)),
        ]
        .concat(),
    );
    hold.wait_for(1).blocking().unwrap();
    let partition = server.partition("worker");
    drop(hold);
    Client::connect(server.addr()).ping();
    assert_eq!(server.znode("/a"), None);
    partition.heal();
    assert_eq!((client.receive().xid, client.receive().xid), (1, 2));
}

#[test]
fn a_fault_on_connect_cuts_all_connections_of_the_client() {
    let server = server();
    let mut before = worker(&server);
    let fault = server
        .fault("cut off")
        .matching(Matcher::of(EventKind::Accepted).label("worker"))
        .always()
        .then(Fault::Partition {
            direction: Direction::ToServer,
        });
    let address = server.labelled("worker").unwrap().addr();
    let sockets = [(); 3].map(|()| {
        let mut socket = open(address);
        send(&mut socket, &connect_request(TIMEOUT, None));
        socket
    });
    fault.happened_times(3).blocking().unwrap();
    let xid = before.send(op::EXISTS, &read("/", false));
    Client::connect(server.addr()).ping();
    nothing_has_arrived(&before);
    fault.heal();
    assert_eq!(before.receive().xid, xid);
    for socket in sockets {
        Client::granted(socket)
            .expect("the link is whole again")
            .ping();
    }
}
