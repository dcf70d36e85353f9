//! Snapshots: sessions, ACLs, znodes, seals.
//!
//! Both ways they stream: a record at a time, whatever the size of the file.

mod reader;
mod writer;

pub(crate) use reader::{SnapshotEnd, read_snapshot};
pub(crate) use writer::{SnapshotForm, write_snapshot};
