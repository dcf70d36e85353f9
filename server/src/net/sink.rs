//! Where outputs are taken: judged, encoded into the bytes of their connection, or kept back.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::task::Waker;

use bytes::BytesMut;

use super::control::{Control, Gate, Shape, Treatment, Verdict};
use super::outbox::{EVENT_LIMIT, Outbox, Outboxes, Parcel, Stall};
use super::report::Totals;
use super::sight::Sight;
use super::{Followed, Leading};
use crate::keeper::{CloseReason, ConnectionId, Input, Keeper, Output, Outputs};
use crate::protocol::{ErrorCode, Message, Reply, Response, Timestamp, Txn, TxnRecord, Zxid};
use crate::wire;

/// Takes the answer to a question of the test itself.
pub(super) type OnAnswer<'s, 'f> = &'s mut (dyn FnMut(Result<&Response<'_>, ErrorCode>) + 'f);

/// What the test itself is to be told of a turn.
#[derive(Default)]
pub(super) struct Test<'s, 'f> {
    /// The answer to its request.
    pub(super) answer: Option<OnAnswer<'s, 'f>>,
    /// What followed from its wish.
    pub(super) followed: Option<&'s mut Followed>,
}

/// Encodes what follows from an input into the outboxes.
pub(super) struct Sink<'s, 'f> {
    pub(super) outboxes: &'s mut Outboxes,
    pub(super) totals: &'s mut Totals,
    pub(super) control: &'s mut Control,
    pub(super) due: &'s mut BTreeSet<(Timestamp, ConnectionId)>,
    pub(super) now: Timestamp,
    /// Whether nobody wants to know or change anything, as on nearly every server but a test's.
    pub(super) idle: bool,
    /// The connection whose bytes are being taken in: what is for itself goes straight to what it writes next.
    pub(super) own: Option<Own<'s>>,
    pub(super) test: Test<'s, 'f>,
    /// Whom to wake once the lock is free.
    pub(super) wakers: Vec<Waker>,
}

pub(super) struct Own<'s> {
    pub(super) id: ConnectionId,
    pub(super) bytes: &'s mut BytesMut,
    pub(super) sent: u64,
    /// That of the last answer that has one.
    pub(super) last_zxid: Option<Zxid>,
    /// Whether the last answer was a refusal.
    pub(super) refused: bool,
    pub(super) closing: Option<CloseReason>,
    /// Whether a test keeps what it sends from being taken in.
    pub(super) stalled: bool,
    /// Whether something for it is kept back, behind which everything else queues.
    pub(super) queues: bool,
}

impl Sink<'_, '_> {
    /// Lets what a client sent come to the rules, unless a test wants otherwise. Breaks if it is to come later.
    pub(super) fn take_in(
        &mut self,
        id: ConnectionId,
        input: Input<'_>,
        keeper: &mut Keeper,
    ) -> ControlFlow<()> {
        let now = self.now;
        if self.idle {
            keeper.step(now, input, self);
            return ControlFlow::Continue(());
        }
        let Some(outbox) = self.outboxes.get_mut(&id) else {
            return ControlFlow::Continue(());
        };
        let again = outbox.stall == Stall::Over;
        outbox.stall = Stall::No;
        match self.control.judge(now, &outbox.who(id), &input, again) {
            Verdict::Pass => {
                keeper.step(now, input, self);
                self.control.mind_watches(keeper);
            }
            Verdict::Lose => {}
            Verdict::Delay(until) => {
                outbox.stall = Stall::Until(until);
                self.due.insert((until, id));
                self.stall_own();
                return ControlFlow::Break(());
            }
            Verdict::Hold { hold, item, what } => {
                outbox.stall = Stall::Held { hold, item, what };
                self.stall_own();
                return ControlFlow::Break(());
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
            Verdict::Close => keeper.step(now, Input::Close(id), self),
            Verdict::Expire => {
                let session = outbox.session;
                keeper.step(now, Input::ExpireSession(session), self);
            }
        }
        if self.control.closes_now() {
            keeper.step(now, Input::Close(id), self);
        }
        ControlFlow::Continue(())
    }

    fn stall_own(&mut self) {
        if let Some(own) = &mut self.own {
            own.stalled = true;
        }
    }

    /// Lets go what was kept back until now.
    pub(super) fn let_go_due(&mut self) {
        while let Some((at, id)) = self.due.first().copied()
            && at <= self.now
        {
            self.due.pop_first();
            let Some(outbox) = self.outboxes.get_mut(&id) else {
                continue;
            };
            if matches!(outbox.stall, Stall::Until(until) if until <= self.now) {
                outbox.stall = Stall::Over;
            }
            outbox.let_go(self.now);
            if let Some(due) = outbox.next_due().filter(|due| *due > self.now) {
                self.due.insert((due, id));
            }
            self.wakers.extend(outbox.waker.take());
        }
    }

    fn send(&mut self, connection: ConnectionId, message: &Message<'_>) {
        tracing::trace!(connection = connection.0, ?message);
        if connection == ConnectionId::HANDLE {
            if let (Message::Reply(reply), Some(answer)) = (message, &mut self.test.answer) {
                answer(reply.result.as_ref().map_err(|code| *code));
                if !self.idle {
                    self.control.wrote(self.now, reply);
                }
            }
            return;
        }
        if let Message::Connected(response) = message
            && let Some(outbox) = self.outboxes.get_mut(&connection)
        {
            outbox.session = response.session;
            if self.control.has_cuts() {
                let who = outbox.who(connection);
                outbox.link.set(self.control.cuts(&who));
            }
        }
        let mut own = self.own.as_mut().filter(|own| own.id == connection);
        if self.idle
            && let Some(own) = &mut own
            && !own.queues
        {
            let before = own.bytes.len();
            wire::encode_message(message, own.bytes);
            self.totals.count_sent(own.bytes.len() - before);
            own.count(message);
            return;
        }
        let Some(outbox) = self.outboxes.get_mut(&connection) else {
            return;
        };
        if outbox.closing.is_some() || outbox.closing_behind.is_some() {
            return;
        }
        let treatment = if self.idle {
            Treatment::default()
        } else {
            let who = outbox.who(connection);
            self.control.treat(self.now, &who, message, own.is_some())
        };
        if let (Message::Event { zxid, event }, Some(followed)) = (message, &mut self.test.followed)
        {
            followed.sent(outbox.session, event.event_type, event.path, *zxid);
        }
        if treatment.lose {
            return;
        }
        let is_own = own.is_some();
        if let Some(own) = own {
            own.count(message);
            if treatment.is_usual() && !own.queues {
                let before = own.bytes.len();
                wire::encode_message(message, own.bytes);
                self.totals.count_sent(own.bytes.len() - before);
                return;
            }
            own.queues = true;
        } else {
            outbox.stats.sent += 1;
        }
        if treatment.is_usual() && outbox.kept.is_empty() && !is_own {
            let before = outbox.bytes.len();
            wire::encode_message(message, &mut outbox.bytes);
            self.totals.count_sent(outbox.bytes.len() - before);
        } else {
            let mut bytes = BytesMut::new();
            wire::encode_message(message, &mut bytes);
            treatment.shape.apply(&mut bytes);
            self.totals.count_sent(bytes.len());
            keep(outbox, self.now, bytes, treatment);
            if let Some(due) = outbox.next_due() {
                self.due.insert((due, connection));
            }
            if !is_own {
                outbox.let_go(self.now);
            }
        }
        if outbox.leaving + outbox.bytes.len() + outbox.kept_bytes() > EVENT_LIMIT {
            outbox.bytes = BytesMut::new();
            self.close(connection, CloseReason::DoesNotRead);
            return;
        }
        self.wakers.extend(outbox.waker.take());
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        tracing::debug!(connection = connection.0, ?reason, "closing");
        self.totals.count_close(reason);
        let Some(outbox) = self.outboxes.get_mut(&connection) else {
            return;
        };
        if let Some(followed) = &mut self.test.followed {
            followed.closed(outbox.session);
        }
        if !self.idle {
            let who = outbox.who(connection);
            self.control
                .note(self.now, Some(&who), &Sight::Closing { reason });
        }
        if !outbox.kept.is_empty() && reason.is_owed_what_waits() {
            outbox.closing_behind = Some(reason);
            return;
        }
        for parcel in outbox.kept.drain(..) {
            if let Gate::Held { hold, .. } = parcel.gate {
                self.control.holds.gone(hold);
            }
        }
        outbox.closing = Some(reason);
        self.wakers.extend(outbox.waker.take());
        if let Some(own) = &mut self.own
            && own.id == connection
        {
            own.closing = Some(reason);
        }
    }

    /// Tells the journal of what no connection asked for, or of the end of a session.
    fn note_transaction(&mut self, txn: &Txn<'_>) {
        match &txn.record {
            TxnRecord::CloseSession { paths } => {
                let own = self.own.as_ref().map(|own| own.id);
                let asked = own
                    .and_then(|own| self.outboxes.get(&own))
                    .is_some_and(|outbox| outbox.session == txn.session)
                    && self.control.closes_session();
                let sight = Sight::SessionEnded {
                    session: txn.session,
                    zxid: txn.zxid,
                    deleted: paths,
                    expired: !asked,
                };
                self.control.note(self.now, None, &sight);
            }
            TxnRecord::DeleteContainer { path } => {
                let sight = Sight::Reaped {
                    path,
                    zxid: txn.zxid,
                };
                self.control.note(self.now, None, &sight);
            }
            _ => {}
        }
    }
}

/// Keeps a message back behind whatever is kept back already, in pieces if it is to be.
fn keep(outbox: &mut Outbox, now: Timestamp, mut bytes: BytesMut, treatment: Treatment) {
    let Treatment {
        shape, gate, held, ..
    } = treatment;
    let mut held = held;
    if let Shape::Pieces { bytes: size, every } = shape {
        let mut at = now;
        while !bytes.is_empty() {
            let piece = bytes.split_to(size.min(bytes.len()));
            outbox.kept.push_back(Parcel {
                bytes: piece,
                gate: if gate == Gate::Open && !every.is_zero() {
                    Gate::Until(at)
                } else {
                    gate
                },
                alone: true,
                held: held.take(),
            });
            at = at + every;
        }
    } else {
        outbox.kept.push_back(Parcel {
            bytes,
            gate,
            alone: false,
            held,
        });
    }
}

impl Own<'_> {
    /// Counts what is sent to it.
    fn count(&mut self, message: &Message<'_>) {
        self.sent += 1;
        // What is answered before it comes to FinalRequestProcessor has no zxid, and `cons` does not know of it.
        if let Message::Reply(Reply { zxid, result, .. }) = message
            && zxid.0 > 0
        {
            self.last_zxid = Some(*zxid);
            self.refused = result.is_err();
        }
    }
}

impl Outputs for Sink<'_, '_> {
    fn emit(&mut self, output: Output<'_>) {
        match output {
            Output::Send {
                connection,
                message,
            } => self.send(connection, &message),
            Output::Close { connection, reason } => self.close(connection, reason),
            Output::Committed(txn) => {
                tracing::trace!(?txn, "committed");
                if !self.idle {
                    self.note_transaction(txn);
                }
                if let Some(followed) = &mut self.test.followed {
                    followed.committed(txn);
                }
            }
            Output::Leading { leader, epoch } => {
                tracing::debug!(?leader, epoch, "leading");
                if let Some(followed) = &mut self.test.followed {
                    followed.leading = Some(Leading { leader, epoch });
                }
            }
        }
    }
}
