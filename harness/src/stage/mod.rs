//! Where a case plays: named clients on one server, everything they do and are told noted in order.

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

use crate::backend::{Backend, BackendError, Clock, four_letter_word};
use crate::client::{Acl, Client, ClientError, ConnectRequest, ConnectResponse, Request};
use crate::patience::{self, InVain, PATIENCE};
use crate::script::{Action, Connect, Password, Script, ScriptError, Since, Step};
use crate::transcript::{Notes, Transcript};
use actor::{Actor, Scene};

/// How often clients ping while time passes that cannot be turned.
const PING_EVERY: Duration = Duration::from_millis(200);

/// Why a case did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A client's connection broke in a way that no server means.
    #[error("{who}: {error}")]
    Client {
        /// Whose.
        who: String,
        /// What was wrong with it.
        error: ClientError,
    },
    /// Something did not happen.
    #[error(transparent)]
    InVain(#[from] InVain),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server did not do what the harness wants of it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A user was refused what its scenario takes for granted.
    #[error("a user was refused: {0}")]
    Refused(#[from] zookeeper_client::Error),
    /// A step makes no sense.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The script, or the scenario, makes no sense.
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

/// The stage of one run.
#[derive(Debug)]
pub struct Stage<'a> {
    backend: &'a mut dyn Backend,
    chroot: Chroot,
    /// In the order in which they came.
    actors: Vec<(String, Actor)>,
    left: Vec<Actor>,
    /// What becomes of the sessions of users.
    users: Vec<StateWatcher>,
    marks: HashMap<String, i64>,
    /// What clients said of who they are, for who tidies up.
    identities: Vec<Request>,
    notes: Notes,
    quiet: bool,
    brief: bool,
    patience: Duration,
}

impl<'a> Stage<'a> {
    /// A stage at the server's own root.
    pub fn bare(backend: &'a mut dyn Backend) -> Self {
        Self {
            backend,
            chroot: Chroot::default(),
            actors: Vec::new(),
            left: Vec::new(),
            users: Vec::new(),
            marks: HashMap::new(),
            identities: Vec::new(),
            notes: Notes::default(),
            quiet: false,
            brief: false,
            patience: PATIENCE,
        }
    }

    /// A stage with a root of its own, which is made, under this name.
    ///
    /// # Errors
    ///
    /// If the root cannot be made.
    pub async fn under(
        backend: &'a mut dyn Backend,
        name: &str,
        patience: Duration,
    ) -> Result<Self, StageError> {
        let mut stage = Self::bare(backend);
        stage.patience = patience;
        let what = "a root for the case to be made";
        patience::within_span(patience, what, stage.make_root(name)).await??;
        Ok(stage)
    }

    async fn make_root(&mut self, name: &str) -> Result<(), StageError> {
        let stage = self;
        let chroot = Chroot::new(format!("/{name}"));
        let mut maker = stage.open().await?;
        let fail = |error| StageError::Client {
            who: "the maker of the root".to_owned(),
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
                    path: path.clone(),
                    data: None,
                    acl: Acl::open(),
                    flags: 0,
                })
                .await
                .map_err(fail)?;
            // A case on somebody's server has no need of quotas, which may be none of its business.
            let may_fail = stage.backend.run_id().is_some() && path.starts_with("/zookeeper");
            if reply.header.err != 0 && !may_fail {
                return Err(StageError::Senseless(format!(
                    "{path} cannot be made: {}",
                    reply.header.err
                )));
            }
        }
        maker.call(&Request::CloseSession).await.map_err(fail)?;
        stage.chroot = chroot;
        Ok(())
    }

    /// A stage with a root of its own that was made before, and its quotas' root with it.
    pub fn on(backend: &'a mut dyn Backend, chroot: Chroot) -> Self {
        let mut stage = Self::bare(backend);
        stage.chroot = chroot;
        stage
    }

    /// From now on only those clients ping after a step that can have something to hear of it. Whatever comes to another
    /// is noted when it reads next, or at [`Stage::hear`].
    pub fn be_brief(&mut self) {
        self.brief = true;
    }

    /// How long the server may take for anything.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// How long the server may take for anything.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The server.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Where clients that know of a chroot connect: `HOST:PORT/root`.
    #[must_use]
    pub fn connect_string(&self) -> String {
        format!("{}{}", self.backend.connect_string(), self.chroot.as_str())
    }

    /// What the case is known by to the server.
    #[must_use]
    pub fn chroot(&self) -> &Chroot {
        &self.chroot
    }

    /// The notes, for what no client of this stage sees.
    pub fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// Plays a script to its end.
    ///
    /// # Errors
    ///
    /// If the server stops answering, or a step makes no sense.
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

    /// Takes one step and notes all that comes of it.
    ///
    /// # Errors
    ///
    /// If the server stops answering, or the step makes no sense.
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
            self.settle_briefly(step).await
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
        }
    }

    /// Where the clients of scripts connect: to the first member, if there are several.
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

    /// A client, and what it acts on.
    fn scene<'s>(&'s mut self, who: &'s str) -> Result<(&'s mut Actor, Scene<'s>), StageError> {
        let found = self.actors.iter_mut().find(|(name, _)| name == who);
        let (_, actor) =
            found.ok_or_else(|| StageError::Senseless(format!("{who} is not connected")))?;
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
                    return Err(StageError::Senseless(format!("{other} has no session")));
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
        // Who connects a second time under its name leaves its first session behind.
        while let Some(at) = self.actors.iter().position(|(name, _)| name == who) {
            self.left.push(self.actors.remove(at).1);
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

    /// Every client pings; what comes before the answer is noted.
    async fn settle(&mut self) -> Result<(), StageError> {
        if self.quiet {
            return Ok(());
        }
        self.hear().await
    }

    async fn settle_briefly(&mut self, step: &Step) -> Result<(), StageError> {
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
            } => self.hear_of(|actor| actor.watches).await,
            Step::Act {
                action: Action::Connect(_) | Action::Bytes(_) | Action::Cut,
                ..
            }
            | Step::Pass(_)
            | Step::Restart
            | Step::FourLetterWord(_) => self.hear().await,
        }
    }

    /// Every client pings; what comes before the answer is noted.
    ///
    /// # Errors
    ///
    /// If the server stops answering.
    pub async fn hear(&mut self) -> Result<(), StageError> {
        self.hear_of(|_| true).await
    }

    async fn hear_of(&mut self, wanted: impl Fn(&Actor) -> bool) -> Result<(), StageError> {
        for (_, actor) in &mut self.actors {
            if wanted(actor) {
                actor.send_ping().await;
            }
        }
        self.listen_of(wanted).await
    }

    /// The first half of [`Stage::hear`], so that several stages can ping at once.
    pub async fn ping(&mut self) {
        for (_, actor) in &mut self.actors {
            actor.send_ping().await;
        }
    }

    /// The second half of [`Stage::hear`].
    ///
    /// # Errors
    ///
    /// If the server stops answering.
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

    /// Notes that time passes, and turns the clock if there is one that can be turned. Where there is none, whoever keeps
    /// several stages waits for all of them at once, and lets them [`Stage::hear`] meanwhile.
    pub fn begin_pass(&mut self, span: Duration) -> Clock {
        self.notes.step(&Step::Pass(span));
        self.backend.advance_clock(span)
    }

    /// Lets time pass.
    ///
    /// # Errors
    ///
    /// If the server stops answering meanwhile.
    pub async fn pass(&mut self, span: Duration) -> Result<(), StageError> {
        if self.backend.advance_clock(span) == Clock::Advanced {
            return Ok(());
        }
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            patience::pass(left.min(PING_EVERY)).await;
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

    /// Ends every session that the case left, so that nothing of it happens later, and gives what was noted.
    pub async fn finish(mut self) -> Transcript {
        self.end().await;
        self.sweep().await;
        self.notes.finish()
    }

    /// Leaves a case that broke off. A server of the harness is not used again then; another's is tidied up.
    pub async fn leave(mut self) {
        if self.backend.run_id().is_some() {
            self.end().await;
            self.sweep().await;
        }
    }

    /// Drops every connection without a word, and gives the sessions that are left behind: nobody has closed them.
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
        self.see_users_off().await;
        for actor in self.everyone() {
            actor.send_close().await;
        }
        let patience = self.patience;
        for actor in self.everyone() {
            actor.await_close(patience).await;
        }
        let named = self.actors.drain(..).map(|(_, actor)| actor);
        let sessions: Vec<(i64, Option<Vec<u8>>)> = named
            .chain(self.left.drain(..))
            .filter(Actor::may_have_a_session)
            .map(|actor| (actor.session_id(), actor.password()))
            .collect();
        for (session_id, password) in sessions {
            // Whatever goes wrong here, the session was gone already, or is the server's trouble in the next case.
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
            let _ = patience::within_span(self.patience, "a session to close", closing).await;
        }
    }

    fn everyone(&mut self) -> impl Iterator<Item = &mut Actor> {
        let named = self.actors.iter_mut().map(|(_, actor)| actor);
        named.chain(&mut self.left)
    }

    /// What was noted so far.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        self.notes.finish()
    }
}
