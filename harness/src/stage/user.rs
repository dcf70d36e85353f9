//! Users: clients of the `zookeeper-client` crate on a stage, beside the raw ones. A user does what it does as in any
//! program; what it sees of that is noted by [`Stage::note`] and [`Stage::notified`].

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

/// Longer than any case, so that no session ends by itself while the machine is busy.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// A client with a name.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    client: Client,
}

impl User {
    /// What it is called in the transcript.
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
    /// A client that is connected, under the case's root.
    ///
    /// # Errors
    ///
    /// If the server does not let it in.
    pub async fn user(&mut self, name: &str) -> Result<User, StageError> {
        self.user_by(name, Client::connector()).await
    }

    /// Several clients, connected one after the other.
    ///
    /// # Errors
    ///
    /// If the server does not let one in.
    pub async fn users<const N: usize>(
        &mut self,
        names: [&str; N],
    ) -> Result<[User; N], StageError> {
        let mut users = Vec::with_capacity(N);
        for name in names {
            users.push(self.user(name).await?);
        }
        <[User; N]>::try_from(users)
            .map_err(|_| StageError::Senseless("as many users as names".to_owned()))
    }

    /// A client that is connected in a way of its own.
    ///
    /// # Errors
    ///
    /// If the server does not let it in.
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

    /// Notes what came of something that a user did, and gives it back.
    pub fn note<T: Transcribe>(&mut self, user: &User, what: impl Display, seen: T) -> T {
        self.notes.saw(user.name(), &what.to_string(), &seen);
        seen
    }

    /// Notes what a user concludes.
    pub fn says(&mut self, user: &User, what: impl Display) {
        self.notes.remark(user.name(), &what.to_string());
    }

    /// Waits for a watch to fire, and notes what it says.
    ///
    /// # Errors
    ///
    /// If it does not fire.
    pub async fn notified(
        &mut self,
        user: &User,
        watcher: OneshotWatcher,
    ) -> Result<WatchedEvent, StageError> {
        self.notified_by(user, watcher.changed()).await
    }

    /// Waits for a watch to fire that is waited for already, and notes what it says.
    ///
    /// # Errors
    ///
    /// If it does not fire.
    pub async fn notified_by(
        &mut self,
        user: &User,
        waiting: impl Future<Output = WatchedEvent>,
    ) -> Result<WatchedEvent, StageError> {
        let what = format!("an event for {}", user.name());
        let told = self.within(&what, waiting).await?;
        self.note_event(user, &told);
        Ok(told)
    }

    /// Waits for the next event of a watch that stays, and notes it.
    ///
    /// # Errors
    ///
    /// If it does not fire.
    pub async fn hears(
        &mut self,
        user: &User,
        watcher: &mut PersistentWatcher,
    ) -> Result<WatchedEvent, StageError> {
        self.notified_by(user, watcher.changed()).await
    }

    /// Notes that a watch has not fired, or what it says. Whatever was done before the call would be told by now, as
    /// an event comes before the answer to any later request of its client.
    ///
    /// # Errors
    ///
    /// If the server stops answering.
    pub async fn hears_nothing<F>(&mut self, user: &User, watch: &mut F) -> Result<(), StageError>
    where
        F: Future<Output = WatchedEvent> + Unpin,
    {
        let answer = user.check_stat("/");
        self.within("an answer after which events would be there", answer)
            .await??;
        let now = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *watch).poll(context)));
        match now.await {
            Poll::Ready(told) => self.note_event(user, &told),
            Poll::Pending => self.says(user, "hears nothing"),
        }
        Ok(())
    }

    fn note_event(&mut self, user: &User, told: &WatchedEvent) {
        match event(told) {
            Ok(event) => self.notes.notified(user.name(), &event),
            Err(state) => self.session_is(user.name(), state),
        }
    }

    fn session_is(&mut self, who: &str, state: SessionState) {
        self.notes.remark(who, &format!("  ! session {state}"));
    }

    /// A user closes its session, and this is over when it is closed.
    ///
    /// # Errors
    ///
    /// If that does not come to an end, as when something else still holds its client.
    pub async fn leaves(&mut self, user: User) -> Result<(), StageError> {
        self.says(&user, "leaves");
        let mut states = user.state_watcher();
        let what = format!("{} to leave", user.name());
        drop(user);
        self.within(&what, ended(&mut states)).await?;
        Ok(())
    }

    /// Ends a user's session behind its back, as an expiry does but without the wait: a second connection takes the
    /// session over and closes it. Over when the user knows.
    ///
    /// # Errors
    ///
    /// If the session does not end.
    pub async fn expires(&mut self, user: &User) -> Result<(), StageError> {
        let mut states = user.state_watcher();
        let session = user.session().clone();
        let address = self.connect_string();
        let patience = self.patience;
        // The first client lives on this thread: it cannot take its session back while the thread waits.
        let closing = std::thread::spawn(move || close_session(session, &address, patience));
        match closing.join() {
            Ok(closed) => closed?,
            Err(_) => {
                return Err(StageError::Senseless(
                    "a session's end broke off".to_owned(),
                ));
            }
        }
        let what = format!("{} to know that its session is over", user.name());
        let state = self.within(&what, ended(&mut states)).await?;
        self.session_is(user.name(), state);
        Ok(())
    }

    /// Restarts the server, and goes on when these users are connected again.
    ///
    /// # Errors
    ///
    /// If the server or a user does not come back.
    pub async fn restarts(&mut self, users: &[&User]) -> Result<(), StageError> {
        let mut states: Vec<StateWatcher> = users.iter().map(|user| user.state_watcher()).collect();
        self.step(&Step::Restart).await?;
        for (user, states) in users.iter().zip(&mut states) {
            let what = format!("{} to be back", user.name());
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

    /// Lets the program of a user go on by so many requests: each comes after what its other tasks had to send.
    ///
    /// # Errors
    ///
    /// If the server stops answering.
    pub async fn goes_on(&mut self, user: &User, requests: usize) -> Result<(), StageError> {
        for _ in 0..requests {
            self.within("an answer", user.check_stat("/")).await??;
        }
        Ok(())
    }

    /// Waits for anything, as long as the server may take.
    ///
    /// # Errors
    ///
    /// If it takes longer.
    pub async fn within<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, StageError> {
        Ok(patience::within_span(self.patience, what, future).await?)
    }

    /// Plays steps of a script: what no proper client does, such as `a: cut`.
    ///
    /// # Errors
    ///
    /// If a step makes no sense, or the server stops answering.
    pub async fn steps(&mut self, text: &str) -> Result<(), StageError> {
        let script: Script = text.parse()?;
        for step in &script.steps {
            self.step(step).await?;
        }
        Ok(())
    }

    /// Sends the request of a step, such as `a: create /x`, and drops the connection without a look at the reply.
    ///
    /// # Errors
    ///
    /// If the step is no request of a client that is connected.
    pub async fn loses(&mut self, step: &str) -> Result<(), StageError> {
        let script: Script = step.parse()?;
        let [
            Step::Act {
                who,
                action: Action::Ask(request),
            },
        ] = &script.steps[..]
        else {
            return Err(StageError::Senseless(format!("`{step}` is no request")));
        };
        self.notes
            .remark(who, &format!("{request} (its reply is lost)"));
        let request = self.chroot.request(request);
        let (actor, scene) = self.scene(who)?;
        actor.send(&request).await;
        actor.cut(scene.patience).await;
        Ok(())
    }

    /// Waits until every user's session has ended, so that nothing of it happens later.
    pub(super) async fn see_users_off(&mut self) {
        for mut states in std::mem::take(&mut self.users) {
            // A user that somebody still holds is nobody's trouble but its own.
            let _ = self.within("a user to leave", ended(&mut states)).await;
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
        "a session to close",
        closing,
    ))?
}
