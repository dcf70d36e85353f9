//! The persisted part of znodes and sessions, as in ZooKeeper's snapshots.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Acl, SessionId, Timestamp, Zxid};

/// A znode in a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZnodeRecord<'a> {
    /// Path of the znode. The root is `/`, although a snapshot has it as the empty path.
    pub(crate) path: &'a str,
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) acl: &'a Arc<[Acl]>,
    pub(crate) stat: StatPersisted,
}

/// The persisted part of a stat, ZooKeeper's `StatPersisted`. The stat that clients see is computed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatPersisted {
    pub(crate) czxid: Zxid,
    pub(crate) mzxid: Zxid,
    pub(crate) pzxid: Zxid,
    pub(crate) ctime: Timestamp,
    pub(crate) mtime: Timestamp,
    pub(crate) version: i32,
    /// `cversion`: here the number of children ever created.
    pub(crate) cversion: i32,
    pub(crate) aversion: i32,
    /// Owner in ZooKeeper's encoding: a session id, a container, or a time to live.
    pub(crate) ephemeral_owner: i64,
}

/// Owner of a znode. As a number it is ZooKeeper's `ephemeralOwner`, which `EphemeralType` decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Unowned,
    Session(SessionId),
    Container,
    /// A time to live in milliseconds.
    Ttl {
        ms: i64,
    },
}

impl Owner {
    const CONTAINER: i64 = i64::MIN;
    const TTL: i64 = 0xff << 56;
    /// A top byte of ones, then the number of the feature: 0 is a time to live.
    const TTL_MASK: i64 = 0xff_ffff << 40;
    /// Longest time to live, in milliseconds.
    pub(crate) const MAX_TTL_MS: i64 = 0xff_ffff_ffff;

    /// Decodes a number, as `EphemeralType.get` does. Without extended types (`extendedTypesEnabled`) there is no
    /// time to live, and a top byte of ones belongs to a session of the server with id 255.
    pub(crate) fn of(number: i64, extended_types: bool) -> Self {
        match number {
            0 => Self::Unowned,
            Self::CONTAINER => Self::Container,
            number if extended_types && number & Self::TTL_MASK == Self::TTL => Self::Ttl {
                ms: number & Self::MAX_TTL_MS,
            },
            number => Self::Session(SessionId(number)),
        }
    }

    /// Encodes the owner as a number.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Unowned => 0,
            Self::Session(session) => session.0,
            Self::Container => Self::CONTAINER,
            Self::Ttl { ms } => Self::TTL | (ms & Self::MAX_TTL_MS),
        }
    }

    /// Whether a session belongs to the server with id 255. With extended types on, its ephemerals look like znodes
    /// with a time to live: `EphemeralType.validateServerId` refuses that id.
    pub(crate) fn is_of_server_255(session: SessionId) -> bool {
        session.0 & Self::TTL == Self::TTL
    }
}

/// A session in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionRecord {
    pub(crate) id: SessionId,
    /// Timeout in milliseconds.
    pub(crate) timeout_ms: i32,
}

/// The release of ZooKeeper that can read a data folder.
///
/// ```
/// use minikeeper::folder::DataFormat;
///
/// assert_eq!("3.6".parse(), Ok(DataFormat::V3_6));
/// assert_eq!(DataFormat::default().to_string(), "3.9");
/// ```
// Repeated: a list of derived traits is no logic.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DataFormat {
    /// Neither containers, times to live nor `/zookeeper/config`.
    #[serde(rename = "3.4")]
    V3_4,
    /// With containers and times to live.
    #[serde(rename = "3.5")]
    V3_5,
    /// With digests, and with the znodes that the end of a session removed.
    #[serde(rename = "3.6")]
    V3_6,
    /// As 3.6.
    #[serde(rename = "3.7")]
    V3_7,
    /// As 3.6.
    #[serde(rename = "3.8")]
    V3_8,
    /// With the last zxid in the snapshot.
    #[default]
    #[serde(rename = "3.9")]
    V3_9,
}

/// Every format, with its name.
const FORMATS: [(DataFormat, &str); 6] = [
    (DataFormat::V3_4, "3.4"),
    (DataFormat::V3_5, "3.5"),
    (DataFormat::V3_6, "3.6"),
    (DataFormat::V3_7, "3.7"),
    (DataFormat::V3_8, "3.8"),
    (DataFormat::V3_9, "3.9"),
];

impl fmt::Display for DataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FORMATS.iter().find(|(format, _)| format == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

/// Error for a name that is no data format.
///
/// ```
/// let error = "3.3".parse::<minikeeper::folder::DataFormat>().unwrap_err();
/// assert_eq!(error.to_string(), "no data format: 3.3; there are 3.4, 3.5, 3.6, 3.7, 3.8 and 3.9");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no data format: {0}; there are 3.4, 3.5, 3.6, 3.7, 3.8 and 3.9")]
pub struct NoDataFormat(String);

impl FromStr for DataFormat {
    type Err = NoDataFormat;

    fn from_str(text: &str) -> Result<Self, NoDataFormat> {
        let found = FORMATS.iter().find(|(_, name)| *name == text);
        found
            .map(|(format, _)| *format)
            .ok_or_else(|| NoDataFormat(text.to_owned()))
    }
}
