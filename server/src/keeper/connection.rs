//! Connections: the session, the member and the identities of each.

use std::cell::Cell;
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
    id: ConnectionId,
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
    slots: Vec<Option<Connection>>,
    /// Indices of the empty slots.
    free: Vec<usize>,
    by_id: HashMap<ConnectionId, usize, FixedState>,
    /// Slot of the connection that was looked up last. All requests of a turn are of one connection.
    found: Cell<usize>,
    by_address: BTreeMap<IpAddr, usize>,
}

impl Connections {
    pub(super) fn new() -> Self {
        let handle = Connection {
            id: ConnectionId::HANDLE,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            member: MemberId::NONE,
            session: None,
            ids: Ids::of_super(),
            silent: false,
            sessionless_deadline: Timestamp(0),
            is_permanent: true,
        };
        let mut connections = Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::with_hasher(FixedState::with_seed(0)),
            found: Cell::new(0),
            by_address: BTreeMap::new(),
        };
        connections.insert(handle);
        connections
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
        self.insert(Connection {
            id,
            address,
            member,
            session: None,
            ids: Ids::new(ip_id),
            silent: false,
            sessionless_deadline,
            is_permanent: false,
        });
        *self.by_address.entry(address).or_default() += 1;
    }

    fn insert(&mut self, connection: Connection) {
        let slot = self.free.pop().unwrap_or(self.slots.len());
        self.by_id.insert(connection.id, slot);
        match self.slots.get_mut(slot) {
            Some(empty) => *empty = Some(connection),
            None => self.slots.push(Some(connection)),
        }
    }

    #[inline]
    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        let found = self.slots.get(self.found.get()).and_then(Option::as_ref);
        match found {
            Some(connection) if connection.id == id => Some(connection),
            Some(_) | None => self.look_up(id),
        }
    }

    fn look_up(&self, id: ConnectionId) -> Option<&Connection> {
        let slot = *self.by_id.get(&id)?;
        self.found.set(slot);
        self.slots.get(slot)?.as_ref()
    }

    fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let slot = *self.by_id.get(&id)?;
        self.slots.get_mut(slot)?.as_mut()
    }

    fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().flatten()
    }

    pub(super) fn set_session(&mut self, id: ConnectionId, session: Option<SessionId>) {
        if let Some(connection) = self.get_mut(id) {
            connection.session = session;
        }
    }

    pub(super) fn add_ids(&mut self, id: ConnectionId, ids: Vec<AuthId>) {
        if let Some(connection) = self.get_mut(id) {
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
        if let Some(connection) = self.get_mut(id) {
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
        let those = self.iter();
        let mut those: Vec<_> = those
            .filter(|connection| connection.member == member)
            .map(|connection| connection.id)
            .collect();
        those.sort_unstable();
        those
    }

    /// Returns the session of each connection that has one.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (ConnectionId, SessionId)> {
        self.iter()
            .filter_map(|connection| Some((connection.id, connection.session?)))
    }

    /// Returns the connections on a session, oldest first.
    pub(super) fn on(&self, session: SessionId) -> Vec<ConnectionId> {
        let those = self.iter();
        let mut those: Vec<_> = those
            .filter(|connection| connection.session == Some(session))
            .map(|connection| connection.id)
            .collect();
        those.sort_unstable();
        those
    }

    pub(super) fn forget_acls(&mut self, id: ConnectionId) {
        if let Some(connection) = self.get_mut(id) {
            connection.ids.forget_acls();
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let slot = self.by_id.remove(&id)?;
        let connection = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        if let Some(number) = self.by_address.get_mut(&connection.address) {
            *number -= 1;
            if *number == 0 {
                self.by_address.remove(&connection.address);
            }
        }
        Some(connection)
    }
}
