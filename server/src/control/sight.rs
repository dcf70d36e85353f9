//! What passes the door, as faults, holds and the journal see it: borrowed, and told apart no further than they need.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::{Direction, EventKind, HeldMessage, ListenerId, Matcher, MultiPart};
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{
    CreateMode, EnsembleAction, ErrorCode, EventType, MemberId, MultiResult, Operation, Request,
    SessionId, Timestamp, Xid, Zxid,
};

/// Whose connection something passes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub(crate) connection: ConnectionId,
    /// 0 until it has a session.
    pub(crate) session: SessionId,
    pub(crate) listener_id: &'a ListenerId,
}

impl Who<'_> {
    /// Whose it is that passes here: who comes back says so, and has the session only then.
    pub(crate) fn session_of(&self, sight: &Sight<'_>) -> SessionId {
        if let Sight::Connect { session, .. } = sight {
            *session
        } else {
            self.session
        }
    }
}

/// Something that passes.
#[derive(Clone, Debug)]
pub(crate) enum Sight<'a> {
    /// Somebody connected.
    Accepted {
        peer: SocketAddr,
    },
    /// The connection is gone.
    Disconnected,
    /// The server closes the connection.
    Closing {
        reason: CloseReason,
    },
    /// The first frame.
    Connect {
        session: SessionId,
        timeout_ms: i32,
        last_zxid_seen: Zxid,
        read_only: bool,
    },
    /// The answer to it; refused if there is no session.
    Connected {
        session: SessionId,
        timeout_ms: i32,
        new: bool,
    },
    Request {
        xid: Xid,
        asked: &'a Asked,
        /// What it would write.
        data: Option<&'a [u8]>,
    },
    Reply {
        xid: Xid,
        zxid: Zxid,
        asked: &'a Asked,
        error: Option<ErrorCode>,
        created: Option<&'a str>,
        /// What was read.
        data: Option<&'a [u8]>,
        /// How many children were read.
        children: Option<usize>,
        /// Results of the operations of a multi or multiRead.
        outcomes: Outcomes<'a>,
    },
    Event {
        zxid: Zxid,
        event_type: EventType,
        path: &'a str,
    },
    /// A session is over.
    SessionEnded {
        session: SessionId,
        zxid: Zxid,
        deleted: &'a [Cow<'a, str>],
        expired: bool,
    },
    /// The server removed a container or a TTL znode.
    Reaped {
        path: &'a str,
        zxid: Zxid,
    },
    /// A rule found what it waits for.
    Fault {
        name: &'a str,
        fault: &'a super::Fault,
    },
    /// Something is kept back, or let go.
    Held {
        item: u64,
        message: &'a HeldMessage,
    },
    Released {
        item: u64,
        message: &'a HeldMessage,
    },
    /// A test wants this to happen to members of the ensemble.
    Ensemble {
        action: EnsembleAction,
    },
    /// The ensemble has a new leader, or lost the one it had.
    Leading {
        leader: Option<MemberId>,
        epoch: u32,
    },
    /// The clock was turned.
    Clock {
        from: Timestamp,
        to: Timestamp,
    },
    /// The test itself wrote.
    Wrote {
        zxid: Zxid,
        asked: &'a Asked,
        data: Option<&'a [u8]>,
        error: Option<ErrorCode>,
    },
    /// A transaction was committed.
    Committed {
        session: SessionId,
        zxid: Zxid,
        change: &'a str,
        paths: &'a [&'a str],
    },
    /// A session counts as silent, or does no longer.
    Muted {
        session: SessionId,
        muted: bool,
    },
    /// Links are cut, or whole again.
    Cut {
        cut: u64,
        whose: &'a Matcher,
        direction: Direction,
    },
    Healed {
        cut: u64,
    },
    /// The server stopped, or serves again.
    Stopped,
    Started,
}

impl Sight<'_> {
    pub(crate) fn kind(&self) -> EventKind {
        match self {
            Self::Accepted { .. } => EventKind::Accepted,
            Self::Disconnected => EventKind::Disconnected,
            Self::Closing { .. } => EventKind::Closing,
            Self::Connect { .. } => EventKind::Connect,
            Self::Connected { .. } => EventKind::Connected,
            Self::Request { .. } => EventKind::Request,
            Self::Reply { .. } => EventKind::Reply,
            Self::Event { .. } => EventKind::WatchEvent,
            Self::SessionEnded { expired: false, .. } => EventKind::SessionClosed,
            Self::SessionEnded { expired: true, .. } => EventKind::SessionExpired,
            Self::Reaped { .. } => EventKind::Reaped,
            Self::Fault { .. } => EventKind::Fault,
            Self::Held { .. } => EventKind::Held,
            Self::Released { .. } => EventKind::Released,
            Self::Ensemble { .. } => EventKind::Ensemble,
            Self::Leading { .. } => EventKind::Leading,
            Self::Clock { .. } => EventKind::Clock,
            Self::Wrote { .. } => EventKind::Wrote,
            Self::Committed { .. } => EventKind::Committed,
            Self::Muted { muted: true, .. } => EventKind::Muted,
            Self::Muted { muted: false, .. } => EventKind::Unmuted,
            Self::Cut { .. } => EventKind::Cut,
            Self::Healed { .. } => EventKind::Healed,
            Self::Stopped => EventKind::Stopped,
            Self::Started => EventKind::Started,
        }
    }

    /// The session that it is about, where that is not the one of a connection.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what passes has none"
    )]
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self {
            Self::SessionEnded { session, .. }
            | Self::Committed { session, .. }
            | Self::Muted { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// The transaction in which it happened, or that it knows of.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what passes has none"
    )]
    pub(crate) fn zxid(&self) -> Option<Zxid> {
        match self {
            Self::Reply { zxid, .. }
            | Self::Event { zxid, .. }
            | Self::SessionEnded { zxid, .. }
            | Self::Reaped { zxid, .. }
            | Self::Committed { zxid, .. }
            | Self::Wrote { zxid, .. } => Some(*zxid),
            _ => None,
        }
    }

    /// What was asked for, where something was.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what passes has none"
    )]
    pub(crate) fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Request { asked, .. } | Self::Reply { asked, .. } | Self::Wrote { asked, .. } => {
                Some(asked)
            }
            _ => None,
        }
    }

    /// Error of a reply or of a write of the test, if it is refused.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most messages and entries carry no error"
    )]
    pub(crate) fn error(&self) -> Option<ErrorCode> {
        match self {
            Self::Reply { error, .. } | Self::Wrote { error, .. } => *error,
            _ => None,
        }
    }

    /// Results of the operations of a multi, if this is a reply that has them.
    pub(crate) fn outcomes(&self) -> Outcomes<'_> {
        if let Self::Reply { outcomes, .. } = self {
            *outcomes
        } else {
            Outcomes::None
        }
    }

    /// Whether it is about a path that is meant.
    pub(crate) fn is_about(&self, mut is_meant: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Request { asked, .. } | Self::Wrote { asked, .. } => asked.paths().any(is_meant),
            Self::Reply { asked, created, .. } => {
                asked.paths().any(&mut is_meant) || created.is_some_and(is_meant)
            }
            Self::Event { path, .. } | Self::Reaped { path, .. } => is_meant(path),
            Self::SessionEnded { deleted, .. } => deleted.iter().any(|path| is_meant(path)),
            Self::Committed { paths, .. } => paths.iter().any(|path| is_meant(path)),
            Self::Held { message, .. } | Self::Released { message, .. } => {
                message.paths().iter().any(|path| is_meant(path))
            }
            Self::Accepted { .. }
            | Self::Disconnected
            | Self::Closing { .. }
            | Self::Connect { .. }
            | Self::Connected { .. }
            | Self::Fault { .. }
            | Self::Ensemble { .. }
            | Self::Leading { .. }
            | Self::Clock { .. }
            | Self::Muted { .. }
            | Self::Cut { .. }
            | Self::Healed { .. }
            | Self::Stopped
            | Self::Started => false,
        }
    }
}

/// What a request asks for, kept until its reply has passed. The room for it is used again for the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// `None` for an operation that nobody knows.
    pub(crate) operation: Option<Operation>,
    pub(crate) watch: bool,
    /// Whether something of the kind is to be created.
    pub(crate) ephemeral: bool,
    pub(crate) sequential: bool,
    /// The paths, one after the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// Operations of a multi or multiRead, in order.
    parts: Vec<Part>,
}

/// One operation of a multi or multiRead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// `None` for a write in a multiRead.
    pub(crate) operation: Option<Operation>,
    pub(crate) ephemeral: bool,
    pub(crate) sequential: bool,
    /// Index of its path among those of the request; `None` if the path is null.
    path: Option<usize>,
}

impl Asked {
    /// Takes note of a request.
    pub(crate) fn note(&mut self, request: &Request<'_>) {
        self.operation = request.operation();
        self.watch = request.watches();
        self.ephemeral = request.creates(CreateMode::is_ephemeral);
        self.sequential = request.creates(CreateMode::is_sequential);
        self.text.clear();
        self.ends.clear();
        request.paths(|path| {
            self.text.push_str(path);
            self.ends.push(self.text.len());
        });
        self.parts.clear();
        let mut next_path = 0;
        request.operations(|part| {
            self.parts.push(Part {
                operation: part.operation,
                ephemeral: part.mode.is_some_and(CreateMode::is_ephemeral),
                sequential: part.mode.is_some_and(CreateMode::is_sequential),
                path: part.path.map(|_| next_path),
            });
            next_path += usize::from(part.path.is_some());
        });
        // One huge request is not paid for as long as the server runs.
        self.text.shrink_to(KEPT_ROOM);
        self.ends.shrink_to(KEPT_ROOM);
        self.parts.shrink_to(KEPT_ROOM);
    }

    /// Restores a request from its journal entry.
    pub(crate) fn set(&mut self, operation: Option<Operation>, paths: &[String]) {
        self.operation = operation;
        self.text.clear();
        self.ends.clear();
        self.parts.clear();
        for path in paths {
            self.text.push_str(path);
            self.ends.push(self.text.len());
        }
    }

    /// Restores the operations of a multi from its journal entry; their paths are those of the request, in order.
    pub(crate) fn set_parts(&mut self, parts: &[MultiPart]) {
        let mut next_path = 0;
        self.parts.extend(parts.iter().map(|part| {
            let path = part.path.as_ref().map(|_| next_path);
            next_path += usize::from(path.is_some());
            Part {
                operation: part.operation,
                ephemeral: part.ephemeral,
                sequential: part.sequential,
                path,
            }
        }));
    }

    /// The paths that it is about, in order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let path = self.text.get(begin..*end);
            begin = *end;
            path.unwrap_or_default()
        })
    }

    /// Operations of a multi or multiRead, in order.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Path of one of the operations.
    pub(crate) fn path_of(&self, part: Part) -> Option<&str> {
        let at = part.path?;
        let begin = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(begin..*self.ends.get(at)?)
    }

    /// The paths, one after the other.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where each path ends in that text.
    pub(crate) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// How many bytes the paths and their lengths take.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<u32>()
    }
}

/// Results of the operations of a multi or multiRead, if its reply has them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Outcomes<'a> {
    /// The reply has none: it refuses the whole multi, or answers another operation.
    #[default]
    None,
    /// Results from the rules.
    Results(&'a [MultiResult<'a>]),
    /// Results from the journal.
    Kept(&'a [MultiPart]),
}

impl<'a> Outcomes<'a> {
    pub(crate) fn are_known(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Error of one operation.
    pub(crate) fn error(self, at: usize) -> Option<ErrorCode> {
        match self {
            Self::None => None,
            Self::Results(results) => match results.get(at)? {
                MultiResult::Error(error) => *error,
                MultiResult::Create(_)
                | MultiResult::Create2(..)
                | MultiResult::Delete
                | MultiResult::SetData(_)
                | MultiResult::Check
                | MultiResult::Data(..)
                | MultiResult::Children(_) => None,
            },
            Self::Kept(parts) => parts.get(at)?.error,
        }
    }

    /// Path that one operation created.
    pub(crate) fn created(self, at: usize) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Results(results) => match results.get(at)? {
                MultiResult::Create(path) | MultiResult::Create2(path, _) => Some(path),
                MultiResult::Delete
                | MultiResult::SetData(_)
                | MultiResult::Check
                | MultiResult::Data(..)
                | MultiResult::Children(_)
                | MultiResult::Error(_) => None,
            },
            Self::Kept(parts) => parts.get(at)?.created.as_deref(),
        }
    }

    /// Error by which a multi failed, if it did. The operations of a multiRead fail one by one.
    pub(crate) fn failure(self, operation: Option<Operation>) -> Option<ErrorCode> {
        if operation != Some(Operation::Multi) {
            return None;
        }
        let count = match self {
            Self::None => 0,
            Self::Results(results) => results.len(),
            Self::Kept(parts) => parts.len(),
        };
        (0..count).find_map(|at| self.error(at))
    }
}

/// So much room is kept for the next request.
const KEPT_ROOM: usize = 4096;
