//! Progress of long work, shown on stderr if it is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Line that shows the current work until it is dropped. It is shown only on a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn of(what: impl Into<String>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(what.into());
        if !bar.is_hidden() {
            // The spinner also turns during a single long call of the library.
            bar.enable_steady_tick(Duration::from_millis(125));
        }
        Self(bar)
    }

    /// Updates the count; cheap enough for every znode.
    pub(crate) fn count(&self, what: &str, done: u64) {
        const EVERY: u64 = 1 << 14;
        if done.is_multiple_of(EVERY) && !self.0.is_hidden() {
            self.0.set_message(format!("{what}: {done}"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
