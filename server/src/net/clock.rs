//! The only place where time is read.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::protocol::Timestamp;

/// Who turns the clock.
///
/// ```
/// use minikeeper::{Server, config::ClockKind};
///
/// let server = Server::builder().manual_clock().start()?;
/// assert_eq!(server.config().clock, ClockKind::Manual);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockKind {
    /// The machine's clock.
    System,
    /// A clock that stands still until [`Server::advance`](crate::Server::advance) moves it. It starts at the time of day at
    /// which the server starts, rounded down to a tick, or at that of the [`Snapshot`](crate::Snapshot) that it starts from: so the same happens after the same time in every run. A session that is
    /// not heard from expires a tick after its timeout, or with [exact expiry](crate::Config::exact_expiry) when that ends.
    Manual,
    /// The time of the tokio runtime in which the server is started, paused or not; see `ServerBuilder::tokio_clock`. Only
    /// for a server [without a listener](crate::ServerBuilder::without_listener), and with the feature `tokio-clock`.
    #[cfg(feature = "tokio-clock")]
    Tokio,
}

/// The one clock of a server: sessions, containers, TTL znodes, `ctime` and `mtime` all go by it.
#[derive(Debug)]
pub(crate) enum Clock {
    /// The time of day at the start, and what has passed since; so it never goes backwards.
    System { started: Timestamp, since: Instant },
    /// Stands still until it is moved.
    Manual(AtomicI64),
    /// The same as the first by the time of a runtime, which may be asked for from outside of it.
    #[cfg(feature = "tokio-clock")]
    Tokio {
        started: Timestamp,
        since: tokio::time::Instant,
        runtime: tokio::runtime::Handle,
    },
}

/// There is no tokio runtime here whose time a clock could follow.
#[derive(Debug)]
pub(crate) struct NoRuntime;

impl Clock {
    /// A clock that says `started` now; by default, the time of day, and where it stands still the beginning of a tick, so that
    /// sessions expire after the same time in every run. A state that was reached at `reached` goes on from there:
    /// the machine's clock then says nothing earlier, and others say just that by default.
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

/// What one turn of a connection may take.
#[derive(Debug)]
pub(super) enum Slice {
    /// Real time, whoever turns the server's clock.
    Time { began: Instant, length: Duration },
    /// So many looks at it: where all time is a runtime's, what happens must not hang on how fast the machine is.
    #[cfg(feature = "tokio-clock")]
    Looks(u32),
}

/// About what a server does in 10 ms, which is the usual length.
#[cfg(feature = "tokio-clock")]
const LOOKS: u32 = 1000;

impl Slice {
    pub(super) fn begin(clock: &Clock, length: Duration) -> Self {
        match clock {
            Clock::System { .. } | Clock::Manual(_) => Self::Time {
                began: ticker(),
                length,
            },
            #[cfg(feature = "tokio-clock")]
            Clock::Tokio { .. } => Self::Looks(LOOKS),
        }
    }

    pub(super) fn is_over(&mut self) -> bool {
        match self {
            Self::Time { began, length } => ticker().saturating_duration_since(*began) >= *length,
            #[cfg(feature = "tokio-clock")]
            Self::Looks(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
        }
    }
}

/// Time that is to pass: real time, whoever turns the server's clock, unless that follows a runtime.
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
    /// Real time.
    pub(super) fn begin(span: Duration) -> Self {
        let since = Since::Real(ticker());
        Self { since, span }
    }

    /// Real time, or that of the runtime which the clock follows.
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

    /// Continues in real time with the rest of the span.
    pub(super) fn go_on_in_real_time(&mut self) {
        let passed = self.span.saturating_sub(self.left());
        let now = ticker();
        self.since = Since::Real(now.checked_sub(passed).unwrap_or(now));
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
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
pub(super) fn moment_apart(reached: Timestamp) -> Timestamp {
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
