//! What one zxid changed, as ZooKeeper's log would hold it.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Acl, ErrorCode, SessionId, Timestamp, Xid, Zxid};

/// One committed transaction: who asked, which number it took, when, and what it changed.
///
/// A refused write and the opening and closing of a session are transactions too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Txn<'a> {
    /// The session that asked, 0 for the server itself.
    pub(crate) session: SessionId,
    /// The number that the client gave to the request.
    pub(crate) cxid: Xid,
    /// The transaction's own number.
    pub(crate) zxid: Zxid,
    /// When it was prepared: the `ctime` and `mtime` of what it touches.
    pub(crate) time: Timestamp,
    /// What it changed.
    pub(crate) record: TxnRecord<'a>,
}

/// What a transaction changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TxnRecord<'a> {
    /// A session began.
    CreateSession {
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// A session ended, and these ephemeral znodes with it.
    CloseSession {
        /// The znodes that went, in the order in which they went.
        paths: Vec<Cow<'a, str>>,
    },
    /// A write was refused; it changed nothing but the last zxid.
    Error {
        /// Why.
        code: ErrorCode,
    },
    /// A znode was created.
    Create(CreateTxn<'a>),
    /// A znode was deleted.
    Delete {
        /// Its path.
        path: Cow<'a, str>,
    },
    /// A container or a znode with a time to live was removed by the server.
    DeleteContainer {
        /// Its path.
        path: Cow<'a, str>,
    },
    /// Data were set.
    SetData {
        /// The znode.
        path: Cow<'a, str>,
        /// Its new data.
        data: Option<Cow<'a, [u8]>>,
        /// Its new version.
        version: i32,
    },
    /// An ACL was set.
    SetAcl {
        /// The znode.
        path: Cow<'a, str>,
        /// Its new ACL, expanded.
        acl: Arc<[Acl]>,
        /// Its new `aversion`.
        version: i32,
    },
    /// A version was checked; only within a multi, and without effect.
    Check {
        /// The znode.
        path: Cow<'a, str>,
        /// The version it would have after a write.
        version: i32,
    },
    /// Several changes at once. If any is an [`Error`](Self::Error), none took place.
    Multi(
        /// One for each operation.
        Vec<Self>,
    ),
}

/// A create of a znode. ZooKeeper's log has a record of its own for containers and for znodes with a time to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreateTxn<'a> {
    /// Path of the new znode, sequence number included.
    pub(crate) path: Cow<'a, str>,
    pub(crate) data: Option<Cow<'a, [u8]>>,
    /// ACL of the new znode, expanded.
    pub(crate) acl: Arc<[Acl]>,
    pub(crate) kind: CreatedKind,
    /// Number of creates in the parent, this one included.
    pub(crate) parent_cversion: i32,
}

/// Lifetime of a created znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreatedKind {
    Persistent,
    /// As long as the session of the transaction ([`Txn::session`]).
    Ephemeral,
    Container,
    /// A time to live in milliseconds.
    Ttl {
        ms: i64,
    },
}

impl Txn<'_> {
    /// The same transaction, borrowing nothing.
    pub(crate) fn into_owned(self) -> Txn<'static> {
        Txn {
            session: self.session,
            cxid: self.cxid,
            zxid: self.zxid,
            time: self.time,
            record: self.record.into_owned(),
        }
    }
}

impl TxnRecord<'_> {
    /// The name of the change, as ZooKeeper has it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::CreateSession { .. } => "createSession",
            Self::CloseSession { .. } => "closeSession",
            Self::Error { .. } => "error",
            Self::Create(create) => match create.kind {
                CreatedKind::Persistent | CreatedKind::Ephemeral => "create",
                CreatedKind::Container => "createContainer",
                CreatedKind::Ttl { .. } => "createTTL",
            },
            Self::Delete { .. } => "delete",
            Self::DeleteContainer { .. } => "deleteContainer",
            Self::SetData { .. } => "setData",
            Self::SetAcl { .. } => "setACL",
            Self::Check { .. } => "check",
            Self::Multi(_) => "multi",
        }
    }

    /// The paths of the znodes that it is about, in order.
    pub(crate) fn paths(&self) -> Vec<&str> {
        match self {
            Self::CreateSession { .. } | Self::Error { .. } => Vec::new(),
            Self::CloseSession { paths } => paths.iter().map(AsRef::as_ref).collect(),
            Self::Create(CreateTxn { path, .. })
            | Self::Delete { path }
            | Self::DeleteContainer { path }
            | Self::SetData { path, .. }
            | Self::SetAcl { path, .. }
            | Self::Check { path, .. } => vec![path],
            Self::Multi(records) => records.iter().flat_map(Self::paths).collect(),
        }
    }

    /// The same record, borrowing nothing.
    pub(crate) fn into_owned(self) -> TxnRecord<'static> {
        fn text(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        fn bytes(data: Option<Cow<'_, [u8]>>) -> Option<Cow<'static, [u8]>> {
            data.map(|data| Cow::Owned(data.into_owned()))
        }
        match self {
            Self::CreateSession { timeout_ms } => TxnRecord::CreateSession { timeout_ms },
            Self::CloseSession { paths } => TxnRecord::CloseSession {
                paths: paths.into_iter().map(text).collect(),
            },
            Self::Error { code } => TxnRecord::Error { code },
            Self::Create(create) => TxnRecord::Create(CreateTxn {
                path: text(create.path),
                data: bytes(create.data),
                acl: create.acl,
                kind: create.kind,
                parent_cversion: create.parent_cversion,
            }),
            Self::Delete { path } => TxnRecord::Delete { path: text(path) },
            Self::DeleteContainer { path } => TxnRecord::DeleteContainer { path: text(path) },
            Self::SetData {
                path,
                data,
                version,
            } => TxnRecord::SetData {
                path: text(path),
                data: bytes(data),
                version,
            },
            Self::SetAcl { path, acl, version } => TxnRecord::SetAcl {
                path: text(path),
                acl,
                version,
            },
            Self::Check { path, version } => TxnRecord::Check {
                path: text(path),
                version,
            },
            Self::Multi(records) => {
                TxnRecord::Multi(records.into_iter().map(TxnRecord::into_owned).collect())
            }
        }
    }
}
