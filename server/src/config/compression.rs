//! Compression of snapshots.

use serde::{Deserialize, Serialize};

/// Compression of snapshots (`zookeeper.snapshot.compression.method`).
///
/// ```
/// use minikeeper::folder::Compression;
///
/// assert_eq!("gz".parse(), Ok(Compression::Gzip));
/// assert_eq!(Compression::default().to_string(), "");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Compression {
    /// None.
    #[default]
    #[serde(rename = "")]
    None,
    /// gzip.
    #[serde(rename = "gz")]
    Gzip,
    /// Snappy, in the stream format of snappy-java.
    #[serde(rename = "snappy")]
    Snappy,
}

impl Compression {
    /// Returns the last part of the names of compressed files, with its dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
        }
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.extension().trim_start_matches('.'))
    }
}

/// Error for the name of an unknown compression.
///
/// ```
/// let error = "zip".parse::<minikeeper::folder::Compression>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown compression `zip`: use `gz`, `snappy`, or an empty text for none");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression `{0}`: use `gz`, `snappy`, or an empty text for none")]
pub struct NoSuchCompression(String);

impl std::str::FromStr for Compression {
    type Err = NoSuchCompression;

    fn from_str(text: &str) -> Result<Self, NoSuchCompression> {
        let all = [Self::None, Self::Gzip, Self::Snappy];
        all.into_iter()
            .find(|one| one.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| NoSuchCompression(text.to_owned()))
    }
}
