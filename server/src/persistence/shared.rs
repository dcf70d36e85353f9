//! State that the engine, the connections and the threads of the log share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use crate::keeper::Snapshot;
use crate::protocol::Zxid;
use crate::store::StorageError;

/// Largest capacity of a buffer that is used again, in bytes.
const REUSED_CAPACITY: usize = 1 << 20;

/// Submitted transactions, and how far they are durable.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Number of the last durable transaction.
    durable_up_to: AtomicU64,
    /// Number of the last submitted transaction. It rises only while the queue is locked.
    submitted: AtomicU64,
    /// Whether there is a `failure`; quicker to read.
    is_broken: AtomicBool,
    /// Reason why the disk refused a write.
    failure: OnceLock<StorageError>,
    /// Whether a snapshot is being written.
    is_writing_snapshot: AtomicBool,
    queue: Mutex<Queue>,
    /// Notified when there is something to write, and when the log ends.
    work: Condvar,
    /// Notified when more is durable, and when the disk refused a write.
    progress: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// Batches to write, in order.
    pending: Vec<Batch>,
    /// Buffer of a written batch, for the next one.
    spare: BytesMut,
    /// Wakers, each with the number of the transaction that must be durable first.
    waiting: Vec<(u64, Waker)>,
    notifier: Notifier,
    /// Wakers for a failure of the disk.
    awaiting_failure: Vec<Waker>,
    thread: ThreadState,
    /// Number of threads in [`Shared::flush`]. To notify a condition that no thread waits for would still be a system
    /// call.
    flushing: usize,
}

/// Role that wakes the waiting connections when more is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Notifier {
    /// The thread that flushed.
    #[default]
    Writer,
    /// The flusher, which is watching the disk.
    Flusher,
}

/// State of the log writer's thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ThreadState {
    /// Writes, or looks for work.
    #[default]
    Awake,
    /// Waits for [`Shared::work`].
    Parked,
    /// Ends once nothing is pending: nothing more will be submitted.
    Ending,
}

/// Transactions that one turn of the engine has appended.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Encoded as entries of the log.
    pub(super) entries: BytesMut,
    /// First transaction; `None` if there is none.
    pub(super) first: Option<Zxid>,
    /// Number of the last transaction.
    pub(super) number: u64,
    pub(super) roll: Option<Roll>,
    /// Wakers of connections that may show these transactions once they are durable.
    pub(super) waiting: Vec<Waker>,
}

/// Transactions that are written and flushed together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) entries: BytesMut,
    /// First transaction; `None` if there is none.
    pub(super) first: Option<Zxid>,
    pub(super) number: u64,
    pub(super) roll: Option<Roll>,
}

/// Change to the next log file after a batch.
#[derive(Debug)]
pub(super) enum Roll {
    /// A snapshot of this state is then written in the background; `None` while another one is being written.
    Snapshot(Option<Box<Snapshot>>),
    /// This state takes the place of everything in the folder before the batch counts as durable.
    Replace(Box<Snapshot>),
}

impl Queue {
    /// Takes the wakers that wait for a transaction up to this number.
    fn take_durable(&mut self, number: u64) -> Vec<Waker> {
        let waiting = self
            .waiting
            .extract_if(.., |(waits_for, _)| *waits_for <= number);
        waiting.map(|(_, waker)| waker).collect()
    }
}

impl Shared {
    /// Number of the last durable transaction.
    pub(super) fn durable_up_to(&self) -> u64 {
        self.durable_up_to.load(Ordering::Acquire)
    }

    /// Number of the last submitted transaction.
    pub(super) fn submitted(&self) -> u64 {
        self.submitted.load(Ordering::Acquire)
    }

    /// Whether the disk has refused a write.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// Reason why the disk refused a write.
    pub(super) fn failure(&self) -> Option<&StorageError> {
        self.failure.get()
    }

    /// Ready once the disk has refused a write.
    pub(super) fn poll_failure(&self, context: &Context<'_>) -> Poll<StorageError> {
        let mut queue = self.queue();
        if let Some(failure) = self.failure() {
            return Poll::Ready(failure.clone());
        }
        let wakers = &mut queue.awaiting_failure;
        if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Submits the transactions of one turn. `wakes_writer` is false if another thread is going to write them.
    pub(super) fn submit(&self, turn: &mut Turn, wakes_writer: bool) {
        let first = turn.first.take();
        if first.is_none() && turn.roll.is_none() {
            return;
        }
        let mut queue = self.queue();
        let number = turn.number;
        let waiting = turn.waiting.drain(..).map(|waker| (number, waker));
        queue.waiting.extend(waiting);
        self.submitted.store(number, Ordering::Release);
        let last = queue.pending.last_mut();
        if let Some(last) = last.filter(|last| last.roll.is_none()) {
            last.entries.extend_from_slice(&turn.entries);
            turn.entries.clear();
            last.number = number;
            last.roll = turn.roll.take();
        } else {
            let spare = std::mem::take(&mut queue.spare);
            let batch = Batch {
                entries: std::mem::replace(&mut turn.entries, spare),
                first,
                number,
                roll: turn.roll.take(),
            };
            queue.pending.push(batch);
        }
        let is_parked = wakes_writer && queue.thread == ThreadState::Parked;
        if is_parked {
            queue.thread = ThreadState::Awake;
        }
        drop(queue);
        if is_parked {
            self.work.notify_one();
        }
    }

    /// Takes all pending batches; `None` if there are none, or if the disk has refused a write.
    pub(super) fn take_pending(&self) -> Option<Vec<Batch>> {
        let batches = std::mem::take(&mut self.queue().pending);
        (!batches.is_empty() && !self.is_broken()).then_some(batches)
    }

    /// Parks this thread, the log writer's, until a batch is pending. Returns false if there will be none.
    pub(super) fn wait_for_work(&self) -> bool {
        let mut queue = self.queue();
        while queue.pending.is_empty() {
            if queue.thread == ThreadState::Ending || self.is_broken() {
                return false;
            }
            queue.thread = ThreadState::Parked;
            queue = self
                .work
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            if queue.thread == ThreadState::Parked {
                queue.thread = ThreadState::Awake;
            }
        }
        !self.is_broken()
    }

    /// Wakes the log writer's thread.
    pub(super) fn wake_writer(&self) {
        self.work.notify_one();
    }

    /// Lets the log writer's thread end once nothing is pending.
    pub(super) fn end(&self) {
        self.queue().thread = ThreadState::Ending;
        self.work.notify_one();
    }

    /// Whether the log writer's thread ends.
    pub(super) fn is_ending(&self) -> bool {
        self.queue().thread == ThreadState::Ending
    }

    /// Marks everything up to `number` as durable, and takes back the buffer of a batch.
    pub(super) fn set_durable(&self, number: u64, mut written: BytesMut) {
        let mut queue = self.queue();
        self.durable_up_to.store(number, Ordering::Release);
        if written.capacity() <= REUSED_CAPACITY {
            written.clear();
            queue.spare = written;
        }
        let is_waited_for = queue.flushing > 0;
        let wakers = match queue.notifier {
            Notifier::Writer => queue.take_durable(number),
            Notifier::Flusher => Vec::new(),
        };
        drop(queue);
        if is_waited_for {
            self.progress.notify_all();
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Records that the disk refused a write. Transactions that are not durable by now never will be.
    pub(super) fn fail(&self, failure: StorageError) {
        let mut queue = self.queue();
        if self.is_broken() {
            return;
        }
        tracing::error!(%failure, "the disk refused a write; the server closes all connections and stops");
        let _ = self.failure.set(failure);
        self.is_broken.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut queue.waiting);
        let awaiting_failure = std::mem::take(&mut queue.awaiting_failure);
        queue.pending.clear();
        drop(queue);
        self.progress.notify_all();
        self.work.notify_one();
        let waiting = waiting.into_iter().map(|(_, waker)| waker);
        waiting.chain(awaiting_failure).for_each(Waker::wake);
    }

    /// Sets the role that wakes connections from now on, and wakes those whose transactions are durable.
    pub(super) fn set_notifier(&self, notifier: Notifier) {
        let wakers = {
            let mut queue = self.queue();
            queue.notifier = notifier;
            queue.take_durable(self.durable_up_to())
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Registers wakers for the moment when everything up to `number` is durable. Returns false, and takes none, if it
    /// is durable.
    pub(super) fn wake_all_when_durable(&self, number: u64, wakers: &mut Vec<Waker>) -> bool {
        let mut queue = self.queue();
        let waits = self.durable_up_to() < number;
        if waits {
            let waiting = wakers.drain(..).map(|waker| (number, waker));
            queue.waiting.extend(waiting);
        }
        waits
    }

    /// Registers one waker like [`wake_all_when_durable`](Self::wake_all_when_durable).
    pub(super) fn wake_when_durable(&self, number: u64, waker: &Waker) -> bool {
        if self.durable_up_to() >= number {
            return false;
        }
        let mut queue = self.queue();
        let waits = self.durable_up_to() < number;
        if self.is_broken() {
            // The task has to look again.
            waker.wake_by_ref();
            return waits;
        }
        let last = queue.waiting.last();
        if waits && !last.is_some_and(|(last, of)| *last == number && of.will_wake(waker)) {
            queue.waiting.push((number, waker.clone()));
        }
        waits
    }

    /// Blocks this thread until everything that was submitted is durable.
    pub(super) fn flush(&self) -> Result<(), StorageError> {
        let mut queue = self.queue();
        let number = self.submitted();
        while self.durable_up_to() < number {
            if let Some(failure) = self.failure() {
                return Err(failure.clone());
            }
            queue.flushing += 1;
            queue = self
                .progress
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.flushing -= 1;
        }
        // Transactions after a failure are not submitted.
        self.failure()
            .map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Whether a snapshot is being written.
    pub(super) fn is_writing_snapshot(&self) -> bool {
        self.is_writing_snapshot.load(Ordering::Acquire)
    }

    /// Marks a snapshot as being written, or as written. Returns whether one was being written before.
    pub(super) fn set_writing_snapshot(&self, is_writing: bool) -> bool {
        self.is_writing_snapshot.swap(is_writing, Ordering::AcqRel)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
