//! The rules: a deterministic state machine of znodes, sessions, watches and transactions.
//!
//! It knows no socket, no clock and no task. One [`Input`] goes in, and everything that follows from it comes out, in
//! the order in which it must be sent. Each kind of rule has a file; this one holds the state and the dispatch.

mod access;
mod acl_table;
mod admission;
mod apply;
mod connection;
mod deadline;
mod digest;
mod election;
mod ensemble;
mod format;
mod index;
mod java;
mod long_list;
mod quota;
mod read;
mod reap;
mod replica;
mod restore;
mod rules;
mod session;
mod shared;
mod slab;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;
mod tree;
mod undo;
mod watch;
mod write;
mod znode;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

pub(crate) use access::digest_of;
pub(crate) use connection::{Connection, ConnectionId};
pub(crate) use ensemble::Members;
pub(crate) use reap::Reapable;
pub(crate) use restore::Restored;
pub use rules::DigestAlgorithm;
pub(crate) use rules::Rules;
pub(crate) use session::Sessions;
#[cfg(test)]
pub(crate) use session::password;
pub(crate) use snapshot::Snapshot;
pub(crate) use tree::Tree;
pub(crate) use watch::{Modes, Table, Watches};
pub(crate) use znode::{Owner, Znode};

use self::apply::{Change, Changes};
use self::connection::Connections;
use self::deadline::{Deadline, Deadlines};
use self::long_list::LONG;
use self::read::Reader;
use self::reap::look_at;
use self::transaction::Transaction;
use self::write::Caller;
use crate::protocol::{
    ConnectRequest, EnsembleAction, ErrorCode, EventType, KeeperState, MemberId, Message, MultiOp,
    MultiResult, Operation, Permissions, Reply, Request, Response, SessionId, Timestamp, Txn,
    TxnRecord, WatchedEvent, Xid, Zxid,
};

/// The state of a server.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    rules: Rules,
    /// What is committed.
    tree: Tree,
    sessions: Sessions,
    watches: Watches,
    connections: Connections,
    members: Members,
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
        /// The member of the ensemble to whom.
        member: MemberId,
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
    /// A test wants this request refused.
    Refuse {
        connection: ConnectionId,
        xid: Xid,
        code: ErrorCode,
    },
    /// A test wants these operations of a multi or multiRead to fail with this code.
    RefuseParts {
        connection: ConnectionId,
        xid: Xid,
        request: Request<'a>,
        code: ErrorCode,
        /// The indices of these operations, in order.
        at: &'a [usize],
    },
    /// A test wants this connection closed.
    Close(ConnectionId),
    /// A test lets nothing that the client sends arrive from now on, or does again.
    Silence {
        connection: ConnectionId,
        silent: bool,
    },
    /// Bytes arrived that are not taken in yet, since earlier answers are unread: a sign of life.
    Heard(ConnectionId),
    /// The connection is gone.
    Disconnected(ConnectionId),
    /// A test wants this session to be over.
    ExpireSession(SessionId),
    /// A test wants this session to be silent from now on, or no longer.
    Mute { session: SessionId, muted: bool },
    /// A test wants what has had its time to go now.
    Reap(Reapable),
    /// A test wants this to happen to members of the ensemble.
    Ensemble(EnsembleAction),
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
    Committed {
        txn: &'a Txn<'a>,
        /// The digest of the tree after it, where one is kept and a real server would write it down.
        digest: Option<u64>,
    },
    /// The ensemble has a new leader, or lost the one it had.
    Leading {
        leader: Option<MemberId>,
        epoch: u32,
    },
}

/// Why a server closes a connection.
///
/// ```
/// assert_ne!(minikeeper::journal::CloseReason::SessionExpired, minikeeper::journal::CloseReason::SessionClosed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CloseReason {
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
    /// Its session came by another connection to another member before.
    SessionMoved,
    /// The member that it is a connection to was stopped.
    MemberStopped,
    /// The member has no leader any more, or has got a new one.
    LostLeader,
    /// The member was read-only, and reaches a quorum again.
    ReadOnlyEnded,
    /// The member is read-only, and the client is not content with that.
    NotReadOnlyClient,
    /// The member reaches no quorum.
    NotServing,
    /// It leaves too much unread.
    DoesNotRead,
    /// The disk refused what was to outlast the process, and the server stopped.
    DiskRefused,
    /// It asked for one of the four-letter words, and has its answer.
    FourLetterWord,
    /// A test wanted it.
    Test,
}

impl CloseReason {
    /// Whether what was sent before is to arrive, if the client reads it.
    pub(crate) fn is_owed_what_waits(self) -> bool {
        match self {
            Self::SessionClosed
            | Self::SessionRefused
            | Self::Unimplemented
            | Self::FourLetterWord
            | Self::AuthFailed
            | Self::SessionMoved
            | Self::Test => true,
            Self::TooManyConnections
            | Self::NoSession
            | Self::AheadOfServer
            | Self::TakenOver
            | Self::SessionExpired
            | Self::MemberStopped
            | Self::LostLeader
            | Self::ReadOnlyEnded
            | Self::NotReadOnlyClient
            | Self::NotServing
            | Self::DoesNotRead
            | Self::DiskRefused => false,
        }
    }
}

/// Where outputs go.
pub(crate) trait Outputs {
    /// Takes the next output.
    fn emit(&mut self, output: Output<'_>);

    /// Reports that a session is about to expire, for the log. The effects come as outputs.
    fn expiring(&mut self, _session: SessionId, _why: Expiry) {}
}

/// Reason why a session expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The client was silent for the timeout of the session.
    Silent { timeout_ms: i32 },
    /// The test or a fault expires the session.
    Forced,
}

impl Keeper {
    /// A fresh server.
    pub(crate) fn new(rules: Rules, now: Timestamp) -> Self {
        let sessions = Sessions::new(&rules, now);
        let mut deadlines = Deadlines::default();
        deadlines.add(look_at(&rules, now), Deadline::LookForReapable);
        let members = Members::new(&rules);
        let mut tree = Tree::new(rules.data_format);
        tree.extended_types = rules.extended_types;
        tree.keep_digest(rules.digest);
        tree.set_last_zxid(members.start_of_epoch());
        Self {
            tree,
            sessions,
            watches: Watches::default(),
            connections: Connections::new(),
            members,
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
                member,
            } => self.accepted(now, connection, address, member, out),
            Input::Connect {
                connection,
                request,
            } => self.connect(now, connection, &request, out),
            Input::Request {
                connection,
                xid,
                request,
            } => self.request(now, connection, xid, &request, out),
            Input::Refuse {
                connection,
                xid,
                code,
            } => self.refuse(now, connection, xid, code, out),
            Input::RefuseParts {
                connection,
                xid,
                request,
                code,
                at,
            } => self.refuse_parts(now, (connection, xid), &request, code, at, out),
            Input::Close(connection) => self.close(now, connection, CloseReason::Test, out),
            Input::Silence { connection, silent } => self.silence(now, connection, silent),
            Input::Heard(connection) => self.heard(now, connection),
            Input::Disconnected(connection) => self.disconnected(now, connection),
            Input::ExpireSession(session) => self.expire(now, session, Expiry::Forced, out),
            Input::Mute { session, muted } => self.mute(now, session, muted),
            Input::Reap(what) => self.reap_now(now, what, out),
            Input::Ensemble(action) => self.act(now, action, out),
            Input::Restarted => self.restarted(now, out),
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

    #[cfg(test)]
    pub(crate) fn watches(&self) -> &Watches {
        &self.watches
    }

    /// The watches of those whose member has everything, and then those of the others.
    pub(crate) fn all_watches(&self) -> impl Iterator<Item = &Watches> {
        std::iter::once(&self.watches).chain(self.members.watches())
    }

    /// Session of every connection that has one.
    pub(crate) fn sessions_by_connection(&self) -> BTreeMap<ConnectionId, SessionId> {
        self.connections.sessions().collect()
    }

    /// A connection that is up.
    pub(crate) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id)
    }

    fn request(
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
        let taken_for = format::without_record(self.rules.data_format, request);
        let request = taken_for.as_ref().unwrap_or(request);
        let operation = request.operation();
        let session = asking.session;
        let member = asking.member;
        // These two are answered aside from the pipeline, by the thread that reads them (ZooKeeperServer.processPacket),
        // and also where a server insists on authentication.
        if let Request::Auth { scheme, auth } = request {
            let ids = access::authenticate(
                &self.rules,
                asking.address,
                scheme.as_deref(),
                auth.as_deref(),
            );
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
        if !self.members.are_as_one()
            && self.stopped_by_member(now, (connection, member), xid, request, out)
        {
            return;
        }
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
                if connection != ConnectionId::HANDLE {
                    self.close(now, connection, CloseReason::Unimplemented, out);
                }
            }
            Request::CloseSession => {
                if let Some(session) = session {
                    let current = self.sessions.get(session).and_then(|it| it.connection);
                    self.end_session(now, session, xid, out);
                    self.release(now, member, usize::MAX, Some(connection), out);
                    for other in self.connections_on(session, current) {
                        if other != connection {
                            self.close(now, other, CloseReason::SessionClosed, out);
                        }
                    }
                }
                self.reply(connection, xid, Ok(Response::Empty), out);
                self.close(now, connection, CloseReason::SessionClosed, out);
            }
            Request::SetWatches(set_watches) | Request::SetWatches2(set_watches) => {
                let zxid = self.members.last_zxid(member, &self.tree);
                let (tree, watches) = self.members.view(member, &self.tree, &mut self.watches);
                let reader = reader(&self.rules, tree, &self.connections, connection, false);
                let result = reader.and_then(|reader| {
                    reader.set_watches(set_watches, watches, |event_type, path| {
                        // Made here and not by a transaction, so without the number of one.
                        tell(out, connection, Zxid(-1), event_type, path);
                    })
                });
                reply(out, connection, xid, zxid, result);
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
                let last_zxid = self.members.last_zxid(member, &self.tree);
                let reads_after_turn = self.tree.len() > LONG && read::may_be_long(request) && {
                    self.tree.make_znodes_shared();
                    self.members.are_as_one()
                };
                let (tree, watches) = self.members.view(member, &self.tree, &mut self.watches);
                let reader = reader(
                    &self.rules,
                    tree,
                    &self.connections,
                    connection,
                    reads_after_turn,
                );
                let result = match &reader {
                    Ok(reader) => reader.read(request, watches),
                    Err(code) => Err(*code),
                };
                reply(out, connection, xid, last_zxid, result);
            }
            Request::Auth { .. } | Request::Sasl { .. } => {}
        }
    }

    /// Refuses a request that arrived, as a test wants it.
    fn refuse(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        xid: Xid,
        code: ErrorCode,
        out: &mut impl Outputs,
    ) {
        let session = self.connections.get(connection).and_then(|it| it.session);
        if let Some(session) = session {
            self.touch(now, session);
        }
        self.reply(connection, xid, Err(code), out);
    }

    /// Answers a multi as one whose operation failed, the first of `at`, and changes nothing. In a multiRead these
    /// operations fail and the others are read.
    fn refuse_parts(
        &mut self,
        now: Timestamp,
        (connection, xid): (ConnectionId, Xid),
        request: &Request<'_>,
        code: ErrorCode,
        at: &[usize],
        out: &mut impl Outputs,
    ) {
        let asking = self.connections.get(connection);
        let Some((session, member)) = asking.map(|asking| (asking.session, asking.member)) else {
            return;
        };
        if let Some(session) = session {
            self.touch(now, session);
        }
        if let Request::Multi(operations) = request {
            let failed = at.first().copied().unwrap_or_default();
            let results = (0..operations.len()).map(|it| write::failed_result(it, failed, code));
            let results = results.map(MultiResult::Error).collect();
            self.reply(connection, xid, Ok(Response::Multi(results)), out);
            return;
        }
        let zxid = self.members.last_zxid(member, &self.tree);
        let (tree, watches) = self.members.view(member, &self.tree, &mut self.watches);
        let reader = reader(&self.rules, tree, &self.connections, connection, false);
        let mut result = match &reader {
            Ok(reader) => reader.read(request, watches),
            Err(code) => Err(*code),
        };
        if let Ok(Response::Multi(results) | Response::MultiReadBrokenOff(results)) = &mut result {
            for at in at {
                if let Some(result) = results.get_mut(*at) {
                    *result = MultiResult::Error(Some(code));
                }
            }
        }
        reply(out, connection, xid, zxid, result);
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
            expanded: &Cell::new(0),
            has_session: asking.session.is_some(),
        };
        let session = asking.session.unwrap_or(SessionId::NONE);
        let member = asking.member;
        let several = matches!(request, Request::Multi(_));
        let mut changes = self.changes();
        let mut transaction = Transaction::begin(&mut self.tree, session, xid, now, several);
        let written = write::write(&mut transaction, caller, request, &mut changes);
        let txn = if written.committed {
            transaction.commit(written.record)
        } else {
            transaction.refuse(written.record, &mut changes)
        };
        // Events come before the reply: DataTree fires while FinalRequestProcessor has not answered yet.
        self.publish(&txn, &changes, out);
        if !self.members.are_as_one() {
            self.release(now, member, usize::MAX, Some(connection), out);
        }
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
        let mut changes = self.changes();
        let mut transaction = Transaction::begin(&mut self.tree, session, xid, now, false);
        transaction.apply(&record, &mut changes);
        let txn = transaction.commit(record);
        self.publish(&txn, &changes, out);
    }

    /// Room for the changes of a transaction, if anybody watches anything.
    fn changes(&self) -> Changes {
        Changes {
            wanted: !self.watches.is_empty(),
            list: Vec::new(),
        }
    }

    /// Gives out a transaction, then what it gives to hear.
    fn publish(&mut self, txn: &Txn<'_>, changes: &Changes, out: &mut impl Outputs) {
        committed(&mut self.members, &self.tree, txn, out);
        if changes.list.is_empty() {
            return;
        }
        fire(
            &self.rules,
            &mut self.watches,
            &self.connections,
            txn.zxid,
            &changes.list,
            out,
        );
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

    fn reply(
        &self,
        connection: ConnectionId,
        xid: Xid,
        result: Result<Response<'_>, ErrorCode>,
        out: &mut impl Outputs,
    ) {
        let member = self.connections.get(connection);
        let member = member.map_or(MemberId::NONE, |connection| connection.member);
        let zxid = self.members.last_zxid(member, &self.tree);
        reply(out, connection, xid, zxid, result);
    }
}

/// Gives out a transaction, also to those members that take it in later.
fn committed(members: &mut Members, tree: &Tree, txn: &Txn<'_>, out: &mut impl Outputs) {
    // PrepRequestProcessor.pRequest2Txn throws before it has come to the digest.
    let is_refusal = matches!(txn.record, TxnRecord::Error { .. });
    let digest = tree.digest().filter(|_| !is_refusal);
    out.emit(Output::Committed { txn, digest });
    if members.are_as_one() {
        return;
    }
    for replica in members.replicas_mut() {
        replica.hear(txn);
    }
}

fn reader<'r>(
    rules: &'r Rules,
    tree: &'r Tree,
    connections: &'r Connections,
    connection: ConnectionId,
    reads_after_turn: bool,
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
        reads_after_turn,
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
                access::check(rules, (acl.0, &acl.1), Permissions::READ, &watcher.ids).is_ok()
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
