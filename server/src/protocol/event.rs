//! Events of watches.

/// Type of an event.
///
/// ```
/// assert_ne!(minikeeper::protocol::EventType::NodeCreated, minikeeper::protocol::EventType::NodeDeleted);
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EventType {
    /// The znode was created.
    NodeCreated,
    /// The znode was deleted.
    NodeDeleted,
    /// The data of the znode changed.
    NodeDataChanged,
    /// A child was created or deleted.
    NodeChildrenChanged,
}

impl EventType {
    /// ZooKeeper's number of the type.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::NodeCreated => 1,
            Self::NodeDeleted => 2,
            Self::NodeDataChanged => 3,
            Self::NodeChildrenChanged => 4,
        }
    }

    /// Returns the type with this number, if there is one.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::NodeCreated),
            2 => Some(Self::NodeDeleted),
            3 => Some(Self::NodeDataChanged),
            4 => Some(Self::NodeChildrenChanged),
            _ => None,
        }
    }
}

/// The state of a client's connection in an event. A server only sends one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeeperState {
    /// Connected.
    SyncConnected,
}

impl KeeperState {
    /// ZooKeeper's number of the state.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::SyncConnected => 3,
        }
    }
}

/// The reach of a watch that `addWatch` sets. Such a watch exists until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AddWatchMode {
    /// The znode and its list of children.
    Persistent,
    /// The znode and all its descendants.
    PersistentRecursive,
}

impl AddWatchMode {
    /// Returns the mode with this number, if there is one.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Persistent),
            1 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}

/// The event of a watch, without the zxid of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatchedEvent<'a> {
    pub(crate) event_type: EventType,
    pub(crate) state: KeeperState,
    pub(crate) path: &'a str,
}
