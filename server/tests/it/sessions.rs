//! Sessions by the label of their client, and sessions that the test owns.

use std::panic::{AssertUnwindSafe, catch_unwind};

use minikeeper::{Ensemble, ErrorCode, Matcher, Server, SessionId, matcher::EventKind};

use crate::client::{Client, EPHEMERAL, Event};

#[test]
fn a_label_finds_the_session_that_is_connected() {
    let server = Server::start().unwrap();
    let worker = server.labelled("worker").unwrap();
    let first = Client::connect(worker.addr());
    assert_eq!(server.session("worker").id, first.session());
    let (id, granted) = (first.session(), first.granted.clone());
    server.disconnect(Matcher::any().label("worker"));
    first.ends();
    assert_eq!(server.session("worker").id, id, "it is the only one");
    let second = Client::connect(worker.addr());
    assert_eq!(server.session("worker").id, second.session());
    let _first = Client::resume(worker.addr(), &granted).unwrap();
    let error = server.try_session("worker").unwrap_err().to_string();
    let both = [id, second.session()].map(|id| id.to_string()).join(", ");
    assert_eq!(
        error,
        format!("2 sessions came by the label \"worker\": {both}; choose one of sessions()")
    );
}

#[test]
fn a_label_without_a_session_and_an_unknown_label_have_different_errors() {
    let server = Server::start().unwrap();
    server.labelled("worker").unwrap();
    let other = Client::connect(server.addr());
    let none = server.try_session("worker").unwrap_err().to_string();
    let there = format!(
        "no session came by the label \"worker\"; the server has {}",
        other.session()
    );
    assert_eq!(none, there);
    assert_eq!(
        server.try_expire_label("worker").unwrap_err().to_string(),
        there
    );
    let unknown = server.try_session("wroker").unwrap_err().to_string();
    assert!(
        unknown.starts_with("the label \"wroker\" is not known (known labels: \"worker\"): add it"),
        "{unknown}"
    );
    let panicked = catch_unwind(AssertUnwindSafe(|| server.expire_label("wroker")));
    assert!(panicked.is_err());
}

#[test]
fn expire_label_expires_every_session_of_the_label() {
    let server = Server::start().unwrap();
    let workers = server.labelled("workers").unwrap();
    let mut clients = [(); 2].map(|()| Client::connect(workers.addr()));
    let _other = Client::connect(server.addr());
    clients[1].create("/a", b"", EPHEMERAL);
    let effects = server.expire_label("workers");
    assert_eq!(effects.expired, clients.each_ref().map(Client::session));
    assert_eq!(effects.deleted, ["/a"]);
    assert_eq!(server.sessions().len(), 1);
}

#[test]
fn a_session_of_the_test_owns_ephemerals_until_it_ends() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    let own = server.open_session();
    assert_eq!(
        own.create_ephemeral("/leader", b"other")
            .unwrap()
            .ephemeral_owner,
        own.id()
    );
    client.exists("/leader", true);
    assert_eq!(
        own.create_ephemeral_sequential("/lock-", b"").as_deref(),
        Ok("/lock-0000000001")
    );
    let session = server.sessions().into_iter().find(|it| it.id == own.id());
    let session = session.expect("it is one of the sessions");
    assert_eq!(session.ephemerals, ["/leader", "/lock-0000000001"]);
    let closed = server.wait_for(Matcher::of(EventKind::SessionClosed));
    let id = own.id();
    own.end();
    assert_eq!(client.event(), Event::Deleted("/leader".to_owned()));
    assert_eq!(closed.blocking().unwrap().session, Some(id));
    assert!(server.sessions().iter().all(|session| session.id != id));
    // The handle itself has no session.
    server.create("/leader", b"").unwrap();
    assert_eq!(server.znode("/leader").unwrap().owner(), None);
}

#[test]
fn an_expired_session_of_the_test_refuses_requests() {
    let server = Server::builder().manual_clock().start().unwrap();
    let own = server.create_ephemeral("/leader", b"").unwrap();
    server.advance(std::time::Duration::from_secs(24 * 3600));
    assert!(server.znode("/leader").is_some(), "it lasts");
    server.restart().unwrap();
    assert!(server.znode("/leader").is_some(), "a restart leaves it");
    let effects = server.expire(own.id());
    assert_eq!(effects.deleted, ["/leader"]);
    assert_eq!(
        own.create_ephemeral("/b", b""),
        Err(ErrorCode::SessionExpired)
    );
    server.create("/a", b"").unwrap();
    drop(own);
    assert_eq!(
        server.try_mute(SessionId::from(7)).unwrap_err().to_string(),
        "there is no session 0x7; the server has no session now"
    );
}

#[test]
fn a_session_of_the_test_works_in_an_ensemble() {
    let ensemble = Ensemble::start(3).unwrap();
    let server = ensemble.server();
    let mut client = Client::connect(ensemble.member(2).addr());
    let own = server.create_ephemeral("/leader", b"").unwrap();
    client.exists("/leader", true);
    drop(own);
    assert_eq!(client.event(), Event::Deleted("/leader".to_owned()));
}

#[test]
fn everything_below_a_znode_is_created_and_deleted() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    server.create_all("/a/b/c", b"1").unwrap();
    assert_eq!(
        server.create_all("/a/b/c", b"2"),
        Err(ErrorCode::NodeExists)
    );
    assert_eq!(server.create_all("a/b", b""), server.create("a/b", b""));
    server.create_all("/a/b/d", b"").unwrap();
    server.create_all("/ab", b"").unwrap();
    client.exists("/a/b/c", true);
    server.delete_all("/a").unwrap();
    assert_eq!(client.event(), Event::Deleted("/a/b/c".to_owned()));
    assert_eq!(
        server.children("/"),
        Some(vec!["ab".to_owned(), "zookeeper".to_owned()])
    );
    assert_eq!(server.delete_all("/a"), Err(ErrorCode::NoNode));
    assert_eq!(
        server.delete_all("/zookeeper"),
        Err(ErrorCode::BadArguments)
    );
    server.delete_all("/").unwrap();
    assert!(server.tree().is_empty());
    assert_eq!(
        server.children("/zookeeper"),
        Some(vec!["config".to_owned(), "quota".to_owned()])
    );
    assert_eq!(
        server.create_sequential("/q-", b"").as_deref(),
        Ok("/q-0000000002")
    );
}
