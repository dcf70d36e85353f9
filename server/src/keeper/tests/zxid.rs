//! Requests that take a zxid, and the zxids of replies.

use super::*;

/// Returns the number of zxids that a request takes, and the zxid of its reply.
#[track_caller]
fn takes(request: impl Into<Request<'static>>, number: i64) {
    let request = request.into();
    let mut world = World::of(1);
    world.given(1, [create("/a")]);
    let before = world.last_zxid();
    let lines = world.ask_as(1, 9, request.clone());
    assert_eq!(world.last_zxid() - before, number, "{request:?}");
    let committed = lines.iter().filter(|line| line.starts_with("txn ")).count();
    assert_eq!(i64::try_from(committed), Ok(number), "{request:?}");
    let zxid = format!(" zxid {} ", world.last_zxid());
    let reply = lines
        .iter()
        .find(|line| line.contains(" <- xid "))
        .expect("a reply");
    assert!(reply.contains(&zxid), "{reply}");
}

#[test]
fn every_write_takes_a_zxid_even_if_it_fails() {
    takes(create("/b"), 1);
    takes(create("/a"), 1);
    takes(create("bad"), 1);
    takes(with_ttl("/b", 0), 1);
    takes(delete("/a", -1), 1);
    takes(delete("/", -1), 1);
    takes(set("/a", "", -1), 1);
    takes(set("-", "", -1), 1);
    takes(set_acl("/a", [], -1), 1);
    takes(Request::Reconfig, 1);
    takes(multi([]), 1);
    takes(multi([create("/b").into(), create("/c").into()]), 1);
    takes(multi([create("/b").into(), create("/a").into()]), 1);
    takes(Request::CloseSession, 1);
}

#[test]
fn reads_watches_and_pings_take_no_zxid() {
    takes(exists("/a", true), 0);
    takes(get("/none", false), 0);
    takes(get_acl("/a"), 0);
    takes(ls("/", false), 0);
    takes(count_below("/"), 0);
    takes(sync("/"), 0);
    takes(Request::Ping, 0);
    takes(Request::WhoAmI, 0);
    takes(Request::GetEphemerals { prefix: None }, 0);
    takes(Request::MultiRead(vec![]), 0);
    takes(watch_recursively("/"), 0);
    takes(check_watches("/", WatcherType::Any), 0);
    takes(remove_watches("/", WatcherType::Any), 0);
    takes(Request::SetWatches(SetWatches::default()), 0);
}

#[test]
fn a_malformed_request_takes_no_zxid_unless_it_is_a_multi() {
    for operation in [
        Operation::Create,
        Operation::Create2,
        Operation::Delete,
        Operation::SetData,
        Operation::SetAcl,
        Operation::Reconfig,
        Operation::Exists,
        Operation::MultiRead,
        Operation::AddWatch,
    ] {
        let mut world = World::of(1);
        check(
            world.ask(1, Request::Malformed(operation)),
            &["1 <- xid 1 zxid 1 MarshallingError"],
        );
        assert_eq!(world.answer(1, Request::Ping), "ok", "the connection stays");
    }
    takes(Request::Malformed(Operation::Multi), 1);
}

#[test]
fn a_session_takes_a_zxid_when_it_begins_and_when_it_ends() {
    let mut world = World::of(2);
    assert_eq!(world.last_zxid(), 2);
    world.given(1, [ephemeral("/a"), ephemeral("/b")]);
    world.step(Input::ExpireSession(SessionId(1)));
    assert_eq!(world.last_zxid(), 5);
    world.ask(2, Request::CloseSession);
    assert_eq!(world.last_zxid(), 6);
}

#[test]
fn reconfig_is_refused_as_a_standalone_server_refuses_it() {
    check(
        World::of(1).ask(1, Request::Reconfig),
        &[
            "txn 2 by 1: ReconfigDisabled",
            "1 <- xid 1 zxid 2 ReconfigDisabled",
        ],
    );
    let mut world = World::with(|rules| rules.reconfig_enabled = true).joined_by(1);
    check(
        world.ask(1, Request::Reconfig),
        &[
            "txn 2 by 1: Unimplemented",
            "1 <- xid 1 zxid 2 Unimplemented",
        ],
    );
    assert_eq!(world.answer(1, Request::Ping), "ok", "the connection stays");
}

#[test]
fn the_first_create_on_a_fresh_server_is_the_second_transaction() {
    check(
        World::of(1).ask(1, create("/a")),
        &["txn 2 by 1: create /a #1", "1 <- xid 1 zxid 2 path /a"],
    );
}
