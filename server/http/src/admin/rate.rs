//! Limit on how often a command is carried out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use minikeeper::protocol::Timestamp;

/// Lets one call through in each interval of the server's clock: `RateLimiter`.
#[derive(Debug)]
pub(super) struct RateLimiter {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    since: Timestamp,
    is_used: bool,
}

impl RateLimiter {
    /// Makes a limiter whose first interval begins now.
    pub(super) fn new(interval: Duration, now: Timestamp) -> Self {
        Self {
            interval,
            state: Mutex::new(State {
                since: now,
                is_used: false,
            }),
        }
    }

    /// Whether a call at this time may be carried out.
    pub(super) fn allows(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(state.since) > self.interval {
            *state = State {
                since: now,
                is_used: false,
            };
        }
        !std::mem::replace(&mut state.is_used, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_is_allowed_in_each_interval() {
        let limiter = RateLimiter::new(Duration::from_secs(300), Timestamp(0));
        let allowed = [0, 1, 299, 400, 401, 699, 702];
        let allowed = allowed.map(|second| limiter.allows(Timestamp(second * 1000)));
        assert_eq!(allowed, [true, false, false, true, false, false, true]);
    }
}
