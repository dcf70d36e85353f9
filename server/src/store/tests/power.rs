//! A workload on a disk that fails, or loses its power, at every call.

use super::*;

/// Does what a server does at this layer: opens, recovers, appends and flushes batches, rolls the log, writes
/// snapshots, purges. Returns the last transaction whose flush succeeded.
fn work(disk: &FaultyDisk, rounds: usize) -> (i64, Result<(), StorageError>) {
    let mut acknowledged = 0;
    let result = (|| {
        let folder = Arc::new(folder(disk)?);
        let mut received = Received::default();
        let options = OpenOptions {
            trust_empty: true,
            ..OpenOptions::default()
        };
        let mut zxid = crate::store::recover(&folder, &options, &mut received)?
            .last_zxid
            .0;
        acknowledged = zxid;
        put_snapshot(&folder, zxid, Compression::None, &state(zxid))?;
        let settings = LogSettings {
            size_limit: 0,
            pre_alloc_size: 4 << 10,
            force_sync: true,
        };
        let mut writer = LogWriter::new(Arc::clone(&folder), settings);
        let filler = writer.filler();
        for round in 0..rounds {
            let txns: Vec<_> = (0..=round % 4)
                .map(|_| {
                    zxid += 1;
                    txn(zxid)
                })
                .collect();
            writer.write(txns[0].zxid, &mut batch(&txns))?;
            writer.sync()?;
            acknowledged = zxid;
            if filler.is_due() {
                filler.fill_ahead()?;
            }
            if round % 4 == 3 {
                writer.roll();
                put_snapshot(&folder, zxid, Compression::None, &state(zxid))?;
                folder.purge(3)?;
            }
        }
        Ok(())
    })();
    (acknowledged, result)
}

fn txn(zxid: i64) -> Txn<'static> {
    let length = usize::try_from(zxid * 37 % 900).unwrap();
    set(zxid, length)
}

/// Returns a state whose root has the zxid as its data.
fn state(zxid: i64) -> Received {
    Received {
        znodes: vec![znode("/", &zxid.to_be_bytes())],
        ..Received::default()
    }
}

/// Checks that a folder has the state after some transaction, and that no acknowledged transaction is missing. Returns
/// the zxid of that transaction.
#[track_caller]
fn check(disk: &FaultyDisk, acknowledged: i64, attempted: i64, what: &str) -> i64 {
    // The folder was never created.
    if acknowledged == 0 && disk.all().is_empty() {
        return 0;
    }
    let (recovered, received) = recover(disk, false)
        .unwrap_or_else(|error| panic!("{what}: {error}\n{}", disk.call_lines().join("\n")));
    let begin = received.loaded.map_or(0, |zxid| zxid.0);
    if begin > 0 || received.loaded.is_some() {
        assert_eq!(received.znodes, state(begin).znodes, "{what}");
    }
    let last = recovered.last_zxid.0;
    let expected: Vec<_> = (begin + 1..=last).map(txn).collect();
    assert_eq!(received.txns, expected, "{what}");
    assert!(last >= acknowledged, "{what}: {last} < {acknowledged}");
    assert!(last <= attempted, "{what}: {last} > {attempted}");
    assert_eq!(recovered.digest_mismatch, None, "{what}");
    last
}

fn survivals(seed: u64) -> impl Iterator<Item = Survival> {
    let seeds = (0..4).map(move |i| seed * 4 + i);
    [Survival::Nothing, Survival::Everything]
        .into_iter()
        .chain(seeds.clone().map(Survival::Torn))
        .chain(seeds.map(Survival::Reordered))
}

const ROUNDS: usize = 14;

/// Returns the number of transactions of the workload.
fn all() -> i64 {
    let disk = FaultyDisk::default();
    let (acknowledged, result) = work(&disk, ROUNDS);
    result.unwrap();
    assert_eq!(
        check(&disk, acknowledged, acknowledged, "nothing happened"),
        acknowledged
    );
    acknowledged
}

/// Returns the number of calls to the disk of the workload.
fn calls() -> usize {
    let disk = FaultyDisk::default();
    work(&disk, ROUNDS).1.unwrap();
    disk.calls()
}

#[test]
fn a_loss_of_power_at_any_call_loses_nothing_acknowledged() {
    let all = all();
    for call in 0..calls() {
        let disk = FaultyDisk::default();
        disk.plan(call, Fault::PowerLoss);
        let (acknowledged, result) = work(&disk, ROUNDS);
        assert!(result.is_err() || disk.calls() == call + 1, "call {call}");
        for survival in survivals(call as u64) {
            let what = format!("power lost at call {call}, {survival:?}");
            let found = disk.after_power_loss(survival);
            let last = check(&found, acknowledged, all, &what);
            // The server starts again and continues. Then the power is lost once more, and the folder is read again.
            let (more, result) = work(&found, 3);
            result.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(more, last + 6, "{what}");
            check(&found, more, more, &what);
            for survival in [Survival::Nothing, Survival::Reordered(call as u64)] {
                check(&found.after_power_loss(survival), more, more, &what);
            }
        }
    }
}

#[test]
fn a_failure_of_any_call_loses_nothing_acknowledged() {
    use std::io::ErrorKind::{InvalidInput, Other, StorageFull};
    let all = all();
    for call in 0..calls() {
        for fault in [
            Fault::Once(Other),
            Fault::FromThenOn(StorageFull),
            // Bytes that cannot be written past the cache are written through it.
            Fault::Once(InvalidInput),
        ] {
            let disk = FaultyDisk::default();
            disk.plan(call, fault);
            let (acknowledged, result) = work(&disk, ROUNDS);
            let what = format!("{fault:?} at call {call}");
            if let Err(error) = result {
                let text = error.to_string();
                assert!(text.starts_with("/data"), "{what}: {text}");
            }
            // The server has stopped. The disk works again and has everything that was written.
            let found = disk.after_power_loss(Survival::Everything);
            let last = check(&found, acknowledged, all, &what);
            let (more, result) = work(&found, 3);
            result.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(more, last + 6, "{what}");
            check(&found, more, more, &what);
            // Or the power was lost too.
            for survival in survivals(call as u64) {
                check(&disk.after_power_loss(survival), acknowledged, all, &what);
            }
        }
    }
}

#[test]
fn a_file_system_that_becomes_read_only_at_any_call_loses_nothing_acknowledged() {
    let all = all();
    for call in 0..calls() {
        let disk = FaultyDisk::default();
        disk.plan(call, Fault::ReadOnly);
        let (acknowledged, _) = work(&disk, ROUNDS);
        let what = format!("read-only at call {call}");
        check(
            &disk.after_power_loss(Survival::Data),
            acknowledged,
            all,
            &what,
        );
    }
}

#[test]
fn a_purge_retains_the_newest_snapshots_and_their_logs() {
    let disk = FaultyDisk::default();
    work(&disk, 40).1.unwrap();
    let files: Vec<String> = disk
        .all()
        .into_keys()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let count = |prefix: &str| files.iter().filter(|name| name.starts_with(prefix)).count();
    assert_eq!(count("snapshot."), 3, "{files:?}");
    assert_eq!(count("tmp-"), 0, "{files:?}");
    assert!(count("log.") >= 3, "{files:?}");
    // The logs are sufficient even if only the oldest snapshot can be read.
    let mut snapshots: Vec<_> = disk
        .all()
        .into_iter()
        .filter(|(path, _)| path.display().to_string().contains("snapshot."))
        .collect();
    snapshots.sort_by_key(|(path, _)| {
        i64::from_str_radix(path.extension().unwrap().to_str().unwrap(), 16).unwrap()
    });
    for (path, bytes) in &mut snapshots[1..] {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        disk.put(path, bytes);
    }
    let (recovered, received) = recover(&disk, false).unwrap();
    assert_eq!(recovered.passed_over.len(), 2);
    assert_eq!(recovered.snapshot.as_ref(), Some(&snapshots[0].0));
    assert_eq!(received.begun, 3);
    assert_eq!(recovered.last_zxid, Zxid(100));
}

#[test]
fn a_folder_without_a_valid_snapshot_is_refused() {
    let disk = FaultyDisk::default();
    disk.put(&log_file(1), &log_of(&[set(1, 1)]));
    let open = || Folder::open(Arc::new(disk.clone()), &data_dir(), None).unwrap();
    let recover =
        || crate::store::recover(&open(), &OpenOptions::default(), &mut Received::default());
    let text = recover().unwrap_err().to_string();
    assert!(
        text.starts_with("/data/version-2: there are transaction logs but no snapshot"),
        "{text}"
    );
    // An incomplete snapshot does not count.
    disk.put(&snapshot_file(1), b"ZKSN and no more");
    let text = recover().unwrap_err().to_string();
    assert!(
        text.starts_with("/data/version-2: there are transaction logs but no snapshot"),
        "{text}"
    );
    // A snapshot that looks complete and is damaged stops a real server, even with trust.empty.
    disk.put(&snapshot_file(1), b"ZKSN and no more\0\0\0\x01/");
    let text = recover().unwrap_err().to_string();
    let expected = "/data/version-2: none of the 1 snapshots is valid; restore one from a backup; the newest: \
                    /data/version-2/snapshot.1: damaged";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_folder_belongs_to_one_server() {
    let disk = FaultyDisk::default();
    let first = folder(&disk).unwrap();
    let text = folder(&disk).unwrap_err().to_string();
    assert_eq!(
        text,
        "/data: in use by another server; stop that server, or choose another folder"
    );
    // Reading needs no lock.
    Folder::open(Arc::new(disk.clone()), &data_dir(), None).unwrap();
    drop(first);
    folder(&disk).unwrap();
}

#[test]
fn the_real_disk_behaves_like_the_one_in_memory() {
    let root = std::env::temp_dir().join(format!("minikeeper-store-{}", std::process::id()));
    let disk: Arc<dyn crate::store::Disk> = Arc::new(crate::store::RealDisk);
    let first = Folder::open_to_write(Arc::clone(&disk), &root, None).unwrap();
    let second = Folder::open_to_write(Arc::clone(&disk), &root, None);
    assert!(
        matches!(second, Err(StorageError::InUse { .. })),
        "{second:?}"
    );
    put_snapshot(&first, 4, Compression::None, &state(4)).unwrap();
    let first = Arc::new(first);
    let mut writer = LogWriter::new(
        Arc::clone(&first),
        LogSettings {
            size_limit: 0,
            pre_alloc_size: 1 << 20,
            force_sync: true,
        },
    );
    writer
        .write(Zxid(5), &mut batch(&[txn(5), txn(6)]))
        .unwrap();
    writer.sync().unwrap();
    let filler = writer.filler();
    std::thread::scope(|scope| {
        scope.spawn(|| filler.fill_ahead().unwrap());
        for zxid in 7..50 {
            writer.write(Zxid(zxid), &mut batch(&[txn(zxid)])).unwrap();
            writer.sync().unwrap();
        }
    });
    drop((writer, first));
    let folder = Folder::open_to_write(disk, &root, None).unwrap();
    let mut received = Received::default();
    let recovered = crate::store::recover(&folder, &OpenOptions::default(), &mut received).unwrap();
    assert_eq!((recovered.last_zxid, received.txns.len()), (Zxid(49), 45));
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_log_that_cannot_be_written_past_the_cache_is_written_through_it() {
    let calls_of = |refused: Option<usize>| {
        let disk = FaultyDisk::default();
        if let Some(call) = refused {
            disk.plan(call, Fault::Once(std::io::ErrorKind::InvalidInput));
        }
        let folder = Arc::new(folder(&disk).unwrap());
        let settings = LogSettings {
            pre_alloc_size: 64 << 10,
            size_limit: 0,
            force_sync: true,
        };
        let mut writer = LogWriter::new(folder, settings);
        for zxid in 1..8 {
            writer.write(Zxid(zxid), &mut batch(&[txn(zxid)])).unwrap();
            writer.sync().unwrap();
        }
        let lines = disk.call_lines();
        assert_eq!(read_log(&disk, &log_file(1)).unwrap().len(), 7);
        lines
    };
    let blocks = |lines: &[String]| {
        let is_block = |line: &&String| line.ends_with("at 0, 4096 bytes");
        lines.iter().filter(is_block).count()
    };
    let lines = calls_of(None);
    assert_eq!(
        blocks(&lines),
        7,
        "all entries are in the first block: {lines:?}"
    );
    // After the first refused call, no block is written.
    for (call, begun) in [("open directly", 0), ("read", 0), ("write", 1)] {
        let of_blocks = lines
            .iter()
            .position(|line| line.starts_with("open directly"));
        let of_blocks = of_blocks.unwrap();
        let later = lines[of_blocks..].iter();
        let at = later.clone().position(|line| line.starts_with(call));
        let lines = calls_of(Some(of_blocks + at.unwrap()));
        assert_eq!(blocks(&lines), begun, "{lines:?}");
    }
}

#[test]
fn a_disk_that_refuses_zeros_gets_no_more_before_the_next_log() {
    let disk = FaultyDisk::default();
    let folder = Arc::new(folder(&disk).unwrap());
    let settings = LogSettings {
        pre_alloc_size: 64,
        size_limit: 0,
        force_sync: true,
    };
    let mut writer = LogWriter::new(folder, settings);
    let filler = writer.filler();
    writer
        .write(Zxid(1), &mut batch(&[txn(1), txn(2)]))
        .unwrap();
    assert!(filler.is_due());
    disk.plan(disk.calls(), Fault::Once(std::io::ErrorKind::StorageFull));
    assert!(filler.fill_ahead().is_err());
    assert!(!filler.is_due());
    writer.write(Zxid(3), &mut batch(&[txn(3)])).unwrap();
    assert!(!filler.is_due());
    writer.roll();
    writer.write(Zxid(4), &mut batch(&[txn(4)])).unwrap();
    assert!(filler.is_due());
    filler.fill_ahead().unwrap();
}

#[test]
fn a_log_that_may_not_be_written_is_read_nevertheless() {
    let disk = FaultyDisk::default();
    let (acknowledged, result) = work(&disk, 2);
    result.unwrap();
    let begin = disk.calls();
    let open = || {
        let mut received = Received::default();
        crate::store::recover(&folder(&disk)?, &OpenOptions::default(), &mut received)
    };
    open().unwrap();
    let lines = disk.call_lines();
    let writes = |line: &String| line.starts_with("open to write");
    let at = lines.iter().skip(begin).position(writes);
    let at = at.expect("a log that was read is flushed");
    disk.plan(
        disk.calls() + at,
        Fault::Once(std::io::ErrorKind::PermissionDenied),
    );
    assert_eq!(open().unwrap().last_zxid, Zxid(acknowledged));
}

// As with forceSync=no.
#[test]
fn a_purge_retains_a_durable_snapshot() {
    for seed in 0..200 {
        let disk = FaultyDisk::default();
        put_snapshot(&folder(&disk).unwrap(), 0, Compression::None, &state(0)).unwrap();
        let opened = folder(&disk).unwrap();
        for zxid in 1..8 {
            let form = SnapshotForm {
                format: DataFormat::V3_9,
                compression: Compression::None,
                synced: false,
                last_zxid: true,
            };
            let received = state(zxid);
            write_snapshot(
                &opened,
                form,
                Zxid(zxid),
                Some(received.digest()),
                received.sessions.iter().copied(),
                received.znodes.iter().map(OwnedZnode::record),
            )
            .unwrap();
        }
        assert_eq!(opened.purge(3).unwrap().len(), 5);
        drop(opened);
        let found = disk.after_power_loss(Survival::Reordered(seed));
        let (recovered, received) =
            recover(&found, false).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(recovered.last_zxid, Zxid(7), "seed {seed}");
        assert_eq!(received.znodes, state(7).znodes, "seed {seed}");
    }
}
