//! The disk: ZooKeeper's own snapshots and transaction logs, read and written.
//!
//! What is in them is for others to say: records go in and out as plain words of [`protocol`](crate::protocol). Files are
//! opened in `disk.rs` alone.
