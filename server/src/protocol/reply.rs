//! Replies of a server. They borrow from the tree and are encoded into the connection's output at once.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Acl, ErrorCode, LongCount, Names, SessionId, Stat, WatchedEvent, Xid, Zxid};

/// One frame from server to client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Connected(ConnectResponse),
    Reply(&'a Reply<'a>),
    Event { zxid: Zxid, event: WatchedEvent<'a> },
}

/// The response to a connect request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectResponse {
    /// 0 if the session is refused: it does not exist any more, or the password is wrong.
    pub(crate) timeout_ms: i32,
    pub(crate) session: SessionId,
    pub(crate) password: [u8; 16],
    /// `None` is not encoded: the client did not send the flag, and old clients fail at an extra byte.
    pub(crate) read_only: Option<bool>,
}

/// The reply to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    pub(crate) xid: Xid,
    pub(crate) zxid: Zxid,
    /// An error has a header only.
    pub(crate) result: Result<Response<'a>, ErrorCode>,
}

/// The body of a reply, by its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response<'a> {
    /// No body: delete, ping, setWatches, checkWatches, removeWatches, auth, closeSession.
    Empty,
    /// A path, null for a sync of null: create, sync.
    Path(Option<Cow<'a, str>>),
    /// create2, createContainer, createTTL.
    PathAndStat(Cow<'a, str>, Stat),
    /// exists, setData, setACL.
    Stat(Stat),
    /// Data shared with its znode, so that long data is sent without a copy.
    Data(Option<&'a Arc<[u8]>>, Stat),
    Acl(Cow<'a, [Acl]>, Stat),
    Children(Names<'a>),
    ChildrenAndStat(Names<'a>, Stat),
    /// getEphemerals.
    Paths(Vec<&'a str>),
    /// getAllChildrenNumber.
    Number(i32),
    /// getAllChildrenNumber of a znode with so many descendants that they are counted after the turn.
    LongNumber(LongCount),
    Multi(Vec<MultiResult<'a>>),
    /// A multiRead that broke off: the header has [`ErrorCode::MarshallingError`], and the results so far follow.
    MultiReadBrokenOff(Vec<MultiResult<'a>>),
    /// addWatch: a body of one int, 0.
    WatchAdded,
    WhoAmI(Vec<ClientInfo<'a>>),
    /// sasl, if it is not configured: a null token.
    NoToken,
}

/// The result of one operation of a multi or multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MultiResult<'a> {
    Create(Cow<'a, str>),
    Create2(Cow<'a, str>, Stat),
    Delete,
    SetData(Stat),
    Check,
    Data(Option<&'a Arc<[u8]>>, Stat),
    Children(Names<'a>),
    /// `None`: the operation would have succeeded, but another one of the multi failed.
    Error(Option<ErrorCode>),
}

/// An identity of a connection, as whoAmI returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientInfo<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) user: &'a str,
}
