//! `minikeeper snapshot diff`.

use super::{Folder, output};

#[test]
fn equal_states_print_nothing_and_exit_with_0() {
    let folder = Folder::new();
    assert_eq!(
        output(&["snapshot", "diff", folder.text(), folder.text()], 0),
        ""
    );
    let other = Folder::new();
    assert_eq!(
        output(&["snapshot", "diff", folder.text(), other.text()], 0),
        ""
    );
}

#[test]
fn each_problem_is_one_line_and_the_exit_status_is_1() {
    let folder = Folder::new();
    let before = folder.file("snapshot.8");
    let printed = output(&["snapshot", "diff", &before, folder.text()], 1);
    assert_eq!(
        printed,
        "\
+ session 0x18bcfe568000000 timeout 30000 ms
~ /app pzxid 0x3 -> 0xd, cversion 2 -> 5
~ /app/db data \"v1\" -> \"v2\", mzxid 0x2 -> 0xb, version 0 -> 1
+ /app/me \"worker\"
+ /app/new \"\"
- /app/old \"\"
"
    );
    let ignored = ["--ignore", "stat", "--path", "/app/db"];
    let printed = output(
        &[
            &["snapshot", "diff"],
            &ignored[..],
            &[&before, folder.text()],
        ]
        .concat(),
        1,
    );
    assert_eq!(printed, "~ /app/db data \"v1\" -> \"v2\"\n");
    let ignored = ["--ignore", "stat,data", "--path", "/app/db"];
    let printed = output(
        &[
            &["snapshot", "diff"],
            &ignored[..],
            &[&before, folder.text()],
        ]
        .concat(),
        0,
    );
    assert_eq!(printed, "");
}

#[test]
fn json_names_the_fields_with_both_values() {
    let folder = Folder::new();
    let before = folder.file("snapshot.8");
    let printed = output(
        &[
            "snapshot",
            "diff",
            "--format",
            "json",
            "--ignore",
            "times",
            &before,
            folder.text(),
        ],
        1,
    );
    let printed: serde_json::Value = serde_json::from_str(&printed).expect("it is JSON");
    let znodes = printed["znodes"].as_array().expect("it is a list");
    let of = |path: &str| znodes.iter().find(|znode| znode["path"] == path);
    let data = &of("/app/db").expect("it has changed")["fields"]["data"];
    assert_eq!((&data["from"], &data["to"]), (&"v1".into(), &"v2".into()));
    assert_eq!(of("/app/old").expect("it has gone")["change"], "removed");
    assert_eq!(of("/app/me").expect("it has come")["change"], "added");
    assert_eq!(of("/icon"), None);
}

#[test]
fn sessions_are_compared_by_their_timeouts() {
    let folder = Folder::new();
    let before = folder.file("snapshot.8");
    let diff = |arguments: &[&str], code| {
        output(
            &[&["snapshot", "diff"], arguments, &[folder.text(), &before]].concat(),
            code,
        )
    };
    let shown = diff(&["--format", "yaml", "--path", "/app/me"], 1);
    let expected = "\
sessions:
- id: \"0x18bcfe568000000\"
  change: \"removed\"
  session:
    id: \"0x18bcfe568000000\"
    timeout_ms: 30000
    ephemerals: [\"/app/me\"]
znodes:
- path: \"/app/me\"
";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(!diff(&["--path", "/app/db"], 1).contains("session"));
    let ignored = diff(&["--ignore", "sessions", "--path", "/app/me"], 1);
    assert_eq!(ignored, "- /app/me \"worker\"\n");

    // The same session in both, with another timeout.
    let [one, other] = [30_000_i32, 6_000].map(|timeout_ms| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("snapshot.1");
        std::fs::write(&file, snapshot_with_session(timeout_ms)).expect("it can be written");
        (file.display().to_string(), folder)
    });
    let arguments = ["snapshot", "diff", &one.0, &other.0];
    assert_eq!(
        output(&arguments, 1),
        "~ session 0x7 timeout 30000 ms -> 6000 ms\n"
    );
    let json = output(&[&arguments[..], &["--format", "json"]].concat(), 1);
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let timeout = &json["sessions"][0]["fields"]["timeout_ms"];
    assert_eq!(
        (&timeout["from"], &timeout["to"]),
        (&30_000.into(), &6_000.into())
    );
}

/// A snapshot of 3.4, with one session and no znodes.
fn snapshot_with_session(timeout_ms: i32) -> Vec<u8> {
    let mut bytes = b"ZKSN\0\0\0\x02".to_vec();
    bytes.extend((-1_i64).to_be_bytes());
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend(7_i64.to_be_bytes());
    bytes.extend(timeout_ms.to_be_bytes());
    bytes.extend(0_i32.to_be_bytes());
    bytes.extend(b"\0\0\0\x01/");
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in &bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    bytes.extend(u64::from(b << 16 | a).to_be_bytes());
    bytes.extend(b"\0\0\0\x01/");
    bytes
}

#[test]
fn logs_of_either_side_may_lie_elsewhere() {
    let [one, other] = [(); 2].map(|()| {
        let folder = Folder::new();
        let logs = tempfile::tempdir().expect("a temporary folder can be made");
        let inside = logs.path().join("version-2");
        std::fs::create_dir(&inside).expect("it can be made");
        std::fs::rename(folder.file("log.9"), inside.join("log.9")).expect("it is there");
        (folder, logs)
    });
    let logs = |logs: &tempfile::TempDir| logs.path().to_str().map(String::from);
    let [logs_a, logs_b] = [&one.1, &other.1].map(|folder| logs(folder).expect("it is Unicode"));
    let [a, b] = [&one.0, &other.0].map(Folder::text);
    let of_a = ["--data-log-dir-a", &logs_a];
    let of_b = ["--data-log-dir-b", &logs_b];
    let diff = ["snapshot", "diff", a, b];
    let printed = output(&[&diff[..], &of_a, &of_b].concat(), 0);
    assert_eq!(printed, "");
    let printed = output(&[&diff[..], &of_a].concat(), 1);
    assert!(printed.contains("- /app/me \"worker\"\n"), "{printed}");
    let printed = output(&[&diff[..], &of_b].concat(), 1);
    assert!(printed.contains("+ /app/me \"worker\"\n"), "{printed}");
}
