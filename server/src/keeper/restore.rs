//! Restoring a state from a folder: snapshots and logs are read by the rules of a real server.
//!
//! A real server may take a snapshot while transactions are committed. So a replayed transaction may find its change
//! done already, or undone: `DataTree.processTxn` and `FileTxnSnapLog.processTransaction` accept that.

use std::collections::BTreeSet;

use super::apply::{Changes, TxnHeader};
use super::undo::UndoLog;
use super::{Rules, Sessions, Snapshot, Tree, quota};
use crate::protocol::{
    CreateTxn, Restore, SessionId, SessionRecord, StatPersisted, Timestamp, Txn, TxnRecord,
    ZnodeRecord, Zxid, open_acl, parent_of,
};

/// A state that is being restored from the content of a folder.
#[derive(Debug)]
pub(crate) struct Restored {
    rules: Rules,
    tree: Tree,
    sessions: Sessions,
    /// Latest time of a restored change.
    latest: Timestamp,
}

impl Restored {
    /// Creates the state of a fresh server, for a folder without a snapshot.
    pub(crate) fn new(rules: &Rules) -> Self {
        let mut tree = Tree::new(rules.data_format);
        tree.maintain_digest(rules.digest);
        tree.extended_types = rules.extended_types;
        Self {
            rules: rules.clone(),
            tree,
            sessions: Sessions::new(rules, Timestamp(0)),
            latest: Timestamp(0),
        }
    }

    /// Latest time of a restored change. The clock of the server continues from it.
    pub(crate) fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Returns the paths whose ACLs a real server looks up to replay a record.
    fn needed_by<'r>(&'r self, session: SessionId, record: &'r TxnRecord<'_>) -> Vec<&'r str> {
        let with_parent = |path: &'r str| match self.tree.get(path) {
            Some(_) => vec![path, parent_of(path).unwrap_or_default()],
            None => Vec::new(),
        };
        match record {
            TxnRecord::Create(CreateTxn { path, .. }) => parent_of(path).into_iter().collect(),
            TxnRecord::Delete { path } | TxnRecord::DeleteContainer { path } => with_parent(path),
            TxnRecord::CloseSession { paths } => {
                let paths = paths.iter().map(|path| &**path);
                let paths = paths.chain(self.tree.ephemerals(session));
                paths.flat_map(with_parent).collect()
            }
            TxnRecord::SetData { path, .. } => vec![path],
            TxnRecord::SetAcl { .. }
            | TxnRecord::Check { .. }
            | TxnRecord::CreateSession { .. }
            | TxnRecord::Multi(_)
            | TxnRecord::Error { .. } => Vec::new(),
        }
    }

    /// Whether there are ephemerals of sessions that do not exist, which [`finish`](Self::finish) removes.
    pub(crate) fn has_orphans(&self) -> bool {
        let mut owners = self.tree.all_ephemerals().map(|(session, _)| session);
        owners.any(|session| self.sessions.get(session).is_none())
    }

    /// Returns the restored state.
    pub(crate) fn finish(mut self, now: Timestamp) -> Snapshot {
        // ZooKeeperServer.loadData removes the znodes of sessions that do not exist, without a transaction. So a server
        // that continues from here writes a snapshot first, as a real server does at every start.
        let owners = self.tree.all_ephemerals().map(|(session, _)| session);
        let dead: Vec<SessionId> = owners
            .filter(|session| self.sessions.get(*session).is_none())
            .collect();
        let last_zxid = self.tree.last_zxid();
        for session in dead {
            self.drop_ephemerals(session, last_zxid);
        }
        self.sessions.skip_ids(last_zxid);
        self.tree.make_shared();
        Snapshot::new(self.tree, self.sessions, now)
    }

    fn drop_ephemerals(&mut self, session: SessionId, zxid: Zxid) {
        let paths = self
            .tree
            .ephemerals(session)
            .map(|path| path.to_owned().into());
        let record = TxnRecord::CloseSession {
            paths: paths.collect(),
        };
        let header = TxnHeader {
            session,
            zxid,
            time: Timestamp(0),
        };
        let (mut undo, mut changes) = (UndoLog::default(), Changes::default());
        self.tree
            .apply_record(header, &record, &mut undo, &mut changes);
    }

    /// Creates the root, which a snapshot without znodes lacks.
    fn create_root(&mut self) {
        let root = ZnodeRecord {
            path: "/",
            data: Some(&[]),
            acl: &open_acl(),
            stat: StatPersisted {
                czxid: Zxid(0),
                mzxid: Zxid(0),
                pzxid: Zxid(0),
                ctime: Timestamp(0),
                mtime: Timestamp(0),
                version: 0,
                cversion: 0,
                aversion: 0,
                ephemeral_owner: 0,
            },
        };
        let created = self.tree.take(&root);
        debug_assert_eq!(created, Ok(()), "the first znode is the root");
    }
}

impl Restore for Restored {
    fn begin(&mut self) {
        self.latest = Timestamp(0);
        self.tree = Tree::empty();
        self.tree.maintain_digest(self.rules.digest);
        self.tree.extended_types = self.rules.extended_types;
        self.sessions = Sessions::new(&self.rules, Timestamp(0));
    }

    fn session(&mut self, session: SessionRecord) {
        self.sessions.restore(session);
    }

    fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str> {
        self.latest = self.latest.max(znode.stat.mtime).max(znode.stat.ctime);
        self.tree.take(znode)
    }

    fn loaded(&mut self, zxid: Zxid) -> Option<u64> {
        if self.tree.get("/").is_none() {
            self.create_root();
        }
        self.tree.set_last_zxid(zxid);
        quota::recount(&mut self.tree);
        self.tree.digest()
    }

    /// `DataTree.createNode`, `deleteNode` and `setData` look the ACL up, to notify watches, and the server does not
    /// start without it. Releases before 3.8.4 and 3.9.2 do not look it up.
    fn needs_unlisted_acl(&self, txn: &Txn<'_>) -> Option<(Box<str>, i64)> {
        if !self.tree.acls.has_unlisted() {
            return None;
        }
        let one = std::slice::from_ref(&txn.record);
        let records = if let TxnRecord::Multi(records) = &txn.record {
            records
        } else {
            one
        };
        let is_refused = |record: &TxnRecord<'_>| matches!(record, TxnRecord::Error { .. });
        if records.iter().any(is_refused) {
            return None;
        }
        // An ACL that an earlier part of the same transaction supplies is listed for the later parts.
        let mut supplied: BTreeSet<&str> = BTreeSet::new();
        for record in records {
            let found = self
                .needed_by(txn.session, record)
                .into_iter()
                .find_map(|path| {
                    let znode = self.tree.get(path)?;
                    let number = self.tree.unlisted_acl(znode)?;
                    (!supplied.contains(path)).then(|| (path.into(), number))
                });
            if found.is_some() {
                return found;
            }
            supplied.extend(supplied_by(record));
        }
        None
    }

    fn replay(&mut self, txn: &Txn<'_>) -> Option<u64> {
        self.latest = self.latest.max(txn.time);
        self.tree.apply(txn, &mut Changes::default());
        if let TxnRecord::CreateSession { timeout_ms } = txn.record {
            self.sessions.restore(SessionRecord {
                id: txn.session,
                timeout_ms,
            });
        }
        if let TxnRecord::CloseSession { .. } = txn.record {
            self.sessions.remove(txn.session);
            // Before 3.6 the record does not list the removed znodes. Ephemerals that a list does not name are removed
            // too: DataTree.killSession.
            self.drop_ephemerals(txn.session, txn.zxid);
        }
        self.tree.note_digest();
        self.tree.digest()
    }
}

impl Tree {
    /// Sets whether an owner may be a time to live. If it may not, znodes with a time to live are ephemerals of a
    /// session that does not exist, and are removed, as on a real server.
    pub(super) fn set_extended_types(&mut self, on: bool) {
        self.extended_types = on;
        if on {
            return;
        }
        let paths: Vec<Box<str>> = self.ttl_paths().map(Box::from).collect();
        let header = TxnHeader {
            session: SessionId::NONE,
            zxid: self.last_zxid(),
            time: Timestamp(0),
        };
        let record = TxnRecord::CloseSession {
            paths: paths
                .into_iter()
                .map(|path| String::from(path).into())
                .collect(),
        };
        let (mut undo, mut changes) = (UndoLog::default(), Changes::default());
        self.apply_record(header, &record, &mut undo, &mut changes);
    }
}

/// Returns the path whose ACL a record sets.
fn supplied_by<'r>(record: &'r TxnRecord<'_>) -> Option<&'r str> {
    match record {
        TxnRecord::Create(CreateTxn { path, .. }) | TxnRecord::SetAcl { path, .. } => Some(path),
        TxnRecord::Delete { .. }
        | TxnRecord::DeleteContainer { .. }
        | TxnRecord::SetData { .. }
        | TxnRecord::CloseSession { .. }
        | TxnRecord::Check { .. }
        | TxnRecord::CreateSession { .. }
        | TxnRecord::Multi(_)
        | TxnRecord::Error { .. } => None,
    }
}
