//! `minikeeper log show`.

use std::fs;

use super::{Folder, output, refused};
use crate::binary::run;

fn shown(arguments: &[&str]) -> String {
    let folder = Folder::new();
    let shown = output(&[&["log", "show"], arguments, &[folder.text()]].concat(), 0);
    shown.replace(folder.text(), "DIR")
}

#[test]
fn every_transaction_is_a_line() {
    assert_eq!(
        shown(&[]),
        "\
0x9 2023-11-14T22:13:20.000Z session 0x18bcfe568000000 cxid 0 createSession timeout 30000 ms
0xa 2023-11-14T22:13:20.000Z session 0x18bcfe568000000 cxid 1 create /app/me 6 bytes ephemeral parentCVersion 3
0xb 2023-11-14T22:13:20.000Z session 0x18bcfe568000000 cxid 2 setData /app/db 2 bytes version 1
0xc 2023-11-14T22:13:20.000Z session 0x18bcfe568000000 cxid 3 error -101 NONODE
0xd 2023-11-14T22:13:20.000Z session 0x18bcfe568000000 cxid 4 multi \
[create /app/new 0 bytes parentCVersion 4; delete /app/old]
"
    );
}

#[test]
fn data_are_shown_if_asked_for() {
    assert_eq!(
        shown(&["--path", "/app/db", "--data", "auto"]),
        "0xb 2023-11-14T22:13:20.000Z session 0x18bcfe568000000 cxid 2 setData /app/db \"v2\" 2 bytes version 1\n"
    );
}

#[test]
fn json_has_an_object_a_line() {
    let shown = shown(&["--format", "json", "--data", "auto"]);
    let lines: Vec<serde_json::Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    let [session, create, set, error, multi] = &lines[..] else {
        panic!("five were expected: {shown}")
    };
    assert_eq!(
        (&session["type"], &session["offset"]),
        (&"createSession".into(), &16.into())
    );
    assert_eq!(session["file"], "DIR/version-2/log.9");
    assert_eq!(create["ephemeral"], true);
    assert_eq!(create["acl"][0], "world:anyone:cdrwa");
    assert_eq!(
        (&set["data"], &set["data_length"]),
        (&"v2".into(), &2.into())
    );
    assert_eq!(
        (&error["error"], &error["error_name"]),
        (&(-101).into(), &"NONODE".into())
    );
    assert_eq!(multi["changes"][0]["path"], "/app/new");
    assert_eq!(multi["changes"][1]["type"], "delete");
    assert_eq!(multi["session"], session["session"]);
}

#[test]
fn path_session_from_and_to_choose() {
    let zxids = |arguments: &[&str]| -> Vec<String> {
        let shown = shown(arguments);
        let zxids = shown.lines().filter_map(|line| line.split(' ').next());
        zxids.map(String::from).collect()
    };
    assert_eq!(zxids(&["--path", "/app/new"]), ["0xd"]);
    assert_eq!(zxids(&["--from", "0xa", "--to", "b"]), ["0xa", "0xb"]);
    assert_eq!(zxids(&["--session", "0x18bcfe568000000"]).len(), 5);
    assert_eq!(zxids(&["--from", "2020-01-01"]).len(), 5);
    assert_eq!(zxids(&["--to", "2023-11-15T00:00:00Z"]).len(), 5);
}

#[test]
fn a_zxid_is_hexadecimal_with_and_without_the_mark() {
    let folder = Folder::new();
    let server = folder.serve();
    for number in 0..10 {
        let created = server.create(&format!("/n{number}"), b"");
        created.expect("it is created");
    }
    drop(server);
    let shown = |from: &str| output(&["log", "show", "--from", from, folder.text()], 0);
    assert!(shown("14").starts_with("0x14 "));
    assert_eq!(shown("14"), shown("0x14"));
    let nonsense = run(&["log", "show", "--from", "1g", folder.text()], &[]);
    assert_eq!(nonsense.status.code(), Some(2));
    let printed = String::from_utf8_lossy(&nonsense.stderr).into_owned();
    assert!(printed.contains("a zxid in hexadecimal"), "{printed}");
    assert!(printed.contains("2026-01-31T12:00:00Z"), "{printed}");
}

#[test]
fn a_folder_without_logs_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().to_str().expect("the path is Unicode");
    let (line, printed) = refused(&["log", "show", path], 1);
    let missing = "there is neither a version-2 nor a log here";
    assert!(line.starts_with(&format!("{path}: {missing}")), "{line}");
    assert_eq!(printed, "");
    fs::create_dir(folder.path().join("version-2")).expect("it can be made");
    let shown = run(&["log", "show", path], &[]);
    assert_eq!(
        (shown.status.code(), &shown.stdout[..]),
        (Some(0), &b""[..])
    );
    let printed = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(
        printed.contains(&format!("no transaction logs in {path}")),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 1);
}

#[test]
fn logs_after_a_damaged_log_are_shown_too() {
    let folder = Folder::new();
    let server = folder.serve();
    server.create("/later", b"").expect("it is created");
    drop(server);
    let log = folder.file("log.9");
    let mut bytes = fs::read(&log).expect("it can be read");
    bytes[16 + 8 + 4 + 3] ^= 1;
    fs::write(&log, &bytes).expect("it can be written");
    let (line, printed) = refused(&["log", "show", folder.text()], 1);
    assert!(
        line.starts_with(&format!("{log}: damaged at offset 16: ")),
        "{line}"
    );
    assert!(
        printed.starts_with("0xe ") && printed.contains("create /later"),
        "{printed}"
    );
}

#[test]
fn each_tool_names_the_other_for_the_others_files() {
    let folder = Folder::new();
    let (log, snapshot) = (folder.file("log.9"), folder.file("snapshot.8"));
    for tool in ["show", "summary", "export"] {
        let (line, _) = refused(&["snapshot", tool, &log], 1);
        let hint = format!("; it is a transaction log: use minikeeper log show {log}");
        assert!(line.ends_with(&hint), "{line}");
    }
    let (line, _) = refused(&["log", "show", &snapshot], 1);
    let hint = format!("; it is a snapshot: use minikeeper snapshot show {snapshot}");
    assert!(line.ends_with(&hint), "{line}");
}
