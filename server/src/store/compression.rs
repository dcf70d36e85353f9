//! How snapshots are compressed.

/// How a snapshot is compressed: `zookeeper.snapshot.compression.method`.
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
pub enum Compression {
    /// Not at all.
    #[default]
    #[serde(rename = "")]
    None,
    /// By gzip.
    #[serde(rename = "gz")]
    Gzip,
    /// By Snappy, in the stream format of snappy-java.
    #[serde(rename = "snappy")]
    Snappy,
}
