//! What a folder holds, read by the rules of a real server's start: `FileTxnSnapLog.restore`.

use super::folder::{FileKind, NamedFile};
use super::log::{HEADER_LENGTH, LogEntry, LogReader, Tail};
use super::snapshot::{SnapshotDigest, read_snapshot};
use super::txn::{DIGEST_VERSION, TxnDigest};
use super::{Folder, OpenOptions, Origin, StorageError};
use crate::protocol::{Restore, Zxid};

/// How many snapshots are tried: `FileSnap.deserialize`.
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

/// A folder that is being read.
struct Recovery<'f> {
    folder: &'f Folder,
    options: &'f OpenOptions,
    restore: &'f mut dyn Restore,
    /// The digest that the snapshot has for a later transaction: before that, the tree may be anything.
    expected: Option<SnapshotDigest>,
    origin: Origin,
    /// Logs that have something behind their last entry.
    ends: Vec<(NamedFile, End)>,
}

/// What is behind the last entry of a log.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Where it begins.
    offset: u64,
    /// Whether somebody may want to look at it: it was not torn by a crash.
    damaged: bool,
}

/// How a log ended.
enum Replayed {
    Whole,
    Torn(u64, StorageError),
    Damaged(u64, StorageError),
    /// Transactions before this offset are missing, so the rest of this log and all later logs are ignored.
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

    /// Reads the newest snapshot that is whole: `FileSnap.deserialize`.
    fn read_snapshot(&mut self) -> Result<(), StorageError> {
        let mut snapshots = self.folder.files(FileKind::Snapshot)?;
        snapshots.reverse();
        let mut tried = 0_usize;
        for snapshot in &snapshots {
            let path = &snapshot.path;
            if tried == MOST_SNAPSHOTS {
                break;
            }
            if let Some(reason) = self.folder.is_broken(path)? {
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
                    // A digest of an earlier transaction says nothing: `DataTree.deserializeZxidDigest`.
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
        // Where not one seems to be whole, a real server finds none at all.
        let has_logs = !self.folder.files(FileKind::Log)?.is_empty();
        // And begins with nothing, if there are no logs either. That is right for the first snapshot, whose writing a crash has
        // ended, and loses what was in a later one.
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

    /// Replays what is later than the snapshot: `FileTxnSnapLog.fastForwardFromEdits`.
    fn replay(&mut self) -> Result<(), StorageError> {
        let wanted = self.origin.last_zxid.next();
        let mut logs = self.folder.files(FileKind::Log)?;
        // The newest that begins before, and all later ones: `FileTxnIterator.init`.
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
                    // A log without an entry would hide the next new log, which has a lower number.
                    (if offset > HEADER_LENGTH { offset } else { 0 }, true)
                }
            };
            self.ends.push((log, End { offset, damaged }));
        }
        Ok(())
    }

    /// Replays one log, which the next one follows from a transaction on. Gives where its last entry has ended and what is wrong
    /// behind it, if something is that may be passed over.
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
                // As the real one cuts it: what stops that, only where nothing can be missing between two logs.
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
            let zxid = entry.txn.zxid;
            // Once there is one to be replayed, so are all that follow.
            *has_begun |= zxid >= wanted;
            if *has_begun {
                let offset = entry.offset;
                match self.refusal(log, &entry) {
                    None => {}
                    Some(gap @ StorageError::Missing { .. }) if self.options.recover => {
                        return Ok(Replayed::Gap(offset, gap));
                    }
                    Some(error) => return Err(error),
                }
                let digest = self.restore.replay(&entry.txn);
                let said = entry.digest;
                self.origin.digest = digest;
                self.origin.replayed = self.origin.replayed.saturating_add(1);
                self.origin.last_zxid = self.origin.last_zxid.max(zxid);
                self.compare_snapshot(zxid);
                self.compare(zxid, said);
            }
        }
        let Some(error) = reader.torn() else {
            return Ok(Replayed::Whole);
        };
        // A real server leaves a torn end where it is and goes on in the next log: as long as that has what comes then, nothing is
        // missing between them.
        let goes_on = next.is_none_or(|next| next <= self.origin.last_zxid.next());
        if goes_on && next.is_some() && !*has_begun {
            // The snapshot is younger than all of it.
            return Ok(Replayed::Whole);
        }
        match (goes_on, self.options.recover) {
            (true, _) => Ok(Replayed::Torn(reader.offset(), error)),
            // Something is missing behind it.
            (false, true) => Ok(Replayed::Damaged(reader.offset(), error)),
            (false, false) => Err(error),
        }
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

    /// `DataTree.compareSnapshotDigests`.
    fn compare_snapshot(&mut self, zxid: Zxid) {
        if let Some(expected) = self.expected
            && expected.zxid == zxid
        {
            self.expected = None;
            let said = TxnDigest {
                version: expected.version,
                digest: expected.digest,
            };
            self.compare(zxid, Some(said));
        }
    }

    /// `DataTree.compareDigest`. A real server goes on where they differ, and says so.
    fn compare(&mut self, zxid: Zxid, said: Option<TxnDigest>) {
        if let (None, Some(digest), Some(said)) = (self.expected, self.origin.digest, said)
            && said.version == DIGEST_VERSION
            && said.digest != digest
        {
            self.origin.digest_mismatch.get_or_insert(zxid);
        }
    }

    /// Cuts off what was passed over: behind newer logs it would be damage. A log that was damaged is kept as it was, by
    /// [another name](Folder::keep_damaged). And syncs what was read: it may never have been, if the server before this one was
    /// killed, and clients will see it now.
    fn cut(&mut self) -> Result<(), StorageError> {
        let disk = self.folder.disk();
        for path in &self.origin.logs {
            let on = |error| StorageError::io(path, error);
            let end = self.ends.iter().find(|(log, _)| log.path == *path);
            if let Some((_, End { damaged: true, .. })) = end {
                self.folder.keep_damaged(path)?;
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
