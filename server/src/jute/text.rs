//! Bytes as text, by Java's rules where they are not UTF-8.

use std::borrow::Cow;

use crate::protocol::ClientText;

/// Decodes a text from a file. [`Writer::write_ustring`](super::Writer::write_ustring) and Java's own archive encode a
/// character beyond the basic multilingual plane as two surrogates; both together become that character again. A real
/// server reads two U+FFFD there, so the znode has another name after its restart.
#[inline]
pub(super) fn stored(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let joined = with_pairs_joined(bytes);
            Cow::Owned(ClientText::new(&joined).decode().into_owned())
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_stored_bytes_are_a_text(bytes: Vec<u8>) {
            let valid = std::str::from_utf8(&bytes);
            let read = stored(&bytes);
            if let Ok(valid) = valid {
                prop_assert_eq!(read, valid);
            }
        }
    }
}
