//! Files of cases: a title, a few sentences, and the numbered cases.

use std::fmt;

use super::{Script, ScriptError, Step};
use crate::backend::ServerSetup;

/// A parsed file of scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChapterText {
    /// The first line, without its `#`.
    pub title: String,
    /// The text before the first case.
    pub about: String,
    /// The cases, each with its number.
    pub cases: Vec<(u32, Script)>,
}

/// Requirements of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// The first version that supports the case: `needs: since 3.5`.
    pub since: Option<semver::Version>,
    /// Whether the case restarts the server: `needs: restart`.
    pub restart: bool,
    /// Whether paths are those of the server: `bare`. Otherwise every case has a root of its own.
    pub bare: bool,
    /// Whether the server must be new: `virgin`. Zxids are then compared unchanged, and paths are those of the
    /// server.
    pub virgin: bool,
    /// Whether clients ping only in steps that say so: `quiet`.
    pub quiet: bool,
    /// Whether the harness waits even if the clock can be advanced: `real-time`. Advancing the clock counts as
    /// activity of every session whose connection is up, so it cannot show what keeps a session alive.
    pub real_time: bool,
    /// The server's configuration: `server: quotas`.
    pub server: ServerSetup,
}

impl ChapterText {
    /// Parses a file.
    ///
    /// # Errors
    ///
    /// Returns an error if a line is not a step, or a number is not higher than the one before.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let lines: Vec<(usize, &str)> = text.lines().enumerate().collect();
        let heads: Vec<usize> = lines
            .iter()
            .filter(|(_, line)| line.starts_with("== "))
            .map(|&(at, _)| at)
            .collect();
        let first = heads.first().copied().unwrap_or(lines.len());
        let mut before = lines.get(..first).unwrap_or_default().iter();
        let title = before
            .next()
            .and_then(|(_, line)| line.strip_prefix("# "))
            .unwrap_or_default()
            .to_owned();
        let about: Vec<&str> = before
            .map(|&(_, line)| line)
            .filter(|line| !line.starts_with('#'))
            .collect();
        let mut cases = Vec::new();
        let mut last = 0;
        for (place, &head) in heads.iter().enumerate() {
            let end = heads.get(place + 1).copied().unwrap_or(lines.len());
            let line = lines.get(head).map_or("", |&(_, line)| line);
            let error = |what: &str| ScriptError {
                line: head + 1,
                what: what.to_owned(),
                text: line.to_owned(),
            };
            let (number, title) = line
                .strip_prefix("== ")
                .and_then(|rest| rest.split_once(' '))
                .ok_or_else(|| error("expected a number and a title"))?;
            let number: u32 = number.parse().map_err(|_| error("expected a number"))?;
            if number <= last {
                return Err(error("the number is not higher than the one before"));
            }
            last = number;
            let body = lines.get(head + 1..end).unwrap_or_default();
            cases.push((number, script(title.to_owned(), body.iter().copied())?));
        }
        Ok(Self {
            title,
            about: about.join("\n").trim().to_owned(),
            cases,
        })
    }
}

/// Parses headers and steps. Empty lines and lines that begin with `#` are ignored.
pub(super) fn script<'a>(
    title: String,
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Script, ScriptError> {
    let mut headers = Headers::default();
    let mut steps = Vec::new();
    for (at, whole) in lines {
        let line = whole.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let header = if steps.is_empty() {
            headers.take(line)
        } else {
            Ok(false)
        };
        let step = header.and_then(|taken| {
            if taken {
                Ok(None)
            } else {
                Step::parse(line).map(Some)
            }
        });
        match step {
            Ok(step) => steps.extend(step),
            Err(what) => {
                return Err(ScriptError {
                    line: at + 1,
                    what,
                    text: line.to_owned(),
                });
            }
        }
    }
    Ok(Script {
        title,
        headers,
        steps,
    })
}

impl Headers {
    /// Parses a line if it is a header.
    fn take(&mut self, line: &str) -> Result<bool, String> {
        match line.split_once(": ") {
            Some(("needs", needs)) => {
                for need in needs.split(',').map(str::trim) {
                    match need.split_once(' ') {
                        Some(("since", version)) => self.since = Some(parse_version(version)?),
                        None if need == "restart" => self.restart = true,
                        _ => return Err(format!("`{need}` is not a requirement")),
                    }
                }
            }
            Some(("server", name)) => {
                self.server = ServerSetup::ALL
                    .into_iter()
                    .find(|setup| setup.name() == name)
                    .ok_or_else(|| format!("`{name}` is not a configuration of a server"))?;
            }
            None if line == "bare" => self.bare = true,
            None if line == "virgin" => self.virgin = true,
            None if line == "quiet" => self.quiet = true,
            None if line == "real-time" => self.real_time = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Parses a version; `3.5` is 3.5.0.
pub(crate) fn parse_version(text: &str) -> Result<semver::Version, String> {
    let dots = text.matches('.').count();
    let full = match dots {
        0 => format!("{text}.0.0"),
        1 => format!("{text}.0"),
        _ => text.to_owned(),
    };
    semver::Version::parse(&full).map_err(|error| format!("`{text}` is not a version: {error}"))
}

impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut needs = Vec::new();
        if let Some(since) = &self.since {
            let text = since.to_string();
            needs.push(format!(
                "since {}",
                text.strip_suffix(".0").unwrap_or(&text)
            ));
        }
        if self.restart {
            needs.push("restart".to_owned());
        }
        if !needs.is_empty() {
            writeln!(f, "needs: {}", needs.join(", "))?;
        }
        if self.server != ServerSetup::Usual {
            writeln!(f, "server: {}", self.server.name())?;
        }
        for (said, word) in [
            (self.bare, "bare"),
            (self.virgin, "virgin"),
            (self.quiet, "quiet"),
            (self.real_time, "real-time"),
        ] {
            if said {
                writeln!(f, "{word}")?;
            }
        }
        Ok(())
    }
}
