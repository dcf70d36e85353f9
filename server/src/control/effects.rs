//! Effects of one action of a test.

use serde::Serialize;

use crate::protocol::{EventType, MemberId, SessionId, Txn, TxnRecord, Zxid};

/// Effects of one action of a test, such as turning the clock. Each list is in the order in which things happened.
///
/// ```
/// use std::time::Duration;
///
/// let server = minikeeper::Server::builder().manual_clock().start()?;
/// let effects = server.advance(Duration::from_secs(60));
/// assert!(effects.expired.is_empty() && effects.deleted.is_empty() && effects.events.is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Effects {
    /// Sessions that expired.
    pub expired: Vec<SessionId>,
    /// Paths of the deleted znodes: ephemerals of the expired sessions, containers, TTL znodes.
    pub deleted: Vec<String>,
    /// Watch events that were sent.
    pub events: Vec<SentEvent>,
    /// Sessions whose connections the server closed, expired ones included.
    pub disconnected: Vec<SessionId>,
    /// New leader of the ensemble; `None` if the leader has not changed.
    pub leading: Option<Leading>,
}

/// Leader of an ensemble after a change.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert_eq!(server.reap_containers().leading, None);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Leading {
    /// Leader; `None` where there is no quorum.
    pub leader: Option<MemberId>,
    /// Epoch: the high 32 bits of the zxids.
    pub epoch: u32,
}

/// Watch event that was sent to a client.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.expire(minikeeper::SessionId(1)).events.is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SentEvent {
    /// Session of the client.
    pub session: SessionId,
    /// Type of the event.
    pub event_type: EventType,
    /// Path of the znode.
    pub path: String,
    /// Transaction that caused the event.
    pub zxid: Zxid,
}

impl Effects {
    /// Adds the sessions and znodes that a transaction ended.
    pub(crate) fn committed(&mut self, txn: &Txn<'_>) {
        if let TxnRecord::CloseSession { paths } = &txn.record {
            self.expired.push(txn.session);
            self.deleted
                .extend(paths.iter().map(|path| path.as_ref().to_owned()));
        } else if let TxnRecord::DeleteContainer { path } = &txn.record {
            self.deleted.push(path.as_ref().to_owned());
        }
    }

    /// Adds the effects of a later action.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let mut effects = server.reap_containers();
    /// effects.append(server.reap_ttl());
    /// assert!(effects.deleted.is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn append(&mut self, mut later: Self) {
        self.expired.append(&mut later.expired);
        self.deleted.append(&mut later.deleted);
        self.events.append(&mut later.events);
        self.disconnected.append(&mut later.disconnected);
        self.leading = later.leading.or(self.leading);
    }

    /// Adds the session of a connection that the server closed.
    pub(crate) fn closed(&mut self, session: SessionId) {
        if session != SessionId::NONE {
            self.disconnected.push(session);
        }
    }

    /// Adds a watch event.
    pub(crate) fn sent(
        &mut self,
        session: SessionId,
        event_type: EventType,
        path: &str,
        zxid: Zxid,
    ) {
        self.events.push(SentEvent {
            session,
            event_type,
            path: path.to_owned(),
            zxid,
        });
    }
}
