//! Making of a recording: runs the cases and writes their transcripts into one file per chapter.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use semver::Version;

use super::{Contestant, Outcome, Recording, RecordingError, RecordingStatus, run};
use crate::suite::Suite;

/// Reason why a recording was not made, or is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The version of the server is unknown, and a recording is named after it.
    #[error("the version of {0} is unknown, so its recording has no name")]
    NoVersion(String),
    /// An existing recording is invalid.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRecording),
    /// Some cases did not complete; all others are recorded.
    #[error("not recorded:\n{}", .0.join("\n"))]
    NotPlayed(Vec<String>),
    /// The operating system reported an error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs on a server the cases that are not recorded yet or have changed since; with `anew`, all cases. Writes
/// one file per chapter into a folder for the server's version in `folder`, and removes cases that no longer
/// exist. Returns the number of cases that ran.
///
/// # Errors
///
/// Returns an error if the server's version is unknown, a case does not complete, or a file cannot be read or
/// written.
pub fn record(
    suite: &Suite,
    server: &Contestant,
    folder: &Path,
    anew: bool,
) -> Result<usize, RecordError> {
    let no_version = || RecordError::NoVersion(server.name());
    let version = server.version().ok_or_else(no_version)?;
    let folder = folder.join(version.to_string());
    fs::create_dir_all(&folder)?;
    let mut recording = Recording::in_folder(&folder)?;
    let suite = suite
        .clone()
        .only(|case| case.too_new_for(&version).is_none());
    for file in chapters(&folder)? {
        if !suite
            .chapters
            .iter()
            .any(|known| chapter_of(&file) == Some(&known.name))
        {
            fs::remove_file(&file)?;
        }
    }
    let cases: BTreeMap<_, _> = suite.cases().map(|case| (&case.id, case)).collect();
    recording.retain(|id| cases.contains_key(id));
    let wanted = suite
        .clone()
        .only(|case| anew || recording.status_of(case) != RecordingStatus::Current);
    let mut played = 0;
    let mut trouble = BTreeMap::new();
    run(&wanted, std::slice::from_ref(server), None, |came| {
        let Some(case) = cases.get(&came.case) else {
            return;
        };
        match came.outcome {
            Outcome::Played { transcript, .. } => {
                recording.insert(case, transcript);
                played += 1;
            }
            Outcome::Skipped(why) | Outcome::Failed { why, .. } => {
                trouble.insert(came.case, why);
            }
        }
    });
    for chapter in &suite.chapters {
        let text = recording.write(&chapter.name);
        fs::write(folder.join(format!("{}.txt", chapter.name)), text)?;
    }
    if trouble.is_empty() {
        Ok(played)
    } else {
        let say = |(id, why)| format!("{id}: {why}");
        Err(RecordError::NotPlayed(
            trouble.into_iter().map(say).collect(),
        ))
    }
}

/// Reason why a folder is not a recording.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableRecording {
    /// The name of the folder is not a version.
    #[error("the name of folder {} is not a version", .0.display())]
    NoVersion(PathBuf),
    /// A file cannot be read.
    #[error("{}: {error}", file.display())]
    Io {
        /// The file or the folder.
        file: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// A file has a line that is invalid.
    #[error("{}: {error}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The error.
        error: RecordingError,
    },
}

impl Recording {
    /// Reads a folder that [`record`] has written; its name is the version.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder is not a recording.
    pub fn in_folder(folder: &Path) -> Result<Self, UnreadableRecording> {
        let version = folder
            .file_name()
            .and_then(|name| Version::parse(name.to_str()?).ok())
            .ok_or_else(|| UnreadableRecording::NoVersion(folder.to_owned()))?;
        let mut recording = Self::new(version);
        let say = |file: &Path| {
            let file = file.to_owned();
            |error| UnreadableRecording::Io { file, error }
        };
        for file in chapters(folder).map_err(say(folder))? {
            let text = fs::read_to_string(&file).map_err(say(&file))?;
            recording
                .read(chapter_of(&file).unwrap_or_default(), &text)
                .map_err(|error| UnreadableRecording::Line { file, error })?;
        }
        Ok(recording)
    }
}

/// Returns the files of a recording.
fn chapters(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if chapter_of(&file).is_some() {
            files.push(file);
        }
    }
    Ok(files)
}

fn chapter_of(file: &Path) -> Option<&str> {
    (file.extension()? == "txt").then_some(())?;
    file.file_stem()?.to_str()
}
