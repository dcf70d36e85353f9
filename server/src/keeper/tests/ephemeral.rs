//! Ephemeral znodes.

use super::*;

#[test]
fn an_ephemeral_znode_shows_its_session() {
    let mut world = World::of(2);
    world.given(2, [ephemeral("/e").flags(3)]);
    assert_eq!(
        world.stat("/e0000000000"),
        "c3 m3 p3 t0/0 v0 cv0 av0 len0 kids0 owner 2"
    );
}

#[test]
fn all_ephemerals_of_a_session_go_in_one_transaction() {
    let mut world = World::of(2);
    world.given(
        1,
        [
            create("/p"),
            ephemeral("/p/b"),
            ephemeral("/p/a"),
            ephemeral("/c"),
        ],
    );
    world.given(2, [ephemeral("/p/stays")]);
    assert_eq!(world.stat("/p"), "c3 m3 p7 t0/0 v0 cv3 av0 len0 kids3");
    check(
        world.step(Input::ExpireSession(SessionId(1))),
        &[
            "txn 8 by 1: session over, [\"/c\", \"/p/a\", \"/p/b\"]",
            "1 closed SessionExpired",
        ],
    );
    assert_eq!(world.stat("/p"), "c3 m3 p8 t0/0 v0 cv5 av0 len0 kids1");
    assert_eq!(world.children("/p"), "stays");
}

#[test]
fn any_client_with_permission_on_the_parent_may_delete_an_ephemeral() {
    let mut world = World::of(2);
    world.given(1, [ephemeral("/e")]);
    world.given(2, [delete("/e", -1)]);
    check(
        world.ask(1, Request::CloseSession),
        &[
            "txn 5 by 1: session over, []",
            "1 <- xid 2 zxid 5 ok",
            "1 closed SessionClosed",
        ],
    );
}

#[test]
fn an_ephemeral_recreated_by_another_session_belongs_to_that_session() {
    let mut world = World::of(2);
    world.given(1, [ephemeral("/e")]);
    world.given(
        2,
        [multi([delete("/e", -1).into(), ephemeral("/e").into()])],
    );
    world.step(Input::ExpireSession(SessionId(1)));
    assert_eq!(
        world.stat("/e"),
        "c4 m4 p4 t0/0 v0 cv0 av0 len0 kids0 owner 2"
    );
    world.step(Input::ExpireSession(SessionId(2)));
    assert_eq!(world.stat("/e"), "none");
}

#[test]
fn set_data_does_not_change_the_owner() {
    let mut world = World::of(2);
    world.given(1, [ephemeral("/e")]);
    world.given(2, [set("/e", "x", -1)]);
    assert_eq!(
        world.stat("/e"),
        "c3 m4 p3 t0/0 v1 cv0 av0 len1 kids0 owner 1"
    );
}
