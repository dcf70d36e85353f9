//! Stage of a case: named clients on one server. Everything that they do and receive is recorded in order.

mod actor;
mod chroot;
mod sweep;
mod user;

pub use chroot::Chroot;
pub use user::User;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use zookeeper_client::StateWatcher;

use crate::backend::{Backend, BackendError, Clock, four_letter_word, http};
use crate::client::{
    Acl, Client, ClientError, ConnectRequest, ConnectResponse, CreateKind, Request,
};
use crate::patience::{self, PATIENCE, TimedOut};
use crate::script::{Action, Connect, Password, Script, ScriptError, Since, Step};
use crate::transcript::{Notes, Transcript};
use actor::{Actor, Scene};

/// Interval of the clients' pings while time passes on a server whose clock cannot be advanced.
const PING_EVERY: Duration = Duration::from_millis(200);

/// Reason why a case did not complete.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A client's connection failed in a way that is not part of a server's behaviour.
    #[error("{who}: {error}")]
    Client {
        /// The client's name.
        who: String,
        /// The failure.
        error: ClientError,
    },
    /// A condition did not come true in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The operating system reported an error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server failed to do what the harness asked of it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A request of a user was refused.
    #[error("a user was refused: {0}")]
    Refused(#[from] zookeeper_client::Error),
    /// A step is invalid.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The script or the scenario is invalid.
    #[error("{0}")]
    Senseless(String),
}

impl From<zookeeper_client::MultiWriteError> for StageError {
    fn from(error: zookeeper_client::MultiWriteError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<zookeeper_client::CheckWriteError> for StageError {
    fn from(error: zookeeper_client::CheckWriteError) -> Self {
        Self::Refused(error.into())
    }
}

/// Stage of one run.
#[derive(Debug)]
pub struct Stage<'a> {
    backend: &'a mut dyn Backend,
    chroot: Chroot,
    /// The clients, in order of their connection.
    actors: Vec<(String, Actor)>,
    /// Earlier connections of clients that connected again under their name.
    replaced: Vec<Actor>,
    /// The session states of the users.
    users: Vec<StateWatcher>,
    marks: HashMap<String, i64>,
    /// The authentication requests of the clients, repeated to delete what they created.
    identities: Vec<Request>,
    notes: Notes,
    quiet: bool,
    brief: bool,
    patience: Duration,
}

impl<'a> Stage<'a> {
    /// Creates a stage at the server's own root.
    pub fn bare(backend: &'a mut dyn Backend) -> Self {
        Self {
            backend,
            chroot: Chroot::default(),
            actors: Vec::new(),
            replaced: Vec::new(),
            users: Vec::new(),
            marks: HashMap::new(),
            identities: Vec::new(),
            notes: Notes::default(),
            quiet: false,
            brief: false,
            patience: PATIENCE,
        }
    }

    /// Creates a root with this name, and a stage in it.
    ///
    /// # Errors
    ///
    /// Returns an error if the root cannot be created.
    pub async fn under(
        backend: &'a mut dyn Backend,
        name: &str,
        patience: Duration,
    ) -> Result<Self, StageError> {
        let mut stage = Self::bare(backend);
        stage.patience = patience;
        let what = "the creation of the case's root";
        patience::within_span(patience, what, stage.make_root(name)).await??;
        Ok(stage)
    }

    async fn make_root(&mut self, name: &str) -> Result<(), StageError> {
        let stage = self;
        let chroot = Chroot::new(format!("/{name}"));
        let mut maker = stage.open().await?;
        let fail = |error| StageError::Client {
            who: "the client that creates the root".to_owned(),
            error,
        };
        maker
            .connect(&ConnectRequest::new(10_000))
            .await
            .map_err(fail)?;
        let paths = [
            chroot.as_str().to_owned(),
            format!("/zookeeper/quota{}", chroot.as_str()),
        ];
        for path in paths {
            let reply = maker
                .call(&Request::Create {
                    kind: CreateKind::Create,
                    path: path.clone(),
                    data: None,
                    acl: Acl::open(),
                    flags: 0,
                })
                .await
                .map_err(fail)?;
            // On a server that the harness does not own, the quota's znode may be out of its reach, and a case
            // there does not need it.
            let may_fail = stage.backend.run_id().is_some() && path.starts_with("/zookeeper");
            if reply.header.err != 0 && !may_fail {
                return Err(StageError::Senseless(format!(
                    "{path} cannot be created: {}",
                    reply.header.err
                )));
            }
        }
        maker.call(&Request::CloseSession).await.map_err(fail)?;
        stage.chroot = chroot;
        Ok(())
    }

    /// Creates a stage in a root that exists already, together with its znode for quotas.
    pub fn on(backend: &'a mut dyn Backend, chroot: Chroot) -> Self {
        let mut stage = Self::bare(backend);
        stage.chroot = chroot;
        stage
    }

    /// From now on, only clients that may receive an event ping after a step. Other clients record their events
    /// with their next read, or at [`Stage::drain_events`].
    pub fn be_brief(&mut self) {
        self.brief = true;
    }

    /// Sets the time limit of every wait for the server.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Returns the time limit of every wait for the server.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Returns the server.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Returns the connect string for clients with a chroot: `HOST:PORT/root`.
    #[must_use]
    pub fn connect_string(&self) -> String {
        format!("{}{}", self.backend.connect_string(), self.chroot.as_str())
    }

    /// Returns the root of the case on the server.
    #[must_use]
    pub fn chroot(&self) -> &Chroot {
        &self.chroot
    }

    /// Returns the notes, to record what no client of this stage sees.
    pub fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// Runs a script.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering or a step is invalid.
    pub async fn play(&mut self, script: &Script) -> Result<(), StageError> {
        self.quiet = script.headers.quiet;
        if script.headers.virgin {
            self.notes = Notes::of_a_new_server();
        }
        for step in &script.steps {
            self.step(step).await?;
        }
        Ok(())
    }

    /// Runs one step and records its results.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering or the step is invalid.
    pub async fn step(&mut self, step: &Step) -> Result<(), StageError> {
        if let Step::Act { who, action } = step
            && self.actor(who).is_none()
            && !matches!(action, Action::Connect(_) | Action::Bytes(_))
        {
            self.take(&Step::Act {
                who: who.clone(),
                action: Action::Connect(Connect::default()),
            })
            .await?;
        }
        self.take(step).await?;
        if self.brief {
            self.settle_after(step).await
        } else {
            self.settle().await
        }
    }

    async fn take(&mut self, step: &Step) -> Result<(), StageError> {
        self.notes.step(step);
        match step {
            Step::Act { who, action } => self.act(who, action).await,
            Step::Pass(span) => self.pass(*span).await,
            Step::Restart => Ok(self.backend.restart()?),
            Step::FourLetterWord(word) => {
                let text = four_letter_word(&self.first_address(), word)?;
                self.notes
                    .four_letter_word(word, &self.chroot.in_text(&text));
                Ok(())
            }
            Step::Http(request) => {
                let address = self.backend.http_address(request.server());
                let address = address.ok_or_else(|| io::Error::other("it serves no HTTP"))?;
                self.notes.http(request, &http(address, request)?);
                Ok(())
            }
        }
    }

    /// Returns the address for the clients of scripts: the first member of an ensemble.
    fn first_address(&self) -> String {
        let connect_string = self.backend.connect_string();
        connect_string
            .split(',')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    async fn act(&mut self, who: &str, action: &Action) -> Result<(), StageError> {
        match action {
            Action::Connect(connect) => self.connect(who, connect).await,
            Action::Ask(request) => {
                let request = self.chroot.request(request);
                if matches!(&request, Request::Auth { scheme, .. } if scheme == "digest") {
                    self.identities.push(request.clone());
                }
                let (actor, mut scene) = self.scene(who)?;
                actor.ask(&mut scene, &request).await
            }
            Action::SetWatches(since, request) => {
                let zxid = self.since(who, since)?;
                let mut request = self.chroot.request(request);
                if let Request::SetWatches { relative_zxid, .. }
                | Request::SetWatches2 { relative_zxid, .. } = &mut request
                {
                    *relative_zxid = zxid;
                }
                let (actor, mut scene) = self.scene(who)?;
                actor.ask(&mut scene, &request).await
            }
            Action::Pipeline(requests) => {
                let inside = requests.iter();
                let requests: Vec<Request> = inside.map(|r| self.chroot.request(r)).collect();
                let (actor, mut scene) = self.scene(who)?;
                actor.pipeline(&mut scene, &requests).await
            }
            Action::Bytes(bytes) => {
                if self.actor(who).is_none() {
                    let actor = Actor::new(self.open().await?);
                    self.actors.push((who.to_owned(), actor));
                }
                let (actor, mut scene) = self.scene(who)?;
                actor.send_bytes(bytes).await;
                actor.listen(&mut scene).await
            }
            Action::Mark(name) => {
                let seen = self.actor(who).map_or(0, |actor| actor.seen);
                self.marks.insert(name.clone(), seen);
                Ok(())
            }
            Action::Cut => {
                let (actor, scene) = self.scene(who)?;
                actor.cut(scene.patience).await;
                Ok(())
            }
            Action::Silent => {
                let (actor, _) = self.scene(who)?;
                actor.silent = true;
                let session_id = actor.session_id();
                self.backend.mute(session_id);
                Ok(())
            }
        }
    }

    /// Returns a client and the parts of the stage that it uses.
    fn scene<'s>(&'s mut self, who: &'s str) -> Result<(&'s mut Actor, Scene<'s>), StageError> {
        let found = self.actors.iter_mut().find(|(name, _)| name == who);
        let (_, actor) = found
            .ok_or_else(|| StageError::Senseless(format!("client `{who}` is not connected")))?;
        let scene = Scene {
            who,
            notes: &mut self.notes,
            chroot: &self.chroot,
            patience: self.patience,
        };
        Ok((actor, scene))
    }

    async fn connect(&mut self, who: &str, connect: &Connect) -> Result<(), StageError> {
        let (session_id, password, seen_before) = match &connect.resume {
            None => (connect.session_id, Some(vec![0; 16]), 0),
            Some(other) => {
                let Some(actor) = self.actor(other) else {
                    return Err(StageError::Senseless(format!(
                        "client `{other}` has no session"
                    )));
                };
                (actor.session_id(), actor.password(), actor.seen)
            }
        };
        let request = ConnectRequest {
            last_zxid_seen: match &connect.seen {
                Since::Seen => seen_before,
                since @ (Since::Zxid(_) | Since::Mark(_)) => self.since(who, since)?,
            },
            timeout_ms: connect.timeout_ms,
            session_id,
            password: match &connect.password {
                Password::Own => password,
                Password::Bytes(bytes) => bytes.clone(),
            },
            read_only: connect.read_only,
        };
        let mut actor = Actor::new(self.open().await?);
        actor.seen = seen_before;
        let mut scene = Scene {
            who,
            notes: &mut self.notes,
            chroot: &self.chroot,
            patience: self.patience,
        };
        actor.connect(&mut scene, &request).await?;
        // A client that connects again under its name abandons its first session.
        while let Some(at) = self.actors.iter().position(|(name, _)| name == who) {
            self.replaced.push(self.actors.remove(at).1);
        }
        self.actors.push((who.to_owned(), actor));
        Ok(())
    }

    fn since(&self, who: &str, since: &Since) -> Result<i64, StageError> {
        match since {
            Since::Zxid(zxid) => Ok(*zxid),
            Since::Seen => Ok(self.actor(who).map_or(0, |actor| actor.seen)),
            Since::Mark(name) => self
                .marks
                .get(name)
                .copied()
                .ok_or_else(|| StageError::Senseless(format!("no mark `{name}`"))),
        }
    }

    /// Records all events so far, as [`Stage::drain_events`] does, unless the case is quiet.
    async fn settle(&mut self) -> Result<(), StageError> {
        if self.quiet {
            return Ok(());
        }
        self.drain_events().await
    }

    async fn settle_after(&mut self, step: &Step) -> Result<(), StageError> {
        match step {
            Step::Act {
                action: Action::Ask(request),
                ..
            } if request.only_reads() => Ok(()),
            Step::Act {
                action: Action::SetWatches(..) | Action::Mark(_) | Action::Silent,
                ..
            } => Ok(()),
            Step::Act {
                action: Action::Ask(_) | Action::Pipeline(_),
                ..
            } => self.drain_events_of(|actor| actor.watches).await,
            Step::Act {
                action: Action::Connect(_) | Action::Bytes(_) | Action::Cut,
                ..
            }
            | Step::Pass(_)
            | Step::Restart
            | Step::FourLetterWord(_)
            | Step::Http(_) => self.drain_events().await,
        }
    }

    /// Sends a ping for every client and records everything that arrives before the answers.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering.
    pub async fn drain_events(&mut self) -> Result<(), StageError> {
        self.drain_events_of(|_| true).await
    }

    async fn drain_events_of(&mut self, wanted: impl Fn(&Actor) -> bool) -> Result<(), StageError> {
        for (_, actor) in &mut self.actors {
            if wanted(actor) {
                actor.send_ping().await;
            }
        }
        self.listen_of(wanted).await
    }

    /// Sends the pings of [`Stage::drain_events`], so that several stages can wait for answers at the same time.
    pub async fn ping(&mut self) {
        for (_, actor) in &mut self.actors {
            actor.send_ping().await;
        }
    }

    /// Reads the answers of [`Stage::ping`] and records everything that arrives before them.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering.
    pub async fn listen(&mut self) -> Result<(), StageError> {
        self.listen_of(|_| true).await
    }

    async fn listen_of(&mut self, wanted: impl Fn(&Actor) -> bool) -> Result<(), StageError> {
        for (who, actor) in &mut self.actors {
            if !wanted(actor) {
                continue;
            }
            let mut scene = Scene {
                who,
                notes: &mut self.notes,
                chroot: &self.chroot,
                patience: self.patience,
            };
            actor.read_to_ping(&mut scene).await?;
        }
        Ok(())
    }

    /// Records a `pass` step and advances the clock if the server's clock can be advanced. If it cannot, the
    /// owner of several stages waits for all of them at once and calls [`Stage::drain_events`] meanwhile.
    pub fn begin_pass(&mut self, span: Duration) -> Clock {
        self.notes.step(&Step::Pass(span));
        self.backend.advance_clock(span)
    }

    /// Lets time pass.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering meanwhile.
    pub async fn pass(&mut self, span: Duration) -> Result<(), StageError> {
        if self.backend.advance_clock(span) == Clock::Advanced {
            return Ok(());
        }
        let end = Instant::now() + span;
        loop {
            let remaining = end.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return Ok(());
            }
            patience::pass(remaining.min(PING_EVERY)).await;
            self.settle().await?;
        }
    }

    async fn open(&self) -> Result<Client<tokio::net::TcpStream>, StageError> {
        let first = self.first_address();
        let opened = patience::within_span(self.patience, "a connection", Client::open(&first));
        opened.await?.map_err(|error| StageError::Client {
            who: "a new client".to_owned(),
            error,
        })
    }

    fn actor(&self, who: &str) -> Option<&Actor> {
        self.actors
            .iter()
            .find(|(name, _)| name == who)
            .map(|(_, actor)| actor)
    }

    /// Ends every open session, so that none of them acts later, and returns the transcript.
    pub async fn finish(mut self) -> Transcript {
        self.end().await;
        self.sweep().await;
        self.notes.finish()
    }

    /// Abandons a case that failed. The harness discards its own servers after that; on any other server it
    /// deletes what the case created.
    pub async fn leave(mut self) {
        if self.backend.run_id().is_some() {
            self.end().await;
            self.sweep().await;
        }
    }

    /// Drops every connection without closing its session, and returns the sessions that are still open.
    pub(crate) async fn abandon(mut self) -> Vec<ConnectResponse> {
        let patience = self.patience;
        for actor in self.everyone() {
            actor.cut(patience).await;
        }
        let closed: Vec<i64> = self
            .everyone()
            .filter(|actor| !actor.may_have_a_session())
            .map(|actor| actor.session_id())
            .collect();
        let mut sessions: Vec<ConnectResponse> = Vec::new();
        for actor in self.everyone() {
            let Some(session) = actor.session() else {
                continue;
            };
            let is_there = |other: &ConnectResponse| other.session_id == session.session_id;
            if !closed.contains(&session.session_id) && !sessions.iter().any(is_there) {
                sessions.push(session.clone());
            }
        }
        sessions
    }

    async fn end(&mut self) {
        self.await_users().await;
        for actor in self.everyone() {
            actor.send_close().await;
        }
        let patience = self.patience;
        for actor in self.everyone() {
            actor.await_close(patience).await;
        }
        let named = self.actors.drain(..).map(|(_, actor)| actor);
        let sessions: Vec<(i64, Option<Vec<u8>>)> = named
            .chain(self.replaced.drain(..))
            .filter(Actor::may_have_a_session)
            .map(|actor| (actor.session_id(), actor.password()))
            .collect();
        for (session_id, password) in sessions {
            // Errors are ignored: either the session has already ended, or the next case on this server reports
            // the failure.
            let closing = async {
                let mut client = self.open().await.ok()?;
                let request = ConnectRequest {
                    session_id,
                    password,
                    ..ConnectRequest::new(10_000)
                };
                let response = client.connect(&request).await.ok()?;
                (response.session_id != 0).then_some(())?;
                client.call(&Request::CloseSession).await.ok()
            };
            let _ = patience::within_span(self.patience, "the close of a session", closing).await;
        }
    }

    fn everyone(&mut self) -> impl Iterator<Item = &mut Actor> {
        let named = self.actors.iter_mut().map(|(_, actor)| actor);
        named.chain(&mut self.replaced)
    }

    /// Returns everything recorded so far.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        self.notes.finish()
    }
}
