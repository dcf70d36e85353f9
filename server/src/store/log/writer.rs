//! Appending to a log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;

use super::blocks::Blocks;
use super::{HEADER_LENGTH, LogReader, MAGIC, OURS, VERSION};
use crate::jute::Writer;
use crate::protocol::Zxid;
use crate::store::disk::is_no_direct;
use crate::store::folder::FileKind;
use crate::store::txn::{ENTRY_HEAD, SYNCED_LENGTH, SYNCED_MARK};
use crate::store::{Disk, DiskFile, Folder, StorageError};

/// Settings of a log writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Most bytes that are filled with zeros ahead of the last entry; 0 for none.
    pub(crate) pre_alloc_size: u64,
    /// Length in bytes after which the next log begins; 0 for no limit.
    pub(crate) size_limit: u64,
    /// Whether logs are durable. If not, nothing ever waits for the disk; otherwise the beginning of a log waits for
    /// all of the last one.
    pub(crate) force_sync: bool,
}

/// Appends batches of entries to the newest log. Its [`Filler`] may belong to another thread.
#[derive(Debug)]
pub(crate) struct LogWriter {
    folder: Arc<Folder>,
    settings: LogSettings,
    current: Option<Current>,
    /// The previous log, if it is not completely flushed.
    unsynced: Option<Arc<Region>>,
    filler: Filler,
}

/// The newest log.
#[derive(Debug)]
struct Current {
    region: Arc<Region>,
    /// Writes past the operating system's cache, if that is possible: bytes that are flushed anyway reach the disk
    /// sooner.
    blocks: Option<Blocks>,
    /// Offset of the next entry.
    end: u64,
    /// Offset up to which the file is durable.
    synced: u64,
    /// Offset up to which the file system has allocated blocks, so that a write changes no metadata.
    allotted: u64,
}

/// Log file, and how far it is written and filled with zeros.
#[derive(Debug)]
struct Region {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    /// Offset up to which the writer has written.
    written: AtomicU64,
    /// Offset up to which only the writer writes.
    filled: AtomicU64,
    /// Locked while bytes are written at or after `filled`.
    beyond: Mutex<()>,
    /// Whether the disk refused zeros. It is nearly full, and another attempt with each write would not help.
    given_up: AtomicBool,
}

impl LogWriter {
    /// Makes a writer whose first batch begins a new log.
    pub(crate) fn new(folder: Arc<Folder>, settings: LogSettings) -> Self {
        Self {
            folder,
            settings,
            current: None,
            unsynced: None,
            filler: Filler {
                pre_alloc_size: settings.pre_alloc_size,
                region: Arc::default(),
            },
        }
    }

    /// Appends entries from [`encode_txn`](crate::store::encode_txn) with one write, after filling in their checksums.
    /// The first batch, and the first one after [`roll`](Self::roll), begins a log with the zxid of its first entry.
    /// Entries are not durable before [`sync`](Self::sync).
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::Gone`]. The writer must not be used after an error.
    pub(crate) fn write(
        &mut self,
        first_zxid: Zxid,
        batch: &mut BytesMut,
    ) -> Result<(), StorageError> {
        // FileTxnLog.commit.
        let limit = self.settings.size_limit;
        if limit > 0 && self.current.as_ref().is_some_and(|log| log.end > limit) {
            self.roll();
        }
        let current = match &mut self.current {
            Some(current) => current,
            None => {
                if let Some(previous) = self.unsynced.take() {
                    // Only the newest log may be torn.
                    previous.at(previous.file.sync_data())?;
                }
                let begun = begin(&self.folder, first_zxid, self.settings)?;
                self.filler.follow(Some(Arc::clone(&begun.region)));
                self.current.insert(begun)
            }
        };
        seal(batch, current.synced);
        if !current.write_blocks(batch)? {
            current.write(batch)?;
        }
        let length = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        current.end = current.end.saturating_add(length);
        let written = &current.region.written;
        written.store(current.end, Ordering::Release);
        Ok(())
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]. The writer must not be used after an error.
    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        if let Some(previous) = self.unsynced.take() {
            previous.at(previous.file.sync_data())?;
        }
        if let Some(current) = &mut self.current
            && current.synced != current.end
        {
            current.sync()?;
        }
        Ok(())
    }

    /// Checks that the newest log still has a name, with one `fstat`.
    ///
    /// # Errors
    ///
    /// [`StorageError::Gone`]: transactions since the last check must not be acknowledged.
    pub(crate) fn check_linked(&self) -> Result<(), StorageError> {
        let current = self.current.as_ref();
        if current.is_some_and(|current| current.region.file.is_removed()) {
            let logs = self.folder.logs();
            return Err(StorageError::Gone {
                folder: logs.parent().unwrap_or(logs).to_path_buf(),
            });
        }
        Ok(())
    }

    /// Checks that the newest log still has a name and that the folder is in its place, with another `fstat` and a
    /// `stat` for each lock.
    ///
    /// # Errors
    ///
    /// As [`check_linked`](Self::check_linked).
    pub(crate) fn check_in_place(&self) -> Result<(), StorageError> {
        self.check_linked()?;
        self.folder.check_in_place()
    }

    /// Lets the next batch begin a new log. Opens and writes nothing.
    pub(crate) fn roll(&mut self) {
        self.filler.follow(None);
        if let Some(current) = self.current.take()
            && current.synced != current.end
            && self.settings.force_sync
        {
            self.unsynced = Some(current.region);
        }
    }

    /// Returns the filler of the log, for another thread.
    pub(crate) fn filler(&self) -> Filler {
        self.filler.clone()
    }
}

/// Fills in the parts of entries that are known only when they are written: how far the file is durable, and checksums.
fn seal(batch: &mut [u8], synced: u64) {
    let synced = (SYNCED_MARK | synced & !(0xffff << 48)).to_be_bytes();
    let mut rest = batch;
    while let Some((head, after)) = rest.split_first_chunk_mut::<ENTRY_HEAD>() {
        let [.., a, b, c, d] = *head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some((payload, after)) = after.split_at_mut_checked(length) else {
            return;
        };
        if let Some(place) = payload.last_chunk_mut::<SYNCED_LENGTH>() {
            *place = synced;
        }
        let checksum = u64::from(simd_adler32::adler32(&&*payload)).to_be_bytes();
        if let Some(place) = head.first_chunk_mut() {
            *place = checksum;
        }
        rest = after.get_mut(1..).unwrap_or_default();
    }
}

/// Begins a log. It has a temporary name until its header is written, so no log is without a header.
fn begin(folder: &Folder, first: Zxid, settings: LogSettings) -> Result<Current, StorageError> {
    folder.check_in_place()?;
    let name = FileKind::Log.name(first);
    let path = folder.logs().join(&name);
    if let Some(current) = resume(folder, &path)? {
        return Ok(current);
    }
    let temporary = folder.logs().join(format!("tmp-{name}"));
    let on = |path: &Path, error| StorageError::io(path, error);
    let file = folder
        .disk()
        .create(&temporary)
        .map_err(|error| on(&temporary, error))?;
    let mut header = BytesMut::new();
    header.write_int(MAGIC);
    header.write_int(VERSION);
    header.write_long(OURS);
    let filled = step(0, settings.pre_alloc_size).max(HEADER_LENGTH);
    write_zeros(&*file, HEADER_LENGTH, filled)
        .and_then(|()| file.write_at(0, &header))
        .and_then(|()| match settings.force_sync {
            true => file.sync_data(),
            false => Ok(()),
        })
        .map_err(|error| on(&temporary, error))?;
    let disk = folder.disk();
    disk.rename(&temporary, &path)
        .map_err(|error| on(&path, error))?;
    if settings.force_sync {
        disk.sync_folder(folder.logs())
            .map_err(|error| on(folder.logs(), error))?;
    }
    let mut begun = Current::new(file, path, HEADER_LENGTH, filled);
    if settings.force_sync {
        begun.open_blocks(disk)?;
    }
    Ok(begun)
}

/// Continues a log of this name that has entries. An entry can have the zxid of the one before it, as that of a
/// malformed write on 3.9. If it is the first one of a new log, that log has the name of the last one.
fn resume(folder: &Folder, path: &Path) -> Result<Option<Current>, StorageError> {
    let names = folder.list(folder.logs())?;
    if !names.iter().any(|name| path.ends_with(name)) {
        return Ok(None);
    }
    let mut reader = LogReader::open(folder.disk(), path)?;
    if reader.next()?.is_none() {
        return Ok(None);
    }
    while reader.next()?.is_some() {}
    let end = reader.offset();
    let file = folder
        .disk()
        .open_to_write(path)
        .and_then(|file| file.sync_data().map(|()| file))
        .map_err(|error| StorageError::io(path, error))?;
    Ok(Some(Current::new(file, path.to_path_buf(), end, end)))
}

impl Current {
    fn new(file: Arc<dyn DiskFile>, path: PathBuf, end: u64, filled: u64) -> Self {
        let region = Region {
            file,
            path,
            written: AtomicU64::new(end),
            filled: AtomicU64::new(filled),
            beyond: Mutex::new(()),
            given_up: AtomicBool::new(false),
        };
        Self {
            region: Arc::new(region),
            blocks: None,
            end,
            synced: end,
            allotted: filled,
        }
    }

    /// Makes everything written so far durable. A file system that has just become read-only may report success
    /// although nothing was flushed (`ext4_sync_file`). Bytes in allocated blocks are safe even then, but new blocks
    /// are lost. So if there are new blocks, a write follows, which fails on a read-only file system.
    fn sync(&mut self) -> Result<(), StorageError> {
        let region = &self.region;
        let filled = region.filled.load(Ordering::Acquire);
        region.at(region.file.sync_data())?;
        if self.end > self.allotted {
            region.at(region.file.write_at(self.end, &[0]))?;
        }
        self.synced = self.end;
        self.allotted = self.allotted.max(filled).max(self.end);
        Ok(())
    }

    /// Opens the log for writes past the operating system's cache, if that is possible.
    fn open_blocks(&mut self, disk: &dyn Disk) -> Result<(), StorageError> {
        match disk.open_direct(&self.region.path) {
            Err(error) if is_no_direct(&error) => {}
            opened => self.blocks = Some(Blocks::new(self.region.at(opened)?)),
        }
        Ok(())
    }

    /// Writes a batch past the cache, if there are zeros up to the end of its last block. Returns whether it did.
    fn write_blocks(&mut self, batch: &[u8]) -> Result<bool, StorageError> {
        let filled = self.region.filled.load(Ordering::Acquire);
        let blocks = self.blocks.as_mut();
        let Some(blocks) = blocks.filter(|_| Blocks::end_of(self.end, batch.len()) <= filled)
        else {
            return Ok(false);
        };
        match blocks.write(self.end, batch) {
            Err(error) if is_no_direct(&error) => {
                self.blocks = None;
                Ok(false)
            }
            written => self.region.at(written).map(|()| true),
        }
    }

    /// Writes a batch through the operating system's cache.
    fn write(&self, batch: &[u8]) -> Result<(), StorageError> {
        let region = &self.region;
        let length = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let end = self.end.saturating_add(length);
        if end <= region.filled.load(Ordering::Acquire) {
            return region.at(region.file.write_at(self.end, batch));
        }
        // There are not enough zeros yet. This waits for the thread that is writing some, which continues after this
        // batch.
        let _beyond = region.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        region.at(region.file.write_at(self.end, batch))?;
        region.filled.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }
}

impl Region {
    /// Adds the path of the file to an error of the disk.
    fn at<T>(&self, result: io::Result<T>) -> Result<T, StorageError> {
        result.map_err(|error| StorageError::io(&self.path, error))
    }
}

/// Fills the newest log with zeros ahead of its [`LogWriter`], so that writing and flushing a batch changes no
/// metadata. It flushes nothing itself: the next flush of a batch includes the zeros, which costs less than one more
/// flush.
#[derive(Clone, Debug)]
pub(crate) struct Filler {
    pre_alloc_size: u64,
    region: Arc<Mutex<Option<Arc<Region>>>>,
}

impl Filler {
    /// Whether [`fill_ahead`](Self::fill_ahead) is due. Cheap enough to be called after each write.
    pub(crate) fn is_due(&self) -> bool {
        self.region().is_some_and(|region| {
            if region.given_up.load(Ordering::Relaxed) {
                return false;
            }
            let filled = region.filled.load(Ordering::Acquire);
            let ahead = filled.saturating_sub(region.written.load(Ordering::Acquire));
            ahead < step(filled, self.pre_alloc_size) / 2
        })
    }

    /// Writes zeros ahead of the writer, which may write at the same time.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]: the disk may be full. The writer meets the same error by itself. This log is not filled
    /// again.
    pub(crate) fn fill_ahead(&self) -> Result<(), StorageError> {
        let Some(region) = self.region() else {
            return Ok(());
        };
        let filled = region.filled.load(Ordering::Acquire);
        let until = filled.saturating_add(step(filled, self.pre_alloc_size));
        loop {
            let _beyond = region.beyond.lock().unwrap_or_else(PoisonError::into_inner);
            let from = region.filled.load(Ordering::Acquire);
            if from >= until {
                return Ok(());
            }
            let to = until.min(from.saturating_add(SLICE));
            let written = write_zeros(&*region.file, from, to);
            if written.is_err() {
                region.given_up.store(true, Ordering::Relaxed);
            }
            region.at(written)?;
            region.filled.fetch_max(to, Ordering::AcqRel);
        }
    }

    fn region(&self) -> Option<Arc<Region>> {
        let region = self.region.lock().unwrap_or_else(PoisonError::into_inner);
        region.clone()
    }

    fn follow(&self, region: Option<Arc<Region>>) {
        *self.region.lock().unwrap_or_else(PoisonError::into_inner) = region;
    }
}

/// Number of zeros that one call writes, which is the most that a concurrent write waits for.
const SLICE: u64 = 128 << 10;

/// Number of bytes to fill ahead: as many as the log has, so that a small folder stays small, and at most as many as a
/// flush includes in a millisecond.
fn step(filled: u64, pre_alloc_size: u64) -> u64 {
    filled.clamp(256 << 10, 1 << 20).min(pre_alloc_size)
}

fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
        let zeros = ZEROS.get(..length).unwrap_or(&ZEROS);
        file.write_at(at, zeros)?;
        at = at.saturating_add(u64::try_from(zeros.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}
