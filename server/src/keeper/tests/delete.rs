//! delete.

use super::*;

/// `/p` with a child, and a znode without children.
fn world() -> World {
    let mut world = World::of(1);
    world.given(1, [create("/p"), create("/p/a"), create("/q")]);
    world
}

#[test]
fn a_delete_moves_the_pzxid_and_the_wire_cversion_of_the_parent() {
    let mut world = world();
    assert_eq!(world.stat("/p"), "c2 m2 p3 t0/0 v0 cv1 av0 len0 kids1");
    check(
        world.ask(1, delete("/p/a", -1)),
        &["txn 5 by 1: delete /p/a", "1 <- xid 4 zxid 5 ok"],
    );
    assert_eq!(world.stat("/p/a"), "none");
    assert_eq!(world.stat("/p"), "c2 m2 p5 t0/0 v0 cv2 av0 len0 kids0");
}

#[test]
fn built_in_znodes_and_impossible_paths_are_refused_first() {
    let mut world = world();
    for path in [
        "/",
        "/zookeeper",
        "/zookeeper/quota",
        "/zookeeper/config",
        "bad",
        "",
        "/q\0",
    ] {
        assert_eq!(
            world.answer(1, delete(path, -1)),
            "BadArguments",
            "{path:?}"
        );
    }
}

#[test]
fn a_null_path_is_malformed() {
    check(
        world().ask(1, delete("-", -1)),
        &[
            "txn 5 by 1: MarshallingError",
            "1 <- xid 4 zxid 5 MarshallingError",
        ],
    );
}

#[test]
fn no_other_property_of_a_path_is_checked() {
    let mut world = world();
    for path in ["/none", "/none/a", "/p/", "/p//a", "//q", "/p/./a"] {
        assert_eq!(world.answer(1, delete(path, -1)), "NoNode", "{path:?}");
    }
}

#[test]
fn permission_on_the_parent_is_checked_before_the_child_is_looked_up() {
    let mut world = world();
    world.given(1, [set_acl("/p", [entry(31 - 8, "world", "anyone")], -1)]);
    assert_eq!(world.answer(1, delete("/p/a", -1)), "NoAuth");
    assert_eq!(world.answer(1, delete("/p/none", -1)), "NoAuth");
}

#[test]
fn the_acl_of_the_znode_itself_plays_no_part() {
    let mut world = world();
    world.given(1, [set_acl("/q", [entry(0, "world", "anyone")], -1)]);
    world.given(1, [delete("/q", -1)]);
}

#[test]
fn a_wrong_version_wins_over_children() {
    let mut world = world();
    assert_eq!(world.answer(1, delete("/p", 1)), "BadVersion");
    assert_eq!(world.answer(1, delete("/p", -2)), "BadVersion");
    assert_eq!(world.answer(1, delete("/p", 0)), "NotEmpty");
    assert_eq!(world.answer(1, delete("/p", -1)), "NotEmpty");
    assert_eq!(world.answer(1, delete("/q", 0)), "ok");
}

#[test]
fn the_version_is_that_of_the_data() {
    let mut world = world();
    world.given(1, [set("/q", "x", -1)]);
    assert_eq!(world.answer(1, delete("/q", 0)), "BadVersion");
    assert_eq!(world.answer(1, delete("/q", 1)), "ok");
}
