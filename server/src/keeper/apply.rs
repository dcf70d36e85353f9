//! Applying transaction records to the tree, and rolling them back.

use std::sync::Arc;

use super::acl_table::AclId;
use super::quota;
use super::tree::Tree;
use super::undo::{Undo, UndoLog};
use super::znode::{Children, Data, NIL, Owner, Znode, length};
use crate::protocol::{
    Acl, CreateTxn, CreatedKind, SessionId, Stat, Timestamp, TxnRecord, Zxid, parent_of,
};

/// The part of a transaction that all its records share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxnHeader {
    pub(crate) session: SessionId,
    pub(crate) zxid: Zxid,
    pub(crate) time: Timestamp,
}

/// The change of one znode. Changes are listed in the order in which their watches fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    pub(crate) path: Box<str>,
    /// The ACL that decides which watchers receive the event.
    pub(crate) acl: (AclId, Arc<[Acl]>),
    /// The parent's ACL, for watchers of its children.
    pub(crate) parent_acl: (AclId, Arc<[Acl]>),
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Created,
    Deleted,
    DataChanged,
}

/// The changes of a transaction, listed if any watch exists.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) wanted: bool,
    pub(crate) list: Vec<Change>,
}

impl Tree {
    /// Applies one record of a transaction.
    ///
    /// The record was checked before, so its znodes exist. A replayed record that creates an existing znode, or changes
    /// a missing one, has no effect, as in `DataTree.processTxn`.
    pub(super) fn apply_record(
        &mut self,
        header: TxnHeader,
        record: &TxnRecord<'_>,
        undo: &mut UndoLog,
        changes: &mut Changes,
    ) -> Option<Stat> {
        match record {
            TxnRecord::Create(create) => self.create(header, create, undo, changes),
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

    // Longer than 60 lines: the steps of DataTree.createNode, in its order.
    fn create(
        &mut self,
        header: TxnHeader,
        new: &CreateTxn<'_>,
        undo: &mut UndoLog,
        changes: &mut Changes,
    ) -> Option<Stat> {
        let CreateTxn {
            path,
            data,
            acl,
            kind,
            parent_cversion,
        } = new;
        let owner = self.owner(header, *kind);
        let parent_id = self.find_id(parent_of(path)?)?;
        if path.ends_with('/') {
            return None;
        }
        let there = self.find_id(path);
        self.subtract_digest(parent_id);
        let parent = self.slot_mut(parent_id);
        let before = (parent.creates, parent.pzxid);
        let parent_cversion = match *parent_cversion {
            // Records of old releases have no count.
            -1 => parent.creates.wrapping_add(1),
            counted => counted,
        };
        // DataTree.createNode only ever raises the counter, so at i32::MAX it does not change any more. It raises the
        // counter even if the znode exists already, because a snapshot was taken during the create
        // (DataTree.setCversionPzxid).
        if parent_cversion > parent.creates {
            parent.creates = parent_cversion;
            parent.pzxid = header.zxid;
        }
        self.add_digest(parent_id);
        if let Some(id) = there {
            // A snapshot that was taken during the create has the znode and may not list its ACL: DataTree.createNode.
            self.replace_acl(id, acl, undo);
            return None;
        }
        let acl_id = self.acls.intern(acl);
        let znode = Znode {
            path: (&**path).into(),
            data: share(data.as_deref()),
            czxid: header.zxid,
            mzxid: header.zxid,
            pzxid: header.zxid,
            ctime: header.time,
            mtime: header.time,
            version: 0,
            creates: 0,
            aversion: 0,
            children: Children::none(owner),
            owner: owner.number(),
            acl: acl_id,
            first_child: NIL,
            next: NIL,
            previous: NIL,
        };
        let stat = znode.stat();
        let id = self.insert(znode, parent_id);
        self.add_digest(id);
        undo.push(|| Undo::Created {
            id,
            parent: parent_id,
            parent_creates: before.0,
            parent_pzxid: before.1,
        });
        quota::about_to_change(undo, path, None);
        quota::znode_created(self, path, data.as_deref().map_or(0, <[u8]>::len), undo);
        self.list_change(changes, ChangeKind::Created, path, acl_id, parent_id);
        Some(stat)
    }

    fn delete(&mut self, header: TxnHeader, path: &str, undo: &mut UndoLog, changes: &mut Changes) {
        let Some(parent_id) = parent_of(path).and_then(|parent| self.find_id(parent)) else {
            return;
        };
        self.subtract_digest(parent_id);
        let parent = self.slot_mut(parent_id);
        let parent_pzxid = parent.pzxid;
        parent.pzxid = parent.pzxid.max(header.zxid);
        self.add_digest(parent_id);
        // Only a log of other software can delete the root.
        let found = self.find_id(path).filter(|id| *id != self.find_root());
        let Some(id) = found else { return };
        if self.slot(id).is_some_and(Znode::has_children) {
            self.delete_below(header, id, undo, changes);
        }
        self.subtract_digest(id);
        let acl = self.slot(id).map_or(AclId::OPEN, Znode::acl);
        self.list_change(changes, ChangeKind::Deleted, path, acl, parent_id);
        let was_first = self
            .slot(parent_id)
            .is_some_and(|parent| parent.first_child == id);
        let znode = self.remove(id, parent_id);
        let size = length(&znode.data);
        quota::about_to_change(undo, path, Some(&znode.data));
        if undo.is_recording() {
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

    /// Deletes the descendants of a deleted znode. They were created later and exist because a snapshot was taken
    /// meanwhile, so the log creates them again. A real server leaves such a znode where no list of children names it,
    /// and then does not create it (`DataTree.createNode`).
    #[cold]
    fn delete_below(
        &mut self,
        header: TxnHeader,
        id: u32,
        undo: &mut UndoLog,
        changes: &mut Changes,
    ) {
        let below = self
            .slot(id)
            .into_iter()
            .flat_map(|znode| self.below(znode));
        let paths: Vec<Box<str>> = below.map(|znode| znode.path().into()).collect();
        for path in paths.iter().rev() {
            self.delete(header, path, undo, changes);
        }
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
        self.subtract_digest(id);
        let znode = self.slot_mut(id);
        let old = std::mem::replace(&mut znode.data, share(data));
        let (mzxid, mtime, old_version) = (znode.mzxid, znode.mtime, znode.version);
        znode.mzxid = header.zxid;
        znode.mtime = header.time;
        znode.version = version;
        let stat = znode.stat();
        let acl = znode.acl;
        let grown = i64::from(length(&znode.data)) - i64::from(length(&old));
        self.add_digest(id);
        self.data_size += grown;
        quota::about_to_change(undo, path, Some(&old));
        undo.push(|| Undo::DataSet {
            id,
            data: old,
            mzxid,
            mtime,
            version: old_version,
        });
        quota::data_set(self, path, grown, undo);
        // A watcher of data does not watch the parent, so the parent's ACL does not matter.
        self.list_change(changes, ChangeKind::DataChanged, path, acl, id);
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
        self.subtract_digest(id);
        self.replace_acl(id, acl, undo);
        let znode = self.slot_mut(id);
        znode.aversion = version;
        let stat = znode.stat();
        self.add_digest(id);
        Some(stat)
    }

    /// Replaces an ACL without changing its version.
    fn replace_acl(&mut self, id: u32, acl: &Arc<[Acl]>, undo: &mut UndoLog) {
        let new = self.acls.intern(acl);
        let znode = self.slot_mut(id);
        let old = std::mem::replace(&mut znode.acl, new);
        let aversion = znode.aversion;
        if undo.is_recording() {
            undo.push(|| Undo::AclSet {
                id,
                acl: old,
                aversion,
            });
        } else {
            self.acls.release(old);
        }
    }

    /// Replaces data without a write: version, time and watches stay the same. Only quotas use this, for their usage.
    pub(super) fn replace_data(&mut self, path: &str, data: Data, undo: &mut UndoLog) {
        let Some(id) = self.find_id(path) else { return };
        let znode = self.slot_mut(id);
        let old = std::mem::replace(&mut znode.data, data);
        quota::about_to_change(undo, path, Some(&old));
        undo.push(|| Undo::UsageCounted { id, data: old });
    }

    /// Rolls back all changes in the log, the last one first.
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
                    quota::remove_limits(self, &znode.path);
                }
                Undo::Deleted {
                    id,
                    znode,
                    parent,
                    parent_pzxid,
                    was_first,
                } => {
                    quota::add_limits(self, &znode.path);
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

    /// Commits: drops the log and releases the resources that a rollback would need.
    pub(super) fn commit(&mut self, undo: &mut UndoLog) {
        while let Some(step) = undo.pop() {
            match step {
                Undo::Deleted { znode, .. } => self.acls.release(znode.acl),
                Undo::AclSet { acl, .. } => self.acls.release(acl),
                Undo::Created { .. } | Undo::DataSet { .. } | Undo::UsageCounted { .. } => {}
            }
        }
    }

    /// Owner of a created znode.
    fn owner(&self, header: TxnHeader, kind: CreatedKind) -> Owner {
        match kind {
            CreatedKind::Persistent => Owner::Unowned,
            CreatedKind::Ephemeral => Owner::Session(header.session),
            CreatedKind::Container => Owner::Container,
            // Without extended types, a time to live in the log of a server with extended types is an owner of another
            // kind: DataTree.createNode.
            CreatedKind::Ttl { ms } => Owner::of(Owner::Ttl { ms }.number(), self.extended_types),
        }
    }

    fn list_change(
        &self,
        changes: &mut Changes,
        kind: ChangeKind,
        path: &str,
        acl: AclId,
        parent: u32,
    ) {
        if changes.wanted {
            let parent_acl = self.slot(parent).map_or(AclId::OPEN, Znode::acl);
            changes.list.push(Change {
                kind,
                path: path.into(),
                acl: (acl, Arc::clone(self.acls.get(acl))),
                parent_acl: (parent_acl, Arc::clone(self.acls.get(parent_acl))),
            });
        }
    }
}

fn share(data: Option<&[u8]>) -> Data {
    data.map(Arc::from)
}
