//! What waits to leave by a connection, and what is counted about it.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::link::{Departed, Link};
use super::outgoing::{LARGEST_BUFFER, Outgoing};
use crate::control::{Client, Control, Event, HeldItem, ListenerId, Pieces, Progress};
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{SessionId, Timestamp, Xid, Zxid};

/// Beyond this many bytes of events that a client does not read, it is closed.
pub(super) const EVENT_LIMIT: usize = 64 << 20;

/// Beyond this many bytes that a test keeps back, the client is no longer read: of answers it never comes to the limit.
const KEPT_HIGH_WATER: usize = EVENT_LIMIT / 2;

/// What waits to leave by one connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(super) bytes: BytesMut,
    /// How much was taken out of it and had not left when the connection last asked for more.
    pub(super) leaving: usize,
    /// Set when nothing is to follow.
    pub(super) closing: Option<CloseReason>,
    /// Whom to wake when there is something to send.
    pub(super) waker: Option<Waker>,
    /// Whose it is; 0 until it has a session.
    pub(super) session: SessionId,
    /// By which address it came.
    pub(super) listener_id: ListenerId,
    pub(super) stats: ConnectionStats,
    pub(super) link: Arc<Link>,
    /// Whether the rules were told that nothing arrives that it sends.
    pub(super) silent: bool,
    /// What is kept back, in order; whatever is sent later queues behind it.
    pub(super) kept: VecDeque<Parcel>,
    /// How many bytes are kept back.
    pub(super) kept_bytes: usize,
    /// Whether a fault closes the connection behind what was said last: nothing more is said.
    pub(super) said_last: bool,
    /// To be closed when nothing is kept back any more.
    pub(super) closing_behind: Option<CloseReason>,
    /// Why nothing that it sends is taken in just now.
    pub(super) stall: Stall,
    /// Request that is held or delayed.
    pub(super) frame: Option<Frame>,
    /// Its entry among what falls due.
    due: Option<Timestamp>,
    /// What waits in it shows what the log holds up to this number.
    pub(super) shows: u64,
}

/// When something that is kept back, or stalled, goes on: one entry a connection.
pub(super) type Due = BTreeSet<(Timestamp, ConnectionId)>;

/// A message, or a piece of one, that is kept back.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) bytes: BytesMut,
    /// It does not leave before.
    pub(super) not_before: Option<Timestamp>,
    /// It leaves in pieces.
    pub(super) pieces: Option<Pieces>,
    /// Whether it is written by itself.
    pub(super) alone: bool,
    /// Set while a hold holds it.
    pub(super) held: Option<HeldItem>,
}

/// Request that was received and is held or delayed. It is stored here, and not with its connection's task, so that
/// the turn that releases it carries it out.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Box<[u8]>,
    /// Whether it asks for a session.
    pub(super) is_connect: bool,
}

/// Why nothing that a connection sends is taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stall {
    #[default]
    No,
    /// Nothing is read of it before this moment.
    Until(Timestamp),
    /// The next frame is not taken in before the hold lets it.
    Held(HeldItem),
    /// The next frame was held, and is held no more.
    Released,
    /// The next frame is not taken in before this moment, as a fault wants it.
    Delayed(Timestamp),
    /// Holds and faults of the next frame have been decided.
    Decided,
}

/// What `cons` tells of a connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionStats {
    pub(crate) address: SocketAddr,
    pub(crate) established: Timestamp,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// How `cons` calls the last request.
    pub(crate) last_operation: &'static str,
    /// The last xid of the client's own counting; a negative one says that there was none.
    pub(crate) last_cxid: Xid,
    pub(crate) last_zxid: Zxid,
    /// `None` before the first response, and after `crst` until the next one.
    pub(crate) last_response: Option<Timestamp>,
}

impl Outbox {
    pub(super) fn new(
        address: SocketAddr,
        listener_id: ListenerId,
        established: Timestamp,
    ) -> Self {
        Self {
            bytes: BytesMut::new(),
            leaving: 0,
            closing: None,
            waker: None,
            session: SessionId::NONE,
            listener_id,
            link: Arc::default(),
            silent: false,
            kept: VecDeque::new(),
            kept_bytes: 0,
            said_last: false,
            closing_behind: None,
            stall: Stall::No,
            frame: None,
            due: None,
            shows: 0,
            stats: ConnectionStats {
                address,
                established,
                received: 0,
                sent: 0,
                // What Java has in fields that nobody has set.
                last_operation: "null",
                last_cxid: Xid(0),
                last_zxid: Zxid(0),
                last_response: None,
            },
        }
    }

    /// By which address the connection came.
    pub(crate) fn listener_id(&self) -> &ListenerId {
        &self.listener_id
    }

    /// When it came.
    pub(crate) fn established(&self) -> Timestamp {
        self.stats.established
    }

    /// The address of the client.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.stats.address
    }
}

impl Outbox {
    pub(super) fn client(&self, connection: ConnectionId) -> Client<'_> {
        Client::new(connection, self.session, &self.listener_id)
    }

    /// Keeps something back, behind whatever is kept back already.
    pub(super) fn keep(&mut self, parcel: Parcel) {
        self.kept_bytes += parcel.bytes.len();
        self.kept.push_back(parcel);
    }

    fn take_first(&mut self) -> Option<Parcel> {
        let parcel = self.kept.pop_front()?;
        self.kept_bytes -= parcel.bytes.len();
        Some(parcel)
    }

    /// Lets go what may leave at this moment, up to what is written alone.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        while let Some(first) = self.kept.front()
            && first.is_open(now)
            && !first.alone
        {
            let Some(parcel) = self.take_first() else {
                break;
            };
            match parcel.pieces {
                None => self.bytes.extend_from_slice(&parcel.bytes),
                Some(pieces) => self.cut_up(now, parcel.bytes, pieces),
            }
        }
        if self.kept.is_empty() && self.closing.is_none() {
            self.closing = self.closing_behind.take();
        }
    }

    /// Puts the pieces of a message, whose turn it is now, before everything else that is kept back.
    fn cut_up(&mut self, now: Timestamp, mut message: BytesMut, pieces: Pieces) {
        self.kept_bytes += message.len();
        let mut parcels = Vec::new();
        let mut at = now;
        while !message.is_empty() {
            parcels.push(Parcel {
                bytes: message.split_to(pieces.bytes.clamp(1, message.len())),
                not_before: Some(at),
                pieces: None,
                alone: true,
                held: None,
            });
            at = at + pieces.every;
        }
        for parcel in parcels.into_iter().rev() {
            self.kept.push_front(parcel);
        }
    }

    /// Moves what is to be written next to `bytes`, which have been written.
    pub(super) fn fill(&mut self, now: Timestamp, bytes: &mut BytesMut) {
        self.let_go(now);
        std::mem::swap(&mut self.bytes, bytes);
        if bytes.is_empty()
            && let Some(first) = self.kept.front()
            && first.is_open(now)
            && let Some(parcel) = self.take_first()
        {
            *bytes = parcel.bytes;
            self.let_go(now);
        }
    }

    /// Moves what waits behind what is in `bytes` already.
    pub(super) fn move_to(&mut self, bytes: &mut Outgoing) {
        if bytes.is_empty() {
            std::mem::swap(&mut self.bytes, bytes.tail_mut());
        } else {
            bytes.extend_from_slice(&self.bytes);
        }
        if self.bytes.capacity() > LARGEST_BUFFER {
            self.bytes = BytesMut::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Keeps nothing back any more: what was is never sent.
    pub(super) fn drop_kept(&mut self, control: &mut Control) {
        self.kept_bytes = 0;
        for parcel in self.kept.drain(..) {
            if let Some(held) = parcel.held {
                control.holds.gone(held.hold, held.item);
            }
        }
    }

    /// Drops the request that is held or delayed, if there is one: it is never carried out.
    pub(super) fn drop_request(&mut self, control: &mut Control) {
        self.frame = None;
        if let Stall::Held(held) = std::mem::take(&mut self.stall) {
            control.holds.gone(held.hold, held.item);
        }
    }

    /// Whether nothing that it sends is to be taken in.
    pub(super) fn is_stalled(&self) -> bool {
        self.link.is_cut_to_server()
            || self.closing_behind.is_some()
            || self.frame.is_some()
            || self.kept_bytes > KEPT_HIGH_WATER
            || matches!(
                self.stall,
                Stall::Until(_) | Stall::Delayed(_) | Stall::Held(_)
            )
    }

    /// Progress of the held or delayed request, if it may be carried out now.
    pub(super) fn ready(&self) -> Option<Progress> {
        let progress = match self.stall {
            Stall::Released => Progress::Released,
            Stall::Decided => Progress::Decided,
            Stall::No | Stall::Until(_) | Stall::Held(_) | Stall::Delayed(_) => return None,
        };
        (self.frame.is_some() && !self.link.is_cut_to_server()).then_some(progress)
    }

    /// Whether the outbox is owed nothing beyond the bytes in it.
    pub(super) fn is_closed(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether the rules may send it messages: it is up, and no fault closes it behind the last one.
    pub(super) fn takes_messages(&self) -> bool {
        self.is_up() && !self.said_last
    }

    /// Whether it is up, and not about to be closed.
    pub(super) fn is_up(&self) -> bool {
        self.closing.is_none() && self.closing_behind.is_none()
    }

    /// Sees to it that what is kept back or stalled goes on when it is time.
    pub(super) fn schedule(&mut self, id: ConnectionId, now: Timestamp, due: &mut Due) {
        let first = self.kept.front().filter(|first| first.held.is_none());
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

    /// It is time to go on.
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

    /// It goes, and what is held back of it is held no more.
    fn forget(&mut self, id: ConnectionId, control: &mut Control, due: &mut Due) {
        self.drop_kept(control);
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

/// Outboxes of all connections. A closed connection is no longer among them, even while its task still writes: views
/// show only connections that are up.
#[derive(Debug)]
pub(crate) struct Outboxes {
    up: HashMap<ConnectionId, Outbox, FixedState>,
    /// Outboxes of closed connections until their tasks have ended. Only those tasks see them.
    closed: HashMap<ConnectionId, Outbox, FixedState>,
    /// Links of closed connections, as long as they are cut.
    pub(super) departed: Departed,
}

impl Outboxes {
    pub(super) fn new() -> Self {
        let none = || HashMap::with_hasher(FixedState::with_seed(0));
        Self {
            up: none(),
            closed: none(),
            departed: Departed::default(),
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

    /// Numbers of the connections that are up, in the order in which they were accepted.
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

    /// Outbox as the connection's own task sees it, also that of a closed connection.
    pub(super) fn of_task(&mut self, id: ConnectionId) -> Option<&mut Outbox> {
        self.up.get_mut(&id).or_else(|| self.closed.get_mut(&id))
    }

    pub(super) fn insert(&mut self, id: ConnectionId, outbox: Outbox) {
        self.up.insert(id, outbox);
    }

    /// Takes a connection out of every view and notes the end in the journal. Held and delayed messages of it are
    /// dropped at once. `bytes_wait` says whether its task still has
    /// bytes to fetch and write; if so, the waker of that task is returned.
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

    /// Forgets a closed connection whose task has ended.
    pub(super) fn task_ended(&mut self, id: ConnectionId) {
        self.closed.remove(&id);
    }
}

impl ConnectionStats {
    /// Starts counting anew, as `crst` asks.
    pub(super) fn reset(&mut self) {
        *self = Self {
            received: 0,
            sent: 0,
            last_operation: "NA",
            last_cxid: Xid(-1),
            last_zxid: Zxid(-1),
            last_response: None,
            ..self.clone()
        };
    }
}
