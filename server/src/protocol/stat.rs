//! What ZooKeeper says about a znode.

use super::{SessionId, Timestamp, Zxid};

/// What ZooKeeper says about a znode, field by field as on the wire.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// server.create("/config", b"v1")?;
/// let stat = server.set("/config", b"v2")?;
/// assert_eq!((stat.version, stat.data_length), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stat {
    /// The transaction that created the znode.
    pub czxid: Zxid,
    /// The transaction that last changed its data.
    pub mzxid: Zxid,
    /// When it was created.
    pub ctime: Timestamp,
    /// When its data last changed.
    pub mtime: Timestamp,
    /// How often its data changed.
    pub version: i32,
    /// How often children came and went.
    pub cversion: i32,
    /// How often its ACL changed.
    pub aversion: i32,
    /// The session it goes with, 0 if it is not ephemeral.
    pub ephemeral_owner: SessionId,
    /// The length of its data in bytes.
    pub data_length: i32,
    /// How many children it has.
    pub num_children: i32,
    /// The transaction that last added or removed a child.
    pub pzxid: Zxid,
}
