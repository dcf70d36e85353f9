//! A disk in memory that knows which bytes are durable, and that fails or stops at the calls that a test chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::store::disk::BLOCK;
use crate::store::{Disk, DiskFile, DiskLock};

/// Fault of a call to the disk, and of later calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call fails; a write fails after half of its bytes. Later calls succeed.
    Once(io::ErrorKind),
    /// The call fails, and so does every later call that changes anything.
    FromThenOn(io::ErrorKind),
    /// The file system becomes read-only, as ext4 does after an error. It refuses changes, and a flush succeeds
    /// without any effect.
    ReadOnly,
    /// The power is lost. The call may have had its effect; later calls have none.
    PowerLoss,
}

/// Unflushed changes that survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survival {
    /// No change.
    Nothing,
    /// All changes.
    Everything,
    /// All changes before some byte of some write. The seed chooses the byte.
    Torn(u64),
    /// Any sectors, lengths and names, which the seed chooses.
    Reordered(u64),
    /// Changes of data only: the file system never committed its metadata.
    Data,
}

/// Disk in memory. Its clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    syncs_change: Condvar,
}

#[derive(Debug, Default)]
struct State {
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, u64>,
    synced_names: BTreeMap<PathBuf, u64>,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    /// Unflushed changes, in order.
    unsynced: Vec<Change>,
    locked: BTreeSet<PathBuf>,
    calls: Vec<String>,
    faults: BTreeMap<usize, Fault>,
    failing: Option<io::ErrorKind>,
    is_down: bool,
    is_read_only: bool,
    holds_syncs: bool,
    held_syncs: usize,
    holds_lists: bool,
    held_lists: usize,
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, usize, Vec<u8>),
    Length(u64, usize),
    /// From now on, all of these names are these files, or no file.
    Names(PathBuf, Vec<(PathBuf, Option<u64>)>),
}

/// Random numbers that depend only on the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, or 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }
}

impl FaultyDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Number of calls.
    pub(crate) fn calls(&self) -> usize {
        self.state().calls.len()
    }

    /// Every call as a line.
    pub(crate) fn call_lines(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Plans a fault of the call with this number, counted from 0.
    pub(crate) fn plan(&self, call: usize, fault: Fault) {
        self.state().faults.insert(call, fault);
    }

    /// Loses the power now.
    pub(crate) fn lose_power(&self) {
        self.state().is_down = true;
    }

    /// Blocks every flush, as a slow disk does, until [`release_syncs`](Self::release_syncs).
    pub(crate) fn hold_syncs(&self) {
        self.state().holds_syncs = true;
    }

    /// Waits until a flush is blocked.
    pub(crate) fn wait_for_held_sync(&self) {
        let state = self.state();
        let held = self.0.syncs_change.wait_timeout_while(
            state,
            std::time::Duration::from_secs(30),
            |state| state.held_syncs == 0,
        );
        assert!(
            !held.unwrap().1.timed_out(),
            "no flush was blocked within 30 s"
        );
    }

    /// Lets all flushes continue.
    pub(crate) fn release_syncs(&self) {
        self.state().holds_syncs = false;
        self.0.syncs_change.notify_all();
    }

    /// Blocks every listing of a folder, as a slow disk does, until [`release_lists`](Self::release_lists).
    pub(crate) fn hold_lists(&self) {
        self.state().holds_lists = true;
    }

    /// Waits until a listing is blocked.
    pub(crate) fn wait_for_held_list(&self) {
        let held = self.0.syncs_change.wait_timeout_while(
            self.state(),
            std::time::Duration::from_secs(30),
            |state| state.held_lists == 0,
        );
        assert!(
            !held.unwrap().1.timed_out(),
            "no listing was blocked within 30 s"
        );
    }

    /// Lets all listings continue.
    pub(crate) fn release_lists(&self) {
        self.state().holds_lists = false;
        self.0.syncs_change.notify_all();
    }

    /// Returns the disk after the power is back. This disk does not change.
    pub(crate) fn after_power_loss(&self, survival: Survival) -> Self {
        let state = self.state();
        let mut names = state.synced_names.clone();
        let mut files: BTreeMap<u64, Vec<u8>> = state
            .files
            .iter()
            .map(|(id, content)| (*id, content.synced.clone()))
            .collect();
        match survival {
            Survival::Nothing => {}
            Survival::Everything => {
                for change in &state.unsynced {
                    apply(change, &mut names, &mut files);
                }
            }
            Survival::Torn(seed) => {
                let mut seeded = Seeded(seed);
                let at = seeded.below(state.unsynced.len() + 1);
                for change in &state.unsynced[..at] {
                    apply(change, &mut names, &mut files);
                }
                if let Some(Change::Write(file, offset, bytes)) = state.unsynced.get(at) {
                    let part = bytes[..seeded.below(bytes.len() + 1)].to_vec();
                    apply(&Change::Write(*file, *offset, part), &mut names, &mut files);
                }
            }
            Survival::Data => {
                for change in &state.unsynced {
                    if let Change::Write(file, offset, bytes) = change {
                        let content = files.get_mut(file).unwrap();
                        let there = content.len().saturating_sub(*offset).min(bytes.len());
                        if there > 0 {
                            write(content, *offset, &bytes[..there]);
                        }
                    }
                }
            }
            Survival::Reordered(seed) => {
                let mut seeded = Seeded(seed);
                for change in &state.unsynced {
                    match change {
                        Change::Write(file, offset, bytes) => {
                            reorder(*file, *offset, bytes, &mut files, &mut seeded);
                        }
                        Change::Length(..) | Change::Names(..) => {
                            if seeded.coin() {
                                apply(change, &mut names, &mut files);
                            }
                        }
                    }
                }
            }
        }
        let found = State {
            folders: state.folders.clone(),
            synced_names: names.clone(),
            names,
            files: files
                .into_iter()
                .map(|(id, bytes)| {
                    let synced = bytes.clone();
                    (id, Content { now: bytes, synced })
                })
                .collect(),
            next_file: state.next_file,
            ..State::default()
        };
        Self(Arc::new(Shared {
            state: Mutex::new(found),
            syncs_change: Condvar::new(),
        }))
    }

    /// Puts a durable file on the disk.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let id = state.next_file;
        state.next_file += 1;
        let content = Content {
            now: bytes.to_vec(),
            synced: bytes.to_vec(),
        };
        state.files.insert(id, content);
        state.names.insert(path.to_path_buf(), id);
        state.synced_names.insert(path.to_path_buf(), id);
        let folder = path.parent().unwrap().to_path_buf();
        state.folders.insert(folder);
    }

    /// Bytes of a file, durable or not.
    pub(crate) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let id = state.names.get(path)?;
        Some(state.files[id].now.clone())
    }

    /// Every file with its bytes, durable or not.
    pub(crate) fn all(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        state
            .names
            .iter()
            .map(|(path, id)| (path.clone(), state.files[id].now.clone()))
            .collect()
    }
}

fn apply(change: &Change, names: &mut BTreeMap<PathBuf, u64>, files: &mut BTreeMap<u64, Vec<u8>>) {
    match change {
        Change::Write(file, offset, bytes) => {
            write(files.get_mut(file).unwrap(), *offset, bytes);
        }
        Change::Length(file, length) => files.get_mut(file).unwrap().resize(*length, 0),
        Change::Names(_, changed) => {
            for (path, file) in changed {
                match file {
                    Some(file) => names.insert(path.clone(), *file),
                    None => names.remove(path),
                };
            }
        }
    }
}

/// Writes some of the sectors, and extends the file or not.
fn reorder(
    file: u64,
    offset: usize,
    bytes: &[u8],
    files: &mut BTreeMap<u64, Vec<u8>>,
    seeded: &mut Seeded,
) {
    let content = files.get_mut(&file).unwrap();
    let mut at = offset;
    while at < offset + bytes.len() {
        let to = (at / 512 * 512 + 512).min(offset + bytes.len());
        if seeded.coin() {
            write(content, at, &bytes[at - offset..to - offset]);
        }
        at = to;
    }
    if seeded.coin() {
        content.resize(content.len().max(offset + bytes.len()), 0);
    }
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

fn no_power() -> io::Error {
    io::Error::other("the power is out")
}

fn not_there() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// Effect and result of a call.
enum Outcome {
    Do,
    /// Do half of it, then fail.
    Fail(io::ErrorKind),
    /// Do nothing, and fail.
    Refuse,
    /// Do nothing, and succeed.
    Pretend,
    /// Do it, and fail because the power is lost.
    DoAndStop,
}

impl State {
    /// Records a call and returns its outcome.
    fn call(&mut self, line: String, changes: bool) -> io::Result<Outcome> {
        if self.is_down {
            return Err(no_power());
        }
        let number = self.calls.len();
        let is_sync = line.starts_with("sync");
        self.calls.push(line);
        self.is_read_only |= self.faults.get(&number) == Some(&Fault::ReadOnly);
        if self.is_read_only {
            return Ok(match (changes, is_sync) {
                (true, true) => Outcome::Pretend,
                (true, false) => Outcome::Refuse,
                (false, _) => Outcome::Do,
            });
        }
        Ok(match self.faults.get(&number) {
            Some(Fault::Once(kind)) => Outcome::Fail(*kind),
            Some(Fault::FromThenOn(kind)) => {
                self.failing = Some(*kind);
                Outcome::Fail(*kind)
            }
            Some(Fault::PowerLoss) => {
                self.is_down = true;
                Outcome::DoAndStop
            }
            Some(Fault::ReadOnly) | None => match self.failing {
                Some(kind) if changes => Outcome::Fail(kind),
                _ => Outcome::Do,
            },
        })
    }

    /// Makes a call that has its effect completely or not at all.
    fn atomic(
        &mut self,
        line: String,
        changes: bool,
        act: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.call(line, changes)? {
            Outcome::Do => act(self),
            Outcome::Fail(kind) => Err(kind.into()),
            Outcome::Refuse => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Outcome::Pretend => Ok(()),
            Outcome::DoAndStop => {
                act(self)?;
                Err(no_power())
            }
        }
    }

    fn rename(&mut self, folder: &Path, changed: Vec<(PathBuf, Option<u64>)>) {
        for (path, file) in &changed {
            match file {
                Some(file) => self.names.insert(path.clone(), *file),
                None => self.names.remove(path),
            };
        }
        let change = Change::Names(folder.to_path_buf(), changed);
        self.unsynced.push(change);
    }
}

impl FaultyDisk {
    /// Opens an existing file.
    fn opened(
        &self,
        how: &str,
        file: &Path,
        is_writable: bool,
        is_direct: bool,
    ) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.atomic(format!("{how} {}", file.display()), false, |_| Ok(()))?;
        let id = *state.names.get(file).ok_or_else(not_there)?;
        Ok(Arc::new(FaultyFile {
            disk: self.clone(),
            id,
            path: file.to_path_buf(),
            is_writable,
            is_direct,
        }))
    }
}

impl Disk for FaultyDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        if state.holds_lists {
            state.held_lists += 1;
            self.0.syncs_change.notify_all();
            let released = self
                .0
                .syncs_change
                .wait_while(state, |state| state.holds_lists);
            state = released.unwrap();
            state.held_lists -= 1;
        }
        state.atomic(format!("list {}", folder.display()), false, |_| Ok(()))?;
        if !state.folders.contains(folder) {
            return Err(not_there());
        }
        let own = state
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        Ok(own
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect())
    }

    fn open(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.opened("open", file, false, false)
    }

    fn open_to_write(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.opened("open to write", file, true, false)
    }

    fn open_direct(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.opened("open directly", file, true, true)
    }

    fn create(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let folder = file.parent().unwrap();
        if !state.folders.contains(folder) {
            return Err(not_there());
        }
        state.atomic(format!("create {}", file.display()), true, |state| {
            if let Some(id) = state.names.get(file).copied() {
                state.files.get_mut(&id).unwrap().now.clear();
                state.unsynced.push(Change::Length(id, 0));
            } else {
                let id = state.next_file;
                state.next_file += 1;
                state.files.insert(id, Content::default());
                state.rename(folder, vec![(file.to_path_buf(), Some(id))]);
            }
            Ok(())
        })?;
        Ok(Arc::new(FaultyFile {
            disk: self.clone(),
            id: state.names[file],
            path: file.to_path_buf(),
            is_writable: true,
            is_direct: false,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let line = format!("rename {} {}", from.display(), to.display());
        state.atomic(line, true, |state| {
            let id = *state.names.get(from).ok_or_else(not_there)?;
            let changed = vec![(from.to_path_buf(), None), (to.to_path_buf(), Some(id))];
            state.rename(from.parent().unwrap(), changed);
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.atomic(format!("remove {}", file.display()), true, |state| {
            state.names.get(file).ok_or_else(not_there)?;
            state.rename(file.parent().unwrap(), vec![(file.to_path_buf(), None)]);
            Ok(())
        })
    }

    // Folders are always durable; only files are lost.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.atomic(format!("make {}", folder.display()), true, |state| {
            state
                .folders
                .extend(folder.ancestors().map(Path::to_path_buf));
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.atomic(format!("sync folder {}", folder.display()), true, |state| {
            let (synced, rest) = std::mem::take(&mut state.unsynced)
                .into_iter()
                .partition(|change| matches!(change, Change::Names(of, _) if of == folder));
            state.unsynced = rest;
            for change in &synced as &Vec<Change> {
                apply(change, &mut state.synced_names, &mut BTreeMap::new());
            }
            Ok(())
        })
    }

    fn is_same(&self, one: &Path, other: &Path) -> bool {
        one == other
    }

    fn lock(&self, file: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = self.state();
        state.atomic(format!("lock {}", file.display()), true, |_| Ok(()))?;
        if !state.locked.insert(file.to_path_buf()) {
            return Ok(None);
        }
        Ok(Some(Box::new(FaultyLock {
            disk: self.clone(),
            path: file.to_path_buf(),
        })))
    }
}

#[derive(Debug)]
struct FaultyLock {
    disk: FaultyDisk,
    path: PathBuf,
}

impl DiskLock for FaultyLock {
    fn is_in_place(&self) -> bool {
        true
    }
}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    id: u64,
    path: PathBuf,
    is_writable: bool,
    is_direct: bool,
}

impl std::fmt::Debug for FaultyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.fmt(f)
    }
}

impl FaultyFile {
    fn writable(&self) -> io::Result<()> {
        match self.is_writable {
            true => Ok(()),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    /// Asserts the alignment that a real disk may require.
    fn check_blocks(&self, offset: u64, bytes: &[u8]) {
        let begin = bytes.as_ptr().addr();
        let parts = [usize::try_from(offset).unwrap(), bytes.len(), begin];
        let fits = parts.iter().all(|part| part.is_multiple_of(BLOCK));
        assert!(fits || !self.is_direct, "{parts:?}");
    }

    fn write(&self, state: &mut State, offset: u64, bytes: &[u8]) {
        let offset = usize::try_from(offset).unwrap();
        write(
            &mut state.files.get_mut(&self.id).unwrap().now,
            offset,
            bytes,
        );
        let change = Change::Write(self.id, offset, bytes.to_vec());
        state.unsynced.push(change);
    }
}

impl DiskFile for FaultyFile {
    fn is_removed(&self) -> bool {
        let state = self.disk.state();
        !state.names.values().any(|id| *id == self.id)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.check_blocks(offset, buffer);
        let mut state = self.disk.state();
        let line = format!("read {} at {offset}", self.path.display());
        state.atomic(line, false, |_| Ok(()))?;
        let content = &state.files[&self.id].now;
        let from = usize::try_from(offset).unwrap().min(content.len());
        let read = buffer.len().min(content.len() - from);
        buffer[..read].copy_from_slice(&content[from..from + read]);
        Ok(read)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.writable()?;
        self.check_blocks(offset, bytes);
        let mut state = self.disk.state();
        let length = bytes.len();
        let line = format!("write {} at {offset}, {length} bytes", self.path.display());
        match state.call(line, true)? {
            Outcome::Do => {
                self.write(&mut state, offset, bytes);
                Ok(())
            }
            Outcome::Fail(kind) => {
                self.write(&mut state, offset, &bytes[..length / 2]);
                Err(kind.into())
            }
            Outcome::Refuse | Outcome::Pretend => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Outcome::DoAndStop => {
                self.write(&mut state, offset, bytes);
                Err(no_power())
            }
        }
    }

    fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        let line = format!("length of {}", self.path.display());
        state.atomic(line, false, |_| Ok(()))?;
        Ok(state.files[&self.id].now.len() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.writable()?;
        let mut state = self.disk.state();
        let line = format!("cut {} at {length}", self.path.display());
        state.atomic(line, true, |state| {
            let length = usize::try_from(length).unwrap();
            state.files.get_mut(&self.id).unwrap().now.resize(length, 0);
            state.unsynced.push(Change::Length(self.id, length));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.holds_syncs {
            state.held_syncs += 1;
            self.disk.0.syncs_change.notify_all();
            state = self
                .disk
                .0
                .syncs_change
                .wait_while(state, |state| state.holds_syncs)
                .unwrap();
            state.held_syncs -= 1;
        }
        let line = format!("sync {}", self.path.display());
        state.atomic(line, true, |state| {
            let content = state.files.get_mut(&self.id).unwrap();
            content.synced = content.now.clone();
            state.unsynced.retain(|change| match change {
                Change::Write(file, ..) | Change::Length(file, _) => *file != self.id,
                Change::Names(..) => true,
            });
            Ok(())
        })
    }
}
