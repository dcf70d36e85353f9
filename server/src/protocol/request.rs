//! Requests of a client. Texts and data borrow from their frame. A text may be null where jute allows it; the rules
//! decide what that means.

use super::{AclList, ClientText, CreateMode, SessionId, Zxid};

/// A text as a client sent it, which may be null.
pub(crate) type Text<'a> = Option<ClientText<'a>>;

/// The first frame of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectRequest<'a> {
    pub(crate) last_zxid_seen: Zxid,
    pub(crate) timeout_ms: i32,
    /// 0 asks for a new session.
    pub(crate) session: SessionId,
    pub(crate) password: Option<&'a [u8]>,
    /// `None` if the frame ends before the flag, as from a 3.3 client.
    pub(crate) read_only: Option<bool>,
}

/// A request of a connection that has a session, or could have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    Create(CreateRequest<'a>),
    Delete(DeleteRequest<'a>),
    SetData(SetDataRequest<'a>),
    SetAcl {
        path: Text<'a>,
        acl: Option<AclList<'a>>,
        version: i32,
    },
    Multi(Vec<MultiOp<'a>>),
    MultiRead(Vec<MultiReadOp<'a>>),
    Reconfig,
    Exists {
        path: Text<'a>,
        watch: bool,
    },
    GetData {
        path: Text<'a>,
        watch: bool,
    },
    GetAcl {
        path: Text<'a>,
    },
    GetChildren {
        path: Text<'a>,
        watch: bool,
    },
    GetChildren2 {
        path: Text<'a>,
        watch: bool,
    },
    GetAllChildrenNumber {
        path: Text<'a>,
    },
    GetEphemerals {
        prefix: Text<'a>,
    },
    Sync {
        path: Text<'a>,
    },
    Ping,
    SetWatches(SetWatches<'a>),
    SetWatches2(SetWatches<'a>),
    /// An unknown mode makes the request malformed.
    AddWatch {
        path: Text<'a>,
        mode: super::AddWatchMode,
    },
    CheckWatches {
        path: Text<'a>,
        watcher_type: WatcherType,
    },
    RemoveWatches {
        path: Text<'a>,
        watcher_type: WatcherType,
    },
    WhoAmI,
    Auth {
        scheme: Text<'a>,
        /// A text, which is the form that the only scheme with credentials expects.
        auth: Text<'a>,
    },
    Sasl {
        token: &'a [u8],
    },
    CloseSession,
    /// The header named this operation, but the body is not a valid record of it.
    Malformed(Operation),
    /// No operation has this number, or none that a client may request.
    Unknown {
        op_code: i32,
    },
}

/// The creating operation. The operations differ in their replies and in the allowed flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreateOperation {
    Create,
    Create2,
    CreateContainer,
    CreateTtl,
}

/// `create`, `create2`, `createContainer` and `createTTL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreateRequest<'a> {
    pub(crate) operation: CreateOperation,
    pub(crate) path: Text<'a>,
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) acl: Option<AclList<'a>>,
    pub(crate) flags: i32,
    /// -1 unless the operation is `createTTL`.
    pub(crate) ttl_ms: i64,
}

/// `delete`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeleteRequest<'a> {
    pub(crate) path: Text<'a>,
    pub(crate) version: i32,
}

/// `setData`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetDataRequest<'a> {
    pub(crate) path: Text<'a>,
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) version: i32,
}

/// `check`, which exists only in a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckVersionRequest<'a> {
    pub(crate) path: Text<'a>,
    pub(crate) version: i32,
}

/// An operation of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MultiOp<'a> {
    Create(CreateRequest<'a>),
    Delete(DeleteRequest<'a>),
    SetData(SetDataRequest<'a>),
    Check(CheckVersionRequest<'a>),
    /// A read. It can be decoded here but cannot be part of a transaction.
    Read(MultiReadOp<'a>),
}

impl MultiOp<'_> {
    /// Whether it is a create with a null ACL, which a real server rejects while decoding (`CreateOptions`).
    pub(crate) fn has_null_acl(&self) -> bool {
        matches!(self, Self::Create(CreateRequest { acl: None, operation, .. })
            if *operation != CreateOperation::CreateTtl)
    }
}

/// An operation of a multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MultiReadOp<'a> {
    GetData {
        path: Text<'a>,
    },
    GetChildren {
        path: Text<'a>,
    },
    /// A write. It can be decoded here but is no read.
    Write,
}

/// `setWatches` and `setWatches2`. The former has only the first three lists; the others are empty. The rules refuse a
/// null list or a null path after they processed the lists and paths before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetWatches<'a> {
    pub(crate) relative_zxid: Zxid,
    pub(crate) data: Option<Vec<Text<'a>>>,
    pub(crate) exist: Option<Vec<Text<'a>>>,
    pub(crate) child: Option<Vec<Text<'a>>>,
    pub(crate) persistent: Option<Vec<Text<'a>>>,
    pub(crate) persistent_recursive: Option<Vec<Text<'a>>>,
}

impl Default for SetWatches<'_> {
    /// Returns empty lists, none of them null.
    fn default() -> Self {
        Self {
            relative_zxid: Zxid::default(),
            data: Some(Vec::new()),
            exist: Some(Vec::new()),
            child: Some(Vec::new()),
            persistent: Some(Vec::new()),
            persistent_recursive: Some(Vec::new()),
        }
    }
}

/// The kind of watch that `checkWatches` and `removeWatches` look for. Another number makes the request malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatcherType {
    Children,
    Data,
    Any,
    Persistent,
    PersistentRecursive,
}

/// The name of an operation, without its arguments. Data formats spell it as ZooKeeper does: `create`, `createTTL`,
/// `setData`, `setACL`.
///
/// ```
/// assert_ne!(minikeeper::protocol::Operation::Create, minikeeper::protocol::Operation::Create2);
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the names are those of ZooKeeper's own operations"
)]
pub enum Operation {
    Create,
    Create2,
    CreateContainer,
    #[serde(rename = "createTTL")]
    CreateTtl,
    // Repeated: `Op` lists the operations that a matcher can name, which are fewer and in groups.
    Delete,
    SetData,
    #[serde(rename = "setACL")]
    SetAcl,
    /// Only in a multi.
    Check,
    Multi,
    MultiRead,
    Reconfig,
    Exists,
    GetData,
    #[serde(rename = "getACL")]
    GetAcl,
    GetChildren,
    GetChildren2,
    GetAllChildrenNumber,
    GetEphemerals,
    Sync,
    Ping,
    SetWatches,
    SetWatches2,
    AddWatch,
    CheckWatches,
    RemoveWatches,
    WhoAmI,
    Auth,
    Sasl,
    CloseSession,
}

impl Operation {
    /// All operations.
    pub(crate) const ALL: [Self; 29] = [
        Self::Create,
        Self::Create2,
        Self::CreateContainer,
        Self::CreateTtl,
        Self::Delete,
        Self::SetData,
        Self::SetAcl,
        Self::Check,
        Self::Multi,
        Self::MultiRead,
        Self::Reconfig,
        Self::Exists,
        Self::GetData,
        Self::GetAcl,
        Self::GetChildren,
        Self::GetChildren2,
        Self::GetAllChildrenNumber,
        Self::GetEphemerals,
        Self::Sync,
        Self::Ping,
        Self::SetWatches,
        Self::SetWatches2,
        Self::AddWatch,
        Self::CheckWatches,
        Self::RemoveWatches,
        Self::WhoAmI,
        Self::Auth,
        Self::Sasl,
        Self::CloseSession,
    ];
}

impl Request<'_> {
    /// Returns the operation, `None` for an unknown one.
    pub(crate) fn operation(&self) -> Option<Operation> {
        Some(match self {
            Self::Create(create) => create.operation.into(),
            Self::Delete(_) => Operation::Delete,
            Self::SetData(_) => Operation::SetData,
            Self::SetAcl { .. } => Operation::SetAcl,
            Self::Multi(_) => Operation::Multi,
            Self::MultiRead(_) => Operation::MultiRead,
            Self::Reconfig => Operation::Reconfig,
            Self::Exists { .. } => Operation::Exists,
            Self::GetData { .. } => Operation::GetData,
            Self::GetAcl { .. } => Operation::GetAcl,
            Self::GetChildren { .. } => Operation::GetChildren,
            Self::GetChildren2 { .. } => Operation::GetChildren2,
            Self::GetAllChildrenNumber { .. } => Operation::GetAllChildrenNumber,
            Self::GetEphemerals { .. } => Operation::GetEphemerals,
            Self::Sync { .. } => Operation::Sync,
            Self::Ping => Operation::Ping,
            Self::SetWatches(_) => Operation::SetWatches,
            Self::SetWatches2(_) => Operation::SetWatches2,
            Self::AddWatch { .. } => Operation::AddWatch,
            Self::CheckWatches { .. } => Operation::CheckWatches,
            Self::RemoveWatches { .. } => Operation::RemoveWatches,
            Self::WhoAmI => Operation::WhoAmI,
            Self::Auth { .. } => Operation::Auth,
            Self::Sasl { .. } => Operation::Sasl,
            Self::CloseSession => Operation::CloseSession,
            Self::Malformed(operation) => *operation,
            Self::Unknown { .. } => return None,
        })
    }
}

impl Request<'_> {
    /// Visits the paths of the request, in order.
    // Longer than 60 lines: one arm for each request.
    pub(crate) fn paths(&self, mut visit: impl FnMut(&str)) {
        let mut one = |path: &Text<'_>| path.iter().for_each(|path| visit(&path.decode()));
        match self {
            Self::Create(CreateRequest { path, .. })
            | Self::Delete(DeleteRequest { path, .. })
            | Self::SetData(SetDataRequest { path, .. })
            | Self::SetAcl { path, .. }
            | Self::Exists { path, .. }
            | Self::GetData { path, .. }
            | Self::GetAcl { path }
            | Self::GetChildren { path, .. }
            | Self::GetChildren2 { path, .. }
            | Self::GetAllChildrenNumber { path }
            | Self::GetEphemerals { prefix: path }
            | Self::Sync { path }
            | Self::AddWatch { path, .. }
            | Self::CheckWatches { path, .. }
            | Self::RemoveWatches { path, .. } => one(path),
            Self::Multi(operations) => {
                for operation in operations {
                    match operation {
                        MultiOp::Create(CreateRequest { path, .. })
                        | MultiOp::Delete(DeleteRequest { path, .. })
                        | MultiOp::SetData(SetDataRequest { path, .. })
                        | MultiOp::Check(CheckVersionRequest { path, .. })
                        | MultiOp::Read(
                            MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path },
                        ) => one(path),
                        MultiOp::Read(MultiReadOp::Write) => {}
                    }
                }
            }
            Self::MultiRead(operations) => {
                for operation in operations {
                    match operation {
                        MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path } => {
                            one(path);
                        }
                        MultiReadOp::Write => {}
                    }
                }
            }
            Self::SetWatches(watches) | Self::SetWatches2(watches) => {
                let lists = [
                    &watches.data,
                    &watches.exist,
                    &watches.child,
                    &watches.persistent,
                    &watches.persistent_recursive,
                ];
                lists.into_iter().flatten().flatten().for_each(one);
            }
            Self::Reconfig
            | Self::Ping
            | Self::WhoAmI
            | Self::Auth { .. }
            | Self::Sasl { .. }
            | Self::CloseSession
            | Self::Malformed(_)
            | Self::Unknown { .. } => {}
        }
    }

    /// Returns the data that the request writes, if it is a single write.
    pub(crate) fn data(&self) -> Option<&[u8]> {
        if let Self::Create(CreateRequest { data, .. })
        | Self::SetData(SetDataRequest { data, .. }) = self
        {
            *data
        } else {
            None
        }
    }

    /// Whether the request creates a znode whose mode `is_meant`, by itself or in a multi.
    pub(crate) fn creates(&self, is_meant: impl Fn(CreateMode) -> bool) -> bool {
        let is_meant = |create: &CreateRequest<'_>| {
            CreateMode::from_flags(create.flags).is_some_and(&is_meant)
        };
        if let Self::Multi(operations) = self {
            let mut operations = operations.iter();
            return operations
                .any(|operation| matches!(operation, MultiOp::Create(create) if is_meant(create)));
        }
        matches!(self, Self::Create(create) if is_meant(create))
    }

    /// Whether the request sets a watch. A request that cannot be decoded counts as one that does.
    pub(crate) fn watches(&self) -> bool {
        if let Self::Exists { watch, .. }
        | Self::GetData { watch, .. }
        | Self::GetChildren { watch, .. }
        | Self::GetChildren2 { watch, .. } = self
        {
            *watch
        } else {
            matches!(
                self.operation(),
                Some(Operation::AddWatch | Operation::SetWatches | Operation::SetWatches2)
            )
        }
    }

    /// Visits the operations of a multi or multiRead, in order.
    pub(crate) fn operations(&self, mut visit: impl FnMut(Suboperation<'_>)) {
        if let Self::Multi(operations) = self {
            operations
                .iter()
                .for_each(|operation| visit(operation.name()));
        } else if let Self::MultiRead(operations) = self {
            operations
                .iter()
                .for_each(|operation| visit(operation.name()));
        }
    }
}

/// One operation of a multi or multiRead, with the properties that matchers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suboperation<'r> {
    /// `None` for a write in a multiRead, which is not decoded further.
    pub(crate) operation: Option<Operation>,
    pub(crate) path: Text<'r>,
    /// Mode of the created znode.
    pub(crate) mode: Option<CreateMode>,
}

impl MultiOp<'_> {
    fn name(&self) -> Suboperation<'_> {
        let (operation, path, mode) = match self {
            Self::Create(create) => (
                create.operation.into(),
                &create.path,
                CreateMode::from_flags(create.flags),
            ),
            Self::Delete(delete) => (Operation::Delete, &delete.path, None),
            Self::SetData(set) => (Operation::SetData, &set.path, None),
            Self::Check(check) => (Operation::Check, &check.path, None),
            Self::Read(read) => return read.name(),
        };
        Suboperation {
            operation: Some(operation),
            path: *path,
            mode,
        }
    }
}

impl MultiReadOp<'_> {
    fn name(&self) -> Suboperation<'_> {
        let (operation, path) = match self {
            Self::GetData { path } => (Some(Operation::GetData), *path),
            Self::GetChildren { path } => (Some(Operation::GetChildren), *path),
            Self::Write => (None, None),
        };
        Suboperation {
            operation,
            path,
            mode: None,
        }
    }
}

impl From<CreateOperation> for Operation {
    fn from(operation: CreateOperation) -> Self {
        match operation {
            CreateOperation::Create => Self::Create,
            CreateOperation::Create2 => Self::Create2,
            CreateOperation::CreateContainer => Self::CreateContainer,
            CreateOperation::CreateTtl => Self::CreateTtl,
        }
    }
}

impl Operation {
    /// Whether the time for the operation may grow with the number of znodes or the length of the request.
    pub(crate) fn may_take_long(self) -> bool {
        match self {
            Self::Multi
            | Self::MultiRead
            | Self::GetChildren
            | Self::GetChildren2
            | Self::GetAllChildrenNumber
            | Self::GetEphemerals
            | Self::SetWatches
            | Self::SetWatches2
            | Self::CloseSession => true,
            Self::Create
            | Self::Create2
            | Self::CreateContainer
            | Self::CreateTtl
            | Self::Delete
            | Self::SetData
            | Self::SetAcl
            | Self::Check
            | Self::Reconfig
            | Self::Exists
            | Self::GetData
            | Self::GetAcl
            | Self::Sync
            | Self::Ping
            | Self::AddWatch
            | Self::CheckWatches
            | Self::RemoveWatches
            | Self::WhoAmI
            | Self::Auth
            | Self::Sasl => false,
        }
    }

    /// Whether the operation takes a zxid.
    pub(crate) fn is_write(self) -> bool {
        match self {
            Self::Create
            | Self::Create2
            | Self::CreateContainer
            | Self::CreateTtl
            | Self::Delete
            | Self::SetData
            | Self::SetAcl
            // A check belongs to a multi, which is a write.
            | Self::Check
            | Self::Multi
            | Self::Reconfig
            | Self::CloseSession => true,
            Self::MultiRead
            | Self::Exists
            | Self::GetData
            | Self::GetAcl
            | Self::GetChildren
            | Self::GetChildren2
            | Self::GetAllChildrenNumber
            | Self::GetEphemerals
            | Self::Sync
            | Self::Ping
            | Self::SetWatches
            | Self::SetWatches2
            | Self::AddWatch
            | Self::CheckWatches
            | Self::RemoveWatches
            | Self::WhoAmI
            | Self::Auth
            | Self::Sasl => false,
        }
    }
}
