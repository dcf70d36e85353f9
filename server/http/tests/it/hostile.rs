//! Random and mutated requests: no panic, no error of the server, no effect on other servers.

use std::sync::LazyLock;

use minikeeper::{Server, tree};
use minikeeper_http::{Control, Limits};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::client::Client;

/// The document, which names every route.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../openapi.json")).expect("the document is JSON")
});

/// Routes as methods and paths.
static ROUTES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let paths = DOCUMENT["paths"].as_object().expect("an object");
    let routes = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("an object").keys();
        methods.map(|method| (method.to_uppercase(), path.clone()))
    });
    // A stream does not end.
    routes
        .filter(|(_, path)| !path.ends_with("/stream"))
        .collect()
});

/// Bodies that some route accepts, to be mutated.
fn bodies() -> Vec<Value> {
    vec![
        json!({}),
        json!({"clock": "manual", "members": 3, "labels": ["worker"], "seed": {"/a": "1"}, "journal": "full"}),
        json!({"name": "lost", "on": {"op": "create", "path": "/a*"}, "nth": 1, "times": null,
               "then": {"fault": "lose_reply"}}),
        json!({"seed": 7, "rules": [{"name": "late", "probability": 0.5,
               "then": {"fault": "delay_reply", "by_ms": 1}}]}),
        json!({"on": {"kind": "watch_event"}}),
        json!({"release": "first", "count": 1}),
        json!({"label": "worker", "direction": "both"}),
        json!({"budget": "total", "matcher": {"kind": "wrote"}, "at_most": 1}),
        json!({"claim": {"claim": "sequence", "steps": [{"kind": "wrote"}]}, "since": 0, "at_end": true}),
        json!({"matcher": {"kind": "wrote"}, "nth": 1, "since": 0, "within_ms": 0}),
        json!({"state": {"data": {"path": "/a", "data": "1"}}, "within_ms": 0, "arm": true}),
        json!({"path": "/a/b", "data": {"base64": "/wA="}, "mode": "ephemeral_sequential", "parents": true}),
        json!({"by_ms": 1000}),
        json!({"action": "stop", "member": 1}),
        json!({"leader": 1}),
        json!({"mode": {"last": 10}}),
        json!({"/a": {"data": "x", "ttl_ms": 5}, "/b": null}),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop_oneof![
            Just("/a"),
            Just("0x1"),
            Just("f1"),
            Just("worker"),
            Just("s1"),
            Just("")
        ]
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[[{}]]]])),
    ]
}

/// Replaces, removes or adds one value somewhere in a body.
fn mutate(value: &mut Value, steps: &[usize], with: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *value = with;
        return;
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let name = fields
                .keys()
                .nth(step % fields.len())
                .expect("it is below the length")
                .clone();
            if step % 7 == 6 {
                fields.remove(&name);
            } else if step % 7 == 5 {
                fields.insert(format!("{name}x"), with);
            } else if let Some(field) = fields.get_mut(&name) {
                mutate(field, rest, with);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = step % items.len();
            mutate(&mut items[at], rest, with);
        }
        other => *other = with,
    }
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let mutated = (
        proptest::sample::select(bodies()),
        proptest::collection::vec(any::<usize>(), 0..4),
        leaf(),
        any::<bool>(),
    )
        .prop_map(|(mut body, steps, with, is_mutated)| {
            if is_mutated {
                mutate(&mut body, &steps, with);
            }
            body.to_string().into_bytes()
        });
    prop_oneof![8 => mutated, 1 => proptest::collection::vec(any::<u8>(), 0..100)]
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("s1".to_owned()),
        2 => prop_oneof![Just("f1"), Just("x1"), Just("h1"), Just("l1"), Just("b1"), Just("c1"), Just("w1"), Just("p1"),
            Just("1"), Just("0x1"), Just("label:worker")].prop_map(str::to_owned),
        1 => "[a-z0-9%./~-]{0,8}",
        1 => any::<u64>().prop_map(|number| number.to_string()),
    ]
}

fn query() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        2 => Just("?path=/a".to_owned()),
        1 => Just("?verify=false".to_owned()),
        1 => Just("?within_ms=0".to_owned()),
        1 => "\\?[a-z_]{0,8}=[a-z0-9%/+&=]{0,10}",
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let route = proptest::sample::select(ROUTES.clone());
    let segments = proptest::collection::vec(segment(), 3);
    let header = prop_oneof![
        8 => Just(String::new()),
        1 => "[A-Za-z-]{1,10}: [ -~]{0,20}\r\n",
        1 => Just("Transfer-Encoding: chunked\r\n".to_owned()),
        1 => Just("Expect: 100-continue\r\n".to_owned()),
    ];
    let mutation = proptest::option::weighted(0.1, (any::<usize>(), any::<u8>()));
    (route, segments, query(), header, body(), mutation).prop_map(
        |((method, path), segments, query, header, body, mutation)| {
            let mut segments = segments.into_iter();
            // The first server is that of the requests; the server `main` is another one.
            let mut is_server = path.starts_with("/v1/servers/{");
            let parts = path.split('/').map(|part| match part.strip_prefix('{') {
                Some(_) if std::mem::take(&mut is_server) => "s1".to_owned(),
                Some(_) => segments.next().unwrap_or_default(),
                None => part.to_owned(),
            });
            let path: Vec<String> = parts.collect();
            let content_type = if path.ends_with(&["data".to_owned()]) { "octet-stream" } else { "json" };
            let mut request = format!(
                "{method} {}{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/{content_type}\r\n\
                 Connection: close\r\n{header}Content-Length: {}\r\n\r\n",
                path.join("/"),
                body.len()
            )
            .into_bytes();
            request.extend(body);
            if let Some((at, byte)) = mutation {
                let at = at % request.len();
                request[at] = byte;
            }
            request
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_request_breaks_the_api(requests in proptest::collection::vec(request(), 1..30)) {
        let main = Server::builder().seed(tree! { "/own" => "1" }).start().expect("a server starts");
        let before = (main.snapshot(), main.connect_string());
        let mut limits = Limits::default();
        limits.servers = 8;
        limits.head = std::time::Duration::from_millis(100);
        limits.body = std::time::Duration::from_millis(100);
        limits.wait = std::time::Duration::from_millis(20);
        let control = Control::builder().server("main", main.clone()).limits(limits).start().expect("it starts");
        let mut client = Client::of(&control);
        client.server(json!({"labels": ["worker"], "members": 3, "clock": "manual", "seed": {"/a": "1"}}));
        for request in &requests {
            let mut hostile = Client::of(&control);
            hostile.write(request);
            if let Some(answer) = hostile.answer() {
                prop_assert!(
                    answer.status < 500,
                    "{}\n{}",
                    String::from_utf8_lossy(request),
                    String::from_utf8_lossy(&answer.body)
                );
            }
            if client.call("GET", "/servers/s1", &json!({})).0 == 404 {
                // It was deleted; the next one has the same path no more, and later requests find nothing.
                break;
            }
        }
        prop_assert_eq!(client.get("/servers/main/tree"), json!({"tree": {"/own": "1"}}));
        prop_assert_eq!((main.snapshot(), main.connect_string()), before);
    }
}
