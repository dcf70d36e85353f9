//! Two transcripts of a case side by side.

use std::io::{self, Write};

use super::{Class, DIM, style};
use crate::alignment::{self, Piece};
use crate::judge::{CaseFindings, Findings};
use crate::report::printable::printable;

// Longer than 60 lines: columns, context and carets of a row depend on each other.
/// Writes two transcripts side by side, with carets under the first word that differs.
pub(super) fn difference(
    out: &mut dyn Write,
    findings: &Findings,
    case: &CaseFindings,
    (left, right): (usize, usize),
    width: usize,
    context: usize,
) -> io::Result<()> {
    let lines = |place: usize| -> Vec<String> {
        case.plays.get(place).map_or_else(Vec::new, |play| {
            let lines = play.lines.iter();
            lines.map(|line| printable(line).into_owned()).collect()
        })
    };
    let name = |place: usize| findings.servers.get(place).map_or("?", String::as_str);
    let column = (width.saturating_sub(3) / 2).max(24);
    writeln!(
        out,
        "{DIM}{:column$}   {}{DIM:#}",
        printable(name(left)),
        printable(name(right))
    )?;
    let (left, right) = (lines(left), lines(right));
    let rows = alignment::pair_up(&left, &right);
    let near: Vec<bool> = (0..rows.len())
        .map(|at| {
            let from = at.saturating_sub(context);
            let span = at
                .saturating_sub(from)
                .saturating_add(context)
                .saturating_add(1);
            let mut around = rows.iter().skip(from).take(span);
            around.any(|&(mark, _, _)| mark != ' ')
        })
        .collect();
    let mut unmarked = true;
    let mut skipped = 0;
    for (&(mark, a, b), near) in rows.iter().zip(near) {
        if !near {
            skipped += 1;
            continue;
        }
        skipped_lines(out, &mut skipped)?;
        let there = |line| Some(line).filter(|_| mark == '|' || mark == ' ');
        let side = |line, other, absent| {
            if mark == absent {
                Vec::new()
            } else {
                alignment::wrap(&alignment::pieces(line, there(other)), column)
            }
        };
        let (a, b) = (side(a, b, '>'), side(b, a, '<'));
        let empty = Vec::new();
        for at in 0..a.len().max(b.len()) {
            let (a, b) = (a.get(at).unwrap_or(&empty), b.get(at).unwrap_or(&empty));
            row(out, a, column, mark, b)?;
            let differs = |row: &[Piece]| row.iter().any(|piece| piece.differs);
            if unmarked && (differs(a) || differs(b)) {
                unmarked = false;
                let carets = format!("{:column$}   {}", carets(a), carets(b));
                let red = style(Class::Different);
                writeln!(out, "{red}{}{red:#}", carets.trim_end())?;
            }
        }
    }
    skipped_lines(out, &mut skipped)
}

fn skipped_lines(out: &mut dyn Write, count: &mut usize) -> io::Result<()> {
    match std::mem::take(count) {
        0 => Ok(()),
        1 => writeln!(out, "{DIM}  ⋮ an equal line{DIM:#}"),
        count => writeln!(out, "{DIM}  ⋮ {count} equal lines{DIM:#}"),
    }
}

fn row(out: &mut dyn Write, a: &[Piece], column: usize, mark: char, b: &[Piece]) -> io::Result<()> {
    let red = style(Class::Different);
    let write = |out: &mut dyn Write, row: &[Piece]| {
        row.iter().try_for_each(|piece| {
            if piece.differs {
                write!(out, "{red}{}{red:#}", piece.text)
            } else {
                write!(out, "{}", piece.text)
            }
        })
    };
    write(out, a)?;
    if mark == ' ' && b.is_empty() {
        return writeln!(out);
    }
    let blanks = column.saturating_sub(alignment::width(a));
    write!(out, "{:blanks$} {mark}", "")?;
    if !b.is_empty() {
        write!(out, " ")?;
    }
    write(out, b)?;
    writeln!(out)
}

/// Returns blanks under equal words, and `^` under the first word that differs.
fn carets(row: &[Piece]) -> String {
    let mut text = String::new();
    for piece in row {
        if piece.differs {
            let word = piece.text.split(' ').next().unwrap_or_default();
            text.push_str(&"^".repeat(word.chars().count().max(1)));
            return text;
        }
        text.push_str(&" ".repeat(piece.text.chars().count()));
    }
    String::new()
}
