//! Rules of faults: the events that a fault happens to, and how often.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::control::client::Client;
use crate::control::event::Event;
use crate::control::event_kind::EventKind;
use crate::control::known::Known;
use crate::control::matcher::Matcher;
use crate::control::op::Op;
use crate::control::possible::NeverMatches;

/// Fault, the events it happens to, and how often it happens.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultRule {
    /// Name of the rule in failure messages and in the journal.
    pub name: String,
    /// Events that the fault happens to. Without a kind these are requests if the fault can happen to requests that
    /// match, otherwise accepted connections, replies or watch events.
    #[serde(default)]
    pub on: Matcher,
    /// First match that the fault happens to; 1 is the first match.
    #[serde(default = "one")]
    pub nth: u64,
    /// Number of matches that the fault happens to; `None` is every match.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// Whether a test may end without the fault having happened.
    #[serde(default)]
    pub optional: bool,
    /// The fault.
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
    /// Makes a rule for a fault that happens once, at the first match.
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

/// Reason why a fault can never happen.
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
    /// The fault does not happen to events of this kind.
    #[error(
        "the fault {name:?} cannot happen: {fault:?} does not happen to {kind}; it happens to {instead}"
    )]
    CannotHappen {
        /// Name of the rule.
        name: String,
        /// Fault of the rule.
        fault: Fault,
        /// Kind of the matcher, in words.
        kind: &'static str,
        /// Kinds that the fault can happen to, in words.
        instead: String,
    },
    /// No event can ever match.
    #[error("the fault {name:?} cannot happen: {source}")]
    NeverMatches {
        /// Name of the rule.
        name: String,
        /// Reason.
        source: NeverMatches,
    },
    /// A number in the rule prevents the fault from ever happening.
    #[error("the fault {name:?} cannot happen: {why}")]
    BadNumber {
        /// Name of the rule.
        name: String,
        /// The number and the reason.
        why: String,
    },
}

/// Number of a fault, or of a chaos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FaultId(u64);

impl FaultId {
    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }
}

/// Fault that happens now.
#[derive(Debug)]
pub(crate) struct Happening<'f> {
    pub(crate) id: FaultId,
    pub(crate) name: &'f str,
    pub(crate) fault: &'f Fault,
    /// Number of times that it has happened, this one included.
    pub(crate) hits: u64,
    /// Positions of the operations of a multi that matched, where the multi matched because of them.
    pub(crate) parts: Vec<usize>,
}

impl Fault {
    /// Positions of the operations of a multi that the fault happens to, where it happens to single operations.
    pub(super) fn parts_of(
        &self,
        on: &Matcher,
        client: &Client<'_>,
        event: &Event<'_>,
    ) -> Vec<usize> {
        if let Self::Error { .. } = self {
            on.parts_matched(client, event)
        } else {
            Vec::new()
        }
    }

    /// Chooses the kind of events that the fault happens to, and sets it in the matcher. Returns an error if no kind is
    /// possible. `name` is the name of the rule.
    pub(super) fn choose_kind(
        &self,
        on: &mut Matcher,
        name: &str,
        known: &Known,
    ) -> Result<EventKind, FaultError> {
        let kinds = self.row().kinds;
        if let Some(EventKind::Connect) | None = on.kind
            && on.op == Some(Op::Connect)
            && !kinds.contains(&EventKind::Connect)
            && kinds.contains(&EventKind::Accepted)
        {
            // `Op::Connect` is the request for a session, and this fault happens before that request.
            (on.kind, on.op) = (Some(EventKind::Accepted), None);
        }
        if let Some(kind) = on.kind
            && !kinds.contains(&kind)
        {
            let instead: Vec<&str> = kinds.iter().map(|kind| kind.words().1).collect();
            return Err(FaultError::CannotHappen {
                name: name.to_owned(),
                fault: self.clone(),
                kind: kind.words().1,
                instead: instead.join(", "),
            });
        }
        on.check(known, kinds)
            .map_err(|source| FaultError::NeverMatches {
                name: name.to_owned(),
                source,
            })?;
        let kind = kinds.iter().find(|kind| on.is_possible_as(**kind));
        let kind = *kind.expect("a matcher that was accepted is possible for one of the kinds");
        on.kind = Some(kind);
        Ok(kind)
    }
}
