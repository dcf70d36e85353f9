//! Accepting, authenticating and closing connections.

use std::net::IpAddr;

use super::access::{self, Ids};
use super::connection::ConnectionId;
use super::deadline::Deadline;
use super::output::{CloseReason, Output, Outputs, reply};
use super::state::Keeper;
use crate::protocol::{
    ErrorCode, MemberId, Permissions, Response, SessionId, Timestamp, Xid, Zxid,
};

impl Keeper {
    pub(super) fn accepted(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        address: IpAddr,
        member: MemberId,
        out: &mut impl Outputs,
    ) {
        if !self.members.is_running(member) {
            let reason = CloseReason::MemberStopped;
            out.emit(Output::Close { connection, reason });
            return;
        }
        let (everywhere, here) = self.connections.count(address);
        let full = |limit: usize, number: usize| limit > 0 && number >= limit;
        if full(self.rules.max_client_connections, here)
            || full(self.rules.max_connections, everywhere)
        {
            // The connection is not stored, so it counts towards no limit and its requests are ignored.
            let reason = CloseReason::TooManyConnections;
            out.emit(Output::Close { connection, reason });
            return;
        }
        // NIOServerCnxnFactory keeps connections without a session in buckets that are as long as the sessionless
        // timeout, so they live between one and two timeouts.
        let bucket = self.rules.sessionless_timeout_ms.max(1);
        let buckets = now.0.saturating_add(bucket).div_euclid(bucket) + 1;
        let deadline = Timestamp(buckets.saturating_mul(bucket));
        self.connections.add(
            connection,
            address,
            member,
            access::ip_id(address),
            deadline,
        );
        self.deadlines
            .add(deadline, Deadline::Sessionless(connection));
    }

    /// Answers an auth packet (`ZooKeeperServer.processPacket`).
    pub(super) fn authenticate(
        &mut self,
        now: Timestamp,
        (connection, xid): (ConnectionId, Xid),
        (scheme, auth): (Option<&str>, Option<&str>),
        out: &mut impl Outputs,
    ) {
        let Some(client) = self.connections.get(connection) else {
            return;
        };
        match access::authenticate(&self.rules, client.address, scheme, auth) {
            Ok(ids) => {
                self.connections.add_ids(connection, ids);
                reply(out, connection, xid, Zxid(0), Ok(Response::Empty));
            }
            Err(code) => {
                reply(out, connection, xid, Zxid(0), Err(code));
                self.close(now, connection, CloseReason::AuthFailed, out);
            }
        }
    }

    /// Checks credentials and every permission on the root, as the commands `snapshot` and `restore` of the
    /// AdminServer do (`Commands.handleAuthentication`, `handleAuthorization`).
    ///
    /// # Errors
    ///
    /// `AuthFailed` if the credentials are not valid, `NoAuth` if they lack a permission.
    pub(crate) fn check_administrator(
        &self,
        address: IpAddr,
        scheme: &str,
        auth: Option<&str>,
    ) -> Result<(), ErrorCode> {
        let mut added = access::authenticate(&self.rules, address, Some(scheme), auth)?.into_iter();
        let first = added.next().ok_or(ErrorCode::AuthFailed)?;
        let mut ids = Ids::new(first);
        added.for_each(|id| ids.add(id));
        let root = self.tree.get("/").ok_or(ErrorCode::NoNode)?;
        for wanted in [
            Permissions::READ,
            Permissions::WRITE,
            Permissions::CREATE,
            Permissions::DELETE,
            Permissions::ADMIN,
        ] {
            access::check(&self.rules, self.tree.acl_of(root), wanted, &ids)?;
        }
        Ok(())
    }

    /// Refuses a request of a client that has to authenticate first.
    pub(super) fn refuse_unauthenticated(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        out: &mut impl Outputs,
    ) {
        let result = Err(ErrorCode::SessionClosedRequireSaslAuth);
        reply(out, connection, xid, Zxid(0), result);
        self.close(now, connection, CloseReason::AuthFailed, out);
    }

    /// Sets whether the client's bytes are lost. If an open connection keeps a session alive, the session was alive
    /// until now, and is alive from now on if the connection is no longer silent.
    pub(super) fn silence(&mut self, now: Timestamp, connection: ConnectionId, silent: bool) {
        let session = self.connections.get(connection).and_then(|it| it.session);
        if let Some(session) = session
            && self.rules.connection_keeps_session_alive
            && self.is_present(session)
        {
            self.touch(now, session);
        }
        self.connections.silence(connection, silent);
    }

    pub(super) fn disconnected(&mut self, now: Timestamp, connection: ConnectionId) {
        self.watches.disconnected(connection);
        self.members.disconnected(connection);
        let heard = self.connections.is_live(connection);
        let Some(gone) = self.connections.remove(connection) else {
            return;
        };
        self.deadlines
            .remove(gone.sessionless_deadline, Deadline::Sessionless(connection));
        self.leave_session(now, gone.session, connection, heard);
    }

    pub(super) fn leave_session(
        &mut self,
        now: Timestamp,
        id: Option<SessionId>,
        connection: ConnectionId,
        heard: bool,
    ) {
        if let Some(id) = id
            && let Some(session) = self.sessions.get_mut(id)
            && session.connection == Some(connection)
        {
            session.connection = None;
            if self.rules.connection_keeps_session_alive && heard {
                // The client was alive until now.
                self.touch(now, id);
            }
        }
    }

    /// Closes a connection and removes it at once, as `NIOServerCnxn.close` does: it has no watches, its bytes are
    /// ignored, and it counts towards no limit.
    pub(super) fn close(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        reason: CloseReason,
        out: &mut impl Outputs,
    ) {
        if self.connections.is_permanent(connection) {
            return;
        }
        self.disconnected(now, connection);
        out.emit(Output::Close { connection, reason });
    }
}
