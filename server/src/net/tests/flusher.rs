//! The flusher of the log.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::crash::{connect, run, start, storage};
use super::{Client, HOUR, PERSISTENT, settle};
use crate::net::engine::Engine;
use crate::persistence::Storage;
use crate::store::tests::FaultyDisk;

/// Server with `forceSync=no`.
fn engine(disk: &FaultyDisk) -> Arc<Engine> {
    let storage = Storage {
        force_sync: false,
        snap_count: u32::MAX,
        // No other thread uses the disk meanwhile.
        purge_interval: Duration::ZERO,
        ..storage()
    };
    start(disk, &storage).expect("it starts")
}

async fn connected(engine: &Arc<Engine>) -> Client {
    let mut client = connect(engine);
    client.ask_for_session().await;
    client.reply().await.expect("it is answered");
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
            client.reply().await.expect("it is answered");
        }
        // One write; and some more if the log writer's thread, which first looks for work, has only just started.
        let writes = disk.calls() - before;
        assert!(writes < clients.len(), "{:?}", disk.call_lines());
        writing.abort();
    });
    end(&engine);
}

#[test]
fn transactions_of_a_dropped_flusher_are_written() {
    let disk = FaultyDisk::default();
    let engine = engine(&disk);
    run(async {
        let mut client = connected(&engine).await;
        let log = engine.log().expect("there is one");
        {
            let mut writing = pin!(log.run_flusher());
            // The flusher is woken, and never polled again.
            let _pending = writing
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            client.create("/pending", PERSISTENT).await;
            tokio::task::yield_now().await;
            assert!(log.wake_flusher());
            assert!(engine.with_keeper(|keeper| keeper.tree().get("/pending").is_some()));
        }
        client.reply().await.expect("it is answered");
        // Without a flusher, the connections write.
        client.create("/later", PERSISTENT).await;
        client.reply().await.expect("it is answered");
    });
    end(&engine);
}

#[test]
fn a_spinning_flusher_wakes_the_connections() {
    super::run(async |world| {
        let mut client = world.connected().await;
        let mut flusher = pin!(world.log.run_flusher_for(HOUR, HOUR));
        let mut poll = || {
            let _pending = flusher
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        };
        client.create("/a", PERSISTENT).await;
        settle().await;
        poll();
        world.flush();
        assert_eq!(client.frames().await, 0);
        poll();
        assert_eq!(client.frames().await, 1);
    });
}

#[test]
fn a_sleeping_flusher_lets_the_writer_wake_the_connections() {
    super::run(async |world| {
        let mut client = world.connected().await;
        let sleeping = tokio::spawn(world.log.run_flusher_for(Duration::ZERO, Duration::ZERO));
        for path in ["/a", "/b"] {
            client.create(path, PERSISTENT).await;
            settle().await;
            world.flush();
            assert_eq!(client.frames().await, 1);
        }
        sleeping.abort();
    });
}

#[test]
fn a_flusher_that_is_dropped_while_it_spins_wakes_the_connections() {
    super::run(async |world| {
        let mut client = world.connected().await;
        {
            let mut flusher = pin!(world.log.run_flusher_for(HOUR, HOUR));
            client.create("/a", PERSISTENT).await;
            settle().await;
            let _pending = flusher
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            world.flush();
            assert_eq!(client.frames().await, 0);
        }
        assert_eq!(client.frames().await, 1);
    });
}
