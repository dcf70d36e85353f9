//! What becomes of what passes: verdicts on requests, and how a message is treated on its way out.

use std::time::Duration;

use bytes::BytesMut;

use super::Fault;
use super::hold::{HeldMessage, HoldId};
use crate::protocol::{ErrorCode, SessionId, Timestamp, Xid};

/// How far a frame has come when it is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has just arrived.
    #[default]
    New,
    /// It was held, and is held no more.
    Released,
    /// It had its fault.
    Judged,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The rules take it.
    Pass,
    /// It never came.
    Lose,
    /// It comes later, and what is behind it.
    Delay(Timestamp),
    /// It comes when a hold lets it.
    Hold {
        hold: HoldId,
        item: u64,
        what: HeldMessage,
    },
    /// The link is cut before it.
    Cut,
    /// It is refused with this code; perhaps the connection closes then.
    Refuse(ErrorCode, ThenClose),
    /// These operations of a multi fail with this error.
    RefuseParts(ErrorCode, Vec<usize>),
    /// The connection closes.
    Close,
    /// The session expires.
    Expire(SessionId),
}

/// Whether the connection closes when that is done.
pub(crate) type ThenClose = bool;

/// What becomes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Treatment {
    /// It is never sent.
    pub(crate) lose: bool,
    /// How its bytes change.
    pub(crate) shape: Shape,
    pub(crate) gate: Gate,
    /// It does not leave before.
    pub(crate) not_before: Option<Timestamp>,
    /// What is told of it, if it is held.
    pub(crate) held: Option<HeldMessage>,
    /// Whether the link was cut before it.
    pub(crate) cut: bool,
    /// Whether the connection closes behind it.
    pub(crate) then_close: ThenClose,
}

/// Whether a message may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Gate {
    #[default]
    Open,
    /// When the hold lets it go.
    Held { hold: HoldId, item: u64 },
}

/// How the bytes of a message change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    Whole,
    Truncated(usize),
    Pieces(Pieces),
    Garbage(Vec<u8>),
    Twice,
    Xid(Xid),
}

/// The pieces of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// How many bytes each has.
    pub(crate) bytes: usize,
    /// The time between two of them.
    pub(crate) every: Duration,
}

impl Shape {
    /// The pieces in which it is sent, if it is.
    pub(crate) fn pieces(&self) -> Option<Pieces> {
        if let Self::Pieces(pieces) = self {
            Some(*pieces)
        } else {
            None
        }
    }

    /// Changes the bytes of a message; pieces are cut elsewhere.
    pub(crate) fn apply(&self, message: &mut BytesMut) {
        match self {
            Self::Whole | Self::Pieces(_) => {}
            Self::Truncated(bytes) => message.truncate(*bytes),
            Self::Garbage(bytes) => {
                message.clear();
                message.extend_from_slice(bytes);
            }
            Self::Twice => {
                let once = message.clone();
                message.extend_from_slice(&once);
            }
            Self::Xid(xid) => {
                // Behind the length comes the xid, in every reply and event.
                if let Some(bytes) = message.get_mut(4..8) {
                    bytes.copy_from_slice(&xid.0.to_be_bytes());
                }
            }
        }
    }
}

impl Treatment {
    /// What a fault makes of a message.
    pub(crate) fn of(fault: &Fault, now: Timestamp) -> Self {
        let shape = |shape| Self {
            shape,
            ..Self::default()
        };
        match fault {
            Fault::LoseReply => Self {
                lose: true,
                ..Self::default()
            },
            Fault::ApplyThenDrop | Fault::Close => Self {
                lose: true,
                then_close: true,
                ..Self::default()
            },
            Fault::ReplyThenDrop => Self {
                then_close: true,
                ..Self::default()
            },
            Fault::DelayReply { by } => Self {
                not_before: Some(now + *by),
                ..Self::default()
            },
            Fault::Truncate { bytes } => Self {
                then_close: true,
                ..shape(Shape::Truncated(*bytes))
            },
            Fault::Split { bytes, every } => shape(Shape::Pieces(Pieces {
                bytes: (*bytes).max(1),
                every: *every,
            })),
            Fault::Garbage { bytes } => shape(Shape::Garbage(bytes.clone())),
            Fault::Duplicate => shape(Shape::Twice),
            Fault::WrongXid { xid } => shape(Shape::Xid(Xid(*xid))),
            Fault::Partition { .. } => Self {
                cut: true,
                ..Self::default()
            },
            // These happen to requests and connections, and were settled there.
            Fault::Error { .. }
            | Fault::DropBefore
            | Fault::LoseRequest
            | Fault::DelayRequest { .. }
            | Fault::SessionMoved
            | Fault::AuthFailed
            | Fault::Expire
            | Fault::Refuse
            | Fault::Reset
            | Fault::SlowAccept { .. } => Self::default(),
        }
    }

    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it leaves at once and as it is.
    pub(crate) fn is_whole(&self) -> bool {
        self.shape == Shape::Whole && self.gate == Gate::Open && self.not_before.is_none()
    }
}
