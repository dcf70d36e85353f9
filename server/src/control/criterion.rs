//! Single conditions of a matcher, and whether a message meets them.

use std::fmt;

use super::sight::{Part, Sight, Who};
use super::{ListenerId, Matcher, Op};
use crate::keeper::ConnectionId;
use crate::protocol::SessionId;

/// One of the conditions that a matcher may set, besides the kind.
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

/// Operation at which a condition looks: that of the whole message if `None`, or one operation of a multi.
type Inner<'a> = Option<(usize, &'a Part)>;

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

    /// The value that a message has, for people; `None` for a condition that is true or false.
    pub(crate) fn shown(self, who: &Who<'_>, sight: &Sight<'_>) -> Option<String> {
        Some(match self {
            Self::Connection => who.connection.0.to_string(),
            Self::Session => match who.session_of(sight) {
                SessionId::NONE => "none".to_owned(),
                session => session.to_string(),
            },
            Self::Member => who.listener_id.member.to_string(),
            Self::Label => match &who.listener_id.label {
                Some(label) => format!("{label:?}"),
                None => "none".to_owned(),
            },
            Self::Op => match sight.asked().map(|asked| asked.operation) {
                Some(Some(operation)) => format!("{operation:?}"),
                Some(None) => "an unknown one".to_owned(),
                None => "none".to_owned(),
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
            Self::Error => match sight.error() {
                Some(error) => format!("{error:?}"),
                None => "none".to_owned(),
            },
            Self::Watching | Self::Ephemeral | Self::Sequential => return None,
        })
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
    /// Whether it matches a message or an entry, which need not be on a connection.
    pub(crate) fn matches_any(&self, who: Option<&Who<'_>>, sight: &Sight<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == sight.kind())
            && with_who(who, sight, |who| self.matches(who, sight))
    }

    /// Whether it matches a message or an entry.
    pub(crate) fn matches(&self, who: &Who<'_>, sight: &Sight<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == sight.kind())
            && Criterion::ALL
                .iter()
                .filter(|criterion| !criterion.is_inner())
                .all(|criterion| self.meets(*criterion, None, who, sight))
            && self.some_inner(sight, |inner| {
                Criterion::ALL
                    .iter()
                    .filter(|criterion| criterion.is_inner())
                    .all(|criterion| self.meets(*criterion, inner, who, sight))
            })
    }

    /// The one condition that a message does not meet, if it meets all others.
    pub(crate) fn only_miss(&self, who: &Who<'_>, sight: &Sight<'_>) -> Option<Criterion> {
        let mut only = None;
        self.some_inner(sight, |inner| {
            let mut misses = Criterion::ALL
                .into_iter()
                .filter(|criterion| !self.meets(*criterion, inner, who, sight));
            only = match (misses.next(), misses.next()) {
                (Some(one), None) => Some(one),
                (None | Some(_), _) => None,
            };
            only.is_some()
        });
        only
    }

    /// Operations of a multi that match, where the multi matches for one of them and not as a whole.
    pub(crate) fn parts_matched(&self, who: &Who<'_>, sight: &Sight<'_>) -> Vec<usize> {
        let Some(asked) = sight.asked() else {
            return Vec::new();
        };
        let Some(op) = self.op else {
            return Vec::new();
        };
        if asked.operation.is_some_and(|whole| op.contains(whole)) {
            return Vec::new();
        }
        let parts = asked.parts().iter().enumerate();
        let matched = parts.filter(|part| {
            let mut criteria = Criterion::ALL.iter();
            criteria.all(|criterion| self.meets(*criterion, Some(*part), who, sight))
        });
        matched.map(|(at, _)| at).collect()
    }

    /// Whether `is_meant` accepts the operation of a message, or one of the operations of a multi.
    fn some_inner(&self, sight: &Sight<'_>, mut is_meant: impl FnMut(Inner<'_>) -> bool) -> bool {
        match sight.asked().map(super::sight::Asked::parts) {
            Some(parts) if !parts.is_empty() => {
                let mut parts = parts.iter().enumerate();
                parts.any(|part| is_meant(Some(part)))
            }
            Some(_) | None => is_meant(None),
        }
    }

    /// Whether a message, or one operation of a multi, meets one condition.
    fn meets(
        &self,
        criterion: Criterion,
        inner: Inner<'_>,
        who: &Who<'_>,
        sight: &Sight<'_>,
    ) -> bool {
        let on_connection = who.connection != ConnectionId::HANDLE;
        match criterion {
            Criterion::Connection => self
                .connection
                .is_none_or(|connection| on_connection && connection == who.connection.0),
            Criterion::Session => self
                .session
                .is_none_or(|session| session == who.session_of(sight)),
            Criterion::Member => self
                .member
                .is_none_or(|member| on_connection && member == who.listener_id.member),
            Criterion::Label => self
                .label
                .as_deref()
                .is_none_or(|label| who.listener_id.label.as_deref() == Some(label)),
            Criterion::Op => self.op.is_none_or(|op| is_of(op, inner, sight)),
            Criterion::Path => self.path.as_ref().is_none_or(|pattern| match inner {
                Some((at, part)) => {
                    let own = sight.asked().and_then(|asked| asked.path_of(*part));
                    let created = sight.outcomes().created(at);
                    own.into_iter()
                        .chain(created)
                        .any(|path| pattern.matches(path))
                }
                None => sight.is_about(|path| pattern.matches(path)),
            }),
            Criterion::EventType => self.event_type.is_none_or(
                |wanted| matches!(sight, Sight::Event { event_type, .. } if *event_type == wanted),
            ),
            Criterion::Error => self.error.is_none_or(|wanted| {
                let outcomes = sight.outcomes();
                let error = match inner {
                    Some((at, _)) if outcomes.are_known() => outcomes.error(at),
                    Some(_) | None => sight.error(),
                };
                error == Some(wanted)
            }),
            Criterion::Watching => is_flagged(self.watching, sight, || {
                inner.is_none() && sight.asked().is_some_and(|asked| asked.watch)
            }),
            Criterion::Ephemeral => is_flagged(self.ephemeral, sight, || match inner {
                Some((_, part)) => part.ephemeral,
                None => sight.asked().is_some_and(|asked| asked.ephemeral),
            }),
            Criterion::Sequential => is_flagged(self.sequential, sight, || match inner {
                Some((_, part)) => part.sequential,
                None => sight.asked().is_some_and(|asked| asked.sequential),
            }),
        }
    }
}

/// Passes the connection of a message to a closure, or an empty one for a message on no connection.
pub(crate) fn with_who<T>(
    who: Option<&Who<'_>>,
    sight: &Sight<'_>,
    with: impl FnOnce(&Who<'_>) -> T,
) -> T {
    let nowhere = ListenerId::default();
    let nobody = Who {
        connection: ConnectionId::HANDLE,
        session: sight.session().unwrap_or_default(),
        listener_id: &nowhere,
    };
    with(who.unwrap_or(&nobody))
}

/// Whether the operation, or an operation of the multi, belongs to a family.
fn is_of(op: Op, inner: Inner<'_>, sight: &Sight<'_>) -> bool {
    if let Sight::Connect { .. } | Sight::Connected { .. } = sight {
        return op == Op::Connect;
    }
    let Some(asked) = sight.asked() else {
        return false;
    };
    match asked.operation {
        None => op == Op::Any,
        Some(whole) => {
            let part = inner.and_then(|(_, part)| part.operation);
            op.contains(whole) || part.is_some_and(|part| op.contains(part))
        }
    }
}

/// Whether a request, or the request of a reply, has the wanted value of a flag.
fn is_flagged(wanted: Option<bool>, sight: &Sight<'_>, is: impl FnOnce() -> bool) -> bool {
    wanted.is_none_or(|wanted| {
        matches!(sight, Sight::Request { .. } | Sight::Reply { .. }) && is() == wanted
    })
}
