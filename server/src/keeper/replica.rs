//! What a member has that does not have everything: it lags behind the others, or is cut off from them.
//!
//! It has a tree and watches of its own, so those who are connected to it read what was, and hear of a change when the
//! member does. Everybody else shares what the keeper has.

use std::collections::VecDeque;

use super::apply::Changes;
use super::{CloseReason, ConnectionId, Keeper, Outputs, Tree, Watches, fire};
use crate::protocol::{MemberId, SessionId, Timestamp, Txn, TxnRecord, Xid, Zxid};

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
        tree.keep_digest(false);
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

impl Keeper {
    /// From here on the member takes in nothing by itself. Does nothing if it lags already.
    pub(super) fn lag(&mut self, member: MemberId) {
        if self.members.replica_mut(member).is_some() {
            return;
        }
        let mut replica = self.replica_of(member, true);
        for connection in self.connections.of(member) {
            self.watches.hand_over(connection, &mut replica.watches);
        }
        self.keep_replica(member, replica);
    }

    /// A member that lags takes in the next transactions, and those who are connected to it hear of them. The connection
    /// whose request it does this for is not closed because of what it takes in.
    pub(super) fn release(
        &mut self,
        now: Timestamp,
        member: MemberId,
        transactions: usize,
        asking: Option<ConnectionId>,
        out: &mut impl Outputs,
    ) {
        for _ in 0..transactions {
            let Some(replica) = self.members.replica_mut(member) else {
                return;
            };
            let Some(txn) = replica.pending.pop_front() else {
                return;
            };
            let mut changes = Changes {
                wanted: !replica.watches.is_empty(),
                list: Vec::new(),
            };
            replica.tree.apply(&txn, &mut changes);
            let Replica { watches, .. } = replica;
            let (rules, connections) = (&self.rules, &self.connections);
            fire(rules, watches, connections, txn.zxid, &changes.list, out);
            if let TxnRecord::CloseSession { .. } = txn.record {
                let reason = match txn.cxid {
                    Xid(0) => CloseReason::SessionExpired,
                    _ => CloseReason::SessionClosed,
                };
                for connection in self.connections.on(txn.session) {
                    if self.is_to(connection, member) && Some(connection) != asking {
                        self.close(now, connection, reason, out);
                    }
                }
            }
        }
    }

    /// The member lags no longer.
    pub(super) fn catch_up_for_good(
        &mut self,
        now: Timestamp,
        member: MemberId,
        out: &mut impl Outputs,
    ) {
        if !self.members.lags(member) {
            return;
        }
        self.release(now, member, usize::MAX, None, out);
        let Some(mut replica) = self.drop_replica(member) else {
            return;
        };
        for connection in self.connections.of(member) {
            replica.watches.hand_over(connection, &mut self.watches);
            self.connections.forget_acls(connection);
        }
    }

    /// The connections that are to be closed because a session is over, where `current` is the one that it is on. Its
    /// connection to a member that lags is closed when the member hears of it.
    pub(super) fn connections_on(
        &self,
        session: SessionId,
        current: Option<ConnectionId>,
    ) -> Vec<ConnectionId> {
        if self.members.are_as_one() {
            return current.into_iter().collect();
        }
        let mut all = self.connections.on(session);
        all.retain(|connection| {
            let connection = self.connections.get(*connection);
            !connection.is_some_and(|connection| self.members.lags(connection.member))
        });
        all
    }

    pub(super) fn is_to(&self, connection: ConnectionId, member: MemberId) -> bool {
        self.connections
            .get(connection)
            .is_some_and(|connection| connection.member == member)
    }
}
