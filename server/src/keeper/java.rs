//! Numbers as Java reads them.

use std::borrow::Cow;

/// The zeros of the scripts that Java has digits of, as of Java 17. It looks at UTF-16 units (`Integer.parseInt`), so
/// those beyond the basic multilingual plane are none.
const ZEROS: [u16; 36] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// `Integer.parseInt`: a sign may stand before the digits, and those may be of any script.
pub(super) fn int(text: &str, radix: u32) -> Option<i32> {
    i32::from_str_radix(&in_ascii(text), radix).ok()
}

/// `Long.parseLong`.
pub(super) fn long(text: &str) -> Option<i64> {
    in_ascii(text).parse().ok()
}

/// The text with ASCII's digits in place of those of other scripts.
fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(|c| ascii_digit(c).unwrap_or(c)).collect())
    }
}

/// `Character.digit`, where there is one of another script.
fn ascii_digit(c: char) -> Option<char> {
    // Fullwidth letters count as those of ASCII, in either case.
    if matches!(c, '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}') {
        return char::from_u32(u32::from(c) - 0xfee0);
    }
    let unit = u16::try_from(u32::from(c)).ok()?;
    let zero = ZEROS.iter().rev().find(|zero| **zero <= unit)?;
    char::from_digit(u32::from(unit - zero), 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_in_java() {
        for (text, expected) in [
            ("12", Some(12)),
            ("+12", Some(12)),
            ("-12", Some(-12)),
            ("\u{ff11}2", Some(12)),
            ("-\u{0661}\u{0969}", Some(-13)),
            ("\u{1d7d1}", None),
            ("\u{ff1a}", None),
            ("\u{066a}", None),
            ("\u{2212}1", None),
            ("", None),
            ("-", None),
            ("1 ", None),
            ("2147483648", None),
        ] {
            assert_eq!(int(text, 10), expected, "{text:?}");
        }
        assert_eq!(int("\u{ff26}f", 16), Some(255));
        assert_eq!(int("\u{ff46}", 10), None);
        assert_eq!(long("\u{ff19}223372036854775807"), Some(i64::MAX));
        assert_eq!(long("9223372036854775808"), None);
    }
}
