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

/// Formats `off`, `full` or the number of entries.
impl std::fmt::Display for JournalMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Last(entries) => write!(f, "{entries}"),
            Self::Full => f.write_str("full"),
        }
    }
}

/// Error for a text that is no size of the journal.
///
/// ```
/// let error = "all".parse::<minikeeper::journal::JournalMode>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown size of the journal `all`: use `off`, `full` or a number of entries");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown size of the journal `{0}`: use `off`, `full` or a number of entries")]
pub struct NoSuchJournalMode(String);

impl std::str::FromStr for JournalMode {
    type Err = NoSuchJournalMode;

    fn from_str(text: &str) -> Result<Self, NoSuchJournalMode> {
        match text {
            "off" => Ok(Self::Off),
            "full" => Ok(Self::Full),
            number => match number.parse() {
                Ok(entries) => Ok(Self::Last(entries)),
                Err(_) => Err(NoSuchJournalMode(number.to_owned())),
            },
        }
    }
}
