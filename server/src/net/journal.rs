//! The journal: everything that passed, numbered, in order.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sight::{Asked, Sight, Who};
use super::{Entrance, Fault, Matcher};
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{
    EnsembleAction, ErrorCode, EventType, MemberId, Operation, SessionId, Timestamp, Xid, Zxid,
};

/// How much of what passes is kept.
///
/// ```
/// use minikeeper::{JournalMode, Server};
///
/// let server = Server::builder().journal(JournalMode::Full).start()?;
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalMode {
    /// Nothing.
    Off,
    /// The last entries, so many.
    Last(usize),
    /// Everything.
    Full,
}

impl JournalMode {
    /// What a server in a test keeps.
    pub const DEFAULT: Self = Self::Last(10_000);
}

/// One thing that passed.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.journal().is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// When it passed, by the server's clock.
    pub time: Timestamp,
    /// On which connection; `None` for what the server does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// Of which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// By the address with which label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// To which member of an ensemble.
    pub member: MemberId,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What passed.
///
/// ```
/// use minikeeper::{EventType, What, Zxid};
///
/// let event = What::Event { event_type: EventType::NodeDeleted, path: "/leader".to_owned(), zxid: Zxid(7) };
/// assert!(event.to_string().contains("/leader"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// Somebody connected.
    Accepted {
        /// From where.
        peer: SocketAddr,
    },
    /// The connection is gone.
    Disconnected,
    /// The server closes the connection.
    Closing {
        /// Why.
        reason: CloseReason,
    },
    /// A client asks for a session.
    Connect {
        /// Its own, 0 for a new one.
        asked: SessionId,
        /// The timeout it would like, in milliseconds.
        timeout_ms: i32,
        /// The last transaction it knows of.
        last_zxid_seen: Zxid,
        /// Whether a server that only reads will do.
        read_only: bool,
    },
    /// A client is told which session it has.
    Connected {
        /// It, 0 if it has none.
        granted: SessionId,
        /// The timeout it was granted, in milliseconds.
        timeout_ms: i32,
        /// Whether it is a new one.
        new: bool,
    },
    /// A request arrived.
    Request {
        /// The number that the client gave it.
        xid: i32,
        /// What is asked for; `None` for an operation that nobody knows.
        operation: Option<Operation>,
        /// The paths it is about.
        paths: Vec<String>,
        /// Whether it asks for a watch.
        watch: bool,
        /// What it would write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    },
    /// A reply is sent.
    Reply {
        /// The number that the client gave to the request.
        xid: i32,
        /// What was asked for; `None` for an operation that nobody knows.
        operation: Option<Operation>,
        /// The paths it was about.
        paths: Vec<String>,
        /// The last transaction that the reply knows of; that of the request itself, if it is a write.
        zxid: Zxid,
        /// Why it is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorCode>,
        /// The path that was created.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<String>,
    },
    /// The event of a watch is sent.
    Event {
        /// What happened.
        event_type: EventType,
        /// To which znode.
        path: String,
        /// In which transaction.
        zxid: Zxid,
    },
    /// A client closed its session.
    SessionClosed {
        /// In which transaction.
        zxid: Zxid,
        /// The ephemerals that went with it.
        deleted: Vec<String>,
    },
    /// A session expired.
    SessionExpired {
        /// In which transaction.
        zxid: Zxid,
        /// The ephemerals that went with it.
        deleted: Vec<String>,
    },
    /// The server removed a container or a TTL znode.
    Reaped {
        /// Its path.
        path: String,
        /// In which transaction.
        zxid: Zxid,
    },
    /// A fault happened.
    Fault {
        /// The name of its rule.
        name: String,
        /// What went wrong.
        then: Fault,
    },
    /// The message before this one is held back.
    Held {
        /// Its number.
        item: u64,
    },
    /// A message that was held back is let go.
    Released {
        /// Its number.
        item: u64,
    },
    /// A test did something to members of the ensemble.
    Ensemble {
        /// What.
        action: EnsembleAction,
    },
    /// The ensemble has a new leader, or lost the one it had.
    Leading {
        /// The leader, if there is one.
        leader: Option<MemberId>,
        /// The epoch: the high 32 bits of the zxids.
        epoch: u32,
    },
    /// The clock was turned.
    Clock {
        /// From here.
        from: Timestamp,
        /// To here.
        to: Timestamp,
    },
}

/// Data, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Data {
    /// How long it is, in bytes.
    pub length: usize,
    /// Its first bytes.
    pub begin: Vec<u8>,
}

/// What is kept of all that passed.
#[derive(Debug)]
pub(super) struct Journal {
    mode: JournalMode,
    entries: VecDeque<Entry>,
    /// How many were noted, kept or not.
    noted: u64,
}

/// How much data an entry keeps.
pub(super) const DATA_CAP: usize = 256;

impl Journal {
    pub(super) fn new(mode: JournalMode) -> Self {
        Self {
            mode,
            entries: VecDeque::new(),
            noted: 0,
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.mode == JournalMode::Off
    }

    pub(super) fn set_mode(&mut self, mode: JournalMode) {
        self.mode = mode;
        self.shorten();
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn noted(&self) -> u64 {
        self.noted
    }

    pub(super) fn note(&mut self, now: Timestamp, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        self.noted += 1;
        if self.is_off() {
            return;
        }
        let entry = Entry::of(self.noted, now, who, sight);
        self.entries.push_back(entry);
        self.shorten();
    }

    /// What is kept, from this number on.
    pub(super) fn entries(&self, from: u64) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.number >= from)
    }

    fn shorten(&mut self) {
        let most = match self.mode {
            JournalMode::Off => 0,
            JournalMode::Last(most) => most,
            JournalMode::Full => usize::MAX,
        };
        let over = self.entries.len().saturating_sub(most);
        self.entries.drain(..over);
    }
}

impl Entry {
    /// What passed, to be kept.
    pub(super) fn of(
        number: u64,
        time: Timestamp,
        who: Option<&Who<'_>>,
        sight: &Sight<'_>,
    ) -> Self {
        let ended = match sight {
            Sight::SessionEnded { session, .. } => Some(*session),
            _ => None,
        };
        Self {
            number,
            time,
            connection: who.map(|who| who.connection.0),
            session: ended
                .or(who.map(|who| who.session))
                .filter(|session| *session != SessionId::NONE),
            label: who.and_then(|who| who.entrance.label.clone()),
            member: who.map_or(MemberId::ALONE, |who| who.entrance.member),
            what: What::of(sight),
        }
    }
}

impl Entry {
    /// Whether a matcher means it.
    ///
    /// ```
    /// use minikeeper::{Kind, Matcher};
    ///
    /// let server = minikeeper::Server::start()?;
    /// assert!(!server.journal().iter().any(|entry| entry.is_meant_by(&Matcher::of(Kind::Fault))));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn is_meant_by(&self, matcher: &Matcher) -> bool {
        let entrance = Entrance {
            label: self.label.clone(),
            member: self.member,
        };
        let who = self.connection.map(|connection| Who {
            connection: ConnectionId(connection),
            session: self.session.unwrap_or_default(),
            entrance: &entrance,
        });
        let mut asked = Asked::default();
        self.what
            .see(self.session.unwrap_or_default(), &mut asked, |sight| {
                matcher.matches_any(who.as_ref(), sight)
            })
    }
}

impl What {
    /// Gives it as it passed.
    fn see<T>(&self, session: SessionId, room: &mut Asked, see: impl FnOnce(&Sight<'_>) -> T) -> T {
        match self {
            Self::Accepted { peer } => see(&Sight::Accepted { peer: *peer }),
            Self::Disconnected => see(&Sight::Disconnected),
            Self::Closing { reason } => see(&Sight::Closing { reason: *reason }),
            Self::Connect {
                asked,
                timeout_ms,
                last_zxid_seen,
                read_only,
            } => see(&Sight::Connect {
                session: *asked,
                timeout_ms: *timeout_ms,
                last_zxid_seen: *last_zxid_seen,
                read_only: *read_only,
            }),
            Self::Connected {
                granted,
                timeout_ms,
                new,
            } => see(&Sight::Connected {
                session: *granted,
                timeout_ms: *timeout_ms,
                new: *new,
            }),
            Self::Request {
                xid,
                operation,
                paths,
                ..
            } => {
                room.set(*operation, paths);
                see(&Sight::Request {
                    xid: Xid(*xid),
                    asked: room,
                })
            }
            Self::Reply {
                xid,
                operation,
                paths,
                zxid,
                error,
                created,
            } => {
                room.set(*operation, paths);
                see(&Sight::Reply {
                    xid: Xid(*xid),
                    zxid: *zxid,
                    asked: room,
                    error: *error,
                    created: created.as_deref(),
                })
            }
            Self::Event {
                event_type,
                path,
                zxid,
            } => see(&Sight::Event {
                zxid: *zxid,
                event_type: *event_type,
                path,
            }),
            Self::SessionClosed { zxid, deleted } | Self::SessionExpired { zxid, deleted } => {
                let deleted: Vec<Cow<'_, str>> = deleted.iter().map(Cow::from).collect();
                see(&Sight::SessionEnded {
                    session,
                    zxid: *zxid,
                    deleted: &deleted,
                    expired: matches!(self, Self::SessionExpired { .. }),
                })
            }
            Self::Reaped { path, zxid } => see(&Sight::Reaped { path, zxid: *zxid }),
            Self::Fault { name, then } => see(&Sight::Fault { name, fault: then }),
            Self::Held { item } => see(&Sight::Held { item: *item }),
            Self::Released { item } => see(&Sight::Released { item: *item }),
            Self::Ensemble { action } => see(&Sight::Ensemble { action: *action }),
            Self::Leading { leader, epoch } => see(&Sight::Leading {
                leader: *leader,
                epoch: *epoch,
            }),
            Self::Clock { from, to } => see(&Sight::Clock {
                from: *from,
                to: *to,
            }),
        }
    }

    fn of(sight: &Sight<'_>) -> Self {
        match *sight {
            Sight::Accepted { peer } => Self::Accepted { peer },
            Sight::Disconnected => Self::Disconnected,
            Sight::Closing { reason } => Self::Closing { reason },
            Sight::Connect {
                session: asked,
                timeout_ms,
                last_zxid_seen,
                read_only,
            } => Self::Connect {
                asked,
                timeout_ms,
                last_zxid_seen,
                read_only,
            },
            Sight::Connected {
                session: granted,
                timeout_ms,
                new,
            } => Self::Connected {
                granted,
                timeout_ms,
                new,
            },
            Sight::Request { xid, asked } => Self::Request {
                xid: xid.0,
                operation: asked.operation,
                paths: asked.paths().to_vec(),
                watch: asked.watch,
                data: asked.data_length.map(|length| Data {
                    length,
                    begin: asked.data.clone(),
                }),
            },
            Sight::Reply {
                xid,
                zxid,
                asked,
                error,
                created,
            } => Self::Reply {
                xid: xid.0,
                operation: asked.operation,
                paths: asked.paths().to_vec(),
                zxid,
                error,
                created: created.map(str::to_owned),
            },
            Sight::Event {
                zxid,
                event_type,
                path,
            } => Self::Event {
                event_type,
                path: path.to_owned(),
                zxid,
            },
            Sight::SessionEnded {
                zxid,
                deleted,
                expired,
                ..
            } => {
                let deleted = deleted
                    .iter()
                    .map(|path| path.clone().into_owned())
                    .collect();
                if expired {
                    Self::SessionExpired { zxid, deleted }
                } else {
                    Self::SessionClosed { zxid, deleted }
                }
            }
            Sight::Reaped { path, zxid } => Self::Reaped {
                path: path.to_owned(),
                zxid,
            },
            Sight::Fault { name, fault } => Self::Fault {
                name: name.to_owned(),
                then: fault.clone(),
            },
            Sight::Held { item } => Self::Held { item },
            Sight::Released { item } => Self::Released { item },
            Sight::Ensemble { action } => Self::Ensemble { action },
            Sight::Leading { leader, epoch } => Self::Leading { leader, epoch },
            Sight::Clock { from, to } => Self::Clock { from, to },
        }
    }
}

/// One line, for people.
impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.number)?;
        match (&self.label, self.session) {
            (Some(label), _) => write!(f, "{label} ")?,
            (None, Some(session)) => write!(f, "{session} ")?,
            (None, None) => {}
        }
        self.what.fmt(f)
    }
}

/// One line, for people.
impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
