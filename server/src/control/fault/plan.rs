//! Plans: what is to be done with a connection, a request, a reply or a watch event.
//!
//! [`Fault::row`] is the one table of faults: for each fault the events that it can happen to, and its plan.

use std::time::Duration;

use super::Fault;
use crate::control::event_kind::EventKind;
use crate::control::hold::HeldItem;
use crate::protocol::{ErrorCode, Xid};

/// Plan of a fault.
///
/// At an accepted connection only `accept` counts, and at a reply or watch event only `reply`. At a request, `request`
/// counts; if the request is carried out, `reply` counts for its reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) accept: AcceptPlan,
    pub(crate) request: RequestPlan,
    pub(crate) reply: ReplyPlan,
}

/// Plan for a connection that is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AcceptPlan {
    /// The connection is served.
    #[default]
    Serve,
    /// The connection closes.
    Close,
    /// The connection is reset.
    Reset,
    /// The connection is served, and nothing is read from it for this long.
    Pause(Duration),
}

/// Plan for a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RequestPlan {
    /// The request is carried out.
    #[default]
    CarryOut,
    /// The request is dropped, as if it had never arrived.
    Lose,
    /// The request, and everything behind it, arrives this much later.
    Delay(Duration),
    /// The request arrives when a hold releases it.
    Hold(HeldItem),
    /// The link is cut before the request.
    Cut,
    /// The request is refused.
    Refuse {
        code: ErrorCode,
        /// Positions of the operations of a multi that fail; empty if the whole request is refused.
        parts: Vec<usize>,
        then_close: bool,
    },
    /// The connection closes.
    Close,
    /// The session of the request expires.
    Expire,
}

/// Plan for a reply or watch event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplyPlan {
    /// Whether the message is never sent.
    pub(crate) lose: bool,
    /// Whether the connection closes behind the message.
    pub(crate) then_close: bool,
    /// Whether the link is cut before the message.
    pub(crate) cut: bool,
    /// Delay of the message.
    pub(crate) delay: Option<Duration>,
    /// Change of the bytes.
    pub(crate) bytes: BytesPlan,
    /// The hold that holds the message.
    pub(crate) hold: Option<HeldItem>,
}

/// Change of the bytes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum BytesPlan {
    #[default]
    Unchanged,
    /// Only the first bytes are sent.
    Truncate(usize),
    /// The message is sent in pieces.
    Split(Pieces),
    /// Other bytes are sent.
    Replace(Vec<u8>),
    /// The message is sent twice.
    Duplicate,
    /// The message has another xid.
    SetXid(Xid),
}

/// Pieces of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// Length of a piece, in bytes.
    pub(crate) bytes: usize,
    /// Time between two pieces.
    pub(crate) every: Duration,
}

/// Progress of a request that holds and faults may stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The request has just arrived.
    #[default]
    New,
    /// The request was held, and has been released. Faults are still to be decided.
    Released,
    /// Holds and faults have been decided.
    Decided,
}

/// Row of the table of faults.
pub(super) struct Row {
    /// Kinds of events that the fault can happen to. A rule without a kind takes the first of them that its matcher
    /// allows.
    pub(super) kinds: &'static [EventKind],
    pub(super) plan: Plan,
}

use EventKind::{Accepted, Connect, Connected, Reply, Request, WatchEvent};

/// Requests, except the first of a connection.
const LATER_REQUEST: &[EventKind] = &[Request];
const REQUEST: &[EventKind] = &[Request, Connect];
/// Requests, whose replies are then meant, replies and watch events.
const MESSAGE: &[EventKind] = &[Request, Connect, Reply, Connected, WatchEvent];
/// Requests and replies that have an xid of the client.
const NUMBERED: &[EventKind] = &[Request, Reply];
const ACCEPT: &[EventKind] = &[Accepted];
const ALL: &[EventKind] = &[Request, Connect, Accepted, Reply, Connected, WatchEvent];

impl Row {
    fn accept(accept: AcceptPlan) -> Self {
        let plan = Plan {
            accept,
            ..Plan::default()
        };
        Self {
            kinds: ACCEPT,
            plan,
        }
    }

    fn request(kinds: &'static [EventKind], request: RequestPlan) -> Self {
        let plan = Plan {
            request,
            ..Plan::default()
        };
        Self { kinds, plan }
    }

    fn reply(kinds: &'static [EventKind], reply: ReplyPlan) -> Self {
        let plan = Plan {
            reply,
            ..Plan::default()
        };
        Self { kinds, plan }
    }

    fn bytes(kinds: &'static [EventKind], bytes: BytesPlan) -> Self {
        let reply = ReplyPlan {
            bytes,
            ..ReplyPlan::default()
        };
        Self::reply(kinds, reply)
    }
}

impl Fault {
    /// Plan of the fault.
    pub(crate) fn plan(&self) -> Plan {
        self.row().plan
    }

    /// Row of the table of faults.
    // Longer than 60 lines: the table has a row for each fault.
    pub(super) fn row(&self) -> Row {
        let usual = ReplyPlan::default;
        match self {
            // Accepted connections.
            Self::Refuse => Row::accept(AcceptPlan::Close),
            Self::Reset => Row::accept(AcceptPlan::Reset),
            Self::SlowAccept { by } => Row::accept(AcceptPlan::Pause(*by)),
            // Requests.
            Self::Error { code } => Row::request(LATER_REQUEST, refuse(*code, false)),
            Self::AuthFailed => Row::request(LATER_REQUEST, refuse(ErrorCode::AuthFailed, true)),
            Self::SessionMoved => Row::request(LATER_REQUEST, RequestPlan::Close),
            Self::DropBefore => Row::request(REQUEST, RequestPlan::Close),
            Self::LoseRequest => Row::request(REQUEST, RequestPlan::Lose),
            Self::DelayRequest { by } => Row::request(REQUEST, RequestPlan::Delay(*by)),
            Self::Expire => Row::request(REQUEST, RequestPlan::Expire),
            // Replies and watch events.
            Self::ApplyThenDrop => Row::reply(
                REQUEST,
                ReplyPlan {
                    lose: true,
                    then_close: true,
                    ..usual()
                },
            ),
            Self::Close => Row::reply(
                MESSAGE,
                ReplyPlan {
                    lose: true,
                    then_close: true,
                    ..usual()
                },
            ),
            Self::ReplyThenDrop => Row::reply(
                MESSAGE,
                ReplyPlan {
                    then_close: true,
                    ..usual()
                },
            ),
            Self::LoseReply => Row::reply(
                MESSAGE,
                ReplyPlan {
                    lose: true,
                    ..usual()
                },
            ),
            Self::DelayReply { by } => Row::reply(
                MESSAGE,
                ReplyPlan {
                    delay: Some(*by),
                    ..usual()
                },
            ),
            Self::Truncate { bytes } => Row::reply(
                MESSAGE,
                ReplyPlan {
                    bytes: BytesPlan::Truncate(*bytes),
                    then_close: true,
                    ..usual()
                },
            ),
            Self::Split { bytes, every } => Row::bytes(
                MESSAGE,
                BytesPlan::Split(Pieces {
                    bytes: (*bytes).max(1),
                    every: *every,
                }),
            ),
            Self::Garbage { bytes } => Row::bytes(MESSAGE, BytesPlan::Replace(bytes.clone())),
            Self::Duplicate => Row::bytes(MESSAGE, BytesPlan::Duplicate),
            Self::WrongXid { xid } => Row::bytes(NUMBERED, BytesPlan::SetXid(Xid(*xid))),
            // Links. The cut itself is made where the fault happens, also at an accepted connection.
            Self::Partition { .. } => Row {
                kinds: ALL,
                plan: Plan {
                    accept: AcceptPlan::Serve,
                    request: RequestPlan::Cut,
                    reply: ReplyPlan {
                        cut: true,
                        ..usual()
                    },
                },
            },
        }
    }
}

fn refuse(code: ErrorCode, then_close: bool) -> RequestPlan {
    RequestPlan::Refuse {
        code,
        parts: Vec::new(),
        then_close,
    }
}

impl ReplyPlan {
    /// Whether the message is sent as usual.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the message leaves at once and unchanged, if it is sent.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.bytes == BytesPlan::Unchanged && self.delay.is_none() && self.hold.is_none()
    }
}

impl BytesPlan {
    /// Pieces in which the message is sent, if it is.
    pub(crate) fn pieces(&self) -> Option<Pieces> {
        if let Self::Split(pieces) = self {
            Some(*pieces)
        } else {
            None
        }
    }

    /// Changes the bytes of a message. Pieces are cut when the message leaves.
    pub(crate) fn apply(&self, message: &mut Vec<u8>) {
        match self {
            Self::Unchanged | Self::Split(_) => {}
            Self::Truncate(bytes) => message.truncate(*bytes),
            Self::Replace(bytes) => {
                message.clear();
                message.extend_from_slice(bytes);
            }
            Self::Duplicate => {
                let once = message.clone();
                message.extend_from_slice(&once);
            }
            Self::SetXid(xid) => {
                // In every reply and watch event the xid follows the length.
                if let Some(bytes) = message.get_mut(4..8) {
                    bytes.copy_from_slice(&xid.0.to_be_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_plans_only_for_the_places_where_it_may_happen() {
        let by = Duration::from_millis(1);
        let faults = [
            (Fault::SlowAccept { by }, Accepted),
            (Fault::DelayRequest { by }, Connect),
            (Fault::DelayReply { by }, WatchEvent),
            (Fault::WrongXid { xid: 7 }, Reply),
        ];
        for (fault, kind) in faults {
            assert!(fault.row().kinds.contains(&kind), "{fault:?} {kind:?}");
            let Plan {
                accept,
                request,
                reply,
            } = fault.plan();
            let planned = [
                accept != AcceptPlan::Serve,
                request != RequestPlan::CarryOut,
                !reply.is_usual(),
            ];
            assert_eq!(planned.iter().filter(|is| **is).count(), 1, "{fault:?}");
        }
    }

    #[test]
    fn the_bytes_of_a_message_change_as_planned() {
        let changed = |plan: BytesPlan| {
            let mut bytes = b"\0\0\0\x04\0\0\0\x01"[..].into();
            plan.apply(&mut bytes);
            bytes.to_vec()
        };
        assert_eq!(changed(BytesPlan::Truncate(2)), b"\0\0");
        assert_eq!(changed(BytesPlan::Duplicate).len(), 16);
        assert_eq!(changed(BytesPlan::Replace(vec![9])), [9]);
        assert_eq!(changed(BytesPlan::SetXid(Xid(7)))[4..], [0, 0, 0, 7]);
    }
}
