//! State of a server at one moment.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Tree;
use crate::config::{Config, Storage};
use crate::handle::Server;
use crate::handle::inspect::{self, Place, SessionView, ZnodeView};
use crate::keeper;
use crate::protocol::{Timestamp, Zxid};
use crate::store::Origin;

/// State of a server at one moment: znodes with all their stats, zxids and counters, sessions with their timeouts and
/// ephemerals, and the time. It is a value that does not change with the server. Connections and watches are not part
/// of it.
///
/// Any number of servers can start from a snapshot, by [`start`](Self::start) or
/// [`ServerBuilder::snapshot`](crate::ServerBuilder::snapshot). Two snapshots are equal if they have the same znodes,
/// including all zxids, and the same sessions, regardless of their times. Cloning is free. Znodes are shared with the
/// server until it changes them.
///
/// ```
/// use minikeeper::{Server, tree};
///
/// let server = Server::builder().seed(tree! { "/config" => "v1" }).start()?;
/// let before = server.snapshot();
/// server.set("/config", b"v2")?;
///
/// let other = before.start()?;
/// assert_eq!(other.data("/config").as_deref(), Some(&b"v1"[..]));
/// assert_eq!(other.snapshot(), before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Snapshot {
    shared: Arc<Shared>,
}

struct Shared {
    /// In a mutex, since the first read builds an index, and each search caches its result.
    state: Mutex<keeper::Snapshot>,
    zxid: Zxid,
    now: Timestamp,
    /// Configuration of the server that the snapshot was taken from.
    config: Config,
    /// Files that the snapshot was read from.
    origin: Option<Origin>,
}

impl Server {
    /// Takes a snapshot of the whole state between two requests. This takes well under a millisecond for any number of
    /// znodes. The work that depends on their number is done when the snapshot is first read or started from.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let before = server.snapshot();
    /// assert!(server.delete("/none").is_err());
    /// assert_eq!(server.snapshot().tree(), before.tree());
    /// assert!(server.snapshot().zxid() > before.zxid(), "a refused write takes a zxid too");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        // The snapshot is not tied to the folder of this server.
        let mut config = self.config().clone();
        config.storage = Storage::default();
        Snapshot::of(self.shared.engine.snapshot(), config)
    }
}

impl Snapshot {
    /// Creates a snapshot with the configuration for servers that start from it.
    pub(in crate::handle) fn of(state: keeper::Snapshot, config: Config) -> Self {
        Self {
            shared: Arc::new(Shared {
                zxid: state.zxid(),
                now: state.now(),
                state: Mutex::new(state),
                config,
                origin: None,
            }),
        }
    }

    /// Sets the files that the snapshot was read from. The snapshot must not be shared yet.
    pub(in crate::handle) fn read_at(mut self, origin: Origin) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.origin = Some(origin);
        }
        self
    }

    pub(in crate::handle) fn read_from(&self) -> Option<&Origin> {
        self.shared.origin.as_ref()
    }

    /// Configuration for servers that start from the snapshot.
    pub(in crate::handle) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Returns the id of the last transaction.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.snapshot().zxid(), minikeeper::protocol::Zxid(0));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn zxid(&self) -> Zxid {
        self.shared.zxid
    }

    /// Returns the time of the server at the moment of the snapshot.
    ///
    /// ```
    /// let server = minikeeper::Server::builder().manual_clock().start()?;
    /// assert_eq!(server.snapshot().now(), server.now());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.now
    }

    /// Returns a view of a znode.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// assert_eq!(server.snapshot().znode("/config"), server.znode("/config"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn znode(&self, path: &str) -> Option<ZnodeView> {
        let state = self.state();
        let tree = state.tree();
        tree.get(path).map(|znode| ZnodeView::of(tree, znode))
    }

    /// Returns views of all znodes except those of ZooKeeper itself, sorted by path, the root first.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let paths: Vec<_> = server.snapshot().znodes().into_iter().map(|znode| znode.path).collect();
    /// assert_eq!(paths, ["/", "/config"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn znodes(&self) -> Vec<ZnodeView> {
        let state = self.state();
        let tree = state.tree();
        let znodes = inspect::users_znodes(tree).into_iter();
        znodes.map(|znode| ZnodeView::of(tree, znode)).collect()
    }

    /// Returns the sessions, by id; none is connected.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.snapshot().sessions().is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionView> {
        let state = self.state();
        SessionView::all(state.sessions(), state.tree(), |_, _| Place::default())
    }

    /// Returns the tree without its stats. See [`Server::tree`].
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.snapshot().tree(), server.tree());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of_server(self.state().tree())
    }

    /// Returns the tree as text, for reading and for assertions. See [`Server::dump`].
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.snapshot().dump(), server.dump());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn dump(&self) -> String {
        inspect::dump(self.state().tree())
    }

    pub(in crate::handle) fn state(&self) -> MutexGuard<'_, keeper::Snapshot> {
        let state = self.shared.state.lock();
        let mut state = state.expect("nothing panics while a snapshot is read");
        state.index();
        state
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        // One state is copied, so that two locks are never held at once.
        Arc::ptr_eq(&self.shared, &other.shared) || {
            let other = other.state().clone();
            *self.state() == other
        }
    }
}

/// Prints a line for each znode and session, so that a failed comparison can be read.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot of zxid {}", self.zxid())?;
        for znode in self.znodes() {
            let ZnodeView {
                path,
                data,
                stat,
                acl,
                ..
            } = &znode;
            let data = data.as_deref().map(<[u8]>::escape_ascii);
            let data = data.map_or_else(|| "null".to_owned(), |data| format!("\"{data}\""));
            let acl: Vec<String> = acl.iter().map(ToString::to_string).collect();
            write!(f, "\n{path} = {data} {} {stat:?}", acl.join(","))?;
        }
        for session in self.sessions() {
            write!(f, "\n{session:?}")?;
        }
        Ok(())
    }
}
