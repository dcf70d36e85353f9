//! The seam to the rules: who takes what a folder holds.

use crate::protocol::{SessionRecord, Txn, ZnodeRecord, Zxid};

/// Takes what a folder holds, in the order in which it is read. Where there is no snapshot, neither
/// [`begin`](Self::begin) nor [`loaded`](Self::loaded) is called: transactions follow on the state of a fresh server.
pub(crate) trait Restore {
    /// A snapshot begins: whatever was taken before is forgotten (it was damaged further on).
    fn begin(&mut self);
    fn session(&mut self, session: SessionRecord);
    /// # Errors
    ///
    /// Why it cannot be (no parent, twice).
    fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str>;
    /// The snapshot has ended. Gives the digest of the tree, if one is kept.
    fn loaded(&mut self, zxid: Zxid) -> Option<u64>;
    /// The znode whose ACL a real server asks for to replay this transaction, and the ACL's number, if no snapshot
    /// lists it.
    fn needs_unlisted_acl(&self, txn: &Txn<'_>) -> Option<(Box<str>, i64)>;
    /// A later transaction. Gives the digest of the tree after it, if one is kept.
    fn replay(&mut self, txn: &Txn<'_>) -> Option<u64>;
}
