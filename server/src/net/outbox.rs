//! What waits to leave by a connection, and what is counted about it.

use std::net::SocketAddr;
use std::task::Waker;

use bytes::BytesMut;

use crate::keeper::CloseReason;
use crate::protocol::{Operation, SessionId, Timestamp, Xid, Zxid};

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
    pub(super) stats: ConnectionStats,
}

/// What `cons` tells of a connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionStats {
    pub(crate) address: SocketAddr,
    pub(crate) established: Timestamp,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// The last request: nothing before the first, and no operation if it was unknown.
    pub(crate) last_operation: Option<Option<Operation>>,
    /// The last xid of the client's own counting.
    pub(crate) last_cxid: Option<Xid>,
    pub(crate) last_zxid: Zxid,
    pub(crate) last_response: Timestamp,
}

impl Outbox {
    pub(super) fn new(address: SocketAddr, established: Timestamp) -> Self {
        Self {
            bytes: BytesMut::new(),
            leaving: 0,
            closing: None,
            waker: None,
            session: SessionId::NONE,
            stats: ConnectionStats {
                address,
                established,
                received: 0,
                sent: 0,
                last_operation: None,
                last_cxid: None,
                last_zxid: Zxid(0),
                last_response: established,
            },
        }
    }
}

impl ConnectionStats {
    /// Starts counting anew, as `crst` asks.
    pub(super) fn reset(&mut self) {
        *self = Self {
            received: 0,
            sent: 0,
            last_operation: None,
            last_cxid: None,
            last_zxid: Zxid(0),
            ..self.clone()
        };
    }
}
