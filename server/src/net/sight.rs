//! What passes the door, as faults, holds and the journal see it: borrowed, and told apart no further than they need.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::{Direction, Entrance, HeldMessage, Kind, Matcher};
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{
    CreateMode, EnsembleAction, ErrorCode, EventType, MemberId, Operation, Request, SessionId,
    Timestamp, Xid, Zxid,
};

/// Whose connection something passes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who<'a> {
    pub(super) connection: ConnectionId,
    /// 0 until it has a session.
    pub(super) session: SessionId,
    pub(super) entrance: &'a Entrance,
}

impl Who<'_> {
    /// Whose it is that passes here: who comes back says so, and has the session only then.
    pub(super) fn session_of(&self, sight: &Sight<'_>) -> SessionId {
        if let Sight::Connect { session, .. } = sight {
            *session
        } else {
            self.session
        }
    }
}

/// Something that passes.
#[derive(Clone, Debug)]
pub(super) enum Sight<'a> {
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
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Accepted { .. } => Kind::Accepted,
            Self::Disconnected => Kind::Disconnected,
            Self::Closing { .. } => Kind::Closing,
            Self::Connect { .. } => Kind::Connect,
            Self::Connected { .. } => Kind::Connected,
            Self::Request { .. } => Kind::Request,
            Self::Reply { .. } => Kind::Reply,
            Self::Event { .. } => Kind::Event,
            Self::SessionEnded { expired: false, .. } => Kind::SessionClosed,
            Self::SessionEnded { expired: true, .. } => Kind::SessionExpired,
            Self::Reaped { .. } => Kind::Reaped,
            Self::Fault { .. } => Kind::Fault,
            Self::Held { .. } => Kind::Held,
            Self::Released { .. } => Kind::Released,
            Self::Ensemble { .. } => Kind::Ensemble,
            Self::Leading { .. } => Kind::Leading,
            Self::Clock { .. } => Kind::Clock,
            Self::Wrote { .. } => Kind::Wrote,
            Self::Muted { muted: true, .. } => Kind::Muted,
            Self::Muted { muted: false, .. } => Kind::Unmuted,
            Self::Cut { .. } => Kind::Cut,
            Self::Healed { .. } => Kind::Healed,
            Self::Stopped => Kind::Stopped,
            Self::Started => Kind::Started,
        }
    }

    /// The session that it is about, where that is not the one of a connection.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what passes has none"
    )]
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Self::SessionEnded { session, .. } | Self::Muted { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// The transaction in which it happened, or that it knows of.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what passes has none"
    )]
    pub(super) fn zxid(&self) -> Option<Zxid> {
        match self {
            Self::Reply { zxid, .. }
            | Self::Event { zxid, .. }
            | Self::SessionEnded { zxid, .. }
            | Self::Reaped { zxid, .. }
            | Self::Wrote { zxid, .. } => Some(*zxid),
            _ => None,
        }
    }

    /// What was asked for, where something was.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what passes has none"
    )]
    pub(super) fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Request { asked, .. } | Self::Reply { asked, .. } | Self::Wrote { asked, .. } => {
                Some(asked)
            }
            _ => None,
        }
    }

    /// Whether it is about a path that is meant.
    pub(super) fn is_about(&self, mut is_meant: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Request { asked, .. } | Self::Wrote { asked, .. } => asked.paths().any(is_meant),
            Self::Reply { asked, created, .. } => {
                asked.paths().any(&mut is_meant) || created.is_some_and(is_meant)
            }
            Self::Event { path, .. } | Self::Reaped { path, .. } => is_meant(path),
            Self::SessionEnded { deleted, .. } => deleted.iter().any(|path| is_meant(path)),
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
pub(super) struct Asked {
    /// `None` for an operation that nobody knows.
    pub(super) operation: Option<Operation>,
    pub(super) watch: bool,
    /// Whether something of the kind is to be created.
    pub(super) ephemeral: bool,
    pub(super) sequential: bool,
    /// The paths, one after the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Asked {
    /// Takes note of a request.
    pub(super) fn note(&mut self, request: &Request<'_>) {
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
        // One huge request is not paid for as long as the server runs.
        self.text.shrink_to(KEPT_ROOM);
        self.ends.shrink_to(KEPT_ROOM);
    }

    /// The same again, from what was kept of it.
    pub(super) fn set(&mut self, operation: Option<Operation>, paths: &[String]) {
        self.operation = operation;
        self.text.clear();
        self.ends.clear();
        for path in paths {
            self.text.push_str(path);
            self.ends.push(self.text.len());
        }
    }

    /// The paths that it is about, in order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let path = self.text.get(begin..*end);
            begin = *end;
            path.unwrap_or_default()
        })
    }

    /// The paths, one after the other.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where each path ends in that text.
    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// How many bytes the paths and their lengths take.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<u32>()
    }
}

/// So much room is kept for the next request.
const KEPT_ROOM: usize = 4096;
