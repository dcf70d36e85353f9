//! Snapshots, and servers that start from one.

use super::*;

/// Creates a server with the state of this one, at the same time.
fn resumed(world: &mut World) -> World {
    resumed_with(world, |_| {})
}

fn resumed_with(world: &mut World, change: impl FnOnce(&mut Rules)) -> World {
    let snapshot = snapshot(world);
    let mut rules = world.keeper.rules.clone();
    change(&mut rules);
    World {
        keeper: Keeper::resume(rules, &snapshot, world.now),
        now: world.now,
        xids: BTreeMap::new(),
    }
}

fn snapshot(world: &mut World) -> Snapshot {
    let mut snapshot = world.keeper.snapshot(world.now);
    snapshot.index();
    snapshot
}

#[test]
fn a_snapshot_has_all_that_a_client_can_see() {
    let mut world = World::of(2);
    world.given(
        1,
        [
            create("/p").data("x"),
            sequential("/p/s"),
            ephemeral("/p/e"),
            create("/c").by(CreateOperation::CreateContainer).flags(4),
        ],
    );
    world.given(1, [set("/p", "y", -1)]);
    world.given(2, [delete("/p/s0000000000", -1)]);
    let mut other = resumed(&mut world);
    assert_eq!(other.keeper.tree(), world.keeper.tree());
    for path in ["/", "/p", "/p/e", "/c"] {
        assert_eq!(other.stat(path), world.stat(path), "{path}");
    }
    assert_eq!(other.last_zxid(), world.last_zxid());
    other.resume(1, 2);
    assert_eq!(other.answer(1, sequential("/p/s")), "path /p/s0000000002");
}

#[test]
fn a_server_does_not_see_later_changes_of_the_one_it_was_copied_from() {
    let mut world = World::of(1);
    world.given(1, [create("/a").data("1"), create("/b").data("1")]);
    let mut other = resumed(&mut world);
    other.resume(1, 1);
    world.given(1, [set("/a", "2", -1)]);
    world.given(1, [delete("/b", -1)]);
    other.given(1, [create("/c")]);
    assert_eq!(other.data("/a").as_deref(), Some("1"));
    assert_eq!(other.data("/b").as_deref(), Some("1"));
    assert_eq!(world.data("/c"), None);
    assert_eq!(world.children("/"), "zookeeper a");
    assert_eq!(other.children("/"), "zookeeper a b c");
}

#[test]
fn a_session_has_its_whole_timeout_before_it_and_no_connection() {
    let mut world = World::of(1);
    world.given(1, [ephemeral("/e")]);
    world.advance(9_000);
    let mut other = resumed(&mut world);
    assert!(other.advance(10_999).is_empty());
    check(other.advance(1), &["txn 3 by 1: session over, [\"/e\"]"]);
    let mut other = resumed(&mut world);
    check(
        other.resume(7, 1),
        &["7 <- connected session 1 timeout 10000 password right read-only false"],
    );
}

#[test]
fn a_new_session_gets_no_id_that_was_issued_before() {
    let mut world = World::of(3);
    let mut other = resumed(&mut world);
    assert_eq!(other.open(9), SessionId(4));
    // Ids issued under another server id do not conflict, and are remembered.
    let mut foreign = resumed_with(&mut other, |rules| rules.server_id = 2);
    assert_eq!(foreign.open(9), SessionId(2 << 56));
    let mut back = resumed_with(&mut foreign, |rules| rules.server_id = 0);
    assert_eq!(back.open(10), SessionId(5));
}

#[test]
fn two_snapshots_are_equal_whenever_they_were_taken() {
    let mut world = World::of(1);
    let before = snapshot(&mut world);
    world.advance(1);
    let after = snapshot(&mut world);
    assert_eq!(before, after);
    assert_eq!(after.now(), Timestamp(before.now().0 + 1));
    world.open(2);
    assert_ne!(before, snapshot(&mut world));
}

#[test]
fn a_session_that_only_a_read_only_member_knows_is_no_part_of_it() {
    let mut world = World::with(|rules| {
        rules.members = 3;
        rules.read_only_mode = true;
    });
    world.open(1);
    world.step(Input::Ensemble(EnsembleAction::LoseQuorum));
    world.accept(2, "127.0.0.1");
    let reading = ConnectRequest {
        read_only: Some(true),
        ..asking_for_session(10_000)
    };
    world.connect(2, reading);
    assert_eq!(world.keeper.sessions().len(), 2);
    let mut other = resumed(&mut world);
    assert_eq!(other.keeper.sessions().len(), 1);
    assert!(other.open(3) > world.session_of(2), "its number was given");
    other.given(3, [create("/a")]);
    assert!(other.last_zxid() > world.last_zxid());
}

#[test]
fn a_copy_finds_its_znodes_without_being_indexed() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/a"),
            ephemeral("/e"),
            create("/a/7"),
            create("/a/8"),
        ],
    );
    let copy = world.keeper.snapshot(world.now);
    world.given(1, [delete("/a/7", -1)]);
    assert!(copy.tree().get("/a/7").is_some());
    assert!(copy.tree().get("/a/8").is_some());
    assert_eq!(copy.tree().ephemerals_count(), 1);
    assert!(world.keeper.tree().get("/a/7").is_none());
}
