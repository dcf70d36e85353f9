//! Jute's primitives, both directions: int, long, bool, buffer, ustring and vector, all big-endian.
//!
//! What they add up to is for others to say: `wire` makes requests and replies of them. Whatever is not jute is an
//! error, never a panic, and no length is believed before the bytes are there.

mod read;
mod write;

pub(crate) use read::{Malformed, Reader};
pub(crate) use write::{Length, Writer};
