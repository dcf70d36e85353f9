//! Reading, as `BinaryInputArchive` does it.

use std::borrow::Cow;

use nom::bytes::complete::take;
use nom::number::complete::be_u8;
use nom::{IResult, Parser};

/// Bytes that are not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What was asked for.
    pub(crate) what: &'static str,
    /// Where, counted from the first byte of the input.
    pub(crate) at: usize,
}

/// Reads one field after the other. What follows the last field asked for is ignored.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `input`.
    #[inline]
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self {
            rest: input,
            length: input.len(),
        }
    }

    #[inline]
    pub(crate) fn int(&mut self) -> Result<i32, Malformed> {
        self.parse("an int", be_i32)
    }

    #[inline]
    pub(crate) fn long(&mut self) -> Result<i64, Malformed> {
        self.parse("a long", be_i64)
    }

    /// Any byte but 0 is true: `DataInputStream.readBoolean`.
    #[inline]
    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        self.parse("a boolean", be_u8.map(|byte| byte != 0))
    }

    #[inline]
    pub(crate) fn buffer(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        self.parse("a buffer", buffer)
    }

    #[inline]
    pub(crate) fn ustring(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.parse("a ustring", buffer.map(|bytes| bytes.map(text)))
    }

    /// A text that was stored: what [`Writer::write_ustring`](super::Writer::write_ustring) and Java's own archive make of
    /// a character beyond the basic multilingual plane, two surrogates, is that character again. A real server reads two
    /// U+FFFD there, so that the znode has another name after its restart.
    #[inline]
    pub(crate) fn stored_ustring(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.parse("a ustring", buffer.map(|bytes| bytes.map(stored_text)))
    }

    /// A vector of items of which each takes `least` bytes or more. A negative count other than that of null is an
    /// empty vector: `BinaryInputArchive.BinaryIndex.done`.
    #[inline]
    pub(crate) fn vector<T>(
        &mut self,
        least: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, Malformed> {
        let count = self.parse("the count of a vector", be_i32)?;
        if count == -1 {
            return Ok(None);
        }
        let count = usize::try_from(count).unwrap_or(0);
        let mut items = Vec::with_capacity(room(count, self.rest.len(), least));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(Some(items))
    }

    /// Passes over these bytes if they come next, and says whether they did.
    #[inline]
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(bytes);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// What was not read yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether every byte was read.
    #[cfg(test)]
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Says that what was read last cannot be right.
    #[cold]
    pub(crate) fn refuse(&self, what: &'static str) -> Malformed {
        Malformed {
            what,
            at: self.length.saturating_sub(self.rest.len()),
        }
    }

    #[inline]
    fn parse<T>(
        &mut self,
        what: &'static str,
        mut parser: impl Parser<&'a [u8], Output = T, Error = ()>,
    ) -> Result<T, Malformed> {
        match parser.parse(self.rest) {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(_) => Err(self.refuse(what)),
        }
    }
}

/// A number at one go: nom's own go byte by byte.
#[inline]
fn be_i32(input: &[u8]) -> IResult<&[u8], i32, ()> {
    match input.split_first_chunk() {
        Some((bytes, rest)) => Ok((rest, i32::from_be_bytes(*bytes))),
        None => Err(nom::Err::Error(())),
    }
}

#[inline]
fn be_i64(input: &[u8]) -> IResult<&[u8], i64, ()> {
    match input.split_first_chunk() {
        Some((bytes, rest)) => Ok((rest, i64::from_be_bytes(*bytes))),
        None => Err(nom::Err::Error(())),
    }
}

#[inline]
fn buffer(input: &[u8]) -> IResult<&[u8], Option<&[u8]>, ()> {
    let (input, length) = be_i32(input)?;
    if length == -1 {
        return Ok((input, None));
    }
    let length = usize::try_from(length).map_err(|_| nom::Err::Error(()))?;
    take(length).map(Some).parse(input)
}

/// How many items to make room for: never more than the bytes could hold, and only a few on the mere word of a client.
#[inline]
fn room(count: usize, bytes: usize, least: usize) -> usize {
    count.min(bytes / least.max(1)).min(64)
}

#[inline]
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(replaced(bytes)),
    }
}

#[inline]
fn stored_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(text(&with_pairs_joined(bytes)).into_owned()),
    }
}

/// The bytes with each encoded pair of surrogates as the one character that it stands for.
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
            behind @ ..,
        ] = bytes
        {
            let unit =
                |high: u8, low: u8| 0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f);
            let char = char::decode_utf16([unit(*a, *b), unit(*c, *d)]).next();
            if let Some(Ok(char)) = char {
                joined.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                bytes = behind;
                continue;
            }
        }
        joined.push(*first);
        bytes = rest;
    }
    joined
}

/// The text with U+FFFD for what is not UTF-8, as Java's `String(byte[], UTF_8)` puts it. It replaces what the
/// standard library replaces, but for an encoded surrogate, whole or cut short, which is one U+FFFD and not one a byte.
#[cold]
fn replaced(mut bytes: &[u8]) -> String {
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
    fn check_text(bytes: &[u8], expected: &str) {
        assert_eq!(text(bytes), expected, "{bytes:02x?}");
    }

    #[test]
    fn numbers_are_big_endian() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((reader.int(), reader.long()), (Ok(-2), Ok(258)));
        assert!(reader.is_at_end());
    }

    #[test]
    fn any_byte_but_zero_is_true() {
        let mut reader = Reader::new(&[0, 1, 2, 0xff]);
        let bools: Vec<_> = std::iter::from_fn(|| reader.bool().ok()).collect();
        assert_eq!(bools, [false, true, true, true]);
    }

    #[test]
    fn a_buffer_is_null_or_as_long_as_it_says() {
        assert_eq!(Reader::new(&[0xff; 4]).buffer(), Ok(None));
        assert_eq!(Reader::new(&[0; 4]).buffer(), Ok(Some(&[][..])));
        assert_eq!(
            Reader::new(&[0, 0, 0, 1, 7, 8]).buffer(),
            Ok(Some(&[7][..]))
        );
        for bad in [
            &[0xff, 0xff, 0xff, 0xfe][..],
            &[0x80, 0, 0, 0],
            &[0, 0, 0, 1],
            &[0x7f, 0xff, 0xff, 0xff, 1],
            &[0, 0, 0],
        ] {
            let malformed = Malformed {
                what: "a buffer",
                at: 0,
            };
            assert_eq!(Reader::new(bad).buffer(), Err(malformed), "{bad:02x?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_place() {
        let mut reader = Reader::new(&[0, 0, 0, 1, 0, 0]);
        reader.int().unwrap();
        let malformed = Malformed {
            what: "a ustring",
            at: 4,
        };
        assert_eq!(reader.ustring(), Err(malformed));
    }

    #[test]
    fn a_valid_text_is_borrowed() {
        assert!(matches!(text("/é\u{1f600}".as_bytes()), Cow::Borrowed(_)));
    }

    #[test]
    fn invalid_utf_8_is_replaced_as_java_replaces_it() {
        check_text(&[0x61, 0xff, 0x62], "a\u{fffd}b");
        check_text(&[0xc3], "\u{fffd}");
        check_text(&[0xc0, 0x80], "\u{fffd}\u{fffd}");
        check_text(&[0xe1, 0x80], "\u{fffd}");
        check_text(&[0xe1, 0x80, 0x61], "\u{fffd}a");
        check_text(&[0xf0, 0x9f, 0x98], "\u{fffd}");
        check_text(&[0xf0, 0x80, 0x80, 0x80], &"\u{fffd}".repeat(4));
        check_text(&[0xf5, 0x80, 0x80, 0x80], &"\u{fffd}".repeat(4));
    }

    #[test]
    fn an_encoded_surrogate_is_one_replacement() {
        check_text(&[0xed, 0xa0, 0xbd], "\u{fffd}");
        check_text(&[0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], "\u{fffd}\u{fffd}");
        check_text(&[0xed, 0xa0, 0x61], "\u{fffd}a");
        check_text(&[0xed, 0xa0], "\u{fffd}");
        check_text(&[0xed, 0x61], "\u{fffd}a");
        check_text(&[0xed, 0x9f, 0xbf], "\u{d7ff}");
    }

    #[test]
    fn a_vector_may_be_null_empty_or_less() {
        let read = |bytes: [u8; 8]| Reader::new(&bytes).vector(4, Reader::int);
        assert_eq!(read([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9]), Ok(None));
        assert_eq!(read([0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 9]), Ok(Some(vec![])));
        assert_eq!(read([0, 0, 0, 0, 0, 0, 0, 9]), Ok(Some(vec![])));
        assert_eq!(read([0, 0, 0, 1, 0, 0, 0, 9]), Ok(Some(vec![9])));
        assert!(read([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9]).is_err());
    }

    #[test]
    fn a_count_takes_no_memory_before_the_bytes_are_there() {
        assert_eq!(room(0x7fff_ffff, 0, 4), 0);
        assert_eq!(room(0x7fff_ffff, 100, 12), 8);
        assert_eq!(room(0x7fff_ffff, 1_000_000, 4), 64);
        assert_eq!(room(1, 1_000_000, 12), 1);
    }

    proptest! {
        #[test]
        fn a_text_that_was_stored_is_read_as_it_was(text in "\\PC*") {
            let mut out = bytes::BytesMut::new();
            crate::jute::Writer::write_ustring(&mut out, &text);
            let read = Reader::new(&out).stored_ustring();
            prop_assert_eq!(read.unwrap().unwrap(), text);
        }

        #[test]
        fn any_stored_bytes_are_a_text(bytes: Vec<u8>) {
            let whole = std::str::from_utf8(&bytes);
            let read = stored_text(&bytes);
            if let Ok(whole) = whole {
                prop_assert_eq!(read, whole);
            }
        }

        #[test]
        fn any_bytes_are_a_text(bytes: Vec<u8>) {
            let replaced = replaced(&bytes);
            if let Ok(valid) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(replaced, valid);
            } else if !bytes.contains(&0xed) {
                prop_assert_eq!(replaced, String::from_utf8_lossy(&bytes));
            }
        }
    }
}
