//! Events: everything that passes between clients and server, and everything that the test or the server does.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::data::Data;
use super::direction::Direction;
use super::event_kind::EventKind;
use super::fault::Fault;
use super::held_message::HeldMessage;
use super::matcher::Matcher;
use super::multi_part::{MultiPart, is_false};
use super::paths::Paths;
use crate::keeper::CloseReason;
use crate::protocol::{
    ConnectRequest, ConnectResponse, EnsembleAction, ErrorCode, EventType, MemberId, Operation,
    SessionId, Timestamp, WatchedEvent, Zxid,
};

/// Event of a journal entry: a message between a client and the server, or an action of the test or the server.
///
/// Faults, holds, waits and budgets match events that borrow from the message. The journal returns events that own
/// their data, `Event<'static>`. As JSON an event has its [kind](EventKind) in the field `kind`.
///
/// ```
/// use minikeeper::{journal::Event, matcher::EventKind, protocol::{EventType, Zxid}};
///
/// let event = Event::WatchEvent { event_type: EventType::NodeDeleted, path: "/leader".into(), zxid: Zxid(7) };
/// assert_eq!(event.kind(), EventKind::WatchEvent);
/// assert_eq!(event.to_string(), "event NodeDeleted /leader zxid 0x7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// A client connected.
    Accepted {
        /// Address of the client.
        peer: SocketAddr,
    },
    /// The connection has ended.
    Disconnected,
    /// The server closes the connection.
    Closing {
        /// Reason for the end.
        reason: CloseReason,
    },
    /// A client asks for a session.
    Connect {
        /// Session that the client has; 0 if it asks for a new one.
        asked: SessionId,
        /// Session timeout that the client asks for, in milliseconds.
        timeout_ms: i32,
        /// Last transaction that the client knows.
        last_zxid_seen: Zxid,
        /// Whether the client accepts a read-only server.
        read_only: bool,
    },
    /// The answer to a client that asked for a session.
    Connected {
        /// Session of the client; 0 if it is refused.
        granted: SessionId,
        /// Negotiated session timeout, in milliseconds.
        timeout_ms: i32,
        /// Whether the session is new; otherwise it is resumed, perhaps from another connection.
        new: bool,
    },
    /// A request arrived.
    Request {
        /// Number that the client gave to the request.
        xid: i32,
        /// Operation; `None` for an unknown one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<Operation>,
        /// Paths in the request.
        #[serde(default, skip_serializing_if = "Paths::is_empty")]
        paths: Paths<'a>,
        /// Whether the request sets a watch.
        #[serde(default, skip_serializing_if = "is_false")]
        watch: bool,
        /// Whether the request creates an ephemeral.
        #[serde(default, skip_serializing_if = "is_false")]
        ephemeral: bool,
        /// Whether the request creates a sequential znode.
        #[serde(default, skip_serializing_if = "is_false")]
        sequential: bool,
        /// Data that the request writes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data<'a>>,
        /// Operations of a multi or multiRead; their paths are also in `paths`, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<MultiPart<'a>>,
    },
    /// The server has made a reply. If a fault loses or changes the reply, or a hold holds it, the next entry says so.
    Reply {
        // Repeated: a reply has the fields of its request, and both are one flat object in JSON.
        /// Number that the client gave to the request.
        xid: i32,
        /// Operation of the request; `None` for an unknown one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<Operation>,
        /// Paths in the request.
        #[serde(default, skip_serializing_if = "Paths::is_empty")]
        paths: Paths<'a>,
        /// Whether the request sets a watch.
        #[serde(default, skip_serializing_if = "is_false")]
        watch: bool,
        /// Whether the request creates an ephemeral.
        #[serde(default, skip_serializing_if = "is_false")]
        ephemeral: bool,
        /// Whether the request creates a sequential znode.
        #[serde(default, skip_serializing_if = "is_false")]
        sequential: bool,
        /// Transaction of a write; of a read, the last transaction that the reply reflects.
        zxid: Zxid,
        /// Error of the refused request. For a multi that failed, the error of the first operation that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorCode>,
        /// Path that was created, the first one for a multi.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<Cow<'a, str>>,
        /// Data that getData returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data<'a>>,
        /// Number of children that getChildren returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        children: Option<usize>,
        /// Operations of a multi or multiRead, with their results; their paths are also in `paths`, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<MultiPart<'a>>,
    },
    /// The server has made the event of a watch. If a fault loses or changes it, or a hold holds it, the next entry
    /// says so.
    WatchEvent {
        /// Change of the znode.
        event_type: EventType,
        /// Path of the znode.
        path: Cow<'a, str>,
        /// Transaction that caused the event.
        zxid: Zxid,
    },
    /// A client closed its session.
    SessionClosed {
        /// Transaction that ended the session.
        zxid: Zxid,
        /// Ephemerals that were deleted with the session.
        #[serde(default, skip_serializing_if = "Paths::is_empty")]
        deleted: Paths<'a>,
    },
    /// A session expired.
    SessionExpired {
        /// Transaction that ended the session.
        zxid: Zxid,
        /// Ephemerals that were deleted with the session.
        #[serde(default, skip_serializing_if = "Paths::is_empty")]
        deleted: Paths<'a>,
    },
    /// The server removed a container or a TTL znode.
    Reaped {
        /// Path of the znode.
        path: Cow<'a, str>,
        /// Transaction that deleted the znode.
        zxid: Zxid,
    },
    /// A fault happened.
    Fault {
        /// Name of the rule.
        name: Cow<'a, str>,
        /// Fault that happened.
        then: Cow<'a, Fault>,
    },
    /// A message is held: the message of the entry before this one.
    Held {
        /// Number of the held message.
        item: u64,
        /// The held message.
        message: Cow<'a, HeldMessage>,
    },
    /// A held message is released.
    Released {
        /// Number of the held message.
        item: u64,
        /// The held message.
        message: Cow<'a, HeldMessage>,
    },
    /// A test did something to members of the ensemble.
    Ensemble {
        /// Action of the test.
        action: EnsembleAction,
    },
    /// The ensemble has a new leader, or lost the one it had.
    Leading {
        /// Leader, if there is one.
        leader: Option<MemberId>,
        /// Epoch: the high 32 bits of the zxids.
        epoch: u32,
    },
    /// The clock was turned.
    Clock {
        /// Time before.
        from: Timestamp,
        /// Time after.
        to: Timestamp,
    },
    /// The test itself wrote, by a method of the server's handle.
    Wrote {
        /// Operation of the write.
        operation: Operation,
        /// Paths of the write.
        paths: Paths<'a>,
        /// Data of the write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data<'a>>,
        /// Transaction of the write.
        zxid: Zxid,
        /// Error, if the write was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorCode>,
    },
    /// A transaction was committed, before anything that shows it is sent: see
    /// [`journal_transactions`](crate::ServerBuilder::journal_transactions). The session is that of the entry; a
    /// transaction of the test or the server itself has none.
    Committed {
        /// Number of the transaction.
        zxid: Zxid,
        /// Change that the transaction made, by the name of ZooKeeper's log: `createSession`, `create`, `setData`,
        /// `multi`, `error` for a refused write, ...
        change: Cow<'a, str>,
        /// Paths of the changed znodes, of a multi in order. Sequence numbers are part of the paths.
        #[serde(default, skip_serializing_if = "Paths::is_empty")]
        paths: Paths<'a>,
    },
    /// A test muted the session: it counts as silent.
    Muted,
    /// The session may be heard again.
    Unmuted,
    /// A test cut links.
    Cut {
        /// Number of the cut.
        cut: u64,
        /// Matcher of the connections.
        on: Cow<'a, Matcher>,
        /// Direction that is cut.
        direction: Direction,
    },
    /// Links that were cut are whole again.
    Healed {
        /// Number of the cut.
        cut: u64,
    },
    /// The server stopped.
    Stopped,
    /// The server serves again.
    Started,
}

/// The request of an event, as matchers see it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'e> {
    /// Operation; `None` for an unknown one.
    pub(super) operation: Option<Operation>,
    /// Whether it sets a watch, creates an ephemeral, creates a sequential znode; `None` for a write of the test, which
    /// does not say so.
    pub(super) flags: Option<Flags>,
    /// Operations of a multi or multiRead.
    pub(super) parts: &'e [MultiPart<'e>],
}

/// Flags of a request.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub(super) watch: bool,
    pub(super) ephemeral: bool,
    pub(super) sequential: bool,
}

impl Event<'_> {
    /// Returns the kind of the event.
    ///
    /// ```
    /// assert_eq!(minikeeper::journal::Event::Stopped.kind(), minikeeper::matcher::EventKind::Stopped);
    /// ```
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Accepted { .. } => EventKind::Accepted,
            Self::Disconnected => EventKind::Disconnected,
            Self::Closing { .. } => EventKind::Closing,
            Self::Connect { .. } => EventKind::Connect,
            Self::Connected { .. } => EventKind::Connected,
            Self::Request { .. } => EventKind::Request,
            Self::Reply { .. } => EventKind::Reply,
            Self::WatchEvent { .. } => EventKind::WatchEvent,
            Self::SessionClosed { .. } => EventKind::SessionClosed,
            Self::SessionExpired { .. } => EventKind::SessionExpired,
            Self::Reaped { .. } => EventKind::Reaped,
            Self::Fault { .. } => EventKind::Fault,
            Self::Held { .. } => EventKind::Held,
            Self::Released { .. } => EventKind::Released,
            Self::Ensemble { .. } => EventKind::Ensemble,
            Self::Leading { .. } => EventKind::Leading,
            Self::Clock { .. } => EventKind::Clock,
            Self::Wrote { .. } => EventKind::Wrote,
            Self::Committed { .. } => EventKind::Committed,
            Self::Muted => EventKind::Muted,
            Self::Unmuted => EventKind::Unmuted,
            Self::Cut { .. } => EventKind::Cut,
            Self::Healed { .. } => EventKind::Healed,
            Self::Stopped => EventKind::Stopped,
            Self::Started => EventKind::Started,
        }
    }

    /// Event of a connect request.
    pub(super) fn connect(request: &ConnectRequest<'_>) -> Event<'static> {
        Event::Connect {
            asked: request.session,
            timeout_ms: request.timeout_ms,
            last_zxid_seen: request.last_zxid_seen,
            read_only: request.read_only == Some(true),
        }
    }

    /// Event of the answer to a connect request.
    pub(super) fn connected(response: &ConnectResponse, new: bool) -> Event<'static> {
        Event::Connected {
            granted: response.session,
            timeout_ms: response.timeout_ms,
            new,
        }
    }

    /// Transaction of the event, or the one that it reflects.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most events have no transaction"
    )]
    pub(super) fn zxid(&self) -> Option<Zxid> {
        match self {
            Self::Reply { zxid, .. }
            | Self::WatchEvent { zxid, .. }
            | Self::SessionClosed { zxid, .. }
            | Self::SessionExpired { zxid, .. }
            | Self::Reaped { zxid, .. }
            | Self::Committed { zxid, .. }
            | Self::Wrote { zxid, .. } => Some(*zxid),
            _ => None,
        }
    }

    /// Request of the event: its own, that of the reply, or that of a write of the test.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most events have no request"
    )]
    pub(super) fn asked(&self) -> Option<Asked<'_>> {
        match self {
            Self::Request {
                operation,
                watch,
                ephemeral,
                sequential,
                parts,
                ..
            }
            | Self::Reply {
                operation,
                watch,
                ephemeral,
                sequential,
                parts,
                ..
            } => Some(Asked {
                operation: *operation,
                flags: Some(Flags {
                    watch: *watch,
                    ephemeral: *ephemeral,
                    sequential: *sequential,
                }),
                parts,
            }),
            Self::Wrote { operation, .. } => Some(Asked {
                operation: Some(*operation),
                flags: None,
                parts: &[],
            }),
            _ => None,
        }
    }

    /// Error of a reply or of a write of the test, if it is refused.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most events carry no error")]
    pub(super) fn error(&self) -> Option<ErrorCode> {
        match self {
            Self::Reply { error, .. } | Self::Wrote { error, .. } => *error,
            _ => None,
        }
    }

    /// Error of one operation of a multi. A reply that refuses the whole multi has no results, and its error is that of
    /// each operation.
    pub(super) fn error_of(&self, part: &MultiPart<'_>) -> Option<ErrorCode> {
        let error = self.error();
        let mut parts = self.asked().map_or(&[][..], |asked| asked.parts).iter();
        let has_results = error.is_none() || parts.any(|part| part.error.is_some());
        if has_results { part.error } else { error }
    }

    /// Whether `accepts` is true for one of the event's paths.
    pub(super) fn is_about(&self, mut accepts: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Request { paths, .. }
            | Self::Wrote { paths, .. }
            | Self::SessionClosed { deleted: paths, .. }
            | Self::SessionExpired { deleted: paths, .. }
            | Self::Committed { paths, .. } => paths.iter().any(accepts),
            Self::Reply { paths, created, .. } => {
                paths.iter().any(&mut accepts) || created.as_deref().is_some_and(accepts)
            }
            Self::WatchEvent { path, .. } | Self::Reaped { path, .. } => accepts(path),
            Self::Held { message, .. } | Self::Released { message, .. } => {
                message.paths().iter().any(|path| accepts(path))
            }
            Self::Accepted { .. }
            | Self::Disconnected
            | Self::Closing { .. }
            | Self::Connect { .. }
            | Self::Connected { .. }
            | Self::Fault { .. }
            | Self::Ensemble { .. }
            | Self::Leading { .. }
            | Self::Clock { .. }
            | Self::Muted
            | Self::Unmuted
            | Self::Cut { .. }
            | Self::Healed { .. }
            | Self::Stopped
            | Self::Started => false,
        }
    }

    /// Whether the event is a ping or the reply to one.
    pub(super) fn is_ping(&self) -> bool {
        matches!(
            self,
            Self::Request {
                operation: Some(Operation::Ping),
                ..
            } | Self::Reply {
                operation: Some(Operation::Ping),
                ..
            }
        )
    }

    /// Message that a hold holds; `None` for an event that is no message on its way.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most events are no messages on their way"
    )]
    pub(super) fn to_held(&self) -> Option<HeldMessage> {
        let texts = |paths: &Paths<'_>| paths.iter().map(str::to_owned).collect();
        Some(match self {
            Self::WatchEvent {
                event_type,
                path,
                zxid,
            } => HeldMessage::WatchEvent {
                event_type: *event_type,
                path: path.as_ref().to_owned(),
                zxid: *zxid,
            },
            Self::Reply {
                operation,
                paths,
                zxid,
                ..
            } => HeldMessage::Reply {
                operation: *operation,
                paths: texts(paths),
                zxid: *zxid,
            },
            Self::Connected { .. } => HeldMessage::Connected,
            Self::Request {
                operation, paths, ..
            } => HeldMessage::Request {
                operation: *operation,
                paths: texts(paths),
            },
            Self::Connect { asked, .. } => HeldMessage::Connect { session: *asked },
            _ => return None,
        })
    }
}

impl<'a> Event<'a> {
    /// Event of a watch.
    pub(super) fn watch(zxid: Zxid, event: &WatchedEvent<'a>) -> Self {
        Self::WatchEvent {
            event_type: event.event_type,
            path: Cow::Borrowed(event.path),
            zxid,
        }
    }
}
