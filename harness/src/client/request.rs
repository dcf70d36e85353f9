//! Requests of a client, valid ones and, with [`Request::Raw`], any others.

use super::op;
use super::record::{Field, Writer, count};

/// The xid of watch events.
pub const WATCH_EVENT_XID: i32 = -1;

/// The first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The highest zxid that the client has seen.
    pub last_zxid_seen: i64,
    /// The requested session timeout, in milliseconds.
    pub timeout_ms: i32,
    /// The session to resume; 0 for a new one.
    pub session_id: i64,
    /// The session's password.
    pub password: Option<Vec<u8>>,
    /// The read-only byte, which clients up to 3.3 do not send.
    pub read_only: Option<bool>,
}

impl ConnectRequest {
    /// Creates a request for a new session.
    #[must_use]
    pub fn new(timeout_ms: i32) -> Self {
        Self {
            last_zxid_seen: 0,
            timeout_ms,
            session_id: 0,
            password: Some(vec![0; 16]),
            read_only: Some(false),
        }
    }

    /// Returns the frame and its fields.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Vec<Field>) {
        let mut out = Writer::default();
        out.int("protocolVersion", 0);
        out.long("lastZxidSeen", self.last_zxid_seen);
        out.int("timeOut", self.timeout_ms);
        out.long("sessionId", self.session_id);
        out.buffer("passwd", self.password.as_deref());
        if let Some(read_only) = self.read_only {
            out.bool("readOnly", read_only);
        }
        out.finish()
    }
}

/// An entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// The permissions: read 1, write 2, create 4, delete 8, admin 16.
    pub perms: i32,
    /// The scheme, such as `world`.
    pub scheme: String,
    /// The id, such as `anyone`.
    pub id: String,
}

impl Acl {
    /// Creates an entry.
    #[must_use]
    pub fn new(perms: i32, scheme: &str, id: &str) -> Self {
        Self {
            perms,
            scheme: scheme.to_owned(),
            id: id.to_owned(),
        }
    }

    /// Returns the ACL that gives all permissions to all clients.
    #[must_use]
    pub fn open() -> Vec<Self> {
        vec![Self::new(31, "world", "anyone")]
    }
}

/// Operation of a creating request.
///
/// ZooKeeper reads the same fields for all of them, and a time to live in addition for `createTTL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateKind {
    /// `create`.
    Create,
    /// `create2`, whose answer has a stat.
    Create2,
    /// `createContainer`.
    Container,
    /// `createTTL`.
    Ttl {
        /// Time to live, in milliseconds.
        ttl_ms: i64,
    },
}

impl CreateKind {
    fn op(self) -> i32 {
        match self {
            Self::Create => op::CREATE,
            Self::Create2 => op::CREATE2,
            Self::Container => op::CREATE_CONTAINER,
            Self::Ttl { .. } => op::CREATE_TTL,
        }
    }
}

/// A request. The fields have the names of `zookeeper.jute`, in Rust case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "variants and fields are ZooKeeper's operations and records, by name"
)]
pub enum Request {
    Create {
        kind: CreateKind,
        path: String,
        data: Option<Vec<u8>>,
        acl: Vec<Acl>,
        flags: i32,
    },
    Delete {
        path: String,
        version: i32,
    },
    DeleteContainer {
        path: String,
    },
    Exists {
        path: String,
        watch: bool,
    },
    GetData {
        path: String,
        watch: bool,
    },
    SetData {
        path: String,
        data: Option<Vec<u8>>,
        version: i32,
    },
    GetAcl {
        path: String,
    },
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
    },
    GetChildren {
        path: String,
        watch: bool,
    },
    GetChildren2 {
        path: String,
        watch: bool,
    },
    Sync {
        path: String,
    },
    Ping,
    Check {
        path: String,
        version: i32,
    },
    Multi(Vec<Self>),
    MultiRead(Vec<Self>),
    Reconfig {
        joining: String,
        leaving: String,
        new_members: String,
        config_id: i64,
    },
    CheckWatches {
        path: String,
        kind: i32,
    },
    RemoveWatches {
        path: String,
        kind: i32,
    },
    Auth {
        scheme: String,
        auth: Vec<u8>,
    },
    SetWatches {
        relative_zxid: i64,
        data: Vec<String>,
        exist: Vec<String>,
        child: Vec<String>,
    },
    SetWatches2 {
        relative_zxid: i64,
        data: Vec<String>,
        exist: Vec<String>,
        child: Vec<String>,
        persistent: Vec<String>,
        recursive: Vec<String>,
    },
    Sasl {
        token: Option<Vec<u8>>,
    },
    GetEphemerals {
        prefix: String,
    },
    GetAllChildrenNumber {
        path: String,
    },
    AddWatch {
        path: String,
        mode: i32,
    },
    WhoAmI,
    CloseSession,
    /// Any operation with any body, for requests that an ordinary client does not send.
    Raw {
        op: i32,
        body: Vec<u8>,
    },
}

impl Request {
    /// Returns the operation code.
    #[must_use]
    pub fn op(&self) -> i32 {
        match self {
            Self::Create { kind, .. } => kind.op(),
            Self::Delete { .. } => op::DELETE,
            Self::DeleteContainer { .. } => op::DELETE_CONTAINER,
            Self::Exists { .. } => op::EXISTS,
            Self::GetData { .. } => op::GET_DATA,
            Self::SetData { .. } => op::SET_DATA,
            Self::GetAcl { .. } => op::GET_ACL,
            Self::SetAcl { .. } => op::SET_ACL,
            Self::GetChildren { .. } => op::GET_CHILDREN,
            Self::GetChildren2 { .. } => op::GET_CHILDREN2,
            Self::Sync { .. } => op::SYNC,
            Self::Ping => op::PING,
            Self::Check { .. } => op::CHECK,
            Self::Multi(_) => op::MULTI,
            Self::MultiRead(_) => op::MULTI_READ,
            Self::Reconfig { .. } => op::RECONFIG,
            Self::CheckWatches { .. } => op::CHECK_WATCHES,
            Self::RemoveWatches { .. } => op::REMOVE_WATCHES,
            Self::Auth { .. } => op::AUTH,
            Self::SetWatches { .. } => op::SET_WATCHES,
            Self::SetWatches2 { .. } => op::SET_WATCHES2,
            Self::Sasl { .. } => op::SASL,
            Self::GetEphemerals { .. } => op::GET_EPHEMERALS,
            Self::GetAllChildrenNumber { .. } => op::GET_ALL_CHILDREN_NUMBER,
            Self::AddWatch { .. } => op::ADD_WATCH,
            Self::WhoAmI => op::WHO_AM_I,
            Self::CloseSession => op::CLOSE_SESSION,
            Self::Raw { op, .. } => *op,
        }
    }

    /// Returns the fixed xid that clients give to this operation, if it is not one of their counter.
    #[must_use]
    pub fn special_xid(&self) -> Option<i32> {
        match self.op() {
            op::PING => Some(-2),
            op::AUTH => Some(-4),
            op::SET_WATCHES | op::SET_WATCHES2 => Some(-8),
            _ => None,
        }
    }

    /// Whether the request changes at most the watches of its own connection, whether or not it succeeds.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        matches!(
            self.op(),
            op::EXISTS
                | op::GET_DATA
                | op::GET_ACL
                | op::GET_CHILDREN
                | op::GET_CHILDREN2
                | op::SYNC
                | op::PING
                | op::MULTI_READ
                | op::CHECK_WATCHES
                | op::REMOVE_WATCHES
                | op::ADD_WATCH
                | op::SET_WATCHES
                | op::SET_WATCHES2
                | op::GET_EPHEMERALS
                | op::GET_ALL_CHILDREN_NUMBER
                | op::WHO_AM_I
        )
    }

    /// Whether the request may set a watch.
    #[must_use]
    pub fn may_watch(&self) -> bool {
        if let Self::Exists { watch, .. }
        | Self::GetData { watch, .. }
        | Self::GetChildren { watch, .. }
        | Self::GetChildren2 { watch, .. } = self
        {
            return *watch;
        }
        matches!(
            self,
            Self::Raw { .. }
                | Self::AddWatch { .. }
                | Self::SetWatches { .. }
                | Self::SetWatches2 { .. }
        )
    }

    /// Returns the frame and its fields.
    #[must_use]
    pub fn encode(&self, xid: i32) -> (Vec<u8>, Vec<Field>) {
        let mut out = Writer::default();
        out.int("xid", xid);
        out.int("type", self.op());
        self.body(&mut out);
        out.finish()
    }

    // Longer than 60 lines: one arm for each record of `zookeeper.jute`.
    fn body(&self, out: &mut Writer) {
        match self {
            Self::Create {
                kind,
                path,
                data,
                acl,
                flags,
            } => {
                out.string("path", path);
                out.buffer("data", data.as_deref());
                acls(out, acl);
                out.int("flags", *flags);
                if let CreateKind::Ttl { ttl_ms } = kind {
                    out.long("ttl", *ttl_ms);
                }
            }
            Self::Delete { path, version } | Self::Check { path, version } => {
                out.string("path", path);
                out.int("version", *version);
            }
            Self::Exists { path, watch }
            | Self::GetData { path, watch }
            | Self::GetChildren { path, watch }
            | Self::GetChildren2 { path, watch } => {
                out.string("path", path);
                out.bool("watch", *watch);
            }
            Self::SetData {
                path,
                data,
                version,
            } => {
                out.string("path", path);
                out.buffer("data", data.as_deref());
                out.int("version", *version);
            }
            Self::SetAcl { path, acl, version } => {
                out.string("path", path);
                acls(out, acl);
                out.int("version", *version);
            }
            Self::DeleteContainer { path }
            | Self::GetAcl { path }
            | Self::Sync { path }
            | Self::GetAllChildrenNumber { path } => out.string("path", path),
            Self::GetEphemerals { prefix } => out.string("prefixPath", prefix),
            Self::Ping | Self::WhoAmI | Self::CloseSession => {}
            Self::Multi(requests) | Self::MultiRead(requests) => {
                for request in requests {
                    multi_header(out, request.op(), false);
                    request.body(out);
                }
                multi_header(out, -1, true);
            }
            Self::Reconfig {
                joining,
                leaving,
                new_members,
                config_id,
            } => {
                out.string("joiningServers", joining);
                out.string("leavingServers", leaving);
                out.string("newMembers", new_members);
                out.long("curConfigId", *config_id);
            }
            Self::CheckWatches { path, kind } | Self::RemoveWatches { path, kind } => {
                out.string("path", path);
                out.int("type", *kind);
            }
            Self::Auth { scheme, auth } => {
                out.int("type", 0);
                out.string("scheme", scheme);
                out.buffer("auth", Some(auth));
            }
            Self::SetWatches {
                relative_zxid,
                data,
                exist,
                child,
            } => {
                set_watches(out, *relative_zxid, data, exist, child);
            }
            Self::SetWatches2 {
                relative_zxid,
                data,
                exist,
                child,
                persistent,
                recursive,
            } => {
                set_watches(out, *relative_zxid, data, exist, child);
                out.strings("persistentWatch", persistent);
                out.strings("persistentRecursiveWatch", recursive);
            }
            Self::Sasl { token } => out.buffer("token", token.as_deref()),
            Self::AddWatch { path, mode } => {
                out.string("path", path);
                out.int("mode", *mode);
            }
            Self::Raw { body, .. } => out.raw("body", body),
        }
    }
}

fn acls(out: &mut Writer, acl: &[Acl]) {
    out.int("count", count(acl.len()));
    for entry in acl {
        out.int("perms", entry.perms);
        out.string("scheme", &entry.scheme);
        out.string("id", &entry.id);
    }
}

fn multi_header(out: &mut Writer, op: i32, done: bool) {
    out.int("type", op);
    out.bool("done", done);
    out.int("err", -1);
}

fn set_watches(out: &mut Writer, zxid: i64, data: &[String], exist: &[String], child: &[String]) {
    out.long("relativeZxid", zxid);
    out.strings("dataWatch", data);
    out.strings("existWatch", exist);
    out.strings("childWatch", child);
}

#[cfg(test)]
mod tests {
    use super::{Acl, CreateKind, Request};

    fn check(request: &Request, xid: i32, hex: &str) {
        let bytes: String = request
            .encode(xid)
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(bytes, hex.replace(' ', ""));
    }

    // Frames that an ordinary client sent to a real 3.9.5.
    #[test]
    fn requests_have_the_bytes_of_an_ordinary_client() {
        let path = "/a".to_owned();
        check(
            &Request::Exists {
                path: path.clone(),
                watch: true,
            },
            1,
            "0000000f 00000001 00000003 00000002 2f61 01",
        );
        check(
            &Request::Create {
                kind: CreateKind::Create,
                path: path.clone(),
                data: Some(b"hi".to_vec()),
                acl: Acl::open(),
                flags: 0,
            },
            2,
            "00000033 00000002 00000001 00000002 2f61 00000002 6869 00000001 0000001f 00000005 776f726c64 \
             00000006 616e796f6e65 00000000",
        );
        check(
            &Request::SetWatches {
                relative_zxid: 0,
                data: vec![path.clone()],
                exist: vec![],
                child: vec![],
            },
            -8,
            "00000022 fffffff8 00000065 0000000000000000 00000001 00000002 2f61 00000000 00000000",
        );
        check(
            &Request::Multi(vec![
                Request::Check { path, version: 0 },
                Request::Delete {
                    path: "/nope".to_owned(),
                    version: -1,
                },
            ]),
            6,
            "0000003a 00000006 0000000e 0000000d 00 ffffffff 00000002 2f61 00000000 00000002 00 ffffffff \
             00000005 2f6e6f7065 ffffffff ffffffff 01 ffffffff",
        );
    }
}
