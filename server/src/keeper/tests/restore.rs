//! What is kept of a server and read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{Run, any_event};
use super::*;
use crate::protocol::{Acl, SessionRecord, StatPersisted, ZnodeRecord};

/// A snapshot as a folder would hold it: written at some moment, or while time went on.
struct Kept {
    zxid: Zxid,
    sessions: Vec<SessionRecord>,
    znodes: Vec<KeptZnode>,
    /// What is still to be written, last first, where it is written bit by bit.
    open: Vec<String>,
}

struct KeptZnode {
    path: String,
    data: Option<Vec<u8>>,
    acl: Arc<[Acl]>,
    stat: StatPersisted,
}

impl KeptZnode {
    fn record(&self) -> ZnodeRecord<'_> {
        ZnodeRecord {
            path: &self.path,
            data: self.data.as_deref(),
            acl: &self.acl,
            stat: self.stat,
        }
    }
}

impl From<ZnodeRecord<'_>> for KeptZnode {
    fn from(znode: ZnodeRecord<'_>) -> Self {
        Self {
            path: znode.path.to_owned(),
            data: znode.data.map(<[u8]>::to_vec),
            acl: Arc::clone(znode.acl),
            stat: znode.stat,
        }
    }
}

impl Kept {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            zxid: snapshot.zxid(),
            sessions: snapshot.sessions_to_keep().collect(),
            znodes: snapshot.znodes_to_keep().map(Into::into).collect(),
            open: Vec::new(),
        }
    }

    /// Begins one as a real server writes it, which goes on meanwhile: `DataTree.serializeNode` looks a znode up by its path, takes
    /// down what it finds and the names of the children, and then goes to these.
    fn begun(keeper: &mut Keeper, now: Timestamp) -> Self {
        let snapshot = keeper.snapshot(now);
        Self {
            zxid: snapshot.zxid(),
            sessions: snapshot.sessions_to_keep().collect(),
            znodes: Vec::new(),
            open: vec!["/".to_owned()],
        }
    }

    fn go_on(&mut self, tree: &Tree, znodes: usize) {
        for _ in 0..znodes {
            let Some(path) = self.open.pop() else { return };
            let Some(znode) = tree.get(&path) else {
                continue;
            };
            self.znodes.push(KeptZnode {
                path: path.clone(),
                data: znode.data().map(<[u8]>::to_vec),
                acl: Arc::clone(tree.acl(znode.acl())),
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

/// What there is, whatever the order of siblings.
fn contents(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let znodes = snapshot.znodes_to_keep().map(|znode| {
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

/// The transactions that came after.
fn later<'t>(kept: &Kept, txns: &'t [Txn<'static>]) -> impl Iterator<Item = &'t Txn<'static>> {
    let zxid = kept.zxid;
    txns.iter().filter(move |txn| txn.zxid > zxid)
}

fn check_same(restored: &Snapshot, live: &Snapshot) {
    assert_eq!(restored.zxid(), live.zxid());
    assert_eq!(restored.digest(), live.digest());
    assert_eq!(contents(restored), contents(live));
    let sessions = |snapshot: &Snapshot| snapshot.sessions_to_keep().collect::<Vec<_>>();
    assert_eq!(sessions(restored), sessions(live));
    assert_eq!(
        restored.digest(),
        Some(restored.tree().reckoned_digest()),
        "the digest of what was restored"
    );
}

/// Reads what is kept of a world, and what came after it.
fn read_again(world: &mut World, kept: &Kept, txns: &[Txn<'_>]) -> Snapshot {
    let mut restored = kept.read(&world.keeper.rules);
    for txn in txns {
        restored.replay(txn);
    }
    restored.finish(world.now)
}

#[test]
fn without_a_digest_kept_it_is_made_of_every_znode() {
    let mut world = World::of(1);
    world.given(1, [create("/a").data("x"), ephemeral("/a/e")]);
    let kept = Kept::of(&world.keeper.snapshot(world.now));
    let without = read_again(&mut world, &kept, &[]);
    assert_eq!(without.digest(), None);
    world.keeper.rules.digest = true;
    let with = read_again(&mut world, &kept, &[]);
    assert_eq!(with.digest(), Some(without.reckoned_digest()));
}

proptest! {
    #[test]
    fn a_snapshot_and_what_came_after_it_are_what_is(
        events in prop::collection::vec(any_event(), 0..100),
        at in any::<Index>(),
    ) {
        let mut run = Run::begun();
        run.forget_outputs();
        let at = at.index(events.len() + 1);
        let mut kept = None;
        for (number, event) in events.iter().enumerate() {
            if number == at {
                kept = Some(Kept::of(&run.keeper.snapshot(run.now)));
            }
            run.happen(event);
            run.forget_outputs();
        }
        let mut live = run.keeper.snapshot(run.now);
        live.index();
        let kept = kept.unwrap_or_else(|| Kept::of(&live));
        let rules = run.keeper.rules.clone();
        let mut restored = kept.read(&rules);
        let mut without_lists = kept.read(&rules);
        for txn in later(&kept, &run.txns) {
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
    fn a_snapshot_that_was_written_while_time_went_on_is_mended(
        events in prop::collection::vec((any_event(), 0..4_usize), 1..100),
        at in any::<Index>(),
    ) {
        let mut run = Run::begun();
        run.forget_outputs();
        let at = at.index(events.len());
        let mut kept: Option<Kept> = None;
        for (number, (event, znodes)) in events.iter().enumerate() {
            if number == at {
                kept = Some(Kept::begun(&mut run.keeper, run.now));
            }
            if let Some(kept) = &mut kept {
                kept.go_on(run.keeper.tree(), *znodes);
            }
            run.happen(event);
            run.forget_outputs();
        }
        let mut live = run.keeper.snapshot(run.now);
        live.index();
        let mut kept = kept.unwrap_or_else(|| Kept::of(&live));
        kept.go_on(run.keeper.tree(), usize::MAX);
        let mut restored = kept.read(&run.keeper.rules);
        for txn in later(&kept, &run.txns) {
            restored.replay(txn);
        }
        check_same(&restored.finish(run.now), &live);
    }
}
