//! Clients that a member does not accept, and requests that it does not process.

use super::connection::ConnectionId;
use super::ensemble::Service;
use super::output::{CloseReason, Outputs, reply};
use super::publish::committed;
use super::state::Keeper;
use super::transaction::{Transaction, refusal};
use crate::protocol::{
    ConnectRequest, ErrorCode, MemberId, Operation, Request, SessionId, Timestamp, Xid,
};

impl Keeper {
    /// Returns the reason why the member does not accept a client that asks for a session, if it does not.
    pub(super) fn refuses_session(
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
            Service::NotServing => Some(CloseReason::NotServing),
            Service::Stopped => Some(CloseReason::MemberStopped),
        }
    }

    /// Handles a request that the member does not process. Returns whether the request is one.
    pub(super) fn handled_by_member(
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
            // ReadOnlyRequestProcessor decides by the operation alone and ignores its content.
            if writes || syncs {
                let zxid = self.members.last_zxid(member, &self.tree);
                reply(out, connection, xid, zxid, Err(ErrorCode::NotReadOnly));
            }
            return writes || syncs;
        }
        if self.members.has_moved(connection) && !ends_session {
            // These requests are refused before the owner of the session is checked.
            let unchecked = operation.is_none()
                || matches!(request, Request::Malformed(operation) if operation.is_write())
                || matches!(request, Request::Multi(operations) if operations.is_empty())
                || matches!(request, Request::Reconfig if !self.rules.reconfig_enabled);
            // The leader checks the owner for all requests of its own clients, and for the writes that other members
            // forward. A request of a session that moved gets no reply: FinalRequestProcessor.processRequest.
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
            // The member may have learned that the session is closed.
            return self.connections.is_gone(connection);
        }
        false
    }

    /// Commits a refused write. A write of a session that moved takes a zxid too.
    fn write_refused(
        &mut self,
        now: Timestamp,
        session: SessionId,
        xid: Xid,
        out: &mut impl Outputs,
    ) {
        let transaction = Transaction::begin(&mut self.tree, session, xid, now, false);
        let txn = transaction.commit(refusal(ErrorCode::SessionMoved));
        committed(&mut self.members, &self.tree, &txn, out);
    }
}
