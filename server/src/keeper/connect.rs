//! Opening and resuming sessions.

use super::connection::ConnectionId;
use super::deadline::Deadline;
use super::output::{CloseReason, Output, Outputs};
use super::publish::committed;
use super::session::{expiry_of, negotiate, password};
use super::state::Keeper;
use super::transaction::Transaction;
use crate::protocol::{
    ConnectRequest, ConnectResponse, MemberId, Message, SessionId, Timestamp, TxnRecord, Xid,
};

impl Keeper {
    /// Processes the first frame of a connection: `ZooKeeperServer.processConnectRequest`.
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
        if let Some(reason) = self.refuses_session(member, request) {
            self.close(now, connection, reason, out);
            return;
        }
        if request.last_zxid_seen > self.members.last_zxid(member, &self.tree) {
            self.close(now, connection, CloseReason::AheadOfServer, out);
            return;
        }
        let timeout_ms = negotiate(&self.rules, request.timeout_ms);
        // A client that does not send the flag does not expect it in the response: it is older than 3.4.
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
            message: &Message::Connected(response),
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
        let deadline = expiry_of(&self.rules, now, timeout_ms);
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

    /// Opens a session that the test owns, with the longest timeout. The session is on no connection.
    /// [`step_as`](Self::step_as) processes its requests.
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

    /// Resumes a session. This first closes the connection that the session is on, even if the password is wrong.
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
        // A session that moves to another member keeps its old connection open.
        if let Some(other) = session.connection.replace(connection)
            && self.members.is_ensemble()
        {
            self.members.note_moved(other);
        }
        self.touch(now, id);
        Some(id)
    }

    /// Closes the connections of a session to this member: the current one, or one that the session was on before it
    /// moved.
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
}
