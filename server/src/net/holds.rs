//! Actions of a test on the engine: holds, and the release of held messages.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::engine::{Engine, State};
use super::outbox::{Outbox, Parcel, Stall};
use super::sink::{Sink, Test};
use crate::control::{
    Client, Event, Held, HeldItem, HeldMessage, HoldError, HoldId, Matcher, Release, ReleaseError,
};
use crate::keeper::{ConnectionId, Keeper};
use crate::protocol::{SessionId, Timestamp};

impl Engine {
    pub(crate) fn hold(&self, on: Matcher) -> Result<HoldId, HoldError> {
        self.control(|control| control.holds.place(on, &control.known))
    }

    /// Returns the messages that a hold holds, in the order in which they came.
    pub(crate) fn held(&self, id: HoldId) -> Vec<Held> {
        self.lock().held(id)
    }

    /// Releases held messages. Returns them, in the order in which they came. Requests are carried out at once, unless
    /// their link is cut.
    pub(crate) fn release(&self, id: HoldId, which: &Release) -> Result<Vec<Held>, ReleaseError> {
        let released = self.turn(None, Test::default(), |_, keeper, sink| {
            let released = sink.release(id, which)?;
            sink.carry_out_released(&released, keeper);
            Ok(released)
        });
        self.recheck_stuck_clients();
        released
    }

    /// Ends a hold and releases its messages. A server that panicked holds none any more.
    pub(crate) fn end_hold(&self, id: HoldId) {
        if self.is_sound() {
            self.turn(None, Test::default(), |_, keeper, sink| {
                let released = sink.release(id, &Release::All).unwrap_or_default();
                // First, since the hold may also match the replies to these requests.
                sink.control.holds.remove(id);
                sink.carry_out_released(&released, keeper);
            });
            self.recheck_stuck_clients();
        }
    }
}

/// Held messages to release, by connection, each in the order in which it came.
type Wanted = BTreeMap<ConnectionId, Vec<u64>>;

fn wanted_by_connection(items: impl Iterator<Item = (u64, ConnectionId)>) -> Wanted {
    let mut wanted = Wanted::new();
    for (item, connection) in items {
        wanted.entry(connection).or_default().push(item);
    }
    wanted
}

impl State {
    /// Messages that a hold holds, in the order in which they came.
    fn held(&self, id: HoldId) -> Vec<Held> {
        let mut held: Vec<Held> = wanted_by_connection(self.control.holds.items(id))
            .keys()
            .filter_map(|connection| Some((*connection, self.outboxes.get(*connection)?)))
            .flat_map(|(connection, outbox)| outbox.held(connection, id))
            .collect();
        held.sort_unstable_by_key(|held| held.item);
        held
    }

    /// Messages that all holds hold, in the order in which they came.
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
            let connection = ConnectionId(*connection);
            let outbox = self.outboxes.get(connection);
            let client = outbox.map_or(Client::NONE, |outbox| outbox.client(connection));
            let event = Event::Released {
                item: *item,
                message: Cow::Borrowed(message),
            };
            self.control.note(now, &client, &event);
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

    /// Selects the held messages to release.
    fn wanted(&self, hold: HoldId, which: &Release) -> Result<Wanted, ReleaseError> {
        let items = self.control.holds.items(hold);
        let is_for = |connection: &ConnectionId, accepts: &dyn Fn(&Outbox) -> bool| {
            self.outboxes.get(*connection).is_some_and(accepts)
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
    /// Checks that no other held or delayed message comes before these items.
    fn may_go(&self, now: Timestamp, hold: HoldId, items: &[u64]) -> Result<(), ReleaseError> {
        let mut ahead = None;
        for parcel in &self.queue {
            let Some(item) = parcel.item_of(hold, items) else {
                if ahead.is_none() && !parcel.is_open(now) {
                    ahead = Some(parcel);
                }
                continue;
            };
            if let Some(ahead) = ahead {
                if let Some(held) = &ahead.held {
                    let before = held.item;
                    return Err(ReleaseError::WouldOvertake { item, before });
                }
                if let Some(until) = ahead.not_before {
                    return Err(ReleaseError::WouldOvertakeDelayed { item, until });
                }
            }
            if items.last() == Some(&item) {
                break;
            }
        }
        Ok(())
    }

    /// Releases these items. Adds their descriptions to `released`.
    fn open(
        &mut self,
        connection: ConnectionId,
        hold: HoldId,
        items: &[u64],
        released: &mut Vec<Held>,
    ) {
        if let Stall::Held(held) = &self.stall
            && held.hold == hold
            && is_among(items, held.item)
            && let Stall::Held(held) = std::mem::replace(&mut self.stall, Stall::Released)
        {
            released.push(self.describe(connection, held));
        }
        let mut opened = Vec::new();
        for parcel in &mut self.queue {
            let Some(item) = parcel.item_of(hold, items) else {
                continue;
            };
            opened.extend(parcel.held.take());
            if items.last() == Some(&item) {
                break;
            }
        }
        for held in opened {
            released.push(self.describe(connection, held));
        }
    }

    /// Whether the connection has this session, or asks for it.
    fn is_of(&self, session: SessionId) -> bool {
        let asked = if let Stall::Held(held) = &self.stall
            && let HeldMessage::Connect { session } = held.message
        {
            Some(session)
        } else {
            None
        };
        self.session == session || asked == Some(session)
    }

    fn describe(&self, connection: ConnectionId, held: HeldItem) -> Held {
        Held {
            item: held.item,
            connection: connection.0,
            session: match held.message {
                HeldMessage::Connect { session } => session,
                HeldMessage::WatchEvent { .. }
                | HeldMessage::Reply { .. }
                | HeldMessage::Connected
                | HeldMessage::Request { .. } => self.session,
            },
            label: self.listener_id.label.as_deref().map(str::to_owned),
            message: held.message,
        }
    }

    /// Messages that a hold holds on this connection.
    fn held(&self, connection: ConnectionId, hold: HoldId) -> Vec<Held> {
        let request = if let Stall::Held(held) = &self.stall {
            Some(held)
        } else {
            None
        };
        let messages = self.queue.iter().filter_map(|parcel| parcel.held.as_ref());
        messages
            .chain(request)
            .filter(|held| held.hold == hold)
            .map(|held| self.describe(connection, held.clone()))
            .collect()
    }
}

impl Parcel {
    /// Number of the message, if it is held by this hold and is among the items.
    fn item_of(&self, hold: HoldId, items: &[u64]) -> Option<u64> {
        let held = self.held.as_ref().filter(|held| held.hold == hold)?;
        is_among(items, held.item).then_some(held.item)
    }
}

/// Whether an item is among these, which are in order.
fn is_among(items: &[u64], item: u64) -> bool {
    items.binary_search(&item).is_ok()
}
