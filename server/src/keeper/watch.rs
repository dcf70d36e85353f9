//! Watches, and the events that fire them.
//!
//! A watch belongs to a connection, not to a session. There are two tables, as in `DataTree`: watches of znodes and
//! their data, and watches of lists of children.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

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
    /// Position of each watched path in `watched`.
    by_path: HashMap<Arc<str>, usize, FixedState>,
    /// Watched paths. A path keeps its position for as long as it is watched, so that a long list of them can be read
    /// a part at a time.
    watched: Vec<Option<(Arc<str>, Watchers)>>,
    /// Empty positions in `watched`.
    free: Vec<usize>,
    /// Watches on a null path. No event has a null path, but a client can set and remove such a watch.
    on_null: Watchers,
    by_connection: HashMap<ConnectionId, Paths, FixedState>,
    /// Number of recursive watches.
    recursive: usize,
    pairs: usize,
}

/// The watches of one connection.
#[derive(Clone, Debug)]
struct Paths {
    paths: HashSet<Arc<str>, FixedState>,
    null: bool,
}

/// The watchers of one path and their kinds, ordered by connection. Most paths have one watcher.
#[derive(Clone, Debug, Default)]
struct Watchers(Vec<(ConnectionId, Modes)>);

/// A copy of a path and its watchers.
pub(crate) type WatchersOf = (Arc<str>, Vec<(ConnectionId, Modes)>);

/// The kinds of watch of one connection on one path. They exist independently since 3.9 (`WatchStats`).
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
            watched: Vec::new(),
            free: Vec::new(),
            on_null: Watchers::default(),
            by_connection: HashMap::with_hasher(FixedState::with_seed(0)),
            recursive: 0,
            pairs: 0,
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            paths: HashSet::with_hasher(FixedState::with_seed(0)),
            null: false,
        }
    }
}

impl Watchers {
    fn find(&self, connection: ConnectionId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&connection, |(id, _)| *id)
    }

    fn get(&self, connection: ConnectionId) -> Modes {
        let found = self.find(connection).ok().and_then(|at| self.0.get(at));
        found.map_or(Modes::default(), |(_, modes)| *modes)
    }

    /// Adds a kind of watch of a connection. Returns the kinds before.
    fn set(&mut self, connection: ConnectionId, mode: Modes) -> Modes {
        match self.find(connection) {
            Ok(at) => {
                let modes = self.0.get_mut(at).map(|(_, modes)| modes);
                modes.map_or(Modes::default(), |modes| {
                    std::mem::replace(modes, modes.with(mode))
                })
            }
            Err(at) => {
                self.0.insert(at, (connection, mode));
                Modes::default()
            }
        }
    }

    /// Removes a kind of watch of a connection. Returns the kinds before and after.
    fn unset(&mut self, connection: ConnectionId, mode: Modes) -> (Modes, Modes) {
        let before = self.get(connection);
        let after = before.without(mode);
        if let Ok(at) = self.find(connection) {
            if after == Modes::default() {
                self.0.remove(at);
            } else if let Some((_, modes)) = self.0.get_mut(at) {
                *modes = after;
            }
        }
        (before, after)
    }
}

impl Table {
    pub(crate) fn add(&mut self, path: Option<&str>, connection: ConnectionId, mode: Modes) {
        let (path, watchers) = match path {
            None => (None, &mut self.on_null),
            Some(path) => {
                let place = self.place_for(path);
                let Some((path, watchers)) = self.watched.get_mut(place).and_then(Option::as_mut)
                else {
                    unreachable!("the place of a path is never empty");
                };
                (Some(Arc::clone(path)), watchers)
            }
        };
        let before = watchers.set(connection, mode);
        if before == Modes::default() {
            self.pairs += 1;
            let watched = self.by_connection.entry(connection).or_default();
            match path {
                Some(path) => {
                    watched.paths.insert(path);
                }
                None => watched.null = true,
            }
        }
        if mode == Modes::PERSISTENT_RECURSIVE && !before.contains(mode) {
            self.recursive += 1;
        }
    }

    /// Returns the position of a path, after adding the path if it is missing.
    fn place_for(&mut self, path: &str) -> usize {
        if let Some(place) = self.by_path.get(path) {
            return *place;
        }
        let path: Arc<str> = Arc::from(path);
        let entry = Some((Arc::clone(&path), Watchers::default()));
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(empty) = self.watched.get_mut(place) {
                    *empty = entry;
                }
                place
            }
            None => {
                self.watched.push(entry);
                self.watched.len() - 1
            }
        };
        self.by_path.insert(path, place);
        place
    }

    /// Returns the watchers of a path, if it is watched.
    fn watchers(&self, path: &str) -> Option<&Watchers> {
        let place = *self.by_path.get(path)?;
        self.watched.get(place)?.as_ref().map(|(_, all)| all)
    }

    fn watchers_mut(&mut self, path: &str) -> Option<&mut Watchers> {
        let place = *self.by_path.get(path)?;
        self.watched.get_mut(place)?.as_mut().map(|(_, all)| all)
    }

    /// Removes a path that is not watched any more.
    fn remove_path(&mut self, path: &str) {
        if let Some(place) = self.by_path.remove(path)
            && let Some(watched) = self.watched.get_mut(place)
        {
            *watched = None;
            self.free.push(place);
        }
        if self.by_path.is_empty() {
            if self.watched.len() > 1024 {
                (self.watched, self.free) = (Vec::new(), Vec::new());
            }
            self.watched.clear();
            self.free.clear();
        }
    }

    fn contains(&self, path: Option<&str>, connection: ConnectionId, mode: Modes) -> bool {
        let watchers = match path {
            None => Some(&self.on_null),
            Some(path) => self.watchers(path),
        };
        watchers.is_some_and(|watchers| watchers.get(connection).contains(mode))
    }

    /// Removes a watch. Returns whether it existed.
    fn remove(&mut self, path: Option<&str>, connection: ConnectionId, mode: Modes) -> bool {
        let (before, after) = self.unwatch(path, connection, mode);
        if before != after
            && after == Modes::default()
            && let Some(watched) = self.by_connection.get_mut(&connection)
        {
            match path {
                None => watched.null = false,
                Some(path) => {
                    watched.paths.remove(path);
                }
            }
            if watched.paths.is_empty() && !watched.null {
                self.by_connection.remove(&connection);
            }
        }
        before != after
    }

    /// Removes a watcher from a path, but not the path from the connection's list. Returns the kinds before and after.
    fn unwatch(
        &mut self,
        path: Option<&str>,
        connection: ConnectionId,
        mode: Modes,
    ) -> (Modes, Modes) {
        let (before, after) = match path {
            None => self.on_null.unset(connection, mode),
            Some(path) => {
                let Some(watchers) = self.watchers_mut(path) else {
                    return (Modes::default(), Modes::default());
                };
                let changed = watchers.unset(connection, mode);
                if watchers.0.is_empty() {
                    self.remove_path(path);
                }
                changed
            }
        };
        if before.contains(Modes::PERSISTENT_RECURSIVE)
            && !after.contains(Modes::PERSISTENT_RECURSIVE)
        {
            self.recursive -= 1;
        }
        if before != after && after == Modes::default() {
            self.pairs -= 1;
        }
        (before, after)
    }

    /// Moves the watches of a connection to another table.
    fn hand_over(&mut self, connection: ConnectionId, other: &mut Self) {
        let Some(watched) = self.by_connection.get(&connection) else {
            return;
        };
        let paths = watched.paths.iter().map(|path| Some(&**path));
        for path in paths.chain(watched.null.then_some(None)) {
            for mode in [
                Modes::STANDARD,
                Modes::PERSISTENT,
                Modes::PERSISTENT_RECURSIVE,
            ] {
                if self.contains(path, connection, mode) {
                    other.add(path, connection, mode);
                }
            }
        }
        self.disconnected(connection);
    }

    fn disconnected(&mut self, connection: ConnectionId) {
        if let Some(watched) = self.by_connection.remove(&connection) {
            for path in &watched.paths {
                self.unwatch(Some(path), connection, Modes::ANY);
            }
            self.unwatch(None, connection, Modes::ANY);
        }
    }

    /// Returns the connections that a change at `path` concerns, and removes one-shot watches of that path.
    fn trigger(&mut self, path: &str) -> Vec<ConnectionId> {
        if self.by_path.is_empty() {
            return Vec::new();
        }
        let mut concerned = Vec::new();
        let place = self.by_path.get(path).copied();
        let found = place.and_then(|place| self.watched.get_mut(place)?.as_mut());
        if let Some((_, watchers)) = found {
            concerned.extend(watchers.0.iter().map(|(connection, _)| *connection));
            let mut used_up = 0;
            watchers.0.retain_mut(|(connection, modes)| {
                *modes = modes.without(Modes::STANDARD);
                let stays = *modes != Modes::default();
                if !stays {
                    used_up += 1;
                    // WatchManager.triggerWatch does not check whether this was the last watch of the connection: wchs
                    // still counts the connection.
                    if let Some(watched) = self.by_connection.get_mut(connection) {
                        watched.paths.remove(path);
                    }
                }
                stays
            });
            if watchers.0.is_empty() {
                self.remove_path(path);
            }
            self.pairs -= used_up;
        }
        if self.recursive > 0 {
            for above in ancestors(path).skip(1) {
                let watchers = self.watchers(above).into_iter();
                concerned.extend(
                    watchers
                        .flat_map(|watchers| &watchers.0)
                        .filter(|(_, modes)| modes.contains(Modes::PERSISTENT_RECURSIVE))
                        .map(|(connection, _)| *connection),
                );
            }
            concerned.sort_unstable();
            concerned.dedup();
        }
        concerned
    }

    /// Returns the number of connections that watch something, or did until it changed.
    pub(crate) fn connections(&self) -> usize {
        self.by_connection.len()
    }

    /// Returns the number of watched paths.
    pub(crate) fn paths(&self) -> usize {
        self.by_path.len() + usize::from(!self.on_null.0.is_empty())
    }

    /// Returns the number of pairs of connection and path.
    pub(crate) fn pairs(&self) -> usize {
        self.pairs
    }

    /// Returns the number of positions that watched paths have or had.
    pub(crate) fn places(&self) -> usize {
        self.watched.len()
    }

    /// Returns the path at a position, with the connections that watch it, sorted. The position after the last one has
    /// the null path, as Java prints it.
    pub(crate) fn at_place(
        &self,
        place: usize,
    ) -> Option<(&str, impl ExactSizeIterator<Item = ConnectionId>)> {
        let (path, watchers) = match self.watched.get(place) {
            Some(watched) => watched.as_ref().map(|(path, all)| (&**path, all))?,
            None if place == self.watched.len() => ("null", &self.on_null),
            None => return None,
        };
        let connections = watchers.0.iter().map(|(connection, _)| *connection);
        (!watchers.0.is_empty()).then_some((path, connections))
    }

    /// Returns a copy of all watches, in no order, for a caller that sorts it without delaying the server.
    pub(crate) fn unsorted(&self) -> Vec<WatchersOf> {
        let on_paths = self.watched.iter().flatten();
        let mut all: Vec<_> = on_paths
            .map(|(path, watchers)| (Arc::clone(path), watchers.0.clone()))
            .collect();
        if !self.on_null.0.is_empty() {
            // Java prints a null like this.
            all.push(("null".into(), self.on_null.0.clone()));
        }
        all
    }

    /// Returns all watches, sorted by path, then by connection.
    pub(crate) fn sorted(&self) -> Vec<(&str, ConnectionId, Modes)> {
        let on_paths = self
            .watched
            .iter()
            .flatten()
            .map(|(path, watchers)| (&**path, watchers));
        // Java prints a null like this.
        let mut all: Vec<_> = on_paths
            .chain([("null", &self.on_null)])
            .flat_map(|(path, watchers)| {
                watchers
                    .0
                    .iter()
                    .map(move |(connection, modes)| (path, *connection, *modes))
            })
            .collect();
        all.sort_unstable_by_key(|(path, connection, _)| (*path, *connection));
        all
    }
}

impl Watches {
    /// Returns the watches of znodes and their data.
    pub(crate) fn data(&self) -> &Table {
        &self.data
    }

    /// Returns the watches of lists of children.
    pub(crate) fn child(&self) -> &Table {
        &self.child
    }

    /// Returns the number of clients that watch a path in any way. Recursive watches count where they were set.
    pub(crate) fn clients(&self, path: &str) -> usize {
        let watchers = |table: &'_ Table| table.watchers(path).map_or(0, |all| all.0.len());
        let Some(child) = self.child.watchers(path) else {
            return watchers(&self.data);
        };
        let Some(data) = self.data.watchers(path) else {
            return watchers(&self.child);
        };
        let only_child = child.0.iter().filter(|(id, _)| data.find(*id).is_err());
        data.0.len() + only_child.count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data.pairs == 0 && self.child.pairs == 0
    }

    pub(super) fn add_data(&mut self, path: &str, connection: ConnectionId) {
        self.data.add(Some(path), connection, Modes::STANDARD);
    }

    pub(super) fn add_child(&mut self, path: &str, connection: ConnectionId) {
        self.child.add(Some(path), connection, Modes::STANDARD);
    }

    pub(super) fn add(&mut self, path: Option<&str>, connection: ConnectionId, mode: AddWatchMode) {
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
        path: Option<&str>,
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

    /// `DataTree.removeWatch`: returns whether a watch was removed.
    pub(super) fn remove(
        &mut self,
        path: Option<&str>,
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

    /// Moves the watches of a connection to other tables.
    pub(super) fn hand_over(&mut self, connection: ConnectionId, other: &mut Self) {
        self.data.hand_over(connection, &mut other.data);
        self.child.hand_over(connection, &mut other.child);
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        self.data.disconnected(connection);
        self.child.disconnected(connection);
    }

    /// Calls `notify` for each event of a change, in ZooKeeper's order: first to the watchers of the znode, then, if it
    /// was deleted, to those that watch only its children, then to the watchers of the parent's children.
    pub(super) fn fire<'c>(
        &mut self,
        change: &'c Change,
        mut notify: impl FnMut(ConnectionId, EventType, &'c str),
    ) {
        let path = &*change.path;
        let event = match change.kind {
            ChangeKind::Created => EventType::NodeCreated,
            ChangeKind::Deleted => EventType::NodeDeleted,
            ChangeKind::DataChanged => EventType::NodeDataChanged,
        };
        let notified = self.data.trigger(path);
        for connection in &notified {
            notify(*connection, event, path);
        }
        if change.kind == ChangeKind::DataChanged {
            return;
        }
        if change.kind == ChangeKind::Deleted {
            // A connection that was just notified is not notified twice, but its watch of the children is used up too.
            for connection in self.child.trigger(path) {
                if notified.binary_search(&connection).is_err() {
                    notify(connection, event, path);
                }
            }
        }
        let parent = match parent_of(path) {
            Some("") => "/",
            Some(parent) => parent,
            None => return,
        };
        for connection in self.child.trigger(parent) {
            notify(connection, EventType::NodeChildrenChanged, parent);
        }
    }
}
