//! Entry of the journal: an event with its time and its client.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::control::client::Client;
use crate::control::event::Event;
use crate::control::matcher::Matcher;
use crate::keeper::ConnectionId;
use crate::protocol::{MemberId, SessionId, Timestamp};

/// Entry of the journal. It is written as a line for people, `{entry}`, and as JSON.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// server.create("/config", b"v1")?;
/// let line = server.journal().entries()[0].to_string();
/// assert!(line.ends_with(r#"test create2 /config "v1" -> ok zxid 0x1"#), "{line}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Entry {
    /// Number of the entry, from 1. A number is skipped where the journal was off for a time.
    pub number: u64,
    /// Time of the event, by the server's clock.
    pub time: Timestamp,
    /// Time since the server started, by its clock, in milliseconds.
    pub elapsed_ms: u64,
    /// Connection of the event; `None` for an action of the server or the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// Session of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Label of the client. For an event about a session that passes on no connection, the label under which the
    /// session last connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// Member of the ensemble that the client is connected to.
    #[serde(default, skip_serializing_if = "is_alone")]
    pub member: MemberId,
    /// The event.
    #[serde(flatten)]
    pub event: Event<'static>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_alone(member: &MemberId) -> bool {
    *member == MemberId::ALONE
}

impl Entry {
    /// Whether a matcher matches the entry.
    ///
    /// ```
    /// use minikeeper::{Matcher, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let fault = Matcher::of(EventKind::Fault);
    /// assert!(!server.journal().iter().any(|entry| entry.matches(&fault)));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn matches(&self, matcher: &Matcher) -> bool {
        matcher.matches(&self.client(), &self.event)
    }

    /// Client of the event.
    pub(crate) fn client(&self) -> Client<'_> {
        Client {
            connection: self.connection.map_or(ConnectionId::HANDLE, ConnectionId),
            session: self.session.unwrap_or_default(),
            label: self.label.as_ref(),
            member: self.member,
        }
    }
}
