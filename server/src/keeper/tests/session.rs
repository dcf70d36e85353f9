//! Sessions: opening, resuming, expiry and closing.

use super::*;

#[test]
fn a_timeout_is_held_within_bounds() {
    for (asked, granted) in [
        (1, 2000),
        (0, 2000),
        (-5, 2000),
        (5000, 5000),
        (1_000_000, 20_000),
    ] {
        let mut world = World::new();
        world.accept(1, "127.0.0.1");
        check(
            world.connect(1, asking_for_session(asked)),
            &[
                &*format!("txn 1 by 1: session of {granted}"),
                &*format!(
                    "1 <- connected session 1 timeout {granted} password right read-only false"
                ),
            ],
        );
    }
}

#[test]
fn sessions_are_numbered_one_after_the_other_behind_the_number_of_the_server() {
    let top = |byte: u64| (byte << 56).cast_signed();
    for (server_id, now, first) in [
        (1, 0, top(1)),
        (1, 0xc_47fc, top(1) | 0xc_47fc_0000),
        (0, 0, 1),
        (128, 0, top(0x80) + 1),
        (254, 0, top(0xfe)),
    ] {
        let mut world = World::new();
        let rules = Rules {
            server_id,
            ..Rules::default()
        };
        world.keeper = Keeper::new(rules, Timestamp(now));
        assert_eq!(world.open(1), SessionId(first), "server {server_id}");
        assert_eq!(world.open(2), SessionId(first + 1), "server {server_id}");
    }
}

#[test]
fn the_read_only_byte_is_answered_only_where_it_was_sent() {
    for (sent, answered) in [
        (None, ""),
        (Some(false), " read-only false"),
        (Some(true), " read-only false"),
    ] {
        let mut world = World::new();
        world.accept(1, "127.0.0.1");
        let request = ConnectRequest {
            read_only: sent,
            ..asking_for_session(5000)
        };
        let expected = format!("1 <- connected session 1 timeout 5000 password right{answered}");
        check(
            world.connect(1, request),
            &["txn 1 by 1: session of 5000", &expected],
        );
    }
}

#[test]
fn the_password_sent_for_a_new_session_is_ignored() {
    for password in [None, Some(&b"short"[..]), Some(&[9; 40])] {
        let mut world = World::new();
        world.accept(1, "127.0.0.1");
        let request = ConnectRequest {
            password,
            ..asking_for_session(5000)
        };
        let lines = world.connect(1, request);
        assert!(lines.iter().any(|line| line.contains("password right")));
    }
}

#[test]
fn a_client_that_has_seen_more_than_the_server_is_closed_without_a_reply() {
    let mut world = World::of(1);
    for (seen, session) in [(2, 0), (2, 1), (i64::MAX, 77)] {
        world.accept(2, "127.0.0.1");
        let request = ConnectRequest {
            last_zxid_seen: Zxid(seen),
            ..resuming(session)
        };
        check(world.connect(2, request), &["2 closed AheadOfServer"]);
        world.hang_up(2);
    }
    assert!(
        world.answer(1, Request::Ping).starts_with("ok"),
        "no other client was disturbed"
    );
    world.accept(3, "127.0.0.1");
    let request = ConnectRequest {
        last_zxid_seen: Zxid(-5),
        ..asking_for_session(5000)
    };
    assert_eq!(
        world.connect(3, request).len(),
        2,
        "a negative number is accepted"
    );
}

#[test]
fn a_resume_takes_no_zxid_keeps_the_number_and_may_change_the_timeout() {
    let mut world = World::of(1);
    world.hang_up(1);
    world.accept(2, "127.0.0.1");
    let request = ConnectRequest {
        timeout_ms: 5000,
        ..resuming(1)
    };
    check(
        world.connect(2, request),
        &["2 <- connected session 1 timeout 5000 password right read-only false"],
    );
    assert_eq!(world.last_zxid(), 1);
    check(world.advance(5999), &[]);
    check(
        world.advance(1),
        &["txn 2 by 1: session over, []", "2 closed SessionExpired"],
    );
}

#[test]
fn a_takeover_closes_the_old_connection_first_and_keeps_ephemerals_but_no_watch() {
    let mut world = World::of(1);
    world.given(1, [ephemeral("/e")]);
    world.given(1, [get("/e", true), ls("/", true)]);
    check(
        world.resume(2, 1),
        &[
            "1 closed TakenOver",
            "2 <- connected session 1 timeout 10000 password right read-only false",
        ],
    );
    assert_eq!(world.watches(), (0, 0));
    assert_eq!(
        world.stat("/e"),
        "c2 m2 p2 t0/0 v0 cv0 av0 len0 kids0 owner 1"
    );
    check(world.ask(1, create("/late")), &[]);
    world.hang_up(1);
    assert_eq!(
        world.answer(2, Request::Ping),
        "ok",
        "the old one's end is not the new one's"
    );
}

#[test]
fn a_wrong_password_closes_the_rightful_connection_but_not_the_session() {
    for password in [None, Some(&b"short"[..]), Some(&[0; 16]), Some(&[7; 17])] {
        let mut world = World::of(1);
        world.accept(2, "127.0.0.1");
        let request = ConnectRequest {
            password,
            ..resuming(1)
        };
        check(
            world.connect(2, request),
            &[
                "1 closed TakenOver",
                "2 <- connected session 0 timeout 0 password zeros read-only false",
                "2 closed SessionRefused",
            ],
        );
        assert_eq!(world.resume(3, 1).len(), 1, "its owner can come back");
    }
}

#[test]
fn a_wrong_password_does_not_count_as_a_sign_of_life() {
    let mut world = World::of(1);
    check(world.advance(9000), &[]);
    world.accept(2, "127.0.0.1");
    let request = ConnectRequest {
        password: None,
        ..resuming(1)
    };
    world.connect(2, request);
    check(world.advance(2000), &["txn 2 by 1: session over, []"]);
}

#[test]
fn an_unknown_or_ended_session_is_refused_without_a_new_one() {
    let mut world = World::of(1);
    world.step(Input::ExpireSession(SessionId(1)));
    for session in [1, 2, -1, i64::MAX] {
        world.accept(9, "127.0.0.1");
        check(
            world.connect(9, resuming(session)),
            &[
                "9 <- connected session 0 timeout 0 password zeros read-only false",
                "9 closed SessionRefused",
            ],
        );
        world.hang_up(9);
    }
    assert_eq!(world.last_zxid(), 2);
}

#[test]
fn a_session_expires_at_the_end_of_the_tick_in_which_its_timeout_ends() {
    let mut world = World::new();
    world.now = Timestamp(300);
    world.accept(1, "127.0.0.1");
    world.connect(1, asking_for_session(2000));
    assert_eq!(world.keeper.next_deadline(), Some(Timestamp(3000)));
    check(world.advance(2699), &[]);
    check(
        world.advance(1),
        &["txn 2 by 1: session over, []", "1 closed SessionExpired"],
    );
    assert_eq!(world.now, Timestamp(3000));
}

#[test]
fn a_timeout_that_ends_with_a_tick_gets_the_whole_next_one() {
    let mut world = World::new();
    world.accept(1, "127.0.0.1");
    world.connect(1, asking_for_session(2000));
    check(world.advance(2999), &[]);
    assert_eq!(world.advance(1).len(), 2);
}

#[test]
fn all_sessions_of_a_tick_end_together() {
    let mut world = World::new();
    for client in 1..=3 {
        world.now = Timestamp(i64::try_from(client).expect("small") * 100);
        world.accept(client, "127.0.0.1");
        world.connect(client, asking_for_session(2000));
    }
    let lines = world.advance(10_000);
    check(
        lines,
        &[
            "txn 4 by 1: session over, []",
            "1 closed SessionExpired",
            "txn 5 by 2: session over, []",
            "2 closed SessionExpired",
            "txn 6 by 3: session over, []",
            "3 closed SessionExpired",
        ],
    );
}

/// Returns whether a session that sends this request after 9 of its 10 seconds is alive 3 seconds later.
fn keeps_alive(request: Request<'static>) -> bool {
    let mut world = World::of(1);
    world.advance(9000);
    world.ask(1, request);
    world.advance(3000);
    world.keeper.sessions().len() == 1
}

#[test]
fn every_request_is_a_sign_of_life_but_auth_and_sasl() {
    for request in [
        Request::Ping,
        get("/none", false),
        create("bad").into(),
        sync("-"),
        Request::Malformed(Operation::Create),
        Request::Malformed(Operation::Exists),
        Request::Unknown { op_code: 999 },
        Request::SetWatches(SetWatches::default()),
        multi([]),
    ] {
        assert!(keeps_alive(request.clone()), "{request:?}");
    }
    assert!(!keeps_alive(auth("digest", "u:p")));
    assert!(!keeps_alive(Request::Sasl { token: b"" }));
}

#[test]
fn a_closed_connection_does_not_end_its_session() {
    let mut world = World::of(1);
    world.given(1, [ephemeral("/e")]);
    check(world.hang_up(1), &[]);
    check(world.advance(10_999), &[]);
    check(world.advance(1), &["txn 3 by 1: session over, [\"/e\"]"]);
    assert_eq!(world.stat("/e"), "none");
}

#[test]
fn an_expired_client_gets_the_events_and_no_reply() {
    let mut world = World::of(2);
    world.given(1, [ephemeral("/e")]);
    world.given(1, [get("/e", true)]);
    world.given(2, [get("/e", true)]);
    check(
        world.step(Input::ExpireSession(SessionId(1))),
        &[
            "txn 4 by 1: session over, [\"/e\"]",
            "1 <- event NodeDeleted /e zxid 4",
            "2 <- event NodeDeleted /e zxid 4",
            "1 closed SessionExpired",
        ],
    );
    check(world.step(Input::ExpireSession(SessionId(1))), &[]);
}

#[test]
fn close_session_is_answered_after_its_own_events_and_then_closed() {
    let mut world = World::of(1);
    world.given(1, [ephemeral("/e")]);
    world.given(1, [get("/e", true), ls("/", true)]);
    check(
        world.ask(1, Request::CloseSession),
        &[
            "txn 3 by 1: session over, [\"/e\"]",
            "1 <- event NodeDeleted /e zxid 3",
            "1 <- event NodeChildrenChanged / zxid 3",
            "1 <- xid 4 zxid 3 ok",
            "1 closed SessionClosed",
        ],
    );
    check(world.ask(1, create("/late")), &[]);
    assert_eq!(world.last_zxid(), 3);
    assert_eq!(world.watches(), (0, 0));
    assert_eq!(world.keeper.sessions().len(), 0);
}

#[test]
fn a_second_connection_can_end_the_session_of_the_first() {
    let mut world = World::of(1);
    world.given(1, [ephemeral("/e")]);
    world.resume(2, 1);
    check(
        world.ask(2, Request::CloseSession),
        &[
            "txn 3 by 1: session over, [\"/e\"]",
            "2 <- xid 1 zxid 3 ok",
            "2 closed SessionClosed",
        ],
    );
    assert!(
        world
            .resume(3, 1)
            .iter()
            .any(|line| line.contains("timeout 0"))
    );
}

#[test]
fn a_session_that_ended_leaves_no_deadline() {
    let mut world = World::of(1);
    world.ask(1, Request::CloseSession);
    let look = world.keeper.rules.container_check_interval_ms;
    assert_eq!(world.keeper.next_deadline(), Some(Timestamp(look)));
}

#[test]
fn a_shorter_timeout_counts_at_once() {
    let mut world = World::of(1);
    world.accept(2, "127.0.0.1");
    let request = ConnectRequest {
        timeout_ms: 2000,
        ..resuming(1)
    };
    world.connect(2, request);
    assert_eq!(world.keeper.next_deadline(), Some(Timestamp(3000)));
}

#[test]
fn sessions_outlive_a_restart_with_their_whole_timeout_before_them() {
    let mut world = World::of(1);
    world.given(1, [ephemeral("/e")]);
    world.advance(9000);
    world.hang_up(1);
    check(world.step(Input::Restarted), &[]);
    check(world.advance(10_999), &[]);
    assert_eq!(
        world.stat("/e"),
        "c2 m2 p2 t0/0 v0 cv0 av0 len0 kids0 owner 1"
    );
    check(world.advance(1), &["txn 3 by 1: session over, [\"/e\"]"]);
}

#[test]
fn after_a_restart_the_timeout_is_the_one_that_the_session_began_with() {
    // A resume is no transaction, so the log contains only the first timeout: ZooKeeperServer.revalidateSession.
    let mut world = World::of(1);
    world.accept(2, "127.0.0.1");
    let request = ConnectRequest {
        timeout_ms: 20_000,
        ..resuming(1)
    };
    world.connect(2, request);
    world.hang_up(2);
    world.step(Input::Restarted);
    check(world.advance(10_999), &[]);
    check(world.advance(1), &["txn 2 by 1: session over, []"]);
}

#[test]
fn a_muted_session_expires_although_its_client_sends() {
    let mut world = World::of(1);
    let mute = |muted| Input::Mute {
        session: SessionId(1),
        muted,
    };
    world.advance(500);
    check(world.step(mute(true)), &[]);
    world.advance(5000);
    assert_eq!(world.answer(1, Request::Ping), "ok");
    check(
        world.advance(5500),
        &["txn 2 by 1: session over, []", "1 closed SessionExpired"],
    );
}

#[test]
fn an_unmuted_session_has_its_whole_timeout() {
    let mut world = World::of(1);
    world.step(Input::Mute {
        session: SessionId(1),
        muted: true,
    });
    world.advance(9000);
    world.step(Input::Mute {
        session: SessionId(1),
        muted: false,
    });
    check(world.advance(10_999), &[]);
    assert_eq!(world.advance(1).len(), 2);
}

/// A server whose time stands still while clients could send.
fn still() -> World {
    World::with(|rules| rules.connection_keeps_session_alive = true).joined_by(1)
}

#[test]
fn on_a_manual_clock_a_session_lives_as_long_as_its_connection() {
    let mut world = still();
    check(world.advance(1_000_000), &[]);
    assert_eq!(world.answer(1, Request::Ping), "ok");
}

#[test]
fn on_a_manual_clock_the_timeout_begins_when_the_connection_closes() {
    for before in [0, 100, 10_900, 54_321] {
        let mut world = still();
        check(world.advance(before), &[]);
        world.hang_up(1);
        check(world.advance(10_000), &[]);
        check(world.advance(1000), &["txn 2 by 1: session over, []"]);
    }
}

#[test]
fn on_a_manual_clock_the_timeout_begins_when_another_client_closes_the_connection() {
    let mut world = still();
    world.advance(10_900);
    world.accept(2, "127.0.0.1");
    let request = ConnectRequest {
        password: None,
        ..resuming(1)
    };
    world.connect(2, request);
    check(world.advance(10_000), &[]);
    check(world.advance(1100), &["txn 2 by 1: session over, []"]);
}

#[test]
fn on_a_manual_clock_the_timeout_of_a_muted_session_begins_when_it_is_muted() {
    let mut world = still();
    world.advance(54_321);
    world.step(Input::Mute {
        session: SessionId(1),
        muted: true,
    });
    check(world.advance(10_000), &[]);
    check(
        world.advance(1000),
        &["txn 2 by 1: session over, []", "1 closed SessionExpired"],
    );
}

#[test]
fn on_a_manual_clock_a_closed_connection_does_not_extend_a_muted_session() {
    let mut world = still();
    world.step(Input::Mute {
        session: SessionId(1),
        muted: true,
    });
    world.advance(9000);
    world.hang_up(1);
    check(world.advance(2000), &["txn 2 by 1: session over, []"]);
}

fn silence(silent: bool) -> Input<'static> {
    Input::Silence {
        connection: ConnectionId(1),
        silent,
    }
}

#[test]
fn on_a_manual_clock_the_timeout_begins_when_the_link_is_cut() {
    for before in [0, 100, 10_900, 54_321] {
        let mut world = still();
        check(world.advance(before), &[]);
        check(world.step(silence(true)), &[]);
        check(world.advance(10_000), &[]);
        check(
            world.advance(1000),
            &["txn 2 by 1: session over, []", "1 closed SessionExpired"],
        );
    }
}

#[test]
fn on_a_manual_clock_a_session_survives_if_its_link_is_healed_in_time() {
    let mut world = still();
    world.step(silence(true));
    world.advance(9999);
    world.step(silence(false));
    check(world.advance(1_000_000), &[]);
    world.step(silence(true));
    check(world.advance(9999), &[]);
}

#[test]
fn on_a_manual_clock_a_closed_connection_does_not_extend_a_cut_session() {
    let mut world = still();
    world.step(silence(true));
    world.advance(9000);
    world.hang_up(1);
    check(world.advance(2000), &["txn 2 by 1: session over, []"]);
}

#[test]
fn a_session_whose_link_is_cut_lives_on_by_another_connection() {
    let mut world = still();
    world.step(silence(true));
    world.advance(9000);
    world.resume(2, 1);
    check(world.advance(1_000_000), &[]);
}

#[test]
fn with_pings_a_cut_link_changes_no_deadline() {
    let mut world = World::of(1);
    world.step(silence(true));
    world.advance(9000);
    // A request that was under way still arrives.
    world.ask(1, Request::Ping);
    check(world.advance(9000), &[]);
}

#[test]
fn the_next_silent_session_is_one_that_cannot_be_heard() {
    let silent = |world: &World| world.keeper.next_silent().map(|(session, _)| session);
    let mut world = still();
    assert_eq!(silent(&world), None);
    world.step(silence(true));
    assert_eq!(silent(&world), Some(SessionId(1)), "its link is cut");
    world.step(silence(false));
    assert_eq!(silent(&world), None);
    world.hang_up(1);
    assert_eq!(silent(&world), Some(SessionId(1)), "it has no connection");
}

#[test]
fn a_request_that_a_test_refuses_keeps_the_session_alive_and_changes_nothing() {
    let mut world = World::of(1);
    world.advance(9000);
    let refuse = Input::Refuse {
        connection: ConnectionId(1),
        xid: Xid(7),
        code: ErrorCode::NoAuth,
    };
    let said = world.step(refuse);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("NoAuth"), "{said:?}");
    check(world.advance(9000), &[]);
}

#[test]
fn closing_a_connection_by_the_test_does_not_end_its_session() {
    let mut world = World::of(1);
    let close = Input::Close(ConnectionId(1));
    check(world.step(close), &["1 closed Test"]);
    check(world.ask(1, create("/a")), &[]);
    assert!(world.keeper.sessions().get(SessionId(1)).is_some());
}
