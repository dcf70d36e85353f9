//! The members of an ensemble: who runs, who reaches the others, who leads, and what follows when that changes.
//!
//! All members serve one tree, and there is no protocol among them: a test says what happens to a member, and what would
//! follow from it among real ones follows at once. A server that is no ensemble is one member that always leads.

use std::collections::{BTreeMap, BTreeSet};

use super::replica::Replica;
use super::transaction::{Transaction, refusal};
use super::{CloseReason, ConnectionId, Keeper, Output, Outputs, Rules, Tree, Watches, reply};
use crate::protocol::{
    ConnectRequest, EnsembleAction, EnsembleError, ErrorCode, MemberId, Mode, Operation, Request,
    SessionId, Timestamp, Xid, Zxid,
};

/// The members, and who leads them.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// By number, from 1.
    list: Vec<Member>,
    read_only_mode: bool,
    leader: Option<MemberId>,
    /// How many leaders there have been: the high half of every zxid. A server that is no ensemble stays at 0.
    epoch: u32,
    /// The last transaction of the epochs before: what followers show until the first of this one.
    last_of_before: Zxid,
    /// Connections whose session has since come to another member.
    left_behind: BTreeSet<ConnectionId>,
    /// What members have that do not have everything.
    replicas: BTreeMap<MemberId, Replica>,
}

/// One member.
#[derive(Clone, Debug)]
struct Member {
    running: bool,
    partitioned: bool,
    service: Service,
    /// The last transaction that it had when it followed last.
    last_zxid: Zxid,
}

/// Whom a member serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
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

    fn get(&self, member: MemberId) -> Option<&Member> {
        self.list.get(usize::from(member.0).checked_sub(1)?)
    }

    fn get_mut(&mut self, member: MemberId) -> Option<&mut Member> {
        self.list.get_mut(usize::from(member.0).checked_sub(1)?)
    }

    fn service(&self, member: MemberId) -> Service {
        self.get(member)
            .map_or(Service::Stopped, |member| member.service)
    }

    fn reaches_others(&self, member: MemberId) -> bool {
        self.get(member)
            .is_some_and(|it| it.running && (!it.partitioned || !self.is_ensemble()))
    }

    fn has_quorum(&self) -> bool {
        let reaching = self.ids().filter(|member| self.reaches_others(*member));
        reaching.count() * 2 > self.list.len()
    }

    /// Who would be elected: among those with the most transactions the one with the highest number, as in
    /// `FastLeaderElection.totalOrderPredicate`.
    fn winner(&self, tree: &Tree, but: Option<MemberId>) -> Option<MemberId> {
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
    fn service_due(&self, member: MemberId) -> Service {
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
            .filter_map(|id| self.connections.get(id).filter(|it| !it.closing)?.session)
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
            EnsembleAction::CatchUp { member } => self.catch_up_for_good(now, member, out),
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

    /// All of them were stopped and have started again.
    pub(super) fn members_restarted(&mut self, now: Timestamp, out: &mut impl Outputs) {
        if self.members.leader.is_some() {
            let before = (self.members.leader, self.members.epoch);
            let leader = self.members.winner(&self.tree, None);
            self.begin_epoch(now, leader);
            self.settle(now, before, out);
        }
    }

    /// There is a new leader, and all that was before is of an epoch before.
    fn begin_epoch(&mut self, now: Timestamp, leader: Option<MemberId>) {
        self.members.leader = leader;
        self.sessions.renumber(&self.rules, now);
        self.sessions_begin_anew(now);
        if !self.members.is_ensemble() {
            return;
        }
        if self.tree.last_zxid() != self.members.start_of_epoch() {
            self.members.last_of_before = self.tree.last_zxid();
        }
        self.members.epoch = self.members.epoch.wrapping_add(1);
        self.tree.set_last_zxid(self.members.start_of_epoch());
    }

    /// Lets everything follow from how the members are now: an election if there is nobody who leads and there can be
    /// one; and at each member whose service changes, the end of all connections.
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
            (Service::Quorum { .. } | Service::Nobody | Service::Stopped, _) => {
                CloseReason::LostLeader
            }
        };
        // QuorumPeer has a server for each of its states, and closes all connections with the one that it leaves.
        for connection in self.connections.of(member) {
            if !self.connections.is_closing(connection) {
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
                // It takes part in the election with what it has.
                Service::Quorum { .. } => self.tree.last_zxid(),
                Service::ReadOnly | Service::Nobody | Service::Stopped => {
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
            Service::Nobody | Service::Stopped => None,
        };
        if let Some(replica) = replica {
            self.members.replicas.insert(member, replica);
        }
        if let Some(member) = self.members.get_mut(member) {
            member.service = after;
        }
    }

    /// A copy of what there is, with no watches.
    pub(super) fn replica_of(&self, member: MemberId, follows: bool) -> Replica {
        let last_zxid = self.members.last_zxid(member, &self.tree);
        Replica::new(&self.tree, last_zxid, follows)
    }

    pub(super) fn keep_replica(&mut self, member: MemberId, replica: Replica) {
        self.members.replicas.insert(member, replica);
    }

    pub(super) fn drop_replica(&mut self, member: MemberId) -> Option<Replica> {
        self.members.replicas.remove(&member)
    }

    /// Why a member does not take in somebody who asks for a session, if it does not.
    pub(super) fn turns_away(
        &self,
        member: MemberId,
        request: &ConnectRequest<'_>,
    ) -> Option<CloseReason> {
        match self.members.service(member) {
            Service::Quorum { .. } => None,
            Service::ReadOnly if request.read_only != Some(true) => {
                Some(CloseReason::NotReadOnlyClient)
            }
            Service::ReadOnly => None,
            Service::Nobody => Some(CloseReason::NotServing),
            Service::Stopped => Some(CloseReason::MemberStopped),
        }
    }

    /// Deals with a request that the member to which it came does not let pass; says whether it did.
    pub(super) fn stopped_by_member(
        &mut self,
        now: Timestamp,
        (connection, member): (ConnectionId, MemberId),
        xid: Xid,
        request: &Request<'_>,
        out: &mut impl Outputs,
    ) -> bool {
        let operation = request.operation();
        let ends_session = operation == Some(Operation::CloseSession);
        let writes = operation.is_some_and(Operation::is_write) && !ends_session;
        let syncs = operation == Some(Operation::Sync);
        if self.members.is_read_only(member) {
            // ReadOnlyRequestProcessor goes by the operation, and does not look at what it is about.
            if writes || syncs {
                let zxid = self.members.last_zxid(member, &self.tree);
                reply(out, connection, xid, zxid, Err(ErrorCode::NotReadOnly));
            }
            return writes || syncs;
        }
        if self.members.is_left_behind(connection) && !ends_session {
            // What is refused before anybody asks whose session it is.
            let unchecked = operation.is_none()
                || matches!(request, Request::Malformed(operation) if operation.is_write())
                || matches!(request, Request::Multi(operations) if operations.is_empty())
                || matches!(request, Request::Reconfig if !self.rules.reconfig_enabled);
            // The leader checks the owner of whatever comes by way of itself, and of what others send it: the writes.
            // What has moved is not answered, see FinalRequestProcessor.processRequest.
            if !unchecked && (writes || self.members.leader == Some(member)) {
                if writes {
                    let session = self.connections.get(connection).and_then(|it| it.session);
                    self.write_refused(now, session.unwrap_or(SessionId::NONE), xid, out);
                }
                self.close(now, connection, CloseReason::SessionMoved, out);
                return true;
            }
        }
        if writes || syncs || ends_session {
            self.release(now, member, usize::MAX, None, out);
            // It may have heard that the session is over.
            return self.connections.is_closing(connection);
        }
        false
    }

    /// A write that came by the wrong way takes a zxid all the same.
    fn write_refused(
        &mut self,
        now: Timestamp,
        session: SessionId,
        xid: Xid,
        out: &mut impl Outputs,
    ) {
        let transaction = Transaction::begin(&mut self.tree, session, xid, now, false);
        let txn = transaction.commit(refusal(ErrorCode::SessionMoved));
        super::committed(&mut self.members, &txn, out);
    }
}
