//! The table of distinct ACLs, by number.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::protocol::{Acl, open_acl, unlisted_number};

/// The number of an ACL in the table. A number is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AclId(u32);

impl AclId {
    /// The ACL that grants every permission to every client. It is always in the table.
    pub(crate) const OPEN: Self = Self(0);
}

/// The ACLs of all znodes, each with the number of znodes that have it.
#[derive(Clone, Debug)]
pub(super) struct AclTable {
    open: Arc<[Acl]>,
    by_id: BTreeMap<u32, (Arc<[Acl]>, usize)>,
    by_acl: BTreeMap<Arc<[Acl]>, u32>,
    next: u32,
    /// Number of placeholders for ACLs that a snapshot does not list.
    unlisted: usize,
}

impl AclTable {
    pub(super) fn new() -> Self {
        Self {
            open: open_acl(),
            by_id: BTreeMap::new(),
            by_acl: BTreeMap::new(),
            next: 1,
            unlisted: 0,
        }
    }

    pub(super) fn get(&self, id: AclId) -> &Arc<[Acl]> {
        if id == AclId::OPEN {
            return &self.open;
        }
        let (acl, _) = self
            .by_id
            .get(&id.0)
            .expect("a znode's ACL stays in the table as long as the znode");
        acl
    }

    /// Number of ACLs other than the open one.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Makes this copy assign other numbers than the original table.
    pub(super) fn set_apart(&mut self) {
        self.next = self.next.max(1 << 31);
    }

    /// Whether a znode has the placeholder for an ACL that a snapshot does not list.
    pub(super) fn has_unlisted(&self) -> bool {
        self.unlisted > 0
    }

    /// Returns the number for which this ACL is the placeholder, if it is one.
    pub(super) fn unlisted(&self, id: AclId) -> Option<i64> {
        match self.unlisted {
            0 => None,
            _ => unlisted_number(self.get(id)),
        }
    }

    /// Adds a user of the ACL.
    pub(super) fn intern(&mut self, acl: &Arc<[Acl]>) -> AclId {
        if Arc::ptr_eq(acl, &self.open) || *acl == self.open {
            return AclId::OPEN;
        }
        if let Some(id) = self.by_acl.get(acl) {
            if let Some((_, users)) = self.by_id.get_mut(id) {
                *users += 1;
            }
            return AclId(*id);
        }
        let id = self.next;
        self.next = self
            .next
            .checked_add(1)
            .expect("fewer than four thousand million distinct ACLs");
        self.unlisted += usize::from(unlisted_number(acl).is_some());
        self.by_acl.insert(Arc::clone(acl), id);
        self.by_id.insert(id, (Arc::clone(acl), 1));
        AclId(id)
    }

    /// Removes a user of the ACL, and the ACL with its last user.
    pub(super) fn release(&mut self, id: AclId) {
        if let Some((acl, users)) = self.by_id.get_mut(&id.0) {
            *users -= 1;
            if *users == 0 {
                let acl = Arc::clone(acl);
                self.unlisted -= usize::from(unlisted_number(&acl).is_some());
                self.by_acl.remove(&acl);
                self.by_id.remove(&id.0);
            }
        }
    }
}
