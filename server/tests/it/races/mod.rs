//! Races that a real ensemble cannot be made to run on purpose. Each runs twice: with a correct recipe, and with one
//! that has a well-known mistake. A race returns whether the recipe kept its promise. The result is the same in every
//! run: the tests do not sleep, poll or depend on chance.
//!
//! `MINIKEEPER_RACE_RUNS=1000 cargo test -p minikeeper --test it races::` runs each of them a thousand times.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "recipes and users are parts of tests: what they cannot do fails the test"
)]

mod recipes;
mod user;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use minikeeper::{Ensemble, Fault, Matcher, Op, Server, fault::Direction};

use self::recipes::{cache, election, leading, lock, membership, office, queue, reading};
use self::user::{EPHEMERAL, User};
use crate::client::{Event, PERSISTENT, TIMEOUT};

/// Runs a race several times: the correct recipe keeps its promise each time, and the mistake shows each time.
fn shown_twice<R: Copy>(race: fn(R) -> bool, right: R, wrong: R) {
    let runs = std::env::var("MINIKEEPER_RACE_RUNS").map_or(20, |runs| runs.parse().unwrap());
    for run in 1..=runs {
        assert!(
            race(right),
            "run {run}: the correct recipe broke its promise"
        );
        assert!(!race(wrong), "run {run}: the mistake did not show");
    }
}

/// Server with a manual clock, some znodes, and users who connect to addresses labelled with their names.
fn stage<const N: usize>(znodes: &[&str], names: [&str; N]) -> (Server, [User; N]) {
    let server = Server::builder().manual_clock().start().unwrap();
    for znode in znodes {
        server.create(znode, b"A").unwrap();
    }
    let users = names.map(|name| User::connect([server.labelled(name).unwrap().addr()]));
    (server, users)
}

#[test]
fn a_leader_dies_between_two_reads_of_candidates() {
    fn race(elect: election::Recipe) -> bool {
        let (server, [mut a, mut b, mut c]) = stage(&["/election"], ["A", "B", "C"]);
        assert!(elect(&mut a));
        let hold = server.hold(Matcher::reply(Op::GetChildren).label("B"));
        thread::scope(|scope| {
            let b = scope.spawn(|| elect(&mut b));
            // B has read that A leads.
            hold.wait_for(1).blocking().unwrap();
            server.expire(a.session());
            let c_leads = elect(&mut c);
            drop(hold);
            // One of the two leads.
            b.join().unwrap() != c_leads
        })
    }
    shown_twice(
        race,
        election::watch_and_check,
        election::watch_without_check,
    );
}

#[test]
fn an_event_arrives_before_the_reply_to_its_write() {
    fn race(give: office::Give) -> bool {
        let (server, [mut a, mut b]) = stage(&["/office"], ["A", "B"]);
        let a_acts = AtomicBool::new(true);
        b.get_and_watch("/office").unwrap();
        let hold = server.hold(Matcher::reply(Op::SetData).label("A"));
        thread::scope(|scope| {
            scope.spawn(|| give(&mut a, &a_acts));
            hold.wait_for(1).blocking().unwrap();
            // B has seen that the office is its own. A has not seen that its write succeeded.
            b.next_event().unwrap();
            let both_act = a_acts.load(Ordering::SeqCst);
            drop(hold);
            !both_act
        })
    }
    shown_twice(race, office::stop_then_give, office::give_then_stop);
}

#[test]
fn an_event_arrives_after_the_reply_to_its_write() {
    fn race(take: office::Take) -> bool {
        let (server, [mut a, mut b]) = stage(&["/office"], ["A", "B"]);
        b.get_and_watch("/office").unwrap();
        b.create("/office/acts", b"", EPHEMERAL).unwrap();
        let hold = server.hold(Matcher::watch_event().label("B"));
        let both_act = take(&mut a);
        assert_eq!(hold.release_all(), 1, "B has no event yet, and acts");
        b.next_event().unwrap();
        b.delete("/office/acts").unwrap();
        let stopped = Event::Deleted("/office/acts".to_owned());
        !both_act && a.next_event() == Ok(stopped)
    }
    shown_twice(race, office::take_and_wait, office::take_and_act);
}

#[test]
fn a_create_is_retried_after_a_lost_reply() {
    fn race(put: queue::Recipe) -> bool {
        let (server, [mut a]) = stage(&["/queue"], ["A"]);
        let fault = server.fault("the reply is lost").on(Op::Create);
        let _lost = fault.path("/queue/*").then(Fault::ApplyThenDrop);
        put(&mut a).unwrap();
        server.children("/queue").unwrap().len() == 1
    }
    shown_twice(race, queue::retry_with_id, queue::retry_without_id);
}

#[test]
fn a_session_expires_while_its_client_reconnects() {
    fn race(reconnect: membership::Recipe) -> bool {
        let (server, [mut a]) = stage(&["/members"], ["A"]);
        membership::join(&mut a);
        let session = a.session();
        a.lose_connection();
        let hold = server.hold(Matcher::request(Op::Connect).label("A"));
        thread::scope(|scope| {
            scope.spawn(|| reconnect(&mut a));
            hold.wait_for(1).blocking().unwrap();
            server.expire(session);
            drop(hold);
        });
        server.znode("/members/A").is_some()
    }
    shown_twice(race, membership::join_again, membership::only_reconnect);
}

#[test]
fn a_lagging_member_serves_older_data_than_another_client_wrote() {
    fn race(read: reading::Recipe) -> bool {
        let ensemble = Ensemble::start(3).unwrap();
        let [mut a, mut b] = [1, 2].map(|member| User::connect([ensemble.member(member).addr()]));
        a.create("/config", b"old", PERSISTENT).unwrap();
        let _lag = ensemble.member(2).lag().unwrap();
        a.set("/config", b"new").unwrap();
        // A has the reply to its write, and tells B about it directly.
        read(&mut b).unwrap() == b"new"
    }
    shown_twice(race, reading::sync_and_read, reading::read_without_sync);
}

#[test]
fn a_member_that_lags_behind_a_client_refuses_it() {
    fn race(read: reading::Recipe) -> bool {
        let ensemble = Ensemble::start(3).unwrap();
        let mut a = User::connect([1, 2, 3].map(|member| ensemble.member(member).addr()));
        a.create("/config", b"old", PERSISTENT).unwrap();
        let lag = ensemble.member(2).lag().unwrap();
        a.set("/config", b"new").unwrap();
        // The next server that A knows is the lagging one.
        a.lose_connection();
        let data = read(&mut a).unwrap();
        assert_eq!(lag.pending(), 1);
        data == b"new"
    }
    shown_twice(
        race,
        reading::reconnect_and_read,
        reading::reconnect_without_zxid,
    );
}

#[test]
fn a_persistent_watch_misses_changes_while_its_client_is_disconnected() {
    fn race(cache: cache::Recipe) -> bool {
        let (server, [mut a]) = stage(&["/config"], ["A"]);
        let mut copy = (cache.begin)(&mut a).unwrap();
        a.lose_connection();
        server.set("/config", b"new").unwrap();
        cache.reconnect(&mut a, &mut copy).unwrap();
        copy == b"new"
    }
    shown_twice(race, cache::READS_AGAIN, cache::TRUSTS);
    shown_twice(race, cache::ONE_SHOT, cache::TRUSTS);
}

#[test]
fn a_lock_is_released_while_its_waiter_is_partitioned() {
    fn race(handle: lock::OnEvent) -> bool {
        let (server, [mut a, mut b, mut c]) = stage(&["/lock"], ["A", "B", "C"]);
        let [(a_place, _), (b_place, _)] = [&mut a, &mut b].map(lock::queue_up);
        let partition = server.partition("B");
        a.delete(&a_place).unwrap();
        // The session of B expires, and C has the lock.
        server.advance(TIMEOUT * 2);
        let (_, c_has_it) = lock::queue_up(&mut c);
        assert!(c_has_it);
        partition.heal();
        // B now gets the event that A has gone, and then the end of its connection.
        !handle(&mut b, &b_place)
    }
    shown_twice(race, lock::check_again, lock::assume_lock);
}

#[test]
fn a_partitioned_leader_and_its_successor_lead_at_once() {
    fn race(leads: leading::Recipe) -> bool {
        let (server, [mut a, mut b]) = stage(&["/election"], ["A", "B"]);
        assert!(election::watch_and_check(&mut a) && !election::watch_and_check(&mut b));
        let _partition = server.partition("A");
        let mut b_leads = false;
        let never_both = (1..=12).all(|sixths| {
            server.advance(TIMEOUT / 6);
            b_leads |= b.event_so_far().unwrap().is_some();
            !(leads(&a, TIMEOUT * sixths / 6) && b_leads)
        });
        never_both && b_leads
    }
    shown_twice(
        race,
        leading::step_down_early,
        leading::lead_until_disconnected,
    );
}

#[test]
fn a_client_does_not_see_that_its_connection_is_half_open() {
    fn race(react: cache::OnSilence) -> bool {
        let (server, [mut a]) = stage(&["/config"], ["A"]);
        let mut copy = a.get_and_watch("/config").unwrap();
        let half = Matcher::any().connection(server.connections()[0].number);
        let _cut = server.cut(half, Direction::ToClient);
        server.set("/config", b"new").unwrap();
        // The server gets the pings, so the session does not expire.
        assert!(server.advance(TIMEOUT).expired.is_empty());
        react(&mut a, TIMEOUT, &mut copy).unwrap();
        copy == b"new"
    }
    shown_twice(
        race,
        cache::leave_silent_server,
        cache::stay_until_disconnected,
    );
}
