//! How far long work has come, told on the standard error output if somebody is looking.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line that says what is being done; it goes when this does. Nothing is shown where the output goes to no terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn of(what: impl Into<String>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(what.into());
        if !bar.is_hidden() {
            // Work that takes a library's single call is seen to go on too.
            bar.enable_steady_tick(Duration::from_millis(125));
        }
        Self(bar)
    }

    /// Says how much has been done; cheap enough for every znode.
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
