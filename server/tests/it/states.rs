//! Waits for a state: woken by every change, and by nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use minikeeper::{Matcher, Server, journal::WaitFor};

use crate::client::{Client, PERSISTENT};

/// Waker that counts its wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<T>(wait: &mut WaitFor<T>, woken: &Arc<Woken>) -> bool {
    let waker = Waker::from(Arc::clone(woken));
    let mut context = Context::from_waker(&waker);
    std::pin::Pin::new(wait).poll(&mut context).is_ready()
}

#[test]
fn a_wait_for_a_state_is_woken_by_a_change_and_by_no_read() {
    let server = Server::builder().manual_clock().start().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let mut wait = server.wait_until(move |server| {
        counts.fetch_add(1, Ordering::SeqCst);
        // All views that a test can read.
        let _ = (
            server.data("/a"),
            server.znode("/a"),
            server.children("/"),
            server.tree(),
        );
        let _ = (
            server.sessions(),
            server.watches(),
            server.connections(),
            server.journal(),
        );
        server.data("/done").is_some()
    });
    let woken = Arc::new(Woken::default());
    assert!(!poll(&mut wait, &woken));
    let _ = (server.data("/a"), server.dump(), server.snapshot());
    assert_eq!(woken.0.load(Ordering::SeqCst), 0, "nothing has changed");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    server.create("/a", b"").unwrap();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(!poll(&mut wait, &woken));
    server.advance(Duration::from_secs(1));
    assert_eq!(woken.0.load(Ordering::SeqCst), 2, "the clock is part of it");
    assert!(!poll(&mut wait, &woken));
    server.create("/done", b"").unwrap();
    assert!(poll(&mut wait, &woken));
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[test]
fn a_change_during_the_check_of_a_state_counts() {
    let server = Server::start().unwrap();
    let another = server.clone();
    let mut first = true;
    let wait = server.wait_until(move |server| {
        let is_there = server.znode("/a").is_some();
        if std::mem::take(&mut first) {
            another.create("/a", b"").unwrap();
        }
        is_there
    });
    wait.blocking().unwrap();
}

#[test]
fn clients_cause_every_state_that_a_wait_can_wait_for() {
    let server = Server::start().unwrap();
    let worker = server.labelled("worker").unwrap();
    std::thread::scope(|scope| {
        let session = server.wait_for_session("worker");
        let watched = server.wait_for_watch("/a", 1);
        let data = server.wait_for_data("/b", "2");
        let gone = server.wait_for_no_znode("/b");
        let disconnected = server.wait_until(|server| server.connections().is_empty());
        let client = scope.spawn(move || {
            let mut client = Client::connect(worker.addr());
            client.exists("/a", true);
            client.create("/b", b"1", PERSISTENT);
            client.set("/b", b"2");
            client
        });
        let session = session.blocking().unwrap();
        assert_eq!(watched.blocking().unwrap()[0].session, session.id);
        assert_eq!(data.blocking().unwrap().stat.version, 1);
        server.delete("/b").unwrap();
        gone.blocking().unwrap();
        drop(client.join().unwrap());
        disconnected.blocking().unwrap();
    });
    let hold = Arc::new(server.hold(Matcher::watch_event()));
    let asked = Arc::clone(&hold);
    let mut client = Client::connect(server.addr());
    client.exists("/a", true);
    let held = server.wait_until(move |_| !asked.held().is_empty());
    server.create("/a", b"").unwrap();
    held.blocking().unwrap();
    hold.release_all();
    let stopped = server.wait_until(|server| !server.is_running());
    server.stop();
    stopped.blocking().unwrap();
}

#[test]
fn a_wait_for_a_state_that_times_out_shows_the_present_state() {
    let server = Server::start().unwrap();
    server.create_all("/app/config", b"v1").unwrap();
    let short = Duration::from_millis(5);
    let text = |wait: Result<(), minikeeper::journal::TimedOut>| wait.unwrap_err().to_string();
    let data = text(
        server
            .wait_for_data("/app/config", "v2")
            .within(short)
            .blocking()
            .map(drop),
    );
    assert!(
        data.starts_with(
            "timed out after 5ms waiting for the znode /app/config to hold \"v2\"\n/app/config holds \"v1\"\n"
        ),
        "{data}"
    );
    let znode = text(
        server
            .wait_for_znode("/app/conf")
            .within(short)
            .blocking()
            .map(drop),
    );
    assert!(
        znode.contains("\n/app/conf does not exist; /app has config\n"),
        "{znode}"
    );
    // Awaited: another thread measures the time, and the state changes all the time.
    let asked = server.clone();
    let busy = server.wait_until(move |_| {
        asked.set("/app/config", b"").unwrap();
        false
    });
    assert!(pollster::block_on(busy.within(short)).is_err());
    let asked = server.clone();
    let busy = server.wait_until(move |_| {
        asked.set("/app/config", b"").unwrap();
        false
    });
    assert!(busy.within(short).blocking().is_err());
}

#[test]
fn the_end_of_the_server_ends_a_wait_for_a_state() {
    let server = Server::start().unwrap();
    let wait = server.wait_for_znode("/a");
    drop(server);
    let error = wait.blocking().unwrap_err().to_string();
    assert!(error.contains("the server is gone"), "{error}");
}
