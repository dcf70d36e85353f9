//! Real time that an operation of the disk takes.

use std::time::{Duration, Instant};

/// Measures real time, whatever the server's clock says.
#[derive(Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        now().saturating_duration_since(self.0)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the disk takes real time, whatever the server's clock says"
)]
fn now() -> Instant {
    Instant::now()
}
