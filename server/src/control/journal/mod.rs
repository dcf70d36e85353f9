//! The journal: all events, numbered, in order.
//!
//! The [`Recorder`] behind the engine's lock stores an entry as a few bytes. A test reads a [`Journal`], which is a
//! decoded copy.

mod budget;
mod claim;
mod code;
mod entry;
mod line;
mod lines;
mod mark;
mod recorder;
mod ring;
mod timeline;

pub(crate) use budget::BudgetId;
pub use budget::{Budget, Exceeded};
pub use claim::{Claim, ClaimBroken};
pub(crate) use claim::{show, times};
pub use entry::Entry;
pub use lines::BadJournal;
pub(crate) use mark::BadMark;
pub use mark::Mark;
pub(crate) use recorder::{Recorded, Recorder};

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::known::Known;
use super::matcher::Matcher;
use crate::config::JournalMode;
use crate::protocol::Timestamp;

/// Copy of the stored entries, in order. It does not grow. It has methods for the questions that tests ask most; its
/// [entries](Self::entries) answer all others.
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
    /// Beginning of the journal.
    from: Mark,
    /// Position in the journal after which no event is missing.
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

    /// Returns the entries after a mark.
    ///
    /// # Panics
    ///
    /// If the mark belongs to another server, or was taken after this copy was made: the copy has no entry after such a
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
        let is_behind = mark.is_of(self.known.journal) && mark > self.end;
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
                .filter(|entry| entry.number > mark.number())
                .cloned()
                .collect(),
            from: self.from.max(mark),
            whole_since: self.whole_since,
            end: self.end,
            known: self.known.clone(),
            server: self.server,
        }
    }

    /// Whether no entry is missing: none was replaced by later ones ([`JournalMode::Last`]), and the journal was
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

    /// Returns the entries that match.
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
            .filter(move |entry| entry.matches(&matcher))
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

/// Names that claims on a journal read from text may use: the labels in its entries.
fn names_of(entries: &[Entry]) -> Known {
    let mut known = Known::default();
    for entry in entries {
        if let Some(label) = &entry.label {
            known.name(label);
        }
        if let Event::Cut { on, .. } = &entry.event
            && let Some(label) = &on.label
        {
            known.name(&label.as_str().into());
        }
    }
    known
}

/// Writes a list of entries.
impl Serialize for Journal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

/// The first entry is taken for the beginning of the journal.
impl<'de> Deserialize<'de> for Journal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

/// The first entry is taken for the beginning of the journal.
impl From<Vec<Entry>> for Journal {
    fn from(entries: Vec<Entry>) -> Self {
        let first = entries.first().map_or(1, |first| first.number);
        let from = Mark::at(first.saturating_sub(1));
        let known = names_of(&entries);
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

/// One line per entry.
impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries
            .iter()
            .try_for_each(|entry| writeln!(f, "{entry}"))
    }
}
