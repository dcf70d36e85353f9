//! One entry of the journal: who, when, what.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::code;
use super::{Data, MultiPart};
use crate::control::sight::{Asked, Outcomes, Sight, Who};
use crate::control::{Direction, Fault, HeldMessage, ListenerId, Matcher};
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{
    EnsembleAction, ErrorCode, EventType, MemberId, Operation, SessionId, Timestamp, Xid, Zxid,
};

/// One thing that passed. It is written as a line for people, `{entry}`, and as JSON.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// server.create("/config", b"v1")?;
/// let line = server.journal().entries()[0].to_string();
/// assert!(line.ends_with(r#"test create2 /config "v1" -> ok zxid 0x1"#), "{line}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its number, from 1. One is left out where the journal was off meanwhile.
    pub number: u64,
    /// When it passed, by the server's clock.
    pub time: Timestamp,
    /// How long the server had run by then, by its clock, in milliseconds.
    pub elapsed_ms: u64,
    /// On which connection; `None` for what the server or the test does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// Of which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// By the address with which label; of what is about a session and passes on no connection, by which it last came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// To which member of an ensemble.
    #[serde(default, skip_serializing_if = "is_alone")]
    pub member: MemberId,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What passed.
///
/// ```
/// use minikeeper::{journal::What, protocol::{EventType, Zxid}};
///
/// let event = What::Event { event_type: EventType::NodeDeleted, path: "/leader".to_owned(), zxid: Zxid(7) };
/// assert_eq!(event.to_string(), "event NodeDeleted /leader zxid 0x7");
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
        /// Whether it is a new one; one that the client had before is resumed, perhaps from another connection.
        new: bool,
    },
    /// A request arrived.
    Request {
        /// The number that the client gave it.
        xid: i32,
        /// What is asked for; `None` for an operation that nobody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<Operation>,
        /// The paths it is about.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
        /// Whether it asks for a watch.
        #[serde(default, skip_serializing_if = "is_false")]
        watch: bool,
        /// Whether it creates an ephemeral.
        #[serde(default, skip_serializing_if = "is_false")]
        ephemeral: bool,
        /// Whether it creates something whose name gets a number.
        #[serde(default, skip_serializing_if = "is_false")]
        sequential: bool,
        /// What it would write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
        /// The operations of a multi or multiRead; their paths are `paths`, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<MultiPart>,
    },
    /// A reply is sent: the server has made it. Where a fault loses or changes it, or a hold keeps it back, the entry behind
    /// this one says so.
    Reply {
        /// The number that the client gave to the request.
        xid: i32,
        /// What was asked for; `None` for an operation that nobody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<Operation>,
        /// The paths it was about.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
        /// Whether a watch was asked for.
        #[serde(default, skip_serializing_if = "is_false")]
        watch: bool,
        /// Whether an ephemeral was to be created.
        #[serde(default, skip_serializing_if = "is_false")]
        ephemeral: bool,
        /// Whether a sequential znode was to be created.
        #[serde(default, skip_serializing_if = "is_false")]
        sequential: bool,
        /// The last transaction that the reply knows of; that of the request itself, if it is a write.
        zxid: Zxid,
        /// Error of the refused request. For a multi that failed, the error of the first operation that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorCode>,
        /// The path that was created, the first one if it was a multi.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<String>,
        /// What getData gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
        /// How many children getChildren gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        children: Option<usize>,
        /// The operations of a multi or multiRead, with their results; their paths are `paths`, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<MultiPart>,
    },
    /// The event of a watch is sent: the server has made it. Where a fault loses or changes it, or a hold keeps it back,
    /// the entry behind this one says so.
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
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        deleted: Vec<String>,
    },
    /// A session expired.
    SessionExpired {
        /// In which transaction.
        zxid: Zxid,
        /// The ephemerals that went with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    /// A message is held back: that of the entry before this one.
    Held {
        /// Its number.
        item: u64,
        /// What it is.
        message: HeldMessage,
    },
    /// A message that was held back is let go.
    Released {
        /// Its number.
        item: u64,
        /// What it is.
        message: HeldMessage,
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
    /// The test itself wrote, by the handle.
    Wrote {
        /// What was asked for.
        operation: Operation,
        /// The paths it was about.
        paths: Vec<String>,
        /// What it would write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
        /// In which transaction.
        zxid: Zxid,
        /// Why it was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorCode>,
    },
    /// A transaction was committed, before what shows it is sent: see
    /// [`journal_transactions`](crate::ServerBuilder::journal_transactions). The session is that of the entry; of the
    /// test or the server itself there is none.
    Committed {
        /// Its number.
        zxid: Zxid,
        /// Change that it made, by the name of ZooKeeper's log: `createSession`, `create`, `setData`, `multi`, `error` for
        /// a write that was refused, ...
        change: String,
        /// The znodes that it is about, of a multi in order; their sequence numbers are in them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
    },
    /// A test wants the session to count as silent.
    Muted,
    /// The session may be heard again.
    Unmuted,
    /// A test cut links.
    Cut {
        /// The number of the cut.
        cut: u64,
        /// Of whose connections.
        #[serde(rename = "on")]
        whose: Matcher,
        /// Which way.
        direction: Direction,
    },
    /// Links that were cut are whole again.
    Healed {
        /// The number of the cut.
        cut: u64,
    },
    /// The server stopped.
    Stopped,
    /// The server serves again.
    Started,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_alone(member: &MemberId) -> bool {
    *member == MemberId::ALONE
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
pub(crate) fn is_false(is: &bool) -> bool {
    !is
}

impl Entry {
    /// What passes just now, as it would be kept.
    pub(crate) fn of(
        number: u64,
        started: Timestamp,
        now: Timestamp,
        who: Option<&Who<'_>>,
        sight: &Sight<'_>,
    ) -> Self {
        let mut bytes = Vec::new();
        code::encode(&mut bytes, now, who, sight, usize::MAX);
        code::decode(&bytes, number, started).expect("what was just written can be read")
    }

    /// Whether a matcher means it.
    ///
    /// ```
    /// use minikeeper::{Matcher, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// assert!(!server.journal().iter().any(|entry| entry.is_meant_by(&Matcher::of(EventKind::Fault))));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn is_meant_by(&self, matcher: &Matcher) -> bool {
        self.see_with_who(|who, sight| matcher.matches_any(who, sight))
    }

    /// Passes the entry to a closure as it passed the server, with its connection.
    pub(crate) fn see_with_who<T>(&self, see: impl FnOnce(Option<&Who<'_>>, &Sight<'_>) -> T) -> T {
        let listener_id = ListenerId {
            label: self.label.clone(),
            member: self.member,
        };
        let is_somebodys = self.connection.is_some() || self.label.is_some();
        let who = is_somebodys.then(|| Who {
            connection: self.connection.map_or(ConnectionId::HANDLE, ConnectionId),
            session: self.session.unwrap_or_default(),
            listener_id: &listener_id,
        });
        self.see(|sight| see(who.as_ref(), sight))
    }

    /// Gives it as it passed.
    fn see<T>(&self, see: impl FnOnce(&Sight<'_>) -> T) -> T {
        let session = self.session.unwrap_or_default();
        let mut room = Asked::default();
        match &self.what {
            What::Accepted { peer } => see(&Sight::Accepted { peer: *peer }),
            What::Disconnected => see(&Sight::Disconnected),
            What::Closing { reason } => see(&Sight::Closing { reason: *reason }),
            What::Connect {
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
            What::Connected {
                granted,
                timeout_ms,
                new,
            } => see(&Sight::Connected {
                session: *granted,
                timeout_ms: *timeout_ms,
                new: *new,
            }),
            What::Request {
                xid,
                operation,
                paths,
                watch,
                ephemeral,
                sequential,
                data,
                parts,
            } => {
                room.set(*operation, paths);
                room.set_parts(parts);
                (room.watch, room.ephemeral, room.sequential) = (*watch, *ephemeral, *sequential);
                see(&Sight::Request {
                    xid: Xid(*xid),
                    asked: &room,
                    data: data.as_ref().map(|data| &*data.begin),
                })
            }
            What::Reply {
                xid,
                operation,
                paths,
                watch,
                ephemeral,
                sequential,
                zxid,
                error,
                created,
                data,
                children,
                parts,
            } => {
                room.set(*operation, paths);
                room.set_parts(parts);
                (room.watch, room.ephemeral, room.sequential) = (*watch, *ephemeral, *sequential);
                let has_outcomes = error.is_none() || parts.iter().any(|part| part.error.is_some());
                see(&Sight::Reply {
                    xid: Xid(*xid),
                    zxid: *zxid,
                    asked: &room,
                    error: *error,
                    created: created.as_deref(),
                    data: data.as_ref().map(|data| &*data.begin),
                    children: *children,
                    outcomes: if has_outcomes {
                        Outcomes::Kept(parts)
                    } else {
                        Outcomes::None
                    },
                })
            }
            What::Event {
                event_type,
                path,
                zxid,
            } => see(&Sight::Event {
                zxid: *zxid,
                event_type: *event_type,
                path,
            }),
            What::SessionClosed { zxid, deleted } | What::SessionExpired { zxid, deleted } => {
                let deleted: Vec<Cow<'_, str>> = deleted.iter().map(Cow::from).collect();
                see(&Sight::SessionEnded {
                    session,
                    zxid: *zxid,
                    deleted: &deleted,
                    expired: matches!(self.what, What::SessionExpired { .. }),
                })
            }
            What::Committed {
                zxid,
                change,
                paths,
            } => {
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                see(&Sight::Committed {
                    session,
                    zxid: *zxid,
                    change,
                    paths: &paths,
                })
            }
            What::Reaped { path, zxid } => see(&Sight::Reaped { path, zxid: *zxid }),
            What::Fault { name, then } => see(&Sight::Fault { name, fault: then }),
            What::Held { item, message } => see(&Sight::Held {
                item: *item,
                message,
            }),
            What::Released { item, message } => see(&Sight::Released {
                item: *item,
                message,
            }),
            What::Leading { leader, epoch } => see(&Sight::Leading {
                leader: *leader,
                epoch: *epoch,
            }),
            What::Clock { from, to } => see(&Sight::Clock {
                from: *from,
                to: *to,
            }),
            What::Wrote {
                operation,
                paths,
                data,
                zxid,
                error,
            } => {
                room.set(Some(*operation), paths);
                see(&Sight::Wrote {
                    zxid: *zxid,
                    asked: &room,
                    data: data.as_ref().map(|data| &*data.begin),
                    error: *error,
                })
            }
            What::Muted | What::Unmuted => see(&Sight::Muted {
                session,
                muted: self.what == What::Muted,
            }),
            What::Cut {
                cut,
                whose,
                direction,
            } => see(&Sight::Cut {
                cut: *cut,
                whose,
                direction: *direction,
            }),
            What::Healed { cut } => see(&Sight::Healed { cut: *cut }),
            What::Stopped => see(&Sight::Stopped),
            What::Started => see(&Sight::Started),
            What::Ensemble { action } => see(&Sight::Ensemble { action: *action }),
        }
    }
}

impl What {
    /// What passes just now, as it is kept, with so many bytes of data.
    pub(crate) fn of(sight: &Sight<'_>, cap: usize) -> Self {
        let paths = |asked: &Asked| asked.paths().map(str::to_owned).collect();
        let kept = |data: &[u8]| Data {
            length: data.len(),
            begin: data.get(..cap).unwrap_or(data).to_vec(),
        };
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
            Sight::Request { xid, asked, data } => Self::Request {
                xid: xid.0,
                operation: asked.operation,
                paths: paths(asked),
                watch: asked.watch,
                ephemeral: asked.ephemeral,
                sequential: asked.sequential,
                data: data.map(kept),
                parts: MultiPart::all(asked, Outcomes::None),
            },
            Sight::Reply {
                xid,
                zxid,
                asked,
                error,
                created,
                data,
                children,
                outcomes,
            } => Self::Reply {
                xid: xid.0,
                operation: asked.operation,
                paths: paths(asked),
                watch: asked.watch,
                ephemeral: asked.ephemeral,
                sequential: asked.sequential,
                zxid,
                error,
                created: created.map(str::to_owned),
                data: data.map(kept),
                children,
                parts: MultiPart::all(asked, outcomes),
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
                let deleted = deleted.iter().map(|path| path.as_ref().to_owned());
                let deleted = deleted.collect();
                if expired {
                    Self::SessionExpired { zxid, deleted }
                } else {
                    Self::SessionClosed { zxid, deleted }
                }
            }
            Sight::Committed {
                zxid,
                change,
                paths,
                ..
            } => Self::Committed {
                zxid,
                change: change.to_owned(),
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            },
            Sight::Reaped { path, zxid } => Self::Reaped {
                path: path.to_owned(),
                zxid,
            },
            Sight::Fault { name, fault } => Self::Fault {
                name: name.to_owned(),
                then: fault.clone(),
            },
            Sight::Held { item, message } => Self::Held {
                item,
                message: message.clone(),
            },
            Sight::Released { item, message } => Self::Released {
                item,
                message: message.clone(),
            },
            Sight::Ensemble { action } => Self::Ensemble { action },
            Sight::Leading { leader, epoch } => Self::Leading { leader, epoch },
            Sight::Clock { from, to } => Self::Clock { from, to },
            Sight::Wrote {
                zxid,
                asked,
                data,
                error,
            } => Self::Wrote {
                operation: asked.operation.unwrap_or(Operation::Ping),
                paths: paths(asked),
                data: data.map(kept),
                zxid,
                error,
            },
            Sight::Muted { muted: true, .. } => Self::Muted,
            Sight::Muted { muted: false, .. } => Self::Unmuted,
            Sight::Cut {
                cut,
                whose,
                direction,
            } => Self::Cut {
                cut,
                whose: whose.clone(),
                direction,
            },
            Sight::Healed { cut } => Self::Healed { cut },
            Sight::Stopped => Self::Stopped,
            Sight::Started => Self::Started,
        }
    }

    /// Whether it is a ping, or the reply to one.
    pub(crate) fn is_ping(&self) -> bool {
        matches!(
            self,
            Self::Request {
                operation: Some(Operation::Ping),
                ..
            } | Self::Reply {
                operation: Some(Operation::Ping),
                ..
            }
        )
    }
}
