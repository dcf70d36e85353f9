//! A client that opens and closes sessions. After a crash, every granted session must exist, and no closed one may.

use super::round::RoundState;
use super::{Failure, SESSION_TIMEOUT};
use crate::client::{
    Acl, Client, ClientError, ConnectRequest, ConnectResponse, CreateKind, Request,
};
use crate::random::Random;

/// Maximum number of open sessions.
const MAX_OPEN: usize = 6;

/// State of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionState {
    Open,
    /// The client sent the close and got no answer.
    Closing,
    Closed,
}

/// A session and its ephemeral znode.
#[derive(Clone, Debug)]
struct TestSession {
    session: ConnectResponse,
    path: String,
    /// Whether the create of the znode was answered.
    is_created: bool,
    state: SessionState,
}

/// All sessions of a folder, over its rounds.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: Vec<TestSession>,
    next: u64,
}

impl Sessions {
    /// Opens and closes sessions until the connection to the server ends.
    pub(super) async fn open_and_close(
        &mut self,
        address: &str,
        watch: &RoundState,
        mut random: Random,
    ) -> Result<(), Failure> {
        loop {
            let outcome = if self.open() > MAX_OPEN || self.open() > 0 && random.percent(40) {
                self.close(address, watch, &mut random).await
            } else {
                self.begin(address, watch).await
            };
            match outcome {
                Ok(()) => {}
                Err(ClientError::Closed | ClientError::CutShort(_) | ClientError::Io(_)) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn open(&self) -> usize {
        let is_open = |session: &&TestSession| session.state == SessionState::Open;
        self.sessions.iter().filter(is_open).count()
    }

    async fn begin(&mut self, address: &str, watch: &RoundState) -> Result<(), ClientError> {
        let timeout_ms = i32::try_from(SESSION_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        let mut client = Client::open(address).await?;
        let session = client.connect(&ConnectRequest::new(timeout_ms)).await?;
        let path = format!("/session-{}", self.next);
        self.next += 1;
        let at = self.sessions.len();
        self.sessions.push(TestSession {
            session,
            path: path.clone(),
            is_created: false,
            state: SessionState::Open,
        });
        let create = Request::Create {
            kind: CreateKind::Create,
            path,
            data: None,
            acl: Acl::open(),
            flags: 1,
        };
        let reply = client.call(&create).await?;
        watch.saw_zxid(reply.header.zxid);
        if let Some(session) = self.sessions.get_mut(at) {
            session.is_created = true;
        }
        Ok(())
    }

    async fn close(
        &mut self,
        address: &str,
        watch: &RoundState,
        random: &mut Random,
    ) -> Result<(), ClientError> {
        let mut open: Vec<&mut TestSession> = self
            .sessions
            .iter_mut()
            .filter(|session| session.state == SessionState::Open)
            .collect();
        let at = random.number(0..open.len());
        let Some(session) = open.get_mut(at) else {
            return Ok(());
        };
        let mut client = Client::open(address).await?;
        client.connect(&resumed(&session.session)).await?;
        session.state = SessionState::Closing;
        let reply = client.call(&Request::CloseSession).await?;
        watch.saw_zxid(reply.header.zxid);
        session.state = SessionState::Closed;
        Ok(())
    }

    /// Compares the sessions of a restarted server with the answers before the crash. Returns the number of resumed
    /// sessions.
    pub(super) async fn recover(&mut self, address: &str) -> Result<u64, Failure> {
        let mut alive = Vec::new();
        for session in self.sessions.drain(..) {
            let mut client = Client::open(address).await?;
            let granted = client.connect(&resumed(&session.session)).await?;
            let is_alive = granted.session_id == session.session.session_id;
            let is_expected = match session.state {
                SessionState::Open => is_alive,
                SessionState::Closing => true,
                SessionState::Closed => !is_alive,
            };
            if !is_expected {
                return Err(Failure::Broken(format!(
                    "a session in state {:?} was resumed with: {granted:?}",
                    session.state
                )));
            }
            let mut observer = Client::open(address).await?;
            observer.connect(&ConnectRequest::new(10_000)).await?;
            let reply = observer
                .call(&Request::Exists {
                    path: session.path.clone(),
                    watch: false,
                })
                .await?;
            observer.call(&Request::CloseSession).await?;
            let has_znode = reply.header.err == 0;
            if has_znode && !is_alive || is_alive && session.is_created && !has_znode {
                return Err(Failure::Broken(format!(
                    "{session:?}: session exists: {is_alive}, znode exists: {has_znode}"
                )));
            }
            if is_alive {
                alive.push(TestSession {
                    is_created: has_znode,
                    state: SessionState::Open,
                    ..session
                });
            }
        }
        self.sessions = alive;
        Ok(u64::try_from(self.sessions.len()).unwrap_or(u64::MAX))
    }
}

fn resumed(session: &ConnectResponse) -> ConnectRequest {
    ConnectRequest {
        session_id: session.session_id,
        password: session.password.clone(),
        ..ConnectRequest::new(session.timeout_ms)
    }
}
