//! Where outputs are taken: judged, encoded into the bytes of their connection, or kept back.

use std::task::Waker;

use bytes::BytesMut;

use super::outbox::{Due, EVENT_LIMIT, Outbox, Outboxes, Parcel, Stall};
use super::outgoing::Outgoing;
use super::totals::Totals;
use crate::control::{Control, Effects, Leading, Sight, Stage, Treatment, Verdict, Who};
use crate::keeper::{CloseReason, ConnectionId, Expiry, Input, Keeper, Output, Outputs};
use crate::persistence::Appender;
use crate::protocol::{
    ErrorCode, Message, Reply, Response, SessionId, Timestamp, Txn, TxnRecord, Zxid,
};
use crate::wire;

/// Takes the answer to a question of the test itself.
pub(super) type OnAnswer<'s, 'f> = &'s mut (dyn FnMut(Result<&Response<'_>, ErrorCode>) + 'f);

/// What the test itself is to be told of a turn.
#[derive(Default)]
pub(super) struct Test<'s, 'f> {
    /// The answer to its request.
    pub(super) answer: Option<OnAnswer<'s, 'f>>,
    /// Effects of its action.
    pub(super) effects: Option<&'s mut Effects>,
    /// Session of the test that this step closes.
    pub(super) closes: Option<SessionId>,
    /// Whether the step only reads, so that nothing changes.
    pub(super) only_reads: bool,
}

/// Encodes what follows from an input into the outboxes.
pub(super) struct Sink<'s, 'f> {
    pub(super) outboxes: &'s mut Outboxes,
    pub(super) totals: &'s mut Totals,
    pub(super) control: &'s mut Control,
    pub(super) due: &'s mut Due,
    pub(super) now: Timestamp,
    /// Whether nobody wants to know or change anything, as on nearly every server but a test's.
    pub(super) idle: bool,
    /// Whether nobody wants to change anything.
    pub(super) plain: bool,
    /// The connection whose bytes are being taken in: what is for itself goes straight to what it writes next.
    pub(super) own: Option<Own<'s>>,
    /// The held or delayed request that is being carried out, whose answer goes to the outbox.
    pub(super) carried: Option<Carried>,
    pub(super) test: Test<'s, 'f>,
    /// Whom to wake once the lock is free.
    pub(super) wakers: Vec<Waker>,
    /// The connections that a fault closes once the step is done.
    pub(super) to_close: Vec<ConnectionId>,
    /// Takes what is committed to the log, if there is one.
    pub(super) appender: Option<&'s mut Appender>,
}

/// The connection whose bytes are being taken in.
pub(super) struct Own<'s> {
    pub(super) id: ConnectionId,
    pub(super) bytes: &'s mut Outgoing,
    pub(super) sent: u64,
    /// That of the last answer that has one.
    pub(super) last_zxid: Option<Zxid>,
    /// Whether the last answer was a refusal.
    pub(super) refused: bool,
    pub(super) closing: Option<CloseReason>,
    /// Whether something for it is kept back, behind which everything else queues.
    pub(super) queues: bool,
    /// Whether a test keeps what it sends from being taken in.
    pub(super) stalled: bool,
    /// How far the first frame has come already.
    pub(super) stage: Stage,
    /// How much was said to it before its link was cut in this turn.
    pub(super) under_way: Option<usize>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was taken in.
    In,
    /// It never came.
    Lost,
    /// The request is held or delayed, and is carried out later.
    Deferred,
    /// The link is cut: the request is offered again once the link is whole.
    Later,
}

/// The held or delayed request that is being carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub(super) id: ConnectionId,
    /// Whether its answer was a refusal.
    pub(super) refused: bool,
}

impl Sink<'_, '_> {
    /// Lets what a client sent come to the rules, unless a test wants otherwise.
    pub(super) fn take_in(
        &mut self,
        id: ConnectionId,
        input: Input<'_>,
        keeper: &mut Keeper,
    ) -> Taken {
        let now = self.now;
        let stage = self
            .own
            .as_mut()
            .map_or(Stage::New, |own| std::mem::take(&mut own.stage));
        if self.plain && stage == Stage::New {
            if !self.idle
                && let Some(outbox) = self.outboxes.get(id)
            {
                self.control.see_input(now, &outbox.who(id), &input);
            }
            keeper.step(now, input, self);
            if !self.idle {
                self.control.mind_watches(keeper);
            }
            return Taken::In;
        }
        self.take_in_judged(id, input, keeper, stage)
    }

    /// The same where a test may want something of it.
    #[inline(never)]
    pub(super) fn take_in_judged(
        &mut self,
        id: ConnectionId,
        input: Input<'_>,
        keeper: &mut Keeper,
        stage: Stage,
    ) -> Taken {
        let now = self.now;
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return Taken::In;
        };
        if let Input::Connect { request, .. } = &input
            && self.control.has_cuts()
        {
            // It comes for a session, and the link is that session's.
            let who = Who {
                session: request.session,
                ..outbox.who(id)
            };
            outbox.link.set(self.control.cuts(&who), &mut self.wakers);
            if outbox.link.is_cut_to_server() {
                self.stall(stage);
                return Taken::Later;
            }
        }
        outbox.stall = Stall::No;
        let verdict = if self.idle {
            Verdict::Pass
        } else {
            self.control.judge(now, &outbox.who(id), &input, stage)
        };
        match verdict {
            Verdict::Pass => {
                keeper.step(now, input, self);
                if !self.idle {
                    self.control.mind_watches(keeper);
                }
            }
            Verdict::Lose => return Taken::Lost,
            Verdict::Delay(until) => {
                outbox.stall = Stall::Delayed(until);
                outbox.schedule(id, now, self.due);
                self.stall(Stage::New);
                return Taken::Deferred;
            }
            Verdict::Hold { hold, item, what } => {
                outbox.stall = Stall::Held { hold, item, what };
                self.stall(Stage::New);
                return Taken::Deferred;
            }
            Verdict::Cut => {
                self.settle(keeper);
                if let Some(outbox) = self.outboxes.get_mut(id)
                    && outbox.link.is_cut_to_server()
                {
                    outbox.stall = Stall::Judged;
                    self.stall(Stage::Judged);
                    return Taken::Later;
                }
                keeper.step(now, input, self);
            }
            Verdict::Refuse(code, then_close) => {
                if let Input::Request {
                    connection, xid, ..
                } = input
                {
                    let refuse = Input::Refuse {
                        connection,
                        xid,
                        code,
                    };
                    keeper.step(now, refuse, self);
                }
                if then_close {
                    keeper.step(now, Input::Close(id), self);
                }
            }
            Verdict::RefuseParts(code, at) => {
                if let Input::Request {
                    connection,
                    xid,
                    request,
                } = input
                {
                    let refuse = Input::RefuseParts {
                        connection,
                        xid,
                        request,
                        code,
                        at: &at,
                    };
                    keeper.step(now, refuse, self);
                }
            }
            Verdict::Close => keeper.step(now, Input::Close(id), self),
            Verdict::Expire(session) => {
                keeper.step(now, Input::ExpireSession(session), self);
                // Whoever comes back for it is told that it is over; any other request went with its connection.
                if let Input::Connect { .. } = input {
                    keeper.step(now, input, self);
                }
            }
        }
        self.settle(keeper);
        Taken::In
    }

    /// Nothing more of what the connection sends is taken in for now.
    fn stall(&mut self, stage: Stage) {
        if let Some(own) = &mut self.own {
            own.stalled = true;
            own.stage = stage;
        }
    }

    /// Does what faults wanted of a step that could not be done within it.
    pub(super) fn settle(&mut self, keeper: &mut Keeper) {
        if self.control.was_cut() {
            self.relink(keeper);
        }
        for id in std::mem::take(&mut self.to_close) {
            keeper.step(self.now, Input::Close(id), self);
        }
    }

    /// Cuts links, or makes them whole, as the test wants it now, and tells the rules of who is silent.
    pub(super) fn relink(&mut self, keeper: &mut Keeper) {
        let mut changed = Vec::new();
        for (id, outbox) in self.outboxes.iter_mut() {
            let who = outbox.who(*id);
            if outbox.link.set(self.control.cuts(&who), &mut self.wakers) {
                // What waits in it may leave now, or what was received be taken in.
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

    /// What was said before the link was cut arrives.
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

    /// Lets go what was kept back until now.
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

    /// Encodes what is for the connection whose turn it is, where nothing is in its way.
    fn send(&mut self, connection: ConnectionId, message: &Message<'_>) {
        tracing::trace!(connection = connection.0, ?message);
        if let Message::Connected(response) = message
            && let Some(outbox) = self.outboxes.get_mut(connection)
        {
            outbox.session = response.session;
            self.control.comes_by(response.session, &outbox.listener_id);
        }
        if self.plain
            && let Some(own) = &mut self.own
            && own.id == connection
            && !own.queues
        {
            if !self.idle
                && let Some(outbox) = self.outboxes.get(connection)
            {
                let who = outbox.who(connection);
                self.control.see_message(self.now, &who, message);
            }
            if let Some(length) = own.bytes.encode(message) {
                self.totals.count_sent(length);
            }
            own.count(message);
            return;
        }
        self.send_treated(connection, message);
    }

    /// The same for another connection, for the test itself, or where a test may want something of it.
    #[inline(never)]
    fn send_treated(&mut self, connection: ConnectionId, message: &Message<'_>) {
        if connection == ConnectionId::HANDLE {
            if let (Message::Reply(reply), Some(answer)) = (message, &mut self.test.answer) {
                answer(reply.result.as_ref().map_err(|code| *code));
                if !self.idle {
                    self.control.wrote(self.now, reply);
                }
            }
            return;
        }
        let mut own = self.own.as_mut().filter(|own| own.id == connection);
        let Some(outbox) = self.outboxes.get_mut(connection) else {
            return;
        };
        if !outbox.is_up() || outbox.said_last {
            return;
        }
        let treatment = if self.idle {
            Treatment::default()
        } else {
            let who = outbox.who(connection);
            let is_own =
                own.is_some() || self.carried.is_some_and(|carried| carried.id == connection);
            self.control.treat(self.now, &who, message, is_own)
        };
        if let (Message::Event { zxid, event }, Some(effects)) = (message, &mut self.test.effects) {
            effects.sent(outbox.session, event.event_type, event.path, *zxid);
        }
        if treatment.then_close {
            outbox.said_last = true;
            self.to_close.push(connection);
        }
        if treatment.cut {
            // What is said from here on does not arrive; the others whose link it is learn of it later.
            let who = outbox.who(connection);
            outbox.link.set(self.control.cuts(&who), &mut self.wakers);
            if let Some(own) = &mut own
                && outbox.link.is_cut_to_client()
            {
                own.under_way.get_or_insert(own.bytes.len());
            }
        }
        if treatment.lose {
            return;
        }
        let is_own = own.is_some();
        if let Some(own) = own {
            own.count(message);
            if treatment.is_whole() && !own.queues {
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
        if treatment.is_whole() && outbox.kept.is_empty() && !is_own {
            let before = outbox.bytes.len();
            wire::encode_message(message, &mut outbox.bytes);
            self.totals.count_sent(outbox.bytes.len() - before);
        } else {
            let mut bytes = BytesMut::new();
            wire::encode_message(message, &mut bytes);
            treatment.shape.apply(&mut bytes);
            self.totals.count_sent(bytes.len());
            outbox.keep(Parcel {
                bytes,
                gate: treatment.gate,
                not_before: treatment.not_before,
                pieces: treatment.shape.pieces(),
                alone: false,
                held: treatment.held,
            });
            if !is_own {
                outbox.let_go(self.now);
            } else if let Some(own) = &mut self.own {
                own.stalled |= outbox.is_stalled();
            }
            outbox.schedule(connection, self.now, self.due);
        }
        if outbox.leaving + outbox.bytes.len() + outbox.kept_bytes > EVENT_LIMIT {
            outbox.bytes = BytesMut::new();
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
        let owed = reason.is_owed_what_waits();
        if outbox.closing_behind.is_some() && owed {
            return;
        }
        tracing::debug!(connection = connection.0, ?reason, "closing");
        self.totals.count_close(reason);
        if let Some(effects) = &mut self.test.effects {
            effects.closed(outbox.session);
        }
        if !self.idle {
            let who = outbox.who(connection);
            self.control
                .note(self.now, Some(&who), &Sight::Closing { reason });
        }
        if !outbox.kept.is_empty() && owed {
            outbox.closing_behind = Some(reason);
            outbox.drop_request(self.control);
            outbox.schedule(connection, self.now, self.due);
            self.own_link_changed();
            return;
        }
        outbox.closing = Some(reason);
        if let Some(own) = &mut self.own
            && own.id == connection
        {
            own.closing = Some(reason);
        }
        self.settle_closing(connection);
    }

    /// Takes a connection out of every view if no answer is owed to it.
    pub(super) fn settle_closing(&mut self, id: ConnectionId) {
        if self.outboxes.get(id).is_some_and(Outbox::is_closed) {
            let at = (id, self.now);
            let waker = self.outboxes.remove(at, true, self.control, self.due);
            self.wakers.extend(waker);
        }
    }

    /// Tells the journal of what no connection asked for, or of the end of a session; of every transaction where that
    /// is wanted.
    fn note_transaction(&mut self, txn: &Txn<'_>) {
        if !self.control.known.without_transactions {
            let sight = Sight::Committed {
                session: txn.session,
                zxid: txn.zxid,
                change: txn.record.name(),
                paths: &txn.record.paths(),
            };
            self.control.note(self.now, None, &sight);
        }
        if let TxnRecord::CloseSession { paths } = &txn.record {
            let own = self.own.as_ref().map(|own| own.id);
            let own = own.or(self.carried.map(|carried| carried.id));
            let asked = own
                .and_then(|own| self.outboxes.get(own))
                .is_some_and(|outbox| outbox.session == txn.session)
                && self.control.closes_session();
            let asked = asked || self.test.closes == Some(txn.session);
            let sight = Sight::SessionEnded {
                session: txn.session,
                zxid: txn.zxid,
                deleted: paths,
                expired: !asked,
            };
            self.control.note(self.now, None, &sight);
        } else if let TxnRecord::DeleteContainer { path } = &txn.record {
            let sight = Sight::Reaped {
                path,
                zxid: txn.zxid,
            };
            self.control.note(self.now, None, &sight);
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
            stage: Stage::New,
            under_way: None,
        }
    }

    /// Takes what others said to the connection, which came first, and finds out how it stands.
    pub(super) fn enter(&mut self, outbox: &mut Outbox, now: Timestamp, due: &mut Due) {
        if !outbox.kept.is_empty() {
            outbox.let_go(now);
            outbox.schedule(self.id, now, due);
        }
        outbox.move_to(self.bytes);
        self.queues = !outbox.kept.is_empty();
        self.closing = outbox.closing;
        self.stalled = outbox.is_stalled();
        self.stage = match outbox.stall {
            Stall::Released => Stage::Released,
            Stall::Judged => Stage::Judged,
            Stall::No | Stall::Until(_) | Stall::Held { .. } | Stall::Delayed(_) => Stage::New,
        };
    }
}

impl Own<'_> {
    /// Counts what is sent to it.
    fn count(&mut self, message: &Message<'_>) {
        self.sent += 1;
        if let Some((zxid, refused)) = counted(message) {
            self.last_zxid = Some(zxid);
            self.refused = refused;
        }
    }
}

/// Facts about an answer that `cons` prints: its zxid, and whether it is a refusal. An answer from before
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
    /// Same words as a real server, for users who search its log for them.
    fn expiring(&mut self, session: SessionId, why: Expiry) {
        match why {
            Expiry::Silent { timeout_ms } => {
                tracing::info!("expiring session {session}, timeout of {timeout_ms}ms exceeded");
            }
            Expiry::Forced => tracing::info!("forcibly expiring session {session}"),
        }
    }

    fn emit(&mut self, output: Output<'_>) {
        match output {
            Output::Send {
                connection,
                message,
            } => self.send(connection, &message),
            Output::Close { connection, reason } => self.close(connection, reason),
            Output::Committed { txn, digest } => {
                tracing::trace!(?txn, "committed");
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
                    let sight = Sight::Leading { leader, epoch };
                    self.control.note(self.now, None, &sight);
                }
                if let Some(effects) = &mut self.test.effects {
                    effects.leading = Some(Leading { leader, epoch });
                }
            }
        }
    }
}
