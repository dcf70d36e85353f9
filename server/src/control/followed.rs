//! What followed from a wish of the test.

use crate::protocol::{EventType, MemberId, SessionId, Txn, TxnRecord, Zxid};

/// What followed from turning the clock, or from another wish of a test, each in the order in which it happened.
///
/// ```
/// use std::time::Duration;
///
/// let server = minikeeper::Server::builder().manual_clock().start()?;
/// let followed = server.advance(Duration::from_secs(60));
/// assert!(followed.expired.is_empty() && followed.deleted.is_empty() && followed.events.is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Followed {
    /// The sessions that expired.
    pub expired: Vec<SessionId>,
    /// The paths of the znodes that went: ephemerals of these sessions, containers, TTL znodes.
    pub deleted: Vec<String>,
    /// The events that were sent.
    pub events: Vec<SentEvent>,
    /// The sessions whose connection the server closed, these that expired among them.
    pub disconnected: Vec<SessionId>,
    /// Who leads the ensemble, if that has changed.
    pub leading: Option<Leading>,
}

/// Who leads an ensemble from now on.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert_eq!(server.reap_containers().leading, None);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leading {
    /// The leader; `None` where there is no quorum.
    pub leader: Option<MemberId>,
    /// The epoch: the high 32 bits of the zxids.
    pub epoch: u32,
}

/// An event of a watch, on its way to a client.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.expire(minikeeper::SessionId(1)).events.is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentEvent {
    /// To whom.
    pub session: SessionId,
    /// What happened.
    pub event_type: EventType,
    /// To which znode.
    pub path: String,
    /// In which transaction.
    pub zxid: Zxid,
}

impl Followed {
    pub(crate) fn committed(&mut self, txn: &Txn<'_>) {
        if let TxnRecord::CloseSession { paths } = &txn.record {
            self.expired.push(txn.session);
            self.deleted
                .extend(paths.iter().map(|path| path.as_ref().to_owned()));
        } else if let TxnRecord::DeleteContainer { path } = &txn.record {
            self.deleted.push(path.as_ref().to_owned());
        }
    }

    /// What followed after it.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.expired.append(&mut later.expired);
        self.deleted.append(&mut later.deleted);
        self.events.append(&mut later.events);
        self.disconnected.append(&mut later.disconnected);
        self.leading = later.leading.or(self.leading);
    }

    pub(crate) fn closed(&mut self, session: SessionId) {
        if session != SessionId::NONE {
            self.disconnected.push(session);
        }
    }

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
