//! The tree: reads and writes of the test itself.

use minikeeper::protocol::Stat;
use minikeeper::{ErrorCode, Server, SessionId, Tree};
use serde::{Deserialize, Serialize};

use super::data::{Data, Znode};
use super::instance::Instance;
use crate::error::Failure;
use crate::query::Param;
use crate::route::{Call, Created, Done, Json, Octets, Route, Text};

/// A tree, in the form of a seed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TreeView {
    tree: Tree,
}

/// One page of the children of a znode.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Children {
    children: Vec<String>,
    /// Number of all children.
    total: usize,
    /// Last name of this page, for `after`, if there are more.
    next: Option<String>,
}

/// Stat of a znode that was written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Written {
    stat: Stat,
}

/// Znode to create.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Create {
    path: String,
    #[serde(default = "no_data")]
    data: Data,
    #[serde(default)]
    mode: CreateMode,
    /// Session of the test that owns an ephemeral znode; a new one by default.
    session: Option<SessionId>,
    /// Whether missing parents are created.
    #[serde(default)]
    parents: bool,
}

fn no_data() -> Data {
    Data(Some(Vec::new()))
}

/// Kind of a znode to create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum CreateMode {
    #[default]
    Persistent,
    Ephemeral,
    PersistentSequential,
    EphemeralSequential,
}

/// A created znode.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CreatedZnode {
    path: String,
    stat: Option<Stat>,
    /// Session of the test that owns it.
    session: Option<SessionId>,
}

/// New data of a znode.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Set {
    path: String,
    #[serde(default = "no_data")]
    data: Data,
}

/// Znode to delete.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Delete {
    path: String,
    /// Whether the znodes below it are deleted first.
    #[serde(default)]
    recursive: bool,
}

/// Comparison with an expected tree.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Difference {
    pub(super) equal: bool,
    /// The differences, in words.
    pub(super) diff: String,
}

impl Difference {
    pub(super) fn of(diff: &minikeeper::state::Diff) -> Self {
        let equal = diff.is_empty();
        Self {
            equal,
            diff: if equal {
                String::new()
            } else {
                diff.to_string()
            },
        }
    }
}

const BELOW: [Param; 1] = [Param::text(
    "path",
    "Only this znode and the znodes below it.",
)];
const PATH: [Param; 1] = [Param::text("path", "Path of the znode.").required()];
const PAGE: [Param; 3] = [
    Param::text("path", "Path of the parent.").required(),
    Param::text("after", "Only the names behind this one."),
    Param::number("limit", "Maximum number of names; 1,000 by default."),
];
/// Default length of a page.
const LIMIT: u64 = 1_000;

// Longer than 60 lines: one table of routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/servers/{server}/tree",
            "get_tree",
            "Returns the tree in the form of a seed.",
            get,
        )
        .query(&BELOW),
        Route::get(
            "/v1/servers/{server}/tree/dump",
            "dump_tree",
            "Returns the tree as text, a line for each znode.",
            dump,
        ),
        Route::get(
            "/v1/servers/{server}/tree/znode",
            "get_znode",
            "Returns a znode with its Stat, ACL and children.",
            znode,
        )
        .query(&PATH),
        Route::get(
            "/v1/servers/{server}/tree/children",
            "list_children",
            "Returns a page of the children of a znode.",
            children,
        )
        .query(&PAGE),
        Route::get(
            "/v1/servers/{server}/tree/data",
            "get_data",
            "Returns the data of a znode as bytes.",
            data,
        )
        .query(&PATH),
        Route::put_octets(
            "/v1/servers/{server}/tree/data",
            "put_data",
            "Sets the data of a znode to the bytes of the body.",
            put_data,
        )
        .query(&PATH),
        Route::post(
            "/v1/servers/{server}/tree/create",
            "create_znode",
            "Creates a znode.",
            create,
        ),
        Route::post(
            "/v1/servers/{server}/tree/set",
            "set_data",
            "Sets the data of a znode.",
            set,
        ),
        Route::post(
            "/v1/servers/{server}/tree/delete",
            "delete_znode",
            "Deletes a znode.",
            delete,
        ),
        Route::post(
            "/v1/servers/{server}/tree/seed",
            "seed_tree",
            "Creates or changes the znodes of a tree.",
            seed,
        ),
        Route::post(
            "/v1/servers/{server}/tree/diff",
            "diff_tree",
            "Compares the tree with an expected one. In the differences, - and the first value are expected, \
             + and the second one are of the server.",
            diff,
        ),
    ]
}

fn get(call: &Call) -> Result<Json<TreeView>, Failure> {
    let tree = call.instance()?.server.tree();
    let Some(path) = call.query.text("path").filter(|path| *path != "/") else {
        return Ok(Json(TreeView { tree }));
    };
    let mut below = Tree::new();
    let inside = format!("{path}/");
    for (at, znode) in tree.iter() {
        if at == path || at.starts_with(&inside) {
            let inserted = below.insert(at, znode.clone());
            inserted.map_err(Failure::refused)?;
        }
    }
    Ok(Json(TreeView { tree: below }))
}

fn dump(call: &Call) -> Result<Text, Failure> {
    Ok(Text(call.instance()?.server.dump()))
}

fn no_node(path: &str) -> Failure {
    Failure::zookeeper(ErrorCode::NoNode, path)
}

fn znode(call: &Call) -> Result<Json<Znode>, Failure> {
    let path = call.query.text("path").unwrap_or_default();
    let znode = call.instance()?.server.znode(path);
    let znode = znode.ok_or_else(|| no_node(path))?;
    Ok(Json(Znode::of(znode)))
}

fn children(call: &Call) -> Result<Json<Children>, Failure> {
    let path = call.query.text("path").unwrap_or_default();
    let children = call.instance()?.server.children(path);
    let mut children = children.ok_or_else(|| no_node(path))?;
    let total = children.len();
    if let Some(after) = call.query.text("after") {
        // The names are sorted.
        let passed = children.partition_point(|name| name.as_str() <= after);
        children.drain(..passed);
    }
    let limit = usize::try_from(call.query.number("limit").unwrap_or(LIMIT)).unwrap_or(usize::MAX);
    let has_more = children.len() > limit;
    children.truncate(limit);
    Ok(Json(Children {
        next: children.last().filter(|_| has_more).cloned(),
        children,
        total,
    }))
}

fn data(call: &Call) -> Result<Octets, Failure> {
    let path = call.query.text("path").unwrap_or_default();
    let data = call.instance()?.server.data(path);
    data.map(Octets).ok_or_else(|| no_node(path))
}

fn put_data(call: &Call) -> Result<Json<Written>, Failure> {
    let path = call.query.text("path").unwrap_or_default();
    write(&call.instance()?.server, path, &call.body)
}

fn set(call: &Call, set: Set) -> Result<Json<Written>, Failure> {
    write(&call.instance()?.server, &set.path, set.data.bytes())
}

fn write(server: &Server, path: &str, data: &[u8]) -> Result<Json<Written>, Failure> {
    let written = server.set(path, data);
    let stat = written.map_err(|code| Failure::zookeeper(code, path))?;
    Ok(Json(Written { stat }))
}

fn create(call: &Call, create: Create) -> Result<Created<CreatedZnode>, Failure> {
    let instance = call.instance()?;
    let (server, path, data) = (&instance.server, &create.path, create.data.bytes());
    let refused = |code| refused_create(code, path);
    if create.parents
        && let Some((parent, _)) = path.rsplit_once('/')
        && !parent.is_empty()
        && server.znode(parent).is_none()
    {
        server.create_all(parent, b"").map_err(refused)?;
    }
    let created = match create.mode {
        CreateMode::Persistent | CreateMode::PersistentSequential if create.session.is_some() => {
            let message = "session: only an ephemeral znode has a session";
            return Err(Failure::bad_request(message));
        }
        CreateMode::Persistent => CreatedZnode {
            path: path.clone(),
            stat: Some(server.create(path, data).map_err(refused)?),
            session: None,
        },
        CreateMode::PersistentSequential => {
            let path = server.create_sequential(path, data).map_err(refused)?;
            CreatedZnode {
                stat: server.znode(&path).map(|znode| znode.stat),
                path,
                session: None,
            }
        }
        CreateMode::Ephemeral | CreateMode::EphemeralSequential => {
            create_ephemeral(&instance, &create)?
        }
    };
    let location = format!("/v1/servers/{}/tree/znode", instance.id);
    Ok(Created(location, created))
}

/// Explains the refusal of a create.
fn refused_create(code: ErrorCode, path: &str) -> Failure {
    let failure = Failure::zookeeper(code, path);
    match path.rsplit_once('/') {
        _ if !path.starts_with('/') => failure.hint("a path begins with /"),
        Some((parent, _)) if code == ErrorCode::NoNode => failure.hint(format!(
            "the parent {parent} does not exist; \"parents\": true creates it"
        )),
        _ => failure,
    }
}

fn create_ephemeral(instance: &Instance, create: &Create) -> Result<CreatedZnode, Failure> {
    let (path, data) = (&create.path, create.data.bytes());
    let refused = |code| refused_create(code, path);
    let create_in = |session: &minikeeper::label::TestSession| {
        if create.mode == CreateMode::Ephemeral {
            let stat = session.create_ephemeral(path, data)?;
            return Ok((path.clone(), Some(stat)));
        }
        let path = session.create_ephemeral_sequential(path, data)?;
        let stat = instance.server.znode(&path).map(|znode| znode.stat);
        Ok((path, stat))
    };
    let (id, (path, stat)) = match create.session {
        Some(id) => {
            let things = instance.things();
            let session = things.sessions.iter().find(|session| session.id() == id);
            let session = session.ok_or_else(|| {
                let message = format!("{id} is not a session of the test");
                Failure::not_found(message).hint("POST .../sessions opens one")
            })?;
            (id, create_in(session).map_err(refused)?)
        }
        None => {
            let session = instance.server.open_session();
            let created = create_in(&session).map_err(refused)?;
            (instance.add_session(session), created)
        }
    };
    Ok(CreatedZnode {
        path,
        stat,
        session: Some(id),
    })
}

fn delete(call: &Call, delete: Delete) -> Result<Json<Done>, Failure> {
    let instance = call.instance()?;
    let (server, path) = (&instance.server, &delete.path);
    let deleted = if delete.recursive {
        server.delete_all(path)
    } else {
        server.delete(path)
    };
    deleted.map_err(|code| Failure::zookeeper(code, path))?;
    Ok(Json(Done {}))
}

fn seed(call: &Call, tree: Tree) -> Result<Json<Done>, Failure> {
    let seeded = call.instance()?.server.seed(&tree);
    seeded.map_err(|error| Failure::zookeeper(error.code, &error.path))?;
    Ok(Json(Done {}))
}

fn diff(call: &Call, expected: Tree) -> Result<Json<Difference>, Failure> {
    let diff = expected.diff(&call.instance()?.server.tree());
    Ok(Json(Difference::of(&diff)))
}
