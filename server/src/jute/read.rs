//! Reading, as `BinaryInputArchive` does it.

use std::borrow::Cow;

use nom::Parser;

use super::parse;
use crate::protocol::ClientText;

/// Error for bytes that are not the expected field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The expected field.
    pub(crate) what: &'static str,
    /// Its position, counted from the first byte of the input.
    pub(crate) at: usize,
}

/// Cursor that reads one field after the other. Bytes after the last field that is read are ignored.
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
        self.parse("an int", parse::int)
    }

    #[inline]
    pub(crate) fn long(&mut self) -> Result<i64, Malformed> {
        self.parse("a long", parse::long)
    }

    #[inline]
    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        self.parse("a boolean", parse::boolean)
    }

    #[inline]
    pub(crate) fn buffer(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        self.parse("a buffer", parse::buffer)
    }

    /// Reads a text that a client sent.
    #[inline]
    pub(crate) fn ustring(&mut self) -> Result<Option<ClientText<'a>>, Malformed> {
        self.parse("a ustring", parse::ustring)
    }

    /// Reads a text from a file.
    #[inline]
    pub(crate) fn stored_ustring(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.parse("a ustring", parse::stored_ustring)
    }

    /// Reads a vector whose items take `item_length` bytes or more each. A negative count other than that of null is an
    /// empty vector: `BinaryInputArchive.BinaryIndex.done`.
    #[inline]
    pub(crate) fn vector<T>(
        &mut self,
        item_length: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, Malformed> {
        let count = self.parse("the count of a vector", parse::int)?;
        if count == -1 {
            return Ok(None);
        }
        let count = usize::try_from(count).unwrap_or(0);
        let mut items = Vec::with_capacity(capacity(count, self.rest.len(), item_length));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(Some(items))
    }

    /// Skips these bytes if they come next. Returns whether they did.
    #[inline]
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(bytes);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Bytes that were not read yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether every byte was read.
    #[cfg(test)]
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Makes the error for a field that was read and has an impossible value.
    #[cold]
    pub(crate) fn malformed(&self, what: &'static str) -> Malformed {
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
            Err(_) => Err(self.malformed(what)),
        }
    }
}

/// Number of items to reserve memory for: at most as many as the bytes can hold, and at most 64, since the
/// client may send any count.
#[inline]
fn capacity(count: usize, bytes: usize, item_length: usize) -> usize {
    count.min(bytes / item_length.max(1)).min(64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn a_buffer_is_null_or_has_the_length_before_it() {
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
    fn an_error_has_the_position_of_its_field() {
        let mut reader = Reader::new(&[0, 0, 0, 1, 0, 0]);
        reader.int().unwrap();
        let malformed = Malformed {
            what: "a ustring",
            at: 4,
        };
        assert_eq!(reader.ustring(), Err(malformed));
    }

    #[test]
    fn a_vector_may_be_null_empty_or_negative() {
        let read = |bytes: [u8; 8]| Reader::new(&bytes).vector(4, Reader::int);
        assert_eq!(read([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9]), Ok(None));
        assert_eq!(read([0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 9]), Ok(Some(vec![])));
        assert_eq!(read([0, 0, 0, 0, 0, 0, 0, 9]), Ok(Some(vec![])));
        assert_eq!(read([0, 0, 0, 1, 0, 0, 0, 9]), Ok(Some(vec![9])));
        assert!(read([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9]).is_err());
    }

    #[test]
    fn a_count_takes_no_memory_before_the_bytes_are_there() {
        assert_eq!(capacity(0x7fff_ffff, 0, 4), 0);
        assert_eq!(capacity(0x7fff_ffff, 100, 12), 8);
        assert_eq!(capacity(0x7fff_ffff, 1_000_000, 4), 64);
        assert_eq!(capacity(1, 1_000_000, 12), 1);
    }

    proptest! {
        #[test]
        fn a_stored_text_is_read_as_it_was_written(text in "\\PC*") {
            let mut out = bytes::BytesMut::new();
            crate::jute::Writer::write_ustring(&mut out, &text);
            let read = Reader::new(&out).stored_ustring();
            prop_assert_eq!(read.unwrap().unwrap(), text);
        }
    }
}
