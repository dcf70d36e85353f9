//! The state of a member that is not up to date: it lags behind the others, or is cut off from them.
//!
//! Such a member has a tree and watches of its own, so its clients read older state and are notified when the member
//! applies a change. All other members share the state of the keeper.

use std::collections::VecDeque;

use super::tree::Tree;
use super::watch::Watches;
use crate::protocol::{Txn, Zxid};

/// The state of one member.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) tree: Tree,
    pub(super) watches: Watches,
    /// Whether the member receives committed transactions.
    pub(super) follows: bool,
    /// Received transactions that the member has not applied yet.
    pub(super) pending: VecDeque<Txn<'static>>,
}

impl Replica {
    /// Creates a replica of the current tree, which the two share until either changes.
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

    pub(super) fn enqueue(&mut self, txn: &Txn<'_>) {
        if self.follows {
            self.pending.push_back(txn.clone().into_owned());
        }
    }
}
