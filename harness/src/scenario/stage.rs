//! Where a scenario plays: named clients, everything they ask and are told noted in order.

use crate::client::{
    Answer, Client, ClientError, ConnectRequest, ConnectResponse, Event, Message, Reply, Request,
};
use crate::patience::{self, InVain};
use crate::transcript::{Notes, Transcript};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use tokio::net::TcpStream;

/// Why a scenario did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A client's connection ended, or said nonsense.
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
    /// A reply cannot be gone on with.
    #[error("{who} cannot go on with the reply {reply:?}")]
    Unexpected {
        /// Who got it.
        who: String,
        /// The reply.
        reply: Box<Reply>,
    },
    /// The scenario broke off.
    #[error("{why}, after:\n{so_far}")]
    Broken {
        /// Why.
        why: String,
        /// What came up to then.
        so_far: Transcript,
    },
}

/// The stage of one run.
#[derive(Debug)]
pub struct Stage {
    address: String,
    notes: Rc<RefCell<Notes>>,
}

impl Stage {
    /// A stage on which nobody stands yet.
    #[must_use]
    pub fn new(address: String) -> Self {
        Self {
            address,
            notes: Rc::default(),
        }
    }

    /// A line between the steps.
    pub fn heading(&self, text: &str) {
        self.notes.borrow_mut().heading(text);
    }

    /// A client with a new session.
    ///
    /// # Errors
    /// If it gets none.
    pub async fn enter(&self, who: &str, timeout_ms: i32) -> Result<Actor, ScenarioError> {
        self.come(who, &ConnectRequest::new(timeout_ms)).await
    }

    /// A client that asks for a session in its own words.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn come(&self, who: &str, request: &ConnectRequest) -> Result<Actor, ScenarioError> {
        let client = |error| ScenarioError::Client {
            who: who.to_owned(),
            error,
        };
        let connected = async {
            let mut client = Client::open(&self.address).await?;
            let response = client.connect(request).await?;
            Ok((client, response))
        };
        let (client, session) = patience::within(&format!("{who}: connect"), connected)
            .await?
            .map_err(client)?;
        self.notes.borrow_mut().connected(who, request, &session);
        Ok(Actor {
            who: who.to_owned(),
            session,
            client,
            notes: Rc::clone(&self.notes),
        })
    }

    /// What was noted so far.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        self.notes.borrow().finish()
    }
}

/// A named client.
#[derive(Debug)]
pub struct Actor {
    who: String,
    session: ConnectResponse,
    client: Client<TcpStream>,
    notes: Rc<RefCell<Notes>>,
}

impl Actor {
    /// The answer to its connect request.
    #[must_use]
    pub fn session(&self) -> &ConnectResponse {
        &self.session
    }

    /// A line of its own.
    pub fn remark(&self, text: &str) {
        self.notes.borrow_mut().remark(&self.who, text);
    }

    /// Sends a request and waits for its reply. Events that come before are noted where they came.
    ///
    /// # Errors
    /// If no reply comes.
    pub async fn ask(&mut self, request: Request) -> Result<Reply, ScenarioError> {
        self.notes.borrow_mut().asked(&self.who, &request);
        if let Err(error) = self.client.send(&request).await {
            return Err(self.failed(error));
        }
        loop {
            match self.receive("a reply").await? {
                Message::Event(event) => self.notes.borrow_mut().told(&self.who, &event),
                Message::Reply(reply) => {
                    self.notes.borrow_mut().answered(&self.who, &reply);
                    return Ok(reply);
                }
            }
        }
    }

    /// As [`Actor::ask`], for a reply whose body the scenario goes on with.
    ///
    /// # Errors
    /// If no reply comes, or `pick` finds nothing in it.
    pub async fn ask_for<T>(
        &mut self,
        request: Request,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, ScenarioError> {
        let reply = self.ask(request).await?;
        match reply.answer.clone().and_then(pick) {
            Some(found) => Ok(found),
            None => Err(ScenarioError::Unexpected {
                who: self.who.clone(),
                reply: Box::new(reply),
            }),
        }
    }

    /// Waits until a watch fires.
    ///
    /// # Errors
    /// If none does.
    pub async fn hear(&mut self) -> Result<Event, ScenarioError> {
        match self.receive("an event").await? {
            Message::Event(event) => {
                self.notes.borrow_mut().told(&self.who, &event);
                Ok(event)
            }
            Message::Reply(reply) => Err(self.failed(ClientError::StrayReply(reply.header.xid))),
        }
    }

    /// Waits until the server closes the connection; what comes before is noted.
    ///
    /// # Errors
    /// If it does not.
    pub async fn see_the_end(mut self) -> Result<ConnectResponse, ScenarioError> {
        loop {
            let what = format!("{}: the end of the connection", self.who);
            match patience::within(&what, self.client.receive()).await? {
                Err(ClientError::Closed) => {
                    self.remark("  the connection ends");
                    return Ok(self.session);
                }
                Ok(Message::Event(event)) => self.notes.borrow_mut().told(&self.who, &event),
                Ok(Message::Reply(reply)) => self.notes.borrow_mut().answered(&self.who, &reply),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Closes the session as a client that leaves properly does.
    ///
    /// # Errors
    /// If the server neither answers nor closes the connection.
    pub async fn leave(mut self) -> Result<(), ScenarioError> {
        self.ask(Request::CloseSession).await?;
        self.see_the_end().await.map(drop)
    }

    async fn receive(&mut self, what: &str) -> Result<Message, ScenarioError> {
        let what = format!("{}: {what}", self.who);
        let received = patience::within(&what, self.client.receive()).await?;
        received.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: ClientError) -> ScenarioError {
        ScenarioError::Client {
            who: self.who.clone(),
            error,
        }
    }
}
