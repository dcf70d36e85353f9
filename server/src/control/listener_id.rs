//! Identity of the listener that a connection came through.

use std::sync::Arc;

use crate::protocol::MemberId;

/// Listener that a connection came through. It belongs to a member, and may have a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListenerId {
    /// Name that the test gave to the clients of this listener.
    pub(crate) label: Option<Arc<str>>,
    /// Member of the ensemble; [`MemberId::ALONE`] for a standalone server.
    pub(crate) member: MemberId,
}
