//! The journal: everything that passed, numbered, in order. Kept as a few bytes an entry, and read as values.
//!
//! [`Notes`] is what stands behind the engine's lock; [`Journal`] is what a test reads, copied out of it.

mod ask;
mod budget;
mod claim;
mod code;
mod data;
mod entry;
mod last_words;
mod line;
mod lines;
mod notes;
mod ring;
mod timeline;

pub(crate) use budget::BudgetId;
pub use budget::{Budget, Exceeded};
pub use claim::{Claim, ClaimBroken};
pub(super) use claim::{as_text, show};
pub use data::Data;
pub use entry::{Entry, What};
pub use lines::BadJournal;
pub(super) use notes::{Kept, Notes};
pub(super) use ring::Ring;

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::Matcher;

/// How much of what passes is kept.
///
/// ```
/// use minikeeper::{JournalMode, Server};
///
/// let server = Server::builder().journal(JournalMode::Full).start()?;
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalMode {
    /// Nothing.
    Off,
    /// The last entries, so many, and of those no more than 32 MiB; of each entry's data 256 bytes.
    Last(usize),
    /// Everything, with all data, until the memory is full.
    Full,
}

impl JournalMode {
    /// What a server in a test keeps.
    pub const DEFAULT: Self = Self::Last(10_000);
}

/// A place in the journal: whatever passes after it counts, what passed before does not. See
/// [`Server::mark`](crate::Server::mark).
///
/// ```
/// use minikeeper::{Mark, Server};
///
/// let server = Server::start()?;
/// server.create("/a", b"")?;
/// let mark = server.mark();
/// server.create("/b", b"")?;
/// assert_eq!(server.journal().since(mark).len(), 1);
/// assert_eq!(server.journal().since(Mark::BEGINNING).len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mark(
    /// The number of the last entry before it.
    pub(crate) u64,
);

impl Mark {
    /// Before the first entry.
    pub const BEGINNING: Self = Self(0);
}

/// What passed, as far as it was kept, in order: a copy, which does not grow. It is a slice of [`Entry`]s, with the
/// questions that tests ask of it.
///
/// ```
/// use minikeeper::{Kind, Matcher};
///
/// let server = minikeeper::Server::start()?;
/// server.create("/config", b"v1")?;
/// server.set("/config", b"v2")?;
///
/// let journal = server.journal();
/// let wrote = Matcher::of(Kind::Wrote).path("/config");
/// assert_eq!(journal.count(&wrote), 2);
/// journal.assert_never(Matcher::event());
/// println!("{journal}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    entries: Vec<Entry>,
    /// Where it was to begin.
    from: Mark,
    /// The last place of which it is known that everything after it was kept.
    whole_since: Mark,
}

impl Journal {
    pub(super) fn new(entries: Vec<Entry>, from: Mark, whole_since: Mark) -> Self {
        Self {
            entries,
            from,
            whole_since,
        }
    }

    /// What passed after a mark.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.journal().since(server.mark()).is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn since(&self, mark: Mark) -> Self {
        let entries = self.entries.iter();
        Self {
            entries: entries
                .filter(|entry| entry.number > mark.0)
                .cloned()
                .collect(),
            from: self.from.max(mark),
            whole_since: self.whole_since,
        }
    }

    /// Whether nothing is missing: no entry was pushed out by later ones ([`JournalMode::Last`]), and the journal was
    /// not off.
    ///
    /// ```
    /// use minikeeper::{JournalMode, Server};
    ///
    /// let server = Server::start()?;
    /// assert!(server.journal().is_whole());
    /// server.set_journal(JournalMode::Off);
    /// assert!(!server.journal().is_whole());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole_since <= self.from
    }

    /// The entries that a matcher means.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.journal().matching(Matcher::event()).count(), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn matching<'j>(
        &'j self,
        matcher: impl Borrow<Matcher> + 'j,
    ) -> impl Iterator<Item = &'j Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.is_meant_by(matcher.borrow()))
    }

    /// How many entries a matcher means.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.journal().count(Matcher::event()), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn count(&self, matcher: impl Borrow<Matcher>) -> usize {
        self.matching(matcher).count()
    }
}

/// As a list of entries.
impl Serialize for Journal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

/// What it begins with is taken for its beginning.
impl<'de> Deserialize<'de> for Journal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

/// What it begins with is taken for its beginning.
impl From<Vec<Entry>> for Journal {
    fn from(entries: Vec<Entry>) -> Self {
        let first = entries.first().map_or(1, |first| first.number);
        let from = Mark(first.saturating_sub(1));
        Self::new(entries, from, from)
    }
}

impl Deref for Journal {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.entries
    }
}

impl IntoIterator for Journal {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'j> IntoIterator for &'j Journal {
    type Item = &'j Entry;
    type IntoIter = std::slice::Iter<'j, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

/// A line an entry.
impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries
            .iter()
            .try_for_each(|entry| writeln!(f, "{entry}"))
    }
}
