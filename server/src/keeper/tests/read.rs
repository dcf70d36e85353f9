//! exists, getData, getChildren, getAllChildrenNumber, getEphemerals, sync, ping.

use super::*;

#[test]
fn reads_take_no_zxid_and_carry_the_last_one() {
    let mut world = World::of(1);
    world.given(1, [create("/a").data("x")]);
    check(
        [
            world.ask(1, exists("/a", false)),
            world.ask(1, get("/a", false)),
            world.ask(1, ls("/", false)),
            world.ask(1, ls2("/a", false)),
            world.ask(1, count_below("/")),
            world.ask(1, sync("/a")),
        ]
        .concat(),
        &[
            "1 <- xid 2 zxid 2 c2 m2 p2 t0/0 v0 cv0 av0 len1 kids0",
            "1 <- xid 3 zxid 2 \"x\" c2 m2 p2 t0/0 v0 cv0 av0 len1 kids0",
            "1 <- xid 4 zxid 2 children [\"zookeeper\", \"a\"]",
            "1 <- xid 5 zxid 2 children [] c2 m2 p2 t0/0 v0 cv0 av0 len1 kids0",
            "1 <- xid 6 zxid 2 number 4",
            "1 <- xid 7 zxid 2 path /a",
        ],
    );
}

#[test]
fn reads_do_not_look_at_the_form_of_a_path() {
    let mut world = World::of(1);
    for path in ["bad", "/t/", "//", "/zookeeper/", "/.", "/\u{1}"] {
        for request in [
            exists(path, false),
            get(path, false),
            ls(path, false),
            ls2(path, false),
            get_acl(path),
            count_below(path),
        ] {
            assert_eq!(world.answer(1, request), "NoNode", "{path:?}");
        }
    }
}

#[test]
fn a_nul_is_a_bad_argument_to_exists_alone() {
    let mut world = World::of(1);
    assert_eq!(world.answer(1, exists("/a\0", true)), "BadArguments");
    assert_eq!(world.answer(1, get("/a\0", true)), "NoNode");
    assert_eq!(world.watches(), (0, 0));
}

#[test]
fn a_null_path_is_malformed() {
    let mut world = World::of(1);
    for request in [
        exists("-", true),
        get("-", true),
        ls("-", true),
        ls2("-", true),
        get_acl("-"),
        count_below("-"),
    ] {
        assert_eq!(world.answer(1, request), "MarshallingError");
    }
}

#[test]
fn the_empty_path_is_the_root_for_reads_and_nothing_for_writes() {
    let mut world = World::of(1);
    assert_eq!(world.answer(1, exists("", false)), world.stat("/"));
    assert!(world.answer(1, get("", false)).starts_with("\"\" c0"));
    assert_eq!(world.answer(1, ls("", false)), "children [\"zookeeper\"]");
    assert_eq!(world.answer(1, set("", "x", -1)), "BadArguments");
    assert_eq!(world.answer(1, delete("", -1)), "BadArguments");
}

#[test]
fn descendants_are_counted_at_every_depth() {
    let mut world = World::of(1);
    assert_eq!(
        world.answer(1, count_below("/")),
        "number 3",
        "on a fresh server"
    );
    assert_eq!(
        world.answer(1, count_below("")),
        "number 4",
        "the root under its other name"
    );
    assert_eq!(world.answer(1, count_below("/zookeeper")), "number 2");
    world.given(
        1,
        [
            create("/a"),
            create("/a/b"),
            create("/a/b/c"),
            create("/ab"),
        ],
    );
    assert_eq!(world.answer(1, count_below("/a")), "number 2");
    assert_eq!(world.answer(1, count_below("/ab")), "number 0");
}

#[test]
fn permission_is_checked_only_for_existing_znodes() {
    let mut world = World::of(1);
    world.given(1, [create("/closed").acl([entry(30, "world", "anyone")])]);
    for request in [
        exists("/closed", true),
        get("/closed", true),
        ls("/closed", true),
        ls2("/closed", true),
        count_below("/closed"),
    ] {
        assert_eq!(world.answer(1, request), "NoAuth");
    }
    assert_eq!(world.watches(), (0, 0), "and no watch is set");
}

#[test]
fn exists_sets_a_watch_on_a_missing_znode() {
    let mut world = World::of(1);
    assert_eq!(world.answer(1, exists("/a", true)), "NoNode");
    assert_eq!(world.watches(), (1, 0));
}

#[test]
fn other_reads_set_no_watch_on_a_missing_znode() {
    let mut world = World::of(1);
    for request in [get("/a", true), ls("/a", true), ls2("/a", true)] {
        assert_eq!(world.answer(1, request), "NoNode");
    }
    assert_eq!(world.watches(), (0, 0));
}

#[test]
fn reads_with_a_watch_set_it_in_their_table() {
    let mut world = World::of(1);
    world.given(1, [exists("/", true), get("/", true)]);
    assert_eq!(world.watches(), (1, 0), "the same watch twice is one");
    world.given(1, [ls("/", true), ls2("/", true)]);
    assert_eq!(world.watches(), (1, 1));
}

#[test]
fn get_ephemerals_lists_those_of_the_calling_session_by_a_plain_prefix() {
    let mut world = World::of(2);
    world.given(
        1,
        [
            create("/t"),
            ephemeral("/t/eph"),
            ephemeral("/t2"),
            ephemeral("/e"),
        ],
    );
    world.given(2, [ephemeral("/t/other")]);
    let mut ask = |prefix| {
        world.answer(
            1,
            Request::GetEphemerals {
                prefix: text(prefix),
            },
        )
    };
    for all in ["-", "", "/", " / ", " "] {
        assert_eq!(ask(all), "paths [\"/e\", \"/t/eph\", \"/t2\"]", "{all:?}");
    }
    assert_eq!(ask("/t"), "paths [\"/t/eph\", \"/t2\"]");
    assert_eq!(ask("/t/e"), "paths [\"/t/eph\"]");
    assert_eq!(ask("/t/o"), "paths []");
    assert_eq!(
        ask(" /t"),
        "paths []",
        "it is trimmed only to see whether all are meant"
    );
}

#[test]
fn sync_echoes_any_path() {
    let mut world = World::of(1);
    for (path, expected) in [
        ("/none", "path /none"),
        ("bad", "path bad"),
        ("", "path "),
        ("-", "path null"),
    ] {
        assert_eq!(world.answer(1, sync(path)), expected);
    }
}

#[test]
fn a_ping_is_answered_with_xid_minus_two_whatever_it_had() {
    let mut world = World::of(1);
    for xid in [-2, 77] {
        check(
            world.ask_as(1, xid, Request::Ping),
            &["1 <- xid -2 zxid 1 ok"],
        );
    }
}

#[test]
fn other_xids_are_echoed() {
    let mut world = World::of(1);
    for xid in [0, -1, -5, i32::MIN, 7, 7] {
        check(
            world.ask_as(1, xid, sync("/")),
            &[&*format!("1 <- xid {xid} zxid 1 path /")],
        );
    }
}
