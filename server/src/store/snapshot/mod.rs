//! Snapshots: sessions, ACLs, znodes, seals.
//!
//! They are read and written as a stream, one record at a time, whatever the size of the file.

mod input;
mod reader;
mod writer;

pub(super) use reader::SnapshotDigest;
pub(crate) use reader::read_snapshot;
pub(crate) use writer::{SnapshotForm, write_snapshot};

/// `ZKSN`.
const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
/// Number that real servers write and never read: `FileSnap.dbId`.
const DATABASE: i64 = -1;
/// Length of a seal, in bytes: a checksum, and `/` as a ustring.
const SEAL: usize = 13;

/// Maps the number of an ACL that a snapshot does not list to a number below -1, and back. A server assigns no number
/// below 1, so the written number stays unlisted. With a number above the listed ones, the znode would get the next new
/// ACL, which is assigned that number (`ReferenceCountedACLCache.incrementIndex`).
fn unlisted_number_mapped(number: i64) -> i64 {
    number.wrapping_add(2).wrapping_neg()
}
