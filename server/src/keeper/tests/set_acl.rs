//! setACL and getACL.

use super::*;

const OPEN: [AclEntry<'static>; 1] = [AclEntry {
    permissions: 31,
    scheme: Some(Cow::Borrowed("world")),
    id: Some(Cow::Borrowed("anyone")),
}];

#[test]
fn set_acl_changes_the_aversion_alone() {
    let mut world = World::of(1);
    world.given(1, [create("/a")]);
    world.now = Timestamp(9);
    check(
        world.ask(1, set_acl("/a", [entry(17, "world", "anyone")], 0)),
        &[
            "txn 3 by 1: set acl /a v1",
            "1 <- xid 2 zxid 3 c2 m2 p2 t0/0 v0 cv0 av1 len0 kids0",
        ],
    );
    assert_eq!(
        world.answer(1, get_acl("/a")),
        "acl [17 world:anyone] c2 m2 p2 t0/0 v0 cv0 av1 len0 kids0"
    );
}

#[test]
fn the_order_of_refusals_is_path_acl_znode_permission_version() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/a"),
            create("/closed").acl([entry(15, "world", "anyone")]),
        ],
    );
    for (path, acl, version, code) in [
        ("-", vec![], 9, "BadArguments"),
        ("/a/", vec![], 9, "BadArguments"),
        ("/none", vec![], 9, "InvalidAcl"),
        ("/none", OPEN.to_vec(), 9, "NoNode"),
        ("/closed", OPEN.to_vec(), 9, "NoAuth"),
        ("/zookeeper/config", OPEN.to_vec(), 9, "NoAuth"),
        ("/a", OPEN.to_vec(), 9, "BadVersion"),
        ("/a", OPEN.to_vec(), -2, "BadVersion"),
    ] {
        assert_eq!(
            world.answer(1, set_acl(path, acl, version)),
            code,
            "{path} {version}"
        );
    }
    world.given(1, [set_acl("/", OPEN, -1), set_acl("/zookeeper", OPEN, 0)]);
}

#[test]
fn a_null_acl_is_not_valid() {
    let mut world = World::of(1);
    let null = Request::SetAcl {
        path: text("/"),
        acl: None,
        version: -1,
    };
    assert_eq!(world.answer(1, null), "InvalidAcl");
}

#[test]
fn the_super_user_opens_even_the_configuration() {
    let mut world = World::with(|rules| {
        rules.super_digest = Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".to_owned());
    })
    .joined_by(1);
    world.given(1, [auth("digest", "super:admin")]);
    assert_eq!(
        world.answer(1, set_acl("/zookeeper/config", OPEN, -1)),
        "c0 m0 p0 t0/0 v0 cv0 av0 len0 kids0",
        "its aversion was -1"
    );
}

#[test]
fn get_acl_wants_read_or_admin() {
    let mut world = World::of(1);
    for (path, permissions, first) in [
        ("/none", 31, "NoNode"),
        ("/r", 1, "acl"),
        ("/a", 16, "acl"),
        ("/w", 14, "NoAuth"),
    ] {
        if path != "/none" {
            world.given(
                1,
                [create(path).acl([entry(permissions, "world", "anyone")])],
            );
        }
        let answer = world.answer(1, get_acl(path));
        assert_eq!(answer.split(' ').next(), Some(first), "{path}");
    }
    assert_eq!(world.answer(1, get_acl("-")), "MarshallingError");
    assert!(
        world
            .answer(1, get_acl(""))
            .starts_with("acl [31 world:anyone]")
    );
}

#[test]
fn a_reader_without_admin_sees_no_hash() {
    let mut world = World::of(2);
    let acl = [
        entry(31, "digest", "u:hash"),
        entry(1, "world", "anyone"),
        entry(1, "ip", "1.2.3.4/8"),
    ];
    world.given(1, [create("/a").acl(acl)]);
    let answer = world.answer(1, get_acl("/a"));
    assert!(
        answer.starts_with("acl [31 digest:u:x, 1 world:anyone, 1 ip:1.2.3.4/8]"),
        "{answer}"
    );
    world.given(
        2,
        [create("/b").acl([entry(31, "digest", "u:hash"), entry(16, "world", "anyone")])],
    );
    let answer = world.answer(2, get_acl("/b"));
    assert!(
        answer.starts_with("acl [31 digest:u:hash, 16 world:anyone]"),
        "{answer}"
    );
}
