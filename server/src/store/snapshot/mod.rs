//! Snapshots: sessions, ACLs, znodes, seals.
//!
//! Both ways they stream: a record at a time, whatever the size of the file.

mod input;
mod reader;
mod writer;

pub(super) use reader::SnapshotDigest;
pub(crate) use reader::read_snapshot;
pub(crate) use writer::{SnapshotForm, write_snapshot};

/// `ZKSN`.
const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
/// The number that real servers write, and none of them reads: `FileSnap.dbId`.
const DATABASE: i64 = -1;
/// The length of a seal: a checksum, and `/` as a text.
const SEAL: usize = 13;

/// Maps the number of an ACL that a snapshot does not list to one below -1, and back. The number is written so since
/// a server gives none below 1. A number above the listed ones would go to the next new ACL
/// (`ReferenceCountedACLCache.incrementIndex`), and the znode would get that ACL.
fn turned(number: i64) -> i64 {
    number.wrapping_add(2).wrapping_neg()
}
