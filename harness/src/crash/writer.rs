//! A client that writes below its own znode without waiting for answers, and knows the correct answer to each
//! request.

use std::collections::VecDeque;

use tokio::net::TcpStream;

use super::model::{Child, Found, Model, Operation, WATCHED, WriteZxid, watched};
use super::round::RoundState;
use super::{Failure, SESSION_TIMEOUT};
use crate::client::{Acl, Answer, Client, ClientError, ConnectRequest, ConnectResponse, Message};
use crate::client::{CreateKind, Reply, Request};
use crate::random::Random;

/// A writer over all rounds of a folder.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) session: Option<ConnectResponse>,
    /// State after all answered requests.
    pub(super) model: Model,
    /// Unanswered requests with their numbers.
    sent: VecDeque<(u64, Operation)>,
    /// State after all sent requests, for which the next request is chosen.
    ahead: Model,
    next: u64,
    /// Zxid of the last answer.
    last_zxid: i64,
}

impl Writer {
    pub(super) fn new(number: usize) -> Self {
        let model = Model::new(format!("/writer-{number}"));
        Self {
            session: None,
            ahead: model.clone(),
            model,
            sent: VecDeque::new(),
            next: 0,
            last_zxid: 0,
        }
    }

    pub(super) fn session_id(&self) -> i64 {
        self.session
            .as_ref()
            .map_or(0, |session| session.session_id)
    }

    /// Creates the initial znodes on a new server.
    pub(super) async fn begin(&mut self, client: &mut Client<TcpStream>) -> Result<(), Failure> {
        let create = |path: String| Request::Create {
            kind: CreateKind::Create,
            path,
            data: Some(b"begin".to_vec()),
            acl: Acl::open(),
            flags: 0,
        };
        client.call(&create(self.model.parent.clone())).await?;
        for number in 0..WATCHED {
            let name = watched(number);
            let path = format!("{}/{name}", self.model.parent);
            let reply = client.call(&create(path)).await?;
            let when = WriteZxid::Known(reply.header.zxid);
            self.last_zxid = reply.header.zxid;
            let child = Child {
                data: b"begin".to_vec(),
                version: 0,
                ephemeral: false,
                created: when,
                changed: when,
            };
            self.model.children.insert(name, child);
            self.model.created += 1;
            self.model.children_changed = when;
        }
        self.ahead = self.model.clone();
        Ok(())
    }

    /// Connects and resumes the session, or opens a new one.
    pub(super) async fn connect(&mut self, address: &str) -> Result<Client<TcpStream>, Failure> {
        let mut client = Client::open(address).await?;
        let timeout_ms = i32::try_from(SESSION_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        let mut request = ConnectRequest::new(timeout_ms);
        if let Some(session) = &self.session {
            request.session_id = session.session_id;
            request.password = session.password.clone();
        }
        let response = client.connect(&request).await?;
        if request.session_id != 0 && response.session_id != request.session_id {
            return Err(Failure::Broken(format!(
                "session {:#x} of {} cannot be resumed: {response:?}",
                request.session_id, self.model.parent
            )));
        }
        self.session = Some(response);
        Ok(client)
    }

    /// Sends requests until the connection ends.
    pub(super) async fn write(
        &mut self,
        mut client: Client<TcpStream>,
        watch: &RoundState,
        mut random: Random,
    ) -> Result<(), Failure> {
        let depth = *random.one(&[1, 4, 16, 64]);
        loop {
            let mut bytes = Vec::new();
            while self.sent.len() < depth {
                let act = self.ahead.draw(self.next, &mut random);
                let request = self.ahead.request(&act);
                // A refused operation changes nothing.
                let _ = self.ahead.apply(&act, WriteZxid::In(self.next));
                let xid = client.next_xid(&request);
                client.expect_reply(xid, request.op());
                bytes.extend(request.encode(xid).0);
                self.sent.push_back((self.next, act));
                self.next += 1;
            }
            if client.send_bytes(&bytes).await.is_err() {
                // Answers that arrived before the error count too.
                while let Ok(message) = client.receive().await {
                    self.check_message(message, watch)?;
                }
                return Ok(());
            }
            match client.receive().await {
                Ok(message) => self.check_message(message, watch)?,
                Err(ClientError::Closed | ClientError::CutShort(_) | ClientError::Io(_)) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn check_message(&mut self, message: Message, watch: &RoundState) -> Result<(), Failure> {
        let Message::Reply(reply) = message else {
            return Err(Failure::Broken(
                "a writer without watches got an event".to_owned(),
            ));
        };
        watch.saw_zxid(reply.header.zxid);
        let Some((number, act)) = self.sent.pop_front() else {
            return Err(Failure::Broken(format!(
                "reply without a request: {reply:?}"
            )));
        };
        let numbered = if let Operation::Number { prefix, .. } = &act {
            Some(self.model.numbered(prefix))
        } else {
            None
        };
        let wanted = self
            .model
            .apply(&act, WriteZxid::Known(reply.header.zxid))
            .err()
            .unwrap_or(0);
        let parent = &self.model.parent;
        let wrong = |why: &str| {
            Err(Failure::Broken(format!(
                "request {number} below {parent}, {act:?}: {why}: {reply:?}"
            )))
        };
        if outcome(&reply) != wanted {
            return wrong(&format!("expected error {wanted}"));
        }
        if reply.header.zxid <= self.last_zxid {
            return wrong("the zxid is not higher than the last");
        }
        if let Some(name) = numbered
            && reply.answer != Some(Answer::Path(Some(format!("{parent}/{name}"))))
        {
            return wrong(&format!("expected {name}"));
        }
        self.last_zxid = reply.header.zxid;
        watch.acknowledged();
        Ok(())
    }

    /// Compares the state of a restarted server with the answers before the crash. Finds the number of unanswered
    /// requests that took effect, and returns it together with the number of the others.
    pub(super) fn recover(
        &mut self,
        found: &Found,
        last: i64,
        seen: Option<u64>,
    ) -> Result<(u64, u64), Failure> {
        let (acknowledged, sent) = (self.next - self.count(), self.count());
        let session = self.session_id();
        let mut candidate = self.model.clone();
        let mut through = None;
        let mut why = Vec::new();
        let acts = self.sent.iter().map(Some).chain([None]);
        for (count, act) in (0..).zip(acts) {
            match candidate.mismatch(found, session) {
                None => {
                    let mut learned = candidate.clone();
                    match learned.learn(found, self.last_zxid, last) {
                        // The last state that fits: refused requests at the end change nothing.
                        Ok(()) => through = Some((count, learned)),
                        Err(error) => why.push(format!("after {count}: {error}")),
                    }
                }
                Some(error) => why.push(format!("after {count}: {error}")),
            }
            if let Some((number, act)) = act {
                let _ = candidate.apply(act, WriteZxid::In(*number));
            }
        }
        let Some((count, learned)) = through else {
            why.truncate(3);
            return Err(Failure::Broken(format!(
                "{}: no number of the {sent} unanswered requests after {acknowledged} answered ones \
                 explains the state:\n{}",
                self.model.parent,
                why.join("\n")
            )));
        };
        if let Some(seen) = seen
            && seen >= acknowledged + count
        {
            return Err(Failure::Broken(format!(
                "{}: a client saw request {seen}, but only {} took effect",
                self.model.parent,
                acknowledged + count
            )));
        }
        self.model = learned;
        self.ahead = self.model.clone();
        self.sent.clear();
        // All later requests have higher zxids than the found state.
        self.last_zxid = last;
        Ok((count, sent - count))
    }

    fn count(&self) -> u64 {
        u64::try_from(self.sent.len()).unwrap_or(u64::MAX)
    }
}

/// Returns the error of a reply; for a multi, the error of the refused part.
fn outcome(reply: &Reply) -> i32 {
    if let Some(Answer::Multi(results)) = &reply.answer {
        let errors = results.iter().map(|result| match result.answer {
            Some(Answer::Error(err)) => err,
            _ => 0,
        });
        // Parts after the refused one have RUNTIMEINCONSISTENCY.
        return errors
            .into_iter()
            .find(|err| *err != 0 && *err != -2)
            .unwrap_or(0);
    }
    reply.header.err
}
