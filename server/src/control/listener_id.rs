//! Identity of the listener that a connection came through.

use std::sync::Arc;

use crate::protocol::MemberId;

/// Listener that a connection came through: one of a member, perhaps with a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListenerId {
    /// Name that the test gave to the clients of this listener.
    pub(crate) label: Option<Arc<str>>,
    /// Member of the ensemble; [`MemberId::ALONE`] for a server that is no ensemble.
    pub(crate) member: MemberId,
}
