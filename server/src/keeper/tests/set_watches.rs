//! setWatches and setWatches2.

use super::*;

fn paths(paths: &[&'static str]) -> Option<Vec<Text<'static>>> {
    Some(paths.iter().map(|path| text(path)).collect())
}

/// `/old` has not changed since zxid 4. `/new` has newer data, and `/parent` a newer child.
fn world() -> World {
    let mut world = World::of(1);
    world.given(1, [create("/old"), create("/new"), create("/parent")]);
    world.given(1, [set("/new", "x", -1)]);
    world.given(1, [create("/parent/child")]);
    world
}

fn set_watches(
    data: &[&'static str],
    exist: &[&'static str],
    child: &[&'static str],
) -> SetWatches<'static> {
    SetWatches {
        relative_zxid: Zxid(4),
        data: paths(data),
        exist: paths(exist),
        child: paths(child),
        ..SetWatches::default()
    }
}

#[test]
fn missed_events_are_sent_list_by_list_and_other_watches_are_registered() {
    let mut world = world();
    let lists = set_watches(
        &["/old", "/new", "/gone"],
        &["/old", "/gone"],
        &["/gone", "/old", "/parent"],
    );
    check(
        world.ask_as(1, -8, Request::SetWatches(lists)),
        &[
            "1 <- event NodeDataChanged /new zxid -1",
            "1 <- event NodeDeleted /gone zxid -1",
            "1 <- event NodeCreated /old zxid -1",
            "1 <- event NodeDeleted /gone zxid -1",
            "1 <- event NodeChildrenChanged /parent zxid -1",
            "1 <- xid -8 zxid 6 ok",
        ],
    );
    let watches = world.keeper.watches();
    let table = |table: &Table| {
        table
            .sorted()
            .iter()
            .map(|(path, ..)| (*path).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(table(watches.data()), ["/gone", "/old"]);
    assert_eq!(table(watches.child()), ["/old"]);
}

#[test]
fn the_last_seen_change_is_not_sent_again() {
    for (seen, notified) in [(4, 1), (5, 0)] {
        let mut world = world();
        let lists = SetWatches {
            relative_zxid: Zxid(seen),
            ..set_watches(&["/new"], &[], &[])
        };
        assert_eq!(
            events(world.ask(1, Request::SetWatches(lists))).len(),
            notified,
            "{seen}"
        );
    }
}

#[test]
fn a_data_watch_does_not_look_at_children_nor_a_child_watch_at_data() {
    let mut world = world();
    let lists = set_watches(&["/parent"], &[], &["/new"]);
    check(events(world.ask(1, Request::SetWatches(lists))), &[]);
    assert_eq!(world.watches(), (1, 1));
}

#[test]
fn a_deletion_of_a_child_is_missed_by_pzxid() {
    let mut world = world();
    world.given(1, [delete("/parent/child", -1)]);
    let lists = SetWatches {
        relative_zxid: Zxid(6),
        ..set_watches(&[], &[], &["/parent"])
    };
    check(
        events(world.ask(1, Request::SetWatches(lists))),
        &["1 <- event NodeChildrenChanged /parent zxid -1"],
    );
}

#[test]
fn a_recreated_znode_counts_as_changed() {
    let mut world = world();
    world.given(1, [delete("/old", -1)]);
    world.given(1, [create("/old")]);
    let lists = set_watches(&["/old"], &[], &[]);
    check(
        events(world.ask(1, Request::SetWatches(lists))),
        &["1 <- event NodeDataChanged /old zxid -1"],
    );
}

#[test]
fn persistent_watches_are_registered_and_replay_nothing() {
    let mut world = world();
    let lists = SetWatches {
        persistent: paths(&["/new", "/gone"]),
        persistent_recursive: paths(&["/"]),
        ..set_watches(&[], &[], &[])
    };
    check(
        world.ask_as(1, -8, Request::SetWatches2(lists)),
        &["1 <- xid -8 zxid 6 ok"],
    );
    assert_eq!(world.watches(), (3, 2));
    check(
        events(world.ask(1, create("/gone"))),
        &["1 <- event NodeCreated /gone zxid 7"],
    );
}

#[test]
fn the_immediate_events_ask_for_no_permission() {
    let mut world = world();
    world.given(1, [set_acl("/new", [entry(30, "world", "anyone")], -1)]);
    let lists = set_watches(&["/new"], &["/new"], &[]);
    assert_eq!(events(world.ask(1, Request::SetWatches(lists))).len(), 2);
}

#[test]
fn an_invalid_path_is_a_missing_znode() {
    let mut world = world();
    let lists = set_watches(&["bad"], &["bad"], &["/old/"]);
    check(
        events(world.ask(1, Request::SetWatches(lists))),
        &[
            "1 <- event NodeDeleted bad zxid -1",
            "1 <- event NodeDeleted /old/ zxid -1",
        ],
    );
}

#[test]
fn a_null_path_ends_the_request_at_its_position() {
    let mut world = world();
    let lists = set_watches(&["/old", "/gone", "-", "/new"], &["/later"], &[]);
    check(
        world.ask_as(1, -8, Request::SetWatches(lists)),
        &[
            "1 <- event NodeDeleted /gone zxid -1",
            "1 <- xid -8 zxid 6 MarshallingError",
        ],
    );
    assert_eq!(world.watches(), (1, 0));
}

/// `DataTree.setWatches` processes the lists one after the other, and fails at a null list when it reaches it.
#[test]
fn a_null_list_ends_the_request_at_its_position() {
    let mut world = world();
    let lists = SetWatches {
        exist: None,
        ..set_watches(&["/old", "/gone"], &[], &["/gone"])
    };
    check(
        world.ask_as(1, -8, Request::SetWatches(lists)),
        &[
            "1 <- event NodeDeleted /gone zxid -1",
            "1 <- xid -8 zxid 6 MarshallingError",
        ],
    );
    assert_eq!(world.watches(), (1, 0));

    let lists = SetWatches {
        persistent_recursive: None,
        persistent: paths(&["/later"]),
        ..set_watches(&[], &[], &[])
    };
    check(
        world.ask_as(1, -8, Request::SetWatches2(lists)),
        &["1 <- xid -8 zxid 6 MarshallingError"],
    );
    assert_eq!(world.watches(), (2, 1));
}

#[test]
fn a_list_that_cannot_be_read_is_malformed() {
    check(
        World::of(1).ask_as(1, -8, Request::Malformed(Operation::SetWatches)),
        &["1 <- xid -8 zxid 1 MarshallingError"],
    );
}
