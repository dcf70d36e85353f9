//! Folders of real servers, read by the binary and by every tool.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use minikeeper::{Snapshot, Tree};

use crate::binary::{Serving, run};
use crate::client::Client;

/// Marshalling error: an operation needs an unknown ACL.
const MARSHALLING: i32 = -5;
const NO_NODE: i32 = -101;

/// A copy of a folder in `tests/folders`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn copy(name: &str) -> Self {
        let copy = tempfile::tempdir().expect("a temporary folder can be made");
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/folders")
            .join(name);
        let to = copy.path().join("version-2");
        fs::create_dir(&to).expect("it can be made");
        for entry in fs::read_dir(from.join("version-2")).expect("there is such a folder") {
            let entry = entry.expect("it can be listed");
            fs::copy(entry.path(), to.join(entry.file_name())).expect("it can be copied");
        }
        Self(copy)
    }

    fn text(&self) -> &str {
        self.0.path().to_str().expect("the path is Unicode")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("version-2").join(name)
    }

    /// A server on it.
    fn serve(&self, arguments: &[&str]) -> Serving {
        let own = ["--listen", "127.0.0.1:0", "--data-dir", self.text()];
        Serving::start(&[&own, arguments].concat(), &[])
    }

    /// Error message of a server that does not start.
    fn refuses(&self, arguments: &[&str]) -> String {
        let own = ["--listen", "127.0.0.1:0", "--data-dir", self.text()];
        printed(&[&own, arguments].concat(), 1).1
    }

    /// Both outputs of each tool that reads the folder, whose exit code is this.
    fn tools(&self, arguments: &[&str], code: i32) -> Vec<(String, String)> {
        let out = tempfile::tempdir().expect("a temporary folder can be made");
        let json = out.path().join("tree.json");
        let json = json.to_str().expect("the path is Unicode");
        let folder = out.path().join("folder");
        let folder = folder.to_str().expect("the path is Unicode");
        let trouble = if code == 0 { 0 } else { 2 };
        let tools: [(&[&str], i32); 5] = [
            (&["snapshot", "show", self.text()], code),
            (&["snapshot", "summary", self.text()], code),
            (&["snapshot", "diff", self.text(), self.text()], trouble),
            (&["snapshot", "export", self.text(), json], code),
            (&["snapshot", "export", self.text(), folder], code),
        ];
        let run = |(tool, code): &(&[&str], i32)| printed(&[tool, arguments].concat(), *code);
        tools.iter().map(run).collect()
    }

    fn verify(&self, arguments: &[&str], code: i32) -> String {
        printed(
            &[&["snapshot", "verify", self.text()], arguments].concat(),
            code,
        )
        .0
    }
}

/// Both outputs of a run to the end.
#[track_caller]
fn printed(arguments: &[&str], code: i32) -> (String, String) {
    let output = run(arguments, &[]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {stdout}{stderr}"
    );
    (stdout, stderr)
}

#[test]
fn an_acl_that_the_snapshot_does_not_list_is_supplied_by_the_log() {
    for name in ["unlisted-acl", "mended-create2", "mended-setacl"] {
        let folder = Folder::copy(name);
        let shown = folder.tools(&[], 0);
        assert!(
            shown[0].0.contains("world:anyone:r"),
            "{name}: {}",
            shown[0].0
        );
        let verified = folder.verify(&[], 0);
        assert!(
            verified.contains("1 znode with an ACL that is not listed"),
            "{verified}"
        );
        let last = verified.lines().last().unwrap_or_default();
        assert!(
            last.contains(": ok: ") && !last.contains("listed"),
            "{name}: {last}"
        );
        for arguments in [
            &["--open-copy"],
            &["--recover", "--data-dir"][..],
            &["--data-dir"],
        ] {
            let arguments = [&["--listen", "127.0.0.1:0"], arguments, &[folder.text()]].concat();
            let server = Serving::start(&arguments, &[]);
            let mut client = Client::connect(server.address());
            assert_eq!(
                client.acl("/x"),
                Ok(vec!["world:anyone:1".to_owned()]),
                "{name}"
            );
            server.end("TERM");
        }
    }
}

#[test]
fn an_acl_that_nothing_supplies_refuses_its_znode_alone_and_outlasts_a_restart() {
    let folder = Folder::copy("unmended");
    for start in 0..3 {
        let server = folder.serve(&[]);
        let mut client = Client::connect(server.address());
        assert_eq!(client.acl("/x"), Err(MARSHALLING));
        assert_eq!(client.exists("/x").map(|stat| stat.owner), Err(MARSHALLING));
        assert_eq!(client.set("/x", b"new"), Err(MARSHALLING));
        assert_eq!(client.delete("/x"), Err(MARSHALLING));
        assert_eq!(
            client.delete("/x/c"),
            Err(MARSHALLING),
            "its parent's ACL is asked"
        );
        assert_eq!(client.get("/x/c").as_deref(), Some(&b""[..]));
        assert_eq!(client.acl("/y"), Ok(vec!["world:anyone:1".to_owned()]));
        client.create(&format!("/start-{start}"), b"", false);
        server.end(if start == 1 { "KILL" } else { "TERM" });
    }
    let shown = folder.tools(&[], 0);
    assert!(shown[0].0.contains("unlisted-acl:7:"), "{}", shown[0].0);
    assert!(
        shown[0]
            .1
            .contains("requests for these znodes fail with MarshallingError"),
        "{}",
        shown[0].1
    );
    let verified = folder.verify(&[], 0);
    let last = verified.lines().last().unwrap_or_default();
    assert!(
        last.contains("1 znode with an ACL that is not listed"),
        "{last}"
    );
}

#[test]
fn an_acl_that_is_used_before_it_is_supplied_is_refused_as_by_a_real_server() {
    for name in ["deleted", "setdata", "child", "ephemeral-closed"] {
        let folder = Folder::copy(name);
        let printed = folder.refuses(&[]);
        assert!(
            printed.contains("Failed to fetch acls for 7") && printed.contains("--recover"),
            "{printed}"
        );
        assert!(
            printed.contains("log.101: transaction 0x101 needs the ACL of /"),
            "{printed}"
        );
        for (_, stderr) in folder.tools(&[], 1) {
            assert!(
                stderr.contains("Failed to fetch acls for 7"),
                "{name}: {stderr}"
            );
        }
        assert!(folder.verify(&[], 1).contains("Failed to fetch acls for 7"));
        folder.tools(&["--recover"], 0);
        let server = folder.serve(&["--recover"]);
        Client::connect(server.address()).create("/goes-on", b"", false);
        server.end("TERM");
        folder.serve(&[]).end("TERM");
    }
}

#[test]
fn a_hole_in_the_logs_is_refused_with_what_is_missing_and_the_way_out() {
    for (name, missing, log) in [
        ("hole", "transaction 0x102 is missing", "log.103"),
        ("hole-inside", "transaction 0x103 is missing", "log.101"),
        (
            "hole-first",
            "transactions 0x101 to 0x102 are missing",
            "log.103",
        ),
    ] {
        let folder = Folder::copy(name);
        let expected = format!("version-2/{log}: {missing} before offset ");
        let printed = folder.refuses(&[]);
        assert!(
            printed.contains(&expected) && printed.contains("--recover"),
            "{printed}"
        );
        for (_, stderr) in folder.tools(&[], 1) {
            assert!(stderr.contains(&expected), "{name}: {stderr}");
        }
        let verified = folder.verify(&[], 1);
        assert!(verified.contains(&expected), "{verified}");
        let own = ["--listen", "127.0.0.1:0", "--open-copy", folder.text()];
        assert!(self::printed(&own, 1).1.contains(&expected));
    }
}

#[test]
fn recover_cuts_at_a_hole_and_saves_what_is_behind_it() {
    let folder = Folder::copy("hole");
    folder.tools(&["--recover"], 0);
    assert!(folder.file("log.103").exists(), "a tool changes nothing");
    let server = folder.serve(&["--recover"]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.get("/y").as_deref(), Some(&b"1"[..]));
    client.create("/later", b"", false);
    server.end("KILL");
    assert!(folder.file("damaged-log.103").exists() && !folder.file("log.103").exists());
    folder.verify(&[], 0);
    let server = folder.serve(&[]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.get("/later").as_deref(), Some(&b""[..]));

    let folder = Folder::copy("hole-inside");
    let server = folder.serve(&["--recover"]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.get("/b").as_deref(), Some(&b""[..]));
    assert_eq!(client.exists("/c").map(|stat| stat.owner), Err(NO_NODE));
    assert!(folder.file("damaged-log.101").exists() && folder.file("log.101").exists());
}

#[test]
fn a_new_epoch_is_no_hole() {
    let folder = Folder::copy("hole-epoch");
    folder.verify(&[], 0);
    let server = folder.serve(&[]);
    assert_eq!(
        Client::connect(server.address()).get("/b").as_deref(),
        Some(&b""[..])
    );
}

#[test]
fn ephemerals_of_a_server_with_id_255_stay_as_long_as_their_session() {
    for (name, owner) in [
        ("server-255", 0xff00_0000_0000_0001_u64),
        ("server-255-not-a-ttl", 0xff01_0000_0000_0001),
    ] {
        let folder = Folder::copy(name);
        let cfg = folder.0.path().join("zoo.cfg");
        let lines = format!(
            "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n",
            folder.text()
        );
        fs::write(&cfg, lines).expect("it can be written");
        let cfg = cfg.to_str().expect("the path is Unicode");
        for _ in 0..2 {
            let server = Serving::start(
                &[cfg],
                &[("JVMFLAGS", "-Dznode.container.checkIntervalMs=1")],
            );
            let mut client = Client::connect(server.address());
            // The check of containers has run when several writes were answered, if it takes the znode.
            for _ in 0..50 {
                client
                    .set("/zookeeper/quota", b"")
                    .expect("it can be written");
            }
            let stat = client.exists("/member").expect("it is there");
            assert_eq!(stat.owner.cast_unsigned(), owner);
            server.end("TERM");
        }
        let printed = folder.refuses(&["--extended-types", "true"]);
        let session = format!("session {owner:#x}");
        assert!(
            printed.contains(&session) && printed.contains("--extended-types false"),
            "{printed}"
        );
        let shown = folder.tools(&[], 0);
        assert!(
            shown[0].0.contains(&format!("ephemeral of {session}")),
            "{}",
            shown[0].0
        );
    }
}

#[test]
fn znodes_with_a_time_to_live_go_at_a_start_without_extended_types() {
    let folder = Folder::copy("ttl");
    let shown = folder.tools(&[], 0);
    assert!(shown[0].0.contains("ttl 600000 ms"), "{}", shown[0].0);
    let server = folder.serve(&["--extended-types", "true"]);
    let mut client = Client::connect(server.address());
    let there = |client: &mut Client, path| client.exists(path).map(|stat| stat.owner);
    assert_eq!(
        ["/t", "/t2"].map(|path| there(&mut client, path)),
        [Ok(0), Ok(0)]
    );
    server.end("TERM");
    for _ in 0..2 {
        let server = folder.serve(&["--extended-types", "false"]);
        let mut client = Client::connect(server.address());
        assert_eq!(
            ["/t", "/t2"].map(|path| there(&mut client, path)),
            [Err(NO_NODE); 2]
        );
        assert!(
            client.exists("/c").is_ok(),
            "a container needs no extended types"
        );
        server.end("KILL");
    }
}

#[test]
fn a_folder_that_is_removed_ends_the_server_at_the_next_write() {
    let folder = Folder::copy("hole-epoch");
    let server = folder.serve(&[]);
    let mut client = Client::connect(server.address());
    client.create("/kept", b"", false);
    fs::remove_dir_all(folder.0.path()).expect("it is removed");
    assert_eq!(client.set_until_it_ends("/kept", 0), 0);
    let (status, printed) = server.ended();
    assert_eq!(status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("was removed, renamed or replaced"),
        "{printed}"
    );
}

#[test]
fn clients_do_not_get_the_last_file_descriptors() {
    let folder = Folder::copy("hole-epoch");
    let cfg = folder.0.path().join("zoo.cfg");
    let lines = format!(
        "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\nsnapCount=10\n",
        folder.text()
    );
    fs::write(&cfg, lines).expect("it can be written");
    let cfg = cfg.to_str().expect("the path is Unicode");
    let server = Serving::start_with_limit("-n 64", &[cfg]);
    let mut client = Client::connect(server.address());
    client.create("/kept", b"", false);
    let connect = |_| TcpStream::connect(server.address()).expect("it listens");
    let idle: Vec<TcpStream> = (0..100).map(connect).collect();
    // Each log and each snapshot needs descriptors of its own.
    for number in 0..100_u8 {
        client.set("/kept", &[number]).expect("it can be written");
    }
    drop(idle);
    let (status, printed) = server.end("TERM");
    assert_eq!(status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("refusing connections") && printed.contains("ulimit -n"),
        "{printed}"
    );
    folder.verify(&[], 0);
}

#[test]
fn a_file_that_no_server_writes_is_refused_despite_valid_checksums() {
    for (name, reason) in [
        (
            "ephemeral-with-child",
            r#"znode "/e" is ephemeral and has children"#,
        ),
        (
            "odd-path",
            r#"znode "/a\u{1}b" has a path that no client may create"#,
        ),
    ] {
        let folder = Folder::copy(name);
        let printed = folder.refuses(&[]);
        assert!(printed.contains(reason), "{printed}");
        for (_, stderr) in folder.tools(&[], 1) {
            assert!(stderr.contains(reason), "{name}: {stderr}");
        }
        assert!(folder.verify(&[], 1).contains(reason));
    }
}

#[test]
fn any_acls_of_a_folder_are_the_same_after_an_export() {
    for name in ["empty-acl", "odd-acls", "unmended", "ttl"] {
        let folder = Folder::copy(name);
        let tree = Snapshot::open(folder.0.path()).expect("it opens").tree();
        let out = tempfile::tempdir().expect("a temporary folder can be made");
        for file in ["tree.json", "tree.yaml"] {
            let file = out.path().join(file);
            let text = file.to_str().expect("the path is Unicode");
            printed(&["snapshot", "export", folder.text(), text], 0);
            assert_eq!(
                Tree::from_file(&file).expect("it is a tree"),
                tree,
                "{name}"
            );
        }
        let again = out.path().join("folder");
        let text = again.to_str().expect("the path is Unicode");
        printed(&["snapshot", "export", folder.text(), text], 0);
        assert_eq!(
            Snapshot::open(&again).expect("it opens").tree(),
            tree,
            "{name}"
        );
    }
}

#[test]
fn a_znode_removed_at_the_start_does_not_replace_a_later_one() {
    for (name, path, then) in [("no-session", "/e", "false"), ("ttl", "/t", "true")] {
        let folder = Folder::copy(name);
        let server = folder.serve(&["--extended-types", "false"]);
        let mut client = Client::connect(server.address());
        client.create(path, b"mine", false);
        server.end("KILL");
        let server = folder.serve(&["--extended-types", then]);
        let mut client = Client::connect(server.address());
        assert_eq!(client.get(path).as_deref(), Some(&b"mine"[..]), "{name}");
        assert_eq!(client.exists(path).map(|stat| stat.owner), Ok(0));
    }
}
