//! Families of operations, for matchers.

use serde::{Deserialize, Serialize};

use crate::protocol::Operation;

/// Family of operations: `Op::Create` stands for every request that creates a znode.
///
/// A multi or multiRead also belongs to a family if one of its operations does: `Op::Create` matches a multi with a
/// create in it. All other conditions of the matcher (path, ephemeral, sequential, error) must then hold for that one
/// operation.
///
/// ```
/// use minikeeper::{Op, protocol::Operation};
///
/// assert!(Op::Create.contains(Operation::Create2));
/// assert!(Op::Write.contains(Operation::Multi));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Op {
    /// Every request but the first of a connection.
    Any,
    /// Requests that take a zxid.
    Write,
    /// Requests that take no zxid.
    Read,
    /// The first request of a connection, for a session.
    Connect,
    /// create, create2, createContainer, createTTL.
    Create,
    /// delete.
    Delete,
    /// setData.
    SetData,
    /// setACL.
    #[serde(rename = "setACL")]
    SetAcl,
    /// check, which exists only inside a multi.
    Check,
    /// multi.
    Multi,
    /// multiRead.
    MultiRead,
    /// reconfig.
    Reconfig,
    /// exists.
    Exists,
    /// getData.
    GetData,
    /// getACL.
    #[serde(rename = "getACL")]
    GetAcl,
    /// getChildren, getChildren2.
    GetChildren,
    /// getAllChildrenNumber.
    GetAllChildrenNumber,
    /// getEphemerals.
    GetEphemerals,
    /// sync.
    Sync,
    /// ping.
    Ping,
    /// setWatches, setWatches2: a client that has reconnected sets its watches again.
    SetWatches,
    /// addWatch.
    AddWatch,
    /// checkWatches.
    CheckWatches,
    /// removeWatches.
    RemoveWatches,
    /// whoAmI.
    WhoAmI,
    /// auth.
    Auth,
    /// sasl.
    Sasl,
    /// closeSession.
    CloseSession,
}

impl Op {
    /// Whether every request of this family belongs to another one too.
    pub(super) fn is_within(self, family: Self) -> bool {
        let mut own = Operation::ALL
            .into_iter()
            .filter(|operation| self.contains(*operation));
        self == family || self != Self::Connect && own.all(|operation| family.contains(operation))
    }

    /// Whether the operation belongs to the family.
    #[must_use]
    pub fn contains(self, operation: Operation) -> bool {
        use Operation as O;
        match self {
            Self::Any => true,
            Self::Write => operation.is_write(),
            Self::Read => !operation.is_write(),
            Self::Connect => false,
            Self::Create => matches!(
                operation,
                O::Create | O::Create2 | O::CreateContainer | O::CreateTtl
            ),
            Self::Delete => operation == O::Delete,
            Self::SetData => operation == O::SetData,
            Self::SetAcl => operation == O::SetAcl,
            Self::Check => operation == O::Check,
            Self::Multi => operation == O::Multi,
            Self::MultiRead => operation == O::MultiRead,
            Self::Reconfig => operation == O::Reconfig,
            Self::Exists => operation == O::Exists,
            Self::GetData => operation == O::GetData,
            Self::GetAcl => operation == O::GetAcl,
            Self::GetChildren => matches!(operation, O::GetChildren | O::GetChildren2),
            Self::GetAllChildrenNumber => operation == O::GetAllChildrenNumber,
            Self::GetEphemerals => operation == O::GetEphemerals,
            Self::Sync => operation == O::Sync,
            Self::Ping => operation == O::Ping,
            Self::SetWatches => matches!(operation, O::SetWatches | O::SetWatches2),
            Self::AddWatch => operation == O::AddWatch,
            Self::CheckWatches => operation == O::CheckWatches,
            Self::RemoveWatches => operation == O::RemoveWatches,
            Self::WhoAmI => operation == O::WhoAmI,
            Self::Auth => operation == O::Auth,
            Self::Sasl => operation == O::Sasl,
            Self::CloseSession => operation == O::CloseSession,
        }
    }
}
