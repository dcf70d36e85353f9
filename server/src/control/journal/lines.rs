//! The journal as JSON lines, and its last lines for people.

use std::fmt;

use super::{Entry, Journal};

/// Reason why a text is no journal.
///
/// ```
/// let error = minikeeper::Journal::from_json_lines("{}").unwrap_err();
/// assert!(error.to_string().starts_with("line 1: "));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {source}")]
pub struct BadJournal {
    line: usize,
    #[source]
    source: serde_json::Error,
}

impl Journal {
    /// Writes the journal as JSON, one object per line, each an [`Entry`]:
    ///
    /// - `number`, `time` (milliseconds since 1970), `elapsed_ms` (since the server started);
    /// - if present, `connection`, `session` (`"0x..."`), `label`, and `member` unless it is 1;
    /// - `kind`, an [`EventKind`](crate::matcher::EventKind), and the fields of that
    ///   [`Event`](crate::journal::Event). Operations, errors and event types have ZooKeeper's names, zxids are
    ///   `"0x..."`. Fields that are empty, false or absent are omitted.
    ///
    /// ```
    /// use minikeeper::Journal;
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let lines = server.journal().to_json_lines();
    /// assert!(lines.contains(
    ///     r#""kind":"wrote","operation":"create2","paths":["/config"],"data":{"length":2,"text":"v1"},"zxid":"0x1"}"#
    /// ));
    /// assert_eq!(Journal::from_json_lines(&lines)?.entries(), server.journal().entries());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut lines = String::new();
        for entry in &self.entries {
            lines += &entry.to_json();
            lines.push('\n');
        }
        lines
    }

    /// Reads the lines of [`to_json_lines`](Self::to_json_lines). Empty lines and unknown fields are ignored.
    ///
    /// # Errors
    ///
    /// If a line is no entry.
    pub fn from_json_lines(lines: &str) -> Result<Self, BadJournal> {
        let lines = lines.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let entries = lines.map(|(at, line)| {
            serde_json::from_str(line).map_err(|source| BadJournal {
                line: at + 1,
                source,
            })
        });
        let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        Ok(Self::from(entries))
    }

    /// Returns the last entries as lines for people, oldest first, without pings.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/a", b"")?;
    /// server.create("/b", b"")?;
    /// let last = server.journal().last_lines(1);
    /// assert!(last[0].contains("/b"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn last_lines(&self, most: usize) -> Vec<String> {
        let shown = self.tail(most).entries().into_iter();
        shown.map(ToString::to_string).collect()
    }

    /// Returns the last lines, for people, without pings.
    pub(crate) fn tail(&self, most: usize) -> Tail<'_> {
        Tail {
            entries: &self.entries,
            most,
        }
    }
}

impl Entry {
    /// Writes the entry as one line of JSON.
    pub(crate) fn to_json(&self) -> String {
        // All keys are texts and all numbers are whole, so JSON can express everything.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Last lines of a journal.
pub(crate) struct Tail<'j> {
    entries: &'j [Entry],
    most: usize,
}

impl<'j> Tail<'j> {
    /// Returns the entries that are shown, oldest first.
    fn entries(&self) -> Vec<&'j Entry> {
        let entries = self.entries.iter().rev();
        let shown = entries.filter(|entry| !entry.event.is_ping());
        let mut shown: Vec<&Entry> = shown.take(self.most).collect();
        shown.reverse();
        shown
    }
}

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries()
            .iter()
            .try_for_each(|entry| write!(f, "\n  {entry}"))
    }
}
