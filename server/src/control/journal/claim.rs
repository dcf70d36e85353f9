//! Claims of a test about the journal.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Entry, Journal};
use crate::control::event_kind::EventKind;
use crate::control::matcher::Matcher;
use crate::control::near::Near;

/// Claim of a test about the journal, as a value. The `assert_...` methods of [`Journal`] are shorter.
///
/// ```
/// use minikeeper::{Matcher, Server, journal::Claim};
///
/// let server = Server::start()?;
/// assert!(server.journal().check(&Claim::AtMost { matcher: Matcher::watch_event(), count: 3 }).is_ok());
/// assert!(server.journal().check(&Claim::Exactly { matcher: Matcher::watch_event(), count: 3 }).is_err());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "claim", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Claim {
    /// Matching events passed in this order, with others in between.
    Sequence {
        /// Matchers of the events, in order.
        steps: Vec<Matcher>,
    },
    /// Exactly this many events match.
    Exactly {
        /// Matcher of the events.
        matcher: Matcher,
        /// Number of events.
        count: usize,
    },
    /// At most this many events match.
    AtMost {
        /// Matcher of the events.
        matcher: Matcher,
        /// Number of events.
        count: usize,
    },
}

/// Reason why a claim does not hold, with the lines of the journal that show it.
///
/// ```
/// use minikeeper::{Matcher, Server, journal::Claim};
///
/// let server = Server::start()?;
/// let claim = Claim::Sequence { steps: vec![Matcher::watch_event()] };
/// let broken = server.journal().check(&claim).unwrap_err();
/// assert!(broken.to_string().starts_with("step 1 of 1 never passed: Matcher::watch_event()"));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClaimBroken(String);

/// Maximum number of lines that a message shows.
const SHOWN: usize = 30;

impl Journal {
    /// Checks a claim.
    ///
    /// # Errors
    ///
    /// If the claim does not hold, if too few entries were recorded to decide (see [`is_whole`](Self::is_whole)),
    /// or if no event can ever match (see [`NeverMatches`](crate::matcher::NeverMatches)).
    pub fn check(&self, claim: &Claim) -> Result<(), ClaimBroken> {
        match claim {
            Claim::Sequence { steps } => self.check_sequence(steps),
            Claim::Exactly { matcher, count } => self.check_count(matcher, *count, true),
            Claim::AtMost { matcher, count } => self.check_count(matcher, *count, false),
        }
    }

    /// Asserts that matching events passed in this order, with others in between.
    ///
    /// # Panics
    ///
    /// If they did not (the message shows how far the sequence went), or if no event can ever match.
    ///
    /// ```
    /// use minikeeper::{Matcher, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.create("/a", b"")?;
    /// server.create("/b", b"")?;
    /// let wrote = Matcher::of(EventKind::Wrote);
    /// server.journal().assert_sequence([wrote.clone().path("/a"), wrote.path("/b")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_sequence(&self, steps: impl IntoIterator<Item = Matcher>) {
        let steps: Vec<Matcher> = steps.into_iter().collect();
        assert_holds(self.check_sequence(&steps));
    }

    /// Asserts that exactly this many events match.
    ///
    /// # Panics
    ///
    /// If the number differs (the message shows the matches), if too few entries were recorded to decide, or if no
    /// event can ever match.
    ///
    /// ```
    /// use minikeeper::{Matcher, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.create("/a", b"")?;
    /// server.journal().assert_count(Matcher::of(EventKind::Wrote), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_count(&self, matcher: impl Into<Matcher>, count: usize) {
        assert_holds(self.check_count(&matcher.into(), count, true));
    }

    /// Asserts that at most this many events match.
    ///
    /// # Panics
    ///
    /// If there were more (the message shows them), if too few entries were recorded to decide, or if no event can ever
    /// match.
    ///
    /// ```
    /// use minikeeper::{Matcher, Op};
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.journal().assert_at_most(Matcher::request(Op::Create), 1);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn assert_at_most(&self, matcher: impl Into<Matcher>, count: usize) {
        assert_holds(self.check_count(&matcher.into(), count, false));
    }

    /// Asserts that no event matches.
    ///
    /// # Panics
    ///
    /// If an event matches (the message shows it), if too few entries were recorded to decide, or if no event can ever
    /// match.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// minikeeper::Server::start()?.journal().assert_never(Matcher::watch_event().path("/locks/**"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn assert_never(&self, matcher: impl Into<Matcher>) {
        assert_holds(self.check_count(&matcher.into(), 0, true));
    }

    /// Refuses a claim about events that can never match.
    fn check_possible(&self, matcher: &Matcher) -> Result<(), ClaimBroken> {
        let checked = matcher.check(&self.known, &EventKind::ALL);
        checked.map_err(|never| ClaimBroken(format!("the claim says nothing: {never}")))
    }

    fn check_sequence(&self, steps: &[Matcher]) -> Result<(), ClaimBroken> {
        steps
            .iter()
            .try_for_each(|step| self.check_possible(step))?;
        let mut rest = &self.entries[..];
        let mut found: Vec<&Entry> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let passed = rest.iter().position(|entry| entry.matches(step));
            let Some(passed) = passed else {
                let (at, steps) = (at + 1, steps.len());
                let mut message = format!(
                    "step {at} of {steps} never passed: {step}; {}",
                    near(step, rest)
                );
                show(&mut message, "passed before it", &found);
                let after: Vec<&Entry> = rest.iter().collect();
                show(&mut message, "passed since", &after);
                message += &self.missing_entries();
                return Err(ClaimBroken(message));
            };
            found.extend(rest.get(passed));
            rest = rest.get(passed + 1..).unwrap_or_default();
        }
        Ok(())
    }

    fn check_count(
        &self,
        matcher: &Matcher,
        count: usize,
        exactly: bool,
    ) -> Result<(), ClaimBroken> {
        self.check_possible(matcher)?;
        let found: Vec<&Entry> = self.matching(matcher).collect();
        let holds = found.len() == count || (!exactly && found.len() < count);
        if holds && self.is_whole() {
            return Ok(());
        }
        let at_most = if exactly || count == 0 {
            ""
        } else {
            "at most "
        };
        let mut message = format!(
            "wanted {at_most}{}, passed {}: {matcher}",
            times(count),
            times(found.len()),
        );
        if found.len() < count {
            message += &format!("; {}", near(matcher, &self.entries));
        }
        show(&mut message, "these passed", &found);
        message += &self.missing_entries();
        Err(ClaimBroken(message))
    }

    /// Explains which entries are missing to decide a claim.
    fn missing_entries(&self) -> String {
        if self.is_whole() {
            return String::new();
        }
        match self.entries.first() {
            None => {
                "\nthe claim cannot be decided: the journal is off, or no entry of that time was recorded"
                    .to_owned()
            }
            Some(first) => format!(
                "\nthe claim cannot be decided: entries before number {} are gone; JournalMode::Full records \
                 everything, and \
                 since(mark) limits the claim to later entries",
                first.number
            ),
        }
    }
}

#[track_caller]
fn assert_holds(checked: Result<(), ClaimBroken>) {
    if let Err(broken) = checked {
        panic!("{broken}");
    }
}

/// Describes the nearest misses among these entries.
fn near(matcher: &Matcher, entries: &[Entry]) -> String {
    let mut near = Near::default();
    let mut matched = 0;
    for entry in entries {
        if entry.matches(matcher) {
            near.matched();
            matched += 1;
        } else {
            near.note(matcher, &entry.client(), &entry.event);
        }
    }
    near.describe(matcher.kind, matched)
}

/// Number of times, in words.
pub(crate) fn times(count: usize) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// Adds the last of these lines.
pub(crate) fn show(message: &mut String, title: &str, entries: &[&Entry]) {
    if entries.is_empty() {
        return;
    }
    let _ = write!(message, "\n{title}:");
    let skipped = entries.len().saturating_sub(SHOWN);
    if skipped > 0 {
        let _ = write!(message, "\n  ({skipped} lines before these)");
    }
    for entry in entries.iter().skip(skipped) {
        let _ = write!(message, "\n  {entry}");
    }
}

/// The claim in words: `at most once: Matcher::watch_event()`.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence { steps } => {
                let steps: Vec<String> = steps.iter().map(Matcher::to_string).collect();
                write!(f, "in this order: {}", steps.join(", "))
            }
            Self::Exactly { matcher, count } => write!(f, "{}: {matcher}", times(*count)),
            Self::AtMost { matcher, count: 0 } => write!(f, "never: {matcher}"),
            Self::AtMost { matcher, count } => write!(f, "at most {}: {matcher}", times(*count)),
        }
    }
}
