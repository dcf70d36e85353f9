//! Actions of a test on the engine: faults, chaos, cut links and closed connections.

use std::borrow::Cow;
use std::sync::Arc;

use super::engine::Engine;
use super::sink::Test;
use crate::control::{
    Chaos, Control, Direction, Event, EventKind, FaultError, FaultId, FaultOutcome, FaultRule,
    Matcher, NeverMatches,
};
use crate::keeper::{ConnectionId, Input};
use crate::protocol::Timestamp;

impl Engine {
    /// Adds a label that matchers may use from now on.
    pub(crate) fn name_label(&self, label: &Arc<str>) {
        self.control(|control| control.known.name(label));
    }

    /// Journals every transaction as an event of its own.
    pub(crate) fn journal_transactions(&self) {
        self.control(|control| control.known.without_transactions = false);
    }

    /// Reason why no client can have this label, with advice; `None` if the label was named.
    pub(crate) fn unknown_label(&self, label: &str) -> Option<String> {
        let matcher = Matcher::any().label(label);
        self.control(|control| control.known.unknown_label(&matcher))
    }

    /// Checks that some event can match.
    pub(crate) fn check(&self, matcher: &Matcher) -> Result<(), NeverMatches> {
        self.control(|control| matcher.check(&control.known, &EventKind::ALL))
    }

    pub(crate) fn place_fault(&self, rule: FaultRule) -> Result<FaultId, FaultError> {
        self.control(|control| control.faults.place(rule, &control.known))
    }

    pub(crate) fn place_chaos(&self, chaos: Chaos, seed: u64) -> Result<FaultId, FaultError> {
        tracing::info!(seed, "chaos");
        self.control(|control| control.faults.place_chaos(chaos, seed, &control.known))
    }

    /// Removes a fault, and heals the links that it has cut.
    pub(crate) fn remove_fault(&self, id: FaultId) -> FaultOutcome {
        self.relink(|control, now| {
            control.heal_by(now, Some(id));
            control.faults.remove(id)
        })
    }

    /// Describes the event that a fault waits for and the nearest misses, if the fault has never happened.
    pub(crate) fn fault_waits_for(&self, id: FaultId) -> Option<String> {
        self.control(|control| control.faults.waits_for(id))
    }

    /// Returns how often a fault has happened.
    pub(crate) fn fault_hits(&self, id: FaultId) -> u64 {
        self.control(|control| control.faults.hits(id))
    }

    /// Cuts the links of some clients, also of those that connect later. Returns the number of the cut.
    pub(crate) fn cut(&self, whose: Matcher, direction: Direction) -> Result<u64, NeverMatches> {
        self.control(|control| whose.check_connections(&control.known))?;
        let matcher = whose.clone();
        let cut = self.relink(|control, _| control.cuts.add(whose, direction, None));
        self.note(&Event::Cut {
            cut,
            on: Cow::Owned(matcher),
            direction,
        });
        Ok(cut)
    }

    /// Removes a cut, and makes its links whole again.
    pub(crate) fn heal(&self, id: u64) {
        self.note(&Event::Healed { cut: id });
        self.relink(|control, _| control.cuts.remove(id));
    }

    /// Heals the links that a fault has cut.
    pub(crate) fn heal_fault(&self, id: FaultId) {
        self.relink(|control, now| control.heal_by(now, Some(id)));
    }

    /// Ends all faults, and heals all links.
    pub(crate) fn clear_faults(&self) {
        self.relink(|control, now| {
            control.faults.clear();
            control.heal_by(now, None);
        });
    }

    /// Closes the connections that match. Returns their number.
    pub(crate) fn close_connections(&self, whose: &Matcher) -> Result<usize, NeverMatches> {
        self.control(|control| whose.check_connections(&control.known))?;
        Ok(self.turn(None, Test::default(), |now, keeper, sink| {
            let mut ids: Vec<ConnectionId> = sink
                .outboxes
                .iter()
                .filter(|(id, outbox)| outbox.is_up() && whose.matches_client(&outbox.client(**id)))
                .map(|(id, _)| *id)
                .collect();
            ids.sort_unstable();
            for id in &ids {
                // The connection closes now: it does not stay open for held or delayed messages.
                if let Some(outbox) = sink.outboxes.get_mut(*id) {
                    outbox.drop_queue(sink.control);
                }
                keeper.step(now, Input::Close(*id), sink);
            }
            ids.len()
        }))
    }

    /// Changes the cuts, and applies them to all connections.
    fn relink<T>(&self, change: impl FnOnce(&mut Control, Timestamp) -> T) -> T {
        let changed = self.turn(None, Test::default(), |now, keeper, sink| {
            let changed = change(sink.control, now);
            sink.relink(keeper);
            sink.carry_out_all(keeper);
            changed
        });
        self.recheck_stuck_clients();
        changed
    }
}
