//! Faults: what goes wrong because a test wants it to, where, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::chaos::{Chaos, PlacedChaos};
use super::known::Known;
use super::near::Near;
use super::possible::NeverMatches;
use super::sight::{Sight, Who};
use super::{Direction, EventKind, Matcher, Op};
use crate::protocol::ErrorCode;

/// Something that goes wrong. Spans go by the server's clock.
///
/// What happens to a request happens to the first of a connection too, by which it asks for a session, where nothing else is
/// said. Nothing ever overtakes anything: what is behind a message that is late is late too, and what was sent before the
/// end of a connection arrives.
///
/// As data it is an object that names the fault and says what belongs to it:
///
/// ```
/// use minikeeper::{ErrorCode, Fault};
///
/// let fault: Fault = serde_json::from_str(r#"{"fault": "error", "code": "NOAUTH"}"#)?;
/// assert_eq!(fault, Fault::Error { code: ErrorCode::NoAuth });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The request is refused with this code, and not carried out. Not the first of a connection, which has no codes.
    ///
    /// A multi that matches because of an operation in it ([`Op::Create`](super::Op::Create)) is answered as one whose
    /// operation failed with this code, the first that matches: the operations before it have the result 0, those
    /// after it -2, and no znode changes. Of a multiRead, each operation that matches fails, and the others are read.
    /// A multi that matches as a whole (no operation, [`Op::Multi`](super::Op::Multi),
    /// [`Op::Write`](super::Op::Write), [`Op::Any`](super::Op::Any)) is refused as a whole.
    Error {
        /// The refusal.
        code: ErrorCode,
    },
    /// The connection closes, and the request is not carried out.
    DropBefore,
    /// The request is carried out, and the connection closes instead of a reply: the client cannot know.
    ApplyThenDrop,
    /// The request is carried out and answered, or the event sent; then the connection closes.
    ReplyThenDrop,
    /// The connection closes instead of this reply or event being sent. A request that matches is carried out, and the
    /// connection closes instead of its reply, as with [`ApplyThenDrop`](Self::ApplyThenDrop).
    Close,
    /// The request never arrives; the connection stays. Its session is not heard from by it.
    LoseRequest,
    /// The reply or event is never sent; the connection stays.
    LoseReply,
    /// The request arrives later, and everything behind it. Its session is heard from when it arrives.
    DelayRequest {
        /// By how much.
        #[serde(rename = "by_ms", with = "as_ms")]
        by: Duration,
    },
    /// The reply or event leaves later, and everything behind it. If it is held too, it leaves when both allow it.
    DelayReply {
        /// By how much.
        #[serde(rename = "by_ms", with = "as_ms")]
        by: Duration,
    },
    /// Only the first bytes of the reply or event are sent, its length of four bytes included; then the connection closes.
    Truncate {
        /// How many bytes; 0 is none.
        bytes: usize,
    },
    /// The reply or event is sent in pieces, each written by itself, from the moment at which it leaves.
    Split {
        /// How many bytes a piece has, at least 1.
        bytes: usize,
        /// The time between two pieces.
        #[serde(default, rename = "every_ms", with = "as_ms")]
        every: Duration,
    },
    /// These bytes are sent instead of the reply or event, with no length before them; the connection stays.
    Garbage {
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The reply or event is sent twice.
    Duplicate,
    /// The reply bears another xid. Not the answer to the first request of a connection, which bears none.
    WrongXid {
        /// That one.
        xid: i32,
    },
    /// The request comes to a member that the session has left: it is not carried out, and the connection closes without a
    /// reply, as `FinalRequestProcessor` has it. No client is ever told the code; who wants to see it told takes
    /// [`Error`](Self::Error).
    SessionMoved,
    /// The request is refused as one whose authentication failed, and the connection closes.
    AuthFailed,
    /// The session expires, and the request is neither carried out nor answered. Its connection closes, so the client
    /// sees `ConnectionLoss` for this request. A client that reconnects for its session finds the session expired.
    Expire,
    /// The link of this client is cut from here on: what comes is the first that does not arrive. A request is not carried
    /// out before the link is whole again, unless the link is cut [to the client](Direction::ToClient) alone: then it is,
    /// and its reply is the first that does not arrive.
    ///
    /// This client is whoever bears the same label; without a label, whoever has the same session. The link is whole again,
    /// and what was sent meanwhile arrives, when the guard of the fault [heals](crate::fault::FaultGuard::heal) it or is dropped.
    Partition {
        /// Which way.
        direction: Direction,
    },
    /// The connection closes as soon as it is accepted. `on(Op::Connect)` matches every accepted connection, before
    /// the client has sent anything. To close a connection at its request for a session, use
    /// [`DropBefore`](Self::DropBefore).
    Refuse,
    /// The connection is reset as soon as it is accepted (TCP's RST); on other transports than TCP it closes.
    Reset,
    /// The connection is accepted, and nothing is read of it for a while. If that is longer than a connection may stay
    /// without a session, it is closed meanwhile.
    SlowAccept {
        /// For how long.
        #[serde(rename = "by_ms", with = "as_ms")]
        by: Duration,
    },
}

/// Milliseconds.
pub(crate) mod as_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// A fault, where it happens and how often: plain data.
///
/// ```
/// use minikeeper::{Fault, Matcher, Op, fault::FaultRule};
///
/// let rule: FaultRule = serde_json::from_str(
///     r#"{
///         "name": "the second create loses its reply",
///         "on": {"op": "create", "path": "/locks/**", "label": "worker"},
///         "nth": 2,
///         "then": {"fault": "apply_then_drop"}
///     }"#,
/// )?;
/// assert_eq!((rule.nth, rule.times, rule.optional), (2, Some(1), false));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultRule {
    /// What a failing test and the journal call it.
    pub name: String,
    /// Messages to which the fault happens. Without a kind these are requests if the fault can happen to requests
    /// that match, otherwise accepted connections, replies or events.
    #[serde(default)]
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

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is the default of a field that may be `None`"
)]
fn once() -> Option<u64> {
    Some(1)
}

impl FaultRule {
    /// A fault that happens at the first match, once.
    ///
    /// ```
    /// use minikeeper::{Fault, Matcher, Op, fault::FaultRule};
    ///
    /// let rule = FaultRule::new("no reply", Matcher::request(Op::Create), Fault::LoseReply);
    /// assert_eq!((rule.nth, rule.times), (1, Some(1)));
    /// ```
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

/// The reason why a fault cannot be placed.
///
/// ```
/// use minikeeper::{Fault, Matcher, fault::FaultRule};
///
/// let server = minikeeper::Server::start()?;
/// let rule = FaultRule::new("an event that expires", Matcher::watch_event(), Fault::Expire);
/// assert!(server.add_fault(rule).is_err());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The fault does not happen to messages of this kind.
    #[error(
        "the fault {name:?} cannot happen: {fault:?} does not happen to {kind}; it happens to {instead}"
    )]
    CannotHappen {
        /// The name of the rule.
        name: String,
        /// The fault.
        fault: Fault,
        /// The messages that were matched, in words.
        kind: &'static str,
        /// The messages to which the fault can happen, in words.
        instead: String,
    },
    /// No message can ever match.
    #[error("the fault {name:?} cannot happen: {source}")]
    NeverMatches {
        /// The name of the rule.
        name: String,
        /// Why not.
        source: NeverMatches,
    },
    /// A number in the rule prevents the fault from ever happening.
    #[error("the fault {name:?} cannot happen: {why}")]
    BadNumber {
        /// The name of the rule.
        name: String,
        /// The number, and the reason.
        why: String,
    },
}

/// The number of a fault, or of a chaos, that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FaultId(u64);

/// What became of a fault that was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultOutcome {
    /// It happened, or it is all right that it did not.
    Fine,
    /// It did not; this is what it waited for, and what came near.
    Never(String),
}

/// Something that goes wrong just now.
#[derive(Debug)]
pub(crate) struct Happening<'f> {
    pub(crate) id: FaultId,
    pub(crate) name: &'f str,
    pub(crate) fault: &'f Fault,
    /// How often, with this time.
    pub(crate) hits: u64,
    /// Operations of a multi that matched, where the multi matched because of them.
    pub(crate) parts: Vec<usize>,
}

/// The faults that were placed.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    placed: Vec<Placed>,
    chaos: Vec<PlacedChaos>,
    next: u64,
}

#[derive(Debug)]
struct Placed {
    id: FaultId,
    rule: FaultRule,
    kind: EventKind,
    matches: u64,
    hits: u64,
    /// Messages that passed before the fault first happened.
    near: Near,
    /// Whether the test has ended it while its guard is still there.
    ended: bool,
}

impl Fault {
    /// Whether it can happen to things of this kind.
    fn goes_with(&self, kind: EventKind) -> bool {
        let asks = matches!(kind, EventKind::Request | EventKind::Connect);
        let says = matches!(
            kind,
            EventKind::Reply | EventKind::Connected | EventKind::WatchEvent
        );
        match self {
            Self::Error { .. } | Self::SessionMoved | Self::AuthFailed => {
                kind == EventKind::Request
            }
            Self::DropBefore
            | Self::ApplyThenDrop
            | Self::LoseRequest
            | Self::DelayRequest { .. }
            | Self::Expire => asks,
            Self::Close
            | Self::ReplyThenDrop
            | Self::LoseReply
            | Self::DelayReply { .. }
            | Self::Truncate { .. }
            | Self::Split { .. }
            | Self::Garbage { .. }
            | Self::Duplicate => asks || says,
            Self::WrongXid { .. } => matches!(kind, EventKind::Request | EventKind::Reply),
            Self::Partition { .. } => asks || says || kind == EventKind::Accepted,
            Self::Refuse | Self::Reset | Self::SlowAccept { .. } => kind == EventKind::Accepted,
        }
    }

    /// Operations of a multi to which the fault happens, where it happens to single operations.
    pub(crate) fn parts_of(&self, on: &Matcher, who: &Who<'_>, sight: &Sight<'_>) -> Vec<usize> {
        if let Self::Error { .. } = self {
            on.parts_matched(who, sight)
        } else {
            Vec::new()
        }
    }

    /// Chooses the kind of messages to which a fault of this name happens, and writes it into the matcher. Returns an
    /// error if no kind is possible.
    pub(crate) fn settle(
        &self,
        on: &mut Matcher,
        name: &str,
        known: &Known,
    ) -> Result<EventKind, FaultError> {
        if let Some(EventKind::Connect) | None = on.kind
            && on.op == Some(Op::Connect)
            && !self.goes_with(EventKind::Connect)
            && self.goes_with(EventKind::Accepted)
        {
            // `Op::Connect` is the request for a session, and this fault happens before that request.
            (on.kind, on.op) = (Some(EventKind::Accepted), None);
        }
        let kinds = KINDS.into_iter().filter(|kind| self.goes_with(*kind));
        if let Some(kind) = on.kind
            && !self.goes_with(kind)
        {
            let instead: Vec<&str> = kinds.map(|kind| kind.words().1).collect();
            return Err(FaultError::CannotHappen {
                name: name.to_owned(),
                fault: self.clone(),
                kind: kind.words().1,
                instead: instead.join(", "),
            });
        }
        let kinds: Vec<EventKind> = kinds.collect();
        on.check(known, &kinds)
            .map_err(|source| FaultError::NeverMatches {
                name: name.to_owned(),
                source,
            })?;
        let kind = kinds.into_iter().find(|kind| on.is_possible_as(*kind));
        let kind = kind.expect("one of the kinds is possible, as was just checked");
        on.kind = Some(kind);
        Ok(kind)
    }
}

/// Kinds of messages to which faults happen, in the order of preference for a rule without a kind.
const KINDS: [EventKind; 6] = [
    EventKind::Request,
    EventKind::Connect,
    EventKind::Accepted,
    EventKind::Reply,
    EventKind::Connected,
    EventKind::WatchEvent,
];

impl Faults {
    /// Whether nothing goes wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.placed.iter().all(|placed| placed.ended) && self.chaos.iter().all(|it| it.ended)
    }

    fn next_id(&mut self) -> FaultId {
        self.next += 1;
        FaultId(self.next)
    }

    pub(crate) fn place(
        &mut self,
        mut rule: FaultRule,
        known: &Known,
    ) -> Result<FaultId, FaultError> {
        let kind = rule.then.settle(&mut rule.on, &rule.name, known)?;
        if rule.nth == 0 || rule.times == Some(0) {
            return Err(FaultError::BadNumber {
                name: rule.name,
                why: "matches are counted from 1, and 0 times is never".to_owned(),
            });
        }
        let id = self.next_id();
        self.placed.push(Placed {
            id,
            rule,
            kind,
            matches: 0,
            hits: 0,
            near: Near::default(),
            ended: false,
        });
        Ok(id)
    }

    pub(crate) fn place_chaos(
        &mut self,
        chaos: Chaos,
        seed: u64,
        known: &Known,
    ) -> Result<FaultId, FaultError> {
        let id = self.next_id();
        self.chaos.push(PlacedChaos::new(id, chaos, seed, known)?);
        Ok(id)
    }

    /// Nothing goes wrong any more. What happened is still known to whoever holds a guard.
    pub(crate) fn clear(&mut self) {
        self.placed
            .iter_mut()
            .for_each(|placed| placed.ended = true);
        self.chaos.iter_mut().for_each(|chaos| chaos.ended = true);
    }

    /// Takes a fault away.
    pub(crate) fn remove(&mut self, id: FaultId) -> FaultOutcome {
        self.chaos.retain(|chaos| chaos.id != id);
        let Some(place) = self.placed.iter().position(|placed| placed.id == id) else {
            return FaultOutcome::Fine;
        };
        let placed = self.placed.remove(place);
        if placed.hits > 0 || placed.rule.optional || placed.ended {
            FaultOutcome::Fine
        } else {
            FaultOutcome::Never(placed.what_it_waited_for())
        }
    }

    /// Description of the messages that a fault waits for and of the nearest misses, if the fault has never happened.
    pub(crate) fn waits_for(&self, id: FaultId) -> Option<String> {
        let placed = self.placed.iter().find(|placed| placed.id == id)?;
        (placed.hits == 0).then(|| placed.what_it_waited_for())
    }

    /// How often it happened.
    pub(crate) fn hits(&self, id: FaultId) -> u64 {
        let placed = self.placed.iter().find(|placed| placed.id == id);
        let chaos = self.chaos.iter().find(|chaos| chaos.id == id);
        placed
            .map(|placed| placed.hits)
            .or(chaos.map(|chaos| chaos.hits))
            .unwrap_or(0)
    }

    /// What goes wrong here, by the first rule that says something goes wrong; those behind it do not see this match.
    /// Chaos comes last.
    pub(crate) fn decide(&mut self, who: &Who<'_>, sight: &Sight<'_>) -> Option<Happening<'_>> {
        let kind = sight.kind();
        let mut placed = self.placed.iter_mut();
        if let Some(placed) = placed.find_map(|placed| placed.takes(kind, who, sight)) {
            return Some(placed);
        }
        let mut chaos = self.chaos.iter_mut();
        chaos.find_map(|chaos| chaos.decide(kind, who, sight))
    }
}

impl Placed {
    fn takes(
        &mut self,
        kind: EventKind,
        who: &Who<'_>,
        sight: &Sight<'_>,
    ) -> Option<Happening<'_>> {
        let exhausted = self.rule.times.is_some_and(|times| self.hits >= times);
        if self.ended || exhausted || self.kind != kind {
            return None;
        }
        if !self.rule.on.matches(who, sight) {
            if self.hits == 0 {
                self.near.note(&self.rule.on, Some(who), sight);
            }
            return None;
        }
        self.near.matched();
        self.matches += 1;
        if self.matches < self.rule.nth {
            return None;
        }
        self.hits += 1;
        Some(Happening {
            id: self.id,
            name: &self.rule.name,
            fault: &self.rule.then,
            hits: self.hits,
            parts: self.rule.then.parts_of(&self.rule.on, who, sight),
        })
    }

    fn what_it_waited_for(&self) -> String {
        let nth = self.rule.nth;
        let near = self.near.in_words(Some(self.kind), self.matches);
        format!("it waited for match {nth} of {}; {near}", self.rule.on)
    }
}
