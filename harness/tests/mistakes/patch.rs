//! The patch: unified diffs, one for each changed place.
//!
//! A hunk has as many lines of context as make its place unique in the file, often none. It is placed by its lines
//! alone, never by its line numbers, so that it survives edits nearby.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use diffy::{DiffOptions, Line, Patch};
use regex::Regex;

use super::FUNCTION;

/// One changed place of one file. All lines include their line breaks.
#[derive(Clone, Debug)]
pub(crate) struct Hunk {
    /// The changed file, relative to the repository.
    pub(crate) file: PathBuf,
    /// Number of the first line of the context, from 1, at the time when the patch was written.
    line: usize,
    before: Vec<String>,
    removed: Vec<String>,
    added: Vec<String>,
    after: Vec<String>,
}

impl Hunk {
    /// Reads a patch.
    ///
    /// # Errors
    ///
    /// If a part of it is no unified diff, or has more than one hunk.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let mut sections = Vec::new();
        for line in text.split_inclusive('\n') {
            match line.starts_with('#') {
                true => sections.push(String::new()),
                false => sections.last_mut().ok_or("no heading")?.push_str(line),
            }
        }
        let section = |text: &String| {
            let patch = Patch::from_str(text).map_err(|error| format!("{error} in\n{text}"))?;
            let [hunk] = patch.hunks() else {
                return Err(format!("more than one hunk below one heading:\n{text}"));
            };
            let mut parsed = Self {
                file: patch.original().ok_or("no file name")?.into(),
                line: hunk.old_range().start(),
                before: Vec::new(),
                removed: Vec::new(),
                added: Vec::new(),
                after: Vec::new(),
            };
            for line in hunk.lines() {
                let (lines, line) = match line {
                    Line::Delete(line) => (&mut parsed.removed, line),
                    Line::Insert(line) => (&mut parsed.added, line),
                    Line::Context(line) if parsed.added.is_empty() && parsed.removed.is_empty() => {
                        (&mut parsed.before, line)
                    }
                    Line::Context(line) => (&mut parsed.after, line),
                };
                lines.push((*line).to_owned());
            }
            Ok(parsed)
        };
        sections.iter().map(section).collect()
    }

    /// Names of the mistakes that the hunk adds.
    pub(crate) fn names(&self) -> Vec<String> {
        static MISTAKE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r#"mistake\("([a-z0-9-]+)"\)"#).expect("a valid pattern"));
        let added = self.added.concat();
        let names = MISTAKE.captures_iter(&added);
        names.map(|found| found[1].to_owned()).collect()
    }

    /// Index of the first line of the hunk's context in the file.
    ///
    /// # Errors
    ///
    /// If the file does not contain the hunk's lines exactly once.
    pub(crate) fn place(&self, text: &str) -> Result<usize, String> {
        let old = [&*self.before, &self.removed, &self.after].concat();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let places: Vec<usize> = places(&old, &lines).collect();
        match *places {
            [place] => Ok(place),
            _ => Err(format!(
                "the change of {} does not fit {}: its lines, once from line {}, occur {} times",
                self.title(),
                self.file.display(),
                self.line,
                places.len(),
            )),
        }
    }

    fn title(&self) -> String {
        match &*self.names() {
            [] => FUNCTION.to_owned(),
            names => names.join(", "),
        }
    }
}

impl fmt::Display for Hunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let context = self.before.len() + self.after.len();
        let (old, new) = (context + self.removed.len(), context + self.added.len());
        writeln!(f, "# {}\n--- {file}\n+++ {file}", self.title())?;
        writeln!(f, "@@ -{},{old} +{},{new} @@", self.line, self.line)?;
        let parts = [
            (' ', &self.before),
            ('-', &self.removed),
            ('+', &self.added),
            (' ', &self.after),
        ];
        for (sign, lines) in parts {
            for line in lines {
                write!(f, "{sign}{line}")?;
            }
        }
        Ok(())
    }
}

/// The result of applying a patch.
pub(crate) struct Applied<'h> {
    /// The new text of each changed file.
    pub(crate) files: BTreeMap<PathBuf, String>,
    /// The hunks that do not fit, with the reason.
    pub(crate) stale: Vec<(&'h Hunk, String)>,
}

/// Applies the hunks to the files below `root`, without writing them.
pub(crate) fn apply<'h>(hunks: &'h [Hunk], root: &Path) -> io::Result<Applied<'h>> {
    let mut files: BTreeMap<&Path, Vec<&Hunk>> = BTreeMap::new();
    for hunk in hunks {
        files.entry(&hunk.file).or_default().push(hunk);
    }
    let mut applied = Applied {
        files: BTreeMap::new(),
        stale: Vec::new(),
    };
    for (file, hunks) in files {
        let file = root.join(file);
        let text = fs::read_to_string(&file)?;
        // All places are looked up in the original text, so that no hunk depends on another.
        let mut placed = Vec::new();
        for hunk in hunks {
            match hunk.place(&text) {
                Ok(place) => placed.push((place + hunk.before.len(), hunk)),
                Err(why) => applied.stale.push((hunk, why)),
            }
        }
        placed.sort_by_key(|(place, _)| *place);
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        for (place, hunk) in placed.into_iter().rev() {
            let added = hunk.added.iter().map(String::as_str);
            lines.splice(place..place + hunk.removed.len(), added);
        }
        applied.files.insert(file, lines.concat());
    }
    Ok(applied)
}

/// Finds the differences between the files of a folder below `original` and below `edited`.
///
/// # Errors
///
/// If files cannot be read, or a difference does not say which mistake it is.
pub(crate) fn between(original: &Path, edited: &Path, folder: &str) -> io::Result<Vec<Hunk>> {
    let mut hunks = Vec::new();
    for file in files_below(&edited.join(folder))? {
        let file = file.strip_prefix(edited).map_err(io::Error::other)?;
        let new = fs::read_to_string(edited.join(file))?;
        let old = fs::read_to_string(original.join(file))
            .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
        if old != new {
            hunks.extend(between_texts(file, &old, &new));
        }
    }
    let unnamed =
        |hunk: &&Hunk| hunk.names().is_empty() && !hunk.added.concat().contains("fn mistake(");
    match hunks.iter().find(unnamed) {
        None => Ok(hunks),
        Some(hunk) => Err(io::Error::other(format!(
            "this change names no mistake; add `mistake(\"NAME\")`, in a comment if need be:\n{hunk}"
        ))),
    }
}

/// Finds the differences between two versions of a file.
fn between_texts(file: &Path, old: &str, new: &str) -> Vec<Hunk> {
    let mut options = DiffOptions::new();
    options.set_context_len(old.len());
    let patch = options.create_patch(old, new);
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let mut hunks = Vec::new();
    let mut at = 0;
    let mut removed = Vec::new();
    let mut added = Vec::new();
    let lines = patch.hunks().iter().flat_map(|hunk| hunk.lines());
    // The end of the file closes the last difference, as a common line does.
    for line in lines.copied().chain([Line::Context("")]) {
        match line {
            Line::Delete(line) => removed.push(line.to_owned()),
            Line::Insert(line) => added.push(line.to_owned()),
            Line::Context(_) => {
                if !removed.is_empty() || !added.is_empty() {
                    let (removed, added) =
                        (std::mem::take(&mut removed), std::mem::take(&mut added));
                    hunks.push(with_context(file, &old, at, removed, added));
                    at += hunks.last().map_or(0, |hunk| hunk.removed.len());
                }
                at += 1;
            }
        }
    }
    hunks
}

/// Makes a hunk of a change at the line `at`, with as little context as makes its place unique.
fn with_context(
    file: &Path,
    old: &[&str],
    at: usize,
    removed: Vec<String>,
    added: Vec<String>,
) -> Hunk {
    let end = at + removed.len();
    let owned = |lines: std::ops::Range<usize>| {
        let lines = old.get(lines).unwrap_or_default().iter();
        lines.map(|line| (*line).to_owned()).collect()
    };
    let mut context = 0;
    loop {
        let (first, last) = (at.saturating_sub(context), old.len().min(end + context));
        let window: Vec<String> = owned(first..last);
        let is_unique = places(&window, old).nth(1).is_none() && !window.is_empty();
        if is_unique || window.len() == old.len() {
            return Hunk {
                file: file.to_owned(),
                line: first + 1,
                before: owned(first..at),
                removed,
                added,
                after: owned(end..last),
            };
        }
        context += 1;
    }
}

/// Indices in `lines` at which `wanted` begins.
fn places(wanted: &[String], lines: &[&str]) -> impl Iterator<Item = usize> {
    let windows = lines.windows(wanted.len().max(1)).enumerate();
    windows
        .filter(move |(_, window)| *window == wanted)
        .map(|(at, _)| at)
}

/// All files below a folder, in order.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
