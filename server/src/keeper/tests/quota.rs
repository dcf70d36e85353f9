//! Quotas.

use super::*;
use crate::keeper::quota::{check_counting, znode_created};
use crate::keeper::undo::UndoLog;

const LIMITS: &str = "/zookeeper/quota/q/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/q/zookeeper_stats";

/// `/q` with a child of five bytes, under these limits.
fn limited(limits: &'static str) -> World {
    let mut world = World::with(|rules| rules.enforce_quota = true).joined_by(1);
    world.given(
        1,
        [
            create("/q"),
            create("/q/a").data("12345"),
            create("/zookeeper/quota/q"),
        ],
    );
    world.given(
        1,
        [create(LIMITS).data(limits), create(STATS).data("whatever")],
    );
    world
}

fn usage(world: &World) -> String {
    world.data(STATS).unwrap_or_default()
}

#[test]
fn new_stats_hold_the_true_usage_whatever_was_written() {
    let world = limited("count=-1,bytes=-1");
    assert_eq!(usage(&world), "count=2,bytes=5");
    assert!(world.stat(STATS).starts_with("c6 m6 p6 t0/0 v0"));
}

#[test]
fn usage_follows_without_a_version_or_an_event() {
    let mut world = limited("count=-1,bytes=-1");
    world.given(1, [get(STATS, true), exists(STATS, true)]);
    let before = world.stat(STATS);
    world.given(1, [create("/q/b").data("123")]);
    assert_eq!(usage(&world), "count=3,bytes=8");
    world.given(1, [set("/q/b", "1", -1)]);
    assert_eq!(usage(&world), "count=3,bytes=6");
    world.given(1, [delete("/q/b", -1)]);
    assert_eq!(usage(&world), "count=2,bytes=5");
    assert_eq!(
        world.stat(STATS),
        before,
        "only the data of the stats znode changes, and its length does not"
    );
    assert_eq!(world.watches(), (1, 0));
}

#[test]
fn the_end_of_a_session_is_counted_too() {
    let mut world = limited("count=-1,bytes=-1");
    world.given(1, [ephemeral("/q/e").data("1")]);
    assert_eq!(usage(&world), "count=3,bytes=6");
    world.step(Input::ExpireSession(SessionId(1)));
    assert_eq!(usage(&world), "count=2,bytes=5");
}

#[test]
fn the_nearest_quota_counts_and_no_other() {
    let mut world = limited("count=-1,bytes=-1");
    world.given(
        1,
        [
            create("/zookeeper/quota/q/a"),
            create("/zookeeper/quota/q/a/zookeeper_limits"),
            create("/zookeeper/quota/q/a/zookeeper_stats"),
        ],
    );
    world.given(1, [create("/q/a/b").data("12")]);
    assert_eq!(usage(&world), "count=2,bytes=5");
    assert_eq!(
        world
            .data("/zookeeper/quota/q/a/zookeeper_stats")
            .as_deref(),
        Some("count=2,bytes=7")
    );
}

#[test]
fn a_quota_covers_descendants_but_no_sibling_with_the_same_prefix() {
    let mut world = limited("count=-1,bytes=-1");
    world.given(1, [create("/qq")]);
    assert_eq!(usage(&world), "count=2,bytes=5");
}

#[test]
fn without_limits_nothing_is_counted_any_more() {
    let mut world = limited("count=-1,bytes=-1");
    world.given(1, [delete(LIMITS, -1)]);
    world.given(1, [create("/q/b")]);
    assert_eq!(usage(&world), "count=2,bytes=5");
}

#[test]
fn without_stats_nothing_is_counted_or_refused() {
    let mut world = limited("countHardLimit=2");
    world.given(1, [delete(STATS, -1)]);
    world.given(1, [create("/q/b")]);
}

#[test]
fn a_quota_on_a_missing_znode_counts_nothing() {
    let mut world = World::of(1);
    world.given(
        1,
        [create("/zookeeper/quota/q"), create(LIMITS), create(STATS)],
    );
    assert_eq!(usage(&world), "count=0,bytes=0");
}

#[test]
fn a_quota_on_the_system_znodes_counts_its_own_limits() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/zookeeper/quota/zookeeper"),
            create("/zookeeper/quota/zookeeper/zookeeper_limits"),
            create("/zookeeper/quota/zookeeper/zookeeper_stats").data("12345"),
        ],
    );
    // The five bytes that the client sent are counted twice: when the usage text is computed, and when the new znode is
    // added to the usage.
    assert_eq!(
        world
            .data("/zookeeper/quota/zookeeper/zookeeper_stats")
            .as_deref(),
        Some("count=7,bytes=10")
    );
}

#[test]
fn stats_below_any_path_that_starts_with_zookeeper_quota_are_replaced() {
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/zookeeper/quotaX"),
            create("/zookeeper/quotaX/zookeeper_stats").data("mine"),
        ],
    );
    assert_eq!(
        world.data("/zookeeper/quotaX/zookeeper_stats").as_deref(),
        Some("count=0,bytes=0")
    );
}

#[test]
fn counting_continues_from_stats_that_a_client_wrote() {
    let mut world = limited("count=-1,bytes=-1");
    world.given(1, [set(STATS, "count=100,bytes=7", -1)]);
    world.given(1, [create("/q/b").data("1")]);
    assert_eq!(usage(&world), "count=101,bytes=8");
    world.given(1, [set(STATS, "", -1)]);
    world.given(1, [create("/q/c").data("1")]);
    assert_eq!(usage(&world), "count=0,bytes=0", "from -1");
}

/// With enforced limits a real server refuses the create too (`ZooKeeperServer.checkQuota`). Without them it crashes.
#[test]
fn with_enforced_limits_a_create_fails_on_unreadable_stats() {
    let mut world = limited("countHardLimit=9");
    world.given(1, [set(STATS, "count=,bytes=3", -1)]);
    assert_eq!(world.answer(1, create("/q/b")), "MarshallingError");
    world.given(1, [set("/q/a", "any", -1)]);
}

#[test]
fn a_usage_beyond_the_largest_number_is_within_any_limit() {
    let mut world = limited("countHardLimit=6");
    world.given(1, [set(STATS, "count=9223372036854775807,bytes=0", -1)]);
    world.given(1, [create("/q/b")]);
    assert_eq!(usage(&world), "count=-9223372036854775808,bytes=0");
}

#[test]
fn a_quota_ignores_blank_path_components() {
    let mut world = limited("count=-1,bytes=-1");
    world.given(1, [create("/q/ "), create("/q/ /b").data("1")]);
    assert_eq!(usage(&world), "count=4,bytes=6");
    world.given(1, [create("/ ")]);
    world.given(1, [create("/ /q"), create("/ /q/b")]);
    assert_eq!(usage(&world), "count=6,bytes=6");
}

#[test]
fn a_multi_counts_at_most_a_million_znodes_for_new_stats() {
    let mut undo = UndoLog::default();
    let counts = |undo: &UndoLog, path| check_counting(undo, path);
    undo.visit(1_000_000);
    assert_eq!(counts(&undo, STATS), Ok(()));
    undo.visit(1);
    assert_eq!(counts(&undo, STATS), Err(ErrorCode::MarshallingError));
    assert_eq!(counts(&undo, LIMITS), Ok(()));
    assert_eq!(counts(&undo, "/q/zookeeper_stats"), Ok(()));

    let mut world = limited("");
    let mut undo = UndoLog::default();
    world.given(1, [delete(STATS, -1)]);
    znode_created(&mut world.keeper.tree, STATS, 0, &mut undo);
    assert_eq!(undo.visited(), 2);
}

#[test]
fn a_hard_limit_on_the_count_refuses_the_create_beyond_it() {
    let mut world = limited("count=-1,bytes=-1=;countHardLimit=3");
    world.given(1, [create("/q/b")]);
    assert_eq!(world.answer(1, create("/q/c")), "QuotaExceeded");
    assert_eq!(
        world.answer(1, create("/q/b")),
        "NodeExists",
        "which wins over the quota"
    );
    world.given(1, [set("/q/b", "any length at all", -1)]);
}

#[test]
fn a_hard_limit_on_bytes_refuses_any_change_of_size_beyond_it() {
    let mut world = limited("byteHardLimit=8");
    assert_eq!(
        world.answer(1, create("/q/b").data("1234")),
        "QuotaExceeded"
    );
    world.given(1, [create("/q/b").data("123")]);
    assert_eq!(
        world.answer(1, set("/q/b", "1234", 77)),
        "QuotaExceeded",
        "the quota is checked before the version"
    );
    assert_eq!(
        world.answer(1, set("/q/b", "abc", 77)),
        "BadVersion",
        "the same size is no change"
    );
    world.given(1, [create("/q/empty")]);
    world.given(1, [set(LIMITS, "byteHardLimit=4", -1)]);
    assert_eq!(
        world.answer(1, set("/q/b", "1", -1)),
        "QuotaExceeded",
        "a smaller size is a change too"
    );
    world.given(1, [delete("/q/b", -1)]);
}

#[test]
fn soft_limits_and_missing_enforcement_refuse_nothing() {
    let mut world = limited("count=1,bytes=1");
    world.given(1, [create("/q/b").data("123456")]);
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/q"),
            create("/zookeeper/quota/q"),
            create(LIMITS).data("countHardLimit=1"),
            create(STATS),
        ],
    );
    world.given(1, [create("/q/b")]);
}

#[test]
fn unreadable_limits_are_malformed() {
    let mut world = limited("nonsense");
    assert_eq!(world.answer(1, create("/q/b")), "MarshallingError");
    assert_eq!(world.answer(1, set("/q/a", "", -1)), "MarshallingError");
    assert_eq!(
        world.answer(1, multi([create("/ok").into(), create("/q/b").into()])),
        "MarshallingError",
        "a multi as a whole"
    );
    assert_eq!(world.stat("/ok"), "none");
    world.given(1, [set(LIMITS, "", -1)]);
    world.given(1, [create("/q/b")]);
}

#[test]
fn the_operations_of_a_multi_are_checked_against_the_usage_before_it() {
    let mut world = limited("countHardLimit=3");
    world.given(
        1,
        [multi([
            create("/q/b").into(),
            create("/q/c").into(),
            create("/q/d").into(),
        ])],
    );
    assert_eq!(usage(&world), "count=5,bytes=5");
}

#[test]
fn the_operations_of_a_multi_are_checked_against_the_limits_before_it() {
    // ZooKeeperServer.checkQuota reads the applied tree, which contains nothing of the multi yet.
    let mut world = limited("countHardLimit=2");
    let raised = multi([
        set(LIMITS, "countHardLimit=9", -1).into(),
        create("/q/b").into(),
    ]);
    assert_eq!(world.answer(1, raised), "multi [0; QuotaExceeded]");
    let removed = multi([delete(LIMITS, -1).into(), create("/q/b").into()]);
    assert_eq!(world.answer(1, removed), "multi [0; QuotaExceeded]");
    let mut world = World::with(|rules| rules.enforce_quota = true).joined_by(1);
    world.given(1, [create("/q"), create("/zookeeper/quota/q")]);
    world.given(
        1,
        [multi([
            create(LIMITS).data("countHardLimit=1").into(),
            create(STATS).data("x=1").into(),
            create("/q/b").into(),
        ])],
    );
    assert_eq!(usage(&world), "count=2,bytes=0");
}

#[test]
fn a_failed_multi_rolls_usage_and_limits_back() {
    let mut world = limited("countHardLimit=9");
    for operations in [
        vec![create("/q/b").data("1").into(), set("/q/a", "1", -1).into()],
        vec![delete("/q/a", -1).into(), delete(LIMITS, -1).into()],
        vec![
            delete(STATS, -1).into(),
            create(STATS).into(),
            create("/q/b").into(),
        ],
    ] {
        let mut operations: Vec<MultiOp<'static>> = operations;
        operations.push(check_version("/none", -1).into());
        assert!(world.answer(1, multi(operations)).ends_with("NoNode]"));
        assert_eq!(usage(&world), "count=2,bytes=5");
    }
    world.given(1, [create("/q/b")]);
    assert_eq!(usage(&world), "count=3,bytes=5");
}

#[test]
fn limits_of_a_failed_multi_do_not_apply() {
    let mut world = World::of(1);
    world.given(1, [create("/q"), create("/zookeeper/quota/q")]);
    let answer = world.answer(
        1,
        multi([create(LIMITS).into(), check_version("/none", -1).into()]),
    );
    assert_eq!(answer, "multi [0; NoNode]");
    world.given(1, [create(STATS)]);
    world.given(1, [create("/q/b")]);
    assert_eq!(usage(&world), "count=1,bytes=0");
}
