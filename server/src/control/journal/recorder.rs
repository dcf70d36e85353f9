//! Recorder of events: the ring of stored entries, and the budgets that count them.

use super::budget::Budgets;
use super::code;
use super::ring::{Blocks, Ring};
use super::{Entry, Journal, JournalMode, Mark};
use crate::control::client::Client;
use crate::control::event::Event;
use crate::control::known::Known;
use crate::protocol::Timestamp;

/// Maximum number of bytes of data that an entry stores, except in [`JournalMode::Full`].
const DATA_CAP: usize = 256;

/// Recorder of the events of one server.
#[derive(Debug)]
pub(crate) struct Recorder {
    mode: JournalMode,
    ring: Ring,
    /// Start of the server.
    started: Timestamp,
    /// Number of events that passed, stored or not.
    noted: u64,
    /// Beginning of the journal, moved by [`clear`](Self::clear).
    begin: Mark,
    /// The journal was not off after this place.
    on_since: Mark,
    pub(crate) budgets: Budgets,
    /// Time from which a manual clock was turned, until the next event passes.
    pub(crate) turned: Option<Timestamp>,
}

impl Recorder {
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

    /// Whether events are neither stored nor counted.
    pub(crate) fn is_off(&self) -> bool {
        self.mode == JournalMode::Off && self.budgets.is_empty()
    }

    pub(crate) fn mode(&self) -> JournalMode {
        self.mode
    }

    pub(crate) fn set_mode(&mut self, mode: JournalMode) {
        if self.mode == JournalMode::Off && mode != JournalMode::Off {
            // One number stands for all events that passed uncounted while the journal was off.
            self.noted += 1;
            self.on_since = Mark::at(self.noted);
        }
        self.mode = mode;
        if mode == JournalMode::Off {
            self.ring.clear();
        }
        self.shorten();
    }

    /// Drops all entries.
    pub(crate) fn clear(&mut self) {
        self.ring.clear();
        self.begin = Mark::at(self.noted);
    }

    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    /// Number of events that passed, stored or not.
    pub(crate) fn noted(&self) -> u64 {
        self.noted
    }

    /// Stores and counts an event.
    pub(crate) fn note(&mut self, now: Timestamp, client: &Client<'_>, event: &Event<'_>) {
        self.noted += 1;
        if !self.budgets.is_empty() {
            let (number, started) = (self.noted, self.started);
            let entry = || Entry::of(number, started, now, client, event);
            self.budgets.note(client, event, entry);
        }
        let (most, cap) = match self.mode {
            JournalMode::Off => return,
            JournalMode::Last(most) => (most, DATA_CAP),
            JournalMode::Full => (usize::MAX, usize::MAX),
        };
        let estimate = code::estimate(client, event, cap);
        self.ring.push(self.noted, most, estimate, |bytes| {
            code::encode(bytes, now, client, event, cap);
        });
    }

    /// Entry of the last event.
    pub(crate) fn entry(&self, now: Timestamp, client: &Client<'_>, event: &Event<'_>) -> Entry {
        Entry::of(self.noted, self.started, now, client, event)
    }

    /// Copies the stored entries after a mark, to be decoded without the lock.
    pub(crate) fn since(&self, mark: Mark) -> Recorded {
        let from = match self.mode {
            JournalMode::Last(most) => self.noted.saturating_sub(most as u64),
            JournalMode::Off | JournalMode::Full => 0,
        };
        let from = from.max(mark.number()).saturating_add(1);
        Recorded {
            blocks: self.ring.share(from),
            from,
            started: self.started,
            is_off: self.mode == JournalMode::Off,
            noted: self.noted,
            begin: self.begin,
            on_since: self.on_since,
        }
    }

    /// Copies the entries after a mark, or after the last clearing if that was later.
    pub(crate) fn after(&self, mark: Mark) -> Recorded {
        let begin = self.begin.max(mark);
        Recorded {
            begin,
            ..self.since(begin)
        }
    }

    /// Copies all stored entries, as [`since`](Self::since) does.
    pub(crate) fn all(&self) -> Recorded {
        self.since(self.begin)
    }

    /// Last lines of the journal.
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
pub(crate) struct Recorded {
    blocks: Blocks,
    /// Number of the first wanted entry.
    from: u64,
    started: Timestamp,
    is_off: bool,
    noted: u64,
    begin: Mark,
    on_since: Mark,
}

impl Recorded {
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        let stored = self.blocks.from(self.from);
        stored.filter_map(|(number, bytes)| code::decode(bytes, number, self.started))
    }

    /// Last lines of the journal.
    pub(crate) fn tail(&self, most: usize) -> String {
        // Pings are not shown, so more entries are decoded than lines are wanted.
        let mark = Mark::at(self.noted.saturating_sub(most as u64 * 16)).max(self.begin);
        let last = Self {
            blocks: self.blocks.clone(),
            from: self.from.max(mark.number() + 1),
            ..*self
        };
        let entries = last.entries().collect();
        Journal::new(entries, mark, mark).tail(most).to_string()
    }

    /// Returns the entries as a journal, which knows whether they are all that passed.
    pub(crate) fn journal(&self, known: Known) -> Journal {
        let entries: Vec<Entry> = self.entries().collect();
        let whole_since = match entries.first() {
            // While the journal is off, events pass and are not stored.
            _ if self.is_off => Mark::at(u64::MAX),
            Some(first) => self.on_since.max(Mark::at(first.number - 1)),
            None => self.on_since.max(Mark::at(self.noted)),
        };
        let journal = Journal::new(entries, self.begin, whole_since);
        journal.of_server(Mark::at(self.noted), known)
    }
}
