//! Numbers of the operations.

use crate::protocol::Operation;

/// Number of an operation: `ZooDefs.OpCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpCode(pub(crate) i32);

impl OpCode {
    pub(crate) const CREATE: Self = Self(1);
    pub(crate) const DELETE: Self = Self(2);
    pub(crate) const EXISTS: Self = Self(3);
    pub(crate) const GET_DATA: Self = Self(4);
    pub(crate) const SET_DATA: Self = Self(5);
    pub(crate) const GET_ACL: Self = Self(6);
    pub(crate) const SET_ACL: Self = Self(7);
    pub(crate) const GET_CHILDREN: Self = Self(8);
    pub(crate) const SYNC: Self = Self(9);
    pub(crate) const PING: Self = Self(11);
    pub(crate) const GET_CHILDREN2: Self = Self(12);
    /// Occurs only inside a multi.
    pub(crate) const CHECK: Self = Self(13);
    pub(crate) const MULTI: Self = Self(14);
    pub(crate) const CREATE2: Self = Self(15);
    pub(crate) const RECONFIG: Self = Self(16);
    pub(crate) const CHECK_WATCHES: Self = Self(17);
    pub(crate) const REMOVE_WATCHES: Self = Self(18);
    pub(crate) const CREATE_CONTAINER: Self = Self(19);
    pub(crate) const CREATE_TTL: Self = Self(21);
    pub(crate) const MULTI_READ: Self = Self(22);
    pub(crate) const AUTH: Self = Self(100);
    pub(crate) const SET_WATCHES: Self = Self(101);
    pub(crate) const SASL: Self = Self(102);
    pub(crate) const GET_EPHEMERALS: Self = Self(103);
    pub(crate) const GET_ALL_CHILDREN_NUMBER: Self = Self(104);
    pub(crate) const SET_WATCHES2: Self = Self(105);
    pub(crate) const ADD_WATCH: Self = Self(106);
    pub(crate) const WHO_AM_I: Self = Self(107);
    pub(crate) const CLOSE_SESSION: Self = Self(-11);
    /// Type of a failed result of a multi, and of the end of its results.
    pub(crate) const ERROR: Self = Self(-1);

    /// Operation with this number, if a client may send it as a request. `check` occurs only inside a multi;
    /// `createSession` (-10) and `deleteContainer` (20) pass only between servers.
    #[inline]
    pub(crate) fn operation(self) -> Option<Operation> {
        Some(match self {
            Self::CREATE => Operation::Create,
            Self::DELETE => Operation::Delete,
            Self::EXISTS => Operation::Exists,
            Self::GET_DATA => Operation::GetData,
            Self::SET_DATA => Operation::SetData,
            Self::GET_ACL => Operation::GetAcl,
            Self::SET_ACL => Operation::SetAcl,
            Self::GET_CHILDREN => Operation::GetChildren,
            Self::SYNC => Operation::Sync,
            Self::PING => Operation::Ping,
            Self::GET_CHILDREN2 => Operation::GetChildren2,
            Self::MULTI => Operation::Multi,
            Self::CREATE2 => Operation::Create2,
            Self::RECONFIG => Operation::Reconfig,
            Self::CHECK_WATCHES => Operation::CheckWatches,
            Self::REMOVE_WATCHES => Operation::RemoveWatches,
            Self::CREATE_CONTAINER => Operation::CreateContainer,
            Self::CREATE_TTL => Operation::CreateTtl,
            Self::MULTI_READ => Operation::MultiRead,
            Self::AUTH => Operation::Auth,
            Self::SET_WATCHES => Operation::SetWatches,
            Self::SASL => Operation::Sasl,
            Self::GET_EPHEMERALS => Operation::GetEphemerals,
            Self::GET_ALL_CHILDREN_NUMBER => Operation::GetAllChildrenNumber,
            Self::SET_WATCHES2 => Operation::SetWatches2,
            Self::ADD_WATCH => Operation::AddWatch,
            Self::WHO_AM_I => Operation::WhoAmI,
            Self::CLOSE_SESSION => Operation::CloseSession,
            _ => return None,
        })
    }
}

impl OpCode {}

impl From<Operation> for OpCode {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Create => Self::CREATE,
            Operation::Create2 => Self::CREATE2,
            Operation::CreateContainer => Self::CREATE_CONTAINER,
            Operation::CreateTtl => Self::CREATE_TTL,
            Operation::Delete => Self::DELETE,
            Operation::SetData => Self::SET_DATA,
            Operation::SetAcl => Self::SET_ACL,
            Operation::Check => Self::CHECK,
            Operation::Multi => Self::MULTI,
            Operation::MultiRead => Self::MULTI_READ,
            Operation::Reconfig => Self::RECONFIG,
            Operation::Exists => Self::EXISTS,
            Operation::GetData => Self::GET_DATA,
            Operation::GetAcl => Self::GET_ACL,
            Operation::GetChildren => Self::GET_CHILDREN,
            Operation::GetChildren2 => Self::GET_CHILDREN2,
            Operation::GetAllChildrenNumber => Self::GET_ALL_CHILDREN_NUMBER,
            Operation::GetEphemerals => Self::GET_EPHEMERALS,
            Operation::Sync => Self::SYNC,
            Operation::Ping => Self::PING,
            Operation::SetWatches => Self::SET_WATCHES,
            Operation::SetWatches2 => Self::SET_WATCHES2,
            Operation::AddWatch => Self::ADD_WATCH,
            Operation::CheckWatches => Self::CHECK_WATCHES,
            Operation::RemoveWatches => Self::REMOVE_WATCHES,
            Operation::WhoAmI => Self::WHO_AM_I,
            Operation::Auth => Self::AUTH,
            Operation::Sasl => Self::SASL,
            Operation::CloseSession => Self::CLOSE_SESSION,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_the_number_it_is_decoded_from() {
        let numbers: Vec<i32> = (-1000..1000)
            .filter(|number| {
                OpCode(*number)
                    .operation()
                    .is_some_and(|operation| OpCode::from(operation) == OpCode(*number))
            })
            .collect();
        let expected = [-11]
            .into_iter()
            .chain(1..=9)
            .chain([11, 12])
            .chain(14..=19)
            .chain([21, 22])
            .chain(100..=107);
        assert_eq!(numbers, expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_number_that_a_client_may_not_send_is_no_operation() {
        for number in [0, -1, 10, 13, 20, -10, 23, 108, 999, i32::MIN] {
            assert_eq!(OpCode(number).operation(), None, "{number}");
        }
    }
}
