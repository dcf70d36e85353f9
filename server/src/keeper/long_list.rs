//! Lists so long that they are read after the turn, from a shared copy of the znodes.

use std::fmt;
use std::sync::Arc;

use super::slab::Slab;
use super::tree::Tree;
use super::znode::{NIL, Znode};
use crate::protocol::{Cursor, LongList, name_of};

/// Number of znodes from which on a list is read after its turn. Listing this many takes about 0.2 ms.
pub(super) const LONG: usize = 2000;

/// The children of a znode, or all its descendants, parents before their children.
pub(super) struct Below {
    znodes: Slab,
    first: u32,
    deep: bool,
}

impl Below {
    /// Returns the children of a znode. The tree must have [made its znodes shared](Tree::make_znodes_shared).
    pub(super) fn children(tree: &Tree, znode: &Znode) -> Arc<Self> {
        Arc::new(Self {
            znodes: tree.znodes.clone(),
            first: znode.first_child,
            deep: false,
        })
    }

    /// Returns the descendants of a znode. The tree must have [made its znodes shared](Tree::make_znodes_shared).
    pub(super) fn descendants(tree: &Tree, znode: &Znode) -> Arc<Self> {
        Arc::new(Self {
            znodes: tree.znodes.clone(),
            first: znode.first_child,
            deep: true,
        })
    }
}

impl LongList for Below {
    fn read(&self, cursor: &mut Cursor, most: usize, take: &mut dyn FnMut(&str)) -> bool {
        if !cursor.has_begun {
            cursor.has_begun = true;
            cursor.open.push((self.first, self.first));
        }
        let mut read = 0;
        while read < most {
            let Some((id, first)) = cursor.open.pop() else {
                return false;
            };
            let Some(znode) = self.znodes.get(id) else {
                continue;
            };
            if znode.next != first {
                cursor.open.push((znode.next, first));
            }
            if self.deep && znode.first_child != NIL {
                cursor.open.push((znode.first_child, znode.first_child));
            }
            take(name_of(znode.path()));
            read += 1;
        }
        !cursor.open.is_empty()
    }
}

impl fmt::Debug for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            znodes: _,
            first,
            deep,
        } = self;
        f.debug_struct("Below")
            .field("first", first)
            .field("deep", deep)
            .finish_non_exhaustive()
    }
}
