//! What a test means: some of all that passes. Faults, holds, the journal and whoever waits say it in the same words.

use serde::{Deserialize, Serialize};

use super::sight::{Asked, Sight, Who};
use super::{Entrance, Op, PathPattern};
use crate::keeper::ConnectionId;
use crate::protocol::{ErrorCode, EventType, MemberId, SessionId};

/// Some of all that passes between clients and server. What is not said matches everything.
///
/// ```
/// use minikeeper::{EventType, Matcher, Op};
///
/// // The requests of whoever connected to the address "worker" to create something below /locks.
/// let create = Matcher::request(Op::Create).path("/locks/**").label("worker");
/// // The events that tell of the leader's end.
/// let ended = Matcher::event().event_type(EventType::NodeDeleted).path("/leader");
/// assert_ne!(create, ended);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Matcher {
    /// What kind of thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Requests of this operation, and the replies to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// About one of these paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathPattern>,
    /// Events of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// Replies that refuse with this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// On connections to the address with this label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// On connections of this session, or about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// On connections to this member of an ensemble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// On the connection with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// Requests that ask for a watch, or that do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watching: Option<bool>,
    /// Requests that create an ephemeral, or that do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<bool>,
    /// Requests that create something whose name gets a number, or that do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequential: Option<bool>,
}

/// What kind of thing passes.
///
/// ```
/// use minikeeper::{Kind, Matcher};
///
/// assert_eq!(Matcher::of(Kind::SessionExpired).kind, Some(Kind::SessionExpired));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Somebody connected.
    Accepted,
    /// A connection is gone.
    Disconnected,
    /// The server closes a connection.
    Closing,
    /// A client asks for a session, a new one or its own.
    Connect,
    /// A client is told which session it has, or that it has none.
    Connected,
    /// A request arrived.
    Request,
    /// A reply is sent: the server has made it. Where a fault loses it or a hold keeps it back, what follows says so
    /// ([`Fault`](Self::Fault), [`Held`](Self::Held)); so whoever waits for a reply does not wait for its release.
    Reply,
    /// The event of a watch is sent: the server has made it, as with [`Reply`](Self::Reply).
    Event,
    /// A client closed its session.
    SessionClosed,
    /// A session was not heard from in time, or a test wanted it to be over.
    SessionExpired,
    /// The server removed a container or a TTL znode.
    Reaped,
    /// A fault did what it is there for.
    Fault,
    /// Something is held back.
    Held,
    /// Something that was held back is let go.
    Released,
    /// A test did something to members of the ensemble.
    Ensemble,
    /// The ensemble has a new leader, or lost the one it had.
    Leading,
    /// The clock was turned.
    Clock,
    /// The test itself wrote, by the handle.
    Wrote,
    /// A test wants a session to be silent.
    Muted,
    /// A session may be heard again.
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

impl Matcher {
    /// Everything.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Everything of one kind.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// Requests of one family; [`Op::Connect`] are the first of a connection.
    #[must_use]
    pub fn request(op: Op) -> Self {
        let kind = if op == Op::Connect {
            Kind::Connect
        } else {
            Kind::Request
        };
        Self {
            op: Some(op),
            ..Self::of(kind)
        }
    }

    /// Replies to requests of one family.
    #[must_use]
    pub fn reply(op: Op) -> Self {
        let kind = if op == Op::Connect {
            Kind::Connected
        } else {
            Kind::Reply
        };
        Self {
            op: Some(op),
            ..Self::of(kind)
        }
    }

    /// Events of watches.
    #[must_use]
    pub fn event() -> Self {
        Self::of(Kind::Event)
    }

    /// Only what is about a path that the pattern stands for; see [`PathPattern`].
    ///
    /// # Panics
    ///
    /// If it is no pattern: `/a/***`, `[`. To be told instead, parse a [`PathPattern`].
    #[must_use]
    #[track_caller]
    pub fn path(mut self, pattern: &str) -> Self {
        match pattern.parse() {
            Ok(pattern) => self.path = Some(pattern),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Only events of this type.
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

    /// Only on connections to the address with this label.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// Only on connections of this session, or about it.
    #[must_use]
    pub fn session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Only on connections to this member of an ensemble.
    #[must_use]
    pub fn member(mut self, member: MemberId) -> Self {
        self.member = Some(member);
        self
    }

    /// Only on the connection with this number.
    #[must_use]
    pub fn connection(mut self, connection: u64) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Only requests that ask for a watch.
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

    /// Only requests that create an ephemeral.
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

    /// Only requests that create something whose name gets a number.
    #[must_use]
    pub fn sequential(mut self) -> Self {
        self.sequential = Some(true);
        self
    }

    /// All connections of one client: those by its label; without a label, those of its session.
    pub(super) fn client(who: &Who<'_>) -> Self {
        match &who.entrance.label {
            Some(label) => Self::any().label(label),
            None if who.session == SessionId::NONE => Self::any().connection(who.connection.0),
            None => Self::any().session(who.session),
        }
    }

    /// Whether it means these connections.
    pub(super) fn means(&self, who: &Who<'_>) -> bool {
        self.connection
            .is_none_or(|connection| connection == who.connection.0)
            && self.session.is_none_or(|session| session == who.session)
            && self
                .member
                .is_none_or(|member| member == who.entrance.member)
            && self
                .label
                .as_deref()
                .is_none_or(|label| who.entrance.label.as_deref() == Some(label))
    }

    /// Whether it means this, which may pass on no connection at all.
    pub(super) fn matches_any(&self, who: Option<&Who<'_>>, sight: &Sight<'_>) -> bool {
        let nowhere = Entrance::default();
        let nobody = Who {
            connection: ConnectionId::HANDLE,
            session: sight.session().unwrap_or_default(),
            entrance: &nowhere,
        };
        self.matches(who.unwrap_or(&nobody), sight)
    }

    /// Whether it means this.
    pub(super) fn matches(&self, who: &Who<'_>, sight: &Sight<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == sight.kind())
            && Criterion::ALL
                .iter()
                .all(|criterion| self.meets(*criterion, who, sight))
    }

    /// What alone is not as it should be, if it is one thing alone.
    pub(super) fn only_miss(&self, who: &Who<'_>, sight: &Sight<'_>) -> Option<Criterion> {
        let mut misses = Criterion::ALL
            .into_iter()
            .filter(|criterion| !self.meets(*criterion, who, sight));
        let first = misses.next()?;
        misses.next().is_none().then_some(first)
    }

    fn meets(&self, criterion: Criterion, who: &Who<'_>, sight: &Sight<'_>) -> bool {
        match criterion {
            Criterion::Connection => self
                .connection
                .is_none_or(|connection| connection == who.connection.0),
            Criterion::Session => self
                .session
                .is_none_or(|session| session == who.session_of(sight)),
            Criterion::Member => self
                .member
                .is_none_or(|member| member == who.entrance.member),
            Criterion::Label => self
                .label
                .as_deref()
                .is_none_or(|label| who.entrance.label.as_deref() == Some(label)),
            Criterion::Op => self.op.is_none_or(|op| {
                if let Sight::Connect { .. } | Sight::Connected { .. } = sight {
                    return op == Op::Connect;
                }
                sight.asked().is_some_and(|asked| {
                    asked
                        .operation
                        .map_or(op == Op::Any, |operation| op.contains(operation))
                })
            }),
            Criterion::Path => self
                .path
                .as_ref()
                .is_none_or(|pattern| sight.is_about(|path| pattern.matches(path))),
            Criterion::EventType => self.event_type.is_none_or(
                |wanted| matches!(sight, Sight::Event { event_type, .. } if *event_type == wanted),
            ),
            Criterion::Error => self.error.is_none_or(
                |wanted| matches!(sight, Sight::Reply { error, .. } | Sight::Wrote { error, .. } if *error == Some(wanted)),
            ),
            Criterion::Watching => asks(self.watching, sight, |asked| asked.watch),
            Criterion::Ephemeral => asks(self.ephemeral, sight, |asked| asked.ephemeral),
            Criterion::Sequential => asks(self.sequential, sight, |asked| asked.sequential),
        }
    }

    /// What it asks for that nothing of this kind has.
    pub(super) fn in_vain(&self, kind: Kind) -> Option<Criterion> {
        let asks = matches!(kind, Kind::Request | Kind::Connect);
        let answers = matches!(kind, Kind::Reply | Kind::Connected);
        let first = matches!(kind, Kind::Connect | Kind::Connected);
        let has = |criterion| match criterion {
            Criterion::Connection | Criterion::Member | Criterion::Label => true,
            Criterion::Session => kind != Kind::Accepted,
            Criterion::Op => (asks || answers) && (self.op == Some(Op::Connect)) == first,
            Criterion::Path => matches!(kind, Kind::Request | Kind::Reply | Kind::Event),
            Criterion::EventType => kind == Kind::Event,
            Criterion::Error => kind == Kind::Reply,
            Criterion::Watching | Criterion::Ephemeral | Criterion::Sequential => {
                kind == Kind::Request
            }
        };
        let says = |criterion| match criterion {
            Criterion::Connection => self.connection.is_some(),
            Criterion::Session => self.session.is_some(),
            Criterion::Member => self.member.is_some(),
            Criterion::Label => self.label.is_some(),
            Criterion::Op => self.op.is_some(),
            Criterion::Path => self.path.is_some(),
            Criterion::EventType => self.event_type.is_some(),
            Criterion::Error => self.error.is_some(),
            Criterion::Watching => self.watching.is_some(),
            Criterion::Ephemeral => self.ephemeral.is_some(),
            Criterion::Sequential => self.sequential.is_some(),
        };
        Criterion::ALL
            .into_iter()
            .find(|criterion| says(*criterion) && !has(*criterion))
    }
}

/// What was asked for, where something was.
fn asked_in<'a>(sight: &'a Sight<'_>) -> Option<&'a Asked> {
    if let Sight::Request { asked, .. } | Sight::Reply { asked, .. } = sight {
        Some(asked)
    } else {
        None
    }
}

/// Whether a request is as it should be.
fn asks(wanted: Option<bool>, sight: &Sight<'_>, is: impl Fn(&Asked) -> bool) -> bool {
    wanted.is_none_or(|wanted| matches!(sight, Sight::Request { asked, .. } if is(asked) == wanted))
}

/// One of the things that a matcher may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Criterion {
    Connection,
    Session,
    Member,
    Label,
    Op,
    Path,
    EventType,
    Error,
    Watching,
    Ephemeral,
    Sequential,
}

impl Criterion {
    const ALL: [Self; 11] = [
        Self::Connection,
        Self::Session,
        Self::Member,
        Self::Label,
        Self::Op,
        Self::Path,
        Self::EventType,
        Self::Error,
        Self::Watching,
        Self::Ephemeral,
        Self::Sequential,
    ];

    /// How it is with something that passed, for people.
    pub(super) fn shown(self, who: &Who<'_>, sight: &Sight<'_>) -> String {
        let shown = match self {
            Self::Connection => who.connection.0.to_string(),
            Self::Session => who.session_of(sight).to_string(),
            Self::Member => format!("{:?}", who.entrance.member),
            Self::Label => match &who.entrance.label {
                Some(label) => format!("{label:?}"),
                None => "none".to_owned(),
            },
            Self::Op => match asked_in(sight).map(|asked| asked.operation) {
                Some(Some(operation)) => format!("{operation:?}"),
                Some(None) | None => "one that nobody knows".to_owned(),
            },
            Self::Path => {
                let mut first = None;
                sight.is_about(|path| {
                    first.get_or_insert_with(|| path.to_owned());
                    false
                });
                first.unwrap_or_else(|| "none".to_owned())
            }
            Self::EventType => {
                if let Sight::Event { event_type, .. } = sight {
                    format!("{event_type:?}")
                } else {
                    "none".to_owned()
                }
            }
            Self::Error => {
                if let Sight::Reply {
                    error: Some(error), ..
                } = sight
                {
                    format!("{error:?}")
                } else {
                    "none".to_owned()
                }
            }
            Self::Watching | Self::Ephemeral | Self::Sequential => return "it differs".to_owned(),
        };
        format!("the first time it was {shown}")
    }
}

impl std::fmt::Display for Criterion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "the connection",
            Self::Session => "the session",
            Self::Member => "the member",
            Self::Label => "the label",
            Self::Op => "the operation",
            Self::Path => "the path",
            Self::EventType => "the type of the event",
            Self::Error => "the error",
            Self::Watching => "whether a watch is asked for",
            Self::Ephemeral => "whether an ephemeral is created",
            Self::Sequential => "whether the name gets a number",
        })
    }
}
