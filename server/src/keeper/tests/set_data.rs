//! setData.

use super::*;

#[test]
fn set_data_changes_version_mzxid_mtime_and_length_and_nothing_else() {
    let mut world = World::of(1);
    world.given(1, [create("/p"), create("/p/a").data("old")]);
    world.now = Timestamp(70);
    check(
        world.ask(1, set("/p/a", "newer", 0)),
        &[
            "txn 4 by 1: set /p/a v1",
            "1 <- xid 3 zxid 4 c3 m4 p3 t0/70 v1 cv0 av0 len5 kids0",
        ],
    );
    assert_eq!(world.stat("/p"), "c2 m2 p3 t0/0 v0 cv1 av0 len0 kids1");
    assert_eq!(world.data("/p/a").as_deref(), Some("newer"));
}

#[test]
fn setting_equal_data_is_a_change() {
    let mut world = World::of(1);
    world.given(1, [create("/a").data("x")]);
    assert_eq!(
        world.answer(1, set("/a", "x", -1)),
        "c2 m3 p2 t0/0 v1 cv0 av0 len1 kids0"
    );
}

#[test]
fn data_can_become_null() {
    let mut world = World::of(1);
    world.given(1, [create("/a").data("x")]);
    let mut null = set("/a", "", -1);
    null.data = None;
    world.given(1, [null]);
    assert_eq!(
        world.answer(1, get("/a", false)),
        "null c2 m3 p2 t0/0 v1 cv0 av0 len0 kids0"
    );
}

#[test]
fn the_order_of_refusals_is_path_znode_permission_version() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/a"),
            create("/closed").acl([entry(29, "world", "anyone")]),
        ],
    );
    for (path, version, code) in [
        ("-", 9, "BadArguments"),
        ("", 9, "BadArguments"),
        ("a", 9, "BadArguments"),
        ("/a/", 9, "BadArguments"),
        ("/none/.", 9, "BadArguments"),
        ("/none", 9, "NoNode"),
        ("/closed", 9, "NoAuth"),
        ("/zookeeper/config", -1, "NoAuth"),
        ("/a", 1, "BadVersion"),
        ("/a", -2, "BadVersion"),
    ] {
        assert_eq!(
            world.answer(1, set(path, "x", version)),
            code,
            "{path} {version}"
        );
    }
    world.given(
        1,
        [
            set("/", "x", -1),
            set("/zookeeper", "x", 0),
            set("/zookeeper/quota", "x", 0),
        ],
    );
}

#[test]
fn a_null_path_takes_a_zxid() {
    check(
        World::of(1).ask(1, set("-", "x", -1)),
        &["txn 2 by 1: BadArguments", "1 <- xid 1 zxid 2 BadArguments"],
    );
}

#[test]
fn a_version_wraps_and_minus_one_matches_anything() {
    let mut world = World::of(1);
    world.given(1, [create("/a")]);
    world.keeper.tree.apply(
        &Txn {
            session: SessionId(1),
            cxid: Xid(1),
            zxid: Zxid(3),
            time: Timestamp(0),
            record: TxnRecord::SetData {
                path: "/a".into(),
                data: None,
                version: i32::MAX,
            },
        },
        &mut Changes::default(),
    );
    assert_eq!(
        world.answer(1, set("/a", "", i32::MAX)),
        "c2 m4 p2 t0/0 v-2147483648 cv0 av0 len0 kids0"
    );
    assert_eq!(
        world.answer(1, set("/a", "", i32::MIN)),
        "c2 m5 p2 t0/0 v-2147483647 cv0 av0 len0 kids0"
    );
}
