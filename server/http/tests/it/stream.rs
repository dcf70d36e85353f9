//! The stream of the journal.

use serde_json::{Value, json};

use crate::api;
use crate::client::Client;

/// Reads chunks of a stream as lines.
struct Events(Client);

/// An event: its name, id and data.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<u64>,
    data: Value,
}

impl Events {
    fn open(mut client: Client, path: &str, header: &str) -> Self {
        client
            .write(format!("GET /v1{path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n").as_bytes());
        let mut head = String::new();
        while let Some(line) = client.line().filter(|line| !line.is_empty()) {
            head += &line.to_lowercase();
        }
        assert!(head.contains("text/event-stream"), "{head}");
        Self(client)
    }

    fn next(&mut self) -> Option<Event> {
        let mut event = Event {
            name: "message".to_owned(),
            id: None,
            data: Value::Null,
        };
        loop {
            // A chunk of no length ends the stream.
            let line = self.0.line().filter(|line| line != "0")?;
            if let Some(name) = line.strip_prefix("event: ") {
                event.name = name.to_owned();
            } else if let Some(id) = line.strip_prefix("id: ") {
                event.id = Some(id.parse().expect("an id is a number"));
            } else if let Some(data) = line.strip_prefix("data: ") {
                event.data = serde_json::from_str(data).expect("data are JSON");
                return Some(event);
            }
            // Comments, and the lengths of chunks.
        }
    }
}

#[test]
fn entries_come_in_order_and_are_resumed() {
    let (control, mut client) = api();
    client.server(json!({"seed": {"/a": ""}}));
    let mut events = Events::open(
        Client::of(&control),
        "/servers/s1/journal/stream?since=0",
        "",
    );
    assert_eq!(events.next().expect("the seed").id, Some(1));
    client.post("/servers/s1/tree/create", json!({"path": "/b"}));
    let event = events.next().expect("the write");
    assert_eq!((event.id, &event.data["paths"]), (Some(2), &json!(["/b"])));
    drop(events);
    client.post("/servers/s1/tree/create", json!({"path": "/c"}));
    let mut events = Events::open(
        Client::of(&control),
        "/servers/s1/journal/stream",
        "Last-Event-ID: 2\r\n",
    );
    assert_eq!(
        events.next().expect("the missed write").data["paths"],
        json!(["/c"])
    );
    client.delete("/servers/s1");
    // Deleting closes the test's own things, and then the stream ends.
    while events.next().is_some() {}
}

#[test]
fn a_matcher_filters_and_a_rate_counts_what_it_skips() {
    let (control, mut client) = api();
    client.server(json!({"journal": {"last": 1000}}));
    let path =
        "/servers/s1/journal/stream?since=0&max_per_s=1&matcher=%7B%22kind%22%3A%22wrote%22%7D";
    client.post("/servers/s1/sessions", json!({}));
    for path in ["/a", "/b", "/c"] {
        client.post("/servers/s1/tree/create", json!({"path": path}));
    }
    let mut events = Events::open(Client::of(&control), path, "");
    assert_eq!(
        events.next().expect("the first write").data["paths"],
        json!(["/a"])
    );
    let skipped = events.next().expect("a count");
    assert_eq!(
        (skipped.name.as_str(), &skipped.data),
        ("skipped", &json!({"count": 2}))
    );
}

#[test]
fn entries_that_the_journal_dropped_are_counted() {
    let (control, mut client) = api();
    client.server(json!({"seed": {"/a": "", "/b": ""}}));
    client.delete("/servers/s1/journal");
    client.post("/servers/s1/tree/create", json!({"path": "/c"}));
    let mut events = Events::open(
        Client::of(&control),
        "/servers/s1/journal/stream?since=0",
        "",
    );
    assert_eq!(events.next().expect("a count").data, json!({"count": 2}));
    assert_eq!(events.next().expect("the write").id, Some(3));
}

#[test]
fn many_entries_are_followed_without_loss() {
    const WRITES: u64 = 5_000;
    let server = minikeeper::Server::start().expect("a server starts");
    server.create("/a", b"").expect("it is new");
    let control = minikeeper_http::Control::builder()
        .server("main", server.clone())
        .start()
        .expect("it starts");
    let mut events = Events::open(
        Client::of(&control),
        "/servers/main/journal/stream?since=0",
        "",
    );
    let writer = std::thread::spawn(move || {
        for _ in 0..WRITES {
            server.set("/a", b"").expect("it exists");
        }
    });
    for number in 1..=WRITES + 1 {
        assert_eq!(events.next().expect("an entry").id, Some(number));
    }
    writer.join().expect("the writer ends");
}
