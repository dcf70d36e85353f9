//! Thread that ends waits whose time is over.
//!
//! A server that is stopped, or that has no listener and serves no client, has no other thread, and the executor that
//! awaits may have no timer. So this thread measures the time of every awaited wait, in real time. It starts with the
//! first awaited wait and ends with the server. A wait that blocks a thread is timed by that thread.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Thread that ends the waits of one server, if it has started.
#[derive(Debug, Default)]
pub(super) struct WaitTimer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a wait began since the thread last looked.
    begun: bool,
    /// Whether the server is gone.
    ended: bool,
    thread: Option<JoinHandle<()>>,
}

impl WaitTimer {
    /// Measures the time of waits from now on; a new wait has begun. `end_late` ends the waits whose time is over, and
    /// returns the time until the next one ends, or `None` once the server is gone.
    pub(super) fn begin(
        &self,
        end_late: impl Fn() -> Option<Option<Duration>> + Send + 'static,
    ) -> io::Result<()> {
        let mut state = self.shared.lock();
        let runs = state
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        if !runs && !state.ended {
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new()
                .name("minikeeper-waits".to_owned())
                .spawn(move || shared.measure(&end_late))?;
            state.thread = Some(thread);
        }
        state.begun = true;
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Ends the thread, and joins it.
    pub(super) fn end(&self) {
        let thread = self.shared.end();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // The panic of a waker has been reported already.
            let _ = thread.join();
        }
    }
}

impl Drop for WaitTimer {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) -> Option<JoinHandle<()>> {
        let mut state = self.lock();
        state.ended = true;
        self.changed.notify_one();
        state.thread.take()
    }

    /// Ends waits when their time is over, until the server is gone.
    fn measure(&self, end_late: &dyn Fn() -> Option<Option<Duration>>) {
        while let Some(next) = end_late() {
            let state = self.lock();
            let idle = |state: &mut State| !state.begun && !state.ended;
            let mut state = match next {
                Some(span) => {
                    let waited = self.changed.wait_timeout_while(state, span, idle);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.changed.wait_while(state, idle);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
            if state.ended {
                return;
            }
            state.begun = false;
        }
    }
}
