//! Folders that real servers wrote, restored as states.

use std::path::Path;
use std::sync::Arc;

use crate::keeper::{Restored, Rules, Snapshot};
use crate::protocol::Timestamp;
use crate::store::{Folder, OpenOptions, RealDisk};

/// Restores a folder of a real server, with its digest; `tests/golden/folders/README.md` describes the folders.
fn restored(name: &str) -> Snapshot {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folders");
    let folder = Folder::open(Arc::new(RealDisk), &folders.join(name), None).unwrap();
    let rules = Rules {
        digest: true,
        ..Rules::default()
    };
    let mut restoring = Restored::new(&rules);
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
        Some(snapshot.tree().computed_digest()),
        "{name}"
    );
    snapshot
}

fn paths(snapshot: &Snapshot) -> Vec<&str> {
    let mut paths: Vec<_> = snapshot
        .znode_records()
        .map(|znode| znode.path)
        .filter(|path| !path.starts_with("/zookeeper"))
        .collect();
    paths.sort_unstable();
    paths
}

#[test]
fn folders_of_all_releases_have_their_digests_and_the_same_znodes() {
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
fn a_folder_of_3_4_is_restored_without_containers_and_configuration() {
    for name in ["3.4.14", "3.4.14-snapshots"] {
        let snapshot = restored(name);
        assert!(snapshot.tree().get("/e-b").is_none(), "{name}");
        assert!(snapshot.tree().get("/e-d").is_some(), "{name}");
    }
}
