//! Matching: the single conditions of a matcher, and whether an event meets them.

use std::fmt;

use super::client::Client;
use super::event::{Event, Flags};
use super::matcher::Matcher;
use super::multi_part::MultiPart;
use super::op::Op;
use crate::protocol::SessionId;

/// Condition that a matcher may set, besides the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Criterion {
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

/// Operation that a condition is about: the whole request if `None`, or one operation of a multi.
type Inner<'a> = Option<&'a MultiPart<'a>>;

impl Criterion {
    pub(crate) const ALL: [Self; 11] = [
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

    /// Whether the condition is about the operation. In a multi all such conditions must hold for the same operation.
    fn is_inner(self) -> bool {
        match self {
            Self::Op
            | Self::Path
            | Self::Error
            | Self::Watching
            | Self::Ephemeral
            | Self::Sequential => true,
            Self::Connection | Self::Session | Self::Member | Self::Label | Self::EventType => {
                false
            }
        }
    }

    /// Value of the event, for messages; `None` for a condition that is true or false.
    pub(super) fn shown(self, client: &Client<'_>, event: &Event<'_>) -> Option<String> {
        let or_none = |text: Option<String>| Some(text.unwrap_or_else(|| "none".to_owned()));
        match self {
            Self::Connection => Some(client.connection.0.to_string()),
            Self::Session => {
                let session = client.session_of(event);
                or_none((session != SessionId::NONE).then(|| session.to_string()))
            }
            Self::Member => Some(client.member.to_string()),
            Self::Label => or_none(client.label.map(|label| format!("{label:?}"))),
            Self::Op => or_none(event.asked().map(|asked| match asked.operation {
                Some(operation) => format!("{operation:?}"),
                None => "an unknown one".to_owned(),
            })),
            Self::Path => {
                let mut first = None;
                event.is_about(|path| {
                    first.get_or_insert_with(|| path.to_owned());
                    false
                });
                or_none(first)
            }
            Self::EventType => or_none(if let Event::WatchEvent { event_type, .. } = event {
                Some(format!("{event_type:?}"))
            } else {
                None
            }),
            Self::Error => or_none(event.error().map(|error| format!("{error:?}"))),
            Self::Watching | Self::Ephemeral | Self::Sequential => None,
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "the connection",
            Self::Session => "the session",
            Self::Member => "the member",
            Self::Label => "the label",
            Self::Op => "the operation",
            Self::Path => "the path",
            Self::EventType => "the event type",
            Self::Error => "the error",
            Self::Watching => "whether it asks for a watch",
            Self::Ephemeral => "whether it creates an ephemeral",
            Self::Sequential => "whether it creates a sequential znode",
        })
    }
}

impl Matcher {
    /// Whether the matcher matches an event.
    pub(super) fn matches(&self, client: &Client<'_>, event: &Event<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == event.kind())
            && Criterion::ALL
                .iter()
                .filter(|criterion| !criterion.is_inner())
                .all(|criterion| self.meets(*criterion, None, client, event))
            && self.some_inner(event, |inner| {
                Criterion::ALL
                    .iter()
                    .filter(|criterion| criterion.is_inner())
                    .all(|criterion| self.meets(*criterion, inner, client, event))
            })
    }

    /// Whether the matcher matches a connection, regardless of events.
    pub(crate) fn matches_client(&self, client: &Client<'_>) -> bool {
        self.has_connection(client)
            && self.has_session(client.session)
            && self.has_member(client)
            && self.has_label(client)
    }

    fn has_connection(&self, client: &Client<'_>) -> bool {
        self.connection
            .is_none_or(|own| client.is_connected() && own == client.connection.0)
    }

    fn has_session(&self, session: SessionId) -> bool {
        self.session.is_none_or(|own| own == session)
    }

    fn has_member(&self, client: &Client<'_>) -> bool {
        self.member
            .is_none_or(|own| client.is_connected() && own == client.member)
    }

    fn has_label(&self, client: &Client<'_>) -> bool {
        let label = client.label.map(|label| &**label);
        self.label.as_deref().is_none_or(|own| label == Some(own))
    }

    /// The one condition that an event does not meet, if it meets all others.
    pub(super) fn only_miss(&self, client: &Client<'_>, event: &Event<'_>) -> Option<Criterion> {
        let mut only = None;
        self.some_inner(event, |inner| {
            let mut misses = Criterion::ALL
                .into_iter()
                .filter(|criterion| !self.meets(*criterion, inner, client, event));
            only = match (misses.next(), misses.next()) {
                (Some(one), None) => Some(one),
                (None | Some(_), _) => None,
            };
            only.is_some()
        });
        only
    }

    /// Positions of the operations of a multi that match, where the multi matches for one of them and not as a whole.
    pub(super) fn parts_matched(&self, client: &Client<'_>, event: &Event<'_>) -> Vec<usize> {
        let (Some(asked), Some(op)) = (event.asked(), self.op) else {
            return Vec::new();
        };
        if asked.operation.is_some_and(|whole| op.contains(whole)) {
            return Vec::new();
        }
        let matched = asked.parts.iter().enumerate().filter(|(_, part)| {
            let mut criteria = Criterion::ALL.iter();
            criteria.all(|criterion| self.meets(*criterion, Some(part), client, event))
        });
        matched.map(|(at, _)| at).collect()
    }

    /// Whether `accepts` is true for the whole request of an event, or one of the operations of a multi.
    fn some_inner(&self, event: &Event<'_>, mut accepts: impl FnMut(Inner<'_>) -> bool) -> bool {
        match event.asked() {
            Some(asked) if !asked.parts.is_empty() => {
                asked.parts.iter().any(|part| accepts(Some(part)))
            }
            Some(_) | None => accepts(None),
        }
    }

    /// Whether an event, or one operation of a multi, meets one condition.
    fn meets(
        &self,
        criterion: Criterion,
        inner: Inner<'_>,
        client: &Client<'_>,
        event: &Event<'_>,
    ) -> bool {
        match criterion {
            Criterion::Connection => self.has_connection(client),
            Criterion::Session => self.has_session(client.session_of(event)),
            Criterion::Member => self.has_member(client),
            Criterion::Label => self.has_label(client),
            Criterion::Op => self.op.is_none_or(|op| is_of(op, inner, event)),
            Criterion::Path => self.path.as_ref().is_none_or(|pattern| match inner {
                Some(part) => part.is_about(|path| pattern.matches(path)),
                None => event.is_about(|path| pattern.matches(path)),
            }),
            Criterion::EventType => self.event_type.is_none_or(
                |wanted| matches!(event, Event::WatchEvent { event_type, .. } if *event_type == wanted),
            ),
            Criterion::Error => self.error.is_none_or(|wanted| {
                let error = inner.map_or_else(|| event.error(), |part| event.error_of(part));
                error == Some(wanted)
            }),
            Criterion::Watching => {
                has_flag(self.watching, event, |flags| inner.is_none() && flags.watch)
            }
            Criterion::Ephemeral => has_flag(self.ephemeral, event, |flags| {
                inner.map_or(flags.ephemeral, |part| part.ephemeral)
            }),
            Criterion::Sequential => has_flag(self.sequential, event, |flags| {
                inner.map_or(flags.sequential, |part| part.sequential)
            }),
        }
    }
}

/// Whether the operation of an event, or an operation of the multi, belongs to a family.
fn is_of(op: Op, inner: Inner<'_>, event: &Event<'_>) -> bool {
    if let Event::Connect { .. } | Event::Connected { .. } = event {
        return op == Op::Connect;
    }
    let Some(asked) = event.asked() else {
        return false;
    };
    match asked.operation {
        None => op == Op::Any,
        Some(whole) => {
            let part = inner.and_then(|part| part.operation);
            op.contains(whole) || part.is_some_and(|part| op.contains(part))
        }
    }
}

/// Whether a request, or the request of a reply, has the wanted value of a flag.
fn has_flag(wanted: Option<bool>, event: &Event<'_>, flag: impl FnOnce(Flags) -> bool) -> bool {
    wanted.is_none_or(|wanted| {
        let flags = event.asked().and_then(|asked| asked.flags);
        flags.is_some_and(|flags| flag(flags) == wanted)
    })
}
