//! The log writer: batches are written, flushed, and followed by snapshots.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;

use super::background::Background;
use super::shared::{Batch, Roll, Shared};
use super::snapshots::SnapshotWriter;
use super::stopwatch::Stopwatch;
use crate::keeper::Snapshot;
use crate::protocol::Zxid;
use crate::store::{Folder, LogWriter, StorageError};

/// Time between two checks that the folder is in its place. A check costs as much as a write without a flush. The log
/// file itself is checked with every flush, which takes two hundred times as long.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// Thread that writes submitted transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// The log writer's own thread, which flushes many transactions together.
    Thread,
    /// The committing thread. Without a flush, a write takes less time than waking another thread, and a tokio runtime
    /// whose time is paused would advance it meanwhile.
    Inline,
}

/// Settings and files with which a [`Log`](super::Log) begins.
#[derive(Debug)]
pub(crate) struct LogSetup {
    pub(super) writer: LogWriter,
    /// Whether every batch is flushed to the disk.
    pub(super) force_sync: bool,
    pub(crate) mode: WriteMode,
    /// Duration of a flush from which on a warning is logged.
    pub(super) fsync_warning: Duration,
    pub(super) snapshots: SnapshotWriter,
    /// Whether a snapshot of the state is due when the log begins.
    pub(crate) needs_snapshot: bool,
}

impl LogSetup {
    /// Folder that the log is written to.
    pub(super) fn folder(&self) -> Weak<Folder> {
        Arc::downgrade(&self.snapshots.folder)
    }
}

/// Writes pending batches, on whichever thread has it.
#[derive(Debug)]
pub(super) struct Writer {
    log: LogWriter,
    force_sync: bool,
    fsync_warning: Duration,
    /// Runs since the folder was last seen in its place.
    since_check: Stopwatch,
    background: Background,
}

impl Writer {
    /// Makes the writer, and starts a snapshot of `state` and a purge if they are due.
    pub(super) fn begin(
        setup: LogSetup,
        state: Option<Box<Snapshot>>,
        shared: &Arc<Shared>,
    ) -> Self {
        let is_due = state.is_some() || setup.snapshots.purge.is_some();
        let mut background = Background::new(setup.snapshots, setup.writer.filler());
        if is_due {
            background.write_snapshot(shared, state);
        }
        Self {
            log: setup.writer,
            force_sync: setup.force_sync,
            fsync_warning: setup.fsync_warning,
            since_check: Stopwatch::start(),
            background,
        }
    }

    /// Writes until nothing is pending, or until the disk refuses a write.
    pub(super) fn write_pending(&mut self, shared: &Arc<Shared>) {
        while let Some(batches) = shared.take_pending() {
            for Batch {
                mut entries,
                first,
                number,
                roll,
            } in batches
            {
                let written = first.map_or(Ok(()), |first| self.write(first, &mut entries));
                if let Err(failure) = written.and_then(|()| self.replace(&roll)) {
                    shared.fail(failure);
                    return;
                }
                shared.set_durable(number, entries);
                if let Some(Roll::Snapshot(snapshot)) = roll {
                    self.log.roll();
                    if snapshot.is_some() {
                        self.background.write_snapshot(shared, snapshot);
                    }
                }
                self.background.fill_ahead(shared);
            }
        }
    }

    /// Writes one batch, and flushes it if writes are flushed. Returns only if the transactions are still found under
    /// the log's name.
    fn write(&mut self, first: Zxid, entries: &mut BytesMut) -> Result<(), StorageError> {
        self.log.write(first, entries)?;
        if self.force_sync {
            self.flush()?;
        }
        if self.since_check.elapsed() >= CHECK_INTERVAL {
            self.log.check_in_place()?;
            self.since_check = Stopwatch::start();
        } else if self.force_sync {
            self.log.check_linked()?;
        }
        Ok(())
    }

    /// Replaces the content of the folder, if a roll says so.
    fn replace(&mut self, roll: &Option<Roll>) -> Result<(), StorageError> {
        let Some(Roll::Replace(state)) = roll else {
            return Ok(());
        };
        self.log.check_in_place()?;
        self.log.roll();
        self.background.replace(state)
    }

    /// Flushes to the disk. Warns if that takes long, as `FileTxnLog.commit` does.
    fn flush(&mut self) -> Result<(), StorageError> {
        let flush = Stopwatch::start();
        self.log.sync()?;
        let took = flush.elapsed();
        if took > self.fsync_warning {
            tracing::warn!(
                took_ms = took.as_millis(),
                "flushing the log to the disk took long, and every write waited for it; use a faster disk or \
                 forceSync=no (`Storage::force_sync`), or raise fsync.warningthresholdms"
            );
        }
        Ok(())
    }
}
