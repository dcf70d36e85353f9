//! State as a value: snapshots, forks, trees in text and in expressions, seeds.

use std::time::Duration;

use minikeeper::{
    ErrorCode, Matcher, Server, Snapshot, StartError, Tree,
    protocol::{Acl, Zxid},
    state::{TreeError, Znode},
    tree,
};
use proptest::prelude::*;

use crate::client::{
    CONTAINER, Client, EPHEMERAL, PERSISTENT, PERSISTENT_WITH_TTL, TIMEOUT, create, op,
};

fn start() -> Server {
    Server::start().expect("a server starts")
}

fn manual() -> Server {
    let server = Server::builder().manual_clock().start();
    server.expect("a server starts")
}

fn seeded(tree: Tree) -> Server {
    let server = Server::builder().seed(tree).start();
    server.expect("a server starts")
}

fn acl(text: &str) -> Acl {
    text.parse().expect("it is the entry of an ACL")
}

fn read(tree: Result<Tree, TreeError>) -> Tree {
    tree.unwrap_or_else(|error| panic!("{error}"))
}

/// A znode of every kind, and more znodes than the recursion limit of a macro.
fn of_every_kind() -> Tree {
    let mut tree = Tree::new();
    let mut put = |path: &str, znode: Znode| tree.insert(path, znode).expect("it can be there");
    put("/", Znode::new("the root"));
    put(
        "/acl",
        Znode::new("v1").acl([acl("world:anyone:r"), acl("digest:me:x\"y=:cdrwa")]),
    );
    put("/acl/none", Znode::new("").acl([]));
    put("/binary", Znode::new(b"\x00\xff\"\\\n'"));
    put("/container", Znode::new("").container());
    put("/empty", Znode::new(""));
    put("/ephemeral", Znode::null().ephemeral());
    put("/named \"so\"/\u{e9}", Znode::new("\u{1f600}"));
    put("/null", Znode::null());
    put(
        "/text",
        Znode::new("a \"quote\", a \\ and\na line\t\u{0}\u{200b}"),
    );
    put(
        "/ttl",
        Znode::null()
            .acl([acl("ip:127.0.0.1:r")])
            .ttl(Duration::from_secs(60)),
    );
    put("/ttl/exact", Znode::new("").ttl(Duration::new(1, 1)));
    put("/ttl/long", Znode::new(b"\xff").ttl(Duration::MAX));
    for number in 0..200 {
        put(
            &format!("/many/{number:03}"),
            Znode::new(number.to_string()),
        );
        put(&format!("/more/{number:03}"), Znode::new("").container());
    }
    tree
}

#[test]
fn a_tree_prints_the_expression_that_makes_it() {
    let compiled = include!("pasted_tree.in");
    assert_eq!(compiled, of_every_kind());
    assert_eq!(format!("{compiled:?}\n"), include_str!("pasted_tree.in"));
    assert_eq!(format!("{:?}", Tree::new()), "tree! {}");
}

#[test]
fn waits_and_guards_print_without_the_server() {
    let server = start();
    for number in 0..100 {
        let path = format!("/{number}");
        server.create(&path, b"data").expect("it is not there");
    }
    let wait = server.wait_for(Matcher::watch_event().path("/7"));
    let text = format!("{wait:?}");
    assert!(
        text.starts_with("WaitFor(Waiting { for: ") && text.contains("/7"),
        "{text}"
    );
    let quiet = server.wait_for_failure();
    let hold = server.hold(Matcher::watch_event());
    for text in [
        text,
        format!("{quiet:?}"),
        format!("{hold:?}"),
        format!("{:?}", hold.wait_for(1)),
    ] {
        assert!(text.len() < 200 && !text.contains("data"), "{text}");
    }
}

fn data<'t>(tree: &'t Tree, path: &str) -> &'t [u8] {
    let znode = tree.get(path).expect("it is there");
    znode.data.as_deref().expect("it holds data")
}

#[test]
fn a_snapshot_does_not_change_with_its_server() {
    let server = start();
    server.create("/config", b"v1").expect("it is created");
    let before = server.snapshot();
    let znode = server.znode("/config");
    server.set("/config", b"v2").expect("it is set");
    server.create("/more", b"").expect("it is created");
    assert_eq!(before.znode("/config"), znode);
    assert_eq!(before.znode("/more"), None);
    assert_eq!(before.zxid(), Zxid(1));
    assert_ne!(server.snapshot(), before);
    server.delete("/config").expect("it is deleted");
    drop(server);
    assert_eq!(before.znode("/config"), znode);
}

#[test]
fn snapshots_of_an_unchanged_server_are_equal() {
    let server = manual();
    server.create("/config", b"v1").expect("it is created");
    let before = server.snapshot();
    server.advance(Duration::from_secs(1));
    let after = server.snapshot();
    assert_eq!(before, after);
    assert_eq!(after.now().since(before.now()), Duration::from_secs(1));
    let client = Client::connect(server.addr());
    assert_ne!(server.snapshot(), before, "a session is part of the state");
    client.close();
    assert_ne!(server.snapshot(), before, "its end has taken a zxid");
}

#[test]
fn forks_do_not_see_each_other() {
    let server = start();
    server.create("/config", b"v1").expect("it is created");
    let (one, other) = (server.fork(), server.fork());
    let (one, other) = (one.expect("it starts"), other.expect("it starts"));
    one.set("/config", b"one").expect("it is set");
    other.delete("/config").expect("it is deleted");
    server.create("/new", b"").expect("it is created");
    assert_eq!(one.dump(), "/config = \"one\" (version 1)\n");
    assert_eq!(other.dump(), "");
    assert_eq!(
        server.dump(),
        "/config = \"v1\" (version 0)\n/new = \"\" (version 0)\n"
    );
    drop(server);
    assert_eq!(one.data("/config").as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_fork_of_many_znodes_is_equal_after_deletes_and_creates() {
    let server = start();
    let path = |number: u32| format!("/{number}");
    for number in 0..2000 {
        server.create(&path(number), b"").expect("it is created");
    }
    let early = server.snapshot();
    for number in (0..2000).step_by(3) {
        server.delete(&path(number)).expect("it is deleted");
    }
    let late = server.snapshot();
    for number in (0..2000).step_by(6) {
        server.create(&path(number), b"").expect("it is created");
    }
    let of_late = late.start().expect("it starts");
    for number in (0..2000).step_by(6) {
        of_late.create(&path(number), b"").expect("it is created");
    }
    // Their znodes were created at other times, so only the rest is equal.
    assert_eq!(of_late.tree(), server.tree());
    assert_eq!(of_late.snapshot().zxid(), server.snapshot().zxid());
    assert_eq!(early.tree().len(), 2000);
    assert_eq!(early.start().expect("it starts").snapshot(), early);
}

#[test]
fn a_fork_continues_zxids_counters_and_time() {
    let server = manual();
    server.create("/queue", b"").expect("it is created");
    let mut client = Client::connect(server.addr());
    client.create("/queue/n-", b"", 2);
    let fork = server.fork().expect("it starts");
    assert_eq!(fork.now(), server.now());
    assert_eq!(fork.snapshot(), server.snapshot());
    let mut client = Client::connect(fork.addr());
    client.create("/queue/n-", b"", 2);
    let children = fork.children("/queue").expect("it is there");
    assert_eq!(children, ["n-0000000000", "n-0000000001"]);
    assert_eq!(fork.snapshot().zxid().0, server.snapshot().zxid().0 + 2);
}

#[test]
fn a_session_continues_independently_in_fork_and_server() {
    let server = manual();
    let mut client = Client::connect(server.addr());
    client.create("/leader", b"me", EPHEMERAL);
    let fork = server.fork().expect("it starts");
    let session = client.session();
    assert_eq!(
        fork.znode("/leader").and_then(|znode| znode.owner()),
        Some(session)
    );
    assert!(!fork.sessions()[0].connected);

    let mut there = Client::resume(fork.addr(), &client.granted).expect("the session is there too");
    assert_eq!(there.data("/leader", false), b"me");
    there.close();
    assert_eq!(fork.data("/leader"), None);
    client.ping();
    assert!(server.data("/leader").is_some());
}

#[test]
fn fork_and_folder_have_the_new_timeout_of_a_resumed_session() {
    let folder = crate::data_dir::Folder::new();
    let server = manual();
    let first = Duration::from_secs(10);
    let client = Client::with_timeout(server.addr(), first);
    let again = Client::resume(server.addr(), &client.granted).expect("the session is there");
    let muted = Client::connect(server.addr());
    server.mute(muted.session());
    let of = |sessions: Vec<minikeeper::inspect::SessionView>| {
        let mut sessions = sessions.into_iter();
        let found = sessions.find(|session| session.id == again.session());
        found.expect("it is there").timeout
    };
    assert_eq!(of(server.sessions()), TIMEOUT);

    let snapshot = server.snapshot();
    assert_eq!(
        of(snapshot.sessions()),
        first,
        "a later timeout goes with its connection"
    );
    let fork = server.fork().expect("it starts");
    assert_eq!(fork.snapshot(), snapshot);
    snapshot.write_to(&folder.0).expect("it is written");
    assert_eq!(Snapshot::open(&folder.0).expect("it is read"), snapshot);
    let copy = Server::open_copy(&folder.0).expect("it starts");
    assert_eq!(copy.snapshot(), snapshot);
}

#[test]
fn a_session_of_a_fork_has_its_whole_timeout_again() {
    let server = manual();
    let mut client = Client::with_timeout(server.addr(), Duration::from_secs(10));
    client.create("/leader", b"me", EPHEMERAL);
    server.mute(client.session());
    server.advance(Duration::from_secs(9));
    let fork = server.fork().expect("it starts");
    assert_eq!(server.advance(Duration::from_secs(5)).deleted, ["/leader"]);
    assert!(fork.advance(Duration::from_secs(9)).expired.is_empty());
    let effects = fork.advance(Duration::from_secs(5));
    assert_eq!(effects.expired, [client.session()]);
    assert_eq!(effects.deleted, ["/leader"]);
}

#[test]
fn a_fork_assigns_no_existing_session_id() {
    let server = manual();
    let clients = [(); 3].map(|()| Client::connect(server.addr()));
    let check = |fork: &Server, expected: usize| {
        let client = Client::connect(fork.addr());
        assert!(
            clients
                .iter()
                .all(|other| other.session() != client.session())
        );
        assert_eq!(fork.sessions().len(), expected);
        fork.snapshot()
    };
    check(&server.fork().expect("it starts"), 4);
    // Through a server with another id and back.
    let numbered = |number, snapshot: Snapshot| {
        let builder = Server::builder().manual_clock().server_id(number);
        builder.snapshot(snapshot).start().expect("it starts")
    };
    let between = numbered(2, server.snapshot());
    let snapshot = check(&between, 4);
    check(&numbered(1, snapshot), 5);
}

#[test]
fn containers_and_ttl_znodes_fall_due_in_a_fork() {
    let server = manual();
    let mut client = Client::connect(server.addr());
    client.ask_ok(op::CREATE_CONTAINER, &create("/c", b"", CONTAINER));
    client.create("/c/x", b"", PERSISTENT);
    server.delete("/c/x").expect("it is deleted");
    let mut ttl = create("/t", b"", PERSISTENT_WITH_TTL);
    ttl.extend(90_000_i64.to_be_bytes());
    client.ask_ok(op::CREATE_TTL, &ttl);
    let fork = server.fork().expect("it starts");
    fork.mute(client.session());
    let minute = Duration::from_secs(60);
    let first = fork.advance(minute + TIMEOUT);
    assert_eq!(first.deleted, ["/c"]);
    assert_eq!(fork.advance(minute).deleted, ["/t"]);
    assert!(server.znode("/c").is_some() && server.znode("/t").is_some());
}

#[test]
fn a_fork_has_no_watches_and_no_connections() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client.exists("/config", true);
    let fork = server.fork().expect("it starts");
    assert!(fork.watches().is_empty());
    fork.create("/config", b"").expect("it is created");
    client.assert_no_bytes();
    assert_eq!(server.watches().len(), 1);
}

#[test]
fn quotas_apply_in_a_fork() {
    let server = Server::builder().enforce_quota(true);
    let seed = tree! {
        "/a" => {},
        "/zookeeper/quota/a" => {
            "zookeeper_limits" => "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2",
            "zookeeper_stats" => "count=1,bytes=0"
        }
    };
    let server = server.seed(seed).start().expect("it starts");
    let fork = server.fork().expect("it starts");
    fork.create("/a/b", b"").expect("it is the second");
    let refused = fork.create("/a/c", b"");
    assert_eq!(refused.expect_err("two are all"), ErrorCode::QuotaExceeded);
    server.create("/a/c", b"").expect("it is the second there");
}

#[test]
fn a_snapshot_starts_a_server_with_other_settings() {
    let server = Server::builder().manual_clock().server_id(3);
    let server = server.start().expect("it starts");
    server.advance(Duration::from_secs(1_000_000));
    server.create("/config", b"v1").expect("it is created");
    let same = server.snapshot().start().expect("it starts");
    assert_eq!(same.config().server_id, 3);
    let other = Server::builder().snapshot(server.snapshot());
    let other = other.start().expect("it starts");
    assert_eq!(other.config().server_id, 1);
    assert!(other.now() >= server.now(), "time does not run backwards");
    let seeded = Server::builder().snapshot(server.snapshot());
    let seeded = seeded.seed(tree! { "/config" => "v2", "/more" => {} });
    let seeded = seeded.start().expect("it starts");
    assert_eq!(
        seeded.znode("/config").map(|znode| znode.stat.version),
        Some(1)
    );
    assert_eq!(seeded.snapshot().zxid(), Zxid(3));
}

#[test]
fn the_fork_of_an_ensemble_is_an_ensemble() {
    let builder = Server::builder().seed(tree! { "/config" => "v1" });
    let ensemble = builder.ensemble(3).expect("it starts");
    let server = ensemble.server();
    let client = Client::connect(ensemble.member(2).addr());
    let fork = server.fork().expect("it starts");
    assert_eq!(fork.ensemble().members().len(), 3);
    assert_eq!(fork.tree(), server.tree());
    assert_eq!(fork.snapshot().zxid(), Zxid(2 << 32), "a new epoch");
    assert_eq!(fork.sessions().len(), 1);
    let member = fork.ensemble().member(1);
    let mut there = Client::resume(member.addr(), &client.granted).expect("it goes on there");
    assert_eq!(there.data("/config", false), b"v1");
    there.set("/config", b"v2");
    assert!(fork.snapshot().zxid() > server.snapshot().zxid());
    assert_eq!(server.data("/config").as_deref(), Some(&b"v1"[..]));
}

#[test]
fn a_stopped_server_can_be_forked() {
    let server = start();
    server.create("/config", b"v1").expect("it is created");
    server.stop();
    let fork = server.fork().expect("it starts");
    assert!(fork.is_running());
    Client::connect(fork.addr()).close();
}

#[test]
fn snapshots_can_be_compared_by_many_threads_at_once() {
    let server = start();
    let (one, other) = (server.snapshot(), server.snapshot());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!((0..1000).all(|_| one == other)));
            scope.spawn(|| assert!((0..1000).all(|_| other == one)));
        }
    });
    assert_eq!(one, one.clone());
}

#[test]
fn the_first_znode_of_a_seed_has_the_zxid_one() {
    let server = seeded(tree! { "/b" => "2", "/a" => { "x" => "1" } });
    let czxid = |path: &str| server.znode(path).map(|znode| znode.stat.czxid);
    assert_eq!(czxid("/a"), Some(Zxid(1)));
    assert_eq!(czxid("/a/x"), Some(Zxid(2)));
    assert_eq!(czxid("/b"), Some(Zxid(3)));
    let _client = Client::connect(server.addr());
    assert_eq!(server.snapshot().zxid(), Zxid(4));
}

#[test]
fn a_seed_has_data_acls_and_kinds() {
    let ttl = Duration::from_millis(1500);
    let tree = tree! {
        "/null" => Znode::null(),
        "/bytes" => [0_u8, 1, 255].as_slice(),
        "/read" => Znode::new("x").acl([acl("world:anyone:r"), acl("ip:10.0.0.0/8:cdrwa")]),
        "/digest" => Znode::new("x").acl([acl("digest:user:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:rw")]),
        "/container" => (Znode::new("").container(), { "child" => "x" }),
        "/ttl" => Znode::new("x").ttl(ttl),
        "/" => "root",
    };
    let server = seeded(tree.clone());
    assert_eq!(server.tree(), tree);
    assert_eq!(server.znode("/ttl").and_then(|znode| znode.ttl), Some(ttl));
    assert!(
        server
            .znode("/container")
            .is_some_and(|znode| znode.container)
    );
    assert_eq!(server.znode("/null").map(|znode| znode.data), Some(None));
    assert_eq!(seeded(server.tree()).tree(), tree);
}

#[test]
fn a_seed_changes_what_differs_and_nothing_else() {
    let server = seeded(tree! { "/a" => ("1", { "b" => "2" }), "/c" => "3" });
    let mut client = Client::connect(server.addr());
    client.exists("/a/b", true);
    client.exists("/c", true);
    let before = server.snapshot();
    let again = tree! { "/a/b" => "2", "/c" => "3" };
    server.seed(&again).expect("it is there already");
    assert_eq!(server.snapshot(), before, "nothing was written");
    let secret = Znode::new("new").acl([acl("world:anyone:ra")]);
    server
        .seed(&tree! { "/a/b" => secret.clone() })
        .expect("it can be written");
    assert_eq!(
        server.tree(),
        tree! { "/a" => ("1", { "b" => secret }), "/c" => "3" }
    );
    assert_eq!(
        client.event(),
        crate::client::Event::Changed("/a/b".to_owned())
    );
}

#[test]
fn a_seed_skips_ephemeral_znodes() {
    let server = seeded(tree! { "/members" => {} });
    let mut client = Client::connect(server.addr());
    client.create("/members/a", b"1", EPHEMERAL);
    let tree = server.tree();
    assert_eq!(
        tree,
        tree! { "/members" => { "a" => Znode::new("1").ephemeral() } }
    );
    assert!(
        tree.to_json()
            .contains(r#""/members/a": {"data":"1","ephemeral":true}"#)
    );
    assert_eq!(seeded(tree).tree(), tree! { "/members" => {} });
}

#[test]
fn the_error_of_a_seed_has_path_and_reason() {
    let start = |tree| {
        let started = Server::builder().extended_types(false).seed(tree).start();
        started.expect_err("it cannot be").to_string()
    };
    assert_eq!(
        start(tree! { "/a" => Znode::new("").ttl(Duration::from_secs(1)) }),
        "cannot write the seed: /a cannot be written: the operation is not known or not switched on"
    );
    let unknown = tree! { "/a" => Znode::new("").acl([acl("sasl:me:r")]) };
    let refused = Server::builder().seed(unknown).start();
    assert!(matches!(refused, Err(StartError::Seed(error)) if error.path == "/a"));
    let server = seeded(tree! { "/a" => {} });
    let refused = server.seed(&tree! { "/a" => Znode::new("").container() });
    assert_eq!(
        refused.expect_err("it is persistent").code,
        ErrorCode::NodeExists
    );
}

#[test]
fn the_tree_macro_nests_and_adds_parents() {
    let name = String::from("/computed");
    let written = tree! {
        "/config" => "v1",
        "/locks" => {},
        name.clone() => vec![1_u8, 2],
        "/app" => ("data", { "b" => "1", "c" => {}, "d/e" => ("2", { "f" => {} }), }),
    };
    let flat = tree! {
        "/app/d/e/f" => "",
        "/app/d/e" => "2",
        "/app/c" => "",
        "/app/b" => "1",
        "/app" => "data",
        "/computed" => b"\x01\x02",
        "/config" => "v1",
        "/locks" => ""
    };
    assert_eq!(written, flat);
    assert_eq!(written.len(), 9);
    assert_eq!(tree! {}, Tree::new());
}

#[test]
fn the_tree_macro_panics_with_the_reason() {
    let check = |make: fn() -> Tree, expected: &str| {
        let panic = std::panic::catch_unwind(make).expect_err("it is wrong");
        let message = panic.downcast_ref::<String>().map(String::as_str);
        assert_eq!(message, Some(expected));
    };
    check(
        || tree! { "config" => "" },
        "\"config\" is not the path of a znode",
    );
    check(|| tree! { "/a" => "", "/a" => {} }, "/a occurs twice");
    check(
        || tree! { "/a" => (Znode::new("").ephemeral(), { "b" => "" }) },
        "/a is ephemeral and cannot have children",
    );
    check(
        || tree! { "/a/b" => "", "/a" => Znode::new("").ephemeral() },
        "/a is ephemeral and cannot have children",
    );
}

#[test]
fn json_is_read_in_every_form_and_written_in_the_shortest() {
    let text = r#"{
      "/z": {"children": {"b": {}, "a": {"data": "x", "children": {"deep/er": null}}}, "data": ""},
      "/bin": {"base64": "AP8="},
      "/ttl": {"ttl_ms": 5, "data": null},
      "/c": {"container": true},
      "/acl": {"acl": ["world:anyone:r", "digest:u:Jq7w=:31"], "data": "é\n"},
      "/text": {"data": "plain", "ephemeral": false}
    }"#;
    let tree = read(Tree::from_json(text));
    assert_eq!(
        tree.to_json(),
        r#"{
  "/acl": {"data":"é\n","acl":["world:anyone:r","digest:u:Jq7w=:cdrwa"]},
  "/bin": {"base64":"AP8="},
  "/c": {"container":true},
  "/text": "plain",
  "/ttl": {"data":null,"ttl_ms":5},
  "/z": {},
  "/z/a": "x",
  "/z/a/deep": {},
  "/z/a/deep/er": null,
  "/z/b": {}
}
"#
    );
    assert_eq!(data(&tree, "/bin"), [0, 255]);
}

#[test]
fn bad_json_is_refused_with_place_and_reason() {
    let check = |text: &str, expected: &str| {
        let error = Tree::from_json(text).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    };
    check("", "1:0: EOF while parsing a value");
    check(
        "[]",
        "1:0: invalid type: sequence, expected an object of znodes by their paths",
    );
    check("{\n  \"/a\" 1}", "2:8: expected `:`");
    check("{\"/a\": \"\"} x", "1:12: trailing characters");
    check("{\"a\": \"\"}", "1:8: \"a\" is not the path of a znode");
    check(
        "{\"/a/\": \"\"}",
        "1:10: \"/a/\" is not the path of a znode",
    );
    check(
        "{\"/a//b\": \"\"}",
        "1:12: \"/a//b\" is not the path of a znode",
    );
    check("{\"\": \"\"}", "1:7: \"\" is not the path of a znode");
    check("{\"/a\": \"\", \"/a\": \"\"}", "1:19: /a occurs twice");
    check(
        "{\"/a/b\": \"\", \"/a\": {\"children\": {\"b\": \"\"}}}",
        "1:40: /a/b occurs twice",
    );
    check(
        "{\"/a\": 8080}",
        "1:11: /a: data are text: put 8080 in quotes",
    );
    check(
        "{\"/a\": true}",
        "1:11: /a: data are text: put true in quotes",
    );
    check(
        "{\"/a\": []}",
        "1:9: /a: expected a text, null or an object, not a list",
    );
    check(
        "{\"/a\": {\"date\": \"\"}}",
        "1:14: /a: unknown field \"date\", expected one of data, base64, acl, container, ttl_ms, ephemeral, children",
    );
    check(
        "{\"/a\": {\"data\": 1}}",
        "1:18: /a: data: expected a text or null, not 1",
    );
    check(
        "{\"/a\": {\"data\": \"\", \"base64\": \"\"}}",
        "1:28: /a: base64 and data exclude each other",
    );
    check(
        "{\"/a\": {\"data\": \"\", \"data\": \"\"}}",
        "1:26: /a: data occurs twice",
    );
    check(
        "{\"/a\": {\"container\": true, \"ttl_ms\": 1}}",
        "1:35: /a: ttl_ms and container exclude each other",
    );
    check(
        "{\"/a\": {\"ttl_ms\": -1}}",
        "1:21: /a: ttl_ms: expected milliseconds, not -1",
    );
    check(
        "{\"/a\": {\"ttl_ms\": 1.5}}",
        "1:22: /a: ttl_ms: expected milliseconds, not 1.5",
    );
    check(
        "{\"/a\": {\"container\": \"yes\"}}",
        "1:27: /a: container: expected true or false, not a text",
    );
    check(
        "{\"/a\": {\"acl\": 1}}",
        "1:17: /a: acl: expected a list of entries, not 1",
    );
    check(
        "{\"/a\": {\"acl\": [\"world\"]}}",
        "1:25: /a: acl: \"world\" is not an ACL entry such as \"world:anyone:r\"",
    );
    check(
        "{\"/a\": {\"acl\": [[{}]]}}",
        "1:22: /a: acl: expected a text for an entry, not a list",
    );
    check(
        "{\"/a\": {\"children\": \"\"}}",
        "1:22: invalid type: string \"\", expected an object of znodes by their paths",
    );
    check(
        "{\"/a\": {\"children\": {\"/b\": \"\"}}}",
        "1:25: /b: a child is named by its path from its parent, without a slash first",
    );
    check(
        "{\"/a\": {\"ephemeral\": true, \"children\": {\"b\": \"\"}}}",
        "1:49: /a is ephemeral and cannot have children",
    );
    let base64 = Tree::from_json("{\"/a\": {\"base64\": \"?\"}}").expect_err("it is none");
    assert!(
        base64.to_string().starts_with("1:22: /a: base64: "),
        "{base64}"
    );
}

#[test]
fn a_file_is_read_by_its_extension_and_named_in_the_error() {
    let check = |file: &str, expected: &str| {
        let error = Tree::from_file(file).expect_err(file);
        assert_eq!(error.to_string(), expected);
    };
    check(
        "/none/seed.json",
        "/none/seed.json: cannot read the file: No such file or directory (os error 2)",
    );
    check(
        "seed",
        "seed: unknown extension: a tree is read from .json, .yaml or .yml",
    );
    check(
        "Cargo.toml",
        "Cargo.toml: unknown extension: a tree is read from .json, .yaml or .yml",
    );
    if cfg!(not(feature = "yaml")) {
        check(
            "seed.yml",
            "seed.yml: minikeeper was built without the feature `yaml`",
        );
    }
}

#[test]
fn a_hostile_text_is_refused_in_bounded_memory() {
    let deep = |times: usize| {
        let open = r#"{"a":{"children":"#.repeat(times);
        format!("{open}{{}}{}", "}}".repeat(times)).replacen("\"a\"", "\"/a\"", 1)
    };
    assert_eq!(Tree::from_json(&deep(50)).map(|tree| tree.len()), Ok(50));
    let refused = |text: &str, expected: &str| {
        let error = Tree::from_json(text).expect_err("it is too much");
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(&deep(100_000), "recursion limit exceeded");
    refused(&"[".repeat(1_000_000), "expected an object");
    refused(
        &format!("{{\"/a\": {{\"acl\": {}", "[".repeat(1_000_000)),
        "recursion limit exceeded",
    );
    refused(
        &format!("{{\"/a\": {{\"data\": {}", "{\"a\":".repeat(1_000_000)),
        "EOF while parsing",
    );
    // A path of a hundred thousand names has as many parents, whose paths add up to five gigabytes.
    let long = "/a".repeat(100_000);
    refused(
        &format!("{{{long:?}: \"\"}}"),
        "the paths of missing parents come to more than 16 MiB",
    );
    let long = "/a".repeat(1000);
    assert_eq!(
        Tree::from_json(&format!("{{{long:?}: \"\"}}")).map(|tree| tree.len()),
        Ok(1000)
    );
}

#[test]
fn a_tree_of_many_znodes_is_read_seeded_and_written() {
    let count = 20_000;
    let mut tree = Tree::new();
    for number in 0..count {
        let path = format!("/many/{number:05}");
        tree.insert(&path, number.to_string())
            .expect("the path is good");
    }
    let copy = read(Tree::from_json(&tree.to_json()));
    assert_eq!(copy.len(), count + 1);
    let server = seeded(copy);
    assert!(server.tree() == tree);
}

fn znodes() -> impl Strategy<Value = Znode> {
    let data = prop_oneof![
        Just(None),
        any::<String>().prop_map(|text| Some(text.into_bytes())),
        any::<Vec<u8>>().prop_map(Some),
        "[ \t\n\r\u{2028}\u{feff}:#'\"~a-c0-9.-]{0,6}".prop_map(|text| Some(text.into_bytes())),
        proptest::sample::select(vec![
            "null", "~", "yes", "1", "0x1f", "1e3", "- a", "a: b", "---", "<<", "*a", "&a"
        ])
        .prop_map(|text| Some(text.as_bytes().to_vec())),
    ];
    let entry = prop_oneof![
        any::<i32>().prop_map(|permissions| format!("world:anyone:{permissions}")),
        "[a-z]{1,5}".prop_map(|user| format!("digest:{user}:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:rw")),
        Just(String::from("ip:10.0.0.0/8:a")),
    ];
    let acl = proptest::collection::btree_set(entry, 0..3);
    (data, acl, 0..4, 1..0xff_ffff_ffff_u64).prop_map(|(data, acl, kind, ttl)| {
        let mut znode = data.map_or_else(Znode::null, Znode::new);
        if !acl.is_empty() {
            znode = znode.acl(acl.iter().map(|entry| self::acl(entry)).collect::<Vec<_>>());
        }
        match kind {
            1 => znode.container(),
            2 => znode.ttl(Duration::from_millis(ttl)),
            _ => znode,
        }
    })
}

fn trees() -> impl Strategy<Value = Tree> {
    let name = prop_oneof!["[a-c]", "[a-c \"'é:#{}~-]{1,3}", Just(String::from("..."))];
    let path =
        proptest::collection::vec(name, 1..4).prop_map(|names| format!("/{}", names.join("/")));
    proptest::collection::vec((path, znodes()), 0..12).prop_map(|znodes| {
        let mut tree = Tree::new();
        for (path, znode) in znodes {
            tree.insert(&path, znode).expect("the path is good");
        }
        tree
    })
}

#[test]
fn acls_that_only_a_folder_can_have_survive_every_round_trip() {
    let odd = |scheme: &str, id: &str, permissions: i32| Acl {
        permissions: minikeeper::protocol::Permissions(permissions),
        id: minikeeper::protocol::AuthId::new(scheme, id),
    };
    let tree = tree! {
        "/none" => Znode::new("").acl([]),
        "/odd" => Znode::null().acl([
            odd("a:b", "id", -1),
            odd("%3A%", "a:b\u{7}\n", 32),
            odd("", "", 0),
            odd("unlisted-acl", "7", 0),
        ]),
    };
    assert_eq!(read(Tree::from_json(&tree.to_json())), tree);
    #[cfg(feature = "yaml")]
    assert_eq!(read(Tree::from_yaml(&tree.to_yaml())), tree);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_tree_is_the_same_after_any_way_round(tree in trees()) {
        let json = tree.to_json();
        prop_assert_eq!(&read(Tree::from_json(&json)), &tree);
        let compact = serde_json::to_string(&tree).expect("it can be written");
        prop_assert_eq!(&read(Tree::from_json(&compact)), &tree);
        #[cfg(feature = "yaml")]
        {
            prop_assert_eq!(&read(Tree::from_yaml(&tree.to_yaml())), &tree);
            prop_assert_eq!(&read(Tree::from_yaml(&json)), &tree);
        }
        let server = seeded(tree.clone());
        prop_assert_eq!(&server.tree(), &tree);
        let fork = server.fork().expect("it starts");
        prop_assert_eq!(fork.snapshot(), server.snapshot());
    }

    #[test]
    fn any_text_is_a_tree_or_refused(text in r#"[\[\]{}":,/a-c0-9 \n-]{0,40}"#) {
        let _ = Tree::from_json(&text);
        #[cfg(feature = "yaml")]
        let _ = Tree::from_yaml(&text);
    }
}

#[cfg(feature = "yaml")]
#[test]
fn yaml_says_the_same_as_json() {
    let text = "
# A comment.
/config: v1
/empty: {}
/null:
/also-null: ~
/quoted: '8080'
/yes: yes
/lines: |
  one
  two
/app:
  data: \"x\\ty\"
  acl: [&reader 'world:anyone:r', 'ip:10.0.0.0/8:cdrwa']
  children:
    db: {base64: AP8=, acl: [*reader]}
    log/level: info
/locks: {container: true}
/lease:
  ttl_ms: 60000
";
    let tree = read(Tree::from_yaml(text));
    let reader = || acl("world:anyone:r");
    let expected = tree! {
        "/config" => "v1",
        "/empty" => {},
        "/null" => Znode::null(),
        "/also-null" => Znode::null(),
        "/quoted" => "8080",
        "/yes" => "yes",
        "/lines" => "one\ntwo\n",
        "/app" => (Znode::new("x\ty").acl([reader(), acl("ip:10.0.0.0/8:cdrwa")]), {
            "db" => Znode::new([0, 255]).acl([reader()]),
            "log/level" => "info",
        }),
        "/locks" => Znode::new("").container(),
        "/lease" => Znode::new("").ttl(Duration::from_secs(60)),
    };
    assert_eq!(tree, expected);
    assert_eq!(
        expected.to_yaml(),
        r#"/also-null: null
/app:
  data: "x\ty"
  acl: ["world:anyone:r","ip:10.0.0.0/8:cdrwa"]
/app/db:
  base64: "AP8="
  acl: ["world:anyone:r"]
/app/log: {}
/app/log/level: "info"
/config: "v1"
/empty: {}
/lease:
  ttl_ms: 60000
/lines: "one\ntwo\n"
/locks:
  container: true
/null: null
/quoted: "8080"
/yes: "yes"
"#
    );
    assert_eq!(read(Tree::from_yaml(&Tree::new().to_yaml())), Tree::new());
}

#[cfg(feature = "yaml")]
#[test]
fn bad_yaml_is_refused_with_place_and_reason() {
    let check = |text: &str, expected: &str| {
        let error = Tree::from_yaml(text).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    };
    assert_eq!(Tree::from_yaml(""), Ok(Tree::new()));
    check("- a", "1:1: expected mapping start");
    check("/a: 'x", "1:5: unclosed quote");
    check("/a: 8080", "1:5: /a: data are text: put 8080 in quotes");
    check("/a: true", "1:5: /a: data are text: put true in quotes");
    check("/a:\n  data: x\n  data: y", "2:3: /a: data occurs twice");
    check("/a: [", "1:5: unclosed bracket '['");
    check("/a: 1.50", "1:5: /a: data are text: put 1.5 in quotes");
    check("/a: ''\n/a: ''", "2:5: /a occurs twice");
    check(
        "/a: ''\n/b: &x [*x]",
        "2:9: recursive references require weak recursion types",
    );
    check(
        "/a:\n  date: x",
        "2:3: /a: unknown field \"date\", expected one of data, base64, acl, container, ttl_ms, ephemeral, children",
    );
    check(
        "/a: ''\n---\n/b: ''",
        "3:1: expected one document, not several",
    );
    check(
        "/a: &x {children: {a: x}}\n/b:\n  <<: *x",
        "3:3: YAML merge keys are not allowed by configured policy",
    );
}

#[cfg(feature = "yaml")]
#[test]
fn a_hostile_yaml_is_refused_in_bounded_memory() {
    for text in [
        "[".repeat(1_000_000),
        "{a: ".repeat(100_000),
        format!("/a: {}", "{children: {a: ".repeat(10_000)),
        format!("/a: {}", "- ".repeat(100_000)),
        format!("/a: {{acl: [&a x{}]}}", ", *a".repeat(10_000)),
    ] {
        let error = Tree::from_yaml(&text).expect_err("it is too much");
        assert!(error.to_string().len() < 1000);
    }
}

#[test]
fn a_failed_assertion_about_a_tree_shows_the_differences() {
    let server = Server::start().unwrap();
    server.create_all("/app/config", b"v2").unwrap();
    server.create("/raw", b"\xff").unwrap();
    let expected = tree! {
        "/app" => { "config" => "v1", "log" => "info" },
        "/raw" => Znode::null(),
    };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        server.assert_tree(&expected);
    }));
    let message = *panicked.unwrap_err().downcast::<String>().unwrap();
    let diff = r#"the tree differs from the expected one (- expected, + actual):
~ /app/config: data "v1" -> "v2"
- /app/log: data "info"
~ /raw: data null -> "\xff"
the tree is tree! {
"#;
    assert!(message.starts_with(diff), "{message}");
    server.set("/app/config", b"v1").unwrap();
    server.create("/app/log", b"info").unwrap();
    server.delete("/raw").unwrap();
    let mut expected = expected;
    expected.insert("/raw", "").unwrap();
    assert_eq!(server.tree().diff(&expected).to_string(), "+ /raw\n");
    let lease = Znode::new("").acl(["world:anyone:r".parse().unwrap()]);
    expected
        .insert("/raw", lease.ttl(Duration::from_secs(60)))
        .unwrap();
    server.create("/raw", b"").unwrap();
    assert_eq!(
        server.tree().diff(&expected).to_string(),
        "~ /raw: acl open -> [\"world:anyone:r\"], ttl_ms none -> 60000\n"
    );
}

#[test]
fn snapshots_differ_by_stats_and_sessions() {
    let server = Server::builder().manual_clock().start().unwrap();
    server.create("/a", b"").unwrap();
    let before = server.snapshot();
    before.assert_eq(&before.clone());
    let session = server.create_ephemeral("/b", b"").unwrap();
    let after = server.snapshot();
    let diff = before.diff(&after).to_string();
    let lines: Vec<&str> = diff.lines().collect();
    assert!(
        lines[0].starts_with("~ /: pzxid 0x1 -> 0x3, cversion 0 -> 1"),
        "{diff}"
    );
    assert!(
        lines[1].starts_with("+ /b: data \"\", acl world:anyone:cdrwa, "),
        "{diff}"
    );
    assert_eq!(
        lines[2],
        format!(
            "+ session {}: timeout 2147483.647s, muted false",
            session.id()
        )
    );
    assert_eq!(lines.len(), 3);
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| after.assert_eq(&before)));
    let message = *panicked.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.starts_with("the snapshot of zxid 0x3 differs from the expected one of zxid 0x1")
    );
}
