//! A client of a script: its connection, its session and the highest zxid it has seen.

use std::time::Duration;

use tokio::net::TcpStream;

use super::{Chroot, StageError};
use crate::client::{
    Client, ClientError, ConnectRequest, ConnectResponse, Message, Reader, Reply, ReplyHeader,
    Request, error_name,
};
use crate::patience;
use crate::transcript::Notes;

/// The xid of a ping.
const PING_XID: i32 = -2;
const UNIMPLEMENTED: i32 = -6;
/// Name that [`error_name`] gives to an unknown error code.
const UNKNOWN_ERROR: &str = "unknown error";
const AUTH_FAILED: i32 = -115;
const AUTH_REQUIRED: i32 = -124;

/// Parts of the stage that an actor uses.
pub(super) struct Scene<'a> {
    pub(super) who: &'a str,
    pub(super) notes: &'a mut Notes,
    pub(super) chroot: &'a Chroot,
    pub(super) patience: Duration,
}

#[derive(Debug)]
pub(super) struct Actor {
    /// The connection; `None` once it has ended.
    client: Option<Client<TcpStream>>,
    session: Option<ConnectResponse>,
    /// Highest zxid of any reply or event so far.
    pub(super) seen: i64,
    pub(super) silent: bool,
    closed: bool,
    closing: bool,
    /// Whether a ping was sent whose answer has not been read.
    pinged: bool,
    /// Whether the client has sent a request that may set a watch.
    pub(super) watches: bool,
}

impl Actor {
    pub(super) fn new(client: Client<TcpStream>) -> Self {
        Self {
            client: Some(client),
            session: None,
            seen: 0,
            silent: false,
            closed: false,
            closing: false,
            pinged: false,
            watches: false,
        }
    }

    pub(super) fn session_id(&self) -> i64 {
        self.session
            .as_ref()
            .map_or(0, |session| session.session_id)
    }

    pub(super) fn session(&self) -> Option<&ConnectResponse> {
        self.session.as_ref()
    }

    pub(super) fn password(&self) -> Option<Vec<u8>> {
        self.session
            .as_ref()
            .and_then(|session| session.password.clone())
    }

    pub(super) fn may_have_a_session(&self) -> bool {
        !self.closed && self.session_id() != 0
    }

    pub(super) async fn connect(
        &mut self,
        scene: &mut Scene<'_>,
        request: &ConnectRequest,
    ) -> Result<(), StageError> {
        let Some(client) = &mut self.client else {
            return Ok(());
        };
        let what = format!("{}: an answer to its connect request", scene.who);
        match patience::within_span(scene.patience, &what, client.connect(request)).await? {
            Ok(response) => {
                scene.notes.connected(scene.who, &response);
                self.session = Some(response);
            }
            Err(error) => self.broken(scene, &error),
        }
        Ok(())
    }

    /// Sends a request and reads up to its reply.
    pub(super) async fn ask(
        &mut self,
        scene: &mut Scene<'_>,
        request: &Request,
    ) -> Result<(), StageError> {
        if *request == Request::CloseSession {
            self.closed = true;
        }
        self.watches |= request.may_watch();
        let Some(client) = &mut self.client else {
            scene.notes.remark(scene.who, "  (has no connection)");
            return Ok(());
        };
        match client.send(request).await {
            Ok(_) => self.read_replies(scene, 1).await,
            Err(error) => {
                self.broken(scene, &error);
                Ok(())
            }
        }
    }

    /// Sends requests in one write and reads as many replies, in the order in which they arrive.
    pub(super) async fn pipeline(
        &mut self,
        scene: &mut Scene<'_>,
        requests: &[Request],
    ) -> Result<(), StageError> {
        if requests.contains(&Request::CloseSession) {
            self.closed = true;
        }
        self.watches |= requests.iter().any(Request::may_watch);
        let Some(client) = &mut self.client else {
            scene.notes.remark(scene.who, "  (has no connection)");
            return Ok(());
        };
        let mut bytes = Vec::new();
        for request in requests {
            let xid = client.next_xid(request);
            client.expect_reply(xid, request.op());
            bytes.extend(request.encode(xid).0);
        }
        match client.send_bytes(&bytes).await {
            Ok(()) => self.read_replies(scene, requests.len()).await,
            Err(error) => {
                self.broken(scene, &error);
                Ok(())
            }
        }
    }

    /// Sends raw bytes. If the connection is gone, the next read shows it.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        if let Some(client) = &mut self.client {
            let _ = client.send_bytes(bytes).await;
        }
    }

    /// Sends a request and ignores its reply. If the connection is gone, the request is lost.
    pub(super) async fn send(&mut self, request: &Request) {
        if let Some(client) = &mut self.client {
            let _ = client.send(request).await;
        }
    }

    /// Reads frames until the connection ends. Used without a session, because then there is no ping to wait
    /// for.
    pub(super) async fn listen(&mut self, scene: &mut Scene<'_>) -> Result<(), StageError> {
        if self.session.is_some() {
            return Ok(());
        }
        self.listen_to_the_end(scene).await
    }

    /// Drops the connection without closing the session. Returns after the server has noticed; otherwise the
    /// caller could advance a clock for which the connection is still open.
    pub(super) async fn cut(&mut self, patience: Duration) {
        self.pinged = false;
        let Some(mut client) = self.client.take() else {
            return;
        };
        // A server that does not close its half may regard the connection as open for any length of time.
        let _ = client.shutdown().await;
        let unread = async { while client.frame().await.is_ok() {} };
        let _ = patience::within_span(patience, "the end of a connection", unread).await;
    }

    /// Sends `closeSession` if the connection is up.
    pub(super) async fn send_close(&mut self) {
        if !self.may_have_a_session() {
            return;
        }
        if let Some(client) = &mut self.client {
            self.closing = client.send(&Request::CloseSession).await.is_ok();
        }
    }

    /// Reads up to the answer to [`Actor::send_close`]. If the connection ends first, the session belongs to
    /// the connection that has taken it over.
    pub(super) async fn await_close(&mut self, span: Duration) {
        if !self.closing {
            return;
        }
        self.closing = false;
        if let Some(client) = &mut self.client {
            let reading = async {
                loop {
                    match client.receive().await {
                        Ok(Message::Reply(reply)) if reply.header.xid != PING_XID => return true,
                        Ok(_) => {}
                        Err(_) => return false,
                    }
                }
            };
            let read = patience::within_span(span, "a session's end", reading).await;
            self.closed = read.unwrap_or(false);
        }
    }

    pub(super) async fn send_ping(&mut self) {
        if self.silent || self.session_id() == 0 {
            return;
        }
        if let Some(client) = &mut self.client {
            // If the connection is gone, the next read shows it.
            let _ = client.send(&Request::Ping).await;
            self.pinged = true;
        }
    }

    /// Reads up to the answer to the ping, if one was sent.
    pub(super) async fn read_to_ping(&mut self, scene: &mut Scene<'_>) -> Result<(), StageError> {
        if self.client.is_some() && self.session_id() == 0 {
            // The session was refused, so the server is about to close the connection.
            return self.listen_to_the_end(scene).await;
        }
        while self.pinged {
            let Some(message) = self.receive(scene, "the answer to a ping").await? else {
                self.pinged = false;
                return Ok(());
            };
            match message {
                Message::Reply(reply) if reply.header.xid == PING_XID => {
                    self.pinged = false;
                    if reply.header.err != 0 {
                        scene.notes.answered(scene.who, &reply);
                    }
                    if is_last_word(&reply) {
                        return self.listen_to_the_end(scene).await;
                    }
                }
                message @ (Message::Reply(_) | Message::Event(_)) => {
                    let last = matches!(&message, Message::Reply(reply) if is_last_word(reply));
                    self.note(scene, message);
                    if last {
                        // The answer to the ping may or may not arrive before the connection ends.
                        self.pinged = false;
                        return self.pass_over_pings_to_the_end(scene).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads to the end of the connection and ignores answers to pings, which may or may not arrive.
    async fn pass_over_pings_to_the_end(
        &mut self,
        scene: &mut Scene<'_>,
    ) -> Result<(), StageError> {
        while let Some(message) = self.receive(scene, "the end of the connection").await? {
            if !matches!(&message, Message::Reply(reply) if reply.header.xid == PING_XID) {
                self.note(scene, message);
            }
        }
        Ok(())
    }

    async fn listen_to_the_end(&mut self, scene: &mut Scene<'_>) -> Result<(), StageError> {
        while let Some(client) = &mut self.client {
            let what = format!("{}: the end of a refused connection", scene.who);
            match patience::within_span(scene.patience, &what, client.frame()).await? {
                Ok(frame) => scene.notes.frame(scene.who, &frame),
                Err(error) => self.broken(scene, &error),
            }
        }
        Ok(())
    }

    async fn read_replies(
        &mut self,
        scene: &mut Scene<'_>,
        count: usize,
    ) -> Result<(), StageError> {
        let mut replies = 0;
        while replies < count {
            let Some(message) = self.receive(scene, "a reply").await? else {
                return Ok(());
            };
            let mut last = false;
            if let Message::Reply(reply) = &message {
                replies += 1;
                last = is_last_word(reply);
            }
            self.note(scene, message);
            if last {
                return self.listen_to_the_end(scene).await;
            }
        }
        if self.closed {
            return self.listen_to_the_end(scene).await;
        }
        Ok(())
    }

    /// Returns the next message. If the connection has ended, records that and returns `None`.
    async fn receive(
        &mut self,
        scene: &mut Scene<'_>,
        what: &str,
    ) -> Result<Option<Message>, StageError> {
        let Some(client) = &mut self.client else {
            return Ok(None);
        };
        let what = format!("{}: {what}", scene.who);
        let received = patience::within_span(scene.patience, &what, client.frame()).await?;
        let understood = received.and_then(|frame| match client.understand(&frame) {
            // Raw bytes carry an xid of their own; the answer is recognised by its header.
            Err(ClientError::StrayReply(_)) => {
                let header = ReplyHeader::decode(&mut Reader::new(&frame)?)?;
                let text = format!("  under xid {}:", header.xid);
                scene.notes.remark(scene.who, &text);
                Ok(Message::Reply(Reply {
                    header,
                    answer: None,
                }))
            }
            understood => understood.map(|(message, _)| message),
        });
        match understood {
            Ok(message) => Ok(Some(message)),
            Err(error) => {
                self.broken(scene, &error);
                Ok(None)
            }
        }
    }

    fn note(&mut self, scene: &mut Scene<'_>, message: Message) {
        match message {
            // The frame is not a reply, so the fields of its header have no meaning.
            Message::Reply(reply)
                if reply.answer.is_none() && error_name(reply.header.err) == UNKNOWN_ERROR =>
            {
                scene
                    .notes
                    .remark(scene.who, "  -> a frame that is no reply");
            }
            Message::Reply(mut reply) => {
                self.seen = self.seen.max(reply.header.zxid);
                if let Some(answer) = &mut reply.answer {
                    scene.chroot.answer(answer);
                }
                scene.notes.answered(scene.who, &reply);
            }
            Message::Event(mut event) => {
                self.seen = self.seen.max(event.zxid);
                scene.chroot.event(&mut event);
                scene.notes.notified(scene.who, &event);
            }
        }
    }

    /// Records why the connection is unusable, which is part of the server's behaviour, and drops it.
    fn broken(&mut self, scene: &mut Scene<'_>, error: &ClientError) {
        let text = match error {
            ClientError::Closed | ClientError::Io(_) => "  the connection ends".to_owned(),
            ClientError::CutShort(_)
            | ClientError::BadLength(_)
            | ClientError::Malformed(_)
            | ClientError::StrayReply(_) => format!("  {error}"),
        };
        scene.notes.remark(scene.who, &text);
        self.client = None;
        self.pinged = false;
    }
}

/// Whether the server closes the connection after this answer. No ping is sent then: whether the server still
/// answers it depends on the scheduling of its threads.
fn is_last_word(reply: &Reply) -> bool {
    match reply.header.err {
        UNIMPLEMENTED => reply.header.zxid == -1,
        AUTH_FAILED | AUTH_REQUIRED => reply.header.zxid == 0,
        _ => false,
    }
}
