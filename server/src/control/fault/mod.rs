//! Faults: what a test makes go wrong.
//!
//! [`Fault`] names a fault. The table in `plan.rs` says for each fault where it may happen and what it plans there. A
//! [`FaultRule`] says which events it happens to, and how often; [`Chaos`] draws by chance.

mod chaos;
mod placed;
mod plan;
mod rule;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use chaos::{Chaos, ChaosRule};
pub(crate) use placed::{FaultOutcome, Faults};
pub(crate) use plan::{AcceptPlan, Pieces, Plan, Progress, ReplyPlan, RequestPlan};
pub use rule::{FaultError, FaultRule};
pub(crate) use rule::{FaultId, Happening};

use super::direction::Direction;
use crate::protocol::ErrorCode;

/// Fault: something that goes wrong because a test wants it to. Spans are by the server's clock.
///
/// A fault of a request also happens to the first request of a connection, which asks for a session, unless its variant
/// says otherwise. Messages never overtake each other: messages behind a late one are late too, and messages that were
/// sent before a connection closes arrive.
///
/// As JSON a fault is an object with its name and its arguments:
///
/// ```
/// use minikeeper::{ErrorCode, Fault};
///
/// let fault: Fault = serde_json::from_str(r#"{"fault": "error", "code": "NOAUTH"}"#)?;
/// assert_eq!(fault, Fault::Error { code: ErrorCode::NoAuth });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The request is refused with this code and not carried out. Does not happen to the first request of a connection,
    /// whose answer has no code.
    ///
    /// A multi that matches because of one of its operations ([`Op::Create`](crate::Op::Create)) is answered as if that
    /// operation had failed with this code, the first that matches: the operations before it have the result 0, those
    /// after it -2, and no znode changes. Of a multiRead, each operation that matches fails, and the others are read.
    /// A multi that matches as a whole (no operation, [`Op::Multi`](crate::Op::Multi),
    /// [`Op::Write`](crate::Op::Write), [`Op::Any`](crate::Op::Any)) is refused as a whole.
    Error {
        /// Error code of the refusal.
        code: ErrorCode,
    },
    /// The connection closes, and the request is not carried out.
    DropBefore,
    /// The request is carried out, and the connection closes instead of a reply: the client cannot know the result.
    ApplyThenDrop,
    /// The request is carried out and answered, or the watch event is sent; then the connection closes.
    ReplyThenDrop,
    /// The connection closes instead of this reply or watch event being sent. A request that matches is carried
    /// out, and the connection closes instead of its reply, as with [`ApplyThenDrop`](Self::ApplyThenDrop).
    Close,
    /// The request never arrives; the connection stays open. It does not count as a sign of life of the session.
    LoseRequest,
    /// The reply or watch event is never sent; the connection stays open.
    LoseReply,
    /// The request, and everything behind it, arrives later. It counts as a sign of life of the session when it
    /// arrives.
    DelayRequest {
        /// Delay.
        #[serde(rename = "by_ms", with = "as_ms")]
        #[cfg_attr(feature = "schema", schemars(with = "u64"))]
        by: Duration,
    },
    /// The reply or watch event, and everything behind it, leaves later. If it is also held, it leaves when both the
    /// delay and the hold are over.
    DelayReply {
        /// Delay.
        #[serde(rename = "by_ms", with = "as_ms")]
        #[cfg_attr(feature = "schema", schemars(with = "u64"))]
        by: Duration,
    },
    /// Only the first bytes of the reply or watch event are sent, its length of four bytes included; then the
    /// connection closes.
    Truncate {
        /// Number of bytes that are sent; 0 is none.
        bytes: usize,
    },
    /// The reply or watch event is sent in pieces, each written by itself, from the moment at which it leaves.
    Split {
        /// Length of a piece in bytes, at least 1.
        bytes: usize,
        /// Time between two pieces.
        #[serde(default, rename = "every_ms", with = "as_ms")]
        #[cfg_attr(feature = "schema", schemars(with = "u64"))]
        every: Duration,
    },
    /// These bytes are sent instead of the reply or watch event, with no length before them; the connection stays open.
    Garbage {
        /// Bytes that are sent.
        bytes: Vec<u8>,
    },
    /// The reply or watch event is sent twice.
    Duplicate,
    /// The reply has another xid. Does not happen to the answer to the first request of a connection, which has none.
    WrongXid {
        /// Xid of the reply.
        xid: i32,
    },
    /// The request comes to a member that the session has left: it is not carried out, and the connection closes
    /// without a reply, as in ZooKeeper's `FinalRequestProcessor`. ZooKeeper never sends the code to a client; to
    /// send it all the same, use [`Error`](Self::Error).
    SessionMoved,
    /// The request is refused as one whose authentication failed, and the connection closes.
    AuthFailed,
    /// The session expires, and the request is neither carried out nor answered. Its connection closes, so the client
    /// sees `ConnectionLoss` for this request. A client that reconnects for its session finds the session expired.
    Expire,
    /// The link of this client is cut from here on: the message that matches is the first that does not arrive. A
    /// request is not carried out before the link is whole again, unless the link is cut only [to the
    /// client](Direction::ToClient): then the request is carried out, and its reply is the first message that does
    /// not arrive.
    ///
    /// The cut is for all connections with the same label, or without a label, of the same session. The link is
    /// whole again, and messages that were sent meanwhile arrive, when the guard of the fault
    /// [heals](crate::fault::FaultGuard::heal) it or is dropped.
    Partition {
        /// Direction that is cut.
        direction: Direction,
    },
    /// The connection closes as soon as it is accepted. `on(Op::Connect)` matches every accepted connection, before
    /// the client has sent anything. To close a connection at its request for a session, use
    /// [`DropBefore`](Self::DropBefore).
    Refuse,
    /// The connection is reset as soon as it is accepted (TCP's RST); on transports other than TCP it closes.
    Reset,
    /// The connection is accepted, and the server reads nothing from it for a time. If that is longer than a
    /// connection may stay without a session, the connection is closed meanwhile.
    SlowAccept {
        /// Time until the server reads.
        #[serde(rename = "by_ms", with = "as_ms")]
        #[cfg_attr(feature = "schema", schemars(with = "u64"))]
        by: Duration,
    },
}

/// A span as milliseconds.
mod as_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
