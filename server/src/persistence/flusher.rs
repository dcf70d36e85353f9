//! The flusher: a task on the server's own thread that takes care of the log on behalf of the connections.
//!
//! In the mode [`WriteMode::Inline`](super::WriteMode::Inline) it writes: its turn comes after those of all
//! connections that were ready together, and a few transactions cost almost as much to write as one. In the mode
//! [`WriteMode::Thread`](super::WriteMode::Thread) it is a spinner: it waits busily for the disk, as long as a fast
//! disk takes, since to sleep and to be woken takes about as long as such a flush.

use std::future;
use std::pin::pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use super::Log;
use super::log::REQUEST_GAP;
use super::shared::Notifier;
use super::stopwatch::Stopwatch;

/// Longest flush of a fast disk. With a slower one, the time that waking takes hardly matters.
const FAST_FLUSH: Duration = Duration::from_millis(1);

/// Takes care of a log until it is dropped.
#[derive(Debug)]
struct Flusher {
    log: Arc<Log>,
    flush_limit: Duration,
    request_limit: Duration,
    /// Progress of the log when it was last polled.
    seen: Progress,
    spin: Spin,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    submitted: u64,
    durable: u64,
}

/// Whether the flusher waits busily.
#[derive(Debug)]
enum Spin {
    Asleep,
    /// Since the log last made progress.
    Spinning(Stopwatch),
}

impl Log {
    /// Returns the flusher, which works while it is polled.
    pub(crate) fn run_flusher(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.run_flusher_for(FAST_FLUSH, REQUEST_GAP)
    }

    /// Returns a flusher that spins for so long, for a flush and for the next transaction.
    pub(crate) fn run_flusher_for(
        self: &Arc<Self>,
        flush_limit: Duration,
        request_limit: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let mut flusher = Flusher {
            log: Arc::clone(self),
            flush_limit,
            request_limit,
            seen: Progress::default(),
            spin: Spin::Asleep,
        };
        future::poll_fn(move |context| flusher.poll(context))
    }

    /// Wakes the flusher, since a transaction was submitted. Returns whether there is a flusher.
    pub(crate) fn wake_flusher(&self) -> bool {
        // Locked, so that the flusher does not end before it is woken.
        let waker = self.flusher_waker();
        waker.as_ref().map(Waker::wake_by_ref).is_some()
    }

    /// Whether there is a flusher.
    pub(crate) fn has_flusher(&self) -> bool {
        self.flusher_waker().is_some()
    }

    fn flusher_waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.flusher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flusher {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let log = &self.log;
        log.flusher_waker()
            .get_or_insert_with(|| context.waker().clone());
        if log.is_inline() {
            log.write_inline(None);
            return Poll::Pending;
        }
        let progress = Progress {
            submitted: log.shared.submitted(),
            durable: log.durable_up_to(),
        };
        let before = std::mem::replace(&mut self.seen, progress);
        let was_asleep = matches!(self.spin, Spin::Asleep);
        if was_asleep || progress != before {
            self.spin = Spin::Spinning(Stopwatch::start());
            if was_asleep || progress.durable != before.durable {
                log.shared.set_notifier(Notifier::Flusher);
            }
        }
        let limit = if progress.submitted == progress.durable {
            self.request_limit
        } else {
            self.flush_limit
        };
        if let Spin::Spinning(stopwatch) = &self.spin
            && stopwatch.elapsed() < limit
            && !log.is_broken()
        {
            // Other threads of the machine come first, and then the other tasks of this thread.
            thread::yield_now();
            return pin!(tokio::task::yield_now()).poll(context);
        }
        self.spin = Spin::Asleep;
        log.shared.set_notifier(Notifier::Writer);
        Poll::Pending
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let log = &self.log;
        *log.flusher_waker() = None;
        // Transactions of the last moment are still pending.
        log.write_inline(None);
        log.shared.set_notifier(Notifier::Writer);
    }
}
