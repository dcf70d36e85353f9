//! Pictures of the state: znodes, sessions, watches. They are values and do not change with the server.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::Server;
use crate::keeper::{Connection, ConnectionId, Modes, Owner, Sessions, Tree, Znode};
use crate::net::Outbox;
use crate::protocol::{Acl, MemberId, SessionId, Stat, Timestamp};

/// Everything about a znode at one moment.
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
    /// Its path.
    pub path: String,
    /// What it holds; `None` is ZooKeeper's null, which is not the same as empty.
    pub data: Option<Vec<u8>>,
    /// Its stat, as a client sees it.
    pub stat: Stat,
    /// Its ACL.
    pub acl: Vec<Acl>,
    /// The names of its children, sorted.
    pub children: Vec<String>,
    /// Whether it goes when its last child has gone.
    pub container: bool,
    /// How long it lives without children and changes, if it has a time to live.
    pub ttl: Option<Duration>,
}

/// A session at one moment.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.sessions().iter().all(|session| session.connected));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionView {
    /// Its number.
    pub id: SessionId,
    /// The timeout that its client was granted.
    pub timeout: Duration,
    /// Whether a connection is up.
    pub connected: bool,
    /// The label of the address that its connection came by; while no connection is up, the last that it came by.
    pub label: Option<String>,
    /// Whether it was muted.
    pub muted: bool,
    /// The member of the ensemble that its connection is to, if one is up; of a server that is none, the one it has.
    pub member: Option<MemberId>,
    /// The paths of its ephemeral znodes, sorted.
    pub ephemerals: Vec<String>,
}

/// A connection at one moment.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.connections().iter().all(|connection| connection.peer.ip().is_loopback()));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionView {
    /// Its number: the first that the server accepted is 1, and none is given twice.
    pub number: u64,
    /// The address of the client.
    pub peer: SocketAddr,
    /// The label of the address that it came by, if that has one.
    pub label: Option<String>,
    /// The member of the ensemble that it is a connection to.
    pub member: MemberId,
    /// The session it is on, once it has one.
    pub session: Option<SessionId>,
    /// When it came.
    pub since: Timestamp,
}

/// A watch at one moment.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.watches().is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchView {
    /// What is watched.
    pub path: String,
    /// For whom.
    pub session: SessionId,
    /// For what.
    pub kind: WatchKind,
}

/// What a watch waits for, and how often.
///
/// ```
/// assert_ne!(minikeeper::inspect::WatchKind::Data, minikeeper::inspect::WatchKind::Persistent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WatchKind {
    /// The znode comes, goes or changes its data; once. Set by `exists` and `getData`.
    Data,
    /// A child comes or goes, or the znode goes; once. Set by `getChildren`.
    Children,
    /// The znode and its list of children, until it is removed.
    Persistent,
    /// The znode and everything below it, until it is removed.
    PersistentRecursive,
}

impl ZnodeView {
    pub(super) fn of(tree: &Tree, znode: &Znode) -> Self {
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

    /// The session that it goes with, if it is ephemeral.
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
    pub(super) fn all(
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

/// Where a session is connected, or was.
#[derive(Debug, Default)]
pub(in crate::handle) struct Place {
    label: Option<String>,
    member: Option<MemberId>,
}

impl Server {
    /// The sessions that are alive, by number.
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

    /// The connections that are up, in the order in which they came.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.connections(), []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionView> {
        self.shared.engine.look_closer(|keeper, outboxes| {
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

    /// Who watches what, by path, then by kind, then by the age of the connection.
    ///
    /// A watch is listed from the moment when the server has carried out the request that sets it, before the reply
    /// leaves. It stays listed until it fires, is removed, or its connection ends.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.watches().iter().all(|watch| watch.path != "/leader"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn watches(&self) -> Vec<WatchView> {
        let (tables, sessions) = self.shared.engine.look(|keeper| {
            let tables = keeper.all_watches().flat_map(|watches| {
                [
                    (WatchKind::Data, watches.data().unsorted()),
                    (WatchKind::Children, watches.child().unsorted()),
                ]
            });
            (tables.collect::<Vec<_>>(), keeper.sessions_by_connection())
        });
        // The rest takes time where there are many watches, and needs no access to the server.
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
                    // A persistent watch stands in both tables and is one watch.
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

    /// The tree as text, for people and for assertions: a line a znode, sorted by path, ZooKeeper's own left out. The
    /// sessions that own ephemerals are numbered in the order in which they came; there are no times and no zxids, so
    /// two runs of a test give the same text.
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

/// Every znode but ZooKeeper's own, sorted by path; the root among them.
pub(super) fn users_znodes(tree: &Tree) -> Vec<&Znode> {
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

pub(super) fn dump(tree: &Tree) -> String {
    let mut owners: Vec<SessionId> = tree.all_ephemerals().map(|(session, _)| session).collect();
    owners.sort_unstable();
    let mut text = String::new();
    // The root is always there and says nothing.
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
