//! Quoting of PostgreSQL's texts: in `postgresql.conf`, in a connection string and in `pg_hba.conf`.

/// A value that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    /// No server has a parameter of this name.
    #[error("`{0}` is not a name of a parameter")]
    Name(String),
    /// A text in PostgreSQL ends at its first zero byte.
    #[error("`{0}` has a zero byte in its value")]
    ZeroByte(String),
    /// A rule is one line.
    #[error("a rule of pg_hba.conf is one line: {0:?}")]
    LineBreak(String),
    /// The value is neither text nor number nor boolean.
    #[error("`{0}` has a value that no parameter can have")]
    Shape(String),
}

/// Formats a line of `postgresql.conf`, such as `search_path = 'a, b'`.
pub(super) fn parameter(name: &str, value: &str) -> Result<String, Unwritable> {
    let part = |part: &str| {
        let mut characters = part.chars();
        let first = characters.next();
        first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
    };
    // The name of an extension's parameter has a dot: `pg_stat_statements.track`.
    if !name.split('.').all(part) || name.matches('.').count() > 1 {
        return Err(Unwritable::Name(name.to_owned()));
    }
    if value.contains('\0') {
        return Err(Unwritable::ZeroByte(name.to_owned()));
    }
    Ok(format!("{name} = {}", quoted(value)))
}

/// Formats a text of `postgresql.conf`: quotes are doubled, and a backslash begins an escape, also of characters that
/// would end the line.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('\'');
    for c in value.chars() {
        match c {
            '\'' => text.push_str("''"),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            c => text.push(c),
        }
    }
    text.push('\'');
    text
}

/// Formats a connection string of libpq, in this order: `host=pg1 application_name='a b'`.
pub(super) fn conninfo<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{key}={}", conninfo_value(value)))
        .collect();
    pairs.join(" ")
}

/// Quotes a value if necessary; a backslash escapes quotes and backslashes.
fn conninfo_value(value: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && c != '\'' && c != '\\';
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut text = String::from("'");
    for c in value.chars() {
        if c == '\'' || c == '\\' {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('\'');
    text
}

/// Formats a name of `pg_hba.conf`, with quotes if it would be split or taken for a keyword.
pub(super) fn hba_name(name: &str) -> String {
    const KEYWORDS: [&str; 5] = ["all", "replication", "sameuser", "samerole", "samegroup"];
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '.';
    let keyword = KEYWORDS.contains(&name.to_ascii_lowercase().as_str());
    if !name.is_empty() && name.chars().all(plain) && !keyword {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Checks a rule of `pg_hba.conf` that is a line already.
pub(super) fn hba_line(line: &str) -> Result<String, Unwritable> {
    if line.contains(['\n', '\r', '\0']) {
        return Err(Unwritable::LineBreak(line.to_owned()));
    }
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Unwritable, conninfo, hba_line, hba_name, parameter};

    #[track_caller]
    fn check(value: &str, line: &str) {
        assert_eq!(parameter("x", value), Ok(format!("x = {line}")));
    }

    #[test]
    fn a_value_is_quoted_and_its_own_quotes_are_doubled() {
        check("", "''");
        check("16MB", "'16MB'");
        check("it's", "'it''s'");
        check("''", "''''''");
        check("# no comment", "'# no comment'");
        check("größe", "'größe'");
    }

    #[test]
    fn a_backslash_is_doubled_and_a_line_break_escaped() {
        check(r"C:\data", r"'C:\\data'");
        check(r"\'", r"'\\'''");
        check("one\ntwo\r", r"'one\ntwo\r'");
        check("a\tb", "'a\tb'");
    }

    #[test]
    fn values_that_cannot_be_written_are_refused() {
        let refused = |value: &str| parameter("x", value).is_err();
        assert!(refused("a\0b"));
        for name in ["", "a b", "1a", "a=", "a.b.c", ".a", "a.", "größe", "a'"] {
            assert_eq!(parameter(name, ""), Err(Unwritable::Name(name.to_owned())));
        }
        for name in ["a", "_a1$", "pg_stat_statements.track"] {
            assert!(parameter(name, "").is_ok(), "{name}");
        }
    }

    #[test]
    fn a_connection_string_quotes_only_what_needs_it() {
        let pairs = [
            ("host", "pg1.example.org"),
            ("password", r"it's \o/"),
            ("options", ""),
            ("application_name", "a b"),
        ];
        assert_eq!(
            conninfo(pairs),
            r"host=pg1.example.org password='it\'s \\o/' options='' application_name='a b'"
        );
    }

    #[test]
    fn a_name_that_is_a_keyword_or_odd_is_quoted_in_a_rule() {
        assert_eq!(hba_name("app_1"), "app_1");
        assert_eq!(hba_name("all"), "\"all\"");
        assert_eq!(hba_name("Replication"), "\"Replication\"");
        assert_eq!(hba_name("a,b"), "\"a,b\"");
        assert_eq!(hba_name("+staff"), "\"+staff\"");
        assert_eq!(hba_name("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(hba_name(""), "\"\"");
    }

    #[test]
    fn a_rule_is_one_line() {
        assert_eq!(
            hba_line(" local all all peer "),
            Ok("local all all peer".to_owned())
        );
        assert!(hba_line("local all all peer\nhost all all 0.0.0.0/0 trust").is_err());
    }
}
