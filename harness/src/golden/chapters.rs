//! The recorded requests. On a new server each step has one possible answer, on every machine: no list of several
//! children, whose order is undefined, and no step that waits for real time.

use crate::client::{Acl, ConnectRequest, CreateKind, Request, op};

/// A recorded file.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// Name of the file.
    pub name: &'static str,
    /// Title of the file.
    pub title: &'static str,
    /// Steps with their comments.
    pub steps: Vec<(&'static str, Step)>,
}

/// A step of the client.
#[derive(Clone, Debug)]
pub enum Step {
    /// Opens a session. A refusal or the end of the connection counts as the answer.
    Connect(ConnectRequest),
    /// Sends a request and reads up to its reply.
    Ask(Request),
    /// Sends a request with this xid and reads up to its reply.
    AskAs(i32, Request),
    /// Sends a request whose reply is followed by the end of the connection.
    LastAsk(Request),
    /// Sends bytes that are answered by the end of the connection.
    LastBytes(Vec<u8>),
}

impl Chapter {
    /// Creates a chapter that begins with a session.
    fn new(name: &'static str, title: &'static str) -> Self {
        Self::bare(name, title).step("connect", Step::Connect(ConnectRequest::new(10_000)))
    }

    fn bare(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            steps: Vec::new(),
        }
    }

    fn step(mut self, comment: &'static str, step: Step) -> Self {
        self.steps.push((comment, step));
        self
    }

    fn ask(self, comment: &'static str, request: Request) -> Self {
        self.step(comment, Step::Ask(request))
    }

    fn last(self, comment: &'static str, request: Request) -> Self {
        self.step(comment, Step::LastAsk(request))
    }

    /// Creates a persistent znode with data `hi`.
    fn given(self, path: &str) -> Self {
        self.ask("given a znode", create(path, 0))
    }

    /// Creates a znode on which the connection has these permissions only.
    fn given_perms(self, path: &str, perms: i32) -> Self {
        self.ask(
            "given a znode with few permissions",
            create_acl(path, vec![world(perms)]),
        )
    }
}

fn world(perms: i32) -> Acl {
    Acl::new(perms, "world", "anyone")
}

fn create(path: &str, flags: i32) -> Request {
    Request::Create {
        kind: CreateKind::Create,
        path: path.into(),
        data: Some(b"hi".to_vec()),
        acl: Acl::open(),
        flags,
    }
}

fn create_acl(path: &str, acl: Vec<Acl>) -> Request {
    Request::Create {
        kind: CreateKind::Create,
        path: path.into(),
        data: Some(b"hi".to_vec()),
        acl,
        flags: 0,
    }
}

fn create2(path: &str, flags: i32) -> Request {
    Request::Create {
        kind: CreateKind::Create2,
        path: path.into(),
        data: Some(b"hi".to_vec()),
        acl: Acl::open(),
        flags,
    }
}

fn container(path: &str, flags: i32) -> Request {
    Request::Create {
        kind: CreateKind::Container,
        path: path.into(),
        data: None,
        acl: Acl::open(),
        flags,
    }
}

fn ttl(path: &str, flags: i32, ttl_ms: i64) -> Request {
    Request::Create {
        kind: CreateKind::Ttl { ttl_ms },
        path: path.into(),
        data: None,
        acl: Acl::open(),
        flags,
    }
}

fn delete(path: &str, version: i32) -> Request {
    Request::Delete {
        path: path.into(),
        version,
    }
}

fn exists(path: &str, watch: bool) -> Request {
    Request::Exists {
        path: path.into(),
        watch,
    }
}

fn get_data(path: &str, watch: bool) -> Request {
    Request::GetData {
        path: path.into(),
        watch,
    }
}

fn set_data(path: &str, data: Option<&[u8]>, version: i32) -> Request {
    Request::SetData {
        path: path.into(),
        data: data.map(<[u8]>::to_vec),
        version,
    }
}

fn get_acl(path: &str) -> Request {
    Request::GetAcl { path: path.into() }
}

fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> Request {
    Request::SetAcl {
        path: path.into(),
        acl,
        version,
    }
}

fn get_children(path: &str, watch: bool) -> Request {
    Request::GetChildren {
        path: path.into(),
        watch,
    }
}

fn get_children2(path: &str, watch: bool) -> Request {
    Request::GetChildren2 {
        path: path.into(),
        watch,
    }
}

fn check(path: &str, version: i32) -> Request {
    Request::Check {
        path: path.into(),
        version,
    }
}

fn auth(scheme: &str, auth: &[u8]) -> Request {
    Request::Auth {
        scheme: scheme.into(),
        auth: auth.to_vec(),
    }
}

fn add_watch(path: &str, mode: i32) -> Request {
    Request::AddWatch {
        path: path.into(),
        mode,
    }
}

fn raw(op: i32, body: &[u8]) -> Request {
    Request::Raw {
        op,
        body: body.to_vec(),
    }
}

/// Returns all files.
#[must_use]
pub fn chapters() -> Vec<Chapter> {
    let mut chapters = connecting();
    chapters.extend(creating());
    chapters.extend(writing());
    chapters.extend(reading());
    chapters.extend(multi());
    chapters.extend(watching());
    chapters.extend(connection_wide());
    chapters.extend(malformed());
    chapters
}

// Longer than 60 lines: a list of recorded steps.
fn connecting() -> Vec<Chapter> {
    let connect =
        |name, title, request| Chapter::bare(name, title).step("connect", Step::Connect(request));
    let new = || ConnectRequest::new(10_000);
    vec![
        connect(
            "connect",
            "A new session; the client sends the read-only byte.",
            new(),
        )
        .ask("the session took zxid 1", exists("/a", false)),
        connect(
            "connect_without_read_only",
            "A client up to 3.3 sends no read-only byte and gets none.",
            ConnectRequest {
                read_only: None,
                ..new()
            },
        ),
        connect(
            "connect_read_only",
            "A client that would take a read-only server.",
            ConnectRequest {
                read_only: Some(true),
                ..new()
            },
        ),
        connect(
            "connect_timeout_too_short",
            "A timeout below two ticks becomes two ticks.",
            ConnectRequest::new(1),
        ),
        connect(
            "connect_timeout_too_long",
            "A timeout above twenty ticks becomes twenty ticks.",
            ConnectRequest::new(1_000_000),
        ),
        connect(
            "connect_null_password",
            "A new session needs no password.",
            ConnectRequest {
                password: None,
                ..new()
            },
        ),
        connect(
            "connect_unknown_session",
            "A session that is not there is refused.",
            ConnectRequest {
                session_id: 0x1234,
                ..new()
            },
        ),
        connect(
            "connect_unknown_session_without_read_only",
            "The refusal has the read-only byte only if the client sent it.",
            ConnectRequest {
                session_id: 0x1234,
                read_only: None,
                ..new()
            },
        ),
        connect(
            "connect_from_the_future",
            "A client that has seen more than the server.",
            ConnectRequest {
                last_zxid_seen: 100,
                ..new()
            },
        ),
        Chapter::new(
            "connect_twice",
            "A second connect request is read as a request header.",
        )
        .last("connect again", raw(0, &[0; 37])),
    ]
}

// Longer than 60 lines: a list of recorded steps.
fn creating() -> Vec<Chapter> {
    vec![
        Chapter::new("create", "create: every mode, and every refusal.")
            .ask("persistent", create("/a", 0))
            .ask(
                "null data",
                Request::Create {
                    kind: CreateKind::Create,
                    path: "/null".into(),
                    data: None,
                    acl: Acl::open(),
                    flags: 0,
                },
            )
            .ask("ephemeral", create("/e", 1))
            .ask("sequential", create("/a/s-", 2))
            .ask("ephemeral sequential", create("/a/es-", 3))
            .ask("sequential, the path ending in a slash", create("/a/", 2))
            .ask("NODEEXISTS", create("/a", 0))
            .ask("NODEEXISTS for the root", create("/", 0))
            .ask("NONODE", create("/none/a", 0))
            .ask("NOCHILDRENFOREPHEMERALS", create("/e/a", 0))
            .ask("BADARGUMENTS: a path without a slash", create("a", 0))
            .ask("BADARGUMENTS: a slash at the end", create("/a/", 0))
            .ask("BADARGUMENTS: a dot", create("/a/.", 0))
            .ask("BADARGUMENTS: unknown flags", create("/b", 7))
            .ask("INVALIDACL: none", create_acl("/b", vec![]))
            .ask(
                "INVALIDACL: unknown scheme",
                create_acl("/b", vec![Acl::new(31, "nope", "x")]),
            )
            .ask("INVALIDACL before NONODE", create_acl("/none/a", vec![]))
            .ask(
                "given a parent without CREATE",
                create_acl("/closed", vec![world(27)]),
            )
            .ask("NOAUTH", create("/closed/a", 0)),
        Chapter::new("create2", "create2 answers with a Stat.")
            .ask("persistent", create2("/a", 0))
            .ask("ephemeral", create2("/e", 1))
            .ask("sequential", create2("/a/s-", 2))
            .ask("ephemeral sequential", create2("/a/es-", 3))
            .ask("NODEEXISTS", create2("/a", 0))
            .ask("NONODE", create2("/none/a", 0))
            .ask("NOCHILDRENFOREPHEMERALS", create2("/e/a", 0))
            .ask("BADARGUMENTS", create2("/a//b/", 9)),
        Chapter::new(
            "create_container",
            "createContainer; the owner is not shown.",
        )
        .ask("a container", container("/c", 4))
        .ask("any flag makes a container", container("/d", 0))
        .ask("a sequential one", container("/c/s-", 2))
        .ask("its stat", exists("/c", false))
        .ask("NODEEXISTS", container("/c", 4))
        .ask("NONODE", container("/none/c", 4)),
        Chapter::new(
            "create_ttl",
            "createTTL, extended types being on; the owner is not shown.",
        )
        .ask("with a TTL", ttl("/t", 5, 60_000))
        .ask("sequential", ttl("/t/s-", 6, 60_000))
        .ask("the longest TTL", ttl("/long", 5, 0xff_ffff_ffff))
        .ask("BADARGUMENTS: a TTL of 0", ttl("/u", 5, 0))
        .ask(
            "BADARGUMENTS: a TTL too long",
            ttl("/u", 5, 0x100_0000_0000),
        )
        .ask("BADARGUMENTS: a TTL without a TTL mode", ttl("/u", 0, 5))
        .ask("BADARGUMENTS: a TTL mode without a TTL", create("/u", 5))
        .ask("NODEEXISTS", ttl("/t", 5, 60_000))
        .ask("NONODE", ttl("/none/t", 5, 60_000)),
    ]
}

fn writing() -> Vec<Chapter> {
    vec![
        Chapter::new("delete", "delete: success and every refusal.")
            .given("/a")
            .given("/a/b")
            .ask("NOTEMPTY", delete("/a", -1))
            .ask("BADVERSION before NOTEMPTY", delete("/a", 3))
            .ask("BADVERSION: only -1 is any", delete("/a/b", -2))
            .ask("with its version", delete("/a/b", 0))
            .ask("with any version", delete("/a", -1))
            .ask("NONODE", delete("/a", -1))
            .ask("NONODE: no parent", delete("/a/b", -1))
            .ask("BADARGUMENTS: the root", delete("/", -1))
            .ask("BADARGUMENTS: /zookeeper", delete("/zookeeper", -1))
            .ask("BADARGUMENTS: no slash", delete("a", -1))
            .given("/p")
            .given("/p/c")
            .ask(
                "given a parent without DELETE",
                set_acl("/p", vec![world(23)], -1),
            )
            .ask("NOAUTH", delete("/p/c", -1))
            .ask("NOAUTH before NONODE", delete("/p/none", -1)),
        Chapter::new("set_data", "setData: success and every refusal.")
            .given("/a")
            .ask("any version", set_data("/a", Some(b"ho"), -1))
            .ask("its version", set_data("/a", Some(b""), 1))
            .ask("null", set_data("/a", None, -1))
            .ask("BADVERSION", set_data("/a", Some(b"x"), 1))
            .ask("NONODE", set_data("/b", Some(b"x"), -1))
            .ask("BADARGUMENTS", set_data("/a/", Some(b"x"), -1))
            .given_perms("/closed", 29)
            .ask("NOAUTH", set_data("/closed", Some(b"x"), -1)),
        Chapter::new("set_acl", "setACL: success and every refusal.")
            .given("/a")
            .ask("any version", set_acl("/a", vec![world(31)], -1))
            .ask(
                "its aversion",
                set_acl("/a", vec![world(31), Acl::new(1, "ip", "127.0.0.1")], 1),
            )
            .ask("BADVERSION", set_acl("/a", vec![world(31)], 1))
            .ask("INVALIDACL: none", set_acl("/a", vec![], -1))
            .ask(
                "INVALIDACL before NONODE",
                set_acl("/b", vec![Acl::new(1, "auth", "")], -1),
            )
            .ask("NONODE", set_acl("/b", Acl::open(), -1))
            .ask("BADARGUMENTS", set_acl("/a/", Acl::open(), -1))
            .given_perms("/closed", 15)
            .ask("NOAUTH", set_acl("/closed", Acl::open(), -1)),
    ]
}

// Longer than 60 lines: a list of recorded steps.
fn reading() -> Vec<Chapter> {
    let number = |path: &str| Request::GetAllChildrenNumber { path: path.into() };
    let ephemerals = |prefix: &str| Request::GetEphemerals {
        prefix: prefix.into(),
    };
    let sync = |path: &str| Request::Sync { path: path.into() };
    vec![
        Chapter::new("exists", "exists: success and every refusal.")
            .ask("the root of a virgin server", exists("/", false))
            .ask("/zookeeper of a virgin server", exists("/zookeeper", false))
            .ask("the empty path is the root", exists("", false))
            .ask("NONODE", exists("/a", false))
            .given("/a")
            .ask("there", exists("/a", false))
            .ask("an ephemeral", create("/e", 1))
            .ask("its owner", exists("/e", false))
            .ask(
                "given one without READ",
                create_acl("/closed", vec![world(30)]),
            )
            .ask("NOAUTH", exists("/closed", false)),
        Chapter::new("get_data", "getData: success and every refusal.")
            .given("/a")
            .ask("data", get_data("/a", false))
            .ask("set to nothing", set_data("/a", Some(b""), -1))
            .ask("empty data", get_data("/a", false))
            .ask("set to null", set_data("/a", None, -1))
            .ask("null data", get_data("/a", false))
            .ask(
                "/zookeeper/config of a virgin server",
                get_data("/zookeeper/config", false),
            )
            .ask("NONODE", get_data("/b", false))
            .ask("NONODE: paths are not checked", get_data("b/", false))
            .ask(
                "given one without READ",
                create_acl("/closed", vec![world(30)]),
            )
            .ask("NOAUTH", get_data("/closed", false)),
        Chapter::new("get_acl", "getACL: success and every refusal.")
            .given("/a")
            .ask("open", get_acl("/a"))
            .ask("of the root", get_acl("/"))
            .ask("of /zookeeper/config", get_acl("/zookeeper/config"))
            .ask(
                "given several entries, one twice",
                create_acl(
                    "/b",
                    vec![
                        world(1),
                        Acl::new(31, "digest", "u:AAAA"),
                        Acl::new(3, "ip", "10.0.0.0/8"),
                        world(1),
                    ],
                ),
            )
            .ask(
                "a digest is masked for those who may not change it",
                get_acl("/b"),
            )
            .ask("NONODE", get_acl("/none"))
            .ask(
                "given one without READ and ADMIN",
                create_acl("/closed", vec![world(14)]),
            )
            .ask("NOAUTH", get_acl("/closed")),
        Chapter::new("get_children", "getChildren: success and every refusal.")
            .ask("of the root of a virgin server", get_children("/", false))
            .given("/a")
            .ask("none", get_children("/a", false))
            .given("/a/b")
            .ask("one", get_children("/a", false))
            .ask("NONODE", get_children("/none", false))
            .ask(
                "given one without READ",
                create_acl("/closed", vec![world(30)]),
            )
            .ask("NOAUTH", get_children("/closed", false)),
        Chapter::new("get_children2", "getChildren2 answers with a Stat.")
            .ask("of the root of a virgin server", get_children2("/", false))
            .given("/a")
            .ask("none", get_children2("/a", false))
            .given("/a/b")
            .ask("one", get_children2("/a", false))
            .ask("a child leaves", delete("/a/b", -1))
            .ask("none again", get_children2("/a", false))
            .ask("NONODE", get_children2("/none", false))
            .ask(
                "given one without READ",
                create_acl("/closed", vec![world(30)]),
            )
            .ask("NOAUTH", get_children2("/closed", false)),
        Chapter::new(
            "get_all_children_number",
            "getAllChildrenNumber counts all below.",
        )
        .ask("of a virgin server", number("/"))
        .given("/a")
        .given("/a/b")
        .given("/a/b/c")
        .ask("below /a", number("/a"))
        .ask("NONODE", number("/none"))
        .ask(
            "given one without READ",
            create_acl("/closed", vec![world(30)]),
        )
        .ask("NOAUTH", number("/closed")),
        Chapter::new("get_ephemerals", "getEphemerals of the own session.")
            .ask("none", ephemerals("/"))
            .given("/a")
            .ask("given an ephemeral", create("/a/e", 1))
            .ask("all", ephemerals("/"))
            .ask("by prefix", ephemerals("/a/"))
            .ask("another prefix", ephemerals("/b")),
        Chapter::new("sync", "sync gives the path back unchecked.")
            .ask("a znode that is there", sync("/"))
            .ask("one that is not", sync("/none"))
            .ask("no path", sync("x//"))
            .ask("null", raw(op::SYNC, &(-1_i32).to_be_bytes())),
    ]
}

// Longer than 60 lines: a list of recorded steps.
fn multi() -> Vec<Chapter> {
    vec![
        Chapter::new("multi", "multi: all or nothing.")
            .given("/a")
            .ask(
                "every operation",
                Request::Multi(vec![
                    check("/a", 0),
                    create("/a/c", 0),
                    create2("/a/s-", 2),
                    container("/a/k", 4),
                    ttl("/a/t", 5, 60_000),
                    set_data("/a", Some(b"ho"), 0),
                    delete("/a/c", 0),
                ]),
            )
            .ask("nothing", Request::Multi(vec![]))
            .ask(
                "the third fails",
                Request::Multi(vec![
                    check("/a", 1),
                    create("/a/x", 0),
                    delete("/none", -1),
                    create("/a/y", 0),
                ]),
            )
            .ask("BADVERSION", Request::Multi(vec![check("/a", 7)]))
            .ask(
                "NODEEXISTS by an operation before",
                Request::Multi(vec![create("/a/x", 0), create("/a/x", 0)]),
            )
            .ask("nothing stayed", exists("/a/x", false))
            .ask(
                "MARSHALLINGERROR: a read",
                Request::Multi(vec![get_data("/a", false)]),
            )
            .ask(
                "MARSHALLINGERROR: setACL",
                Request::Multi(vec![set_acl("/a", Acl::open(), -1)]),
            )
            .ask(
                "MARSHALLINGERROR: unknown flags",
                Request::Multi(vec![create("/b", 9)]),
            )
            .ask("MARSHALLINGERROR: no end", raw(op::MULTI, &[]))
            .ask("which zxids that took", exists("/none", false)),
        Chapter::new("multi_read", "multiRead: each for itself.")
            .given("/a")
            .given("/a/b")
            .ask(
                "both reads",
                Request::MultiRead(vec![get_data("/a", false), get_children("/a", false)]),
            )
            .ask(
                "one fails",
                Request::MultiRead(vec![
                    get_data("/none", false),
                    get_children("/a", false),
                    get_children("/none", false),
                ]),
            )
            .ask("nothing", Request::MultiRead(vec![]))
            .ask(
                "no watch is set",
                Request::MultiRead(vec![get_data("/a", true)]),
            )
            .ask("so nothing fires", set_data("/a", None, -1))
            .ask(
                "MARSHALLINGERROR: a write",
                Request::MultiRead(vec![create("/x", 0)]),
            ),
        Chapter::new("check", "check outside a multi.")
            .given("/a")
            .last("UNIMPLEMENTED", check("/a", 0)),
    ]
}

// Longer than 60 lines: a list of recorded steps.
fn watching() -> Vec<Chapter> {
    let remove = |path: &str, kind| Request::RemoveWatches {
        path: path.into(),
        kind,
    };
    let check_watches = |path: &str, kind| Request::CheckWatches {
        path: path.into(),
        kind,
    };
    let paths = |path: &str| vec![path.to_owned()];
    vec![
        Chapter::new(
            "watch_events",
            "Events of one's own writes, before the reply.",
        )
        .ask("watch what is not there", exists("/a", true))
        .ask("NodeCreated", create("/a", 0))
        .ask("watch data", get_data("/a", true))
        .ask("NodeDataChanged", set_data("/a", Some(b"ho"), -1))
        .ask("once only", set_data("/a", Some(b"ha"), -1))
        .ask("watch children", get_children("/a", true))
        .ask("NodeChildrenChanged by a create", create("/a/b", 0))
        .ask("watch children again", get_children2("/a", true))
        .ask("NodeChildrenChanged by a delete", delete("/a/b", -1))
        .ask("watch data and children", get_data("/a", true))
        .ask("of one znode", get_children("/a", true))
        .ask("one NodeDeleted", delete("/a", -1))
        .ask("a failed getData sets no watch", get_data("/a", true))
        .ask("so nothing fires", create("/a", 0))
        .ask("a data watch", exists("/a", true))
        .ask(
            "a multi fires the first match before its reply",
            Request::Multi(vec![
                set_data("/a", None, -1),
                delete("/a", -1),
                create("/a", 0),
            ]),
        )
        .ask("given an ephemeral", create("/e", 1))
        .ask("watched", exists("/e", true))
        .last("closing fires one's own watches", Request::CloseSession),
        Chapter::new(
            "add_watch",
            "addWatch: persistent and persistent recursive.",
        )
        .ask("persistent, of what is not there", add_watch("/a", 0))
        .ask("NodeCreated", create("/a", 0))
        .ask("NodeDataChanged", set_data("/a", None, -1))
        .ask("NodeChildrenChanged", create("/a/b", 0))
        .ask("nothing of the child", set_data("/a/b", None, -1))
        .ask("recursive", add_watch("/r", 1))
        .ask("NodeCreated", create("/r", 0))
        .ask(
            "NodeCreated of the child, no NodeChildrenChanged",
            create("/r/b", 0),
        )
        .ask("NodeDataChanged of the child", set_data("/r/b", None, -1))
        .ask("NodeDeleted of the child", delete("/r/b", -1))
        .ask("MARSHALLINGERROR: no such mode", add_watch("/a", 2)),
        Chapter::new("check_watches", "checkWatches: is there one.")
            .given("/a")
            .ask("given a data watch", get_data("/a", true))
            .ask("data", check_watches("/a", 2))
            .ask("any", check_watches("/a", 3))
            .ask("NOWATCHER: children", check_watches("/a", 1))
            .ask("NOWATCHER: persistent", check_watches("/a", 4))
            .ask("NOWATCHER: recursive", check_watches("/a", 5))
            .ask("NOWATCHER: another znode", check_watches("/b", 3))
            .ask("MARSHALLINGERROR: no such type", check_watches("/a", 6)),
        Chapter::new("remove_watches", "removeWatches: gone without an event.")
            .given("/a")
            .ask("given a data watch", get_data("/a", true))
            .ask("given a child watch", get_children("/a", true))
            .ask("given a recursive watch", add_watch("/a", 1))
            .ask("data", remove("/a", 2))
            .ask("NOWATCHER: it is gone", remove("/a", 2))
            .ask("recursive", remove("/a", 5))
            .ask("nothing fires", set_data("/a", None, -1))
            .ask("any", remove("/a", 3))
            .ask("NOWATCHER: none is left", remove("/a", 3))
            .ask("MARSHALLINGERROR: no such type", remove("/a", 0)),
        Chapter::new(
            "set_watches",
            "setWatches: what was missed comes at once, with zxid -1.",
        )
        .given("/a")
        .given("/a/b")
        .ask(
            "data changed since",
            Request::SetWatches {
                relative_zxid: 1,
                data: paths("/a"),
                exist: vec![],
                child: vec![],
            },
        )
        .ask(
            "deleted, created, children changed since",
            Request::SetWatches {
                relative_zxid: 1,
                data: paths("/none"),
                exist: paths("/a"),
                child: paths("/a"),
            },
        )
        .ask(
            "nothing missed",
            Request::SetWatches {
                relative_zxid: 100,
                data: paths("/a"),
                exist: paths("/x"),
                child: paths("/a"),
            },
        )
        .ask("so the data watch is set", set_data("/a", None, -1))
        .ask("and the child watch", create("/a/c", 0))
        .ask("and the exist watch", create("/x", 0)),
        Chapter::new("set_watches2", "setWatches2: persistent ones too.")
            .given("/a")
            .ask(
                "one of each",
                Request::SetWatches2 {
                    relative_zxid: 1,
                    data: paths("/a"),
                    exist: vec![],
                    child: vec![],
                    persistent: paths("/a"),
                    recursive: paths("/r"),
                },
            )
            .ask("the persistent one fires", set_data("/a", None, -1))
            .ask("the recursive one fires", create("/r", 0)),
    ]
}

// Longer than 60 lines: a list of recorded steps.
fn connection_wide() -> Vec<Chapter> {
    let reconfig = Request::Reconfig {
        joining: "server.2=localhost:1:2;3".into(),
        leaving: String::new(),
        new_members: String::new(),
        config_id: -1,
    };
    vec![
        Chapter::new(
            "ping",
            "ping: the reply bears xid -2, whatever the request bore.",
        )
        .ask("ping", Request::Ping)
        .step("another xid", Step::AskAs(77, Request::Ping)),
        Chapter::new("xid", "xids are given back and not looked at.")
            .step("zero", Step::AskAs(0, exists("/a", false)))
            .step("negative", Step::AskAs(-5, exists("/a", false)))
            .step("twice the same", Step::AskAs(9, exists("/a", false)))
            .step("a lower one", Step::AskAs(3, exists("/a", false))),
        Chapter::new(
            "auth",
            "auth: digest never fails, and opens what its ACL closes.",
        )
        .ask("digest", auth("digest", b"u:p"))
        .ask(
            "an ACL for those who authenticated",
            create_acl("/mine", vec![Acl::new(31, "auth", "")]),
        )
        .ask("it became a digest", get_acl("/mine"))
        .ask("ip", auth("ip", b""))
        .ask("anything is a digest", auth("digest", b"nocolon"))
        .step(
            "the xid is given back",
            Step::AskAs(5, auth("digest", b"a:b")),
        ),
        Chapter::new("auth_super", "The super user may do everything.")
            .ask(
                "given a closed znode",
                create_acl("/closed", vec![Acl::new(31, "digest", "u:AAAA")]),
            )
            .ask("NOAUTH", get_data("/closed", false))
            .ask("super", auth("digest", b"super:test"))
            .ask("reads it", get_data("/closed", false)),
        Chapter::new(
            "auth_unknown_scheme",
            "auth: an unknown scheme, and the end.",
        )
        .last("AUTHFAILED", auth("nope", b"x")),
        Chapter::new("auth_world", "auth: world cannot be authenticated with.")
            .last("AUTHFAILED", auth("world", b"anyone")),
        Chapter::new("sasl", "sasl: a server that is not configured for it.")
            .ask(
                "an empty token",
                Request::Sasl {
                    token: Some(vec![]),
                },
            )
            .ask("the connection stays", exists("/", false)),
        Chapter::new("who_am_i", "whoAmI: by address.").ask("only by address", Request::WhoAmI),
        Chapter::new("reconfig", "reconfig is off.").ask("RECONFIGDISABLED", reconfig),
        Chapter::new(
            "close_session",
            "closeSession: a reply with a zxid of its own, then the end.",
        )
        .ask("given an ephemeral", create("/e", 1))
        .last("close", Request::CloseSession),
    ]
}

// Longer than 60 lines: a list of recorded steps.
fn malformed() -> Vec<Chapter> {
    let path = |path: &str| {
        let mut bytes = i32::try_from(path.len())
            .unwrap_or(0)
            .to_be_bytes()
            .to_vec();
        bytes.extend_from_slice(path.as_bytes());
        bytes
    };
    let null = (-1_i32).to_be_bytes();
    let spare = [path("/"), vec![0, 1, 2, 3]].concat();
    let over = [path("/"), vec![2]].concat();
    let unknown = |name, op| {
        Chapter::new(
            name,
            "An operation that no client may ask for: refused, and the end.",
        )
        .last("UNIMPLEMENTED", raw(op, &[]))
    };
    let bytes = |name, title, bytes: &[u8]| {
        Chapter::new(name, title).step("nothing but the end", Step::LastBytes(bytes.to_vec()))
    };
    vec![
        Chapter::new(
            "malformed",
            "A body that cannot be read is answered, and the connection stays.",
        )
        .ask("create without a body", raw(op::CREATE, &[]))
        .ask("create2 cut short", raw(op::CREATE2, &path("/a")))
        .ask("a refused body takes no zxid", exists("/none", false))
        .ask("exists without a body", raw(op::EXISTS, &[]))
        .ask(
            "getData with a length too long",
            raw(op::GET_DATA, &[0, 0, 1, 0, 0x2f]),
        )
        .ask(
            "getData with a length below -1",
            raw(op::GET_DATA, &[0xff, 0xff, 0xff, 0xfe, 0]),
        )
        .ask(
            "delete with a null path",
            raw(op::DELETE, &[null, null].concat()),
        )
        .ask(
            "exists with a null path",
            raw(op::EXISTS, &[&null[..], &[0]].concat()),
        )
        .ask(
            "setData with a null path",
            raw(op::SET_DATA, &[null, null, null].concat()),
        )
        .ask("bytes too many do not matter", raw(op::EXISTS, &spare))
        .ask("any byte but 0 is true", raw(op::EXISTS, &over)),
        unknown("unknown_op", 999),
        unknown("unknown_op_0", 0),
        unknown("unknown_op_10", 10),
        unknown("unknown_op_minus_1", -1),
        bytes(
            "frame_negative",
            "A negative length.",
            &[0xff, 0xff, 0xff, 0xff],
        ),
        bytes(
            "frame_too_long",
            "A length above jute.maxbuffer.",
            &[0, 0x10, 0, 0],
        ),
        bytes("frame_empty", "An empty frame.", &[0, 0, 0, 0]),
        bytes(
            "frame_header_cut_short",
            "A frame too short for a header.",
            &[0, 0, 0, 4, 0, 0, 0, 1],
        ),
        Chapter::bare("connect_cut_short", "A connect request that is too short.").step(
            "nothing but the end",
            Step::LastBytes(vec![0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
    ]
}
