//! Views of the state: znodes, sessions, connections, watches. A view is a value and does not change with the server.

mod leaks;

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

pub use leaks::{Leak, LeakKind};

use crate::handle::Server;
use crate::keeper::{Connection, ConnectionId, Modes, Owner, Sessions, Tree, Znode};
use crate::net::Outbox;
use crate::protocol::{Acl, MemberId, SessionId, Stat, Timestamp};

/// Znode at one moment.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// server.create("/locks", b"")?;
/// let znode = server.znode("/locks").expect("it was just created");
/// assert_eq!((znode.owner(), znode.children), (None, vec![]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZnodeView {
    /// Path of the znode.
    pub path: String,
    /// Data of the znode; `None` is ZooKeeper's null, which differs from empty data.
    pub data: Option<Vec<u8>>,
    /// Stat of the znode, as a client sees it.
    pub stat: Stat,
    /// ACL of the znode.
    pub acl: Vec<Acl>,
    /// Names of the children, sorted.
    pub children: Vec<String>,
    /// Whether the znode is a container.
    pub container: bool,
    /// Time to live without children and changes, for a TTL znode.
    pub ttl: Option<Duration>,
}

/// Session at one moment.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.sessions().iter().all(|session| session.connected));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionView {
    /// Its number.
    pub id: SessionId,
    /// Negotiated session timeout.
    #[serde(rename = "timeout_ms", serialize_with = "as_ms")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub timeout: Duration,
    /// Whether the session is connected.
    pub connected: bool,
    /// Label of the address that the client is connected to; for a session without a connection, the last label it had.
    pub label: Option<String>,
    /// Whether the session is muted.
    pub muted: bool,
    /// Member that the session is connected to; `None` without a connection. A standalone server is member 1.
    pub member: Option<MemberId>,
    /// Paths of the ephemeral znodes of the session, sorted.
    pub ephemerals: Vec<String>,
}

/// Connection at one moment.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.connections().iter().all(|connection| connection.peer.ip().is_loopback()));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConnectionView {
    /// Number of the connection. The first connection of a server is 1, and no number is used twice.
    pub number: u64,
    /// Address of the client.
    pub peer: SocketAddr,
    /// Label of the address that the client connected to, if it has one.
    pub label: Option<String>,
    /// Member that the client is connected to.
    pub member: MemberId,
    /// Session of the connection, if it has one yet.
    pub session: Option<SessionId>,
    /// Time at which the connection was accepted.
    pub since: Timestamp,
}

/// Watch at one moment.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.watches().is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WatchView {
    /// Watched path.
    pub path: String,
    /// Session of the watch.
    pub session: SessionId,
    /// Kind of the watch.
    pub kind: WatchKind,
}

/// Kind of a watch: the changes that fire it, and whether it fires once.
///
/// ```
/// use minikeeper::inspect::WatchKind;
///
/// let server = minikeeper::Server::start()?;
/// let watches = server.watches();
/// assert!(watches.iter().all(|watch| watch.kind != WatchKind::Persistent), "no client has called addWatch");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WatchKind {
    /// The znode is created, is deleted or changes its data; once. Set by `exists` and `getData`.
    Data,
    /// A child is created or deleted, or the znode is deleted; once. Set by `getChildren`.
    Children,
    /// The znode or its list of children changes, until the watch is removed.
    Persistent,
    /// The znode or a znode below it changes, until the watch is removed.
    PersistentRecursive,
}

fn as_ms<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

impl ZnodeView {
    pub(in crate::handle) fn of(tree: &Tree, znode: &Znode) -> Self {
        let mut children: Vec<String> = tree.children(znode).map(str::to_owned).collect();
        children.sort_unstable();
        Self {
            path: znode.path().to_owned(),
            data: znode.data().map(<[u8]>::to_vec),
            stat: znode.stat(),
            acl: tree.acl(znode.acl()).to_vec(),
            children,
            container: znode.owner() == Owner::Container,
            ttl: match znode.owner() {
                Owner::Ttl { ms } => Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
                Owner::Unowned | Owner::Session(_) | Owner::Container => None,
            },
        }
    }

    /// Returns the owner of an ephemeral znode.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.znode("/").and_then(|znode| znode.owner()), None);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn owner(&self) -> Option<SessionId> {
        Some(self.stat.ephemeral_owner).filter(|owner| *owner != SessionId::NONE)
    }
}

impl SessionView {
    pub(in crate::handle) fn all(
        sessions: &Sessions,
        tree: &Tree,
        place: impl Fn(SessionId, Option<ConnectionId>) -> Place,
    ) -> Vec<Self> {
        let sessions = sessions.sorted().into_iter();
        sessions
            .map(|(id, session)| {
                let place = place(id, session.connection);
                Self {
                    id,
                    timeout: Duration::from_millis(u64::try_from(session.timeout_ms).unwrap_or(0)),
                    connected: session.connection.is_some(),
                    label: place.label,
                    member: place.member,
                    muted: session.muted,
                    ephemerals: tree.ephemerals(id).map(str::to_owned).collect(),
                }
            })
            .collect()
    }
}

/// Place where a session is, or last was, connected.
#[derive(Debug, Default)]
pub(in crate::handle) struct Place {
    label: Option<String>,
    member: Option<MemberId>,
}

impl Server {
    /// Returns the live sessions, by id.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.sessions().is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionView> {
        self.shared.engine.look_at_sessions(|keeper, label| {
            let place = |session, connection| Place {
                label: label(session, connection),
                member: connection
                    .and_then(|id| keeper.connection(id))
                    .map(Connection::member),
            };
            SessionView::all(keeper.sessions(), keeper.tree(), place)
        })
    }

    /// Returns the open connections, oldest first.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.connections(), []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionView> {
        self.shared
            .engine
            .with_keeper_and_outboxes(|keeper, outboxes| {
                let views = outboxes.iter().map(|(id, outbox)| {
                    let connection = keeper.connection(*id);
                    ConnectionView {
                        number: id.0,
                        peer: outbox.peer(),
                        label: label(outbox),
                        member: connection.map_or(outbox.listener_id().member, Connection::member),
                        session: connection.and_then(Connection::session),
                        since: outbox.established(),
                    }
                });
                let mut views: Vec<ConnectionView> = views.collect();
                views.sort_unstable_by_key(|view| view.number);
                views
            })
    }

    /// Returns the watches, by path, then by kind, then by the age of the connection.
    ///
    /// A watch is listed from the moment when the server has carried out the request that sets it, before the reply
    /// leaves. It is listed until it fires, is removed, or its connection ends.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.watches().iter().all(|watch| watch.path != "/leader"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn watches(&self) -> Vec<WatchView> {
        let (tables, sessions) = self.shared.engine.with_keeper(|keeper| {
            let tables = keeper.all_watches().flat_map(|watches| {
                [
                    (WatchKind::Data, watches.data().unsorted()),
                    (WatchKind::Children, watches.child().unsorted()),
                ]
            });
            (tables.collect::<Vec<_>>(), keeper.sessions_by_connection())
        });
        // Sorting takes time if there are many watches, and needs no access to the server.
        let mut views = Vec::new();
        for (one_shot, mut table) in tables {
            table.sort_by(|(one, _), (other, _)| one.cmp(other));
            for (path, watchers) in &table {
                for (connection, modes) in watchers {
                    let session = sessions.get(connection).copied();
                    let mut push = |kind| {
                        views.push(WatchView {
                            path: path.to_string(),
                            session: session.unwrap_or(SessionId::NONE),
                            kind,
                        });
                    };
                    if modes.contains(Modes::STANDARD) {
                        push(one_shot);
                    }
                    // A persistent watch is in both tables and is one watch.
                    if modes.contains(Modes::PERSISTENT) && one_shot == WatchKind::Data {
                        push(WatchKind::Persistent);
                    }
                    if modes.contains(Modes::PERSISTENT_RECURSIVE) {
                        push(WatchKind::PersistentRecursive);
                    }
                }
            }
        }
        views.sort_by(|one, other| (&one.path, one.kind).cmp(&(&other.path, other.kind)));
        views
    }

    /// Returns the tree as text, for reading and for assertions: one line for each znode, sorted by path, without the
    /// znodes of ZooKeeper itself. Sessions that own ephemerals are numbered in the order of their creation. The text
    /// has no times and no zxids, so two runs of a test give the same text.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// server.create("/config/db", b"")?;
    /// assert_eq!(server.dump(), "/config = \"v1\" (version 0)\n/config/db = \"\" (version 0)\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dump(&self) -> String {
        dump(self.shared.engine.indexed_snapshot().tree())
    }
}

fn label(outbox: &Outbox) -> Option<String> {
    outbox.listener_id().label.as_deref().map(str::to_owned)
}

/// Returns all znodes except those of ZooKeeper itself, sorted by path, the root first.
pub(in crate::handle) fn users_znodes(tree: &Tree) -> Vec<&Znode> {
    let root = tree.get("/");
    let below = root.into_iter().flat_map(|root| tree.below(root));
    let mut znodes: Vec<&Znode> = root
        .into_iter()
        .chain(below.filter(|znode| {
            let below_own = znode.path().strip_prefix("/zookeeper");
            below_own.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
        }))
        .collect();
    znodes.sort_unstable_by_key(|znode| znode.path());
    znodes
}

pub(in crate::handle) fn dump(tree: &Tree) -> String {
    let mut owners: Vec<SessionId> = tree.all_ephemerals().map(|(session, _)| session).collect();
    owners.sort_unstable();
    let mut text = String::new();
    // The root always exists and is not printed.
    for znode in users_znodes(tree).into_iter().skip(1) {
        let data = match znode.data() {
            Some(data) => format!("\"{}\"", data.escape_ascii()),
            None => "null".to_owned(),
        };
        let kind = match znode.owner() {
            Owner::Unowned => String::new(),
            Owner::Session(session) => {
                let number = owners
                    .iter()
                    .position(|owner| *owner == session)
                    .unwrap_or_default()
                    + 1;
                format!(", ephemeral of session {number}")
            }
            Owner::Container => ", container".to_owned(),
            Owner::Ttl { ms } => format!(", ttl {ms} ms"),
        };
        let _ = writeln!(
            text,
            "{} = {data} (version {}{kind})",
            znode.path(),
            znode.version()
        );
    }
    text
}
