//! Findings on a terminal: a table by chapter, every difference side by side, and skipped cases by reason.

mod difference;
mod table;

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::duration::span;
use super::printable::printable;
use super::tally::{Class, Pair};
use crate::judge::{CaseFindings, Findings, Trouble};
use difference::difference;
use table::table;

/// Amount of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Differences, failures and the summary.
    Little,
    /// The tables and the skipped cases too.
    #[default]
    Usual,
    /// The behaviour of the servers in every case too.
    Everything,
}

/// Options of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Maximum number of characters per line.
    pub width: usize,
    /// Amount of output.
    pub detail: Detail,
}

/// Number of equal lines around a difference.
const CONTEXT: usize = 8;
/// Maximum number of differences of two servers that are shown.
const MOST: usize = 20;
/// Failures with one reason are grouped if there are more than this.
const ALIKE: usize = 3;
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

fn style(class: Class) -> Style {
    match class {
        Class::Same | Class::Played => AnsiColor::Green.on_default(),
        Class::Known | Class::Skipped => AnsiColor::Yellow.on_default(),
        Class::Different | Class::Failed => AnsiColor::Red.on_default().bold(),
    }
}

/// Writes findings with colours; a writer such as [`anstream::AutoStream`] removes them where necessary.
///
/// # Errors
///
/// If the writer fails.
pub fn terminal(out: &mut dyn Write, findings: &Findings, look: Look) -> io::Result<()> {
    let pairs = Pair::all(findings);
    if look.detail == Detail::Everything {
        findings
            .cases()
            .try_for_each(|case| transcripts(out, findings, case))?;
    }
    if look.detail != Detail::Little {
        for &pair in &pairs {
            table(out, findings, pair)?;
        }
    }
    for &pair in &pairs {
        troubles(out, findings, pair, look)?;
    }
    if look.detail != Detail::Little {
        for &pair in &pairs {
            reasons(out, findings, pair, Class::Known)?;
            reasons(out, findings, pair, Class::Skipped)?;
        }
    }
    closing(out, findings, &pairs)
}

/// Writes differences and failures: the first ones in full, the others by their ids.
fn troubles(out: &mut dyn Write, findings: &Findings, pair: Pair, look: Look) -> io::Result<()> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for case in findings.cases() {
        let result = pair.result(case);
        if result.class == Class::Failed {
            *reasons.entry(result.why.unwrap_or_default()).or_default() += 1;
        }
    }
    let most = match look.detail {
        Detail::Little | Detail::Usual => MOST,
        Detail::Everything => usize::MAX,
    };
    let (mut shown, mut unshown) = (0, Vec::new());
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for case in findings.cases() {
        let result = pair.result(case);
        let why = result.why.unwrap_or_default();
        if result.class == Class::Failed && reasons.get(&why).is_some_and(|&count| count > ALIKE) {
            alike.entry(why).or_default().push(&case.id);
        } else if result.class == Class::Different && shown >= most {
            unshown.push(case.id.as_str());
        } else {
            shown += usize::from(result.class == Class::Different);
            trouble(out, findings, pair, case, look)?;
        }
    }
    let red = style(Class::Failed);
    let between = printable(&pair.name(findings)).into_owned();
    for (why, ids) in alike {
        writeln!(
            out,
            "{red}FAILED{red:#} {BOLD}{} cases{BOLD:#} {DIM}({between}){DIM:#}\n{}\n  {}\n",
            ids.len(),
            printable(&why),
            ranges(&ids)
        )?;
    }
    if !unshown.is_empty() {
        writeln!(
            out,
            "{red}DIFFERENT{red:#} {BOLD}in {} more{BOLD:#} \
             {DIM}({between}; --show or --html shows them){DIM:#}\n  {}\n",
            unshown.len(),
            ranges(&unshown)
        )?;
    }
    Ok(())
}

/// Writes a difference or a failure, if there is one.
fn trouble(
    out: &mut dyn Write,
    findings: &Findings,
    pair: Pair,
    case: &CaseFindings,
    look: Look,
) -> io::Result<()> {
    let result = pair.result(case);
    if !result.class.is_bad() {
        return Ok(());
    }
    let style = style(result.class);
    writeln!(
        out,
        "{style}{}{style:#} {BOLD}{} {}{BOLD:#} {DIM}({}){DIM:#}",
        result.class.name().to_uppercase(),
        case.id,
        printable(&case.title),
        printable(&pair.name(findings)),
    )?;
    match (result.class, pair.right) {
        (Class::Different, Some(right)) => {
            let context = match look.detail {
                Detail::Little | Detail::Usual => CONTEXT,
                Detail::Everything => usize::MAX,
            };
            difference(out, findings, case, (pair.left, right), look.width, context)?;
        }
        _ => {
            writeln!(out, "{}", printable(result.why.as_deref().unwrap_or("")))?;
            for place in pair.servers() {
                let Some(play) = case.plays.get(place) else {
                    continue;
                };
                if matches!(play.trouble, Some(Trouble::Failed(_))) && !play.lines.is_empty() {
                    let name = findings.servers.get(place).map_or("?", String::as_str);
                    let first = play.lines.len().saturating_sub(CONTEXT);
                    writeln!(out, "{DIM}before, {} noted:{DIM:#}", printable(name))?;
                    for line in play.lines.iter().skip(first) {
                        writeln!(out, "  {}", printable(line))?;
                    }
                }
            }
        }
    }
    writeln!(out)
}

/// Writes the behaviour of every server in a case; servers that behaved alike are grouped.
fn transcripts(out: &mut dyn Write, findings: &Findings, case: &CaseFindings) -> io::Result<()> {
    let mut done: Vec<(Vec<&str>, &[String])> = Vec::new();
    for (name, play) in findings.servers.iter().zip(&case.plays) {
        if play.trouble.is_some() {
            continue;
        }
        match done.iter_mut().find(|(_, lines)| **lines == play.lines) {
            Some((names, _)) => names.push(name),
            None => done.push((vec![name], &play.lines)),
        }
    }
    for (names, lines) in done {
        writeln!(
            out,
            "{BOLD}{} {}{BOLD:#} {DIM}({}){DIM:#}",
            case.id,
            printable(&case.title),
            printable(&names.join(", "))
        )?;
        for line in lines {
            writeln!(out, "  {}", printable(line))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes the cases of a kind, grouped by the reason.
fn reasons(out: &mut dyn Write, findings: &Findings, pair: Pair, class: Class) -> io::Result<()> {
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for case in findings.cases() {
        let result = pair.result(case);
        if result.class == class {
            let why = result.why.unwrap_or_default();
            if class == Class::Known {
                // A case may show several known differences, each of which is listed with its title.
                for id in why.split(", ") {
                    let title = findings.explained.iter().find(|known| known.id == id);
                    let what = title
                        .map_or_else(|| id.to_owned(), |known| format!("{id} ({})", known.title));
                    by_reason.entry(what).or_default().push(&case.id);
                }
            } else {
                by_reason.entry(why).or_default().push(&case.id);
            }
        }
    }
    if by_reason.is_empty() {
        return Ok(());
    }
    let style = style(class);
    writeln!(
        out,
        "{style}{}{style:#} {DIM}({}){DIM:#}",
        class.name(),
        printable(&pair.name(findings))
    )?;
    for (why, ids) in by_reason {
        writeln!(out, "  {}: {}", printable(&why), ranges(&ids))?;
    }
    writeln!(out)
}

/// Joins `watch/1 watch/2 watch/3 multi/7` to `watch/1..3, multi/7`, which `--only` accepts.
fn ranges(ids: &[&str]) -> String {
    let mut ranges: Vec<(&str, u32, u32)> = Vec::new();
    let mut others = Vec::new();
    for id in ids {
        let Some((chapter, number)) = id
            .split_once('/')
            .and_then(|(chapter, number)| Some((chapter, number.parse::<u32>().ok()?)))
        else {
            others.push(printable(id).into_owned());
            continue;
        };
        match ranges.last_mut() {
            Some((last, _, end)) if *last == chapter && end.checked_add(1) == Some(number) => {
                *end = number;
            }
            _ => ranges.push((chapter, number, number)),
        }
    }
    let ranges = ranges.iter().map(|&(chapter, first, last)| {
        let chapter = printable(chapter);
        if first == last {
            format!("{chapter}/{first}")
        } else {
            format!("{chapter}/{first}..{last}")
        }
    });
    ranges.chain(others).collect::<Vec<_>>().join(", ")
}

fn closing(out: &mut dyn Write, findings: &Findings, pairs: &[Pair]) -> io::Result<()> {
    for absent in &findings.absent {
        let style = style(Class::Skipped);
        writeln!(
            out,
            "{style}{} is missing:{style:#} {}",
            printable(&absent.server),
            printable(&absent.why)
        )?;
    }
    for stale in &findings.stale {
        let style = style(Class::Different);
        writeln!(
            out,
            "{style}STALE{style:#} the known difference {} no longer occurs between {} and {}",
            printable(&stale.id),
            printable(&stale.left),
            printable(&stale.right)
        )?;
    }
    if !findings.played_again.is_empty() {
        let cases: Vec<String> = findings
            .played_again
            .iter()
            .map(|id| printable(id).to_string())
            .collect();
        writeln!(
            out,
            "run again after an error, or after a difference in a case that depends on real time: {}",
            cases.join(", ")
        )?;
    }
    for pair in pairs {
        let tally = pair.tally(findings.cases());
        let counts: Vec<String> = Class::ALL
            .into_iter()
            .filter(|&class| tally.of(class) > 0)
            .map(|class| {
                let style = style(class);
                format!("{style}{} {}{style:#}", tally.of(class), class.name())
            })
            .collect();
        let counts = counts.join(", ");
        writeln!(out, "{}: {counts}", printable(&pair.name(findings)))?;
        if pair.right.is_none() {
            let style = style(Class::Skipped);
            writeln!(
                out,
                "{style}No other server was compared with {}.{style:#}",
                printable(&pair.name(findings))
            )?;
        }
    }
    writeln!(out, "{DIM}{}{DIM:#}", span(findings.took_ms))
}

#[cfg(test)]
mod tests {
    use super::{Detail, Look, ranges, terminal};
    use crate::judge::{ComparisonSummary, Findings};
    use crate::report::sample;

    fn written(findings: &Findings, detail: Detail) -> String {
        let mut bytes = anstream::StripStream::new(Vec::new());
        let look = Look { width: 79, detail };
        terminal(&mut bytes, findings, look).expect("a Vec takes everything");
        String::from_utf8(bytes.into_inner()).expect("UTF-8")
    }

    #[test]
    fn a_difference_is_shown_side_by_side_with_a_caret_under_its_first_word() {
        let text = written(&sample::three_servers(), Detail::Little);
        let expected = "\
DIFFERENT watch/1 a watch fires (embedded and zookeeper:3.8.5)
embedded                                 zookeeper:3.8.5
a: create /x                             a: create /x
a:   -> ok at z1 /x                    | a:   -> ok at z1 /x version=1
                   ^                                         ^^^^^^^^^
b:   ! NodeCreated /x at z1            <
";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn the_table_counts_by_chapter_and_the_end_sums_up() {
        let text = written(&sample::three_servers(), Detail::Usual);
        let expected = "\
embedded and zookeeper:3.9.5

chapter    same  known  different  skipped  failed    embedded  zookeeper:3.9.5
watch         1      ·          1        ·       ·       24 ms            24 ms
multi         ·      1          ·        ·       1       24 ms            12 ms
together      1      1          1        ·       1       48 ms            36 ms
";
        assert!(text.starts_with(expected), "{text}");
        let end = "\
zookeeper:3.4.14 is missing: java is not installed
STALE the known difference old-order no longer occurs between embedded and zookeeper:3.8.5
run again after an error, or after a difference in a case that depends on real time: container/29
embedded and zookeeper:3.9.5: 1 same, 1 known, 1 different, 1 failed
embedded and zookeeper:3.8.5: 2 same, 1 different, 1 skipped
1 min 23 s
";
        assert!(text.ends_with(end), "{text}");
        assert!(text.contains("  needs ZooKeeper 3.9: multi/1\n"), "{text}");
        let known = "  multi-order (A multi is looked at in another order): multi/1\n";
        assert!(text.contains(known), "{text}");
    }

    #[test]
    fn the_summary_says_that_a_single_server_was_not_compared() {
        for detail in [Detail::Little, Detail::Usual, Detail::Everything] {
            let text = written(&sample::alone(), detail);
            assert!(
                text.contains("zookeeper:3.9.5 is missing: java is not installed\n"),
                "{text}"
            );
            assert!(
                text.contains("No other server was compared with embedded.\n"),
                "{text}"
            );
        }
    }

    #[test]
    fn text_of_a_server_cannot_move_the_cursor() {
        let mut bytes = Vec::new();
        let look = Look {
            width: 60,
            detail: Detail::Everything,
        };
        terminal(&mut bytes, &sample::three_servers(), look).expect("a Vec takes everything");
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(!text.contains("\x1b[31m\0"), "{text:?}");
        assert!(!text.contains(['\0', '\u{202e}']), "{text:?}");
        assert!(text.contains("\\x1b[31m\\x00"), "{text:?}");
    }

    #[test]
    fn many_differences_are_listed_by_name_and_many_failures_once() {
        let mut findings = sample::three_servers();
        let chapter = findings.chapters.first_mut().expect("a chapter");
        let case = chapter.cases.first().expect("a case").clone();
        let with = |number: usize, result: ComparisonSummary| {
            let mut case = case.clone();
            case.id = format!("watch/{number}");
            case.comparisons.truncate(1);
            let comparison = case.comparisons.first_mut().expect("a comparison");
            comparison.result = result;
            case
        };
        chapter.cases = (1..=30)
            .map(|number| with(number, ComparisonSummary::Different))
            .chain(
                (31..=40)
                    .map(|number| with(number, ComparisonSummary::Failed("no server".to_owned()))),
            )
            .collect();
        let text = written(&findings, Detail::Usual);
        assert_eq!(text.matches("DIFFERENT watch/").count(), 20, "{text}");
        assert!(text.contains("DIFFERENT in 10 more"), "{text}");
        assert!(text.contains("  watch/21..30\n"), "{text}");
        assert!(text.contains("FAILED 10 cases"), "{text}");
        assert!(text.contains("no server\n  watch/31..40\n"), "{text}");
        let text = written(&findings, Detail::Everything);
        assert_eq!(text.matches("DIFFERENT watch/").count(), 30, "{text}");
    }

    #[test]
    fn neighbours_are_written_as_a_range() {
        assert_eq!(
            ranges(&["watch/1", "watch/2", "watch/3", "watch/5", "multi/6"]),
            "watch/1..3, watch/5, multi/6"
        );
    }
}
