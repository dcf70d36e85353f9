//! The members of an ensemble: who runs, who reaches the others, who leads, and what each has.
//!
//! All members serve one tree, and there is no protocol among them: a test says what happens to a member, and what would
//! follow from it among real ones follows at once. A server that is no ensemble is one member that always leads.

use std::collections::{BTreeMap, BTreeSet};

use super::replica::Replica;
use super::{ConnectionId, Keeper, Rules, Tree, Watches};
use crate::protocol::{EnsembleAction, EnsembleError, MemberId, Mode, SessionId, Zxid};

/// The members, and who leads them.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// By number, from 1.
    list: Vec<Member>,
    read_only_mode: bool,
    pub(super) leader: Option<MemberId>,
    /// How many leaders there have been: the high half of every zxid. A server that is no ensemble stays at 0.
    pub(super) epoch: u32,
    /// The last transaction of the epochs before: what followers show until the first of this one.
    pub(super) last_of_before: Zxid,
    /// Connections whose session has since come to another member.
    left_behind: BTreeSet<ConnectionId>,
    /// What members have that do not have everything.
    pub(super) replicas: BTreeMap<MemberId, Replica>,
}

/// One member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) running: bool,
    pub(super) partitioned: bool,
    pub(super) service: Service,
    /// The last transaction that it had when it followed last.
    pub(super) last_zxid: Zxid,
}

/// Whom a member serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Everybody, as one of those who follow the leader of this epoch, or as that leader.
    Quorum { epoch: u32 },
    /// Those who are content with reading.
    ReadOnly,
    /// Nobody, though it can be connected to.
    Nobody,
    /// It does not run.
    Stopped,
}

/// A member at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberState {
    pub(crate) mode: Mode,
    pub(crate) partitioned: bool,
    pub(crate) last_zxid: Zxid,
    /// How many transactions it lags behind; `None` if it does not lag.
    pub(crate) behind: Option<usize>,
}

impl Members {
    /// Members that all run and reach one another, and who have elected the last of them.
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
            left_behind: BTreeSet::new(),
            replicas: BTreeMap::new(),
        }
    }

    /// Goes on after the transactions of another server: no epoch of theirs comes again.
    pub(super) fn go_on_from(&mut self, last_zxid: Zxid) {
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

    /// The zxid before the first of this epoch.
    pub(super) fn start_of_epoch(&self) -> Zxid {
        Zxid(i64::from(self.epoch) << 32)
    }

    pub(super) fn is_ensemble(&self) -> bool {
        self.list.len() > 1
    }

    /// Whether no member and no connection is to be told from the others, which is how it nearly always is.
    #[inline]
    pub(super) fn are_as_one(&self) -> bool {
        self.replicas.is_empty() && self.left_behind.is_empty()
    }

    /// How a member serves.
    pub(crate) fn mode(&self, member: MemberId) -> Mode {
        match self.service(member) {
            Service::Stopped => Mode::Stopped,
            _ if !self.is_ensemble() => Mode::Standalone,
            Service::Quorum { .. } if self.leader == Some(member) => Mode::Leader,
            Service::Quorum { .. } => Mode::Follower,
            Service::ReadOnly => Mode::ReadOnly,
            Service::Nobody => Mode::NotServing,
        }
    }

    /// Whether, and why not, this can be done.
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
                    Service::ReadOnly | Service::Nobody | Service::Stopped => {
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

    /// Whether a member serves those alone who are content with reading.
    pub(super) fn is_read_only(&self, member: MemberId) -> bool {
        self.service(member) == Service::ReadOnly
    }

    pub(super) fn leave_behind(&mut self, connection: ConnectionId) {
        self.left_behind.insert(connection);
    }

    pub(super) fn is_left_behind(&self, connection: ConnectionId) -> bool {
        self.left_behind.contains(&connection)
    }

    /// Forgets a connection that is gone.
    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        if !self.are_as_one() {
            self.left_behind.remove(&connection);
            for replica in self.replicas.values_mut() {
                replica.watches.disconnected(connection);
            }
        }
    }

    pub(super) fn replica_mut(&mut self, member: MemberId) -> Option<&mut Replica> {
        self.replicas.get_mut(&member)
    }

    /// Whether a member takes in what is committed later than the others.
    pub(super) fn lags(&self, member: MemberId) -> bool {
        self.replicas.get(&member).is_some_and(|it| it.follows)
    }

    pub(super) fn replicas_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.replicas.values_mut()
    }

    /// The watches of those who are connected to members that do not have everything.
    pub(super) fn watches(&self) -> impl Iterator<Item = &Watches> {
        self.replicas.values().map(|replica| &replica.watches)
    }

    /// What a member has: the tree, and the watches of those who are connected to it.
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

    /// The last transaction that a member has.
    #[inline]
    pub(super) fn last_zxid(&self, member: MemberId, tree: &Tree) -> Zxid {
        let last = tree.last_zxid();
        if self.replicas.is_empty() && last != self.start_of_epoch() {
            return last;
        }
        match self.replicas.get(&member) {
            Some(replica) => replica.tree.last_zxid(),
            // Seen on real ones: who follows a new leader and has what it has goes on to show the last transaction of the
            // epoch before until there is one of the new.
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

    /// Who would be elected: among those with the most transactions the one with the highest number, as in
    /// `FastLeaderElection.totalOrderPredicate`.
    pub(super) fn winner(&self, tree: &Tree, but: Option<MemberId>) -> Option<MemberId> {
        let last_zxid = |member: MemberId| match self.service(member) {
            // Who lags has taken in less than it has in its log.
            Service::Quorum { .. } => tree.last_zxid(),
            Service::ReadOnly | Service::Nobody | Service::Stopped => {
                self.get(member).map_or(Zxid(0), |member| member.last_zxid)
            }
        };
        let candidates = self.ids().filter(|member| self.reaches_others(*member));
        candidates
            .filter(|member| Some(*member) != but)
            .max_by_key(|member| (last_zxid(*member), *member))
            .or(but)
    }

    /// What a member serves as things are.
    pub(super) fn service_due(&self, member: MemberId) -> Service {
        if !self.is_running(member) {
            Service::Stopped
        } else if self.leader.is_some() && self.reaches_others(member) {
            Service::Quorum { epoch: self.epoch }
        } else if self.read_only_mode {
            Service::ReadOnly
        } else {
            Service::Nobody
        }
    }
}

impl Keeper {
    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// The last transaction that a member has.
    pub(crate) fn last_zxid_of(&self, member: MemberId) -> Zxid {
        self.members.last_zxid(member, &self.tree)
    }

    /// The sessions that are on connections to a member, by number.
    pub(crate) fn sessions_at(&self, member: MemberId) -> Vec<SessionId> {
        let connections = self.connections.of(member).into_iter();
        let mut sessions: Vec<_> = connections
            .filter_map(|id| self.connections.get(id)?.session)
            .collect();
        sessions.sort_unstable();
        sessions
    }

    /// What there is to know of a member.
    pub(crate) fn member(&self, member: MemberId) -> Option<MemberState> {
        let members = &self.members;
        let it = members.get(member)?;
        let lagging = members
            .replicas
            .get(&member)
            .filter(|replica| replica.follows);
        Some(MemberState {
            mode: members.mode(member),
            partitioned: it.partitioned,
            last_zxid: match it.service {
                Service::Quorum { .. } | Service::ReadOnly => members.last_zxid(member, &self.tree),
                Service::Nobody | Service::Stopped => it.last_zxid,
            },
            behind: lagging.map(|replica| replica.pending.len()),
        })
    }
}
