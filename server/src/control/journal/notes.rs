//! What is noted of all that passes: the ring, and the budgets that are kept an eye on.

use super::budget::Budgets;
use super::code;
use super::ring::Blocks;
use super::{Entry, Journal, JournalMode, Mark, Ring};
use crate::control::known::Known;
use crate::control::sight::{Sight, Who};
use crate::protocol::Timestamp;

/// How much data an entry keeps, unless everything is kept.
const DATA_CAP: usize = 256;

/// What is kept of all that passed.
#[derive(Debug)]
pub(crate) struct Notes {
    mode: JournalMode,
    ring: Ring,
    /// When the server started.
    started: Timestamp,
    /// How many were noted, kept or not.
    noted: u64,
    /// Where the journal begins for whoever asks for all of it.
    begin: Mark,
    /// Nothing after this place was left out by the journal being off.
    on_since: Mark,
    pub(crate) budgets: Budgets,
    /// From where a manual clock was turned, as long as nothing has followed.
    pub(crate) turned: Option<Timestamp>,
}

impl Notes {
    pub(crate) fn new(mode: JournalMode, started: Timestamp) -> Self {
        Self {
            mode,
            ring: Ring::default(),
            started,
            noted: 0,
            begin: Mark::BEGINNING,
            on_since: Mark::BEGINNING,
            budgets: Budgets::default(),
            turned: None,
        }
    }

    /// Whether nobody wants to know anything.
    pub(crate) fn is_off(&self) -> bool {
        self.mode == JournalMode::Off && self.budgets.is_empty()
    }

    pub(crate) fn mode(&self) -> JournalMode {
        self.mode
    }

    pub(crate) fn set_mode(&mut self, mode: JournalMode) {
        if self.mode == JournalMode::Off && mode != JournalMode::Off {
            // A number is left out for whatever passed and was not even counted.
            self.noted += 1;
            self.on_since = Mark::at(self.noted);
        }
        self.mode = mode;
        if mode == JournalMode::Off {
            self.ring.clear();
        }
        self.shorten();
    }

    pub(crate) fn clear(&mut self) {
        self.ring.clear();
        self.begin = Mark::at(self.noted);
    }

    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    /// How many were noted, kept or not.
    pub(crate) fn noted(&self) -> u64 {
        self.noted
    }

    pub(crate) fn note(&mut self, now: Timestamp, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        self.noted += 1;
        if !self.budgets.is_empty() {
            let (number, started) = (self.noted, self.started);
            let entry = || Entry::of(number, started, now, who, sight);
            self.budgets.note(who, sight, entry);
        }
        let (most, cap) = match self.mode {
            JournalMode::Off => return,
            JournalMode::Last(most) => (most, DATA_CAP),
            JournalMode::Full => (usize::MAX, usize::MAX),
        };
        let about = code::about(who, sight, cap);
        self.ring.push(self.noted, most, about, |bytes| {
            code::encode(bytes, now, who, sight, cap);
        });
    }

    /// The entry of what was noted last.
    pub(crate) fn entry(&self, now: Timestamp, who: Option<&Who<'_>>, sight: &Sight<'_>) -> Entry {
        Entry::of(self.noted, self.started, now, who, sight)
    }

    /// Copy of the entries after a mark that were kept, to be decoded without the lock.
    pub(crate) fn since(&self, mark: Mark) -> Kept {
        let from = match self.mode {
            JournalMode::Last(most) => self.noted.saturating_sub(most as u64),
            JournalMode::Off | JournalMode::Full => 0,
        };
        let from = from.max(mark.number()).saturating_add(1);
        Kept {
            blocks: self.ring.share(from),
            from,
            started: self.started,
            is_off: self.mode == JournalMode::Off,
            noted: self.noted,
            begin: self.begin,
            on_since: self.on_since,
        }
    }

    /// Copy of all entries that were kept, as [`since`](Self::since) makes it.
    pub(crate) fn all(&self) -> Kept {
        self.since(self.begin)
    }

    /// The last lines of it.
    pub(crate) fn tail(&self, most: usize) -> String {
        self.all().tail(most)
    }

    fn shorten(&mut self) {
        if let JournalMode::Last(most) = self.mode {
            self.ring.shorten(most);
        }
    }
}

/// Copy of stored entries, independent of the lock.
#[derive(Debug)]
pub(crate) struct Kept {
    blocks: Blocks,
    /// Number of the first wanted entry.
    from: u64,
    started: Timestamp,
    is_off: bool,
    noted: u64,
    begin: Mark,
    on_since: Mark,
}

impl Kept {
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        let kept = self.blocks.from(self.from);
        kept.filter_map(|(number, bytes)| code::decode(bytes, number, self.started))
    }

    /// Last lines of the journal.
    pub(crate) fn tail(&self, most: usize) -> String {
        // Some may be pings.
        let mark = Mark::at(self.noted.saturating_sub(most as u64 * 16)).max(self.begin);
        let last = Self {
            blocks: self.blocks.clone(),
            from: self.from.max(mark.number() + 1),
            ..*self
        };
        let entries = last.entries().collect();
        Journal::new(entries, mark, mark).tail(most).to_string()
    }

    /// Returns the entries as a journal, if they are all that was kept.
    pub(crate) fn journal(&self, known: Known) -> Journal {
        let entries: Vec<Entry> = self.entries().collect();
        let whole_since = match entries.first() {
            // While the journal is off, messages pass and are not recorded.
            _ if self.is_off => Mark::at(u64::MAX),
            Some(first) => self.on_since.max(Mark::at(first.number - 1)),
            None => self.on_since.max(Mark::at(self.noted)),
        };
        let journal = Journal::new(entries, self.begin, whole_since);
        journal.of_server(Mark::at(self.noted), known)
    }
}
