//! How a server keeps its folder, the same for a real one and for ours.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How a server keeps its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderSettings {
    /// Whether a write is on the disk before it is answered.
    pub force_sync: bool,
    /// About how many transactions there are between two snapshots; as it is shipped, if `None`.
    pub snap_count: Option<u32>,
    /// How far a log is filled ahead, in KiB; as it is shipped, if `None`.
    pub pre_alloc_kib: Option<u32>,
    /// How snapshots are compressed, which servers know from 3.6 on.
    pub compression: Compression,
    /// Whether logs without a snapshot are a state, as they are to 3.4 and to nobody later: it writes none at its start.
    pub trust_empty: bool,
    /// The longest session timeout, if it is not 20 ticks.
    pub longest_session: Option<Duration>,
    /// The server's id, the top byte of its session ids. A real standalone server has 1; with another id it is a
    /// quorum of one, from 3.5 on.
    pub server_id: u8,
    /// Whether extended types are on, where the setup does not switch them off.
    pub extended_types: bool,
}

impl FolderSettings {
    /// As a server is shipped, but that a write is left to the operating system.
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

    /// Java's system properties, without `-D`.
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

/// How snapshots are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// As `gzip` does.
    Gzip,
    /// As snappy does, in the frames of Java's library.
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
            .ok_or_else(|| format!("`{text}` is none of none, gz, snappy"))
    }
}
