//! Connections: how they come and go, whose session each is on, and as whom it has authenticated.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::access::Ids;
use super::deadline::Deadline;
use super::{CloseReason, Keeper, Output, Outputs, Rules, access, reply};
use crate::protocol::{AuthId, ErrorCode, MemberId, Response, SessionId, Timestamp, Xid, Zxid};

/// The number of a connection, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

impl ConnectionId {
    /// The test itself, which reads and writes without a client, has every permission and no session.
    pub(crate) const HANDLE: Self = Self(0);
}

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(super) address: IpAddr,
    /// The member of the ensemble that it is a connection to.
    pub(super) member: MemberId,
    pub(super) session: Option<SessionId>,
    pub(super) ids: Ids,
    /// Whether nothing that it sends arrives, because a test has cut the link.
    pub(super) silent: bool,
    pub(super) sessionless_deadline: Timestamp,
}

impl Connection {
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.session
    }

    pub(crate) fn member(&self) -> MemberId {
        self.member
    }

    /// Moment when the connection is closed unless it has asked for a session by then.
    pub(crate) fn sessionless_deadline(&self) -> Timestamp {
        self.sessionless_deadline
    }

    /// Whether it may ask for more than to authenticate.
    pub(super) fn may_ask(&self, rules: &Rules) -> bool {
        rules.required_auth_schemes.is_empty()
            || rules
                .required_auth_schemes
                .iter()
                .any(|scheme| self.ids.has(scheme))
    }
}

/// The connections that are up.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    by_id: HashMap<ConnectionId, Connection, FixedState>,
    by_address: BTreeMap<IpAddr, usize>,
}

impl Connections {
    pub(super) fn new() -> Self {
        let mut by_id = HashMap::with_hasher(FixedState::with_seed(0));
        let handle = Connection {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            member: MemberId::NONE,
            session: None,
            ids: Ids::of_super(),
            silent: false,
            sessionless_deadline: Timestamp(0),
        };
        by_id.insert(ConnectionId::HANDLE, handle);
        Self {
            by_id,
            by_address: BTreeMap::new(),
        }
    }

    /// How many connections there are altogether, and how many from this address.
    pub(super) fn count(&self, address: IpAddr) -> (usize, usize) {
        (
            self.by_id.len() - 1,
            self.by_address.get(&address).copied().unwrap_or(0),
        )
    }

    pub(super) fn add(
        &mut self,
        id: ConnectionId,
        address: IpAddr,
        member: MemberId,
        ip_id: AuthId,
        sessionless_deadline: Timestamp,
    ) {
        let connection = Connection {
            address,
            member,
            session: None,
            ids: Ids::new(ip_id),
            silent: false,
            sessionless_deadline,
        };
        self.by_id.insert(id, connection);
        *self.by_address.entry(address).or_default() += 1;
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.by_id.get(&id)
    }

    pub(super) fn set_session(&mut self, id: ConnectionId, session: Option<SessionId>) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.session = session;
        }
    }

    pub(super) fn add_ids(&mut self, id: ConnectionId, ids: Vec<AuthId>) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            for id in ids {
                connection.ids.add(id);
            }
        }
    }

    /// Whether it is up and what it sends arrives.
    pub(super) fn is_heard(&self, id: ConnectionId) -> bool {
        self.get(id).is_some_and(|connection| !connection.silent)
    }

    pub(super) fn silence(&mut self, id: ConnectionId, silent: bool) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.silent = silent;
        }
    }

    /// Whether the connection was closed by the server or by its client.
    pub(super) fn is_gone(&self, id: ConnectionId) -> bool {
        !self.by_id.contains_key(&id)
    }

    /// Those to a member, in the order in which they came.
    pub(super) fn of(&self, member: MemberId) -> Vec<ConnectionId> {
        let those = self.by_id.iter();
        let mut those: Vec<_> = those
            .filter(|(_, connection)| connection.member == member)
            .map(|(id, _)| *id)
            .collect();
        those.sort_unstable();
        those
    }

    /// Sessions of the connections that have one.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (ConnectionId, SessionId)> {
        let all = self.by_id.iter();
        all.filter_map(|(id, connection)| Some((*id, connection.session?)))
    }

    /// Those that are on a session, in the order in which they came.
    pub(super) fn on(&self, session: SessionId) -> Vec<ConnectionId> {
        let those = self.by_id.iter();
        let mut those: Vec<_> = those
            .filter(|(_, connection)| connection.session == Some(session))
            .map(|(id, _)| *id)
            .collect();
        those.sort_unstable();
        those
    }

    pub(super) fn forget_acls(&mut self, id: ConnectionId) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.ids.forget_acls();
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.by_id.remove(&id)?;
        if let Some(number) = self.by_address.get_mut(&connection.address) {
            *number -= 1;
            if *number == 0 {
                self.by_address.remove(&connection.address);
            }
        }
        Some(connection)
    }
}

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
            // It is not remembered, so it takes nobody's place, and nothing it sends is heard.
            let reason = CloseReason::TooManyConnections;
            out.emit(Output::Close { connection, reason });
            return;
        }
        // NIOServerCnxnFactory keeps connections without a session in buckets as long as the time they have, so they
        // live between one and two such times.
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

    pub(super) fn authenticated(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        ids: Result<Vec<AuthId>, ErrorCode>,
        out: &mut impl Outputs,
    ) {
        match ids {
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

    /// Up to now, and from now on if it is no longer silent, its session was heard from where presence is life.
    pub(super) fn silence(&mut self, now: Timestamp, connection: ConnectionId, silent: bool) {
        let session = self.connections.get(connection).and_then(|it| it.session);
        if let Some(session) = session
            && self.rules.presence_is_life
            && self.is_present(session)
        {
            self.touch(now, session);
        }
        self.connections.silence(connection, silent);
    }

    pub(super) fn disconnected(&mut self, now: Timestamp, connection: ConnectionId) {
        self.watches.disconnected(connection);
        self.members.disconnected(connection);
        let heard = self.connections.is_heard(connection);
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
            if self.rules.presence_is_life && heard {
                // Up to now it was heard from.
                self.touch(now, id);
            }
        }
    }

    /// Closes a connection and forgets it at once, as `NIOServerCnxn.close` does: from here on it has no watches, its
    /// bytes are ignored, and it counts towards no limit.
    pub(super) fn close(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        reason: CloseReason,
        out: &mut impl Outputs,
    ) {
        self.disconnected(now, connection);
        out.emit(Output::Close { connection, reason });
    }
}
