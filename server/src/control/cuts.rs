//! Links that a test or a fault has cut.

use super::client::Client;
use super::direction::Direction;
use super::fault::FaultId;
use super::matcher::Matcher;

/// Cut links of one server.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    cuts: Vec<Cut>,
    next: u64,
}

/// Cut of the links of some connections.
#[derive(Debug)]
struct Cut {
    id: u64,
    /// Matcher of the connections.
    whose: Matcher,
    direction: Direction,
    /// Fault that made the cut.
    by: Option<FaultId>,
}

impl Cuts {
    pub(crate) fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// Adds a cut. Returns its number.
    pub(crate) fn add(&mut self, whose: Matcher, direction: Direction, by: Option<FaultId>) -> u64 {
        self.next += 1;
        self.cuts.push(Cut {
            id: self.next,
            whose,
            direction,
            by,
        });
        self.next
    }

    /// Adds the cut of a fault, unless it has made the same cut before. Returns the number of a new cut.
    pub(super) fn add_once(
        &mut self,
        whose: &Matcher,
        direction: Direction,
        by: FaultId,
    ) -> Option<u64> {
        let is_cut = self
            .cuts
            .iter()
            .any(|cut| (cut.by, cut.direction) == (Some(by), direction) && cut.whose == *whose);
        (!is_cut).then(|| self.add(whose.clone(), direction, Some(by)))
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.cuts.retain(|cut| cut.id != id);
    }

    /// Removes the cuts of a fault, or all cuts. Returns their numbers.
    pub(super) fn remove_by(&mut self, fault: Option<FaultId>) -> Vec<u64> {
        let is_removed = |cut: &mut Cut| fault.is_none() || cut.by == fault;
        let removed = self.cuts.extract_if(.., is_removed);
        removed.map(|cut| cut.id).collect()
    }

    /// Directions in which the link of a connection is cut.
    pub(crate) fn of<'c>(&'c self, client: &'c Client<'c>) -> impl Iterator<Item = Direction> + 'c {
        let cuts = self.cuts.iter();
        cuts.filter(|cut| cut.whose.matches_client(client))
            .map(|cut| cut.direction)
    }

    /// Describes the cuts.
    pub(crate) fn describe(&self) -> impl Iterator<Item = String> {
        self.cuts.iter().map(|cut| {
            let whose = match &cut.whose.label {
                Some(label) if cut.whose == Matcher::any().label(label) => label.clone(),
                Some(_) | None => cut.whose.to_string(),
            };
            format!("{whose} {}", cut.direction.describe())
        })
    }
}
