//! Engine: the lock around the state of a server, and its turns.
//!
//! Every input takes one turn under the lock: the clock is read, the rules take a step, and the outputs are encoded for
//! their connections. The order of outputs is the order on the wire. [`Control`] is asked before a step and for each
//! output.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, OnceLock, TryLockError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::Clock;
use super::clock::unique_moment;
use super::limits::Limits;
use super::link::Link;
use super::machine;
use super::outbox::{Due, Outbox, Outboxes, Stall};
use super::outgoing::Outgoing;
use super::panic_reports::PanicReports;
use super::sink::{Own, Sink, Test};
use super::totals::Totals;
use super::wait_timer::WaitTimer;
use super::waiters::Waiters;
use crate::config::Config;
use crate::control::{AcceptPlan, Client, Control, Effects, Event, Known, ListenerId, Recorder};
use crate::keeper::{CloseReason, ConnectionId, Input, Keeper, Snapshot};
use crate::persistence::{Appender, Log, LogSetup};
use crate::protocol::{ErrorCode, Operation, Request, Response, SessionId, Timestamp, Xid};
use crate::store::StorageError;

/// A server without its sockets.
#[derive(Debug)]
pub(crate) struct Engine {
    state: Mutex<State>,
    pub(super) clock: Clock,
    /// Notified when the next deadline has become earlier.
    pub(super) alarm: Notify,
    /// Ends waits whose time is over.
    pub(super) wait_timer: WaitTimer,
    /// Log of the transactions, if the server has a data folder.
    pub(super) log: Option<Arc<Log>>,
    pub(super) config: Arc<Config>,
    pub(super) limits: Limits,
    /// Port of the server's listener; 0 without one.
    port: u16,
    /// Prints the last events for a test that panics, unless that is switched off.
    pub(super) panic_reporter: OnceLock<PanicReporter>,
}

/// The trace mask that a real server begins with.
const TRACE_MASK: i64 = 306;

/// Maximum time that a panicking thread waits for the lock, in milliseconds.
const PANIC_LOCK_TIMEOUT_MS: usize = 200;

/// Server whose last events a panicking thread prints.
#[derive(Debug)]
pub(super) struct PanicReporter {
    pub(super) engine: Weak<Engine>,
    /// Address of the server.
    pub(super) address: String,
}

/// Returns a number that no other journal of this process has.
fn next_journal() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// State of a server, behind its lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) keeper: Keeper,
    pub(super) outboxes: Outboxes,
    next_connection: u64,
    pub(super) totals: Totals,
    pub(super) trace_mask: i64,
    pub(super) started: Timestamp,
    /// Value that `Time.currentElapsedTime` has in a real server at `started`. Java counts from the boot of the
    /// machine; on a clock other than the machine's, the count begins with the start of the server.
    pub(super) elapsed_at_start: Duration,
    pub(super) control: Control,
    pub(super) waiters: Waiters,
    pub(super) panic_reports: PanicReports,
    /// Deadlines of delayed messages and requests.
    pub(super) due: Due,
    /// Deadline that the timer waits for.
    pub(super) armed: Option<Timestamp>,
    /// Appends transactions to the log, if the server has one.
    pub(super) appender: Option<Appender>,
}

/// Decision on a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AcceptDecision {
    /// The connection is served, under this number.
    Serve(ConnectionId),
    /// The connection is closed: a limit is reached, or a fault wants it.
    Close,
    /// A fault wants the connection reset.
    Reset,
}

/// State of an outbox after a poll.
#[derive(Debug, Default)]
pub(super) struct OutboxProgress {
    /// Set when the connection closes after the pending bytes are sent.
    pub(super) closing: Option<CloseReason>,
    /// A fault or hold of the test delays the received frames.
    pub(super) stalled: bool,
}

impl Engine {
    /// Makes an engine. Without an `appender` its state is in memory only.
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
            panic_reports: PanicReports::default(),
            due: Due::new(),
            armed: None,
            appender,
        };
        Self {
            state: Mutex::new(state),
            clock,
            alarm: Notify::new(),
            wait_timer: WaitTimer::default(),
            log,
            config,
            limits,
            port,
            panic_reporter: OnceLock::new(),
        }
    }

    /// The port that the server listens on; 0 if it has no listener.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes the ids of new sessions unique among the servers of this process. A real server numbers its sessions from
    /// the milliseconds of its start (`SessionTrackerImpl.initializeNextSessionId`), so two servers that start in the
    /// same millisecond give the same ids. Here the later server begins with the next millisecond.
    pub(crate) fn make_session_ids_unique(&self) {
        let now = self.clock.now();
        let ahead = unique_moment(now).since(now);
        self.lock().keeper.move_session_ids_ahead(now, ahead);
    }

    /// Carries out one input.
    pub(crate) fn apply(&self, input: Input<'_>) {
        self.note_action(&input);
        self.turn(None, Test::default(), |now, keeper, sink| {
            keeper.step(now, input, sink)
        });
        self.recheck_stuck_clients();
    }

    /// Carries out one input of the test, and records its effects.
    pub(crate) fn apply_with_effects(&self, input: Input<'_>, effects: &mut Effects) {
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
        self.recheck_stuck_clients();
    }

    /// Carries out a request of the test, which has every permission and no session, and passes the answer to `take`.
    pub(crate) fn ask<T>(
        &self,
        request: &Request<'_>,
        take: impl FnOnce(Result<&Response<'_>, ErrorCode>) -> T,
    ) -> T {
        self.ask_as(None, request, take)
            .expect("every request of the test itself is answered at once")
    }

    /// Carries out a request of the test, on a session of the test if one is given; `None` if that session has ended.
    pub(crate) fn ask_as<T>(
        &self,
        session: Option<SessionId>,
        request: &Request<'_>,
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
            if !sink.idle && !only_reads {
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
        self.recheck_stuck_clients();
    }

    /// Reads the state.
    pub(crate) fn with_keeper<T>(&self, look: impl FnOnce(&Keeper) -> T) -> T {
        self.used();
        look(&self.lock().keeper)
    }

    /// Returns a copy of the state, to be [indexed](Snapshot::index) before it is read.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut state = self.lock();
        let now = self.clock.now();
        state.keeper.snapshot(now)
    }

    /// Returns a copy of the state with its index. Making the index takes time for many znodes, and is done without the
    /// lock.
    pub(crate) fn indexed_snapshot(&self) -> Snapshot {
        let mut snapshot = self.snapshot();
        snapshot.index();
        snapshot
    }

    /// Reads the state and the connections.
    pub(crate) fn with_keeper_and_outboxes<T>(
        &self,
        look: impl FnOnce(&Keeper, &Outboxes) -> T,
    ) -> T {
        let state = self.lock();
        look(&state.keeper, &state.outboxes)
    }

    /// Reads the state, with the labels of sessions and connections.
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

    /// Accepts a new connection, unless a limit or a fault refuses it.
    pub(super) fn accept(&self, address: SocketAddr, listener_id: &ListenerId) -> AcceptDecision {
        if self.is_broken() {
            return AcceptDecision::Close;
        }
        let established = self.clock.now();
        let id = {
            let mut state = self.lock();
            let id = ConnectionId(state.next_connection);
            state.totals.accepted += 1;
            state.next_connection += 1;
            let outbox = Outbox::new(address, listener_id.clone(), established);
            let decision = state.decide_accept(established, id, outbox);
            if let AcceptDecision::Close | AcceptDecision::Reset = decision {
                return decision;
            }
            id
        };
        self.apply(Input::Accepted {
            connection: id,
            address: address.ip().to_canonical(),
            member: listener_id.member,
        });
        if self.lock().outboxes.get(id).is_none() {
            self.disconnect(id);
            return AcceptDecision::Close;
        }
        AcceptDecision::Serve(id)
    }

    /// Ends a connection whose client is gone or whose task ends. Nothing more is written.
    pub(super) fn disconnect(&self, id: ConnectionId) {
        self.turn(None, Test::default(), |now, keeper, sink| {
            keeper.step(now, Input::Disconnected(id), sink);
            let at = (id, now);
            sink.outboxes.remove(at, false, sink.control, sink.due);
            sink.outboxes.task_ended(id);
        });
        self.recheck_stuck_clients();
    }

    /// Ends all connections, unless the server has panicked.
    pub(super) fn disconnect_all(&self) {
        let Ok(state) = self.state.lock() else {
            // The panic was reported where it happened, and the thread that stops the server may be panicking too.
            return;
        };
        let ids = state.outboxes.ids();
        drop(state);
        ids.into_iter().for_each(|id| self.disconnect(id));
    }

    /// Returns the link of a connection.
    pub(super) fn link(&self, id: ConnectionId) -> Arc<Link> {
        let state = self.lock();
        let outbox = state.outboxes.get(id);
        outbox.map_or_else(Arc::default, |outbox| Arc::clone(&outbox.link))
    }

    /// Calls `with` with the test's control, and wakes the tasks of waits that have ended.
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

    /// Calls `with` with the state and the time, and wakes the tasks and the timer that the change concerns.
    pub(super) fn with_state<T>(&self, with: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let (result, wakers, nearer) = {
            let mut state = self.lock();
            let now = self.clock.now();
            let result = with(&mut state, now);
            let wakers = state.take_wakers();
            (result, wakers, state.arm_earlier_deadline())
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

    /// Records that the client of a connection is alive, although its frames are not processed yet.
    pub(super) fn note_alive(&self, id: ConnectionId) {
        self.apply(Input::ClientAlive(id));
    }

    /// Returns the last transaction of the current state if it is not durable yet. Replies about the state must wait
    /// for it.
    pub(super) fn unflushed(&self) -> Option<u64> {
        self.lock().appender.as_ref().and_then(Appender::unflushed)
    }

    /// Counts a sent frame whose length was unknown when its turn ended.
    pub(super) fn count_sent(&self, bytes: usize) {
        self.lock().totals.count_sent(bytes);
    }

    /// Whether the engine has never panicked.
    pub(crate) fn is_sound(&self) -> bool {
        !self.state.is_poisoned()
    }

    /// Adds an action of the test to the journal, if no later event shows it.
    fn note_action(&self, input: &Input<'_>) {
        if let Input::Mute { session, muted } = input {
            let event = if *muted { Event::Muted } else { Event::Unmuted };
            self.note_of(*session, &event);
        } else if matches!(input, Input::Restarted) {
            self.control(|control| control.stopped = false);
            self.note(&Event::Started);
        }
    }

    /// Adds an event of the test to the journal, and passes it to waits.
    pub(super) fn note(&self, event: &Event<'_>) {
        self.note_of(SessionId::NONE, event);
    }

    /// Adds an action of the test on a session to the journal.
    fn note_of(&self, session: SessionId, event: &Event<'_>) {
        self.control(|control| {
            if !control.is_idle() {
                control.note_of_session(self.clock.now(), session, event);
                control.changed();
            }
        });
    }

    /// Returns the log of the transactions, if the server has a data folder.
    pub(crate) fn log(&self) -> Option<&Arc<Log>> {
        self.log.as_ref()
    }

    /// Whether a write to the log has failed.
    pub(super) fn is_broken(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.is_broken())
    }

    /// Begins to write transactions to the log.
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

    /// Waits until all committed transactions are durable, if the server has a log. Returns whether they are.
    pub(crate) fn flush(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.flush().is_ok())
    }

    /// Ready when a write to the log has failed.
    pub(super) fn poll_broken(&self, context: &Context<'_>) -> Poll<()> {
        match &self.log {
            Some(log) => log.poll_failure(context).map(|_| ()),
            None => Poll::Pending,
        }
    }

    /// Closes all connections after a failed write. Nothing more is sent.
    pub(super) fn close_all(&self) {
        if !self.is_sound() {
            // The panic was reported where it happened.
            return;
        }
        self.turn(None, Test::default(), |now, keeper, sink| {
            end_connections(now, keeper, sink, CloseReason::DiskRefused);
        });
    }

    /// Replaces the state of a server, also in its data folder. All connections are closed; clients can resume the
    /// sessions of the snapshot.
    ///
    /// # Errors
    ///
    /// If the format of the folder cannot hold the state, or if the disk refuses a write.
    pub(crate) fn restore(&self, snapshot: Snapshot) -> Result<(), StorageError> {
        if let Some(appender) = &self.lock().appender {
            appender.check_format(&snapshot)?;
        }
        self.turn(None, Test::default(), |now, keeper, sink| {
            end_connections(now, keeper, sink, CloseReason::Restored);
            keeper.replace(snapshot, now);
            if let Some(appender) = &mut sink.appender {
                appender.replace();
            }
        });
        self.log.as_ref().map_or(Ok(()), |log| log.flush())
    }

    /// Records that the server has stopped.
    pub(crate) fn stopped(&self) {
        self.control(|control| control.stopped = true);
        self.note(&Event::Stopped);
    }

    /// Returns the state, for a thread that panics. `None` if the server itself has panicked, or if the lock stays
    /// taken so long that this thread may hold it.
    pub(super) fn panicked_state(&self) -> Option<MutexGuard<'_, State>> {
        for _ in 0..PANIC_LOCK_TIMEOUT_MS {
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

    /// Moves the pending bytes of the outbox to `bytes`, if `bytes` is empty or the connection is closing. The task is
    /// woken when there is something to do.
    // Longer than 60 lines: each return unlocks before it wakes other tasks.
    pub(super) fn poll_outbox(
        &self,
        id: ConnectionId,
        context: &Context<'_>,
        bytes: &mut Outgoing,
    ) -> OutboxProgress {
        let (progress, wakers, nearer) = {
            let mut state = self.lock();
            let now = self.clock.now();
            let State { outboxes, due, .. } = &mut *state;
            let Some(outbox) = outboxes.of_task(id) else {
                return OutboxProgress::default();
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
            let mut progress = OutboxProgress {
                closing: None,
                stalled: outbox.is_stalled(),
            };
            if outbox.closing().is_none() && outbox.link.blocks_to_client(context) {
                // The pending bytes stay here until the link is healed.
                return progress;
            }
            if let Some(log) = &self.log
                && !log.is_broken()
                && log.wake_when_durable(outbox.shows, context.waker())
            {
                // The bytes, or the end of the connection, show transactions that are not durable yet.
                return progress;
            }
            if !bytes.is_empty() && outbox.closing().is_some() {
                outbox.move_to(bytes);
            } else if bytes.is_empty() {
                if outbox.queue.is_empty() {
                    bytes.swap(&mut outbox.bytes);
                } else {
                    let mut next = Vec::new();
                    bytes.swap(&mut next);
                    outbox.fill(now, &mut next);
                    bytes.swap(&mut next);
                    outbox.schedule(id, now, due);
                    progress.stalled = outbox.is_stalled();
                    scheduled = true;
                }
            }
            outbox.leaving = bytes.len();
            progress.closing = outbox.closing();
            if progress.closing.is_some() {
                outbox.waker = None;
                settled = state.settle_closing(now, id);
                state.end_waits_if_idle();
                state.control.changed();
            }
            let mut wakers = state.take_wakers();
            wakers.extend(settled);
            (progress, wakers, scheduled && state.arm_earlier_deadline())
        };
        self.wake(wakers, nearer);
        progress
    }

    /// Takes one turn: runs `take_turn` under the lock.
    pub(super) fn turn<T>(
        &self,
        own: Option<Own<'_>>,
        test: Test<'_, '_>,
        take_turn: impl FnOnce(Timestamp, &mut Keeper, &mut Sink<'_, '_>) -> T,
    ) -> T {
        self.turn_and_mark(own, test, take_turn).0
    }

    /// Takes one turn. Also returns the transaction that must be durable before the results may be shown, if it is not.
    // Longer than 60 lines: the order of its steps is that of a turn.
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
            // Read under the lock, so that no turn is earlier than the previous one.
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
                state.end_waits_if_idle();
                if !only_reads {
                    state.control.changed();
                }
            }
            wakers.append(&mut state.take_wakers());
            let mut unflushed = None;
            if state.appender.is_some() {
                unflushed = state.end_turn(now, &mut wakers);
            }
            (result, wakers, state.arm_earlier_deadline(), unflushed)
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

    /// Locks the state, also after a panic inside the server.
    pub(super) fn try_lock(&self) -> LockResult<MutexGuard<'_, State>> {
        self.state.lock()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self
            .state
            .lock()
            .expect("a panic inside the server has been reported where it happened");
        state.panic_reports.note_use();
        state
    }
}

/// Ends all connections in one turn.
fn end_connections(
    now: Timestamp,
    keeper: &mut Keeper,
    sink: &mut Sink<'_, '_>,
    reason: CloseReason,
) {
    for id in sink.outboxes.ids() {
        keeper.step(now, Input::Disconnected(id), sink);
        sink.close(id, reason);
    }
}

impl State {
    /// Applies the faults of the test to a new connection.
    fn decide_accept(
        &mut self,
        now: Timestamp,
        id: ConnectionId,
        mut outbox: Outbox,
    ) -> AcceptDecision {
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
            AcceptPlan::Close => return AcceptDecision::Close,
            AcceptPlan::Reset => return AcceptDecision::Reset,
            AcceptPlan::Pause(by) => {
                outbox.stall = Stall::Until(now + by);
                outbox.schedule(id, now, &mut self.due);
            }
        }
        self.outboxes.insert(id, outbox);
        AcceptDecision::Serve(id)
    }

    /// Returns the wakers of the tasks whose waits have ended.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let ended = self.control.waits.take_ended();
        self.waiters.wakers_of(ended).collect()
    }

    /// Removes a closing connection from all views, once no reply is held or delayed for it. Returns the waker of its
    /// task.
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

    /// Whether there are no connections and no sessions.
    pub(super) fn is_quiet(&self) -> bool {
        self.outboxes.is_empty() && self.keeper.sessions().len() == 0
    }

    /// Ends the waits for an idle server, if no connection and no session exists.
    pub(super) fn end_waits_if_idle(&mut self) {
        if !self.control.waits.is_empty() && self.is_quiet() {
            self.control.waits.quiet();
        }
    }

    /// Submits the transactions of a turn to the log. Returns the transaction that must be durable before the results
    /// of the turn may be shown, if it is not. `wakers` are tasks that need not wait for it.
    fn end_turn(&mut self, now: Timestamp, wakers: &mut Vec<Waker>) -> Option<u64> {
        let appender = self.appender.as_mut()?;
        appender.end_turn(&mut self.keeper, now, wakers)
    }

    /// Returns whether the next deadline is earlier than the one that the timer waits for.
    fn arm_earlier_deadline(&mut self) -> bool {
        let due = self.next_deadline();
        let nearer = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        if nearer {
            self.armed = due;
        }
        nearer
    }

    /// Returns the next deadline of the rules, or of a delayed message.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let delayed = self.due.first().map(|(at, _)| *at);
        self.keeper.next_deadline().into_iter().chain(delayed).min()
    }
}
