//! Connections: the session, the member and the identities of each.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::access::Ids;
use crate::config::Rules;
use crate::protocol::{AuthId, MemberId, SessionId, Timestamp};

/// The number of a connection. A number is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

impl ConnectionId {
    /// The connection of the test itself, which has every permission and no session.
    pub(crate) const HANDLE: Self = Self(0);
}

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(super) address: IpAddr,
    /// The member of the ensemble that the client connected to.
    pub(super) member: MemberId,
    pub(super) session: Option<SessionId>,
    pub(super) ids: Ids,
    /// Whether the client's bytes are lost, because the test cut the link.
    pub(super) silent: bool,
    pub(super) sessionless_deadline: Timestamp,
    /// Whether the server never closes the connection.
    is_permanent: bool,
}

impl Connection {
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.session
    }

    pub(crate) fn member(&self) -> MemberId {
        self.member
    }

    /// Time at which the connection is closed if the client has not asked for a session.
    pub(crate) fn sessionless_deadline(&self) -> Timestamp {
        self.sessionless_deadline
    }

    /// Whether the client may send requests other than auth packets.
    pub(super) fn may_ask(&self, rules: &Rules) -> bool {
        rules.required_auth_schemes.is_empty()
            || rules
                .required_auth_schemes
                .iter()
                .any(|scheme| self.ids.has(scheme))
    }
}

/// The open connections.
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
            is_permanent: true,
        };
        by_id.insert(ConnectionId::HANDLE, handle);
        Self {
            by_id,
            by_address: BTreeMap::new(),
        }
    }

    /// Returns the number of connections of all clients, and of clients with this address.
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
            is_permanent: false,
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

    /// Whether the connection is open and the client's bytes arrive.
    pub(super) fn is_live(&self, id: ConnectionId) -> bool {
        self.get(id).is_some_and(|connection| !connection.silent)
    }

    pub(super) fn silence(&mut self, id: ConnectionId, silent: bool) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.silent = silent;
        }
    }

    /// Whether the server never closes the connection.
    pub(super) fn is_permanent(&self, id: ConnectionId) -> bool {
        self.get(id)
            .is_some_and(|connection| connection.is_permanent)
    }

    /// Whether the connection was closed by the server or by its client.
    pub(super) fn is_gone(&self, id: ConnectionId) -> bool {
        !self.by_id.contains_key(&id)
    }

    /// Returns the connections to a member, oldest first.
    pub(super) fn of(&self, member: MemberId) -> Vec<ConnectionId> {
        let those = self.by_id.iter();
        let mut those: Vec<_> = those
            .filter(|(_, connection)| connection.member == member)
            .map(|(id, _)| *id)
            .collect();
        those.sort_unstable();
        those
    }

    /// Returns the session of each connection that has one.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (ConnectionId, SessionId)> {
        let all = self.by_id.iter();
        all.filter_map(|(id, connection)| Some((*id, connection.session?)))
    }

    /// Returns the connections on a session, oldest first.
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
