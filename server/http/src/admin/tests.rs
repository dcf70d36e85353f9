//! Commands over HTTP, as a client sees them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use minikeeper::Server;
use serde_json::Value;

use super::{AdminServer, AdminSettings};

/// A server with its AdminServer on a free port.
fn started(change: impl FnOnce(&mut AdminSettings)) -> (Server, AdminServer) {
    let builder = Server::builder().manual_clock();
    let server = builder
        .super_user("super:secret")
        .start()
        .expect("a server starts");
    let mut settings = AdminSettings {
        address: ([127, 0, 0, 1], 0).into(),
        ..AdminSettings::default()
    };
    change(&mut settings);
    let admin = AdminServer::start(server.admin(), settings).expect("an AdminServer starts");
    (server, admin)
}

/// Sends a request, and returns the status, the head and the body of the answer.
fn send(admin: &AdminServer, line: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(admin.address()).expect("it listens");
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.write_all(body).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.expect("the head ends");
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.expect("a status"), head, answer[end + 4..].to_vec())
}

fn get(admin: &AdminServer, path: &str) -> (u16, Value) {
    let (status, _, body) = send(admin, &format!("GET {path}"), "", b"");
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

const SUPER: &str = "Authorization: digest super:secret\r\n";

#[test]
fn every_answer_has_its_command_and_an_error() {
    let (_server, admin) = started(|_| {});
    for (command, names) in super::command::Command::ALL {
        if command.needs_authorization() {
            continue;
        }
        for name in names {
            let (status, answer) = get(&admin, &format!("/commands/{name}"));
            assert_eq!(
                (status, &answer["command"]),
                (200, &Value::from(command.name()))
            );
            assert!(answer.get("error").is_some(), "{name}");
        }
    }
}

#[test]
fn an_unknown_command_is_answered_with_an_error() {
    let (_server, admin) = started(|_| {});
    let (status, answer) = get(&admin, "/commands/RUOK");
    assert_eq!(
        (status, &answer["error"]),
        (200, &"Unknown command: RUOK".into())
    );
    assert_eq!(get(&admin, "/").0, 404);
    assert_eq!(get(&admin, "/commandsx").0, 404);
}

#[test]
fn the_commands_are_below_the_url_of_the_setting() {
    let (_server, admin) = started(|settings| settings.command_url = "/zk".to_owned());
    let (status, _, body) = send(&admin, "GET /zk", "", b"");
    let links = String::from_utf8_lossy(&body).into_owned();
    assert_eq!((status, links.lines().count()), (200, 56));
    assert!(
        links.contains("<a href=\"/zk/ruok\">ruok</a>\n<br/>\n"),
        "{links}"
    );
    assert_eq!(get(&admin, "/commands/ruok").0, 404);
}

#[test]
fn methods_are_answered_as_by_a_servlet() {
    let (_server, admin) = started(|_| {});
    for (method, expected) in [
        ("HEAD", 200),
        ("OPTIONS", 200),
        ("PUT", 405),
        ("DELETE", 405),
        ("POST", 405),
        ("TRACE", 403),
        ("FOO", 501),
    ] {
        let (status, ..) = send(&admin, &format!("{method} /commands/ruok"), "", b"");
        assert_eq!(status, expected, "{method}");
    }
}

#[test]
fn a_server_that_is_stopped_answers_only_what_needs_no_server() {
    let (server, admin) = started(|_| {});
    server.stop();
    let error = "This ZooKeeper instance is not currently serving requests";
    assert_eq!(get(&admin, "/commands/ruok").1["error"], error);
    assert_eq!(get(&admin, "/commands/gtmk").1["tracemask"], 306);
}

#[test]
fn the_trace_mask_is_set_by_a_parameter() {
    let (_server, admin) = started(|_| {});
    assert_eq!(get(&admin, "/commands/stmk?traceMask=5").1["tracemask"], 5);
    assert_eq!(get(&admin, "/commands/gtmk").1["tracemask"], 5);
    let error = "setTraceMask requires long traceMask argument";
    assert_eq!(get(&admin, "/commands/stmk").1["error"], error);
    let error = format!("{error}, got a b");
    assert_eq!(
        get(&admin, "/commands/stmk?traceMask=a+b").1["error"],
        error
    );
}

#[test]
fn snapshot_needs_every_permission_on_the_root() {
    let (server, admin) = started(|_| {});
    let snapshot = |headers: &str| {
        server.advance(Duration::from_secs(1));
        send(&admin, "GET /commands/snap", headers, b"").0
    };
    assert_eq!(snapshot(""), 401);
    assert_eq!(snapshot("Authorization: sasl x\r\n"), 401);
    assert_eq!(snapshot("Authorization: digest a b\r\n"), 401);
    assert_eq!(snapshot("Authorization: ip\r\n"), 200);
}

#[test]
fn a_snapshot_is_restored_with_its_zxid() {
    let (server, admin) = started(|_| {});
    server.create("/config", b"v1").expect("it is created");
    let (status, head, bytes) = send(&admin, "GET /commands/snapshot", SUPER, b"");
    assert_eq!(status, 200);
    assert!(head.contains("last_zxid: 0x1"), "{head}");
    assert!(
        head.contains(&format!("snapshot_size: {}", bytes.len())),
        "{head}"
    );
    server.set("/config", b"v2").expect("it is set");
    let (status, _, body) = send(&admin, "POST /commands/restore", SUPER, &bytes);
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(body.contains("\"last_zxid\" : 1"), "{body}");
    assert_eq!(
        (status, server.data("/config").as_deref()),
        (200, Some(&b"v1"[..]))
    );
    let (status, ..) = send(&admin, "POST /commands/restore", SUPER, &bytes);
    assert_eq!(status, 429, "it is limited to once in five minutes");
    server.advance(Duration::from_secs(301));
    let (status, ..) = send(&admin, "POST /commands/restore", SUPER, b"nonsense");
    assert_eq!(status, 500);
}

#[test]
fn snapshot_and_restore_can_be_switched_off() {
    let (_server, admin) = started(|settings| {
        settings.snapshot_enabled = false;
        settings.restore_enabled = false;
    });
    assert_eq!(send(&admin, "GET /commands/snap", SUPER, b"").0, 503);
    assert_eq!(send(&admin, "POST /commands/rest", SUPER, b"").0, 503);
}
