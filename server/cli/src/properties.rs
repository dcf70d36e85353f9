//! Java's properties files, as `java.util.Properties.load` reads them.

use thiserror::Error;

/// One `name = value` of a properties file, unescaped but not trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    /// Number of its first line, from 1.
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Error: a `\u` without four hexadecimal digits. Java refuses the whole file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a \\u is not followed by four hexadecimal digits")]
pub(crate) struct Malformed {
    pub(crate) line: usize,
}

/// Reads a whole file. Every byte is one character, ISO 8859-1, as in Java.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Property>, Malformed> {
    let text: String = bytes.iter().copied().map(char::from).collect();
    let mut properties = Vec::new();
    let mut lines = natural_lines(&text).enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = String::from(first);
        while continues(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            // A continuation is never a comment, and a blank one ends the line.
            logical.push_str(next.trim_start_matches(is_blank));
        }
        let line = index + 1;
        let (name, value) = split(&logical);
        let unescaped = |text| unescape(text).ok_or(Malformed { line });
        properties.push(Property {
            line,
            name: unescaped(name)?,
            value: unescaped(value)?,
        });
    }
    Ok(properties)
}

/// Lines ended by `\n`, `\r` or `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let Some((line, after)) = current.split_once(['\n', '\r']) else {
            rest = None;
            return Some(current);
        };
        let ended_by_both = current
            .get(line.len()..)
            .is_some_and(|end| end.starts_with("\r\n"));
        rest = if ended_by_both {
            after.strip_prefix('\n')
        } else {
            Some(after)
        };
        Some(line)
    })
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

fn continues(line: &str) -> bool {
    line.chars().rev().take_while(|&c| c == '\\').count() % 2 == 1
}

/// The name ends at the first `=`, `:` or blank that no backslash hides; around one `=` or `:`, blanks are skipped.
fn split(line: &str) -> (&str, &str) {
    let mut hidden = false;
    let end = line
        .char_indices()
        .find(|&(_, c)| {
            let ends = !hidden && (is_blank(c) || matches!(c, '=' | ':'));
            hidden = c == '\\' && !hidden;
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, value.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Option<String> {
    // In UTF-16, since two \u may make one character.
    let mut units = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                None => break,
                Some('u') => {
                    let mut unit = 0;
                    for _ in 0..4 {
                        let digit = chars.next()?.to_digit(16)?;
                        unit = unit * 16 + u16::try_from(digit).ok()?;
                    }
                    units.push(unit);
                    continue;
                }
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                Some('f') => '\x0c',
                Some(other) => other,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(usize, &str, &str)]) {
        let read = parse(text.as_bytes()).expect("the file is well formed");
        let read: Vec<_> = read
            .iter()
            .map(|p| (p.line, p.name.as_str(), p.value.as_str()))
            .collect();
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn a_name_ends_at_an_equals_sign_a_colon_or_a_blank() {
        check("a=1", &[(1, "a", "1")]);
        check("a:1", &[(1, "a", "1")]);
        check("a 1", &[(1, "a", "1")]);
        check("a\t:\t1", &[(1, "a", "1")]);
        check("  a  =  1  ", &[(1, "a", "1  ")]);
        check("a = = 1", &[(1, "a", "= 1")]);
        check(
            "server.1=h:2888:3888;2181",
            &[(1, "server.1", "h:2888:3888;2181")],
        );
        check("alone", &[(1, "alone", "")]);
        check("=x", &[(1, "", "x")]);
    }

    #[test]
    fn blank_lines_and_comments_are_skipped() {
        check("\n  \n# a=1\n  ! b=2 \\\nc=3", &[(5, "c", "3")]);
    }

    #[test]
    fn lines_end_in_three_ways() {
        check(
            "a=1\nb=2\r\nc=3\rd=4",
            &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (4, "d", "4")],
        );
    }

    #[test]
    fn an_odd_number_of_backslashes_continues_a_line() {
        check(
            "a=1,\\\n   2,\\\r\n\t3\nb=4",
            &[(1, "a", "1,2,3"), (4, "b", "4")],
        );
        check("a=1\\\\\nb=2", &[(1, "a", "1\\"), (2, "b", "2")]);
        check("a=1\\\n\nb=2", &[(1, "a", "1"), (3, "b", "2")]);
        check("a=1\\\n# not a comment", &[(1, "a", "1# not a comment")]);
        check("a=1\\", &[(1, "a", "1")]);
    }

    #[test]
    fn escapes_are_those_of_java() {
        check(r"a\=b\:c\ d=1", &[(1, "a=b:c d", "1")]);
        check(r"a=\t\n\r\f\q\\", &[(1, "a", "\t\n\r\x0cq\\")]);
        check(
            r"a=\u0041\u00e9\uD83D\uDE00",
            &[(1, "a", "A\u{e9}\u{1f600}")],
        );
        check(r"C=c:\data", &[(1, "C", "c:data")]);
    }

    #[test]
    fn bytes_are_latin_1() {
        let read = parse(b"a=\xe9").expect("any byte is a character");
        assert_eq!(read.first().map(|p| p.value.as_str()), Some("\u{e9}"));
    }

    #[test]
    fn a_broken_unicode_escape_is_refused_with_its_line() {
        assert_eq!(parse(b"ok=1\nfoo\\u12"), Err(Malformed { line: 2 }));
        assert_eq!(parse(b"a=\\u12x4"), Err(Malformed { line: 1 }));
    }
}
