//! The log: what was committed goes to the disk behind the requests' backs, and nothing that shows it leaves before it is there.
//!
//! Under the engine's lock an [`Appender`] encodes and numbers transactions. A thread of its own writes and flushes them, all that
//! gathered meanwhile at once, and wakes whoever waits: connections by their [`Marks`], the test itself in [`Log::flush`].

mod appender;
mod folder;
mod lookout;
mod marks;
mod restore;
mod snapshots;
mod storage;
#[cfg(test)]
mod tests;
mod thread;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use bytes::BytesMut;

pub(crate) use appender::{Appender, Pace};
use folder::sizes;
pub(crate) use folder::{Opened, read, write};
pub(super) use marks::Marks;
pub use storage::Storage;
pub(crate) use thread::Writing;

use self::appender::Kept;
use self::thread::Writer;
use crate::protocol::Zxid;
use crate::store::{Folder, StorageError};

/// A server's log, as whoever appends, flushes or waits sees it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The number of the last transaction that outlasts the process.
    flushed: AtomicU64,
    broken: AtomicBool,
    /// Whether a snapshot is being written.
    keeping: AtomicBool,
    /// Why the disk refused a write, once it has.
    failure: OnceLock<StorageError>,
    /// The number of the last transaction that was given over; it rises while the queue is held.
    given: AtomicU64,
    /// Whether whoever appends writes too.
    at_once: AtomicBool,
    /// Wakes whoever looks after it, if there is somebody.
    lookout: Mutex<Option<Waker>>,
    queue: Mutex<Queue>,
    writer: Mutex<Option<Writer>>,
    /// Rung when there is something to write, or nothing more to come.
    appended: Condvar,
    /// Rung when more is flushed, or nothing more will be.
    done: Condvar,
    /// What it is written to, as long as somebody writes.
    folder: OnceLock<Weak<Folder>>,
    /// Writes and flushes.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is between the engine and the thread that writes.
#[derive(Debug, Default)]
struct Queue {
    /// What is to be written, in order.
    pending: Vec<Batch>,
    /// A buffer that was written.
    spare: BytesMut,
    /// Whom to wake when it is flushed up to which number.
    waiting: Vec<(u64, Waker)>,
    /// Whether somebody looks who wakes them.
    watched: bool,
    /// Whom to wake when the disk has refused a write.
    watching: Vec<Waker>,
    /// Whether the thread waits to be rung.
    parked: bool,
    /// How many wait in [`Log::flush`]: to ring where nobody listens would still be a call of the system.
    flushing: usize,
    /// Whether nothing more is to come.
    ending: bool,
}

/// What a turn has appended.
#[derive(Debug, Default)]
struct Turn {
    /// An entry a transaction, as the log holds them.
    entries: BytesMut,
    /// The first transaction.
    first: Option<Zxid>,
    /// The number of the last.
    number: u64,
    /// Whether the log goes on in another file behind them, and what a snapshot is then written of, if one is.
    roll: Option<Option<Kept>>,
    /// Whom to wake when it is flushed.
    waiting: Vec<Waker>,
}

/// Transactions that are written at once.
#[derive(Debug)]
struct Batch {
    entries: BytesMut,
    first: Zxid,
    number: u64,
    roll: Option<Option<Kept>>,
}

impl Queue {
    /// Whom to wake, now that it is flushed up to this number.
    fn take_flushed(&mut self, number: u64) -> Vec<Waker> {
        let waiting = self
            .waiting
            .extract_if(.., |(waits_for, _)| *waits_for <= number);
        waiting.map(|(_, waker)| waker).collect()
    }
}

// What is told of a failure is never changed, and the rest lies behind locks.
impl std::panic::RefUnwindSafe for Log {}

impl Log {
    /// The number of the last transaction that outlasts the process.
    fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Whether the disk has refused a write: nothing is flushed any more, and so nothing leaves that shows it.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// How large the files of snapshots and those of logs are, in bytes.
    pub(super) fn sizes(&self) -> (u64, u64) {
        let folder = self.folder.get().and_then(Weak::upgrade);
        folder.map_or((0, 0), |folder| sizes(&folder))
    }

    /// Whether a snapshot is being written.
    fn is_keeping(&self) -> bool {
        self.keeping.load(Ordering::Acquire)
    }

    /// Why the disk refused a write, if it has.
    pub(crate) fn failure(&self) -> Option<&StorageError> {
        self.failure.get()
    }

    /// Is ready when the disk has refused a write.
    pub(crate) fn poll_failure(&self, context: &Context<'_>) -> Poll<StorageError> {
        let mut queue = self.queue();
        if let Some(failure) = self.failure() {
            return Poll::Ready(failure.clone());
        }
        let watching = &mut queue.watching;
        if !watching
            .iter()
            .any(|waker| waker.will_wake(context.waker()))
        {
            watching.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Takes over what one turn has appended.
    fn append(&self, turn: &mut Turn) {
        let Some(first) = turn.first.take() else {
            return;
        };
        let mut queue = self.queue();
        let number = turn.number;
        let waiting = turn.waiting.drain(..).map(|waker| (number, waker));
        queue.waiting.extend(waiting);
        self.given.store(number, Ordering::Release);
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
        let at_once = self.at_once.load(Ordering::Acquire);
        let parked = !at_once && std::mem::take(&mut queue.parked);
        drop(queue);
        if parked {
            self.appended.notify_one();
        }
    }

    /// Has these woken when it is flushed up to a number, unless it is already; says whether they will be.
    fn wakes_all(&self, number: u64, waiting: &mut Vec<Waker>) -> bool {
        let mut queue = self.queue();
        let waits = self.flushed() < number;
        if waits {
            let waiting = waiting.drain(..).map(|waker| (number, waker));
            queue.waiting.extend(waiting);
        }
        waits
    }

    /// The same for one.
    pub(super) fn wakes(&self, number: u64, waker: &Waker) -> bool {
        if self.flushed() >= number {
            return false;
        }
        let mut queue = self.queue();
        let waits = self.flushed() < number;
        if self.is_broken() {
            // Whoever asked has to look again.
            waker.wake_by_ref();
            return waits;
        }
        let last = queue.waiting.last();
        if waits && !last.is_some_and(|(last, of)| *last == number && of.will_wake(waker)) {
            queue.waiting.push((number, waker.clone()));
        }
        waits
    }

    /// Waits until all that was appended is flushed. Gives why it never will be, if it will not.
    pub(crate) fn flush(&self) -> Result<(), StorageError> {
        let mut queue = self.queue();
        let number = self.given.load(Ordering::Acquire);
        while self.flushed() < number {
            if let Some(failure) = self.failure() {
                return Err(failure.clone());
            }
            queue.flushing += 1;
            queue = self
                .done
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.flushing -= 1;
        }
        // What is appended after a failure is not given over.
        self.failure()
            .map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Flushes what was appended, and ends the thread: nothing is to be appended any more.
    pub(crate) fn end(&self) {
        self.queue().ending = true;
        self.appended.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            tracing::error!("the thread that writes the log panicked; this is a bug of minikeeper");
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
