//! The disk refused a write: who is told, and how to wait for it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use crate::handle::Server;
use crate::net::unpark_this_thread;
use crate::persistence::Log;
use crate::store::StorageError;

/// Waits until the disk has refused something that was to outlast the process: a future that needs no particular runtime, or
/// [`blocking`](Self::blocking). For a server that keeps its state in memory alone, that is never.
#[must_use = "nothing is waited for until it is awaited or told to block"]
pub struct Failure {
    log: Option<Arc<Log>>,
}

/// The failure, if one has happened, without the log.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = self.log.as_ref().and_then(|log| log.failure());
        f.debug_struct("Failure")
            .field("failure", &failure)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Why it stopped by itself, if it did: the disk is full, or refused a write otherwise. What was not flushed was never
    /// acknowledged, all connections were closed, and it cannot be started again.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.failure().is_none());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<StorageError> {
        let log = self.shared.engine.log()?;
        log.failure().cloned()
    }

    /// Waits for a [`failure`](Self::failure).
    ///
    /// ```
    /// use std::task::{Context, Waker};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let failure = std::pin::pin!(server.wait_for_failure());
    /// assert!(failure.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn wait_for_failure(&self) -> Failure {
        Failure {
            log: self.shared.engine.log().cloned(),
        }
    }
}

impl Future for Failure {
    type Output = StorageError;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<StorageError> {
        match &self.log {
            Some(log) => log.poll_failure(context),
            None => Poll::Pending,
        }
    }
}

impl Failure {
    /// Waits with this thread, for ever if need be.
    #[must_use]
    pub fn blocking(mut self) -> StorageError {
        let waker = unpark_this_thread();
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(failure) = Pin::new(&mut self).poll(&mut context) {
                return failure;
            }
            thread::park();
        }
    }
}
