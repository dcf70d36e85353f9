//! Folders of real servers, read and written again. `tests/golden/folders/README.md` describes them.

use super::*;
use crate::store::{RealDisk, read_snapshot};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/folders")
        .join(name)
}

struct Expected {
    name: &'static str,
    format: DataFormat,
    snapshot: Option<i64>,
    sessions: usize,
    znodes: usize,
    replayed: usize,
    last_zxid: i64,
}

#[track_caller]
fn check(expected: &Expected) -> (Origin, Received) {
    let folder = Folder::open(Arc::new(RealDisk), &golden(expected.name), None).unwrap();
    let mut received = Received::default();
    let options = OpenOptions {
        trust_empty: expected.snapshot.is_none(),
        ..OpenOptions::default()
    };
    let recovered = crate::store::recover(&folder, &options, &mut received).unwrap();
    assert_eq!(recovered.format, Some(expected.format));
    assert_eq!(received.loaded.map(|zxid| zxid.0), expected.snapshot);
    assert_eq!(received.sessions.len(), expected.sessions);
    assert_eq!(received.znodes.len(), expected.znodes);
    assert_eq!(received.txns.len(), expected.replayed);
    assert_eq!(recovered.replayed, expected.replayed as u64);
    assert_eq!(recovered.last_zxid, Zxid(expected.last_zxid));
    assert_eq!(recovered.digest_mismatch, None);
    assert!(recovered.passed_over.is_empty(), "{recovered:#?}");
    assert!(recovered.torn.is_empty(), "{recovered:#?}");
    assert!(recovered.cut.is_empty(), "{recovered:#?}");
    (recovered, received)
}

#[test]
fn every_release_is_read() {
    let new = Expected {
        name: "3.9.5",
        format: DataFormat::V3_9,
        snapshot: Some(0x1e),
        sessions: 1,
        znodes: 23,
        replayed: 10,
        last_zxid: 0x28,
    };
    for (name, format) in [
        ("3.5.10", DataFormat::V3_5),
        ("3.6.4", DataFormat::V3_6),
        ("3.7.2", DataFormat::V3_6),
        ("3.8.5", DataFormat::V3_6),
        ("3.9.5", DataFormat::V3_9),
        ("3.9.5-no-digest", DataFormat::V3_9),
    ] {
        println!("{name}");
        check(&Expected {
            name,
            format,
            ..new
        });
    }
}

#[test]
fn logs_of_3_4_without_a_snapshot_are_read_with_trust_empty() {
    let (_, received) = check(&Expected {
        name: "3.4.14",
        format: DataFormat::V3_4,
        snapshot: None,
        sessions: 0,
        znodes: 0,
        replayed: 0x23,
        last_zxid: 0x23,
    });
    assert_eq!(zxids(&received), (1..=0x23).collect::<Vec<_>>());
    let folder = Folder::open(Arc::new(RealDisk), &golden("3.4.14"), None).unwrap();
    let refused = crate::store::recover(&folder, &OpenOptions::default(), &mut Received::default());
    assert!(
        matches!(refused, Err(StorageError::NoSnapshot { .. })),
        "{refused:?}"
    );
}

#[cfg(feature = "compression")]
#[test]
fn compressed_snapshots_are_read() {
    for name in ["3.9.5-gz", "3.9.5-snappy"] {
        println!("{name}");
        check(&Expected {
            name,
            format: DataFormat::V3_9,
            snapshot: Some(0x1e),
            sessions: 1,
            znodes: 23,
            replayed: 10,
            last_zxid: 0x28,
        });
    }
}

#[cfg(not(feature = "compression"))]
#[test]
fn a_compressed_snapshot_names_the_feature_that_it_needs() {
    let folder = Folder::open(Arc::new(RealDisk), &golden("3.9.5-gz"), None).unwrap();
    let refused = crate::store::recover(&folder, &OpenOptions::default(), &mut Received::default());
    let text = refused.unwrap_err().to_string();
    assert!(
        text.ends_with(
            "compressed with gz, which this build does not support; enable minikeeper's feature `compression`"
        ),
        "{text}"
    );
}

/// The order of the znodes and their fields are equal byte for byte; ACLs have other numbers.
#[test]
fn a_snapshot_written_again_is_read_as_the_same() {
    for (name, zxid) in [
        ("3.4.14-snapshots", 0x11),
        ("3.5.10", 0x1e),
        ("3.6.4", 0x1e),
        ("3.9.5", 0x1e),
    ] {
        println!("{name}");
        let path = golden(name).join(format!("version-2/snapshot.{zxid:x}"));
        let mut received = Received::default();
        let end = read_snapshot(&RealDisk, &path, &mut received).unwrap();
        let disk = FaultyDisk::default();
        let folder = folder(&disk).unwrap();
        let form = SnapshotForm {
            format: end.least,
            compression: Compression::None,
            synced: true,
            last_zxid: true,
        };
        let written = write_snapshot(
            &folder,
            form,
            Zxid(zxid),
            end.digest.map(|digest| digest.digest),
            received.sessions.iter().copied(),
            received.znodes.iter().map(OwnedZnode::record),
        )
        .unwrap();
        let mut again = Received::default();
        let mut end_again = read_snapshot(&disk, &written, &mut again).unwrap();
        end_again.least = end.least;
        assert_eq!(end_again, end);
        assert_eq!(again, received);
        // The list of ACLs is shorter: a real server also lists the open one.
        let real = std::fs::read(&path).unwrap();
        let ours = disk.bytes(&written).unwrap();
        assert_eq!(ours.len() + 35, real.len());
        assert_eq!(ours[..32], real[..32], "header and sessions");
    }
}

#[test]
fn the_log_of_a_real_server_is_read_as_its_transactions() {
    let mut reader = LogReader::open(&RealDisk, &golden("3.9.5/version-2/log.1")).unwrap();
    let mut lines = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        // A refused write has no digest: `PrepRequestProcessor.setTxnDigest`.
        let is_error = matches!(entry.txn.record, TxnRecord::Error { .. });
        assert_eq!(entry.digest.is_none(), is_error);
        lines.push(format!(
            "{:x} {}",
            entry.txn.zxid.0,
            entry.txn.record.name()
        ));
    }
    let expected = "1 createSession, 2 createSession, 3 create, 4 create, 5 create, 6 create, 7 create, 8 create, \
        9 create, a create, b create, c create, d create, e create, f create, 10 error, 11 setData, 12 error, \
        13 delete, 14 setACL, 15 createContainer, 16 create, 17 createTTL, 18 createTTL, 19 multi, 1a multi, \
        1b create, 1c create, 1d create, 1e closeSession";
    assert_eq!(lines.join(", "), expected);
}
