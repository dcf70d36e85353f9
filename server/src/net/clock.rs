//! The only place where time is read.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::protocol::Timestamp;

/// Who turns the clock.
///
/// ```
/// use minikeeper::{ClockKind, Server};
///
/// let server = Server::builder().manual_clock().start()?;
/// assert_eq!(server.config().clock, ClockKind::Manual);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockKind {
    /// The machine's clock.
    System,
    /// A clock that stands still until [`Server::advance`](crate::Server::advance) moves it. It starts at the time
    /// of day at which the server starts, or at that of the [`Snapshot`](crate::Snapshot) that it starts from.
    Manual,
}

/// The one clock of a server: sessions, containers, TTL znodes, `ctime` and `mtime` all go by it.
#[derive(Debug)]
pub(crate) enum Clock {
    /// The time of day at the start, and what has passed since; so it never goes backwards.
    System { started: Timestamp, since: Instant },
    /// Stands still until it is moved.
    Manual(AtomicI64),
}

impl Clock {
    /// Starts a clock. A state that was reached at `reached` goes on from there: a manual clock says so, and the machine's
    /// says nothing earlier.
    pub(crate) fn start(kind: ClockKind, reached: Option<Timestamp>) -> Self {
        match kind {
            ClockKind::System => Self::System {
                started: time_of_day().max(reached.unwrap_or_default()),
                since: ticker(),
            },
            ClockKind::Manual => {
                Self::Manual(AtomicI64::new(reached.unwrap_or_else(time_of_day).0))
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System { started, since } => {
                *started + ticker().saturating_duration_since(*since)
            }
            Self::Manual(now) => Timestamp(now.load(Ordering::Acquire)),
        }
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }

    /// Moves a manual clock forward to `to`.
    pub(crate) fn set(&self, to: Timestamp) {
        if let Self::Manual(now) = self {
            now.fetch_max(to.0, Ordering::AcqRel);
        }
    }
}

/// The time that one turn of a connection may take. It is real time, whoever turns the server's clock.
#[derive(Debug)]
pub(super) struct Slice {
    began: Instant,
    length: Duration,
}

impl Slice {
    pub(super) fn begin(length: Duration) -> Self {
        let began = ticker();
        Self { began, length }
    }

    pub(super) fn is_over(&self) -> bool {
        ticker().saturating_duration_since(self.began) >= self.length
    }
}

/// Real time that is to pass, whoever turns the server's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Countdown {
    began: Instant,
    span: Duration,
}

impl Countdown {
    pub(super) fn begin(span: Duration) -> Self {
        let began = ticker();
        Self { began, span }
    }

    pub(super) fn span(&self) -> Duration {
        self.span
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.span
            .saturating_sub(ticker().saturating_duration_since(self.began))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where time is read"
)]
fn time_of_day() -> Timestamp {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp(0) + since_1970
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where time is read"
)]
fn ticker() -> Instant {
    Instant::now()
}
