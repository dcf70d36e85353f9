//! Znodes by path, and the ephemerals of each session.
//!
//! Paths are looked up by hash. The children of a znode form a ring through their own fields, so that a parent of a
//! million children costs eight bytes for each. `apply.rs` changes the tree.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::acl_table::{AclId, AclTable};
use super::digest::TreeDigest;
use super::index::Index;
use super::slab::Slab;
use super::znode::{NIL, Owner, Znode, length};
use crate::protocol::{
    Acl, AuthId, ClientText, DataFormat, Permissions, SessionId, ZnodeRecord, Zxid, open_acl,
    parent_of,
};

/// Most ephemerals, containers and znodes with a time to live that are copied in the turn of a snapshot.
const FEW_OWNERS: usize = 5_000;

/// All znodes, and facts about all of them together.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(super) znodes: Slab,
    free: Vec<u32>,
    by_path: Index,
    root: u32,
    /// The znode that was looked up last. A write looks its znode, or the parent, up to check it and again to change
    /// it, and most requests have the same parent as the one before.
    found: Cell<u32>,
    pub(super) acls: AclTable,
    ephemerals: BTreeMap<SessionId, BTreeSet<Box<str>>>,
    containers: BTreeSet<Box<str>>,
    with_ttl: BTreeSet<Box<str>>,
    /// Whether the three sets above list every owner. In a copy with many owners they do only once the copy is indexed.
    owners_known: bool,
    /// Paths that have a quota.
    pub(super) limited: BTreeSet<Box<str>>,
    last_zxid: Zxid,
    /// Whether an owner may be a time to live: `extendedTypesEnabled`.
    pub(super) extended_types: bool,
    pub(super) data_size: i64,
    /// The maintained digest, if any: see `digest.rs`.
    pub(super) digest: Option<Box<TreeDigest>>,
}

impl Tree {
    /// Creates the tree of a fresh server.
    pub(crate) fn new(format: DataFormat) -> Self {
        let mut tree = Self::empty();
        let readable: Arc<[Acl]> = Arc::from([Acl {
            permissions: Permissions::READ,
            id: AuthId::new("world", "anyone"),
        }]);
        tree.root = tree.insert(Znode::built_in("/", AclId::OPEN, 0), NIL);
        for (path, acl, aversion) in [
            ("/zookeeper", open_acl(), 0),
            ("/zookeeper/quota", open_acl(), 0),
            // DataTree.addConfigNode sets this ACL with version -1.
            ("/zookeeper/config", readable, -1),
        ] {
            if path == "/zookeeper/config" && format == DataFormat::V3_4 {
                continue;
            }
            let acl = tree.acls.intern(&acl);
            let parent = tree
                .find_id(parent_of(path).unwrap_or_default())
                .expect("a parent comes before its children");
            tree.insert(Znode::built_in(path, acl, aversion), parent);
        }
        tree
    }

    /// Creates a tree without any znode, even without the root.
    pub(super) fn empty() -> Self {
        Self {
            znodes: Slab::default(),
            free: Vec::new(),
            by_path: Index::default(),
            owners_known: true,
            root: NIL,
            found: Cell::new(NIL),
            acls: AclTable::new(),
            ephemerals: BTreeMap::new(),
            containers: BTreeSet::new(),
            with_ttl: BTreeSet::new(),
            limited: BTreeSet::new(),
            last_zxid: Zxid(0),
            extended_types: true,
            data_size: 0,
            digest: None,
        }
    }

    /// Returns a copy that shares its znodes with this tree until one of the two changes them. A copy with many
    /// ephemerals, containers and znodes with a time to live lists them only once it is [indexed](Self::index).
    pub(super) fn share(&mut self) -> Self {
        let owners = self.ephemerals_count() + self.containers.len() + self.with_ttl.len();
        let owners_known = self.owners_known && owners <= FEW_OWNERS;
        let copy = |set: &BTreeSet<Box<str>>| {
            if owners_known {
                set.clone()
            } else {
                BTreeSet::new()
            }
        };
        Self {
            znodes: self.znodes.share(),
            free: self.free.clone(),
            by_path: self.by_path.share(),
            root: self.root,
            found: Cell::new(NIL),
            acls: self.acls.clone(),
            ephemerals: if owners_known {
                self.ephemerals.clone()
            } else {
                BTreeMap::new()
            },
            containers: copy(&self.containers),
            with_ttl: copy(&self.with_ttl),
            owners_known,
            limited: self.limited.clone(),
            last_zxid: self.last_zxid,
            extended_types: self.extended_types,
            data_size: self.data_size,
            digest: self.digest.clone(),
        }
    }

    /// Makes later clones of the znodes share them until they change.
    pub(super) fn make_znodes_shared(&mut self) {
        self.znodes.make_shared();
    }

    /// Makes later clones share the znodes and the index until they change.
    pub(super) fn make_shared(&mut self) {
        self.znodes.make_shared();
        self.by_path.make_shared();
    }

    /// Finds the ephemerals, containers and znodes with a time to live, if they are not known.
    pub(super) fn index(&mut self) {
        if std::mem::replace(&mut self.owners_known, true) {
            return;
        }
        let znodes = std::mem::take(&mut self.znodes);
        for (_, znode) in znodes.iter() {
            self.index_owner(znode, true);
        }
        self.znodes = znodes;
    }

    /// Returns the zxid of the last transaction.
    pub(crate) fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    pub(super) fn set_last_zxid(&mut self, zxid: Zxid) {
        self.last_zxid = zxid;
    }

    /// Adds a znode of a snapshot, after its parent.
    ///
    /// # Errors
    ///
    /// Returns the reason if the tree cannot contain the znode.
    pub(super) fn take(&mut self, record: &ZnodeRecord<'_>) -> Result<(), &'static str> {
        let ZnodeRecord {
            path,
            data,
            acl,
            stat,
        } = *record;
        let parent = match parent_of(path) {
            _ if path == "/" => NIL,
            Some(parent) if !path.ends_with('/') => {
                self.parent_of_next(parent).ok_or("it has no parent")?
            }
            Some(_) | None => return Err("that is no path"),
        };
        let hash = hash(path);
        let is_it = |id| {
            let znode = self.znodes.get(id);
            znode.is_some_and(|znode| *znode.path == *path)
        };
        if self.by_path.find(hash, is_it).is_some() {
            return Err("it is there twice");
        }
        let id = self.znodes.push();
        self.by_path.insert(hash, id);
        let acl = self.acls.intern(acl);
        let mut znode = Znode::restored(path, data, acl, &stat, self.extended_types);
        (znode.next, znode.previous) = (id, id);
        if parent == NIL {
            self.root = id;
        } else {
            let first = self.slot_mut(parent).first_child;
            if let Some(last) = self.slot(first).map(|first| first.previous) {
                (znode.next, znode.previous) = (first, last);
            }
            self.link(id, parent, (znode.next, znode.previous));
            self.found.set(parent);
        }
        self.data_size += size(&znode);
        self.index_owner(&znode, true);
        if let Some(slot) = self.znodes.slot_mut(id) {
            *slot = Some(znode);
        }
        self.add_digest(id);
        Ok(())
    }

    /// Returns the number of the next znode's parent. It is mostly the parent of the znode before, or that znode
    /// itself.
    fn parent_of_next(&self, path: &str) -> Option<u32> {
        let last = u32::try_from(self.len()).ok()?.checked_sub(1)?;
        if self.slot(last).is_some_and(|last| *last.path == *path) {
            return Some(last);
        }
        self.find_id(path).filter(|id| *id != NIL)
    }

    /// Returns the persisted part of every znode, parents before their children and siblings in the order of their
    /// creation.
    pub(super) fn records(&self) -> impl Iterator<Item = ZnodeRecord<'_>> + Clone {
        let root = self.slot(self.root);
        root.into_iter()
            .flat_map(|root| std::iter::once(root).chain(self.below(root)))
            .map(|znode| ZnodeRecord {
                path: znode.path(),
                data: znode.data(),
                acl: self.acl(znode.acl()),
                stat: znode.persisted(),
            })
    }

    /// Returns the number of znodes, the root included.
    pub(crate) fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Returns the length of all paths and data together, as `approximate_data_size` counts them.
    pub(crate) fn data_size(&self) -> i64 {
        self.data_size
    }

    /// Returns the number of ephemerals.
    pub(crate) fn ephemerals_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// Returns the znode at a path. The empty path is the root, as in every read of ZooKeeper.
    pub(crate) fn get(&self, path: &str) -> Option<&Znode> {
        self.slot(self.find_id(path)?)
    }

    /// Returns the znode at a path that a client sent. Its characters are decoded only if no znode has its bytes.
    #[inline]
    pub(super) fn find(&self, path: ClientText<'_>) -> Option<&Znode> {
        match self.find_bytes(path.bytes()) {
            Some(id) => self.slot(id),
            None => self.find_decoded(path),
        }
    }

    #[cold]
    fn find_decoded(&self, path: ClientText<'_>) -> Option<&Znode> {
        match path.decode() {
            Cow::Borrowed(_) => None,
            Cow::Owned(path) => self.get(&path),
        }
    }

    /// Returns the names of a znode's children, in the order of their creation.
    pub(crate) fn children<'a>(&'a self, znode: &'a Znode) -> impl Iterator<Item = &'a str> {
        let first = self.slot(znode.first_child);
        // A name stands behind the path of its parent and a `/`; the path of the root is that `/`.
        let at = znode.path.len() + usize::from(znode.path.len() > 1);
        std::iter::successors(first, move |child| {
            (child.next != znode.first_child)
                .then(|| self.slot(child.next))
                .flatten()
        })
        .map(move |child| child.path.get(at..).unwrap_or_default())
    }

    /// Returns all descendants of a znode, parents before their children.
    pub(crate) fn below(&self, znode: &Znode) -> impl Iterator<Item = &Znode> + Clone {
        // Each entry is the next child to visit, and the first of its siblings, at which their ring closes.
        let mut open = vec![(znode.first_child, znode.first_child)];
        std::iter::from_fn(move || {
            loop {
                let (id, first) = open.pop()?;
                if let Some(child) = self.slot(id) {
                    if child.next != first {
                        open.push((child.next, first));
                    }
                    open.push((child.first_child, child.first_child));
                    return Some(child);
                }
            }
        })
    }

    /// Returns the ACL with this number.
    pub(crate) fn acl(&self, id: AclId) -> &Arc<[Acl]> {
        self.acls.get(id)
    }

    /// Returns the ACL of a znode and its number.
    pub(super) fn acl_of(&self, znode: &Znode) -> (AclId, &[Acl]) {
        (znode.acl(), self.acl(znode.acl()))
    }

    /// Returns the number of a znode's ACL in a snapshot that does not list the ACL.
    pub(super) fn unlisted_acl(&self, znode: &Znode) -> Option<i64> {
        self.acls.unlisted(znode.acl())
    }

    /// Returns the znodes whose ACL no snapshot lists.
    pub(crate) fn with_unlisted_acl(&self) -> impl Iterator<Item = &Znode> {
        let znodes = self.acls.has_unlisted().then(|| self.all());
        znodes
            .into_iter()
            .flatten()
            .filter(|znode| self.unlisted_acl(znode).is_some())
    }

    /// Returns the paths of a session's ephemerals, sorted.
    pub(crate) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> {
        self.ephemerals
            .get(&session)
            .into_iter()
            .flatten()
            .map(|path| &**path)
    }

    /// Returns every session that has ephemerals, with their paths, sorted.
    pub(crate) fn all_ephemerals(
        &self,
    ) -> impl Iterator<Item = (SessionId, impl Iterator<Item = &str>)> {
        self.ephemerals
            .iter()
            .map(|(session, paths)| (*session, paths.iter().map(|path| &**path)))
    }

    /// Returns the paths of the znodes with a time to live, sorted.
    pub(super) fn ttl_paths(&self) -> impl Iterator<Item = &str> {
        self.with_ttl.iter().map(|path| &**path)
    }

    /// Returns ephemerals in the order of [`all_ephemerals`](Self::all_ephemerals), from a given one on.
    pub(crate) fn ephemerals_from<'a>(
        &'a self,
        from: Bound<(SessionId, &'a str)>,
    ) -> impl Iterator<Item = (SessionId, &'a str)> {
        let (first, behind) = match from {
            Bound::Unbounded => (None, None),
            Bound::Included((session, path)) => (Some(session), Some(Bound::Included(path))),
            Bound::Excluded((session, path)) => (Some(session), Some(Bound::Excluded(path))),
        };
        let sessions = match first {
            None => self.ephemerals.range::<SessionId, _>(..),
            Some(session) => self.ephemerals.range(session..),
        };
        sessions.flat_map(move |(session, paths)| {
            let from = behind.filter(|_| first == Some(*session));
            let from = from.unwrap_or(Bound::Unbounded);
            let paths = paths.range::<str, _>((from, Bound::Unbounded));
            paths.map(|path| (*session, &**path))
        })
    }

    /// Returns the containers and the znodes with a time to live, sorted by path within each kind.
    pub(crate) fn reapable(&self) -> impl Iterator<Item = &Znode> {
        self.containers
            .iter()
            .chain(&self.with_ttl)
            .filter_map(|path| self.get(path))
    }

    /// Returns all znodes, in no particular order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Znode> {
        self.znodes.iter().map(|(_, znode)| znode)
    }

    /// Number of distinct ACLs other than the open one.
    #[cfg(test)]
    pub(crate) fn distinct_acls(&self) -> usize {
        self.acls.len()
    }

    /// Returns the number of the znode at a path.
    #[inline]
    pub(super) fn find_id(&self, path: &str) -> Option<u32> {
        self.find_bytes(path.as_bytes())
    }

    fn find_bytes(&self, path: &[u8]) -> Option<u32> {
        let found = self.found.get();
        let is_it = |id| {
            self.slot(id)
                .is_some_and(|znode| znode.path.as_bytes() == path)
        };
        if is_it(found) {
            return Some(found);
        }
        if matches!(path, b"" | b"/") {
            return Some(self.root);
        }
        let hash = hash_of(path);
        let id = self.by_path.find(hash, is_it)?;
        self.found.set(id);
        Some(id)
    }

    pub(super) fn find_root(&self) -> u32 {
        self.root
    }

    pub(super) fn slot(&self, id: u32) -> Option<&Znode> {
        self.znodes.get(id)
    }

    pub(super) fn slot_mut(&mut self, id: u32) -> &mut Znode {
        self.znodes
            .slot_mut(id)
            .and_then(Option::as_mut)
            .expect("an id from the index or a link is that of a znode")
    }

    /// Adds a znode as the last child of its parent.
    #[inline]
    pub(super) fn insert(&mut self, mut znode: Znode, parent: u32) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| self.znodes.push());
        (znode.next, znode.previous) = (id, id);
        if parent != NIL {
            let first = self.slot_mut(parent).first_child;
            if let Some(last) = self.slot(first).map(|first| first.previous) {
                (znode.next, znode.previous) = (first, last);
            }
        }
        self.restore_into(id, znode, parent);
        id
    }

    /// Puts a removed znode back into its old place. Its links still name its siblings.
    pub(super) fn restore(&mut self, id: u32, znode: Znode, parent: u32) {
        let taken = self.free.pop();
        debug_assert_eq!(taken, Some(id), "what was freed last is taken back first");
        self.restore_into(id, znode, parent);
    }

    #[inline]
    fn restore_into(&mut self, id: u32, znode: Znode, parent: u32) {
        let (next, previous) = (znode.next, znode.previous);
        self.data_size += size(&znode);
        self.index_owner(&znode, true);
        let hash = hash(&znode.path);
        if let Some(slot) = self.znodes.slot_mut(id) {
            *slot = Some(znode);
        }
        if parent != NIL {
            self.link(id, parent, (next, previous));
        }
        self.by_path.insert(hash, id);
    }

    /// Puts a znode into the ring of its parent's children.
    #[inline]
    fn link(&mut self, id: u32, parent: u32, (next, previous): (u32, u32)) {
        if next != id {
            self.slot_mut(next).previous = id;
            self.slot_mut(previous).next = id;
        }
        let parent = self.slot_mut(parent);
        parent.children.add();
        if parent.first_child == NIL {
            parent.first_child = id;
        }
    }

    pub(super) fn remove(&mut self, id: u32, parent: u32) -> Znode {
        let znode = self
            .znodes
            .slot_mut(id)
            .and_then(Option::take)
            .expect("an id from the index is that of a znode");
        self.by_path.remove(hash(&znode.path), id);
        self.free.push(id);
        self.index_owner(&znode, false);
        self.data_size -= size(&znode);
        if znode.next != id {
            self.slot_mut(znode.next).previous = znode.previous;
            self.slot_mut(znode.previous).next = znode.next;
        }
        let parent = self.slot_mut(parent);
        parent.children.remove();
        if parent.first_child == id {
            parent.first_child = if znode.next == id { NIL } else { znode.next };
        }
        znode
    }

    fn index_owner(&mut self, znode: &Znode, present: bool) {
        let set = match znode.owner() {
            Owner::Unowned => return,
            Owner::Container => &mut self.containers,
            Owner::Ttl { .. } => &mut self.with_ttl,
            Owner::Session(session) => {
                let paths = self.ephemerals.entry(session).or_default();
                if present {
                    paths.insert(znode.path.clone());
                } else {
                    paths.remove(&znode.path);
                    if paths.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
                return;
            }
        };
        if present {
            set.insert(znode.path.clone());
        } else {
            set.remove(&znode.path);
        }
    }
}

/// Two trees are equal if no client can distinguish them. The sum behind `approximate_data_size` is not compared: usage
/// grows without being counted, until a restart (`DataTree.updateQuotaStat`).
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        fn names<'a>(tree: &'a Tree, znode: &'a Znode) -> Vec<&'a str> {
            tree.children(znode).collect()
        }
        self.last_zxid == other.last_zxid
            && self.len() == other.len()
            && self.ephemerals == other.ephemerals
            && self.containers == other.containers
            && self.with_ttl == other.with_ttl
            && self.limited == other.limited
            && self.znodes.iter().all(|(_, znode)| {
                other.get(&znode.path).is_some_and(|twin| {
                    znode.stat() == twin.stat()
                        && znode.owner() == twin.owner()
                        && znode.data == twin.data
                        && self.acl(znode.acl) == other.acl(twin.acl)
                        && names(self, znode) == names(other, twin)
                })
            })
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sorted: BTreeMap<_, _> = self
            .znodes
            .iter()
            .map(|(_, znode)| (&znode.path, znode.stat()))
            .collect();
        f.debug_struct("Tree")
            .field("last_zxid", &self.last_zxid)
            .field("znodes", &sorted)
            .finish_non_exhaustive()
    }
}

/// Hashes a path so that paths that differ only in their last byte are neighbours in the index. Numbered znodes differ
/// so, and the place of the next one is already in the processor's cache.
fn hash(path: &str) -> u32 {
    hash_of(path.as_bytes())
}

fn hash_of(path: &[u8]) -> u32 {
    let (last, stem) = path.split_last().unwrap_or((&0, &[]));
    let hash = FixedState::with_seed(0).hash_one(stem);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "32 bits are enough to distinguish paths, and half as large"
    )]
    let hash = (hash ^ (hash >> 32)) as u32;
    hash.wrapping_add(u32::from(*last))
}

fn size(znode: &Znode) -> i64 {
    // DataTree.getNodeSize counts the length of a path in UTF-16.
    let path = if znode.path.is_ascii() {
        znode.path.len()
    } else {
        znode.path.encode_utf16().count()
    };
    i64::try_from(path).unwrap_or(i64::MAX) + i64::from(length(&znode.data))
}
