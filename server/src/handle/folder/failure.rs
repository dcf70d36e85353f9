//! Failures of the disk: the error of a refused write, and the wait for it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use crate::handle::Server;
use crate::net::unpark_this_thread;
use crate::persistence::Log;
use crate::store::StorageError;

/// Wait until the disk has refused a write that had to be durable. It is a future that needs no particular runtime;
/// [`blocking`](Self::blocking) waits without one. For a server without a data folder it never completes.
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Failure {
    log: Option<Arc<Log>>,
}

/// Prints the failure, if one has happened, without the log.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = self.log.as_ref().and_then(|log| log.failure());
        f.debug_struct("Failure")
            .field("failure", &failure)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Returns the error with which the server stopped by itself: the disk is full, or refused a write for another
    /// reason. Writes that were not flushed were not acknowledged, all connections are closed, and the server cannot be
    /// started again.
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
    /// Blocks this thread until a failure happens, perhaps forever.
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
