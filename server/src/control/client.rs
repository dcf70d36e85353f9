//! Client of a connection, as matchers see it.

use std::sync::Arc;

use super::event::Event;
use super::listener_id::ListenerId;
use super::matcher::Matcher;
use crate::keeper::ConnectionId;
use crate::protocol::{MemberId, SessionId};

/// Connection that an event belongs to, with its session, label and member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    /// [`ConnectionId::HANDLE`] for an event on no connection.
    pub(crate) connection: ConnectionId,
    /// [`SessionId::NONE`] until the connection has a session.
    pub(crate) session: SessionId,
    pub(crate) label: Option<&'a Arc<str>>,
    pub(crate) member: MemberId,
}

impl<'a> Client<'a> {
    /// Client of an action of the test or the server itself.
    pub(crate) const NONE: Client<'static> = Client {
        connection: ConnectionId::HANDLE,
        session: SessionId::NONE,
        label: None,
        member: MemberId::ALONE,
    };

    /// Client of a connection.
    pub(crate) fn new(
        connection: ConnectionId,
        session: SessionId,
        listener_id: &'a ListenerId,
    ) -> Self {
        Self {
            connection,
            session,
            label: listener_id.label.as_ref(),
            member: listener_id.member,
        }
    }

    /// Client of an event about a session that passes on no connection. `label` is the label under which the
    /// session last connected.
    pub(crate) fn absent(session: SessionId, label: Option<&'a Arc<str>>) -> Self {
        Client {
            session,
            label,
            ..Client::NONE
        }
    }

    /// Whether the event passes on a connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection != ConnectionId::HANDLE
    }

    /// Matcher of all connections of the client: those with its label; without a label, those of its session.
    pub(super) fn to_matcher(self) -> Matcher {
        match self.label {
            Some(label) => Matcher::any().label(label),
            None if self.session == SessionId::NONE => Matcher::any().connection(self.connection.0),
            None => Matcher::any().session(self.session),
        }
    }

    /// Session that an event belongs to. A client that asks for its old session names it in the request, and its
    /// connection has the session only afterwards.
    pub(crate) fn session_of(&self, event: &Event<'_>) -> SessionId {
        if let Event::Connect { asked, .. } = event {
            *asked
        } else {
            self.session
        }
    }
}
