//! A workload on a disk that fails, or loses its power, at every call.
//!
//! Every write that was acknowledged, or that a client saw, is there afterwards. No transaction is there in part, and
//! the sessions continue.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use super::{Client, EPHEMERAL, PERSISTENT};
use crate::keeper::{Input, Keeper, Rules, Snapshot};
use crate::net::connection;
use crate::net::connection::tests::{accepted, engine_begun};
use crate::net::engine::Engine;
use crate::persistence::{DataFolder, Storage};
use crate::protocol::{Timestamp, Zxid};
use crate::store::tests::{Fault, FaultyDisk, Survival};
use crate::store::{Disk, StorageError};

const SEQUENTIAL: i32 = 2;

/// State after each transaction of the workload without a fault.
type States = BTreeMap<Zxid, Snapshot>;

/// Outcome of a run.
struct Outcome {
    /// Last transaction that was acknowledged, or shown by a read.
    seen: Zxid,
    /// Whether the whole workload was done.
    finished: bool,
    failed: bool,
}

pub(super) fn storage() -> Storage {
    Storage {
        data_dir: Some("/data".into()),
        // So few that the log rolls and snapshots are written during the workload.
        snap_count: 8,
        // More than is written until the log rolls, so that no thread fills the log ahead.
        pre_alloc_size: 64 << 10,
        purge_interval: Duration::from_nanos(1),
        ..Storage::default()
    }
}

fn rules() -> Rules {
    Rules {
        digest: true,
        connection_keeps_session_alive: true,
        ..Rules::default()
    }
}

fn open(disk: &FaultyDisk, storage: &Storage) -> Result<DataFolder, StorageError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Ok(DataFolder::open(disk, storage, &rules())?.expect("there is a folder"))
}

/// Starts a server on a disk. Its clock stands still.
pub(super) fn start(disk: &FaultyDisk, storage: &Storage) -> Result<Arc<Engine>, StorageError> {
    let (state, appender, setup) = open(disk, storage)?.begin(storage)?;
    let started = Timestamp(1_000_000_000_000).max(state.now());
    let engine = engine_begun(started, Some(appender), |now| {
        Keeper::begin_with(rules(), state, now)
    });
    engine.begin_log(setup).expect("a thread starts");
    Ok(engine)
}

pub(super) fn connect(engine: &Arc<Engine>) -> Client {
    let id = accepted(engine);
    let (io, served) = tokio::io::duplex(1 << 16);
    tokio::spawn(connection::serve(Arc::clone(engine), id, served, None));
    Client { id, io, xid: 0 }
}

pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts")
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await })
        .expect("it ends in time")
}

/// Returns the zxid in a reply.
fn zxid_of(reply: &[u8]) -> Zxid {
    let bytes = reply[4..12].try_into().expect("a reply has a head");
    Zxid(i64::from_be_bytes(bytes))
}

/// Reply without a zxid.
const NO_ZXID: [u8; 12] = [0; 12];

/// Runs the workload: several sessions create, set, delete, watch, read, and end. Calls `note` after each step. If
/// `waits`, a step has at most one transaction.
async fn work(engine: &Arc<Engine>, waits: bool, mut note: impl FnMut(&Engine)) -> Outcome {
    let mut outcome = Outcome {
        seen: Zxid(0),
        finished: false,
        failed: false,
    };
    outcome.finished = steps(engine, waits, &mut outcome.seen, &mut note)
        .await
        .is_some();
    outcome
}

async fn steps(
    engine: &Arc<Engine>,
    waits: bool,
    seen: &mut Zxid,
    note: &mut impl FnMut(&Engine),
) -> Option<()> {
    let learn = &mut |reply: &[u8], engine: &Engine| {
        *seen = (*seen).max(zxid_of(reply));
        note(engine);
    };
    let mut writer = connect(engine);
    writer.ask_for_session().await;
    writer.reply().await?;
    learn(&NO_ZXID, engine);
    let mut other = connect(engine);
    other.ask_for_session().await;
    other.reply().await?;
    learn(&NO_ZXID, engine);
    for round in 0..3 {
        let path = format!("/a{round}");
        other.exists(&path, true).await;
        learn(&other.reply().await?, engine);
        writer.create(&path, PERSISTENT).await;
        learn(&writer.reply().await?, engine);
        // The event shows the write, and so does the reply.
        learn(&NO_ZXID, engine);
        assert_eq!(other.reply().await?[..4], [0xff; 4]);
        other.exists(&path, false).await;
        learn(&other.reply().await?, engine);
        writer.create(&format!("{path}/mine"), EPHEMERAL).await;
        learn(&writer.reply().await?, engine);
        other.create(&format!("{path}/n-"), SEQUENTIAL).await;
        learn(&other.reply().await?, engine);
        writer.set(&path, &[b'x'; 700]).await;
        learn(&writer.reply().await?, engine);
        // Refused, but it has a zxid all the same.
        other.create(&path, PERSISTENT).await;
        learn(&other.reply().await?, engine);
        writer.delete(&format!("{path}/mine")).await;
        learn(&writer.reply().await?, engine);
    }
    let mut third = connect(engine);
    third.ask_for_session().await;
    third.reply().await?;
    learn(&NO_ZXID, engine);
    third.create("/gone", EPHEMERAL).await;
    learn(&third.reply().await?, engine);
    other.create("/other", EPHEMERAL).await;
    learn(&other.reply().await?, engine);
    third.close().await;
    learn(&third.reply().await?, engine);
    writer.set("/a0", b"1").await;
    if waits {
        learn(&writer.reply().await?, engine);
        writer.set("/a1", b"2").await;
    } else {
        // Two transactions that may be in one batch.
        writer.set("/a1", b"2").await;
        learn(&writer.reply().await?, engine);
    }
    learn(&writer.reply().await?, engine);
    Some(())
}

/// Returns the state after each transaction of the workload.
fn states() -> States {
    let engine = engine_begun(Timestamp(1_000_000_000_000), None, |now| {
        Keeper::new(rules(), now)
    });
    let mut states = States::new();
    let log = |engine: &Engine, states: &mut States| {
        let state = engine.snapshot();
        states.insert(state.zxid(), state);
    };
    log(&engine, &mut states);
    let outcome = run(async { work(&engine, true, |engine| log(engine, &mut states)).await });
    assert!(outcome.finished);
    states
}

/// Opens a folder after a fault, and compares its state with the expected one.
fn check(disk: &FaultyDisk, outcome: &Outcome, states: &States, what: &str) {
    let opened = match open(disk, &storage()) {
        Ok(opened) => opened,
        Err(error) => panic!("{what}: it cannot be opened: {error}"),
    };
    let zxid = opened.state.zxid();
    assert!(
        zxid >= outcome.seen,
        "{what}: a client saw {}, but the folder ends at {zxid}",
        outcome.seen
    );
    let Some(expected) = states.get(&zxid) else {
        panic!("{what}: no transaction has the zxid {zxid}");
    };
    let (mut found, mut expected) = (opened.state, expected.clone());
    found.index();
    expected.index();
    assert!(
        found == expected,
        "{what}: the state differs from the one after {zxid}"
    );
}

/// Checks that clients can resume their sessions after a fault.
fn check_sessions(disk: &FaultyDisk, what: &str) {
    let Ok(engine) = start(disk, &storage()) else {
        panic!("{what}: it does not start again");
    };
    run(async {
        let sessions: Vec<_> = engine.with_keeper(|keeper| {
            let sorted = keeper.sessions().sorted().into_iter();
            sorted.map(|(id, _)| id).collect()
        });
        for session in sessions {
            let mut client = connect(&engine);
            client
                .resume(session.0, &crate::keeper::password(session))
                .await;
            let granted = client.reply().await.expect("it is answered");
            assert_ne!(granted[4..8], [0; 4], "{what}: {session} is not resumed");
        }
        let mut client = connect(&engine);
        client.ask_for_session().await;
        client.reply().await.expect("it is answered");
        client.create("/after", PERSISTENT).await;
        let created = client.reply().await.expect("it goes on");
        assert_eq!(created[12..16], [0; 4], "{what}");
    });
    engine.log().expect("there is one").end();
}

/// Ways in which the writes before a loss of power survive it. Those that draw have the call as their seed.
fn survivals(call: usize) -> [Survival; 4] {
    let seed = call as u64;
    [
        Survival::Nothing,
        Survival::Everything,
        Survival::Torn(seed),
        Survival::Reordered(seed),
    ]
}

/// Runs the workload on a disk with a fault at one call.
fn run_with(fault: Option<(usize, Fault)>) -> (FaultyDisk, Outcome) {
    let disk = FaultyDisk::default();
    if let Some((call, fault)) = fault {
        disk.plan(call, fault);
    }
    let Ok(engine) = start(&disk, &storage()) else {
        let outcome = Outcome {
            seen: Zxid(0),
            finished: false,
            failed: true,
        };
        return (disk, outcome);
    };
    let mut outcome = run(work(&engine, false, |_| {}));
    let log = Arc::clone(engine.log().expect("there is one"));
    log.end();
    outcome.failed = log.is_broken();
    assert!(outcome.finished || outcome.failed);
    (disk, outcome)
}

#[test]
fn a_loss_of_power_at_any_call_loses_nothing_that_was_seen() {
    let states = states();
    for call in 0.. {
        let (disk, outcome) = run_with(Some((call, Fault::PowerLoss)));
        for survival in survivals(call) {
            let what = format!("call {call}, {survival:?}");
            let found = disk.after_power_loss(survival);
            check(&found, &outcome, &states, &what);
            if call % 8 == 0 {
                check_sessions(&found, &what);
            }
        }
        if outcome.finished && !outcome.failed && call >= disk.calls() {
            assert!(call > 100, "there was more to do than {call} calls");
            return;
        }
    }
}

#[test]
fn a_refusal_of_any_call_loses_nothing_that_was_seen() {
    let states = states();
    for fault in [
        Fault::Once(ErrorKind::Other),
        Fault::FromThenOn(ErrorKind::StorageFull),
    ] {
        for call in 0.. {
            let (disk, outcome) = run_with(Some((call, fault)));
            let what = format!("call {call}, {fault:?}");
            for survival in [
                Survival::Nothing,
                Survival::Everything,
                Survival::Torn(call as u64),
            ] {
                let what = format!("{what}, {survival:?}");
                check(&disk.after_power_loss(survival), &outcome, &states, &what);
            }
            if outcome.finished && !outcome.failed && call >= disk.calls() {
                break;
            }
        }
    }
}

/// An expiry is durable although no connection caused it.
#[test]
fn a_session_that_expired_is_over_after_a_loss_of_power() {
    let disk = FaultyDisk::default();
    let engine = start(&disk, &storage()).expect("it starts");
    let session = run(async {
        let mut client = connect(&engine);
        client.ask_for_session().await;
        client.reply().await.expect("it is answered");
        client.create("/mine", EPHEMERAL).await;
        client.reply().await.expect("it is answered");
        engine.with_keeper(|keeper| keeper.sessions().sorted()[0].0)
    });
    engine.apply(Input::ExpireSession(session));
    assert!(engine.flush());
    disk.lose_power();
    let found = disk.after_power_loss(Survival::Nothing);
    let opened = open(&found, &storage()).expect("it can be opened");
    assert_eq!(opened.state.sessions().len(), 0);
    engine.log().expect("there is one").end();
}

/// Creates a znode in a session of its own; `None` if that is not acknowledged.
async fn create(engine: &Arc<Engine>, path: &str) -> Option<()> {
    let mut client = connect(engine);
    client.ask_for_session().await;
    client.reply().await?;
    client.create(path, PERSISTENT).await;
    client.reply().await.map(|_| ())
}

/// Restores a snapshot in which `/b` is missing. Adds each acknowledged step to `done`.
async fn restore_steps(engine: &Arc<Engine>, done: &mut Vec<&str>) -> Option<()> {
    create(engine, "/a").await?;
    done.push("/a");
    let snapshot = engine.snapshot();
    create(engine, "/b").await?;
    done.push("/b");
    engine.restore(snapshot).ok()?;
    done.push("restored");
    create(engine, "/c").await?;
    done.push("/c");
    Some(())
}

#[test]
fn a_loss_of_power_during_a_restore_leaves_a_former_state_or_the_restored_one() {
    // The folder has several logs.
    let storage = Storage {
        snap_count: 2,
        ..storage()
    };
    for call in 0.. {
        let disk = FaultyDisk::default();
        disk.plan(call, Fault::PowerLoss);
        let mut done = Vec::new();
        if let Ok(engine) = start(&disk, &storage) {
            run(restore_steps(&engine, &mut done));
            engine.log().expect("there is one").end();
        }
        let expected: &[&[&str]] = match done.last() {
            None => &[&[], &["/a"]],
            Some(&"/a") => &[&["/a"], &["/a", "/b"]],
            Some(&"/b") => &[&[], &["/a"], &["/a", "/b"]],
            Some(&"restored") => &[&["/a"], &["/a", "/c"]],
            Some(_) => &[&["/a", "/c"]],
        };
        for survival in survivals(call) {
            let what = format!("call {call}, {survival:?}, after {:?}", done.last());
            let found = disk.after_power_loss(survival);
            let opened = open(&found, &storage);
            let opened = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
            let tree = opened.state.tree();
            let paths = ["/a", "/b", "/c"].into_iter();
            let paths: Vec<_> = paths.filter(|path| tree.get(path).is_some()).collect();
            assert!(expected.contains(&&*paths), "{what}: {paths:?}");
        }
        if done.len() == 4 && call >= disk.calls() {
            assert!(call > 30, "there was more to do than {call} calls");
            return;
        }
    }
}
