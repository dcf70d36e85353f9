//! The journal: everything that passed, numbered, in order. Kept as a few bytes an entry, and read as values.
//!
//! [`Notes`] is what stands behind the engine's lock; [`Journal`] is what a test reads, copied out of it.

mod budget;
mod claim;
mod code;
mod data;
mod entry;
mod line;
mod lines;
mod notes;
mod part;
mod ring;
mod timeline;

pub(crate) use budget::BudgetId;
pub use budget::{Budget, Exceeded};
pub use claim::{Claim, ClaimBroken};
pub(crate) use claim::{show, times};
pub use data::Data;
pub use entry::{Entry, What};
pub use lines::BadJournal;
pub(crate) use notes::{Kept, Notes};
pub use part::MultiPart;
pub(crate) use ring::Ring;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Matcher;
use super::known::Known;
use crate::protocol::Timestamp;

/// How much of what passes is kept.
///
/// ```
/// use minikeeper::{Server, journal::JournalMode};
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
#[serde(from = "u64", into = "u64")]
pub struct Mark {
    /// The number of the last entry before it.
    number: u64,
    /// Number of the server's journal in this process; 0 if the mark fits any journal.
    journal: u64,
}

impl Mark {
    /// Before the first entry.
    pub const BEGINNING: Self = Self::at(0);

    /// A place in the journal with this number.
    pub(crate) const fn in_journal(number: u64, journal: u64) -> Self {
        Self { number, journal }
    }

    /// A place in any journal.
    pub(crate) const fn at(number: u64) -> Self {
        Self { number, journal: 0 }
    }

    /// Number of the last entry before the mark.
    pub(crate) const fn number(self) -> u64 {
        self.number
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
        "this mark is of another server's journal: take it with mark() of the server that is asked"
    )]
    OfAnotherServer,
    /// The journal is a copy that ends before the mark.
    #[error(
        "this copy of the journal ends before the mark, so nothing can be in it: call journal() after what is to be \
         looked at has passed"
    )]
    BehindTheEnd,
}

/// Copy of the messages and entries that were kept, in order. It does not grow. It has methods for the questions that
/// tests ask most, and its [entries](Self::entries) for all others.
///
/// ```
/// use minikeeper::{Matcher, matcher::EventKind};
///
/// let server = minikeeper::Server::start()?;
/// server.create("/config", b"v1")?;
/// server.set("/config", b"v2")?;
///
/// let journal = server.journal();
/// let wrote = Matcher::of(EventKind::Wrote).path("/config");
/// assert_eq!(journal.count(&wrote), 2);
/// journal.assert_never(Matcher::watch_event());
/// println!("{journal}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Journal {
    entries: Vec<Entry>,
    /// Where it was to begin.
    from: Mark,
    /// The last place of which it is known that everything after it was kept.
    whole_since: Mark,
    /// Place up to which the journal was copied.
    end: Mark,
    /// Names that claims may use.
    known: Known,
    /// Server of the journal, unless the journal was read from text.
    server: Option<Source>,
}

/// Server that a journal belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// Port that the server listens on; 0 if it has no listener.
    pub(crate) port: u16,
    pub(crate) started: Timestamp,
}

/// Compares the entries and the places, not the servers.
impl PartialEq for Journal {
    fn eq(&self, other: &Self) -> bool {
        (&self.entries, self.from, self.whole_since)
            == (&other.entries, other.from, other.whole_since)
    }
}

impl Eq for Journal {}

impl Journal {
    pub(crate) fn new(entries: Vec<Entry>, from: Mark, whole_since: Mark) -> Self {
        Self {
            end: entries.last().map_or(from, |last| Mark::at(last.number)),
            known: Known::default(),
            server: None,
            entries,
            from,
            whole_since,
        }
    }

    /// Marks the journal as a copy of a server's journal up to some place.
    fn of_server(self, end: Mark, known: Known) -> Self {
        Self { end, known, ..self }
    }

    /// Names the server of the journal.
    pub(crate) fn with_source(self, source: Source) -> Self {
        Self {
            server: Some(source),
            ..self
        }
    }

    /// Returns a part of a file name that no other server of this process has at the same time.
    pub(crate) fn server_in_file_name(&self) -> String {
        match self.server.map_or(0, |server| server.port) {
            0 => format!("server{}", self.known.journal),
            port => port.to_string(),
        }
    }

    /// Returns the entries, in order.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// assert_eq!(server.journal().entries()[0].number, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns an iterator over the entries, in order.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// assert!(server.journal().iter().all(|entry| entry.connection.is_none()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// Returns the number of entries.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// assert_eq!(server.journal().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    ///
    /// ```
    /// assert!(minikeeper::Server::start()?.journal().is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What passed after a mark.
    ///
    /// # Panics
    ///
    /// If the mark is of another server, or was taken after this copy was made: the copy has no entry after such a
    /// mark.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.journal().since(server.mark()).is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn since(&self, mark: Mark) -> Self {
        let is_behind = mark.journal != 0 && mark.journal == self.known.journal && mark > self.end;
        let checked = mark.check(self.known.journal);
        if let Err(bad) = checked.and(if is_behind {
            Err(BadMark::BehindTheEnd)
        } else {
            Ok(())
        }) {
            panic!("{bad}");
        }
        let entries = self.entries.iter();
        Self {
            entries: entries
                .filter(|entry| entry.number > mark.number)
                .cloned()
                .collect(),
            from: self.from.max(mark),
            whole_since: self.whole_since,
            end: self.end,
            known: self.known.clone(),
            server: self.server,
        }
    }

    /// Whether nothing is missing: no entry was pushed out by later ones ([`JournalMode::Last`]), and the journal was
    /// not off.
    ///
    /// ```
    /// use minikeeper::{Server, journal::JournalMode};
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
    /// assert_eq!(server.journal().matching(Matcher::watch_event()).count(), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn matching(&self, matcher: impl Into<Matcher>) -> impl Iterator<Item = &Entry> {
        let matcher = matcher.into();
        self.entries
            .iter()
            .filter(move |entry| entry.is_meant_by(&matcher))
    }

    /// Returns the number of entries that match. The number is 0 also for a matcher that nothing can match;
    /// [`assert_count`](Self::assert_count) refuses such a matcher.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.journal().count(Matcher::watch_event()), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn count(&self, matcher: impl Into<Matcher>) -> usize {
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
        let from = Mark::at(first.saturating_sub(1));
        let known = Known::of(&entries);
        let journal = Self::new(entries, from, from);
        Self { known, ..journal }
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
