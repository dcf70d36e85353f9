//! Error of a wait that timed out.

use std::fmt;

/// Error of a wait that timed out. Its message ends with the last lines of the journal, unless the journal is off.
///
/// ```
/// use std::time::Duration;
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// server.create("/a", b"")?;
/// let waited = server.wait_for(Matcher::watch_event().path("/a")).within(Duration::ZERO).blocking();
/// let error = waited.unwrap_err().to_string();
/// assert!(error.contains(r#"waiting for Matcher::watch_event().path("/a"); no watch event passed"#), "{error}");
/// assert!(error.contains("test create2 /a"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct TimedOut {
    /// Awaited events, time waited, and possible reasons.
    message: String,
    /// Last lines of the journal.
    tail: String,
}

impl TimedOut {
    /// Returns the error without the last lines of the journal.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let wait = server.wait_for_znode("/none").within(Duration::ZERO);
    /// let error = wait.blocking().unwrap_err();
    /// assert!(error.reason().contains("the znode /none to exist"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.message
    }

    /// Makes an error of its message and of the last lines of the journal.
    pub(super) fn new(message: String, tail: String) -> Self {
        Self { message, tail }
    }

    /// Adds lines to the message.
    pub(crate) fn and_lines(mut self, title: &str, lines: &str) -> Self {
        self.message += &format!("\n{title}{lines}");
        self
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = if self.message.contains('\n') {
            "\n"
        } else {
            "; "
        };
        write!(f, "{}{behind}{}", self.message, self.tail)
    }
}

/// Same text as `Display`, since a test that unwraps the error or returns it with `?` shows this one.
impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
