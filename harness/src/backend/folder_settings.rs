//! Settings of a data folder, the same for a real server and for minikeeper.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Settings of a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderSettings {
    /// Whether a write is durable before it is answered.
    pub force_sync: bool,
    /// Approximate number of transactions between two snapshots; the server's default if `None`.
    pub snap_count: Option<u32>,
    /// Number of KiB by which a log is preallocated; the server's default if `None`.
    pub pre_alloc_kib: Option<u32>,
    /// Compression of snapshots, from 3.6 on.
    pub compression: Compression,
    /// Whether logs without a snapshot are a valid state. They are to 3.4, which writes no snapshot at its start, and
    /// to no later version.
    pub trust_empty: bool,
    /// Maximum session timeout, if it is not 20 ticks.
    pub longest_session: Option<Duration>,
    /// Server id, the top byte of session ids. A real standalone server has 1; with another id it is a quorum of one,
    /// from 3.5 on.
    pub server_id: u8,
    /// Whether extended types are on, unless the setup turns them off.
    pub extended_types: bool,
}

impl FolderSettings {
    /// A server's defaults, except that a write is not flushed.
    pub const USUAL: Self = Self {
        force_sync: false,
        snap_count: None,
        pre_alloc_kib: None,
        compression: Compression::None,
        trust_empty: false,
        longest_session: None,
        server_id: 1,
        extended_types: true,
    };

    /// Returns the Java system properties, without `-D`.
    pub(super) fn properties(&self) -> Vec<String> {
        let force_sync = if self.force_sync { "yes" } else { "no" };
        let mut properties = vec![format!("zookeeper.forceSync={force_sync}")];
        if let Some(count) = self.snap_count {
            properties.push(format!("zookeeper.snapCount={count}"));
        }
        if let Some(kib) = self.pre_alloc_kib {
            properties.push(format!("zookeeper.preAllocSize={kib}"));
        }
        if self.trust_empty {
            properties.push("zookeeper.snapshot.trust.empty=true".to_owned());
        }
        if self.compression != Compression::None {
            let method = self.compression;
            properties.push(format!("zookeeper.snapshot.compression.method={method}"));
        }
        properties
    }
}

impl Default for FolderSettings {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Compression of snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// No compression.
    #[default]
    None,
    /// The format of `gzip`.
    Gzip,
    /// Snappy, in the frames of Java's library.
    Snappy,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Gzip => "gz",
            Self::Snappy => "snappy",
        })
    }
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::None, Self::Gzip, Self::Snappy]
            .into_iter()
            .find(|compression| compression.to_string() == text)
            .ok_or_else(|| format!("unknown compression `{text}`; use none, gz or snappy"))
    }
}
