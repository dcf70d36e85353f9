//! create, create2, createContainer, createTTL: their results, and which refusal wins.

use super::*;

const NO_ACL: [AclEntry<'static>; 0] = [];

#[test]
fn a_create_is_a_transaction_and_an_answer() {
    let mut world = World::of(1);
    world.now = Timestamp(500);
    check(
        world.ask(1, create("/a").data("hi")),
        &["txn 2 by 1: create /a #1", "1 <- xid 1 zxid 2 path /a"],
    );
    assert_eq!(
        world.stat("/a"),
        "c2 m2 p2 t500/500 v0 cv0 av0 len2 kids0",
        "all three zxids and both times are those of the birth"
    );
    assert_eq!(world.stat("/"), "c0 m0 p2 t0/0 v0 cv0 av0 len0 kids2");
}

#[test]
fn create2_and_its_kin_answer_with_the_stat() {
    let mut world = World::of(1);
    check(
        [
            world.answer(1, create2("/a").data("x")),
            world.answer(1, container("/c")),
            world.answer(1, with_ttl("/t", 1000)),
            world.answer(1, create2("/e").flags(1)),
        ],
        &[
            "path /a c2 m2 p2 t0/0 v0 cv0 av0 len1 kids0",
            "path /c c3 m3 p3 t0/0 v0 cv0 av0 len0 kids0",
            "path /t c4 m4 p4 t0/0 v0 cv0 av0 len0 kids0",
            "path /e c5 m5 p5 t0/0 v0 cv0 av0 len0 kids0 owner 1",
        ],
    );
}

#[test]
fn null_data_is_not_empty_data() {
    let mut world = World::of(1);
    let mut null = create("/null");
    null.0.data = None;
    world.given(1, [null, create("/empty")]);
    check(
        [
            world.answer(1, get("/null", false)),
            world.answer(1, get("/empty", false)),
        ],
        &[
            "null c2 m2 p2 t0/0 v0 cv0 av0 len0 kids0",
            "\"\" c3 m3 p3 t0/0 v0 cv0 av0 len0 kids0",
        ],
    );
}

#[test]
fn create_with_the_flag_of_a_container_makes_a_plain_znode() {
    let mut world = World::of(1);
    world.given(1, [create("/a").flags(4)]);
    let owner = world.keeper.tree().get("/a").map(Znode::owner);
    assert_eq!(owner, Some(Owner::Unowned));
}

#[test]
fn create_container_makes_a_container_whatever_the_flags() {
    let mut world = World::of(1);
    let by = |flags| {
        create("/c")
            .by(CreateOperation::CreateContainer)
            .flags(flags)
    };
    world.given(1, [by(0), by(2)]);
    for path in ["/c", "/c0000000001"] {
        let owner = world.keeper.tree().get(path).map(Znode::owner);
        assert_eq!(owner, Some(Owner::Container), "{path}");
    }
    assert_eq!(world.answer(1, by(7)), "BadArguments");
}

#[test]
fn containers_and_ttl_znodes_show_no_owner() {
    let mut world = World::of(1);
    world.given(1, [container("/c"), with_ttl("/t", 7)]);
    for path in ["/c", "/t"] {
        assert!(!world.stat(path).contains("owner"), "{path}");
    }
}

/// Checks that each request in turn is refused with the code next to it.
#[track_caller]
fn refuses<const N: usize>(world: &mut World, cases: [(Create, &str); N]) {
    for (request, code) in cases {
        let asked = format!("{:?}", request.0);
        assert_eq!(world.answer(1, request), code, "{asked}");
    }
}

#[test]
fn unknown_flags_are_refused_before_anything_else() {
    let mut world = World::of(1);
    refuses(
        &mut world,
        [
            (create("/a").flags(7), "BadArguments"),
            (create("/a").flags(-1), "BadArguments"),
            (create("-").flags(7), "BadArguments"),
            (create("/none/a").flags(7).acl(NO_ACL), "BadArguments"),
        ],
    );
}

#[test]
fn a_time_to_live_is_unimplemented_unless_switched_on() {
    let mut world = World::with(|rules| rules.extended_types = false).joined_by(1);
    refuses(
        &mut world,
        [
            (with_ttl("/t", 1000), "Unimplemented"),
            (with_ttl("/t", 0), "Unimplemented"),
            (with_ttl("bad", 1000), "Unimplemented"),
            (create("/t").flags(5), "Unimplemented"),
            (create("/t").flags(6), "Unimplemented"),
        ],
    );
    assert_eq!(
        world.answer(1, container("/c")).split(' ').next(),
        Some("path")
    );
}

#[test]
fn a_time_to_live_has_bounds_and_belongs_to_its_modes() {
    let mut world = World::of(1);
    let ttl = |flags, ttl_ms| with_ttl("/t", ttl_ms).flags(flags);
    refuses(
        &mut world,
        [
            (ttl(5, 0), "BadArguments"),
            (ttl(5, -1), "BadArguments"),
            (ttl(6, 1 << 40), "BadArguments"),
            (ttl(0, 5), "BadArguments"),
            (ttl(1, 5), "BadArguments"),
            // A real server accepts this request and dies of it, at every later start too. A clone refuses it.
            (ttl(0, -1), "BadArguments"),
            (create("/t").flags(5), "BadArguments"),
        ],
    );
    world.given(1, [ttl(5, (1 << 40) - 1), ttl(6, 1)]);
    assert_eq!(world.children("/"), "zookeeper t t0000000001");
}

#[test]
fn only_a_path_without_slash_or_with_a_nul_is_refused_before_the_acl() {
    let mut world = World::of(1);
    refuses(
        &mut world,
        [
            (create("bad").acl(NO_ACL), "BadArguments"),
            (create("").acl(NO_ACL), "BadArguments"),
            (create("/a\0").acl(NO_ACL), "BadArguments"),
            (create("/none/a\0"), "BadArguments"),
            (create("/a/").acl(NO_ACL), "InvalidAcl"),
            (create("/\u{1}").acl(NO_ACL), "InvalidAcl"),
        ],
    );
}

#[test]
fn a_null_path_is_malformed() {
    let mut world = World::of(1);
    check(
        world.ask(1, create("-").null_path()),
        &[
            "txn 2 by 1: MarshallingError",
            "1 <- xid 1 zxid 2 MarshallingError",
        ],
    );
}

#[test]
fn a_bad_acl_wins_over_a_missing_parent_and_over_an_existing_znode() {
    let mut world = World::of(1);
    world.given(1, [create("/a")]);
    refuses(
        &mut world,
        [
            (create("/none/a").acl(NO_ACL), "InvalidAcl"),
            (create("/none/a").null_acl(), "InvalidAcl"),
            (create("/a").acl(NO_ACL), "InvalidAcl"),
        ],
    );
}

#[test]
fn a_missing_parent_wins_over_a_bad_path() {
    let mut world = World::of(1);
    world.given(1, [create("/t")]);
    refuses(
        &mut world,
        [
            (create("foo/bar"), "NoNode"),
            (create("/none/"), "NoNode"),
            (create("/t/"), "BadArguments"),
            (create("/t//b"), "NoNode"),
            (create("//x"), "BadArguments"),
            (create("/t/."), "BadArguments"),
            (create("/t/.."), "BadArguments"),
            (create("/t/./b"), "NoNode"),
            (create("/t/\u{1f600}"), "BadArguments"),
            (create("/t/\u{fffd}"), "BadArguments"),
            (create("/"), "NodeExists"),
        ],
    );
    world.given(
        1,
        [
            create("/t/.x"),
            create("/t/..x"),
            create("/t/..."),
            create("/t/\u{a0}"),
        ],
    );
}

#[test]
fn permission_on_the_parent_is_checked_after_its_existence_and_before_the_rest() {
    let mut world = World::of(1);
    let read_only = [entry(1, "world", "anyone")];
    world.given(1, [create("/p")]);
    world.given(1, [create("/p/a")]);
    world.given(1, [set_acl("/p", read_only, -1)]);
    refuses(
        &mut world,
        [
            (create("/p/b"), "NoAuth"),
            (create("/p/a"), "NoAuth"),
            (create("/p/"), "NoAuth"),
            (create("/p/b").acl(NO_ACL), "InvalidAcl"),
            (create("/p/b/c"), "NoNode"),
            (create("/zookeeper/config/x"), "NoAuth"),
        ],
    );
    world.given(1, [create("/p/a/b")]);
}

#[test]
fn an_existing_znode_wins_over_an_ephemeral_parent() {
    let mut world = World::of(1);
    world.given(1, [ephemeral("/e")]);
    refuses(
        &mut world,
        [
            (create("/e"), "NodeExists"),
            (create("/e/a"), "NoChildrenForEphemerals"),
            (sequential("/e/a"), "NoChildrenForEphemerals"),
            (create("/e/"), "BadArguments"),
        ],
    );
}

#[test]
fn containers_and_ttl_znodes_may_have_children() {
    let mut world = World::of(1);
    world.given(1, [container("/c"), with_ttl("/t", 5)]);
    world.given(1, [ephemeral("/c/a"), ephemeral("/t/a")]);
    assert_eq!(world.children("/c"), "a");
}

#[test]
fn a_sequential_name_ends_in_the_number_of_creates_in_the_parent() {
    let mut world = World::of(1);
    world.given(1, [create("/p")]);
    world.given(
        1,
        [create("/p/plain"), sequential("/p/s-"), ephemeral("/p/e")],
    );
    world.given(1, [delete("/p/plain", -1)]);
    assert_eq!(world.answer(1, sequential("/p/s-")), "path /p/s-0000000003");
    assert_eq!(world.answer(1, sequential("/p/")), "path /p/0000000004");
    assert_eq!(
        world.answer(1, ephemeral("/p/s-").flags(3)),
        "path /p/s-0000000005"
    );
    assert_eq!(world.answer(1, sequential("/")), "path /0000000001");
    assert_eq!(
        world.children("/p"),
        "s-0000000001 e s-0000000003 0000000004 s-0000000005"
    );
}

#[test]
fn a_failed_create_does_not_move_the_sequence() {
    let mut world = World::of(1);
    world.given(1, [create("/p"), create("/p/a")]);
    assert_eq!(world.answer(1, create("/p/a")), "NodeExists");
    assert_eq!(world.answer(1, sequential("/p/s")), "path /p/s0000000001");
}

#[test]
fn a_parent_created_anew_counts_from_zero() {
    let mut world = World::of(1);
    world.given(1, [create("/p"), create("/p/a")]);
    world.given(1, [delete("/p/a", -1), delete("/p", -1)]);
    world.given(1, [create("/p")]);
    assert_eq!(world.answer(1, sequential("/p/s")), "path /p/s0000000000");
}

#[test]
fn a_sequential_name_that_exists_is_refused_until_another_child_is_created() {
    let mut world = World::of(1);
    world.given(1, [create("/s0000000002"), create("/b")]);
    assert_eq!(world.answer(1, sequential("/s")), "NodeExists");
    assert_eq!(world.answer(1, sequential("/s")), "NodeExists");
    world.given(1, [create("/c")]);
    assert_eq!(world.answer(1, sequential("/s")), "path /s0000000003");
}

#[test]
fn the_counter_of_creates_stops_at_its_maximum() {
    let mut world = World::of(1);
    world.given(1, [create("/p")]);
    // The log of another server would contain this after as many creates.
    world.keeper.tree.apply(
        &Txn {
            session: SessionId(1),
            cxid: Xid(1),
            zxid: Zxid(3),
            time: Timestamp(0),
            record: TxnRecord::Create(CreateTxn {
                path: "/p/before".into(),
                data: None,
                acl: crate::protocol::open_acl(),
                kind: CreatedKind::Persistent,
                parent_cversion: i32::MAX - 1,
            }),
        },
        &mut Changes::default(),
    );
    assert_eq!(world.stat("/p"), "c2 m2 p3 t0/0 v0 cv-5 av0 len0 kids1");
    assert_eq!(world.answer(1, sequential("/p/s")), "path /p/s2147483646");
    assert_eq!(world.answer(1, sequential("/p/s")), "path /p/s2147483647");
    assert_eq!(world.answer(1, sequential("/p/s")), "NodeExists");
    let before = world.stat("/p");
    assert_eq!(
        before, "c2 m2 p4 t0/0 v0 cv-5 av0 len0 kids3",
        "the last create moved nothing"
    );
    world.given(1, [create("/p/plain")]);
    assert_eq!(world.stat("/p"), "c2 m2 p4 t0/0 v0 cv-6 av0 len0 kids4");
    assert_eq!(world.answer(1, sequential("/p/s")), "NodeExists");
}

#[test]
fn the_limits_that_would_kill_a_real_server_are_refused() {
    let mut world = World::of(1);
    refuses(
        &mut world,
        [(create("/zookeeper/quota/zookeeper_limits"), "BadArguments")],
    );
}

#[test]
fn znodes_may_be_created_next_to_the_built_in_ones() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/zookeeper/a"),
            create("/zookeeper/quota/a"),
            create("/zookeeper/a/b"),
        ],
    );
    world.given(1, [delete("/zookeeper/a/b", -1)]);
}
