//! Members that lag behind the leader, and how they catch up.

use super::apply::Changes;
use super::connection::ConnectionId;
use super::output::{CloseReason, Outputs};
use super::publish::fire;
use super::replica::Replica;
use super::state::Keeper;
use crate::protocol::{MemberId, SessionId, Timestamp, TxnRecord, Xid};

impl Keeper {
    /// Makes a member stop applying transactions. Has no effect if it lags already.
    pub(super) fn lag(&mut self, member: MemberId) {
        if self.members.replica_mut(member).is_some() {
            return;
        }
        let mut replica = self.replica_of(member, true);
        for connection in self.connections.of(member) {
            self.watches.hand_over(connection, &mut replica.watches);
        }
        self.insert_replica(member, replica);
    }

    /// Lets a member that lags apply its next transactions, and notifies its clients. The connection `asking`, whose
    /// request causes this, is not closed by what the member applies.
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

    /// Lets a member apply all its transactions and stop lagging.
    pub(super) fn catch_up(&mut self, now: Timestamp, member: MemberId, out: &mut impl Outputs) {
        if !self.members.lags(member) {
            return;
        }
        self.release(now, member, usize::MAX, None, out);
        let Some(mut replica) = self.remove_replica(member) else {
            return;
        };
        for connection in self.connections.of(member) {
            replica.watches.hand_over(connection, &mut self.watches);
            self.connections.forget_acls(connection);
        }
    }

    /// Returns the connections to be closed because a session ended; `current` is the one that the session is on. A
    /// connection to a member that lags is closed when the member applies the end of the session.
    pub(super) fn connections_on(
        &self,
        session: SessionId,
        current: Option<ConnectionId>,
    ) -> Vec<ConnectionId> {
        if self.members.are_uniform() {
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
