//! The server handle: runtimes that it works under, the effects of dropping it, and access without a client.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use minikeeper::{
    ErrorCode, Server, SessionId, StartError,
    inspect::WatchKind,
    protocol::{Timestamp, Zxid},
};

use crate::alone::is_alone;
use crate::client::{
    self, Client, EPHEMERAL, Event, NO_AUTH, NO_NODE, NODE_EXISTS, PERSISTENT, op,
};

fn start() -> Server {
    Server::start().expect("a server starts")
}

/// Serves one client from a new server.
fn serves() {
    let server = start();
    let mut client = Client::connect(server.addr());
    assert_eq!(client.create("/a", b"1", PERSISTENT).error, 0);
    assert_eq!(client.data("/a", false), b"1");
    client.close();
}

#[test]
fn a_server_serves_without_a_runtime() {
    serves();
}

#[test]
fn a_server_serves_in_a_multi_thread_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        serves();
        tokio::spawn(async { serves() })
            .await
            .expect("the task does not panic");
    });
}

#[test]
fn a_server_serves_in_a_blocked_current_thread_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async { serves() });
}

#[test]
fn a_server_serves_while_the_time_of_tokio_is_paused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    runtime.block_on(async { serves() });
}

#[test]
fn a_server_serves_under_another_executor() {
    pollster::block_on(async { serves() });
}

#[test]
fn a_handle_is_shared_between_threads_and_the_last_one_stops_the_server() {
    fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let server = start();
    is_shared(&server);
    let mut client = Client::connect(server.addr());
    let other = server.clone();
    let thread = std::thread::spawn(move || other.create("/other", b"").map(|stat| stat.czxid));
    assert_eq!(thread.join().expect("no panic"), Ok(Zxid(2)));
    // The handle of the other thread is dropped, this one is not.
    client.ping();
    let last = server.clone();
    drop(server);
    client.ping();
    std::thread::spawn(move || drop(last))
        .join()
        .expect("no panic");
    client.ends();
}

#[test]
fn a_drop_frees_the_port_and_ends_connections() {
    let server = start();
    let address = server.addr();
    let client = Client::connect(address);
    let fresh = client::open(address);
    drop(server);
    // The port is closed and free, and its connections have ended.
    assert!(TcpStream::connect(address).is_err());
    TcpListener::bind(address).expect("the port is free");
    client.ends();
    let mut fresh = fresh;
    client::receive_end(&mut fresh);
}

#[cfg(target_os = "linux")]
#[test]
fn a_drop_ends_the_thread_and_closes_every_file() {
    if !is_alone("handle::a_drop_ends_the_thread_and_closes_every_file") {
        return;
    }
    let count = |folder: &str| {
        std::fs::read_dir(folder)
            .expect("Linux has it")
            .collect::<Result<Vec<_>, _>>()
            .expect("it can be read")
            .len()
    };
    serves();
    let before = (count("/proc/self/fd"), count("/proc/self/task"));
    for _ in 0..3 {
        let server = start();
        let clients = [
            Client::connect(server.addr()),
            Client::connect(server.addr()),
        ];
        server.restart().expect("it starts again");
        server.stop();
        drop(server);
        drop(clients);
        assert_eq!((count("/proc/self/fd"), count("/proc/self/task")), before);
    }
}

#[test]
fn a_failing_test_keeps_its_own_panic_message() {
    let test = std::thread::spawn(|| {
        let server = start();
        let client = Client::connect(server.addr());
        assert!(client.session() == SessionId(0), "the test's own words");
    });
    let panic = test.join().expect_err("it fails");
    let said = panic.downcast_ref::<&str>().copied();
    assert_eq!(said, Some("the test's own words"));
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = other.local_addr().expect("it has an address");
    let error = Server::builder().address(taken).start().expect_err("taken");
    assert!(matches!(error, StartError::AddressInUse { address } if address == taken));
    assert_eq!(error.to_string(), format!("{taken} is in use"));

    let first = start();
    let error = Server::builder().port(first.addr().port()).start();
    assert!(matches!(error, Err(StartError::AddressInUse { .. })));
}

#[test]
fn two_hundred_servers_live_side_by_side() {
    let mut servers: Vec<Server> = (0..200).map(|_| start()).collect();
    let mut clients: Vec<Client> = servers
        .iter()
        .map(|server| Client::connect(server.addr()))
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let data = number.to_string();
        assert_eq!(
            client.create("/number", data.as_bytes(), EPHEMERAL).error,
            0
        );
    }
    for (number, server) in servers.iter().enumerate() {
        let data = number.to_string();
        assert_eq!(server.data("/number").as_deref(), Some(data.as_bytes()));
        assert_eq!(server.sessions().len(), 1);
    }
    servers.clear();
    for client in clients {
        client.ends();
    }
}

#[cfg(unix)]
#[test]
fn running_out_of_files_is_an_error_of_its_own() {
    if !is_alone("handle::running_out_of_files_is_an_error_of_its_own") {
        return;
    }
    let first = start();
    let (_, hard) = rlimit::Resource::NOFILE.get().expect("there is a limit");
    rlimit::Resource::NOFILE
        .set(64, hard)
        .expect("a limit can be lowered");
    let mut servers = Vec::new();
    let error = loop {
        match Server::start() {
            Ok(server) => servers.push(server),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StartError::TooManyOpenFiles), "{error:?}");
    // A failed start releases everything that it took, wherever it fails.
    servers.pop();
    for spare in 0.. {
        let open = || std::fs::File::open("/dev/null");
        let mut fillers = Vec::new();
        while let Ok(filler) = open() {
            fillers.push(filler);
        }
        fillers.truncate(fillers.len() - spare);
        let Err(error) = Server::start() else { break };
        assert!(matches!(error, StartError::TooManyOpenFiles), "{error:?}");
        for _ in 0..spare {
            fillers.push(open().expect("nothing was kept"));
        }
    }
    // A client that connects while no file is free waits until one is.
    let mut fillers = Vec::new();
    while let Ok(filler) = std::fs::File::open("/dev/null") {
        fillers.push(filler);
    }
    fillers.pop();
    let mut socket = client::open(first.addr());
    let request = client::connect_request(Duration::from_secs(10), None);
    client::send(&mut socket, &request);
    drop(fillers);
    Client::granted(socket).expect("a session").ping();
}

#[test]
fn a_connection_beyond_the_limit_of_an_address_is_closed() {
    let server = Server::builder()
        .max_client_connections(2)
        .start()
        .expect("a server starts");
    let mut one = Client::connect(server.addr());
    let two = Client::connect(server.addr());
    client::receive_end(&mut client::open(server.addr()));
    one.ping();
    // The limit allows a new connection when the server has closed one.
    two.close();
    Client::connect(server.addr()).ping();
    one.ping();
}

#[test]
fn a_connection_beyond_the_total_limit_is_closed() {
    let server = Server::builder()
        .max_connections(1)
        .start()
        .expect("a server starts");
    let mut one = Client::connect(server.addr());
    client::receive_end(&mut client::open(server.addr()));
    one.ping();
}

#[test]
fn the_super_user_passes_every_check() {
    let server = Server::builder()
        .super_user("super:secret")
        .start()
        .expect("a server starts");
    let mut client = Client::connect(server.addr());
    let create = [
        client::buffer(b"/locked"),
        client::buffer(b"key"),
        client::acl(31, "digest", "me:1234"),
        PERSISTENT.to_be_bytes().to_vec(),
    ];
    client.ask_ok(op::CREATE, &create.concat());
    let read = client::read("/locked", false);
    assert_eq!(client.ask(op::GET_DATA, &read).error, NO_AUTH);
    for (password, error) in [("super:wrong", NO_AUTH), ("super:secret", 0)] {
        let auth = [
            vec![0; 4],
            client::buffer(b"digest"),
            client::buffer(password.as_bytes()),
        ];
        client.ask_ok(op::AUTH, &auth.concat());
        assert_eq!(client.ask(op::GET_DATA, &read).error, error, "{password}");
    }
    // The server handle also passes every check.
    assert_eq!(server.data("/locked").as_deref(), Some(&b"key"[..]));
    assert!(server.set("/locked", b"").is_ok());
}

#[test]
fn writes_of_the_handle_fire_watches() {
    let server = start();
    let mut client = Client::connect(server.addr());
    assert_eq!(client.exists("/a", true).error, NO_NODE);
    client.ask_ok(op::GET_CHILDREN, &client::read("/", true));
    server.create("/a", b"1").expect("it is not there");
    assert_eq!(client.event(), Event::Created("/a".to_owned()));
    assert_eq!(client.event(), Event::Children("/".to_owned()));
    assert_eq!(client.data("/a", true), b"1");
    server.set("/a", b"2").expect("it is there");
    assert_eq!(client.event(), Event::Changed("/a".to_owned()));
    assert_eq!(client.data("/a", true), b"2");
    server.delete("/a").expect("it is there");
    assert_eq!(client.event(), Event::Deleted("/a".to_owned()));
    client.assert_no_bytes();
}

#[test]
fn the_handle_gets_the_same_errors_as_a_client() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client.create("/leader", b"", EPHEMERAL);
    client.create("/full", b"", PERSISTENT);
    client.create("/full/child", b"", PERSISTENT);
    let creates = [
        "/full",
        "/none/child",
        "/leader/child",
        "no-slash",
        "",
        "/",
        "/a/",
        "/a//b",
        "/a/./b",
        "/\0",
        "/zookeeper",
        "/\u{1}",
    ];
    for path in creates {
        let theirs = client.create(path, b"", PERSISTENT).error;
        assert_eq!(number(server.create(path, b"")), theirs, "create {path:?}");
        assert_ne!(theirs, 0, "create {path:?}");
    }
    for path in ["/none", "", "no-slash", "/a/", "/zookeeper/config/none"] {
        let theirs = client.set(path, b"").error;
        assert_eq!(number(server.set(path, b"")), theirs, "set {path:?}");
        assert_ne!(theirs, 0, "set {path:?}");
    }
    for path in [
        "/none",
        "/full",
        "/",
        "",
        "/zookeeper",
        "/zookeeper/quota",
        "no-slash",
    ] {
        let any_version = (-1_i32).to_be_bytes();
        let body = [&client::buffer(path.as_bytes())[..], &any_version].concat();
        let theirs = client.ask(op::DELETE, &body).error;
        assert_eq!(number(server.delete(path)), theirs, "delete {path:?}");
        assert_ne!(theirs, 0, "delete {path:?}");
    }
    assert_eq!(server.create("/full", b""), Err(ErrorCode::NodeExists));
    assert_eq!(client.create("/full", b"", PERSISTENT).error, NODE_EXISTS);
    assert_eq!(server.data("/none"), None);
    assert_eq!(server.children("/none"), None);
    assert_eq!(server.znode("/none"), None);
}

/// Error code of a reply on the wire.
fn number<T>(result: Result<T, ErrorCode>) -> i32 {
    result.err().map_or(0, |code| code.number())
}

#[test]
fn a_write_of_the_handle_takes_a_zxid() {
    let server = start();
    let mut client = Client::connect(server.addr());
    let first = client.create("/a", b"", PERSISTENT).zxid;
    let stat = server.set("/a", b"1").expect("it is there");
    assert_eq!(stat.mzxid, Zxid(first + 1));
    assert_eq!(server.set("/none", b""), Err(ErrorCode::NoNode));
    assert_eq!(client.set("/a", b"2").zxid, first + 3);
}

#[test]
fn znodes_sessions_and_watches_can_be_seen() {
    let server = start();
    server.create("/config", b"v1").expect("it is not there");
    let mut one = Client::connect(server.addr());
    let mut two = Client::with_timeout(server.addr(), Duration::from_secs(5));
    one.create("/leader", b"one", EPHEMERAL);
    one.create("/config/db", b"\x00\xff", PERSISTENT);
    one.data("/config", true);
    two.exists("/none", true);
    two.ask_ok(op::GET_CHILDREN, &client::read("/config", true));
    two.ask_ok(
        op::ADD_WATCH,
        &[client::buffer(b"/config"), 1_i32.to_be_bytes().to_vec()].concat(),
    );

    let sessions = server.sessions();
    let shown: Vec<_> = sessions
        .iter()
        .map(|view| (view.id, view.timeout.as_secs(), view.connected, view.muted))
        .collect();
    let expected = [
        (one.session(), 40, true, false),
        (two.session(), 5, true, false),
    ];
    assert_eq!(shown, expected);
    assert_eq!(sessions[0].ephemerals, ["/leader"]);

    let watches = server.watches();
    let watches: Vec<_> = watches
        .iter()
        .map(|view| (&*view.path, view.session, view.kind))
        .collect();
    let expected = [
        ("/config", one.session(), WatchKind::Data),
        ("/config", two.session(), WatchKind::Children),
        ("/config", two.session(), WatchKind::PersistentRecursive),
        ("/none", two.session(), WatchKind::Data),
    ];
    assert_eq!(watches, expected);

    let leader = server.znode("/leader").expect("it is there");
    assert_eq!(leader.owner(), Some(one.session()));
    assert_eq!(leader.data.as_deref(), Some(&b"one"[..]));
    let config = server.znode("/config").expect("it is there");
    assert_eq!(
        (config.owner(), config.children),
        (None, vec!["db".to_owned()])
    );
    assert_eq!(config.stat.num_children, 1);
    assert_eq!(
        server.dump(),
        "/config = \"v1\" (version 0)\n\
         /config/db = \"\\x00\\xff\" (version 0)\n\
         /leader = \"one\" (version 0, ephemeral of session 1)\n"
    );

    // The watches are removed with the connection, and the ephemeral znode with the session.
    two.close();
    one.close();
    assert_eq!(server.sessions(), []);
    assert_eq!(server.watches(), []);
    assert_eq!(server.znode("/leader"), None);
}

#[test]
fn a_call_sees_the_effects_of_earlier_calls() {
    let server = start();
    let mut client = Client::connect(server.addr());
    for number in 0..100 {
        let path = format!("/{number}");
        server.create(&path, b"1").expect("it is not there");
        client.set(&path, b"2");
        assert_eq!(server.data(&path).as_deref(), Some(&b"2"[..]));
    }
}

#[test]
fn an_invalid_setting_is_refused_with_a_reason() {
    let check = |builder: minikeeper::ServerBuilder, expected: &str| {
        let error = builder.start().expect_err("it cannot be");
        assert!(matches!(error, StartError::Config(_)));
        assert_eq!(error.to_string(), expected);
    };
    let seconds = Duration::from_secs;
    check(
        Server::builder().tick_time(Duration::ZERO),
        "tick time 0ns is shorter than a millisecond",
    );
    check(
        Server::builder().session_timeouts(seconds(2), seconds(1)),
        "minimum session timeout 2000 ms is longer than maximum session timeout 1000 ms",
    );
}

#[test]
fn bytes_sent_before_the_accept_are_read() {
    let server = start();
    let mut socket = client::open(server.addr());
    let mut bytes = client::connect_request(Duration::from_secs(10), None);
    bytes.extend(client::request(1, op::EXISTS, &client::read("/", false)));
    socket.write_all(&bytes).expect("it is taken");
    let mut client = Client::granted(socket).expect("a session");
    assert_eq!(client.receive().xid, 1);
}

#[test]
fn a_server_listens_on_the_configured_address() {
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
        let address = address.parse().expect("an address");
        let server = match Server::builder().address(address).start() {
            Ok(server) => server,
            // A machine may have no IPv6.
            Err(StartError::Listen { .. }) if address.is_ipv6() => continue,
            Err(error) => panic!("{address}: {error}"),
        };
        assert_eq!(server.addr().ip(), address.ip());
        let reachable = server.connect_string().parse::<std::net::SocketAddr>();
        let reachable = reachable.expect("an address");
        assert!(reachable.ip().is_loopback());
        Client::connect(reachable).ping();
        server.restart().expect("the port is still ours");
        if address.ip().is_unspecified() {
            let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], server.addr().port()));
            Client::connect(loopback).ping();
        }
        server.stop();
        assert!(TcpListener::bind(server.addr()).is_err(), "{address}");
    }
}

/// Ids of the first sessions of several servers that start at once.
fn first_sessions(count: usize, start: impl Fn() -> Server) -> Vec<(Server, SessionId)> {
    let servers: Vec<_> = (0..count).map(|_| start()).collect();
    let session = |server: Server| {
        let session = Client::connect(server.addr()).session();
        (server, session)
    };
    servers.into_iter().map(session).collect()
}

fn are_different(ids: impl Iterator<Item = SessionId>) -> bool {
    let ids: Vec<_> = ids.collect();
    let different: BTreeSet<_> = ids.iter().collect();
    different.len() == ids.len()
}

fn start_manual() -> Server {
    let builder = Server::builder().manual_clock();
    builder.start().expect("a server starts")
}

#[test]
fn servers_of_one_process_give_different_session_ids() {
    let mut servers = first_sessions(20, start);
    servers.extend(first_sessions(20, start_manual));
    let ids: Vec<_> = servers.iter().map(|(_, id)| *id).collect();
    assert!(are_different(ids.iter().copied()), "{ids:x?}");
    for SessionId(id) in &ids {
        assert_eq!((id >> 56, id & 0xffff), (1, 0), "{id:#x}");
    }
    // A server therefore does not take another server's session for its own.
    let [(one, _), (_, of_two), ..] = servers.as_slice() else {
        panic!("forty were started");
    };
    one.expire(*of_two);
    assert_eq!(one.sessions().len(), 1);
}

#[test]
fn servers_that_are_restarted_at_once_give_different_session_ids() {
    let restart = |(server, before): &(Server, SessionId)| {
        server.advance(Duration::from_secs(60));
        server.restart().expect("the port is still there");
        let after = Client::connect(server.addr()).session();
        assert!(after > *before, "{after:?} comes after {before:?}");
        after
    };
    let servers = first_sessions(5, start_manual);
    let later: Vec<_> = servers.iter().map(restart).collect();
    assert!(are_different(later.iter().copied()), "{later:x?}");
}

#[test]
fn a_fixed_start_time_fixes_session_ids() {
    let fixed = || {
        let builder = Server::builder().manual_clock();
        let builder = builder.start_time(Timestamp(1_000_000_000_000));
        builder.start().expect("a server starts")
    };
    let expected = (1_000_000_000_000_i64 << 16) & 0x00ff_ffff_ffff_ffff | 1 << 56;
    for (_, id) in first_sessions(2, fixed) {
        assert_eq!(id, SessionId(expected));
    }
}

#[test]
fn the_handle_writes_no_more_than_a_client_can_send() {
    let server = Server::builder()
        .max_frame(200)
        .start()
        .expect("a server starts");
    let lost = Err(ErrorCode::ConnectionLoss);
    // Longest data that a client can send: of a create, then of a setData.
    let create = |length: usize| client::create("/a", &vec![b'x'; length], 0);
    let longest = (0..200)
        .rev()
        .find(|length| create(*length).len() + 8 <= 200);
    let longest = longest.expect("a short one fits");
    assert_eq!(
        server.create("/a", &vec![b'x'; longest + 1]).map(drop),
        lost
    );
    assert_eq!(server.znode("/a"), None);
    assert!(server.create("/a", &vec![b'x'; longest]).is_ok());
    let set = |length: usize| client::set("/a", &vec![b'x'; length]);
    let longest = (0..200).rev().find(|length| set(*length).len() + 8 <= 200);
    let longest = longest.expect("a short one fits");
    assert_eq!(server.set("/a", &vec![b'x'; longest + 1]).map(drop), lost);
    assert!(server.set("/a", &vec![b'x'; longest]).is_ok());
    assert_eq!(server.delete(&format!("/{}", "x".repeat(200))), lost);
    // A client that sends more loses its connection.
    let mut client = Client::connect(server.addr());
    assert_eq!(client.set("/a", &vec![b'x'; longest]).error, 0);
    client.send(op::SET_DATA, &set(longest + 1));
    client.ends();
}
