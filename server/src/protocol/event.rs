//! What a watch says.

/// What happened to a watched znode.
///
/// ```
/// assert_ne!(minikeeper::protocol::EventType::NodeCreated, minikeeper::protocol::EventType::NodeDeleted);
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum EventType {
    /// It was created.
    NodeCreated,
    /// It was deleted.
    NodeDeleted,
    /// Its data changed.
    NodeDataChanged,
    /// A child came or went.
    NodeChildrenChanged,
}

impl EventType {
    /// ZooKeeper's number for it.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::NodeCreated => 1,
            Self::NodeDeleted => 2,
            Self::NodeDataChanged => 3,
            Self::NodeChildrenChanged => 4,
        }
    }

    /// The type with this number, if there is one.
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

/// The state of a client's connection, as an event carries it. A server only ever sends the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeeperState {
    /// Connected.
    SyncConnected,
}

impl KeeperState {
    /// ZooKeeper's number for it.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::SyncConnected => 3,
        }
    }
}

/// How far a watch set by `addWatch` reaches. It stays until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AddWatchMode {
    /// The znode and its list of children.
    Persistent,
    /// The znode and everything below it.
    PersistentRecursive,
}

impl AddWatchMode {
    /// The mode with this number, if there is one.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Persistent),
            1 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}

/// A notification, without the number of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatchedEvent<'a> {
    pub(crate) event_type: EventType,
    pub(crate) state: KeeperState,
    pub(crate) path: &'a str,
}
