//! The digest of a tree while its znodes change.

use super::digest::{TreeDigest, sum_of};
use super::tree::Tree;
use crate::protocol::Zxid;

impl Tree {
    /// Returns the digest of all znodes, if the tree maintains one.
    #[inline]
    pub(crate) fn digest(&self) -> Option<u64> {
        self.digest.as_deref().map(TreeDigest::sum)
    }

    /// Begins or stops to maintain a digest.
    pub(super) fn maintain_digest(&mut self, wanted: bool) {
        match (wanted, &self.digest) {
            (true, None) => self.digest = Some(Box::new(TreeDigest::of(self.all()))),
            (false, Some(_)) => self.digest = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Computes the digest of all znodes.
    pub(crate) fn computed_digest(&self) -> u64 {
        sum_of(self.all())
    }

    /// Returns to the digest before a transaction that is rolled back.
    pub(super) fn reset_digest(&mut self, digest: Option<u64>) {
        if let (Some(current), Some(sum)) = (&mut self.digest, digest) {
            current.reset(sum);
        }
    }

    /// Returns the digests after every 128th transaction, the oldest first, if the tree maintains a digest.
    pub(crate) fn digest_history(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.digest.iter().flat_map(|digest| digest.history())
    }

    /// Notes the digest after a transaction.
    #[inline]
    pub(super) fn note_digest(&mut self) {
        let zxid = self.last_zxid();
        if let Some(digest) = self.digest.as_deref_mut() {
            digest.note(zxid);
        }
    }

    /// Subtracts the digest of a znode that is about to change or to be removed.
    #[inline]
    pub(super) fn subtract_digest(&mut self, id: u32) {
        if self.digest.is_some() {
            self.subtract_maintained(id);
        }
    }

    /// Adds the digest of a znode that has changed or is new.
    #[inline]
    pub(super) fn add_digest(&mut self, id: u32) {
        if self.digest.is_some() {
            self.add_maintained(id);
        }
    }

    #[inline(never)]
    fn subtract_maintained(&mut self, id: u32) {
        if let Some(digest) = self.digest.as_deref_mut() {
            digest.subtract(id, self.znodes.get(id));
        }
    }

    #[inline(never)]
    fn add_maintained(&mut self, id: u32) {
        if let Some(digest) = self.digest.as_deref_mut() {
            digest.add(id, self.znodes.get(id));
        }
    }
}
