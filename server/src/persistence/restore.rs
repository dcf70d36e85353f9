//! Between the folder and the rules, which do not know each other: what is read becomes a state, and a state is
//! written.

use crate::keeper::{Restored, Rules, Snapshot};
use crate::protocol::{SessionRecord, Timestamp, Txn, ZnodeRecord, Zxid};
use crate::store::Restore;

/// A state in the making, from what a folder holds.
#[derive(Debug)]
pub(crate) struct Restoring {
    restored: Restored,
    /// The latest moment that was read of.
    latest: Timestamp,
}

impl Restoring {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            restored: Restored::new(rules),
            latest: Timestamp(0),
        }
    }

    /// The latest moment at which something was changed: time goes on from there.
    pub(crate) fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Whether restoring removes znodes at the end that no transaction removes.
    pub(crate) fn has_orphans(&self) -> bool {
        self.restored.has_orphans()
    }

    pub(crate) fn finish(self, now: Timestamp) -> Snapshot {
        self.restored.finish(now)
    }
}

impl Restore for Restoring {
    fn begin(&mut self) {
        self.latest = Timestamp(0);
        self.restored.begin();
    }

    fn session(&mut self, session: SessionRecord) {
        self.restored.session(session);
    }

    fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str> {
        self.latest = self.latest.max(znode.stat.mtime).max(znode.stat.ctime);
        self.restored.znode(znode)
    }

    fn loaded(&mut self, zxid: Zxid) -> Option<u64> {
        self.restored.loaded(zxid)
    }

    fn needs_unlisted_acl(&self, txn: &Txn<'_>) -> Option<(Box<str>, i64)> {
        self.restored.needs_unlisted_acl(txn)
    }

    fn replay(&mut self, txn: &Txn<'_>) -> Option<u64> {
        self.latest = self.latest.max(txn.time);
        self.restored.replay(txn)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::store::{Folder, OpenOptions, RealDisk};

    /// What a real server wrote, restored with the digest kept; `tests/golden/folders/README.md` says what that was.
    fn restored(name: &str) -> Snapshot {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folders");
        let folder = Folder::open(Arc::new(RealDisk), &folders.join(name), None).unwrap();
        let rules = Rules {
            digest: true,
            ..Rules::default()
        };
        let mut restoring = Restoring::new(&rules);
        let options = OpenOptions {
            trust_empty: name.starts_with("3.4"),
            ..OpenOptions::default()
        };
        let recovered = crate::store::recover(&folder, &options, &mut restoring).unwrap();
        assert_eq!(recovered.digest_mismatch, None, "{name}");
        let snapshot = restoring.finish(Timestamp(0));
        assert_eq!(snapshot.zxid(), recovered.last_zxid, "{name}");
        assert_eq!(
            snapshot.digest(),
            Some(snapshot.tree().reckoned_digest()),
            "{name}"
        );
        snapshot
    }

    fn paths(snapshot: &Snapshot) -> Vec<&str> {
        let mut paths: Vec<_> = snapshot
            .znodes_to_keep()
            .map(|znode| znode.path)
            .filter(|path| !path.starts_with("/zookeeper"))
            .collect();
        paths.sort_unstable();
        paths
    }

    #[test]
    fn every_release_has_the_digest_that_it_wrote_and_the_same_znodes() {
        let newest = restored("3.9.5");
        for name in ["3.5.10", "3.6.4", "3.7.2", "3.8.5", "3.9.5-no-digest"] {
            let snapshot = restored(name);
            assert_eq!(paths(&snapshot), paths(&newest), "{name}");
            let creates = |snapshot: &Snapshot| snapshot.tree().get("/a").map(|a| a.creates());
            assert_eq!(creates(&snapshot), creates(&newest), "{name}");
            let owners = |snapshot: &Snapshot| {
                let ephemerals = snapshot.tree().all_ephemerals();
                ephemerals
                    .map(|(_, paths)| paths.count())
                    .collect::<Vec<_>>()
            };
            assert_eq!(owners(&snapshot), owners(&newest), "{name}");
            assert_eq!(snapshot.sessions().len(), newest.sessions().len(), "{name}");
        }
        for gone in ["/e-b", "/later/e", "/m/x0000000000", "/never", "/c/child"] {
            assert!(newest.tree().get(gone).is_none(), "{gone}");
        }
        for there in ["/e-a", "/e-d", "/later/big", "/ttl"] {
            assert!(newest.tree().get(there).is_some(), "{there}");
        }
    }

    #[test]
    fn what_3_4_wrote_is_restored_without_containers_and_configuration() {
        for name in ["3.4.14", "3.4.14-snapshots"] {
            let snapshot = restored(name);
            assert!(snapshot.tree().get("/e-b").is_none(), "{name}");
            assert!(snapshot.tree().get("/e-d").is_some(), "{name}");
        }
    }
}
