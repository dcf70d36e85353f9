//! What a test asks of the engine besides turning the clock: to place faults, to hold and let go, to cut links.

use std::task::Waker;

use super::control::{Control, Gate};
use super::engine::{Engine, State};
use super::hold::HoldId;
use super::outbox::{Outbox, Stall};
use super::sight::{Sight, Who};
use super::sink::Test;
use super::{
    Chaos, Direction, Entry, FaultError, FaultId, FaultOutcome, FaultRule, Held, Matcher, Release,
    ReleaseError,
};
use crate::keeper::{ConnectionId, Input};
use crate::protocol::Timestamp;

impl Engine {
    pub(crate) fn place_fault(&self, rule: FaultRule) -> Result<FaultId, FaultError> {
        self.control(|control| control.faults.place(rule))
    }

    pub(crate) fn place_chaos(&self, chaos: &Chaos, seed: u64) -> Result<FaultId, FaultError> {
        self.control(|control| control.faults.place_chaos(chaos, seed))
    }

    /// Takes a fault away, and heals what it has cut; gives what became of it.
    pub(crate) fn remove_fault(&self, id: FaultId) -> FaultOutcome {
        self.relink(|control| {
            control.heal_by(Some(id));
            control.faults.remove(id)
        })
    }

    /// How often it happened.
    pub(crate) fn fault_hits(&self, id: FaultId) -> u64 {
        self.control(|control| control.faults.hits(id))
    }

    pub(crate) fn hold(&self, on: Matcher) -> HoldId {
        self.control(|control| control.holds.place(on))
    }

    /// What a hold keeps back, in the order in which it came.
    pub(crate) fn held(&self, id: HoldId) -> Vec<Held> {
        self.with_state(|state, _| {
            let mut held: Vec<Held> = state
                .outboxes
                .iter()
                .flat_map(|(connection, outbox)| outbox.held(*connection, id))
                .collect();
            held.sort_unstable_by_key(|held| held.item);
            held
        })
    }

    /// Lets go what a hold keeps back; gives how much it was.
    pub(crate) fn release(&self, id: HoldId, which: Release) -> Result<usize, ReleaseError> {
        let held = self.held(id);
        let wanted: Vec<u64> = match which {
            Release::First { count } => held.iter().take(count).map(|held| held.item).collect(),
            Release::Item { item } => vec![item],
            Release::Session { session } => held
                .iter()
                .filter(|held| held.session == session)
                .map(|held| held.item)
                .collect(),
            Release::All => held.iter().map(|held| held.item).collect(),
        };
        self.with_state(|state, now| {
            if let Release::Item { item } = which {
                state.may_go(id, item)?;
            }
            for item in &wanted {
                state.let_item_go(now, id, *item);
            }
            Ok(wanted.len())
        })
    }

    /// Ends a hold: what it keeps back is let go.
    pub(crate) fn end_hold(&self, id: HoldId) {
        // Nothing new is held between the two.
        self.control(|control| control.holds.end(id));
        let _ = self.release(id, Release::All);
        self.control(|control| control.holds.remove(id));
    }

    /// Cuts the links of some clients, those included that connect later; gives the number of the cut.
    pub(crate) fn cut(&self, whose: Matcher, direction: Direction) -> u64 {
        self.relink(|control| control.cut(whose, direction, None))
    }

    pub(crate) fn heal(&self, id: u64) {
        self.relink(|control| control.heal(id));
    }

    /// Heals what a fault has cut.
    pub(crate) fn heal_fault(&self, id: FaultId) {
        self.relink(|control| control.heal_by(Some(id)));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn clear_faults(&self) {
        self.relink(|control| {
            control.faults.clear();
            control.heal_by(None);
        });
    }

    /// Closes the connections that a matcher means; says how many.
    pub(crate) fn close_connections(&self, whose: &Matcher) -> usize {
        self.turn(None, Test::default(), |now, keeper, sink| {
            let mut ids: Vec<ConnectionId> = sink
                .outboxes
                .iter()
                .filter(|(id, outbox)| outbox.is_up() && whose.means(&outbox.who(**id)))
                .map(|(id, _)| *id)
                .collect();
            ids.sort_unstable();
            for id in &ids {
                keeper.step(now, Input::Close(*id), sink);
            }
            ids.len()
        })
    }

    /// Changes which links are cut, and lets everybody feel it.
    fn relink<T>(&self, change: impl FnOnce(&mut Control) -> T) -> T {
        let changed = self.turn(None, Test::default(), |_, keeper, sink| {
            let changed = change(sink.control);
            sink.relink(keeper);
            changed
        });
        self.may_wait_in_vain();
        changed
    }

    /// What the journal kept, from this number on.
    pub(crate) fn journal(&self, from: u64) -> Vec<Entry> {
        self.control(|control| control.journal.entries(from).cloned().collect())
    }

    /// How many entries the journal has had.
    pub(crate) fn noted(&self) -> u64 {
        self.control(|control| control.journal.noted())
    }
}

impl State {
    /// Whether nothing that is kept back on the same connection is before it.
    fn may_go(&self, hold: HoldId, item: u64) -> Result<(), ReleaseError> {
        for outbox in self.outboxes.values() {
            if matches!(outbox.stall, Stall::Held { hold: of, item: it, .. } if of == hold && it == item)
            {
                return Ok(());
            }
            let is_it = |gate| gate == Gate::Held { hold, item };
            if let Some(place) = outbox.kept.iter().position(|parcel| is_it(parcel.gate)) {
                let mut ahead = outbox.kept.iter().take(place);
                return match ahead.find_map(|parcel| parcel.gate.item()) {
                    Some(before) => Err(ReleaseError::WouldOvertake { item, before }),
                    None => Ok(()),
                };
            }
        }
        Err(ReleaseError::NotHeld { item })
    }

    fn let_item_go(&mut self, now: Timestamp, hold: HoldId, item: u64) {
        for (id, outbox) in &mut self.outboxes {
            let gate = Gate::Held { hold, item };
            let stalled = matches!(outbox.stall, Stall::Held { hold: of, item: it, .. } if of == hold && it == item);
            if stalled {
                outbox.stall = Stall::Over;
            }
            let mut found = stalled;
            for parcel in outbox.kept.iter_mut().filter(|parcel| parcel.gate == gate) {
                parcel.gate = Gate::Open;
                parcel.held = None;
                found = true;
            }
            if !found {
                continue;
            }
            let who = Who {
                connection: *id,
                session: outbox.session,
                entrance: &outbox.entrance,
            };
            self.control.holds.gone(hold);
            self.control
                .note(now, Some(&who), &Sight::Released { item });
            outbox.let_go(now);
            outbox.schedule(*id, now, &mut self.due);
            self.control.wakers.extend(outbox.waker.take());
            return;
        }
    }
}

impl Outbox {
    fn held(&self, connection: ConnectionId, hold: HoldId) -> Vec<Held> {
        let stalled = match &self.stall {
            Stall::Held {
                hold: of,
                item,
                what,
            } if *of == hold => Some((*item, what.clone())),
            _ => None,
        };
        let kept = self
            .kept
            .iter()
            .filter_map(|parcel| match (parcel.gate, &parcel.held) {
                (Gate::Held { hold: of, item }, Some(what)) if of == hold => {
                    Some((item, what.clone()))
                }
                _ => None,
            });
        kept.chain(stalled)
            .map(|(item, message)| Held {
                item,
                connection: connection.0,
                session: self.session,
                label: self.entrance.label.as_deref().map(str::to_owned),
                message,
            })
            .collect()
    }
}

impl Engine {
    /// Looks at everything behind the lock, or changes it, and wakes whoever is to learn of it.
    fn with_state<T>(&self, with: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let (result, wakers, nearer): (T, Vec<Waker>, bool) = {
            let mut state = self.lock();
            let now = self.clock().now();
            let result = with(&mut state, now);
            (result, take_wakers(&mut state.control), state.arm())
        };
        for waker in wakers {
            waker.wake();
        }
        self.ring_if(nearer);
        result
    }
}

fn take_wakers(control: &mut Control) -> Vec<Waker> {
    std::mem::take(&mut control.wakers)
}
