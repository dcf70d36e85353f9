//! The one door: whatever happens enters here, in one order.
//!
//! Under one lock the clock is read, the rules take a step, and what follows is encoded into the outboxes of the
//! connections it is for. The order of outputs is the order on the wire. What a test has in its hands is asked here, before a
//! step and where an output is taken: see [`Control`].

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, OnceLock, TryLockError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::Clock;
use super::clock::moment_apart;
use super::last_words::LastWords;
use super::limits::Limits;
use super::link::Link;
use super::machine;
use super::outbox::{Due, Outbox, Outboxes, Stall};
use super::outgoing::Outgoing;
use super::patience::Patience;
use super::sink::{Own, Sink, Test};
use super::totals::Totals;
use super::waiters::Waiters;
use crate::config::Config;
use crate::control::{AcceptPlan, Client, Control, Effects, Event, Known, ListenerId, Recorder};
use crate::keeper::{CloseReason, ConnectionId, Input, Keeper, Snapshot};
use crate::persistence::{Appender, Log, LogSetup};
use crate::protocol::{ErrorCode, Operation, Request, Response, SessionId, Timestamp, Xid};

/// A server without its sockets.
#[derive(Debug)]
pub(crate) struct Engine {
    state: Mutex<State>,
    pub(super) clock: Clock,
    /// Rung when the next deadline came nearer.
    pub(super) alarm: Notify,
    /// Ends waits whose time is over.
    pub(super) patience: Patience,
    /// Where what is committed is kept, if it is.
    pub(super) log: Option<Arc<Log>>,
    pub(super) config: Arc<Config>,
    pub(super) limits: Limits,
    /// Port of the server's listener; 0 without one.
    port: u16,
    /// Prints the last events for a test that panics, unless that is switched off.
    pub(super) teller: OnceLock<Teller>,
}

/// The trace mask that a real server begins with.
const TRACE_MASK: i64 = 306;

/// Maximum time that a panicking thread waits for the lock, in milliseconds.
const PANIC_PATIENCE_MS: usize = 200;

/// Server whose last events a panicking thread prints.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) engine: Weak<Engine>,
    /// Address of the server.
    pub(super) address: String,
}

/// Returns a number that no other journal of this process has.
fn next_journal() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Everything behind the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) keeper: Keeper,
    pub(super) outboxes: Outboxes,
    next_connection: u64,
    pub(super) totals: Totals,
    pub(super) trace_mask: i64,
    pub(super) started: Timestamp,
    /// Value of `Time.currentElapsedTime` in a real server at that moment. Java counts from the start of the machine;
    /// on a clock other than the machine's, the count begins with the start of the server.
    pub(super) elapsed_at_start: Duration,
    pub(super) control: Control,
    pub(super) waiters: Waiters,
    pub(super) last_words: LastWords,
    /// When something that is kept back, or stalled, goes on.
    pub(super) due: Due,
    /// What the timer waits for.
    pub(super) armed: Option<Timestamp>,
    /// Takes what is committed to the log, if there is one.
    pub(super) appender: Option<Appender>,
}

/// What becomes of somebody who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Welcome {
    /// It is served, under this number.
    Serve(ConnectionId),
    /// There is no room for it, or a test wants none.
    Close,
    /// A test wants it reset.
    Reset,
}

/// What a connection is to do when it has nothing to do.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// It is to be closed when what waits has left.
    pub(super) closing: Option<CloseReason>,
    /// A test keeps what it received from being taken in.
    pub(super) stalled: bool,
}

impl Engine {
    /// A server whose state goes with it, unless there is somebody who takes it to a log.
    pub(crate) fn new(
        keeper: Keeper,
        clock: Clock,
        config: Arc<Config>,
        limits: Limits,
        port: u16,
        appender: Option<Appender>,
    ) -> Self {
        let log = appender.as_ref().map(Appender::log);
        let members = u8::try_from(keeper.members().ids().count()).unwrap_or(u8::MAX);
        let state = State {
            keeper,
            outboxes: Outboxes::new(),
            next_connection: 1,
            totals: Totals::default(),
            trace_mask: TRACE_MASK,
            started: clock.now(),
            elapsed_at_start: if clock.is_of_the_machine() {
                machine::uptime()
            } else {
                Duration::ZERO
            },
            control: Control::new(
                Recorder::new(config.journal, clock.now()),
                Known::new(members, next_journal()),
            ),
            waiters: Waiters::default(),
            last_words: LastWords::default(),
            due: Due::new(),
            armed: None,
            appender,
        };
        Self {
            state: Mutex::new(state),
            clock,
            alarm: Notify::new(),
            patience: Patience::default(),
            log,
            config,
            limits,
            port,
            teller: OnceLock::new(),
        }
    }

    /// The port that the server listens on; 0 if it has no listener.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Gives the sessions from now on ids that no other server of this process gives. A real server begins with the
    /// milliseconds of its start (`SessionTrackerImpl.initializeNextSessionId`), so two servers that start in the
    /// same millisecond give the same ids. Here the later server begins with the next millisecond.
    pub(crate) fn number_sessions_apart(&self) {
        let now = self.clock.now();
        let ahead = moment_apart(now).since(now);
        self.lock().keeper.number_sessions_ahead(now, ahead);
    }

    /// Takes in one event of the world or wish of a test.
    pub(crate) fn feed(&self, input: Input<'_>) {
        self.note_action(&input);
        self.turn(None, Test::default(), |now, keeper, sink| {
            keeper.step(now, input, sink)
        });
        self.may_wait_in_vain();
    }

    /// The same, and notes what follows.
    pub(crate) fn feed_and_tell(&self, input: Input<'_>, effects: &mut Effects) {
        self.note_action(&input);
        let test = Test {
            answer: None,
            effects: Some(effects),
            ..Test::default()
        };
        self.turn(None, test, |now, keeper, sink| {
            if let Input::Ensemble(action) = input
                && !sink.idle
            {
                let event = Event::Ensemble { action };
                sink.control.note(now, &Client::NONE, &event);
            }
            keeper.step(now, input, sink);
        });
        self.may_wait_in_vain();
    }

    /// Asks as the test itself, which has every permission and no session, and gives the answer to `take`.
    pub(crate) fn ask<T>(
        &self,
        request: Request<'_>,
        take: impl FnOnce(Result<&Response<'_>, ErrorCode>) -> T,
    ) -> T {
        self.ask_as(None, request, take)
            .expect("every request of the test itself is answered at once")
    }

    /// Carries out a request of the test, on a session of the test if one is given; `None` if that session has ended.
    pub(crate) fn ask_as<T>(
        &self,
        session: Option<SessionId>,
        request: Request<'_>,
        take: impl FnOnce(Result<&Response<'_>, ErrorCode>) -> T,
    ) -> Option<T> {
        self.used();
        let only_reads = !request.operation().is_some_and(Operation::is_write);
        let mut take = Some(take);
        let mut answer = None;
        let mut on_answer = |result: Result<&Response<'_>, ErrorCode>| {
            answer = take.take().map(|take| take(result))
        };
        let input = Input::Request {
            connection: ConnectionId::HANDLE,
            xid: Xid(0),
            request,
        };
        let test = Test {
            answer: Some(&mut on_answer),
            only_reads,
            ..Test::default()
        };
        self.turn(None, test, |now, keeper, sink| {
            if session.is_some_and(|session| keeper.sessions().get(session).is_none()) {
                return;
            }
            if let Input::Request { request, .. } = &input
                && !sink.idle
                && !only_reads
            {
                sink.control.begin_own_write(request);
            }
            match session {
                Some(session) => keeper.step_as(now, session, input, sink),
                None => keeper.step(now, input, sink),
            }
        });
        answer
    }

    /// Opens a session that the test owns.
    pub(crate) fn open_test_session(&self) -> SessionId {
        self.used();
        self.turn(None, Test::default(), |now, keeper, sink| {
            keeper.open_test_session(now, sink)
        })
    }

    /// Closes a session that the test owns, as a client does. Has no effect on a session that has ended.
    pub(crate) fn close_test_session(&self, session: SessionId) {
        self.used();
        let test = Test {
            closes: Some(session),
            ..Test::default()
        };
        self.turn(None, test, |now, keeper, sink| {
            keeper.close_test_session(now, session, sink);
        });
        self.may_wait_in_vain();
    }

    /// Looks at the state.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Keeper) -> T) -> T {
        self.used();
        look(&self.lock().keeper)
    }

    /// A copy of the state, to be [indexed](Snapshot::index) before it is looked at.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut state = self.lock();
        let now = self.clock.now();
        state.keeper.snapshot(now)
    }

    /// Copy of the state with its index. Making the index takes time where there are many znodes, and is done without
    /// the lock.
    pub(crate) fn indexed_snapshot(&self) -> Snapshot {
        let mut snapshot = self.snapshot();
        snapshot.index();
        snapshot
    }

    /// Looks at the state and at the connections.
    pub(crate) fn look_closer<T>(&self, look: impl FnOnce(&Keeper, &Outboxes) -> T) -> T {
        let state = self.lock();
        look(&state.keeper, &state.outboxes)
    }

    /// Looks at the state, and knows the labels that sessions last came by, those on connections included.
    pub(crate) fn look_at_sessions<T>(
        &self,
        look: impl FnOnce(&Keeper, &dyn Fn(SessionId, Option<ConnectionId>) -> Option<String>) -> T,
    ) -> T {
        let state = self.lock();
        let label = |session, connection: Option<ConnectionId>| {
            let label = match connection {
                Some(connection) => state.outboxes.get(connection)?.listener_id.label.as_ref(),
                None => state.control.label_of(session),
            };
            label.map(|label| (**label).to_owned())
        };
        look(&state.keeper, &label)
    }

    /// Numbers a new connection, if there may be one more.
    pub(super) fn accept(&self, address: SocketAddr, listener_id: &ListenerId) -> Welcome {
        if self.is_broken() {
            return Welcome::Close;
        }
        let established = self.clock.now();
        let id = {
            let mut state = self.lock();
            let id = ConnectionId(state.next_connection);
            state.totals.accepted += 1;
            state.next_connection += 1;
            let outbox = Outbox::new(address, listener_id.clone(), established);
            let welcome = state.welcome(established, id, outbox);
            if let Welcome::Close | Welcome::Reset = welcome {
                return welcome;
            }
            id
        };
        self.feed(Input::Accepted {
            connection: id,
            address: address.ip().to_canonical(),
            member: listener_id.member,
        });
        if self.lock().outboxes.get(id).is_none() {
            self.disconnect(id);
            return Welcome::Close;
        }
        Welcome::Serve(id)
    }

    /// Ends a connection whose client has gone or whose task ends: nothing more is written.
    pub(super) fn disconnect(&self, id: ConnectionId) {
        self.turn(None, Test::default(), |now, keeper, sink| {
            keeper.step(now, Input::Disconnected(id), sink);
            let at = (id, now);
            sink.outboxes.remove(at, false, sink.control, sink.due);
            sink.outboxes.task_ended(id);
        });
        self.may_wait_in_vain();
    }

    /// Disconnects whoever is connected, if the server has not panicked.
    pub(super) fn disconnect_all(&self) {
        let Ok(state) = self.state.lock() else {
            // It has been reported where it happened, and whoever stops the server may be panicking already.
            return;
        };
        let ids = state.outboxes.ids();
        drop(state);
        ids.into_iter().for_each(|id| self.disconnect(id));
    }

    /// The link of a connection.
    pub(super) fn link(&self, id: ConnectionId) -> Arc<Link> {
        let state = self.lock();
        let outbox = state.outboxes.get(id);
        outbox.map_or_else(Arc::default, |outbox| Arc::clone(&outbox.link))
    }

    /// Looks at what a test has in its hands, or changes it, and wakes whoever waited for that.
    pub(super) fn control<T>(&self, with: impl FnOnce(&mut Control) -> T) -> T {
        self.with_locked(|state| with(&mut state.control))
    }

    /// Calls `with` with the state, and wakes the tasks of waits that have ended.
    pub(super) fn with_locked<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        self.used();
        let (result, wakers) = {
            let mut state = self.lock();
            let result = with(&mut state);
            (result, state.take_wakers())
        };
        for waker in wakers {
            waker.wake();
        }
        result
    }

    /// Looks at everything behind the lock, or changes it, and wakes whoever is to learn of it, the timer too.
    pub(super) fn with_state<T>(&self, with: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let (result, wakers, nearer) = {
            let mut state = self.lock();
            let now = self.clock.now();
            let result = with(&mut state, now);
            let wakers = state.take_wakers();
            (result, wakers, state.comes_nearer())
        };
        self.wake(wakers, nearer);
        result
    }

    fn wake(&self, wakers: Vec<Waker>, nearer: bool) {
        for waker in wakers {
            waker.wake();
        }
        if nearer && !self.clock.is_manual() {
            self.alarm.notify_one();
        }
    }

    /// Takes note that the client of a connection is alive, although what it sends is not taken in yet.
    pub(super) fn heard(&self, id: ConnectionId) {
        self.feed(Input::Heard(id));
    }

    /// Number up to which the log must be flushed before the state of this moment may be shown; `None` if it is.
    pub(super) fn unflushed(&self) -> Option<u64> {
        self.lock().appender.as_ref().and_then(Appender::unflushed)
    }

    /// Counts a frame whose length was not known in its turn.
    pub(super) fn count_sent(&self, bytes: usize) {
        self.lock().totals.count_sent(bytes);
    }

    /// Whether it has never panicked.
    pub(crate) fn is_sound(&self) -> bool {
        !self.state.is_poisoned()
    }

    /// Tells the journal what the test wants, where nothing that follows shows it.
    fn note_action(&self, input: &Input<'_>) {
        if let Input::Mute { session, muted } = input {
            let event = if *muted { Event::Muted } else { Event::Unmuted };
            self.note_of(*session, &event);
        } else if matches!(input, Input::Restarted) {
            self.control(|control| control.stopped = false);
            self.note(&Event::Started);
        }
    }

    /// Tells the journal, and whoever waits, of what the test does.
    pub(super) fn note(&self, event: &Event<'_>) {
        self.note_of(SessionId::NONE, event);
    }

    /// Notes an action of the test on a session.
    fn note_of(&self, session: SessionId, event: &Event<'_>) {
        self.control(|control| {
            if !control.is_idle() {
                control.note_of_session(self.clock.now(), session, event);
                control.changed();
            }
        });
    }

    /// Where what is committed is kept, if it is.
    pub(crate) fn log(&self) -> Option<&Arc<Log>> {
        self.log.as_ref()
    }

    /// Whether the disk has refused a write.
    pub(super) fn is_broken(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.is_broken())
    }

    /// Begins to write what is committed to the log.
    pub(crate) fn begin_log(self: &Arc<Self>, setup: LogSetup) -> io::Result<()> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let state = setup.needs_snapshot.then(|| Box::new(self.snapshot()));
        let engine = Arc::downgrade(self);
        log.begin(setup, state, move || {
            if let Some(engine) = engine.upgrade() {
                engine.close_all();
            }
        })
    }

    /// Waits until everything that was committed outlasts the process, where it is to; says whether it does.
    pub(crate) fn flush(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.flush().is_ok())
    }

    /// Is ready when the disk has refused a write.
    pub(super) fn poll_broken(&self, context: &Context<'_>) -> Poll<()> {
        match &self.log {
            Some(log) => log.poll_failure(context).map(|_| ()),
            None => Poll::Pending,
        }
    }

    /// Closes every connection, as the disk has refused a write: nothing more is said.
    pub(super) fn close_all(&self) {
        if !self.is_sound() {
            // It has been reported where it happened.
            return;
        }
        self.turn(None, Test::default(), |now, keeper, sink| {
            for id in sink.outboxes.ids() {
                keeper.step(now, Input::Disconnected(id), sink);
                sink.close(id, CloseReason::DiskRefused);
            }
        });
    }

    /// Nobody is served any more.
    pub(crate) fn stopped(&self) {
        self.control(|control| control.stopped = true);
        self.note(&Event::Stopped);
    }

    /// The state, for a thread that panics. `None` if the server itself has panicked, or if the lock is not free for
    /// so long that this thread may hold it.
    pub(super) fn panicked_state(&self) -> Option<MutexGuard<'_, State>> {
        for _ in 0..PANIC_PATIENCE_MS {
            match self.state.try_lock() {
                Ok(state) => return Some(state),
                Err(TryLockError::Poisoned(_)) => return None,
                Err(TryLockError::WouldBlock) => thread::park_timeout(Duration::from_millis(1)),
            }
        }
        None
    }

    #[cfg(test)]
    pub(super) fn has_outbox(&self, id: ConnectionId) -> bool {
        self.lock().outboxes.of_task(id).is_some()
    }

    /// Moves what waits in the outbox to `bytes`, if that has been written. Where there is nothing to do, whoever asks
    /// is woken when there is.
    pub(super) fn poll_outbox(
        &self,
        id: ConnectionId,
        context: &Context<'_>,
        bytes: &mut Outgoing,
    ) -> Left {
        let (left, wakers, nearer) = {
            let mut state = self.lock();
            let now = self.clock.now();
            let State { outboxes, due, .. } = &mut *state;
            let Some(outbox) = outboxes.of_task(id) else {
                return Left::default();
            };
            if !outbox
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
            {
                outbox.waker = Some(context.waker().clone());
            }
            let mut scheduled = false;
            let mut settled = None;
            let mut left = Left {
                closing: None,
                stalled: outbox.is_stalled(),
            };
            if outbox.closing.is_none() && outbox.link.keeps_from_client(context) {
                // What waits may wait here, and goes on when the link is whole again.
                return left;
            }
            if let Some(log) = &self.log
                && !log.is_broken()
                && log.wake_when_durable(outbox.shows, context.waker())
            {
                // It shows what is not flushed yet, be it that it ends.
                return left;
            }
            if !bytes.is_empty() && outbox.closing.is_some() {
                outbox.move_to(bytes);
            } else if bytes.is_empty() {
                if outbox.kept.is_empty() {
                    std::mem::swap(&mut outbox.bytes, bytes.tail_mut());
                } else {
                    outbox.fill(now, bytes.tail_mut());
                    outbox.schedule(id, now, due);
                    left.stalled = outbox.is_stalled();
                    scheduled = true;
                }
            }
            outbox.leaving = bytes.len();
            left.closing = outbox.closing;
            if left.closing.is_some() {
                outbox.waker = None;
                settled = state.settle_closing(now, id);
                state.look_for_quiet();
                state.control.changed();
            }
            let mut wakers = state.take_wakers();
            wakers.extend(settled);
            (left, wakers, scheduled && state.comes_nearer())
        };
        self.wake(wakers, nearer);
        left
    }

    /// One turn at the door.
    pub(super) fn turn<T>(
        &self,
        own: Option<Own<'_>>,
        test: Test<'_, '_>,
        take_turn: impl FnOnce(Timestamp, &mut Keeper, &mut Sink<'_, '_>) -> T,
    ) -> T {
        self.turn_and_mark(own, test, take_turn).0
    }

    /// The same, and says up to where the log must be flushed before anybody may hear of it, if it is not.
    pub(super) fn turn_and_mark<T>(
        &self,
        own: Option<Own<'_>>,
        test: Test<'_, '_>,
        take_turn: impl FnOnce(Timestamp, &mut Keeper, &mut Sink<'_, '_>) -> T,
    ) -> (T, Option<u64>) {
        let of_connection = own.is_some();
        let only_reads = test.only_reads;
        let (result, wakers, nearer, unflushed) = {
            let mut state = self.lock();
            // Read behind the lock, so that no turn is earlier than the one before it.
            let now = self.clock.now();
            let State {
                keeper,
                outboxes,
                totals,
                control,
                due,
                appender,
                ..
            } = &mut *state;
            let idle = control.is_idle();
            let mut sink = Sink {
                outboxes,
                totals,
                control,
                due,
                now,
                idle,
                own: None,
                carried: None,
                test,
                wakers: Vec::new(),
                to_close: Vec::new(),
                appender: appender.as_mut(),
            };
            if let Some(mut own) = own {
                if let Some(outbox) = sink.outboxes.of_task(own.id) {
                    own.enter(outbox, now, sink.due);
                }
                sink.settle_closing(own.id);
                sink.own = Some(own);
            }
            let result = take_turn(now, keeper, &mut sink);
            sink.settle(keeper);
            sink.let_go_due(keeper);
            let mut wakers = sink.wakers;
            if !idle {
                state.look_for_quiet();
                if !only_reads {
                    state.control.changed();
                }
            }
            wakers.append(&mut state.take_wakers());
            let mut unflushed = None;
            if state.appender.is_some() {
                unflushed = state.end_turn(now, &mut wakers);
            }
            (result, wakers, state.comes_nearer(), unflushed)
        };
        self.wake(wakers, nearer);
        let log = self.log.as_ref().filter(|_| unflushed.is_some());
        let unflushed = log.and_then(|log| {
            if of_connection && log.wake_flusher() {
                unflushed
            } else {
                log.write_inline(unflushed)
            }
        });
        (result, unflushed)
    }

    /// The state, or the state that a panic inside the server has left behind.
    pub(super) fn try_lock(&self) -> LockResult<MutexGuard<'_, State>> {
        self.state.lock()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self
            .state
            .lock()
            .expect("a panic inside the server has been reported where it happened");
        state.last_words.used();
        state
    }
}

impl State {
    /// What becomes of somebody who connects, as far as the test has a say in it.
    fn welcome(&mut self, now: Timestamp, id: ConnectionId, mut outbox: Outbox) -> Welcome {
        let control = &mut self.control;
        let client = outbox.client(id);
        let plan = if control.is_idle() {
            AcceptPlan::Serve
        } else {
            let peer = outbox.stats.address;
            control.plan_accept(now, &client, peer)
        };
        outbox.link.set(control.cuts.of(&client), &mut Vec::new());
        match plan {
            AcceptPlan::Serve => {}
            AcceptPlan::Close => return Welcome::Close,
            AcceptPlan::Reset => return Welcome::Reset,
            AcceptPlan::Pause(by) => {
                outbox.stall = Stall::Until(now + by);
                outbox.schedule(id, now, &mut self.due);
            }
        }
        self.outboxes.insert(id, outbox);
        Welcome::Serve(id)
    }

    /// Returns the wakers of the tasks whose waits have ended.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let ended = self.control.waits.take_ended();
        self.waiters.wakers_of(ended).collect()
    }

    /// Takes a connection out of every view if no answer is owed to it. Returns the waker of its task.
    pub(super) fn settle_closing(&mut self, now: Timestamp, id: ConnectionId) -> Option<Waker> {
        let Self {
            outboxes,
            control,
            due,
            ..
        } = self;
        if outboxes.get(id).is_some_and(Outbox::is_closed) {
            outboxes.remove((id, now), true, control, due)
        } else {
            None
        }
    }

    /// Returns the session of a connection.
    pub(super) fn session_of(&self, id: ConnectionId) -> Option<SessionId> {
        self.keeper.connection(id)?.session()
    }

    /// Whether nobody is connected, and no session is left.
    pub(super) fn is_quiet(&self) -> bool {
        self.outboxes.is_empty() && self.keeper.sessions().len() == 0
    }

    /// Tells whoever waits for that.
    pub(super) fn look_for_quiet(&mut self) {
        if !self.control.waits.is_empty() && self.is_quiet() {
            self.control.waits.quiet();
        }
    }

    /// Gives over what a turn has appended to the log. Says up to where that must be flushed before anybody may hear of the
    /// turn, if it is not; `wakers` are those who need not wait for it.
    fn end_turn(&mut self, now: Timestamp, wakers: &mut Vec<Waker>) -> Option<u64> {
        let appender = self.appender.as_mut()?;
        appender.end_turn(&mut self.keeper, now, wakers)
    }

    /// Says whether what falls due next came nearer since whoever keeps time was told.
    fn comes_nearer(&mut self) -> bool {
        let due = self.next_deadline();
        let nearer = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        if nearer {
            self.armed = due;
        }
        nearer
    }

    /// When something falls due: for the rules, or of what is kept back.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let kept = self.due.first().map(|(at, _)| *at);
        self.keeper.next_deadline().into_iter().chain(kept).min()
    }
}
