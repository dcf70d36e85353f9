//! Whom a member turns away that asks for a session, and which requests it does not let pass.

use super::ensemble::Service;
use super::transaction::{Transaction, refusal};
use super::{CloseReason, ConnectionId, Keeper, Outputs, committed, reply};
use crate::protocol::{
    ConnectRequest, ErrorCode, MemberId, Operation, Request, SessionId, Timestamp, Xid,
};

impl Keeper {
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
            return self.connections.is_gone(connection);
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
        committed(&mut self.members, &self.tree, &txn, out);
    }
}
