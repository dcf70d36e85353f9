//! Users: clients of the `zookeeper-client` crate on a stage, in addition to the raw clients of scripts.
//!
//! A user is an ordinary program. The test records its results with [`Stage::note`] and [`Stage::notified`].

use std::fmt::Display;
use std::ops::Deref;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use zookeeper_client::{
    Client, Connector, OneshotWatcher, PersistentWatcher, SessionInfo, SessionState, StateWatcher,
    WatchedEvent,
};

use super::{Stage, StageError};
use crate::patience;
use crate::script::{Action, Script, Step};
use crate::transcribe::{Transcribe, event};

/// Session timeout of users: longer than any case, so that no session expires while the machine is busy.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// A named client of the `zookeeper-client` crate.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    client: Client,
}

impl User {
    /// Name in the transcript.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Stage<'_> {
    /// Connects a user under the case's root.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection fails.
    pub async fn user(&mut self, name: &str) -> Result<User, StageError> {
        self.user_by(name, Client::connector()).await
    }

    /// Connects several users, one after the other.
    ///
    /// # Errors
    ///
    /// Returns an error if one of the connections fails.
    pub async fn users<const N: usize>(
        &mut self,
        names: [&str; N],
    ) -> Result<[User; N], StageError> {
        let mut users = Vec::with_capacity(N);
        for name in names {
            users.push(self.user(name).await?);
        }
        <[User; N]>::try_from(users).map_err(|_| {
            StageError::Senseless("the number of users differs from the number of names".to_owned())
        })
    }

    /// Connects a user with a connector of the caller.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection fails.
    pub async fn user_by(&mut self, name: &str, by: Connector) -> Result<User, StageError> {
        let root = self.connect_string();
        let connecting = by.with_session_timeout(SESSION_TIMEOUT).connect(&root);
        let client = self
            .within(&format!("{name} to connect"), connecting)
            .await??;
        self.notes.saw(name, "connects", &client);
        self.users.push(client.state_watcher());
        Ok(User {
            name: name.to_owned(),
            client,
        })
    }

    /// Records the result of a user's call and returns it.
    pub fn note<T: Transcribe>(&mut self, user: &User, what: impl Display, seen: T) -> T {
        self.notes.saw(user.name(), &what.to_string(), &seen);
        seen
    }

    /// Records a statement of a user, such as a conclusion from its results.
    pub fn remark(&mut self, user: &User, what: impl Display) {
        self.notes.remark(user.name(), &what.to_string());
    }

    /// Waits for a watch to fire and records the event.
    ///
    /// # Errors
    ///
    /// Returns an error if the watch does not fire in time.
    pub async fn notified(
        &mut self,
        user: &User,
        watcher: OneshotWatcher,
    ) -> Result<WatchedEvent, StageError> {
        self.notified_by(user, watcher.changed()).await
    }

    /// Waits for a watch whose future already runs and records the event.
    ///
    /// # Errors
    ///
    /// Returns an error if the watch does not fire in time.
    pub async fn notified_by(
        &mut self,
        user: &User,
        waiting: impl Future<Output = WatchedEvent>,
    ) -> Result<WatchedEvent, StageError> {
        let what = format!("an event for {}", user.name());
        let event = self.within(&what, waiting).await?;
        self.note_event(user, &event);
        Ok(event)
    }

    /// Waits for the next event of a persistent watch and records it.
    ///
    /// # Errors
    ///
    /// Returns an error if the watch does not fire in time.
    pub async fn next_event(
        &mut self,
        user: &User,
        watcher: &mut PersistentWatcher,
    ) -> Result<WatchedEvent, StageError> {
        self.notified_by(user, watcher.changed()).await
    }

    /// Records whether a watch has fired, and its event. Events of earlier operations have arrived by then: an
    /// event precedes the answer to any later request of its client.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering.
    pub async fn note_if_notified<F>(
        &mut self,
        user: &User,
        watch: &mut F,
    ) -> Result<(), StageError>
    where
        F: Future<Output = WatchedEvent> + Unpin,
    {
        let answer = user.check_stat("/");
        self.within("an answer that follows all earlier events", answer)
            .await??;
        let now = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *watch).poll(context)));
        match now.await {
            Poll::Ready(event) => self.note_event(user, &event),
            Poll::Pending => self.remark(user, "hears nothing"),
        }
        Ok(())
    }

    fn note_event(&mut self, user: &User, watched: &WatchedEvent) {
        match event(watched) {
            Ok(event) => self.notes.notified(user.name(), &event),
            Err(state) => self.session_is(user.name(), state),
        }
    }

    fn session_is(&mut self, who: &str, state: SessionState) {
        self.notes.remark(who, &format!("  ! session {state}"));
    }

    /// Closes a user's session and waits until it is closed.
    ///
    /// # Errors
    ///
    /// Returns an error if the session does not end, for example because another clone of the client still
    /// exists.
    pub async fn close_session(&mut self, user: User) -> Result<(), StageError> {
        self.remark(&user, "leaves");
        let mut states = user.state_watcher();
        let what = format!("{} to leave", user.name());
        drop(user);
        self.within(&what, ended(&mut states)).await?;
        Ok(())
    }

    /// Ends a user's session without the user's knowledge, as an expiry does but without the delay: a second
    /// connection takes the session over and closes it. Returns after the user has noticed.
    ///
    /// # Errors
    ///
    /// Returns an error if the session does not end.
    pub async fn expire_session(&mut self, user: &User) -> Result<(), StageError> {
        let mut states = user.state_watcher();
        let session = user.session().clone();
        let address = self.connect_string();
        let patience = self.patience;
        // The user's client runs on this thread, so it cannot reclaim its session while the thread waits.
        let closing = std::thread::spawn(move || close_session(session, &address, patience));
        match closing.join() {
            Ok(closed) => closed?,
            Err(_) => {
                return Err(StageError::Senseless(
                    "the thread that closes a session panicked".to_owned(),
                ));
            }
        }
        let what = format!("{} to notice that its session has ended", user.name());
        let state = self.within(&what, ended(&mut states)).await?;
        self.session_is(user.name(), state);
        Ok(())
    }

    /// Restarts the server and waits until these users are connected again.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not start or a user does not reconnect.
    pub async fn restart_server(&mut self, users: &[&User]) -> Result<(), StageError> {
        let mut states: Vec<StateWatcher> = users.iter().map(|user| user.state_watcher()).collect();
        self.step(&Step::Restart).await?;
        for (user, states) in users.iter().zip(&mut states) {
            let what = format!("{} to reconnect", user.name());
            let back = async {
                loop {
                    let state = states.changed().await;
                    if state != SessionState::Disconnected {
                        return state;
                    }
                }
            };
            let state = self.within(&what, back).await?;
            self.session_is(user.name(), state);
        }
        Ok(())
    }

    /// Sends this many requests as a user. Each one follows everything that the user's other tasks had to send.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering.
    pub async fn send_requests(&mut self, user: &User, requests: usize) -> Result<(), StageError> {
        for _ in 0..requests {
            self.within("an answer", user.check_stat("/")).await??;
        }
        Ok(())
    }

    /// Waits for a future, up to the time limit of the stage.
    ///
    /// # Errors
    ///
    /// Returns an error if the future is not ready in time.
    pub async fn within<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, StageError> {
        Ok(patience::within_span(self.patience, what, future).await?)
    }

    /// Runs steps of a script, for actions that an ordinary client does not take, such as `a: cut`.
    ///
    /// # Errors
    ///
    /// Returns an error if a step is invalid or the server stops answering.
    pub async fn steps(&mut self, text: &str) -> Result<(), StageError> {
        let script: Script = text.parse()?;
        for step in &script.steps {
            self.step(step).await?;
        }
        Ok(())
    }

    /// Sends the request of a step, such as `a: create /x`, and drops the connection without reading the reply.
    ///
    /// # Errors
    ///
    /// Returns an error if the step is not a request of a connected client.
    pub async fn lose_reply(&mut self, step: &str) -> Result<(), StageError> {
        let script: Script = step.parse()?;
        let [
            Step::Act {
                who,
                action: Action::Ask(request),
            },
        ] = &script.steps[..]
        else {
            return Err(StageError::Senseless(format!("`{step}` is not a request")));
        };
        self.notes
            .remark(who, &format!("{request} (its reply is lost)"));
        let request = self.chroot.request(request);
        let (actor, scene) = self.scene(who)?;
        actor.send(&request).await;
        actor.cut(scene.patience).await;
        Ok(())
    }

    /// Waits until every user's session has ended, so that none of them acts later.
    pub(super) async fn await_users(&mut self) {
        for mut states in std::mem::take(&mut self.users) {
            // A user that the scenario still owns does not end; its session expires by itself.
            let _ = self
                .within("the end of a user's session", ended(&mut states))
                .await;
        }
    }
}

async fn ended(states: &mut StateWatcher) -> SessionState {
    let mut state = states.peek_state();
    while !state.is_terminated() {
        state = states.changed().await;
    }
    state
}

fn close_session(
    session: SessionInfo,
    address: &str,
    patience: Duration,
) -> Result<(), StageError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let closing = async {
        let second = Client::connector()
            .with_session(session)
            .connect(address)
            .await?;
        let mut states = second.state_watcher();
        drop(second);
        ended(&mut states).await;
        Ok(())
    };
    runtime.block_on(patience::within_span(
        patience,
        "the close of a session",
        closing,
    ))?
}
