//! The rules: a deterministic state machine of znodes, sessions, watches and transactions.
//!
//! It knows no socket, no clock and no task. One [`Input`] goes in, and everything that follows from it comes out, in
//! the order in which it must be sent. Each kind of rule has a file; this one holds the state and the dispatch.

mod access;
mod acl_table;
mod connection;
mod deadline;
mod quota;
mod read;
mod rules;
mod session;
#[cfg(test)]
mod tests;
mod transaction;
mod tree;
mod undo;
mod watch;
mod write;

use std::collections::VecDeque;
use std::net::IpAddr;

pub(crate) use access::digest_of;
pub(crate) use connection::{Connection, ConnectionId};
pub use rules::DigestAlgorithm;
pub(crate) use rules::Rules;
pub(crate) use session::Sessions;
pub(crate) use tree::{OwnerKind, Tree, Znode};
pub(crate) use watch::{Modes, Watches};

use self::connection::Connections;
use self::deadline::{Deadline, Deadlines};
use self::read::Reader;
use self::transaction::{Transaction, refusal};
use self::tree::{Change, Changes};
use self::write::Caller;
use crate::protocol::{
    AuthId, ConnectRequest, ConnectResponse, ErrorCode, EventType, KeeperState, Message, MultiOp,
    Operation, Permissions, Reply, Request, Response, SessionId, Timestamp, Txn, TxnRecord,
    WatchedEvent, Xid, Zxid,
};

/// The state of a server.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    rules: Rules,
    tree: Tree,
    sessions: Sessions,
    watches: Watches,
    connections: Connections,
    deadlines: Deadlines,
    /// Containers and TTL znodes that were found to have had their time.
    reap_queue: VecDeque<Box<str>>,
}

/// Something that happens to a server.
#[derive(Clone, Debug)]
pub(crate) enum Input<'a> {
    /// Somebody connected.
    Accepted {
        connection: ConnectionId,
        address: IpAddr,
    },
    /// The first frame of a connection.
    Connect {
        connection: ConnectionId,
        request: ConnectRequest<'a>,
    },
    /// A later one.
    Request {
        connection: ConnectionId,
        xid: Xid,
        request: Request<'a>,
    },
    /// The connection is gone.
    Disconnected(ConnectionId),
    /// A test wants this session to be over.
    ExpireSession(SessionId),
    /// A test wants this session to be silent from now on, or no longer.
    Mute { session: SessionId, muted: bool },
    /// The server serves again after it was stopped.
    Restarted,
    /// Time has passed.
    Tick,
}

/// Something that follows from an input.
#[derive(Clone, Debug)]
pub(crate) enum Output<'a> {
    Send {
        connection: ConnectionId,
        message: Message<'a>,
    },
    /// To be closed when what was sent before has left.
    Close {
        connection: ConnectionId,
        reason: CloseReason,
    },
    /// A transaction took its number, before anything that shows it is sent.
    Committed(&'a Txn<'a>),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// There are as many connections as there may be.
    TooManyConnections,
    /// It did not ask for a session in time.
    NoSession,
    /// It has seen transactions that this server does not have.
    AheadOfServer,
    /// The session it asked for is over, or the password is wrong.
    SessionRefused,
    /// Its session came by another connection.
    TakenOver,
    /// The client closed its session.
    SessionClosed,
    /// Its session was not heard from in time.
    SessionExpired,
    /// The operation is not known.
    Unimplemented,
    /// It could not authenticate, or has to and did not.
    AuthFailed,
    /// It leaves too much unread.
    DoesNotRead,
    /// It asked for one of the four-letter words, and has its answer.
    FourLetterWord,
}

/// Where outputs go.
pub(crate) trait Outputs {
    /// Takes the next output.
    fn emit(&mut self, output: Output<'_>);
}

impl Keeper {
    /// A fresh server.
    pub(crate) fn new(rules: Rules, now: Timestamp) -> Self {
        let sessions = Sessions::new(&rules, now);
        let mut deadlines = Deadlines::default();
        deadlines.add(look_at(&rules, now), Deadline::LookForReapable);
        Self {
            tree: Tree::new(),
            sessions,
            watches: Watches::default(),
            connections: Connections::new(),
            deadlines,
            reap_queue: VecDeque::new(),
            rules,
        }
    }

    /// Takes one input and gives everything that follows from it to `out`, in the order in which it must be sent.
    pub(crate) fn step(&mut self, now: Timestamp, input: Input<'_>, out: &mut impl Outputs) {
        match input {
            Input::Accepted {
                connection,
                address,
            } => self.accepted(now, connection, address, out),
            Input::Connect {
                connection,
                request,
            } => self.connect(now, connection, &request, out),
            Input::Request {
                connection,
                xid,
                request,
            } => self.request(now, connection, xid, &request, out),
            Input::Disconnected(connection) => self.disconnected(now, connection),
            Input::ExpireSession(session) => self.expire(now, session, out),
            Input::Mute { session, muted } => self.mute(now, session, muted),
            Input::Restarted => self.restarted(now),
            Input::Tick => self.tick(now, out),
        }
    }

    /// When the next [`Input::Tick`] is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.next()
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn watches(&self) -> &Watches {
        &self.watches
    }

    /// A connection that is up.
    pub(crate) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id)
    }

    fn accepted(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        address: IpAddr,
        out: &mut impl Outputs,
    ) {
        let (everywhere, here) = self.connections.count(address);
        let full = |limit: usize, number: usize| limit > 0 && number >= limit;
        if full(self.rules.max_client_connections, here)
            || full(self.rules.max_connections, everywhere)
        {
            // It is not remembered, so it takes nobody's place, and nothing it sends is heard.
            let reason = CloseReason::TooManyConnections;
            out.emit(Output::Close { connection, reason });
            return;
        }
        // NIOServerCnxnFactory keeps connections without a session in buckets as long as the time they have, so they
        // live between one and two such times.
        let bucket = self.rules.sessionless_timeout_ms.max(1);
        let buckets = now.0.saturating_add(bucket).div_euclid(bucket) + 1;
        let deadline = Timestamp(buckets.saturating_mul(bucket));
        self.connections
            .add(connection, address, access::ip_id(address), deadline);
        self.deadlines
            .add(deadline, Deadline::Sessionless(connection));
    }

    /// `ZooKeeperServer.processConnectRequest`.
    fn connect(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        request: &ConnectRequest<'_>,
        out: &mut impl Outputs,
    ) {
        let Some(asking) = self
            .connections
            .get(connection)
            .filter(|asking| !asking.closing)
        else {
            return;
        };
        self.deadlines.remove(
            asking.sessionless_deadline,
            Deadline::Sessionless(connection),
        );
        if request.last_zxid_seen > self.tree.last_zxid() {
            self.close(now, connection, CloseReason::AheadOfServer, out);
            return;
        }
        let timeout_ms = session::negotiate(&self.rules, request.timeout_ms);
        // A standalone server is never read-only, and says so to those who ask.
        let read_only = request.read_only.map(|_| false);
        let granted = if request.session == SessionId::NONE {
            Some(self.open_session(now, connection, timeout_ms, out))
        } else {
            self.resume_session(now, connection, request, timeout_ms, out)
        };
        let response = match granted {
            Some(session) => ConnectResponse {
                timeout_ms,
                session,
                password: session::password(session),
                read_only,
            },
            None => ConnectResponse {
                timeout_ms: 0,
                session: SessionId::NONE,
                password: [0; 16],
                read_only,
            },
        };
        self.connections.set_session(connection, granted);
        out.emit(Output::Send {
            connection,
            message: Message::Connected(response),
        });
        if granted.is_none() {
            self.close(now, connection, CloseReason::SessionRefused, out);
        }
    }

    fn open_session(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        timeout_ms: i32,
        out: &mut impl Outputs,
    ) -> SessionId {
        let deadline = session::deadline(&self.rules, now, timeout_ms);
        let session = self.sessions.open(timeout_ms, deadline, connection);
        self.deadlines.add(deadline, Deadline::Session(session));
        let transaction = Transaction::begin(&mut self.tree, session, Xid(0), now, false);
        let txn = transaction.commit(TxnRecord::CreateSession { timeout_ms });
        out.emit(Output::Committed(&txn));
        session
    }

    /// Whoever asks for a session closes the connection that it is on first, even with a wrong password.
    fn resume_session(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        request: &ConnectRequest<'_>,
        timeout_ms: i32,
        out: &mut impl Outputs,
    ) -> Option<SessionId> {
        let id = request.session;
        if let Some(other) = self.sessions.get(id)?.connection {
            self.close(now, other, CloseReason::TakenOver, out);
        }
        if request.password != Some(&session::password(id)[..]) {
            return None;
        }
        let session = self.sessions.get_mut(id)?;
        session.timeout_ms = timeout_ms;
        session.connection = Some(connection);
        self.touch(now, id);
        Some(id)
    }

    fn request(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        request: &Request<'_>,
        out: &mut impl Outputs,
    ) {
        let Some(asking) = self
            .connections
            .get(connection)
            .filter(|asking| !asking.closing)
        else {
            return;
        };
        let operation = request.operation();
        let session = asking.session;
        // These two are answered aside from the pipeline, by the thread that reads them (ZooKeeperServer.processPacket),
        // and also where a server insists on authentication.
        if let Request::Auth { scheme, auth } = request {
            let ids = access::authenticate(&self.rules, asking.address, scheme.as_deref(), *auth);
            self.authenticated(now, connection, xid, ids, out);
            return;
        }
        if matches!(request, Request::Sasl { .. }) {
            // It is not configured, so there is nothing to say.
            reply(out, connection, xid, Zxid(0), Ok(Response::NoToken));
            return;
        }
        if !asking.may_ask(&self.rules) {
            reply(
                out,
                connection,
                xid,
                Zxid(0),
                Err(ErrorCode::SessionClosedRequireSaslAuth),
            );
            self.close(now, connection, CloseReason::AuthFailed, out);
            return;
        }
        if let Some(session) = session {
            self.touch(now, session);
        }
        let xid = if operation == Some(Operation::Ping) {
            Xid::PING
        } else {
            xid
        };
        match request {
            Request::Create(_)
            | Request::Delete(_)
            | Request::SetData(_)
            | Request::SetAcl { .. }
            | Request::Reconfig => self.write(now, connection, xid, request, out),
            Request::Multi(operations) => {
                if write::stumbles_early(operations) {
                    self.reply(connection, xid, Err(ErrorCode::MarshallingError), out);
                } else {
                    self.write(now, connection, xid, request, out);
                }
            }
            // A multi takes its number before it is read, any other write after: PrepRequestProcessor.pRequestHelper.
            Request::Malformed(Operation::Multi) => {
                let unreadable =
                    Request::Multi(vec![MultiOp::Read(crate::protocol::MultiReadOp::Write)]);
                self.write(now, connection, xid, &unreadable, out);
            }
            Request::Malformed(_) => {
                self.reply(connection, xid, Err(ErrorCode::MarshallingError), out)
            }
            Request::Unknown { .. } => {
                reply(
                    out,
                    connection,
                    xid,
                    Zxid(-1),
                    Err(ErrorCode::Unimplemented),
                );
                self.close(now, connection, CloseReason::Unimplemented, out);
            }
            Request::CloseSession => {
                if let Some(session) = session {
                    self.end_session(now, session, xid, out);
                }
                self.reply(connection, xid, Ok(Response::Empty), out);
                self.close(now, connection, CloseReason::SessionClosed, out);
            }
            Request::SetWatches(set_watches) | Request::SetWatches2(set_watches) => {
                let reader = reader(&self.rules, &self.tree, &self.connections, connection);
                let result = reader.and_then(|reader| {
                    reader.set_watches(set_watches, &mut self.watches, |event_type, path| {
                        // Made here and not by a transaction, so without the number of one.
                        tell(out, connection, Zxid(-1), event_type, path);
                    })
                });
                reply(out, connection, xid, self.tree.last_zxid(), result);
            }
            Request::Exists { .. }
            | Request::GetData { .. }
            | Request::GetAcl { .. }
            | Request::GetChildren { .. }
            | Request::GetChildren2 { .. }
            | Request::GetAllChildrenNumber { .. }
            | Request::GetEphemerals { .. }
            | Request::MultiRead(_)
            | Request::Sync { .. }
            | Request::Ping
            | Request::AddWatch { .. }
            | Request::CheckWatches { .. }
            | Request::RemoveWatches { .. }
            | Request::WhoAmI => {
                let reader = reader(&self.rules, &self.tree, &self.connections, connection);
                let result = match &reader {
                    Ok(reader) => reader.read(request, &mut self.watches),
                    Err(code) => Err(*code),
                };
                reply(out, connection, xid, self.tree.last_zxid(), result);
            }
            Request::Auth { .. } | Request::Sasl { .. } => {}
        }
    }

    fn write(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        request: &Request<'_>,
        out: &mut impl Outputs,
    ) {
        let Some(asking) = self.connections.get(connection) else {
            return;
        };
        let caller = Caller {
            rules: &self.rules,
            ids: &asking.ids,
            has_session: asking.session.is_some(),
        };
        let session = asking.session.unwrap_or(SessionId::NONE);
        let several = matches!(request, Request::Multi(_));
        let mut changes = Changes {
            wanted: !self.watches.is_empty(),
            list: Vec::new(),
        };
        let mut transaction = Transaction::begin(&mut self.tree, session, xid, now, several);
        let written = write::write(&mut transaction, caller, request, &mut changes);
        let txn = if written.committed {
            transaction.commit(written.record)
        } else {
            transaction.refuse(written.record, &mut changes)
        };
        out.emit(Output::Committed(&txn));
        // Events come before the reply: DataTree fires while FinalRequestProcessor has not answered yet.
        fire(
            &self.rules,
            &mut self.watches,
            &self.connections,
            txn.zxid,
            &changes.list,
            out,
        );
        let result = written
            .result
            .map(|outcome| write::respond(&outcome, &txn.record));
        reply(out, connection, xid, txn.zxid, result);
    }

    /// A transaction that no connection waits for: the end of a session, the removal of a container.
    fn write_unasked(
        &mut self,
        now: Timestamp,
        session: SessionId,
        xid: Xid,
        record: TxnRecord<'_>,
        out: &mut impl Outputs,
    ) {
        let mut changes = Changes {
            wanted: !self.watches.is_empty(),
            list: Vec::new(),
        };
        let mut transaction = Transaction::begin(&mut self.tree, session, xid, now, false);
        transaction.apply(&record, &mut changes);
        let txn = transaction.commit(record);
        out.emit(Output::Committed(&txn));
        fire(
            &self.rules,
            &mut self.watches,
            &self.connections,
            txn.zxid,
            &changes.list,
            out,
        );
    }

    fn authenticated(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        ids: Result<Vec<AuthId>, ErrorCode>,
        out: &mut impl Outputs,
    ) {
        match ids {
            Ok(ids) => {
                self.connections.add_ids(connection, ids);
                reply(out, connection, xid, Zxid(0), Ok(Response::Empty));
            }
            Err(code) => {
                reply(out, connection, xid, Zxid(0), Err(code));
                self.close(now, connection, CloseReason::AuthFailed, out);
            }
        }
    }

    fn disconnected(&mut self, now: Timestamp, connection: ConnectionId) {
        self.watches.disconnected(connection);
        let Some(gone) = self.connections.remove(connection) else {
            return;
        };
        self.deadlines
            .remove(gone.sessionless_deadline, Deadline::Sessionless(connection));
        self.leave_session(now, gone.session, connection);
    }

    fn leave_session(&mut self, now: Timestamp, id: Option<SessionId>, connection: ConnectionId) {
        if let Some(id) = id
            && let Some(session) = self.sessions.get_mut(id)
            && session.connection == Some(connection)
        {
            session.connection = None;
            if self.rules.presence_is_life {
                // Up to now it was heard from.
                self.touch(now, id);
            }
        }
    }

    /// Closes a connection: from here on it watches nothing and nothing that it sends is heard.
    fn close(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        reason: CloseReason,
        out: &mut impl Outputs,
    ) {
        let session = self.connections.close(connection);
        self.watches.disconnected(connection);
        self.leave_session(now, session, connection);
        out.emit(Output::Close { connection, reason });
    }

    /// The session was heard from.
    fn touch(&mut self, now: Timestamp, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if session.muted {
            return;
        }
        session.deadline = session::deadline(&self.rules, now, session.timeout_ms);
        if session.deadline < session.queued {
            self.deadlines.remove(session.queued, Deadline::Session(id));
            self.deadlines.add(session.deadline, Deadline::Session(id));
            session.queued = session.deadline;
        }
    }

    fn mute(&mut self, now: Timestamp, id: SessionId, muted: bool) {
        // Up to now it was heard from, and from now on if it is no longer muted.
        if let Some(session) = self.sessions.get(id)
            && (session.connection.is_some() && self.rules.presence_is_life
                || session.muted && !muted)
        {
            if let Some(session) = self.sessions.get_mut(id) {
                session.muted = false;
            }
            self.touch(now, id);
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.muted = muted;
        }
    }

    fn expire(&mut self, now: Timestamp, id: SessionId, out: &mut impl Outputs) {
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        let connection = session.connection;
        self.end_session(now, id, Xid(0), out);
        if let Some(connection) = connection {
            self.close(now, connection, CloseReason::SessionExpired, out);
        }
    }

    /// Removes the session and what goes with it, in one transaction.
    fn end_session(&mut self, now: Timestamp, id: SessionId, xid: Xid, out: &mut impl Outputs) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        self.deadlines.remove(session.queued, Deadline::Session(id));
        let paths = self
            .tree
            .ephemerals(id)
            .map(|path| path.to_owned().into())
            .collect();
        self.write_unasked(now, id, xid, TxnRecord::CloseSession { paths }, out);
    }

    fn restarted(&mut self, now: Timestamp) {
        self.deadlines.clear();
        self.reap_queue.clear();
        self.deadlines
            .add(look_at(&self.rules, now), Deadline::LookForReapable);
        // As after the restart of a real server, every session has its whole timeout before it: the one it began with,
        // since a resume is no transaction and so is not in the log (ZooKeeperServer.revalidateSession).
        let ids: Vec<_> = self
            .sessions
            .sorted()
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            if let Some(session) = self.sessions.get_mut(id) {
                session.timeout_ms = session.first_timeout_ms;
                session.deadline = session::deadline(&self.rules, now, session.timeout_ms);
                session.queued = session.deadline;
                self.deadlines.add(session.deadline, Deadline::Session(id));
            }
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut impl Outputs) {
        while let Some(deadline) = self.deadlines.pop(now) {
            match deadline {
                Deadline::Session(id) => self.session_due(now, id, out),
                Deadline::Sessionless(connection) => {
                    self.close(now, connection, CloseReason::NoSession, out)
                }
                Deadline::LookForReapable => self.look_for_reapable(now),
                Deadline::Reap => self.reap(now, out),
            }
        }
    }

    fn session_due(&mut self, now: Timestamp, id: SessionId, out: &mut impl Outputs) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if self.rules.presence_is_life && session.connection.is_some() && !session.muted {
            session.deadline = session::deadline(&self.rules, now, session.timeout_ms);
        }
        if session.deadline > now {
            session.queued = session.deadline;
            self.deadlines.add(session.deadline, Deadline::Session(id));
        } else {
            self.expire(now, id, out);
        }
    }

    /// `ContainerManager.getCandidates`.
    fn look_for_reapable(&mut self, now: Timestamp) {
        self.deadlines
            .add(look_at(&self.rules, now), Deadline::LookForReapable);
        if !self.reap_queue.is_empty() {
            return;
        }
        let age_ms = |znode: &Znode| now.0.saturating_sub(znode.mtime().0);
        let never_used_ms = self.rules.container_max_never_used_ms;
        let due = self
            .tree
            .reapable()
            .filter(|znode| !znode.has_children())
            .filter(|znode| match znode.owner() {
                OwnerKind::Container => {
                    znode.creates() > 0 || never_used_ms != 0 && age_ms(znode) > never_used_ms
                }
                OwnerKind::Ttl { ms } => ms != 0 && age_ms(znode) > ms,
                OwnerKind::Nobody | OwnerKind::Session(_) => false,
            });
        self.reap_queue = due.map(|znode| znode.path().into()).collect();
        if !self.reap_queue.is_empty() {
            self.deadlines.add(now, Deadline::Reap);
        }
    }

    fn reap(&mut self, now: Timestamp, out: &mut impl Outputs) {
        let Some(path) = self.reap_queue.pop_front() else {
            return;
        };
        let record = write::check_reap(&self.tree, &path).unwrap_or_else(refusal);
        self.write_unasked(now, SessionId::NONE, Xid(0), record, out);
        if !self.reap_queue.is_empty() {
            self.deadlines.add(
                Timestamp(now.0 + self.rules.container_interval_ms),
                Deadline::Reap,
            );
        }
    }

    fn reply(
        &self,
        connection: ConnectionId,
        xid: Xid,
        result: Result<Response<'_>, ErrorCode>,
        out: &mut impl Outputs,
    ) {
        reply(out, connection, xid, self.tree.last_zxid(), result);
    }
}

fn look_at(rules: &Rules, now: Timestamp) -> Timestamp {
    Timestamp(
        now.0
            .saturating_add(rules.container_check_interval_ms.max(1)),
    )
}

fn reader<'r>(
    rules: &'r Rules,
    tree: &'r Tree,
    connections: &'r Connections,
    connection: ConnectionId,
) -> Result<Reader<'r>, ErrorCode> {
    let asking = connections
        .get(connection)
        .ok_or(ErrorCode::SessionExpired)?;
    let session = asking.session.unwrap_or(SessionId::NONE);
    Ok(Reader {
        rules,
        tree,
        connection,
        session,
        ids: &asking.ids,
    })
}

/// Sends what the changes give to hear, to those who may hear it. Who may not has used up its watch all the same.
fn fire(
    rules: &Rules,
    watches: &mut Watches,
    connections: &Connections,
    zxid: Zxid,
    changes: &[Change],
    out: &mut impl Outputs,
) {
    for change in changes {
        watches.fire(change, |connection, event_type, path| {
            let acl = match event_type {
                EventType::NodeChildrenChanged => &change.parent_acl,
                EventType::NodeCreated | EventType::NodeDeleted | EventType::NodeDataChanged => {
                    &change.acl
                }
            };
            let may_read = connections.get(connection).is_some_and(|watcher| {
                access::check(rules, acl, Permissions::READ, &watcher.ids).is_ok()
            });
            if may_read {
                tell(out, connection, zxid, event_type, path);
            }
        });
    }
}

fn tell(
    out: &mut impl Outputs,
    connection: ConnectionId,
    zxid: Zxid,
    event_type: EventType,
    path: &str,
) {
    let event = WatchedEvent {
        event_type,
        state: KeeperState::SyncConnected,
        path,
    };
    out.emit(Output::Send {
        connection,
        message: Message::Event { zxid, event },
    });
}

fn reply(
    out: &mut impl Outputs,
    connection: ConnectionId,
    xid: Xid,
    zxid: Zxid,
    result: Result<Response<'_>, ErrorCode>,
) {
    out.emit(Output::Send {
        connection,
        message: Message::Reply(Reply { xid, zxid, result }),
    });
}
