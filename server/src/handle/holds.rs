//! What a test keeps back, and lets go in the order that it chooses.

use std::thread;

use super::Server;
use super::journal::WaitFor;
use crate::net::{Condition, Held, HoldId, Matcher, Release, ReleaseError};
use crate::protocol::SessionId;

/// Keeps back what a matcher means, as long as it is held; dropping it lets everything go.
///
/// ```
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// let hold = server.hold(Matcher::event().path("/leader").label("B"));
/// server.create("/leader", b"A")?;
/// assert!(hold.held().is_empty(), "nobody watches");
/// hold.release_all();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a hold lasts as long as this is held"]
pub struct Hold {
    server: Server,
    id: HoldId,
}

impl Server {
    /// Keeps back events, replies or requests from now on. Whatever comes later on the same connection waits behind
    /// them: a client gets what is sent to it in the order in which it was sent.
    ///
    /// # Panics
    ///
    /// If the matcher means nothing that can be kept back, such as the expiry of a session.
    pub fn hold(&self, on: Matcher) -> Hold {
        Hold {
            id: self.shared.engine.hold(on),
            server: self.clone(),
        }
    }
}

impl Hold {
    /// What is kept back, in the order in which it came.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        self.server.shared.engine.held(self.id)
    }

    /// Waits until so many are kept back.
    pub fn wait_for(&self, number: usize) -> WaitFor<()> {
        let condition = Condition::Held {
            hold: self.id,
            number,
        };
        WaitFor::new(self.server.waiting(condition), |_| ())
    }

    /// Lets go what has been kept back for longest; says whether there was anything.
    pub fn release_next(&self) -> bool {
        self.release(Release::First { count: 1 })
            .is_ok_and(|count| count > 0)
    }

    /// Lets one message go.
    ///
    /// # Errors
    ///
    /// If it is not held, or something before it on the same connection is.
    pub fn release_item(&self, item: u64) -> Result<(), ReleaseError> {
        self.release(Release::Item { item }).map(|_| ())
    }

    /// Lets go what is for one session; gives how much it was.
    pub fn release_session(&self, session: SessionId) -> usize {
        self.release(Release::Session { session }).unwrap_or(0)
    }

    /// Lets everything go that is kept back now; gives how much it was. What comes later is kept back again.
    pub fn release_all(&self) -> usize {
        self.release(Release::All).unwrap_or(0)
    }

    /// Lets some go; gives how much it was.
    ///
    /// # Errors
    ///
    /// If one message is asked for that is not held, or something before it on the same connection is.
    pub fn release(&self, which: Release) -> Result<usize, ReleaseError> {
        self.server.shared.engine.release(self.id, which)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.server.shared.engine.end_hold(self.id);
        }
    }
}
