//! The dispatch of inputs and of requests.

use super::connection::{ConnectionId, Connections};
use super::deadline::Deadline;
use super::input::Input;
use super::long_list::LONG;
use super::output::{CloseReason, Expiry, Outputs, notify, reply, send_reply};
use super::read::{self, Reader};
use super::state::Keeper;
use super::tree::Tree;
use super::{format, write};
use crate::config::Rules;
use crate::protocol::{
    ClientText, ErrorCode, MemberId, MultiOp, MultiReadOp, MultiResult, Operation, Reply, Request,
    Response, SessionId, SetWatches, Timestamp, Xid, Zxid,
};

impl Keeper {
    /// Processes one input and emits its effects to `out`, in the order in which they must be sent.
    pub(crate) fn step(&mut self, now: Timestamp, input: Input<'_>, out: &mut impl Outputs) {
        match input {
            Input::Accepted {
                connection,
                address,
                member,
            } => self.accepted(now, connection, address, member, out),
            Input::Connect {
                connection,
                request,
            } => self.connect(now, connection, request, out),
            Input::Request {
                connection,
                xid,
                request,
            } => self.request(now, connection, xid, request, out),
            Input::Refuse {
                connection,
                xid,
                code,
            } => self.refuse(now, connection, xid, code, out),
            Input::RefuseParts {
                connection,
                xid,
                request,
                code,
                at,
            } => self.refuse_parts(now, (connection, xid), request, code, at, out),
            Input::Close(connection) => self.close(now, connection, CloseReason::Test, out),
            Input::Silence { connection, silent } => self.silence(now, connection, silent),
            Input::ClientAlive(connection) => self.touch_connection(now, connection),
            Input::Disconnected(connection) => self.disconnected(now, connection),
            Input::ExpireSession(session) => self.expire(now, session, Expiry::Forced, out),
            Input::Mute { session, muted } => self.mute(now, session, muted),
            Input::Reap(what) => self.reap_now(now, what, out),
            Input::Ensemble(action) => self.act(now, action, out),
            Input::Restarted => self.restarted(now, out),
            Input::Tick => self.tick(now, out),
        }
    }

    /// Processes a request of the test as a request of this session.
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

    fn request(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        request: &Request<'_>,
        out: &mut impl Outputs,
    ) {
        let Some(client) = self.connections.get(connection) else {
            return;
        };
        let (session, member) = (client.session, client.member);
        let may_ask = client.may_ask(&self.rules);
        let substitute = format::without_record(self.rules.data_format, request);
        let request = substitute.as_ref().unwrap_or(request);
        // The thread that reads auth and sasl packets answers them aside from the pipeline
        // (ZooKeeperServer.processPacket), even if the server requires authentication.
        if let Request::Auth { scheme, auth } = request {
            let scheme = scheme.map(ClientText::decode);
            let auth = auth.map(ClientText::decode);
            let credentials = (scheme.as_deref(), auth.as_deref());
            self.authenticate(now, (connection, xid), credentials, out);
            return;
        }
        if matches!(request, Request::Sasl { .. }) {
            // SASL is not configured, so the reply has no token.
            reply(out, connection, xid, Zxid(0), Ok(Response::NoToken));
            return;
        }
        if !may_ask {
            self.refuse_unauthenticated(now, connection, xid, out);
            return;
        }
        if let Some(session) = session {
            self.touch(now, session);
        }
        let is_ping = matches!(request, Request::Ping | Request::Malformed(Operation::Ping));
        let xid = if is_ping { Xid::PING } else { xid };
        if !self.members.are_uniform()
            && self.handled_by_member(now, (connection, member), xid, request, out)
        {
            return;
        }
        self.admitted(now, (connection, member), xid, request, out);
    }

    /// Carries out a request that nothing stops.
    fn admitted(
        &mut self,
        now: Timestamp,
        (connection, member): (ConnectionId, MemberId),
        xid: Xid,
        request: &Request<'_>,
        out: &mut impl Outputs,
    ) {
        match request {
            Request::Create(_)
            | Request::Delete(_)
            | Request::SetData(_)
            | Request::SetAcl { .. }
            | Request::Reconfig => self.write(now, connection, xid, request, out),
            Request::Multi(operations) => {
                if write::fails_before_zxid(operations) {
                    self.reply(connection, xid, Err(ErrorCode::MarshallingError), out);
                } else {
                    self.write(now, connection, xid, request, out);
                }
            }
            // A multi takes its zxid before it is read, every other write after: PrepRequestProcessor.pRequestHelper.
            Request::Malformed(Operation::Multi) => {
                let unreadable = Request::Multi(vec![MultiOp::Read(MultiReadOp::Write)]);
                self.write(now, connection, xid, &unreadable, out);
            }
            Request::Malformed(_) => {
                self.reply(connection, xid, Err(ErrorCode::MarshallingError), out)
            }
            Request::Unknown { .. } => {
                let result = Err(ErrorCode::Unimplemented);
                reply(out, connection, xid, Zxid(-1), result);
                self.close(now, connection, CloseReason::Unimplemented, out);
            }
            Request::CloseSession => {
                self.close_session(now, (connection, member), xid, out);
                self.reply(connection, xid, Ok(Response::Empty), out);
                self.close(now, connection, CloseReason::SessionClosed, out);
            }
            Request::SetWatches(set_watches) | Request::SetWatches2(set_watches) => {
                self.set_watches((connection, member), xid, set_watches, out);
            }
            Request::Exists { .. }
            | Request::GetData { .. }
            | Request::GetAcl { .. }
            | Request::GetChildren { .. }
            | Request::GetChildren2 { .. }
            | Request::GetAllChildrenNumber { .. }
            | Request::GetEphemerals { .. }
            | Request::MultiRead(_)
            | Request::Sync { .. }
            | Request::Ping
            | Request::AddWatch { .. }
            | Request::CheckWatches { .. }
            | Request::RemoveWatches { .. }
            | Request::WhoAmI => self.read((connection, member), xid, request, out),
            // Answered before.
            Request::Auth { .. } | Request::Sasl { .. } => {}
        }
    }

    fn set_watches(
        &mut self,
        (connection, member): (ConnectionId, MemberId),
        xid: Xid,
        set_watches: &SetWatches<'_>,
        out: &mut impl Outputs,
    ) {
        let last_zxid = self.members.last_zxid(member, &self.tree);
        let (tree, watches) = self.members.view(member, &self.tree, &mut self.watches);
        let reader = reader(&self.rules, tree, &self.connections, connection, false);
        let result = reader.and_then(|reader| {
            reader.set_watches(set_watches, watches, |event_type, path| {
                // No transaction causes these events, so they have no zxid.
                notify(out, connection, Zxid(-1), event_type, path);
            })
        });
        reply(out, connection, xid, last_zxid, result);
    }

    fn read(
        &mut self,
        (connection, member): (ConnectionId, MemberId),
        xid: Xid,
        request: &Request<'_>,
        out: &mut impl Outputs,
    ) {
        let last_zxid = self.members.last_zxid(member, &self.tree);
        let reads_after_turn = self.tree.len() > LONG && read::may_be_long(request) && {
            self.tree.make_znodes_shared();
            self.members.are_uniform()
        };
        let (tree, watches) = self.members.view(member, &self.tree, &mut self.watches);
        let rules = &self.rules;
        let reader = reader(rules, tree, &self.connections, connection, reads_after_turn);
        let reply = Reply {
            xid,
            zxid: last_zxid,
            result: match &reader {
                Ok(reader) => reader.read(request, watches),
                Err(code) => Err(*code),
            },
        };
        if let Ok(response) = &reply.result {
            read::report(request, response, out);
        }
        send_reply(out, connection, &reply);
    }

    /// Refuses a request with the code that the test chose.
    fn refuse(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        code: ErrorCode,
        out: &mut impl Outputs,
    ) {
        let session = self.connections.get(connection).and_then(|it| it.session);
        if let Some(session) = session {
            self.touch(now, session);
        }
        self.reply(connection, xid, Err(code), out);
    }

    /// Answers a multi as if its operation at the first index of `at` had failed, and changes nothing. In a multiRead,
    /// the operations at `at` fail and the others are read.
    fn refuse_parts(
        &mut self,
        now: Timestamp,
        (connection, xid): (ConnectionId, Xid),
        request: &Request<'_>,
        code: ErrorCode,
        at: &[usize],
        out: &mut impl Outputs,
    ) {
        let asking = self.connections.get(connection);
        let Some((session, member)) = asking.map(|asking| (asking.session, asking.member)) else {
            return;
        };
        if let Some(session) = session {
            self.touch(now, session);
        }
        if let Request::Multi(operations) = request {
            let failed = at.first().copied().unwrap_or_default();
            let results = (0..operations.len()).map(|it| write::failed_result(it, failed, code));
            let results = results.map(MultiResult::Error).collect();
            self.reply(connection, xid, Ok(Response::Multi(results)), out);
            return;
        }
        let zxid = self.members.last_zxid(member, &self.tree);
        let (tree, watches) = self.members.view(member, &self.tree, &mut self.watches);
        let reader = reader(&self.rules, tree, &self.connections, connection, false);
        let mut result = match &reader {
            Ok(reader) => reader.read(request, watches),
            Err(code) => Err(*code),
        };
        if let Ok(Response::Multi(results) | Response::MultiReadBrokenOff(results)) = &mut result {
            for at in at {
                if let Some(result) = results.get_mut(*at) {
                    *result = MultiResult::Error(Some(code));
                }
            }
        }
        reply(out, connection, xid, zxid, result);
    }

    fn tick(&mut self, now: Timestamp, out: &mut impl Outputs) {
        while let Some(deadline) = self.deadlines.pop(now) {
            match deadline {
                Deadline::Session(id) => self.session_due(now, id, out),
                Deadline::Sessionless(connection) => {
                    self.close(now, connection, CloseReason::NoSession, out)
                }
                Deadline::LookForReapable => self.look_for_reapable(now),
                Deadline::Reap => self.reap(now, out),
            }
        }
    }

    fn reply(
        &self,
        connection: ConnectionId,
        xid: Xid,
        result: Result<Response<'_>, ErrorCode>,
        out: &mut impl Outputs,
    ) {
        let member = self.connections.get(connection);
        let member = member.map_or(MemberId::NONE, |connection| connection.member);
        let zxid = self.members.last_zxid(member, &self.tree);
        reply(out, connection, xid, zxid, result);
    }
}

/// Returns the reader for a request of this connection.
fn reader<'r>(
    rules: &'r Rules,
    tree: &'r Tree,
    connections: &'r Connections,
    connection: ConnectionId,
    reads_after_turn: bool,
) -> Result<Reader<'r>, ErrorCode> {
    let asking = connections
        .get(connection)
        .ok_or(ErrorCode::SessionExpired)?;
    let session = asking.session.unwrap_or(SessionId::NONE);
    Ok(Reader {
        rules,
        tree,
        connection,
        session,
        ids: &asking.ids,
        reads_after_turn,
    })
}
