//! `minikeeper ctl` against a server of the binary.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Serving, command, run};

/// A server under the control API.
pub(crate) struct World {
    pub(crate) serving: Serving,
    url: String,
    folder: TempDir,
}

impl World {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let ready = folder.path().join("ready");
        let path = ready.to_str().expect("the path is Unicode");
        let files = folder.path().to_str().expect("the path is Unicode");
        let own = [
            "--listen",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
            "--ready-file",
            path,
            "--control-files",
            files,
        ];
        let serving = Serving::start(&[&own[..], flags].concat(), &[]);
        let ready: Value =
            serde_json::from_slice(&fs::read(&ready).expect("it is ready")).expect("it is JSON");
        let url = ready
            .get("control")
            .and_then(Value::as_str)
            .expect("it has a URL")
            .to_owned();
        Self {
            serving,
            url,
            folder,
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(
            &[&["ctl"], arguments].concat(),
            &[("MINIKEEPER_CONTROL_URL", &self.url)],
        )
    }

    /// Runs a verb that succeeds; returns what it prints.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("it is UTF-8")
    }

    /// Runs a verb with `--json`; returns its answer.
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).expect("it is JSON")
    }

    /// Runs a verb that is refused; returns the line of the error.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        let errors = String::from_utf8(output.stderr).expect("it is UTF-8");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        errors
            .trim_start_matches("minikeeper: ")
            .trim_end()
            .to_owned()
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[test]
fn the_tree_is_written_and_read() {
    let world = World::start(&[]);
    assert!(
        world
            .ok(&["create", "/a/b", "x", "--parents"])
            .starts_with("path: /a/b\n")
    );
    assert_eq!(
        text(&world.json(&["create", "/a/s-", "--sequential"]), "/path"),
        "/a/s-0000000001"
    );
    world.ok(&["set", "/a/b", "y"]);
    assert_eq!(text(&world.json(&["get", "/a/b"]), "/data"), "y");
    assert!(
        world
            .ok(&["ls", "/a"])
            .starts_with("children: b, s-0000000001\n")
    );
    let file = world.folder.path().join("tree.json");
    fs::write(&file, r#"{"/a/b": "y"}"#).expect("it can be written");
    let file = file.to_str().expect("the path is Unicode");
    let differs = world.run(&["diff", file]);
    assert_eq!(differs.status.code(), Some(1), "a difference is a failure");
    assert!(String::from_utf8_lossy(&differs.stdout).contains("/a/s-0000000001"));
    world.ok(&["delete", "/a", "--recursive"]);
    world.ok(&["seed", file]);
    assert!(world.ok(&["diff", file]).contains("equal: yes"));
    assert_eq!(world.ok(&["tree"]), "/a: {}\n/a/b: y\n");
    assert_eq!(
        world.refused(&["get", "/none"]),
        "/none: the znode does not exist"
    );
}

#[test]
fn a_session_expires_and_its_ephemeral_goes() {
    let world = World::start(&[]);
    let created = world.json(&["create", "/leader", "me", "--ephemeral"]);
    let session = text(&created, "/session");
    assert_eq!(text(&world.json(&["get", "/leader"]), "/owner"), session);
    assert!(world.ok(&["sessions"]).contains(session));
    let expired = world.json(&["expire", session]);
    assert_eq!(
        expired.pointer("/effects/deleted"),
        Some(&json!(["/leader"]))
    );
    assert_eq!(world.ok(&["sessions"]), "no sessions\n");
    let again = world.refused(&["expire", session]);
    assert!(
        again.starts_with(&format!("there is no session {session}")),
        "{again}"
    );
}

#[test]
fn what_is_placed_is_listed_and_removed() {
    let world = World::start(&[]);
    world.ok(&["label", "worker"]);
    assert_eq!(
        world.ok(&[
            "fault",
            r#"{"name": "lost", "then": {"fault": "lose_reply"}}"#
        ]),
        "id: f1\n"
    );
    assert_eq!(world.ok(&["hold", r#"{"kind": "reply"}"#]), "id: h1\n");
    assert_eq!(world.ok(&["cut", "worker"]), "id: l1\n");
    assert_eq!(
        world.ok(&[
            "budget",
            r#"{"budget": "total", "matcher": {"kind": "request"}, "at_most": 3}"#
        ]),
        "id: b1\n"
    );
    for (list, id) in [
        ("faults", "f1"),
        ("holds", "h1"),
        ("links", "l1"),
        ("budgets", "b1"),
    ] {
        assert!(world.ok(&[list]).contains(id), "{list}");
    }
    world.ok(&["heal", "l1"]);
    for id in ["h1", "b1"] {
        world.ok(&["remove", id]);
    }
    let never = world.run(&["remove", "f1"]);
    assert_eq!(never.status.code(), Some(1), "the fault never happened");
    assert!(String::from_utf8_lossy(&never.stdout).contains("the fault \"lost\" never happened"));
    assert_eq!(world.ok(&["faults"]), "no faults\n");
    assert!(
        world
            .refused(&["remove", "f1"])
            .starts_with("there is no fault f1")
    );
    assert_eq!(
        world.refused(&["remove", "z9"]),
        "\"z9\" is not an id such as f1 or h2"
    );
}

#[test]
fn a_release_names_a_hold_that_exists_and_a_known_selection() {
    let world = World::start(&[]);
    world.ok(&["hold", r#"{"kind": "watch_event"}"#]);
    assert_eq!(
        world.json(&["release", "h1"]).get("released"),
        Some(&json!([]))
    );
    assert_eq!(
        world.refused(&["release", "h9"]),
        "there is no hold h9; those that exist are h1"
    );
    let unknown = world.refused(&["release", "h1", r#"{"release": "al"}"#]);
    assert!(unknown.ends_with("did you mean all?"), "{unknown}");
    assert_eq!(
        world.refused(&["--server", "nope", "holds"]),
        "there is no server nope; those that exist are main"
    );
    assert_eq!(world.ok(&["remove", "h1"]), "no failures\n");
}

#[test]
fn servers_are_created_and_deleted_with_verification() {
    let world = World::start(&[]);
    let created = world.json(&[
        "create-server",
        r#"{"clock": "manual", "faults": [{"name": "f", "then": {"fault": "drop_before"}}]}"#,
    ]);
    let id = text(&created, "/id").to_owned();
    assert!(
        world
            .ok(&["--server", &id, "advance", "1m"])
            .starts_with("effects:\n")
    );
    assert_eq!(
        world.json(&["--server", &id, "clock"]).get("kind"),
        Some(&json!("manual"))
    );
    let deleted = world.run(&["delete-server", &id]);
    assert_eq!(deleted.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&deleted.stdout).contains("never happened"));
    let refused = world.refused(&["--server", &id, "show"]);
    assert_eq!(
        refused,
        format!("there is no server {id}; those that exist are main")
    );
    assert!(
        world
            .refused(&["advance", "1m"])
            .contains("follows the system clock"),
        "main has the system clock"
    );
    let other = text(&world.json(&["create-server"]), "/id").to_owned();
    assert_eq!(
        world.ok(&["delete-server", "--no-verify", &other]),
        "no failures\n"
    );
}

#[test]
fn the_journal_is_printed_and_followed() {
    let world = World::start(&[]);
    let mut follow = command(
        &["ctl", "journal", "-f", "--since", "0"],
        &[("MINIKEEPER_CONTROL_URL", &world.url)],
    );
    let mut follow = follow.spawn().expect("the binary is built");
    let stdout = follow.stdout.take().expect("it is piped");
    world.ok(&["create", "/a"]);
    let printed = world.ok(&["journal"]);
    let mut first = String::new();
    BufReader::new(stdout)
        .read_line(&mut first)
        .expect("it prints the entry");
    assert_eq!(first, printed);
    follow.kill().and_then(|()| follow.wait()).expect("it runs");
    assert_eq!(
        world
            .json(&["journal", "--matcher", r#"{"kind": "wrote"}"#])
            .get("paths"),
        Some(&json!(["/a"]))
    );
    assert_eq!(world.ok(&["mark"]), "mark: 1\n");
    world.ok(&["clear-journal"]);
    assert_eq!(world.ok(&["journal"]), "");
}

#[test]
fn a_wait_that_times_out_is_a_failure() {
    let world = World::start(&[]);
    let armed = world.json(&[
        "wait",
        r#"{"matcher": {"kind": "wrote", "path": "/a"}, "arm": true}"#,
    ]);
    let wait = text(&armed, "/id");
    world.ok(&["create", "/a"]);
    assert_eq!(text(&world.json(&["collect", wait]), "/outcome"), "matched");
    let wait = r#"{"matcher": {"kind": "wrote", "path": "/b"}, "within_ms": 1}"#;
    let output = world.run(&["wait", wait]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("outcome: timed_out"));
}

#[test]
fn a_server_stops_and_has_copies() {
    let world = World::start(&[]);
    world.ok(&["create", "/a"]);
    world.ok(&["stop"]);
    assert!(world.ok(&["show"]).contains("running: no"));
    world.ok(&["start"]);
    assert!(world.ok(&["show"]).contains("running: yes"));
    let fork = text(&world.json(&["fork"]), "/id").to_owned();
    world.ok(&["--server", &fork, "set", "/a", "x"]);
    assert_eq!(world.json(&["get", "/a"]).get("data"), Some(&json!("")));
    for id in ["p1", "p2"] {
        assert!(world.ok(&["snapshot"]).contains(&format!("id: {id}")));
    }
    assert!(
        world
            .ok(&["diff-snapshots", "p1", "p2"])
            .contains("equal: yes")
    );
    world.ok(&["export", "copy"]);
    assert!(world.folder.path().join("copy/version-2").is_dir());
    assert!(world.ok(&["open-snapshot", "copy"]).contains("id: p3"));
    assert!(world.refused(&["export", "../copy"]).contains(".."));
    world.ok(&["call", "POST", "reset", "{}"]);
    assert_eq!(world.ok(&["tree"]), "tree: none\n");
}

#[test]
fn a_wrong_call_ends_with_one_line() {
    let world = World::start(&["--control-token", "secret"]);
    assert!(world.refused(&["servers"]).contains("token"));
    assert!(
        world
            .refused(&["servers", "--token", "wrong"])
            .contains("token")
    );
    assert!(world.ok(&["servers", "--token", "secret"]).contains("main"));
    let variables = [
        ("MINIKEEPER_CONTROL_URL", world.url.as_str()),
        ("MINIKEEPER_CONTROL_TOKEN", "secret"),
    ];
    assert!(run(&["ctl", "servers"], &variables).status.success());
    let flags = ["--token", "secret"];
    let refused = |verb: &[&str]| world.refused(&[&flags[..], verb].concat());
    assert!(refused(&["fault", "{name: x}"]).starts_with("\"{name: x}\" is not JSON"));
    assert_eq!(
        refused(&["fault", r#"{"nam": "x"}"#]).split("; ").last(),
        Some("did you mean name?")
    );
    assert!(refused(&["call", "GET", "/nothing"]).contains("no route"));
    for (arguments, expected) in [
        (
            &["ctl", "advance", "soon"][..],
            "use a span such as 30s or 2m",
        ),
        (&["ctl", "expir", "0x1"], "did you mean expire?"),
    ] {
        let output = run(arguments, &variables);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors.contains(expected), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
    let output = run(&["ctl"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("Usage: minikeeper ctl [OPTIONS] <COMMAND>")
    );
}

#[test]
fn an_api_that_does_not_answer_is_named() {
    // The port of tcpmux, which nothing serves. Another test could take a free port that this one has released.
    let address = "127.0.0.1:1";
    let output = run(&["ctl", "--control", address, "servers"], &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.starts_with(&format!(
            "minikeeper: cannot reach the control API at http://{address}: "
        )),
        "{errors}"
    );
    assert!(errors.contains("start one with `minikeeper control`, or name it with --control URL"));
    let output = run(&["ctl", "--control", "https://127.0.0.1:1", "servers"], &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not the URL of a control API"));
}

#[cfg(unix)]
#[test]
fn a_ready_file_follows_a_link_and_does_not_replace_it() {
    let folder = tempfile::tempdir().expect("there is a folder");
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "").expect("it is written");
    std::os::unix::fs::symlink(&target, &link).expect("it is made");
    let path = link.to_str().expect("the path is Unicode");
    let any = "127.0.0.1:0";
    let _serving = Serving::start(
        &["--listen", any, "--control", any, "--ready-file", path],
        &[],
    );
    let text = fs::read_to_string(&target).expect("it is there");
    assert!(text.contains("control"), "{text}");
    assert!(link.is_symlink());
    let files = fs::read_dir(folder.path()).expect("it is a folder").count();
    assert_eq!(files, 2, "no temporary file remains");
}
