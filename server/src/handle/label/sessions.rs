//! Sessions by the label of their client.

use super::no_such_session::{NoSuchSession, in_words};
use crate::control::Effects;
use crate::handle::inspect::SessionView;
use crate::handle::{Server, last_error};
use crate::keeper::Input;

impl Server {
    /// Returns the session of the client that connected by a label: the one that is connected, or, while none is, the
    /// only session that last used the label.
    ///
    /// # Panics
    ///
    /// If no session or several used the label, or no address has it. To get an error instead, use
    /// [`try_session`](Self::try_session).
    ///
    /// ```
    /// # use std::io::Write;
    /// use minikeeper::{Matcher, Server, matcher::EventKind};
    ///
    /// let server = Server::start()?;
    /// let worker = server.labelled("worker")?;
    /// let connected = server.wait_for(Matcher::of(EventKind::Connected).label("worker"));
    /// # let mut client = std::net::TcpStream::connect(worker.addr())?;
    /// # let connect = [0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x75, 0x30];
    /// # client.write_all(&[&connect[..], &[0; 12]].concat())?;
    /// // A client connects to worker.connect_string().
    /// connected.blocking()?;
    /// server.mute(server.session("worker").id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn session(&self, label: &str) -> SessionView {
        match self.try_session(label) {
            Ok(session) => session,
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns a session as [`session`](Self::session) does, and an error instead of a panic.
    ///
    /// # Errors
    ///
    /// If no session or several used the label, or no address has it. The message says which of the three.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.labelled("worker")?;
    /// let error = server.try_session("worker").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"no session came by the label "worker"; the server has no session now"#
    /// );
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn try_session(&self, label: &str) -> Result<SessionView, NoSuchSession> {
        let sessions = self.sessions_of(label)?;
        let connected = sessions.iter().filter(|session| session.connected).count();
        let all: Vec<String> = sessions.iter().map(|it| it.id.to_string()).collect();
        let mut meant = sessions
            .into_iter()
            .filter(|session| session.connected || connected == 0);
        match (meant.next(), meant.next()) {
            (Some(session), None) => Ok(session),
            _ => Err(last_error::note(NoSuchSession::new(format!(
                "{} sessions came by the label {label:?}: {}; choose one of sessions()",
                all.len(),
                all.join(", ")
            )))),
        }
    }

    /// Expires every session that connected by a label, as [`expire`](Self::expire) does, and returns the effects.
    ///
    /// # Panics
    ///
    /// If no session used the label, or no address has it. To get an error instead, use
    /// [`try_expire_label`](Self::try_expire_label).
    #[track_caller]
    pub fn expire_label(&self, label: &str) -> Effects {
        match self.try_expire_label(label) {
            Ok(effects) => effects,
            Err(error) => panic!("{error}"),
        }
    }

    /// Expires sessions as [`expire_label`](Self::expire_label) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If no session used the label, or no address has it.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.labelled("worker")?;
    /// assert!(server.try_expire_label("worker").is_err(), "no client has connected");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn try_expire_label(&self, label: &str) -> Result<Effects, NoSuchSession> {
        let sessions = self.sessions_of(label)?;
        let mut effects = Effects::default();
        for session in sessions {
            let input = Input::ExpireSession(session.id);
            self.shared.engine.apply_with_effects(input, &mut effects);
        }
        self.shared.engine.flush();
        Ok(effects)
    }

    /// Sessions that connected by a label, at least one.
    fn sessions_of(&self, label: &str) -> Result<Vec<SessionView>, NoSuchSession> {
        let mut sessions = self.sessions();
        sessions.retain(|session| session.label.as_deref() == Some(label));
        if !sessions.is_empty() {
            return Ok(sessions);
        }
        let engine = &self.shared.engine;
        let message = engine.unknown_label(label).unwrap_or_else(|| {
            let others = engine.with_keeper(|keeper| in_words(keeper.sessions()));
            format!("no session came by the label {label:?}; {others}")
        });
        Err(last_error::note(NoSuchSession::new(message)))
    }
}
