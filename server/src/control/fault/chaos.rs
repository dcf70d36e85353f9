//! Chaos: faults that happen by chance, and again by the same chance with the same seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Fault;
use super::rule::{FaultError, FaultId, Happening};
use crate::control::client::Client;
use crate::control::event::Event;
use crate::control::event_kind::EventKind;
use crate::control::known::Known;
use crate::control::matcher::Matcher;
use crate::control::op::Op;
use crate::control::random::SplitMix64;
use crate::protocol::SessionId;

/// Faults that happen by chance.
///
/// Whether a fault happens depends on the seed, the position of the rule in the list, the client, and how often the
/// rule has matched for that client. It depends neither on time nor on other clients. So clients that race do not
/// change each other's faults, and the same seed repeats a run as far as each client does the same again. Clients
/// are identified by the label of their [address](crate::Server::labelled); clients without a label by the order in
/// which their sessions appeared.
///
/// ```
/// use minikeeper::{Fault, Matcher, Op, Server, fault::Chaos};
///
/// let server = Server::start()?;
/// let chaos = Chaos::new().rule("lost writes", 0.1, Matcher::request(Op::Write), Fault::ApplyThenDrop).seed(7);
/// let guard = server.chaos(chaos);
/// // ... the clients do their work ...
/// assert_eq!((guard.seed(), guard.hits()), (7, 0));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Chaos {
    /// Seed of all decisions. Without one it is taken from the variable `MINIKEEPER_SEED`; without that a new seed
    /// is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Rules; of several rules that match an event, the first whose fault happens is the only one.
    pub rules: Vec<ChaosRule>,
}

/// Rule of a [`Chaos`]: a fault and its probability.
///
/// ```
/// use minikeeper::fault::ChaosRule;
///
/// let rule: ChaosRule = serde_json::from_str(
///     r#"{"name": "slow", "on": {"op": "any"}, "probability": 0.5, "then": {"fault": "delay_reply", "by_ms": 5}}"#,
/// )?;
/// assert!(rule.probability > 0.4);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ChaosRule {
    /// Name of the rule in the journal.
    pub name: String,
    /// Events that the fault may happen to.
    #[serde(default)]
    pub on: Matcher,
    /// Probability of the fault at each match: 0 is never, 1 is always.
    pub probability: f64,
    /// The fault.
    pub then: Fault,
}

impl Chaos {
    /// Makes a chaos without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Faults that every client must tolerate without an error: replies, watch events and requests that are some
    /// milliseconds late, and replies and watch events in small pieces. On a manual clock, late messages arrive
    /// when the clock is turned.
    #[must_use]
    pub fn gentle() -> Self {
        let slow = |by_ms| Fault::DelayReply {
            by: std::time::Duration::from_millis(by_ms),
        };
        let split = |bytes| Fault::Split {
            bytes,
            every: std::time::Duration::ZERO,
        };
        let late = Fault::DelayRequest {
            by: std::time::Duration::from_millis(3),
        };
        Self::new()
            .rule("a reply is late", 0.05, Matcher::reply(Op::Any), slow(5))
            .rule("an event is late", 0.1, Matcher::watch_event(), slow(10))
            .rule(
                "a reply comes in pieces",
                0.1,
                Matcher::reply(Op::Any),
                split(3),
            )
            .rule(
                "an event comes in pieces",
                0.1,
                Matcher::watch_event(),
                split(1),
            )
            .rule("a request is late", 0.05, Matcher::request(Op::Any), late)
    }

    /// The faults of [`gentle`](Self::gentle), and those of a bad network or a server that restarts: connections
    /// that close before a request is carried out, after it or in the middle of a reply, connections that are
    /// refused, sessions that expire.
    #[must_use]
    pub fn rough() -> Self {
        let any = || Matcher::request(Op::Any);
        Self::gentle()
            .rule(
                "a connection is refused",
                0.1,
                Matcher::of(EventKind::Accepted),
                Fault::Refuse,
            )
            .rule(
                "a request is lost with its connection",
                0.02,
                any(),
                Fault::DropBefore,
            )
            .rule(
                "a reply is lost with its connection",
                0.03,
                any(),
                Fault::ApplyThenDrop,
            )
            .rule(
                "a reply is cut short",
                0.01,
                any(),
                Fault::Truncate { bytes: 10 },
            )
            .rule(
                "a session begins and its reply is lost",
                0.02,
                Matcher::request(Op::Connect),
                Fault::ApplyThenDrop,
            )
            .rule(
                "an event is lost with its connection",
                0.02,
                Matcher::watch_event(),
                Fault::Close,
            )
            .rule("a session expires", 0.005, any(), Fault::Expire)
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(
        mut self,
        name: impl Into<String>,
        probability: f64,
        on: Matcher,
        then: Fault,
    ) -> Self {
        self.rules.push(ChaosRule {
            name: name.into(),
            on,
            probability,
            then,
        });
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Chaos that a test has placed on a server.
#[derive(Debug)]
pub(super) struct PlacedChaos {
    pub(super) id: FaultId,
    pub(super) hits: u64,
    pub(super) ended: bool,
    seed: u64,
    rules: Vec<(EventKind, ChaosRule)>,
    /// Sessions of clients without a label, numbered in the order in which they appeared.
    sessions: BTreeMap<SessionId, u64>,
    /// Number of matches, by the position of the rule and by client.
    matches: BTreeMap<(usize, Stream), u64>,
}

/// Stream of random decisions: each client has its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    /// Clients without label and session.
    Unknown,
    Session(u64),
    Label(Arc<str>),
}

impl PlacedChaos {
    pub(super) fn new(
        id: FaultId,
        chaos: Chaos,
        seed: u64,
        known: &Known,
    ) -> Result<Self, FaultError> {
        let rules = chaos.rules.into_iter().map(|mut rule| {
            if !(0.0..=1.0).contains(&rule.probability) {
                return Err(FaultError::BadNumber {
                    name: rule.name,
                    why: format!("{} is no probability", rule.probability),
                });
            }
            let kind = rule.then.choose_kind(&mut rule.on, &rule.name, known)?;
            Ok((kind, rule))
        });
        Ok(Self {
            id,
            hits: 0,
            ended: false,
            seed,
            rules: rules.collect::<Result<_, _>>()?,
            sessions: BTreeMap::new(),
            matches: BTreeMap::new(),
        })
    }

    /// Decides which fault happens to an event, if one does.
    pub(super) fn decide(
        &mut self,
        kind: EventKind,
        client: &Client<'_>,
        event: &Event<'_>,
    ) -> Option<Happening<'_>> {
        if self.ended {
            return None;
        }
        let mut stream = None;
        let rules = self.rules.iter().enumerate();
        let rule = rules
            .filter(|(_, (of, rule))| *of == kind && rule.on.matches(client, event))
            .find(|(at, (_, rule))| {
                let stream =
                    stream.get_or_insert_with(|| Stream::of(client, event, &mut self.sessions));
                let nth = self.matches.entry((*at, stream.clone())).or_default();
                *nth += 1;
                happens(rule.probability, self.seed, *at, stream, *nth)
            });
        let (_, (_, rule)) = rule?;
        self.hits += 1;
        Some(Happening {
            id: self.id,
            name: &rule.name,
            fault: &rule.then,
            hits: self.hits,
            parts: rule.then.parts_of(&rule.on, client, event),
        })
    }
}

impl Stream {
    fn of(client: &Client<'_>, event: &Event<'_>, met: &mut BTreeMap<SessionId, u64>) -> Self {
        if let Some(label) = client.label {
            return Self::Label(Arc::clone(label));
        }
        let session = client.session_of(event);
        if session == SessionId::NONE {
            return Self::Unknown;
        }
        let next = u64::try_from(met.len()).unwrap_or(u64::MAX);
        Self::Session(*met.entry(session).or_insert(next))
    }

    fn number(&self) -> u64 {
        match self {
            Self::Unknown => 0,
            Self::Session(number) => mix(1, *number),
            Self::Label(label) => label.bytes().fold(2, |all, byte| mix(all, u64::from(byte))),
        }
    }
}

/// Whether a fault of this probability happens.
fn happens(probability: f64, seed: u64, rule: usize, stream: &Stream, nth: u64) -> bool {
    let rule = u64::try_from(rule).unwrap_or(u64::MAX);
    let drawn = [rule, stream.number(), nth].into_iter().fold(seed, mix);
    // As many bits as an f64 holds without rounding.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let drawn = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
    drawn < probability
}

/// One step of SplitMix64. With a generator that has a state, each decision would depend on the number of decisions
/// before it, for all clients; this function takes only what the decision may depend on.
fn mix(state: u64, with: u64) -> u64 {
    SplitMix64::new(state, with).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(seed: u64, stream: &Stream) -> Vec<bool> {
        let decide = |nth| happens(0.3, seed, 0, stream, nth);
        (1..=1000).map(decide).collect()
    }

    #[test]
    fn the_same_seed_decides_the_same_and_another_one_does_not() {
        let [a, b] = ["a", "b"].map(|label| Stream::Label(Arc::from(label)));
        assert_eq!(decisions(7, &a), decisions(7, &a));
        assert_ne!(decisions(7, &a), decisions(8, &a));
        assert_ne!(decisions(7, &a), decisions(7, &b));
        assert_ne!(
            decisions(7, &Stream::Session(0)),
            decisions(7, &Stream::Session(1))
        );
    }

    #[test]
    fn faults_happen_about_as_often_as_their_probability() {
        let hits = decisions(7, &Stream::Unknown)
            .iter()
            .filter(|hit| **hit)
            .count();
        assert!((250..350).contains(&hits), "{hits} of 1000");
        assert!((1..1000).all(|nth| happens(1.0, 7, 0, &Stream::Unknown, nth)));
        assert!(!(1..1000).any(|nth| happens(0.0, 7, 0, &Stream::Unknown, nth)));
    }

    #[test]
    fn mixed_numbers_are_the_same_in_every_version() {
        assert_eq!(mix(7, 2), 0x7434_ecc8_f954_f150);
        assert_eq!(mix(42, 1), 0x3b94_4787_4709_e75e);
    }

    #[test]
    fn decisions_are_the_same_on_every_machine_and_in_every_version() {
        let decided = decisions(42, &Stream::Label(Arc::from("worker")));
        let begin: String = decided
            .iter()
            .take(40)
            .map(|hit| if *hit { 'x' } else { '.' })
            .collect();
        assert_eq!(begin, "...x...x......x......x....x.xxx....x....");
    }
}
