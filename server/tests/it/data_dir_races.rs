//! Threads that write to, restart, copy and export a server with a folder at once: no acknowledged write is lost, and
//! no client waits forever.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use minikeeper::{Server, folder::Storage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::client::{
    DEADLINE, Granted, connect_request, grant, message, request, set, with_deadline,
};
use crate::data_dir::Folder;

/// Client whose connection is closed now and then, and that reconnects.
struct Writer {
    path: String,
    granted: Option<Granted>,
    /// Last number that was acknowledged, and last number that was sent.
    known: (u64, u64),
}

/// Number of writes that were acknowledged to clients.
#[derive(Default)]
struct Progress {
    acknowledged: Mutex<u64>,
    more: Condvar,
}

impl Progress {
    fn add(&self, writes: u64) {
        *self.acknowledged.lock().expect("it is sound") += writes;
        self.more.notify_all();
    }

    /// Waits until this number of further writes is acknowledged.
    fn wait_for(&self, writes: u64) {
        let acknowledged = self.acknowledged.lock().expect("it is sound");
        let until = *acknowledged + writes;
        let waited = self
            .more
            .wait_timeout_while(acknowledged, DEADLINE, |acknowledged| *acknowledged < until);
        assert!(
            !waited.expect("it is sound").1.timed_out(),
            "no write is acknowledged"
        );
    }
}

/// Operation on the socket; `None` if the connection has ended. A timeout fails the test.
fn unless_over<T>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the server does not answer")
        }
        Err(_) => None,
    }
}

fn answer(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    unless_over(socket.read_exact(&mut length))?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    unless_over(socket.read_exact(&mut frame))?;
    Some(frame)
}

impl Writer {
    /// Writes for the duration of one connection, several requests at a time.
    fn write(&mut self, server: &Server, progress: &Progress, ending: &AtomicBool) -> Option<()> {
        let mut socket = TcpStream::connect(server.addr()).ok()?;
        with_deadline(&socket);
        let timeout = Duration::from_secs(40);
        let asked = connect_request(timeout, self.granted.as_ref());
        unless_over(socket.write_all(&asked))?;
        self.granted = grant(&answer(&mut socket)?);
        self.granted.as_ref()?;
        let mut xid = 0;
        while !ending.load(Ordering::Relaxed) {
            let several = 4;
            for _ in 0..several {
                xid += 1;
                self.known.1 += 1;
                let body = set(&self.path, self.known.1.to_string().as_bytes());
                unless_over(socket.write_all(&request(xid, 5, &body)))?;
            }
            for remaining in (0..several).rev() {
                let reply = answer(&mut socket)?;
                assert_eq!(message(&reply).expect_err("no event").error, 0);
                self.known.0 = self.known.1 - remaining;
            }
            progress.add(several);
        }
        Some(())
    }
}

fn number(server: &Server, path: &str) -> u64 {
    let data = server.data(path).expect("it is there");
    let text = String::from_utf8(data).expect("it is a number");
    text.parse().expect("it is a number")
}

fn race(force_sync: bool, drops: bool) {
    const WRITERS: usize = 3;
    let folder = Folder::new();
    let mut storage = Storage::default();
    storage.force_sync = force_sync;
    storage.snap_count = 300;
    storage.purge_interval = Duration::from_nanos(1);
    let builder = Server::builder().storage(storage.clone());
    let server = builder.data_dir(&folder.0).start();
    let server = server.expect("a server starts");
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|writer| {
            let path = format!("/{writer}");
            server.create(&path, b"0").expect("it is created");
            Writer {
                path,
                granted: None,
                known: (0, 0),
            }
        })
        .collect();
    server.create("/hand", b"0").expect("it is created");
    let ending = AtomicBool::new(false);
    let progress = Progress::default();
    let (mut last_by_hand, ending, progress) = (0, &ending, &progress);
    thread::scope(|scope| {
        for writer in &mut writers {
            let server = server.clone();
            scope.spawn(move || {
                while !ending.load(Ordering::Relaxed) {
                    let _ended: Option<()> = writer.write(&server, progress, ending);
                    thread::yield_now();
                }
            });
        }
        let hand = scope.spawn({
            let server = server.clone();
            move || {
                let mut last = 0;
                while !ending.load(Ordering::Relaxed) {
                    last += 1;
                    let set = server.set("/hand", last.to_string().as_bytes());
                    set.expect("it is set");
                }
                last
            }
        });
        let copying = scope.spawn({
            let server = server.clone();
            move || {
                for _ in 0..10 {
                    let export = Folder::new();
                    server.export(&export.0).expect("it is written");
                    let before = server.snapshot();
                    assert!(before.zxid() <= server.snapshot().zxid());
                    let copy = Server::open_copy(&export.0).expect("it is whole");
                    assert!(number(&copy, "/hand") <= number(&server, "/hand"));
                }
            }
        });
        let restarting = scope.spawn({
            let server = server.clone();
            move || {
                for _ in 0..10 {
                    progress.wait_for(20);
                    server.restart().expect("it starts");
                    progress.wait_for(20);
                    server.stop();
                    server.set("/stopped", b"").expect_err("it is not there");
                    server.start_again().expect("it starts");
                }
            }
        });
        let stopping = scope.spawn({
            let server = server.clone();
            move || {
                for _ in 0..10 {
                    progress.wait_for(40);
                    server.stop();
                    server.start_again().expect("it starts");
                }
            }
        });
        for thread in [copying, restarting, stopping] {
            thread.join().expect("it does not panic");
        }
        if drops {
            // The connections of the writers are closed in the middle.
            server.stop();
        }
        ending.store(true, Ordering::Relaxed);
        last_by_hand = hand.join().expect("it does not panic");
    });
    let before = server.snapshot();
    drop(server);

    let builder = Server::builder().storage(storage);
    let server = builder.data_dir(&folder.0).start();
    let server = server.expect("the folder is free, and whole");
    assert_eq!(server.snapshot(), before);
    assert_eq!(number(&server, "/hand"), last_by_hand);
    for writer in writers {
        let (acknowledged, asked) = writer.known;
        let found = number(&server, &writer.path);
        assert!(
            (acknowledged..=asked).contains(&found),
            "{acknowledged}..={asked}: {found}"
        );
        assert!(acknowledged > 0);
    }
}

#[test]
fn no_write_is_lost_during_restarts_and_copies_with_a_flush() {
    race(true, false);
}

#[test]
fn no_write_is_lost_during_restarts_and_copies_without_a_flush() {
    race(false, false);
}

#[test]
fn no_write_is_lost_during_disconnects_with_a_flush() {
    race(true, true);
}

#[test]
fn no_write_is_lost_during_disconnects_without_a_flush() {
    race(false, true);
}

/// Writes over a stream that the runtime of the test serves, until the stream ends. Returns the last number that was
/// acknowledged, and the last that was sent.
async fn write_until_it_ends(
    mut io: DuplexStream,
    path: String,
    progress: &Progress,
) -> (u64, u64) {
    async fn answer(io: &mut DuplexStream) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        io.read_exact(&mut length).await.ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        io.read_exact(&mut frame).await.ok()?;
        Some(frame)
    }
    let (mut acknowledged, mut asked) = (0, 0);
    let writing = async {
        let timeout = Duration::from_secs(40);
        io.write_all(&connect_request(timeout, None)).await.ok()?;
        grant(&answer(&mut io).await?)?;
        for xid in 1.. {
            asked += 1;
            let body = set(&path, asked.to_string().as_bytes());
            io.write_all(&request(xid, 5, &body)).await.ok()?;
            let reply = answer(&mut io).await?;
            assert_eq!(message(&reply).expect_err("no event").error, 0);
            acknowledged = asked;
            progress.add(1);
        }
        Some(())
    };
    let ended = tokio::time::timeout(DEADLINE, writing).await;
    assert_eq!(ended, Ok(None), "the connection ends");
    (acknowledged, asked)
}

/// Connections on the runtime of the test write while the server restarts, and when its last handle is dropped.
fn race_on_runtime(force_sync: bool, listener: bool) {
    let folder = Folder::new();
    let start = || {
        let mut storage = Storage::default();
        storage.force_sync = force_sync;
        storage.snap_count = 100;
        let mut builder = Server::builder().storage(storage).data_dir(&folder.0);
        if !listener {
            builder = builder.without_listener();
        }
        builder.start().expect("a server starts")
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let paths: Vec<String> = (0..4).map(|number| format!("/{number}")).collect();
    let progress = Arc::new(Progress::default());
    let mut before = None;
    for round in 0..12 {
        let server = start();
        if let Some(before) = before.take() {
            assert_eq!(server.snapshot(), before);
        }
        let writers: Vec<_> = paths
            .iter()
            .map(|path| {
                if round == 0 {
                    server.create(path, b"0").expect("it is created");
                }
                let (client, io) = tokio::io::duplex(1 << 12);
                runtime.spawn(server.serve(io));
                let (path, progress) = (path.clone(), Arc::clone(&progress));
                runtime.spawn(async move { write_until_it_ends(client, path, &progress).await })
            })
            .collect();
        progress.wait_for(50);
        let server = match round % 3 {
            0 => {
                server.restart().expect("it starts");
                Some(server)
            }
            1 => {
                server.stop();
                Some(server)
            }
            _ => {
                drop(server);
                None
            }
        };
        let written: Vec<(u64, u64)> = writers
            .into_iter()
            .map(|writer| runtime.block_on(writer).expect("it does not panic"))
            .collect();
        let server = server.unwrap_or_else(start);
        for (path, (acknowledged, asked)) in paths.iter().zip(written) {
            let found = number(&server, path);
            assert!(
                (acknowledged..=asked).contains(&found),
                "{acknowledged}..={asked}: {found}"
            );
            server.set(path, b"0").expect("it is set");
        }
        before = Some(server.snapshot());
    }
}

#[test]
fn a_stream_on_another_runtime_is_answered_or_ends_with_a_flush() {
    race_on_runtime(true, true);
    race_on_runtime(true, false);
}

#[test]
fn a_stream_on_another_runtime_is_answered_or_ends_without_a_flush() {
    race_on_runtime(false, true);
    race_on_runtime(false, false);
}

#[test]
fn servers_with_folders_free_all_threads_and_files() {
    if !cfg!(target_os = "linux")
        || !crate::alone::is_alone(
            "data_dir_races::servers_with_folders_free_all_threads_and_files",
        )
    {
        return;
    }
    let count = |folder| std::fs::read_dir(folder).expect("Linux has it").count();
    let counts = || (count("/proc/self/task"), count("/proc/self/fd"));
    let (_, before) = (race(true, true), counts());
    for force_sync in [true, false] {
        race(force_sync, true);
        race_on_runtime(force_sync, true);
        let folder = Folder::new();
        let server = folder.start();
        assert!(Server::builder().data_dir(&folder.0).start().is_err());
        std::fs::remove_dir_all(&folder.0).expect("it is there");
        assert!(server.create("/a", b"").is_err());
        assert!(server.restart().is_err());
    }
    assert_eq!(counts(), before);
}
