//! The one place where the harness waits on real time: outside backends have no clock that could be turned.
//! Every wait has a deadline, and says what it waited for when that has passed.

use std::time::{Duration, Instant};

/// How long anything may take that a healthy server does at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a server may take to come up: a Java one asks much of a machine that is busy with others.
pub const STARTING: Duration = Duration::from_secs(90);

/// Something did not happen in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waited {} s in vain: {what}", waited.as_secs())]
pub struct InVain {
    what: String,
    waited: Duration,
}

/// Waits for a future, up to [`PATIENCE`].
///
/// # Errors
///
/// If it is not ready by then.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T, InVain> {
    within_span(PATIENCE, what, future).await
}

/// Waits for a future, up to `span`.
///
/// # Errors
///
/// If it is not ready by then.
pub async fn within_span<T>(
    span: Duration,
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, InVain> {
    tokio::time::timeout(span, future)
        .await
        .map_err(|_| InVain {
            what: what.to_owned(),
            waited: span,
        })
}

/// Lets time pass, for a server whose clock cannot be turned.
pub async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Asks again and again, up to [`STARTING`], until `probe` gives something.
///
/// # Errors
///
/// If it gives nothing by then.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> Result<T, InVain> {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if start.elapsed() > STARTING {
            return Err(in_vain(what));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn in_vain(what: &str) -> InVain {
    InVain {
        what: what.to_owned(),
        waited: STARTING,
    }
}
