//! Requests that were held or delayed. They are stored with the engine, and carried out in the turn that releases
//! them.

use super::outbox::{ConnectionStats, Frame};
use super::sink::{Carried, Sink, Taken};
use crate::keeper::{ConnectionId, Input, Keeper};
use crate::protocol::{ConnectRequest, Operation, SessionId, Xid};
use crate::wire;

impl Sink<'_, '_> {
    /// Stores a request that is held or delayed.
    pub(super) fn defer(&mut self, id: ConnectionId, bytes: &[u8], is_connect: bool) {
        if let Some(outbox) = self.outboxes.get_mut(id) {
            let bytes = bytes.into();
            outbox.frame = Some(Frame { bytes, is_connect });
        }
    }

    /// Carries out the request of a connection that was held or delayed, if it may come now.
    pub(super) fn carry_out(&mut self, id: ConnectionId, keeper: &mut Keeper) {
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return;
        };
        let Some(progress) = outbox.ready() else {
            return;
        };
        let Some(frame) = outbox.frame.take() else {
            return;
        };
        // The request was decoded before, when it arrived.
        let mut begun = Begun::default();
        let carried = Some(Carried { id, refused: false });
        let taken = if frame.is_connect {
            let Ok(request) = wire::decode_connect(&frame.bytes) else {
                return;
            };
            begun.add_connect(&request);
            self.carried = carried;
            let input = Input::Connect {
                connection: id,
                request: &request,
            };
            self.take_in(id, input, keeper, progress)
        } else {
            let Ok((xid, request)) = wire::decode_request(&frame.bytes) else {
                return;
            };
            begun.add_request(xid, request.operation());
            self.carried = carried;
            let input = Input::Request {
                connection: id,
                xid,
                request: &request,
            };
            self.take_in(id, input, keeper, progress)
        };
        let refused = self.carried.take().is_some_and(|carried| carried.refused);
        let Some(outbox) = self.outboxes.get_mut(id) else {
            return;
        };
        if let Taken::Deferred | Taken::Later = taken {
            outbox.frame = Some(frame);
            return;
        }
        outbox.stats.received += 1;
        outbox.stats.last_response = Some(self.now);
        // A held or delayed request arrives when it is carried out, so it has no latency.
        self.totals.latencies.count(0, 1, begun.writes);
        outbox.stats.last_latency_ms = 0;
        outbox.stats.latency.add(0, 1);
        begun.count(&mut outbox.stats, refused, keeper);
        self.totals.since_reset.received += 1;
        self.wakers.extend(outbox.waker.take());
    }

    /// Carries out every request that was held or delayed and may come now.
    pub(super) fn carry_out_all(&mut self, keeper: &mut Keeper) {
        let all = self.outboxes.iter();
        let ready = all.filter(|(_, outbox)| outbox.ready().is_some());
        let mut ready: Vec<ConnectionId> = ready.map(|(id, _)| *id).collect();
        ready.sort_unstable();
        for id in ready {
            self.carry_out(id, keeper);
        }
    }
}

/// Facts about a request that `cons` prints.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Begun {
    /// Whether the request began a session.
    session: bool,
    /// Last request that has a name in `cons`. An unknown operation has one too.
    last: Option<(Xid, Option<Operation>)>,
    /// Number of writes.
    pub(super) writes: u64,
}

impl Begun {
    /// Counts a request for a session.
    pub(super) fn add_connect(&mut self, request: &ConnectRequest<'_>) {
        self.session = request.session == SessionId::NONE;
    }

    /// Counts one more request, which becomes the last one.
    #[inline]
    pub(super) fn add_request(&mut self, xid: Xid, operation: Option<Operation>) {
        self.writes += u64::from(operation.is_some_and(Operation::is_write));
        if operation.is_none_or(|operation| wire::last_operation(operation).is_some()) {
            self.last = Some((xid, operation));
        }
    }

    pub(super) fn count(self, stats: &mut ConnectionStats, refused: bool, keeper: &Keeper) {
        if self.session {
            // A real server counts the beginning of a session as a request of its own, with the cxid 0.
            stats.last_operation = "SESS";
            stats.last_cxid = Xid(0);
            stats.last_zxid = keeper.tree().last_zxid();
        }
        if let Some((xid, operation)) = self.last {
            let name = operation.and_then(wire::last_operation).unwrap_or("NA");
            // FinalRequestProcessor leaves a refused write before it sets the name of the operation.
            let unnamed = refused && operation.is_some_and(Operation::is_write);
            stats.last_operation = if unnamed { "NA" } else { name };
            if xid.0 >= 0 {
                stats.last_cxid = xid;
            }
        }
    }
}
