//! Random sequences of inputs, compared after each step with a plain model: a map of paths, a map of sessions, a set of
//! watches. The model has no index, no undo log and no deadline queue, and answers in the same text.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::protocol::{ClientText, Stat};

const TICK_MS: i64 = 1000;
const LOOK_MS: i64 = 7000;
const HASH: &str = "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=";

/// One event. Clients have three places. Each place has one connection at a time.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Open {
        place: usize,
        timeout_ms: i32,
    },
    Resume {
        place: usize,
        session: i64,
        rightful: bool,
    },
    HangUp {
        place: usize,
    },
    Expire {
        session: i64,
    },
    Advance {
        ms: i64,
    },
    Authenticate {
        place: usize,
    },
    Ask {
        place: usize,
        question: Question,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Question {
    Write(Write),
    Multi(Vec<Write>),
    Exists(&'static str, bool),
    Get(&'static str, bool),
    Children(&'static str, bool, bool),
    Count(&'static str),
    Acl(&'static str),
    Ephemerals(&'static str),
    Sync(&'static str),
    Ping,
    AddWatch(&'static str, bool),
    CheckWatches(&'static str, WatcherType),
    RemoveWatches(&'static str, WatcherType),
    SetWatches {
        behind: i64,
        lists: [Vec<&'static str>; 5],
    },
    Malformed(Operation),
    Unknown,
    Close,
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    Create {
        operation: CreateOperation,
        path: &'static str,
        flags: i32,
        ttl_ms: i64,
        data: &'static str,
        acl: AclKind,
    },
    Delete(&'static str, i32),
    Set(&'static str, &'static str, i32),
    /// In a multi it becomes a check.
    SetAcl(&'static str, AclKind, i32),
    /// Outside of a multi it becomes a delete.
    Check(&'static str, i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AclKind {
    Open,
    Readable,
    /// Every permission for `u`, READ for every client.
    Owned,
    /// Every permission for the caller.
    Auth,
    Closed,
    Empty,
}

impl AclKind {
    fn entries(self) -> Vec<AclEntry<'static>> {
        match self {
            Self::Open => vec![entry(31, "world", "anyone")],
            Self::Readable => vec![entry(1, "world", "anyone")],
            Self::Owned => vec![entry(31, "digest", HASH), entry(1, "world", "anyone")],
            Self::Auth => vec![entry(31, "auth", "")],
            Self::Closed => vec![entry(0, "world", "anyone")],
            Self::Empty => vec![],
        }
    }

    /// Returns the permissions of `u`, and those of every client.
    fn permissions(self) -> (i32, i32) {
        match self {
            Self::Open => (0, 31),
            Self::Readable => (0, 1),
            Self::Owned => (31, 1),
            Self::Auth => (31, 0),
            Self::Closed | Self::Empty => (0, 0),
        }
    }

    fn text(self, masked: bool) -> String {
        let user = if masked { "u:x" } else { HASH };
        match self {
            Self::Open => "acl [31 world:anyone]".to_owned(),
            Self::Readable => "acl [1 world:anyone]".to_owned(),
            Self::Owned => format!("acl [31 digest:{user}, 1 world:anyone]"),
            Self::Auth => format!("acl [31 digest:{user}]"),
            Self::Closed => "acl [0 world:anyone]".to_owned(),
            Self::Empty => "acl []".to_owned(),
        }
    }
}

impl Write {
    fn request(&self) -> Request<'static> {
        match self.clone() {
            Self::Create { .. } => Request::Create(self.creation()),
            Self::Delete(path, version) | Self::Check(path, version) => {
                delete(path, version).into()
            }
            Self::Set(path, data, version) => set(path, data, version).into(),
            Self::SetAcl(path, acl, version) => set_acl(path, acl.entries(), version),
        }
    }

    fn operation(&self) -> MultiOp<'static> {
        match self.clone() {
            Self::Create { .. } => MultiOp::Create(self.creation()),
            Self::Delete(path, version) => delete(path, version).into(),
            Self::Set(path, data, version) => set(path, data, version).into(),
            Self::Check(path, version) | Self::SetAcl(path, _, version) => {
                check_version(path, version).into()
            }
        }
    }

    fn creation(&self) -> CreateRequest<'static> {
        let Self::Create {
            operation,
            path,
            flags,
            ttl_ms,
            data,
            acl,
        } = self
        else {
            unreachable!("only a create is one");
        };
        let mut creation = create(path).data(data).acl(acl.entries()).flags(*flags).0;
        creation.operation = *operation;
        creation.ttl_ms = *ttl_ms;
        creation
    }
}

impl Question {
    fn request(&self, last_zxid: i64) -> Request<'static> {
        match self.clone() {
            Self::Write(write) => write.request(),
            Self::Multi(writes) => multi(writes.iter().map(Write::operation).collect::<Vec<_>>()),
            Self::Exists(path, watch) => exists(path, watch),
            Self::Get(path, watch) => get(path, watch),
            Self::Children(path, watch, false) => ls(path, watch),
            Self::Children(path, watch, true) => ls2(path, watch),
            Self::Count(path) => count_below(path),
            Self::Acl(path) => get_acl(path),
            Self::Ephemerals(prefix) => Request::GetEphemerals {
                prefix: text(prefix),
            },
            Self::Sync(path) => sync(path),
            Self::Ping => Request::Ping,
            Self::AddWatch(path, false) => watch_persistently(path),
            Self::AddWatch(path, true) => watch_recursively(path),
            Self::CheckWatches(path, kind) => check_watches(path, kind),
            Self::RemoveWatches(path, kind) => remove_watches(path, kind),
            Self::SetWatches { behind, lists } => {
                let [data, exist, child, persistent, persistent_recursive] =
                    lists.map(|list| Some(list.into_iter().map(text).collect()));
                Request::SetWatches2(SetWatches {
                    relative_zxid: Zxid(last_zxid - behind),
                    data,
                    exist,
                    child,
                    persistent,
                    persistent_recursive,
                })
            }
            Self::Malformed(operation) => Request::Malformed(operation),
            Self::Unknown => Request::Unknown { op_code: 999 },
            Self::Close => Request::CloseSession,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Item {
    data: String,
    czxid: i64,
    mzxid: i64,
    pzxid: i64,
    ctime: i64,
    mtime: i64,
    version: i32,
    aversion: i32,
    creates: i32,
    acl: AclKind,
    owner: Owner,
    /// Whether its flags are those of an ephemeral, which counts in the multi that creates it.
    asked_ephemeral: bool,
    /// Its position among its siblings by time of creation.
    born: u64,
}

#[derive(Clone, Debug)]
struct Client {
    session: Option<i64>,
    closing: bool,
    authenticated: bool,
}

#[derive(Clone, Debug)]
struct Life {
    timeout_ms: i64,
    deadline: i64,
    connection: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Data,
    Child,
    PersistentData,
    PersistentChild,
    Recursive,
}

type Watch = (Kind, String, u64);

/// A change that fires watches: the path, its ACL and its parent's.
struct WatchChange {
    kind: EventType,
    path: String,
    acl: AclKind,
    parent_acl: AclKind,
}

/// A write that was applied: its record, and its result alone and in a multi.
struct Done {
    record: String,
    alone: String,
    within: String,
}

type Refused = &'static str;

struct Model {
    now: i64,
    zxid: i64,
    born: u64,
    next_session: i64,
    next_look: i64,
    items: BTreeMap<String, Item>,
    sessions: BTreeMap<i64, Life>,
    clients: BTreeMap<u64, Client>,
    watches: BTreeSet<Watch>,
    lines: Vec<String>,
}

fn is_valid(path: &str) -> bool {
    path == "/" || path.starts_with('/') && !path.ends_with('/') && !path.contains("//")
}

/// Returns the key of a path. The empty path is the root.
fn key(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// Returns the key of the parent.
fn parent_key(path: &str) -> Option<&str> {
    path.rfind('/').map(|at| key(&path[..at]))
}

fn is_below(path: &str, above: &str) -> bool {
    match above {
        "" => false,
        "/" => path.len() > 1,
        above => path
            .strip_prefix(above)
            .is_some_and(|rest| rest.starts_with('/')),
    }
}

fn expect_version(current: i32, expected: i32) -> Result<i32, Refused> {
    if expected == -1 || expected == current {
        Ok(current.wrapping_add(1))
    } else {
        Err("BadVersion")
    }
}

impl Model {
    fn new() -> Self {
        let item = |acl, aversion, born| Item {
            data: String::new(),
            czxid: 0,
            mzxid: 0,
            pzxid: 0,
            ctime: 0,
            mtime: 0,
            version: 0,
            aversion,
            creates: 0,
            acl,
            owner: Owner::Unowned,
            asked_ephemeral: false,
            born,
        };
        let items = [
            ("/", item(AclKind::Open, 0, 0)),
            ("/zookeeper", item(AclKind::Open, 0, 1)),
            ("/zookeeper/quota", item(AclKind::Open, 0, 2)),
            ("/zookeeper/config", item(AclKind::Readable, -1, 3)),
        ];
        Self {
            now: 0,
            zxid: 0,
            born: 3,
            next_session: 1,
            next_look: LOOK_MS,
            items: items.map(|(path, item)| (path.to_owned(), item)).into(),
            sessions: BTreeMap::new(),
            clients: BTreeMap::new(),
            watches: BTreeSet::new(),
            lines: Vec::new(),
        }
    }

    fn children(&self, path: &str) -> Vec<(&str, &Item)> {
        let mut children: Vec<_> = self
            .items
            .iter()
            .filter(|(child, _)| *child != "/" && parent_key(child) == Some(path))
            .map(|(child, item)| (child.as_str(), item))
            .collect();
        children.sort_by_key(|(_, item)| item.born);
        children
    }

    fn stat(&self, path: &str) -> Option<Stat> {
        let item = self.items.get(path)?;
        let num_children = i32::try_from(self.children(path).len()).expect("few children");
        Some(Stat {
            czxid: Zxid(item.czxid),
            mzxid: Zxid(item.mzxid),
            ctime: Timestamp(item.ctime),
            mtime: Timestamp(item.mtime),
            version: item.version,
            cversion: item.creates * 2 - num_children,
            aversion: item.aversion,
            ephemeral_owner: match item.owner {
                Owner::Session(session) => session,
                Owner::Unowned | Owner::Container | Owner::Ttl { .. } => SessionId(0),
            },
            data_length: i32::try_from(item.data.len()).expect("short data"),
            num_children,
            pzxid: Zxid(item.pzxid),
        })
    }

    fn stat_text(&self, path: &str) -> String {
        stat_text(&self.stat(path).expect("it was looked up before"))
    }

    fn may(&self, client: u64, acl: AclKind, wanted: i32) -> bool {
        let (user, world) = acl.permissions();
        let authenticated = self.clients.get(&client).is_some_and(|it| it.authenticated);
        world & wanted != 0 || authenticated && user & wanted != 0
    }

    fn allow(&self, client: u64, item: &Item, wanted: i32) -> Result<(), Refused> {
        if self.may(client, item.acl, wanted) {
            Ok(())
        } else {
            Err("NoAuth")
        }
    }

    fn check_acl(&self, client: u64, acl: AclKind) -> Result<(), Refused> {
        let authenticated = self.clients.get(&client).is_some_and(|it| it.authenticated);
        match acl {
            AclKind::Empty => Err("InvalidAcl"),
            AclKind::Auth if !authenticated => Err("InvalidAcl"),
            AclKind::Open
            | AclKind::Readable
            | AclKind::Owned
            | AclKind::Auth
            | AclKind::Closed => Ok(()),
        }
    }

    fn emit(&mut self, line: String) {
        self.lines.push(line);
    }

    fn commit(&mut self, session: i64, record: &str) {
        self.emit(format!("txn {} by {session}: {record}", self.zxid));
    }

    fn reply(&mut self, client: u64, xid: i32, text: &str) {
        self.emit(format!("{client} <- xid {xid} zxid {} {text}", self.zxid));
    }

    fn close(&mut self, client: u64, reason: &str) {
        self.forget(client);
        if let Some(client) = self.clients.get_mut(&client) {
            client.closing = true;
        }
        self.emit(format!("{client} closed {reason}"));
    }

    /// Removes the watches of a connection and detaches its session.
    fn forget(&mut self, client: u64) {
        self.watches.retain(|(_, _, watcher)| *watcher != client);
        for life in self.sessions.values_mut() {
            if life.connection == Some(client) {
                life.connection = None;
            }
        }
    }

    fn touch(&mut self, session: i64) {
        let now = self.now;
        if let Some(life) = self.sessions.get_mut(&session) {
            life.deadline = ((now + life.timeout_ms) / TICK_MS + 1) * TICK_MS;
        }
    }

    fn open(&mut self, client: u64, timeout_ms: i32) {
        let session = self.next_session;
        self.next_session += 1;
        self.zxid += 1;
        self.begin(client, Some(session));
        let life = Life {
            timeout_ms: i64::from(timeout_ms),
            deadline: 0,
            connection: Some(client),
        };
        self.sessions.insert(session, life);
        self.touch(session);
        self.commit(session, &format!("session of {timeout_ms}"));
        self.emit(format!(
            "{client} <- connected session {session} timeout {timeout_ms} password right read-only false"
        ));
    }

    fn begin(&mut self, client: u64, session: Option<i64>) {
        let newcomer = Client {
            session,
            closing: false,
            authenticated: false,
        };
        self.clients.insert(client, newcomer);
    }

    fn resume(&mut self, client: u64, session: i64, rightful: bool) {
        if let Some(other) = self.sessions.get(&session).and_then(|life| life.connection) {
            self.close(other, "TakenOver");
        }
        let granted = self.sessions.contains_key(&session) && rightful;
        self.begin(client, granted.then_some(session));
        if granted {
            if let Some(life) = self.sessions.get_mut(&session) {
                life.timeout_ms = 10_000;
                life.connection = Some(client);
            }
            self.touch(session);
            self.emit(format!(
                "{client} <- connected session {session} timeout 10000 password right read-only false"
            ));
        } else {
            self.emit(format!(
                "{client} <- connected session 0 timeout 0 password zeros read-only false"
            ));
            self.close(client, "SessionRefused");
        }
    }

    fn expire(&mut self, session: i64) {
        let Some(life) = self.sessions.get(&session).cloned() else {
            return;
        };
        self.end(session);
        if let Some(connection) = life.connection {
            self.close(connection, "SessionExpired");
        }
    }

    fn end(&mut self, session: i64) {
        self.sessions.remove(&session);
        self.zxid += 1;
        let owner = Owner::Session(SessionId(session));
        let paths: Vec<_> = self
            .items
            .iter()
            .filter(|(_, item)| item.owner == owner)
            .map(|(path, _)| path.clone())
            .collect();
        let news: Vec<_> = paths.iter().map(|path| self.remove(path)).collect();
        self.commit(session, &format!("session over, {paths:?}"));
        self.notify(news);
    }

    fn advance(&mut self, ms: i64) {
        let end = self.now + ms;
        loop {
            let deadlines = self.sessions.iter().map(|(id, life)| (life.deadline, *id));
            let first = deadlines.min().filter(|(at, _)| *at <= end);
            match first {
                Some((at, session)) if at <= self.next_look => {
                    self.now = at;
                    self.expire(session);
                }
                _ if self.next_look <= end => {
                    self.now = self.next_look;
                    self.next_look += LOOK_MS;
                    self.reap();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn reap(&mut self) {
        let mut due: Vec<_> = self
            .items
            .iter()
            .filter(|(path, _)| self.children(path).is_empty())
            .filter_map(|(path, item)| match item.owner {
                Owner::Container if item.creates > 0 => Some((0, path.clone())),
                Owner::Ttl { ms } if self.now - item.mtime > ms => Some((1, path.clone())),
                Owner::Unowned | Owner::Session(_) | Owner::Container | Owner::Ttl { .. } => None,
            })
            .collect();
        due.sort();
        for (_, path) in due {
            self.zxid += 1;
            let news = self.remove(&path);
            self.commit(0, &format!("reap {path}"));
            self.notify(vec![news]);
        }
    }

    fn remove(&mut self, path: &str) -> WatchChange {
        let item = self.items.remove(path).expect("it is there");
        let zxid = self.zxid;
        let parent = parent_key(path).and_then(|parent| self.items.get_mut(parent));
        let parent = parent.expect("it has a parent");
        parent.pzxid = zxid;
        WatchChange {
            kind: EventType::NodeDeleted,
            path: path.to_owned(),
            acl: item.acl,
            parent_acl: parent.acl,
        }
    }

    fn notify(&mut self, news: Vec<WatchChange>) {
        for WatchChange {
            kind,
            path,
            acl,
            parent_acl,
        } in news
        {
            let notified = self.watchers(|watch, at| match watch {
                Kind::Data | Kind::PersistentData => at == path,
                Kind::Recursive => at == path || is_below(&path, at),
                Kind::Child | Kind::PersistentChild => false,
            });
            self.watches
                .retain(|(watch, at, _)| !(*watch == Kind::Data && *at == path));
            self.notify_each(&notified, kind, &path, acl);
            if kind == EventType::NodeDataChanged {
                continue;
            }
            if kind == EventType::NodeDeleted {
                let also = self.take_child_watches(&path);
                self.notify_each(&(&also - &notified), kind, &path, acl);
            }
            let parent = parent_key(&path).unwrap_or_default().to_owned();
            let notified = self.take_child_watches(&parent);
            self.notify_each(
                &notified,
                EventType::NodeChildrenChanged,
                &parent,
                parent_acl,
            );
        }
    }

    fn take_child_watches(&mut self, path: &str) -> BTreeSet<u64> {
        let notified = self.watchers(|watch, at| {
            matches!(watch, Kind::Child | Kind::PersistentChild) && at == path
        });
        self.watches
            .retain(|(watch, at, _)| !(*watch == Kind::Child && at == path));
        notified
    }

    fn watchers(&self, wanted: impl Fn(Kind, &str) -> bool) -> BTreeSet<u64> {
        let wanted = self
            .watches
            .iter()
            .filter(|(kind, at, _)| wanted(*kind, at));
        wanted.map(|(_, _, client)| *client).collect()
    }

    fn notify_each(&mut self, clients: &BTreeSet<u64>, kind: EventType, path: &str, acl: AclKind) {
        for client in clients {
            if self.may(*client, acl, 1) {
                self.emit(format!(
                    "{client} <- event {kind:?} {path} zxid {}",
                    self.zxid
                ));
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other requests are reads, and `read` names them"
    )]
    fn ask(&mut self, client: u64, xid: i32, question: &Question) {
        let Some(asking) = self.clients.get(&client).filter(|asking| !asking.closing) else {
            return;
        };
        let session = asking.session.expect("the client has a session");
        self.touch(session);
        match question {
            Question::Write(write) => {
                self.zxid += 1;
                let mut news = Vec::new();
                match self.write(client, session, write, false, &mut news) {
                    Ok(done) => {
                        self.commit(session, &done.record);
                        self.notify(news);
                        self.reply(client, xid, &done.alone);
                    }
                    Err(code) => {
                        self.commit(session, code);
                        self.reply(client, xid, code);
                    }
                }
            }
            Question::Multi(writes) => self.multi(client, xid, session, writes),
            Question::Malformed(Operation::Multi) => {
                self.zxid += 1;
                self.commit(session, "MarshallingError");
                self.reply(client, xid, "MarshallingError");
            }
            Question::Malformed(_) => self.reply(client, xid, "MarshallingError"),
            Question::Unknown => {
                self.emit(format!("{client} <- xid {xid} zxid -1 Unimplemented"));
                self.close(client, "Unimplemented");
            }
            Question::Close => {
                self.end(session);
                self.reply(client, xid, "ok");
                self.close(client, "SessionClosed");
            }
            Question::Ping => self.reply(client, -2, "ok"),
            question => {
                let answer = self.read(client, session, question);
                self.reply(client, xid, &answer.unwrap_or_else(str::to_owned));
            }
        }
    }

    fn multi(&mut self, client: u64, xid: i32, session: i64, writes: &[Write]) {
        self.zxid += 1;
        let before = (self.items.clone(), self.born);
        let mut news = Vec::new();
        let mut records = Vec::new();
        let mut results = Vec::new();
        let mut failed = None;
        for write in writes {
            if failed.is_some() {
                records.push("RuntimeInconsistency".to_owned());
                results.push("RuntimeInconsistency".to_owned());
                continue;
            }
            match self.write(client, session, write, true, &mut news) {
                Ok(done) => {
                    records.push(done.record);
                    results.push(done.within);
                }
                Err(code) => {
                    failed = Some(results.len());
                    records.push(code.to_owned());
                    results.push(code.to_owned());
                }
            }
        }
        if let Some(at) = failed {
            (self.items, self.born) = before;
            news.clear();
            results[..at].fill("0".to_owned());
        }
        self.commit(session, &format!("[{}]", records.join("; ")));
        self.notify(news);
        self.reply(client, xid, &format!("multi [{}]", results.join("; ")));
    }

    // Longer than 60 lines: one arm for each write.
    fn write(
        &mut self,
        client: u64,
        session: i64,
        write: &Write,
        within: bool,
        news: &mut Vec<WatchChange>,
    ) -> Result<Done, Refused> {
        match write {
            Write::Create { .. } => self.create(client, session, &write.creation(), write, news),
            Write::SetAcl(path, acl, version) if !within => {
                if !is_valid(path) {
                    return Err("BadArguments");
                }
                self.check_acl(client, *acl)?;
                let item = self.items.get(*path).ok_or("NoNode")?;
                self.allow(client, item, 16)?;
                let aversion = expect_version(item.aversion, *version)?;
                if let Some(item) = self.items.get_mut(*path) {
                    item.aversion = aversion;
                    item.acl = *acl;
                }
                let stat = self.stat_text(path);
                Ok(Done {
                    record: format!("set acl {path} v{aversion}"),
                    alone: stat.clone(),
                    within: stat,
                })
            }
            Write::Check(path, version) | Write::SetAcl(path, _, version) if within => {
                let item = self.valid(path)?;
                self.allow(client, item, 1)?;
                let next = expect_version(item.version, *version)?;
                Ok(Done {
                    record: format!("check {path} v{next}"),
                    alone: String::new(),
                    within: "checked".to_owned(),
                })
            }
            Write::Set(path, data, version) => {
                let item = self.valid(path)?;
                self.allow(client, item, 2)?;
                let next = expect_version(item.version, *version)?;
                let (zxid, now) = (self.zxid, self.now);
                let item = self.items.get_mut(*path).expect("it was looked up");
                item.data = (*data).to_owned();
                item.version = next;
                item.mzxid = zxid;
                item.mtime = now;
                news.push(WatchChange {
                    kind: EventType::NodeDataChanged,
                    path: (*path).to_owned(),
                    acl: item.acl,
                    parent_acl: item.acl,
                });
                let stat = self.stat_text(path);
                Ok(Done {
                    record: format!("set {path} v{next}"),
                    alone: stat.clone(),
                    within: stat,
                })
            }
            Write::Delete(path, version)
            | Write::Check(path, version)
            | Write::SetAcl(path, _, version) => {
                if ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"].contains(path) {
                    return Err("BadArguments");
                }
                let parent = parent_key(path).ok_or("BadArguments")?;
                let parent = self.items.get(parent).ok_or("NoNode")?;
                self.allow(client, parent, 8)?;
                let item = self.items.get(*path).ok_or("NoNode")?;
                expect_version(item.version, *version)?;
                if !self.children(path).is_empty() {
                    return Err("NotEmpty");
                }
                news.push(self.remove(path));
                Ok(Done {
                    record: format!("delete {path}"),
                    alone: "ok".to_owned(),
                    within: "deleted".to_owned(),
                })
            }
        }
    }

    fn valid(&self, path: &str) -> Result<&Item, Refused> {
        if !is_valid(path) {
            return Err("BadArguments");
        }
        self.items.get(path).ok_or("NoNode")
    }

    // Longer than 60 lines: the checks of a create in their order.
    fn create(
        &mut self,
        client: u64,
        session: i64,
        request: &CreateRequest<'_>,
        write: &Write,
        news: &mut Vec<WatchChange>,
    ) -> Result<Done, Refused> {
        let Write::Create { acl, data, .. } = write else {
            unreachable!("only a create comes here");
        };
        let CreateRequest {
            operation,
            flags,
            ttl_ms,
            ..
        } = *request;
        let path = request.path.map(ClientText::decode).unwrap_or_default();
        let path = &*path;
        let has_ttl = [5, 6].contains(&flags);
        let fits = if has_ttl {
            ttl_ms > 0
        } else {
            operation != CreateOperation::CreateTtl
        };
        if !(0..=6).contains(&flags) || !fits {
            return Err("BadArguments");
        }
        let parent_path = parent_key(path).ok_or("BadArguments")?;
        self.check_acl(client, *acl)?;
        let parent = self.items.get(parent_path).ok_or("NoNode")?;
        self.allow(client, parent, 4)?;
        let path = if [2, 3, 6].contains(&flags) {
            format!("{path}{:010}", parent.creates)
        } else {
            path.to_owned()
        };
        if !is_valid(&path) {
            return Err("BadArguments");
        }
        if self.items.contains_key(&path) {
            return Err("NodeExists");
        }
        let asked_just_now = parent.asked_ephemeral && parent.czxid == self.zxid;
        if matches!(parent.owner, Owner::Session(_)) || asked_just_now {
            return Err("NoChildrenForEphemerals");
        }
        let (zxid, now) = (self.zxid, self.now);
        let number = parent.creates + 1;
        let parent_acl = parent.acl;
        let (owner, record) = match operation {
            CreateOperation::CreateContainer => (
                Owner::Container,
                format!("create container {path} #{number}"),
            ),
            CreateOperation::CreateTtl => (
                Owner::Ttl { ms: ttl_ms },
                format!("create {path} #{number} for {ttl_ms}"),
            ),
            CreateOperation::Create | CreateOperation::Create2 if [1, 3].contains(&flags) => (
                Owner::Session(SessionId(session)),
                format!("create ephemeral {path} #{number}"),
            ),
            CreateOperation::Create | CreateOperation::Create2 => {
                (Owner::Unowned, format!("create {path} #{number}"))
            }
        };
        if let Some(parent) = self.items.get_mut(parent_path) {
            parent.creates = number;
            parent.pzxid = zxid;
        }
        self.born += 1;
        let item = Item {
            data: (*data).to_owned(),
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: now,
            mtime: now,
            version: 0,
            aversion: 0,
            creates: 0,
            acl: *acl,
            owner,
            asked_ephemeral: [1, 3].contains(&flags),
            born: self.born,
        };
        self.items.insert(path.clone(), item);
        let result = match operation {
            CreateOperation::Create => format!("path {path}"),
            CreateOperation::Create2
            | CreateOperation::CreateContainer
            | CreateOperation::CreateTtl => format!("path {path} {}", self.stat_text(&path)),
        };
        news.push(WatchChange {
            kind: EventType::NodeCreated,
            path,
            acl: *acl,
            parent_acl,
        });
        Ok(Done {
            record,
            alone: result.clone(),
            within: result,
        })
    }

    fn watch(&mut self, wanted: bool, kind: Kind, path: &str, client: u64) {
        if wanted {
            self.watches.insert((kind, path.to_owned(), client));
        }
    }

    fn readable(&self, client: u64, path: &str) -> Result<&Item, Refused> {
        let item = self.items.get(key(path)).ok_or("NoNode")?;
        self.allow(client, item, 1)?;
        Ok(item)
    }

    // Longer than 60 lines: one arm for each read.
    fn read(&mut self, client: u64, session: i64, question: &Question) -> Result<String, Refused> {
        Ok(match question {
            Question::Exists(path, watch) => {
                let found = self.items.get(key(path));
                if let Some(item) = found {
                    self.allow(client, item, 1)?;
                }
                let found = found.is_some();
                self.watch(*watch, Kind::Data, path, client);
                if !found {
                    return Err("NoNode");
                }
                self.stat_text(key(path))
            }
            Question::Get(path, watch) => {
                let data = self.readable(client, path)?.data.clone();
                self.watch(*watch, Kind::Data, path, client);
                format!("{data:?} {}", self.stat_text(key(path)))
            }
            Question::Children(path, watch, with_stat) => {
                self.readable(client, path)?;
                self.watch(*watch, Kind::Child, path, client);
                let names: Vec<_> = self
                    .children(key(path))
                    .into_iter()
                    .map(|(child, _)| child.rsplit('/').next().unwrap_or_default())
                    .collect();
                let stat = if *with_stat {
                    format!(" {}", self.stat_text(key(path)))
                } else {
                    String::new()
                };
                format!("children {names:?}{stat}")
            }
            Question::Count(path) => {
                self.readable(client, path)?;
                let below = self.items.keys().filter(|item| is_below(item, key(path)));
                format!("number {}", below.count() + usize::from(path.is_empty()))
            }
            Question::Acl(path) => {
                let item = self.items.get(key(path)).ok_or("NoNode")?;
                self.allow(client, item, 17)?;
                let masked = !self.may(client, item.acl, 16);
                format!("{} {}", item.acl.text(masked), self.stat_text(key(path)))
            }
            Question::Ephemerals(prefix) => {
                let owner = Owner::Session(SessionId(session));
                let paths: Vec<_> = self
                    .items
                    .iter()
                    .filter(|(path, item)| item.owner == owner && path.starts_with(prefix))
                    .map(|(path, _)| path)
                    .collect();
                format!("paths {paths:?}")
            }
            Question::Sync(path) => format!("path {path}"),
            Question::AddWatch(path, recursive) => {
                self.watch(*recursive, Kind::Recursive, path, client);
                self.watch(!*recursive, Kind::PersistentData, path, client);
                self.watch(!*recursive, Kind::PersistentChild, path, client);
                "watch added".to_owned()
            }
            Question::CheckWatches(path, kind) | Question::RemoveWatches(path, kind) => {
                use Kind::{Child, Data, PersistentChild, PersistentData, Recursive};
                let kinds: &[Kind] = match kind {
                    WatcherType::Children => &[Child],
                    WatcherType::Data => &[Data],
                    WatcherType::Persistent => &[PersistentData, PersistentChild],
                    WatcherType::PersistentRecursive => &[Recursive],
                    WatcherType::Any => &[Child, Data, PersistentChild, PersistentData, Recursive],
                };
                let before = self.watches.len();
                let mut remaining = self.watches.clone();
                remaining.retain(|(watch, at, watcher)| {
                    !(kinds.contains(watch) && at == path && *watcher == client)
                });
                if remaining.len() == before {
                    return Err("NoWatcher");
                }
                if matches!(question, Question::RemoveWatches(..)) {
                    self.watches = remaining;
                }
                "ok".to_owned()
            }
            Question::SetWatches { behind, lists } => {
                let seen = self.zxid - behind;
                let [data, exist, child, persistent, recursive] = lists;
                for path in data {
                    match self.items.get(key(path)) {
                        None => self.catch_up(client, "NodeDeleted", path),
                        Some(item) if item.mzxid > seen => {
                            self.catch_up(client, "NodeDataChanged", path);
                        }
                        Some(_) => self.watch(true, Kind::Data, path, client),
                    }
                }
                for path in exist {
                    if self.items.contains_key(key(path)) {
                        self.catch_up(client, "NodeCreated", path);
                    } else {
                        self.watch(true, Kind::Data, path, client);
                    }
                }
                for path in child {
                    match self.items.get(key(path)) {
                        None => self.catch_up(client, "NodeDeleted", path),
                        Some(item) if item.pzxid > seen => {
                            self.catch_up(client, "NodeChildrenChanged", path);
                        }
                        Some(_) => self.watch(true, Kind::Child, path, client),
                    }
                }
                for path in persistent {
                    self.watch(true, Kind::PersistentData, path, client);
                    self.watch(true, Kind::PersistentChild, path, client);
                }
                for path in recursive {
                    self.watch(true, Kind::Recursive, path, client);
                }
                "ok".to_owned()
            }
            Question::Write(_)
            | Question::Multi(_)
            | Question::Ping
            | Question::Malformed(_)
            | Question::Unknown
            | Question::Close => unreachable!("{question:?} is no read"),
        })
    }

    fn catch_up(&mut self, client: u64, event: &str, path: &str) {
        self.emit(format!("{client} <- event {event} {path} zxid -1"));
    }
}

/// Collects every output as text, and the transactions as values.
#[derive(Default)]
struct Record {
    lines: Lines,
    txns: Vec<Txn<'static>>,
}

impl Outputs for Record {
    fn emit(&mut self, output: Output<'_>) {
        if let Output::Committed { txn, digest: _ } = &output {
            self.txns.push((*txn).clone().into_owned());
        }
        self.lines.emit(output);
    }
}

/// A keeper, a second one with the same inputs, a tree with the same transactions, and the model.
pub(super) struct Run {
    pub(super) keeper: Keeper,
    twin: Keeper,
    /// All transactions so far.
    pub(super) txns: Vec<Txn<'static>>,
    tree: Tree,
    model: Model,
    places: [Option<u64>; 3],
    connections: u64,
    xid: i32,
    pub(super) now: Timestamp,
    /// The zxid of the last reply on each connection.
    replied: BTreeMap<u64, i64>,
    lines: Vec<String>,
}

impl Run {
    pub(super) fn new() -> Self {
        let rules = Rules {
            digest: true,
            server_id: 0,
            tick_ms: TICK_MS,
            min_session_timeout_ms: 2000,
            max_session_timeout_ms: 20_000,
            container_check_interval_ms: LOOK_MS,
            container_interval_ms: 0,
            ..Rules::default()
        };
        Self {
            keeper: Keeper::new(rules.clone(), Timestamp(0)),
            twin: Keeper::new(rules, Timestamp(0)),
            txns: Vec::new(),
            tree: Tree::new(DataFormat::default()),
            model: Model::new(),
            places: [None; 3],
            connections: 0,
            xid: 0,
            now: Timestamp(0),
            replied: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    /// Creates a run with some clients and znodes.
    pub(super) fn begun() -> Self {
        let mut run = Self::new();
        for place in 0..3 {
            run.happen(&Event::Open {
                place,
                timeout_ms: 10_000,
            });
        }
        for path in ["/a", "/a/x", "/a/y"] {
            let write = Write::Create {
                operation: CreateOperation::Create,
                path,
                flags: 0,
                ttl_ms: -1,
                data: "",
                acl: AclKind::Open,
            };
            run.happen(&Event::Ask {
                place: 0,
                question: Question::Write(write),
            });
        }
        run
    }

    fn step(&mut self, input: Input<'_>) {
        let (mut record, mut twin) = (Record::default(), Record::default());
        let before = self.keeper.tree().last_zxid().0;
        self.keeper.step(self.now, input, &mut record);
        self.twin.step(self.now, input, &mut twin);
        assert_eq!(record.lines.0, twin.lines.0, "same inputs, same outputs");
        for (zxid, txn) in (before + 1..).zip(&record.txns) {
            assert_eq!(txn.zxid.0, zxid, "zxids are dense");
            self.tree.apply(txn, &mut Changes::default());
        }
        self.lines.extend(record.lines.0);
        self.txns.extend(record.txns);
    }

    fn arrive(&mut self, place: usize, request: &ConnectRequest<'_>) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.leave(place);
        self.places[place] = Some(connection.0);
        let address = IpAddr::from([127, 0, 0, 1]);
        self.step(Input::Accepted {
            connection,
            address,
            member: MemberId::ALONE,
        });
        self.step(Input::Connect {
            connection,
            request,
        });
    }

    fn leave(&mut self, place: usize) {
        if let Some(connection) = self.places[place].take() {
            self.step(Input::Disconnected(ConnectionId(connection)));
            self.model.forget(connection);
            self.model.clients.remove(&connection);
        }
    }

    pub(super) fn happen(&mut self, event: &Event) {
        match event {
            Event::Open { place, timeout_ms } => {
                self.arrive(*place, &asking_for_session(*timeout_ms));
                self.model.open(self.connections, *timeout_ms);
            }
            Event::Resume {
                place,
                session,
                rightful,
            } => {
                let mut request = resuming(*session);
                if !rightful {
                    request.password = None;
                }
                self.arrive(*place, &request);
                self.model.resume(self.connections, *session, *rightful);
            }
            Event::HangUp { place } => self.leave(*place),
            Event::Expire { session } => {
                self.step(Input::ExpireSession(SessionId(*session)));
                self.model.expire(*session);
            }
            Event::Advance { ms } => {
                let end = Timestamp(self.now.0 + ms);
                while let Some(due) = self.keeper.next_deadline().filter(|due| *due <= end) {
                    self.now = due;
                    self.step(Input::Tick);
                }
                self.now = end;
                self.model.advance(*ms);
            }
            Event::Authenticate { place } => self.authenticate(*place),
            Event::Ask { place, question } => self.ask(*place, question),
        }
    }

    fn authenticate(&mut self, place: usize) {
        let Some(connection) = self.places[place] else {
            return;
        };
        self.step(Input::Request {
            connection: ConnectionId(connection),
            xid: Xid(-4),
            request: &auth("digest", "u:p"),
        });
        if let Some(client) = self.model.clients.get_mut(&connection)
            && !client.closing
        {
            client.authenticated = true;
            self.model.emit(format!("{connection} <- xid -4 zxid 0 ok"));
        }
    }

    fn ask(&mut self, place: usize, question: &Question) {
        let Some(connection) = self.places[place] else {
            return;
        };
        self.xid += 1;
        let before = self.keeper.tree().clone();
        self.step(Input::Request {
            connection: ConnectionId(connection),
            xid: Xid(self.xid),
            request: &question.request(before.last_zxid().0),
        });
        let failed = |line: &String| line.contains(": [") && line.contains("RuntimeIncons");
        if matches!(question, Question::Multi(_)) && self.lines.iter().any(failed) {
            let mut after = self.keeper.tree().clone();
            after.set_last_zxid(before.last_zxid());
            assert_eq!(after, before, "a failed multi changes nothing");
            assert_eq!(after.data_size(), before.data_size());
        }
        self.model.ask(connection, self.xid, question);
    }

    /// Drops the outputs.
    pub(super) fn forget_outputs(&mut self) {
        self.lines.clear();
        self.model.lines.clear();
    }

    /// Checks everything that must hold after each event.
    fn check(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let expected = std::mem::take(&mut self.model.lines);
        assert_eq!(lines, expected, "outputs");
        self.check_replies(&lines);
        self.check_tree();
        assert!(
            self.tree == *self.keeper.tree(),
            "the sum of the transactions"
        );
        let tree = self.keeper.tree();
        assert_eq!(self.tree.data_size(), tree.data_size(), "the size of it");
        assert_eq!(tree.digest(), Some(tree.computed_digest()), "the digest");
        self.check_watches();
        let sessions: Vec<_> = self.keeper.sessions().sorted();
        let sessions: Vec<_> = sessions
            .iter()
            .map(|(id, session)| (id.0, session.deadline.0, session.connection.map(|it| it.0)))
            .collect();
        let expected = self.model.sessions.iter();
        let expected: Vec<_> = expected
            .map(|(id, life)| (*id, life.deadline, life.connection))
            .collect();
        assert_eq!(sessions, expected, "sessions");
    }

    /// Checks that the zxids of a connection's replies never decrease.
    fn check_replies(&mut self, lines: &[String]) {
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            if let [connection, "<-", "xid", _, "zxid", zxid, ..] = words[..] {
                let connection = connection.parse().expect("a connection");
                let zxid: i64 = zxid.parse().expect("a zxid");
                if zxid > 0 {
                    let last = self.replied.insert(connection, zxid);
                    assert!(
                        last.is_none_or(|last| last <= zxid),
                        "{line} after {last:?}"
                    );
                }
            }
        }
    }

    fn check_tree(&self) {
        let tree = self.keeper.tree();
        assert_eq!(tree.last_zxid().0, self.model.zxid);
        let znodes: BTreeMap<_, _> = tree
            .all()
            .map(|znode| {
                let data = String::from_utf8_lossy(znode.data().unwrap_or_default());
                (
                    znode.path(),
                    (znode.stat(), data.into_owned(), znode.owner()),
                )
            })
            .collect();
        let expected: BTreeMap<_, _> = self
            .model
            .items
            .iter()
            .map(|(path, item)| {
                let stat = self.model.stat(path).expect("it is there");
                (path.as_str(), (stat, item.data.clone(), item.owner))
            })
            .collect();
        assert_eq!(znodes, expected, "znodes");
        let acls = self.model.items.values().map(|item| item.acl);
        let acls: BTreeSet<_> = acls.filter(|acl| *acl != AclKind::Open).collect();
        assert_eq!(
            tree.distinct_acls(),
            acls.len(),
            "ACLs without a znode are dropped"
        );
        for (session, paths) in tree.all_ephemerals() {
            assert!(
                self.keeper.sessions().get(session).is_some(),
                "of a live session"
            );
            for path in paths {
                let owner = tree.get(path).map(Znode::owner);
                assert_eq!(owner, Some(Owner::Session(session)), "{path}");
            }
        }
    }

    fn check_watches(&self) {
        let watches = self.keeper.watches();
        let mut found = BTreeSet::new();
        let tables = [
            (watches.data(), Kind::Data, Kind::PersistentData),
            (watches.child(), Kind::Child, Kind::PersistentChild),
        ];
        for (table, standard, persistent) in tables {
            let sorted = table.sorted();
            assert_eq!(table.pairs(), sorted.len(), "as many as there are");
            for (path, connection, modes) in sorted {
                let up = self.keeper.connection(connection);
                assert!(up.is_some(), "of a connection that is up");
                for (mode, kind) in [
                    (Modes::STANDARD, standard),
                    (Modes::PERSISTENT, persistent),
                    (Modes::PERSISTENT_RECURSIVE, Kind::Recursive),
                ] {
                    if modes.contains(mode) {
                        found.insert((kind, path.to_owned(), connection.0));
                    }
                }
            }
        }
        assert_eq!(found, self.model.watches, "watches");
    }
}

/// Few paths, so that events affect the same znodes.
fn any_path() -> impl Strategy<Value = &'static str> {
    let good = select(vec![
        "/a",
        "/a/x",
        "/a/y",
        "/a/x/deep",
        "/a/s",
        "/a/s0000000002",
        "/b",
    ]);
    let odd = select(vec![
        "/",
        "",
        "bad",
        "/a/",
        "/a//x",
        "/none/x",
        "/zookeeper",
        "/zookeeper/config",
        "/zookeeper/x",
    ]);
    prop_oneof![9 => good, 1 => odd]
}

fn any_version() -> impl Strategy<Value = i32> {
    prop_oneof![6 => Just(-1), 2 => 0..3, 1 => Just(-2)]
}

fn any_acl() -> impl Strategy<Value = AclKind> {
    use AclKind::{Auth, Closed, Empty, Open, Owned, Readable};
    prop_oneof![
        6 => Just(Open),
        1 => select(vec![Readable, Owned, Auth, Closed, Empty]),
    ]
}

fn any_create() -> impl Strategy<Value = Write> {
    use CreateOperation::{Create, Create2, CreateContainer, CreateTtl};
    let kind = prop_oneof![
        8 => (select(vec![Create, Create2]), 0..4, Just(-1)),
        2 => (Just(CreateContainer), select(vec![4, 0, 2]), Just(-1)),
        2 => (Just(CreateTtl), select(vec![5, 6]), select(vec![1_i64, 3000, 9000])),
        1 => (select(vec![Create, Create2, CreateContainer, CreateTtl]), -1..8, -1_i64..2),
    ];
    (kind, any_path(), select(vec!["", "x", "longer"]), any_acl()).prop_map(
        |((operation, flags, ttl_ms), path, data, acl)| Write::Create {
            operation,
            path,
            flags,
            // Only createTTL has a time to live.
            ttl_ms: if operation == CreateTtl { ttl_ms } else { -1 },
            data,
            acl,
        },
    )
}

fn any_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        5 => any_create(),
        3 => (any_path(), any_version()).prop_map(|(path, version)| Write::Delete(path, version)),
        2 => (any_path(), select(vec!["", "y", "longest"]), any_version())
            .prop_map(|(path, data, version)| Write::Set(path, data, version)),
        1 => (any_path(), any_acl(), any_version())
            .prop_map(|(path, acl, version)| Write::SetAcl(path, acl, version)),
        1 => (any_path(), any_version()).prop_map(|(path, version)| Write::Check(path, version)),
    ]
}

fn any_question() -> impl Strategy<Value = Question> {
    let kind = || {
        use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
        select(vec![Any, Children, Data, Persistent, PersistentRecursive])
    };
    let list = || prop::collection::vec(any_path(), 0..3);
    prop_oneof![
        16 => any_write().prop_map(Question::Write),
        6 => prop::collection::vec(any_write(), 0..6).prop_map(Question::Multi),
        4 => (any_path(), any::<bool>()).prop_map(|(path, watch)| Question::Exists(path, watch)),
        5 => (any_path(), prop::bool::weighted(0.7)).prop_map(|(path, watch)| Question::Get(path, watch)),
        6 => (any_path(), prop::bool::weighted(0.7), any::<bool>())
            .prop_map(|(path, watch, stat)| Question::Children(path, watch, stat)),
        1 => any_path().prop_map(Question::Count),
        1 => any_path().prop_map(Question::Acl),
        1 => select(vec!["/a", "/a/s", "/b", "nothing"]).prop_map(Question::Ephemerals),
        1 => any_path().prop_map(Question::Sync),
        1 => Just(Question::Ping),
        2 => (any_path(), any::<bool>())
            .prop_map(|(path, recursive)| Question::AddWatch(path, recursive)),
        1 => (any_path(), kind()).prop_map(|(path, kind)| Question::CheckWatches(path, kind)),
        1 => (any_path(), kind()).prop_map(|(path, kind)| Question::RemoveWatches(path, kind)),
        1 => (0..6_i64, [list(), list(), list(), list(), list()])
            .prop_map(|(behind, lists)| Question::SetWatches { behind, lists }),
        1 => select(vec![Operation::Create, Operation::Multi, Operation::Exists])
            .prop_map(Question::Malformed),
        1 => prop_oneof![1 => Just(Question::Unknown), 2 => Just(Question::Close)],
    ]
}

pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let place = || 0..3_usize;
    prop_oneof![
        2 => (place(), select(vec![2000, 5000, 20_000]))
            .prop_map(|(place, timeout_ms)| Event::Open { place, timeout_ms }),
        1 => (place(), 1..6_i64, prop::bool::weighted(0.8))
            .prop_map(|(place, session, rightful)| Event::Resume { place, session, rightful }),
        1 => place().prop_map(|place| Event::HangUp { place }),
        1 => (1..6_i64).prop_map(|session| Event::Expire { session }),
        2 => prop_oneof![3 => 0..1500_i64, 1 => 0..9000_i64].prop_map(|ms| Event::Advance { ms }),
        1 => place().prop_map(|place| Event::Authenticate { place }),
        30 => (place(), any_question())
            .prop_map(|(place, question)| Event::Ask { place, question }),
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_inputs_matches_a_plain_model(
        events in prop::collection::vec(any_event(), 0..100)
    ) {
        let mut run = Run::begun();
        run.check();
        let mut half = None;
        for (number, event) in events.iter().enumerate() {
            if number == events.len() / 2 {
                // The tree that applied the transactions shares nothing with a snapshot.
                let mut snapshot = run.keeper.snapshot(run.now);
                snapshot.index();
                half = Some((snapshot, run.tree.clone()));
            }
            run.happen(event);
            run.check();
        }
        if let Some((snapshot, tree)) = half {
            assert_eq!(snapshot.tree(), &tree, "a snapshot does not change");
        }
    }
}
