//! Recordings: the transcripts of a real ZooKeeper as text, so that other servers can be compared with it
//! without Java.
//!
//! There is one file per chapter, `harness/recorded/VERSION/CHAPTER.txt`:
//!
//! ```text
//! == 1 a deleted znode fires its data watch once
//! of 5fe2a2c4e0f1b3d7
//!   a: connect
//!   a:   -> session-1 timeout=10000 password of 16 bytes read-only=no protocol=0
//! ```
//!
//! `of` is a hash of the case's text, which distinguishes a case that has changed since from one that the
//! server now runs differently. A case written in Rust has no text, and its hash is omitted.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use include_dir::{Dir, include_dir};
use semver::Version;
use sha2::{Digest, Sha256};

use super::Outcome;
use crate::suite::{Case, CaseId};
use crate::transcript::Transcript;

/// The built-in recordings.
static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/recorded");

/// Script of a case without text: the case is written in Rust.
const IN_RUST: &str = "a case written in Rust";

/// Recording of one version.
#[derive(Clone)]
pub struct Recording {
    version: Version,
    cases: Arc<BTreeMap<CaseId, Recorded>>,
}

/// Recording of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Recorded {
    /// Title of the case when it was recorded.
    title: String,
    /// Hash of the text that was run.
    script: String,
    /// The transcript.
    transcript: Transcript,
}

/// State of a case with regard to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingStatus {
    /// The case was recorded with its current text.
    Current,
    /// The case was recorded with another text.
    OfAnotherText,
    /// The case is not recorded.
    Missing,
}

/// An invalid line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: unexpected line `{text}`")]
pub struct RecordingError {
    /// Line number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl Recording {
    /// Creates a recording without cases.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            cases: Arc::default(),
        }
    }

    /// Returns a built-in recording.
    ///
    /// # Panics
    ///
    /// Panics if a file is invalid; a test reads them all.
    #[must_use]
    pub fn builtin(version: &str) -> Option<Self> {
        let mut recording = Self::new(Version::parse(version).ok()?);
        for file in BUILTIN.get_dir(version)?.files() {
            let name = file.path().file_stem()?.to_str()?;
            recording
                .read(name, file.contents_utf8()?)
                .unwrap_or_else(|error| panic!("{}, {error}", file.path().display()));
        }
        Some(recording)
    }

    /// Returns the versions of the built-in recordings.
    #[must_use]
    pub fn builtin_versions() -> Vec<String> {
        BUILTIN
            .dirs()
            .map(|folder| folder.path().display().to_string())
            .collect()
    }

    /// Returns the version that was recorded.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Adds the cases of a chapter's file.
    ///
    /// # Errors
    ///
    /// Returns an error if a line is invalid.
    pub fn read(&mut self, chapter: &str, text: &str) -> Result<(), RecordingError> {
        let mut lines = text
            .split('\n')
            .zip(1..)
            .skip_while(|(text, _)| !text.starts_with("== "));
        let cases = Arc::make_mut(&mut self.cases);
        let mut last: Option<CaseId> = None;
        while let Some((text, line)) = lines.next() {
            let error = || RecordingError {
                line,
                text: text.to_owned(),
            };
            if let Some(noted) = text.strip_prefix("  ") {
                let recorded = last.as_ref().and_then(|id| cases.get_mut(id));
                recorded.ok_or_else(error)?.transcript.push(noted);
            } else if let Some(head) = text.strip_prefix("== ") {
                let (number, title) = head.split_once(' ').ok_or_else(error)?;
                let id = CaseId {
                    chapter: chapter.to_owned(),
                    number: number.parse().map_err(|_| error())?,
                };
                let of = lines.next().and_then(|(text, _)| text.strip_prefix("of "));
                let recorded = Recorded {
                    title: title.to_owned(),
                    script: of.ok_or_else(error)?.to_owned(),
                    transcript: Transcript::default(),
                };
                cases.insert(id.clone(), recorded);
                last = Some(id);
            } else if !text.is_empty() {
                return Err(error());
            }
        }
        Ok(())
    }

    /// Formats a chapter's file, with the cases in order.
    #[must_use]
    pub fn write(&self, chapter: &str) -> String {
        let mut text = format!(
            "# What ZooKeeper {} did in the chapter `{chapter}`.\n\
             # Written by `minikeeper-harness record-transcripts`, not by hand.\n",
            self.version
        );
        for (id, recorded) in &*self.cases {
            if id.chapter == chapter {
                let Recorded { title, script, .. } = recorded;
                let _ = write!(text, "\n== {} {title}\nof {script}\n", id.number);
                for line in recorded.transcript.lines() {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
        text
    }

    /// Stores the transcript of a case, replacing an earlier one.
    pub fn insert(&mut self, case: &Case, transcript: Transcript) {
        let recorded = Recorded {
            title: case.title.clone(),
            script: script_of(case),
            transcript,
        };
        Arc::make_mut(&mut self.cases).insert(case.id.clone(), recorded);
    }

    /// Removes every case for which `keep` returns `false`.
    pub fn retain(&mut self, mut keep: impl FnMut(&CaseId) -> bool) {
        Arc::make_mut(&mut self.cases).retain(|id, _| keep(id));
    }

    /// Returns the recorded cases.
    pub fn cases(&self) -> impl Iterator<Item = &CaseId> {
        self.cases.keys()
    }

    /// Returns the state of a case with regard to the recording.
    #[must_use]
    pub fn status_of(&self, case: &Case) -> RecordingStatus {
        match self.cases.get(&case.id) {
            None => RecordingStatus::Missing,
            Some(recorded) if recorded.script == script_of(case) => RecordingStatus::Current,
            Some(_) => RecordingStatus::OfAnotherText,
        }
    }

    /// Returns the recorded outcome of a case.
    #[must_use]
    pub fn outcome(&self, case: &Case) -> Outcome {
        if let Some(since) = case.too_new_for(&self.version) {
            return Outcome::Skipped(format!("needs ZooKeeper {since}"));
        }
        match (self.status_of(case), self.cases.get(&case.id)) {
            (RecordingStatus::Current, Some(recorded)) => Outcome::Played {
                transcript: recorded.transcript.clone(),
                took: Duration::ZERO,
            },
            (RecordingStatus::OfAnotherText, _) => {
                Outcome::Skipped("the case has changed since it was recorded".to_owned())
            }
            (RecordingStatus::Current | RecordingStatus::Missing, _) => {
                Outcome::Skipped("not recorded".to_owned())
            }
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("version", &self.version)
            .field("cases", &self.cases.len())
            .finish()
    }
}

/// Hash of a case's text. It leaves out the versions that can run the case, because they do not affect the
/// behaviour of this one.
fn script_of(case: &Case) -> String {
    let Some(script) = case.script() else {
        return IN_RUST.to_owned();
    };
    let mut script = script.clone();
    script.headers.since = None;
    let digest = Sha256::digest(script.to_string());
    let mut text = String::new();
    for byte in digest.iter().take(8) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::{Recording, RecordingStatus};
    use crate::judge::Outcome;
    use crate::suite::Chapter;
    use crate::transcript::Transcript;

    fn chapter(text: &str) -> Chapter {
        Chapter::parse("watch", text).expect("a chapter")
    }

    #[test]
    fn a_recording_parses_as_it_was_written() {
        let chapter = chapter("# Watches\n== 1 one\na: create /x\n== 12 another\na: ping\n");
        let mut recording = Recording::new(Version::new(3, 9, 5));
        let lines = [
            "a: create /x",
            "a:   -> ok at z1 /x",
            "",
            "== 3",
            "of what ",
        ];
        let transcript: Transcript = lines.into_iter().collect();
        for case in &chapter.cases {
            recording.insert(case, transcript.clone());
        }
        let text = recording.write("watch");
        let mut read = Recording::new(Version::new(3, 9, 5));
        read.read("watch", &text).expect("a recording");
        assert_eq!(read.write("watch"), text);
        for case in &chapter.cases {
            let Outcome::Played { transcript, .. } = read.outcome(case) else {
                panic!("{} is recorded", case.id);
            };
            assert_eq!(transcript.lines(), lines);
        }
    }

    #[test]
    fn a_changed_case_differs_from_one_that_is_not_recorded() {
        let of = |text: &str| chapter(&format!("# Watches\n== 1 one\n{text}\n"));
        let mut recording = Recording::new(Version::new(3, 9, 5));
        let case = |text| of(text).cases.remove(0);
        assert_eq!(
            recording.status_of(&case("a: ping")),
            RecordingStatus::Missing
        );
        recording.insert(&case("a: ping"), Transcript::default());
        assert_eq!(
            recording.status_of(&case("a: ping")),
            RecordingStatus::Current
        );
        assert_eq!(
            recording.status_of(&case("needs: since 3.5\na: ping")),
            RecordingStatus::Current
        );
        assert_eq!(
            recording.status_of(&case("a: whoAmI")),
            RecordingStatus::OfAnotherText
        );
        assert_eq!(
            recording.status_of(&case("quiet\na: ping")),
            RecordingStatus::OfAnotherText
        );
    }

    #[test]
    fn the_built_in_recordings_are_valid() {
        for version in Recording::builtin_versions() {
            assert!(Recording::builtin(&version).is_some(), "{version}");
        }
    }
}
