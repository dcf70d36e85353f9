//! A folder becomes a state: it is read, checked, and everything unusual about it is logged.

use std::path::Path;

use crate::keeper::{Restored, Rules, Snapshot, Znode};
use crate::store::{self, FileKind, Folder, OpenOptions, Origin, StorageError};

/// Reads the state of a folder.
pub(super) fn recover(
    folder: &Folder,
    options: &OpenOptions,
    rules: &Rules,
) -> Result<(Snapshot, Origin), StorageError> {
    let mut restoring = Restored::new(rules);
    let mut origin = store::recover(folder, options, &mut restoring)?;
    // Without a snapshot, only the format of the logs says which znodes their transactions started from: 3.4 creates
    // fewer znodes of its own.
    let found = options.data_format.or(origin.format);
    if let Some(found) = found.filter(|found| *found != rules.data_format)
        && origin.snapshot.is_none()
    {
        let rules = Rules {
            data_format: found,
            ..rules.clone()
        };
        restoring = Restored::new(&rules);
        origin = store::recover(folder, options, &mut restoring)?;
    }
    warn(folder, &origin);
    let latest = restoring.latest();
    origin.has_dropped = restoring.has_orphans();
    let state = restoring.finish(latest);
    check_state(folder.snapshots(), rules, &state)?;
    if let Some(path) = state.with_unlisted_acl().map(Znode::path).min() {
        tracing::warn!(
            znodes = state.with_unlisted_acl().count(),
            first = path,
            "the snapshot does not list the ACL of some znodes, and no log supplies it; requests for these znodes fail \
             with MarshallingError until their ACL is set"
        );
    }
    Ok((state, origin))
}

/// Logs everything unusual that was found in a folder.
fn warn(folder: &Folder, origin: &Origin) {
    for error in &origin.passed_over {
        tracing::warn!(%error, "skipped a damaged snapshot; an older one is read, with the logs after it");
    }
    for error in &origin.torn {
        tracing::warn!(%error, "ignored the torn end of a log, as a crash leaves it");
    }
    for error in &origin.cut {
        tracing::warn!(
            %error,
            "damaged log: entries after the damage are ignored (--recover); before truncation the file is saved as \
             damaged-log.*"
        );
    }
    // An exported folder has one snapshot and no log. The folder of a server has logs as soon as it was used.
    let snapshots = folder.files(FileKind::Snapshot).unwrap_or_default();
    if origin.logs.is_empty() && snapshots.len() > 1 {
        tracing::warn!(
            folder = %folder.logs().display(),
            "found snapshots but no logs: if the logs are in another folder, set dataLogDir, or all later writes are \
             missing"
        );
    }
    if let Some(zxid) = origin.repeated {
        tracing::warn!(
            %zxid,
            "a transaction comes after later ones: two servers wrote to this folder at the same time"
        );
    }
    if let Some(zxid) = origin.digest_mismatch {
        tracing::warn!(
            %zxid,
            "digest mismatch: from this transaction on, the tree differs from the one that the files describe"
        );
    }
}

/// Checks that a server can continue from a state that was read. Every znode must be one that a server makes, and
/// ephemerals must be distinguishable from znodes with a time to live. A real server with extended types takes the
/// ephemerals of a server with id 255 for znodes with a time to live, and deletes them or does not start
/// (`EphemeralType.get`: "Invalid ephemeralOwner").
pub(super) fn check_state(
    folder: &Path,
    rules: &Rules,
    state: &Snapshot,
) -> Result<(), StorageError> {
    if let Some((path, reason)) = state.impossible() {
        return Err(StorageError::Impossible {
            folder: folder.to_path_buf(),
            path: path.into(),
            reason,
        });
    }
    match state
        .session_of_server_255()
        .filter(|_| rules.extended_types)
    {
        None => Ok(()),
        Some(session) => Err(StorageError::ServerId255 {
            folder: folder.to_path_buf(),
            session,
        }),
    }
}
