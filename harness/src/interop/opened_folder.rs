//! The state that minikeeper's library reads from a folder without a server, as clients would see it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use minikeeper::{Snapshot, folder::OpenOptions, inspect::ZnodeView};

use super::InteropError;
use super::server_state::{ServerState, Znode};
use crate::client::{Acl, Stat};

/// Reads the state of a folder, and the timeout of every session.
pub(super) fn open(
    data: &Path,
    trust_empty: bool,
) -> Result<(ServerState, BTreeMap<i64, Duration>), InteropError> {
    let snapshot = snapshot(data, trust_empty)?;
    let sessions: BTreeMap<i64, Duration> = snapshot
        .sessions()
        .into_iter()
        .map(|session| (session.id.0, session.timeout))
        .collect();
    // `Snapshot::sessions` does not list the server's own sessions.
    let mut znodes = BTreeMap::new();
    let mut pending = vec!["/".to_owned()];
    while let Some(path) = pending.pop() {
        if let Some(znode) = snapshot.znode(&path) {
            let parent = path.trim_end_matches('/');
            pending.extend(znode.children.iter().map(|name| format!("{parent}/{name}")));
            znodes.insert(path, of(&znode));
        }
    }
    let server_state = ServerState {
        zxid: snapshot.zxid().0,
        znodes,
        sessions: sessions.keys().copied().collect(),
    };
    Ok((server_state, sessions))
}

/// Opens a folder as a snapshot.
pub(super) fn snapshot(data: &Path, trust_empty: bool) -> Result<Snapshot, InteropError> {
    let mut options = OpenOptions::default();
    options.trust_empty = trust_empty;
    Snapshot::open_with(data, &options)
        .map_err(|error| InteropError::Differs(format!("the folder cannot be opened: {error}")))
}

fn of(znode: &ZnodeView) -> Znode {
    let stat = &znode.stat;
    let acl = znode.acl.iter().map(|entry| Acl {
        perms: entry.permissions.0,
        scheme: entry.id.scheme.to_string(),
        id: entry.id.id.to_string(),
    });
    Znode {
        data: znode.data.clone(),
        acl: acl.collect(),
        stat: Stat {
            czxid: stat.czxid.0,
            mzxid: stat.mzxid.0,
            ctime: stat.ctime.0,
            mtime: stat.mtime.0,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            ephemeral_owner: stat.ephemeral_owner.0,
            data_length: stat.data_length,
            num_children: stat.num_children,
            pzxid: stat.pzxid.0,
        },
    }
}
