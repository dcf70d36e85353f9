//! `minikeeper snapshot show`.

use super::{Folder, output};

#[test]
fn text_has_three_lines_a_znode() {
    let folder = Folder::new();
    let shown = output(&["snapshot", "show", "--path", "/app", folder.text()], 0);
    assert_eq!(
        shown,
        "\
zxid 0xd
session 0x18bcfe568000000  timeout 30000 ms  1 ephemeral
/app \"x\"
  czxid 0x1  ctime 2023-11-14T22:13:20.000Z  mzxid 0x1  mtime 2023-11-14T22:13:20.000Z  pzxid 0xd
  version 0  cversion 5  aversion 0  dataLength 1  numChildren 3
  acl world:anyone:cdrwa
/app/db \"v2\"
  czxid 0x2  ctime 2023-11-14T22:13:20.000Z  mzxid 0xb  mtime 2023-11-14T22:13:20.000Z  pzxid 0x2
  version 1  cversion 0  aversion 0  dataLength 2  numChildren 0
  acl world:anyone:cdrwa
/app/me \"worker\"
  czxid 0xa  ctime 2023-11-14T22:13:20.000Z  mzxid 0xa  mtime 2023-11-14T22:13:20.000Z  pzxid 0xa
  version 0  cversion 0  aversion 0  dataLength 6  numChildren 0
  acl world:anyone:cdrwa  ephemeral of session 0x18bcfe568000000
/app/new \"\"
  czxid 0xd  ctime 2023-11-14T22:13:20.000Z  mzxid 0xd  mtime 2023-11-14T22:13:20.000Z  pzxid 0xd
  version 0  cversion 0  aversion 0  dataLength 0  numChildren 0
  acl world:anyone:cdrwa
"
    );
}

#[test]
fn a_pattern_and_several_paths_choose_znodes() {
    let folder = Folder::new();
    let paths = |arguments: &[&str]| -> Vec<String> {
        let all = [&["snapshot", "show"], arguments, &[folder.text()]].concat();
        let shown = output(&all, 0);
        let paths = shown.lines().filter(|line| line.starts_with('/'));
        paths
            .filter_map(|line| line.split(' ').next())
            .map(String::from)
            .collect()
    };
    assert_eq!(
        paths(&["--path", "/app/*"]),
        ["/app/db", "/app/me", "/app/new"]
    );
    assert_eq!(
        paths(&["--path", "/locks", "--path", "/ap*"]),
        ["/app", "/locks"]
    );
    assert_eq!(
        paths(&[]),
        [
            "/",
            "/app",
            "/app/db",
            "/app/me",
            "/app/new",
            "/icon",
            "/lease",
            "/locks",
            "/null",
            "/secret",
            "/zookeeper",
            "/zookeeper/config",
            "/zookeeper/quota"
        ]
    );
}

#[test]
fn json_is_one_object_with_everything() {
    let folder = Folder::new();
    let shown = output(&["snapshot", "show", "--format", "json", folder.text()], 0);
    let all: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
    let znode = |path: &str| {
        let znodes = all["znodes"].as_array().expect("it is a list");
        let found = znodes.iter().find(|znode| znode["path"] == path);
        found.unwrap_or_else(|| panic!("no {path}")).clone()
    };
    assert_eq!(all["zxid"], "0xd");
    assert_eq!(znode("/app/db")["data"], "v2");
    assert_eq!(znode("/app/db")["stat"]["version"], 1);
    assert_eq!(znode("/icon")["base64"], "AAH+");
    assert_eq!(znode("/locks")["container"], true);
    assert_eq!(znode("/lease")["ttl_ms"], 60_000);
    assert_eq!(znode("/null")["data"], serde_json::Value::Null);
    assert_eq!(znode("/secret")["acl"][0], "digest:user:hash:cdrwa");
    let session = &all["sessions"][0];
    assert_eq!(session["ephemerals"][0], "/app/me");
    assert_eq!(znode("/app/me")["ephemeral_owner"], session["id"]);
}

#[test]
fn yaml_says_what_json_says_for_people() {
    let folder = Folder::new();
    let arguments = [
        "snapshot", "show", "--format", "yaml", "--path", "/icon", "--data", "hex",
    ];
    let shown = output(&[&arguments[..], &[folder.text()]].concat(), 0);
    assert_eq!(
        shown,
        "\
zxid: \"0xd\"
sessions: []
znodes:
- path: \"/icon\"
  hex: \"0001fe\"
  acl: [\"world:anyone:cdrwa\"]
  stat:
    czxid: \"0x4\"
    mzxid: \"0x4\"
    pzxid: \"0x4\"
    ctime: \"2023-11-14T22:13:20.000Z\"
    mtime: \"2023-11-14T22:13:20.000Z\"
    version: 0
    cversion: 0
    aversion: 0
    data_length: 3
    num_children: 0
"
    );
}

#[test]
fn a_snapshot_without_logs_is_unchanged() {
    let folder = Folder::new();
    let file = folder.file("snapshot.8");
    let shown = output(&["snapshot", "show", "--path", "/app/*", &file], 0);
    let paths = shown.lines().filter(|line| !line.starts_with(' '));
    let paths: Vec<&str> = paths.collect();
    assert_eq!(paths, ["zxid 0x8", "/app/db \"v1\"", "/app/old \"\""]);
}

#[test]
fn a_reader_may_close_the_pipe_early() {
    use std::io::Read as _;
    let folder = Folder::new();
    let server = folder.serve();
    for number in 0..2000 {
        let created = server.create(&format!("/n{number}"), &[b'x'; 100]);
        created.expect("it can be created");
    }
    drop(server);
    let mut child = crate::binary::command(&["snapshot", "show", folder.text()], &[])
        .spawn()
        .expect("the binary is built");
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 10]).expect("something is shown");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
