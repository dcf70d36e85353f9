//! Connections: their limits, the time without a session, and the requests that need none.

use super::*;

#[test]
fn the_number_of_connections_from_one_address_is_limited() {
    let mut world = World::with(|rules| rules.max_client_connections = 2);
    check(world.accept(1, "127.0.0.1"), &[]);
    check(world.accept(2, "127.0.0.1"), &[]);
    check(
        world.accept(3, "127.0.0.1"),
        &["3 closed TooManyConnections"],
    );
    check(world.accept(4, "127.0.0.2"), &[]);
    world.hang_up(1);
    check(world.accept(5, "127.0.0.1"), &[]);
}

#[test]
fn the_number_of_all_connections_is_limited() {
    let mut world = World::with(|rules| rules.max_connections = 2);
    check(world.accept(1, "127.0.0.1"), &[]);
    check(world.accept(2, "127.0.0.2"), &[]);
    check(
        world.accept(3, "127.0.0.3"),
        &["3 closed TooManyConnections"],
    );
}

#[test]
fn a_refused_connection_counts_towards_no_limit_and_its_requests_are_ignored() {
    let mut world = World::with(|rules| rules.max_client_connections = 1);
    world.accept(1, "127.0.0.1");
    world.accept(2, "127.0.0.1");
    check(world.connect(2, asking_for_session(5000)), &[]);
    check(world.ask(2, create("/a")), &[]);
    world.hang_up(1);
    check(world.accept(3, "127.0.0.1"), &[]);
    check(world.hang_up(2), &[]);
    check(
        world.accept(4, "127.0.0.1"),
        &["4 closed TooManyConnections"],
    );
}

#[test]
fn a_connection_without_a_session_is_closed_after_one_to_two_timeouts() {
    for (now, closed) in [(0, 20_000), (1, 20_000), (9999, 20_000), (10_000, 30_000)] {
        let mut world = World::new();
        world.now = Timestamp(now);
        world.accept(1, "127.0.0.1");
        check(world.advance(closed - now - 1), &[]);
        check(world.advance(1), &["1 closed NoSession"]);
        check(world.connect(1, asking_for_session(5000)), &[]);
    }
}

#[test]
fn a_connection_with_a_session_is_not_closed_for_having_none() {
    let mut world = World::with(|rules| rules.max_session_timeout_ms = 90_000);
    world.accept(1, "127.0.0.1");
    world.connect(1, asking_for_session(90_000));
    check(world.advance(50_000), &[]);
}

#[test]
fn the_time_without_a_session_may_be_unlimited() {
    let mut world = World::with(|rules| rules.sessionless_timeout_ms = i64::MAX);
    world.now = Timestamp(5);
    check(world.accept(1, "127.0.0.1"), &[]);
    check(world.advance(1_000_000), &[]);
}

#[test]
fn a_closed_connection_has_no_deadline_and_no_watches() {
    let mut world = World::new();
    world.accept(1, "127.0.0.1");
    world.hang_up(1);
    check(world.advance(50_000), &[]);
    let mut world = World::of(2);
    world.given(1, [create("/a"), create("/b")]);
    world.given(
        1,
        [
            get("/a", true),
            ls("/", true),
            watch_recursively("/b"),
            watch_persistently("/b"),
        ],
    );
    check(world.hang_up(1), &[]);
    assert_eq!(world.watches(), (0, 0));
    check(
        world.ask(2, set("/a", "", -1)),
        &[
            "txn 5 by 2: set /a v1",
            "2 <- xid 1 zxid 5 c3 m5 p3 t0/0 v1 cv0 av0 len0 kids0",
        ],
    );
}

#[test]
fn an_unknown_operation_is_answered_and_closes_the_connection() {
    let mut world = World::of(1);
    for op_code in [999, -1, 13, 20, 0] {
        check(
            world.ask(1, Request::Unknown { op_code }),
            &["1 <- xid 1 zxid -1 Unimplemented", "1 closed Unimplemented"],
        );
        world = World::of(1);
    }
    assert_eq!(world.keeper.sessions().len(), 1);
}

#[test]
fn a_request_without_a_connection_is_ignored() {
    check(World::new().ask(1, create("/a")), &[]);
}

#[test]
fn the_test_itself_writes_with_every_permission_and_no_session() {
    let mut world = World::of(1);
    world.given(1, [create("/closed").acl([entry(0, "world", "anyone")])]);
    check(
        world.ask(0, set("/closed", "x", -1)),
        &[
            "txn 3 by 0: set /closed v1",
            "0 <- xid 1 zxid 3 c2 m3 p2 t0/0 v1 cv0 av0 len1 kids0",
        ],
    );
    assert_eq!(world.answer(0, ephemeral("/e")), "SessionExpired");
    assert_eq!(
        world.answer(0, Request::GetEphemerals { prefix: None }),
        "paths []"
    );
}

#[test]
fn the_test_itself_counts_as_no_connection_and_need_not_authenticate() {
    let mut world = World::with(|rules| {
        rules.max_client_connections = 1;
        rules.max_connections = 1;
        rules.required_auth_schemes = vec!["digest".to_owned()];
    });
    check(world.accept(1, "127.0.0.1"), &[]);
    assert_eq!(world.answer(0, create("/a")), "path /a");
}
