//! What is left to whoever looks after the log.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::crash::{connect, run, start, storage};
use super::{Client, HOUR, PERSISTENT, settle};
use crate::net::engine::Engine;
use crate::persistence::Storage;
use crate::store::tests::FaultyDisk;

/// A server that leaves it to the operating system when the disk has something.
fn engine(disk: &FaultyDisk) -> Arc<Engine> {
    let storage = Storage {
        force_sync: false,
        snap_count: u32::MAX,
        // Nobody else has anything to do with the disk meanwhile.
        purge_interval: Duration::ZERO,
        ..storage()
    };
    start(disk, &storage).expect("it starts")
}

async fn connected(engine: &Arc<Engine>) -> Client {
    let mut client = connect(engine);
    client.ask_for_session().await;
    client.answer().await.expect("it is answered");
    client
}

fn end(engine: &Engine) {
    engine.log().expect("there is one").end();
}

#[test]
fn connections_that_are_ready_together_are_answered_after_one_write() {
    let disk = FaultyDisk::default();
    let engine = engine(&disk);
    run(async {
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(connected(&engine).await);
        }
        let log = engine.log().expect("there is one");
        let writing = tokio::spawn(log.run_flusher());
        tokio::task::yield_now().await;
        let before = disk.calls();
        for (number, client) in clients.iter_mut().enumerate() {
            client.create(&format!("/{number}"), PERSISTENT).await;
        }
        for client in &mut clients {
            client.answer().await.expect("it is answered");
        }
        // One; and some more if the log's own thread, which begins by looking, has only just begun.
        let writes = disk.calls() - before;
        assert!(writes < clients.len(), "{:?}", disk.call_lines());
        writing.abort();
    });
    end(&engine);
}

#[test]
fn what_was_left_to_somebody_who_goes_is_written() {
    let disk = FaultyDisk::default();
    let engine = engine(&disk);
    run(async {
        let mut client = connected(&engine).await;
        let log = engine.log().expect("there is one");
        {
            let mut writing = pin!(log.run_flusher());
            // Whoever is woken never comes.
            let _pending = writing
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            client.create("/left", PERSISTENT).await;
            tokio::task::yield_now().await;
            assert!(log.wake_flusher());
            assert!(engine.look(|keeper| keeper.tree().get("/left").is_some()));
        }
        client.answer().await.expect("it is answered");
        // And whoever comes later does it again.
        client.create("/later", PERSISTENT).await;
        client.answer().await.expect("it is answered");
    });
    end(&engine);
}

#[test]
fn while_somebody_looks_it_is_he_who_tells_what_is_flushed() {
    super::run(async |world| {
        let mut client = world.connected().await;
        let mut lookout = pin!(world.log.run_flusher_for(HOUR, HOUR));
        let mut look = || {
            let _pending = lookout
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        };
        client.create("/a", PERSISTENT).await;
        settle().await;
        look();
        world.flush();
        assert_eq!(client.frames().await, 0);
        look();
        assert_eq!(client.frames().await, 1);
    });
}

#[test]
fn while_nobody_does_it_is_whoever_flushes() {
    super::run(async |world| {
        let mut client = world.connected().await;
        let looking = tokio::spawn(world.log.run_flusher_for(Duration::ZERO, Duration::ZERO));
        for path in ["/a", "/b"] {
            client.create(path, PERSISTENT).await;
            settle().await;
            world.flush();
            assert_eq!(client.frames().await, 1);
        }
        looking.abort();
    });
}

#[test]
fn who_goes_while_he_looks_tells_what_he_has_not_told() {
    super::run(async |world| {
        let mut client = world.connected().await;
        {
            let mut lookout = pin!(world.log.run_flusher_for(HOUR, HOUR));
            client.create("/a", PERSISTENT).await;
            settle().await;
            let _pending = lookout
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            world.flush();
            assert_eq!(client.frames().await, 0);
        }
        assert_eq!(client.frames().await, 1);
    });
}
