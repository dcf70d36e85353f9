//! Containers and znodes with a time to live, and their removal.

use super::*;

/// The reaper looks every 1000 ms and removes one znode every 10 ms.
fn world() -> World {
    World::with(|rules| {
        rules.container_check_interval_ms = 1000;
        rules.container_interval_ms = 10;
        rules.max_session_timeout_ms = 1_000_000;
    })
    .with_patient_client()
}

impl World {
    fn with_patient_client(mut self) -> Self {
        self.accept(1, "127.0.0.1");
        self.connect(1, asking_for_session(1_000_000));
        self
    }
}

#[test]
fn a_container_is_removed_at_the_next_look_after_its_last_child() {
    let mut world = world();
    world.given(1, [container("/c")]);
    world.given(1, [create("/c/a")]);
    check(world.advance(1500), &[]);
    world.given(1, [delete("/c/a", -1)]);
    check(world.advance(499), &[]);
    check(world.advance(1), &["txn 5 by 0: reap /c"]);
    assert_eq!(world.stat("/"), "c0 m0 p5 t0/0 v0 cv1 av0 len0 kids1");
}

#[test]
fn a_container_that_never_had_a_child_stays() {
    let mut world = world();
    world.given(1, [container("/c")]);
    check(world.advance(100_000), &[]);
}

#[test]
fn a_container_that_never_had_a_child_is_removed_if_so_configured() {
    let mut world = World::with(|rules| {
        rules.container_check_interval_ms = 1000;
        rules.container_max_never_used_ms = 3000;
        rules.max_session_timeout_ms = 1_000_000;
    })
    .with_patient_client();
    world.given(1, [container("/c")]);
    check(world.advance(3999), &[]);
    check(world.advance(1), &["txn 3 by 0: reap /c"]);
}

#[test]
fn a_nested_container_is_removed_one_look_later() {
    let mut world = world();
    world.given(1, [container("/c")]);
    world.given(1, [container("/c/d")]);
    world.given(1, [create("/c/d/a")]);
    world.given(1, [delete("/c/d/a", -1)]);
    check(world.advance(1999), &["txn 6 by 0: reap /c/d"]);
    check(world.advance(1), &["txn 7 by 0: reap /c"]);
}

#[test]
fn a_ttl_znode_is_removed_when_it_was_unchanged_for_longer_than_its_time() {
    let mut world = world();
    world.given(1, [with_ttl("/t", 1000), with_ttl("/u", 999)]);
    check(world.advance(1000), &["txn 4 by 0: reap /u"]);
    check(world.advance(999), &[]);
    check(world.advance(1), &["txn 5 by 0: reap /t"]);
}

#[test]
fn set_data_extends_the_life_of_a_ttl_znode_and_a_child_only_postpones_its_end() {
    let mut world = world();
    world.given(1, [with_ttl("/t", 1500), with_ttl("/u", 1500)]);
    world.advance(900);
    world.given(1, [set("/t", "x", -1)]);
    world.given(1, [create("/u/a")]);
    check(world.advance(1100), &[]);
    world.given(1, [delete("/u/a", -1)]);
    check(world.advance(1000), &["txn 7 by 0: reap /t"]);
    check(world.advance(10), &["txn 8 by 0: reap /u"]);
}

#[test]
fn removals_are_spaced() {
    let mut world = world();
    world.given(1, [with_ttl("/a", 5), with_ttl("/b", 5), with_ttl("/c", 5)]);
    check(world.advance(1009), &["txn 5 by 0: reap /a"]);
    check(world.advance(1), &["txn 6 by 0: reap /b"]);
    check(world.advance(9), &[]);
    check(world.advance(1), &["txn 7 by 0: reap /c"]);
}

#[test]
fn a_look_while_removals_are_pending_is_skipped() {
    let mut world = World::with(|rules| {
        rules.container_check_interval_ms = 1000;
        rules.container_interval_ms = 600;
        rules.max_session_timeout_ms = 1_000_000;
    })
    .with_patient_client();
    world.given(1, [with_ttl("/a", 5), with_ttl("/b", 5), with_ttl("/c", 5)]);
    check(
        world.advance(2199),
        &["txn 5 by 0: reap /a", "txn 6 by 0: reap /b"],
    );
    check(world.advance(1), &["txn 7 by 0: reap /c"]);
}

#[test]
fn a_found_znode_is_checked_again_before_its_removal() {
    let mut world = world();
    world.given(
        1,
        [
            with_ttl("/a", 5),
            with_ttl("/b", 5),
            with_ttl("/c", 5),
            with_ttl("/d", 5),
        ],
    );
    check(world.advance(1000), &["txn 6 by 0: reap /a"]);
    world.given(1, [create("/b/child")]);
    world.given(1, [delete("/c", -1), delete("/d", -1)]);
    world.given(1, [ephemeral("/d")]);
    // The removals are refused, and each takes a zxid all the same.
    check(
        world.advance(100),
        &[
            "txn 11 by 0: NotEmpty",
            "txn 12 by 0: NoNode",
            "txn 13 by 0: BadVersion",
        ],
    );
}

#[test]
fn a_removal_fires_watches_as_a_delete_does() {
    let mut world = world();
    world.given(1, [with_ttl("/a", 5)]);
    world.given(1, [get("/a", true), ls("/", true)]);
    check(
        world.advance(1000),
        &[
            "txn 3 by 0: reap /a",
            "1 <- event NodeDeleted /a zxid 3",
            "1 <- event NodeChildrenChanged / zxid 3",
        ],
    );
}

#[test]
fn a_restart_restarts_the_interval() {
    let mut world = world();
    world.given(1, [with_ttl("/a", 5), with_ttl("/b", 5)]);
    world.advance(1005);
    world.step(Input::Restarted);
    check(world.advance(999), &[]);
    check(world.advance(1), &["txn 5 by 0: reap /b"]);
}
