//! `minikeeper log show`.

use super::{Folder, output};

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
0xc 2023-11-14T22:13:20.000Z session 0x18bcfe568000000 cxid 3 error -101 NoNode
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
        (&(-101).into(), &"NoNode".into())
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
    assert_eq!(zxids(&["--from", "0xa", "--to", "11"]), ["0xa", "0xb"]);
    assert_eq!(zxids(&["--session", "0x18bcfe568000000"]).len(), 5);
    assert_eq!(zxids(&["--session", "0"]), [""; 0]);
    assert_eq!(zxids(&["--from", "2030-01-01"]), [""; 0]);
    assert_eq!(zxids(&["--to", "2023-11-14T00:00:00Z"]), [""; 0]);
}
