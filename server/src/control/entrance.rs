//! By which of a server's addresses a connection came.

use std::sync::Arc;

use crate::protocol::MemberId;

/// By which of a server's addresses a connection came: that of a member, and perhaps one that bears a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entrance {
    /// The name that the test gave to whoever connects here.
    pub(crate) label: Option<Arc<str>>,
    /// The member of the ensemble; the one member there is, if it is none.
    pub(crate) member: MemberId,
}
