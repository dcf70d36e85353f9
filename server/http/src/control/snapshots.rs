//! Snapshots: states of servers, in the process, to compare and to start from; folders below the folder for files.

use std::sync::{Arc, MutexGuard, PoisonError};

use minikeeper::folder::{Compression, DataFormat, OpenOptions};
use minikeeper::inspect::SessionView;
use minikeeper::protocol::{Timestamp, Zxid};
use minikeeper::{Snapshot, Tree};
use serde::{Deserialize, Serialize};

use super::data::Znode;
use super::numbered::Numbered;
use super::tree::Difference;
use super::{Context, limit_reached};
use crate::error::Failure;
use crate::query::Param;
use crate::route::{Call, Created, Done, Json, Nothing, Route, Text};

/// A snapshot.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SnapshotView {
    id: String,
    /// Last transaction.
    zxid: Zxid,
    /// Time of the server.
    now: Timestamp,
    /// Number of znodes, with the root.
    znodes: usize,
    /// Number of sessions.
    sessions: usize,
    /// Files that it was read from; null if it is of a server.
    origin: Option<OriginView>,
}

/// Files of a snapshot.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OriginView {
    /// File name of the snapshot; null if there were logs only.
    snapshot: Option<String>,
    /// File names of the logs, oldest first.
    logs: Vec<String>,
    /// Number of transactions that came from the logs.
    replayed: u64,
}

/// All snapshots.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SnapshotList {
    snapshots: Vec<SnapshotView>,
}

/// Folder or file to read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Open {
    /// Path below the folder for files.
    open: String,
    /// Whether a log is read up to its damage.
    #[serde(default)]
    recover: bool,
    /// Whether logs without a snapshot are read.
    #[serde(default)]
    trust_empty: bool,
}

/// Snapshot to compare with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Other {
    other: String,
}

/// Folder to write.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Write {
    /// Path below the folder for files.
    path: String,
    /// Release of ZooKeeper that can read it.
    #[serde(default)]
    data_format: DataFormat,
}

/// Path that was written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct WrittenPath {
    path: String,
}

/// Tree of a snapshot.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TreeView {
    tree: Tree,
}

/// Sessions of a snapshot.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SessionList {
    sessions: Vec<SessionView>,
}

/// Znodes of a snapshot.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ZnodeList {
    znodes: Vec<Znode>,
}

const PATH: [Param; 1] = [Param::text("path", "Path of the znode.").required()];

// Longer than 60 lines: one table of routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/servers/{server}/snapshots",
            "take_snapshot",
            "Takes a snapshot of a server.",
            take,
        ),
        Route::post(
            "/v1/servers/{server}/export",
            "export",
            "Writes the state of a server to a folder that ZooKeeper can read.",
            export,
        ),
        Route::get(
            "/v1/snapshots",
            "list_snapshots",
            "Lists the snapshots.",
            list,
        ),
        Route::post(
            "/v1/snapshots",
            "open_snapshot",
            "Reads a snapshot from a data folder of ZooKeeper.",
            open,
        ),
        Route::get(
            "/v1/snapshots/{snapshot}",
            "get_snapshot",
            "Returns a snapshot.",
            get,
        ),
        Route::delete(
            "/v1/snapshots/{snapshot}",
            "delete_snapshot",
            "Removes a snapshot.",
            delete,
        ),
        Route::get(
            "/v1/snapshots/{snapshot}/tree",
            "get_snapshot_tree",
            "Returns the tree in the form of a seed.",
            tree,
        ),
        Route::get(
            "/v1/snapshots/{snapshot}/dump",
            "dump_snapshot",
            "Returns the tree as text, a line for each znode.",
            dump,
        ),
        Route::get(
            "/v1/snapshots/{snapshot}/znode",
            "get_snapshot_znode",
            "Returns a znode with its Stat, ACL and children.",
            znode,
        )
        .query(&PATH),
        Route::get(
            "/v1/snapshots/{snapshot}/znodes",
            "list_snapshot_znodes",
            "Returns all znodes.",
            znodes,
        ),
        Route::get(
            "/v1/snapshots/{snapshot}/sessions",
            "list_snapshot_sessions",
            "Lists the sessions.",
            sessions,
        ),
        Route::post(
            "/v1/snapshots/{snapshot}/diff",
            "diff_snapshot",
            "Compares a snapshot with another one.",
            diff,
        ),
        Route::post(
            "/v1/snapshots/{snapshot}/write",
            "write_snapshot",
            "Writes a snapshot to a folder that ZooKeeper can read.",
            write,
        ),
    ]
}

impl Context {
    fn snapshots(&self) -> MutexGuard<'_, Numbered<Snapshot>> {
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a snapshot.
    ///
    /// # Errors
    ///
    /// If no snapshot has the id.
    pub(super) fn snapshot(&self, id: &str) -> Result<Arc<Snapshot>, Failure> {
        self.snapshots().get(id)
    }

    fn add_snapshot(&self, snapshot: Snapshot) -> Result<Created<SnapshotView>, Failure> {
        let id = {
            let mut snapshots = self.snapshots();
            if snapshots.len() >= self.limits.snapshots {
                return Err(limit_reached("snapshots", self.limits.snapshots));
            }
            snapshots.add(snapshot.clone())
        };
        let view = SnapshotView::of(id, &snapshot);
        Ok(Created(format!("/v1/snapshots/{}", view.id), view))
    }
}

impl SnapshotView {
    fn of(id: String, snapshot: &Snapshot) -> Self {
        let name = |path: &std::path::PathBuf| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        Self {
            id,
            zxid: snapshot.zxid(),
            now: snapshot.now(),
            znodes: snapshot.tree().len(),
            sessions: snapshot.sessions().len(),
            origin: snapshot.origin().map(|origin| OriginView {
                snapshot: origin.snapshot.as_ref().map(name),
                logs: origin.logs.iter().map(name).collect(),
                replayed: origin.replayed,
            }),
        }
    }
}

impl Call {
    fn snapshot(&self) -> Result<Arc<Snapshot>, Failure> {
        self.context.snapshot(self.param("snapshot"))
    }
}

fn take(call: &Call, _: Nothing) -> Result<Created<SnapshotView>, Failure> {
    let snapshot = call.instance()?.server.snapshot();
    call.context.add_snapshot(snapshot)
}

fn open(call: &Call, open: Open) -> Result<Created<SnapshotView>, Failure> {
    let path = call.context.existing(&open.open)?;
    let mut options = OpenOptions::default();
    options.recover = open.recover;
    options.trust_empty = open.trust_empty;
    let snapshot = Snapshot::open_with(path, &options).map_err(Failure::refused)?;
    call.context.add_snapshot(snapshot)
}

fn list(call: &Call) -> Result<Json<SnapshotList>, Failure> {
    let snapshots = call.context.snapshots().all().into_iter();
    let snapshots = snapshots.map(|(id, snapshot)| SnapshotView::of(id, &snapshot));
    Ok(Json(SnapshotList {
        snapshots: snapshots.collect(),
    }))
}

fn get(call: &Call) -> Result<Json<SnapshotView>, Failure> {
    let id = call.param("snapshot").to_owned();
    Ok(Json(SnapshotView::of(id, &*call.snapshot()?)))
}

fn delete(call: &Call) -> Result<Json<Done>, Failure> {
    call.context.snapshots().remove(call.param("snapshot"))?;
    Ok(Json(Done {}))
}

fn tree(call: &Call) -> Result<Json<TreeView>, Failure> {
    let tree = call.snapshot()?.tree();
    Ok(Json(TreeView { tree }))
}

fn dump(call: &Call) -> Result<Text, Failure> {
    Ok(Text(call.snapshot()?.dump()))
}

fn znode(call: &Call) -> Result<Json<Znode>, Failure> {
    let path = call.query.text("path").unwrap_or_default();
    let znode = call.snapshot()?.znode(path);
    let missing = || Failure::zookeeper(minikeeper::ErrorCode::NoNode, path);
    Ok(Json(Znode::of(znode.ok_or_else(missing)?)))
}

fn znodes(call: &Call) -> Result<Json<ZnodeList>, Failure> {
    let znodes = call.snapshot()?.znodes().into_iter();
    Ok(Json(ZnodeList {
        znodes: znodes.map(Znode::of).collect(),
    }))
}

fn sessions(call: &Call) -> Result<Json<SessionList>, Failure> {
    let sessions = call.snapshot()?.sessions();
    Ok(Json(SessionList { sessions }))
}

fn diff(call: &Call, other: Other) -> Result<Json<Difference>, Failure> {
    let other = call.context.snapshot(&other.other)?;
    let diff = call.snapshot()?.diff(&other);
    Ok(Json(Difference::of(&diff)))
}

fn write(call: &Call, write: Write) -> Result<Json<WrittenPath>, Failure> {
    let snapshot = call.snapshot()?;
    write_to(&call.context, &snapshot, &write)
}

fn export(call: &Call, write: Write) -> Result<Json<WrittenPath>, Failure> {
    let snapshot = call.instance()?.server.snapshot();
    write_to(&call.context, &snapshot, &write)
}

fn write_to(
    context: &Context,
    snapshot: &Snapshot,
    write: &Write,
) -> Result<Json<WrittenPath>, Failure> {
    let path = context.place(&write.path)?;
    let written = snapshot.write_with(&path, write.data_format, Compression::None);
    written.map_err(Failure::refused)?;
    Ok(Json(WrittenPath {
        path: path.display().to_string(),
    }))
}
