//! `minikeeper snapshot` and `minikeeper log`, by what they print of a small folder.

mod diff;
mod export;
mod hostile;
mod log;
mod show;
mod summary;
mod verify;

use std::path::Path;

use minikeeper::{Server, protocol::Timestamp, state::Znode, tree};

use crate::binary::run;
use crate::client::Client;

/// A data folder with some of everything, to the last zxid and time the same each time it is made.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        let server = folder.serve();
        let mut client = Client::connect(server.addr());
        client.create("/app/me", b"worker", true);
        client.set("/app/db", b"v2").expect("it can be written");
        client.set("/none", b"").expect_err("there is none");
        client.multi_create_and_delete("/app/new", "/app/old");
        drop(client);
        drop(server);
        folder
    }

    /// A server on it, whose time stands still.
    fn serve(&self) -> Server {
        let secret: minikeeper::protocol::Acl =
            "digest:user:hash:cdrwa".parse().expect("it is an ACL");
        Server::builder()
            .manual_clock()
            .start_time(Timestamp(1_700_000_000_000))
            .data_dir(self.path())
            .seed(tree! {
                "/app" => ("x", { "db" => "v1", "old" => "" }),
                "/icon" => &[0_u8, 1, 0xfe][..],
                "/lease" => Znode::new("mine").ttl(std::time::Duration::from_secs(60)),
                "/locks" => Znode::new("").container(),
                "/null" => Znode::null(),
                "/secret" => Znode::new("pst").acl([secret]),
            })
            .start()
            .expect("the folder is in order")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn text(&self) -> &str {
        self.path().to_str().expect("the path is Unicode")
    }

    /// A file in its `version-2`.
    fn file(&self, name: &str) -> String {
        format!("{}/version-2/{name}", self.text())
    }
}

/// Returns the output of a tool, and checks its exit code.
fn output(arguments: &[&str], code: i32) -> String {
    let output = run(arguments, &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert_eq!(stderr, "", "{arguments:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// The one line in which a tool refuses, after what it prints.
fn refused(arguments: &[&str], code: i32) -> (String, String) {
    let output = run(arguments, &[]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let line = stderr
        .strip_prefix("minikeeper: ")
        .expect("it says who speaks");
    let printed = String::from_utf8(output.stdout).expect("it is text");
    (String::from(line.trim_end()), printed)
}

#[test]
fn a_filter_without_a_match_is_warned_about() {
    let folder = Folder::new();
    for arguments in [
        &["snapshot", "show", "--path", "/nowhere"],
        &["log", "show", "--path", "/nowhere"],
        &["log", "show", "--session", "0"],
        &["log", "show", "--from", "2030-01-01"],
        &["log", "show", "--to", "2023-11-14T00:00:00Z"],
    ] {
        let arguments = [arguments, &[folder.text()][..]].concat();
        let ran = run(&arguments, &[]);
        assert!(ran.status.success());
        let printed = String::from_utf8_lossy(&ran.stderr);
        assert!(printed.contains(" matches the filters"), "{printed}");
        assert!(!String::from_utf8_lossy(&ran.stdout).contains("/app"));
    }
}
