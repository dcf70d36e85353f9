//! The record of instructions per request in the repository, to which later counts are compared.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::Row;

/// Growth of a count, in percent, from which on it needs a new record in the same commit.
const MOST_GROWTH: f64 = 3.0;

/// Counts, and the tools with which they were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Tools and processor: with others, the counts differ. By name: `rustc`, `libc`, `valgrind`, `processor`.
    pub tools: BTreeMap<String, String>,
    /// Instructions per request, by operation.
    pub instructions: BTreeMap<String, f64>,
}

/// Result of a comparison of counts with a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// A line for each count that differs or is missing, or the reason why nothing was compared.
    pub text: String,
    /// Whether a count has grown too much, or is on one side only.
    pub has_grown: bool,
}

impl Record {
    /// Makes a record of the counts in a row, with the tools of this machine.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let counts = row.values.iter();
        Self {
            tools: tools(),
            instructions: counts
                .map(|value| (value.of.clone(), value.median.round()))
                .collect(),
        }
    }

    /// Reads a record from a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no record.
    pub fn read(file: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    /// Writes the record to a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        fs::write(file, serde_json::to_string_pretty(self)? + "\n")
    }

    /// Compares new counts with this record. With other tools, differences are reported and are no growth.
    #[must_use]
    pub fn compare(&self, new: &Self) -> Comparison {
        let mut text = String::new();
        let mut has_grown = false;
        let mut say = |line: String| text += &format!("{line}\n");
        if new.instructions.is_empty() {
            say("nothing was counted, so nothing is compared".to_owned());
        }
        let has_same_tools = self.tools == new.tools;
        if !has_same_tools {
            let (recorded, here) = (&self.tools, &new.tools);
            say(format!("recorded with {recorded:?}, counted with {here:?}"));
        }
        for name in new.instructions.keys() {
            if !self.instructions.contains_key(name) {
                say(format!("{name}: counted, and not recorded"));
                has_grown = true;
            }
        }
        for (name, recorded) in &self.instructions {
            match new.instructions.get(name) {
                None if new.instructions.is_empty() => {}
                None => {
                    say(format!("{name}: recorded, and not counted"));
                    has_grown = true;
                }
                Some(counted) => {
                    let percent = (counted / recorded - 1.0) * 100.0;
                    if percent.abs() > MOST_GROWTH {
                        say(format!(
                            "{name}: {recorded} recorded, {counted} counted, {percent:+.1} %"
                        ));
                    }
                    has_grown |= has_same_tools && percent > MOST_GROWTH;
                }
            }
        }
        Comparison { text, has_grown }
    }
}

/// Returns the tools of this machine on which counts depend.
fn tools() -> BTreeMap<String, String> {
    let first_line = |command: &str, argument: &str| {
        let output = Command::new(command).arg(argument).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().map(str::to_owned)
    };
    // Valgrind shows programs a processor like the one of the machine.
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    [
        ("rustc", first_line("rustc", "--version")),
        ("libc", first_line("ldd", "--version")),
        ("valgrind", first_line("valgrind", "--version")),
        ("processor", processor),
    ]
    .into_iter()
    .map(|(name, found)| {
        (
            name.to_owned(),
            found.unwrap_or_else(|| "unknown".to_owned()),
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(rustc: &str, counts: &[(&str, f64)]) -> Record {
        let owned = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        Record {
            tools: [("rustc".to_owned(), rustc.to_owned())].into(),
            instructions: owned.collect(),
        }
    }

    #[test]
    fn a_growth_of_more_than_3_percent_is_one() {
        let old = record("1.95", &[("getData", 1000.0), ("create", 4000.0)]);
        let compare = |rustc, get, create| {
            let comparison = old.compare(&record(rustc, &[("getData", get), ("create", create)]));
            (comparison.has_grown, comparison.text.lines().count())
        };
        assert_eq!(compare("1.95", 1029.0, 3900.0), (false, 0));
        assert_eq!(compare("1.95", 1031.0, 4000.0), (true, 1));
        assert_eq!(compare("1.95", 500.0, 4000.0), (false, 1), "it has shrunk");
        assert_eq!(compare("1.96", 2000.0, 4000.0), (false, 2), "other tools");
    }

    #[test]
    fn a_count_on_one_side_only_is_an_error_unless_nothing_was_counted() {
        let old = record("1.95", &[("getData", 1000.0), ("create", 4000.0)]);
        assert!(
            old.compare(&record("1.95", &[("create", 4000.0)]))
                .has_grown
        );
        let more = [("getData", 1000.0), ("create", 4000.0), ("sync", 1.0)];
        assert!(old.compare(&record("1.95", &more)).has_grown);
        let nothing = old.compare(&record("1.95", &[]));
        assert!(!nothing.has_grown && nothing.text.contains("nothing was counted"));
    }
}
