//! Time: the clock of the server, silent sessions, and actions that fall due.

use std::time::Duration;

use super::Server;
use super::label::{NoSuchSession, in_words};
use crate::control::Effects;
use crate::keeper::{Input, Reapable};
use crate::protocol::{SessionId, Timestamp};

impl Server {
    /// Advances the clock, and stops at everything that falls due on the way: sessions expire, containers and TTL
    /// znodes are removed. When this returns it has happened, and the events of watches are on their way.
    ///
    /// No client can ping inside one call, so a connected session does not expire by this. To let it expire,
    /// [`mute`](Self::mute) it first. While the server is stopped, time passes and nothing falls due.
    ///
    /// Each connected session is checked once in its timeout, and containers and TTL znodes once a minute. A year
    /// therefore takes seconds, and `Duration::MAX` does not end.
    ///
    /// Returns the effects.
    ///
    /// # Panics
    ///
    /// If the server has the system clock; see [`ServerBuilder::manual_clock`](crate::ServerBuilder::manual_clock).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let server = minikeeper::Server::builder().manual_clock().start()?;
    /// let before = server.now();
    /// server.advance(Duration::from_secs(3600));
    /// assert_eq!(server.now().since(before), Duration::from_secs(3600));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn advance(&self, by: Duration) -> Effects {
        let engine = &self.shared.engine;
        assert!(
            engine.clock().is_manual(),
            "only a manual clock can be advanced; start the server with Server::builder().manual_clock()"
        );
        let effects = engine.advance(engine.clock().now() + by, self.is_running());
        engine.flush();
        effects
    }

    /// Returns the time of the server's clock.
    ///
    /// ```
    /// let server = minikeeper::Server::builder().manual_clock().start()?;
    /// assert_eq!(server.now(), server.now());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.engine.clock().now()
    }

    /// Mutes a session: from now on it counts as silent, as if its pings and requests were lost, and it expires when
    /// its timeout ends. Its requests are answered until then. It stays muted when its client reconnects, until
    /// [`unmute`](Self::unmute).
    ///
    /// # Panics
    ///
    /// If there is no such session, or it has ended. To get an error instead, use [`try_mute`](Self::try_mute).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// for session in server.sessions() {
    ///     server.mute(session.id);
    /// }
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn mute(&self, session: SessionId) {
        if let Err(error) = self.try_mute(session) {
            panic!("{error}");
        }
    }

    /// Mutes a session as [`mute`](Self::mute) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If there is no such session, or it has ended.
    pub fn try_mute(&self, session: SessionId) -> Result<(), NoSuchSession> {
        let engine = &self.shared.engine;
        let others = engine.with_keeper(|keeper| {
            let sessions = keeper.sessions();
            let is_there = sessions.get(session).is_some();
            (!is_there).then(|| in_words(sessions))
        });
        if let Some(others) = others {
            let message = format!("there is no session {session}; {others}");
            return Err(NoSuchSession::new(message));
        }
        engine.apply(Input::Mute {
            session,
            muted: true,
        });
        Ok(())
    }

    /// Ends the muting of a session. Has no effect on a session that does not exist.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// for session in server.sessions() {
    ///     server.unmute(session.id);
    /// }
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn unmute(&self, session: SessionId) {
        self.shared.engine.apply(Input::Mute {
            session,
            muted: false,
        });
    }

    /// Expires a session now, as the server does with a silent session, and returns the effects. They are empty if
    /// there is no such session.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.expire(minikeeper::SessionId(1)).expired.is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn expire(&self, session: SessionId) -> Effects {
        self.effects_of(Input::ExpireSession(session))
    }

    /// Removes every container that has had children and has none now, without waiting for the next check of the server
    /// (`znode.container.checkIntervalMs`), and returns the effects. A container that becomes empty by this is removed
    /// too.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.reap_containers().deleted.is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn reap_containers(&self) -> Effects {
        self.effects_of(Input::Reap(Reapable::Containers))
    }

    /// Removes every TTL znode without children whose time to live is over, without waiting for the next check of the
    /// server, and returns the effects.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.reap_ttl().deleted.is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn reap_ttl(&self) -> Effects {
        self.effects_of(Input::Reap(Reapable::TtlZnodes))
    }

    /// Hands an input to the server and returns its effects, once they are durable.
    pub(super) fn effects_of(&self, input: Input<'_>) -> Effects {
        let mut effects = Effects::default();
        self.shared.engine.apply_with_effects(input, &mut effects);
        self.shared.engine.flush();
        effects
    }
}
