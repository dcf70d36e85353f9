//! Places in the journal.

use serde::{Deserialize, Serialize};

/// Place in the journal: entries after it count, entries before it do not. See [`Server::mark`](crate::Server::mark).
///
/// ```
/// use minikeeper::{Server, journal::Mark};
///
/// let server = Server::start()?;
/// server.create("/a", b"")?;
/// let mark = server.mark();
/// server.create("/b", b"")?;
/// assert_eq!(server.journal().since(mark).len(), 1);
/// assert_eq!(server.journal().since(Mark::BEGINNING).len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A mark belongs to the journal of one server, and another journal refuses it. As data it is a number that fits any
/// journal.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "u64", into = "u64")]
pub struct Mark {
    /// Number of the last entry before the mark.
    number: u64,
    /// Number of the server's journal in this process; 0 if the mark fits any journal.
    journal: u64,
}

impl Mark {
    /// Place before the first entry.
    pub const BEGINNING: Self = Self::at(0);

    /// Place in the journal of one server.
    pub(crate) const fn in_journal(number: u64, journal: u64) -> Self {
        Self { number, journal }
    }

    /// Place in any journal.
    pub(crate) const fn at(number: u64) -> Self {
        Self { number, journal: 0 }
    }

    /// Number of the last entry before the mark.
    pub(crate) const fn number(self) -> u64 {
        self.number
    }

    /// Whether the mark belongs to the journal with this number, and not to any journal.
    pub(super) fn is_of(self, journal: u64) -> bool {
        self.journal != 0 && self.journal == journal
    }

    /// Refuses a mark of another journal.
    pub(crate) fn check(self, journal: u64) -> Result<(), BadMark> {
        if self.journal == 0 || journal == 0 || self.journal == journal {
            Ok(())
        } else {
            Err(BadMark::OfAnotherServer)
        }
    }
}

impl From<u64> for Mark {
    fn from(number: u64) -> Self {
        Self::at(number)
    }
}

impl From<Mark> for u64 {
    fn from(mark: Mark) -> Self {
        mark.number
    }
}

/// Compares the places, regardless of the server.
impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Mark {}

impl PartialOrd for Mark {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mark {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

impl std::hash::Hash for Mark {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

/// Reason why a mark is not a place in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadMark {
    /// The mark was taken from the journal of another server.
    #[error(
        "this mark belongs to the journal of another server: take the mark with mark() of the same server"
    )]
    OfAnotherServer,
    /// The journal is a copy that ends before the mark.
    #[error(
        "this copy of the journal ends before the mark, so it has no entry after it: call journal() after the events \
         of interest have passed"
    )]
    BehindTheEnd,
}
