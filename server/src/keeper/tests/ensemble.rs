//! Members of an ensemble: service, leaders, moving sessions, and members that lag.
//!
//! The behaviour of real members was observed with three members of 3.9.5.

use proptest::prelude::*;

use super::*;
use EnsembleAction::{LoseQuorum, RegainQuorum, Release};

const ONE: MemberId = MemberId(1);
const TWO: MemberId = MemberId(2);
const THREE: MemberId = MemberId(3);

fn stop(member: MemberId) -> EnsembleAction {
    EnsembleAction::Stop { member }
}

fn start(member: MemberId) -> EnsembleAction {
    EnsembleAction::Start { member }
}

fn partition(member: MemberId) -> EnsembleAction {
    EnsembleAction::Partition { member }
}

fn heal(member: MemberId) -> EnsembleAction {
    EnsembleAction::Heal { member }
}

fn lag(member: MemberId) -> EnsembleAction {
    EnsembleAction::Lag { member }
}

fn catch_up(member: MemberId) -> EnsembleAction {
    EnsembleAction::CatchUp { member }
}

fn elect(leader: Option<MemberId>) -> EnsembleAction {
    EnsembleAction::Elect { leader }
}

/// Three members, of which the third leads.
fn three() -> World {
    World::with(|rules| rules.members = 3)
}

/// Three members that serve reads when they are cut off.
fn three_that_read() -> World {
    World::with(|rules| {
        rules.members = 3;
        rules.read_only_mode = true;
    })
}

fn session(member: MemberId, number: i64) -> i64 {
    (i64::from(member.0) << 56) + number
}

fn content_with_reading() -> ConnectRequest<'static> {
    ConnectRequest {
        read_only: Some(true),
        ..asking_for_session(10_000)
    }
}

impl World {
    fn act(&mut self, action: EnsembleAction) -> Vec<String> {
        self.step(Input::Ensemble(action))
    }

    fn connect_at(
        &mut self,
        member: MemberId,
        client: u64,
        request: ConnectRequest<'_>,
    ) -> Vec<String> {
        let mut lines = self.accept_at(member, client, "127.0.0.1");
        lines.extend(self.connect(client, request));
        lines
    }

    /// Connects a new client to a member, with a new session of 10 s.
    fn join(&mut self, member: MemberId, client: u64) {
        let lines = self.connect_at(member, client, asking_for_session(10_000));
        assert!(lines.len() == 2, "{lines:?}");
    }

    fn modes(&self) -> Vec<String> {
        let members = self.keeper.members();
        let ids = members.ids();
        ids.map(|member| members.mode(member).to_string()).collect()
    }

    fn behind(&self, member: MemberId) -> Option<usize> {
        self.keeper.member(member).and_then(|member| member.behind)
    }
}

#[test]
fn the_first_transaction_of_an_ensemble_is_the_first_of_epoch_1() {
    let mut world = three();
    check(world.modes(), &["follower", "follower", "leader"]);
    check(
        world.connect_at(TWO, 1, asking_for_session(10_000)),
        &[
            "txn 1:1 by 2.0: session of 10000",
            "1 <- connected session 2.0 timeout 10000 password right read-only false",
        ],
    );
    check(
        world.connect_at(ONE, 2, asking_for_session(10_000)),
        &[
            "txn 1:2 by 1.0: session of 10000",
            "2 <- connected session 1.0 timeout 10000 password right read-only false",
        ],
    );
}

#[test]
fn a_standalone_server_has_one_member_that_can_only_be_stopped() {
    let mut world = World::of(1);
    for action in [
        partition(ONE),
        LoseQuorum,
        elect(None),
        heal(ONE),
        start(ONE),
    ] {
        check(world.act(action), &[]);
    }
    check(world.modes(), &["standalone"]);
    check(
        world.ask(1, exists("/", false)),
        &["1 <- xid 1 zxid 1 c0 m0 p0 t0/0 v0 cv-1 av0 len0 kids1"],
    );
}

#[test]
fn impossible_actions_are_refused() {
    use crate::protocol::EnsembleError::{CannotLag, CannotLead, NoQuorum, NoSuchMember};
    let mut world = three();
    let four = MemberId(4);
    for action in [stop(four), lag(MemberId(0)), elect(Some(four))] {
        assert!(matches!(
            world.keeper.members().check(action),
            Err(NoSuchMember(_))
        ));
        check(world.act(action), &[]);
    }
    world.act(stop(ONE));
    let refused = |world: &World, action| world.keeper.members().check(action).unwrap_err();
    assert_eq!(refused(&world, lag(ONE)), CannotLag(ONE));
    assert_eq!(refused(&world, elect(Some(ONE))), CannotLead(ONE));
    world.act(stop(TWO));
    assert_eq!(refused(&world, elect(None)), NoQuorum);
}

mod elections {
    use super::*;

    #[test]
    fn a_stopped_follower_closes_its_connections_and_changes_nothing_else() {
        let mut world = three();
        world.join(ONE, 1);
        world.join(THREE, 2);
        check(world.act(stop(ONE)), &["1 closed MemberStopped"]);
        check(world.modes(), &["stopped", "follower", "leader"]);
        check(world.ask(2, sync("/")), &["2 <- xid 1 zxid 1:2 path /"]);
        check(
            world.accept_at(ONE, 3, "127.0.0.1"),
            &["3 closed MemberStopped"],
        );
        check(world.act(start(ONE)), &[]);
        check(world.modes(), &["follower", "follower", "leader"]);
        check(
            world.connect_at(ONE, 4, resuming(session(ONE, 0))),
            &["4 <- connected session 1.0 timeout 10000 password right read-only false"],
        );
    }

    #[test]
    fn a_stopped_leader_ends_all_connections_and_begins_a_new_epoch() {
        let mut world = three();
        for (client, member) in [(1, ONE), (2, TWO), (3, THREE)] {
            world.join(member, client);
        }
        check(
            world.act(stop(THREE)),
            &[
                "1 closed LostLeader",
                "2 closed LostLeader",
                "3 closed MemberStopped",
                "2 leads epoch 2",
            ],
        );
        check(world.modes(), &["follower", "leader", "stopped"]);
        check(
            world.connect_at(ONE, 4, resuming(session(ONE, 0))),
            &["4 <- connected session 1.0 timeout 10000 password right read-only false"],
        );
        check(
            world.ask(4, create("/a")),
            &[
                "txn 2:1 by 1.0: create /a #1",
                "4 <- xid 1 zxid 2:1 path /a",
            ],
        );
        check(world.act(start(THREE)), &[]);
        check(world.modes(), &["follower", "leader", "follower"]);
    }

    #[test]
    fn after_an_election_the_leader_shows_the_new_epoch_and_others_the_last_transaction_of_the_old()
    {
        let mut world = three();
        world.join(ONE, 1);
        world.act(stop(THREE));
        for (client, member, zxid) in [(2, ONE, "1:1"), (3, TWO, "2:0"), (4, ONE, "1:1")] {
            world.connect_at(member, client, resuming(session(ONE, 0)));
            check(
                world.ask(client, Request::Ping),
                &[&*format!("{client} <- xid -2 zxid {zxid} ok")],
            );
        }
        // So the other members refuse a client that has seen this one, until something is written.
        let ahead = ConnectRequest {
            last_zxid_seen: Zxid(0x2_0000_0000),
            ..resuming(session(ONE, 0))
        };
        check(world.connect_at(ONE, 5, ahead), &["5 closed AheadOfServer"]);
        world.join(TWO, 6);
        assert_eq!(
            world.connect_at(ONE, 7, ahead).len(),
            2,
            "taken over, connected"
        );
    }

    #[test]
    fn an_election_gives_every_session_its_whole_timeout() {
        let mut world = three();
        world.join(ONE, 1);
        world.hang_up(1);
        world.advance(9_000);
        check(world.act(elect(None)), &["2 leads epoch 2"]);
        check(world.advance(10_000), &[]);
        check(world.advance(1_000), &["txn 2:1 by 1.0: session over, []"]);
    }

    #[test]
    fn any_member_can_be_elected_even_the_current_leader() {
        let mut world = three();
        world.join(TWO, 1);
        check(
            world.act(elect(Some(ONE))),
            &["1 closed LostLeader", "1 leads epoch 2"],
        );
        check(world.act(elect(Some(ONE))), &["1 leads epoch 3"]);
        check(world.act(elect(None)), &["3 leads epoch 4"]);
        check(world.modes(), &["follower", "follower", "leader"]);
    }

    #[test]
    fn more_transactions_win_against_a_higher_id() {
        let mut world = three();
        world.act(stop(TWO));
        world.join(ONE, 1);
        world.act(stop(THREE));
        world.act(stop(ONE));
        world.act(start(TWO));
        check(world.act(start(ONE)), &["1 leads epoch 2"]);
    }

    #[test]
    fn a_restart_of_all_is_an_election() {
        let mut world = three();
        world.join(ONE, 1);
        world.hang_up(1);
        check(world.step(Input::Restarted), &["3 leads epoch 2"]);
        world.connect_at(ONE, 2, resuming(session(ONE, 0)));
        check(
            world.ask(2, create("/a")),
            &[
                "txn 2:1 by 1.0: create /a #1",
                "2 <- xid 1 zxid 2:1 path /a",
            ],
        );
    }

    #[test]
    fn no_session_id_is_issued_twice() {
        let mut world = three();
        world.join(ONE, 1);
        world.act(elect(None));
        world.join(ONE, 2);
        assert_eq!(world.session_of(2).0, session(ONE, 1));
        world.advance(1000);
        world.act(elect(None));
        world.join(ONE, 3);
        assert_eq!(world.session_of(3).0, session(ONE, 1000 << 16));
    }
}

mod quorum {
    use super::*;

    #[test]
    fn without_a_quorum_all_connections_end_and_no_client_is_served() {
        let mut world = three();
        for (client, member) in [(1, ONE), (2, TWO), (3, THREE)] {
            world.join(member, client);
        }
        world.act(stop(TWO));
        check(
            world.act(stop(THREE)),
            &["1 closed LostLeader", "3 closed MemberStopped", "no leader"],
        );
        check(world.modes(), &["not serving", "stopped", "stopped"]);
        check(
            world.connect_at(ONE, 4, content_with_reading()),
            &["4 closed NotServing"],
        );
        check(world.act(start(TWO)), &["2 leads epoch 2"]);
    }

    #[test]
    fn without_a_leader_no_session_expires_and_with_the_next_each_has_its_whole_timeout() {
        let mut world = three();
        world.join(ONE, 1);
        check(world.act(LoseQuorum), &["1 closed LostLeader", "no leader"]);
        check(world.advance(3_600_000), &[]);
        check(world.act(RegainQuorum), &["3 leads epoch 2"]);
        check(world.advance(10_000), &[]);
        check(world.advance(1_000), &["txn 2:1 by 1.0: session over, []"]);
    }

    #[test]
    fn without_a_leader_nothing_is_reaped() {
        let mut world = three();
        world.join(ONE, 1);
        world.given(1, [container("/c"), create("/c/a")]);
        world.given(1, [delete("/c/a", -1)]);
        world.act(LoseQuorum);
        check(world.advance(120_000), &[]);
        world.act(RegainQuorum);
        check(
            world.advance(60_000),
            &["txn 2:1 by 1.0: session over, []", "txn 2:2 by 0: reap /c"],
        );
    }

    #[test]
    fn a_partitioned_member_serves_no_client_and_the_others_continue() {
        let mut world = three();
        world.join(ONE, 1);
        world.join(TWO, 2);
        check(world.act(partition(ONE)), &["1 closed LostLeader"]);
        check(world.modes(), &["not serving", "follower", "leader"]);
        check(
            world.ask(2, create("/a")),
            &[
                "txn 1:3 by 2.0: create /a #1",
                "2 <- xid 1 zxid 1:3 path /a",
            ],
        );
        check(world.act(heal(ONE)), &[]);
        check(world.modes(), &["follower", "follower", "leader"]);
    }

    #[test]
    fn a_partitioned_leader_is_replaced() {
        let mut world = three();
        world.join(THREE, 1);
        check(
            world.act(partition(THREE)),
            &["1 closed LostLeader", "2 leads epoch 2"],
        );
        check(world.modes(), &["follower", "leader", "not serving"]);
    }
}

mod read_only {
    use super::*;

    /// The first member is cut off, after a session began there and a znode was created.
    fn cut_off() -> World {
        let mut world = three_that_read();
        world.join(ONE, 1);
        world.given(1, [create("/a").data("old")]);
        check(world.act(partition(ONE)), &["1 closed LostLeader"]);
        check(world.modes(), &["read-only", "follower", "leader"]);
        world
    }

    #[test]
    fn a_member_that_is_cut_off_serves_read_only_clients() {
        let mut world = cut_off();
        check(
            world.connect_at(ONE, 2, content_with_reading()),
            &["2 <- connected session 1.1 timeout 10000 password right read-only true"],
        );
        for request in [
            asking_for_session(10_000),
            ConnectRequest {
                read_only: None,
                ..asking_for_session(10_000)
            },
        ] {
            check(
                world.connect_at(ONE, 3, request),
                &["3 closed NotReadOnlyClient"],
            );
        }
    }

    #[test]
    fn a_read_only_member_has_the_state_of_its_cut() {
        let mut world = cut_off();
        world.connect_at(ONE, 2, content_with_reading());
        world.ask(2, get("/a", true));
        world.join(TWO, 3);
        world.given(3, [set("/a", "new", -1)]);
        check(
            world.ask(2, get("/a", false)),
            &[
                "2 <- xid 2 zxid 1:2 \"old\" c4294967298 m4294967298 p4294967298 t0/0 v0 cv0 av0 len3 kids0",
            ],
        );
    }

    #[test]
    fn a_read_only_member_refuses_all_writes_and_sync() {
        let mut world = cut_off();
        world.connect_at(ONE, 2, content_with_reading());
        for request in [
            create("b//").into(),
            delete("/none", -1).into(),
            set("/a", "", 7).into(),
            set_acl("/a", [], -1),
            multi([]),
            sync("/"),
            Request::Reconfig,
            Request::Malformed(Operation::Create),
        ] {
            assert_eq!(world.answer(2, request), "NotReadOnly");
        }
        assert_eq!(
            world.answer(2, Request::Malformed(Operation::GetData)),
            "MarshallingError"
        );
        assert_eq!(world.last_zxid(), 0x1_0000_0002, "none took a zxid");
    }

    #[test]
    fn sessions_of_a_read_only_member_are_local_and_end_with_its_partition() {
        let mut world = cut_off();
        world.connect_at(ONE, 2, content_with_reading());
        let resuming = |number| ConnectRequest {
            read_only: Some(true),
            ..resuming(session(ONE, number))
        };
        check(
            world.connect_at(TWO, 3, resuming(1)),
            &[
                "3 <- connected session 0 timeout 0 password zeros read-only false",
                "3 closed SessionRefused",
            ],
        );
        check(
            world.connect_at(ONE, 4, resuming(1)),
            &[
                "2 closed TakenOver",
                "4 <- connected session 1.1 timeout 10000 password right read-only true",
            ],
        );
        check(
            world.connect_at(ONE, 5, resuming(0)),
            // Only the leader knows whether the session still exists.
            &["5 closed NotServing"],
        );
        check(world.act(heal(ONE)), &["4 closed ReadOnlyEnded"]);
        assert_eq!(world.keeper.sessions().len(), 1);
        check(
            world.connect_at(ONE, 6, resuming(0)),
            &["6 <- connected session 1.0 timeout 10000 password right read-only false"],
        );
    }

    #[test]
    fn a_restart_of_all_ends_the_sessions_of_a_read_only_member() {
        let mut world = cut_off();
        world.connect_at(ONE, 2, content_with_reading());
        world.act(LoseQuorum);
        check(world.step(Input::Restarted), &[]);
        assert_eq!(world.keeper.sessions().len(), 1);
    }

    #[test]
    fn sessions_of_a_read_only_member_expire_and_close_without_a_transaction() {
        let mut world = cut_off();
        world.act(LoseQuorum);
        world.connect_at(ONE, 2, content_with_reading());
        world.connect_at(ONE, 3, content_with_reading());
        check(
            world.ask(2, Request::CloseSession),
            &["2 <- xid 1 zxid 1:2 ok", "2 closed SessionClosed"],
        );
        check(world.advance(11_000), &["3 closed SessionExpired"]);
        assert_eq!(
            world.keeper.sessions().len(),
            1,
            "the one that began before"
        );
    }
}

mod moving {
    use super::*;

    /// A session of the first member that has moved to the second, on connection 2.
    fn moved(from: MemberId, to: MemberId) -> World {
        let mut world = three();
        world.join(from, 1);
        world.given(1, [create("/a")]);
        let resumed = world.connect_at(to, 2, resuming(session(from, 0)));
        assert_eq!(
            resumed.len(),
            1,
            "the connection it was on stays: {resumed:?}"
        );
        world
    }

    #[test]
    fn the_old_connection_of_a_moved_session_still_reads_at_a_follower() {
        let mut world = moved(ONE, TWO);
        assert_eq!(world.answer(1, Request::Ping), "ok");
        assert_eq!(world.answer(1, sync("/")), "path /");
        assert!(world.answer(1, get("/a", true)).starts_with("\"\""));
        world.join(THREE, 3);
        check(
            events(world.ask(3, set("/a", "", -1))),
            &["1 <- event NodeDataChanged /a zxid 1:4"],
        );
    }

    #[test]
    fn a_write_on_the_old_connection_takes_a_zxid_and_gets_no_reply() {
        for request in [
            create("/b").into(),
            create("/a").into(),
            multi([check_version("/a", 0).into()]),
            set("/none", "", -1).into(),
        ] {
            let mut world = moved(ONE, TWO);
            check(
                world.ask(1, request),
                &["txn 1:3 by 1.0: SessionMoved", "1 closed SessionMoved"],
            );
            assert_eq!(world.answer(2, create("/b")), "path /b");
        }
    }

    #[test]
    fn at_the_leader_the_old_connection_cannot_even_read() {
        for request in [Request::Ping, sync("/"), get("/a", false)] {
            let mut world = moved(THREE, TWO);
            check(world.ask(1, request), &["1 closed SessionMoved"]);
        }
    }

    #[test]
    fn the_old_connection_can_close_the_session() {
        let mut world = moved(ONE, TWO);
        check(
            world.ask(1, Request::CloseSession),
            &[
                "txn 1:3 by 1.0: session over, []",
                "2 closed SessionClosed",
                "1 <- xid 2 zxid 1:3 ok",
                "1 closed SessionClosed",
            ],
        );
    }

    #[test]
    fn the_old_connection_closes_when_the_session_ends_or_returns() {
        let mut world = moved(ONE, TWO);
        check(
            world.step(Input::ExpireSession(SessionId(session(ONE, 0)))),
            &[
                "txn 1:3 by 1.0: session over, []",
                "1 closed SessionExpired",
                "2 closed SessionExpired",
            ],
        );
        let mut world = moved(ONE, TWO);
        check(
            world.connect_at(ONE, 3, resuming(session(ONE, 0))),
            &[
                "1 closed TakenOver",
                "3 <- connected session 1.0 timeout 10000 password right read-only false",
            ],
        );
        check(
            world.ask(2, create("/b")),
            &["txn 1:3 by 1.0: SessionMoved", "2 closed SessionMoved"],
        );
    }

    #[test]
    fn a_wrong_password_at_another_member_changes_nothing() {
        let mut world = three();
        world.join(ONE, 1);
        let wrong = ConnectRequest {
            password: Some(&[7; 16]),
            ..resuming(session(ONE, 0))
        };
        check(
            world.connect_at(TWO, 2, wrong),
            &[
                "2 <- connected session 0 timeout 0 password zeros read-only false",
                "2 closed SessionRefused",
            ],
        );
        assert_eq!(world.answer(1, create("/a")), "path /a");
    }

    #[test]
    fn the_member_of_a_connection_is_known() {
        let world = moved(ONE, TWO);
        let member = |client| {
            world
                .keeper
                .connection(ConnectionId(client))
                .map(Connection::member)
        };
        assert_eq!((member(1), member(2)), (Some(ONE), Some(TWO)));
    }
}

mod lag {
    use super::*;

    /// The first member lags, with client 1. Client 2 is at the second member and has created `/a` before.
    fn lagging() -> World {
        let mut world = three();
        world.join(ONE, 1);
        world.join(TWO, 2);
        world.given(2, [create("/a").data("0")]);
        check(world.act(lag(ONE)), &[]);
        world
    }

    fn data(world: &mut World, client: u64) -> String {
        let answer = world.answer(client, get("/a", false));
        answer.split(' ').next().unwrap_or_default().to_owned()
    }

    #[test]
    fn clients_of_a_lagging_member_read_old_state_with_its_zxid() {
        let mut world = lagging();
        world.given(2, [set("/a", "1", -1), set("/a", "2", -1)]);
        assert_eq!(world.behind(ONE), Some(2));
        check(
            world.ask(1, exists("/a", false)),
            &["1 <- xid 1 zxid 1:3 c4294967299 m4294967299 p4294967299 t0/0 v0 cv0 av0 len1 kids0"],
        );
        assert_eq!(data(&mut world, 1), "\"0\"");
        assert_eq!(data(&mut world, 2), "\"2\"");
        check(world.ask(1, Request::Ping), &["1 <- xid -2 zxid 1:3 ok"]);
    }

    #[test]
    fn watches_at_a_lagging_member_fire_when_it_applies_the_change() {
        let mut world = lagging();
        world.given(1, [get("/a", true)]);
        check(events(world.ask(2, set("/a", "1", -1))), &[]);
        check(events(world.ask(2, set("/a", "2", -1))), &[]);
        let next = Release {
            member: ONE,
            transactions: Some(1),
        };
        check(world.act(next), &["1 <- event NodeDataChanged /a zxid 1:4"]);
        assert_eq!(data(&mut world, 1), "\"1\"");
        world.given(1, [get("/a", true)]);
        check(world.act(next), &["1 <- event NodeDataChanged /a zxid 1:5"]);
        check(world.act(next), &[]);
        assert_eq!(world.behind(ONE), Some(0));
    }

    #[test]
    fn watches_survive_the_beginning_and_the_end_of_a_lag() {
        let mut world = three();
        world.join(ONE, 1);
        world.join(TWO, 2);
        world.given(1, [create("/a")]);
        world.given(1, [get("/a", true), ls("/", true)]);
        world.ask(1, exists("/b", true));
        world.given(1, [watch_recursively("/c")]);
        world.given(2, [get("/a", true)]);
        assert_eq!(world.watches(), (4, 1));
        world.act(lag(ONE));
        assert_eq!(world.watches(), (1, 0));
        check(
            events(world.ask(2, set("/a", "", -1))),
            &["2 <- event NodeDataChanged /a zxid 1:4"],
        );
        check(
            world.act(catch_up(ONE)),
            &["1 <- event NodeDataChanged /a zxid 1:4"],
        );
        assert_eq!((world.watches(), world.behind(ONE)), ((2, 1), None));
        check(
            events(world.ask(2, create("/b"))),
            &[
                "1 <- event NodeCreated /b zxid 1:5",
                "1 <- event NodeChildrenChanged / zxid 1:5",
            ],
        );
        check(
            events(world.ask(2, create("/c"))),
            &["1 <- event NodeCreated /c zxid 1:6"],
        );
    }

    #[test]
    fn a_sync_catches_it_up() {
        let mut world = lagging();
        world.given(1, [get("/a", true)]);
        world.given(2, [Request::from(set("/a", "1", -1)), create("/b").into()]);
        check(
            world.ask(1, sync("/")),
            &[
                "1 <- event NodeDataChanged /a zxid 1:4",
                "1 <- xid 2 zxid 1:5 path /",
            ],
        );
        assert_eq!(data(&mut world, 1), "\"1\"");
        world.given(2, [set("/a", "2", -1)]);
        assert_eq!(data(&mut world, 1), "\"1\"", "it lags on");
    }

    #[test]
    fn a_write_makes_a_lagging_member_catch_up_and_events_come_in_order() {
        let mut world = lagging();
        world.given(1, [watch_persistently("/a")]);
        world.given(2, [set("/a", "1", -1)]);
        check(
            world.ask(1, set("/a", "2", 1)),
            &[
                "1 <- event NodeDataChanged /a zxid 1:4",
                "txn 1:5 by 1.0: set /a v2",
                "1 <- event NodeDataChanged /a zxid 1:5",
                "1 <- xid 2 zxid 1:5 c4294967299 m4294967301 p4294967299 t0/0 v2 cv0 av0 len1 kids0",
            ],
        );
    }

    #[test]
    fn a_refused_write_makes_a_lagging_member_catch_up_too() {
        let mut world = lagging();
        world.given(2, [set("/a", "1", -1)]);
        check(
            world.ask(1, delete("/none", -1)),
            &["txn 1:5 by 1.0: NoNode", "1 <- xid 1 zxid 1:5 NoNode"],
        );
        assert_eq!(data(&mut world, 1), "\"1\"");
    }

    #[test]
    fn a_new_session_makes_a_lagging_member_catch_up_and_a_resumed_one_does_not() {
        let mut world = lagging();
        world.given(2, [set("/a", "1", -1)]);
        world.connect_at(ONE, 3, resuming(session(TWO, 0)));
        assert_eq!(data(&mut world, 3), "\"0\"");
        world.join(ONE, 4);
        assert_eq!(data(&mut world, 4), "\"1\"");
        assert_eq!(data(&mut world, 1), "\"1\"");
    }

    #[test]
    fn a_client_that_has_seen_more_is_refused_by_a_lagging_member_only() {
        let mut world = lagging();
        world.given(2, [set("/a", "1", -1)]);
        let seen = |zxid| ConnectRequest {
            last_zxid_seen: Zxid(zxid),
            ..resuming(session(TWO, 0))
        };
        check(
            world.connect_at(ONE, 3, seen(0x1_0000_0004)),
            &["3 closed AheadOfServer"],
        );
        check(
            world.connect_at(THREE, 4, seen(0x1_0000_0004)),
            &["4 <- connected session 2.0 timeout 10000 password right read-only false"],
        );
        check(
            world.connect_at(ONE, 5, seen(0x1_0000_0003)),
            &["5 <- connected session 2.0 timeout 10000 password right read-only false"],
        );
    }

    #[test]
    fn a_lagging_member_closes_a_connection_when_it_applies_the_end_of_the_session() {
        let mut world = lagging();
        world.given(1, [ephemeral("/e")]);
        check(
            world.step(Input::ExpireSession(SessionId(session(ONE, 0)))),
            &["txn 1:5 by 1.0: session over, [\"/e\"]"],
        );
        assert!(world.answer(1, exists("/e", false)).starts_with('c'));
        let mut other = World {
            keeper: world.keeper.clone(),
            ..three()
        };
        check(other.act(catch_up(ONE)), &["1 closed SessionExpired"]);
        check(world.ask(1, create("/b")), &["1 closed SessionExpired"]);
    }

    #[test]
    fn resuming_an_ended_session_closes_its_connection_at_a_lagging_member() {
        let mut world = lagging();
        world.step(Input::ExpireSession(SessionId(session(ONE, 0))));
        check(
            world.connect_at(ONE, 3, resuming(session(ONE, 0))),
            &[
                "1 closed TakenOver",
                "3 <- connected session 0 timeout 0 password zeros read-only false",
                "3 closed SessionRefused",
            ],
        );
    }

    #[test]
    fn a_client_of_a_lagging_member_closes_its_session_as_usual() {
        let mut world = lagging();
        world.given(1, [ephemeral("/e")]);
        world.given(1, [exists("/e", true)]);
        world.given(2, [set("/a", "1", -1)]);
        check(
            world.ask(1, Request::CloseSession),
            &[
                "txn 1:6 by 1.0: session over, [\"/e\"]",
                "1 <- event NodeDeleted /e zxid 1:6",
                "1 <- xid 3 zxid 1:6 ok",
                "1 closed SessionClosed",
            ],
        );
    }

    #[test]
    fn a_member_that_has_caught_up_has_the_common_state() {
        let mut world = lagging();
        world.given(
            2,
            [
                create("/q"),
                create("/q/n").flags(2),
                create("/q/n").flags(2),
            ],
        );
        world.given(2, [set_acl("/q", [entry(1, "world", "anyone")], -1)]);
        world.given(2, [multi([create("/m").into(), delete("/a", -1).into()])]);
        world.ask(2, multi([create("/x").into(), delete("/none", -1).into()]));
        let tree = world.keeper.tree.clone();
        world.act(Release {
            member: ONE,
            transactions: None,
        });
        let replica = world.keeper.remove_replica(ONE).expect("it lags");
        assert!(replica.tree == tree);
    }

    #[test]
    fn in_an_election_a_lagging_member_applies_everything_and_lags_on() {
        let mut world = lagging();
        world.given(2, [set("/a", "1", -1)]);
        check(
            world.act(elect(Some(ONE))),
            &[
                "1 closed LostLeader",
                "2 closed LostLeader",
                "1 leads epoch 2",
            ],
        );
        assert_eq!(world.behind(ONE), Some(0));
        world.connect_at(ONE, 3, resuming(session(ONE, 0)));
        assert_eq!(data(&mut world, 3), "\"1\"");
    }

    #[test]
    fn a_stop_or_a_partition_ends_a_lag() {
        for (action, undo, reason) in [
            (stop(ONE), start(ONE), "MemberStopped"),
            (partition(ONE), heal(ONE), "LostLeader"),
        ] {
            let mut world = lagging();
            world.given(2, [set("/a", "1", -1)]);
            check(world.act(action), &[&*format!("1 closed {reason}")]);
            assert_eq!(world.behind(ONE), None);
            world.act(undo);
            world.connect_at(ONE, 3, resuming(session(ONE, 0)));
            assert_eq!(data(&mut world, 3), "\"1\"");
        }
    }

    /// A write of another client, and the number of transactions that the member applies after it.
    fn writes() -> impl Strategy<Value = Vec<(u8, &'static str, usize)>> {
        let path = prop::sample::select(&["/a", "/b", "/b/c", "/b/d"][..]);
        prop::collection::vec((0..6_u8, path, 0..3_usize), 1..40)
    }

    proptest! {
        #[test]
        fn no_event_is_lost_repeated_or_out_of_order(writes in writes()) {
            let mut worlds = [three(), three()];
            for world in &mut worlds {
                world.join(ONE, 1);
                world.join(TWO, 2);
                world.given(1, [watch_recursively("/")]);
            }
            let [behind, with] = &mut worlds;
            behind.act(lag(ONE));
            let notified = |lines: Vec<String>| -> Vec<String> {
                let lines = events(lines).into_iter();
                lines.filter(|line| line.starts_with("1 ")).collect()
            };
            let (mut heard, mut expected) = (Vec::new(), Vec::new());
            for (kind, path, taken_in) in writes {
                let request: Request<'static> = match kind {
                    0 => create(path).into(),
                    1 => ephemeral(path).into(),
                    2 => set(path, "new", -1).into(),
                    3 => delete(path, -1).into(),
                    4 => set_acl(path, [entry(31, "world", "anyone")], -1),
                    _ => multi([create("/m").into(), set(path, "", -1).into(), delete("/m", -1).into()]),
                };
                expected.extend(notified(with.ask(2, request.clone())));
                heard.extend(notified(behind.ask(2, request)));
                let next = Release { member: ONE, transactions: Some(taken_in) };
                heard.extend(notified(behind.act(next)));
                prop_assert!(expected.starts_with(&heard));
            }
            heard.extend(notified(behind.act(Release { member: ONE, transactions: None })));
            prop_assert_eq!(&heard, &expected);
            let replica = behind.keeper.remove_replica(ONE).expect("it lags");
            prop_assert!(replica.tree == behind.keeper.tree);
            prop_assert!(behind.keeper.tree == with.keeper.tree);
        }
    }

    #[test]
    fn the_test_itself_sees_what_is_committed() {
        let mut world = lagging();
        world.given(2, [set("/a", "1", -1)]);
        assert_eq!(data(&mut world, 0), "\"1\"");
    }
}
