//! Znodes by path, their stats, and who owns which ephemeral.
//!
//! Paths are looked up by hash. The children of a znode form a ring through it, so that a parent of a million
//! children costs each of them eight bytes. The tree changes through [`Tree::apply_record`] and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::acl_table::{AclId, AclTable};
use super::quota;
use super::undo::{Undo, UndoLog};
use crate::protocol::{
    Acl, AuthId, Permissions, SessionId, Stat, Timestamp, TxnRecord, Zxid, name_of, open_acl,
    parent_of,
};

/// What a znode holds, shared with whoever keeps a copy of the tree.
pub(crate) type Data = Option<Arc<[u8]>>;

/// Every znode, and what is known about them together.
#[derive(Clone)]
pub(crate) struct Tree {
    znodes: Vec<Option<Znode>>,
    free: Vec<u32>,
    by_path: HashTable<Entry>,
    root: u32,
    acls: AclTable,
    ephemerals: BTreeMap<SessionId, BTreeSet<Box<str>>>,
    containers: BTreeSet<Box<str>>,
    with_ttl: BTreeSet<Box<str>>,
    /// The paths that have a quota.
    pub(super) limited: BTreeSet<Box<str>>,
    last_zxid: Zxid,
    data_size: i64,
}

/// Where a path leads. The hash stands beside the number, so that the index grows, and passes over most of those that are
/// not meant, without a look at the znodes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    id: u32,
}

/// One znode, with ZooKeeper's persisted stat.
#[derive(Clone, Debug)]
pub(crate) struct Znode {
    path: Box<str>,
    data: Data,
    czxid: Zxid,
    mzxid: Zxid,
    pzxid: Zxid,
    ctime: Timestamp,
    mtime: Timestamp,
    version: i32,
    /// The number of children ever created here. The wire's `cversion` is made of it and of `num_children`.
    creates: i32,
    aversion: i32,
    num_children: i32,
    owner: Owner,
    acl: AclId,
    first_child: u32,
    next: u32,
    previous: u32,
}

/// Whom a znode goes with, in ZooKeeper's own encoding (`EphemeralType`): 0 nobody, a session's number, the lowest
/// number for a container, and a top byte of ones for a time to live in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(i64);

/// What [`Owner`] says, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerKind {
    Nobody,
    Session(SessionId),
    Container,
    Ttl { ms: i64 },
}

/// Who and when, for all records of one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxnHeader {
    pub(crate) session: SessionId,
    pub(crate) zxid: Zxid,
    pub(crate) time: Timestamp,
}

/// What happened to one znode, in the order in which watches hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    pub(crate) path: Box<str>,
    /// The ACL that decides who may hear of it.
    pub(crate) acl: Arc<[Acl]>,
    /// The parent's, for those who watch its children.
    pub(crate) parent_acl: Arc<[Acl]>,
}

/// How it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Created,
    Deleted,
    DataChanged,
}

/// The changes of a transaction, if anybody listens.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) wanted: bool,
    pub(crate) list: Vec<Change>,
}

const NIL: u32 = u32::MAX;

impl Owner {
    const CONTAINER: i64 = i64::MIN;
    const TTL_MASK: i64 = 0xff << 56;
    /// The longest time to live, in milliseconds.
    pub(crate) const MAX_TTL_MS: i64 = 0xff_ffff_ffff;

    pub(crate) const NOBODY: Self = Self(0);

    pub(crate) fn kind(self) -> OwnerKind {
        match self.0 {
            0 => OwnerKind::Nobody,
            Self::CONTAINER => OwnerKind::Container,
            owner if owner & Self::TTL_MASK == Self::TTL_MASK => OwnerKind::Ttl {
                ms: owner & Self::MAX_TTL_MS,
            },
            owner => OwnerKind::Session(SessionId(owner)),
        }
    }
}

impl From<OwnerKind> for Owner {
    fn from(kind: OwnerKind) -> Self {
        Self(match kind {
            OwnerKind::Nobody => 0,
            OwnerKind::Session(session) => session.0,
            OwnerKind::Container => Self::CONTAINER,
            OwnerKind::Ttl { ms } => Self::TTL_MASK | (ms & Self::MAX_TTL_MS),
        })
    }
}

impl Znode {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn data(&self) -> Option<&[u8]> {
        self.data.as_deref()
    }

    pub(crate) fn shared_data(&self) -> &Data {
        &self.data
    }

    pub(crate) fn mzxid(&self) -> Zxid {
        self.mzxid
    }

    pub(crate) fn pzxid(&self) -> Zxid {
        self.pzxid
    }

    pub(crate) fn mtime(&self) -> Timestamp {
        self.mtime
    }

    pub(crate) fn version(&self) -> i32 {
        self.version
    }

    pub(crate) fn aversion(&self) -> i32 {
        self.aversion
    }

    /// The number of children ever created here, which the next sequential child bears.
    pub(crate) fn creates(&self) -> i32 {
        self.creates
    }

    pub(crate) fn has_children(&self) -> bool {
        self.num_children > 0
    }

    pub(crate) fn owner(&self) -> OwnerKind {
        self.owner.kind()
    }

    pub(crate) fn acl(&self) -> AclId {
        self.acl
    }

    /// The stat as clients see it.
    pub(crate) fn stat(&self) -> Stat {
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            // DataNode.copyStat: only creates are counted, so a delete shows as one child fewer.
            cversion: self.creates.wrapping_mul(2).wrapping_sub(self.num_children),
            aversion: self.aversion,
            ephemeral_owner: match self.owner.kind() {
                OwnerKind::Session(session) => session,
                OwnerKind::Nobody | OwnerKind::Container | OwnerKind::Ttl { .. } => SessionId::NONE,
            },
            data_length: length(&self.data),
            num_children: self.num_children,
            pzxid: self.pzxid,
        }
    }
}

/// The number of bytes, 0 for null.
pub(super) fn length(data: &Data) -> i32 {
    data.as_ref()
        .map_or(0, |data| i32::try_from(data.len()).unwrap_or(i32::MAX))
}

fn share(data: Option<&[u8]>) -> Data {
    data.map(Arc::from)
}

impl Tree {
    /// The tree of a fresh server.
    pub(crate) fn new() -> Self {
        let mut tree = Self {
            znodes: Vec::new(),
            free: Vec::new(),
            by_path: HashTable::new(),
            root: 0,
            acls: AclTable::new(),
            ephemerals: BTreeMap::new(),
            containers: BTreeSet::new(),
            with_ttl: BTreeSet::new(),
            limited: BTreeSet::new(),
            last_zxid: Zxid(0),
            data_size: 0,
        };
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
            let acl = tree.acls.intern(&acl);
            let parent = tree
                .find_id(parent_of(path).unwrap_or_default())
                .expect("a parent comes before its children");
            tree.insert(Znode::built_in(path, acl, aversion), parent);
        }
        tree
    }

    /// The number of the last transaction.
    pub(crate) fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    pub(super) fn set_last_zxid(&mut self, zxid: Zxid) {
        self.last_zxid = zxid;
    }

    /// How many znodes there are, the root included.
    pub(crate) fn len(&self) -> usize {
        self.by_path.len()
    }

    /// The length of all paths and data together, as `approximate_data_size` counts them.
    pub(crate) fn data_size(&self) -> i64 {
        self.data_size
    }

    /// How many znodes go with their session.
    pub(crate) fn ephemerals_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// The znode at a path, where the empty path means the root, as it does for every read in ZooKeeper.
    pub(crate) fn get(&self, path: &str) -> Option<&Znode> {
        let id = self.find_id(path)?;
        self.znodes.get(id as usize)?.as_ref()
    }

    /// The names of a znode's children, in the order of their creation.
    pub(crate) fn children<'a>(&'a self, znode: &'a Znode) -> impl Iterator<Item = &'a str> {
        let first = self.slot(znode.first_child);
        std::iter::successors(first, move |child| {
            (child.next != znode.first_child)
                .then(|| self.slot(child.next))
                .flatten()
        })
        .map(|child| name_of(&child.path))
    }

    /// Every znode below one, parents before their children.
    pub(crate) fn below(&self, znode: &Znode) -> impl Iterator<Item = &Znode> {
        // Each entry is the next child to visit and the first of its siblings, at which their ring closes.
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

    /// An ACL by its number.
    pub(crate) fn acl(&self, id: AclId) -> &Arc<[Acl]> {
        self.acls.get(id)
    }

    /// The paths of a session's ephemerals, sorted.
    pub(crate) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> {
        self.ephemerals
            .get(&session)
            .into_iter()
            .flatten()
            .map(|path| &**path)
    }

    /// Every session that has ephemerals, with their paths, sorted.
    pub(crate) fn all_ephemerals(
        &self,
    ) -> impl Iterator<Item = (SessionId, impl Iterator<Item = &str>)> {
        self.ephemerals
            .iter()
            .map(|(session, paths)| (*session, paths.iter().map(|path| &**path)))
    }

    /// The containers and the znodes with a time to live, sorted by path within each kind.
    pub(crate) fn reapable(&self) -> impl Iterator<Item = &Znode> {
        self.containers
            .iter()
            .chain(&self.with_ttl)
            .filter_map(|path| self.get(path))
    }

    /// Every znode, in no order that means anything.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Znode> {
        self.znodes.iter().flatten()
    }

    /// How many different ACLs are kept, besides the open one.
    #[cfg(test)]
    pub(crate) fn distinct_acls(&self) -> usize {
        self.acls.len()
    }

    /// Carries out one record of a transaction.
    ///
    /// The record was checked before: what it names is there. A record that finds a znode it would create, or misses
    /// one it would change, leaves it at that, as replay in `DataTree.processTxn` does.
    pub(crate) fn apply_record(
        &mut self,
        header: TxnHeader,
        record: &TxnRecord<'_>,
        undo: &mut UndoLog,
        changes: &mut Changes,
    ) -> Option<Stat> {
        match record {
            TxnRecord::Create {
                path,
                data,
                acl,
                ephemeral,
                parent_cversion,
            } => {
                let owner = if *ephemeral {
                    OwnerKind::Session(header.session)
                } else {
                    OwnerKind::Nobody
                };
                self.create(
                    header,
                    path,
                    data.as_deref(),
                    acl,
                    owner,
                    *parent_cversion,
                    undo,
                    changes,
                )
            }
            TxnRecord::CreateContainer {
                path,
                data,
                acl,
                parent_cversion,
            } => {
                let owner = OwnerKind::Container;
                self.create(
                    header,
                    path,
                    data.as_deref(),
                    acl,
                    owner,
                    *parent_cversion,
                    undo,
                    changes,
                )
            }
            TxnRecord::CreateTtl {
                path,
                data,
                acl,
                parent_cversion,
                ttl_ms,
            } => {
                let owner = OwnerKind::Ttl { ms: *ttl_ms };
                self.create(
                    header,
                    path,
                    data.as_deref(),
                    acl,
                    owner,
                    *parent_cversion,
                    undo,
                    changes,
                )
            }
            TxnRecord::Delete { path } | TxnRecord::DeleteContainer { path } => {
                self.delete(header, path, undo, changes);
                None
            }
            TxnRecord::SetData {
                path,
                data,
                version,
            } => self.set_data(header, path, data.as_deref(), *version, undo, changes),
            TxnRecord::SetAcl { path, acl, version } => self.set_acl(path, acl, *version, undo),
            TxnRecord::CloseSession { paths } => {
                for path in paths {
                    self.delete(header, path, undo, changes);
                }
                None
            }
            TxnRecord::Multi(records) => {
                if !records
                    .iter()
                    .any(|record| matches!(record, TxnRecord::Error { .. }))
                {
                    for record in records {
                        self.apply_record(header, record, undo, changes);
                    }
                }
                None
            }
            TxnRecord::CreateSession { .. } | TxnRecord::Check { .. } | TxnRecord::Error { .. } => {
                None
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of the three creating records, and nothing else"
    )]
    fn create(
        &mut self,
        header: TxnHeader,
        path: &str,
        data: Option<&[u8]>,
        acl: &Arc<[Acl]>,
        owner: OwnerKind,
        parent_cversion: i32,
        undo: &mut UndoLog,
        changes: &mut Changes,
    ) -> Option<Stat> {
        let parent_id = self.find_id(parent_of(path)?)?;
        if self.find_id(path).is_some() {
            return None;
        }
        let parent = self.slot_mut(parent_id);
        let before = (parent.creates, parent.pzxid);
        // DataTree.createNode only ever raises it, so at i32::MAX the counter stands still for good.
        if parent_cversion > parent.creates {
            parent.creates = parent_cversion;
            parent.pzxid = header.zxid;
        }
        let acl_id = self.acls.intern(acl);
        let znode = Znode {
            path: path.into(),
            data: share(data),
            czxid: header.zxid,
            mzxid: header.zxid,
            pzxid: header.zxid,
            ctime: header.time,
            mtime: header.time,
            version: 0,
            creates: 0,
            aversion: 0,
            num_children: 0,
            owner: owner.into(),
            acl: acl_id,
            first_child: NIL,
            next: NIL,
            previous: NIL,
        };
        let stat = znode.stat();
        let id = self.insert(znode, parent_id);
        undo.push(|| Undo::Created {
            id,
            parent: parent_id,
            parent_creates: before.0,
            parent_pzxid: before.1,
        });
        quota::znode_created(self, path, data.map_or(0, <[u8]>::len), undo);
        self.tell(changes, ChangeKind::Created, path, acl_id, parent_id);
        Some(stat)
    }

    fn delete(&mut self, header: TxnHeader, path: &str, undo: &mut UndoLog, changes: &mut Changes) {
        let Some(parent_id) = parent_of(path).and_then(|parent| self.find_id(parent)) else {
            return;
        };
        let parent = self.slot_mut(parent_id);
        let parent_pzxid = parent.pzxid;
        parent.pzxid = parent.pzxid.max(header.zxid);
        let Some(id) = self.find_id(path) else { return };
        let acl = self.slot(id).map_or(AclId::OPEN, Znode::acl);
        self.tell(changes, ChangeKind::Deleted, path, acl, parent_id);
        let was_first = self
            .slot(parent_id)
            .is_some_and(|parent| parent.first_child == id);
        let znode = self.remove(id, parent_id);
        let size = length(&znode.data);
        if undo.is_kept() {
            undo.push(|| Undo::Deleted {
                id,
                znode: Box::new(znode),
                parent: parent_id,
                parent_pzxid,
                was_first,
            });
        } else {
            self.acls.release(znode.acl);
        }
        quota::znode_deleted(self, path, size, undo);
    }

    fn set_data(
        &mut self,
        header: TxnHeader,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        undo: &mut UndoLog,
        changes: &mut Changes,
    ) -> Option<Stat> {
        let id = self.find_id(path)?;
        let znode = self.slot_mut(id);
        let old = std::mem::replace(&mut znode.data, share(data));
        let (mzxid, mtime, old_version) = (znode.mzxid, znode.mtime, znode.version);
        znode.mzxid = header.zxid;
        znode.mtime = header.time;
        znode.version = version;
        let stat = znode.stat();
        let acl = znode.acl;
        let grown = i64::from(length(&znode.data)) - i64::from(length(&old));
        self.data_size += grown;
        undo.push(|| Undo::DataSet {
            id,
            data: old,
            mzxid,
            mtime,
            version: old_version,
        });
        quota::data_set(self, path, grown, undo);
        // Who watches data does not watch the parent, so the parent's ACL is never asked for.
        self.tell(changes, ChangeKind::DataChanged, path, acl, id);
        Some(stat)
    }

    fn set_acl(
        &mut self,
        path: &str,
        acl: &Arc<[Acl]>,
        version: i32,
        undo: &mut UndoLog,
    ) -> Option<Stat> {
        let id = self.find_id(path)?;
        let new = self.acls.intern(acl);
        let znode = self.slot_mut(id);
        let old = std::mem::replace(&mut znode.acl, new);
        let aversion = std::mem::replace(&mut znode.aversion, version);
        let stat = znode.stat();
        if undo.is_kept() {
            undo.push(|| Undo::AclSet {
                id,
                acl: old,
                aversion,
            });
        } else {
            self.acls.release(old);
        }
        Some(stat)
    }

    /// Replaces data without it being a write: no version, no time, no watch. Only quotas do this to their usage.
    pub(super) fn replace_data(&mut self, path: &str, data: Data, undo: &mut UndoLog) {
        let Some(id) = self.find_id(path) else { return };
        let znode = self.slot_mut(id);
        let old = std::mem::replace(&mut znode.data, data);
        undo.push(|| Undo::UsageCounted { id, data: old });
    }

    /// Takes back everything in the log, last first.
    pub(super) fn roll_back(&mut self, undo: &mut UndoLog) {
        while let Some(step) = undo.pop() {
            match step {
                Undo::Created {
                    id,
                    parent,
                    parent_creates,
                    parent_pzxid,
                } => {
                    let znode = self.remove(id, parent);
                    self.acls.release(znode.acl);
                    let parent = self.slot_mut(parent);
                    parent.creates = parent_creates;
                    parent.pzxid = parent_pzxid;
                    quota::limits_forgotten(self, &znode.path);
                }
                Undo::Deleted {
                    id,
                    znode,
                    parent,
                    parent_pzxid,
                    was_first,
                } => {
                    quota::limits_remembered(self, &znode.path);
                    self.restore(id, *znode, parent);
                    let parent = self.slot_mut(parent);
                    parent.pzxid = parent_pzxid;
                    if was_first {
                        parent.first_child = id;
                    }
                }
                Undo::DataSet {
                    id,
                    data,
                    mzxid,
                    mtime,
                    version,
                } => {
                    let znode = self.slot_mut(id);
                    let grown = i64::from(length(&data)) - i64::from(length(&znode.data));
                    znode.data = data;
                    znode.mzxid = mzxid;
                    znode.mtime = mtime;
                    znode.version = version;
                    self.data_size += grown;
                }
                Undo::AclSet { id, acl, aversion } => {
                    let znode = self.slot_mut(id);
                    let new = std::mem::replace(&mut znode.acl, acl);
                    znode.aversion = aversion;
                    self.acls.release(new);
                }
                Undo::UsageCounted { id, data } => self.slot_mut(id).data = data,
            }
        }
    }

    /// Forgets the log: what it would take back stays.
    pub(super) fn keep(&mut self, undo: &mut UndoLog) {
        while let Some(step) = undo.pop() {
            match step {
                Undo::Deleted { znode, .. } => self.acls.release(znode.acl),
                Undo::AclSet { acl, .. } => self.acls.release(acl),
                Undo::Created { .. } | Undo::DataSet { .. } | Undo::UsageCounted { .. } => {}
            }
        }
    }

    fn tell(&self, changes: &mut Changes, kind: ChangeKind, path: &str, acl: AclId, parent: u32) {
        if changes.wanted {
            let parent_acl = self.slot(parent).map_or(AclId::OPEN, Znode::acl);
            changes.list.push(Change {
                kind,
                path: path.into(),
                acl: Arc::clone(self.acls.get(acl)),
                parent_acl: Arc::clone(self.acls.get(parent_acl)),
            });
        }
    }

    /// The number of the znode at a path.
    pub(super) fn find_id(&self, path: &str) -> Option<u32> {
        if path.is_empty() || path == "/" {
            return Some(self.root);
        }
        let hash = hash(path);
        let znodes = &self.znodes;
        let is_it = |entry: &Entry| {
            entry.hash == hash
                && znodes
                    .get(entry.id as usize)
                    .and_then(Option::as_ref)
                    .is_some_and(|znode| *znode.path == *path)
        };
        self.by_path.find(spread(hash), is_it).map(|entry| entry.id)
    }

    fn slot(&self, id: u32) -> Option<&Znode> {
        self.znodes.get(id as usize)?.as_ref()
    }

    fn slot_mut(&mut self, id: u32) -> &mut Znode {
        self.znodes
            .get_mut(id as usize)
            .and_then(Option::as_mut)
            .expect("an id that the index or a link gave out is that of a znode")
    }

    /// Adds a znode as the last child of its parent.
    fn insert(&mut self, znode: Znode, parent: u32) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            self.znodes.push(None);
            u32::try_from(self.znodes.len() - 1).expect("fewer than four thousand million znodes")
        });
        let mut znode = znode;
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

    /// Puts a znode back where it was removed from: its links still say between whom it stood.
    fn restore(&mut self, id: u32, znode: Znode, parent: u32) {
        let taken = self.free.pop();
        debug_assert_eq!(taken, Some(id), "what was freed last is taken back first");
        self.restore_into(id, znode, parent);
    }

    fn restore_into(&mut self, id: u32, znode: Znode, parent: u32) {
        let (next, previous) = (znode.next, znode.previous);
        self.data_size += size(&znode);
        self.index_owner(&znode, true);
        let hash = hash(&znode.path);
        if let Some(slot) = self.znodes.get_mut(id as usize) {
            *slot = Some(znode);
        }
        if parent != NIL {
            if next != id {
                self.slot_mut(next).previous = id;
                self.slot_mut(previous).next = id;
            }
            let parent = self.slot_mut(parent);
            parent.num_children += 1;
            if parent.first_child == NIL {
                parent.first_child = id;
            }
        }
        self.by_path
            .insert_unique(spread(hash), Entry { hash, id }, |entry| spread(entry.hash));
    }

    fn remove(&mut self, id: u32, parent: u32) -> Znode {
        let znode = self
            .znodes
            .get_mut(id as usize)
            .and_then(Option::take)
            .expect("an id that the index gave out is that of a znode");
        if let Ok(entry) = self
            .by_path
            .find_entry(spread(hash(&znode.path)), |entry| entry.id == id)
        {
            entry.remove();
        }
        self.free.push(id);
        self.index_owner(&znode, false);
        self.data_size -= size(&znode);
        if znode.next != id {
            self.slot_mut(znode.next).previous = znode.previous;
            self.slot_mut(znode.previous).next = znode.next;
        }
        let parent = self.slot_mut(parent);
        parent.num_children -= 1;
        if parent.first_child == id {
            parent.first_child = if znode.next == id { NIL } else { znode.next };
        }
        znode
    }

    fn index_owner(&mut self, znode: &Znode, present: bool) {
        let set = match znode.owner.kind() {
            OwnerKind::Nobody => return,
            OwnerKind::Container => &mut self.containers,
            OwnerKind::Ttl { .. } => &mut self.with_ttl,
            OwnerKind::Session(session) => {
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

/// Two trees are equal if no client could tell them apart.
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
            && self.data_size == other.data_size
            && self.znodes.iter().flatten().all(|znode| {
                other.get(&znode.path).is_some_and(|twin| {
                    znode.stat() == twin.stat()
                        && znode.owner == twin.owner
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
            .flatten()
            .map(|znode| (&znode.path, znode.stat()))
            .collect();
        f.debug_struct("Tree")
            .field("last_zxid", &self.last_zxid)
            .field("znodes", &sorted)
            .finish_non_exhaustive()
    }
}

impl Znode {
    /// One of the znodes that are there from the start.
    fn built_in(path: &str, acl: AclId, aversion: i32) -> Self {
        Self {
            path: path.into(),
            data: Some(Arc::from([])),
            czxid: Zxid(0),
            mzxid: Zxid(0),
            pzxid: Zxid(0),
            ctime: Timestamp(0),
            mtime: Timestamp(0),
            version: 0,
            creates: 0,
            aversion,
            num_children: 0,
            owner: Owner::NOBODY,
            acl,
            first_child: NIL,
            next: NIL,
            previous: NIL,
        }
    }
}

fn hash(path: &str) -> u32 {
    let hash = FixedState::with_seed(0).hash_one(path);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "32 bits are enough to tell paths apart, and half as large"
    )]
    let hash = (hash ^ (hash >> 32)) as u32;
    hash
}

/// The table takes its place from the low bits of a hash and its tag from the high ones, so both must differ.
fn spread(hash: u32) -> u64 {
    u64::from(hash) | u64::from(hash) << 32
}

fn size(znode: &Znode) -> i64 {
    // DataTree.getNodeSize, where a path is as long as it is in UTF-16.
    let path = if znode.path.is_ascii() {
        znode.path.len()
    } else {
        znode.path.encode_utf16().count()
    };
    i64::try_from(path).unwrap_or(i64::MAX) + i64::from(length(&znode.data))
}
