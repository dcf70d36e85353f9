//! Size of the journal.

use serde::{Deserialize, Serialize};

/// Size of the journal.
///
/// ```
/// use minikeeper::{Server, journal::JournalMode};
///
/// let server = Server::builder().journal(JournalMode::Full).start()?;
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JournalMode {
    /// No entries.
    Off,
    /// The last entries: this number, at most 32 MiB in all, with 256 bytes of data each.
    Last(usize),
    /// All entries with all data, until memory is exhausted.
    Full,
}

impl JournalMode {
    /// Mode of a server in a test.
    pub const DEFAULT: Self = Self::Last(10_000);
}
