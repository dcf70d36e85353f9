//! Create, delete, setData, setACL and multi: their checks and their records.
//!
//! The order of the checks is `PrepRequestProcessor`'s. If several apply, the first wins.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use super::access::Ids;
use super::apply::Changes;
use super::transaction::{Transaction, refusal};
use super::tree::Tree;
use super::undo::UndoLog;
use super::znode::{Owner, Znode};
use super::{Rules, access, quota};
use crate::protocol::{
    Acl, AclEntry, CheckVersionRequest, CreateMode, CreateOperation, CreateRequest, CreateTxn,
    CreatedKind, DeleteRequest, ErrorCode, MultiOp, MultiReadOp, MultiResult, Permissions, Request,
    Response, SetDataRequest, Stat, Text, TxnRecord, parent_of, validate_path,
};

/// The client of a write.
#[derive(Clone, Copy)]
pub(super) struct Caller<'c> {
    pub(super) rules: &'c Rules,
    pub(super) ids: &'c Ids,
    /// Number of entries that the `auth` entries of the request have expanded to.
    pub(super) expanded: &'c Cell<usize>,
    /// Whether the client has a session, which ephemeral znodes need.
    pub(super) has_session: bool,
}

/// The state that a write is checked against.
struct Checked<'c> {
    tree: &'c Tree,
    undo: &'c UndoLog,
    caller: Caller<'c>,
}

/// A write that was applied or refused: its record for the log, and its result for the client.
pub(super) struct Written<'a> {
    pub(super) record: TxnRecord<'a>,
    pub(super) result: Result<Outcome, ErrorCode>,
    /// Whether to commit. A refused write of one operation changed nothing; a refused multi is rolled back.
    pub(super) committed: bool,
}

impl Written<'_> {
    /// Returns the result of a multi that fails as a whole, where a real server throws.
    fn failed_as_a_whole() -> Self {
        let code = ErrorCode::MarshallingError;
        Self {
            record: refusal(code),
            result: Err(code),
            committed: false,
        }
    }
}

/// The result of a write for its client. The record has the path, if any.
pub(super) enum Outcome {
    Empty,
    Path,
    PathAndStat(Stat),
    Stat(Stat),
    Multi(Vec<OpOutcome>),
}

/// The result of one operation of a multi.
pub(super) enum OpOutcome {
    Path,
    PathAndStat(Stat),
    Deleted,
    Stat(Stat),
    Checked,
    Failed(Option<ErrorCode>),
}

/// Checks and applies one write. The caller ends the transaction as `committed` says.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the dispatch, which names every operation, sends only writes"
)]
pub(super) fn write<'a>(
    transaction: &mut Transaction<'_>,
    caller: Caller<'_>,
    request: &Request<'a>,
    changes: &mut Changes,
) -> Written<'a> {
    if let Request::Multi(operations) = request {
        return multi(transaction, caller, operations, changes);
    }
    let checked = Checked {
        tree: transaction.tree(),
        undo: transaction.undo(),
        caller,
    };
    let record = match request {
        Request::Create(request) => checked.create(request),
        Request::Delete(request) => checked.delete(request),
        Request::SetData(request) => checked.set_data(request),
        Request::SetAcl { path, acl, version } => checked.set_acl(*path, acl.as_deref(), *version),
        // The first check, and for a standalone server the last.
        Request::Reconfig if caller.rules.reconfig_enabled => Err(ErrorCode::Unimplemented),
        Request::Reconfig => Err(ErrorCode::ReconfigDisabled),
        other => unreachable!(
            "the dispatch sends only writes here, and {:?} is none",
            other.operation()
        ),
    };
    match record {
        Ok(record) => {
            let stat = transaction.apply(&record, changes);
            let outcome = match (request, stat) {
                (
                    Request::Create(CreateRequest {
                        operation: CreateOperation::Create,
                        ..
                    }),
                    _,
                ) => Outcome::Path,
                (Request::Create(_), Some(stat)) => Outcome::PathAndStat(stat),
                (_, Some(stat)) => Outcome::Stat(stat),
                (_, None) => Outcome::Empty,
            };
            Written {
                record,
                result: Ok(outcome),
                committed: true,
            }
        }
        Err(code) => Written {
            record: refusal(code),
            result: Err(code),
            committed: true,
        },
    }
}

/// Whether the flags say ephemeral and the operation does not create one. Until the multi is applied, its later
/// operations go by the flags: PrepRequestProcessor.pRequest2TxnCreate makes the session the owner of its change
/// record.
fn is_ephemeral_in_check(request: &CreateRequest<'_>) -> bool {
    request.operation == CreateOperation::CreateContainer
        && CreateMode::from_flags(request.flags).is_some_and(CreateMode::is_ephemeral)
}

/// Whether a real server throws for this multi before it takes a zxid.
pub(super) fn fails_before_zxid(operations: &[MultiOp<'_>]) -> bool {
    operations.iter().any(MultiOp::has_null_acl)
}

// Longer than 60 lines: one loop checks, applies and answers the operations, and its end undoes them.
fn multi<'a>(
    transaction: &mut Transaction<'_>,
    caller: Caller<'_>,
    operations: &[MultiOp<'a>],
    changes: &mut Changes,
) -> Written<'a> {
    // PrepRequestProcessor.getPendingChanges parses every path before it checks any, and a read has no record.
    let unreadable = operations.iter().any(|operation| match operation {
        MultiOp::Create(create) => create.path.is_none(),
        MultiOp::Delete(delete) => delete.path.is_none(),
        MultiOp::SetData(set) => set.path.is_none(),
        MultiOp::Check(check) => check.path.is_none(),
        MultiOp::Read(_) => true,
    });
    if unreadable {
        return Written::failed_as_a_whole();
    }
    let mut records = Vec::with_capacity(operations.len());
    let mut outcomes = Vec::with_capacity(operations.len());
    let mut failed = None;
    for operation in operations {
        if failed.is_some() {
            records.push(refusal(ErrorCode::RuntimeInconsistency));
            continue;
        }
        let checked = Checked {
            tree: transaction.tree(),
            undo: transaction.undo(),
            caller,
        };
        let record = match operation {
            MultiOp::Create(request) => checked.create(request),
            MultiOp::Delete(request) => checked.delete(request),
            MultiOp::SetData(request) => checked.set_data(request),
            MultiOp::Check(request) => checked.check(request),
            MultiOp::Read(
                MultiReadOp::GetData { .. } | MultiReadOp::GetChildren { .. } | MultiReadOp::Write,
            ) => Err(ErrorCode::MarshallingError),
        };
        match record {
            Ok(record) => {
                let stat = transaction.apply(&record, changes);
                if let (MultiOp::Create(request), Some(path)) = (operation, path_of(&record)) {
                    transaction.note_created(path, is_ephemeral_in_check(request));
                }
                outcomes.push(match (operation, stat) {
                    (
                        MultiOp::Create(CreateRequest {
                            operation: CreateOperation::Create,
                            ..
                        }),
                        _,
                    ) => OpOutcome::Path,
                    (MultiOp::Create(_), Some(stat)) => OpOutcome::PathAndStat(stat),
                    (MultiOp::Check(_), _) => OpOutcome::Checked,
                    (_, Some(stat)) => OpOutcome::Stat(stat),
                    (_, None) => OpOutcome::Deleted,
                });
                records.push(record);
            }
            // PrepRequestProcessor.pRequestHelper catches only a KeeperException for one operation alone. Any other
            // exception ends the whole multi.
            Err(ErrorCode::MarshallingError) => return Written::failed_as_a_whole(),
            Err(code) => {
                failed = Some((records.len(), code));
                records.push(refusal(code));
            }
        }
    }
    let committed = failed.is_none();
    if let Some((at, code)) = failed {
        // All results of a failed multi are errors: 0 before the operation that failed, and "not tried" after it.
        outcomes = (0..records.len())
            .map(|i| OpOutcome::Failed(failed_result(i, at, code)))
            .collect();
    }
    Written {
        record: TxnRecord::Multi(records),
        result: Ok(Outcome::Multi(outcomes)),
        committed,
    }
}

/// Returns the result of one operation of a multi that failed at `failed` and is refused as a whole.
pub(super) fn failed_result(at: usize, failed: usize, code: ErrorCode) -> Option<ErrorCode> {
    match at.cmp(&failed) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(code),
        std::cmp::Ordering::Greater => Some(ErrorCode::RuntimeInconsistency),
    }
}

/// Returns the reply to a write.
pub(super) fn respond<'r>(outcome: &Outcome, record: &'r TxnRecord<'_>) -> Response<'r> {
    let path = || Cow::Borrowed(path_of(record).unwrap_or_default());
    match outcome {
        Outcome::Empty => Response::Empty,
        Outcome::Path => Response::Path(Some(path())),
        Outcome::PathAndStat(stat) => Response::PathAndStat(path(), *stat),
        Outcome::Stat(stat) => Response::Stat(*stat),
        Outcome::Multi(outcomes) => {
            let records = if let TxnRecord::Multi(records) = record {
                &**records
            } else {
                &[]
            };
            let results = outcomes.iter().zip(records).map(|(outcome, record)| {
                let path = || Cow::Borrowed(path_of(record).unwrap_or_default());
                match outcome {
                    OpOutcome::Path => MultiResult::Create(path()),
                    OpOutcome::PathAndStat(stat) => MultiResult::Create2(path(), *stat),
                    OpOutcome::Deleted => MultiResult::Delete,
                    OpOutcome::Stat(stat) => MultiResult::SetData(*stat),
                    OpOutcome::Checked => MultiResult::Check,
                    OpOutcome::Failed(code) => MultiResult::Error(*code),
                }
            });
            Response::Multi(results.collect())
        }
    }
}

fn path_of<'r>(record: &'r TxnRecord<'_>) -> Option<&'r str> {
    match record {
        TxnRecord::Create(CreateTxn { path, .. })
        | TxnRecord::Delete { path }
        | TxnRecord::DeleteContainer { path }
        | TxnRecord::SetData { path, .. }
        | TxnRecord::SetAcl { path, .. }
        | TxnRecord::Check { path, .. } => Some(path),
        TxnRecord::CreateSession { .. }
        | TxnRecord::CloseSession { .. }
        | TxnRecord::Error { .. }
        | TxnRecord::Multi(_) => None,
    }
}

/// Checks whether the reaper may remove a znode: `PrepRequestProcessor`'s check of a deleteContainer.
pub(super) fn check_reap<'a>(tree: &Tree, path: &'a str) -> Result<TxnRecord<'a>, ErrorCode> {
    let znode = tree.get(path).ok_or(ErrorCode::NoNode)?;
    check_listed(tree, znode)?;
    if znode.has_children() {
        return Err(ErrorCode::NotEmpty);
    }
    // The znode may have been recreated since it was found. Any znode but an ephemeral is removed.
    if matches!(znode.owner(), Owner::Session(_)) {
        return Err(ErrorCode::BadVersion);
    }
    Ok(TxnRecord::DeleteContainer {
        path: Cow::Borrowed(path),
    })
}

/// Refuses a request that needs the record of a znode whose ACL no snapshot lists:
/// `PrepRequestProcessor.getRecordForPath` looks the ACL up.
fn check_listed(tree: &Tree, znode: &Znode) -> Result<(), ErrorCode> {
    match tree.unlisted_acl(znode) {
        None => Ok(()),
        Some(_) => Err(ErrorCode::MarshallingError),
    }
}

impl Checked<'_> {
    fn allow(&self, znode: &Znode, wanted: Permissions) -> Result<(), ErrorCode> {
        access::check(
            self.caller.rules,
            self.tree.acl_of(znode),
            wanted,
            self.caller.ids,
        )
    }

    fn fix_acl(&self, entries: Option<&[AclEntry<'_>]>) -> Result<Arc<[Acl]>, ErrorCode> {
        let Caller {
            rules,
            ids,
            expanded,
            ..
        } = self.caller;
        access::fix_acl(rules, entries, ids, expanded)
    }

    fn create<'a>(&self, request: &CreateRequest<'a>) -> Result<TxnRecord<'a>, ErrorCode> {
        let mode = CreateMode::from_flags(request.flags).ok_or(ErrorCode::BadArguments)?;
        self.check_ttl(request, mode)?;
        if mode.is_ephemeral() && !self.caller.has_session {
            return Err(ErrorCode::SessionExpired);
        }
        let path = request.path.ok_or(ErrorCode::MarshallingError)?.decode();
        if path.contains('\0') || path == quota::LETHAL_LIMITS {
            return Err(ErrorCode::BadArguments);
        }
        let parent_path = parent_of(&path).ok_or(ErrorCode::BadArguments)?;
        let acl = self.fix_acl(request.acl.as_deref())?;
        let parent = self.tree.get(parent_path).ok_or(ErrorCode::NoNode)?;
        self.allow(parent, Permissions::CREATE)?;
        let is_below_ephemeral = matches!(parent.owner(), Owner::Session(_))
            || self.undo.is_ephemeral_in_check(parent_path);
        let path = if mode.is_sequential() {
            let number = parent.creates();
            Cow::Owned(format!("{path}{number:010}"))
        } else {
            path
        };
        validate_path(&path)?;
        if let Some(znode) = self.tree.get(&path) {
            check_listed(self.tree, znode)?;
            return Err(ErrorCode::NodeExists);
        }
        if is_below_ephemeral {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        if self.caller.rules.enforce_quota {
            let bytes = i64::try_from(request.data.map_or(0, <[u8]>::len)).unwrap_or(i64::MAX);
            quota::check(self.tree, self.undo, &path, 1, bytes)?;
        }
        quota::check_counting(self.undo, &path)?;
        let kind = match request.operation {
            CreateOperation::CreateContainer => CreatedKind::Container,
            CreateOperation::CreateTtl => CreatedKind::Ttl { ms: request.ttl_ms },
            CreateOperation::Create | CreateOperation::Create2 if mode.is_ephemeral() => {
                CreatedKind::Ephemeral
            }
            CreateOperation::Create | CreateOperation::Create2 => CreatedKind::Persistent,
        };
        Ok(TxnRecord::Create(CreateTxn {
            path,
            data: request.data.map(Cow::Borrowed),
            acl,
            kind,
            parent_cversion: parent.creates().wrapping_add(1),
        }))
    }

    /// `EphemeralType.validateTTL`, and one more case: createTTL of a znode that cannot have a time to live. A real
    /// server accepts a negative time to live there, and then dies of it, at every later start too.
    fn check_ttl(&self, request: &CreateRequest<'_>, mode: CreateMode) -> Result<(), ErrorCode> {
        if mode.has_ttl() && !self.caller.rules.extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        let valid = if mode.has_ttl() {
            (1..=Owner::MAX_TTL_MS).contains(&request.ttl_ms)
        } else {
            request.operation != CreateOperation::CreateTtl
        };
        if valid {
            Ok(())
        } else {
            Err(ErrorCode::BadArguments)
        }
    }

    fn delete<'a>(&self, request: &DeleteRequest<'a>) -> Result<TxnRecord<'a>, ErrorCode> {
        let path = request.path.ok_or(ErrorCode::MarshallingError)?.decode();
        let special = matches!(
            &*path,
            "/" | "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config"
        );
        if special || path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let parent = parent_of(&path).ok_or(ErrorCode::BadArguments)?;
        let parent = self.tree.get(parent).ok_or(ErrorCode::NoNode)?;
        self.allow(parent, Permissions::DELETE)?;
        let znode = self.tree.get(&path).ok_or(ErrorCode::NoNode)?;
        check_listed(self.tree, znode)?;
        next_version(znode.version(), request.version)?;
        if znode.has_children() {
            return Err(ErrorCode::NotEmpty);
        }
        Ok(TxnRecord::Delete { path })
    }

    fn set_data<'a>(&self, request: &SetDataRequest<'a>) -> Result<TxnRecord<'a>, ErrorCode> {
        let (path, znode) = self.valid_znode(request.path)?;
        self.allow(znode, Permissions::WRITE)?;
        if self.caller.rules.enforce_quota {
            let length = |data: Option<&[u8]>| {
                i64::try_from(data.map_or(0, <[u8]>::len)).unwrap_or(i64::MAX)
            };
            quota::check(
                self.tree,
                self.undo,
                &path,
                0,
                length(request.data) - length(znode.data()),
            )?;
        }
        let version = next_version(znode.version(), request.version)?;
        Ok(TxnRecord::SetData {
            path,
            data: request.data.map(Cow::Borrowed),
            version,
        })
    }

    fn set_acl<'a>(
        &self,
        path: Text<'a>,
        acl: Option<&[AclEntry<'a>]>,
        version: i32,
    ) -> Result<TxnRecord<'a>, ErrorCode> {
        let path = path.ok_or(ErrorCode::BadArguments)?.decode();
        validate_path(&path)?;
        let acl = self.fix_acl(acl)?;
        let znode = self.tree.get(&path).ok_or(ErrorCode::NoNode)?;
        self.allow(znode, Permissions::ADMIN)?;
        let version = next_version(znode.aversion(), version)?;
        Ok(TxnRecord::SetAcl { path, acl, version })
    }

    fn check<'a>(&self, request: &CheckVersionRequest<'a>) -> Result<TxnRecord<'a>, ErrorCode> {
        let (path, znode) = self.valid_znode(request.path)?;
        self.allow(znode, Permissions::READ)?;
        let version = next_version(znode.version(), request.version)?;
        Ok(TxnRecord::Check { path, version })
    }

    fn valid_znode<'a>(&self, path: Text<'a>) -> Result<(Cow<'a, str>, &Znode), ErrorCode> {
        let path = path.ok_or(ErrorCode::BadArguments)?.decode();
        validate_path(&path)?;
        let znode = self.tree.get(&path).ok_or(ErrorCode::NoNode)?;
        Ok((path, znode))
    }
}

/// Returns the version after `current`, if `current` is the expected version. An expected version of -1 matches any
/// (`PrepRequestProcessor.checkAndIncVersion`).
fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    Ok(current.wrapping_add(1))
}
