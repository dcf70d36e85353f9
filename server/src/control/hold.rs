//! Holds: messages that stay on their way until the test releases them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::event::Event;
use super::event_kind::EventKind;
use super::held_message::HeldMessage;
use super::known::Known;
use super::matcher::Matcher;
use super::near::Near;
use super::possible::NeverMatches;
use crate::keeper::ConnectionId;
use crate::protocol::{SessionId, Timestamp};

/// Number of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HoldId(u64);

/// Message that is held.
///
/// ```
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// let hold = server.hold(Matcher::watch_event().path("/leader"));
/// assert!(hold.held().is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Held {
    /// Number of the held message; messages that are held later have higher numbers.
    pub item: u64,
    /// Connection of the client.
    pub connection: u64,
    /// Session of the client; 0 if it has none yet.
    pub session: SessionId,
    /// Label of the client, if it has one.
    pub label: Option<String>,
    /// The message.
    pub message: HeldMessage,
}

impl Held {
    /// Client of the message: a label, a session or a connection.
    pub(crate) fn client(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None if self.session != SessionId::NONE => self.session.to_string(),
            None => format!("connection {}", self.connection),
        }
    }
}

/// Selection of the held messages to release.
///
/// ```
/// use minikeeper::{Matcher, hold::Release};
///
/// let server = minikeeper::Server::start()?;
/// let hold = server.hold(Matcher::watch_event());
/// assert_eq!(hold.release(&Release::All)?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "release", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Release {
    /// The messages that have been held for longest.
    First {
        /// Number of messages.
        count: usize,
    },
    /// One message.
    Item {
        /// Number of the message.
        item: u64,
    },
    /// The messages of one session.
    Session {
        /// The session.
        session: SessionId,
    },
    /// The messages of the clients with one label.
    Label {
        /// The label.
        label: String,
    },
    /// All messages.
    All,
}

/// Reason why a message cannot be released.
///
/// ```
/// use minikeeper::{Matcher, hold::ReleaseError};
///
/// let server = minikeeper::Server::start()?;
/// let hold = server.hold(Matcher::watch_event());
/// assert_eq!(hold.release_next(), Err(ReleaseError::NothingHeld));
/// assert_eq!(hold.release_item(7), Err(ReleaseError::NotHeld { item: 7 }));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// No message is held now.
    #[error("nothing is held; wait for it first: `hold.wait_for(1)`")]
    NothingHeld,
    /// The message is not held: it never was, it has been released, or its connection has ended.
    #[error(
        "message {item} is not held: it never was, it has been released, or its connection has ended"
    )]
    NotHeld {
        /// Number of the message.
        item: u64,
    },
    /// An earlier message is still held on the same connection, by this hold or another. A client gets messages in the
    /// order in which the server sends them; no real network changes that.
    #[error(
        "message {item} cannot be released before message {before}, which is held on the same connection: a client \
         gets events and replies in the order in which the server sends them"
    )]
    WouldOvertake {
        /// Number of the message.
        item: u64,
        /// Number of the earlier message.
        before: u64,
    },
    /// An earlier message on the same connection is delayed.
    #[error(
        "message {item} cannot be released before the message that is delayed until {until:?} on the same \
         connection: a client gets events and replies in the order in which the server sends them"
    )]
    WouldOvertakeDelayed {
        /// Number of the message.
        item: u64,
        /// Time at which the earlier message leaves.
        until: Timestamp,
    },
}

/// Reason why nothing can be held.
///
/// ```
/// use minikeeper::{Matcher, hold::HoldError, matcher::EventKind};
///
/// let server = minikeeper::Server::start()?;
/// let expiry = server.try_hold(Matcher::of(EventKind::SessionExpired));
/// assert_eq!(expiry.unwrap_err(), HoldError::CannotBeHeld { kind: EventKind::SessionExpired });
/// // Only replies carry errors.
/// let refused = server.try_hold(Matcher::watch_event().error(minikeeper::ErrorCode::NoNode));
/// assert!(matches!(refused, Err(HoldError::NeverMatches(_))));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// Events of this kind are not messages on their way to a client or the server.
    #[error(
        "{} cannot be held: only requests, replies and watch events are messages on their way",
        kind.words().1
    )]
    CannotBeHeld {
        /// Kind of the matcher.
        kind: EventKind,
    },
    /// No request, reply or watch event can match.
    #[error("nothing can be held: {0}")]
    NeverMatches(#[from] NeverMatches),
}

impl HoldError {
    /// Refuses a matcher that can never hold a message.
    fn check(on: &Matcher, known: &Known) -> Result<(), Self> {
        const KINDS: [EventKind; 5] = [
            EventKind::Connect,
            EventKind::Connected,
            EventKind::Request,
            EventKind::Reply,
            EventKind::WatchEvent,
        ];
        if let Some(kind) = on.kind
            && !KINDS.contains(&kind)
        {
            return Err(Self::CannotBeHeld { kind });
        }
        Ok(on.check(known, &KINDS)?)
    }
}

/// Message that a hold holds, with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldItem {
    pub(crate) hold: HoldId,
    pub(crate) item: u64,
    pub(crate) message: HeldMessage,
}

/// All holds of one server.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    placed: Vec<PlacedHold>,
    next: u64,
    next_item: u64,
}

#[derive(Debug)]
struct PlacedHold {
    id: HoldId,
    on: Matcher,
    /// Messages that passed.
    near: Near,
    /// Number of messages that it has held so far.
    matched: u64,
    /// Held messages, with their connections.
    items: BTreeMap<u64, ConnectionId>,
}

impl Holds {
    pub(crate) fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    /// Adds a hold.
    pub(crate) fn place(&mut self, on: Matcher, known: &Known) -> Result<HoldId, HoldError> {
        HoldError::check(&on, known)?;
        self.next += 1;
        let id = HoldId(self.next);
        self.placed.push(PlacedHold {
            id,
            on,
            near: Near::default(),
            matched: 0,
            items: BTreeMap::new(),
        });
        Ok(id)
    }

    pub(crate) fn remove(&mut self, id: HoldId) {
        self.placed.retain(|placed| placed.id != id);
    }

    /// Decides whether a hold holds a message. The first hold that matches does.
    pub(crate) fn decide(&mut self, client: &Client<'_>, event: &Event<'_>) -> Option<HeldItem> {
        if self.placed.is_empty() {
            return None;
        }
        let placed = self.placed.iter_mut().find_map(|placed| {
            if placed.on.matches(client, event) {
                return Some(placed);
            }
            placed.near.note(&placed.on, client, event);
            None
        })?;
        let message = event.to_held()?;
        placed.near.matched();
        placed.matched += 1;
        self.next_item += 1;
        placed.items.insert(self.next_item, client.connection);
        Some(HeldItem {
            hold: placed.id,
            item: self.next_item,
            message,
        })
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = HoldId> {
        self.placed.iter().map(|placed| placed.id)
    }

    fn find(&self, id: HoldId) -> Option<&PlacedHold> {
        self.placed.iter().find(|placed| placed.id == id)
    }

    /// Connection of a held message.
    pub(crate) fn connection(&self, id: HoldId, item: u64) -> Option<ConnectionId> {
        self.find(id)?.items.get(&item).copied()
    }

    /// Messages that a hold holds, in the order in which they came, with their connections.
    pub(crate) fn items(&self, id: HoldId) -> impl Iterator<Item = (u64, ConnectionId)> {
        let items = self.find(id).into_iter().flat_map(|placed| &placed.items);
        items.map(|(item, connection)| (*item, *connection))
    }

    /// Describes a hold: its matcher, the messages that passed and the nearest misses.
    pub(crate) fn describe(&self, id: HoldId) -> Option<String> {
        let placed = self.find(id)?;
        let near = placed.near.describe(placed.on.kind, placed.matched);
        Some(format!("{}; {near}", placed.on))
    }

    /// Number of messages that a hold holds.
    pub(crate) fn held(&self, id: HoldId) -> usize {
        self.find(id).map_or(0, |placed| placed.items.len())
    }

    /// Removes a message that is no longer held.
    pub(crate) fn gone(&mut self, id: HoldId, item: u64) {
        if let Some(placed) = self.placed.iter_mut().find(|placed| placed.id == id) {
            placed.items.remove(&item);
        }
    }
}
