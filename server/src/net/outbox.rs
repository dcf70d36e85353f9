//! What waits to leave by a connection, and what is counted about it.

use std::net::SocketAddr;
use std::task::Waker;

use bytes::BytesMut;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Entrance;
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

    /// The address of the client.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.stats.address
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
