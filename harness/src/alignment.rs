//! Alignment of transcripts: equal lines share a row, and within two lines the differing words are marked.
//! Every report uses it to show differences.

use std::iter;

/// Aligns two lists of lines by a longest common subsequence. The mark between two lines is a blank if they are
/// equal, `|` if they differ, and `<` or `>` if only the left or the right one exists.
pub(crate) fn pair_up<'a, S: AsRef<str>>(
    left: &'a [S],
    right: &'a [S],
) -> Vec<(char, &'a str, &'a str)> {
    let same = |(a, b): &(&S, &S)| a.as_ref() == b.as_ref();
    let head = left.iter().zip(right).take_while(same).count();
    let (left_rest, right_rest) = (left.len() - head, right.len() - head);
    let tail = left.iter().rev().zip(right.iter().rev()).take_while(same);
    let tail = tail.count().min(left_rest).min(right_rest);
    let middle = |lines: &'a [S]| lines.get(head..lines.len() - tail).unwrap_or_default();
    let ends = |lines: &'a [S]| lines.iter().map(|line| (' ', line.as_ref(), line.as_ref()));
    let mut pairs: Vec<_> = ends(left.get(..head).unwrap_or_default()).collect();
    pairs.extend(pair_up_differing(middle(left), middle(right)));
    pairs.extend(ends(left.get(left.len() - tail..).unwrap_or_default()));
    pairs
}

/// Maximum number of cells of the table; longer lists are paired line by line.
const MOST_CELLS: usize = 4_000_000;

fn pair_up_differing<'a, S: AsRef<str>>(
    left: &'a [S],
    right: &'a [S],
) -> Vec<(char, &'a str, &'a str)> {
    if left.len().saturating_mul(right.len()) > MOST_CELLS {
        return pair_up_by_position(left, right);
    }
    let common = common_lengths(left, right);
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    loop {
        match (left.get(i).map(S::as_ref), right.get(j).map(S::as_ref)) {
            (None, None) => return pairs,
            (Some(a), None) => {
                pairs.push(('<', a, ""));
                i += 1;
            }
            (None, Some(b)) => {
                pairs.push(('>', "", b));
                j += 1;
            }
            (Some(a), Some(b)) => {
                let here = length_at(&common, i, j);
                if a == b || (length_at(&common, i + 1, j + 1) == here) {
                    pairs.push((if a == b { ' ' } else { '|' }, a, b));
                    i += 1;
                    j += 1;
                } else if length_at(&common, i + 1, j) == here {
                    pairs.push(('<', a, ""));
                    i += 1;
                } else {
                    pairs.push(('>', "", b));
                    j += 1;
                }
            }
        }
    }
}

/// Pairs every line with the line of the same number.
fn pair_up_by_position<'a, S: AsRef<str>>(
    left: &'a [S],
    right: &'a [S],
) -> Vec<(char, &'a str, &'a str)> {
    let of = |lines: &'a [S], at: usize| lines.get(at).map(S::as_ref);
    (0..left.len().max(right.len()))
        .map(|at| match (of(left, at), of(right, at)) {
            (Some(a), Some(b)) => (if a == b { ' ' } else { '|' }, a, b),
            (Some(a), None) => ('<', a, ""),
            (None, b) => ('>', "", b.unwrap_or_default()),
        })
        .collect()
}

/// Returns a table whose cell `[i][j]` is the length of the longest common subsequence of `left[i..]` and `right[j..]`.
fn common_lengths<S: AsRef<str>>(left: &[S], right: &[S]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for (i, a) in left.iter().enumerate().rev() {
        for (j, b) in right.iter().enumerate().rev() {
            let best = if a.as_ref() == b.as_ref() {
                length_at(&common, i + 1, j + 1) + 1
            } else {
                length_at(&common, i + 1, j).max(length_at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = best;
            }
        }
    }
    common
}

fn length_at(common: &[Vec<usize>], i: usize, j: usize) -> usize {
    let row = common.get(i);
    row.and_then(|row| row.get(j)).copied().unwrap_or(0)
}

/// A row over several columns; `None` where a column has no line.
pub(crate) type Row<'a> = Vec<Option<&'a str>>;

/// Arranges the lines of several transcripts in rows, each transcript aligned with the first.
pub(crate) fn rows<'a>(columns: &[&'a [String]]) -> Vec<Row<'a>> {
    let Some((&first, others)) = columns.split_first() else {
        return Vec::new();
    };
    let mut rows: Vec<Row<'a>> = first.iter().map(|line| vec![Some(line.as_str())]).collect();
    for (before, other) in others.iter().enumerate() {
        let width = before + 1;
        let mut old = rows.into_iter().peekable();
        let mut new = Vec::new();
        let extended = |mut row: Row<'a>, cell| {
            row.push(cell);
            row
        };
        for (mark, _, right) in pair_up(first, other) {
            if mark == '>' {
                // A line that the first transcript lacks shares the row of such lines of earlier transcripts,
                // if there is one.
                let row = old
                    .next_if(|row| row.first().is_some_and(Option::is_none))
                    .unwrap_or_else(|| vec![None; width]);
                new.push(extended(row, Some(right)));
                continue;
            }
            while let Some(row) = old.next_if(|row| row.first().is_some_and(Option::is_none)) {
                new.push(extended(row, None));
            }
            if let Some(row) = old.next() {
                new.push(extended(row, (mark != '<').then_some(right)));
            }
        }
        new.extend(old.map(|row| extended(row, None)));
        rows = new;
    }
    rows
}

/// A piece of a line, and whether it differs from the other line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) differs: bool,
}

/// Splits a line into pieces that `other` has and pieces that it lacks. Without another line the whole line
/// differs.
pub(crate) fn pieces(line: &str, other: Option<&str>) -> Vec<Piece> {
    let piece = |text: &str, differs| Piece {
        text: text.to_owned(),
        differs,
    };
    let Some(other) = other else {
        return vec![piece(line, true)];
    };
    let words = |line: &str| -> Vec<String> {
        line.split_inclusive(' ')
            .flat_map(|word| {
                let bare = word.trim_end_matches(' ');
                let blank = word.get(bare.len()..).unwrap_or_default();
                [bare.to_owned(), blank.to_owned()]
            })
            .filter(|word| !word.is_empty())
            .collect()
    };
    let (left, right) = (words(line), words(other));
    let mut pieces: Vec<Piece> = Vec::new();
    for (mark, word, _) in pair_up(&left, &right) {
        if mark == '>' {
            continue;
        }
        let differs = mark != ' ' && !word.trim().is_empty();
        match pieces.last_mut() {
            Some(last) if last.differs == differs => last.text.push_str(word),
            _ => pieces.push(piece(word, differs)),
        }
    }
    if !pieces.iter().any(|piece| piece.differs) && line != other {
        // The other line has all words of this one and more.
        pieces.push(piece("", true));
    }
    pieces
}

/// Breaks a line at blanks into rows of at most `width` characters; continuation rows are indented.
pub(crate) fn wrap(pieces: &[Piece], width: usize) -> Vec<Vec<Piece>> {
    let mut rows: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut used = 0;
    let chunks = pieces.iter().flat_map(|piece| {
        let words = piece.text.split_inclusive(' ');
        words
            .chain(iter::repeat_n("", usize::from(piece.text.is_empty())))
            .flat_map(move |word| broken(word, width))
            .map(|word| (word, piece.differs))
    });
    for (word, differs) in chunks {
        let length = word.trim_end().chars().count();
        if used + length > width && used > INDENT.len() {
            rows.push(vec![Piece {
                text: INDENT.to_owned(),
                differs: false,
            }]);
            used = INDENT.len();
        }
        used += word.chars().count();
        if let Some(row) = rows.last_mut() {
            match row.last_mut() {
                Some(last) if last.differs == differs => last.text.push_str(&word),
                _ => row.push(Piece {
                    text: word,
                    differs,
                }),
            }
        }
    }
    for last in rows.iter_mut().filter_map(|row| row.last_mut()) {
        last.text.truncate(last.text.trim_end().len());
    }
    rows
}

const INDENT: &str = "    ";

/// Splits a word that is wider than a row.
fn broken(word: &str, width: usize) -> Vec<String> {
    let room = width.saturating_sub(INDENT.len()).max(1);
    if word.trim_end().chars().count() <= room {
        return vec![word.to_owned()];
    }
    let letters: Vec<char> = word.chars().collect();
    letters
        .chunks(room)
        .map(|chunk| chunk.iter().collect())
        .collect()
}

/// Returns the width of a row, in characters.
pub(crate) fn width(row: &[Piece]) -> usize {
    row.iter().map(|piece| piece.text.chars().count()).sum()
}

/// Formats two transcripts in two columns, as plain text.
pub(crate) fn side_by_side(left: &[String], right: &[String], column: usize) -> String {
    let mut text = String::new();
    for (mark, left, right) in pair_up(left, right) {
        let cells = |line: &str| -> Vec<String> {
            wrap(&pieces(line, Some(line)), column)
                .iter()
                .map(|row| row.iter().map(|piece| piece.text.as_str()).collect())
                .collect()
        };
        let (left, right) = (cells(left), cells(right));
        for at in 0..left.len().max(right.len()) {
            let cell = |cells: &[String]| cells.get(at).cloned().unwrap_or_default();
            let row = format!("{:column$} {mark} {}", cell(&left).trim_end(), cell(&right));
            text.push_str(row.trim_end());
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces, rows, side_by_side, wrap};

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn a_difference_is_marked_and_equal_lines_stay_paired() {
        assert_eq!(
            side_by_side(
                &lines(&["one", "two", "three", "five"]),
                &lines(&["one", "2", "three", "four", "five"]),
                5
            ),
            "one     one\ntwo   | 2\nthree   three\n      > four\nfive    five\n"
        );
    }

    #[test]
    fn three_transcripts_share_the_rows_of_their_common_lines() {
        let columns = [
            lines(&["one", "two", "three"]),
            lines(&["one", "more", "two", "three"]),
            lines(&["one", "other", "two", "3", "end"]),
        ];
        let columns: Vec<&[String]> = columns.iter().map(Vec::as_slice).collect();
        assert_eq!(
            rows(&columns),
            [
                vec![Some("one"), Some("one"), Some("one")],
                vec![None, Some("more"), Some("other")],
                vec![Some("two"), Some("two"), Some("two")],
                vec![Some("three"), Some("three"), Some("3")],
                vec![None, None, Some("end")],
            ]
        );
    }

    #[track_caller]
    fn check(line: &str, other: Option<&str>, expected: &[(&str, bool)]) {
        let found = pieces(line, other);
        let found: Vec<(&str, bool)> = found
            .iter()
            .map(|piece| (piece.text.as_str(), piece.differs))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn differing_words_are_separated_from_equal_ones() {
        check(
            "a: ok version=1 owner=0",
            Some("a: ok version=2 owner=0"),
            &[("a: ok ", false), ("version=1", true), (" owner=0", false)],
        );
        check("gone", None, &[("gone", true)]);
        check("same", Some("same"), &[("same", false)]);
        check("a: ok", Some("a: ok more"), &[("a: ok", false), ("", true)]);
    }

    #[test]
    fn a_long_word_is_broken_and_no_row_exceeds_the_width() {
        let line = [Piece {
            text: format!("a: {} end", "x".repeat(30)),
            differs: false,
        }];
        for row in wrap(&line, 12) {
            assert!(super::width(&row) <= 12, "{row:?}");
        }
    }
}
