//! What a test keeps back, and lets go in the order that it chooses.

use super::Server;
use super::journal::WaitFor;
use crate::control::{Condition, Held, HoldError, HoldId, Matcher, Release, ReleaseError};
use crate::protocol::SessionId;

/// Keeps back what a matcher means, as long as this is held. Dropping it lets everything go, in a test that panics too, so
/// that nobody waits for what is held.
///
/// ```
/// use minikeeper::Matcher;
///
/// let server = minikeeper::Server::start()?;
/// server.labelled("B")?;
/// let hold = server.hold(Matcher::watch_event().path("/leader").label("B"));
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
    /// Keeps back events, replies or requests from now on, until the test lets them go.
    ///
    /// - Events and replies: the server has done what they tell of, and the client does not know. Whatever is sent later on
    ///   the same connection waits behind them: a client gets what is sent to it in the order in which it was sent.
    /// - Requests: the server does not know of them yet. Whatever the client sends later on the same connection waits behind,
    ///   its pings too, so in real time its session may expire meanwhile. A request that is released has been carried out when
    ///   the call returns, unless its link is cut: then it arrives when that is healed.
    ///
    /// A held message ends with its connection, like bytes in flight: when the connection closes, when its session
    /// expires or moves to another connection, when the server stops. The message is no longer held when the call
    /// that caused this returns. A held reply to the request that closes a session is still owed: the connection
    /// stays open, and every view counts it, until the reply is released. If several holds match the same message,
    /// the hold that was placed first has it.
    ///
    /// A matcher that does not say of which [`EventKind`](crate::matcher::EventKind) holds a request, and its reply too.
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
    /// // What B asks for is done, and B does not learn of it before the test wants it to.
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

    /// The same as [`hold`](Self::hold), for a matcher that comes from elsewhere.
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
    /// What is held now, in the order in which it came.
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

    /// Waits until so many are held: a future, or [`blocking`](WaitFor::blocking).
    ///
    /// ```
    /// use std::time::Duration;
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// let waited = hold.wait_for(2).within(Duration::ZERO).blocking();
    /// assert!(waited.is_err(), "nobody watches anything");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn wait_for(&self, number: usize) -> WaitFor<()> {
        let condition = Condition::Held {
            hold: self.id,
            number,
        };
        WaitFor::new(&self.server, condition, |_| ())
    }

    /// Lets go what has been held for longest.
    ///
    /// # Errors
    ///
    /// If nothing is held, or something before it on the same connection is kept back otherwise.
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

    /// Lets one message go.
    ///
    /// # Errors
    ///
    /// If it is not held, or something before it on the same connection is kept back.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// // The newest first: refused where it would overtake another one of the same client.
    /// for held in hold.held().iter().rev() {
    ///     hold.release_item(held.item).expect("it is the only one of its client");
    /// }
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release_item(&self, item: u64) -> Result<(), ReleaseError> {
        self.release(&Release::Item { item }).map(|_| ())
    }

    /// Lets go what is for one session; gives how much it was.
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
        self.let_go(&Release::Session { session })
    }

    /// Lets go what is for whoever came by the address with this label; gives how much it was.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let hold = server.hold(Matcher::watch_event());
    /// // B is told before A.
    /// hold.release_label("B");
    /// hold.release_label("A");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn release_label(&self, label: &str) -> usize {
        self.let_go(&Release::Label {
            label: label.to_owned(),
        })
    }

    /// Lets everything go that is held now; gives how much it was. What comes later is held again.
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
        self.let_go(&Release::All)
    }

    /// Lets some go; gives what it was, in the order in which it came. Where a session, a label or all is meant, what is
    /// behind something that another hold or a delay keeps back leaves right after that.
    ///
    /// # Errors
    ///
    /// If a message is asked for that is not held; or one, or the first, before which something is kept back on the same
    /// connection. Then nothing is let go.
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

    fn let_go(&self, which: &Release) -> usize {
        self.release(which).map_or(0, |released| released.len())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.server.on_drop();
        self.server.shared.engine.end_hold(self.id);
    }
}
