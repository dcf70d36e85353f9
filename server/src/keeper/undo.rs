//! What it takes to take a change back, kept while a multi may still fail.

use super::acl_table::AclId;
use super::tree::{Data, Znode};
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
}

impl UndoLog {
    /// A log that remembers.
    pub(super) fn kept() -> Self {
        Self {
            kept: true,
            steps: Vec::new(),
        }
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

    /// The data that the znode had before the first step, if one of the steps counted its usage.
    pub(super) fn usage_before(&self, znode: u32) -> Option<&Data> {
        self.steps.iter().find_map(|step| match step {
            Undo::UsageCounted { id, data } if *id == znode => Some(data),
            Undo::UsageCounted { .. }
            | Undo::Created { .. }
            | Undo::Deleted { .. }
            | Undo::DataSet { .. }
            | Undo::AclSet { .. } => None,
        })
    }
}
