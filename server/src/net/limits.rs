//! Limits on frames and turns.

use std::time::Duration;

use crate::config::Config;

/// Limits of a server on the bytes and turns of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Largest frame that is read, in bytes.
    pub(super) max_frame: usize,
    /// Length of a turn, after which other connections come first.
    pub(super) slice: Duration,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            max_frame: config.max_frame,
            slice: Duration::from_millis(10),
        }
    }
}
