//! Sessions: their ids, passwords, timeouts and connections.

use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::connection::ConnectionId;
use crate::config::Rules;
use crate::protocol::{MemberId, SessionId, SessionRecord, Timestamp, Zxid};

/// All open sessions.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    by_id: HashMap<SessionId, Session, FixedState>,
    /// The session whose deadline was extended last, and when, if no session changed since.
    touched: Option<(SessionId, Timestamp)>,
    /// The next session id of each member.
    next: Vec<i64>,
    /// Upper bound on the number of session ids issued in any one moment before a restart. New ids start after it.
    skipped: i64,
    /// Duration by which the time in session ids is ahead of the clock.
    ahead: Duration,
}

/// One session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) timeout_ms: i32,
    /// The timeout at the start of the session. A resume may have changed the timeout since.
    pub(super) first_timeout_ms: i32,
    /// Time at which the session expires unless its client is heard from.
    pub(crate) deadline: Timestamp,
    /// Time of the session's entry in the schedule: the deadline or earlier.
    pub(super) queued: Timestamp,
    /// The current connection of the session.
    pub(crate) connection: Option<ConnectionId>,
    /// Whether messages of the client do not keep the session alive.
    pub(crate) muted: bool,
    /// The read-only member that is the only one to know the session.
    pub(super) known_only_to: Option<MemberId>,
}

impl Sessions {
    pub(super) fn new(rules: &Rules, now: Timestamp) -> Self {
        Self {
            by_id: HashMap::with_hasher(FixedState::with_seed(0)),
            touched: None,
            next: first_numbers(rules, now),
            skipped: 0,
            ahead: Duration::ZERO,
        }
    }

    /// Starts the session ids of every member anew, without reusing an id.
    pub(super) fn renumber(&mut self, rules: &Rules, now: Timestamp) {
        for (next, anew) in self
            .next
            .iter_mut()
            .zip(first_numbers(rules, now + self.ahead))
        {
            *next = anew.wrapping_add(self.skipped).max(*next);
        }
    }

    /// Skips the ids of sessions that have ended, which a folder does not list. Each began with a transaction, so
    /// skipping as many ids as there were transactions is enough, even if the clock stood still.
    pub(super) fn skip_ids(&mut self, last_zxid: Zxid) {
        self.skipped = last_zxid.0 & i64::from(u32::MAX);
    }

    /// Returns the id of the next session that a member grants.
    fn number(&mut self, member: MemberId) -> SessionId {
        let next = usize::from(member.0).saturating_sub(1);
        let next = self.next.get_mut(next);
        let next =
            next.expect("a client that asks for a session is connected to an existing member");
        let id = SessionId(*next);
        // A folder may contain any id, even the last one.
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
        self.touched = None;
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
    pub(super) fn move_ids_ahead(&mut self, rules: &Rules, now: Timestamp, ahead: Duration) {
        self.ahead = ahead;
        self.renumber(rules, now);
    }

    /// Adds a restored session.
    pub(super) fn restore(&mut self, session: SessionRecord) {
        let SessionRecord { id, timeout_ms } = session;
        self.touched = None;
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

    /// Returns a copy in which no session has a connection. The copy lacks sessions that only a read-only member knows.
    /// Each session has its first timeout, since a later timeout is negotiated for a connection and ends with it.
    pub(super) fn disconnected(&self) -> Self {
        let mut copy = self.clone();
        copy.touched = None;
        copy.by_id
            .retain(|_, session| session.known_only_to.is_none());
        for session in copy.by_id.values_mut() {
            session.connection = None;
            session.timeout_ms = session.first_timeout_ms;
        }
        copy
    }

    /// Continues with the sessions of another server.
    pub(super) fn continue_from(&mut self, others: &Self) {
        self.by_id.clone_from(&others.by_id);
        self.touched = None;
        self.skipped = others.skipped;
        for next in &mut self.next {
            *next = next.wrapping_add(others.skipped);
        }
        // An id that was issued is not issued again.
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

    /// Returns the sessions that no other member knows.
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
        self.touched = None;
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.touched = None;
        self.by_id.remove(&id)
    }

    /// Whether the deadline of the session was extended at this moment already. All requests of a turn come at one
    /// moment.
    #[inline]
    pub(super) fn is_touched(&self, id: SessionId, now: Timestamp) -> bool {
        self.touched == Some((id, now))
    }

    /// Records that the deadline of the session was extended, until a session changes.
    pub(super) fn set_touched(&mut self, id: SessionId, now: Timestamp) {
        self.touched = Some((id, now));
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether other members know the session.
    pub(super) fn is_known_beyond(&self, id: SessionId, member: MemberId) -> bool {
        self.get(id)
            .is_some_and(|session| session.known_only_to != Some(member))
    }

    /// Returns the session that expires next, of those whose clients cannot show that they are alive: muted, or without
    /// a connection that `is_heard`.
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

    /// Returns all sessions, ordered by id.
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

/// Returns the first session id of each member.
fn first_numbers(rules: &Rules, now: Timestamp) -> Vec<i64> {
    let members = 1..=rules.members.max(1);
    let numbers = members.map(|member| {
        let server_id = if rules.members > 1 {
            member
        } else {
            rules.server_id
        };
        // SessionTrackerImpl.initializeNextSessionId: the server's id, then forty bits of time, then a counter.
        let started = (now.0 << 24).cast_unsigned() >> 8;
        let first = started.cast_signed() | (i64::from(server_id) << 56);
        // The id that means a container is skipped, and so is 0, which asks for a new session.
        let taken = matches!(first, 0 | i64::MIN);
        if taken { first + 1 } else { first }
    });
    numbers.collect()
}

/// Returns the timeout for a client that asks for `requested_ms`.
pub(super) fn negotiate(rules: &Rules, requested_ms: i32) -> i32 {
    requested_ms
        .max(rules.min_session_timeout_ms)
        .min(rules.max_session_timeout_ms)
}

/// Returns the time at which a session expires whose client was heard from at `now`: the end of the tick in which the
/// timeout ends (`ExpiryQueue.roundToNextInterval`). That is up to a tick after the timeout, never before it. With
/// exact expiry it is the end of the timeout.
pub(super) fn expiry_of(rules: &Rules, now: Timestamp, timeout_ms: i32) -> Timestamp {
    let span = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    let end = now + span;
    if rules.exact_expiry {
        return end;
    }
    let tick = rules.tick_ms.max(1);
    Timestamp((end.0.div_euclid(tick) + 1).saturating_mul(tick))
}

/// Returns the password of a session: the first sixteen bytes of Java's random generator, seeded with the session id
/// and ZooKeeper's secret. So a session can move between a real server and this one.
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
    fn with_exact_expiry_a_session_lives_exactly_its_timeout() {
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
