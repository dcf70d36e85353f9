//! Every wait ends at its deadline, in every state of the server.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use minikeeper::{
    Fault, Hold, Matcher, Op, Server,
    fault::FaultGuard,
    journal::{Mark, TimedOut},
    matcher::EventKind,
};

use crate::client::{Client, DEADLINE};

/// Time of every wait: short, since each wait times out.
const SHORT: Duration = Duration::from_millis(5);

/// Server in some state, with the condition that is waited for.
struct Waited {
    server: Server,
    hold: Hold,
    fault: FaultGuard,
    /// Client that makes `wait_for_no_leaks` wait.
    _client: Option<Client>,
}

type Wait = Pin<Box<dyn Future<Output = Result<(), TimedOut>> + Send>>;

fn start(without_listener: bool, manual: bool) -> Server {
    let mut builder = Server::builder();
    if without_listener {
        builder = builder.without_listener();
    }
    if manual {
        builder = builder.manual_clock();
    }
    builder.start().expect("a server starts")
}

impl Waited {
    fn on(server: Server) -> Self {
        let listens = server.config().listener;
        Self {
            _client: listens.then(|| Client::connect(server.addr())),
            hold: server.hold(Matcher::watch_event()),
            fault: server
                .fault("never")
                .optional()
                .on(Op::Delete)
                .then(Fault::LoseReply),
            server,
        }
    }

    /// All kinds of waits, created now and not awaited yet.
    fn waits(&self) -> Vec<(&'static str, Wait, Blocking)> {
        fn pair<T: Send + 'static>(
            name: &'static str,
            wait: impl Fn() -> minikeeper::journal::WaitFor<T>,
        ) -> (&'static str, Wait, Blocking) {
            let (awaited, blocking) = (wait().within(SHORT), wait().within(SHORT));
            (
                name,
                Box::pin(async move { awaited.into_future().await.map(|_| ()) }),
                Box::new(move || blocking.blocking().map(|_| ())),
            )
        }
        let Self {
            server,
            hold,
            fault,
            ..
        } = self;
        let event = || server.wait_for(Matcher::watch_event().path("/never"));
        let steps = [
            Matcher::watch_event(),
            Matcher::of(EventKind::SessionExpired),
        ];
        let mut waits = vec![
            pair("wait_for", event),
            pair("nth", || event().nth(2)),
            pair("since", || event().since(Mark::BEGINNING)),
            pair("wait_for_sequence", || {
                server.wait_for_sequence(steps.clone())
            }),
            pair("hold.wait_for", || hold.wait_for(1)),
            pair("happened", || fault.happened()),
            pair("happened_times", || fault.happened_times(1)),
            pair("wait_until", || server.wait_until(|_| false)),
            pair("wait_for_watch", || server.wait_for_watch("/never", 1)),
        ];
        if self._client.is_some() {
            waits.push(pair("wait_for_no_leaks", || server.wait_for_no_leaks()));
        }
        waits
    }
}

type Blocking = Box<dyn FnOnce() -> Result<(), TimedOut> + Send>;
type BlockOn = fn(Wait) -> Result<(), TimedOut>;

/// Runs a closure on a thread of its own, and fails the test if the thread does not end.
fn ends<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = run();
        let _ = done.send(());
        result
    });
    let ended = ended.recv_timeout(DEADLINE);
    if ended == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("{what} outlives its deadline");
    }
    thread.join().expect("it does not panic")
}

/// Awaits and blocks on every wait, on every kind of executor.
fn all_end(state: &str, waited: &Waited, change: impl Fn()) {
    let executors: [(&str, BlockOn); 4] = [
        ("no runtime", pollster::block_on),
        ("a current-thread runtime", |wait| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.build().expect("it starts").block_on(wait)
        }),
        ("a multi-thread runtime", |wait| {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(1).enable_all().build();
            runtime.expect("it starts").block_on(wait)
        }),
        ("a runtime whose time is paused", |wait| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().start_paused(true).build();
            runtime.expect("it starts").block_on(wait)
        }),
    ];
    for (executor, block_on) in executors {
        let waits = waited.waits();
        change();
        for (name, wait, blocking) in waits {
            let what = format!("{name} on {executor}, {state}");
            let outcome = ends(&what, move || block_on(wait));
            assert!(outcome.is_err(), "{what}: it never happens");
            let what = format!("{name}, blocking, {state}");
            let outcome = ends(&what, blocking);
            assert!(outcome.is_err(), "{what}: it never happens");
        }
    }
}

#[test]
fn no_wait_outlives_its_deadline_in_any_state_of_the_server() {
    for without_listener in [false, true] {
        for manual in [false, true] {
            let state = format!("listener {}, manual {manual}", !without_listener);
            let waited = Waited::on(start(without_listener, manual));
            all_end(&format!("{state}, running"), &waited, || {});
            let server = waited.server.clone();
            // Also waits that were created before the server stopped.
            all_end(&format!("{state}, stopping"), &waited, || server.stop());
        }
    }
}

#[test]
fn a_wait_that_is_awaited_after_the_server_is_gone_ends_at_once() {
    let Waited {
        server,
        hold,
        fault,
        _client,
    } = Waited::on(start(false, false));
    let long = Duration::from_secs(3600);
    let awaited = server.wait_for(Matcher::watch_event());
    let changed = server.wait_for(Matcher::watch_event());
    let (held, happened) = (hold.wait_for(1), fault.happened());
    drop((hold, fault));
    drop(server);
    // A later change of a wait does not revive the wait.
    let changed = changed.nth(2).since(Mark::BEGINNING).within(long);
    for wait in [awaited.within(long), changed] {
        let error = ends("a wait", || pollster::block_on(wait)).expect_err("it is gone");
        assert!(error.to_string().contains("the server is gone"), "{error}");
    }
    for wait in [held.within(long), happened.within(long)] {
        let error = ends("a wait", || pollster::block_on(wait)).expect_err("it is gone");
        assert!(error.to_string().contains("the server is gone"), "{error}");
    }
}

#[test]
fn a_pending_wait_ends_when_the_server_is_dropped() {
    let server = start(true, true);
    let wait = server
        .wait_for(Matcher::watch_event())
        .within(Duration::from_secs(3600));
    let waiting = thread::spawn(move || pollster::block_on(wait));
    drop(server);
    let outcome = ends("a wait", move || waiting.join().expect("it does not panic"));
    outcome.expect_err("the server is gone");
}

#[test]
fn a_wait_on_a_stopped_server_says_so_when_it_times_out() {
    let server = start(false, true);
    server.stop();
    let wait = server.wait_for(Matcher::watch_event()).within(SHORT);
    let error = ends("a wait", move || wait.blocking()).expect_err("it is stopped");
    let error = error.to_string();
    assert!(error.contains("the server is stopped"), "{error}");
    server.start_again().expect("it starts again");
    let error = server
        .wait_for(Matcher::watch_event())
        .within(SHORT)
        .blocking();
    let error = error.expect_err("no event passes").to_string();
    assert!(!error.contains("is stopped"), "{error}");
}

#[test]
fn the_thread_that_times_waits_ends() {
    if !cfg!(target_os = "linux")
        || !crate::alone::is_alone("deadlines::the_thread_that_times_waits_ends")
    {
        return;
    }
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
        tasks.count()
    };
    let before = threads();
    for _ in 0..20 {
        let server = start(true, false);
        for _ in 0..3 {
            let wait = server.wait_for(Matcher::watch_event()).within(SHORT);
            pollster::block_on(wait).expect_err("no event passes");
        }
        assert_eq!(threads(), before + 1, "one for all");
        drop(server);
        assert_eq!(threads(), before);
    }
}

/// Server that follows the time of a runtime.
#[cfg(feature = "tokio-clock")]
mod tokio_clock {
    use super::*;

    fn runtime(paused: bool) -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(paused).build();
        runtime.expect("a runtime starts")
    }

    fn start_on(runtime: &tokio::runtime::Runtime) -> Server {
        let _context = runtime.enter();
        let builder = Server::builder().without_listener().tokio_clock();
        builder.start().expect("a server starts")
    }

    #[test]
    fn every_wait_ends_while_no_client_is_served() {
        for paused in [false, true] {
            let runtime = runtime(paused);
            let waited = Waited::on(start_on(&runtime));
            // On other executors, while the runtime of the server does not run.
            all_end(&format!("paused {paused}, elsewhere"), &waited, || {});
            for stopped in [false, true] {
                if stopped {
                    waited.server.stop();
                }
                for (name, wait, _) in waited.waits() {
                    let outcome = runtime.block_on(wait);
                    outcome.expect_err(name);
                }
            }
            drop(runtime);
            all_end(&format!("paused {paused}, runtime gone"), &waited, || {});
        }
    }

    #[test]
    fn a_wait_can_move_to_another_executor() {
        let runtime = runtime(true);
        let server = start_on(&runtime);
        let mut wait = Box::pin(server.wait_for(Matcher::watch_event()).within(SHORT));
        runtime.block_on(async {
            let first = std::future::poll_fn(|context| {
                std::task::Poll::Ready(wait.as_mut().poll(context).is_pending())
            });
            assert!(first.await);
        });
        drop(runtime);
        let outcome = ends("a wait", move || pollster::block_on(wait));
        outcome.expect_err("no event passes");
    }

    #[test]
    fn an_hour_of_the_runtime_takes_no_real_time() {
        let runtime = runtime(true);
        let server = start_on(&runtime);
        runtime.block_on(async {
            let hour = Duration::from_secs(3600);
            let begun = tokio::time::Instant::now();
            let wait = server.wait_for(Matcher::watch_event()).within(hour);
            wait.await.expect_err("no event passes");
            assert_eq!(begun.elapsed(), hour);
        });
    }
}
