//! Any bytes are records or a clear error, and never a panic or more memory than the file has.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::store::read_snapshot;

const SNAPSHOT: &[u8] = include_bytes!("../../../tests/golden/folders/3.9.5/version-2/snapshot.1e");
const LOG: &[u8] = include_bytes!("../../../tests/golden/folders/3.9.5/version-2/log.1");

fn snapshot_of(bytes: &[u8]) -> Result<Received, StorageError> {
    let disk = FaultyDisk::default();
    disk.put(&snapshot_file(0x1e), bytes);
    let mut received = Received::default();
    read_snapshot(&disk, &snapshot_file(0x1e), &mut received).map(|_| received)
}

/// Reads all transactions of a log, up to its end or to damage.
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
            "the reader stays at the end"
        );
    }
    txns
}

#[test]
fn a_flipped_bit_in_a_snapshot_is_detected_or_harmless() {
    let whole = snapshot_of(SNAPSHOT).unwrap();
    let mut detected = 0;
    for bit in 0..SNAPSHOT.len() * 8 {
        let mut flipped = SNAPSHOT.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match snapshot_of(&flipped) {
            Ok(received) => assert_eq!(received, whole, "bit {bit}"),
            Err(_) => detected += 1,
        }
    }
    assert_eq!(
        detected,
        SNAPSHOT.len() * 8,
        "even fields that are never read are sealed"
    );
}

#[test]
fn a_snapshot_cut_anywhere_except_after_a_seal_is_damaged() {
    let whole = snapshot_of(SNAPSHOT).unwrap();
    let mut ends = Vec::new();
    for length in 0..SNAPSHOT.len() {
        match snapshot_of(&SNAPSHOT[..length]) {
            Ok(received) => {
                assert_eq!(received, whole);
                ends.push(SNAPSHOT.len() - length);
            }
            Err(error) => assert!(matches!(error, StorageError::Damaged { .. }), "{error}"),
        }
    }
    // After the first seal, before the digest; and after the second seal, before the last zxid.
    assert_eq!(ends, [54, 21]);
}

#[cfg(feature = "compression")]
#[test]
fn a_flipped_bit_in_a_compressed_snapshot_is_detected_or_harmless() {
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
            let mut received = Received::default();
            read_snapshot(&disk, &path, &mut received).map(|_| received)
        };
        let whole = read(bytes).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match read(&flipped) {
                Ok(received) => assert_eq!(received, whole, "{extension}: bit {bit}"),
                Err(error) => assert!(matches!(error, StorageError::Damaged { .. }), "{error}"),
            }
        }
    }
}

/// Strategy for numbers that a reader may take for a length.
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
    fn any_bytes_in_place_of_a_snapshot_do_not_panic(bytes: Vec<u8>, after_header: bool) {
        let header = if after_header { &SNAPSHOT[..16] } else { &[] };
        let _ = snapshot_of(&[header, &bytes].concat());
    }

    #[test]
    fn any_bytes_in_place_of_a_log_do_not_panic(bytes: Vec<u8>, after_header: bool) {
        let header = if after_header { &LOG[..16] } else { &[] };
        log_up_to_damage(&[header, &bytes].concat());
    }

    #[test]
    fn a_snapshot_with_any_changes_is_read_as_the_same_or_refused(
        changes in prop::collection::vec((any::<Index>(), number()), 1..4),
        cut: Option<Index>,
    ) {
        if let Ok(received) = snapshot_of(&mutate(SNAPSHOT, &changes, cut)) {
            prop_assert_eq!(received, snapshot_of(SNAPSHOT).unwrap());
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
    fn a_compressed_snapshot_is_read_as_it_was_written(
        data in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..5_000),
        repeated in 1..30_usize,
    ) {
        for compression in [Compression::Gzip, Compression::Snappy] {
            let disk = FaultyDisk::default();
            let folder = folder(&disk).unwrap();
            let received = Received {
                znodes: (0..repeated).map(|i| znode(&format!("/{i}"), &data)).collect(),
                ..Received::default()
            };
            let written = put_snapshot(&folder, 9, compression, &received).unwrap();
            prop_assert_eq!(folder.incompleteness(&written).unwrap(), None);
            let mut again = Received::default();
            read_snapshot(&disk, &written, &mut again).unwrap();
            prop_assert_eq!(again.znodes, received.znodes);
        }
    }
}

#[test]
fn two_paths_of_one_folder_are_one_folder() {
    let disk = Arc::new(FaultyDisk::default());
    let here = std::env::current_dir().unwrap();
    let logs = here.join("data");
    let folder = Folder::open_to_write(disk, Path::new("./data"), Some(&logs)).unwrap();
    assert_eq!(folder.logs(), folder.snapshots());
}
