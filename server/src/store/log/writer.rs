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

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// The most that is filled with zeros ahead of what is written, in bytes; 0 for nothing.
    pub(crate) pre_alloc_size: u64,
    /// A log that has more bytes than this is followed by the next; 0 for never.
    pub(crate) size_limit: u64,
    /// Whether it is to outlast a loss of power too. If not, nothing ever waits for the disk: to begin a new log would
    /// otherwise wait for all of the one before.
    pub(crate) force_sync: bool,
}

/// Appends batches of entries to the newest log. One thread has it, which may be another than the one with the
/// [`Filler`].
#[derive(Debug)]
pub(crate) struct LogWriter {
    folder: Arc<Folder>,
    settings: LogSettings,
    current: Option<Current>,
    /// The log before, if not all of it is synced.
    unsynced: Option<Arc<Region>>,
    filler: Filler,
}

/// The log that is written.
#[derive(Debug)]
struct Current {
    region: Arc<Region>,
    /// Where it can be written past the operating system's cache: what is flushed at once anyway comes to the disk sooner so.
    blocks: Option<Blocks>,
    /// Where the next entry begins.
    end: u64,
    /// Up to where the file is known to be on the disk.
    synced: u64,
    /// Up to where its blocks are: what is written there needs nothing else.
    allotted: u64,
}

/// A log, and how far it is filled with zeros.
#[derive(Debug)]
struct Region {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    /// Up to where the writer has written.
    written: AtomicU64,
    /// Up to where nothing but the writer writes any more.
    filled: AtomicU64,
    /// Held while anything is written at or beyond `filled`.
    beyond: Mutex<()>,
    /// Whether the disk would take no more zeros: it is nearly full, and to try again with each write would not help.
    given_up: AtomicBool,
}

impl LogWriter {
    /// A writer whose first batch begins a new log.
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

    /// Appends entries, as [`encode_txn`](crate::store::encode_txn) made them, by one write. Fills in their checksums
    /// first; the batch is as it was written afterwards. If there is no log yet, or since [`roll`](Self::roll), begins
    /// one that has the number of the first entry. Nothing is on the disk before [`sync`](Self::sync).
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`], [`StorageError::Gone`]. Nothing may be written any more after it.
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
                if let Some(before) = self.unsynced.take() {
                    // Only the newest log may be torn.
                    before.at(before.file.sync_data())?;
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

    /// Has everything written so far outlast a loss of power.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]. Nothing may be written any more after it.
    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        if let Some(before) = self.unsynced.take() {
            before.at(before.file.sync_data())?;
        }
        if let Some(current) = &mut self.current
            && current.synced != current.end
        {
            current.sync()?;
        }
        Ok(())
    }

    /// Whether the newest log still has a name: an `fstat`.
    ///
    /// # Errors
    ///
    /// [`StorageError::Gone`]: nothing that was written since the last check may be acknowledged.
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

    /// Whether the newest log still has a name and the folder is in its place: an `fstat` more, and a `stat`, for
    /// each lock.
    ///
    /// # Errors
    ///
    /// As [`check_linked`](Self::check_linked).
    pub(crate) fn check_in_place(&self) -> Result<(), StorageError> {
        self.check_linked()?;
        self.folder.check_in_place()
    }

    /// The next batch begins a new log. Nothing is opened or written by this.
    pub(crate) fn roll(&mut self) {
        self.filler.follow(None);
        if let Some(current) = self.current.take()
            && current.synced != current.end
            && self.settings.force_sync
        {
            self.unsynced = Some(current.region);
        }
    }

    /// What fills the log with zeros ahead, for another thread.
    pub(crate) fn filler(&self) -> Filler {
        self.filler.clone()
    }
}

/// Fills in what entries do not know of themselves: up to where the file was on the disk, and their checksums.
fn seal(batch: &mut [u8], synced: u64) {
    let synced = (SYNCED_MARK | synced & !(0xffff << 48)).to_be_bytes();
    let mut rest = batch;
    while let Some((head, behind)) = rest.split_first_chunk_mut::<ENTRY_HEAD>() {
        let [.., a, b, c, d] = *head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some((payload, behind)) = behind.split_at_mut_checked(length) else {
            return;
        };
        if let Some(place) = payload.last_chunk_mut::<SYNCED_LENGTH>() {
            *place = synced;
        }
        let checksum = u64::from(simd_adler32::adler32(&&*payload)).to_be_bytes();
        if let Some(place) = head.first_chunk_mut() {
            *place = checksum;
        }
        rest = behind.get_mut(1..).unwrap_or_default();
    }
}

/// Begins a log under another name, so that no log is without its header, and then gives it its own.
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

/// Goes on with a log of that name that has entries: where an entry has the number of the one before it, as on 3.9 that of
/// a malformed write, it may be the first of a new log, which would be named as the one before.
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

    /// Has everything written so far outlast a loss of power. A file system that has just become read-only may say that this is
    /// done when nothing was (`ext4_sync_file`). What was written where there were blocks already is then no worse off, but new
    /// ones are lost: a write that succeeds afterwards tells that they are not.
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

    /// Has it written past the operating system's cache, if that can be.
    fn open_blocks(&mut self, disk: &dyn Disk) -> Result<(), StorageError> {
        match disk.open_direct(&self.region.path) {
            Err(error) if is_no_direct(&error) => {}
            opened => self.blocks = Some(Blocks::new(self.region.at(opened)?)),
        }
        Ok(())
    }

    /// Writes a batch where there are zeros up to the end of its last block; says whether that could be.
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

    /// Writes a batch wherever it is.
    fn write(&self, batch: &[u8]) -> Result<(), StorageError> {
        let region = &self.region;
        let length = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let end = self.end.saturating_add(length);
        if end <= region.filled.load(Ordering::Acquire) {
            return region.at(region.file.write_at(self.end, batch));
        }
        // The zeros did not come in time. Whoever writes them is waited for, and begins behind this batch next time.
        let _beyond = region.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        region.at(region.file.write_at(self.end, batch))?;
        region.filled.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }
}

impl Region {
    /// Says which file it is that the disk has refused.
    fn at<T>(&self, result: io::Result<T>) -> Result<T, StorageError> {
        result.map_err(|error| StorageError::io(&self.path, error))
    }
}

/// Fills the newest log with zeros ahead of its [`LogWriter`]: to write into them and to sync that changes no metadata. It syncs
/// nothing itself: the next sync of what is written takes the zeros along, which costs less than one more.
#[derive(Clone, Debug)]
pub(crate) struct Filler {
    pre_alloc_size: u64,
    region: Arc<Mutex<Option<Arc<Region>>>>,
}

impl Filler {
    /// Whether it is time for [`fill_ahead`](Self::fill_ahead). Cheap: to be asked after each write.
    pub(crate) fn is_due(&self) -> bool {
        self.region().is_some_and(|region| {
            if region.given_up.load(Ordering::Relaxed) {
                return false;
            }
            let filled = region.filled.load(Ordering::Acquire);
            let left = filled.saturating_sub(region.written.load(Ordering::Acquire));
            left < step(filled, self.pre_alloc_size) / 2
        })
    }

    /// Writes zeros ahead of where the writer is, who goes on meanwhile.
    ///
    /// # Errors
    ///
    /// [`StorageError::Io`]: the disk may be full. The writer will find out by itself; this log is not filled any more.
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

/// How much is filled at once: whoever writes to the file meanwhile waits for no more.
const SLICE: u64 = 128 << 10;

/// How far to fill ahead: as much as there is, so that a small folder stays small, and not more than a sync takes along in a
/// millisecond.
fn step(filled: u64, pre_alloc_size: u64) -> u64 {
    filled.clamp(256 << 10, 1 << 20).min(pre_alloc_size)
}

fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
    let mut at = from;
    while at < to {
        let left = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
        let zeros = ZEROS.get(..left).unwrap_or(&ZEROS);
        file.write_at(at, zeros)?;
        at = at.saturating_add(u64::try_from(zeros.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}
