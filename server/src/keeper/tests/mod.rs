//! Tests of single rules: inputs at given times, and the outputs that follow. And random sequences of inputs, compared
//! with a plain model.
//!
//! The vocabulary of a test is that of [`World`]: clients connect and send requests, time passes. Outputs are text, one
//! line each, so that a test reads like a transcript.

mod acl;
mod auth;
mod connection;
mod container;
mod create;
mod delete;
mod digest;
mod ensemble;
mod ephemeral;
mod format;

mod model;
mod multi;
mod quota;
mod read;
mod restore;
mod session;
mod set_acl;
mod set_data;
mod set_watches;
mod snapshot;
mod tree;
mod watch;
mod zxid;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::apply::Changes;
use super::*;
use crate::protocol::{
    AclEntry, AclList, AddWatchMode, CheckVersionRequest, ConnectRequest, CreateOperation,
    CreateRequest, CreateTxn, CreatedKind, DeleteRequest, EnsembleAction, ErrorCode, EventType,
    MemberId, Message, MultiOp, MultiReadOp, MultiResult, Operation, Permissions, Reply, Request,
    Response, SessionId, SetDataRequest, SetWatches, Stat, Text, Timestamp, Txn, TxnRecord,
    WatchedEvent, WatcherType, Xid, Zxid,
};
use crate::protocol::{ConnectResponse, DataFormat};

/// A server, its clock, and its clients, which are numbered from 1.
struct World {
    keeper: Keeper,
    now: Timestamp,
    xids: BTreeMap<u64, i32>,
}

/// The outputs, one line each.
#[derive(Default)]
struct Lines(Vec<String>);

impl Outputs for Lines {
    fn emit(&mut self, output: Output<'_>) {
        self.0.push(match output {
            Output::Send {
                connection,
                message,
            } => format!("{} <- {}", connection.0, message_text(message)),
            Output::Close { connection, reason } => format!("{} closed {reason:?}", connection.0),
            Output::Committed { txn, digest: _ } => {
                let Txn { zxid, session, .. } = txn;
                format!(
                    "txn {} by {}: {}",
                    zxid_text(*zxid),
                    session_text(*session),
                    record_text(&txn.record)
                )
            }
            Output::Leading { leader, epoch } => match leader {
                Some(leader) => format!("{leader} leads epoch {epoch}"),
                None => "no leader".to_owned(),
            },
        });
    }
}

impl World {
    /// Creates a fresh server at time 0. Its sessions are numbered from 1.
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// Creates a server with changed rules. Its tick is 1000 ms.
    fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = Rules {
            server_id: 0,
            tick_ms: 1000,
            min_session_timeout_ms: 2000,
            max_session_timeout_ms: 20_000,
            ..Rules::default()
        };
        change(&mut rules);
        Self {
            keeper: Keeper::new(rules, Timestamp(0)),
            now: Timestamp(0),
            xids: BTreeMap::new(),
        }
    }

    /// Creates a server with clients on connections 1 to `clients`. Each has a session of 10 s with the same number.
    fn of(clients: u64) -> Self {
        Self::new().joined_by(clients)
    }

    fn joined_by(mut self, clients: u64) -> Self {
        for client in 1..=clients {
            self.open(client);
        }
        self
    }

    fn step(&mut self, input: Input<'_>) -> Vec<String> {
        let mut lines = Lines::default();
        self.keeper.step(self.now, input, &mut lines);
        lines.0
    }

    fn accept(&mut self, client: u64, address: &str) -> Vec<String> {
        self.accept_at(MemberId::ALONE, client, address)
    }

    fn accept_at(&mut self, member: MemberId, client: u64, address: &str) -> Vec<String> {
        let address: IpAddr = address.parse().expect("an address");
        self.step(Input::Accepted {
            connection: ConnectionId(client),
            address,
            member,
        })
    }

    fn connect(&mut self, client: u64, request: ConnectRequest<'_>) -> Vec<String> {
        self.step(Input::Connect {
            connection: ConnectionId(client),
            request: &request,
        })
    }

    /// Connects a new client with a new session of 10 s.
    fn open(&mut self, client: u64) -> SessionId {
        assert!(self.accept(client, "127.0.0.1").is_empty());
        self.connect(client, asking_for_session(10_000));
        self.session_of(client)
    }

    /// Connects a new client that resumes an existing session.
    fn resume(&mut self, client: u64, session: i64) -> Vec<String> {
        self.accept(client, "127.0.0.1");
        self.connect(client, resuming(session))
    }

    fn session_of(&self, client: u64) -> SessionId {
        self.keeper
            .connection(ConnectionId(client))
            .and_then(Connection::session)
            .expect("the connection has a session")
    }

    /// Sends a request of a client, with the next xid.
    fn ask(&mut self, client: u64, request: impl Into<Request<'static>>) -> Vec<String> {
        let xid = self.xids.entry(client).or_default();
        *xid += 1;
        let xid = *xid;
        self.ask_as(client, xid, request)
    }

    /// Sends a request of a client, with this xid.
    fn ask_as(
        &mut self,
        client: u64,
        xid: i32,
        request: impl Into<Request<'static>>,
    ) -> Vec<String> {
        self.step(Input::Request {
            connection: ConnectionId(client),
            xid: Xid(xid),
            request: &request.into(),
        })
    }

    /// Returns the answer to a client's request, without header, events and transactions.
    fn answer(&mut self, client: u64, request: impl Into<Request<'static>>) -> String {
        let lines = self.ask(client, request);
        let reply = format!("{client} <- xid ");
        let answer = lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix(&reply));
        let mut words = answer.expect("an answer").splitn(4, ' ');
        words.nth(3).unwrap_or_default().to_owned()
    }

    /// Sends requests that prepare a test and must succeed.
    #[track_caller]
    fn given<R: Into<Request<'static>>>(
        &mut self,
        client: u64,
        requests: impl IntoIterator<Item = R>,
    ) {
        for request in requests {
            let request = request.into();
            let answer = self.answer(client, request.clone());
            let refused = answer
                .chars()
                .next()
                .is_some_and(|first| first.is_ascii_uppercase());
            assert!(!refused, "{request:?} was refused: {answer}");
        }
    }

    fn hang_up(&mut self, client: u64) -> Vec<String> {
        self.step(Input::Disconnected(ConnectionId(client)))
    }

    /// Advances the clock, stopping at every deadline.
    fn advance(&mut self, ms: i64) -> Vec<String> {
        let end = Timestamp(self.now.0 + ms);
        let mut lines = Vec::new();
        while let Some(due) = self.keeper.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            lines.extend(self.step(Input::Tick));
        }
        self.now = end;
        lines
    }

    fn stat(&self, path: &str) -> String {
        let znode = self.keeper.tree().get(path);
        znode.map_or("none".to_owned(), |znode| stat_text(&znode.stat()))
    }

    fn data(&self, path: &str) -> Option<String> {
        let data = self.keeper.tree().get(path)?.data()?;
        Some(String::from_utf8_lossy(data).into_owned())
    }

    fn children(&self, path: &str) -> String {
        let tree = self.keeper.tree();
        let znode = tree.get(path).expect("the znode is there");
        tree.children(znode).collect::<Vec<_>>().join(" ")
    }

    /// Returns the number of watches of znodes and of lists of children.
    fn watches(&self) -> (usize, usize) {
        let watches = self.keeper.watches();
        (watches.data().pairs(), watches.child().pairs())
    }

    fn last_zxid(&self) -> i64 {
        self.keeper.tree().last_zxid().0
    }
}

/// Compares outputs with the expected ones.
#[track_caller]
fn check(actual: impl AsRef<[String]>, expected: &[&str]) {
    let actual = actual.as_ref();
    assert!(
        actual == expected,
        "\ncame out:\n  {}\nexpected:\n  {}\n",
        actual.join("\n  "),
        expected.join("\n  ")
    );
}

/// Returns the events among the outputs.
fn events(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .filter(|line| line.contains(" <- event "))
        .collect()
}

fn asking_for_session(timeout_ms: i32) -> ConnectRequest<'static> {
    ConnectRequest {
        last_zxid_seen: Zxid(0),
        timeout_ms,
        session: SessionId::NONE,
        password: Some(&[0; 16]),
        read_only: Some(false),
    }
}

fn resuming(session: i64) -> ConnectRequest<'static> {
    let password = password(SessionId(session));
    ConnectRequest {
        session: SessionId(session),
        password: Some(password.to_vec().leak()),
        ..asking_for_session(10_000)
    }
}

/// One of the creating requests. By default it has an open ACL and no data.
#[derive(Clone)]
struct Create(CreateRequest<'static>);

fn create(path: &'static str) -> Create {
    Create(CreateRequest {
        operation: CreateOperation::Create,
        path: Some(path.into()),
        data: Some(b""),
        acl: Some(AclList::Open),
        flags: 0,
        ttl_ms: -1,
    })
}

fn create2(path: &'static str) -> Create {
    create(path).by(CreateOperation::Create2)
}

fn ephemeral(path: &'static str) -> Create {
    create(path).flags(1)
}

fn sequential(path: &'static str) -> Create {
    create(path).flags(2)
}

fn container(path: &'static str) -> Create {
    create(path).by(CreateOperation::CreateContainer).flags(4)
}

fn with_ttl(path: &'static str, ttl_ms: i64) -> Create {
    let mut create = create(path).by(CreateOperation::CreateTtl).flags(5);
    create.0.ttl_ms = ttl_ms;
    create
}

impl Create {
    fn by(mut self, operation: CreateOperation) -> Self {
        self.0.operation = operation;
        self
    }

    fn flags(mut self, flags: i32) -> Self {
        self.0.flags = flags;
        self
    }

    fn data(mut self, data: &'static str) -> Self {
        self.0.data = Some(data.as_bytes());
        self
    }

    fn acl(mut self, acl: impl Into<Vec<AclEntry<'static>>>) -> Self {
        self.0.acl = Some(AclList::Entries(acl.into()));
        self
    }

    fn null_acl(mut self) -> Self {
        self.0.acl = None;
        self
    }

    fn null_path(mut self) -> Self {
        self.0.path = None;
        self
    }
}

/// An entry of an ACL. `-` is a null.
fn entry(permissions: i32, scheme: &'static str, id: &'static str) -> AclEntry<'static> {
    let text = |text: &'static str| (text != "-").then_some(Cow::Borrowed(text));
    AclEntry {
        permissions,
        scheme: text(scheme),
        id: text(id),
    }
}

fn delete(path: &'static str, version: i32) -> DeleteRequest<'static> {
    DeleteRequest {
        path: text(path),
        version,
    }
}

fn set(path: &'static str, data: &'static str, version: i32) -> SetDataRequest<'static> {
    SetDataRequest {
        path: text(path),
        data: Some(data.as_bytes()),
        version,
    }
}

fn check_version(path: &'static str, version: i32) -> CheckVersionRequest<'static> {
    CheckVersionRequest {
        path: text(path),
        version,
    }
}

fn set_acl(
    path: &'static str,
    acl: impl Into<Vec<AclEntry<'static>>>,
    version: i32,
) -> Request<'static> {
    Request::SetAcl {
        path: text(path),
        acl: Some(AclList::Entries(acl.into())),
        version,
    }
}

fn multi(operations: impl Into<Vec<MultiOp<'static>>>) -> Request<'static> {
    Request::Multi(operations.into())
}

/// A path of a request. `-` is a null.
fn text(path: &'static str) -> Text<'static> {
    (path != "-").then(|| path.into())
}

fn exists(path: &'static str, watch: bool) -> Request<'static> {
    Request::Exists {
        path: text(path),
        watch,
    }
}

fn get(path: &'static str, watch: bool) -> Request<'static> {
    Request::GetData {
        path: text(path),
        watch,
    }
}

fn ls(path: &'static str, watch: bool) -> Request<'static> {
    Request::GetChildren {
        path: text(path),
        watch,
    }
}

fn ls2(path: &'static str, watch: bool) -> Request<'static> {
    Request::GetChildren2 {
        path: text(path),
        watch,
    }
}

fn get_acl(path: &'static str) -> Request<'static> {
    Request::GetAcl { path: text(path) }
}

fn count_below(path: &'static str) -> Request<'static> {
    Request::GetAllChildrenNumber { path: text(path) }
}

fn sync(path: &'static str) -> Request<'static> {
    Request::Sync { path: text(path) }
}

fn watch_persistently(path: &'static str) -> Request<'static> {
    Request::AddWatch {
        path: text(path),
        mode: AddWatchMode::Persistent,
    }
}

fn watch_recursively(path: &'static str) -> Request<'static> {
    Request::AddWatch {
        path: text(path),
        mode: AddWatchMode::PersistentRecursive,
    }
}

fn check_watches(path: &'static str, watcher_type: WatcherType) -> Request<'static> {
    Request::CheckWatches {
        path: text(path),
        watcher_type,
    }
}

fn remove_watches(path: &'static str, watcher_type: WatcherType) -> Request<'static> {
    Request::RemoveWatches {
        path: text(path),
        watcher_type,
    }
}

fn auth(scheme: &'static str, auth: &'static str) -> Request<'static> {
    Request::Auth {
        scheme: text(scheme),
        auth: Some(auth.into()),
    }
}

impl From<Create> for Request<'static> {
    fn from(create: Create) -> Self {
        Self::Create(create.0)
    }
}

impl From<Create> for MultiOp<'static> {
    fn from(create: Create) -> Self {
        Self::Create(create.0)
    }
}

impl From<DeleteRequest<'static>> for Request<'static> {
    fn from(delete: DeleteRequest<'static>) -> Self {
        Self::Delete(delete)
    }
}

impl From<DeleteRequest<'static>> for MultiOp<'static> {
    fn from(delete: DeleteRequest<'static>) -> Self {
        Self::Delete(delete)
    }
}

impl From<SetDataRequest<'static>> for Request<'static> {
    fn from(set: SetDataRequest<'static>) -> Self {
        Self::SetData(set)
    }
}

impl From<SetDataRequest<'static>> for MultiOp<'static> {
    fn from(set: SetDataRequest<'static>) -> Self {
        Self::SetData(set)
    }
}

impl From<CheckVersionRequest<'static>> for MultiOp<'static> {
    fn from(check: CheckVersionRequest<'static>) -> Self {
        Self::Check(check)
    }
}

fn message_text(message: &Message<'_>) -> String {
    match message {
        Message::Connected(response) => {
            let ConnectResponse {
                timeout_ms,
                session,
                password,
                read_only,
            } = response;
            let password = if *password == super::session::password(*session) {
                "right"
            } else if *password == [0; 16] {
                "zeros"
            } else {
                "wrong"
            };
            let read_only = read_only.map_or(String::new(), |is| format!(" read-only {is}"));
            format!(
                "connected session {} timeout {timeout_ms} password {password}{read_only}",
                session_text(*session)
            )
        }
        Message::Event { zxid, event } => {
            let WatchedEvent {
                event_type, path, ..
            } = event;
            format!("event {event_type:?} {path} zxid {}", zxid_text(*zxid))
        }
        Message::Reply(Reply { xid, zxid, result }) => {
            let result = match result {
                Ok(response) => response_text(response),
                Err(code) => format!("{code:?}"),
            };
            format!("xid {} zxid {} {result}", xid.0, zxid_text(*zxid))
        }
    }
}

/// With the epoch in front, in an ensemble.
fn zxid_text(zxid: Zxid) -> String {
    match zxid.0 >> 32 {
        epoch @ 1.. => format!("{epoch}:{}", zxid.0 & 0xffff_ffff),
        _ => zxid.0.to_string(),
    }
}

/// With the member in front, in an ensemble.
fn session_text(session: SessionId) -> String {
    match session.0 >> 56 {
        member @ 1.. => format!("{member}.{}", session.0 & 0xff_ffff_ffff_ffff),
        _ => session.0.to_string(),
    }
}

fn response_text(response: &Response<'_>) -> String {
    match response {
        Response::Empty => "ok".to_owned(),
        Response::Path(path) => format!("path {}", path.as_deref().unwrap_or("null")),
        Response::PathAndStat(path, stat) => format!("path {path} {}", stat_text(stat)),
        Response::Stat(stat) => stat_text(stat),
        Response::Data(data, stat) => format!(
            "{} {}",
            data_text(data.map(|data| &**data)),
            stat_text(stat)
        ),
        Response::Acl(acl, stat) => format!("{} {}", acl_text(acl), stat_text(stat)),
        Response::Children(names) => format!("children {:?}", names.to_vec()),
        Response::ChildrenAndStat(names, stat) => {
            format!("children {:?} {}", names.to_vec(), stat_text(stat))
        }
        Response::Paths(paths) => format!("paths {paths:?}"),
        Response::Number(number) => format!("number {number}"),
        Response::LongNumber(number) => format!("number {}", number.total()),
        Response::Multi(results) => format!("multi {}", results_text(results)),
        Response::MultiReadBrokenOff(results) => format!("broken off {}", results_text(results)),
        Response::WatchAdded => "watch added".to_owned(),
        Response::WhoAmI(info) => {
            let info: Vec<_> = info
                .iter()
                .map(|info| format!("{}:{}", info.scheme, info.user))
                .collect();
            format!("you are {}", info.join(" "))
        }
        Response::NoToken => "no token".to_owned(),
    }
}

fn results_text(results: &[MultiResult<'_>]) -> String {
    let texts: Vec<_> = results
        .iter()
        .map(|result| match result {
            MultiResult::Create(path) => format!("path {path}"),
            MultiResult::Create2(path, stat) => format!("path {path} {}", stat_text(stat)),
            MultiResult::Delete => "deleted".to_owned(),
            MultiResult::SetData(stat) => stat_text(stat),
            MultiResult::Check => "checked".to_owned(),
            MultiResult::Data(data, stat) => {
                format!(
                    "{} {}",
                    data_text(data.map(|data| &**data)),
                    stat_text(stat)
                )
            }
            MultiResult::Children(names) => format!("children {:?}", names.to_vec()),
            MultiResult::Error(None) => "0".to_owned(),
            MultiResult::Error(Some(code)) => format!("{code:?}"),
        })
        .collect();
    format!("[{}]", texts.join("; "))
}

/// The zxids of the transactions that created and changed the znode and its children, its two times, its three
/// versions, its length, its number of children, and its owner if it has one.
fn stat_text(stat: &Stat) -> String {
    let Stat {
        czxid,
        mzxid,
        ctime,
        mtime,
        version,
        cversion,
        aversion,
        ephemeral_owner,
        data_length,
        num_children,
        pzxid,
    } = stat;
    let owner = match ephemeral_owner.0 {
        0 => String::new(),
        owner => format!(" owner {owner}"),
    };
    format!(
        "c{} m{} p{} t{}/{} v{version} cv{cversion} av{aversion} len{data_length} kids{num_children}{owner}",
        czxid.0, mzxid.0, pzxid.0, ctime.0, mtime.0
    )
}

fn data_text(data: Option<&[u8]>) -> String {
    data.map_or("null".to_owned(), |data| {
        format!("{:?}", String::from_utf8_lossy(data))
    })
}

fn acl_text(acl: &[crate::protocol::Acl]) -> String {
    let entries: Vec<_> = acl
        .iter()
        .map(|entry| format!("{} {}", entry.permissions.0, entry.id))
        .collect();
    format!("acl [{}]", entries.join(", "))
}

fn record_text(record: &TxnRecord<'_>) -> String {
    match record {
        TxnRecord::CreateSession { timeout_ms } => format!("session of {timeout_ms}"),
        TxnRecord::CloseSession { paths } => format!("session over, {paths:?}"),
        TxnRecord::Error { code } => format!("{code:?}"),
        TxnRecord::Create(create) => {
            let (path, number) = (&create.path, create.parent_cversion);
            match create.kind {
                CreatedKind::Persistent => format!("create {path} #{number}"),
                CreatedKind::Ephemeral => format!("create ephemeral {path} #{number}"),
                CreatedKind::Container => format!("create container {path} #{number}"),
                CreatedKind::Ttl { ms } => format!("create {path} #{number} for {ms}"),
            }
        }
        TxnRecord::Delete { path } => format!("delete {path}"),
        TxnRecord::DeleteContainer { path } => format!("reap {path}"),
        TxnRecord::SetData { path, version, .. } => format!("set {path} v{version}"),
        TxnRecord::SetAcl { path, version, .. } => format!("set acl {path} v{version}"),
        TxnRecord::Check { path, version } => format!("check {path} v{version}"),
        TxnRecord::Multi(records) => {
            let records: Vec<_> = records.iter().map(record_text).collect();
            format!("[{}]", records.join("; "))
        }
    }
}
