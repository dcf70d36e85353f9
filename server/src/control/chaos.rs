//! Chaos: things go wrong by chance, and by the same chance again where the seed is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{FaultError, FaultId, Happening};
use super::known::Known;
use super::sight::{Sight, Who};
use super::{EventKind, Fault, Matcher, Op};
use crate::protocol::SessionId;

/// What goes wrong by chance: plain data.
///
/// Whether a fault happens is decided by the seed, by the rule's place in the list, by whose connection it is, and by how
/// often the rule has matched there; not by time, nor by what others do meanwhile. So two clients that race do not change
/// each other's luck, and the same seed plays the same run again as far as each client does the same again. Who it is says
/// the label of the [address](crate::Server::labelled); clients without one are told apart by the order in which their
/// sessions were met.
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
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Chaos {
    /// What all chance is made of. Without one it is taken from the variable `MINIKEEPER_SEED`, or else a new one every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What may go wrong; the first rule that has its way is the only one that does.
    pub rules: Vec<ChaosRule>,
}

/// Something that goes wrong by chance.
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
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ChaosRule {
    /// What the journal calls it.
    pub name: String,
    /// Where it may happen.
    #[serde(default)]
    pub on: Matcher,
    /// How likely it is at each match: 0 is never, 1 is always.
    pub probability: f64,
    /// What happens.
    pub then: Fault,
}

impl Chaos {
    /// Nothing goes wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What every client must bear without noticing: replies, events and requests that are late by some milliseconds, and
    /// that come in small pieces. On a manual clock what is late comes when the clock is turned.
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

    /// The same, and what a client must expect of a bad network and a server that is restarted: connections that close
    /// before a request is carried out, after it and in the middle of a reply, connections that are refused, sessions that
    /// expire.
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
                "a session begins and nobody is told",
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

    /// Something more goes wrong, with this probability at each match.
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

    /// The same decisions as with this seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// A chaos that was placed.
#[derive(Debug)]
pub(crate) struct PlacedChaos {
    pub(crate) id: FaultId,
    pub(crate) hits: u64,
    pub(crate) ended: bool,
    seed: u64,
    rules: Vec<(EventKind, ChaosRule)>,
    /// The sessions of clients without a label, numbered as they were met.
    sessions: BTreeMap<SessionId, u64>,
    /// How often a rule has matched, by its place and by whose connection it was.
    matches: BTreeMap<(usize, Whose), u64>,
}

/// Whose luck it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// Somebody without label and session.
    Nobody,
    Session(u64),
    Label(Arc<str>),
}

impl PlacedChaos {
    pub(crate) fn new(
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
            let kind = rule.then.settle(&mut rule.on, &rule.name, known)?;
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

    /// What goes wrong here, if chance will have it.
    pub(crate) fn decide(
        &mut self,
        kind: EventKind,
        who: &Who<'_>,
        sight: &Sight<'_>,
    ) -> Option<Happening<'_>> {
        if self.ended {
            return None;
        }
        let mut whose = None;
        let rules = self.rules.iter().enumerate();
        let rule = rules
            .filter(|(_, (of, rule))| *of == kind && rule.on.matches(who, sight))
            .find(|(place, (_, rule))| {
                let whose = whose.get_or_insert_with(|| Whose::of(who, sight, &mut self.sessions));
                let nth = self.matches.entry((*place, whose.clone())).or_default();
                *nth += 1;
                happens(rule.probability, self.seed, *place, whose, *nth)
            });
        let (_, (_, rule)) = rule?;
        self.hits += 1;
        Some(Happening {
            id: self.id,
            name: &rule.name,
            fault: &rule.then,
            hits: self.hits,
            parts: rule.then.parts_of(&rule.on, who, sight),
        })
    }
}

impl Whose {
    fn of(who: &Who<'_>, sight: &Sight<'_>, met: &mut BTreeMap<SessionId, u64>) -> Self {
        if let Some(label) = &who.listener_id.label {
            return Self::Label(Arc::clone(label));
        }
        let session = who.session_of(sight);
        if session == SessionId::NONE {
            return Self::Nobody;
        }
        let next = u64::try_from(met.len()).unwrap_or(u64::MAX);
        Self::Session(*met.entry(session).or_insert(next))
    }

    fn number(&self) -> u64 {
        match self {
            Self::Nobody => 0,
            Self::Session(number) => mix(1, *number),
            Self::Label(label) => label.bytes().fold(2, |all, byte| mix(all, u64::from(byte))),
        }
    }
}

/// Whether something of this probability happens.
fn happens(probability: f64, seed: u64, place: usize, whose: &Whose, nth: u64) -> bool {
    let place = u64::try_from(place).unwrap_or(u64::MAX);
    let drawn = [place, whose.number(), nth].into_iter().fold(seed, mix);
    // As many bits as an f64 holds without rounding.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let drawn = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
    drawn < probability
}

/// A step of SplitMix64. A generator with a state would make each decision hang on how many were made before it, by
/// anybody; this one takes what the decision may hang on.
fn mix(state: u64, with: u64) -> u64 {
    let mut mixed =
        (state ^ with.wrapping_mul(0xD6E8_FEB8_6659_FD93)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(seed: u64, whose: &Whose) -> Vec<bool> {
        let decide = |nth| happens(0.3, seed, 0, whose, nth);
        (1..=1000).map(decide).collect()
    }

    #[test]
    fn the_same_seed_decides_the_same_and_another_one_does_not() {
        let [a, b] = ["a", "b"].map(|label| Whose::Label(Arc::from(label)));
        assert_eq!(decisions(7, &a), decisions(7, &a));
        assert_ne!(decisions(7, &a), decisions(8, &a));
        assert_ne!(decisions(7, &a), decisions(7, &b));
        assert_ne!(
            decisions(7, &Whose::Session(0)),
            decisions(7, &Whose::Session(1))
        );
    }

    #[test]
    fn what_is_likely_happens_about_as_often() {
        let hits = decisions(7, &Whose::Nobody)
            .iter()
            .filter(|hit| **hit)
            .count();
        assert!((250..350).contains(&hits), "{hits} of 1000");
        assert!((1..1000).all(|nth| happens(1.0, 7, 0, &Whose::Nobody, nth)));
        assert!(!(1..1000).any(|nth| happens(0.0, 7, 0, &Whose::Nobody, nth)));
    }

    #[test]
    fn decisions_are_the_same_on_every_machine_and_in_every_version() {
        let decided = decisions(42, &Whose::Label(Arc::from("worker")));
        let begin: String = decided
            .iter()
            .take(40)
            .map(|hit| if *hit { 'x' } else { '.' })
            .collect();
        assert_eq!(begin, "...x...x......x......x....x.xxx....x....");
    }
}
