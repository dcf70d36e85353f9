//! Any bytes: a clear error or records, and never a panic or more memory than the file has.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::store::read_snapshot;

const SNAPSHOT: &[u8] = include_bytes!("../../../tests/golden/folders/3.9.5/version-2/snapshot.1e");
const LOG: &[u8] = include_bytes!("../../../tests/golden/folders/3.9.5/version-2/log.1");

fn snapshot_of(bytes: &[u8]) -> Result<Kept, StorageError> {
    let disk = FaultyDisk::default();
    disk.put(&snapshot_file(0x1e), bytes);
    let mut kept = Kept::default();
    read_snapshot(&disk, &snapshot_file(0x1e), &mut kept).map(|_| kept)
}

/// Every record of a log, up to its end or the damage.
fn log_up_to_damage(bytes: &[u8]) -> Vec<Txn<'static>> {
    let disk = FaultyDisk::default();
    disk.put(&log_file(1), bytes);
    let mut txns = Vec::new();
    if let Ok(mut reader) = LogReader::open(&disk, &log_file(1)) {
        while let Ok(Some(entry)) = reader.next() {
            txns.push(entry.txn.into_owned());
        }
        assert!(
            reader.next().map_or(true, |entry| entry.is_none()),
            "the end stays the end"
        );
    }
    txns
}

#[test]
fn a_flipped_bit_in_a_snapshot_is_seen_or_harmless() {
    let whole = snapshot_of(SNAPSHOT).unwrap();
    let mut seen = 0;
    for bit in 0..SNAPSHOT.len() * 8 {
        let mut flipped = SNAPSHOT.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match snapshot_of(&flipped) {
            Ok(kept) => assert_eq!(kept, whole, "bit {bit}"),
            Err(_) => seen += 1,
        }
    }
    assert_eq!(seen, SNAPSHOT.len() * 8, "even what nobody reads is sealed");
}

#[test]
fn a_snapshot_cut_anywhere_is_damaged_but_behind_a_seal() {
    let whole = snapshot_of(SNAPSHOT).unwrap();
    let mut ends = Vec::new();
    for length in 0..SNAPSHOT.len() {
        match snapshot_of(&SNAPSHOT[..length]) {
            Ok(kept) => {
                assert_eq!(kept, whole);
                ends.push(SNAPSHOT.len() - length);
            }
            Err(error) => assert!(matches!(error, StorageError::Damaged { .. }), "{error}"),
        }
    }
    // Before the digest, and before the last zxid.
    assert_eq!(ends, [54, 21]);
}

#[cfg(feature = "compression")]
#[test]
fn a_flipped_bit_in_a_compressed_snapshot_is_seen_or_harmless() {
    for (extension, bytes) in [
        (
            "gz",
            &include_bytes!("../../../tests/golden/folders/3.9.5-gz/version-2/snapshot.1e.gz")[..],
        ),
        (
            "snappy",
            include_bytes!(
                "../../../tests/golden/folders/3.9.5-snappy/version-2/snapshot.1e.snappy"
            ),
        ),
    ] {
        let path = data_dir().join(format!("version-2/snapshot.1e.{extension}"));
        let read = |bytes: &[u8]| {
            let disk = FaultyDisk::default();
            disk.put(&path, bytes);
            let mut kept = Kept::default();
            read_snapshot(&disk, &path, &mut kept).map(|_| kept)
        };
        let whole = read(bytes).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match read(&flipped) {
                Ok(kept) => assert_eq!(kept, whole, "{extension}: bit {bit}"),
                Err(error) => assert!(matches!(error, StorageError::Damaged { .. }), "{error}"),
            }
        }
    }
}

/// A number that the bytes may take for a length.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![
        Just(-1),
        Just(0),
        Just(i32::MAX),
        Just(i32::MIN),
        0..2000_i32,
        any::<i32>()
    ]
}

fn mutate(bytes: &[u8], changes: &[(Index, i32)], cut: Option<Index>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, number) in changes {
        let at = at.index(bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

proptest! {
    #[test]
    fn any_bytes_are_no_snapshot(bytes: Vec<u8>, behind_header: bool) {
        let header = if behind_header { &SNAPSHOT[..16] } else { &[] };
        let _ = snapshot_of(&[header, &bytes].concat());
    }

    #[test]
    fn any_bytes_are_no_log(bytes: Vec<u8>, behind_header: bool) {
        let header = if behind_header { &LOG[..16] } else { &[] };
        log_up_to_damage(&[header, &bytes].concat());
    }

    #[test]
    fn a_snapshot_with_any_changes_is_read_as_the_same_or_refused(
        changes in prop::collection::vec((any::<Index>(), number()), 1..4),
        cut: Option<Index>,
    ) {
        if let Ok(kept) = snapshot_of(&mutate(SNAPSHOT, &changes, cut)) {
            prop_assert_eq!(kept, snapshot_of(SNAPSHOT).unwrap());
        }
    }

    #[test]
    fn a_log_with_any_changes_is_read_as_a_prefix_or_refused(
        changes in prop::collection::vec((any::<Index>(), number()), 1..4),
        cut: Option<Index>,
    ) {
        let whole = log_up_to_damage(LOG);
        let read = log_up_to_damage(&mutate(LOG, &changes, cut));
        prop_assert_eq!(&read[..], &whole[..read.len()]);
    }

    #[test]
    fn any_payload_is_a_transaction_or_none(bytes: Vec<u8>) {
        let _ = crate::store::txn::decode_txn(&bytes);
    }

}

#[cfg(feature = "compression")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_was_compressed_is_read_again(
        data in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..5_000),
        repeated in 1..30_usize,
    ) {
        for compression in [Compression::Gzip, Compression::Snappy] {
            let disk = FaultyDisk::default();
            let folder = folder(&disk).unwrap();
            let kept = Kept {
                znodes: (0..repeated).map(|i| znode(&format!("/{i}"), &data)).collect(),
                ..Kept::default()
            };
            let written = put_snapshot(&folder, 9, compression, &kept).unwrap();
            prop_assert_eq!(folder.is_broken(&written).unwrap(), None);
            let mut again = Kept::default();
            read_snapshot(&disk, &written, &mut again).unwrap();
            prop_assert_eq!(again.znodes, kept.znodes);
        }
    }
}

#[test]
fn one_folder_said_in_two_ways_is_one() {
    let disk = Arc::new(FaultyDisk::default());
    let here = std::env::current_dir().unwrap();
    let logs = here.join("data");
    let folder = Folder::open_to_write(disk, Path::new("./data"), Some(&logs)).unwrap();
    assert_eq!(folder.logs(), folder.snapshots());
}
