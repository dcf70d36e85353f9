//! Holds: messages that a test holds, and releases in the order that it chooses.

use super::{Server, WaitFor};
use crate::control::{Condition, Held, HoldError, HoldId, Matcher, Release, ReleaseError};
use crate::protocol::SessionId;

/// Hold on the messages that a matcher matches. Dropping it releases all held messages, in a panicking test too, so
/// that no client waits for a message forever.
///
/// ```
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// server.labelled("B")?;
/// let hold = server.hold(Matcher::watch_event().path("/leader").label("B"));
/// server.create("/leader", b"A")?;
/// assert!(hold.held().is_empty(), "no client watches");
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
    /// Holds events, replies or requests from now on, until the test releases them.
    ///
    /// - Events and replies: the server has done its work, and the client does not see it yet. Later messages on the
    ///   same connection wait behind a held one, since a client receives messages in the order in which they were sent.
    /// - Requests: the server does not see them yet. Later requests of the client on the same connection, including
    ///   pings, wait behind a held one; in real time its session may therefore expire. A released request has been
    ///   carried out when the call returns, unless its link is cut: then it arrives when the link is healed.
    ///
    /// A held message is dropped with its connection, like bytes in flight: when the connection closes, when its
    /// session expires or moves to another connection, when the server stops. The message is no longer held when the
    /// call that caused this returns. If a held reply answers the request that closes a session, the connection stays
    /// open, and every view counts it, until the reply is released. If several holds match the same message, the hold
    /// that was placed first has it.
    ///
    /// A matcher without an [`EventKind`](crate::matcher::EventKind) holds a request, and then its reply.
    ///
    /// # Panics
    ///
    /// If no message that can be held can ever match: only requests, replies and events are held, and a label must
    /// have been named before. To get an error instead, use [`try_hold`](Self::try_hold).
    ///
    /// ```
    /// use minikeeper::{Matcher, Op};
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.labelled("B")?;
    /// // The server carries out the creates of B, and B gets no reply before the test releases it.
    /// let hold = server.hold(Matcher::reply(Op::Create).path("/locks/**").label("B"));
    /// # drop(hold);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn hold(&self, on: impl Into<Matcher>) -> Hold {
        match self.try_hold(on) {
            Ok(hold) => hold,
            Err(error) => panic!("{error}"),
        }
    }

    /// Holds messages as [`hold`](Self::hold) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If no message that can be held can ever match.
    ///
    /// ```
    /// use minikeeper::{Matcher, matcher::EventKind};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.try_hold(Matcher::of(EventKind::SessionExpired));
    /// assert!(hold.unwrap_err().to_string().contains("cannot be held"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn try_hold(&self, on: impl Into<Matcher>) -> Result<Hold, HoldError> {
        Ok(Hold {
            id: self.shared.engine.hold(on.into())?,
            server: self.clone(),
        })
    }
}

impl Hold {
    /// Returns the held messages, oldest first.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// let of_b = hold.held().into_iter().filter(|held| held.label.as_deref() == Some("B"));
    /// assert_eq!(of_b.count(), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        self.server.shared.engine.held(self.id)
    }

    /// Waits until this number of messages is held.
    ///
    /// ```
    /// use std::time::Duration;
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// let waited = hold.wait_for(2).within(Duration::ZERO).blocking();
    /// assert!(waited.is_err(), "no client watches anything");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn wait_for(&self, number: usize) -> WaitFor<()> {
        let condition = Condition::Held {
            hold: self.id,
            number,
        };
        WaitFor::new(&self.server, condition, |_| ())
    }

    /// Releases the message that has been held longest, and returns it.
    ///
    /// # Errors
    ///
    /// If no message is held, or if an older message on the same connection is still held or delayed.
    ///
    /// ```
    /// use minikeeper::{Matcher, hold::ReleaseError};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// assert_eq!(hold.release_next(), Err(ReleaseError::NothingHeld));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release_next(&self) -> Result<Held, ReleaseError> {
        let released = self.release(&Release::First { count: 1 })?;
        released.into_iter().next().ok_or(ReleaseError::NothingHeld)
    }

    /// Releases one message.
    ///
    /// # Errors
    ///
    /// If the message is not held, or if an older message on the same connection is still held or delayed.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// // Newest first: refused if an older message of the same client is held.
    /// for held in hold.held().iter().rev() {
    ///     hold.release_item(held.item).expect("the client has no older message");
    /// }
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release_item(&self, item: u64) -> Result<(), ReleaseError> {
        self.release(&Release::Item { item }).map(|_| ())
    }

    /// Releases the messages of one session, and returns their number.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// for session in server.sessions() {
    ///     hold.release_session(session.id);
    /// }
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release_session(&self, session: SessionId) -> usize {
        self.release_count(&Release::Session { session })
    }

    /// Releases the messages of the clients with this label, and returns their number.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// // B gets its event before A.
    /// hold.release_label("B");
    /// hold.release_label("A");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release_label(&self, label: &str) -> usize {
        self.release_count(&Release::Label {
            label: label.to_owned(),
        })
    }

    /// Releases all messages that are held now, and returns their number. Later messages are held again.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// assert_eq!(hold.release_all(), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release_all(&self) -> usize {
        self.release_count(&Release::All)
    }

    /// Releases messages, and returns them, oldest first. If the release is by session, by label or of all messages, a
    /// message behind another held or delayed one leaves as soon as that one has left.
    ///
    /// # Errors
    ///
    /// If the release is of one message and the message is not held; or if the release is of one message or of the
    /// oldest ones, and an older message on the same connection is still held or delayed. No message is released then.
    ///
    /// ```
    /// use minikeeper::{Matcher, hold::Release};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// let released = hold.release(&Release::First { count: 2 });
    /// assert_eq!(released, Ok(Vec::new()));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release(&self, which: &Release) -> Result<Vec<Held>, ReleaseError> {
        self.server.shared.engine.release(self.id, which)
    }

    fn release_count(&self, which: &Release) -> usize {
        self.release(which).map_or(0, |released| released.len())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.server.report_if_panicking();
        self.server.shared.engine.end_hold(self.id);
    }
}
