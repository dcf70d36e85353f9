//! Waiting on real time. This is the only module that does: the clock of an external backend cannot be
//! advanced.
//!
//! Every wait has a deadline, and its error names the missed condition.

use std::time::{Duration, Instant};

/// Time limit of an operation that a healthy server completes at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Time limit of a server's start. A Java server starts slowly on a machine that is busy with others.
pub const STARTING: Duration = Duration::from_secs(90);

/// A condition that did not come true in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timed out after {} s waiting for {what}", waited.as_secs())]
pub struct TimedOut {
    what: String,
    waited: Duration,
}

/// Waits for a future, up to [`PATIENCE`].
///
/// # Errors
///
/// Returns an error if the future is not ready in time.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T, TimedOut> {
    within_span(PATIENCE, what, future).await
}

/// Waits for a future, up to `span`.
///
/// # Errors
///
/// Returns an error if the future is not ready in time.
pub async fn within_span<T>(
    span: Duration,
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, TimedOut> {
    tokio::time::timeout(span, future)
        .await
        .map_err(|_| TimedOut {
            what: what.to_owned(),
            waited: span,
        })
}

/// Sleeps, for a server whose clock cannot be advanced.
pub async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Calls `probe` repeatedly, up to [`STARTING`], until it returns a value.
///
/// # Errors
///
/// Returns an error if `probe` returns no value in time.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> Result<T, TimedOut> {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if start.elapsed() > STARTING {
            return Err(timed_out(what));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn timed_out(what: &str) -> TimedOut {
    TimedOut {
        what: what.to_owned(),
        waited: STARTING,
    }
}
