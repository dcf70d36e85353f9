//! The examples of the OpenAPI document, sent to the API.

use minikeeper_http::Control;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api_with_files;
use crate::client::Client;

/// An API whose server and folder have everything that the examples name.
fn world() -> (TempDir, Control, Client, String) {
    let folder = tempfile::tempdir().expect("there is a folder");
    let (control, mut client) = api_with_files(folder.path());
    client.server(json!({"seed": {"/config": "v1"}}));
    client.post("/servers/s1/export", json!({"path": "folder"}));
    let description = json!({
        "clock": "manual", "labels": ["worker"], "members": 3, "seed": {"/config": "v1"},
        "faults": [{"name": "f", "optional": true, "then": {"fault": "drop_before"}}],
        "chaos": [{"rules": [{"name": "x", "probability": 0.5, "then": {"fault": "lose_reply"}}]}],
        "holds": [{"kind": "watch_event"}]
    });
    client.server(description);
    client.post(
        "/servers/s2/tree/set",
        json!({"path": "/config", "data": "v1"}),
    );
    client.post("/servers/s2/snapshots", json!({}));
    let session = client.post("/servers/s2/sessions", json!({}))["id"].clone();
    let session = session.as_str().expect("it has an id").to_owned();
    (folder, control, client, session)
}

#[test]
fn every_example_of_a_body_is_accepted() {
    let document: Value =
        serde_json::from_str(include_str!("../../openapi.json")).expect("it is JSON");
    let paths = document["paths"].as_object().expect("it has paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("a path has methods").iter();
        methods.map(move |(method, operation)| (path, method, operation))
    });
    let mut sent = 0;
    for (path, method, operation) in operations {
        let Some(example) = operation.pointer("/requestBody/content/application~1json/example")
        else {
            continue;
        };
        let (_folder, _control, mut client, session) = world();
        let path = path.strip_prefix("/v1").expect("all paths are below it");
        let path = [
            (
                "{server}",
                if path.ends_with("/export") {
                    "s1"
                } else {
                    "s2"
                },
            ),
            ("{fault}", "f1"),
            ("{chaos}", "x1"),
            ("{hold}", "h1"),
            ("{member}", "2"),
            ("{snapshot}", "p1"),
            ("{session}", &session),
        ]
        .iter()
        .fold(path.to_owned(), |path, (name, value)| {
            path.replace(name, value)
        });
        // A lag that ends must have begun.
        if path.ends_with("/members/2/catch_up") || path.ends_with("/members/2/release") {
            client.post("/servers/s2/members/2/lag", json!({}));
        }
        let (status, answer) = client.call(&method.to_uppercase(), &path, example);
        assert!(status < 300, "{method} {path} {example}: {status} {answer}");
        sent += 1;
    }
    assert!(sent > 40, "{sent} examples were found");
}
