//! Keeping sessions alive and ending them.

use super::connection::ConnectionId;
use super::deadline::{Deadline, next_look};
use super::output::{CloseReason, Expiry, Outputs};
use super::session::expiry_of;
use super::state::Keeper;
use crate::protocol::{MemberId, SessionId, Timestamp, TxnRecord, Xid};

impl Keeper {
    /// Extends the deadline of a session whose client is alive.
    #[inline]
    pub(super) fn touch(&mut self, now: Timestamp, id: SessionId) {
        if !self.sessions.is_touched(id, now) {
            self.extend_deadline(now, id);
        }
    }

    fn extend_deadline(&mut self, now: Timestamp, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if session.muted {
            return;
        }
        session.deadline = expiry_of(&self.rules, now, session.timeout_ms);
        if session.deadline < session.queued {
            self.deadlines.remove(session.queued, Deadline::Session(id));
            self.deadlines.add(session.deadline, Deadline::Session(id));
            session.queued = session.deadline;
        }
        self.sessions.set_touched(id, now);
    }

    /// Extends the deadline of the session whose client sent bytes.
    pub(super) fn touch_connection(&mut self, now: Timestamp, connection: ConnectionId) {
        let connection = self.connections.get(connection);
        if let Some(session) = connection.and_then(|connection| connection.session) {
            self.touch(now, session);
        }
    }

    /// Whether the session has an open connection that is not silent.
    pub(super) fn is_present(&self, id: SessionId) -> bool {
        let connection = self.sessions.get(id).and_then(|session| session.connection);
        if self.members.are_uniform() {
            return connection.is_some_and(|connection| self.connections.is_live(connection));
        }
        // Pings on a connection that the session left keep it alive too.
        let mut connections = self.connections.on(id).into_iter();
        connections.any(|connection| self.connections.is_live(connection))
    }

    /// Returns the session that expires next, of those whose clients cannot show that they are alive.
    pub(crate) fn next_silent(&self) -> Option<(SessionId, Timestamp)> {
        self.sessions
            .next_silent(|connection| self.connections.is_live(connection))
    }

    pub(super) fn mute(&mut self, now: Timestamp, id: SessionId, muted: bool) {
        // The client was alive until now, and counts as alive from now on if the session is no longer muted.
        if let Some(session) = self.sessions.get(id)
            && (self.is_present(id) && self.rules.connection_keeps_session_alive
                || session.muted && !muted)
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

    /// Expires a session: `ZooKeeperServer.expire`.
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

    /// Ends a session and removes its ephemerals, in one transaction.
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

    /// Closes the session of a connection, and its other connections.
    pub(super) fn close_session(
        &mut self,
        now: Timestamp,
        (connection, member): (ConnectionId, MemberId),
        xid: Xid,
        out: &mut impl Outputs,
    ) {
        let session = self.connections.get(connection).and_then(|it| it.session);
        let Some(session) = session else {
            return;
        };
        let current = self.sessions.get(session).and_then(|it| it.connection);
        self.end_session(now, session, xid, out);
        self.release(now, member, usize::MAX, Some(connection), out);
        for other in self.connections_on(session, current) {
            if other != connection {
                self.close(now, other, CloseReason::SessionClosed, out);
            }
        }
    }

    pub(super) fn session_due(&mut self, now: Timestamp, id: SessionId, out: &mut impl Outputs) {
        let is_present = self.is_present(id);
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        // Only the leader expires sessions. A new leader gives each session its whole timeout.
        if self.members.leader().is_none() && session.known_only_to.is_none() {
            return;
        }
        if self.rules.connection_keeps_session_alive && is_present && !session.muted {
            session.deadline = expiry_of(&self.rules, now, session.timeout_ms);
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
            .add(next_look(&self.rules, now), Deadline::LookForReapable);
        self.restart_timeouts(now);
        self.members_restarted(now, out);
    }

    pub(super) fn restart_timeouts(&mut self, now: Timestamp) {
        // As after the restart of a real server, every session has its whole first timeout. A resume is no transaction,
        // so the log does not contain a later timeout (ZooKeeperServer.revalidateSession).
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
                session.deadline = expiry_of(&self.rules, now, session.timeout_ms);
                session.queued = session.deadline;
                self.deadlines.add(session.deadline, Deadline::Session(id));
            }
        }
    }
}
