//! Results by chapter.

use std::io::{self, Write};

use super::{BOLD, Class, DIM, style};
use crate::judge::{CaseFindings, ChapterFindings, Findings};
use crate::report::duration::span;
use crate::report::printable::printable;
use crate::report::tally::{Pair, Tally};

// Longer than 60 lines: the width of each column depends on all rows.
/// Writes a line per chapter, with a column per kind of result and the time of each server.
pub(super) fn table(out: &mut dyn Write, findings: &Findings, pair: Pair) -> io::Result<()> {
    let all = pair.tally(findings.cases());
    let shown: Vec<Class> = Class::ALL
        .into_iter()
        .filter(|&class| match pair.right {
            Some(_) => class != Class::Played,
            None => !class.compares(),
        })
        .collect();
    let servers: Vec<(usize, &str)> = pair
        .servers()
        .filter_map(|place| Some((place, findings.servers.get(place)?.as_str())))
        .collect();
    let first = findings
        .chapters
        .iter()
        .map(|chapter| chapter.name.chars().count())
        .max()
        .unwrap_or(0)
        .max("together".len());
    writeln!(out, "{BOLD}{}{BOLD:#}\n", printable(&pair.name(findings)))?;
    write!(out, "{DIM}{:first$}", "chapter")?;
    for class in &shown {
        write!(out, "  {:>width$}", class.name(), width = column(*class))?;
    }
    for (_, name) in &servers {
        write!(out, "  {name:>10}")?;
    }
    writeln!(out, "{DIM:#}")?;
    let mut row = |name: &str, tally: Tally, cases: &[&CaseFindings]| {
        write!(out, "{:first$}", printable(name))?;
        for &class in &shown {
            let (count, width) = (tally.of(class), column(class));
            if count == 0 {
                write!(out, "  {DIM}{:>width$}{DIM:#}", "·")?;
            } else {
                let style = style(class);
                write!(out, "  {style}{count:>width$}{style:#}")?;
            }
        }
        for &(place, name) in &servers {
            let took = cases.iter().filter_map(|case| case.plays.get(place));
            let took = span(took.map(|play| play.took_ms).sum());
            write!(
                out,
                "  {took:>width$}",
                width = name.chars().count().max(10)
            )?;
        }
        writeln!(out)
    };
    for ChapterFindings { name, cases, .. } in &findings.chapters {
        let cases: Vec<&CaseFindings> = cases.iter().collect();
        row(name, pair.tally(cases.iter().copied()), &cases)?;
    }
    if findings.chapters.len() != 1 {
        let cases: Vec<&CaseFindings> = findings.cases().collect();
        row("together", all, &cases)?;
    }
    writeln!(out)
}

fn column(class: Class) -> usize {
    class.name().len().max(5)
}
