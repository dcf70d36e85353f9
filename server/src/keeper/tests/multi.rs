//! multi and multiRead.

use super::*;

#[test]
fn one_zxid_and_one_time_for_all_and_later_operations_see_earlier_ones() {
    let mut world = World::of(1);
    world.now = Timestamp(50);
    check(
        world.ask(
            1,
            multi([
                create("/p").into(),
                create2("/p/a").data("x").into(),
                check_version("/p/a", 0).into(),
                set("/p/a", "yy", 0).into(),
                check_version("/p/a", 1).into(),
                create2("/p/s").flags(2).into(),
                sequential("/p/s").into(),
                delete("/p/a", 1).into(),
            ]),
        ),
        &[
            "txn 2 by 1: [create /p #1; create /p/a #1; check /p/a v1; set /p/a v1; check /p/a v2; \
             create /p/s0000000001 #2; create /p/s0000000002 #3; delete /p/a]",
            "1 <- xid 1 zxid 2 multi [path /p; path /p/a c2 m2 p2 t50/50 v0 cv0 av0 len1 kids0; checked; \
             c2 m2 p2 t50/50 v1 cv0 av0 len2 kids0; checked; \
             path /p/s0000000001 c2 m2 p2 t50/50 v0 cv0 av0 len0 kids0; path /p/s0000000002; deleted]",
        ],
    );
    assert_eq!(world.stat("/p"), "c2 m2 p2 t50/50 v0 cv4 av0 len0 kids2");
}

#[test]
fn an_empty_multi_succeeds_and_takes_a_zxid() {
    check(
        World::of(1).ask(1, multi([])),
        &["txn 2 by 1: []", "1 <- xid 1 zxid 2 multi []"],
    );
}

#[test]
fn a_failed_multi_reports_the_operation_and_its_records_are_in_the_log() {
    let mut world = World::of(1);
    check(
        world.ask(
            1,
            multi([
                create("/a").into(),
                delete("/none", -1).into(),
                create("/b").into(),
                set("/", "", 9).into(),
            ]),
        ),
        &[
            "txn 2 by 1: [create /a #1; NoNode; RuntimeInconsistency; RuntimeInconsistency]",
            "1 <- xid 1 zxid 2 multi [0; NoNode; RuntimeInconsistency; RuntimeInconsistency]",
        ],
    );
    assert_eq!(world.last_zxid(), 2);
}

/// Returns the tree without the zxid of its last transaction.
fn picture(world: &World) -> Tree {
    let mut tree = world.keeper.tree().clone();
    tree.set_last_zxid(Zxid(0));
    tree
}

#[test]
fn a_failed_multi_changes_nothing() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/p"),
            create("/p/a").data("one"),
            create("/p/b"),
            create("/p/c"),
            ephemeral("/p/e"),
            container("/p/k"),
        ],
    );
    let before = picture(&world);
    let answer = world.answer(
        1,
        multi([
            delete("/p/a", -1).into(),
            delete("/p/c", -1).into(),
            create("/p/c").data("new").into(),
            set("/p/c", "newer", -1).into(),
            sequential("/p/s").into(),
            create("/p/c/below")
                .acl([entry(1, "world", "anyone")])
                .into(),
            create("/p/e2").flags(1).into(),
            delete("/p/e", -1).into(),
            delete("/p/k", -1).into(),
            with_ttl("/p/t", 5).into(),
            set("/p/b", "two", -1).into(),
            delete("/p/b", 0).into(),
        ]),
    );
    assert!(answer.ends_with("0; BadVersion]"), "{answer}");
    assert_eq!(picture(&world), before);
    assert_eq!(world.children("/p"), "a b c e k");
    assert_eq!(world.answer(1, sequential("/p/s")), "path /p/s0000000005");
}

#[test]
fn a_failed_multi_restores_deleted_children_in_order() {
    let mut world = World::of(1);
    world.given(
        1,
        [create("/p"), create("/p/a"), create("/p/b"), create("/p/c")],
    );
    let before = picture(&world);
    for order in [
        ["/p/a", "/p/b", "/p/c"],
        ["/p/c", "/p/b", "/p/a"],
        ["/p/b", "/p/a", "/p/c"],
    ] {
        let mut operations: Vec<MultiOp<'static>> =
            order.iter().map(|path| delete(path, -1).into()).collect();
        operations.push(delete("/p", -1).into());
        operations.push(check_version("/p", -1).into());
        assert_eq!(
            world.answer(1, multi(operations)),
            "multi [0; 0; 0; 0; NoNode]"
        );
        assert_eq!(picture(&world), before);
        assert_eq!(world.children("/p"), "a b c");
    }
}

#[test]
fn a_failed_multi_fires_no_watch_and_uses_none_up() {
    let mut world = World::of(2);
    world.given(1, [create("/a")]);
    world.given(2, [get("/a", true), ls("/", true)]);
    check(
        world.ask(
            1,
            multi([
                set("/a", "x", -1).into(),
                create("/b").into(),
                check_version("/a", 7).into(),
            ]),
        ),
        &[
            "txn 4 by 1: [set /a v1; create /b #2; BadVersion]",
            "1 <- xid 2 zxid 4 multi [0; 0; BadVersion]",
        ],
    );
    assert_eq!(world.watches(), (1, 1));
}

#[test]
fn each_operation_is_refused_as_it_is_alone() {
    for (operation, code) in [
        (create("/").into(), "NodeExists"),
        (create("bad").into(), "BadArguments"),
        (create("/none/a").into(), "NoNode"),
        (create("/a").acl([]).into(), "InvalidAcl"),
        (create("/zookeeper/config/a").into(), "NoAuth"),
        (create("/e/a").into(), "NoChildrenForEphemerals"),
        (with_ttl("/t", 0).into(), "BadArguments"),
        (delete("/", -1).into(), "BadArguments"),
        (delete("/e", 5).into(), "BadVersion"),
        (delete("/p", -1).into(), "NotEmpty"),
        (set("/none", "", -1).into(), "NoNode"),
        (set("/a/", "", -1).into(), "BadArguments"),
        (check_version("a", -1).into(), "BadArguments"),
        (check_version("/none", -1).into(), "NoNode"),
        (check_version("/closed", -1).into(), "NoAuth"),
        (check_version("/p", 1).into(), "BadVersion"),
    ] {
        let mut world = World::of(1);
        world.given(
            1,
            [
                ephemeral("/e"),
                create("/p"),
                create("/p/a"),
                create("/closed").acl([entry(30, "world", "anyone")]),
            ],
        );
        let operation: MultiOp<'static> = operation;
        let asked = format!("{operation:?}");
        assert_eq!(
            world.answer(1, multi([operation])),
            format!("multi [{code}]"),
            "{asked}"
        );
    }
}

#[test]
fn a_child_of_an_ephemeral_is_refused_in_the_multi_that_creates_both() {
    assert_eq!(
        World::of(1).answer(1, multi([ephemeral("/e").into(), create("/e/a").into()])),
        "multi [0; NoChildrenForEphemerals]"
    );
}

#[test]
fn in_a_multi_a_container_with_the_flags_of_an_ephemeral_has_no_children() {
    let seeming = || container("/c").flags(1);
    let mut world = World::of(1);
    check(
        world.ask(1, multi([seeming().into(), create("/c/a").into()])),
        &[
            "txn 2 by 1: [create container /c #1; NoChildrenForEphemerals]",
            "1 <- xid 1 zxid 2 multi [0; NoChildrenForEphemerals]",
        ],
    );
    // The last created znode counts.
    let replies = world.ask(
        1,
        multi([
            seeming().into(),
            delete("/c", -1).into(),
            container("/c").into(),
            create("/c/a").into(),
        ]),
    );
    assert!(
        replies.iter().any(|line| line.contains("path /c/a")),
        "{replies:?}"
    );
    // Once the multi is applied, the znode is a container.
    world.given(1, [container("/d").flags(1)]);
    let replies = world.ask(1, create("/d/a"));
    assert!(
        replies.iter().any(|line| line.contains("path /d/a")),
        "{replies:?}"
    );
}

#[test]
fn check_changes_nothing_and_minus_one_checks_existence_only() {
    let mut world = World::of(1);
    world.given(1, [create("/a")]);
    let before = picture(&world);
    assert_eq!(
        world.answer(
            1,
            multi([check_version("/a", -1).into(), check_version("/", 0).into()])
        ),
        "multi [checked; checked]"
    );
    assert_eq!(picture(&world), before);
}

/// Checks multis that fail as a whole.
#[track_caller]
fn stumbles(operations: impl Into<Vec<MultiOp<'static>>>) {
    let mut world = World::of(1);
    let before = picture(&world);
    check(
        world.ask(1, multi(operations)),
        &[
            "txn 2 by 1: MarshallingError",
            "1 <- xid 1 zxid 2 MarshallingError",
        ],
    );
    assert_eq!(picture(&world), before);
}

#[test]
fn a_null_path_anywhere_fails_the_whole_multi() {
    stumbles([create("/a").into(), create("-").null_path().into()]);
    stumbles([create("/a").into(), delete("-", -1).into()]);
    stumbles([create("/a").into(), set("-", "", -1).into()]);
    stumbles([create("/a").into(), check_version("-", -1).into()]);
    stumbles([delete("/none", -1).into(), delete("-", -1).into()]);
}

#[test]
fn an_unreadable_operation_fails_the_whole_multi() {
    // PrepRequestProcessor.pRequestHelper catches only a KeeperException of one operation. Any other exception ends the
    // multi.
    stumbles([
        create("/a").into(),
        create("/b").acl([entry(31, "world", "-")]).into(),
        create("/c").into(),
    ]);
}

#[test]
fn a_null_acl_fails_the_whole_multi_before_it_takes_a_zxid() {
    let mut world = World::of(1);
    let operations = || [create("/a").into(), create("/b").null_acl().into()];
    check(
        world.ask(1, multi(operations())),
        &["1 <- xid 1 zxid 1 MarshallingError"],
    );
    let mut ttl = with_ttl("/b", 5);
    ttl.0.acl = None;
    check(
        world.ask(1, multi([create("/a").into(), ttl.into()])),
        &[
            "txn 2 by 1: [create /a #1; InvalidAcl]",
            "1 <- xid 2 zxid 2 multi [0; InvalidAcl]",
        ],
    );
}

#[test]
fn a_read_in_a_multi_is_refused() {
    stumbles([MultiOp::Read(MultiReadOp::GetData { path: text("/") })]);
}

#[test]
fn a_malformed_multi_takes_a_zxid() {
    check(
        World::of(1).ask(1, Request::Malformed(Operation::Multi)),
        &[
            "txn 2 by 1: MarshallingError",
            "1 <- xid 1 zxid 2 MarshallingError",
        ],
    );
}

#[test]
fn multi_read_answers_each_operation_and_sets_no_watch() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/a").data("x"),
            create("/closed").acl([entry(30, "world", "anyone")]),
        ],
    );
    let data = |path| MultiReadOp::GetData { path: text(path) };
    let children = |path| MultiReadOp::GetChildren { path: text(path) };
    check(
        world.ask(
            1,
            Request::MultiRead(vec![
                data("/none"),
                data("/a"),
                children("/closed"),
                children(""),
                children("/none"),
            ]),
        ),
        &[
            "1 <- xid 3 zxid 3 multi [NoNode; \"x\" c2 m2 p2 t0/0 v0 cv0 av0 len1 kids0; NoAuth; \
           children [\"zookeeper\", \"a\", \"closed\"]; NoNode]",
        ],
    );
    assert_eq!(world.watches(), (0, 0));
    assert_eq!(world.answer(1, Request::MultiRead(vec![])), "multi []");
}

#[test]
fn multi_read_breaks_off_at_a_null_path() {
    let data = |path| MultiReadOp::GetData { path: text(path) };
    assert_eq!(
        World::of(1).answer(
            1,
            Request::MultiRead(vec![data("/none"), data("-"), data("/")])
        ),
        "broken off [NoNode]"
    );
    assert_eq!(
        World::of(1).answer(1, Request::MultiRead(vec![MultiReadOp::Write])),
        "broken off []"
    );
}

#[test]
fn multi_read_breaks_off_when_its_results_are_too_large() {
    let mut world = World::of(1);
    let big: &'static str = Box::leak("x".repeat(9 << 20).into_boxed_str());
    world.given(1, [create("/big").data(big), create("/small")]);
    let data = |path| MultiReadOp::GetData { path: text(path) };
    let mut results = |paths: &[&'static str]| {
        let operations = paths.iter().map(|path| data(path)).collect();
        let answer = world.answer(1, Request::MultiRead(operations));
        (
            answer.starts_with("broken off"),
            answer.matches('x').count(),
        )
    };
    assert_eq!(results(&["/big", "/small", "/big"]), (false, 18 << 20));
    assert_eq!(results(&["/big", "/big", "/small"]), (true, 18 << 20));
}
