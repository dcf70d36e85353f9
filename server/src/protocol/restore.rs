//! The trait between the reader of a folder and the rules, which do not know each other.

use super::{SessionRecord, Txn, ZnodeRecord, Zxid};

/// Receives the content of a data folder, in the order in which it is read: first a snapshot, then later transactions.
///
/// If there is no snapshot, neither [`begin`](Self::begin) nor [`loaded`](Self::loaded) is called, and the transactions
/// change the state of a fresh server.
pub(crate) trait Restore {
    /// Begins a snapshot. Everything that was received before is dropped: it came from a snapshot that turned out to be
    /// damaged.
    fn begin(&mut self);

    /// Receives a session. If two have the same id, the later one counts.
    fn session(&mut self, session: SessionRecord);

    /// Receives a znode. A parent comes before its children.
    ///
    /// # Errors
    ///
    /// Returns the reason if the tree cannot contain the znode: it has no parent, or its path was received before.
    fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str>;

    /// Ends the snapshot. Returns the digest of the tree, if the receiver maintains one.
    fn loaded(&mut self, zxid: Zxid) -> Option<u64>;

    /// Returns a znode whose ACL a real server looks up to replay this transaction although the snapshot does not list
    /// the ACL, and the number of that ACL.
    fn needs_unlisted_acl(&self, txn: &Txn<'_>) -> Option<(Box<str>, i64)>;

    /// Replays a later transaction. Returns the digest of the tree after it, if the receiver maintains one.
    fn replay(&mut self, txn: &Txn<'_>) -> Option<u64>;
}
