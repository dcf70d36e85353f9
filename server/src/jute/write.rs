//! Writing, as `BinaryOutputArchive` does it.

use bytes::BytesMut;

/// Sink for one field after the other: a buffer, or a [`Length`] that counts bytes. A record that is first written to a
/// `Length` needs only one reservation of memory.
pub(crate) trait Writer {
    /// Writes bytes as they are.
    fn write(&mut self, bytes: &[u8]);

    #[inline]
    fn write_int(&mut self, int: i32) {
        self.write(&int.to_be_bytes());
    }

    #[inline]
    fn write_long(&mut self, long: i64) {
        self.write(&long.to_be_bytes());
    }

    #[inline]
    fn write_bool(&mut self, bool: bool) {
        self.write(&[u8::from(bool)]);
    }

    /// Writes the length of a buffer or ustring, or the count of a vector. No record comes near the largest int; if one
    /// did, no encoding of it would be valid.
    #[inline]
    fn write_length(&mut self, length: usize) {
        self.write_int(i32::try_from(length).unwrap_or(i32::MAX));
    }

    #[inline]
    fn write_buffer(&mut self, buffer: Option<&[u8]>) {
        match buffer {
            Some(bytes) => {
                self.write_length(bytes.len());
                self.write(bytes);
            }
            None => self.write_int(-1),
        }
    }

    /// Writes a text in Java's encoding: each UTF-16 unit on its own, so a character beyond the basic multilingual
    /// plane becomes two surrogates of three bytes each.
    #[inline]
    fn write_ustring(&mut self, text: &str) {
        let supplementary = count_supplementary(text);
        // Such a character has four bytes in UTF-8, and six as two surrogates.
        self.write_length(text.len().saturating_add(supplementary.saturating_mul(2)));
        if supplementary == 0 {
            self.write(text.as_bytes());
        } else {
            write_units(self, text);
        }
    }
}

impl Writer for Vec<u8> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Writer for BytesMut {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Number of bytes that a record takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Length(pub(crate) usize);

impl Writer for Length {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}

#[inline]
fn count_supplementary(text: &str) -> usize {
    if text.is_ascii() {
        // Fast path: almost every path is ASCII.
        return 0;
    }
    text.bytes().filter(|byte| *byte >= 0xf0).count()
}

#[cold]
fn write_units<W: Writer + ?Sized>(out: &mut W, text: &str) {
    for char in text.chars() {
        if u32::from(char) < 0x1_0000 {
            out.write(char.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let [high, low] = unit.to_be_bytes();
                out.write(&[
                    0xe0 | high >> 4,
                    0x80 | (high & 0x0f) << 2 | low >> 6,
                    0x80 | low & 0x3f,
                ]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Reader;
    use super::*;

    fn written(write: impl Fn(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out);
        out.to_vec()
    }

    #[test]
    fn numbers_are_big_endian() {
        assert_eq!(written(|out| out.write_int(-2)), [0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(written(|out| out.write_long(258)), [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(written(|out| out.write_bool(true)), [1]);
    }

    #[test]
    fn null_and_empty_differ() {
        assert_eq!(written(|out| out.write_buffer(None)), [0xff; 4]);
        assert_eq!(written(|out| out.write_buffer(Some(b""))), [0; 4]);
    }

    #[test]
    fn a_supplementary_character_is_written_as_two_surrogates() {
        assert_eq!(
            written(|out| out.write_ustring("é\u{1f600}!")),
            [
                0, 0, 0, 9, 0xc3, 0xa9, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80, b'!'
            ]
        );
    }

    proptest! {
        #[test]
        fn written_fields_can_be_read_again(text in "\\PC*", data: Option<Vec<u8>>) {
            let mut out = BytesMut::new();
            out.write_ustring(&text);
            out.write_buffer(data.as_deref());
            let mut reader = Reader::new(&out);
            let expected: String = text
                .chars()
                .flat_map(|c| if u32::from(c) < 0x1_0000 { vec![c] } else { vec!['\u{fffd}'; 2] })
                .collect();
            prop_assert_eq!(reader.ustring().unwrap().unwrap().decode(), expected);
            prop_assert_eq!(reader.buffer().unwrap(), data.as_deref());
            prop_assert!(reader.is_at_end());

            let mut length = Length::default();
            length.write_ustring(&text);
            length.write_buffer(data.as_deref());
            prop_assert_eq!(length.0, out.len());
        }
    }
}
