//! Sessions: their numbers, passwords and timeouts, and which connection each is on.

use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{ConnectionId, Rules};
use crate::protocol::{SessionId, Timestamp};

/// Every session that is alive.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    by_id: HashMap<SessionId, Session, FixedState>,
    next: i64,
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
}

impl Sessions {
    pub(super) fn new(rules: &Rules, now: Timestamp) -> Self {
        // SessionTrackerImpl.initializeNextSessionId: the server's number, then forty bits of time, then a counter.
        let started = (now.0 << 24).cast_unsigned() >> 8;
        let first = started.cast_signed() | (i64::from(rules.server_id) << 56);
        // The number that means a container is passed over, and 0, which asks for a new session.
        let taken = matches!(first, 0 | i64::MIN);
        Self {
            by_id: HashMap::with_hasher(FixedState::with_seed(0)),
            next: if taken { first + 1 } else { first },
        }
    }

    pub(super) fn open(
        &mut self,
        timeout_ms: i32,
        deadline: Timestamp,
        connection: ConnectionId,
    ) -> SessionId {
        let id = SessionId(self.next);
        self.next += 1;
        self.by_id.insert(
            id,
            Session {
                timeout_ms,
                first_timeout_ms: timeout_ms,
                deadline,
                queued: deadline,
                connection: Some(connection),
                muted: false,
            },
        );
        id
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

/// The timeout that a client gets which asks for `requested_ms`.
pub(super) fn negotiate(rules: &Rules, requested_ms: i32) -> i32 {
    requested_ms
        .max(rules.min_session_timeout_ms)
        .min(rules.max_session_timeout_ms)
}

/// When a session heard from `now` is over: at the end of the tick in which its timeout ends
/// (`ExpiryQueue.roundToNextInterval`), so up to a tick later than it asked for and never earlier.
pub(super) fn deadline(rules: &Rules, now: Timestamp, timeout_ms: i32) -> Timestamp {
    let end = now + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
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
        assert_eq!(sessions.next >> 56, 1);
        assert_eq!(sessions.next & 0xffff, 0);
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
