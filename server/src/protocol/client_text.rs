//! Texts as clients send them.

use std::borrow::Cow;
use std::fmt;

/// A text that a client sent, decoded only where its characters matter. A path that a znode has is found by its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientText<'a>(&'a [u8]);

impl<'a> ClientText<'a> {
    /// Creates a text from the bytes of a frame.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Decodes the text. Whatever is not UTF-8 becomes U+FFFD.
    #[inline]
    pub(crate) fn decode(self) -> Cow<'a, str> {
        match std::str::from_utf8(self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(with_replacements(self.0)),
        }
    }
}

impl<'a> From<&'a str> for ClientText<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl fmt::Debug for ClientText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.decode(), f)
    }
}

/// Replaces everything that is not UTF-8 by U+FFFD, as Java's `String(byte[], UTF_8)` does. The only difference to the
/// standard library: an encoded surrogate, complete or cut short, becomes one U+FFFD instead of one for each byte.
#[cold]
fn with_replacements(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    loop {
        let error = match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return text;
            }
            Err(error) => error,
        };
        let (valid, invalid) = bytes.split_at(error.valid_up_to());
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        text.push(char::REPLACEMENT_CHARACTER);
        let replaced = match invalid {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(invalid.len()),
        };
        bytes = invalid.get(replaced..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(ClientText::new(bytes).decode(), expected, "{bytes:02x?}");
    }

    #[test]
    fn a_valid_text_is_borrowed() {
        assert!(matches!(
            ClientText::from("/é\u{1f600}").decode(),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn invalid_utf_8_is_replaced_as_java_replaces_it() {
        check(&[0x61, 0xff, 0x62], "a\u{fffd}b");
        check(&[0xc3], "\u{fffd}");
        check(&[0xc0, 0x80], "\u{fffd}\u{fffd}");
        check(&[0xe1, 0x80], "\u{fffd}");
        check(&[0xe1, 0x80, 0x61], "\u{fffd}a");
        check(&[0xf0, 0x9f, 0x98], "\u{fffd}");
        check(&[0xf0, 0x80, 0x80, 0x80], &"\u{fffd}".repeat(4));
        check(&[0xf5, 0x80, 0x80, 0x80], &"\u{fffd}".repeat(4));
    }

    #[test]
    fn an_encoded_surrogate_is_one_replacement() {
        check(&[0xed, 0xa0, 0xbd], "\u{fffd}");
        check(&[0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], "\u{fffd}\u{fffd}");
        check(&[0xed, 0xa0, 0x61], "\u{fffd}a");
        check(&[0xed, 0xa0], "\u{fffd}");
        check(&[0xed, 0x61], "\u{fffd}a");
        check(&[0xed, 0x9f, 0xbf], "\u{d7ff}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_text(bytes: Vec<u8>) {
            let replaced = with_replacements(&bytes);
            if let Ok(valid) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(replaced, valid);
            } else if !bytes.contains(&0xed) {
                prop_assert_eq!(replaced, String::from_utf8_lossy(&bytes));
            }
        }
    }
}
