//! What passes the door, as faults, holds and the journal see it: borrowed, and told apart no further than they need.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::{Entrance, Kind};
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
    },
    Reply {
        xid: Xid,
        zxid: Zxid,
        asked: &'a Asked,
        error: Option<ErrorCode>,
        created: Option<&'a str>,
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
    },
    Released {
        item: u64,
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
        }
    }

    /// Whether it is about a path that is meant.
    pub(super) fn is_about(&self, mut is_meant: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Request { asked, .. } => asked.paths().iter().any(|path| is_meant(path)),
            Self::Reply { asked, created, .. } => {
                asked.paths().iter().any(|path| is_meant(path)) || created.is_some_and(is_meant)
            }
            Self::Event { path, .. } | Self::Reaped { path, .. } => is_meant(path),
            Self::SessionEnded { deleted, .. } => deleted.iter().any(|path| is_meant(path)),
            Self::Accepted { .. }
            | Self::Disconnected
            | Self::Closing { .. }
            | Self::Connect { .. }
            | Self::Connected { .. }
            | Self::Fault { .. }
            | Self::Held { .. }
            | Self::Released { .. }
            | Self::Ensemble { .. }
            | Self::Leading { .. }
            | Self::Clock { .. } => false,
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
    /// The length of the data that it would write.
    pub(super) data_length: Option<usize>,
    /// The data, as far as it is kept.
    pub(super) data: Vec<u8>,
    paths: Vec<String>,
    used: usize,
}

impl Asked {
    /// Takes note of a request, and of so many bytes of its data.
    pub(super) fn note(&mut self, request: &Request<'_>, cap: usize) {
        self.operation = request.operation();
        self.watch = request.watches();
        self.ephemeral = request.creates(CreateMode::is_ephemeral);
        self.sequential = request.creates(CreateMode::is_sequential);
        self.used = 0;
        request.paths(|path| {
            if let Some(room) = self.paths.get_mut(self.used) {
                room.clear();
                room.push_str(path);
            } else {
                self.paths.push(path.to_owned());
            }
            self.used += 1;
        });
        self.data.clear();
        let data = request.data();
        self.data_length = data.map(<[u8]>::len);
        if let Some(data) = data {
            self.data.extend_from_slice(data.get(..cap).unwrap_or(data));
        }
    }

    /// The same again, from what was kept of it.
    pub(super) fn set(&mut self, operation: Option<Operation>, paths: &[String]) {
        self.operation = operation;
        self.paths = paths.to_vec();
        self.used = paths.len();
    }

    /// The paths that it is about, in order.
    pub(super) fn paths(&self) -> &[String] {
        self.paths.get(..self.used).unwrap_or_default()
    }
}
