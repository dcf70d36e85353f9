//! The thread that writes, and those beside it that fill ahead and write snapshots.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::BytesMut;

use super::appender::Kept;
use super::lookout::LINGER;
use super::snapshots::Keeping;
use super::{Batch, Log};
use crate::net::Engine;
use crate::net::clock::Stopwatch;
use crate::protocol::Zxid;
use crate::store::{Filler, LogWriter, StorageError};

/// A buffer larger than this is not kept.
const KEPT_CAPACITY: usize = 1 << 20;

/// What it takes to write a log.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) writer: LogWriter,
    /// Whether what is written is flushed to the disk itself.
    pub(crate) force_sync: bool,
    /// Whether whoever commits also writes, and flushes if that is to be: to wake somebody who would takes longer than to write,
    /// and a runtime whose time is paused would let it pass meanwhile.
    pub(crate) at_once: bool,
    /// A flush that takes longer is told of.
    pub(crate) fsync_warning: Duration,
    pub(crate) keeping: Keeping,
    /// Whether a snapshot is to be written at once.
    pub(crate) keeps_at_once: bool,
}

/// Writes what is pending, on whichever thread has it.
#[derive(Debug)]
pub(super) struct Writer {
    log: LogWriter,
    force_sync: bool,
    fsync_warning: Duration,
    /// Time since the folder was last seen in its place.
    in_place: Stopwatch,
    beside: Beside,
}

/// Minimum time between two checks that the folder is in its place: a check costs as much as a write without a flush.
/// The log itself is checked with every flush, which takes two hundred times as long.
const LOOKS_APART: Duration = Duration::from_millis(10);

impl Writer {
    /// Writes one batch, and flushes it if `flush` is set. Acknowledged transactions are then still found under the
    /// log's name.
    fn write(&mut self, first: Zxid, entries: &mut BytesMut) -> Result<(), StorageError> {
        self.log.write(first, entries)?;
        if self.force_sync {
            sync(&mut self.log, self.fsync_warning)?;
        }
        if self.in_place.elapsed() >= LOOKS_APART {
            self.log.check_in_place()?;
            self.in_place = Stopwatch::start();
        } else if self.force_sync {
            self.log.check_linked()?;
        }
        Ok(())
    }
}

/// Flushes to the disk; `FileTxnLog.commit` tells when that takes long.
fn sync(writer: &mut LogWriter, fsync_warning: Duration) -> Result<(), StorageError> {
    let watch = Stopwatch::start();
    writer.sync()?;
    let took = watch.elapsed();
    if took > fsync_warning {
        tracing::warn!(
            took_ms = took.as_millis(),
            "to flush the log took long: every write waits for it"
        );
    }
    Ok(())
}

impl Log {
    /// Begins to write what is appended. If the disk refuses it, the engine is told.
    pub(crate) fn begin(
        self: &Arc<Self>,
        writing: Writing,
        engine: &Arc<Engine>,
    ) -> io::Result<()> {
        let Writing {
            writer,
            force_sync,
            at_once,
            fsync_warning,
            keeping,
            keeps_at_once,
        } = writing;
        let _ = self.folder.set(Arc::downgrade(&keeping.folder));
        let mut beside = Beside::new(keeping, writer.filler());
        if keeps_at_once || beside.keeping.purge.is_some() {
            let kept = keeps_at_once.then(|| Box::new(engine.snapshot()));
            beside.keep(self, kept);
        }
        *self.writer() = Some(Writer {
            log: writer,
            force_sync,
            fsync_warning,
            in_place: Stopwatch::start(),
            beside,
        });
        self.at_once.store(at_once, Ordering::Release);
        let (log, engine) = (Arc::clone(self), Arc::downgrade(engine));
        let started = thread::Builder::new()
            .name("minikeeper-log".to_owned())
            .spawn(move || {
                let told = Told(&log, engine);
                while log.waits_for_more() {
                    if let Some(writer) = &mut *log.writer() {
                        log.write(writer);
                    }
                }
                drop(told);
                // Whatever goes on beside it ends too, and may take its time.
                let ended = log.writer().take();
                drop(ended);
            })?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        Ok(())
    }

    /// Writes what was appended, if whoever commits does that. Gives the number that was asked about, if all up to it is not written now.
    pub(in crate::net) fn write_at_once(self: &Arc<Self>, number: Option<u64>) -> Option<u64> {
        if self.at_once.load(Ordering::Acquire) {
            match self.writer.try_lock() {
                Ok(mut writer) => {
                    if let Some(writer) = &mut *writer {
                        self.write(writer);
                    }
                }
                // Somebody else does, and may have seen all that there was a moment ago.
                Err(_) => self.appended.notify_one(),
            }
        }
        number.filter(|number| self.flushed() < *number)
    }

    /// Writes until nothing is pending, or the disk refuses.
    fn write(self: &Arc<Self>, writer: &mut Writer) {
        loop {
            let batches = std::mem::take(&mut self.queue().pending);
            if batches.is_empty() || self.is_broken() {
                return;
            }
            for Batch {
                mut entries,
                first,
                number,
                roll,
            } in batches
            {
                if let Err(failure) = writer.write(first, &mut entries) {
                    self.fail(failure);
                    return;
                }
                self.raise(number, entries);
                if let Some(kept) = roll {
                    writer.log.roll();
                    if kept.is_some() {
                        writer.beside.keep(self, kept);
                    }
                }
                writer.beside.fill(self);
            }
        }
    }

    /// Waits until there is something to write; says whether there ever will be.
    fn waits_for_more(&self) -> bool {
        // Whoever was just answered may ask again before it is worth the while to go to sleep and to be woken; unless he writes too.
        let idle = Stopwatch::start();
        while !self.at_once.load(Ordering::Acquire)
            && self.given.load(Ordering::Acquire) == self.flushed()
            && idle.elapsed() < LINGER
        {
            thread::yield_now();
        }
        let mut queue = self.queue();
        while queue.pending.is_empty() {
            if queue.ending || self.is_broken() {
                return false;
            }
            queue.parked = true;
            queue = self
                .appended
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.parked = false;
        }
        !self.is_broken()
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All up to this number outlasts the process.
    pub(super) fn raise(&self, number: u64, mut written: BytesMut) {
        let mut queue = self.queue();
        self.flushed.store(number, Ordering::Release);
        if written.capacity() <= KEPT_CAPACITY {
            written.clear();
            queue.spare = written;
        }
        let is_waited_for = queue.flushing > 0;
        let wakers = if queue.watched {
            Vec::new()
        } else {
            queue.take_flushed(number)
        };
        drop(queue);
        if is_waited_for {
            self.done.notify_all();
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The disk has refused a write: nothing that was not flushed is ever heard of.
    pub(super) fn fail(&self, failure: StorageError) {
        let mut queue = self.queue();
        if self.is_broken() {
            return;
        }
        tracing::error!(%failure, "the disk refuses what was written: the server stops");
        let _ = self.failure.set(failure);
        self.broken.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut queue.waiting);
        let watching = std::mem::take(&mut queue.watching);
        queue.pending.clear();
        drop(queue);
        self.done.notify_all();
        self.appended.notify_one();
        for waker in waiting.into_iter().map(|(_, waker)| waker).chain(watching) {
            waker.wake();
        }
    }
}

/// Tells the engine when the thread has ended before its time, be it by a panic.
struct Told<'l>(&'l Log, Weak<Engine>);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let Self(log, engine) = self;
        if thread::panicking() {
            let panic = io::Error::other("the thread that writes panicked");
            log.fail(StorageError::io("log".as_ref(), panic));
        }
        if log.is_broken()
            && let Some(engine) = engine.upgrade()
        {
            engine.close_all();
        }
    }
}

/// What goes on beside the writing.
#[derive(Debug)]
struct Beside {
    keeping: Arc<Keeping>,
    filler: Filler,
    /// Fills ahead, once that was due.
    filling: Option<JoinHandle<()>>,
    /// Writes the last snapshot.
    snapshot: Option<JoinHandle<()>>,
}

impl Beside {
    fn new(keeping: Keeping, filler: Filler) -> Self {
        Self {
            keeping: Arc::new(keeping),
            filler,
            filling: None,
            snapshot: None,
        }
    }

    /// Writes a snapshot, if there is something to write and none is being written, and purges if it is time.
    fn keep(&mut self, log: &Arc<Log>, kept: Option<Kept>) {
        if log.keeping.swap(true, Ordering::AcqRel) {
            return;
        }
        // The one before has ended.
        join(self.snapshot.take());
        let (writing, keeping) = (Arc::clone(log), Arc::clone(&self.keeping));
        let started = thread::Builder::new()
            .name("minikeeper-snapshot".to_owned())
            .spawn(move || {
                let kept = keeping.keep(kept);
                writing.keeping.store(false, Ordering::Release);
                if let Err(failure) = kept {
                    writing.fail(failure);
                }
            });
        match started {
            Ok(started) => self.snapshot = Some(started),
            Err(error) => {
                log.keeping.store(false, Ordering::Release);
                tracing::warn!(%error, "cannot start the thread that writes a snapshot");
            }
        }
    }

    /// Fills ahead what is written next, if it is time.
    fn fill(&mut self, log: &Arc<Log>) {
        if !self.filler.is_due() {
            return;
        }
        if let Some(filling) = &self.filling
            && !filling.is_finished()
        {
            filling.thread().unpark();
            return;
        }
        let filler = self.filler.clone();
        let log = Arc::clone(log);
        let started = thread::Builder::new()
            .name("minikeeper-fill".to_owned())
            .spawn(move || {
                while !log.queue().ending && !log.is_broken() {
                    if filler.is_due() {
                        if let Err(error) = filler.fill_ahead() {
                            // Whoever writes finds out too, if it matters.
                            tracing::debug!(%error, "cannot fill ahead");
                            return;
                        }
                    } else {
                        thread::park();
                    }
                }
            });
        self.filling = started.ok();
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(filling) = &self.filling {
            filling.thread().unpark();
        }
        join(self.filling.take());
        join(self.snapshot.take());
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread
        && thread.join().is_err()
    {
        tracing::error!("a thread beside the log panicked; this is a bug of minikeeper");
    }
}
