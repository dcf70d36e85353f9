//! Threads that write, restart, copy and export a server with a folder at once: nothing that was acknowledged is lost, nobody waits
//! in vain.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use minikeeper::{Server, Storage};

use crate::client::{
    DEADLINE, Granted, connect_request, grant, message, request, set, with_deadline,
};
use crate::data_dir::Folder;

/// A client that is cut off now and then, and comes back.
struct Writer {
    path: String,
    granted: Option<Granted>,
    /// The last number that was acknowledged, and the last that was asked for.
    known: (u64, u64),
}

/// How much was acknowledged to clients.
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

    /// Waits until so much more was.
    fn wait_for(&self, writes: u64) {
        let acknowledged = self.acknowledged.lock().expect("it is sound");
        let until = *acknowledged + writes;
        let waited = self
            .more
            .wait_timeout_while(acknowledged, DEADLINE, |acknowledged| *acknowledged < until);
        assert!(
            !waited.expect("it is sound").1.timed_out(),
            "nobody is answered"
        );
    }
}

/// An operation on the socket; `None` if the connection has ended, and never that nothing comes.
fn unless_over<T>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("nobody answers")
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
    /// One connection's worth of writes, as long as it is there; some at a time, as clients do.
    fn write(&mut self, server: &Server, progress: &Progress, ending: &AtomicBool) -> Option<()> {
        let mut socket = TcpStream::connect(server.addr()).ok()?;
        with_deadline(&socket);
        let timeout = std::time::Duration::from_secs(40);
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
            for left in (0..several).rev() {
                let reply = answer(&mut socket)?;
                assert_eq!(message(&reply).expect_err("no event").error, 0);
                self.known.0 = self.known.1 - left;
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
    storage.purge_interval = std::time::Duration::from_nanos(1);
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
            // Whoever writes is cut off in the middle.
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
        let kept = number(&server, &writer.path);
        assert!(
            (acknowledged..=asked).contains(&kept),
            "{acknowledged}..={asked}: {kept}"
        );
        assert!(acknowledged > 0);
    }
}

#[test]
fn whoever_writes_restarts_and_copies_at_once_loses_nothing_with_a_flush() {
    race(true, false);
}

#[test]
fn whoever_writes_restarts_and_copies_at_once_loses_nothing_without_one() {
    race(false, false);
}

#[test]
fn whoever_is_cut_off_while_he_writes_loses_nothing_with_a_flush() {
    race(true, true);
}

#[test]
fn whoever_is_cut_off_while_he_writes_loses_nothing_without_one() {
    race(false, true);
}
