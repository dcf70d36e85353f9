//! Sessions: how they begin, go on and end; their numbers, passwords and timeouts, and which connection each is on.

use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::deadline::Deadline;
use super::reap::look_at;
use super::transaction::Transaction;
use super::{CloseReason, ConnectionId, Expiry, Input, Keeper, Output, Outputs, Rules, committed};
use crate::protocol::{
    ConnectRequest, ConnectResponse, MemberId, Message, SessionId, SessionRecord, Timestamp,
    TxnRecord, Xid, Zxid,
};

/// Every session that is alive.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    by_id: HashMap<SessionId, Session, FixedState>,
    /// The next number that each member gives.
    next: Vec<i64>,
    /// How many numbers may have been given already that began at any one moment, by those of whom only a folder is left.
    passed_over: i64,
    /// Time by which the moment that session ids begin with is ahead of the clock.
    ahead: Duration,
}

/// One session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) timeout_ms: i32,
    /// The timeout that it began with; a resume may have changed it since.
    pub(super) first_timeout_ms: i32,
    /// When it is over unless it is heard from.
    pub(crate) deadline: Timestamp,
    /// When its entry among the deadlines comes: at the deadline or earlier.
    pub(super) queued: Timestamp,
    /// Where it is, if it is anywhere just now.
    pub(crate) connection: Option<ConnectionId>,
    /// Whether what it sends counts as silence.
    pub(crate) muted: bool,
    /// The read-only member that alone knows of it.
    pub(super) known_only_to: Option<MemberId>,
}

impl Sessions {
    pub(super) fn new(rules: &Rules, now: Timestamp) -> Self {
        Self {
            by_id: HashMap::with_hasher(FixedState::with_seed(0)),
            next: first_numbers(rules, now),
            passed_over: 0,
            ahead: Duration::ZERO,
        }
    }

    /// Every member numbers anew, and gives no number twice.
    pub(super) fn renumber(&mut self, rules: &Rules, now: Timestamp) {
        for (next, anew) in self
            .next
            .iter_mut()
            .zip(first_numbers(rules, now + self.ahead))
        {
            *next = anew.wrapping_add(self.passed_over).max(*next);
        }
    }

    /// Nothing tells of the sessions that have ended. Each began with a transaction, though: so many numbers further on,
    /// nobody has been, even if the clock stood still all the time.
    pub(super) fn pass_over(&mut self, last_zxid: Zxid) {
        self.passed_over = last_zxid.0 & i64::from(u32::MAX);
    }

    /// The number of the next session that a member grants.
    fn number(&mut self, member: MemberId) -> SessionId {
        let next = usize::from(member.0).saturating_sub(1);
        let next = self.next.get_mut(next);
        let next = next.expect("who asks for a session is connected to a member that there is");
        let id = SessionId(*next);
        // A folder may hold any number, the last one too.
        *next = next.wrapping_add(1);
        id
    }

    pub(super) fn open(
        &mut self,
        timeout_ms: i32,
        deadline: Timestamp,
        (connection, member): (ConnectionId, MemberId),
        known_only_to: Option<MemberId>,
    ) -> SessionId {
        let id = self.number(member);
        self.by_id.insert(
            id,
            Session {
                timeout_ms,
                first_timeout_ms: timeout_ms,
                deadline,
                queued: deadline,
                connection: Some(connection),
                muted: false,
                known_only_to,
            },
        );
        id
    }

    /// A session that goes on from before.
    pub(super) fn restore(&mut self, session: SessionRecord) {
        let SessionRecord { id, timeout_ms } = session;
        self.by_id.insert(
            id,
            Session {
                timeout_ms,
                first_timeout_ms: timeout_ms,
                deadline: Timestamp(0),
                queued: Timestamp(0),
                connection: None,
                muted: false,
                known_only_to: None,
            },
        );
    }

    /// Copy in which no session has a connection. So it has no session that only a read-only member knows, and each
    /// session has its first timeout: a later timeout is agreed with a connection, and ends with it.
    pub(super) fn disconnected(&self) -> Self {
        let mut copy = self.clone();
        copy.by_id
            .retain(|_, session| session.known_only_to.is_none());
        for session in copy.by_id.values_mut() {
            session.connection = None;
            session.timeout_ms = session.first_timeout_ms;
        }
        copy
    }

    /// Goes on with the sessions of another server.
    pub(super) fn go_on_from(&mut self, others: &Self) {
        self.by_id.clone_from(&others.by_id);
        self.passed_over = others.passed_over;
        for next in &mut self.next {
            *next = next.wrapping_add(others.passed_over);
        }
        // A number that was given is not given again.
        let given = self.by_id.keys().map(|id| id.0.saturating_add(1));
        for given in given.chain(others.next.iter().copied()) {
            let own = self
                .next
                .iter_mut()
                .find(|next| **next >> 56 == given >> 56);
            if let Some(next) = own {
                *next = given.max(*next);
            }
        }
    }

    /// Those of which no other member knows.
    pub(super) fn known_only_to(&self, member: MemberId) -> Vec<SessionId> {
        let sessions = self.sorted().into_iter();
        sessions
            .filter(|(_, session)| session.known_only_to == Some(member))
            .map(|(id, _)| id)
            .collect()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.by_id.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether others than this member know of a session.
    fn is_known_beyond(&self, id: SessionId, member: MemberId) -> bool {
        self.get(id)
            .is_some_and(|session| session.known_only_to != Some(member))
    }

    /// The session that is over next if nothing is heard of it, among those that nothing can be heard of: muted, or on no
    /// connection that is heard.
    pub(super) fn next_silent(
        &self,
        is_heard: impl Fn(ConnectionId) -> bool,
    ) -> Option<(SessionId, Timestamp)> {
        self.by_id
            .iter()
            .filter(|(_, session)| session.muted || !session.connection.is_some_and(&is_heard))
            .map(|(id, session)| (*id, session.deadline))
            .min_by_key(|(id, deadline)| (*deadline, *id))
    }

    /// Every session, by number.
    pub(crate) fn sorted(&self) -> Vec<(SessionId, &Session)> {
        let mut sessions: Vec<_> = self
            .by_id
            .iter()
            .map(|(id, session)| (*id, session))
            .collect();
        sessions.sort_unstable_by_key(|(id, _)| *id);
        sessions
    }
}

/// The first number that each member gives.
fn first_numbers(rules: &Rules, now: Timestamp) -> Vec<i64> {
    let members = 1..=rules.members.max(1);
    let numbers = members.map(|member| {
        let server_id = if rules.members > 1 {
            member
        } else {
            rules.server_id
        };
        // SessionTrackerImpl.initializeNextSessionId: the server's number, then forty bits of time, then a counter.
        let started = (now.0 << 24).cast_unsigned() >> 8;
        let first = started.cast_signed() | (i64::from(server_id) << 56);
        // The number that means a container is passed over, and 0, which asks for a new session.
        let taken = matches!(first, 0 | i64::MIN);
        if taken { first + 1 } else { first }
    });
    numbers.collect()
}

/// The timeout that a client gets which asks for `requested_ms`.
fn negotiate(rules: &Rules, requested_ms: i32) -> i32 {
    requested_ms
        .max(rules.min_session_timeout_ms)
        .min(rules.max_session_timeout_ms)
}

/// When a session heard from `now` is over: at the end of the tick in which its timeout ends
/// (`ExpiryQueue.roundToNextInterval`), so up to a tick later than it asked for and never earlier; unless expiry is to be
/// exact.
fn deadline(rules: &Rules, now: Timestamp, timeout_ms: i32) -> Timestamp {
    let span = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    let end = now + span;
    if rules.exact_expiry {
        return end;
    }
    let tick = rules.tick_ms.max(1);
    Timestamp((end.0.div_euclid(tick) + 1).saturating_mul(tick))
}

/// The password of a session: the first sixteen bytes of Java's generator seeded with the number and ZooKeeper's
/// secret, so that a session can move between a real server and this one.
pub(crate) fn password(session: SessionId) -> [u8; 16] {
    const SECRET: i64 = 0xB341_5C00;
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut seed = ((session.0 ^ SECRET).cast_unsigned() ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for bytes in password.chunks_exact_mut(4) {
        seed = seed.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        let [_, _, a, b, c, d, ..] = seed.to_be_bytes();
        // The top 32 of 48 bits; Random.nextBytes takes the low byte first.
        bytes.copy_from_slice(&[d, c, b, a]);
    }
    password
}

impl Keeper {
    /// Numbers sessions as if the clock were ahead by this much, so that servers that begin at the same moment give
    /// different ids.
    pub(crate) fn number_sessions_ahead(&mut self, now: Timestamp, ahead: Duration) {
        self.sessions.ahead = ahead;
        self.sessions.renumber(&self.rules, now);
    }

    /// `ZooKeeperServer.processConnectRequest`.
    pub(super) fn connect(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        request: &ConnectRequest<'_>,
        out: &mut impl Outputs,
    ) {
        let Some(asking) = self.connections.get(connection) else {
            return;
        };
        self.deadlines.remove(
            asking.sessionless_deadline,
            Deadline::Sessionless(connection),
        );
        let member = asking.member;
        if let Some(reason) = self.turns_away(member, request) {
            self.close(now, connection, reason, out);
            return;
        }
        if request.last_zxid_seen > self.members.last_zxid(member, &self.tree) {
            self.close(now, connection, CloseReason::AheadOfServer, out);
            return;
        }
        let timeout_ms = negotiate(&self.rules, request.timeout_ms);
        // Who does not ask is not told, as a client of before 3.4 does not expect it.
        let is_read_only = self.members.is_read_only(member);
        let read_only = request.read_only.map(|_| is_read_only);
        let granted = if request.session == SessionId::NONE {
            Some(self.open_session(now, (connection, member), timeout_ms, out))
        } else if is_read_only && self.sessions.is_known_beyond(request.session, member) {
            // ReadOnlyZooKeeperServer.validateSession: only the leader can say whether the session is still alive.
            self.close(now, connection, CloseReason::NotServing, out);
            return;
        } else {
            self.resume_session(now, (connection, member), request, timeout_ms, out)
        };
        let response = match granted {
            Some(session) => ConnectResponse {
                timeout_ms,
                session,
                password: password(session),
                read_only,
            },
            None => ConnectResponse {
                timeout_ms: 0,
                session: SessionId::NONE,
                password: [0; 16],
                read_only,
            },
        };
        self.connections.set_session(connection, granted);
        out.emit(Output::Send {
            connection,
            message: Message::Connected(response),
        });
        if granted.is_none() {
            self.close(now, connection, CloseReason::SessionRefused, out);
        }
    }

    pub(super) fn open_session(
        &mut self,
        now: Timestamp,
        (connection, member): (ConnectionId, MemberId),
        timeout_ms: i32,
        out: &mut impl Outputs,
    ) -> SessionId {
        let deadline = deadline(&self.rules, now, timeout_ms);
        let known_only_to = self.members.is_read_only(member).then_some(member);
        let to = (connection, member);
        let session = self.sessions.open(timeout_ms, deadline, to, known_only_to);
        self.deadlines.add(deadline, Deadline::Session(session));
        if known_only_to.is_none() {
            let transaction = Transaction::begin(&mut self.tree, session, Xid(0), now, false);
            let txn = transaction.commit(TxnRecord::CreateSession { timeout_ms });
            committed(&mut self.members, &self.tree, &txn, out);
            self.release(now, member, usize::MAX, None, out);
        }
        session
    }

    /// Opens a session that the test owns, with the longest timeout there is. The session is on no connection:
    /// requests of the test on it come by [`step_as`](Self::step_as).
    pub(crate) fn open_test_session(
        &mut self,
        now: Timestamp,
        out: &mut impl Outputs,
    ) -> SessionId {
        let member = self.members.leader().unwrap_or(MemberId::ALONE);
        let to = (ConnectionId::HANDLE, member);
        let id = self.open_session(now, to, i32::MAX, out);
        if let Some(session) = self.sessions.get_mut(id) {
            session.connection = None;
        }
        id
    }

    /// Closes a session that the test owns.
    pub(crate) fn close_test_session(
        &mut self,
        now: Timestamp,
        id: SessionId,
        out: &mut impl Outputs,
    ) {
        self.end_session(now, id, Xid(0), out);
    }

    /// Takes a request of the test as one of this session.
    pub(crate) fn step_as(
        &mut self,
        now: Timestamp,
        id: SessionId,
        input: Input<'_>,
        out: &mut impl Outputs,
    ) {
        self.connections.set_session(ConnectionId::HANDLE, Some(id));
        self.step(now, input, out);
        self.connections.set_session(ConnectionId::HANDLE, None);
    }

    /// Whoever asks for a session closes the connection that it is on first, even with a wrong password.
    pub(super) fn resume_session(
        &mut self,
        now: Timestamp,
        (connection, member): (ConnectionId, MemberId),
        request: &ConnectRequest<'_>,
        timeout_ms: i32,
        out: &mut impl Outputs,
    ) -> Option<SessionId> {
        let id = request.session;
        let current = self.sessions.get(id).and_then(|session| session.connection);
        self.take_over(now, id, (current, member), out);
        let session = self.sessions.get(id)?;
        if session.known_only_to.is_some_and(|home| home != member) {
            return None;
        }
        if request.password != Some(&password(id)[..]) {
            return None;
        }
        let session = self.sessions.get_mut(id)?;
        session.timeout_ms = timeout_ms;
        // Another member does not close the connection that the session was on.
        if let Some(other) = session.connection.replace(connection)
            && self.members.is_ensemble()
        {
            self.members.leave_behind(other);
        }
        self.touch(now, id);
        Some(id)
    }

    /// Closes the connection that a session is on, or was before it came to another member, if it is to this member.
    fn take_over(
        &mut self,
        now: Timestamp,
        id: SessionId,
        (current, member): (Option<ConnectionId>, MemberId),
        out: &mut impl Outputs,
    ) {
        let others = if self.members.is_ensemble() {
            self.connections.on(id)
        } else {
            current.into_iter().collect()
        };
        for other in others {
            if self.is_to(other, member) {
                self.close(now, other, CloseReason::TakenOver, out);
            }
        }
    }

    /// The session was heard from.
    pub(super) fn touch(&mut self, now: Timestamp, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if session.muted {
            return;
        }
        session.deadline = deadline(&self.rules, now, session.timeout_ms);
        if session.deadline < session.queued {
            self.deadlines.remove(session.queued, Deadline::Session(id));
            self.deadlines.add(session.deadline, Deadline::Session(id));
            session.queued = session.deadline;
        }
    }

    /// Bytes arrived on a connection that is up.
    pub(super) fn heard(&mut self, now: Timestamp, connection: ConnectionId) {
        let connection = self.connections.get(connection);
        if let Some(session) = connection.and_then(|connection| connection.session) {
            self.touch(now, session);
        }
    }

    /// Whether a connection is up on which it could be heard.
    pub(super) fn is_present(&self, id: SessionId) -> bool {
        let connection = self.sessions.get(id).and_then(|session| session.connection);
        if self.members.are_as_one() {
            return connection.is_some_and(|connection| self.connections.is_heard(connection));
        }
        // Pings on the connection that it has left keep it alive too.
        let mut connections = self.connections.on(id).into_iter();
        connections.any(|connection| self.connections.is_heard(connection))
    }

    /// The session that is over next if nothing is heard of it, among those that nothing can be heard of.
    pub(crate) fn next_silent(&self) -> Option<(SessionId, Timestamp)> {
        self.sessions
            .next_silent(|connection| self.connections.is_heard(connection))
    }

    pub(super) fn mute(&mut self, now: Timestamp, id: SessionId, muted: bool) {
        // Up to now it was heard from, and from now on if it is no longer muted.
        if let Some(session) = self.sessions.get(id)
            && (self.is_present(id) && self.rules.presence_is_life || session.muted && !muted)
        {
            if let Some(session) = self.sessions.get_mut(id) {
                session.muted = false;
            }
            self.touch(now, id);
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.muted = muted;
        }
    }

    /// `ZooKeeperServer.expire`.
    pub(super) fn expire(
        &mut self,
        now: Timestamp,
        id: SessionId,
        why: Expiry,
        out: &mut impl Outputs,
    ) {
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        out.expiring(id, why);
        let connection = session.connection;
        self.end_session(now, id, Xid(0), out);
        for connection in self.connections_on(id, connection) {
            self.close(now, connection, CloseReason::SessionExpired, out);
        }
    }

    /// Removes the session and what goes with it, in one transaction.
    pub(super) fn end_session(
        &mut self,
        now: Timestamp,
        id: SessionId,
        xid: Xid,
        out: &mut impl Outputs,
    ) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        self.deadlines.remove(session.queued, Deadline::Session(id));
        if session.known_only_to.is_some() {
            return;
        }
        let paths = self.tree.ephemerals(id).map(|path| path.to_owned().into());
        let paths = paths.collect();
        self.write_unasked(now, id, xid, TxnRecord::CloseSession { paths }, out);
    }

    pub(super) fn session_due(&mut self, now: Timestamp, id: SessionId, out: &mut impl Outputs) {
        let is_present = self.is_present(id);
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        // It is the leader who lets sessions expire. The next one begins with their whole timeouts.
        if self.members.leader().is_none() && session.known_only_to.is_none() {
            return;
        }
        if self.rules.presence_is_life && is_present && !session.muted {
            session.deadline = deadline(&self.rules, now, session.timeout_ms);
        }
        if session.deadline > now {
            session.queued = session.deadline;
            self.deadlines.add(session.deadline, Deadline::Session(id));
        } else {
            let timeout_ms = session.timeout_ms;
            self.expire(now, id, Expiry::Silent { timeout_ms }, out);
        }
    }

    pub(super) fn restarted(&mut self, now: Timestamp, out: &mut impl Outputs) {
        for member in self.members.ids() {
            for session in self.sessions.known_only_to(member) {
                self.end_session(now, session, Xid(0), out);
            }
        }
        self.deadlines.clear();
        self.reap_queue.clear();
        self.deadlines
            .add(look_at(&self.rules, now), Deadline::LookForReapable);
        self.sessions_begin_anew(now);
        self.members_restarted(now, out);
    }

    pub(super) fn sessions_begin_anew(&mut self, now: Timestamp) {
        // As after the restart of a real server, every session has its whole timeout before it: the one it began with,
        // since a resume is no transaction and so is not in the log (ZooKeeperServer.revalidateSession).
        let ids: Vec<_> = self
            .sessions
            .sorted()
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            if let Some(session) = self.sessions.get_mut(id)
                && session.known_only_to.is_none()
            {
                self.deadlines.remove(session.queued, Deadline::Session(id));
                session.timeout_ms = session.first_timeout_ms;
                session.deadline = deadline(&self.rules, now, session.timeout_ms);
                session.queued = session.deadline;
                self.deadlines.add(session.deadline, Deadline::Session(id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_one_a_real_server_gives() {
        let expected = [
            0xc6, 0xd4, 0x0f, 0xc7, 0xdb, 0xad, 0x04, 0xa2, 0x14, 0x94, 0x15, 0x08, 0x1c, 0x4d,
            0x4c, 0x44,
        ];
        assert_eq!(password(SessionId(0x0100_000c_47fc_0000)), expected);
    }

    #[test]
    fn a_session_number_starts_with_that_of_the_server() {
        let rules = Rules {
            server_id: 1,
            ..Rules::default()
        };
        let sessions = Sessions::new(&rules, Timestamp(0xc_47fc_0000_i64));
        assert_eq!(sessions.next.len(), 1);
        assert!(
            sessions
                .next
                .iter()
                .all(|next| next >> 56 == 1 && next & 0xffff == 0)
        );
    }

    #[test]
    fn where_expiry_is_exact_a_session_lives_as_long_as_it_asked_for() {
        let rules = Rules {
            tick_ms: 500,
            exact_expiry: true,
            ..Rules::default()
        };
        assert_eq!(deadline(&rules, Timestamp(1), 1000), Timestamp(1001));
    }

    #[test]
    fn a_session_lives_up_to_a_tick_longer_than_it_asked_for() {
        let rules = Rules {
            tick_ms: 500,
            ..Rules::default()
        };
        assert_eq!(deadline(&rules, Timestamp(1), 1000), Timestamp(1500));
        assert_eq!(deadline(&rules, Timestamp(499), 1000), Timestamp(1500));
        assert_eq!(deadline(&rules, Timestamp(500), 1000), Timestamp(2000));
    }
}
