//! The powers of a server through the API.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::api;
use crate::client::Client;

/// Opens a session as a client does, and returns the connection and the session.
pub(crate) fn connect(connect_string: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(connect_string).expect("the server listens");
    // Length, protocol version, last zxid, timeout, no session, password of 16 bytes.
    let mut request = vec![0, 0, 0, 44, 0, 0, 0, 0];
    request.extend([0; 8]);
    request.extend(10_000_i32.to_be_bytes());
    request.extend([0; 8]);
    request.extend(16_i32.to_be_bytes());
    request.extend([0; 16]);
    socket.write_all(&request).expect("the server reads");
    let mut length = [0; 4];
    socket.read_exact(&mut length).expect("the server answers");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut answer).expect("the server answers");
    let session = u64::from_be_bytes(answer[8..16].try_into().expect("eight bytes"));
    (socket, format!("{session:#x}"))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn a_server_is_made_from_one_description() {
    let (_control, mut client) = api();
    let server = client.post(
        "/servers",
        json!({
            "name": "orders", "clock": "manual", "start_time_ms": 1_700_000_000_000_i64, "members": 3,
            "labels": ["worker"], "seed": {"/config": "v1", "/raw": {"base64": "/wA="}},
            "faults": [{"name": "lost", "on": {"label": "worker"}, "then": {"fault": "lose_reply"}}],
            "chaos": [{"seed": 7, "rules": []}],
            "holds": [{"kind": "watch_event"}, {"on": {"kind": "reply"}, "name": "replies"}],
            "budgets": [{"budget": "total", "matcher": {"kind": "wrote"}, "at_most": 5}],
            "claims": [{"claim": "exactly", "matcher": {"kind": "wrote"}, "count": 2}],
            "links": [{"label": "worker"}], "journal": "full", "config": {"tick_time_ms": 500}
        }),
    );
    assert_eq!(server["faults"], json!(["f1"]));
    assert_eq!(server["holds"], json!(["h1", "h2"]));
    assert_eq!(server["members"].as_array().map(Vec::len), Some(3));
    assert!(text(&server["addresses"], "worker").contains("127.0.0.1:"));
    assert_eq!(server["clock"], "manual");
    let config = client.get("/servers/s1/config");
    assert_eq!(
        (&config["tick_time_ms"], &config["members"]),
        (&json!(500), &json!(3))
    );
    let data = client.send("GET", "/servers/s1/tree/data?path=/raw", &[], b"");
    assert_eq!(data.body, [255, 0]);
    let deleted = client.delete("/servers/s1");
    let kinds: Vec<&str> = deleted["failures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| text(it, "kind"))
        .collect();
    assert_eq!(kinds, ["fault"], "{deleted}");
    assert!(
        !deleted["journal_tail"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
}

#[test]
fn a_description_with_an_impossible_part_makes_nothing() {
    let (_control, mut client) = api();
    let late = json!({"name": "late", "on": {"label": "unknown"}, "then": {"fault": "lose_reply"}});
    let good = json!({"name": "good", "then": {"fault": "lose_reply"}});
    let refused = client.refused(422, "POST", "/servers", json!({"faults": [good, late]}));
    assert!(
        refused.contains("the label \"unknown\" is not known"),
        "{refused}"
    );
    client.refused(404, "POST", "/servers", json!({"fork": "s9"}));
    client.refused(404, "POST", "/servers", json!({"snapshot": "p9"}));
    client.refused(403, "POST", "/servers", json!({"copy": "folder"}));
    client.refused(422, "POST", "/servers", json!({"members": 255}));
    client.refused(400, "POST", "/servers", json!({"fork": "s1", "seed": {}}));
    assert_eq!(client.get("/servers"), json!({"servers": []}));
}

#[test]
fn time_expires_a_muted_session() {
    let (_control, mut client) = api();
    let server = client.post("/servers", json!({"clock": "manual", "labels": ["worker"]}));
    let (_socket, session) = connect(text(&server["addresses"], "worker"));
    client.post("/servers/s1/sessions/label:worker/mute", json!({}));
    let own = client.get(&format!("/servers/s1/sessions/{session}"));
    assert_eq!(
        (&own["muted"], &own["label"]),
        (&json!(true), &json!("worker"))
    );
    let advanced = client.post("/servers/s1/clock/advance", json!({"by_ms": 3_600_000}));
    assert_eq!(advanced["effects"]["expired"], json!([session]));
    let refused = client.refused(
        404,
        "POST",
        &format!("/servers/s1/sessions/{session}/expire"),
        json!({}),
    );
    assert!(refused.contains("there is no session 0x"), "{refused}");
    let system = client.server(json!({}));
    client.refused(
        409,
        "POST",
        &format!("{system}/clock/advance"),
        json!({"by_ms": 1}),
    );
    client.refused(
        400,
        "POST",
        "/servers/s1/clock/advance",
        json!({"by_ms": u64::MAX}),
    );
}

#[test]
fn a_session_of_the_test_owns_an_ephemeral() {
    let (_control, mut client) = api();
    client.server(json!({}));
    let created = client.post(
        "/servers/s1/tree/create",
        json!({"path": "/a/leader-", "data": "me", "mode": "ephemeral_sequential", "parents": true}),
    );
    assert_eq!(created["path"], "/a/leader-0000000000");
    let session = text(&created, "session");
    let znode = client.get("/servers/s1/tree/znode?path=/a/leader-0000000000");
    assert_eq!(
        (&znode["owner"], &znode["data"]),
        (&json!(session), &json!("me"))
    );
    client.post(
        "/servers/s1/tree/create",
        json!({"path": "/b", "mode": "ephemeral", "session": session}),
    );
    client.delete(&format!("/servers/s1/sessions/{session}"));
    assert_eq!(client.get("/servers/s1/tree"), json!({"tree": {"/a": {}}}));
}

#[test]
fn children_come_in_pages() {
    let (_control, mut client) = api();
    client.server(json!({"seed": {"/a": {"children": {"x": "", "y": "", "z": ""}}}}));
    let page = client.get("/servers/s1/tree/children?path=/a&limit=2");
    assert_eq!(
        page,
        json!({"children": ["x", "y"], "total": 3, "next": "y"})
    );
    let page = client.get("/servers/s1/tree/children?path=/a&limit=2&after=y");
    assert_eq!(page, json!({"children": ["z"], "total": 3, "next": null}));
}

#[test]
fn deleting_verifies_what_was_placed() {
    let (_control, mut client) = api();
    client.server(json!({}));
    let lost = json!({"name": "lost", "on": {"op": "create"}, "then": {"fault": "lose_reply"}});
    for optional in [false, true] {
        let mut rule = lost.clone();
        rule["optional"] = json!(optional);
        let id = client.post("/servers/s1/faults", rule)["id"].clone();
        let id = id.as_str().expect("an id");
        let removed = client.delete(&format!("/servers/s1/faults/{id}"));
        let failures = removed["failures"].as_array().expect("a list");
        assert_eq!(failures.len(), usize::from(!optional), "{removed}");
        for failure in failures {
            let message = text(failure, "message");
            assert!(
                message.starts_with("the fault \"lost\" never happened: "),
                "{message}"
            );
            assert!(!message.contains("placed at"), "{message}");
        }
    }
    client.post("/servers/s1/faults", lost);
    let removed = client.delete("/servers/s1/faults/f3?verify=false");
    assert_eq!(removed["failures"], json!([]));
    let budget = json!({"budget": "total", "matcher": {"kind": "wrote"}, "at_most": 0});
    client.post("/servers/s1/budgets", budget);
    client.post("/servers/s1/tree/create", json!({"path": "/a"}));
    let budget = client.get("/servers/s1/budgets/b1");
    assert!(text(&budget, "failure").contains("at most 0 in total"));
    let claim = json!({"claim": {"claim": "at_most", "matcher": {"kind": "wrote"}, "count": 0}});
    assert_eq!(
        client.post("/servers/s1/claims", claim.clone())["outcome"],
        "broken"
    );
    let mut at_end = claim;
    at_end["at_end"] = json!(true);
    client.post("/servers/s1/claims", at_end);
    let deleted = client.delete("/servers/s1?leaks=true");
    let kinds: Vec<&str> = deleted["failures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| text(it, "kind"))
        .collect();
    assert_eq!(kinds, ["budget", "claim"]);
}

#[test]
fn leaks_are_reported_if_asked_for() {
    let (_control, mut client) = api();
    let server = client.post("/servers", json!({"check_leaks": true}));
    let (_socket, session) = connect(text(&server, "connect_string"));
    let leaks = client.get("/servers/s1/leaks");
    assert_eq!(leaks["leaks"].as_array().map(Vec::len), Some(2), "{leaks}");
    let deleted = client.delete("/servers/s1");
    assert_eq!(
        deleted["failures"].as_array().map(Vec::len),
        Some(2),
        "{deleted}"
    );
    assert!(deleted.to_string().contains(&session));
}

#[test]
fn held_messages_are_released() {
    let (_control, mut client) = api();
    let server = client.post(
        "/servers",
        json!({"holds": [{"op": "connect", "kind": "connect"}]}),
    );
    let connect_string = text(&server, "connect_string").to_owned();
    client.refused(
        409,
        "POST",
        "/servers/s1/holds/h1/release",
        json!({"release": "first", "count": 1}),
    );
    let waiting = std::thread::spawn(move || connect(&connect_string).1);
    let held = client.post(
        "/servers/s1/waits",
        json!({"held": {"hold": "h1", "number": 1}}),
    );
    assert_eq!(held["value"].as_array().map(Vec::len), Some(1), "{held}");
    let released = client.post("/servers/s1/holds/h1/release", json!({"release": "all"}));
    assert_eq!(released["released"], held["value"]);
    let session = waiting.join().expect("the client connects");
    assert_eq!(
        client.get("/servers/s1/sessions")["sessions"][0]["id"],
        json!(session)
    );
}

#[test]
fn a_reset_restores_the_seed_and_touches_no_other_server() {
    let (_control, mut client) = api();
    let server = client.post(
        "/servers",
        json!({"seed": {"/a": "1"}, "members": 3, "labels": ["w"]}),
    );
    let other = client.server(json!({"seed": {"/a": "1"}}));
    let (_socket, _session) = connect(
        text(&server["addresses"], "w")
            .split(',')
            .next()
            .expect("an address"),
    );
    for path in ["/servers/s1", &other] {
        client.post(
            &format!("{path}/tree/set"),
            json!({"path": "/a", "data": "2"}),
        );
        client.post(&format!("{path}/tree/create"), json!({"path": "/b"}));
    }
    client.post("/servers/s1/members/2/stop", json!({}));
    client.post("/servers/s1/ensemble/lose_quorum", json!({}));
    client.post("/servers/s1/links", json!({"label": "w"}));
    let reset = client.post("/servers/s1/reset", json!({}));
    assert_eq!(reset["failures"], json!([]));
    assert_eq!(client.get("/servers/s1/tree"), json!({"tree": {"/a": "1"}}));
    assert_eq!(client.get("/servers/s1/sessions"), json!({"sessions": []}));
    assert_eq!(client.get("/servers/s1/journal")["count"], 0);
    let after = client.get("/servers/s1");
    assert_eq!(after["links"], json!([]));
    assert_eq!(after["addresses"], server["addresses"]);
    let ensemble = client.get("/servers/s1/ensemble");
    assert!(ensemble["leader"].is_number(), "{ensemble}");
    assert_eq!(
        client.get(&format!("{other}/tree"))["tree"],
        json!({"/a": "2", "/b": {}})
    );
}

#[test]
fn an_outage_keeps_the_port() {
    let (_control, mut client) = api();
    let server = client.post("/servers", json!({}));
    assert_eq!(
        client.post("/servers/s1/stop", json!({})),
        json!({"running": false})
    );
    assert!(TcpStream::connect(text(&server, "connect_string")).is_err());
    assert_eq!(
        client.post("/servers/s1/start", json!({})),
        json!({"running": true})
    );
    assert!(TcpStream::connect(text(&server, "connect_string")).is_ok());
}

#[test]
fn an_armed_wait_loses_nothing() {
    let (_control, mut client) = api();
    client.server(json!({}));
    let wait = json!({"matcher": {"kind": "wrote", "path": "/a"}, "arm": true});
    let armed = client.post("/servers/s1/waits", wait);
    assert_eq!(armed["id"], "w1");
    let early = client.get("/servers/s1/waits/w1?within_ms=0");
    assert_eq!(
        (&early["outcome"], &early["more"]),
        (&json!("timed_out"), &json!(false))
    );
    assert!(text(&early, "message").contains("/a"), "{early}");
    let later = client.get("/servers/s1/waits/w1?within_ms=1");
    assert!(
        text(&later, "message").starts_with("timed out after 1ms waiting"),
        "{later}"
    );
    client.post("/servers/s1/tree/create", json!({"path": "/a"}));
    // Not even what the journal forgets.
    client.delete("/servers/s1/journal");
    let matched = client.get("/servers/s1/waits/w1");
    assert_eq!(matched["outcome"], "matched");
    assert_eq!(matched["entries"][0]["operation"], "create2");
    client.refused(404, "GET", "/servers/s1/waits/w1", json!({}));
}

#[test]
fn a_wait_that_timed_out_is_repeated_from_its_mark() {
    let (_control, mut client) = api();
    client.server(json!({}));
    let mut wait = json!({"matcher": {"kind": "wrote"}, "nth": 2, "within_ms": 0});
    wait["since"] = client.get("/servers/s1/mark")["mark"].clone();
    client.post("/servers/s1/tree/create", json!({"path": "/a"}));
    let first = client.post("/servers/s1/waits", wait.clone());
    assert_eq!(first["outcome"], "timed_out");
    wait["since"] = first["mark"].clone();
    client.post("/servers/s1/tree/create", json!({"path": "/b"}));
    let second = client.post("/servers/s1/waits", wait);
    assert_eq!(second["entries"][0]["paths"], json!(["/b"]));
    assert_eq!(second["mark"], second["entries"][0]["number"]);
}

#[test]
fn a_wait_ends_with_its_server() {
    let (control, mut client) = api();
    client.server(json!({}));
    let mut waiting = Client::of(&control);
    let body = r#"{"state":{"znode":"/never"}}"#;
    waiting.write(
        format!(
            "POST /v1/servers/s1/waits HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    client.delete("/servers/s1");
    let answer = waiting.answer().expect("an answer");
    assert_eq!(answer.status, 404, "{:?}", answer.json());
}

#[test]
fn waits_are_for_one_condition_that_can_be_met() {
    let (_control, mut client) = api();
    let server = client.server(json!({}));
    client.post(
        &format!("{server}/faults"),
        json!({"name": "once", "then": {"fault": "lose_reply"}}),
    );
    let mut refused = |status, body| client.refused(status, "POST", "/servers/s1/waits", body);
    refused(400, json!({}));
    refused(400, json!({"matcher": {}, "sequence": []}));
    refused(400, json!({"matcher": {}, "nth": 0}));
    refused(400, json!({"state": "no_leaks", "nth": 1}));
    refused(422, json!({"matcher": {"label": "unknown"}}));
    refused(422, json!({"sequence": [{"label": "unknown"}]}));
    refused(422, json!({"state": {"session": "unknown"}}));
    refused(422, json!({"fault": "f1", "times": 2}));
    refused(404, json!({"fault": "f2"}));
    refused(404, json!({"held": {"hold": "h1"}}));
    client.delete("/servers/s1?verify=false");
}

#[test]
fn members_stop_lag_and_elect() {
    let (_control, mut client) = api();
    client.server(json!({"members": 3}));
    let elected = client.post("/servers/s1/ensemble/elect", json!({"leader": 2}));
    assert_eq!(elected["effects"]["leading"]["leader"], 2);
    client.post("/servers/s1/members/1/lag", json!({}));
    client.post("/servers/s1/tree/create", json!({"path": "/a"}));
    assert_eq!(client.get("/servers/s1/members/1")["pending"], 1);
    client.post("/servers/s1/members/1/release", json!({"transactions": 1}));
    assert_eq!(client.get("/servers/s1/members/1")["pending"], 0);
    client.post("/servers/s1/members/3/restart", json!({}));
    client.post(
        "/servers/s1/ensemble",
        json!({"action": "stop", "member": 3}),
    );
    assert_eq!(client.get("/servers/s1/members/3")["running"], false);
    client.refused(404, "GET", "/servers/s1/members/4", json!({}));
    client.refused(
        404,
        "POST",
        "/servers/s1/ensemble",
        json!({"action": "stop", "member": 4}),
    );
    client.refused(
        422,
        "POST",
        "/servers/s1/ensemble/elect",
        json!({"leader": 3}),
    );
    client.refused(
        400,
        "POST",
        "/servers/s1/ensemble",
        json!({"action": "stop", "membr": 3}),
    );
}

#[test]
fn a_snapshot_starts_servers_and_is_compared() {
    let (_control, mut client) = api();
    client.server(json!({"seed": {"/a": "1"}, "clock": "manual"}));
    let snapshot = client.post("/servers/s1/snapshots", json!({}));
    assert_eq!(
        (&snapshot["id"], &snapshot["zxid"], &snapshot["znodes"]),
        (&json!("p1"), &json!("0x1"), &json!(1))
    );
    client.post("/servers/s1/tree/set", json!({"path": "/a", "data": "2"}));
    client.post("/servers/s1/snapshots", json!({}));
    let diff = client.post("/snapshots/p1/diff", json!({"other": "p2"}));
    assert_eq!(diff["equal"], false);
    assert!(text(&diff, "diff").contains("/a"), "{diff}");
    client.server(json!({"snapshot": "p1"}));
    assert_eq!(client.get("/servers/s2/tree"), json!({"tree": {"/a": "1"}}));
    client.server(json!({"fork": "s1"}));
    assert_eq!(client.get("/servers/s3/tree"), json!({"tree": {"/a": "2"}}));
    assert_eq!(client.get("/servers/s3/clock")["kind"], "manual");
    client.delete("/snapshots/p1");
    client.refused(404, "GET", "/snapshots/p1/tree", json!({}));
}

#[test]
fn the_journal_has_several_forms() {
    let (_control, mut client) = api();
    client.server(json!({"seed": {"/a": "1", "/b": "2"}}));
    let page = client.get("/servers/s1/journal?limit=1");
    assert_eq!((&page["count"], &page["mark"]), (&json!(1), &json!(1)));
    let page = client.get("/servers/s1/journal?since=1&matcher=%7B%22path%22%3A%22%2Fb%22%7D");
    assert_eq!((&page["count"], &page["mark"]), (&json!(1), &json!(2)));
    for (query, content_type, begin) in [
        ("?format=text", "text/plain; charset=utf-8", "1 +0.0"),
        ("?format=lines", "application/jsonl", "{\"number\":1"),
        (
            "?format=html",
            "text/html; charset=utf-8",
            "<!doctype html>",
        ),
    ] {
        let answer = client.send("GET", &format!("/servers/s1/journal{query}"), &[], b"");
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert!(
            String::from_utf8_lossy(&answer.body).starts_with(begin),
            "{query}"
        );
    }
    let answer = client.send("GET", "/servers/s1/journal", &["Accept: text/plain"], b"");
    assert!(answer.body.starts_with(b"1 +0.0"));
    let put = client.send(
        "PUT",
        "/servers/s1/journal/mode",
        &[],
        br#"{"mode": {"last": 5}}"#,
    );
    assert_eq!(put.json(), json!({"mode": {"last": 5}}));
    let refused = client.refused(400, "GET", "/servers/s1/journal?format=txt", json!({}));
    assert!(refused.ends_with("; did you mean text?"), "{refused}");
    let refused = client.refused(
        400,
        "GET",
        "/servers/s1/journal?matcher=%7B%22op%22%3A1%7D",
        json!({}),
    );
    assert!(
        refused.starts_with("bad_request: query parameter matcher: op: "),
        "{refused}"
    );
}

#[test]
fn every_answer_has_the_version() {
    let (_control, mut client) = api();
    for path in ["", "/nothing", "/openapi.json"] {
        let answer = client.send("GET", path, &[], b"");
        assert_eq!(
            answer.header("minikeeper-version"),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let process = client.get("");
    assert_eq!(
        (&process["api"], &process["servers"], &process["waits"]),
        (&json!(1), &json!(0), &json!(0))
    );
}

#[test]
fn the_end_of_a_link_does_not_exceed_a_budget_that_was_checked() {
    let (_control, mut client) = api();
    let description = json!({
        "links": [{"on": {}}],
        "budgets": [{"budget": "total", "matcher": {}, "at_most": 0}]
    });
    client.server(description.clone());
    assert_eq!(
        client.delete("/servers/s1")["failures"],
        json!([]),
        "nothing had passed"
    );
    client.server(description);
    client.post("/servers/s2/reset", json!({}));
    client.post(
        "/servers/s2/budgets",
        json!({"budget": "total", "matcher": {}, "at_most": 0}),
    );
    client.post("/servers/s2/tree/create", json!({"path": "/a"}));
    let failures = client.delete("/servers/s2")["failures"].clone();
    assert_eq!(failures[0]["kind"], "budget", "{failures}");
}

#[test]
fn an_advance_in_parts_is_one_advance() {
    let (_control, mut client) = api();
    let day: i64 = 24 * 60 * 60 * 1_000;
    // One expires in the first part, one in the second.
    let seed = json!({"/1": {"ttl_ms": day}, "/2": {"ttl_ms": 40 * day}});
    client.server(json!({"clock": "manual", "seed": seed}));
    let now = client.get("/servers/s1/clock")["now"].as_i64();
    let begin = now.expect("a number");
    let by = 365 * day + 1;
    let advanced = client.post("/servers/s1/clock/advance", json!({"by_ms": by}));
    assert_eq!(advanced["now"], json!(begin + by));
    assert_eq!(client.get("/servers/s1/clock")["now"], advanced["now"]);
    assert_eq!(advanced["effects"]["deleted"], json!(["/1", "/2"]));
}
