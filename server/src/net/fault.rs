//! Faults: what goes wrong because a test wants it to, where, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sight::{Sight, Who};
use super::{Kind, Matcher};
use crate::protocol::ErrorCode;

/// Something that goes wrong. Spans go by the server's clock.
///
/// ```
/// use minikeeper::{ErrorCode, Fault};
///
/// let fault = Fault::Error { code: ErrorCode::NoAuth };
/// assert_ne!(fault, Fault::LoseReply);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// The request is refused with this code, and not carried out.
    Error {
        /// The refusal.
        code: ErrorCode,
    },
    /// The connection closes, and the request is not carried out.
    DropBefore,
    /// The request is carried out, and the connection closes instead of an answer: the client cannot know.
    ApplyThenDrop,
    /// The request is answered, then the connection closes.
    ReplyThenDrop,
    /// The request never arrives; the connection stays.
    LoseRequest,
    /// The message is never sent; the connection stays.
    LoseReply,
    /// The request arrives later, and everything behind it.
    DelayRequest {
        /// By how much.
        #[serde(rename = "by_ms", with = "as_ms")]
        by: Duration,
    },
    /// The message leaves later, and everything behind it.
    DelayReply {
        /// By how much.
        #[serde(rename = "by_ms", with = "as_ms")]
        by: Duration,
    },
    /// Only the first bytes of the message are sent, its length of four bytes included; then the connection closes.
    Truncate {
        /// How many bytes.
        bytes: usize,
    },
    /// The message is sent in pieces.
    Split {
        /// How many bytes a piece has, at least 1.
        bytes: usize,
        /// The time between two pieces.
        #[serde(default, rename = "every_ms", with = "as_ms")]
        every: Duration,
    },
    /// These bytes are sent instead of the message.
    Garbage {
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The message is sent twice.
    Duplicate,
    /// The reply bears another xid.
    WrongXid {
        /// That one.
        xid: i32,
    },
    /// The request is answered as by a member that the session has left, and the connection closes.
    SessionMoved,
    /// The request is answered as one whose authentication failed, and the connection closes.
    AuthFailed,
    /// The session of the request expires before the request is carried out.
    Expire,
    /// The connection closes as soon as it is accepted.
    Refuse,
    /// The connection is reset as soon as it is accepted (TCP's RST); on other transports than TCP it closes.
    Reset,
    /// The connection is accepted, and nothing is read of it for a while.
    SlowAccept {
        /// For how long.
        #[serde(rename = "by_ms", with = "as_ms")]
        by: Duration,
    },
}

/// Milliseconds.
pub(super) mod as_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::net) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(in crate::net) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// A fault, where it happens and how often: plain data.
///
/// ```
/// use minikeeper::{Fault, FaultRule, Matcher, Op};
///
/// let rule = FaultRule::new("the second create loses its reply", Matcher::request(Op::Create), Fault::LoseReply);
/// assert_eq!((rule.nth, rule.times), (1, Some(1)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultRule {
    /// What a failing test and the journal call it.
    pub name: String,
    /// Where it happens.
    pub on: Matcher,
    /// With which of the matches it begins; the first is 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How often it happens; `None` is every time.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// Whether it is all right if it never happens.
    #[serde(default)]
    pub optional: bool,
    /// What happens.
    pub then: Fault,
}

fn one() -> u64 {
    1
}

fn once() -> Option<u64> {
    Some(1)
}

impl FaultRule {
    /// A fault that happens at the first match, once.
    #[must_use]
    pub fn new(name: impl Into<String>, on: Matcher, then: Fault) -> Self {
        Self {
            name: name.into(),
            on,
            nth: one(),
            times: once(),
            optional: false,
            then,
        }
    }
}

/// Why a fault cannot be placed.
///
/// ```
/// use minikeeper::{Fault, FaultRule, Matcher};
///
/// let server = minikeeper::Server::start()?;
/// let rule = FaultRule::new("an event that expires", Matcher::event(), Fault::Expire);
/// assert!(server.place(rule).is_err());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// What is matched cannot go wrong in this way.
    #[error(
        "the fault {name:?} cannot happen to what it matches: {fault:?} does not go with {kind:?}"
    )]
    CannotHappen {
        /// The name of the rule.
        name: String,
        /// What is to happen.
        fault: Fault,
        /// To what.
        kind: Kind,
    },
}

/// The number of a rule that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultId(u64);

/// The rules that were placed.
#[derive(Debug, Default)]
pub(super) struct Faults {
    placed: Vec<Placed>,
    next: u64,
}

#[derive(Debug)]
struct Placed {
    id: FaultId,
    rule: FaultRule,
    kind: Kind,
    matches: u64,
    hits: u64,
}

impl Fault {
    /// Whether it can happen to things of this kind.
    fn goes_with(&self, kind: Kind) -> bool {
        match self {
            Self::Error { .. } | Self::SessionMoved | Self::AuthFailed | Self::Expire => {
                kind == Kind::Request
            }
            Self::DropBefore
            | Self::ApplyThenDrop
            | Self::ReplyThenDrop
            | Self::LoseRequest
            | Self::DelayRequest { .. } => matches!(kind, Kind::Request | Kind::Connect),
            Self::LoseReply
            | Self::DelayReply { .. }
            | Self::Truncate { .. }
            | Self::Split { .. }
            | Self::Garbage { .. }
            | Self::Duplicate
            | Self::WrongXid { .. } => matches!(
                kind,
                Kind::Request | Kind::Connect | Kind::Reply | Kind::Connected | Kind::Event
            ),
            Self::Refuse | Self::Reset | Self::SlowAccept { .. } => kind == Kind::Accepted,
        }
    }

    /// What it happens to where a rule does not say.
    fn usual_kind(&self) -> Kind {
        if self.goes_with(Kind::Accepted) {
            Kind::Accepted
        } else {
            Kind::Request
        }
    }
}

impl Faults {
    pub(super) fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    pub(super) fn place(&mut self, rule: FaultRule) -> Result<FaultId, FaultError> {
        let kind = rule.on.kind.unwrap_or_else(|| rule.then.usual_kind());
        if !rule.then.goes_with(kind) {
            return Err(FaultError::CannotHappen {
                name: rule.name,
                fault: rule.then,
                kind,
            });
        }
        self.next += 1;
        let id = FaultId(self.next);
        self.placed.push(Placed {
            id,
            rule,
            kind,
            matches: 0,
            hits: 0,
        });
        Ok(id)
    }

    /// Takes a rule away; gives how often it happened.
    pub(super) fn remove(&mut self, id: FaultId) -> u64 {
        let hits = self.hits(id);
        self.placed.retain(|placed| placed.id != id);
        hits
    }

    /// How often it happened.
    pub(super) fn hits(&self, id: FaultId) -> u64 {
        let mut placed = self.placed.iter();
        placed
            .find(|placed| placed.id == id)
            .map_or(0, |placed| placed.hits)
    }

    /// What goes wrong here, by the first rule that says something goes wrong; those behind it do not see this match.
    pub(super) fn decide(&mut self, who: &Who<'_>, sight: &Sight<'_>) -> Option<&FaultRule> {
        let kind = sight.kind();
        let placed = self.placed.iter_mut().find_map(|placed| {
            if placed.kind != kind
                || placed.rule.times.is_some_and(|times| placed.hits >= times)
                || !placed.rule.on.matches(who, sight)
            {
                return None;
            }
            placed.matches += 1;
            (placed.matches >= placed.rule.nth).then_some(placed)
        })?;
        placed.hits += 1;
        Some(&placed.rule)
    }
}
