//! Bytes as text, by Java's rules where they are not UTF-8.

use std::borrow::Cow;

/// Decodes a text that a client sent. Whatever is not UTF-8 becomes U+FFFD.
#[inline]
pub(super) fn received(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(with_replacements(bytes)),
    }
}

/// Decodes a text from a file. [`Writer::write_ustring`](super::Writer::write_ustring) and Java's own archive encode a
/// character beyond the basic multilingual plane as two surrogates; both together become that character again. A real
/// server reads two U+FFFD there, so the znode has another name after its restart.
#[inline]
pub(super) fn stored(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(received(&with_pairs_joined(bytes)).into_owned()),
    }
}

/// Replaces each encoded pair of surrogates by the character that it stands for.
#[cold]
fn with_pairs_joined(mut bytes: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        if let [
            0xed,
            a @ 0xa0..=0xaf,
            b @ 0x80..=0xbf,
            0xed,
            c @ 0xb0..=0xbf,
            d @ 0x80..=0xbf,
            after @ ..,
        ] = bytes
        {
            let unit =
                |high: u8, low: u8| 0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f);
            let char = char::decode_utf16([unit(*a, *b), unit(*c, *d)]).next();
            if let Some(Ok(char)) = char {
                joined.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                bytes = after;
                continue;
            }
        }
        joined.push(*first);
        bytes = rest;
    }
    joined
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
        assert_eq!(received(bytes), expected, "{bytes:02x?}");
    }

    #[test]
    fn a_valid_text_is_borrowed() {
        assert!(matches!(
            received("/é\u{1f600}".as_bytes()),
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
        fn any_stored_bytes_are_a_text(bytes: Vec<u8>) {
            let valid = std::str::from_utf8(&bytes);
            let read = stored(&bytes);
            if let Ok(valid) = valid {
                prop_assert_eq!(read, valid);
            }
        }

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
