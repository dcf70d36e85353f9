//! The stat of a znode.

use super::{SessionId, Timestamp, Zxid};

/// ZooKeeper's facts about a znode, with the fields of its protocol.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// server.create("/config", b"v1")?;
/// let stat = server.set("/config", b"v2")?;
/// assert_eq!((stat.version, stat.data_length), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stat {
    /// Zxid of the transaction that created the znode.
    pub czxid: Zxid,
    /// Zxid of the last change of its data.
    pub mzxid: Zxid,
    /// Time of its creation.
    pub ctime: Timestamp,
    /// Time of the last change of its data.
    pub mtime: Timestamp,
    /// Number of changes of its data.
    pub version: i32,
    /// Number of changes of its list of children.
    pub cversion: i32,
    /// Number of changes of its ACL.
    pub aversion: i32,
    /// Session that owns the znode; 0 if it is not ephemeral.
    pub ephemeral_owner: SessionId,
    /// Length of its data in bytes.
    pub data_length: i32,
    /// Number of its children.
    pub num_children: i32,
    /// Zxid of the last creation or deletion of a child.
    pub pzxid: Zxid,
}
