//! `minikeeper snapshot show`.

use super::{Folder, output};

#[test]
fn text_has_three_lines_a_znode() {
    let folder = Folder::new();
    let shown = output(&["snapshot", "show", "--path", "/app", folder.text()], 0);
    assert_eq!(shown, "TODO");
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
    assert_eq!(all["zxid"], "TODO");
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
    assert_eq!(shown, "TODO");
}

#[test]
fn one_snapshot_alone_is_what_it_was() {
    let folder = Folder::new();
    let shown = output(
        &[
            "snapshot",
            "show",
            "--path",
            "/app/*",
            &folder.file("snapshot.0"),
        ],
        0,
    );
    assert_eq!(shown, "TODO");
}

#[test]
fn who_reads_may_stop_reading() {
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
