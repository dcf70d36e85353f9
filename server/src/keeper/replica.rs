//! What a member has that does not have everything: it lags behind the others, or is cut off from them.
//!
//! It has a tree and watches of its own, so those who are connected to it read what was, and hear of a change when the
//! member does. Everybody else shares what the keeper has.

use std::collections::VecDeque;

use super::tree::Tree;
use super::watch::Watches;
use crate::protocol::{Txn, Zxid};

/// What one member has.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) tree: Tree,
    pub(super) watches: Watches,
    /// Whether it hears what is committed.
    pub(super) follows: bool,
    /// What it has heard and not taken in yet.
    pub(super) pending: VecDeque<Txn<'static>>,
}

impl Replica {
    /// One that begins with all there is, and shares it until either changes.
    pub(super) fn new(tree: &mut Tree, last_zxid: Zxid, follows: bool) -> Self {
        let mut tree = tree.share();
        tree.index();
        tree.maintain_digest(false);
        tree.set_last_zxid(last_zxid);
        tree.acls.set_apart();
        Self {
            tree,
            watches: Watches::default(),
            follows,
            pending: VecDeque::new(),
        }
    }

    pub(super) fn hear(&mut self, txn: &Txn<'_>) {
        if self.follows {
            self.pending.push_back(txn.clone().into_owned());
        }
    }
}
