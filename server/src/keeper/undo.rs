//! What it takes to take a change back, kept while a multi may still fail.

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

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The data that the znode at `path` had before the first step, if it was there. `now` is what it has since the last.
    pub(super) fn data_before<'u>(
        &'u self,
        path: &str,
        now: Option<(u32, &'u Data)>,
    ) -> Option<&'u Data> {
        let mut found = now;
        for step in self.steps.iter().rev() {
            let at = found.map(|(id, _)| id);
            match step {
                Undo::Created { id, .. } if at == Some(*id) => found = None,
                Undo::Deleted { id, znode, .. } if znode.path() == path => {
                    found = Some((*id, znode.shared_data()));
                }
                Undo::DataSet { id, data, .. } | Undo::UsageCounted { id, data }
                    if at == Some(*id) =>
                {
                    found = Some((*id, data));
                }
                Undo::Created { .. }
                | Undo::Deleted { .. }
                | Undo::DataSet { .. }
                | Undo::UsageCounted { .. }
                | Undo::AclSet { .. } => {}
            }
        }
        found.map(|(_, data)| data)
    }
}
