//! ZooKeeper's error codes.

/// Reason why a request was refused, with ZooKeeper's name and number.
///
/// ```
/// use minikeeper::ErrorCode;
///
/// let server = minikeeper::Server::start()?;
/// assert_eq!(server.delete("/none").unwrap_err(), ErrorCode::NoNode);
/// assert_eq!((ErrorCode::NoNode.number(), ErrorCode::NoNode.name()), (-101, "NONODE"));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    thiserror::Error,
    serde::Serialize,
    serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum ErrorCode {
    /// An operation of a multi that was not tried because an earlier one failed.
    #[error("not tried, because an earlier operation of the multi failed")]
    RuntimeInconsistency,
    /// The request could not be read.
    #[error("the request could not be read")]
    MarshallingError,
    /// The operation is not known or not switched on.
    #[error("the operation is not known or not switched on")]
    Unimplemented,
    /// An argument is not valid, often a path.
    #[error("an argument is not valid")]
    BadArguments,
    /// The znode does not exist.
    #[error("the znode does not exist")]
    NoNode,
    /// The ACL does not allow the operation.
    #[error("the ACL does not allow it")]
    NoAuth,
    /// The znode has another version than the expected one.
    #[error("the znode has another version")]
    BadVersion,
    /// An ephemeral znode cannot have children.
    #[error("an ephemeral znode cannot have children")]
    NoChildrenForEphemerals,
    /// The znode exists already.
    #[error("the znode exists already")]
    NodeExists,
    /// The znode has children.
    #[error("the znode has children")]
    NotEmpty,
    /// The session has ended.
    #[error("the session is over")]
    SessionExpired,
    /// The ACL is not valid.
    #[error("the ACL is not valid")]
    InvalidAcl,
    /// The authentication failed.
    #[error("the authentication failed")]
    AuthFailed,
    /// The session has moved to another server.
    #[error("the session has moved to another server")]
    SessionMoved,
    /// A read-only server does not write.
    #[error("a read-only server does not write")]
    NotReadOnly,
    /// There is no such watch.
    #[error("there is no such watch")]
    NoWatcher,
    /// Reconfiguration is switched off.
    #[error("reconfiguration is switched off")]
    ReconfigDisabled,
    /// The client must authenticate first.
    #[error("the client must authenticate first")]
    SessionClosedRequireSaslAuth,
    /// The quota would be exceeded.
    #[error("the quota would be exceeded")]
    QuotaExceeded,
    // Faults can send the following codes; no rule does.
    /// The server itself failed.
    #[error("the server itself failed")]
    SystemError,
    /// The server found its data inconsistent.
    #[error("the server found its data inconsistent")]
    DataInconsistency,
    /// The connection was lost. Clients report this themselves; no server sends it.
    #[error("the connection was lost")]
    ConnectionLoss,
    /// The operation took too long.
    #[error("the operation took too long")]
    OperationTimeout,
    /// The session is not known.
    #[error("the session is not known")]
    UnknownSession,
    /// Too few members of the new ensemble are connected.
    #[error("too few members of the new ensemble are connected")]
    NewConfigNoQuorum,
    /// Another reconfiguration is under way.
    #[error("another reconfiguration is under way")]
    ReconfigInProgress,
    /// The request is wrong in a way that no other code describes.
    #[error("something is wrong with the request")]
    ApiError,
    /// A session that only one member knows cannot have ephemeral znodes.
    #[error("a local session cannot have ephemeral znodes")]
    EphemeralOnLocalSession,
    /// The request took too long.
    #[error("the request took too long")]
    RequestTimeout,
}

impl ErrorCode {
    /// ZooKeeper's number of the code.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::RuntimeInconsistency => -2,
            Self::MarshallingError => -5,
            Self::Unimplemented => -6,
            Self::BadArguments => -8,
            Self::NoNode => -101,
            Self::NoAuth => -102,
            Self::BadVersion => -103,
            Self::NoChildrenForEphemerals => -108,
            Self::NodeExists => -110,
            Self::NotEmpty => -111,
            Self::SessionExpired => -112,
            Self::InvalidAcl => -114,
            Self::AuthFailed => -115,
            Self::SessionMoved => -118,
            Self::NotReadOnly => -119,
            Self::NoWatcher => -121,
            Self::ReconfigDisabled => -123,
            Self::SessionClosedRequireSaslAuth => -124,
            Self::QuotaExceeded => -125,
            Self::SystemError => -1,
            Self::DataInconsistency => -3,
            Self::ConnectionLoss => -4,
            Self::OperationTimeout => -7,
            Self::UnknownSession => -12,
            Self::NewConfigNoQuorum => -13,
            Self::ReconfigInProgress => -14,
            Self::ApiError => -100,
            Self::EphemeralOnLocalSession => -120,
            Self::RequestTimeout => -122,
        }
    }

    /// Name of the code in ZooKeeper's `KeeperException.Code`; JSON and the lines of the journal have the same name.
    ///
    /// ```
    /// assert_eq!(minikeeper::ErrorCode::NodeExists.name(), "NODEEXISTS");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RuntimeInconsistency => "RUNTIMEINCONSISTENCY",
            Self::MarshallingError => "MARSHALLINGERROR",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::BadArguments => "BADARGUMENTS",
            Self::NoNode => "NONODE",
            Self::NoAuth => "NOAUTH",
            Self::BadVersion => "BADVERSION",
            Self::NoChildrenForEphemerals => "NOCHILDRENFOREPHEMERALS",
            Self::NodeExists => "NODEEXISTS",
            Self::NotEmpty => "NOTEMPTY",
            Self::SessionExpired => "SESSIONEXPIRED",
            Self::InvalidAcl => "INVALIDACL",
            Self::AuthFailed => "AUTHFAILED",
            Self::SessionMoved => "SESSIONMOVED",
            Self::NotReadOnly => "NOTREADONLY",
            Self::NoWatcher => "NOWATCHER",
            Self::ReconfigDisabled => "RECONFIGDISABLED",
            Self::SessionClosedRequireSaslAuth => "SESSIONCLOSEDREQUIRESASLAUTH",
            Self::QuotaExceeded => "QUOTAEXCEEDED",
            Self::SystemError => "SYSTEMERROR",
            Self::DataInconsistency => "DATAINCONSISTENCY",
            Self::ConnectionLoss => "CONNECTIONLOSS",
            Self::OperationTimeout => "OPERATIONTIMEOUT",
            Self::UnknownSession => "UNKNOWNSESSION",
            Self::NewConfigNoQuorum => "NEWCONFIGNOQUORUM",
            Self::ReconfigInProgress => "RECONFIGINPROGRESS",
            Self::ApiError => "APIERROR",
            Self::EphemeralOnLocalSession => "EPHEMERALONLOCALSESSION",
            Self::RequestTimeout => "REQUESTTIMEOUT",
        }
    }

    /// Returns the code with this number.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    const ALL: [Self; 29] = [
        Self::RuntimeInconsistency,
        Self::MarshallingError,
        Self::Unimplemented,
        Self::BadArguments,
        Self::NoNode,
        Self::NoAuth,
        Self::BadVersion,
        Self::NoChildrenForEphemerals,
        Self::NodeExists,
        Self::NotEmpty,
        Self::SessionExpired,
        Self::InvalidAcl,
        Self::AuthFailed,
        Self::SessionMoved,
        Self::NotReadOnly,
        Self::NoWatcher,
        Self::ReconfigDisabled,
        Self::SessionClosedRequireSaslAuth,
        Self::QuotaExceeded,
        Self::SystemError,
        Self::DataInconsistency,
        Self::ConnectionLoss,
        Self::OperationTimeout,
        Self::UnknownSession,
        Self::NewConfigNoQuorum,
        Self::ReconfigInProgress,
        Self::ApiError,
        Self::EphemeralOnLocalSession,
        Self::RequestTimeout,
    ];
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    /// The codes of `KeeperException.Code` but OK and the deprecated ones.
    #[test]
    fn every_number_has_its_code() {
        let numbers = (-14..=-1).chain(-129..=-100);
        let known = numbers.filter(|number| ErrorCode::from_number(*number).is_some());
        assert_eq!(known.count(), 29);
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(code.number()), Some(code));
        }
    }

    #[test]
    fn json_has_the_name_of_the_code() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}
