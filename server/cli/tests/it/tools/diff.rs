//! `minikeeper snapshot diff`.

use super::{Folder, output};

#[test]
fn what_is_the_same_is_not_told_and_ends_with_0() {
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
fn what_is_not_is_a_line_each_and_ends_with_1() {
    let folder = Folder::new();
    let before = folder.file("snapshot.8");
    let told = output(&["snapshot", "diff", &before, folder.text()], 1);
    assert_eq!(
        told,
        "\
~ /app pzxid 0x3 -> 0xd, cversion 2 -> 5
~ /app/db data \"v1\" -> \"v2\", mzxid 0x2 -> 0xb, version 0 -> 1
+ /app/me \"worker\"
+ /app/new \"\"
- /app/old \"\"
"
    );
    let ignored = ["--ignore", "stat", "--path", "/app/db"];
    let told = output(
        &[
            &["snapshot", "diff"],
            &ignored[..],
            &[&before, folder.text()],
        ]
        .concat(),
        1,
    );
    assert_eq!(told, "~ /app/db data \"v1\" -> \"v2\"\n");
    let ignored = ["--ignore", "stat,data", "--path", "/app/db"];
    let told = output(
        &[
            &["snapshot", "diff"],
            &ignored[..],
            &[&before, folder.text()],
        ]
        .concat(),
        0,
    );
    assert_eq!(told, "");
}

#[test]
fn json_names_the_fields_with_both_values() {
    let folder = Folder::new();
    let before = folder.file("snapshot.8");
    let told = output(
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
    let told: serde_json::Value = serde_json::from_str(&told).expect("it is JSON");
    let znodes = told["znodes"].as_array().expect("it is a list");
    let of = |path: &str| znodes.iter().find(|znode| znode["path"] == path);
    let data = &of("/app/db").expect("it has changed")["fields"]["data"];
    assert_eq!((&data["from"], &data["to"]), (&"v1".into(), &"v2".into()));
    assert_eq!(of("/app/old").expect("it has gone")["change"], "removed");
    assert_eq!(of("/app/me").expect("it has come")["change"], "added");
    assert_eq!(of("/icon"), None);
}
