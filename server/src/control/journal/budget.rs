//! Budgets: how much of something a test allows, kept an eye on while it runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Entry;
use super::claim::show;
use crate::control::known::Known;
use crate::control::possible::NeverMatches;
use crate::control::sight::{Sight, Who};
use crate::control::{EventKind, Matcher, PathPattern};
use crate::protocol::Zxid;

/// How much of something a test allows. [`Server::budget`](crate::Server::budget) keeps an eye on it.
///
/// ```
/// use minikeeper::{Matcher, Op, journal::Budget};
///
/// let server = minikeeper::Server::start()?;
/// // No herd: whoever waits for a lock watches the one before it, and nobody else does.
/// let _watches = server.budget(Budget::watches_per_path("/locks/**", 1));
/// let _events = server.budget(Budget::events_per_transaction(1));
/// let _creates = server.budget(Budget::total(Matcher::request(Op::Create), 100));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "budget", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Budget {
    /// Clients that watch the same znode at the same time.
    WatchesPerPath {
        /// Which znodes.
        paths: PathPattern,
        /// How many clients.
        at_most: usize,
    },
    /// Matching messages and entries of one transaction: events, replies, writes of the test, ended sessions and
    /// reaped znodes.
    PerTransaction {
        /// The matcher.
        matcher: Matcher,
        /// How many.
        at_most: usize,
    },
    /// Matching messages and entries since the budget was placed.
    Total {
        /// The matcher.
        matcher: Matcher,
        /// How many.
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

    /// No more than so many clients watch the same znode at the same time, of the znodes for which the pattern stands. A
    /// recursive watch counts where it was set.
    ///
    /// # Panics
    ///
    /// If it is no pattern; see [`PathPattern`].
    #[must_use]
    pub fn watches_per_path(paths: &str, at_most: usize) -> Self {
        match paths.parse() {
            Ok(paths) => Self::WatchesPerPath { paths, at_most },
            Err(error) => panic!("{error}"),
        }
    }

    /// No more than so many events are sent for one transaction: a herd is many clients woken for the sake of one.
    #[must_use]
    pub fn events_per_transaction(at_most: usize) -> Self {
        let matcher = Matcher::watch_event();
        Self::PerTransaction { matcher, at_most }
    }

    /// At most this many messages and entries match in total, of any kind that the matcher allows.
    #[must_use]
    pub fn total(matcher: impl Into<Matcher>, at_most: usize) -> Self {
        let matcher = matcher.into();
        Self::Total { matcher, at_most }
    }
}

/// In words.
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

/// A budget was exceeded: where it was first, with the lines that show it.
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

/// The same as it is displayed: it is what a test shows that unwraps it, or gives it with `?`.
impl fmt::Debug for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of a budget that is kept an eye on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BudgetId(u64);

/// The budgets that are kept an eye on.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    kept: Vec<Kept>,
    next: u64,
}

#[derive(Debug)]
struct Kept {
    id: BudgetId,
    budget: Budget,
    /// The transaction that is counted.
    zxid: Option<Zxid>,
    count: usize,
    /// What was counted, as far as a message can show it.
    entries: Vec<Entry>,
    exceeded: Option<Exceeded>,
}

impl Budgets {
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn add(&mut self, budget: Budget) -> BudgetId {
        self.next += 1;
        let id = BudgetId(self.next);
        self.kept.push(Kept {
            id,
            budget,
            zxid: None,
            count: 0,
            entries: Vec::new(),
            exceeded: None,
        });
        id
    }

    pub(crate) fn remove(&mut self, id: BudgetId) -> Result<(), Exceeded> {
        let checked = self.check(id);
        self.kept.retain(|kept| kept.id != id);
        checked
    }

    pub(crate) fn check(&self, id: BudgetId) -> Result<(), Exceeded> {
        let kept = self.kept.iter().find(|kept| kept.id == id);
        match kept.and_then(|kept| kept.exceeded.clone()) {
            Some(exceeded) => Err(exceeded),
            None => Ok(()),
        }
    }

    /// The first lines of those that were exceeded.
    pub(crate) fn exceeded(&self) -> impl Iterator<Item = &str> {
        let exceeded = self.kept.iter().filter_map(|kept| kept.exceeded.as_ref());
        exceeded.filter_map(|Exceeded(message)| message.strip_prefix(EXCEEDED)?.lines().next())
    }

    /// Whether anybody minds who watches what.
    pub(crate) fn mind_watches(&self) -> bool {
        self.kept
            .iter()
            .any(|kept| matches!(kept.budget, Budget::WatchesPerPath { .. }))
    }

    /// So many clients watch this now.
    pub(crate) fn watched(&mut self, path: &str, clients: usize) {
        for kept in &mut self.kept {
            if let Budget::WatchesPerPath { paths, at_most } = &kept.budget
                && clients > *at_most
                && paths.matches(path)
                && kept.exceeded.is_none()
            {
                let message = format!("{}: {clients} watch {path}", kept.budget);
                kept.exceed(message);
            }
        }
    }

    /// Something passes.
    pub(crate) fn note(
        &mut self,
        who: Option<&Who<'_>>,
        sight: &Sight<'_>,
        entry: impl Fn() -> Entry,
    ) {
        for kept in &mut self.kept {
            if kept.exceeded.is_some() {
                continue;
            }
            let at_most = match &kept.budget {
                Budget::WatchesPerPath { paths, .. } => {
                    if asks_for_watch(sight) && sight.is_about(|path| paths.matches(path)) {
                        kept.remember(entry());
                    }
                    continue;
                }
                Budget::PerTransaction { matcher, at_most }
                | Budget::Total { matcher, at_most } => {
                    if !matcher.matches_any(who, sight) {
                        continue;
                    }
                    *at_most
                }
            };
            if matches!(kept.budget, Budget::PerTransaction { .. }) {
                let zxid = sight.zxid();
                if zxid.is_none() || zxid != kept.zxid {
                    kept.zxid = zxid;
                    kept.count = 0;
                    kept.entries.clear();
                }
            }
            kept.count += 1;
            kept.remember(entry());
            if kept.count > at_most {
                let message = format!("{}: {} counted", kept.budget, kept.count);
                kept.exceed(message);
            }
        }
    }
}

/// What a message begins with.
const EXCEEDED: &str = "a budget is exceeded: ";

/// How many lines are remembered for a message.
const REMEMBERED: usize = 30;

impl Kept {
    fn remember(&mut self, entry: Entry) {
        if self.entries.len() >= REMEMBERED {
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

fn asks_for_watch(sight: &Sight<'_>) -> bool {
    matches!(sight, Sight::Request { asked, .. } if asked.watch)
}
