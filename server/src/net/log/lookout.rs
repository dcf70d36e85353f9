//! A task on the server's own thread that looks after the log for the connections.
//!
//! Where whoever appends writes too, the connections leave that to it: it has its turn behind all that were ready with it, and
//! to write a few transactions costs almost what it costs to write many. Where the disk is waited for, it looks whether that has
//! done, for as long as a quick disk takes: to go to sleep and to be woken takes about as long as the flush itself.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{future, thread};

use super::Log;
use crate::net::clock::Stopwatch;
use crate::net::turns::give_way;

/// A disk that has not flushed after so long is a slow one, and to be woken by it costs little beside.
const PATIENCE: Duration = Duration::from_millis(1);

/// So long somebody may take who asks again as soon as he is answered. Whoever waits for more to write stays awake meanwhile.
pub(super) const LINGER: Duration = Duration::from_micros(200);

/// Looks after a log until it is dropped.
#[derive(Debug)]
struct Lookout {
    log: Arc<Log>,
    patience: Duration,
    linger: Duration,
    /// The last transactions that were given over, and flushed.
    seen: (u64, u64),
    /// Since that has changed; `None` while it sleeps.
    watching: Option<Stopwatch>,
}

impl Log {
    /// Looks after the log, for as long as what is returned is polled.
    pub(in crate::net) fn look_after(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.look_after_for(PATIENCE, LINGER)
    }

    /// The same, with so much patience for the disk, and for who may append more.
    pub(super) fn look_after_for(
        self: &Arc<Self>,
        patience: Duration,
        linger: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let mut lookout = Lookout {
            log: Arc::clone(self),
            patience,
            linger,
            seen: (0, 0),
            watching: None,
        };
        future::poll_fn(move |context| lookout.poll(context))
    }

    /// Wakes whoever looks after the log, as something was appended; says whether there is somebody.
    pub(in crate::net) fn wakes_lookout(&self) -> bool {
        // Held, so that whoever is woken has not gone meanwhile.
        let lookout = self.lookout();
        lookout.as_ref().map(Waker::wake_by_ref).is_some()
    }

    /// Whether a thread of the server watches the log.
    pub(in crate::net) fn is_looked_after(&self) -> bool {
        self.lookout().is_some()
    }

    /// Wakes whoever waits for what is flushed. From here on that is left to whoever looks after the log, or to whoever flushes.
    fn tell(&self, watched: bool) {
        let wakers = {
            let mut queue = self.queue();
            queue.watched = watched;
            queue.take_flushed(self.flushed())
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lookout(&self) -> MutexGuard<'_, Option<Waker>> {
        self.lookout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookout {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let log = &self.log;
        log.lookout().get_or_insert_with(|| context.waker().clone());
        if log.at_once.load(Ordering::Acquire) {
            log.write_at_once(None);
            return Poll::Pending;
        }
        let given = log.given.load(Ordering::Acquire);
        let seen = (given, log.flushed());
        let (_, flushed) = seen;
        if self.watching.is_none() || seen != self.seen {
            let told = std::mem::replace(&mut self.seen, seen).1;
            if self.watching.replace(Stopwatch::start()).is_none() || told != flushed {
                log.tell(true);
            }
        }
        let patience = if given == flushed {
            self.linger
        } else {
            self.patience
        };
        let waited = self.watching.as_ref().map(Stopwatch::elapsed);
        if waited.is_some_and(|waited| waited < patience) && !log.is_broken() {
            // Whoever else the machine has to run comes first.
            thread::yield_now();
            return give_way(context);
        }
        self.watching = None;
        log.tell(false);
        Poll::Pending
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        let log = &self.log;
        *log.lookout() = None;
        // What was left to it in the last moment.
        log.write_at_once(None);
        log.tell(false);
    }
}
