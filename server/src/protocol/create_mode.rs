//! The kinds of znode that a client can create.

/// Mode of a create, with ZooKeeper's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreateMode {
    /// Exists until it is deleted.
    Persistent,
    /// Exists until its session ends.
    Ephemeral,
    /// Persistent, with a rising number at the end of its name.
    PersistentSequential,
    /// Ephemeral, with a rising number at the end of its name.
    EphemeralSequential,
    /// Is removed some time after its last child.
    Container,
    /// Is removed after some time without children and changes.
    PersistentWithTtl,
    /// Persistent with a time to live, with a rising number at the end of its name.
    PersistentSequentialWithTtl,
}

impl CreateMode {
    /// Returns the mode with this number, if there is one.
    pub(crate) fn from_flags(flags: i32) -> Option<Self> {
        Some(match flags {
            0 => Self::Persistent,
            1 => Self::Ephemeral,
            2 => Self::PersistentSequential,
            3 => Self::EphemeralSequential,
            4 => Self::Container,
            5 => Self::PersistentWithTtl,
            6 => Self::PersistentSequentialWithTtl,
            _ => return None,
        })
    }

    /// Returns the number of the mode.
    pub(crate) fn flags(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => 1,
            Self::PersistentSequential => 2,
            Self::EphemeralSequential => 3,
            Self::Container => 4,
            Self::PersistentWithTtl => 5,
            Self::PersistentSequentialWithTtl => 6,
        }
    }

    /// Whether the znode ends with its session.
    pub(crate) fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// Whether a number is added to the name.
    pub(crate) fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::PersistentSequentialWithTtl
        )
    }

    /// Whether the znode has a time to live.
    pub(crate) fn has_ttl(self) -> bool {
        matches!(
            self,
            Self::PersistentWithTtl | Self::PersistentSequentialWithTtl
        )
    }
}
