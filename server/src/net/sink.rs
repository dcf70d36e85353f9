//! Outputs of a step: planned by the test's control, encoded for their connections, or queued.

use std::task::Waker;

use super::outbox::{Due, EVENT_LIMIT, Ending, Outbox, Outboxes, Parcel, Stall};
use super::outgoing::Outgoing;
use super::totals::Totals;
use crate::control::{
    Client, Control, Effects, Event, Leading, Paths, Progress, ReplyPlan, RequestPlan,
};
use crate::keeper::{CloseReason, ConnectionId, Expiry, Input, Keeper, Output, Outputs};
use crate::persistence::Appender;
use crate::protocol::{
    ClientText, ErrorCode, Message, Reply, Response, SessionId, Timestamp, Txn, TxnRecord, Zxid,
};
use crate::wire;

/// Receives the answer to a request of the test.
pub(super) type OnAnswer<'s, 'f> = &'s mut (dyn FnMut(Result<&Response<'_>, ErrorCode>) + 'f);

/// Parts of a turn that concern an action of the test.
#[derive(Default)]
pub(super) struct Test<'s, 'f> {
    /// Receives the answer to the test's request.
    pub(super) answer: Option<OnAnswer<'s, 'f>>,
    /// Effects of the action.
    pub(super) effects: Option<&'s mut Effects>,
    /// Session of the test that this step closes.
    pub(super) closes: Option<SessionId>,
    /// Whether the step only reads, so that nothing changes.
    pub(super) only_reads: bool,
}

/// Receiver of the outputs of one turn.
pub(super) struct Sink<'s, 'f> {
    pub(super) outboxes: &'s mut Outboxes,
    pub(super) totals: &'s mut Totals,
    pub(super) control: &'s mut Control,
    pub(super) due: &'s mut Due,
    pub(super) now: Timestamp,
    /// Whether there is no fault, hold, journal or wait, as on most servers outside of tests.
    pub(super) idle: bool,
    /// Connection whose frames are processed. Its own messages go straight to the bytes that it writes next.
    pub(super) own: Option<Own<'s>>,
    /// Held or delayed request that is carried out. Its reply goes to the outbox.
    pub(super) carried: Option<Carried>,
    pub(super) test: Test<'s, 'f>,
    /// Tasks to wake once the lock is free.
    pub(super) wakers: Vec<Waker>,
    /// Connections that a fault closes after the step.
    pub(super) to_close: Vec<ConnectionId>,
    /// Appends transactions to the log, if the server has one.
    pub(super) appender: Option<&'s mut Appender>,
}

/// Connection whose frames are processed.
pub(super) struct Own<'s> {
    pub(super) id: ConnectionId,
    pub(super) bytes: &'s mut Outgoing,
    pub(super) sent: u64,
    /// Zxid of the last reply that has one.
    pub(super) last_zxid: Option<Zxid>,
    /// Whether the last reply was a refusal.
    pub(super) refused: bool,
    pub(super) closing: Option<CloseReason>,
    /// Whether a message for it is queued, so that all later messages are queued too.
    pub(super) queues: bool,
    /// Whether a fault or hold delays its frames.
    pub(super) stalled: bool,
    /// Progress of the first frame.
    pub(super) progress: Progress,
    /// Number of bytes for it before its link was cut in this turn.
    pub(super) under_way: Option<usize>,
}

/// Result of processing a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The rules have processed it.
    In,
    /// It was lost.
    Lost,
    /// The request is held or delayed, and is carried out later.
    Deferred,
    /// The link is cut: the request is offered again once the link is whole.
    Later,
}

/// Held or delayed request that is carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub(super) id: ConnectionId,
    /// Whether its reply was a refusal.
    pub(super) refused: bool,
}

impl Sink<'_, '_> {
    /// Passes a message of a client to the rules, unless the test plans otherwise.
    pub(super) fn take_in(
        &mut self,
        id: ConnectionId,
        input: Input<'_>,
        keeper: &mut Keeper,
        progress: Progress,
    ) -> Taken {
        if !self.idle || progress != Progress::New {
            if self.is_cut_off(id, &input) {
                self.stall(progress);
                return Taken::Later;
            }
            let plan = self.plan_request(id, &input, progress);
            if plan != RequestPlan::CarryOut {
                return self.carry_out_plan(plan, id, input, keeper);
            }
        }
        keeper.step(self.now, input, self);
        if !self.idle {
            self.control.count_watches(keeper);
            self.settle(keeper);
        }
        Taken::In
    }

    /// Takes the progress of the first frame of the connection whose bytes are being taken in.
    pub(super) fn take_progress(&mut self) -> Progress {
        let own = self.own.as_mut();
        own.map_or(Progress::New, |own| std::mem::take(&mut own.progress))
    }

    /// Whether a client asks for a session whose link to the server is cut.
    fn is_cut_off(&mut self, id: ConnectionId, input: &Input<'_>) -> bool {
        if let Input::Connect { request, .. } = input
            && !self.control.cuts.is_empty()
            && let Some(outbox) = self.outboxes.get_mut(id)
        {
            // The connection comes for a session, so the link is that of the session.
            let client = Client {
                session: request.session,
                ..outbox.client(id)
            };
            let cuts = self.control.cuts.of(&client);
            outbox.link.set(cuts, &mut self.wakers);
            outbox.link.is_cut_to_server()
        } else {
            false
        }
    }

    fn plan_request(
        &mut self,
        id: ConnectionId,
        input: &Input<'_>,
        progress: Progress,
    ) -> RequestPlan {
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return RequestPlan::CarryOut;
        };
        outbox.stall = Stall::No;
        if self.idle {
            return RequestPlan::CarryOut;
        }
        let client = outbox.client(id);
        self.control
            .plan_request(self.now, &client, input, progress)
    }

    /// Applies the test's plan to a request that is not carried out.
    #[inline(never)]
    fn carry_out_plan(
        &mut self,
        plan: RequestPlan,
        id: ConnectionId,
        input: Input<'_>,
        keeper: &mut Keeper,
    ) -> Taken {
        let now = self.now;
        match plan {
            RequestPlan::CarryOut => keeper.step(now, input, self),
            RequestPlan::Lose => return Taken::Lost,
            RequestPlan::Delay(by) => {
                if let Some(outbox) = self.outboxes.get_mut(id) {
                    outbox.stall = Stall::Delayed(now + by);
                    outbox.schedule(id, now, self.due);
                }
                self.stall(Progress::New);
                return Taken::Deferred;
            }
            RequestPlan::Hold(item) => {
                if let Some(outbox) = self.outboxes.get_mut(id) {
                    outbox.stall = Stall::Held(item);
                }
                self.stall(Progress::New);
                return Taken::Deferred;
            }
            RequestPlan::Cut => {
                self.settle(keeper);
                if let Some(outbox) = self.outboxes.get_mut(id)
                    && outbox.link.is_cut_to_server()
                {
                    outbox.stall = Stall::Decided;
                    self.stall(Progress::Decided);
                    return Taken::Later;
                }
                keeper.step(now, input, self);
            }
            RequestPlan::Refuse {
                code,
                parts,
                then_close,
            } => {
                self.refuse(input, code, &parts, keeper);
                if then_close {
                    keeper.step(now, Input::Close(id), self);
                }
            }
            RequestPlan::Close => keeper.step(now, Input::Close(id), self),
            RequestPlan::Expire => self.expire(id, input, keeper),
        }
        self.settle(keeper);
        Taken::In
    }

    /// Refuses a request, or some operations of a multi.
    fn refuse(&mut self, input: Input<'_>, code: ErrorCode, parts: &[usize], keeper: &mut Keeper) {
        if let Input::Request {
            connection,
            xid,
            request,
        } = input
        {
            let refuse = if parts.is_empty() {
                Input::Refuse {
                    connection,
                    xid,
                    code,
                }
            } else {
                Input::RefuseParts {
                    connection,
                    xid,
                    request,
                    code,
                    at: parts,
                }
            };
            keeper.step(self.now, refuse, self);
        }
    }

    /// Expires the session of a request.
    fn expire(&mut self, id: ConnectionId, input: Input<'_>, keeper: &mut Keeper) {
        if let Input::Connect { request, .. } = &input {
            keeper.step(self.now, Input::ExpireSession(request.session), self);
            // The client that reconnects for the session learns that it has expired. Any other request ends with its
            // connection.
            keeper.step(self.now, input, self);
        } else if let Some(outbox) = self.outboxes.get(id) {
            let session = outbox.session;
            keeper.step(self.now, Input::ExpireSession(session), self);
        }
    }

    /// Delays the further frames of the connection.
    fn stall(&mut self, progress: Progress) {
        if let Some(own) = &mut self.own {
            own.stalled = true;
            own.progress = progress;
        }
    }

    /// Applies effects of faults that could not be applied within the step.
    pub(super) fn settle(&mut self, keeper: &mut Keeper) {
        if self.control.was_cut() {
            self.relink(keeper);
        }
        for id in std::mem::take(&mut self.to_close) {
            keeper.step(self.now, Input::Close(id), self);
        }
    }

    /// Cuts and heals links as the test wants it now, and informs the rules which connections are silent.
    pub(super) fn relink(&mut self, keeper: &mut Keeper) {
        let mut changed = Vec::new();
        for (id, outbox) in self.outboxes.iter_mut() {
            let client = outbox.client(*id);
            if outbox
                .link
                .set(self.control.cuts.of(&client), &mut self.wakers)
            {
                // Queued messages may be sent now, or received frames processed.
                self.wakers.extend(outbox.waker.take());
            }
            let silent = outbox.link.is_cut_to_server();
            if std::mem::replace(&mut outbox.silent, silent) != silent {
                changed.push((*id, silent));
            }
        }
        self.outboxes
            .departed
            .relink(self.control, &mut self.wakers);
        self.own_link_changed();
        changed.sort_unstable();
        for (connection, silent) in changed {
            keeper.step(self.now, Input::Silence { connection, silent }, self);
        }
    }

    /// Records the bytes that were sent before the link was cut: they arrive.
    fn own_link_changed(&mut self) {
        if let Some(own) = &mut self.own
            && let Some(outbox) = self.outboxes.get(own.id)
        {
            own.stalled |= outbox.is_stalled();
            if outbox.link.is_cut_to_client() {
                own.under_way.get_or_insert(own.bytes.len());
            }
        }
    }

    /// Releases messages and requests that were delayed until now.
    pub(super) fn let_go_due(&mut self, keeper: &mut Keeper) {
        while let Some((at, id)) = self.due.first().copied()
            && at <= self.now
        {
            self.due.pop_first();
            if let Some(outbox) = self.outboxes.get_mut(id) {
                outbox.is_due(self.now);
                outbox.schedule(id, self.now, self.due);
                self.wakers.extend(outbox.waker.take());
                self.settle_closing(id);
                self.carry_out(id, keeper);
            }
        }
    }

    /// Sends a message of the rules, unless the test plans otherwise.
    #[inline]
    fn send(&mut self, connection: ConnectionId, message: &Message<'_>) {
        tracing::trace!(connection = connection.0, ?message);
        if let Message::Connected(response) = message
            && let Some(outbox) = self.outboxes.get_mut(connection)
        {
            outbox.session = response.session;
            self.control
                .session_connected(response.session, &outbox.listener_id);
        }
        // A reply to the client whose turn it is goes straight to the bytes that are written next.
        if self.idle
            && let Some(own) = &mut self.own
            && own.id == connection
            && !own.queues
        {
            own.send(message, self.totals);
            return;
        }
        self.send_by_plan(connection, message);
    }

    /// Sends a message to another connection or to the test, or where the test may have a plan for it.
    #[inline(never)]
    fn send_by_plan(&mut self, connection: ConnectionId, message: &Message<'_>) {
        let is_own = self.own.as_ref().is_some_and(|own| own.id == connection);
        if !is_own && connection == ConnectionId::HANDLE {
            self.answer_test(message);
            return;
        }
        let mut plan = None;
        if !self.idle {
            let outbox = self.outboxes.get(connection);
            let Some(outbox) = outbox.filter(|outbox| outbox.takes_messages()) else {
                return;
            };
            let is_answer = is_own || self.carried.is_some_and(|carried| carried.id == connection);
            let client = outbox.client(connection);
            plan = self
                .control
                .plan_message(self.now, &client, message, is_answer);
        }
        if plan.is_none()
            && is_own
            && let Some(own) = &mut self.own
            && !own.queues
        {
            own.send(message, self.totals);
            return;
        }
        let plan = plan.map(|plan| *plan).unwrap_or_default();
        self.send_planned(connection, message, plan);
    }

    /// Passes the answer to the test's own request.
    fn answer_test(&mut self, message: &Message<'_>) {
        if let (Message::Reply(reply), Some(answer)) = (message, &mut self.test.answer) {
            answer(reply.result.as_ref().map_err(|code| *code));
            if !self.idle {
                self.control.end_own_write(self.now, reply);
            }
        }
    }

    /// Sends a message as planned, behind earlier messages of the connection.
    #[inline(never)]
    fn send_planned(&mut self, connection: ConnectionId, message: &Message<'_>, plan: ReplyPlan) {
        if !self.apply_to_connection(connection, message, &plan) {
            return;
        }
        let mut own = self.own.as_mut().filter(|own| own.id == connection);
        let Some(outbox) = self.outboxes.get_mut(connection) else {
            return;
        };
        if let Some(own) = &mut own {
            own.count(message);
            if plan.is_unchanged() && !own.queues {
                if let Some(length) = own.bytes.encode(message) {
                    self.totals.count_sent(length);
                }
                return;
            }
            own.queues = true;
        } else {
            outbox.stats.sent += 1;
            if let Some(carried) = &mut self.carried
                && carried.id == connection
                && let Some((zxid, refused)) = counted(message)
            {
                outbox.stats.last_zxid = zxid;
                carried.refused = refused;
            }
        }
        if plan.is_unchanged() && outbox.queue.is_empty() && own.is_none() {
            let before = outbox.bytes.len();
            wire::encode_message(message, &mut outbox.bytes);
            self.totals.count_sent(outbox.bytes.len() - before);
        } else {
            let mut bytes = Vec::new();
            wire::encode_message(message, &mut bytes);
            plan.bytes.apply(&mut bytes);
            self.totals.count_sent(bytes.len());
            outbox.keep(Parcel {
                bytes: bytes.into(),
                not_before: plan.delay.map(|by| self.now + by),
                pieces: plan.bytes.pieces(),
                alone: false,
                held: plan.hold,
            });
            match own {
                Some(own) => own.stalled |= outbox.is_stalled(),
                None => outbox.let_go(self.now),
            }
            outbox.schedule(connection, self.now, self.due);
        }
        self.wake_for_bytes(connection);
    }

    /// Applies the part of a plan that concerns the connection of a message and not its bytes. Returns whether the
    /// message is sent.
    fn apply_to_connection(
        &mut self,
        connection: ConnectionId,
        message: &Message<'_>,
        plan: &ReplyPlan,
    ) -> bool {
        let outbox = self.outboxes.get_mut(connection);
        let Some(outbox) = outbox.filter(|outbox| outbox.takes_messages()) else {
            return false;
        };
        if let (Message::Event { zxid, event }, Some(effects)) = (message, &mut self.test.effects) {
            effects.sent(outbox.session, event.event_type, event.path, *zxid);
        }
        if plan.then_close {
            outbox.ending = Ending::AfterLast;
            self.to_close.push(connection);
        }
        if plan.cut {
            // Messages from here on do not arrive. Other connections of the same client are cut when the step is done.
            let client = outbox.client(connection);
            let cuts = self.control.cuts.of(&client);
            outbox.link.set(cuts, &mut self.wakers);
            if let Some(own) = self.own.as_mut().filter(|own| own.id == connection)
                && outbox.link.is_cut_to_client()
            {
                own.under_way.get_or_insert(own.bytes.len());
            }
        }
        !plan.lose
    }

    /// Wakes the task of a connection that has more to write, or closes the connection if its client does not read.
    fn wake_for_bytes(&mut self, connection: ConnectionId) {
        let Some(outbox) = self.outboxes.get_mut(connection) else {
            return;
        };
        if outbox.leaving + outbox.bytes.len() + outbox.queued_bytes > EVENT_LIMIT {
            outbox.bytes = Vec::new();
            self.close(connection, CloseReason::DoesNotRead);
            return;
        }
        match &mut self.appender {
            Some(appender) => {
                outbox.shows = appender.appended();
                appender.wake_later(outbox.waker.take());
            }
            None => self.wakers.extend(outbox.waker.take()),
        }
    }

    /// Closes a connection: from here on no view counts it, unless the test holds or delays a reply that is owed to
    /// it. Its task still writes the bytes that it has.
    pub(super) fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let Some(outbox) = self.outboxes.get_mut(connection) else {
            // Both a fault and the rules may close it.
            return;
        };
        let owed = reason.delivers_pending();
        if matches!(outbox.ending, Ending::AfterQueue(_)) && owed {
            return;
        }
        tracing::debug!(connection = connection.0, ?reason, "closing");
        self.totals.count_close(reason);
        if let Some(effects) = &mut self.test.effects {
            effects.closed(outbox.session);
        }
        if !self.idle {
            let client = outbox.client(connection);
            self.control
                .note(self.now, &client, &Event::Closing { reason });
        }
        if !outbox.queue.is_empty() && owed {
            outbox.ending = Ending::AfterQueue(reason);
            outbox.drop_request(self.control);
            outbox.schedule(connection, self.now, self.due);
            self.own_link_changed();
            return;
        }
        outbox.ending = Ending::Closing(reason);
        if let Some(own) = &mut self.own
            && own.id == connection
        {
            own.closing = Some(reason);
        }
        self.settle_closing(connection);
    }

    /// Removes a closing connection from all views, once no reply is held or delayed for it.
    pub(super) fn settle_closing(&mut self, id: ConnectionId) {
        if self.outboxes.get(id).is_some_and(Outbox::is_closed) {
            let at = (id, self.now);
            let waker = self.outboxes.remove(at, true, self.control, self.due);
            self.wakers.extend(waker);
        }
    }

    /// Adds a transaction to the journal that no connection requested or that ends a session; every transaction, if the
    /// test wants that.
    fn note_transaction(&mut self, txn: &Txn<'_>) {
        let (now, session, zxid) = (self.now, txn.session, txn.zxid);
        if !self.control.known.without_transactions {
            let event = Event::Committed {
                zxid,
                change: txn.record.name().into(),
                paths: txn.record.paths().into_iter().collect(),
            };
            self.control.note_of_session(now, session, &event);
        }
        if let TxnRecord::CloseSession { paths } = &txn.record {
            let own = self.own.as_ref().map(|own| own.id);
            let own = own.or(self.carried.map(|carried| carried.id));
            let asked = own
                .and_then(|own| self.outboxes.get(own))
                .is_some_and(|outbox| outbox.session == session)
                && self.control.closes_session();
            let deleted: Paths<'_> = paths.iter().collect();
            let event = if asked || self.test.closes == Some(session) {
                Event::SessionClosed { zxid, deleted }
            } else {
                Event::SessionExpired { zxid, deleted }
            };
            self.control.note_of_session(now, session, &event);
        } else if let TxnRecord::DeleteContainer { path } = &txn.record {
            let path = path.as_ref().into();
            self.control
                .note(now, &Client::NONE, &Event::Reaped { path, zxid });
        }
    }
}

impl<'s> Own<'s> {
    pub(super) fn new(id: ConnectionId, bytes: &'s mut Outgoing) -> Self {
        Self {
            id,
            bytes,
            sent: 0,
            last_zxid: None,
            refused: false,
            closing: None,
            queues: false,
            stalled: false,
            progress: Progress::New,
            under_way: None,
        }
    }

    /// Takes the earlier messages from the outbox, and the state of the connection.
    pub(super) fn enter(&mut self, outbox: &mut Outbox, now: Timestamp, due: &mut Due) {
        if !outbox.queue.is_empty() {
            outbox.let_go(now);
            outbox.schedule(self.id, now, due);
        }
        outbox.move_to(self.bytes);
        self.queues = !outbox.queue.is_empty();
        self.closing = outbox.closing();
        self.stalled = outbox.is_stalled();
        self.progress = match outbox.stall {
            Stall::Released => Progress::Released,
            Stall::Decided => Progress::Decided,
            Stall::No | Stall::Until(_) | Stall::Held(_) | Stall::Delayed(_) => Progress::New,
        };
    }
}

impl Own<'_> {
    /// Appends a message to the bytes that the connection writes next, and counts it.
    #[inline]
    fn send(&mut self, message: &Message<'_>, totals: &mut Totals) {
        if let Some(length) = self.bytes.encode(message) {
            totals.count_sent(length);
        }
        self.count(message);
    }

    /// Counts a message that is sent to the connection.
    fn count(&mut self, message: &Message<'_>) {
        self.sent += 1;
        if let Some((zxid, refused)) = counted(message) {
            self.last_zxid = Some(zxid);
            self.refused = refused;
        }
    }
}

/// Returns the facts about a reply that `cons` prints: its zxid, and whether it is a refusal. A reply from before
/// FinalRequestProcessor has no zxid, and `cons` does not show it.
fn counted(message: &Message<'_>) -> Option<(Zxid, bool)> {
    if let Message::Reply(Reply { zxid, result, .. }) = message
        && zxid.0 > 0
    {
        Some((*zxid, result.is_err()))
    } else {
        None
    }
}

impl Outputs for Sink<'_, '_> {
    /// Logs the words of a real server, for users who search for them.
    fn expiring(&mut self, session: SessionId, why: Expiry) {
        match why {
            Expiry::Silent { timeout_ms } => {
                tracing::info!("expiring session {session}, timeout of {timeout_ms}ms exceeded");
            }
            Expiry::Forced => tracing::info!("forcibly expiring session {session}"),
        }
    }

    #[inline]
    fn has_read(&mut self, path: ClientText<'_>, bytes: usize) {
        self.totals.namespaces.count_read(path.bytes(), bytes);
    }

    fn quota_exceeded(&mut self, path: &str) {
        self.totals.namespaces.count_quota_exceeded(path);
    }

    #[inline]
    fn emit(&mut self, output: Output<'_>) {
        match output {
            Output::Send {
                connection,
                message,
            } => self.send(connection, message),
            Output::Close { connection, reason } => self.close(connection, reason),
            Output::Committed { txn, digest } => {
                tracing::trace!(?txn, "committed");
                self.totals.namespaces.count_written(txn);
                if let Some(appender) = &mut self.appender {
                    appender.append(txn, digest);
                }
                if !self.idle {
                    self.note_transaction(txn);
                }
                if let TxnRecord::CloseSession { .. } = txn.record {
                    self.control.session_ended(txn.session);
                }
                if let Some(effects) = &mut self.test.effects {
                    effects.committed(txn);
                }
            }
            Output::Leading { leader, epoch } => {
                tracing::debug!(?leader, epoch, "leading");
                if !self.idle {
                    let event = Event::Leading { leader, epoch };
                    self.control.note(self.now, &Client::NONE, &event);
                }
                if let Some(effects) = &mut self.test.effects {
                    effects.leading = Some(Leading { leader, epoch });
                }
            }
        }
    }
}
