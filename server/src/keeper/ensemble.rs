//! The members of an ensemble: their state, the leader, and the transactions that each has.
//!
//! All members serve one tree, and there is no protocol between them. The test changes the state of a member, and the
//! consequences that it would have among real members happen at once. A standalone server is a single member that
//! always leads.

use std::collections::{BTreeMap, BTreeSet};

use super::connection::ConnectionId;
use super::replica::Replica;
use super::tree::Tree;
use super::watch::Watches;
use crate::config::Rules;
use crate::protocol::{EnsembleAction, EnsembleError, MemberId, Mode, Zxid};

/// The members and their leader.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// Ordered by id, from 1.
    list: Vec<Member>,
    read_only_mode: bool,
    pub(super) leader: Option<MemberId>,
    /// Number of leaders so far: the high half of every zxid. Stays 0 for a standalone server.
    pub(super) epoch: u32,
    /// The last transaction of the epochs before. Followers show it until the first transaction of this epoch.
    pub(super) last_of_before: Zxid,
    /// Connections whose session has moved to another member.
    moved: BTreeSet<ConnectionId>,
    /// The states of members that are not up to date.
    pub(super) replicas: BTreeMap<MemberId, Replica>,
}

/// One member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) running: bool,
    pub(super) partitioned: bool,
    pub(super) service: Service,
    /// The last transaction that the member had when it last followed a leader.
    pub(super) last_zxid: Zxid,
}

/// The service that a member offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// All requests: the member is the leader of this epoch or follows it.
    Quorum { epoch: u32 },
    /// Reads of clients that accept a read-only server.
    ReadOnly,
    /// None. The member accepts connections and closes them.
    NotServing,
    /// None. The member does not run.
    Stopped,
}

/// The state of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberState {
    pub(crate) mode: Mode,
    pub(crate) partitioned: bool,
    pub(crate) last_zxid: Zxid,
    /// Number of transactions that the member has not applied yet; `None` if it does not lag.
    pub(crate) behind: Option<usize>,
}

impl Members {
    /// Creates members that all run and reach each other. The last one leads.
    pub(super) fn new(rules: &Rules) -> Self {
        let number = rules.members.max(1);
        let epoch = u32::from(number > 1);
        let member = Member {
            running: true,
            partitioned: false,
            service: Service::Quorum { epoch },
            last_zxid: Zxid(0),
        };
        Self {
            list: vec![member; usize::from(number)],
            read_only_mode: rules.read_only_mode,
            leader: Some(MemberId(number)),
            epoch,
            last_of_before: Zxid(0),
            moved: BTreeSet::new(),
            replicas: BTreeMap::new(),
        }
    }

    /// Continues after the transactions of another server, whose epochs do not come again.
    pub(super) fn continue_from(&mut self, last_zxid: Zxid) {
        let epoch = u32::try_from(last_zxid.0 >> 32).unwrap_or(self.epoch);
        if self.is_ensemble() {
            self.epoch = self.epoch.max(epoch);
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = MemberId> + use<> {
        (1..=u8::try_from(self.list.len()).unwrap_or(u8::MAX)).map(MemberId)
    }

    pub(crate) fn leader(&self) -> Option<MemberId> {
        self.leader
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns the zxid before the first one of this epoch.
    pub(super) fn start_of_epoch(&self) -> Zxid {
        Zxid(i64::from(self.epoch) << 32)
    }

    pub(super) fn is_ensemble(&self) -> bool {
        self.list.len() > 1
    }

    /// Whether all members and connections behave alike, which is nearly always so.
    #[inline]
    pub(super) fn are_uniform(&self) -> bool {
        self.replicas.is_empty() && self.moved.is_empty()
    }

    /// Returns the mode of a member.
    pub(crate) fn mode(&self, member: MemberId) -> Mode {
        match self.service(member) {
            Service::Stopped => Mode::Stopped,
            _ if !self.is_ensemble() => Mode::Standalone,
            Service::Quorum { .. } if self.leader == Some(member) => Mode::Leader,
            Service::Quorum { .. } => Mode::Follower,
            Service::ReadOnly => Mode::ReadOnly,
            Service::NotServing => Mode::NotServing,
        }
    }

    /// Checks whether an action is possible.
    pub(crate) fn check(&self, action: EnsembleAction) -> Result<(), EnsembleError> {
        let known = |member: MemberId| {
            let known = self.get(member).map(|_| ());
            known.ok_or(EnsembleError::NoSuchMember(member))
        };
        match action {
            EnsembleAction::LoseQuorum | EnsembleAction::RegainQuorum => Ok(()),
            EnsembleAction::Stop { member }
            | EnsembleAction::Start { member }
            | EnsembleAction::Partition { member }
            | EnsembleAction::Heal { member }
            | EnsembleAction::Release { member, .. }
            | EnsembleAction::CatchUp { member } => known(member),
            EnsembleAction::Lag { member } => {
                known(member)?;
                match self.service(member) {
                    Service::Quorum { .. } => Ok(()),
                    Service::ReadOnly | Service::NotServing | Service::Stopped => {
                        Err(EnsembleError::CannotLag(member))
                    }
                }
            }
            EnsembleAction::Elect { leader: wanted } => {
                wanted.map_or(Ok(()), known)?;
                if !self.has_quorum() {
                    return Err(EnsembleError::NoQuorum);
                }
                match wanted.filter(|wanted| !self.reaches_others(*wanted)) {
                    Some(member) => Err(EnsembleError::CannotLead(member)),
                    None => Ok(()),
                }
            }
        }
    }

    pub(super) fn is_running(&self, member: MemberId) -> bool {
        self.get(member).is_some_and(|member| member.running)
    }

    /// Whether a member serves only clients that accept a read-only server.
    pub(super) fn is_read_only(&self, member: MemberId) -> bool {
        self.service(member) == Service::ReadOnly
    }

    pub(super) fn note_moved(&mut self, connection: ConnectionId) {
        self.moved.insert(connection);
    }

    pub(super) fn has_moved(&self, connection: ConnectionId) -> bool {
        self.moved.contains(&connection)
    }

    /// Removes a closed connection.
    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        if !self.are_uniform() {
            self.moved.remove(&connection);
            for replica in self.replicas.values_mut() {
                replica.watches.disconnected(connection);
            }
        }
    }

    pub(super) fn replica_mut(&mut self, member: MemberId) -> Option<&mut Replica> {
        self.replicas.get_mut(&member)
    }

    /// Whether a member applies transactions later than the others.
    pub(super) fn lags(&self, member: MemberId) -> bool {
        self.replicas.get(&member).is_some_and(|it| it.follows)
    }

    pub(super) fn replicas_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.replicas.values_mut()
    }

    /// Returns the watches of clients of members that are not up to date.
    pub(super) fn watches(&self) -> impl Iterator<Item = &Watches> {
        self.replicas.values().map(|replica| &replica.watches)
    }

    /// Returns the tree of a member, and the watches of its clients.
    #[inline]
    pub(super) fn view<'v>(
        &'v mut self,
        member: MemberId,
        tree: &'v Tree,
        watches: &'v mut Watches,
    ) -> (&'v Tree, &'v mut Watches) {
        if self.replicas.is_empty() {
            return (tree, watches);
        }
        match self.replicas.get_mut(&member) {
            Some(replica) => (&replica.tree, &mut replica.watches),
            None => (tree, watches),
        }
    }

    /// Returns the zxid of the last transaction that a member has.
    #[inline]
    pub(super) fn last_zxid(&self, member: MemberId, tree: &Tree) -> Zxid {
        let last = tree.last_zxid();
        if self.replicas.is_empty() && last != self.start_of_epoch() {
            return last;
        }
        match self.replicas.get(&member) {
            Some(replica) => replica.tree.last_zxid(),
            // Observed with real servers: an up-to-date follower of a new leader shows the last transaction of the
            // epoch before, until the new epoch has a transaction.
            None if last == self.start_of_epoch() && self.leader != Some(member) => {
                self.last_of_before
            }
            None => last,
        }
    }

    pub(super) fn get(&self, member: MemberId) -> Option<&Member> {
        self.list.get(usize::from(member.0).checked_sub(1)?)
    }

    pub(super) fn get_mut(&mut self, member: MemberId) -> Option<&mut Member> {
        self.list.get_mut(usize::from(member.0).checked_sub(1)?)
    }

    pub(super) fn service(&self, member: MemberId) -> Service {
        self.get(member)
            .map_or(Service::Stopped, |member| member.service)
    }

    pub(super) fn reaches_others(&self, member: MemberId) -> bool {
        self.get(member)
            .is_some_and(|it| it.running && (!it.partitioned || !self.is_ensemble()))
    }

    pub(super) fn has_quorum(&self) -> bool {
        let reaching = self.ids().filter(|member| self.reaches_others(*member));
        reaching.count() * 2 > self.list.len()
    }

    /// Returns the member that would be elected: of those with the most transactions, the one with the highest id, as
    /// in `FastLeaderElection.totalOrderPredicate`.
    pub(super) fn winner(&self, tree: &Tree, but: Option<MemberId>) -> Option<MemberId> {
        let last_zxid = |member: MemberId| match self.service(member) {
            // A member that lags has more transactions in its log than it has applied.
            Service::Quorum { .. } => tree.last_zxid(),
            Service::ReadOnly | Service::NotServing | Service::Stopped => {
                self.get(member).map_or(Zxid(0), |member| member.last_zxid)
            }
        };
        let candidates = self.ids().filter(|member| self.reaches_others(*member));
        candidates
            .filter(|member| Some(*member) != but)
            .max_by_key(|member| (last_zxid(*member), *member))
            .or(but)
    }

    /// Returns the service that a member offers in its current state.
    pub(super) fn service_due(&self, member: MemberId) -> Service {
        if !self.is_running(member) {
            Service::Stopped
        } else if self.leader.is_some() && self.reaches_others(member) {
            Service::Quorum { epoch: self.epoch }
        } else if self.read_only_mode {
            Service::ReadOnly
        } else {
            Service::NotServing
        }
    }

    /// Returns the state of a member.
    pub(super) fn state(&self, member: MemberId, tree: &Tree) -> Option<MemberState> {
        let it = self.get(member)?;
        let lagging = self.replicas.get(&member).filter(|replica| replica.follows);
        Some(MemberState {
            mode: self.mode(member),
            partitioned: it.partitioned,
            last_zxid: match it.service {
                Service::Quorum { .. } | Service::ReadOnly => self.last_zxid(member, tree),
                Service::NotServing | Service::Stopped => it.last_zxid,
            },
            behind: lagging.map(|replica| replica.pending.len()),
        })
    }
}
