//! The only place where time is read.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::config::ClockKind;
use crate::protocol::Timestamp;

/// Clock of a server, for sessions, containers, TTL znodes, `ctime` and `mtime`.
#[derive(Debug)]
pub(crate) enum Clock {
    /// The time of day at the start plus the time since then, so that the clock never goes backwards.
    System { started: Timestamp, since: Instant },
    /// Milliseconds since 1970; the clock stands still until it is moved.
    Manual(AtomicI64),
    /// As [`System`](Self::System), by the time of a runtime.
    #[cfg(feature = "tokio-clock")]
    Tokio {
        started: Timestamp,
        since: tokio::time::Instant,
        runtime: tokio::runtime::Handle,
    },
}

/// Error: the caller is not inside a tokio runtime.
#[derive(Debug)]
pub(crate) struct NoRuntime;

impl Clock {
    /// Starts a clock at `started`. The default is the time of day; for a clock that stands still, it is rounded down
    /// to the beginning of a tick, so that sessions expire after the same spans in every run. `reached` is the time of
    /// a loaded state: no clock starts earlier, and clocks other than the machine's start there by default.
    pub(crate) fn start(
        kind: ClockKind,
        started: Option<Timestamp>,
        reached: Option<Timestamp>,
        tick: Duration,
    ) -> Result<Self, NoRuntime> {
        let usual = reached.filter(|_| kind != ClockKind::System);
        let started = started.or(usual).unwrap_or_else(|| {
            let now = time_of_day();
            if kind == ClockKind::System {
                now
            } else {
                now.beginning_of(tick)
            }
        });
        let started = reached.map_or(started, |reached| started.max(reached));
        Ok(match kind {
            ClockKind::System => Self::System {
                started,
                since: ticker(),
            },
            ClockKind::Manual => Self::Manual(AtomicI64::new(started.0)),
            #[cfg(feature = "tokio-clock")]
            ClockKind::Tokio => Self::Tokio {
                started,
                runtime: tokio::runtime::Handle::try_current().map_err(|_| NoRuntime)?,
                since: tokio::time::Instant::now(),
            },
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System { started, since } => {
                *started + ticker().saturating_duration_since(*since)
            }
            Self::Manual(now) => Timestamp(now.load(Ordering::Acquire)),
            #[cfg(feature = "tokio-clock")]
            Self::Tokio {
                started,
                since,
                runtime,
            } => {
                let _context = runtime.enter();
                *started + tokio::time::Instant::now().saturating_duration_since(*since)
            }
        }
    }

    /// Whether the clock follows the tokio runtime inside which this is called.
    pub(super) fn is_of_this_runtime(&self) -> bool {
        match self {
            Self::System { .. } | Self::Manual(_) => false,
            #[cfg(feature = "tokio-clock")]
            Self::Tokio { runtime, .. } => {
                tokio::runtime::Handle::try_current().is_ok_and(|here| here.id() == runtime.id())
            }
        }
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }

    /// Whether this is the machine's clock.
    pub(super) fn is_of_the_machine(&self) -> bool {
        matches!(self, Self::System { .. })
    }

    /// Moves a manual clock forward to `to`.
    pub(crate) fn set(&self, to: Timestamp) {
        if let Self::Manual(now) = self {
            now.fetch_max(to.0, Ordering::AcqRel);
        }
    }
}

/// Length of one turn of a connection.
#[derive(Debug)]
pub(super) enum Slice {
    /// Real time, on any clock of the server.
    Time { began: Instant, length: Duration },
    /// Number of checks. On the clock of a runtime, the length must not depend on the speed of the machine.
    #[cfg(feature = "tokio-clock")]
    Checks(u32),
}

/// Number of checks that correspond to about 10 ms, the usual length of a turn.
#[cfg(feature = "tokio-clock")]
const CHECKS: u32 = 1000;

impl Slice {
    pub(super) fn begin(clock: &Clock, length: Duration) -> Self {
        match clock {
            Clock::System { .. } | Clock::Manual(_) => Self::Time {
                began: ticker(),
                length,
            },
            #[cfg(feature = "tokio-clock")]
            Clock::Tokio { .. } => Self::Checks(CHECKS),
        }
    }

    pub(super) fn is_over(&mut self) -> bool {
        match self {
            Self::Time { began, length } => ticker().saturating_duration_since(*began) >= *length,
            #[cfg(feature = "tokio-clock")]
            Self::Checks(remaining) => {
                *remaining = remaining.saturating_sub(1);
                *remaining == 0
            }
        }
    }
}

/// Moment in real time at which a countdown ends.
pub(super) type Deadline = Instant;

/// Timeout in real time, or in the time of the runtime that the server's clock follows.
#[derive(Clone, Debug)]
pub(super) struct Countdown {
    since: Since,
    span: Duration,
}

#[derive(Clone, Debug)]
enum Since {
    Real(Instant),
    #[cfg(feature = "tokio-clock")]
    Tokio(tokio::time::Instant, tokio::runtime::Handle),
}

impl Countdown {
    /// Starts a timeout in real time.
    pub(super) fn begin(span: Duration) -> Self {
        let since = Since::Real(ticker());
        Self { since, span }
    }

    /// Starts a timeout in real time, or in the time of the runtime that the clock follows.
    pub(super) fn begin_by(clock: &Clock, span: Duration) -> Self {
        match clock {
            Clock::System { .. } | Clock::Manual(_) => Self::begin(span),
            #[cfg(feature = "tokio-clock")]
            Clock::Tokio { runtime, .. } => {
                let _context = runtime.enter();
                let since = Since::Tokio(tokio::time::Instant::now(), runtime.clone());
                Self { since, span }
            }
        }
    }

    pub(super) fn span(&self) -> Duration {
        self.span
    }

    /// Whether the time is real.
    pub(super) fn is_real(&self) -> bool {
        match self.since {
            Since::Real(_) => true,
            #[cfg(feature = "tokio-clock")]
            Since::Tokio(..) => false,
        }
    }

    /// Returns the end in real time; `None` if the time is not real, or too far away.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        match self.since {
            Since::Real(began) => began.checked_add(self.span),
            #[cfg(feature = "tokio-clock")]
            Since::Tokio(..) => None,
        }
    }

    /// Continues in real time with the rest of the span.
    pub(super) fn go_on_in_real_time(&mut self) {
        let passed = self.span.saturating_sub(self.remaining());
        let now = ticker();
        self.since = Since::Real(now.checked_sub(passed).unwrap_or(now));
    }

    /// Returns the remaining time.
    pub(super) fn remaining(&self) -> Duration {
        let passed = match &self.since {
            Since::Real(began) => ticker().saturating_duration_since(*began),
            #[cfg(feature = "tokio-clock")]
            Since::Tokio(began, runtime) => {
                let _context = runtime.enter();
                tokio::time::Instant::now().saturating_duration_since(*began)
            }
        };
        self.span.saturating_sub(passed)
    }
}

/// Returns a moment that no other server of this process has been given: the present one, `reached` or a later one.
pub(super) fn unique_moment(reached: Timestamp) -> Timestamp {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let earliest = reached.max(time_of_day()).0;
    let after = |last: i64| earliest.max(last.saturating_add(1));
    let update = LAST.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| {
        Some(after(last))
    });
    Timestamp(after(update.unwrap_or_else(|last| last)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where time is read"
)]
fn time_of_day() -> Timestamp {
    timestamp(SystemTime::now())
}

/// Time of day of the operating system as a timestamp; a moment before 1970 is 1970.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let since_1970 = time
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
