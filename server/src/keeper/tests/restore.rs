//! Restoring a server's state from snapshots and logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::model::{Run, any_event};
use super::*;
use crate::protocol::{
    Acl, Restore as _, SessionRecord, StatPersisted, ZnodeRecord, open_acl, unlisted_acl,
};

/// A snapshot as in a folder, written at one moment or while time passed.
struct WrittenSnapshot {
    zxid: Zxid,
    sessions: Vec<SessionRecord>,
    znodes: Vec<SnapshotZnode>,
    /// Paths still to be written, the last first, while the snapshot is written step by step.
    open: Vec<String>,
    /// The ACLs listed when the snapshot began.
    listed: Option<Vec<Arc<[Acl]>>>,
}

struct SnapshotZnode {
    path: String,
    data: Option<Vec<u8>>,
    acl: Arc<[Acl]>,
    stat: StatPersisted,
}

impl SnapshotZnode {
    fn record(&self) -> ZnodeRecord<'_> {
        ZnodeRecord {
            path: &self.path,
            data: self.data.as_deref(),
            acl: &self.acl,
            stat: self.stat,
        }
    }
}

impl From<ZnodeRecord<'_>> for SnapshotZnode {
    fn from(znode: ZnodeRecord<'_>) -> Self {
        Self {
            path: znode.path.to_owned(),
            data: znode.data.map(<[u8]>::to_vec),
            acl: Arc::clone(znode.acl),
            stat: znode.stat,
        }
    }
}

impl WrittenSnapshot {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            zxid: snapshot.zxid(),
            sessions: snapshot.session_records().collect(),
            znodes: snapshot.znode_records().map(Into::into).collect(),
            open: Vec::new(),
            listed: None,
        }
    }

    /// Begins a snapshot that is written while a real server continues: `DataTree.serializeNode` looks a znode up by
    /// its path, writes it and the names of its children, and then visits these.
    fn begun(keeper: &mut Keeper, now: Timestamp) -> Self {
        let snapshot = keeper.snapshot(now);
        Self {
            zxid: snapshot.zxid(),
            sessions: snapshot.session_records().collect(),
            znodes: Vec::new(),
            open: vec!["/".to_owned()],
            listed: Some(
                snapshot
                    .znode_records()
                    .map(|znode| Arc::clone(znode.acl))
                    .collect(),
            ),
        }
    }

    /// Returns the ACL as written by number. Its number may not be listed yet (`DataTree.serialize` writes the list
    /// first).
    fn numbered(&self, acl: &Arc<[Acl]>) -> Arc<[Acl]> {
        let listed = self.listed.as_ref();
        match listed.is_none_or(|listed| listed.contains(acl) || *acl == open_acl()) {
            true => Arc::clone(acl),
            false => unlisted_acl(7),
        }
    }

    fn go_on(&mut self, tree: &Tree, znodes: usize) {
        for _ in 0..znodes {
            let Some(path) = self.open.pop() else { return };
            let Some(znode) = tree.get(&path) else {
                continue;
            };
            self.znodes.push(SnapshotZnode {
                path: path.clone(),
                data: znode.data().map(<[u8]>::to_vec),
                acl: self.numbered(tree.acl(znode.acl())),
                stat: znode.persisted(),
            });
            let names: Vec<_> = tree.children(znode).collect();
            let above = if path == "/" { "" } else { &path };
            let children = names.iter().rev().map(|name| format!("{above}/{name}"));
            self.open.extend(children);
        }
    }

    fn read(&self, rules: &Rules) -> Restored {
        let mut restored = Restored::new(rules);
        restored.begin();
        for session in &self.sessions {
            restored.session(*session);
        }
        for znode in &self.znodes {
            assert_eq!(restored.znode(&znode.record()), Ok(()), "{}", znode.path);
        }
        restored.loaded(self.zxid);
        restored
    }
}

/// Returns the content of a snapshot, whatever the order of siblings.
fn contents(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let znodes = snapshot.znode_records().map(|znode| {
        let ZnodeRecord {
            path,
            data,
            acl,
            stat,
        } = znode;
        (path.to_owned(), format!("{data:?} {acl:?} {stat:?}"))
    });
    znodes.collect()
}

/// Returns the transactions after the snapshot.
fn later<'t>(
    written: &WrittenSnapshot,
    txns: &'t [Txn<'static>],
) -> impl Iterator<Item = &'t Txn<'static>> {
    let zxid = written.zxid;
    txns.iter().filter(move |txn| txn.zxid > zxid)
}

fn check_same(restored: &Snapshot, live: &Snapshot) {
    assert_eq!(restored.zxid(), live.zxid());
    assert_eq!(restored.digest(), live.digest());
    assert_eq!(contents(restored), contents(live));
    let sessions = |snapshot: &Snapshot| snapshot.session_records().collect::<Vec<_>>();
    assert_eq!(sessions(restored), sessions(live));
    assert_eq!(
        restored.digest(),
        Some(restored.tree().computed_digest()),
        "the digest of what was restored"
    );
}

/// Restores a snapshot of a world and the transactions after it.
fn read_again(world: &mut World, written: &WrittenSnapshot, txns: &[Txn<'_>]) -> Snapshot {
    let mut restored = written.read(&world.keeper.rules);
    for txn in txns {
        restored.replay(txn);
    }
    restored.finish(world.now)
}

#[test]
fn without_a_maintained_digest_it_is_computed_from_all_znodes() {
    let mut world = World::of(1);
    world.given(1, [create("/a").data("x"), ephemeral("/a/e")]);
    let written = WrittenSnapshot::of(&world.keeper.snapshot(world.now));
    let without = read_again(&mut world, &written, &[]);
    assert_eq!(without.digest(), None);
    world.keeper.rules.digest = true;
    let with = read_again(&mut world, &written, &[]);
    assert_eq!(with.digest(), Some(without.computed_digest()));
}

fn record(path: &str, owner: i64) -> SnapshotZnode {
    SnapshotZnode {
        path: path.to_owned(),
        data: None,
        acl: open_acl(),
        stat: StatPersisted {
            czxid: Zxid(3),
            mzxid: Zxid(3),
            pzxid: Zxid(3),
            ctime: Timestamp(0),
            mtime: Timestamp(0),
            version: 0,
            cversion: 0,
            aversion: 0,
            ephemeral_owner: owner,
        },
    }
}

fn txn(zxid: i64, session: i64, record: TxnRecord<'static>) -> Txn<'static> {
    Txn {
        session: SessionId(session),
        cxid: Xid(0),
        zxid: Zxid(zxid),
        time: Timestamp(0),
        record,
    }
}

fn created(path: &'static str, parent_cversion: i32) -> TxnRecord<'static> {
    TxnRecord::Create(CreateTxn {
        path: path.into(),
        data: None,
        acl: open_acl(),
        kind: CreatedKind::Persistent,
        parent_cversion,
    })
}

/// Returns the server restored from a snapshot of zxid 9 with these znodes.
fn world_from(znodes: &[SnapshotZnode], sessions: &[i64], txns: &[Txn<'_>]) -> World {
    let mut world = World::new();
    let mut restored = Restored::new(&world.keeper.rules);
    restored.begin();
    for session in sessions {
        restored.session(SessionRecord {
            id: SessionId(*session),
            timeout_ms: 4000,
        });
    }
    for znode in znodes {
        assert_eq!(restored.znode(&znode.record()), Ok(()));
    }
    restored.loaded(Zxid(9));
    for txn in txns {
        restored.replay(txn);
    }
    let rules = world.keeper.rules.clone();
    world.keeper = Keeper::begin_with(rules, restored.finish(world.now), world.now);
    world
}

#[test]
fn a_znode_without_a_parent_and_a_repeated_one_are_refused() {
    let mut restored = Restored::new(&Rules::default());
    restored.begin();
    let mut take = |path| restored.znode(&record(path, 0).record());
    assert_eq!(take("/a"), Err("it has no parent"));
    assert_eq!(take("/"), Ok(()));
    assert_eq!(take("/"), Err("it is there twice"));
    assert_eq!(take("/a"), Ok(()));
    assert_eq!(take("/a/b/c"), Err("it has no parent"));
    assert_eq!(take("/a/b"), Ok(()));
    assert_eq!(take("/a"), Err("it is there twice"));
    for path in ["", "a", "/a/", "//", "a/b"] {
        assert!(take(path).is_err(), "{path:?}");
    }
    assert_eq!(take("/b"), Ok(()));
}

#[test]
fn a_new_snapshot_replaces_the_one_before_it() {
    let mut restored = Restored::new(&Rules::default());
    restored.begin();
    restored.session(SessionRecord {
        id: SessionId(5),
        timeout_ms: 4000,
    });
    for path in ["/", "/a"] {
        assert_eq!(restored.znode(&record(path, 0).record()), Ok(()));
    }
    restored.begin();
    restored.loaded(Zxid(3));
    let snapshot = restored.finish(Timestamp(0));
    assert_eq!(snapshot.tree().len(), 1);
    assert_eq!(snapshot.sessions().len(), 0);
    let mut world = World::new();
    world.keeper = Keeper::begin_with(Rules::default(), snapshot, Timestamp(0));
    world.open(1);
    world.given(1, [create("/b")]);
    assert_eq!(world.children("/"), "b");
}

#[test]
fn an_ephemeral_of_a_missing_session_is_removed_at_load() {
    let znodes = [
        record("/", 0),
        record("/a", 7),
        record("/b", 8),
        record("/c", i64::MIN),
        record("/t", -1 << 56 | 1000),
        record("/old", i64::MIN | 1000),
    ];
    let mut world = world_from(&znodes, &[8], &[]);
    assert_eq!(world.children("/"), "b c t");
    assert_eq!(world.last_zxid(), 9, "without a transaction");
    assert_eq!(world.stat("/"), "c3 m3 p9 t0/0 v0 cv-3 av0 len0 kids3");
    check(
        world.resume(1, 8),
        &["1 <- connected session 8 timeout 10000 password right read-only false"],
    );
    // The session has its first timeout until it is resumed.
    let mut world = world_from(&znodes, &[8], &[]);
    check(
        world.advance(5000),
        &["txn 10 by 8: session over, [\"/b\"]"],
    );
}

#[test]
fn a_session_that_ends_without_a_list_loses_its_ephemerals() {
    let closed = |paths: &[&'static str]| TxnRecord::CloseSession {
        paths: paths.iter().map(|path| Cow::Borrowed(*path)).collect(),
    };
    let znodes = [
        record("/", 0),
        record("/a", 7),
        record("/b", 7),
        record("/c", 8),
    ];
    for (paths, remaining) in [
        (&[] as &[&str], "c"),
        // DataTree.killSession removes the listed znodes whatever their owner, and the unlisted ephemerals of the
        // session too.
        (&["/c", "/none"], ""),
    ] {
        let world = world_from(&znodes, &[7, 8], &[txn(10, 7, closed(paths))]);
        assert_eq!(world.children("/"), remaining);
        assert_eq!(world.keeper.sessions().len(), 1);
    }
}

#[test]
fn sessions_begin_and_end_by_transactions() {
    let txns = [
        txn(10, 5, TxnRecord::CreateSession { timeout_ms: 7000 }),
        txn(11, 6, TxnRecord::CreateSession { timeout_ms: 7000 }),
        txn(12, 6, TxnRecord::CloseSession { paths: Vec::new() }),
        txn(
            13,
            8,
            TxnRecord::Error {
                code: ErrorCode::NoNode,
            },
        ),
    ];
    let mut world = world_from(&[record("/", 0)], &[6], &txns);
    assert_eq!(world.last_zxid(), 13);
    let sessions: Vec<_> = world.keeper.sessions().sorted();
    let sessions = sessions
        .iter()
        .map(|(id, session)| (id.0, session.timeout_ms));
    assert_eq!(sessions.collect::<Vec<_>>(), [(5, 7000)]);
    // Ids are not reused, even those of sessions that have ended: new ids skip as many as there were transactions.
    assert_eq!(world.open(1), SessionId(1 + 13));
}

#[test]
fn a_replayed_create_of_an_existing_znode_counts_in_its_parent() {
    let mut first = record("/", 0);
    first.stat.cversion = 1;
    let znodes = [first, record("/a", 0)];
    for (parent_cversion, after) in [(1, "p3"), (4, "p10"), (-1, "p10")] {
        let world = world_from(&znodes, &[], &[txn(10, 0, created("/a", parent_cversion))]);
        let stat = world.stat("/");
        assert!(stat.contains(after), "{parent_cversion}: {stat}");
        assert_eq!(world.children("/"), "a");
    }
    // Old logs have no count.
    let world = world_from(&znodes, &[], &[txn(10, 0, created("/b", -1))]);
    assert_eq!(world.keeper.tree().get("/").map(Znode::creates), Some(2));
}

#[test]
fn descendants_of_a_deleted_znode_are_deleted_and_created_again() {
    let znodes = [
        record("/", 0),
        record("/a", 0),
        record("/a/b", 0),
        record("/a/b/c", 0),
    ];
    let deleted = TxnRecord::Delete { path: "/a".into() };
    let txns = [
        txn(10, 0, deleted),
        txn(11, 0, created("/a", 2)),
        txn(12, 0, created("/a/b", 1)),
    ];
    let world = world_from(&znodes, &[], &txns);
    assert_eq!(world.children("/a"), "b");
    assert_eq!(world.children("/a/b"), "");
    assert_eq!(world.keeper.tree().len(), 3);
}

#[test]
fn impossible_transactions_of_a_log_are_ignored() {
    let deleted = |path: &'static str| TxnRecord::Delete { path: path.into() };
    let records = [
        deleted("/"),
        deleted(""),
        deleted("a"),
        created("/", 1),
        created("", 1),
        created("b", 1),
        created("/a/", 1),
        TxnRecord::SetData {
            path: "/none".into(),
            data: None,
            version: 3,
        },
    ];
    let mut txns: Vec<_> = (10..)
        .zip(records.clone())
        .map(|(zxid, record)| txn(zxid, 0, record))
        .collect();
    txns.push(txn(20, 0, TxnRecord::Multi(records.to_vec())));
    let world = world_from(&[record("/", 0), record("/a", 0)], &[], &txns);
    assert_eq!(world.children("/"), "a");
    assert_eq!(world.last_zxid(), 20);
}

#[test]
fn a_quota_is_recounted_and_applies() {
    let mut world = World::with(|rules| rules.enforce_quota = true).joined_by(1);
    world.given(
        1,
        [
            create("/a").data("12345"),
            create("/a/b").data("678"),
            create("/zookeeper/quota/a"),
            create("/zookeeper/quota/a/zookeeper_limits")
                .data("count=3,bytes=-1=;countHardLimit=3"),
            create("/zookeeper/quota/a/zookeeper_stats"),
        ],
    );
    // The existing content does not matter.
    world.given(
        1,
        [set(
            "/zookeeper/quota/a/zookeeper_stats",
            "count=9,bytes=9",
            -1,
        )],
    );
    let written = WrittenSnapshot::of(&world.keeper.snapshot(world.now));
    let snapshot = read_again(&mut world, &written, &[]);
    let mut other = World::new();
    other.keeper = Keeper::begin_with(world.keeper.rules.clone(), snapshot, world.now);
    other.resume(1, 1);
    assert_eq!(
        other.data("/zookeeper/quota/a/zookeeper_stats").as_deref(),
        Some("count=2,bytes=8")
    );
    other.given(1, [create("/a/c")]);
    assert_eq!(other.answer(1, create("/a/d")), "QuotaExceeded");
}

#[test]
fn limits_that_are_no_leaf_do_not_apply_after_a_load() {
    // DataTree.traverseNode looks at leaves only, and only below /zookeeper/quota itself.
    let mut world = World::of(1);
    world.given(
        1,
        [
            create("/a"),
            create("/b"),
            create("/zookeeper/quota/a"),
            create("/zookeeper/quota/a/zookeeper_limits"),
            create("/zookeeper/quota/a/zookeeper_limits/x"),
            create("/zookeeper/quotab"),
            create("/zookeeper/quotab/zookeeper_limits"),
        ],
    );
    assert_eq!(world.keeper.tree().limited.len(), 2);
    let written = WrittenSnapshot::of(&world.keeper.snapshot(world.now));
    let snapshot = read_again(&mut world, &written, &[]);
    assert!(snapshot.tree().limited.is_empty());
}

#[test]
fn servers_share_a_restored_state_until_they_change_it() {
    let znodes = [record("/", 0), record("/a", 0)];
    let restored = {
        let mut restored = Restored::new(&Rules::default());
        restored.begin();
        for znode in &znodes {
            assert_eq!(restored.znode(&znode.record()), Ok(()));
        }
        restored.loaded(Zxid(9));
        restored.finish(Timestamp(0))
    };
    let mut worlds = [1, 2].map(|_| {
        let mut world = World::new();
        world.keeper = Keeper::resume(Rules::default(), &restored, Timestamp(0));
        world
    });
    let at = |world: &World| std::ptr::from_ref(world.keeper.tree().get("/a").unwrap());
    assert_eq!(at(&worlds[0]), at(&worlds[1]));
    worlds[0].open(1);
    worlds[0].given(1, [create("/b")]);
    assert_eq!(worlds[0].children("/"), "a b");
    assert_eq!(worlds[1].children("/"), "a");
}

proptest! {
    #[test]
    fn a_snapshot_and_later_transactions_make_the_current_state(
        events in prop::collection::vec(any_event(), 0..100),
        at in any::<Index>(),
    ) {
        let mut run = Run::begun();
        run.forget_outputs();
        let at = at.index(events.len() + 1);
        let mut written = None;
        for (number, event) in events.iter().enumerate() {
            if number == at {
                written = Some(WrittenSnapshot::of(&run.keeper.snapshot(run.now)));
            }
            run.happen(event);
            run.forget_outputs();
        }
        let has_gap = |two: &[Txn<'_>]| two[1].zxid != two[0].zxid.next();
        prop_assert!(!run.txns.windows(2).any(has_gap), "a folder with a gap is refused");
        let mut live = run.keeper.snapshot(run.now);
        live.index();
        let written = written.unwrap_or_else(|| WrittenSnapshot::of(&live));
        let rules = run.keeper.rules.clone();
        let mut restored = written.read(&rules);
        let mut without_lists = written.read(&rules);
        for txn in later(&written, &run.txns) {
            restored.replay(txn);
            let mut txn = txn.clone();
            if let TxnRecord::CloseSession { paths } = &mut txn.record {
                paths.clear();
            }
            without_lists.replay(&txn);
        }
        let restored = restored.finish(run.now);
        check_same(&restored, &live);
        let resumed = |snapshot: &Snapshot| {
            Keeper::resume(rules.clone(), snapshot, run.now).snapshot(run.now)
        };
        prop_assert_eq!(restored.tree(), live.tree(), "in the same order too");
        let (mut restored, mut resumed) = (resumed(&restored), resumed(&live));
        restored.index();
        resumed.index();
        prop_assert!(restored == resumed, "and so are the servers that begin with it");
        check_same(&without_lists.finish(run.now), &live);
    }

    #[test]
    fn a_snapshot_written_during_transactions_is_repaired_by_replay(
        events in prop::collection::vec((any_event(), select(vec![0, 0, 1, 2_usize])), 1..100),
        at in any::<Index>(),
    ) {
        let mut run = Run::begun();
        run.forget_outputs();
        let at = at.index(events.len());
        let mut written: Option<WrittenSnapshot> = None;
        for (number, (event, znodes)) in events.iter().enumerate() {
            if number == at {
                written = Some(WrittenSnapshot::begun(&mut run.keeper, run.now));
            }
            if let Some(written) = &mut written {
                written.go_on(run.keeper.tree(), *znodes);
            }
            run.happen(event);
            run.forget_outputs();
        }
        let mut live = run.keeper.snapshot(run.now);
        live.index();
        let mut written = written.unwrap_or_else(|| WrittenSnapshot::of(&live));
        written.go_on(run.keeper.tree(), usize::MAX);
        let mut restored = written.read(&run.keeper.rules);
        for txn in later(&written, &run.txns) {
            restored.replay(txn);
        }
        check_same(&restored.finish(run.now), &live);
    }
}
