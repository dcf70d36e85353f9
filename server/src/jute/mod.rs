//! Jute's primitives in both directions: int, long, bool, buffer, ustring and vector, all big-endian.
//!
//! `wire` and `store` build their records from them. Malformed input is an error and never a panic, and no length is
//! trusted before the bytes are there.

mod parse;
mod read;
mod text;
mod write;

pub(crate) use read::{Malformed, Reader};
pub(crate) use write::{Length, Writer};
