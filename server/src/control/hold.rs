//! What is held back: messages on their way, which a test lets go when it likes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::near::Near;
use super::possible::NeverMatches;
use super::sight::{Sight, Who};
use super::{EventKind, Matcher};
use crate::keeper::ConnectionId;
use crate::protocol::{EventType, Operation, SessionId, Timestamp, Zxid};

/// The number of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HoldId(u64);

/// A message that is held back.
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
#[non_exhaustive]
pub struct Held {
    /// Its number; messages held later have higher ones.
    pub item: u64,
    /// The connection that it is for.
    pub connection: u64,
    /// The session that it is for; 0 if there is none yet.
    pub session: SessionId,
    /// The label of the address that the connection came to.
    pub label: Option<String>,
    /// What it is.
    pub message: HeldMessage,
}

/// What is held back.
///
/// ```
/// use minikeeper::{hold::HeldMessage, protocol::{Operation, Zxid}};
///
/// let paths = vec!["/a".to_owned()];
/// let reply = HeldMessage::Reply { operation: Some(Operation::Create), paths, zxid: Zxid(1) };
/// assert_eq!(reply.to_string(), "reply create /a");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeldMessage {
    /// The event of a watch.
    WatchEvent {
        /// What happened.
        event_type: EventType,
        /// To which znode.
        path: String,
        /// In which transaction.
        zxid: Zxid,
    },
    /// The reply to a request.
    Reply {
        /// What was asked; `None` for an operation that nobody knows.
        operation: Option<Operation>,
        /// The paths it was about.
        paths: Vec<String>,
        /// The transaction that it tells of.
        zxid: Zxid,
    },
    /// The answer to the request for a session.
    Connected,
    /// A request, before it is carried out.
    Request {
        /// What is asked; `None` for an operation that nobody knows.
        operation: Option<Operation>,
        /// The paths it is about.
        paths: Vec<String>,
    },
    /// The request for a session, before it is carried out.
    Connect {
        /// The client's own; 0 if it wants a new one.
        session: SessionId,
    },
}

impl Held {
    /// Whom it is for: a label, a session or a connection.
    pub(crate) fn whom(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None if self.session != SessionId::NONE => self.session.to_string(),
            None => format!("connection {}", self.connection),
        }
    }
}

impl HeldMessage {
    /// The paths it is about.
    pub(crate) fn paths(&self) -> &[String] {
        match self {
            Self::WatchEvent { path, .. } => std::slice::from_ref(path),
            Self::Reply { paths, .. } | Self::Request { paths, .. } => paths,
            Self::Connected | Self::Connect { .. } => &[],
        }
    }

    /// What is told of something that is held back.
    pub(crate) fn of(sight: &Sight<'_>) -> Option<Self> {
        Some(match sight {
            Sight::Event {
                zxid,
                event_type,
                path,
            } => Self::WatchEvent {
                event_type: *event_type,
                path: (*path).to_owned(),
                zxid: *zxid,
            },
            Sight::Reply { zxid, asked, .. } => Self::Reply {
                operation: asked.operation,
                paths: asked.paths().map(str::to_owned).collect(),
                zxid: *zxid,
            },
            Sight::Connected { .. } => Self::Connected,
            Sight::Request { asked, .. } => Self::Request {
                operation: asked.operation,
                paths: asked.paths().map(str::to_owned).collect(),
            },
            Sight::Connect { session, .. } => Self::Connect { session: *session },
            Sight::Accepted { .. }
            | Sight::Disconnected
            | Sight::Closing { .. }
            | Sight::SessionEnded { .. }
            | Sight::Reaped { .. }
            | Sight::Fault { .. }
            | Sight::Held { .. }
            | Sight::Released { .. }
            | Sight::Clock { .. }
            | Sight::Ensemble { .. }
            | Sight::Leading { .. }
            | Sight::Wrote { .. }
            | Sight::Committed { .. }
            | Sight::Muted { .. }
            | Sight::Cut { .. }
            | Sight::Healed { .. }
            | Sight::Stopped
            | Sight::Started => return None,
        })
    }
}

/// Which of the messages that are held back are to be let go.
///
/// ```
/// assert_ne!(minikeeper::hold::Release::All, minikeeper::hold::Release::First { count: 1 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "release", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Release {
    /// Those that have been held for longest.
    First {
        /// So many.
        count: usize,
    },
    /// One of them.
    Item {
        /// Its number.
        item: u64,
    },
    /// Those for one session.
    Session {
        /// That one.
        session: SessionId,
    },
    /// Those for whoever came by the address with this label.
    Label {
        /// That one.
        label: String,
    },
    /// All of them.
    All,
}

/// Why a message cannot be let go.
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
    /// Nothing is held now.
    #[error("nothing is held; wait for it first: `hold.wait_for(1)`")]
    NothingHeld,
    /// It is not held: it never was, it has been let go, or its connection is gone.
    #[error(
        "message {item} is not held: it never was, it has been let go, or its connection is gone"
    )]
    NotHeld {
        /// Its number.
        item: u64,
    },
    /// Something before it is still held on the same connection, by this hold or another. A client gets what a server sends in
    /// the order in which it was sent; no real network changes that.
    #[error(
        "message {item} cannot be let go before message {before}, which is held on the same connection: a client gets \
         events and replies in the order in which the server sends them"
    )]
    WouldOvertake {
        /// Its number.
        item: u64,
        /// That of what is before it.
        before: u64,
    },
    /// Something before it on the same connection is delayed.
    #[error(
        "message {item} cannot be let go before what is delayed until {until:?} on the same connection: a client gets \
         events and replies in the order in which the server sends them"
    )]
    WouldOvertakeDelayed {
        /// Its number.
        item: u64,
        /// When what is before it leaves.
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
    /// Entries of this kind are not messages on their way to a client or the server.
    #[error(
        "{} cannot be held: only requests, replies and events are messages on their way",
        kind.words().1
    )]
    CannotBeHeld {
        /// The kind that was to be held.
        kind: EventKind,
    },
    /// No request, reply or event can match.
    #[error("nothing can be held: {0}")]
    NeverMatches(#[from] NeverMatches),
}

impl HoldError {
    /// Refuses a matcher that can never hold anything.
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

/// Something that a hold keeps back from now on.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) hold: HoldId,
    pub(crate) item: u64,
    pub(crate) what: HeldMessage,
    /// How many things the hold keeps back, this one included.
    pub(crate) held: usize,
}

/// The holds that were placed.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    placed: Vec<Placed>,
    next: u64,
    next_item: u64,
}

#[derive(Debug)]
struct Placed {
    id: HoldId,
    on: Matcher,
    /// Messages that passed.
    near: Near,
    /// Number of messages that it has held so far.
    matched: u64,
    /// What it keeps back, and on which connection.
    items: BTreeMap<u64, ConnectionId>,
}

impl Holds {
    pub(crate) fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    pub(crate) fn place(&mut self, on: Matcher, known: &Known) -> Result<HoldId, HoldError> {
        HoldError::check(&on, known)?;
        self.next += 1;
        let id = HoldId(self.next);
        self.placed.push(Placed {
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

    /// Whether a hold keeps this back: which, under which number, what is told of it, and how many it holds with it.
    pub(crate) fn decide(&mut self, who: &Who<'_>, sight: &Sight<'_>) -> Option<Decided> {
        if self.placed.is_empty() {
            return None;
        }
        let placed = self.placed.iter_mut().find_map(|placed| {
            if placed.on.matches(who, sight) {
                return Some(placed);
            }
            placed.near.note(&placed.on, Some(who), sight);
            None
        })?;
        let what = HeldMessage::of(sight)?;
        placed.near.matched();
        placed.matched += 1;
        self.next_item += 1;
        placed.items.insert(self.next_item, who.connection);
        Some(Decided {
            hold: placed.id,
            item: self.next_item,
            what,
            held: placed.items.len(),
        })
    }

    /// All that were placed.
    pub(crate) fn ids(&self) -> impl Iterator<Item = HoldId> {
        self.placed.iter().map(|placed| placed.id)
    }

    fn find(&self, id: HoldId) -> Option<&Placed> {
        self.placed.iter().find(|placed| placed.id == id)
    }

    /// On which connection a hold keeps this back.
    pub(crate) fn connection(&self, id: HoldId, item: u64) -> Option<ConnectionId> {
        self.find(id)?.items.get(&item).copied()
    }

    /// What a hold keeps back, in the order in which it came, and on which connections.
    pub(crate) fn items(&self, id: HoldId) -> impl Iterator<Item = (u64, ConnectionId)> {
        let items = self.find(id).into_iter().flat_map(|placed| &placed.items);
        items.map(|(item, connection)| (*item, *connection))
    }

    /// Description of a hold: its matcher, the messages that passed and the nearest misses.
    pub(crate) fn in_words(&self, id: HoldId) -> Option<String> {
        let placed = self.find(id)?;
        let near = placed.near.in_words(placed.on.kind, placed.matched);
        Some(format!("{}; {near}", placed.on))
    }

    /// How many things a hold keeps back.
    pub(crate) fn held(&self, id: HoldId) -> usize {
        self.find(id).map_or(0, |placed| placed.items.len())
    }

    /// Something is no longer kept back.
    pub(crate) fn gone(&mut self, id: HoldId, item: u64) {
        if let Some(placed) = self.placed.iter_mut().find(|placed| placed.id == id) {
            placed.items.remove(&item);
        }
    }
}
