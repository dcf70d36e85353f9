//! Faults that a test has placed on a server.

use super::Fault;
use super::chaos::{Chaos, PlacedChaos};
use super::rule::{FaultError, FaultId, FaultRule, Happening};
use crate::control::client::Client;
use crate::control::event::Event;
use crate::control::event_kind::EventKind;
use crate::control::known::Known;
use crate::control::near::Near;

/// Outcome of a fault that is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultOutcome {
    /// The fault happened, or did not have to.
    Fine,
    /// The fault never happened. The text describes the awaited event and the near misses.
    Never(String),
}

/// All faults of one server.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    placed: Vec<PlacedFault>,
    chaos: Vec<PlacedChaos>,
    next: u64,
}

#[derive(Debug)]
struct PlacedFault {
    id: FaultId,
    rule: FaultRule,
    kind: EventKind,
    matches: u64,
    hits: u64,
    /// Events that passed before the fault first happened.
    near: Near,
    /// Whether the test has ended the fault while its guard still exists.
    ended: bool,
}

impl Faults {
    /// Whether no fault can happen.
    pub(crate) fn is_empty(&self) -> bool {
        self.placed.iter().all(|placed| placed.ended) && self.chaos.iter().all(|it| it.ended)
    }

    fn next_id(&mut self) -> FaultId {
        self.next += 1;
        FaultId::new(self.next)
    }

    /// Adds a fault.
    pub(crate) fn place(
        &mut self,
        mut rule: FaultRule,
        known: &Known,
    ) -> Result<FaultId, FaultError> {
        let kind = rule.then.choose_kind(&mut rule.on, &rule.name, known)?;
        if rule.nth == 0 || rule.times == Some(0) {
            return Err(FaultError::BadNumber {
                name: rule.name,
                why: "matches are counted from 1, and 0 times is never".to_owned(),
            });
        }
        let id = self.next_id();
        self.placed.push(PlacedFault {
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

    /// Adds a chaos.
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

    /// Ends all faults. Their guards can still ask how often they happened.
    pub(crate) fn clear(&mut self) {
        self.placed
            .iter_mut()
            .for_each(|placed| placed.ended = true);
        self.chaos.iter_mut().for_each(|chaos| chaos.ended = true);
    }

    /// Removes a fault.
    pub(crate) fn remove(&mut self, id: FaultId) -> FaultOutcome {
        self.chaos.retain(|chaos| chaos.id != id);
        let Some(at) = self.placed.iter().position(|placed| placed.id == id) else {
            return FaultOutcome::Fine;
        };
        let placed = self.placed.remove(at);
        if placed.hits > 0 || placed.rule.optional || placed.ended {
            FaultOutcome::Fine
        } else {
            FaultOutcome::Never(placed.describe())
        }
    }

    /// Describes the event that a fault waits for and the nearest misses, if the fault has never happened.
    pub(crate) fn waits_for(&self, id: FaultId) -> Option<String> {
        let placed = self.placed.iter().find(|placed| placed.id == id)?;
        (placed.hits == 0).then(|| placed.describe())
    }

    /// Number of times that a fault has happened.
    pub(crate) fn hits(&self, id: FaultId) -> u64 {
        let placed = self.placed.iter().find(|placed| placed.id == id);
        let chaos = self.chaos.iter().find(|chaos| chaos.id == id);
        placed
            .map(|placed| placed.hits)
            .or(chaos.map(|chaos| chaos.hits))
            .unwrap_or(0)
    }

    /// Decides which fault happens to an event, if one does: that of the first rule that matches and is due. The rules
    /// behind it do not count this match. Chaos comes last.
    pub(crate) fn decide(
        &mut self,
        client: &Client<'_>,
        event: &Event<'_>,
    ) -> Option<Happening<'_>> {
        let kind = event.kind();
        let mut placed = self.placed.iter_mut();
        if let Some(happening) = placed.find_map(|placed| placed.decide(kind, client, event)) {
            return Some(happening);
        }
        let mut chaos = self.chaos.iter_mut();
        chaos.find_map(|chaos| chaos.decide(kind, client, event))
    }
}

impl PlacedFault {
    fn decide(
        &mut self,
        kind: EventKind,
        client: &Client<'_>,
        event: &Event<'_>,
    ) -> Option<Happening<'_>> {
        let exhausted = self.rule.times.is_some_and(|times| self.hits >= times);
        if self.ended || exhausted || self.kind != kind {
            return None;
        }
        if !self.rule.on.matches(client, event) {
            if self.hits == 0 {
                self.near.note(&self.rule.on, client, event);
            }
            return None;
        }
        self.near.matched();
        self.matches += 1;
        if self.matches < self.rule.nth {
            return None;
        }
        self.hits += 1;
        let fault: &Fault = &self.rule.then;
        Some(Happening {
            id: self.id,
            name: &self.rule.name,
            fault,
            hits: self.hits,
            parts: fault.parts_of(&self.rule.on, client, event),
        })
    }

    fn describe(&self) -> String {
        let nth = self.rule.nth;
        let near = self.near.describe(Some(self.kind), self.matches);
        format!("it waited for match {nth} of {}; {near}", self.rule.on)
    }
}
