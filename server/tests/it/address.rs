//! Labelled addresses: connections have the label of their address, and all addresses serve one tree.

use std::net::{TcpListener, TcpStream};

use minikeeper::{Ensemble, Server, StartError, ensemble::MemberId};

use crate::client::{Client, EPHEMERAL, Event, PERSISTENT, refuses};

fn start() -> Server {
    Server::start().expect("a server starts")
}

#[test]
fn a_connection_has_the_label_of_its_address() {
    let server = start();
    let worker = server.labelled("worker").expect("there is a port");
    let boss = server.labelled("the boss").expect("there is a port");
    let clients = [worker.addr(), server.addr(), boss.addr()].map(Client::connect);
    let labels = [Some("worker"), None, Some("the boss")];

    let connections = server.connections();
    let sessions = server.sessions();
    assert_eq!((connections.len(), sessions.len()), (3, 3));
    for (at, client) in clients.iter().enumerate() {
        let connection = &connections[at];
        assert_eq!(connection.label.as_deref(), labels[at]);
        assert_eq!(connection.session, Some(client.session()));
        let peer = client.socket.local_addr().expect("it is connected");
        assert_eq!((connection.peer, connection.number), (peer, at as u64 + 1));
        let session = sessions
            .iter()
            .find(|session| session.id == client.session())
            .expect("it is open");
        assert_eq!(session.label.as_deref(), labels[at]);
    }
}

#[test]
fn all_addresses_serve_one_tree() {
    let server = start();
    let [one, other] =
        ["one", "other"].map(|label| server.labelled(label).expect("there is a port").addr());
    let mut one = Client::connect(one);
    one.create("/leader", b"one", EPHEMERAL);
    let mut watcher = Client::connect(other);
    assert_eq!(watcher.data("/leader", true), b"one");
    one.close();
    assert_eq!(watcher.event(), Event::Deleted("/leader".to_owned()));
}

#[test]
fn the_same_label_has_the_same_address() {
    let server = start();
    let worker = server.labelled("worker").expect("there is a port");
    let threads = [(); 4].map(|()| {
        let server = server.clone();
        std::thread::spawn(move || server.labelled("worker").expect("there is a port"))
    });
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), worker);
    }
    let other = server.labelled("Worker").expect("there is a port");
    assert_ne!(other.addr(), worker.addr());
    assert_ne!(other.addr(), server.addr());
    assert_eq!(worker.connect_string(), worker.addr().to_string());
}

#[test]
fn an_invalid_label_is_refused() {
    let server = start();
    for label in ["", " ", " worker", "worker\n", "a\tb"] {
        let refused = server.labelled(label).expect_err("it is no label");
        assert!(matches!(&refused, StartError::Label(of) if of == label));
        assert!(
            refused
                .to_string()
                .starts_with(&format!("invalid label {label:?}"))
        );
    }
    server.labelled("der Arbeiter № 1").expect("it is a label");
}

#[test]
fn a_session_that_moves_to_another_address_has_the_label_of_that_address() {
    let server = start();
    let worker = server.labelled("worker").expect("there is a port");
    let mut client = Client::connect(server.addr());
    client.create("/mine", b"", EPHEMERAL);
    assert_eq!(server.sessions()[0].label, None);
    let moved = Client::resume(worker.addr(), &client.granted).expect("it is there");
    assert_eq!(server.sessions()[0].label.as_deref(), Some("worker"));
    assert_eq!(server.sessions()[0].ephemerals, ["/mine"]);
    client.ends();
    drop(moved);
}

#[test]
fn stop_and_start_affect_all_addresses() {
    let server = start();
    let worker = server.labelled("worker").expect("there is a port");
    let addrs = [server.addr(), worker.addr()];
    let clients = addrs.map(Client::connect);
    server.stop();
    clients.into_iter().for_each(|client| client.ends());
    for addr in addrs {
        assert!(refuses(addr));
        assert!(TcpListener::bind(addr).is_err(), "the port is kept");
    }
    assert_eq!(server.connections(), []);
    // An address that is requested meanwhile is open when the server has started.
    assert_eq!(
        server.labelled("worker").expect("the port is reserved"),
        worker
    );
    let late = server.labelled("late").expect("there is a port").addr();
    assert!(refuses(late));

    server.start_again().expect("the ports are ours");
    server.restart().expect("the ports are ours");
    for (addr, label) in [
        (worker.addr(), Some("worker")),
        (late, Some("late")),
        (server.addr(), None),
    ] {
        let mut client = Client::connect(addr);
        client.ping();
        let connections = server.connections();
        assert_eq!(
            connections.last().expect("one is up").label.as_deref(),
            label
        );
    }
    drop(server);
    for addr in [worker.addr(), late] {
        assert!(refuses(addr));
        TcpListener::bind(addr).expect("the port is free");
    }
}

#[test]
fn an_address_can_be_requested_while_others_are_busy() {
    let server = start();
    let mut client = Client::connect(server.addr());
    for number in 0..50 {
        let addr = server
            .labelled(&format!("worker {number}"))
            .expect("there is a port")
            .addr();
        let mut worker = Client::connect(addr);
        worker.create(&format!("/{number}"), b"", PERSISTENT);
        client.data(&format!("/{number}"), false);
    }
}

#[test]
fn addresses_can_be_requested_while_the_server_restarts() {
    let server = start();
    let restarts = std::thread::spawn({
        let server = server.clone();
        move || {
            for _ in 0..30 {
                server.restart().expect("the ports are ours");
            }
        }
    });
    let addresses: Vec<_> = (0..30)
        .map(|number| server.labelled(&format!("worker {number}")))
        .collect();
    restarts.join().expect("no panic");
    for address in addresses {
        let address = address.expect("there is a port");
        let _client = Client::connect(address.addr());
        let connections = server.connections();
        let last = connections.last().expect("one is up");
        assert_eq!(last.label.as_deref(), Some(address.label()));
    }
}

#[test]
fn the_connection_limit_counts_all_addresses_together() {
    let server = Server::builder()
        .max_client_connections(1)
        .start()
        .expect("a server starts");
    let worker = server.labelled("worker").expect("there is a port");
    let _one = Client::connect(server.addr());
    let mut socket = TcpStream::connect(worker.addr()).expect("the kernel accepts");
    crate::client::receive_end(&mut socket);
}

#[test]
fn a_labelled_address_of_an_ensemble_leads_to_every_member() {
    let ensemble = Ensemble::start(3).expect("an ensemble starts");
    let server = ensemble.server();
    let second = ensemble.member(2);
    second.stop();
    let worker = server.labelled("worker").expect("there are ports");
    assert_eq!(worker.connect_string().split(',').count(), 3);
    let [one, two, three] = worker.addrs()[..] else {
        panic!("one of each member");
    };
    assert_eq!(worker.addr(), one);
    assert!(refuses(two), "the member is stopped");
    second.start_again().expect("the ports are ours");
    for (member, addr) in (1..).zip([one, two, three]) {
        let of_member = ensemble.member(member).labelled("worker");
        assert_eq!(of_member.expect("it is there").addrs(), [addr]);
        let client = Client::connect(addr);
        let connections = server.connections();
        let last = connections.last().expect("one is up");
        assert_eq!(last.session, Some(client.session()));
        let seen = (last.label.as_deref(), last.member);
        assert_eq!(seen, (Some("worker"), MemberId(member)));
    }
    let boss = second.labelled("boss").expect("there is a port");
    assert_eq!(boss.addrs().len(), 1);
    second.stop();
    assert!(refuses(two) && refuses(boss.addr()) && !refuses(one));
}
