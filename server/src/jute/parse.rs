//! Jute's primitives as nom parsers.

use std::borrow::Cow;

use nom::bytes::complete::take;
use nom::number::complete::be_u8;
use nom::{IResult, Parser};

use super::text;
use crate::protocol::ClientText;

/// Result of a parser. The error carries nothing: [`Reader`](super::Reader) names the field and its position.
pub(super) type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

#[inline]
pub(super) fn int(input: &[u8]) -> Parsed<'_, i32> {
    array.map(i32::from_be_bytes).parse(input)
}

#[inline]
pub(super) fn long(input: &[u8]) -> Parsed<'_, i64> {
    array.map(i64::from_be_bytes).parse(input)
}

/// Parses as many bytes as the array has, in one step. nom's `be_i32` and `be_i64` go byte by byte, and a bare `take`
/// costs more too: they add 105 and 31 instructions to the 236 that read a setData.
#[inline]
fn array<const LENGTH: usize>(input: &[u8]) -> Parsed<'_, [u8; LENGTH]> {
    match input.split_first_chunk() {
        Some((bytes, rest)) => Ok((rest, *bytes)),
        None => Err(nom::Err::Error(())),
    }
}

/// Parses a boolean. Every byte but 0 is true: `DataInputStream.readBoolean`.
#[inline]
pub(super) fn boolean(input: &[u8]) -> Parsed<'_, bool> {
    be_u8.map(|byte| byte != 0).parse(input)
}

/// Parses a buffer: its length, -1 for null, and its bytes.
#[inline]
pub(super) fn buffer(input: &[u8]) -> Parsed<'_, Option<&[u8]>> {
    let (input, length) = int(input)?;
    if length == -1 {
        return Ok((input, None));
    }
    let length = usize::try_from(length).map_err(|_| nom::Err::Error(()))?;
    take(length).map(Some).parse(input)
}

/// Parses a ustring that a client sent. Its characters are decoded later.
#[inline]
pub(super) fn ustring(input: &[u8]) -> Parsed<'_, Option<ClientText<'_>>> {
    buffer.map(|bytes| bytes.map(ClientText::new)).parse(input)
}

/// Parses a ustring from a file; see [`text::stored`].
#[inline]
pub(super) fn stored_ustring(input: &[u8]) -> Parsed<'_, Option<Cow<'_, str>>> {
    buffer.map(|bytes| bytes.map(text::stored)).parse(input)
}
