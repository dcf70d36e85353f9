//! Outputs of the state machine.

use super::connection::ConnectionId;
use crate::protocol::{
    ClientText, ErrorCode, EventType, KeeperState, MemberId, Message, Reply, Response, SessionId,
    Txn, WatchedEvent, Xid, Zxid,
};

/// One effect of an input.
#[derive(Clone, Debug)]
pub(crate) enum Output<'a> {
    Send {
        connection: ConnectionId,
        message: &'a Message<'a>,
    },
    /// The connection is to be closed once everything sent before has left.
    Close {
        connection: ConnectionId,
        reason: CloseReason,
    },
    /// A transaction was committed. This comes before every message that shows the transaction.
    Committed {
        txn: &'a Txn<'a>,
        /// Digest of the tree after the transaction, if the server maintains one and a real server would log it.
        digest: Option<u64>,
    },
    /// The ensemble has a new leader, or has lost its leader.
    Leading {
        leader: Option<MemberId>,
        epoch: u32,
    },
}

/// Reason why the server closes a connection.
///
/// ```
/// assert_ne!(minikeeper::journal::CloseReason::SessionExpired, minikeeper::journal::CloseReason::SessionClosed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CloseReason {
    /// The limit of connections is reached.
    TooManyConnections,
    /// The client did not ask for a session in time.
    NoSession,
    /// The client has seen transactions that this server does not have.
    AheadOfServer,
    /// The requested session does not exist any more, or its password is wrong.
    SessionRefused,
    /// The client resumed its session on another connection.
    TakenOver,
    /// The client closed its session.
    SessionClosed,
    /// The session expired.
    SessionExpired,
    /// The server does not know the operation.
    Unimplemented,
    /// The client failed to authenticate, or did not authenticate although the server requires it.
    AuthFailed,
    /// The client resumed its session at another member before.
    SessionMoved,
    /// The member at the other end was stopped.
    MemberStopped,
    /// The member lost its leader, or has a new one.
    LostLeader,
    /// The member was read-only and reaches a quorum again.
    ReadOnlyEnded,
    /// The member is read-only, and the client does not accept that.
    NotReadOnlyClient,
    /// The member reaches no quorum.
    NotServing,
    /// The client does not read the replies to its requests.
    DoesNotRead,
    /// Writing to the disk failed, and the server stopped.
    DiskRefused,
    /// The client sent a four-letter word and has its answer.
    FourLetterWord,
    /// The state of the server was replaced by that of a snapshot.
    Restored,
    /// The test closed the connection.
    Test,
}

impl CloseReason {
    /// Whether messages sent before the close still reach the client, if it reads them.
    pub(crate) fn delivers_pending(self) -> bool {
        match self {
            Self::SessionClosed
            | Self::SessionRefused
            | Self::Unimplemented
            | Self::FourLetterWord
            | Self::AuthFailed
            | Self::SessionMoved
            | Self::Test => true,
            Self::TooManyConnections
            | Self::NoSession
            | Self::AheadOfServer
            | Self::TakenOver
            | Self::SessionExpired
            | Self::MemberStopped
            | Self::LostLeader
            | Self::ReadOnlyEnded
            | Self::NotReadOnlyClient
            | Self::NotServing
            | Self::DoesNotRead
            | Self::Restored
            | Self::DiskRefused => false,
        }
    }
}

/// Receiver of outputs.
pub(crate) trait Outputs {
    /// Receives the next output.
    fn emit(&mut self, output: Output<'_>);

    /// Reports that a session is about to expire, for the log. The effects follow as outputs.
    fn expiring(&mut self, _session: SessionId, _why: Expiry) {}

    /// Reports a successful read of a znode and the number of bytes of its data, or of the names of its children, for
    /// the metrics.
    fn has_read(&mut self, _path: ClientText<'_>, _bytes: usize) {}

    /// Reports that a quota on `path` refuses a write, for the metrics.
    fn quota_exceeded(&mut self, _path: &str) {}
}

/// Reason why a session expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The client was silent for the timeout of the session.
    Silent { timeout_ms: i32 },
    /// The test or a fault expires the session.
    Forced,
}

/// Sends the event of a watch.
pub(super) fn notify(
    out: &mut impl Outputs,
    connection: ConnectionId,
    zxid: Zxid,
    event_type: EventType,
    path: &str,
) {
    let event = WatchedEvent {
        event_type,
        state: KeeperState::SyncConnected,
        path,
    };
    out.emit(Output::Send {
        connection,
        message: &Message::Event { zxid, event },
    });
}

/// Sends a reply.
#[inline]
pub(super) fn reply(
    out: &mut impl Outputs,
    connection: ConnectionId,
    xid: Xid,
    zxid: Zxid,
    result: Result<Response<'_>, ErrorCode>,
) {
    send_reply(out, connection, &Reply { xid, zxid, result });
}

/// Sends a reply that was made in its place.
#[inline]
pub(super) fn send_reply(out: &mut impl Outputs, connection: ConnectionId, reply: &Reply<'_>) {
    out.emit(Output::Send {
        connection,
        message: &Message::Reply(reply),
    });
}
