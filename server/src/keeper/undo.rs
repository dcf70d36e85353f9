//! What it takes to take a change back, kept while a multi may still fail.

use std::collections::{BTreeMap, BTreeSet};

use super::acl_table::AclId;
use super::znode::{Data, Znode};
use crate::protocol::{Timestamp, Zxid};

/// How to take one change back.
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

/// The changes so far, first to last; nothing is written down where nothing can fail any more.
#[derive(Debug, Default)]
pub(crate) struct UndoLog {
    kept: bool,
    steps: Vec<Undo>,
    /// What quotas had to go by before the first step, where it has changed since: the data of their znodes, if they
    /// were there.
    quotas_before: BTreeMap<Box<str>, Option<Data>>,
    /// Whether limits are among them.
    limits_changed: bool,
    /// How many znodes were visited to count the usage of quotas.
    visited: usize,
    /// The containers that were asked for with the flags of an ephemeral.
    seemingly_ephemeral: BTreeSet<Box<str>>,
}

impl UndoLog {
    /// A log that remembers.
    pub(super) fn kept() -> Self {
        Self {
            kept: true,
            ..Self::default()
        }
    }

    /// Notes a znode that was created, and whether its flags were those of an ephemeral though it is none.
    pub(super) fn note_created(&mut self, path: &str, seemingly_ephemeral: bool) {
        if seemingly_ephemeral {
            self.seemingly_ephemeral.insert(path.into());
        } else if !self.seemingly_ephemeral.is_empty() {
            self.seemingly_ephemeral.remove(path);
        }
    }

    /// Whether the last that was created there had the flags of an ephemeral and is none.
    pub(super) fn is_seemingly_ephemeral(&self, path: &str) -> bool {
        self.seemingly_ephemeral.contains(path)
    }

    /// Notes that so many znodes were visited.
    pub(super) fn visit(&mut self, znodes: usize) {
        self.visited = self.visited.saturating_add(znodes);
    }

    /// How many znodes were visited so far.
    pub(super) fn visited(&self) -> usize {
        self.visited
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    pub(super) fn push(&mut self, step: impl FnOnce() -> Undo) {
        if self.kept {
            self.steps.push(step());
        }
    }

    pub(super) fn pop(&mut self) -> Option<Undo> {
        self.steps.pop()
    }

    /// Notes what data a znode of the quotas had that is about to change, if it was there.
    pub(super) fn note_quota(&mut self, path: &str, data: Option<&Data>, are_limits: bool) {
        self.limits_changed |= are_limits;
        if self.kept && !self.quotas_before.contains_key(path) {
            self.quotas_before.insert(path.into(), data.cloned());
        }
    }

    /// Whether there are limits where there were none, or others.
    pub(super) fn limits_changed(&self) -> bool {
        self.limits_changed
    }

    /// The data that the znode of a quota had before the first step, if it was there. `now` is what it has since the last.
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
