//! Races that no real ensemble can be made to run on purpose, each shown twice: with a recipe that is right, and with one that
//! has a mistake that is well known. A race gives whether the recipe kept what it promises, which is the same in every run:
//! nothing here sleeps, polls, or hopes.
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

/// Runs a race again and again: what is right keeps its promise every time, and the mistake shows every time.
fn shown_twice<R: Copy>(race: fn(R) -> bool, right: R, wrong: R) {
    let runs = std::env::var("MINIKEEPER_RACE_RUNS").map_or(20, |runs| runs.parse().unwrap());
    for run in 1..=runs {
        assert!(race(right), "run {run}: what is right broke its promise");
        assert!(!race(wrong), "run {run}: the mistake did not show");
    }
}

/// A server whose clock the test turns, with some znodes, and users who came by addresses with their names.
fn stage<const N: usize>(znodes: &[&str], names: [&str; N]) -> (Server, [User; N]) {
    let server = Server::builder().manual_clock().start().unwrap();
    for znode in znodes {
        server.create(znode, b"A").unwrap();
    }
    let users = names.map(|name| User::connect([server.labelled(name).unwrap().addr()]));
    (server, users)
}

#[test]
fn a_leader_dies_between_two_candidates_reads() {
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
            // One of the two leads, and not none.
            b.join().unwrap() != c_leads
        })
    }
    shown_twice(race, election::right, election::deaf);
}

#[test]
fn an_event_arrives_before_the_reply_of_the_write_that_it_tells_of() {
    fn race(give: office::Give) -> bool {
        let (server, [mut a, mut b]) = stage(&["/office"], ["A", "B"]);
        let a_acts = AtomicBool::new(true);
        b.get_and_watch("/office").unwrap();
        let hold = server.hold(Matcher::reply(Op::SetData).label("A"));
        thread::scope(|scope| {
            scope.spawn(|| give(&mut a, &a_acts));
            hold.wait_for(1).blocking().unwrap();
            // B knows that the office is its own, A does not know that it has given it away.
            b.next_event().unwrap();
            let both_act = a_acts.load(Ordering::SeqCst);
            drop(hold);
            !both_act
        })
    }
    shown_twice(race, office::stop_then_give, office::give_then_stop);
}

#[test]
fn an_event_arrives_after_the_reply_of_the_write_that_it_tells_of() {
    fn race(take: office::Take) -> bool {
        let (server, [mut a, mut b]) = stage(&["/office"], ["A", "B"]);
        b.get_and_watch("/office").unwrap();
        b.create("/office/acts", b"", EPHEMERAL).unwrap();
        let hold = server.hold(Matcher::watch_event().label("B"));
        let both_act = take(&mut a);
        assert_eq!(hold.release_all(), 1, "B has not been told, and acts");
        b.next_event().unwrap();
        b.delete("/office/acts").unwrap();
        let told = Event::Deleted("/office/acts".to_owned());
        !both_act && a.next_event() == Ok(told)
    }
    shown_twice(race, office::take_and_wait, office::take_and_act);
}

#[test]
fn a_create_is_done_its_reply_is_lost_and_it_is_tried_again() {
    fn race(put: queue::Recipe) -> bool {
        let (server, [mut a]) = stage(&["/queue"], ["A"]);
        let fault = server.fault("the reply is lost").on(Op::Create);
        let _lost = fault.path("/queue/*").then(Fault::ApplyThenDrop);
        put(&mut a).unwrap();
        server.children("/queue").unwrap().len() == 1
    }
    shown_twice(race, queue::guarded, queue::unguarded);
}

#[test]
fn a_session_expires_while_its_client_comes_back() {
    fn race(come_back: membership::Recipe) -> bool {
        let (server, [mut a]) = stage(&["/members"], ["A"]);
        membership::join(&mut a);
        let session = a.session();
        a.loses_its_connection();
        let hold = server.hold(Matcher::request(Op::Connect).label("A"));
        thread::scope(|scope| {
            scope.spawn(|| come_back(&mut a));
            hold.wait_for(1).blocking().unwrap();
            server.expire(session);
            drop(hold);
        });
        server.znode("/members/A").is_some()
    }
    shown_twice(race, membership::join_again, membership::just_go_on);
}

#[test]
fn a_lagging_member_serves_older_data_than_another_client_was_told() {
    fn race(read: reading::Recipe) -> bool {
        let ensemble = Ensemble::start(3).unwrap();
        let [mut a, mut b] = [1, 2].map(|member| User::connect([ensemble.member(member).addr()]));
        a.create("/config", b"old", PERSISTENT).unwrap();
        let _lag = ensemble.member(2).lag().unwrap();
        a.set("/config", b"new").unwrap();
        // A knows that it is written, and says so to B on the telephone.
        read(&mut b).unwrap() == b"new"
    }
    shown_twice(race, reading::sync_and_read, reading::just_read);
}

#[test]
fn a_client_that_has_seen_more_than_a_member_is_refused_and_goes_on_to_the_next() {
    fn race(read: reading::Recipe) -> bool {
        let ensemble = Ensemble::start(3).unwrap();
        let mut a = User::connect([1, 2, 3].map(|member| ensemble.member(member).addr()));
        a.create("/config", b"old", PERSISTENT).unwrap();
        let lag = ensemble.member(2).lag().unwrap();
        a.set("/config", b"new").unwrap();
        // The next that it knows is the one that lags.
        a.loses_its_connection();
        let data = read(&mut a).unwrap();
        assert_eq!(lag.pending(), 1);
        data == b"new"
    }
    shown_twice(race, reading::come_back_and_read, reading::forget_and_read);
}

#[test]
fn a_persistent_watch_is_never_told_what_changed_while_its_client_was_away() {
    fn race(cache: cache::Recipe) -> bool {
        let (server, [mut a]) = stage(&["/config"], ["A"]);
        let mut copy = (cache.begin)(&mut a).unwrap();
        a.loses_its_connection();
        server.set("/config", b"new").unwrap();
        cache.come_back(&mut a, &mut copy).unwrap();
        copy == b"new"
    }
    shown_twice(race, cache::READS_AGAIN, cache::TRUSTS);
    shown_twice(race, cache::ONE_SHOT, cache::TRUSTS);
}

#[test]
fn a_lock_is_released_while_its_waiter_is_partitioned() {
    fn race(told: lock::Told) -> bool {
        let (server, [mut a, mut b, mut c]) = stage(&["/lock"], ["A", "B", "C"]);
        let [(a_place, _), (b_place, _)] = [&mut a, &mut b].map(lock::queue_up);
        let partition = server.partition("B");
        a.delete(&a_place).unwrap();
        // B is given up, and C has its turn.
        server.advance(TIMEOUT * 2);
        let (_, c_has_it) = lock::queue_up(&mut c);
        assert!(c_has_it);
        partition.heal();
        // What B hears now is that A has gone, and then no more.
        !told(&mut b, &b_place)
    }
    shown_twice(race, lock::look_again, lock::believe);
}

#[test]
fn two_lead_as_long_as_one_is_partitioned() {
    fn race(leads: leading::Recipe) -> bool {
        let (server, [mut a, mut b]) = stage(&["/election"], ["A", "B"]);
        assert!(election::right(&mut a) && !election::right(&mut b));
        let _partition = server.partition("A");
        let mut b_leads = false;
        let never_both = (1..=12).all(|sixths| {
            server.advance(TIMEOUT / 6);
            b_leads |= b.event_so_far().unwrap().is_some();
            !(leads(&a, TIMEOUT * sixths / 6) && b_leads)
        });
        never_both && b_leads
    }
    shown_twice(race, leading::cautious, leading::stubborn);
}

#[test]
fn a_client_never_learns_that_its_connection_is_half_open() {
    fn race(tend: cache::Tend) -> bool {
        let (server, [mut a]) = stage(&["/config"], ["A"]);
        let mut copy = a.get_and_watch("/config").unwrap();
        let half = Matcher::any().connection(server.connections()[0].number);
        let _cut = server.cut(half, Direction::ToClient);
        server.set("/config", b"new").unwrap();
        // The server hears it, so its session lives.
        assert!(server.advance(TIMEOUT).expired.is_empty());
        tend(&mut a, TIMEOUT, &mut copy).unwrap();
        copy == b"new"
    }
    shown_twice(race, cache::impatient, cache::patient);
}
