//! Kinds of events.

use serde::{Deserialize, Serialize};

/// Kind of an [`Event`](crate::journal::Event).
///
/// ```
/// use minikeeper::{Matcher, matcher::EventKind};
///
/// assert_eq!(Matcher::of(EventKind::SessionExpired).kind, Some(EventKind::SessionExpired));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A client connected.
    Accepted,
    /// A connection has ended.
    Disconnected,
    /// The server closes a connection.
    Closing,
    /// A client asks for a session, a new one or the one that it has.
    Connect,
    /// The answer to a client that asked for a session.
    Connected,
    /// A request arrived.
    Request,
    /// The server has made a reply. If a fault loses the reply or a hold holds it, a later event says so
    /// ([`Fault`](Self::Fault), [`Held`](Self::Held)), so a wait for a reply does not wait for its release.
    Reply,
    /// The server has made the event of a watch; see [`Reply`](Self::Reply).
    WatchEvent,
    /// A client closed its session.
    SessionClosed,
    /// A session expired: its client was silent for too long, or a test or a fault ended it.
    SessionExpired,
    /// The server removed a container or a TTL znode.
    Reaped,
    /// A fault happened.
    Fault,
    /// A message is held.
    Held,
    /// A held message is released.
    Released,
    /// A test did something to members of the ensemble.
    Ensemble,
    /// The ensemble has a new leader, or lost the one it had.
    Leading,
    /// The clock was turned.
    Clock,
    /// The test itself wrote, by a method of the server's handle.
    Wrote,
    /// A transaction was committed. These events exist only where they are
    /// [enabled](crate::ServerBuilder::journal_transactions).
    Committed,
    /// A test muted a session.
    Muted,
    /// A muted session may be heard again.
    Unmuted,
    /// A test cut links.
    Cut,
    /// Links that were cut are whole again.
    Healed,
    /// The server stopped.
    Stopped,
    /// The server serves again.
    Started,
}

impl EventKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 25] = [
        Self::Accepted,
        Self::Disconnected,
        Self::Closing,
        Self::Connect,
        Self::Connected,
        Self::Request,
        Self::Reply,
        Self::WatchEvent,
        Self::SessionClosed,
        Self::SessionExpired,
        Self::Reaped,
        Self::Fault,
        Self::Held,
        Self::Released,
        Self::Ensemble,
        Self::Leading,
        Self::Clock,
        Self::Wrote,
        Self::Committed,
        Self::Muted,
        Self::Unmuted,
        Self::Cut,
        Self::Healed,
        Self::Stopped,
        Self::Started,
    ];

    /// Name of the kind for messages: singular and plural.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("accepted connection", "accepted connections"),
            Self::Disconnected => ("ended connection", "ended connections"),
            Self::Closing => ("closed connection", "closed connections"),
            Self::Connect => ("connect request", "connect requests"),
            Self::Connected => ("connect response", "connect responses"),
            Self::Request => ("request", "requests"),
            Self::Reply => ("reply", "replies"),
            Self::WatchEvent => ("watch event", "watch events"),
            Self::SessionClosed => ("closed session", "closed sessions"),
            Self::SessionExpired => ("expired session", "expired sessions"),
            Self::Reaped => ("reaped znode", "reaped znodes"),
            Self::Fault => ("fault", "faults"),
            Self::Held => ("held message", "held messages"),
            Self::Released => ("released message", "released messages"),
            Self::Ensemble => ("ensemble action", "ensemble actions"),
            Self::Leading => ("change of the leader", "changes of the leader"),
            Self::Clock => ("turn of the clock", "turns of the clock"),
            Self::Wrote => ("write of the test", "writes of the test"),
            Self::Committed => ("transaction", "transactions"),
            Self::Muted => ("muted session", "muted sessions"),
            Self::Unmuted => ("unmuted session", "unmuted sessions"),
            Self::Cut => ("cut link", "cut links"),
            Self::Healed => ("healed link", "healed links"),
            Self::Stopped => ("stop of the server", "stops of the server"),
            Self::Started => ("start of the server", "starts of the server"),
        }
    }
}
