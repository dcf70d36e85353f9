//! The undo log: what a rollback needs while a multi may still fail.

use std::collections::{BTreeMap, BTreeSet};

use super::acl_table::AclId;
use super::znode::{Data, Znode};
use crate::protocol::{Timestamp, Zxid};

/// One step of a rollback.
#[derive(Debug)]
pub(super) enum Undo {
    Created {
        id: u32,
        parent: u32,
        parent_creates: i32,
        parent_pzxid: Zxid,
    },
    Deleted {
        id: u32,
        znode: Box<Znode>,
        parent: u32,
        parent_pzxid: Zxid,
        was_first: bool,
    },
    DataSet {
        id: u32,
        data: Data,
        mzxid: Zxid,
        mtime: Timestamp,
        version: i32,
    },
    AclSet {
        id: u32,
        acl: AclId,
        aversion: i32,
    },
    UsageCounted {
        id: u32,
        data: Data,
    },
}

/// The changes so far, first to last. Empty if nothing can fail any more.
#[derive(Debug, Default)]
pub(crate) struct UndoLog {
    recording: bool,
    steps: Vec<Undo>,
    /// Data of the quotas' znodes before the first step, if it has changed since and the znodes existed.
    quotas_before: BTreeMap<Box<str>, Option<Data>>,
    /// Whether limits are among the changes.
    limits_changed: bool,
    /// Number of znodes visited to count the usage of quotas.
    visited: usize,
    /// Containers that were created with the flags of an ephemeral.
    seemingly_ephemeral: BTreeSet<Box<str>>,
}

impl UndoLog {
    /// Creates a log that records changes.
    pub(super) fn recording() -> Self {
        Self {
            recording: true,
            ..Self::default()
        }
    }

    /// Records a created znode, and whether its flags were those of an ephemeral although it is none.
    pub(super) fn note_created(&mut self, path: &str, seemingly_ephemeral: bool) {
        if seemingly_ephemeral {
            self.seemingly_ephemeral.insert(path.into());
        } else if !self.seemingly_ephemeral.is_empty() {
            self.seemingly_ephemeral.remove(path);
        }
    }

    /// Whether the last znode created at the path had the flags of an ephemeral and is none.
    pub(super) fn is_ephemeral_in_check(&self, path: &str) -> bool {
        self.seemingly_ephemeral.contains(path)
    }

    /// Records that this many znodes were visited.
    pub(super) fn visit(&mut self, znodes: usize) {
        self.visited = self.visited.saturating_add(znodes);
    }

    /// Returns the number of znodes visited so far.
    pub(super) fn visited(&self) -> usize {
        self.visited
    }

    pub(super) fn is_recording(&self) -> bool {
        self.recording
    }

    pub(super) fn push(&mut self, step: impl FnOnce() -> Undo) {
        if self.recording {
            self.steps.push(step());
        }
    }

    pub(super) fn pop(&mut self) -> Option<Undo> {
        self.steps.pop()
    }

    /// Records the data of a quota's znode before a change, if the znode exists.
    pub(super) fn note_quota(&mut self, path: &str, data: Option<&Data>, are_limits: bool) {
        self.limits_changed |= are_limits;
        if self.recording && !self.quotas_before.contains_key(path) {
            self.quotas_before.insert(path.into(), data.cloned());
        }
    }

    /// Whether limits have been created, changed or removed.
    pub(super) fn limits_changed(&self) -> bool {
        self.limits_changed
    }

    /// Returns the data of a quota's znode before the first step, if the znode existed. `now` is its current data.
    pub(super) fn quota_before<'u>(
        &'u self,
        path: &str,
        now: Option<&'u Data>,
    ) -> Option<&'u Data> {
        match self.quotas_before.get(path) {
            Some(before) => before.as_ref(),
            None => now,
        }
    }
}
