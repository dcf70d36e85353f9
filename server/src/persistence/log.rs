//! The log of a running server: transactions are submitted, written, and waited for.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::shared::{Shared, Turn};
use super::snapshots::check_format;
use super::stopwatch::Stopwatch;
use super::writer::{LogSetup, WriteMode, Writer};
use crate::keeper::Snapshot;
use crate::protocol::{DataFormat, Zxid};
use crate::store::{FileKind, Folder, StorageError};

/// Longest gap between a reply and the next request of a client that sends one request after the other. A thread that
/// waits for more to write stays awake for this long, since to sleep and to be woken takes longer.
pub(super) const REQUEST_GAP: Duration = Duration::from_micros(200);

/// Log of a server, as the engine, the connections and the handle use it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(super) shared: Arc<Shared>,
    /// Set when the log begins.
    mode: OnceLock<WriteMode>,
    /// Present from the beginning of the log to its end.
    writer: Mutex<Option<Writer>>,
    /// Waker of the [flusher](super::flusher), while there is one.
    pub(super) flusher: Mutex<Option<Waker>>,
    /// Folder of the log, while it is open.
    folder: OnceLock<Weak<Folder>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

// A failure is set once and never changed, and everything else is behind locks.
impl std::panic::RefUnwindSafe for Log {}

impl Log {
    /// Begins to write submitted transactions. A snapshot of `state` is written at once, if there is one. `on_failure`
    /// is called if the disk refuses a write.
    pub(crate) fn begin(
        self: &Arc<Self>,
        setup: LogSetup,
        state: Option<Box<Snapshot>>,
        on_failure: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let _ = self.folder.set(setup.folder());
        let _ = self.mode.set(setup.mode);
        *self.writer() = Some(Writer::begin(setup, state, &self.shared));
        let log = Arc::clone(self);
        let started = thread::Builder::new()
            .name("minikeeper-log".to_owned())
            .spawn(move || {
                let end = ThreadEnd {
                    shared: &log.shared,
                    on_failure: Some(on_failure),
                };
                while log.wait_for_work() {
                    if let Some(writer) = &mut *log.writer() {
                        writer.write_pending(&log.shared);
                    }
                }
                drop(end);
                // The background threads end too, which may take time.
                let ended = log.writer().take();
                drop(ended);
            })?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        Ok(())
    }

    /// Flushes what was submitted, and ends the log's threads. Nothing may be submitted any more.
    pub(crate) fn end(&self) {
        self.shared.end();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
            && !thread::panicking()
        {
            tracing::error!("the log writer's thread panicked; this is a bug of minikeeper");
        }
    }

    /// Submits the transactions of one turn.
    pub(super) fn submit(&self, turn: &mut Turn) {
        self.shared.submit(turn, !self.is_inline());
    }

    /// Writes what was submitted, in the mode [`WriteMode::Inline`]. Returns `number` if that transaction is not
    /// durable now.
    pub(crate) fn write_inline(&self, number: Option<u64>) -> Option<u64> {
        if self.is_inline() {
            match self.writer.try_lock() {
                Ok(mut writer) => {
                    if let Some(writer) = &mut *writer {
                        writer.write_pending(&self.shared);
                    }
                }
                // Another thread is writing, and may have missed the latest transactions.
                Err(_) => self.shared.wake_writer(),
            }
        }
        number.filter(|number| self.durable_up_to() < *number)
    }

    /// Whether the committing thread writes.
    pub(super) fn is_inline(&self) -> bool {
        self.mode.get() == Some(&WriteMode::Inline)
    }

    /// Waits for a batch to write. Returns false if there will be none.
    fn wait_for_work(&self) -> bool {
        // In the inline mode the next client does not wait for this thread.
        let idle = Stopwatch::start();
        while !self.is_inline()
            && self.shared.submitted() == self.durable_up_to()
            && idle.elapsed() < REQUEST_GAP
        {
            thread::yield_now();
        }
        self.shared.wait_for_work()
    }

    /// Number of the last durable transaction.
    pub(crate) fn durable_up_to(&self) -> u64 {
        self.shared.durable_up_to()
    }

    /// Registers a waker for the moment when everything up to `number` is durable. Returns false if it is durable.
    pub(crate) fn wake_when_durable(&self, number: u64, waker: &Waker) -> bool {
        self.shared.wake_when_durable(number, waker)
    }

    /// Blocks this thread until everything that was submitted is durable.
    ///
    /// # Errors
    ///
    /// The reason, if the disk has refused a write.
    pub(crate) fn flush(&self) -> Result<(), StorageError> {
        self.shared.flush()
    }

    /// Whether the disk has refused a write: nothing more becomes durable, so nothing that shows it is sent.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.is_broken()
    }

    /// Reason why the disk refused a write.
    pub(crate) fn failure(&self) -> Option<&StorageError> {
        self.shared.failure()
    }

    /// Ready once the disk has refused a write.
    pub(crate) fn poll_failure(&self, context: &Context<'_>) -> Poll<StorageError> {
        self.shared.poll_failure(context)
    }

    /// Checks that a format can hold a state.
    pub(super) fn check_format(
        &self,
        format: DataFormat,
        state: &Snapshot,
    ) -> Result<(), StorageError> {
        let folder = self.folder.get().and_then(Weak::upgrade);
        let path = folder
            .as_ref()
            .map_or(Path::new(""), |folder| folder.snapshots());
        check_format(format, path, state)
    }

    /// Returns the newest snapshot file.
    pub(crate) fn newest_snapshot(&self) -> Option<(Zxid, PathBuf)> {
        let folder = self.folder.get().and_then(Weak::upgrade)?;
        let newest = folder.files(FileKind::Snapshot).ok()?.pop()?;
        Some((newest.zxid(), newest.path().to_path_buf()))
    }

    /// Total size of the snapshots and of the logs, in bytes.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let folder = self.folder.get().and_then(Weak::upgrade);
        folder.map_or((0, 0), |folder| folder.sizes())
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Controls of a log that has no writer, for tests that stand in for the disk.
#[cfg(test)]
impl Log {
    /// Number of submitted transactions.
    pub(crate) fn submitted(&self) -> u64 {
        self.shared.submitted()
    }

    pub(crate) fn set_durable(&self, number: u64) {
        self.shared.set_durable(number, bytes::BytesMut::new());
    }

    pub(crate) fn fail(&self, failure: StorageError) {
        self.shared.fail(failure);
    }
}

/// Reports a failure when the log writer's thread ends early, even by a panic.
struct ThreadEnd<'l, F: FnOnce()> {
    shared: &'l Shared,
    on_failure: Option<F>,
}

impl<F: FnOnce()> Drop for ThreadEnd<'_, F> {
    fn drop(&mut self) {
        if thread::panicking() {
            let panic = io::Error::other("the log writer's thread panicked");
            self.shared.fail(StorageError::io("log".as_ref(), panic));
        }
        if self.shared.is_broken()
            && let Some(on_failure) = self.on_failure.take()
        {
            on_failure();
        }
    }
}
