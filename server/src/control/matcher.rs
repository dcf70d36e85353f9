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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

    /// Adds the conditions of another matcher: the result matches the events that meet all of them. In a multi, one
    /// operation must meet them all.
    ///
    /// If both matchers set the same condition, the narrower one counts: [`Op::Create`] of [`Op::Write`] and
    /// `Op::Create`, `/locks/a` of `/locks/*` and `/locks/a`.
    ///
    /// # Panics
    ///
    /// If no event can meet both, as with two labels, or if one matcher cannot express both, as with two patterns that
    /// overlap. To get an error instead, use [`try_and`](Self::try_and).
    ///
    /// ```
    /// use minikeeper::{Matcher, Op};
    ///
    /// let creates = Matcher::request(Op::Create);
    /// let of_worker = creates.and(Matcher::any().label("worker"));
    /// assert_eq!(of_worker, Matcher::request(Op::Create).label("worker"));
    /// assert_eq!(of_worker.clone().and(Op::Write), of_worker, "every create is a write");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn and(self, other: impl Into<Self>) -> Self {
        match self.try_and(other) {
            Ok(both) => both,
            Err(conflict) => panic!("{conflict}"),
        }
    }

    /// Combines two matchers as [`and`](Self::and) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If no event can meet the conditions of both, or if one matcher cannot express both.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let conflict = Matcher::any().label("a").try_and(Matcher::any().label("b")).unwrap_err();
    /// assert_eq!(
    ///     conflict.to_string(),
    ///     r#"Matcher::any().label("a") and Matcher::any().label("b") cannot be combined: no event has both labels"#
    /// );
    /// ```
    pub fn try_and(self, other: impl Into<Self>) -> Result<Self, MatcherConflict> {
        let other = other.into();
        combine(&self, &other).map_err(|reason| MatcherConflict {
            matchers: Box::new((self, other)),
            reason,
        })
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
    /// used: by [`labelled`](crate::Server::labelled), [`serve_labelled`](crate::Server::serve_labelled) or the
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

/// Reason why two matchers cannot be combined.
///
/// ```
/// use minikeeper::{Matcher, Op};
///
/// let conflict = Matcher::request(Op::Create).try_and(Matcher::watch_event()).unwrap_err();
/// assert!(conflict.to_string().ends_with("no event is of both kinds, requests and watch events"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} and {} cannot be combined: {reason}", matchers.0, matchers.1)]
pub struct MatcherConflict {
    matchers: Box<(Matcher, Matcher)>,
    reason: String,
}

/// Returns the matcher that has the conditions of both, or the reason why there is none.
fn combine(one: &Matcher, other: &Matcher) -> Result<Matcher, String> {
    let both_flags = |name: &str| format!("no request is both {name}() and not_{name}()");
    Ok(Matcher {
        kind: either(one.kind, other.kind).map_err(|(one, other)| {
            let (one, other) = (one.words().1, other.words().1);
            format!("no event is of both kinds, {one} and {other}")
        })?,
        op: narrower_op(one.op, other.op)?,
        path: narrower_path(one.path.as_ref(), other.path.as_ref())?,
        event_type: either(one.event_type, other.event_type)
            .map_err(|_| "no watch event has both types")?,
        error: either(one.error, other.error).map_err(|_| "no reply has both errors")?,
        label: either(one.label.clone(), other.label.clone())
            .map_err(|_| "no event has both labels")?,
        session: either(one.session, other.session)
            .map_err(|_| "no event belongs to both sessions")?,
        member: either(one.member, other.member).map_err(|_| "no event is at both members")?,
        connection: either(one.connection, other.connection)
            .map_err(|_| "no event is on both connections")?,
        watching: either(one.watching, other.watching).map_err(|_| both_flags("watching"))?,
        ephemeral: either(one.ephemeral, other.ephemeral).map_err(|_| both_flags("ephemeral"))?,
        sequential: either(one.sequential, other.sequential)
            .map_err(|_| both_flags("sequential"))?,
    })
}

/// Returns the value of a condition that one of two matchers sets, or both set alike. If they differ, both are the
/// error.
fn either<T: PartialEq>(one: Option<T>, other: Option<T>) -> Result<Option<T>, (T, T)> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err((one, other)),
        (one, other) => Ok(one.or(other)),
    }
}

fn narrower_op(one: Option<Op>, other: Option<Op>) -> Result<Option<Op>, String> {
    match either(one, other) {
        Ok(op) => Ok(op),
        Err((one, other)) if one.is_within(other) => Ok(Some(one)),
        Err((one, other)) if other.is_within(one) => Ok(Some(other)),
        Err((one, other)) => Err(format!(
            "no operation is both {one:?} and {other:?}, and a matcher is about one operation, also in a multi"
        )),
    }
}

fn narrower_path(
    one: Option<&PathPattern>,
    other: Option<&PathPattern>,
) -> Result<Option<PathPattern>, String> {
    match either(one, other) {
        Ok(path) => Ok(path.cloned()),
        Err((one, other)) => match (one.literal(), other.literal()) {
            (Some(path), _) if other.matches(path) => Ok(Some(one.clone())),
            (_, Some(path)) if one.matches(path) => Ok(Some(other.clone())),
            (None, None) => Err(
                "a matcher has one pattern of paths: write one that matches the paths that both match".to_owned(),
            ),
            _ => Err("no path matches both".to_owned()),
        },
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
