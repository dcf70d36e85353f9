//! The thread that writes, and those beside it that fill ahead and write snapshots.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use bytes::BytesMut;

use super::appender::Kept;
use super::snapshots::Keeping;
use super::{Batch, Log};
use crate::net::Engine;
use crate::store::{Filler, LogWriter, StorageError};

/// A buffer larger than this is not kept.
const KEPT_CAPACITY: usize = 1 << 20;

/// What it takes to write a log.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) writer: LogWriter,
    /// Whether what is written is flushed to the disk itself.
    pub(crate) force_sync: bool,
    pub(crate) keeping: Keeping,
    /// Whether a snapshot is to be written at once.
    pub(crate) keeps_at_once: bool,
}

impl Log {
    /// Begins to write what is appended. If the disk refuses it, the engine is told.
    pub(crate) fn begin(
        self: &Arc<Self>,
        writing: Writing,
        engine: &Arc<Engine>,
    ) -> io::Result<()> {
        let first = writing.keeps_at_once.then(|| Box::new(engine.snapshot()));
        let engine = Arc::downgrade(engine);
        let log = Arc::clone(self);
        let started = thread::Builder::new()
            .name("minikeeper-log".to_owned())
            .spawn(move || {
                let _told = Told(&log, engine);
                log.write(writing, first);
            })?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        Ok(())
    }

    /// Writes until nothing more is to come, or the disk refuses.
    fn write(self: &Arc<Self>, writing: Writing, first: Option<Kept>) {
        let Writing {
            mut writer,
            force_sync,
            keeping,
            ..
        } = writing;
        let mut beside = Beside::new(self, keeping, writer.filler());
        if let Some(first) = first {
            beside.keep(first);
        }
        while let Some(batches) = self.next() {
            for Batch {
                mut entries,
                first,
                number,
                roll,
            } in batches
            {
                let mut written = writer.write(first, &mut entries);
                if force_sync {
                    written = written.and_then(|()| writer.sync());
                }
                if let Err(failure) = written {
                    self.fail(failure);
                    return;
                }
                self.raise(number, entries);
                if let Some(kept) = roll {
                    writer.roll();
                    if let Some(kept) = kept {
                        beside.keep(kept);
                    }
                }
                beside.fill();
            }
        }
    }

    /// Waits for what is to be written next; `None`, if nothing more is to come.
    fn next(&self) -> Option<Vec<Batch>> {
        let mut queue = self.queue();
        while queue.pending.is_empty() {
            if queue.ending || self.is_broken() {
                return None;
            }
            queue.parked = true;
            queue = self
                .appended
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.parked = false;
        }
        Some(std::mem::take(&mut queue.pending))
    }

    /// All up to this number outlasts the process.
    pub(super) fn raise(&self, number: u64, mut written: BytesMut) {
        let mut queue = self.queue();
        self.flushed.store(number, Ordering::Release);
        if written.capacity() <= KEPT_CAPACITY {
            written.clear();
            queue.spare = written;
        }
        let mut wakers = Vec::new();
        queue.waiting.retain_mut(|(waits_for, waker)| {
            let waits = *waits_for > number;
            if !waits {
                wakers.push(std::mem::replace(waker, std::task::Waker::noop().clone()));
            }
            waits
        });
        drop(queue);
        self.done.notify_all();
        for waker in wakers {
            waker.wake();
        }
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
struct Beside<'l> {
    log: &'l Arc<Log>,
    keeping: Arc<Keeping>,
    filler: Filler,
    /// Fills ahead, once that was due.
    filling: Option<JoinHandle<()>>,
    /// Writes the last snapshot.
    snapshot: Option<JoinHandle<()>>,
}

impl<'l> Beside<'l> {
    fn new(log: &'l Arc<Log>, keeping: Keeping, filler: Filler) -> Self {
        Self {
            log,
            keeping: Arc::new(keeping),
            filler,
            filling: None,
            snapshot: None,
        }
    }

    /// Writes a snapshot, unless one is being written.
    fn keep(&mut self, kept: Kept) {
        if self.log.keeping.swap(true, Ordering::AcqRel) {
            return;
        }
        // The one before has ended.
        join(self.snapshot.take());
        let (log, keeping) = (Arc::clone(self.log), Arc::clone(&self.keeping));
        let started = thread::Builder::new()
            .name("minikeeper-snapshot".to_owned())
            .spawn(move || {
                let kept = keeping.keep(kept);
                log.keeping.store(false, Ordering::Release);
                if let Err(failure) = kept {
                    log.fail(failure);
                }
            });
        match started {
            Ok(started) => self.snapshot = Some(started),
            Err(error) => {
                self.log.keeping.store(false, Ordering::Release);
                tracing::warn!(%error, "cannot start the thread that writes a snapshot");
            }
        }
    }

    /// Fills ahead what is written next, if it is time.
    fn fill(&mut self) {
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
        let log = Arc::clone(self.log);
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

impl Drop for Beside<'_> {
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
