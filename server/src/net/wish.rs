//! What a test asks of the engine besides turning the clock: to place faults, to hold and let go, to cut links.

use std::task::Waker;

use super::control::{Control, Gate};
use super::engine::{Engine, State};
use super::hold::HoldId;
use super::outbox::{Outbox, Stall};
use super::sight::{Sight, Who};
use super::{Direction, FaultError, FaultId, FaultRule, Held, Matcher, Release, ReleaseError};
use crate::keeper::{ConnectionId, Input};
use crate::protocol::Timestamp;

impl Engine {
    pub(crate) fn place_fault(&self, rule: FaultRule) -> Result<FaultId, FaultError> {
        self.control(|control| control.faults.place(rule))
    }

    /// Takes a rule away; gives how often it happened.
    pub(crate) fn remove_fault(&self, id: FaultId) -> u64 {
        self.control(|control| control.faults.remove(id))
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
        let cut = self.control(|control| control.cut(whose.clone(), direction));
        self.note(&Sight::Cut {
            cut,
            whose: &whose,
            direction,
        });
        self.links_changed();
        cut
    }

    pub(crate) fn heal(&self, id: u64) {
        self.control(|control| control.heal(id));
        self.note(&Sight::Healed { cut: id });
        self.links_changed();
    }

    fn links_changed(&self) {
        let changed = self.with_state(|state, _| {
            let mut changed = Vec::new();
            for (id, outbox) in &mut state.outboxes {
                let before = outbox.link.is_cut_to_server();
                let who = outbox.who(*id);
                outbox.link.set(state.control.cuts(&who));
                let silent = outbox.link.is_cut_to_server();
                if before != silent {
                    changed.push((*id, silent));
                }
                state.control.wakers.extend(outbox.waker.take());
            }
            changed.sort_unstable();
            changed
        });
        for (connection, silent) in changed {
            self.feed(Input::Silence { connection, silent });
        }
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
            if let Some(due) = outbox.next_due() {
                self.due.insert((due, *id));
            }
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
            Stall::Held { .. } | Stall::No | Stall::Until(_) | Stall::Over => None,
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
        let (result, wakers): (T, Vec<Waker>) = {
            let mut state = self.lock();
            let now = self.clock().now();
            let result = with(&mut state, now);
            (result, take_wakers(&mut state.control))
        };
        for waker in wakers {
            waker.wake();
        }
        result
    }
}

fn take_wakers(control: &mut Control) -> Vec<Waker> {
    std::mem::take(&mut control.wakers)
}
