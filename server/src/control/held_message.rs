//! Messages that a hold holds.

use serde::{Deserialize, Serialize};

use crate::protocol::{EventType, Operation, SessionId, Zxid};

/// Message that a hold holds.
///
/// ```
/// use minikeeper::{hold::HeldMessage, protocol::{Operation, Zxid}};
///
/// let paths = vec!["/a".to_owned()];
/// let reply = HeldMessage::Reply { operation: Some(Operation::Create), paths, zxid: Zxid(1) };
/// assert_eq!(reply.to_string(), "reply create /a");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeldMessage {
    /// Event of a watch.
    WatchEvent {
        /// Change of the znode.
        event_type: EventType,
        /// Path of the znode.
        path: String,
        /// Transaction that caused the event.
        zxid: Zxid,
    },
    /// Reply to a request.
    Reply {
        /// Operation of the request; `None` for an unknown one.
        operation: Option<Operation>,
        /// Paths in the request.
        paths: Vec<String>,
        /// Last transaction that the reply reflects.
        zxid: Zxid,
    },
    /// Answer to a request for a session.
    Connected,
    /// Request, before it is carried out.
    Request {
        /// Operation; `None` for an unknown one.
        operation: Option<Operation>,
        /// Paths in the request.
        paths: Vec<String>,
    },
    /// Request for a session, before it is carried out.
    Connect {
        /// Session that the client has; 0 if it asks for a new one.
        session: SessionId,
    },
}

impl HeldMessage {
    /// Paths of the message.
    pub(super) fn paths(&self) -> &[String] {
        match self {
            Self::WatchEvent { path, .. } => std::slice::from_ref(path),
            Self::Reply { paths, .. } | Self::Request { paths, .. } => paths,
            Self::Connected | Self::Connect { .. } => &[],
        }
    }
}
