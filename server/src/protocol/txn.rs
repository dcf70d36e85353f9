//! Transactions as data, as in ZooKeeper's log.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Acl, ErrorCode, SessionId, Timestamp, Xid, Zxid};

/// A committed transaction.
///
/// Refused writes and the opening and closing of a session are transactions too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Txn<'a> {
    /// Session that requested the transaction, 0 for the server itself.
    pub(crate) session: SessionId,
    /// Number that the client gave to the request.
    pub(crate) cxid: Xid,
    /// Number of the transaction.
    pub(crate) zxid: Zxid,
    /// Time at which the transaction was prepared: the `ctime` and `mtime` of changed znodes.
    pub(crate) time: Timestamp,
    /// The change.
    pub(crate) record: TxnRecord<'a>,
}

/// The change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TxnRecord<'a> {
    /// A session was opened.
    CreateSession {
        /// Timeout in milliseconds.
        timeout_ms: i32,
    },
    /// A session was closed, and its ephemerals were removed.
    CloseSession {
        /// Paths of the removed znodes, in the order of their removal.
        paths: Vec<Cow<'a, str>>,
    },
    /// A write was refused. Only the last zxid changed.
    Error {
        /// Reason of the refusal.
        code: ErrorCode,
    },
    /// A znode was created.
    Create(CreateTxn<'a>),
    /// A znode was deleted.
    Delete {
        /// Path of the znode.
        path: Cow<'a, str>,
    },
    /// The server removed a container or a znode with a time to live.
    DeleteContainer {
        /// Path of the znode.
        path: Cow<'a, str>,
    },
    /// The data of a znode were set.
    SetData {
        /// Path of the znode.
        path: Cow<'a, str>,
        /// The new data.
        data: Option<Cow<'a, [u8]>>,
        /// The new version.
        version: i32,
    },
    /// The ACL of a znode was set.
    SetAcl {
        /// Path of the znode.
        path: Cow<'a, str>,
        /// The new ACL, expanded.
        acl: Arc<[Acl]>,
        /// The new `aversion`.
        version: i32,
    },
    /// A version was checked. Occurs only in a multi and changes nothing.
    Check {
        /// Path of the znode.
        path: Cow<'a, str>,
        /// The version that a write would give the znode.
        version: i32,
    },
    /// Several changes. If one is an [`Error`](Self::Error), none took place.
    Multi(
        /// One change for each operation.
        Vec<Self>,
    ),
}

/// The creation of a znode. ZooKeeper's log has record types of their own for containers and for znodes with a time to
/// live.
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
    /// Converts the transaction to one that borrows nothing.
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
    /// Returns ZooKeeper's name of the change.
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

    /// Returns the paths of the znodes concerned, in order.
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

    /// Converts the record to one that borrows nothing.
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
