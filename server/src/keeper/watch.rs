//! Which connection waits for what, and what it is told.
//!
//! A watch belongs to a connection, not to a session. Two tables, as in `DataTree`: what happens to a znode and its
//! data, and what happens to its children.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::ConnectionId;
use super::apply::{Change, ChangeKind};
use crate::protocol::{AddWatchMode, EventType, WatcherType, ancestors, parent_of};

/// All watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    data: Table,
    child: Table,
}

/// One of the two tables.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    by_path: HashMap<Box<str>, BTreeMap<ConnectionId, Modes>, FixedState>,
    by_connection: HashMap<ConnectionId, BTreeSet<Box<str>>, FixedState>,
    /// How many of the watches reach below their own path.
    recursive: usize,
    pairs: usize,
}

/// The kinds of watch that one connection has on one path, which exist side by side since 3.9 (`WatchStats`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes(u8);

impl Modes {
    pub(crate) const STANDARD: Self = Self(1);
    pub(crate) const PERSISTENT: Self = Self(2);
    pub(crate) const PERSISTENT_RECURSIVE: Self = Self(4);
    const ANY: Self = Self(7);

    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl Default for Table {
    fn default() -> Self {
        Self {
            by_path: HashMap::with_hasher(FixedState::with_seed(0)),
            by_connection: HashMap::with_hasher(FixedState::with_seed(0)),
            recursive: 0,
            pairs: 0,
        }
    }
}

impl Table {
    pub(crate) fn add(&mut self, path: &str, connection: ConnectionId, mode: Modes) {
        let on_path = match self.by_path.get_mut(path) {
            Some(on_path) => on_path,
            None => self.by_path.entry(path.into()).or_default(),
        };
        let modes = on_path.entry(connection).or_default();
        if *modes == Modes::default() {
            self.pairs += 1;
            self.by_connection
                .entry(connection)
                .or_default()
                .insert(path.into());
        }
        if mode == Modes::PERSISTENT_RECURSIVE && !modes.contains(mode) {
            self.recursive += 1;
        }
        *modes = modes.with(mode);
    }

    fn contains(&self, path: &str, connection: ConnectionId, mode: Modes) -> bool {
        self.by_path
            .get(path)
            .and_then(|on_path| on_path.get(&connection))
            .is_some_and(|modes| modes.contains(mode))
    }

    /// Whether anything was removed.
    fn remove(&mut self, path: &str, connection: ConnectionId, mode: Modes) -> bool {
        let Some(on_path) = self.by_path.get_mut(path) else {
            return false;
        };
        let Some(modes) = on_path.get_mut(&connection) else {
            return false;
        };
        let before = *modes;
        *modes = before.without(mode);
        let after = *modes;
        if before.contains(Modes::PERSISTENT_RECURSIVE)
            && !after.contains(Modes::PERSISTENT_RECURSIVE)
        {
            self.recursive -= 1;
        }
        if after == Modes::default() {
            on_path.remove(&connection);
            if on_path.is_empty() {
                self.by_path.remove(path);
            }
            self.pairs -= 1;
            self.forget(path, connection);
        }
        before != after
    }

    fn forget(&mut self, path: &str, connection: ConnectionId) {
        if let Some(paths) = self.by_connection.get_mut(&connection) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }

    fn disconnected(&mut self, connection: ConnectionId) {
        let paths = self
            .by_connection
            .get(&connection)
            .cloned()
            .unwrap_or_default();
        for path in &paths {
            self.remove(path, connection, Modes::ANY);
        }
        self.by_connection.remove(&connection);
    }

    /// Whom a change at `path` concerns; one-shot watches at that very path are used up.
    fn trigger(&mut self, path: &str) -> Vec<ConnectionId> {
        if self.by_path.is_empty() {
            return Vec::new();
        }
        let mut concerned = Vec::new();
        if let Some(on_path) = self.by_path.get_mut(path) {
            concerned.extend(on_path.keys().copied());
            let mut used_up = Vec::new();
            on_path.retain(|connection, modes| {
                *modes = modes.without(Modes::STANDARD);
                let stays = *modes != Modes::default();
                if !stays {
                    used_up.push(*connection);
                }
                stays
            });
            if on_path.is_empty() {
                self.by_path.remove(path);
            }
            self.pairs -= used_up.len();
            for connection in used_up {
                // WatchManager.triggerWatch does not look whether it was the last one: wchs counts the connection still.
                if let Some(paths) = self.by_connection.get_mut(&connection) {
                    paths.remove(path);
                }
            }
        }
        if self.recursive > 0 {
            for above in ancestors(path).skip(1) {
                let on_path = self.by_path.get(above).into_iter().flatten();
                concerned.extend(
                    on_path
                        .filter(|(_, modes)| modes.contains(Modes::PERSISTENT_RECURSIVE))
                        .map(|(connection, _)| *connection),
                );
            }
            concerned.sort_unstable();
            concerned.dedup();
        }
        concerned
    }

    /// How many connections watch something, or did until it happened.
    pub(crate) fn connections(&self) -> usize {
        self.by_connection.len()
    }

    /// How many paths are watched.
    pub(crate) fn paths(&self) -> usize {
        self.by_path.len()
    }

    /// How many pairs of connection and path there are.
    pub(crate) fn pairs(&self) -> usize {
        self.pairs
    }

    /// Who watches what, sorted by path, then by connection.
    pub(crate) fn sorted(&self) -> Vec<(&str, ConnectionId, Modes)> {
        let mut all: Vec<_> = self
            .by_path
            .iter()
            .flat_map(|(path, on_path)| {
                on_path
                    .iter()
                    .map(|(connection, modes)| (&**path, *connection, *modes))
            })
            .collect();
        all.sort_unstable_by_key(|(path, connection, _)| (*path, *connection));
        all
    }
}

impl Watches {
    /// The watches on znodes and their data.
    pub(crate) fn data(&self) -> &Table {
        &self.data
    }

    /// The watches on lists of children.
    pub(crate) fn child(&self) -> &Table {
        &self.child
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data.pairs == 0 && self.child.pairs == 0
    }

    pub(super) fn add_data(&mut self, path: &str, connection: ConnectionId) {
        self.data.add(path, connection, Modes::STANDARD);
    }

    pub(super) fn add_child(&mut self, path: &str, connection: ConnectionId) {
        self.child.add(path, connection, Modes::STANDARD);
    }

    pub(super) fn add(&mut self, path: &str, connection: ConnectionId, mode: AddWatchMode) {
        match mode {
            AddWatchMode::Persistent => {
                self.data.add(path, connection, Modes::PERSISTENT);
                self.child.add(path, connection, Modes::PERSISTENT);
            }
            AddWatchMode::PersistentRecursive => {
                self.data.add(path, connection, Modes::PERSISTENT_RECURSIVE)
            }
        }
    }

    /// `DataTree.containsWatcher`.
    pub(super) fn contains(
        &self,
        path: &str,
        connection: ConnectionId,
        watcher_type: WatcherType,
    ) -> bool {
        let data = |mode| self.data.contains(path, connection, mode);
        let child = |mode| self.child.contains(path, connection, mode);
        match watcher_type {
            WatcherType::Children => child(Modes::STANDARD),
            WatcherType::Data => data(Modes::STANDARD),
            WatcherType::Persistent => data(Modes::PERSISTENT),
            WatcherType::PersistentRecursive => data(Modes::PERSISTENT_RECURSIVE),
            WatcherType::Any => data(Modes::ANY) || child(Modes::ANY),
        }
    }

    /// `DataTree.removeWatch`: whether anything was removed.
    pub(super) fn remove(
        &mut self,
        path: &str,
        connection: ConnectionId,
        watcher_type: WatcherType,
    ) -> bool {
        let (data, child) = match watcher_type {
            WatcherType::Children => (None, Some(Modes::STANDARD)),
            WatcherType::Data => (Some(Modes::STANDARD), None),
            WatcherType::Persistent => (Some(Modes::PERSISTENT), Some(Modes::PERSISTENT)),
            WatcherType::PersistentRecursive => (Some(Modes::PERSISTENT_RECURSIVE), None),
            WatcherType::Any => (Some(Modes::ANY), Some(Modes::ANY)),
        };
        let child = child.is_some_and(|mode| self.child.remove(path, connection, mode));
        let data = data.is_some_and(|mode| self.data.remove(path, connection, mode));
        child || data
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        self.data.disconnected(connection);
        self.child.disconnected(connection);
    }

    /// Tells `tell` what the change gives whom to hear, in ZooKeeper's order: for a path, first those who watch the
    /// znode, then (if it went) those who watch only its children, then those who watch the parent's.
    pub(super) fn fire<'c>(
        &mut self,
        change: &'c Change,
        mut tell: impl FnMut(ConnectionId, EventType, &'c str),
    ) {
        let path = &*change.path;
        let event = match change.kind {
            ChangeKind::Created => EventType::NodeCreated,
            ChangeKind::Deleted => EventType::NodeDeleted,
            ChangeKind::DataChanged => EventType::NodeDataChanged,
        };
        let told = self.data.trigger(path);
        for connection in &told {
            tell(*connection, event, path);
        }
        if change.kind == ChangeKind::DataChanged {
            return;
        }
        if change.kind == ChangeKind::Deleted {
            // Who has just been told is not told twice, but its watch on the children is used up all the same.
            for connection in self.child.trigger(path) {
                if told.binary_search(&connection).is_err() {
                    tell(connection, event, path);
                }
            }
        }
        let parent = match parent_of(path) {
            Some("") => "/",
            Some(parent) => parent,
            None => return,
        };
        for connection in self.child.trigger(parent) {
            tell(connection, EventType::NodeChildrenChanged, parent);
        }
    }
}
