//! Files: only below their folder, and never through a link.

use serde_json::json;

use crate::api_with_files;

#[test]
fn state_goes_to_a_folder_and_back() {
    let folder = tempfile::tempdir().expect("there is a folder");
    let (_control, mut client) = api_with_files(folder.path());
    client.server(json!({"seed": {"/a": "1"}}));
    let written = client.post("/servers/s1/export", json!({"path": "out"}));
    assert!(written["path"].as_str().expect("a path").ends_with("/out"));
    client.server(json!({"copy": "out"}));
    assert_eq!(client.get("/servers/s2/tree"), json!({"tree": {"/a": "1"}}));
    let opened = client.post("/snapshots", json!({"open": "out"}));
    assert_eq!(opened["znodes"], 1);
    client.post(
        "/snapshots/p1/write",
        json!({"path": "old", "data_format": "3.4"}),
    );
    client.server(json!({"data_dir": "data", "seed": {"/b": "2"}}));
    client.delete("/servers/s3");
    client.server(json!({"data_dir": "data"}));
    assert_eq!(client.get("/servers/s4/tree"), json!({"tree": {"/b": "2"}}));
    client.refused(400, "POST", "/snapshots", json!({"open": "."}));
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().expect("there is a folder");
    let inside = folder.path().join("files");
    std::fs::create_dir(&inside).expect("it is new");
    let (_control, mut client) = api_with_files(&inside);
    client.server(json!({}));
    for path in ["../out", "/tmp/out", "a/../../out", "..", "a/.."] {
        client.refused(403, "POST", "/servers/s1/export", json!({"path": path}));
        client.refused(403, "POST", "/snapshots", json!({"open": path}));
        client.refused(403, "POST", "/servers", json!({"copy": path}));
        client.refused(403, "POST", "/servers", json!({"data_dir": path}));
    }
    client.refused(400, "POST", "/servers/s1/export", json!({"path": ""}));
    client.refused(404, "POST", "/snapshots", json!({"open": "none"}));
    let names = std::fs::read_dir(folder.path())
        .expect("it can be listed")
        .count();
    assert_eq!(names, 1);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_not_followed() {
    let folder = tempfile::tempdir().expect("there is a folder");
    let (inside, outside) = (folder.path().join("files"), folder.path().join("outside"));
    std::fs::create_dir(&inside).expect("it is new");
    std::fs::create_dir_all(outside.join("version-2")).expect("it is new");
    std::os::unix::fs::symlink(&outside, inside.join("link")).expect("it is new");
    std::fs::create_dir(inside.join("data")).expect("it is new");
    std::os::unix::fs::symlink(outside.join("version-2"), inside.join("data/version-2"))
        .expect("it is new");
    let (_control, mut client) = api_with_files(&inside);
    client.server(json!({}));
    client.refused(
        403,
        "POST",
        "/servers/s1/export",
        json!({"path": "link/out"}),
    );
    client.refused(403, "POST", "/snapshots", json!({"open": "link"}));
    client.refused(403, "POST", "/snapshots", json!({"open": "data"}));
    client.refused(403, "POST", "/servers", json!({"data_dir": "link"}));
    client.refused(403, "POST", "/servers", json!({"data_dir": "data"}));
    client.refused(403, "POST", "/servers/s1/export", json!({"path": "data"}));
}

#[test]
fn without_a_folder_there_are_no_files() {
    let (_control, mut client) = crate::api();
    let refused = client.refused(403, "POST", "/snapshots", json!({"open": "a"}));
    assert!(
        refused.ends_with("; start it with --control-files DIR"),
        "{refused}"
    );
}
