//! Reading a folder by the rules of a real server's start: `FileTxnSnapLog.restore`.

use super::folder::{FileKind, NamedFile};
use super::log::{HEADER_LENGTH, LogEntry, LogReader, Tail};
use super::snapshot::{SnapshotDigest, read_snapshot};
use super::txn::{DIGEST_VERSION, TxnDigest};
use super::{Folder, OpenOptions, Origin, StorageError};
use crate::protocol::{Restore, Zxid};

/// Number of snapshots that are tried: `FileSnap.deserialize`.
const MOST_SNAPSHOTS: usize = 100;

/// Reads a folder as a real server does on its start: the newest valid snapshot, and the transactions after it. If the
/// folder was opened for writing, torn or damaged ends of logs are cut off afterwards, and everything that was read is
/// synced.
///
/// # Errors
///
/// [`StorageError::Io`], [`StorageError::Damaged`], [`StorageError::Missing`], [`StorageError::UnlistedAcl`],
/// [`StorageError::NoSnapshot`], [`StorageError::NoValidSnapshot`], [`StorageError::NoCompression`].
pub(crate) fn recover(
    folder: &Folder,
    options: &OpenOptions,
    restore: &mut dyn Restore,
) -> Result<Origin, StorageError> {
    let mut recovery = Recovery::new(folder, options, restore);
    recovery.read_snapshot()?;
    recovery.replay()?;
    if folder.is_locked() {
        recovery.cut()?;
    }
    Ok(recovery.origin)
}

/// Progress of reading a folder.
struct Recovery<'f> {
    folder: &'f Folder,
    options: &'f OpenOptions,
    restore: &'f mut dyn Restore,
    /// Digest in the snapshot for a later transaction. Before that transaction, digests cannot be compared.
    expected: Option<SnapshotDigest>,
    origin: Origin,
    /// Logs with bytes after their last entry.
    ends: Vec<(NamedFile, End)>,
}

/// Bytes after the last entry of a log.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Offset of the first of these bytes.
    offset: u64,
    /// Whether a copy is worth saving: the bytes are not just the torn end that a crash leaves.
    damaged: bool,
}

/// End of a log that was replayed.
enum Replayed {
    Whole,
    Torn(u64, StorageError),
    Damaged(u64, StorageError),
    /// Transactions before this offset are missing. The rest of this log and all later logs are ignored.
    Gap(u64, StorageError),
}

impl<'f> Recovery<'f> {
    fn new(folder: &'f Folder, options: &'f OpenOptions, restore: &'f mut dyn Restore) -> Self {
        Self {
            folder,
            options,
            restore,
            expected: None,
            origin: Origin::empty(),
            ends: Vec::new(),
        }
    }

    /// Reads the newest valid snapshot: `FileSnap.deserialize`.
    fn read_snapshot(&mut self) -> Result<(), StorageError> {
        let mut snapshots = self.folder.files(FileKind::Snapshot)?;
        snapshots.reverse();
        let mut tried = 0_usize;
        for snapshot in &snapshots {
            let path = &snapshot.path;
            if tried == MOST_SNAPSHOTS {
                break;
            }
            if let Some(reason) = self.folder.incompleteness(path)? {
                let error = StorageError::damaged(path, 0, reason);
                self.origin.passed_over.push(error);
                continue;
            }
            tried += 1;
            match read_snapshot(self.folder.disk(), path, self.restore) {
                Ok(end) => {
                    self.origin.snapshot = Some(path.clone());
                    self.origin.compression = end.compression;
                    self.origin.format = Some(end.least);
                    self.origin.last_zxid = snapshot.zxid;
                    self.origin.digest = self.restore.loaded(snapshot.zxid);
                    // A digest of an earlier transaction is ignored: `DataTree.deserializeZxidDigest`.
                    self.expected = end.digest.filter(|digest| digest.zxid >= snapshot.zxid);
                    self.compare_snapshot(snapshot.zxid);
                    return Ok(());
                }
                Err(error @ StorageError::Damaged { .. }) => {
                    self.origin.passed_over.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        let folder = self.folder.snapshots().to_path_buf();
        // If all snapshots look incomplete, a real server acts as if there were none.
        let has_logs = !self.folder.files(FileKind::Log)?.is_empty();
        // Without logs it then starts with an empty tree. That is right if a crash interrupted the first snapshot, and
        // loses the state of a later one.
        let is_lost = !has_logs && snapshots.iter().any(|snapshot| snapshot.zxid > Zxid(0));
        match self.origin.passed_over.first() {
            Some(newest) if tried > 0 || (is_lost && !self.options.trust_empty) => {
                Err(StorageError::NoValidSnapshot {
                    folder,
                    count: snapshots.len(),
                    newest: Box::new(newest.clone()),
                })
            }
            _ if self.options.trust_empty || !has_logs => Ok(()),
            _ => Err(StorageError::NoSnapshot { folder }),
        }
    }

    /// Replays the transactions after the snapshot: `FileTxnSnapLog.fastForwardFromEdits`.
    fn replay(&mut self) -> Result<(), StorageError> {
        let wanted = self.origin.last_zxid.next();
        let mut logs = self.folder.files(FileKind::Log)?;
        // The newest log that begins before `wanted`, and all later ones: `FileTxnIterator.init`.
        let first = logs.iter().rposition(|log| log.zxid < wanted);
        logs.drain(..first.unwrap_or_default());
        let mut has_begun = false;
        let begins: Vec<Zxid> = logs.iter().map(|log| log.zxid).collect();
        let mut begins = begins.into_iter();
        let mut has_gap = false;
        for log in logs {
            begins.next();
            let next = begins.clone().next();
            self.origin.logs.push(log.path.clone());
            if has_gap {
                let end = End {
                    offset: 0,
                    damaged: true,
                };
                self.ends.push((log, end));
                continue;
            }
            let (offset, damaged) = match self.replay_log(&log, wanted, &mut has_begun, next)? {
                Replayed::Whole => continue,
                Replayed::Torn(offset, error) => {
                    self.origin.torn.push(error);
                    (offset, false)
                }
                Replayed::Damaged(offset, error) => {
                    self.origin.cut.push(error);
                    (offset, true)
                }
                Replayed::Gap(offset, error) => {
                    has_gap = true;
                    self.origin.cut.push(error);
                    // A log without an entry would hide the next new log, which has a lower zxid.
                    (if offset > HEADER_LENGTH { offset } else { 0 }, true)
                }
            };
            self.ends.push((log, End { offset, damaged }));
        }
        Ok(())
    }

    /// Replays one log. `next` is the first transaction of the next log. Returns the end of the log, with damage that
    /// may be ignored.
    fn replay_log(
        &mut self,
        log: &NamedFile,
        wanted: Zxid,
        has_begun: &mut bool,
        next: Option<Zxid>,
    ) -> Result<Replayed, StorageError> {
        let mut reader = LogReader::open(self.folder.disk(), &log.path)?;
        loop {
            let entry = match reader.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                // Damage that a real server takes for the end may be cut in any log. Damage that stops a real server
                // may be cut only in the last log.
                Err(error) => match reader.tail() {
                    Some(Tail::Short(_)) if self.options.recover => {
                        return Ok(Replayed::Damaged(reader.offset(), error));
                    }
                    Some(Tail::Broken(_)) if self.options.recover && next.is_none() => {
                        return Ok(Replayed::Damaged(reader.offset(), error));
                    }
                    _ => return Err(error),
                },
            };
            self.origin.format = self.origin.format.max(Some(entry.least));
            // After the first transaction that is replayed, all are.
            *has_begun |= entry.txn.zxid >= wanted;
            if *has_begun {
                let offset = entry.offset;
                match self.refusal(log, &entry) {
                    None => {}
                    Some(gap @ StorageError::Missing { .. }) if self.options.recover => {
                        return Ok(Replayed::Gap(offset, gap));
                    }
                    Some(error) => return Err(error),
                }
                self.replay_entry(&entry);
            }
        }
        let Some(error) = reader.torn() else {
            return Ok(Replayed::Whole);
        };
        // A real server does not cut a torn end, and continues in the next log. If that log begins with the next
        // transaction, nothing is missing.
        let continues = next.is_none_or(|next| next <= self.origin.last_zxid.next());
        if continues && next.is_some() && !*has_begun {
            // The snapshot is newer than the whole log.
            return Ok(Replayed::Whole);
        }
        match (continues, self.options.recover) {
            (true, _) => Ok(Replayed::Torn(reader.offset(), error)),
            // Transactions are missing between this log and the next.
            (false, true) => Ok(Replayed::Damaged(reader.offset(), error)),
            (false, false) => Err(error),
        }
    }

    /// Replays one transaction, and compares the tree with the digests in the files.
    fn replay_entry(&mut self, entry: &LogEntry<'_>) {
        let zxid = entry.txn.zxid;
        self.origin.digest = self.restore.replay(&entry.txn);
        self.origin.replayed = self.origin.replayed.saturating_add(1);
        self.origin.last_zxid = self.origin.last_zxid.max(zxid);
        self.compare_snapshot(zxid);
        self.compare(zxid, entry.digest);
    }

    /// Reason why a transaction cannot be replayed onto the present state.
    fn refusal(&mut self, log: &NamedFile, entry: &LogEntry<'_>) -> Option<StorageError> {
        let zxid = entry.txn.zxid;
        if let Some((first, last)) = self.compare_numbers(zxid) {
            return Some(StorageError::Missing {
                file: log.path.clone(),
                offset: entry.offset,
                first,
                last,
            });
        }
        if self.options.recover {
            return None;
        }
        let (path, number) = self.restore.needs_unlisted_acl(&entry.txn)?;
        Some(StorageError::UnlistedAcl {
            file: log.path.clone(),
            zxid,
            path,
            number,
        })
    }

    /// Compares the number of a transaction with the last one: within an epoch every transaction has the next number,
    /// or the last one again. Returns the missing transactions before this one. A real server compares from 3.9 on,
    /// and not between the snapshot and the first transaction (`ZKDatabase.addCommittedProposal`).
    fn compare_numbers(&mut self, zxid: Zxid) -> Option<(Zxid, Zxid)> {
        let last = self.origin.last_zxid;
        if zxid < last {
            self.origin.repeated.get_or_insert(zxid);
        }
        // Logs without a snapshot are opened only on request, and may begin anywhere.
        let is_first = self.origin.snapshot.is_none() && self.origin.replayed == 0;
        if zxid > last.next() && zxid.0 >> 32 == last.0 >> 32 && !is_first {
            let gap = (last.next(), Zxid(zxid.0.saturating_sub(1)));
            self.origin.missing.get_or_insert(gap);
            return Some(gap);
        }
        None
    }

    /// Compares the digest in the snapshot with the tree: `DataTree.compareSnapshotDigests`.
    fn compare_snapshot(&mut self, zxid: Zxid) {
        if let Some(expected) = self.expected
            && expected.zxid == zxid
        {
            self.expected = None;
            let stored = TxnDigest {
                version: expected.version,
                digest: expected.digest,
            };
            self.compare(zxid, Some(stored));
        }
    }

    /// Compares the digest of a transaction with the tree: `DataTree.compareDigest`. A real server continues after a
    /// mismatch, with a warning.
    fn compare(&mut self, zxid: Zxid, stored: Option<TxnDigest>) {
        if let (None, Some(digest), Some(stored)) = (self.expected, self.origin.digest, stored)
            && stored.version == DIGEST_VERSION
            && stored.digest != digest
        {
            self.origin.digest_mismatch.get_or_insert(zxid);
        }
    }

    /// Cuts off the ends that were ignored, since they would be damage before newer logs. A damaged log is
    /// [saved](Folder::save_damaged) first. Flushes all other logs: clients will see their transactions, which may not
    /// be durable if the last server was killed.
    fn cut(&mut self) -> Result<(), StorageError> {
        let disk = self.folder.disk();
        for path in &self.origin.logs {
            let on = |error| StorageError::io(path, error);
            let end = self.ends.iter().find(|(log, _)| log.path == *path);
            if let Some((_, End { damaged: true, .. })) = end {
                self.folder.save_damaged(path)?;
            }
            match end {
                Some((_, End { offset: 0, .. })) => disk.remove(path).map_err(on)?,
                Some((_, End { offset, .. })) => {
                    let file = disk.open_to_write(path).map_err(on)?;
                    file.set_length(*offset).map_err(on)?;
                    file.sync_data().map_err(on)?;
                }
                None => self.folder.sync(path)?,
            }
        }
        self.folder.sync_names(self.folder.logs())
    }
}
