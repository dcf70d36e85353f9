//! Sessions: how they begin, go on and end; their numbers, passwords and timeouts, and which connection each is on.

use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::connection::ConnectionId;
use super::rules::Rules;
use crate::protocol::{MemberId, SessionId, SessionRecord, Timestamp, Zxid};

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

    /// Numbers new sessions as if the clock were ahead by this duration.
    pub(super) fn number_ahead(&mut self, rules: &Rules, now: Timestamp, ahead: Duration) {
        self.ahead = ahead;
        self.renumber(rules, now);
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
    pub(super) fn is_known_beyond(&self, id: SessionId, member: MemberId) -> bool {
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
pub(super) fn negotiate(rules: &Rules, requested_ms: i32) -> i32 {
    requested_ms
        .max(rules.min_session_timeout_ms)
        .min(rules.max_session_timeout_ms)
}

/// When a session heard from `now` is over: at the end of the tick in which its timeout ends
/// (`ExpiryQueue.roundToNextInterval`), so up to a tick later than it asked for and never earlier; unless expiry is to be
/// exact.
pub(super) fn expiry_of(rules: &Rules, now: Timestamp, timeout_ms: i32) -> Timestamp {
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
        assert_eq!(expiry_of(&rules, Timestamp(1), 1000), Timestamp(1001));
    }

    #[test]
    fn a_session_lives_up_to_a_tick_longer_than_it_asked_for() {
        let rules = Rules {
            tick_ms: 500,
            ..Rules::default()
        };
        assert_eq!(expiry_of(&rules, Timestamp(1), 1000), Timestamp(1500));
        assert_eq!(expiry_of(&rules, Timestamp(499), 1000), Timestamp(1500));
        assert_eq!(expiry_of(&rules, Timestamp(500), 1000), Timestamp(2000));
    }
}
