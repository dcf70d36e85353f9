//! A workload, and every one of its calls to the disk failing, or the last before the power goes.

use super::*;

/// What a server does, at this layer: it opens, recovers, appends and syncs batches, rolls, writes snapshots, purges.
/// Gives the last transaction that it was told is on the disk.
fn work(disk: &FaultyDisk, rounds: usize) -> (i64, Result<(), StorageError>) {
    let mut acknowledged = 0;
    let result = (|| {
        let folder = Arc::new(folder(disk)?);
        let mut kept = Kept::default();
        let options = OpenOptions {
            trust_empty: true,
            ..OpenOptions::default()
        };
        let mut zxid = crate::store::recover(&folder, &options, &mut kept)?
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

/// A state that says after which transaction it is.
fn state(zxid: i64) -> Kept {
    Kept {
        znodes: vec![znode("/", &zxid.to_be_bytes())],
        ..Kept::default()
    }
}

/// What is found is the state after some transaction, and none that was acknowledged is missing. Gives its number.
#[track_caller]
fn check(disk: &FaultyDisk, acknowledged: i64, attempted: i64, what: &str) -> i64 {
    // It did not even come to be.
    if acknowledged == 0 && disk.all().is_empty() {
        return 0;
    }
    let (recovered, kept) = recover(disk, false)
        .unwrap_or_else(|error| panic!("{what}: {error}\n{}", disk.call_lines().join("\n")));
    let begin = kept.loaded.map_or(0, |zxid| zxid.0);
    if begin > 0 || kept.loaded.is_some() {
        assert_eq!(kept.znodes, state(begin).znodes, "{what}");
    }
    let last = recovered.last_zxid.0;
    let expected: Vec<_> = (begin + 1..=last).map(txn).collect();
    assert_eq!(kept.txns, expected, "{what}");
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

/// How many transactions the workload has.
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

/// How many calls the workload makes.
fn calls() -> usize {
    let disk = FaultyDisk::default();
    work(&disk, ROUNDS).1.unwrap();
    disk.calls()
}

#[test]
fn whatever_call_is_the_last_before_the_power_goes_nothing_acknowledged_is_lost() {
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
            // It opens to write, goes on, and loses power once more; and it opens again.
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
fn whatever_call_fails_nothing_acknowledged_is_lost() {
    use std::io::ErrorKind::{InvalidInput, Other, StorageFull};
    let all = all();
    for call in 0..calls() {
        for fault in [
            Fault::Once(Other),
            Fault::FromThenOn(StorageFull),
            // What cannot be written past the cache is written all the same.
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
            // The server has stopped; the disk is well again, and knows all that was written.
            let found = disk.after_power_loss(Survival::Everything);
            let last = check(&found, acknowledged, all, &what);
            let (more, result) = work(&found, 3);
            result.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(more, last + 6, "{what}");
            check(&found, more, more, &what);
            // Or the power went too.
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
fn the_newest_snapshots_and_their_logs_stay() {
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
    // Even the oldest of them, if it were the only one that can be read.
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
    let (recovered, kept) = recover(&disk, false).unwrap();
    assert_eq!(recovered.passed_over.len(), 2);
    assert_eq!(recovered.snapshot.as_ref(), Some(&snapshots[0].0));
    assert_eq!(kept.begun, 3);
    assert_eq!(recovered.last_zxid, Zxid(100));
}

#[test]
fn a_folder_without_a_snapshot_that_is_whole_is_refused() {
    let disk = FaultyDisk::default();
    disk.put(&log_file(1), &log_of(&[set(1, 1)]));
    let open = || Folder::open(Arc::new(disk.clone()), &data_dir(), None).unwrap();
    let recover = || crate::store::recover(&open(), &OpenOptions::default(), &mut Kept::default());
    let text = recover().unwrap_err().to_string();
    assert!(
        text.starts_with("/data/version-2: there are transaction logs but no snapshot"),
        "{text}"
    );
    // One that is not even finished is none.
    disk.put(&snapshot_file(1), b"ZKSN and no more");
    let text = recover().unwrap_err().to_string();
    assert!(
        text.starts_with("/data/version-2: there are transaction logs but no snapshot"),
        "{text}"
    );
    // One that seems to be whole and is not stops a real server, trusted or not.
    disk.put(&snapshot_file(1), b"ZKSN and no more\0\0\0\x01/");
    let text = recover().unwrap_err().to_string();
    assert!(text.starts_with("/data/version-2: none of the 1 snapshots is valid; restore one from a backup; the newest: /data/version-2/snapshot.1: damaged"), "{text}");
}

#[test]
fn a_folder_is_one_servers_alone() {
    let disk = FaultyDisk::default();
    let first = folder(&disk).unwrap();
    let text = folder(&disk).unwrap_err().to_string();
    assert_eq!(
        text,
        "/data: in use by another server; stop that server, or choose another folder"
    );
    // To read is free.
    Folder::open(Arc::new(disk.clone()), &data_dir(), None).unwrap();
    drop(first);
    folder(&disk).unwrap();
}

#[test]
fn the_machines_own_disk_does_what_is_promised() {
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
    let mut kept = Kept::default();
    let recovered = crate::store::recover(&folder, &OpenOptions::default(), &mut kept).unwrap();
    assert_eq!((recovered.last_zxid, kept.txns.len()), (Zxid(49), 45));
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_log_that_cannot_be_written_past_the_cache_is_written_into_it() {
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
    assert_eq!(blocks(&lines), 7, "all of it is in the first: {lines:?}");
    // With the first that is refused it is over.
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
fn a_disk_that_takes_no_more_zeros_is_asked_again_with_the_next_log() {
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
fn an_old_log_that_nobody_may_write_to_is_read_nevertheless() {
    let disk = FaultyDisk::default();
    let (acknowledged, result) = work(&disk, 2);
    result.unwrap();
    let begin = disk.calls();
    let open = || {
        let mut kept = Kept::default();
        crate::store::recover(&folder(&disk)?, &OpenOptions::default(), &mut kept)
    };
    open().unwrap();
    let lines = disk.call_lines();
    let writes = |line: &String| line.starts_with("open to write");
    let at = lines.iter().skip(begin).position(writes);
    let at = at.expect("what is read is synced");
    disk.plan(
        disk.calls() + at,
        Fault::Once(std::io::ErrorKind::PermissionDenied),
    );
    assert_eq!(open().unwrap().last_zxid, Zxid(acknowledged));
}

// As with forceSync=no.
#[test]
fn a_purge_leaves_something_that_outlasts_a_loss_of_power() {
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
            let kept = state(zxid);
            write_snapshot(
                &opened,
                form,
                Zxid(zxid),
                Some(kept.digest()),
                kept.sessions.iter().copied(),
                kept.znodes.iter().map(KeptZnode::record),
            )
            .unwrap();
        }
        assert_eq!(opened.purge(3).unwrap().len(), 5);
        drop(opened);
        let found = disk.after_power_loss(Survival::Reordered(seed));
        let (recovered, kept) =
            recover(&found, false).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(recovered.last_zxid, Zxid(7), "seed {seed}");
        assert_eq!(kept.znodes, state(7).znodes, "seed {seed}");
    }
}
