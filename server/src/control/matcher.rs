//! Matchers: the events that a fault, a hold, a wait, a claim or a budget selects.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event_kind::EventKind;
use super::op::Op;
use super::path_pattern::PathPattern;
use crate::protocol::{ErrorCode, EventType, MemberId, SessionId};

/// Selection of events: messages between clients and server, and actions of the test or the server. A condition that is
/// not set matches every event.
///
/// A matcher is displayed as the Rust expression that builds it:
///
/// ```
/// use minikeeper::{Matcher, Op, protocol::EventType};
///
/// // The requests on connections to the address "worker" that create znodes below /locks.
/// let create = Matcher::request(Op::Create).path("/locks/**").label("worker");
/// // The events that report the end of the leader.
/// let ended = Matcher::watch_event().event_type(EventType::NodeDeleted).path("/leader");
/// assert_ne!(create, ended);
/// assert_eq!(create.to_string(), r#"Matcher::request(Op::Create).path("/locks/**").label("worker")"#);
/// ```
///
/// A multi matches if one of its operations does: see [`Op`].
///
/// A matcher that no event can match is refused wherever it is used, with the reason:
/// [`NeverMatches`](crate::matcher::NeverMatches).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Matcher {
    /// Events of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<EventKind>,
    /// Requests of this operation, and the replies to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// Events about a path that this pattern matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathPattern>,
    /// Watch events of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// Replies that refuse with this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// Events on connections to the address with this label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Events on connections of this session, or about the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Events on connections to this member of an ensemble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// Events on the connection with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// Requests that ask for a watch (`true`) or do not (`false`), and the replies to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watching: Option<bool>,
    /// Requests that create an ephemeral (`true`) or do not (`false`), and the replies to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<bool>,
    /// Requests that create a sequential znode (`true`) or do not (`false`), and the replies to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequential: Option<bool>,
}

/// Requests of an operation, and the replies to them.
impl From<Op> for Matcher {
    fn from(op: Op) -> Self {
        Self {
            op: Some(op),
            ..Self::default()
        }
    }
}

/// Events of a kind.
impl From<EventKind> for Matcher {
    fn from(kind: EventKind) -> Self {
        Self::of(kind)
    }
}

/// A copy.
impl From<&Self> for Matcher {
    fn from(matcher: &Self) -> Self {
        matcher.clone()
    }
}

impl Matcher {
    /// Matches every event.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches the events of one kind.
    #[must_use]
    pub fn of(kind: EventKind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// Adds the conditions of another matcher. Where both set the same one, that of `other` counts.
    ///
    /// ```
    /// use minikeeper::{Matcher, Op};
    ///
    /// let creates = Matcher::request(Op::Create);
    /// let of_worker = creates.and(Matcher::any().label("worker"));
    /// assert_eq!(of_worker, Matcher::request(Op::Create).label("worker"));
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            kind: other.kind.or(self.kind),
            op: other.op.or(self.op),
            path: other.path.or(self.path),
            event_type: other.event_type.or(self.event_type),
            error: other.error.or(self.error),
            label: other.label.or(self.label),
            session: other.session.or(self.session),
            member: other.member.or(self.member),
            connection: other.connection.or(self.connection),
            watching: other.watching.or(self.watching),
            ephemeral: other.ephemeral.or(self.ephemeral),
            sequential: other.sequential.or(self.sequential),
        }
    }

    /// Matches the requests of one family; [`Op::Connect`] stands for the first request of a connection.
    #[must_use]
    pub fn request(op: Op) -> Self {
        let kind = if op == Op::Connect {
            EventKind::Connect
        } else {
            EventKind::Request
        };
        Self {
            op: Some(op),
            ..Self::of(kind)
        }
    }

    /// Matches the replies to requests of one family.
    #[must_use]
    pub fn reply(op: Op) -> Self {
        let kind = if op == Op::Connect {
            EventKind::Connected
        } else {
            EventKind::Reply
        };
        Self {
            op: Some(op),
            ..Self::of(kind)
        }
    }

    /// Matches the events of watches.
    #[must_use]
    pub fn watch_event() -> Self {
        Self::of(EventKind::WatchEvent)
    }

    /// Only requests of one family, the replies to them, and other events with such an operation.
    ///
    /// ```
    /// use minikeeper::{Matcher, Op, matcher::EventKind};
    ///
    /// // The znodes that the test itself created.
    /// let created = Matcher::of(EventKind::Wrote).op(Op::Create);
    /// assert_eq!(created.op, Some(Op::Create));
    /// ```
    #[must_use]
    pub fn op(mut self, op: Op) -> Self {
        self.op = Some(op);
        self
    }

    /// Only events about a path that the pattern matches; see [`PathPattern`].
    ///
    /// # Panics
    ///
    /// If the text is not a pattern (`/a/***`, `[`), or is one that no path matches (`/a/`, `//`). To get an error
    /// instead, parse a [`PathPattern`].
    #[must_use]
    #[track_caller]
    pub fn path(mut self, pattern: &str) -> Self {
        match pattern.parse() {
            Ok(pattern) => self.path = Some(pattern),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Only watch events of this type.
    #[must_use]
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// Only replies that refuse with this code.
    #[must_use]
    pub fn error(mut self, code: ErrorCode) -> Self {
        self.error = Some(code);
        self
    }

    /// Only events on connections to the address with this label, which must have been named before the matcher is
    /// used: by [`address`](crate::Server::labelled), [`serve_labelled`](crate::Server::serve_labelled) or the
    /// builder's [`label`](crate::ServerBuilder::label).
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// Only events on connections of this session, or about the session.
    #[must_use]
    pub fn session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Only events on connections to this member of an ensemble.
    #[must_use]
    pub fn member(mut self, member: MemberId) -> Self {
        self.member = Some(member);
        self
    }

    /// Only events on the connection with this number.
    #[must_use]
    pub fn connection(mut self, connection: u64) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Only requests that ask for a watch, and the replies to them.
    ///
    /// ```
    /// use minikeeper::{Matcher, Op};
    ///
    /// let waits_for_leader = Matcher::request(Op::Exists).path("/leader").watching();
    /// assert_eq!(waits_for_leader.watching, Some(true));
    /// ```
    #[must_use]
    pub fn watching(mut self) -> Self {
        self.watching = Some(true);
        self
    }

    /// Only requests that do not ask for a watch, and the replies to them.
    #[must_use]
    pub fn not_watching(mut self) -> Self {
        self.watching = Some(false);
        self
    }

    /// Only requests that create an ephemeral, and the replies to them.
    ///
    /// ```
    /// use minikeeper::{Matcher, Op};
    ///
    /// let candidacy = Matcher::request(Op::Create).path("/election/**").ephemeral().sequential();
    /// assert_eq!(candidacy.ephemeral, Some(true));
    /// ```
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = Some(true);
        self
    }

    /// Only requests that do not create an ephemeral, and the replies to them.
    #[must_use]
    pub fn not_ephemeral(mut self) -> Self {
        self.ephemeral = Some(false);
        self
    }

    /// Only requests that create a sequential znode, whose name gets a number, and the replies to them.
    #[must_use]
    pub fn sequential(mut self) -> Self {
        self.sequential = Some(true);
        self
    }

    /// Only requests that do not create a sequential znode, and the replies to them.
    #[must_use]
    pub fn not_sequential(mut self) -> Self {
        self.sequential = Some(false);
        self
    }
}

/// Prints the Rust expression that builds the matcher.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.op) {
            (None, op) => write_op(f.write_str("Matcher::any()"), f, op)?,
            (Some(EventKind::WatchEvent), op) => {
                write_op(f.write_str("Matcher::watch_event()"), f, op)?
            }
            (Some(kind), Some(op)) if Self::request(op).kind == Some(kind) => {
                write!(f, "Matcher::request(Op::{op:?})")?;
            }
            (Some(kind), Some(op)) if Self::reply(op).kind == Some(kind) => {
                write!(f, "Matcher::reply(Op::{op:?})")?;
            }
            (Some(kind), op) => write_op(write!(f, "Matcher::of(EventKind::{kind:?})"), f, op)?,
        }
        if let Some(path) = &self.path {
            write!(f, ".path({:?})", path.to_string())?;
        }
        if let Some(event_type) = self.event_type {
            write!(f, ".event_type(EventType::{event_type:?})")?;
        }
        if let Some(error) = self.error {
            write!(f, ".error(ErrorCode::{error:?})")?;
        }
        if let Some(label) = &self.label {
            write!(f, ".label({label:?})")?;
        }
        match self.session {
            Some(SessionId(id)) if id < 0 => write!(f, ".session(SessionId({id}))")?,
            Some(id) => write!(f, ".session(SessionId({id}))")?,
            None => {}
        }
        if let Some(MemberId(member)) = self.member {
            write!(f, ".member(MemberId({member}))")?;
        }
        if let Some(connection) = self.connection {
            write!(f, ".connection({connection})")?;
        }
        let flags = [
            (self.watching, "watching"),
            (self.ephemeral, "ephemeral"),
            (self.sequential, "sequential"),
        ];
        for (flag, name) in flags {
            match flag {
                Some(true) => write!(f, ".{name}()")?,
                Some(false) => write!(f, ".not_{name}()")?,
                None => {}
            }
        }
        Ok(())
    }
}

fn write_op(begun: fmt::Result, f: &mut fmt::Formatter<'_>, op: Option<Op>) -> fmt::Result {
    begun?;
    match op {
        Some(op) => write!(f, ".op(Op::{op:?})"),
        None => Ok(()),
    }
}
