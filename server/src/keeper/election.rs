//! Elections, epochs, and the connections that end because of them.

use super::ensemble::Service;
use super::output::{CloseReason, Output, Outputs};
use super::replica::Replica;
use super::state::Keeper;
use crate::protocol::{EnsembleAction, MemberId, Timestamp, Xid};

impl Keeper {
    pub(super) fn act(&mut self, now: Timestamp, action: EnsembleAction, out: &mut impl Outputs) {
        if self.members.check(action).is_err() {
            return;
        }
        let before = (self.members.leader, self.members.epoch);
        let everybody = self.members.ids();
        match action {
            EnsembleAction::Stop { member } => self.set_running(member, false),
            EnsembleAction::Start { member } => self.set_running(member, true),
            EnsembleAction::Partition { member } => self.set_partitioned([member], true),
            EnsembleAction::Heal { member } => self.set_partitioned([member], false),
            EnsembleAction::LoseQuorum => self.set_partitioned(everybody, true),
            EnsembleAction::RegainQuorum => self.set_partitioned(everybody, false),
            EnsembleAction::Elect { leader: wanted } => {
                let leader = self.members.leader;
                let next = wanted.or_else(|| self.members.winner(&self.tree, leader));
                if self.members.is_ensemble() {
                    self.begin_epoch(now, next);
                }
            }
            EnsembleAction::Lag { member } => self.lag(member),
            EnsembleAction::Release {
                member,
                transactions,
            } => self.release(now, member, transactions.unwrap_or(usize::MAX), None, out),
            EnsembleAction::CatchUp { member } => self.catch_up(now, member, out),
        }
        self.settle(now, before, out);
    }

    fn set_running(&mut self, member: MemberId, running: bool) {
        if let Some(member) = self.members.get_mut(member) {
            member.running = running;
        }
    }

    fn set_partitioned(&mut self, those: impl IntoIterator<Item = MemberId>, partitioned: bool) {
        for member in those {
            if let Some(member) = self.members.get_mut(member) {
                member.partitioned = partitioned;
            }
        }
    }

    /// Elects a leader after all members were stopped and started again.
    pub(super) fn members_restarted(&mut self, now: Timestamp, out: &mut impl Outputs) {
        if self.members.leader.is_some() {
            let before = (self.members.leader, self.members.epoch);
            let leader = self.members.winner(&self.tree, None);
            self.begin_epoch(now, leader);
            self.settle(now, before, out);
        }
    }

    /// Begins the epoch of a new leader.
    fn begin_epoch(&mut self, now: Timestamp, leader: Option<MemberId>) {
        self.members.leader = leader;
        self.sessions.renumber(&self.rules, now);
        self.restart_timeouts(now);
        if !self.members.is_ensemble() {
            return;
        }
        if self.tree.last_zxid() != self.members.start_of_epoch() {
            self.members.last_of_before = self.tree.last_zxid();
        }
        self.members.epoch = self.members.epoch.wrapping_add(1);
        self.tree.set_last_zxid(self.members.start_of_epoch());
    }

    /// Derives everything from the current state of the members: elects a leader if there is none and there can be one,
    /// and closes all connections of each member whose service changes.
    fn settle(&mut self, now: Timestamp, led: (Option<MemberId>, u32), out: &mut impl Outputs) {
        let reaches = |leader: &MemberId| self.members.reaches_others(*leader);
        if !self.members.has_quorum() {
            self.members.leader = None;
        } else if !self.members.leader.as_ref().is_some_and(reaches) {
            let leader = self.members.winner(&self.tree, None);
            self.begin_epoch(now, leader);
        }
        for member in self.members.ids() {
            let before = self.members.service(member);
            let after = self.members.service_due(member);
            if before != after {
                self.change_service(now, member, (before, after), out);
            }
        }
        let (leader, epoch) = (self.members.leader, self.members.epoch);
        if led != (leader, epoch) && self.members.is_ensemble() {
            out.emit(Output::Leading { leader, epoch });
        }
    }

    fn change_service(
        &mut self,
        now: Timestamp,
        member: MemberId,
        (before, after): (Service, Service),
        out: &mut impl Outputs,
    ) {
        let reason = match (before, after) {
            (_, Service::Stopped) => CloseReason::MemberStopped,
            (Service::ReadOnly, _) => CloseReason::ReadOnlyEnded,
            (Service::Quorum { .. } | Service::NotServing | Service::Stopped, _) => {
                CloseReason::LostLeader
            }
        };
        // QuorumPeer has a server for each of its states, and closes all connections of the server that it leaves.
        for connection in self.connections.of(member) {
            if !self.connections.is_gone(connection) {
                self.close(now, connection, reason, out);
            }
        }
        let lagged = self.members.lags(member);
        self.members.replicas.remove(&member);
        if before == Service::ReadOnly {
            for session in self.sessions.known_only_to(member) {
                self.end_session(now, session, Xid(0), out);
            }
        }
        if let Service::Quorum { .. } = before {
            let last_zxid = match after {
                // The member takes part in the election with the transactions that it has.
                Service::Quorum { .. } => self.tree.last_zxid(),
                Service::ReadOnly | Service::NotServing | Service::Stopped => {
                    self.members.last_zxid(member, &self.tree)
                }
            };
            if let Some(member) = self.members.get_mut(member) {
                member.last_zxid = last_zxid;
            }
        }
        let replica = match after {
            Service::Quorum { .. } => lagged.then(|| self.replica_of(member, true)),
            Service::ReadOnly => Some(self.replica_of(member, false)),
            Service::NotServing | Service::Stopped => None,
        };
        if let Some(replica) = replica {
            self.members.replicas.insert(member, replica);
        }
        if let Some(member) = self.members.get_mut(member) {
            member.service = after;
        }
    }

    /// Returns a copy of the current state, without watches.
    pub(super) fn replica_of(&mut self, member: MemberId, follows: bool) -> Replica {
        let last_zxid = self.members.last_zxid(member, &self.tree);
        Replica::new(&mut self.tree, last_zxid, follows)
    }

    pub(super) fn insert_replica(&mut self, member: MemberId, replica: Replica) {
        self.members.replicas.insert(member, replica);
    }

    pub(super) fn remove_replica(&mut self, member: MemberId) -> Option<Replica> {
        self.members.replicas.remove(&member)
    }
}
