//! Torn ends of logs, and damaged logs.

use super::*;
use crate::store::log::Tail;

fn disk_with(logs: &[(i64, &[u8])]) -> FaultyDisk {
    let disk = FaultyDisk::default();
    for (zxid, bytes) in logs {
        disk.put(&log_file(*zxid), bytes);
    }
    disk
}

fn some_txns() -> Vec<Txn<'static>> {
    [3, 0, 700, 20, 1500, 1]
        .into_iter()
        .zip(1..)
        .map(|(length, zxid)| set(zxid, length))
        .collect()
}

/// Returns the offset of each entry of a log, and the end of the last one.
fn offsets(log: &[u8]) -> Vec<usize> {
    let disk = disk_with(&[(1, log)]);
    let mut reader = LogReader::open(&disk, &log_file(1)).unwrap();
    let mut offsets = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        offsets.push(usize::try_from(entry.offset).unwrap());
    }
    offsets.push(usize::try_from(reader.offset()).unwrap());
    offsets
}

/// Returns a log of a real server, with some of the zeros at its end.
fn real_log() -> Vec<u8> {
    let bytes = include_bytes!("../../../tests/golden/folders/3.8.5/version-2/log.1f").to_vec();
    let end = offsets(&bytes).pop().unwrap();
    bytes[..end + 100].to_vec()
}

fn with_zeros(mut log: Vec<u8>) -> Vec<u8> {
    log.resize(log.len() + 700, 0);
    log
}

#[test]
fn a_log_cut_at_any_byte_is_read_as_a_prefix() {
    for log in [log_of(&some_txns()), real_log()] {
        let all = read_log(&disk_with(&[(1, &log)]), &log_file(1)).unwrap();
        let offsets = offsets(&log);
        for length in 0..=log.len() {
            let complete = offsets[1..].iter().filter(|end| **end <= length).count();
            for zeros in [0, 5000] {
                let mut cut = log[..length].to_vec();
                cut.resize(length + zeros, 0);
                let disk = disk_with(&[(1, &cut)]);
                let (recovered, received) = recover(&disk, false)
                    .unwrap_or_else(|error| panic!("cut at {length}, {zeros} zeros: {error}"));
                assert_eq!(received.txns, all[..complete], "cut at {length}");
                assert_eq!(recovered.replayed, complete as u64);
                assert_eq!(
                    disk.bytes(&log_file(1)).unwrap(),
                    cut,
                    "reading changes nothing"
                );
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_log_is_detected_or_harmless() {
    for (what, log) in [
        ("ours", log_of(&some_txns())),
        ("ours, with zeros", with_zeros(log_of(&some_txns()))),
        ("real", real_log()),
    ] {
        let all = read_log(&disk_with(&[(1, &log)]), &log_file(1)).unwrap();
        let mut detected = 0;
        for bit in 0..log.len() * 8 {
            let mut flipped = log.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match recover(&disk_with(&[(1, &flipped)]), false) {
                Ok((_, received)) => assert_eq!(received.txns, all, "{what}: bit {bit}"),
                Err(error) => {
                    detected += 1;
                    let text = error.to_string();
                    assert!(
                        text.starts_with("/data/version-2/log.1: damaged at offset "),
                        "{text}"
                    );
                }
            }
        }
        assert!(detected > all.len() * 50 * 8, "{what}: {detected}");
    }
}

/// Checks the error of a damaged log, and the transactions that `recover` finds before the damage; `None` if it is
/// refused even then.
#[track_caller]
fn check_damage(log: &[u8], offset: usize, reason: &str, recovered: Option<&[i64]>) {
    let disk = disk_with(&[(1, log), (9, &log_of(&[set(9, 1)]))]);
    let error = recover(&disk, false).unwrap_err().to_string();
    let expected = format!("/data/version-2/log.1: damaged at offset {offset}: {reason}");
    assert_eq!(error, expected);
    match (recover(&disk, true), recovered) {
        (Ok((found, received)), Some(zxids)) => {
            assert_eq!(self::zxids(&received), zxids);
            // The damage, and the gap before the next log.
            assert_eq!(found.cut.len(), 2);
        }
        (Err(_), None) => {}
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn damage_is_one_line_with_file_offset_and_reason() {
    let log = log_of(&some_txns());
    let offsets = offsets(&log);
    let at = offsets[2];
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut log = log.clone();
        change(&mut log);
        log
    };
    let end_mark = damaged(&|log| log[offsets[3] - 1] = 0);
    check_damage(&end_mark, at, "the entry has no end mark", Some(&[1, 2]));
    let end_mark = damaged(&|log| log[offsets[3] - 1] = b'C');
    check_damage(
        &end_mark,
        at,
        "the entry has another byte in place of its end mark",
        Some(&[1, 2]),
    );
    let length = damaged(&|log| log[at + 8..at + 12].fill(0));
    check_damage(
        &length,
        at,
        "the entry's length is 0, but more bytes follow",
        Some(&[1, 2]),
    );
    let length = damaged(&|log| log[at + 8] = 1);
    check_damage(
        &length,
        at,
        "the entry is longer than the rest of the file",
        Some(&[1, 2]),
    );
    let length = damaged(&|log| log[at + 8] = 0xff);
    check_damage(&length, at, "the entry's length is negative", None);
    let payload = damaged(&|log| log[at + 100] ^= 1);
    check_damage(&payload, at, "the entry's checksum does not match", None);
    let torn = damaged(&|log| log.truncate(offsets[3] - 7));
    check_damage(
        &torn,
        at,
        "the last batch was not written completely",
        Some(&[1, 2]),
    );
    let header = damaged(&|log| log[0] = b'z');
    check_damage(
        &header,
        0,
        "not a transaction log: it does not begin with ZKLG",
        None,
    );
}

#[test]
fn zeros_at_the_end_of_any_log_are_its_end() {
    let first = with_zeros(log_of(&[set(1, 10), set(2, 10)]));
    let second = log_of(&[set(3, 10)]);
    let disk = disk_with(&[(1, &first), (3, &with_zeros(second)), (4, &[])]);
    let (recovered, received) = recover(&disk, false).unwrap();
    assert_eq!(zxids(&received), [1, 2, 3]);
    assert_eq!(recovered.logs.len(), 3);
    // The newest log is empty: the power was lost before its header was written.
    assert_eq!(recovered.torn.len(), 1);
    let mut reader = LogReader::open(&disk, &log_file(1)).unwrap();
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.tail(), Some(Tail::Clean));
}

#[test]
fn opening_a_folder_for_writing_cuts_a_torn_end() {
    let log = log_of(&[set(1, 10), set(2, 1000)]);
    let end = offsets(&log)[1];
    let disk = disk_with(&[(1, &log[..log.len() - 100])]);
    let opened = folder(&disk).unwrap();
    let options = OpenOptions {
        trust_empty: true,
        ..OpenOptions::default()
    };
    let recovered = crate::store::recover(&opened, &options, &mut Received::default()).unwrap();
    assert_eq!(recovered.last_zxid, Zxid(1));
    assert_eq!(disk.bytes(&log_file(1)).unwrap(), log[..end]);
    // A torn end before a newer log would be damage.
    let mut writer = LogWriter::new(
        Arc::new(opened),
        LogSettings {
            size_limit: 0,
            pre_alloc_size: 1 << 20,
            force_sync: true,
        },
    );
    writer.write(Zxid(2), &mut batch(&[set(2, 5)])).unwrap();
    writer.sync().unwrap();
    let (_, received) = recover(&disk, false).unwrap();
    assert_eq!(received.txns, [set(1, 10), set(2, 5)]);
}

#[test]
fn a_damaged_log_is_saved_before_it_is_cut() {
    let mut log = with_zeros(log_of(&some_txns()));
    let at = offsets(&log)[2];
    log[at + 8] = 1;
    let disk = disk_with(&[(1, &log)]);
    let options = OpenOptions {
        trust_empty: true,
        recover: true,
        ..OpenOptions::default()
    };
    let opened = folder(&disk).unwrap();
    let recovered = crate::store::recover(&opened, &options, &mut Received::default()).unwrap();
    assert_eq!((recovered.torn.len(), recovered.cut.len()), (0, 1));
    assert_eq!(disk.bytes(&log_file(1)).unwrap(), log[..at]);
    let saved = log_file(1).with_file_name("damaged-log.1");
    assert_eq!(disk.bytes(&saved).unwrap(), log);
    // The saved file does not count as a log.
    let (recovered, found) = recover(&disk, false).unwrap();
    assert_eq!(recovered.logs, [log_file(1)]);
    assert_eq!(zxids(&found), [1, 2]);
    // A second saved file does not count either.
    disk.put(&log_file(1), &log);
    crate::store::recover(&opened, &options, &mut Received::default()).unwrap();
    let next = log_file(1).with_file_name("damaged-log.1.2");
    assert_eq!(disk.bytes(&next).unwrap(), log);
    assert_eq!(disk.bytes(&saved).unwrap(), log);
    assert_eq!(recover(&disk, false).unwrap().0.logs, [log_file(1)]);
}

/// Writes flushed batches and one that is not flushed, of which any sectors are lost.
#[test]
fn missing_sectors_of_an_unflushed_batch_are_no_damage() {
    let mut seeded = Seeded(6);
    let mut complete = 0;
    for round in 0..1000 {
        let disk = FaultyDisk::default();
        let folder = Arc::new(folder(&disk).unwrap());
        let mut writer = LogWriter::new(
            folder,
            LogSettings {
                size_limit: 0,
                pre_alloc_size: 64 << 10,
                force_sync: true,
            },
        );
        let mut zxid = 0;
        let mut some = |seeded: &mut Seeded, most: usize| -> Vec<Txn<'static>> {
            let lengths = 1 + seeded.below(most);
            (0..lengths)
                .map(|_| {
                    zxid += 1;
                    let most = if seeded.below(4) == 0 { 2000 } else { 60 };
                    set(zxid, seeded.below(most))
                })
                .collect()
        };
        let mut synced = Vec::new();
        for _ in 0..seeded.below(4) {
            let txns = some(&mut seeded, 4);
            writer.write(txns[0].zxid, &mut batch(&txns)).unwrap();
            writer.sync().unwrap();
            synced.extend(txns);
        }
        let last = some(&mut seeded, 12);
        writer.write(last[0].zxid, &mut batch(&last)).unwrap();
        let all = [synced.clone(), last].concat();
        let found = disk.after_power_loss(Survival::Reordered(seeded.next()));
        let (_, received) =
            recover(&found, false).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(received.txns.len() >= synced.len(), "round {round}");
        assert_eq!(received.txns, all[..received.txns.len()], "round {round}");
        complete += usize::from(received.txns.len() == all.len());
    }
    assert!(complete < 500, "{complete}");
}

#[test]
fn a_missing_sector_of_a_flushed_batch_is_damage() {
    let txns: Vec<_> = (1..40).map(|zxid| set(zxid, 100)).collect();
    let log = log_of(&txns);
    let last = offsets(&log)[txns.len() - 2];
    for sector in 0..last / 512 {
        let mut damaged = log.clone();
        damaged[(sector * 512).max(16)..sector * 512 + 512].fill(0);
        let error = recover(&disk_with(&[(1, &damaged)]), false).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_torn_end_after_which_the_next_log_continues_is_no_damage() {
    let whole = log_of(&[set(1, 10), set(2, 1000), set(3, 500)]);
    let torn = &whole[..whole.len() - 100];
    let next = |zxid| log_of(&[set(zxid, 7), set(zxid + 1, 7)]);
    // The torn transaction was never acknowledged, and the next log has its zxid.
    let disk = disk_with(&[(1, torn), (3, &next(3))]);
    let (recovered, received) = recover(&disk, false).unwrap();
    assert_eq!(zxids(&received), [1, 2, 3, 4]);
    assert_eq!(recovered.torn.len(), 1);
    // A torn end before the snapshot does not matter.
    put_snapshot(
        &folder(&disk).unwrap(),
        2,
        Compression::None,
        &Received::default(),
    )
    .unwrap();
    let (recovered, received) = recover(&disk, false).unwrap();
    assert_eq!(zxids(&received), [3, 4]);
    assert!(
        recovered.torn.is_empty(),
        "the log is older than the snapshot"
    );
    let disk = disk_with(&[(1, torn), (4, &next(4))]);
    let error = recover(&disk, false).unwrap_err();
    assert!(
        matches!(error, StorageError::Damaged { .. }),
        "transaction 3 is missing: {error}"
    );
}
