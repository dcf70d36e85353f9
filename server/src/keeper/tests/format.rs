//! Requests that a data format has no record for.

use super::*;

fn world(data_format: DataFormat) -> World {
    World::with(|rules| rules.data_format = data_format).joined_by(1)
}

#[test]
fn in_the_format_of_3_4_containers_and_times_to_live_are_unknown_operations() {
    for request in [container("/c"), with_ttl("/t", 1000)] {
        let mut world = world(DataFormat::V3_4);
        check(
            world.ask(1, request),
            &["1 <- xid 1 zxid -1 Unimplemented", "1 closed Unimplemented"],
        );
        assert_eq!(world.last_zxid(), 1);
    }
    let mut world = world(DataFormat::V3_5);
    world.given(1, [container("/c"), with_ttl("/t", 1000)]);
}

#[test]
fn in_the_format_of_3_4_they_make_a_multi_unreadable() {
    let mut world = world(DataFormat::V3_4);
    check(
        world.ask(1, multi([create("/a").into(), container("/c").into()])),
        &[
            "txn 2 by 1: MarshallingError",
            "1 <- xid 1 zxid 2 MarshallingError",
        ],
    );
    assert_eq!(world.children("/"), "zookeeper");
}

#[test]
fn in_the_format_of_3_4_create2_is_a_create() {
    let mut world = world(DataFormat::V3_4);
    world.given(1, [create2("/a")]);
    world.given(1, [multi([create2("/a/b").into()])]);
    assert_eq!(world.children("/a"), "b");
}

#[test]
fn in_the_format_of_3_4_the_handle_continues_after_a_refusal() {
    let mut world = world(DataFormat::V3_4);
    check(
        world.ask(0, container("/c")),
        &["0 <- xid 1 zxid -1 Unimplemented"],
    );
    world.given(0, [create("/a")]);
}

#[test]
fn a_fresh_server_in_the_format_of_3_4_has_no_configuration() {
    assert_eq!(world(DataFormat::V3_4).children("/zookeeper"), "quota");
    assert_eq!(
        world(DataFormat::V3_5).children("/zookeeper"),
        "quota config"
    );
}
