//! Requests that are refused: each check of the head, each kind of error.

use std::time::Duration;

use minikeeper::Server;
use minikeeper_http::{Control, ControlError, Limits};
use serde_json::json;

use crate::api;
use crate::client::Client;

#[test]
fn a_foreign_host_is_refused_before_routing() {
    let (control, mut client) = api();
    let port = control.address().port();
    for host in [
        "evil.example",
        "evil.example:2180",
        "127.0.0.1.evil.example",
        "10.0.0.1",
    ] {
        let answer = client.send("GET", "/nothing", &[&format!("Host: {host}")], b"");
        assert_eq!(answer.status, 403, "{host}");
        assert_eq!(answer.json()["error"]["code"], "forbidden");
    }
    for host in [
        "localhost".to_owned(),
        format!("127.0.0.1:{port}"),
        "[::1]:80".to_owned(),
    ] {
        let answer = client.send("GET", "", &[&format!("Host: {host}")], b"");
        assert_eq!(answer.status, 200, "{host}");
    }
    let answer = client.send("GET", "", &["Host: -"], b"");
    assert_eq!(answer.status, 403, "no host");
    client.write(b"GET http://evil.example/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(
        client.answer().expect("an answer").status,
        403,
        "the target names another host"
    );
}

#[test]
fn an_allowed_host_is_accepted() {
    let control = Control::builder()
        .allow_host("zookeeper")
        .start()
        .expect("it starts");
    let mut client = Client::of(&control);
    let answer = client.send("GET", "", &["Host: zookeeper:2180"], b"");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_page_of_another_origin_is_refused() {
    let (control, mut client) = api();
    for origin in ["http://evil.example", "null", "https://localhost"] {
        let origin = format!("Origin: {origin}");
        let answer = client.send("POST", "/servers", &[&origin], b"{}");
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let own = format!("Origin: {}", control.url());
    assert_eq!(client.send("GET", "", &[&own], b"").status, 200);
    assert_eq!(client.get("/servers"), json!({"servers": []}));
}

#[test]
fn a_wrong_token_is_refused() {
    let control = Control::builder()
        .token("secret")
        .start()
        .expect("it starts");
    let mut client = Client::of(&control);
    let answer = client.send("GET", "", &[], b"");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    for wrong in ["Bearer Secret", "Bearer secret2", "Bearer ", "Basic secret"] {
        let answer = client.send("GET", "", &[&format!("Authorization: {wrong}")], b"");
        assert_eq!(answer.status, 401, "{wrong}");
    }
    let answer = client.send("GET", "", &["Authorization: Bearer secret"], b"");
    assert_eq!(answer.status, 200);
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let address = "0.0.0.0:0".parse().expect("it is an address");
    let refused = Control::builder().address(address).start();
    assert!(matches!(refused, Err(ControlError::NoToken(_))));
    let refused = Control::builder().token("white space").start();
    assert!(matches!(refused, Err(ControlError::Token)));
}

#[test]
fn a_form_is_no_request() {
    let (_control, mut client) = api();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "-"] {
        let content_type = format!("Content-Type: {content_type}");
        let answer = client.send("POST", "/servers", &[&content_type], b"{}");
        assert_eq!(answer.status, 415, "{content_type}");
    }
    let json = "Content-Type: application/json; charset=utf-8";
    assert_eq!(client.send("POST", "/servers", &[json], b"{}").status, 201);
    let octets = "Content-Type: application/octet-stream";
    assert_eq!(
        client.send("POST", "/servers", &[octets], b"{}").status,
        415
    );
    let put = client.send("PUT", "/servers/s1/tree/data?path=/", &[json], b"{}");
    assert_eq!(put.status, 415);
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let mut limits = Limits::default();
    limits.body_bytes = 100;
    let control = Control::builder()
        .limits(limits)
        .start()
        .expect("it starts");
    let long = json!({"name": "x".repeat(100)}).to_string();
    let mut client = Client::of(&control);
    let answer = client.send("POST", "/servers", &[], long.as_bytes());
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (413, &json!("too_large"))
    );
    let mut client = Client::of(&control);
    let head = "POST /v1/servers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    client.write(format!("{head}{:x}\r\n{long}\r\n0\r\n\r\n", long.len()).as_bytes());
    assert_eq!(client.answer().expect("an answer").status, 413);
    assert_eq!(Client::of(&control).get("/servers"), json!({"servers": []}));
}

#[test]
fn malformed_chunks_are_refused() {
    let (control, _client) = api();
    let mut client = Client::of(&control);
    client.write(
        b"POST /v1/servers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
          Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().expect("an answer").status, 400);
    let mut client = Client::of(&control);
    client.write(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n");
    assert!(client.rest().starts_with("HTTP/1.1 400"));
    assert_eq!(Client::of(&control).get("/servers"), json!({"servers": []}));
}

#[test]
fn a_slow_sender_is_closed() {
    let mut limits = Limits::default();
    limits.head = Duration::from_millis(50);
    limits.body = Duration::from_millis(50);
    let control = Control::builder()
        .limits(limits)
        .start()
        .expect("it starts");
    let mut slow_head = Client::of(&control);
    slow_head.write(b"GET /v1 HTTP/1.1\r\nHost: local");
    assert_eq!(slow_head.rest(), "");
    let mut slow_body = Client::of(&control);
    slow_body.write(
        b"POST /v1/servers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
          Content-Length: 10\r\n\r\n{",
    );
    let answer = slow_body.answer().expect("an answer");
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (408, &json!("timeout"))
    );
    // The time is that of a request: a connection may be idle for longer, before and between requests.
    let mut idle = Client::of(&control);
    let mut slow = Client::of(&control);
    slow.write(b"G");
    assert_eq!(slow.rest(), "");
    assert_eq!(idle.get("/servers"), json!({"servers": []}));
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_one() {
    let (_control, mut client) = api();
    let refused = client.refused(400, "POST", "/servers", json!({"clok": "manual"}));
    assert!(
        refused.starts_with("bad_request: clok: unknown field"),
        "{refused}"
    );
    assert!(refused.ends_with("; did you mean clock?"), "{refused}");
    let fault = json!({"name": "late", "then": {"fault": "delay_reply", "by": 5}});
    let refused = client.refused(400, "POST", "/servers", json!({"faults": [fault]}));
    assert!(
        refused.starts_with("bad_request: faults[0].then.by: unknown field"),
        "{refused}"
    );
    assert!(refused.ends_with("; did you mean by_ms?"), "{refused}");
    let refused = client.refused(400, "POST", "/servers", json!({"config": {"tick_time": 5}}));
    assert_eq!(
        refused,
        "bad_request: config.tick_time: there is no such setting; did you mean tick_time_ms?"
    );
    let refused = client.refused(
        400,
        "POST",
        "/servers",
        json!({"config": {"tick_time_ms": 0}}),
    );
    assert!(
        refused.contains("config.tick_time_ms: 0 is not in 1..="),
        "{refused}"
    );
    assert_eq!(client.get("/servers"), json!({"servers": []}));
}

#[test]
fn an_error_says_what_to_do_in_the_words_of_json() {
    let (_control, mut client) = api();
    let server = client.server(json!({"clock": "manual"}));
    let mut refused = |status, path: &str, body| {
        client.refused(status, "POST", &format!("{server}/{path}"), body)
    };
    let place = refused(
        400,
        "faults",
        json!({"name": "lost", "on": {"op": "create"}}),
    );
    assert!(
        place.starts_with("bad_request: the body: missing field `then`"),
        "{place}"
    );
    let fault = refused(400, "faults", json!({"name": "x", "then": "lose_reply"}));
    assert!(
        fault.contains(
            r#"then: invalid type: string "lose_reply", expected an object, such as {"fault": "#
        ),
        "{fault}"
    );
    let number = refused(400, "clock/advance", json!({"by_ms": "30s"}));
    assert!(
        number.contains(r#"by_ms: invalid type: string "30s", expected a number of 0 or more"#),
        "{number}"
    );
    let slash = refused(404, "tree/create", json!({"path": "a/b"}));
    assert!(slash.ends_with("; a path begins with /"), "{slash}");
    let parent = refused(404, "tree/create", json!({"path": "/a/b"}));
    assert!(
        parent.ends_with(r#"; the parent /a does not exist; "parents": true creates it"#),
        "{parent}"
    );
    let route = refused(404, "fault", json!({}));
    assert!(
        route.ends_with("; did you mean /v1/servers/{server}/faults?"),
        "{route}"
    );
}

#[test]
fn what_does_not_exist_is_listed() {
    let (_control, mut client) = api();
    let refused = client.refused(404, "GET", "/servers/s9", json!({}));
    assert_eq!(
        refused,
        "not_found: there is no server s9; no server exists; no hint"
    );
    let server = client.server(json!({}));
    let refused = client.refused(404, "GET", "/servers/s9", json!({}));
    assert_eq!(
        refused,
        "not_found: there is no server s9; those that exist are s1; no hint"
    );
    let refused = client.refused(404, "GET", "/srvers", json!({}));
    assert!(
        refused.ends_with("; did you mean /v1/servers?"),
        "{refused}"
    );
    let refused = client.refused(404, "DELETE", &format!("{server}/faults/f1"), json!({}));
    assert_eq!(
        refused,
        "not_found: there is no fault f1; no fault exists; no hint"
    );
    let answer = client.send("PATCH", "/servers", &[], b"{}");
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, POST"))
    );
}

#[test]
fn zookeepers_refusals_have_their_names_and_numbers() {
    let (_control, mut client) = api();
    let server = client.server(json!({"seed": {"/a": ""}}));
    let (status, body) = client.call(
        "POST",
        &format!("{server}/tree/create"),
        &json!({"path": "/a"}),
    );
    assert_eq!(status, 422);
    assert_eq!(
        body["error"]["zookeeper"],
        json!({"name": "NODEEXISTS", "code": -110})
    );
    let (status, body) = client.call("GET", &format!("{server}/tree/znode?path=/b"), &json!({}));
    assert_eq!(status, 404);
    assert_eq!(
        body["error"]["zookeeper"],
        json!({"name": "NONODE", "code": -101})
    );
}

#[test]
fn limits_are_reached_with_a_clear_error() {
    let mut limits = Limits::default();
    limits.servers = 1;
    limits.waits = 0;
    limits.streams = 0;
    limits.snapshots = 0;
    let control = Control::builder()
        .limits(limits)
        .start()
        .expect("it starts");
    let mut client = Client::of(&control);
    let server = client.server(json!({}));
    let refused = client.refused(429, "POST", "/servers", json!({}));
    assert_eq!(
        refused,
        "limit_reached: there are 1 servers already, which is the limit; no hint"
    );
    client.refused(
        429,
        "POST",
        &format!("{server}/waits"),
        json!({"matcher": {}}),
    );
    client.refused(429, "GET", &format!("{server}/journal/stream"), json!({}));
    client.refused(429, "POST", &format!("{server}/snapshots"), json!({}));
    client.delete(&server);
    client.server(json!({}));
}

#[test]
fn a_server_that_was_given_cannot_be_deleted() {
    let server = Server::start().expect("a server starts");
    let control = Control::builder()
        .server("main", server.clone())
        .start()
        .expect("it starts");
    let mut client = Client::of(&control);
    client.refused(409, "DELETE", "/servers/main", json!({}));
    client.post("/servers/main/tree/create", json!({"path": "/a"}));
    assert_eq!(server.data("/a"), Some(Vec::new()));
    drop(control);
    assert!(server.is_running());
}

#[test]
fn a_request_cannot_choose_addresses() {
    let (_control, mut client) = api();
    for (name, value) in [
        ("address", json!("0.0.0.0:0")),
        ("member_addresses", json!("0.0.0.0:0")),
        ("listener", json!(false)),
    ] {
        let refused = client.refused(400, "POST", "/servers", json!({"config": {name: value}}));
        assert!(
            refused.contains("the process decides this setting"),
            "{refused}"
        );
    }
    assert_eq!(client.get("/servers"), json!({"servers": []}));
}
