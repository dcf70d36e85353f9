//! The tree: its initial content, its counts, and its equality with the sum of its transactions.

use super::*;

#[test]
fn a_fresh_tree_has_the_versions_of_a_real_one() {
    let world = World::new();
    for (path, stat) in [
        ("/", "c0 m0 p0 t0/0 v0 cv-1 av0 len0 kids1"),
        ("/zookeeper", "c0 m0 p0 t0/0 v0 cv-2 av0 len0 kids2"),
        ("/zookeeper/config", "c0 m0 p0 t0/0 v0 cv0 av-1 len0 kids0"),
        ("/zookeeper/quota", "c0 m0 p0 t0/0 v0 cv0 av0 len0 kids0"),
    ] {
        assert_eq!(world.stat(path), stat, "{path}");
        assert_eq!(world.data(path).as_deref(), Some(""), "{path}");
    }
    assert_eq!(world.keeper.tree().len(), 4);
    assert_eq!(world.last_zxid(), 0);
}

#[test]
fn the_wire_cversion_is_twice_the_creates_less_the_children() {
    let mut world = World::of(1);
    let cversion = |world: &World| world.stat("/p").split(' ').nth(5).map(str::to_owned);
    world.given(1, [create("/p")]);
    assert_eq!(cversion(&world).as_deref(), Some("cv0"));
    world.given(1, [create("/p/a"), create("/p/b")]);
    assert_eq!(cversion(&world).as_deref(), Some("cv2"));
    world.given(1, [sequential("/p/s"), sequential("/p/s")]);
    assert_eq!(cversion(&world).as_deref(), Some("cv4"));
    world.given(1, [delete("/p/a", -1)]);
    assert_eq!(cversion(&world).as_deref(), Some("cv5"));
    world.given(1, [set("/p/b", "x", -1)]);
    assert_eq!(cversion(&world).as_deref(), Some("cv5"));
    assert_eq!(world.answer(1, sequential("/p/s")), "path /p/s0000000004");
}

#[test]
fn a_grandchild_leaves_its_grandparent_alone() {
    let mut world = World::of(1);
    world.given(1, [create("/p"), create("/p/a")]);
    let before = world.stat("/p");
    world.given(1, [create("/p/a/b")]);
    assert_eq!(world.stat("/p"), before);
}

#[test]
fn the_data_size_counts_paths_in_utf16_units_and_data_in_bytes() {
    // DataTree.getNodeSize adds the length of the path, which Java counts in UTF-16 units.
    let mut world = World::of(1);
    assert_eq!(world.keeper.tree().data_size(), 44);
    world.given(1, [create("/b")]);
    assert_eq!(world.keeper.tree().data_size(), 46);
    world.given(1, [create("/é"), create("/日本").data("é")]);
    assert_eq!(world.keeper.tree().data_size(), 46 + 2 + 3 + 2);
    world.given(1, [set("/é", "12345", -1)]);
    assert_eq!(world.keeper.tree().data_size(), 58);
    world.given(1, [delete("/é", -1), delete("/日本", -1), delete("/b", -1)]);
    assert_eq!(world.keeper.tree().data_size(), 44);
}

#[test]
fn children_come_in_the_order_of_their_creation() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/p"),
            create("/p/z"),
            create("/p/a"),
            create("/p/10"),
            create("/p/2"),
        ],
    );
    world.given(1, [delete("/p/z", -1)]);
    world.given(1, [create("/p/z")]);
    assert_eq!(world.children("/p"), "a 10 2 z");
}

#[test]
fn a_record_of_a_change_that_is_already_done_changes_nothing() {
    let mut world = World::of(1);
    world.given(1, [create("/a").data("x")]);
    let before = world.keeper.tree().clone();
    for record in [
        TxnRecord::SetData {
            path: "/none".into(),
            data: None,
            version: 1,
        },
        TxnRecord::SetAcl {
            path: "/none".into(),
            acl: crate::protocol::open_acl(),
            version: 1,
        },
        TxnRecord::Delete {
            path: "/none/a".into(),
        },
        TxnRecord::Create(CreateTxn {
            path: "/none/a".into(),
            data: None,
            acl: crate::protocol::open_acl(),
            kind: CreatedKind::Persistent,
            parent_cversion: 9,
        }),
    ] {
        world.keeper.tree.apply(
            &Txn {
                session: SessionId(1),
                cxid: Xid(1),
                zxid: Zxid(2),
                time: Timestamp(9),
                record,
            },
            &mut Changes::default(),
        );
    }
    assert_eq!(*world.keeper.tree(), before);
}

#[test]
fn a_failed_multi_in_the_log_changes_nothing_but_the_last_zxid() {
    let mut tree = Tree::new(DataFormat::default());
    let create = TxnRecord::Create(CreateTxn {
        path: "/a".into(),
        data: None,
        acl: crate::protocol::open_acl(),
        kind: CreatedKind::Persistent,
        parent_cversion: 1,
    });
    let error = TxnRecord::Error {
        code: ErrorCode::NoNode,
    };
    tree.apply(
        &Txn {
            session: SessionId(1),
            cxid: Xid(1),
            zxid: Zxid(5),
            time: Timestamp(0),
            record: TxnRecord::Multi(vec![create, error]),
        },
        &mut Changes::default(),
    );
    assert!(tree.get("/a").is_none());
    assert_eq!(tree.last_zxid(), Zxid(5));
}
