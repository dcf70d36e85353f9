//! What a real ZooKeeper did in every case, kept as text, so that others can be judged by it where there is no Java.
//!
//! One file a chapter, `harness/recorded/VERSION/CHAPTER.txt`:
//!
//! ```text
//! == 1 a deleted znode fires its data watch once
//! of 5fe2a2c4e0f1b3d7
//!   a: connect
//!   a:   -> session-1 timeout=10000 password of 16 bytes read-only=no protocol=0
//! ```
//!
//! `of` says which text was played, so that a case that has changed since is told from one that the server plays
//! differently now. A case written in Rust has no text, and none is kept.

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

/// The recordings that come with the harness.
static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/recorded");

/// The script of a case whose text is not known: it is written in Rust.
const IN_RUST: &str = "a case written in Rust";

/// What one version did.
#[derive(Clone)]
pub struct Recording {
    version: Version,
    cases: Arc<BTreeMap<CaseId, Recorded>>,
}

/// What was recorded of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Recorded {
    /// What the case was called then.
    title: String,
    /// Known by which the text was that was played.
    script: String,
    /// What came of it.
    transcript: Transcript,
}

/// How a case stands to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was recorded as it is now.
    Current,
    /// It was recorded when it was another text.
    OfAnotherText,
    /// It was not recorded.
    Missing,
}

/// A line of a recording that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}` is not what a recording has here")]
pub struct RecordingError {
    /// Counted from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl Recording {
    /// A recording without cases.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            cases: Arc::default(),
        }
    }

    /// One that comes with the harness.
    ///
    /// # Panics
    ///
    /// If a file is no recording; a test reads them all.
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

    /// The versions of which a recording comes with the harness.
    #[must_use]
    pub fn builtin_versions() -> Vec<String> {
        BUILTIN
            .dirs()
            .map(|folder| folder.path().display().to_string())
            .collect()
    }

    /// The version that was recorded.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Adds what one chapter's file has.
    ///
    /// # Errors
    ///
    /// If a line makes no sense.
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

    /// What one chapter's file has to have: the cases in order.
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

    /// Keeps what came of a case, instead of what was recorded before.
    pub fn insert(&mut self, case: &Case, transcript: Transcript) {
        let recorded = Recorded {
            title: case.title.clone(),
            script: script_of(case),
            transcript,
        };
        Arc::make_mut(&mut self.cases).insert(case.id.clone(), recorded);
    }

    /// Forgets every case for which `keep` does not say otherwise.
    pub fn retain(&mut self, mut keep: impl FnMut(&CaseId) -> bool) {
        Arc::make_mut(&mut self.cases).retain(|id, _| keep(id));
    }

    /// The cases that are recorded.
    pub fn cases(&self) -> impl Iterator<Item = &CaseId> {
        self.cases.keys()
    }

    /// Whether a case is recorded as it is now.
    #[must_use]
    pub fn standing(&self, case: &Case) -> Standing {
        match self.cases.get(&case.id) {
            None => Standing::Missing,
            Some(recorded) if recorded.script == script_of(case) => Standing::Current,
            Some(_) => Standing::OfAnotherText,
        }
    }

    /// What came of a case when it was recorded.
    #[must_use]
    pub fn outcome(&self, case: &Case) -> Outcome {
        if let Some(since) = case.too_new_for(&self.version) {
            return Outcome::Skipped(format!("needs ZooKeeper {since}"));
        }
        match (self.standing(case), self.cases.get(&case.id)) {
            (Standing::Current, Some(recorded)) => Outcome::Played {
                transcript: recorded.transcript.clone(),
                took: Duration::ZERO,
            },
            (Standing::OfAnotherText, _) => {
                Outcome::Skipped("recorded for another text".to_owned())
            }
            (Standing::Current | Standing::Missing, _) => {
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

/// What the text of a case is known by. The versions that can play it are not part of it: they change nothing of what
/// this one did.
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

    use super::{Recording, Standing};
    use crate::judge::Outcome;
    use crate::suite::Chapter;
    use crate::transcript::Transcript;

    fn chapter(text: &str) -> Chapter {
        Chapter::parse("watch", text).expect("a chapter")
    }

    #[test]
    fn a_recording_is_read_as_it_was_written() {
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
    fn a_case_that_has_changed_is_told_from_one_that_was_never_recorded() {
        let of = |text: &str| chapter(&format!("# Watches\n== 1 one\n{text}\n"));
        let mut recording = Recording::new(Version::new(3, 9, 5));
        let case = |text| of(text).cases.remove(0);
        assert_eq!(recording.standing(&case("a: ping")), Standing::Missing);
        recording.insert(&case("a: ping"), Transcript::default());
        assert_eq!(recording.standing(&case("a: ping")), Standing::Current);
        assert_eq!(
            recording.standing(&case("needs: since 3.5\na: ping")),
            Standing::Current
        );
        assert_eq!(
            recording.standing(&case("a: whoAmI")),
            Standing::OfAnotherText
        );
        assert_eq!(
            recording.standing(&case("quiet\na: ping")),
            Standing::OfAnotherText
        );
    }

    #[test]
    fn what_comes_with_the_harness_can_be_read() {
        for version in Recording::builtin_versions() {
            assert!(Recording::builtin(&version).is_some(), "{version}");
        }
    }
}
