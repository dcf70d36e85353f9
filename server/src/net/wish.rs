//! What a test asks of the engine besides turning the clock: to place faults, to hold and let go, to cut links.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::engine::{Engine, State};
use super::outbox::{Outbox, Stall};
use super::sink::{Sink, Test};
use crate::control::{
    Chaos, Control, Direction, EventKind, FaultError, FaultId, FaultOutcome, FaultRule, Gate, Held,
    HeldMessage, HoldError, HoldId, Matcher, NeverMatches, Release, ReleaseError, Sight,
};
use crate::keeper::{ConnectionId, Input, Keeper};
use crate::protocol::{SessionId, Timestamp};

impl Engine {
    /// Adds a label that matchers may use from now on.
    pub(crate) fn name_label(&self, label: &Arc<str>) {
        self.control(|control| control.known.name(label));
    }

    /// Records every transaction as an entry of its own.
    pub(crate) fn journal_transactions(&self) {
        self.control(|control| control.known.without_transactions = false);
    }

    /// Reason why no client can have this label, with advice; `None` if the label was named.
    pub(crate) fn unknown_label(&self, label: &str) -> Option<String> {
        let matcher = Matcher::any().label(label);
        self.control(|control| control.known.unknown_label(&matcher))
    }

    /// Checks that some message can match.
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

    /// Takes a fault away, and heals what it has cut; gives what became of it.
    pub(crate) fn remove_fault(&self, id: FaultId) -> FaultOutcome {
        self.relink(|control, now| {
            control.heal_by(now, Some(id));
            control.faults.remove(id)
        })
    }

    /// Description of the messages that a fault waits for and of the nearest misses, if the fault has never happened.
    pub(crate) fn fault_waits_for(&self, id: FaultId) -> Option<String> {
        self.control(|control| control.faults.waits_for(id))
    }

    /// How often it happened.
    pub(crate) fn fault_hits(&self, id: FaultId) -> u64 {
        self.control(|control| control.faults.hits(id))
    }

    pub(crate) fn hold(&self, on: Matcher) -> Result<HoldId, HoldError> {
        self.control(|control| control.holds.place(on, &control.known))
    }

    /// What a hold keeps back, in the order in which it came.
    pub(crate) fn held(&self, id: HoldId) -> Vec<Held> {
        self.lock().held(id)
    }

    /// Lets go what a hold keeps back; gives what it was, in the order in which it came. Requests are carried out at
    /// once, unless their link is cut.
    pub(crate) fn release(&self, id: HoldId, which: &Release) -> Result<Vec<Held>, ReleaseError> {
        let released = self.turn(None, Test::default(), |_, keeper, sink| {
            let released = sink.release(id, which)?;
            sink.carry_out_released(&released, keeper);
            Ok(released)
        });
        self.may_wait_in_vain();
        released
    }

    /// Ends a hold: what it keeps back is let go. A server that panicked has let everything go.
    pub(crate) fn end_hold(&self, id: HoldId) {
        if self.is_sound() {
            self.turn(None, Test::default(), |_, keeper, sink| {
                let released = sink.release(id, &Release::All).unwrap_or_default();
                // First, since the hold may also match the replies to these requests.
                sink.control.holds.remove(id);
                sink.carry_out_released(&released, keeper);
            });
            self.may_wait_in_vain();
        }
    }

    /// Cuts the links of some clients, those included that connect later; gives the number of the cut.
    pub(crate) fn cut(&self, whose: Matcher, direction: Direction) -> Result<u64, NeverMatches> {
        self.control(|control| whose.check_connections(&control.known))?;
        let told = whose.clone();
        let cut = self.relink(|control, _| control.cut(whose, direction, None));
        self.note(&Sight::Cut {
            cut,
            whose: &told,
            direction,
        });
        Ok(cut)
    }

    pub(crate) fn heal(&self, id: u64) {
        self.note(&Sight::Healed { cut: id });
        self.relink(|control, _| control.heal(id));
    }

    /// Heals what a fault has cut.
    pub(crate) fn heal_fault(&self, id: FaultId) {
        self.relink(|control, now| control.heal_by(now, Some(id)));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn clear_faults(&self) {
        self.relink(|control, now| {
            control.faults.clear();
            control.heal_by(now, None);
        });
    }

    /// Closes the connections that a matcher means; says how many.
    pub(crate) fn close_connections(&self, whose: &Matcher) -> Result<usize, NeverMatches> {
        self.control(|control| whose.check_connections(&control.known))?;
        Ok(self.turn(None, Test::default(), |now, keeper, sink| {
            let mut ids: Vec<ConnectionId> = sink
                .outboxes
                .iter()
                .filter(|(id, outbox)| outbox.is_up() && whose.means(&outbox.who(**id)))
                .map(|(id, _)| *id)
                .collect();
            ids.sort_unstable();
            for id in &ids {
                // The connection closes now: it does not stay open for held or delayed messages.
                if let Some(outbox) = sink.outboxes.get_mut(*id) {
                    outbox.drop_kept(sink.control);
                }
                keeper.step(now, Input::Close(*id), sink);
            }
            ids.len()
        }))
    }

    /// Changes which links are cut, and lets everybody feel it.
    fn relink<T>(&self, change: impl FnOnce(&mut Control, Timestamp) -> T) -> T {
        let changed = self.turn(None, Test::default(), |now, keeper, sink| {
            let changed = change(sink.control, now);
            sink.relink(keeper);
            sink.carry_out_all(keeper);
            changed
        });
        self.may_wait_in_vain();
        changed
    }
}

/// Some of what a hold keeps back, by the connection that it is for, each in the order in which it came.
type Wanted = BTreeMap<ConnectionId, Vec<u64>>;

fn wanted_by_connection(items: impl Iterator<Item = (u64, ConnectionId)>) -> Wanted {
    let mut wanted = Wanted::new();
    for (item, connection) in items {
        wanted.entry(connection).or_default().push(item);
    }
    wanted
}

impl State {
    /// What a hold keeps back, in the order in which it came.
    fn held(&self, id: HoldId) -> Vec<Held> {
        let mut held: Vec<Held> = wanted_by_connection(self.control.holds.items(id))
            .keys()
            .filter_map(|connection| Some((*connection, self.outboxes.get(*connection)?)))
            .flat_map(|(connection, outbox)| outbox.held(connection, id))
            .collect();
        held.sort_unstable_by_key(|held| held.item);
        held
    }

    /// What all holds keep back, in the order in which it came.
    pub(super) fn all_held(&self) -> Vec<Held> {
        let holds = self.control.holds.ids();
        let mut held: Vec<Held> = holds.flat_map(|id| self.held(id)).collect();
        held.sort_unstable_by_key(|held| held.item);
        held
    }
}

impl Sink<'_, '_> {
    fn release(&mut self, hold: HoldId, which: &Release) -> Result<Vec<Held>, ReleaseError> {
        let now = self.now;
        let wanted = self.wanted(hold, which)?;
        if let Release::First { .. } | Release::Item { .. } = which {
            for (connection, items) in &wanted {
                if let Some(outbox) = self.outboxes.get(*connection) {
                    outbox.may_go(now, hold, items)?;
                }
            }
        }
        let mut held = Vec::new();
        for (connection, items) in &wanted {
            let Some(outbox) = self.outboxes.get_mut(*connection) else {
                continue;
            };
            outbox.open(*connection, hold, items, &mut held);
            outbox.let_go(now);
            outbox.schedule(*connection, now, self.due);
            self.wakers.extend(outbox.waker.take());
        }
        held.sort_unstable_by_key(|held| held.item);
        for Held {
            item,
            connection,
            message,
            ..
        } in &held
        {
            self.control.holds.gone(hold, *item);
            let outbox = self.outboxes.get(ConnectionId(*connection));
            let who = outbox.map(|outbox| outbox.who(ConnectionId(*connection)));
            let sight = Sight::Released {
                item: *item,
                message,
            };
            self.control.note(now, who.as_ref(), &sight);
        }
        for connection in wanted.into_keys() {
            self.settle_closing(connection);
        }
        Ok(held)
    }

    /// Carries out the requests among the released messages, in the order in which they arrived.
    fn carry_out_released(&mut self, released: &[Held], keeper: &mut Keeper) {
        for held in released {
            self.carry_out(ConnectionId(held.connection), keeper);
        }
    }

    /// What is asked for of what a hold keeps back.
    fn wanted(&self, hold: HoldId, which: &Release) -> Result<Wanted, ReleaseError> {
        let items = self.control.holds.items(hold);
        let is_for = |connection: &ConnectionId, is_meant: &dyn Fn(&Outbox) -> bool| {
            self.outboxes.get(*connection).is_some_and(is_meant)
        };
        Ok(match which {
            Release::First { count } => wanted_by_connection(items.take(*count)),
            Release::Item { item: wanted } => {
                let connection = self.control.holds.connection(hold, *wanted);
                let connection = connection.ok_or(ReleaseError::NotHeld { item: *wanted })?;
                Wanted::from([(connection, vec![*wanted])])
            }
            Release::Session { session } => wanted_by_connection(
                items
                    .filter(|(_, connection)| is_for(connection, &|outbox| outbox.is_of(*session))),
            ),
            Release::Label { label } => wanted_by_connection(items.filter(|(_, connection)| {
                is_for(connection, &|outbox| {
                    outbox.listener_id.label.as_deref() == Some(label)
                })
            })),
            Release::All => wanted_by_connection(items),
        })
    }
}

impl Outbox {
    /// Whether nothing is kept back before these, but they themselves.
    fn may_go(&self, now: Timestamp, hold: HoldId, items: &[u64]) -> Result<(), ReleaseError> {
        let mut ahead = None;
        for parcel in &self.kept {
            let Some(item) = parcel
                .gate
                .item_of(hold)
                .filter(|item| is_among(items, *item))
            else {
                if ahead.is_none() && !parcel.is_open(now) {
                    ahead = Some((parcel.gate, parcel.not_before));
                }
                continue;
            };
            match ahead {
                Some((Gate::Held { item: before, .. }, _)) => {
                    return Err(ReleaseError::WouldOvertake { item, before });
                }
                Some((Gate::Open, Some(until))) => {
                    return Err(ReleaseError::WouldOvertakeDelayed { item, until });
                }
                Some((Gate::Open, None)) | None => {}
            }
            if items.last() == Some(&item) {
                break;
            }
        }
        Ok(())
    }

    /// Opens the gates of these; tells what they are.
    fn open(
        &mut self,
        connection: ConnectionId,
        hold: HoldId,
        items: &[u64],
        opened: &mut Vec<Held>,
    ) {
        if let Stall::Held { hold: of, item, .. } = self.stall
            && of == hold
            && is_among(items, item)
            && let Stall::Held { what, .. } = std::mem::replace(&mut self.stall, Stall::Released)
        {
            opened.push(self.describe(connection, item, what));
        }
        let mut whats = Vec::new();
        for parcel in &mut self.kept {
            let Some(item) = parcel
                .gate
                .item_of(hold)
                .filter(|item| is_among(items, *item))
            else {
                continue;
            };
            parcel.gate = Gate::Open;
            whats.extend(parcel.held.take().map(|what| (item, what)));
            if items.last() == Some(&item) {
                break;
            }
        }
        for (item, what) in whats {
            opened.push(self.describe(connection, item, what));
        }
    }

    /// Whether it is of this session, or asks for it.
    fn is_of(&self, session: SessionId) -> bool {
        self.session == session
            || matches!(&self.stall, Stall::Held { what: HeldMessage::Connect { session: own }, .. } if *own == session)
    }

    fn describe(&self, connection: ConnectionId, item: u64, message: HeldMessage) -> Held {
        Held {
            item,
            connection: connection.0,
            session: match message {
                HeldMessage::Connect { session } => session,
                HeldMessage::WatchEvent { .. }
                | HeldMessage::Reply { .. }
                | HeldMessage::Connected
                | HeldMessage::Request { .. } => self.session,
            },
            label: self.listener_id.label.as_deref().map(str::to_owned),
            message,
        }
    }

    fn held(&self, connection: ConnectionId, hold: HoldId) -> Vec<Held> {
        let stalled = if let Stall::Held {
            hold: of,
            item,
            what,
        } = &self.stall
            && *of == hold
        {
            Some((*item, what))
        } else {
            None
        };
        let kept = self.kept.iter();
        kept.filter_map(|parcel| Some((parcel.gate.item_of(hold)?, parcel.held.as_ref()?)))
            .chain(stalled)
            .map(|(item, what)| self.describe(connection, item, what.clone()))
            .collect()
    }
}

impl Gate {
    /// The number of what this hold keeps back.
    fn item_of(self, hold: HoldId) -> Option<u64> {
        match self {
            Self::Held { hold: of, item } if of == hold => Some(item),
            Self::Held { .. } | Self::Open => None,
        }
    }
}

/// The numbers are in order.
fn is_among(items: &[u64], item: u64) -> bool {
    items.binary_search(&item).is_ok()
}
