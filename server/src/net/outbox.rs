//! What waits to leave by a connection, and what is counted about it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Entrance;
use super::control::{Control, Gate};
use super::hold::{HeldMessage, HoldId};
use super::link::Link;
use super::sight::Who;
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{SessionId, Timestamp, Xid, Zxid};

/// Beyond this many bytes of answers that a client does not read, it is no longer read either.
pub(super) const HIGH_WATER: usize = 1 << 20;

/// Beyond this many bytes of events that a client does not read, it is closed.
pub(super) const EVENT_LIMIT: usize = 64 << 20;

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
    pub(super) entrance: Entrance,
    pub(super) stats: ConnectionStats,
    pub(super) link: Arc<Link>,
    /// What is kept back, in order; whatever is sent later queues behind it.
    pub(super) kept: VecDeque<Parcel>,
    /// To be closed when nothing is kept back any more.
    pub(super) closing_behind: Option<CloseReason>,
    /// Why nothing that it sends is taken in just now.
    pub(super) stall: Stall,
}

/// A message, or a piece of one, that is kept back.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) bytes: BytesMut,
    pub(super) gate: Gate,
    /// Whether it is written by itself.
    pub(super) alone: bool,
    /// What is told of it, if it is held.
    pub(super) held: Option<HeldMessage>,
}

/// Why nothing that a connection sends is taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stall {
    #[default]
    No,
    /// Not before this moment.
    Until(Timestamp),
    /// Not before the hold lets it.
    Held {
        hold: HoldId,
        item: u64,
        what: HeldMessage,
    },
    /// The next frame has waited, and is judged no more.
    Over,
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
    pub(crate) last_response: Timestamp,
}

impl Outbox {
    pub(super) fn new(address: SocketAddr, entrance: Entrance, established: Timestamp) -> Self {
        Self {
            bytes: BytesMut::new(),
            leaving: 0,
            closing: None,
            waker: None,
            session: SessionId::NONE,
            entrance,
            link: Arc::default(),
            kept: VecDeque::new(),
            closing_behind: None,
            stall: Stall::No,
            stats: ConnectionStats {
                address,
                established,
                received: 0,
                sent: 0,
                // What Java has in fields that nobody has set.
                last_operation: "null",
                last_cxid: Xid(0),
                last_zxid: Zxid(0),
                last_response: established,
            },
        }
    }

    /// By which address the connection came.
    pub(crate) fn entrance(&self) -> &Entrance {
        &self.entrance
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
    pub(super) fn who(&self, connection: ConnectionId) -> Who<'_> {
        Who {
            connection,
            session: self.session,
            entrance: &self.entrance,
        }
    }

    /// Whether a test keeps what it sends from being taken in.
    pub(super) fn is_stalled(&self) -> bool {
        self.link.is_cut_to_server() || matches!(self.stall, Stall::Until(_) | Stall::Held { .. })
    }

    /// Lets go what may leave at this moment, up to what is written alone.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        while let Some(parcel) = self.kept.front()
            && parcel.gate.is_open(now)
            && !parcel.alone
        {
            if let Some(parcel) = self.kept.pop_front() {
                self.bytes.extend_from_slice(&parcel.bytes);
            }
        }
        if self.kept.is_empty() && self.closing.is_none() {
            self.closing = self.closing_behind.take();
        }
    }

    /// Moves what is to be written next to `bytes`, which have been written.
    pub(super) fn fill(&mut self, now: Timestamp, bytes: &mut BytesMut) {
        std::mem::swap(&mut self.bytes, bytes);
        if bytes.is_empty()
            && let Some(parcel) = self.kept.front()
            && parcel.alone
            && parcel.gate.is_open(now)
            && let Some(parcel) = self.kept.pop_front()
        {
            *bytes = parcel.bytes;
            self.let_go(now);
        }
    }

    /// When something that is kept back may leave next, or what was stalled goes on.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let front = self.kept.front().and_then(|parcel| match parcel.gate {
            Gate::Until(at) => Some(at),
            Gate::Open | Gate::Held { .. } => None,
        });
        let stalled = match self.stall {
            Stall::Until(at) => Some(at),
            Stall::No | Stall::Held { .. } | Stall::Over => None,
        };
        front.into_iter().chain(stalled).min()
    }

    /// It goes, and what is held back of it is held no more.
    pub(super) fn forget(&self, control: &mut Control) {
        for parcel in &self.kept {
            if let Gate::Held { hold, .. } = parcel.gate {
                control.holds.gone(hold);
            }
        }
        if let Stall::Held { hold, .. } = self.stall {
            control.holds.gone(hold);
        }
    }

    /// How many bytes are kept back.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|parcel| parcel.bytes.len()).sum()
    }
}

impl Gate {
    pub(super) fn is_open(self, now: Timestamp) -> bool {
        match self {
            Self::Open => true,
            Self::Until(at) => at <= now,
            Self::Held { .. } => false,
        }
    }
}
/// The outboxes of all connections.
pub(crate) type Outboxes = HashMap<ConnectionId, Outbox, FixedState>;

impl ConnectionStats {
    /// Starts counting anew, as `crst` asks.
    pub(super) fn reset(&mut self) {
        *self = Self {
            received: 0,
            sent: 0,
            last_operation: "NA",
            last_cxid: Xid(-1),
            last_zxid: Zxid(-1),
            ..self.clone()
        };
    }
}
