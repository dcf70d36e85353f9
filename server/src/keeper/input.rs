//! Inputs of the state machine.

use std::net::IpAddr;

use super::connection::ConnectionId;
use super::reap::Reapable;
use crate::protocol::{
    ConnectRequest, EnsembleAction, ErrorCode, MemberId, Request, SessionId, Xid,
};

/// An event that a server reacts to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// A client connected.
    Accepted {
        connection: ConnectionId,
        address: IpAddr,
        /// Member of the ensemble that the client connected to.
        member: MemberId,
    },
    /// The first frame of a connection.
    Connect {
        connection: ConnectionId,
        request: &'a ConnectRequest<'a>,
    },
    /// A later frame of a connection.
    Request {
        connection: ConnectionId,
        xid: Xid,
        request: &'a Request<'a>,
    },
    /// A request that the test refuses with this code.
    Refuse {
        connection: ConnectionId,
        xid: Xid,
        code: ErrorCode,
    },
    /// A multi or multiRead, some of whose operations the test fails with this code.
    RefuseParts {
        connection: ConnectionId,
        xid: Xid,
        request: &'a Request<'a>,
        code: ErrorCode,
        /// Indices of the failing operations, in order.
        at: &'a [usize],
    },
    /// The test closes a connection.
    Close(ConnectionId),
    /// The test cuts or restores the direction from the client. Nothing that the client sends on a silent connection
    /// arrives.
    Silence {
        connection: ConnectionId,
        silent: bool,
    },
    /// Bytes arrived that are not read yet, because the client has not read earlier replies. They show that the client
    /// is alive.
    ClientAlive(ConnectionId),
    /// The connection is gone.
    Disconnected(ConnectionId),
    /// The test expires a session.
    ExpireSession(SessionId),
    /// The test mutes or unmutes a session. A muted session is not kept alive by its client.
    Mute { session: SessionId, muted: bool },
    /// The test removes expired containers or TTL znodes now.
    Reap(Reapable),
    /// The test changes the state of members of the ensemble.
    Ensemble(EnsembleAction),
    /// The server serves again after it was stopped.
    Restarted,
    /// Time has passed.
    Tick,
}
