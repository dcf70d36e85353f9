//! Outbox of a connection: messages to be sent, and statistics.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::link::{HalfOpenLinks, Link};
use super::outgoing::{LARGEST_BUFFER, Outgoing};
use crate::control::{Client, Control, Event, HeldItem, ListenerId, Pieces, Progress};
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{SessionId, Timestamp, Xid, Zxid};
use crate::wire::Summary;

/// Number of unread bytes of watch events beyond which a connection is closed.
pub(super) const EVENT_LIMIT: usize = 64 << 20;

/// Number of queued bytes beyond which the client is no longer read. Replies alone therefore never reach the limit.
const QUEUE_HIGH_WATER: usize = EVENT_LIMIT / 2;

/// Messages to be sent on one connection, and the state of the connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(super) bytes: Vec<u8>,
    /// Number of bytes that the connection had taken and not written when it last polled the outbox.
    pub(super) leaving: usize,
    pub(super) ending: Ending,
    /// Wakes the connection's task when there is something to send.
    pub(super) waker: Option<Waker>,
    /// Session of the connection; 0 until it has one.
    pub(super) session: SessionId,
    /// Listener that accepted the connection.
    pub(super) listener_id: ListenerId,
    pub(super) stats: ConnectionStats,
    pub(super) link: Arc<Link>,
    /// Whether the rules know that nothing arrives from the client.
    pub(super) silent: bool,
    /// Held and delayed messages, and all later messages behind them, in order.
    pub(super) queue: VecDeque<Parcel>,
    /// Number of bytes in `queue`.
    pub(super) queued_bytes: usize,
    /// Reason why its frames are not processed now.
    pub(super) stall: Stall,
    /// Request that is held or delayed.
    pub(super) frame: Option<Frame>,
    /// Its entry among the deadlines.
    due: Option<Timestamp>,
    /// Number of the last transaction that `bytes` show.
    pub(super) shows: u64,
}

/// Deadlines of delayed messages and requests, one entry per connection.
pub(super) type Due = BTreeSet<(Timestamp, ConnectionId)>;

/// Queued message, or a piece of one.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) bytes: Bytes,
    /// Earliest time at which it is sent.
    pub(super) not_before: Option<Timestamp>,
    /// Pieces in which it is sent.
    pub(super) pieces: Option<Pieces>,
    /// Whether it is written in a write of its own. With `pieces`, it is the rest of a message whose first pieces are
    /// cut.
    pub(super) alone: bool,
    /// Set while it is held.
    pub(super) held: Option<HeldItem>,
}

/// Received request that is held or delayed. It is stored here, and not with the connection's task, so that the turn
/// that releases it carries it out.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Box<[u8]>,
    /// Whether it asks for a session.
    pub(super) is_connect: bool,
}

/// End of a connection, as far as it is decided. A connection goes through these states in order, and may skip some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The connection stays open.
    Open,
    /// A fault closes the connection behind the last message, so no message follows.
    AfterLast,
    /// The connection closes once the queue is empty.
    AfterQueue(CloseReason),
    /// The connection closes after the pending bytes are sent.
    Closing(CloseReason),
}

/// Reason why the frames of a connection are not processed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stall {
    #[default]
    No,
    /// Nothing is read before this time.
    Until(Timestamp),
    /// The next frame is held.
    Held(HeldItem),
    /// The next frame was held and is released.
    Released,
    /// A fault delays the next frame until this time.
    Delayed(Timestamp),
    /// Holds and faults of the next frame have been decided.
    Decided,
}

/// Statistics of a connection, for `cons`.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionStats {
    pub(crate) address: SocketAddr,
    pub(crate) established: Timestamp,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// Name of the last request in `cons`.
    pub(crate) last_operation: &'static str,
    /// Last xid of a request of the client; negative if there was none.
    pub(crate) last_cxid: Xid,
    pub(crate) last_zxid: Zxid,
    /// `None` before the first response, and after `crst` until the next one.
    pub(crate) last_response: Option<Timestamp>,
    /// Latency of the last requests, in milliseconds.
    pub(crate) last_latency_ms: u64,
    /// Latency of all requests, in milliseconds.
    pub(crate) latency: Summary,
}

impl Outbox {
    pub(super) fn new(
        address: SocketAddr,
        listener_id: ListenerId,
        established: Timestamp,
    ) -> Self {
        Self {
            bytes: Vec::new(),
            leaving: 0,
            ending: Ending::Open,
            waker: None,
            session: SessionId::NONE,
            listener_id,
            link: Arc::default(),
            silent: false,
            queue: VecDeque::new(),
            queued_bytes: 0,
            stall: Stall::No,
            frame: None,
            due: None,
            shows: 0,
            stats: ConnectionStats {
                address,
                established,
                received: 0,
                sent: 0,
                // Values of unset fields in Java.
                last_operation: "null",
                last_cxid: Xid(0),
                last_zxid: Zxid(0),
                last_response: None,
                last_latency_ms: 0,
                latency: Summary::default(),
            },
        }
    }

    /// Returns the listener that accepted the connection.
    pub(crate) fn listener_id(&self) -> &ListenerId {
        &self.listener_id
    }

    /// Returns the time at which the connection was accepted.
    pub(crate) fn established(&self) -> Timestamp {
        self.stats.established
    }

    /// Returns the address of the client.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.stats.address
    }
}

impl Outbox {
    pub(super) fn client(&self, connection: ConnectionId) -> Client<'_> {
        Client::new(connection, self.session, &self.listener_id)
    }

    /// Queues a message behind the queued ones.
    pub(super) fn keep(&mut self, parcel: Parcel) {
        self.queued_bytes += parcel.bytes.len();
        self.queue.push_back(parcel);
    }

    fn take_first(&mut self) -> Option<Parcel> {
        let parcel = self.queue.pop_front()?;
        self.queued_bytes -= parcel.bytes.len();
        Some(parcel)
    }

    /// Moves queued messages that may be sent now to `bytes`, up to one that needs a write of its own.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        while let Some(first) = self.queue.front()
            && first.is_open(now)
            && (!first.alone || first.pieces.is_some())
        {
            let Some(parcel) = self.take_first() else {
                break;
            };
            match parcel.pieces {
                None => self.bytes.extend_from_slice(&parcel.bytes),
                Some(pieces) => {
                    let at = parcel.not_before.filter(|_| parcel.alone).unwrap_or(now);
                    self.cut_up(at, parcel.bytes, pieces);
                }
            }
        }
        if let Ending::AfterQueue(reason) = self.ending
            && self.queue.is_empty()
        {
            self.ending = Ending::Closing(reason);
        }
    }

    /// Puts the first piece of a message at the front of the queue, and the rest behind it. The rest is cut when its
    /// time comes, so that a long message in short pieces takes no more memory than the message.
    fn cut_up(&mut self, at: Timestamp, mut message: Bytes, pieces: Pieces) {
        if message.is_empty() {
            return;
        }
        self.queued_bytes += message.len();
        let first = message.split_to(pieces.bytes.clamp(1, message.len()));
        if !message.is_empty() {
            self.queue.push_front(Parcel {
                bytes: message,
                not_before: Some(at + pieces.every),
                pieces: Some(pieces),
                alone: true,
                held: None,
            });
        }
        self.queue.push_front(Parcel {
            bytes: first,
            not_before: Some(at),
            pieces: None,
            alone: true,
            held: None,
        });
    }

    /// Moves the next bytes to be written to `bytes`, which is empty.
    pub(super) fn fill(&mut self, now: Timestamp, bytes: &mut Vec<u8>) {
        self.let_go(now);
        std::mem::swap(&mut self.bytes, bytes);
        if bytes.is_empty()
            && let Some(first) = self.queue.front()
            && first.is_open(now)
            && let Some(parcel) = self.take_first()
        {
            *bytes = parcel.bytes.into();
            self.let_go(now);
        }
    }

    /// Appends the pending bytes to `bytes`.
    pub(super) fn move_to(&mut self, bytes: &mut Outgoing) {
        if bytes.is_empty() {
            bytes.swap(&mut self.bytes);
        } else {
            bytes.extend_from_slice(&self.bytes);
        }
        if self.bytes.capacity() > LARGEST_BUFFER {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Discards all queued messages.
    pub(super) fn drop_queue(&mut self, control: &mut Control) {
        self.queued_bytes = 0;
        for parcel in self.queue.drain(..) {
            if let Some(held) = parcel.held {
                control.holds.gone(held.hold, held.item);
            }
        }
    }

    /// Discards the held or delayed request, if there is one.
    pub(super) fn drop_request(&mut self, control: &mut Control) {
        self.frame = None;
        if let Stall::Held(held) = std::mem::take(&mut self.stall) {
            control.holds.gone(held.hold, held.item);
        }
    }

    /// Whether frames of the connection must not be processed now.
    pub(super) fn is_stalled(&self) -> bool {
        self.link.is_cut_to_server()
            || matches!(self.ending, Ending::AfterQueue(_))
            || self.frame.is_some()
            || self.queued_bytes > QUEUE_HIGH_WATER
            || matches!(
                self.stall,
                Stall::Until(_) | Stall::Delayed(_) | Stall::Held(_)
            )
    }

    /// Returns the progress of the held or delayed request, if it may be carried out now.
    pub(super) fn ready(&self) -> Option<Progress> {
        let progress = match self.stall {
            Stall::Released => Progress::Released,
            Stall::Decided => Progress::Decided,
            Stall::No | Stall::Until(_) | Stall::Held(_) | Stall::Delayed(_) => return None,
        };
        (self.frame.is_some() && !self.link.is_cut_to_server()).then_some(progress)
    }

    /// Returns the reason for which the connection closes after the pending bytes.
    pub(super) fn closing(&self) -> Option<CloseReason> {
        if let Ending::Closing(reason) = self.ending {
            Some(reason)
        } else {
            None
        }
    }

    /// Whether no message follows the bytes in the outbox.
    pub(super) fn is_closed(&self) -> bool {
        self.closing().is_some()
    }

    /// Whether the rules may send it messages: it is up, and no fault closes it behind the last one.
    pub(super) fn takes_messages(&self) -> bool {
        self.ending == Ending::Open
    }

    /// Whether the connection is up and not about to be closed.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.ending, Ending::Open | Ending::AfterLast)
    }

    /// Schedules the next deadline of a delayed message or request.
    pub(super) fn schedule(&mut self, id: ConnectionId, now: Timestamp, due: &mut Due) {
        let first = self.queue.front().filter(|first| first.held.is_none());
        let first = first.and_then(|first| first.not_before.filter(|at| *at > now));
        let stalled = match self.stall {
            Stall::Until(at) | Stall::Delayed(at) => Some(at),
            Stall::No | Stall::Held(_) | Stall::Released | Stall::Decided => None,
        };
        let next = first.into_iter().chain(stalled).min();
        if next == self.due {
            return;
        }
        if let Some(at) = self.due {
            due.remove(&(at, id));
        }
        due.extend(next.map(|at| (at, id)));
        self.due = next;
    }

    /// Continues with messages and requests that were delayed until now.
    pub(super) fn is_due(&mut self, now: Timestamp) {
        self.due = None;
        match self.stall {
            Stall::Until(at) if at <= now => self.stall = Stall::No,
            Stall::Delayed(at) if at <= now => self.stall = Stall::Decided,
            Stall::No
            | Stall::Until(_)
            | Stall::Held(_)
            | Stall::Released
            | Stall::Delayed(_)
            | Stall::Decided => {}
        }
        self.let_go(now);
    }

    /// Discards the queue, the request and the deadline of a connection that ends.
    fn forget(&mut self, id: ConnectionId, control: &mut Control, due: &mut Due) {
        self.drop_queue(control);
        self.drop_request(control);
        if let Some(at) = self.due.take() {
            due.remove(&(at, id));
        }
    }
}

impl Parcel {
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        self.held.is_none() && self.not_before.is_none_or(|at| at <= now)
    }
}

/// Outboxes of all connections. A closed connection is not among them, even while its task still writes, because views
/// show only connections that are up.
#[derive(Debug)]
pub(crate) struct Outboxes {
    up: HashMap<ConnectionId, Outbox, FixedState>,
    /// Outboxes of closed connections until their tasks have ended. Only those tasks see them.
    closed: HashMap<ConnectionId, Outbox, FixedState>,
    /// Links of closed connections, as long as they are cut.
    pub(super) departed: HalfOpenLinks,
}

impl Outboxes {
    pub(super) fn new() -> Self {
        let none = || HashMap::with_hasher(FixedState::with_seed(0));
        Self {
            up: none(),
            closed: none(),
            departed: HalfOpenLinks::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.up.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.up.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ConnectionId, &Outbox)> {
        self.up.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&ConnectionId, &mut Outbox)> {
        self.up.iter_mut()
    }

    /// Returns the numbers of the connections that are up, in the order in which they were accepted.
    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        let mut ids: Vec<ConnectionId> = self.up.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Outbox> {
        self.up.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Outbox> {
        self.up.get_mut(&id)
    }

    /// Returns the outbox for the connection's own task, also after the connection was closed.
    pub(super) fn of_task(&mut self, id: ConnectionId) -> Option<&mut Outbox> {
        self.up.get_mut(&id).or_else(|| self.closed.get_mut(&id))
    }

    pub(super) fn insert(&mut self, id: ConnectionId, outbox: Outbox) {
        self.up.insert(id, outbox);
    }

    /// Removes a connection from all views and adds its end to the journal. Its held and delayed messages are
    /// discarded. If its task still has bytes to write (`bytes_wait`), the waker of that task is returned.
    pub(super) fn remove(
        &mut self,
        (id, now): (ConnectionId, Timestamp),
        bytes_wait: bool,
        control: &mut Control,
        due: &mut Due,
    ) -> Option<Waker> {
        let mut outbox = self.up.remove(&id)?;
        outbox.forget(id, control, due);
        self.departed
            .add(&outbox.client(id), &outbox.listener_id, &outbox.link);
        if !control.is_idle() {
            control.note(now, &outbox.client(id), &Event::Disconnected);
        }
        if !bytes_wait {
            return None;
        }
        let waker = outbox.waker.take();
        self.closed.insert(id, outbox);
        waker
    }

    /// Removes a closed connection whose task has ended.
    pub(super) fn task_ended(&mut self, id: ConnectionId) {
        self.closed.remove(&id);
    }
}

impl ConnectionStats {
    /// Resets the counts, for `crst`.
    pub(super) fn reset(&mut self) {
        *self = Self {
            received: 0,
            sent: 0,
            last_operation: "NA",
            last_cxid: Xid(-1),
            last_zxid: Zxid(-1),
            last_response: None,
            last_latency_ms: 0,
            latency: Summary::default(),
            ..self.clone()
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_long_message_in_short_pieces_takes_no_more_room_than_the_message() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut outbox = Outbox::new(address, ListenerId::default(), Timestamp(0));
        let message: Vec<u8> = (0..=u8::MAX).cycle().take(1000).collect();
        outbox.keep(Parcel {
            bytes: message.clone().into(),
            not_before: None,
            pieces: Some(Pieces {
                bytes: 1,
                every: Duration::ZERO,
            }),
            alone: false,
            held: None,
        });
        let mut written = Vec::new();
        while written.len() < message.len() {
            let mut piece = Vec::new();
            outbox.fill(Timestamp(0), &mut piece);
            assert_eq!(piece.len(), 1);
            assert!(outbox.queue.len() <= 2, "a piece and the rest");
            assert_eq!(outbox.queued_bytes, message.len() - written.len() - 1);
            written.append(&mut piece);
        }
        assert_eq!(written, message);
    }
}
