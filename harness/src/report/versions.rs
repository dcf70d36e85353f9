//! Differences of ZooKeeper's versions as a page: `docs/versions.md`, made from the known differences and from the
//! requirements of the cases.

use std::fmt::Write;

use semver::Version;

use crate::client::{Request, op};
use crate::judge::{KnownDifference, KnownDifferences, Server};
use crate::suite::{Case, Suite};

/// Release lines `3.4` to `3.9`, by their second number.
const LINES: [u64; 6] = [4, 5, 6, 7, 8, 9];
/// More releases than any line has.
const MANY: u64 = 100;

const PREFACE: &str = "\
# How ZooKeeper 3.4 to 3.9 differ

<!-- Written by `cargo run -p minikeeper-harness -- list --versions`; a test compares the two. -->

Differences that a client sees, found by running every [case](conformance.md) on real servers: 3.4.14, 3.5.10, 3.6.4,
3.7.2, 3.8.5 and 3.9.5. Behaviour that is not on this page is the same on all versions that have the operation. The
exact release of a change comes from ZooKeeper's history.

Before a migration, read both tables from your version's column to the right, and compare the versions yourself:

```sh
cargo run --release -p minikeeper-harness -- compare zookeeper:3.6.4 zookeeper:3.9.5
```

The command runs all cases on both, reports the differences of this page as known, and fails on any other.
";

/// Returns the page.
#[must_use]
pub fn versions(suite: &Suite, known: &KnownDifferences) -> String {
    let mut page = String::from(PREFACE);
    operations(&mut page, suite);
    let (of_versions, ours): (Vec<_>, Vec<_>) = known
        .entries()
        .iter()
        .partition(|entry| entry.server == "zookeeper");
    behaviour(&mut page, suite, &of_versions);
    let mut topic = "";
    for entry in by_topic(&of_versions) {
        if entry.topic != topic {
            topic = &entry.topic;
            let _ = write!(page, "\n## {topic}\n");
        }
        details(&mut page, entry, [&releases(entry), "All others"]);
    }
    page.push_str("\n## Deliberate differences of minikeeper\n");
    page.push_str("\nNo case shows another difference from 3.9.5.\n");
    for entry in ours {
        details(&mut page, entry, [&entry.server, "ZooKeeper"]);
    }
    page
}

fn operations(page: &mut String, suite: &Suite) {
    page.push_str("\n## Operations by their first version\n\n");
    page.push_str("An older server answers -6 (UNIMPLEMENTED) and closes the connection.\n\n");
    page.push_str("| operation | number | since | first cases |\n|---|---:|---|---|\n");
    let mut newer: Vec<(Version, i32)> = op::ALL
        .iter()
        .filter_map(|&op| Some((op::since(op)?, op)))
        .filter(|(since, _)| *since > Version::new(3, 4, 0))
        .collect();
    newer.sort();
    for (since, op) in newer {
        let asks = |case: &&Case| {
            let requests = case.script().map(|script| script.requests());
            requests.is_some_and(|requests| requests.into_iter().map(Request::op).any(|o| o == op))
        };
        let cases: Vec<String> = suite
            .cases()
            .filter(asks)
            .take(3)
            .map(|case| link(&case.id.to_string()))
            .collect();
        let cases = cases.join(", ");
        let _ = writeln!(page, "| `{}` | {op} | {since} | {cases} |", op::name(op));
    }
}

fn behaviour(page: &mut String, suite: &Suite, entries: &[&KnownDifference]) {
    page.push_str("\n## Behaviour\n\n");
    page.push_str("*yes*: the versions behave so; empty: they do not; –: they lack the operations of the cases.\n\n");
    let lines: Vec<String> = LINES.iter().map(|line| format!(" 3.{line} |")).collect();
    let rule = "---|".repeat(lines.len());
    let _ = writeln!(page, "| |{}\n|---|{rule}", lines.concat());
    for entry in by_topic(entries) {
        let _ = write!(page, "| [{}](#{}) |", entry.title, entry.id);
        for &line in &LINES {
            let last = Version::new(3, line, MANY);
            let mut named = suite
                .cases()
                .filter(|case| entry.names(&case.id))
                .peekable();
            let has_no_cases = named.peek().is_none();
            if has_no_cases || named.any(|case| case.too_new_for(&last).is_none()) {
                let _ = write!(page, " {} |", Extent::of(entry, line).cell(line));
            } else {
                page.push_str(" – |");
            }
        }
        page.push('\n');
    }
}

/// Returns the entries grouped by topic, with the topics in the order of their first entries.
fn by_topic<'a>(entries: &[&'a KnownDifference]) -> Vec<&'a KnownDifference> {
    let mut topics: Vec<&str> = Vec::new();
    for entry in entries {
        if !topics.contains(&&*entry.topic) {
            topics.push(&entry.topic);
        }
    }
    topics
        .iter()
        .flat_map(|topic| entries.iter().filter(|entry| entry.topic == **topic))
        .copied()
        .collect()
}

/// Releases of a line that behave as an entry says.
enum Extent {
    All,
    None,
    /// Releases up to this one.
    Until(u64),
}

impl Extent {
    fn of(entry: &KnownDifference, line: u64) -> Self {
        let does = |patch: &u64| {
            entry.describes(&Server {
                name: String::new(),
                version: Some(Version::new(3, line, *patch)),
            })
        };
        match (0..MANY).take_while(does).last() {
            None => Self::None,
            Some(last) if last + 1 == MANY => Self::All,
            Some(last) => Self::Until(last),
        }
    }

    fn cell(&self, line: u64) -> String {
        match self {
            Self::All => "yes".to_owned(),
            Self::None => String::new(),
            Self::Until(patch) => format!("until 3.{line}.{patch}"),
        }
    }
}

/// Returns the releases that behave as an entry says: `3.4 to 3.8.3, 3.9.0 to 3.9.1`.
fn releases(entry: &KnownDifference) -> String {
    let mut ranges: Vec<(String, String)> = Vec::new();
    let mut goes_on = false;
    for &line in &LINES {
        let extent = Extent::of(entry, line);
        let (first, last) = match extent {
            Extent::None => {
                goes_on = false;
                continue;
            }
            Extent::All => (format!("3.{line}"), format!("3.{line}")),
            Extent::Until(patch) => (format!("3.{line}.0"), format!("3.{line}.{patch}")),
        };
        match ranges.last_mut() {
            Some(range) if goes_on => range.1 = last,
            _ => ranges.push((first, last)),
        }
        goes_on = matches!(extent, Extent::All);
    }
    let ranges: Vec<String> = ranges
        .into_iter()
        .map(|(first, last)| {
            if first == last {
                first
            } else {
                format!("{first} to {last}")
            }
        })
        .collect();
    ranges.join(", ")
}

fn details(page: &mut String, entry: &KnownDifference, [those, others]: [&str; 2]) {
    let _ = write!(page, "\n### <a id=\"{}\"></a>{}\n\n", entry.id, entry.title);
    let _ = writeln!(page, "- {those}: {}", entry.does);
    let _ = writeln!(page, "- {others}: {}", entry.others);
    let _ = writeln!(page, "- Why: {}", entry.why);
    let cases: Vec<String> = entry
        .cases
        .iter()
        .map(|cases| link(&cases.to_string()))
        .collect();
    let _ = writeln!(page, "- Cases: {} (`{}`)", cases.join(", "), entry.id);
}

/// Returns cases as links to their list.
fn link(cases: &str) -> String {
    match cases.split('/').next() {
        Some("*") | None => "any with an event".to_owned(),
        Some(chapter) => format!("[{cases}](conformance.md#{chapter})"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::versions;
    use crate::judge::KnownDifferences;
    use crate::suite::Suite;

    #[test]
    fn a_change_in_two_release_lines_is_shown_for_both() {
        let known = "[[difference]]\nid = 'one'\ntitle = 'It is so'\nserver = 'zookeeper'\n\
                     versions = ['<3.8.4', '>=3.9.0, <3.9.2']\n\
                     topic = 'Watches'\ncases = ['watch/1']\nmask = ['x']\ndoes = 'This.'\nothers = 'That.'\n\
                     why = 'ZOOKEEPER-1.'\n";
        let known = KnownDifferences::parse(known).expect("known differences");
        let page = versions(&Suite::new(), &known);
        let row = "| [It is so](#one) | yes | yes | yes | yes | until 3.8.3 | until 3.9.1 |";
        assert!(page.contains(row), "{page}");
        let details = "It is so\n\n- 3.4 to 3.8.3, 3.9.0 to 3.9.1: This.\n- All others: That.\n\
                       - Why: ZOOKEEPER-1.\n- Cases: [watch/1](conformance.md#watch) (`one`)\n";
        assert!(page.contains(details), "{page}");
    }

    #[test]
    fn the_page_agrees_with_the_known_differences() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/versions.md");
        let committed = std::fs::read_to_string(page).unwrap_or_default();
        let made = versions(&Suite::builtin(), &KnownDifferences::builtin());
        let differs = committed
            .lines()
            .zip(made.lines())
            .find(|(committed, made)| committed != made);
        assert!(
            committed == made,
            "docs/versions.md is out of date ({differs:?}); write it by\n\
             cargo run -p minikeeper-harness -- list --versions > docs/versions.md"
        );
    }
}
