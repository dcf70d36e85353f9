//! How the versions of ZooKeeper differ, as a page: `docs/versions.md` is this, made from the known differences and from
//! what the cases need.

use crate::client::{Request, op};
use crate::judge::{KnownDifference, KnownDifferences, Server};
use crate::suite::{Case, Suite};
use semver::Version;
use std::fmt::Write;

/// The lines of releases, `3.4` to `3.9`, by their second number.
const LINES: [u64; 6] = [4, 5, 6, 7, 8, 9];
/// No line has as many releases.
const MANY: u64 = 100;

const PREFACE: &str = "\
# How ZooKeeper 3.4 to 3.9 differ

<!-- Written by `cargo run -p minikeeper-harness -- list --versions`; a test compares the two. -->

What a client sees, found by playing every [case](conformance.md) on real servers: 3.4.14, 3.5.10, 3.6.4, 3.7.2, 3.8.5 and
3.9.5. Whatever is not on this page was the same on all that can play it. Where a change came between two of those
versions, the release is from ZooKeeper's history.

Before a migration, read the two tables from your version's column to the right; then see for yourself:

```sh
cargo run --release -p minikeeper-harness -- compare zookeeper:3.6.4 zookeeper:3.9.5
```

plays all cases on both, shows what is listed here as known, and fails on anything that is not.
";

/// The page.
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
    page.push_str("\n## What minikeeper does differently on purpose\n");
    page.push_str("\nAgainst 3.9.5 there is nothing else that any case shows.\n");
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
    page.push_str("\n## Behaviour\n\n*yes* where it is so, nothing where it is not, – where nothing could show it.\n\n");
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
            let nobody_knows = named.peek().is_none();
            if nobody_knows || named.any(|case| case.too_new_for(&last).is_none()) {
                let _ = write!(page, " {} |", Extent::of(entry, line).cell(line));
            } else {
                page.push_str(" – |");
            }
        }
        page.push('\n');
    }
}

/// The entries with those of one topic together, the topics as they first come.
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

/// Which releases of a line do as an entry says.
enum Extent {
    All,
    None,
    /// Those up to this one.
    Until(u64),
}

impl Extent {
    fn of(entry: &KnownDifference, line: u64) -> Self {
        let does = |patch: &u64| {
            entry.speaks_of(&Server {
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

/// The releases that do as an entry says: `3.4 to 3.8.3, 3.9.0 to 3.9.1`.
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

/// Cases, with where they are listed.
fn link(cases: &str) -> String {
    match cases.split('/').next() {
        Some("*") | None => "any with an event".to_owned(),
        Some(chapter) => format!("[{cases}](conformance.md#{chapter})"),
    }
}

#[cfg(test)]
mod tests {
    use super::versions;
    use crate::judge::KnownDifferences;
    use crate::suite::Suite;
    use std::path::Path;

    #[test]
    fn a_change_in_two_lines_of_releases_is_told_with_both() {
        let known = "[[difference]]\nid = 'one'\ntitle = 'It is so'\nserver = 'zookeeper'\nversions = ['<3.8.4', '>=3.9.0, <3.9.2']\n\
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
    fn the_page_is_what_the_known_differences_say() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/versions.md");
        let kept = std::fs::read_to_string(page).unwrap_or_default();
        let made = versions(&Suite::builtin(), &KnownDifferences::builtin());
        let differs = kept
            .lines()
            .zip(made.lines())
            .find(|(kept, made)| kept != made);
        assert!(
            kept == made,
            "docs/versions.md is out of date ({differs:?}); write it by\n\
             cargo run -p minikeeper-harness -- list --versions > docs/versions.md"
        );
    }
}
