//! Watches: which events they send, and in which order.

use super::*;

/// `/a` and `/a/b`. Client 1 writes, client 2 watches.
fn world() -> World {
    let mut world = World::of(2);
    world.given(1, [create("/a"), create("/a/b")]);
    world
}

#[test]
fn a_create_notifies_watches_of_the_znode_then_those_of_the_parents_children() {
    let mut world = world();
    world.ask(2, exists("/a/c", true));
    world.given(2, [ls("/a", true)]);
    check(
        world.ask(1, create("/a/c")),
        &[
            "txn 5 by 1: create /a/c #2",
            "2 <- event NodeCreated /a/c zxid 5",
            "2 <- event NodeChildrenChanged /a zxid 5",
            "1 <- xid 3 zxid 5 path /a/c",
        ],
    );
}

#[test]
fn a_clients_own_event_comes_before_its_reply() {
    let mut world = world();
    world.given(1, [get("/a", true)]);
    check(
        world.ask(1, set("/a", "x", -1)),
        &[
            "txn 5 by 1: set /a v1",
            "1 <- event NodeDataChanged /a zxid 5",
            "1 <- xid 4 zxid 5 c3 m5 p4 t0/0 v1 cv1 av0 len1 kids1",
        ],
    );
}

#[test]
fn a_watch_fires_once() {
    let mut world = world();
    world.given(2, [get("/a", true)]);
    check(
        events(world.ask(1, set("/a", "x", -1))),
        &["2 <- event NodeDataChanged /a zxid 5"],
    );
    check(events(world.ask(1, set("/a", "y", -1))), &[]);
    assert_eq!(world.watches(), (0, 0));
}

#[test]
fn an_exists_watch_on_a_missing_znode_fires_once_at_its_creation() {
    let mut world = world();
    world.ask(2, exists("/c", true));
    check(
        events(world.ask(1, create("/c"))),
        &["2 <- event NodeCreated /c zxid 5"],
    );
    check(events(world.ask(1, set("/c", "", -1))), &[]);
}

#[test]
fn a_delete_notifies_watches_of_the_znode_its_children_and_its_parents_children() {
    let mut world = World::of(5);
    world.given(1, [create("/a"), create("/a/b")]);
    world.given(2, [get("/a/b", true)]);
    world.given(3, [ls("/a/b", true)]);
    world.given(4, [ls("/a", true)]);
    world.given(5, [exists("/a", true)]);
    check(
        world.ask(1, delete("/a/b", -1)),
        &[
            "txn 8 by 1: delete /a/b",
            "2 <- event NodeDeleted /a/b zxid 8",
            "3 <- event NodeDeleted /a/b zxid 8",
            "4 <- event NodeChildrenChanged /a zxid 8",
            "1 <- xid 3 zxid 8 ok",
        ],
    );
}

#[test]
fn a_connection_with_several_watches_on_a_deleted_znode_is_notified_once_and_all_are_used_up() {
    let mut world = world();
    world.given(
        2,
        [get("/a/b", true), exists("/a/b", true), ls("/a/b", true)],
    );
    assert_eq!(world.watches(), (1, 1));
    check(
        events(world.ask(1, delete("/a/b", -1))),
        &["2 <- event NodeDeleted /a/b zxid 5"],
    );
    assert_eq!(world.watches(), (0, 0));
    world.given(1, [create("/a/b")]);
    check(events(world.ask(1, delete("/a/b", -1))), &[]);
}

#[test]
fn set_acl_and_failed_writes_fire_nothing() {
    let mut world = world();
    world.given(2, [get("/a", true), ls("/a", true), watch_recursively("/")]);
    check(
        events(world.ask(1, set_acl("/a", [entry(31, "world", "anyone")], -1))),
        &[],
    );
    check(events(world.ask(1, set("/a", "", 9))), &[]);
    check(events(world.ask(1, create("/a/b"))), &[]);
    check(events(world.ask(1, delete("/a", -1))), &[]);
}

#[test]
fn child_watches_fire_for_children_only_and_data_watches_for_data_only() {
    let mut world = world();
    world.given(2, [ls("/a", true)]);
    check(events(world.ask(1, set("/a", "", -1))), &[]);
    check(events(world.ask(1, set("/a/b", "", -1))), &[]);
    check(events(world.ask(1, create("/a/b/c"))), &[]);
    let mut world = self::world();
    world.given(2, [get("/a", true)]);
    check(events(world.ask(1, create("/a/c"))), &[]);
    check(events(world.ask(1, delete("/a/c", -1))), &[]);
}

#[test]
fn a_child_of_the_root_changes_the_children_of_the_root() {
    let mut world = world();
    world.given(2, [ls("/", true)]);
    check(
        events(world.ask(1, create("/c"))),
        &["2 <- event NodeChildrenChanged / zxid 5"],
    );
}

#[test]
fn a_watch_through_the_empty_path_never_fires() {
    let mut world = world();
    world.given(2, [ls("", true), get("", true)]);
    check(events(world.ask(1, create("/c"))), &[]);
    check(events(world.ask(1, set("/", "x", -1))), &[]);
    assert_eq!(world.watches(), (1, 1));
}

#[test]
fn a_persistent_watch_stays_through_changes_and_deletion() {
    let mut world = world();
    check(
        world.ask(2, watch_persistently("/a/b")),
        &["2 <- xid 1 zxid 4 watch added"],
    );
    check(
        events(world.ask(1, set("/a/b", "x", -1))),
        &["2 <- event NodeDataChanged /a/b zxid 5"],
    );
    check(
        events(world.ask(1, create("/a/b/c"))),
        &["2 <- event NodeChildrenChanged /a/b zxid 6"],
    );
    check(events(world.ask(1, set("/a/b/c", "x", -1))), &[]);
    check(
        events(world.ask(1, delete("/a/b/c", -1))),
        &["2 <- event NodeChildrenChanged /a/b zxid 8"],
    );
    check(
        events(world.ask(1, delete("/a/b", -1))),
        &["2 <- event NodeDeleted /a/b zxid 9"],
    );
    check(
        events(world.ask(1, create("/a/b"))),
        &["2 <- event NodeCreated /a/b zxid 10"],
    );
    assert_eq!(world.watches(), (1, 1));
}

#[test]
fn a_recursive_watch_fires_for_every_descendant_and_never_for_lists_of_children() {
    let mut world = world();
    world.given(2, [watch_recursively("/a")]);
    assert_eq!(world.watches(), (1, 0));
    for (request, expected) in [
        (
            set("/a", "x", -1).into(),
            "2 <- event NodeDataChanged /a zxid 5",
        ),
        (
            create("/a/b/c").into(),
            "2 <- event NodeCreated /a/b/c zxid 6",
        ),
        (
            set("/a/b/c", "x", -1).into(),
            "2 <- event NodeDataChanged /a/b/c zxid 7",
        ),
        (
            delete("/a/b/c", -1).into(),
            "2 <- event NodeDeleted /a/b/c zxid 8",
        ),
        (
            delete("/a/b", -1).into(),
            "2 <- event NodeDeleted /a/b zxid 9",
        ),
        (delete("/a", -1).into(), "2 <- event NodeDeleted /a zxid 10"),
        (create("/a").into(), "2 <- event NodeCreated /a zxid 11"),
    ] {
        let request: Request<'static> = request;
        check(events(world.ask(1, request)), &[expected]);
    }
    check(events(world.ask(1, create("/ab"))), &[]);
}

#[test]
fn a_recursive_watch_on_the_root_fires_for_everything() {
    let mut world = world();
    world.given(2, [watch_recursively("/")]);
    check(
        events(world.ask(1, set("/", "x", -1))),
        &["2 <- event NodeDataChanged / zxid 5"],
    );
    check(
        events(world.ask(1, create("/zookeeper/x"))),
        &["2 <- event NodeCreated /zookeeper/x zxid 6"],
    );
}

#[test]
fn all_watches_of_a_connection_that_match_make_one_event() {
    let mut world = world();
    world.given(
        2,
        [
            watch_recursively("/"),
            watch_recursively("/a"),
            watch_persistently("/a"),
            get("/a", true),
        ],
    );
    check(
        events(world.ask(1, set("/a", "x", -1))),
        &["2 <- event NodeDataChanged /a zxid 5"],
    );
    check(
        events(world.ask(1, set("/a", "x", -1))),
        &["2 <- event NodeDataChanged /a zxid 6"],
    );
}

#[test]
fn a_deleted_znode_under_a_recursive_and_a_child_watch_fires_one_event() {
    let mut world = world();
    world.given(
        2,
        [watch_recursively("/"), ls("/a/b", true), ls("/a", true)],
    );
    check(
        events(world.ask(1, delete("/a/b", -1))),
        &[
            "2 <- event NodeDeleted /a/b zxid 5",
            "2 <- event NodeChildrenChanged /a zxid 5",
        ],
    );
    assert_eq!(world.watches(), (1, 0));
}

#[test]
fn watches_may_be_added_on_any_path() {
    let mut world = world();
    for path in ["/none", "bad", "", "-", "/a/", "/closed"] {
        assert_eq!(
            world.answer(2, watch_persistently(path)),
            "watch added",
            "{path}"
        );
        assert_eq!(
            world.answer(2, watch_recursively(path)),
            "watch added",
            "{path}"
        );
    }
    check(
        events(world.ask(1, create("/none"))),
        &["2 <- event NodeCreated /none zxid 5"],
    );
}

#[test]
fn a_multi_fires_operation_by_operation_before_its_reply_and_a_one_shot_watch_at_the_first() {
    let mut world = world();
    world.given(2, [get("/a/b", true), ls("/a", true)]);
    world.given(1, [watch_recursively("/a")]);
    check(
        world.ask(
            1,
            multi([
                delete("/a/b", -1).into(),
                create("/a/b").into(),
                set("/a/b", "x", -1).into(),
            ]),
        ),
        &[
            "txn 5 by 1: [delete /a/b; create /a/b #2; set /a/b v1]",
            "1 <- event NodeDeleted /a/b zxid 5",
            "2 <- event NodeDeleted /a/b zxid 5",
            "2 <- event NodeChildrenChanged /a zxid 5",
            "1 <- event NodeCreated /a/b zxid 5",
            "1 <- event NodeDataChanged /a/b zxid 5",
            "1 <- xid 4 zxid 5 multi [deleted; path /a/b; c5 m5 p5 t0/0 v1 cv0 av0 len1 kids0]",
        ],
    );
}

#[test]
fn the_ephemerals_of_a_session_are_removed_one_after_the_other() {
    let mut world = World::of(2);
    world.given(1, [ephemeral("/e1"), ephemeral("/e2")]);
    world.given(2, [get("/e1", true), get("/e2", true), ls("/", true)]);
    check(
        world.step(Input::ExpireSession(SessionId(1))),
        &[
            "txn 5 by 1: session over, [\"/e1\", \"/e2\"]",
            "2 <- event NodeDeleted /e1 zxid 5",
            "2 <- event NodeChildrenChanged / zxid 5",
            "2 <- event NodeDeleted /e2 zxid 5",
            "1 closed SessionExpired",
        ],
    );
}

#[test]
fn a_client_without_read_permission_gets_no_event_and_loses_the_watch() {
    let mut world = world();
    let closed = [entry(30, "world", "anyone")];
    world.given(2, [get("/a/b", true), ls("/a/b", true)]);
    world.ask(2, exists("/c", true));
    world.given(1, [set_acl("/a/b", closed.clone(), -1)]);
    check(events(world.ask(1, set("/a/b", "x", -1))), &[]);
    check(events(world.ask(1, create("/c").acl(closed.clone()))), &[]);
    assert_eq!(world.watches(), (0, 1));
    check(events(world.ask(1, delete("/a/b", -1))), &[]);
    assert_eq!(world.watches(), (0, 0));
    world.given(2, [ls("/a", true)]);
    world.given(1, [set_acl("/a", closed, -1)]);
    check(events(world.ask(1, create("/a/d"))), &[]);
    assert_eq!(world.watches(), (0, 0));
}

#[test]
fn an_event_needs_permission_on_the_znode_that_it_names() {
    let mut world = world();
    world.given(2, [watch_recursively("/"), ls("/a", true)]);
    let closed = [entry(30, "world", "anyone")];
    check(
        events(world.ask(1, create("/a/c").acl(closed.clone()))),
        &["2 <- event NodeChildrenChanged /a zxid 5"],
    );
    world.given(1, [set_acl("/a", closed, -1)]);
    world.given(1, [create("/a/b/c")]);
    check(
        events(world.ask(1, set("/a/b/c", "", -1))),
        &["2 <- event NodeDataChanged /a/b/c zxid 8"],
    );
    check(events(world.ask(1, delete("/a/c", -1))), &[]);
}

#[test]
fn the_super_user_gets_every_event() {
    let mut world = World::with(|rules| {
        rules.super_digest = Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".to_owned())
    })
    .joined_by(2);
    world.given(2, [auth("digest", "super:admin")]);
    world.given(2, [watch_recursively("/")]);
    check(
        events(world.ask(1, create("/a").acl([entry(0, "world", "anyone")]))),
        &["2 <- event NodeCreated /a zxid 3"],
    );
}

#[test]
fn check_watches_finds_the_clients_own_watches_at_exactly_that_path() {
    use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
    let mut world = world();
    world.given(1, [get("/a", true), ls("/a", true)]);
    world.given(2, [get("/a/b", true)]);
    for (path, expected) in [("/a", false), ("/none", false), ("-", false)] {
        for watcher_type in [Any, Children, Data, Persistent, PersistentRecursive] {
            assert_eq!(
                world.answer(2, check_watches(path, watcher_type)) == "ok",
                expected
            );
        }
    }
    let mut found = |path| {
        [Any, Children, Data, Persistent, PersistentRecursive].map(|watcher_type| {
            u8::from(world.answer(2, check_watches(path, watcher_type)) == "ok")
        })
    };
    assert_eq!(found("/a/b"), [1, 0, 1, 0, 0]);
    let mut world = self::world();
    world.given(
        2,
        [
            ls("/a", true),
            watch_persistently("/a/b"),
            watch_recursively("/"),
        ],
    );
    let mut found = |path| {
        [Any, Children, Data, Persistent, PersistentRecursive].map(|watcher_type| {
            u8::from(world.answer(2, check_watches(path, watcher_type)) == "ok")
        })
    };
    assert_eq!(found("/a"), [1, 1, 0, 0, 0]);
    assert_eq!(found("/a/b"), [1, 0, 0, 1, 0]);
    assert_eq!(found("/"), [1, 0, 0, 0, 1]);
}

#[test]
fn remove_watches_removes_only_the_given_kind() {
    use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
    let all = || {
        let mut world = world();
        world.given(
            2,
            [
                get("/a", true),
                ls("/a", true),
                watch_persistently("/a"),
                watch_recursively("/a"),
            ],
        );
        world
    };
    for (watcher_type, remaining) in [
        (Data, [1, 1, 0, 1, 1]),
        (Children, [1, 0, 1, 1, 1]),
        (Persistent, [1, 1, 1, 0, 1]),
        (PersistentRecursive, [1, 1, 1, 1, 0]),
        (Any, [0, 0, 0, 0, 0]),
    ] {
        let mut world = all();
        check(
            world.ask(2, remove_watches("/a", watcher_type)),
            &["2 <- xid 5 zxid 4 ok"],
        );
        let kinds = [Any, Children, Data, Persistent, PersistentRecursive];
        let found = kinds.map(|kind| u8::from(world.answer(2, check_watches("/a", kind)) == "ok"));
        assert_eq!(found, remaining, "{watcher_type:?}");
        assert_eq!(
            world.answer(2, remove_watches("/a", watcher_type)),
            "NoWatcher"
        );
    }
}

#[test]
fn a_one_shot_watch_next_to_a_persistent_one_is_used_up() {
    let mut world = world();
    world.given(2, [get("/a", true), watch_persistently("/a")]);
    world.given(1, [set("/a", "", -1)]);
    assert_eq!(
        world.answer(2, check_watches("/a", WatcherType::Data)),
        "NoWatcher"
    );
    assert_eq!(
        world.answer(2, check_watches("/a", WatcherType::Persistent)),
        "ok"
    );
}

#[test]
fn the_watches_of_others_are_not_touched() {
    let mut world = world();
    world.given(1, [get("/a", true)]);
    assert_eq!(
        world.answer(2, remove_watches("/a", WatcherType::Any)),
        "NoWatcher"
    );
    world.given(2, [get("/a", true)]);
    world.given(2, [remove_watches("/a", WatcherType::Any)]);
    check(
        events(world.ask(2, set("/a", "", -1))),
        &["1 <- event NodeDataChanged /a zxid 5"],
    );
}

/// The tables of `WatchManager` accept any key, a null too.
#[test]
fn a_watch_on_a_null_path_can_be_found_and_removed() {
    use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
    let mut world = world();
    world.given(2, [watch_persistently("-"), watch_recursively("-")]);
    assert_eq!(world.watches(), (1, 1));
    let found = [Any, Children, Data, Persistent, PersistentRecursive]
        .map(|watcher_type| world.answer(2, check_watches("-", watcher_type)) == "ok");
    assert_eq!(found, [true, false, false, true, true]);
    assert_eq!(world.answer(1, check_watches("-", Any)), "NoWatcher");
    world.given(2, [remove_watches("-", Persistent)]);
    assert_eq!(world.watches(), (1, 0));
    check(events(world.ask(1, create("/null"))), &[]);

    let data = world.keeper.watches().data();
    assert_eq!((data.connections(), data.paths(), data.pairs()), (1, 1, 1));
    world.step(Input::Disconnected(ConnectionId(2)));
    let data = world.keeper.watches().data();
    assert_eq!((data.connections(), data.paths(), data.pairs()), (0, 0, 0));
}

#[test]
fn a_removed_recursive_watch_does_not_fire() {
    let mut world = world();
    world.given(2, [watch_recursively("/"), watch_recursively("/")]);
    world.given(2, [remove_watches("/", WatcherType::PersistentRecursive)]);
    check(events(world.ask(1, set("/a", "", -1))), &[]);
}

#[test]
fn a_connection_whose_watches_have_fired_still_counts_as_watching() {
    // WatchManager.triggerWatch leaves the connection in its table without a path. Removing the last watch removes the
    // connection.
    let mut world = world();
    world.given(2, [get("/a", true)]);
    world.given(1, [set("/a", "", -1)]);
    let data = world.keeper.watches().data();
    assert_eq!((data.connections(), data.paths(), data.pairs()), (1, 0, 0));
    world.given(2, [get("/a", true)]);
    world.given(2, [remove_watches("/a", WatcherType::Data)]);
    let data = world.keeper.watches().data();
    assert_eq!((data.connections(), data.paths(), data.pairs()), (0, 0, 0));
    world.given(2, [get("/a", true)]);
    world.given(1, [set("/a", "", -1)]);
    world.hang_up(2);
    assert_eq!(world.keeper.watches().data().connections(), 0);
}
