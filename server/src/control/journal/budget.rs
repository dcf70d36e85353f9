//! Budgets: upper limits that a test sets, checked while it runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Entry;
use super::claim::show;
use crate::control::client::Client;
use crate::control::event::Event;
use crate::control::event_kind::EventKind;
use crate::control::known::Known;
use crate::control::matcher::Matcher;
use crate::control::path_pattern::PathPattern;
use crate::control::possible::NeverMatches;
use crate::protocol::Zxid;

/// Upper limit of a test, to be placed with [`Server::budget`](crate::Server::budget).
///
/// ```
/// use minikeeper::{Matcher, Op, journal::Budget};
///
/// let server = minikeeper::Server::start()?;
/// // No herd effect: each waiting client watches only the lock before its own.
/// let _watches = server.budget(Budget::watches_per_path("/locks/**", 1));
/// let _events = server.budget(Budget::events_per_transaction(1));
/// let _creates = server.budget(Budget::total(Matcher::request(Op::Create), 100));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "budget", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Budget {
    /// Limit on the clients that watch the same znode at the same time.
    WatchesPerPath {
        /// Pattern of the watched znodes.
        paths: PathPattern,
        /// Maximum number of clients.
        at_most: usize,
    },
    /// Limit on the matching events of one transaction: watch events, replies, writes of the test, ended sessions,
    /// reaped znodes and transactions.
    PerTransaction {
        /// Matcher of the counted events.
        matcher: Matcher,
        /// Maximum number of events.
        at_most: usize,
    },
    /// Limit on the matching events since the budget was placed.
    Total {
        /// Matcher of the counted events.
        matcher: Matcher,
        /// Maximum number of events.
        at_most: usize,
    },
}

impl Budget {
    /// Refuses a budget that can never be exceeded because nothing can match.
    pub(crate) fn check(&self, known: &Known) -> Result<(), NeverMatches> {
        /// Kinds that belong to a transaction.
        const OF_TRANSACTIONS: [EventKind; 7] = [
            EventKind::WatchEvent,
            EventKind::Reply,
            EventKind::SessionClosed,
            EventKind::SessionExpired,
            EventKind::Reaped,
            EventKind::Wrote,
            EventKind::Committed,
        ];
        match self {
            // Every pattern matches some path.
            Self::WatchesPerPath { .. } => Ok(()),
            Self::PerTransaction { matcher, .. } => matcher.check(known, &OF_TRANSACTIONS),
            Self::Total { matcher, .. } => matcher.check(known, &EventKind::ALL),
        }
    }

    /// Limits the number of clients that watch the same znode at the same time, for all znodes that the pattern
    /// matches. A recursive watch counts where it was set.
    ///
    /// # Panics
    ///
    /// If the text is no pattern; see [`PathPattern`].
    #[must_use]
    pub fn watches_per_path(paths: &str, at_most: usize) -> Self {
        match paths.parse() {
            Ok(paths) => Self::WatchesPerPath { paths, at_most },
            Err(error) => panic!("{error}"),
        }
    }

    /// Limits the number of watch events for one transaction. A herd effect is many clients woken for one change.
    #[must_use]
    pub fn events_per_transaction(at_most: usize) -> Self {
        let matcher = Matcher::watch_event();
        Self::PerTransaction { matcher, at_most }
    }

    /// Limits the number of matching events in total, of any kind that the matcher allows.
    #[must_use]
    pub fn total(matcher: impl Into<Matcher>, at_most: usize) -> Self {
        let matcher = matcher.into();
        Self::Total { matcher, at_most }
    }
}

/// The limit in words.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WatchesPerPath { paths, at_most: 1 } => {
                write!(f, "at most 1 client watches one znode of {paths}")
            }
            Self::WatchesPerPath { paths, at_most } => {
                write!(f, "at most {at_most} clients watch one znode of {paths}")
            }
            Self::PerTransaction { matcher, at_most } => {
                write!(f, "at most {at_most} in one transaction of {matcher}")
            }
            Self::Total { matcher, at_most } => {
                write!(f, "at most {at_most} in total of {matcher}")
            }
        }
    }
}

/// Error of an exceeded budget: the first time, with the lines of the journal that show it.
///
/// ```
/// use minikeeper::{Matcher, journal::Budget, matcher::EventKind};
///
/// let server = minikeeper::Server::start()?;
/// let budget = server.budget(Budget::total(Matcher::of(EventKind::Wrote), 0));
/// server.create("/a", b"")?;
/// let exceeded = budget.check().unwrap_err();
/// assert!(exceeded.to_string().contains("test create2 /a"), "{exceeded}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Exceeded(String);

/// Same text as `Display`, since a test that unwraps the error or returns it with `?` shows this one.
impl fmt::Debug for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Number of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BudgetId(u64);

/// All budgets of one server.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    placed: Vec<PlacedBudget>,
    next: u64,
}

#[derive(Debug)]
struct PlacedBudget {
    id: BudgetId,
    budget: Budget,
    /// Transaction that is counted.
    zxid: Option<Zxid>,
    count: usize,
    /// Last entries that were counted, for the message.
    entries: Vec<Entry>,
    exceeded: Option<Exceeded>,
}

impl Budgets {
    pub(crate) fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    pub(crate) fn add(&mut self, budget: Budget) -> BudgetId {
        self.next += 1;
        let id = BudgetId(self.next);
        self.placed.push(PlacedBudget {
            id,
            budget,
            zxid: None,
            count: 0,
            entries: Vec::new(),
            exceeded: None,
        });
        id
    }

    /// Removes a budget. Returns whether it was exceeded.
    pub(crate) fn remove(&mut self, id: BudgetId) -> Result<(), Exceeded> {
        let checked = self.check(id);
        self.placed.retain(|placed| placed.id != id);
        checked
    }

    /// Returns whether a budget is exceeded.
    pub(crate) fn check(&self, id: BudgetId) -> Result<(), Exceeded> {
        let placed = self.placed.iter().find(|placed| placed.id == id);
        match placed.and_then(|placed| placed.exceeded.clone()) {
            Some(exceeded) => Err(exceeded),
            None => Ok(()),
        }
    }

    /// First line of each message of an exceeded budget.
    pub(crate) fn exceeded(&self) -> impl Iterator<Item = &str> {
        let exceeded = self
            .placed
            .iter()
            .filter_map(|placed| placed.exceeded.as_ref());
        exceeded.filter_map(|Exceeded(message)| message.strip_prefix(EXCEEDED)?.lines().next())
    }

    /// Whether some budget counts watches.
    pub(crate) fn count_watches(&self) -> bool {
        self.placed
            .iter()
            .any(|placed| matches!(placed.budget, Budget::WatchesPerPath { .. }))
    }

    /// Checks the number of clients that watch a path now.
    pub(crate) fn watched(&mut self, path: &str, clients: usize) {
        for placed in &mut self.placed {
            if let Budget::WatchesPerPath { paths, at_most } = &placed.budget
                && clients > *at_most
                && paths.matches(path)
                && placed.exceeded.is_none()
            {
                let message = format!("{}: {clients} watch {path}", placed.budget);
                placed.exceed(message);
            }
        }
    }

    /// Counts an event.
    pub(super) fn note(
        &mut self,
        client: &Client<'_>,
        event: &Event<'_>,
        entry: impl Fn() -> Entry,
    ) {
        for placed in &mut self.placed {
            if placed.exceeded.is_none() {
                placed.note(client, event, &entry);
            }
        }
    }
}

/// First words of the message of an exceeded budget.
const EXCEEDED: &str = "a budget is exceeded: ";

/// Maximum number of entries that a message shows.
const SHOWN: usize = 30;

impl PlacedBudget {
    fn note(&mut self, client: &Client<'_>, event: &Event<'_>, entry: impl Fn() -> Entry) {
        let (matcher, at_most) = match &self.budget {
            // Watches are counted when the request has been carried out; the request is shown.
            Budget::WatchesPerPath { paths, .. } => {
                if sets_watch(event) && event.is_about(|path| paths.matches(path)) {
                    self.remember(entry());
                }
                return;
            }
            Budget::PerTransaction { matcher, at_most } => (matcher, *at_most),
            Budget::Total { matcher, at_most } => (matcher, *at_most),
        };
        if !matcher.matches(client, event) {
            return;
        }
        if matches!(self.budget, Budget::PerTransaction { .. }) {
            let zxid = event.zxid();
            if zxid.is_none() || zxid != self.zxid {
                self.zxid = zxid;
                self.count = 0;
                self.entries.clear();
            }
        }
        self.count += 1;
        self.remember(entry());
        if self.count > at_most {
            let message = format!("{}: {} counted", self.budget, self.count);
            self.exceed(message);
        }
    }

    fn remember(&mut self, entry: Entry) {
        if self.entries.len() >= SHOWN {
            self.entries.remove(0);
        }
        self.entries.push(entry);
    }

    fn exceed(&mut self, mut message: String) {
        message.insert_str(0, EXCEEDED);
        let entries: Vec<&Entry> = self.entries.iter().collect();
        show(&mut message, "these counted", &entries);
        self.exceeded = Some(Exceeded(message));
        self.entries = Vec::new();
    }
}

fn sets_watch(event: &Event<'_>) -> bool {
    matches!(event, Event::Request { watch: true, .. })
}
