//! Ten thousand long polls at once.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use minikeeper_http::{Control, Limits};
use serde_json::json;

use crate::client::Client;

const POLLS: usize = 10_000;
const WITHIN: Duration = Duration::from_secs(600);
const NAME: &str = "polls::ten_thousand_long_polls_are_answered";
/// Variable of the process that serves.
const SERVES: &str = "MINIKEEPER_TEST_SERVES";
/// Text before the address in its output.
const MARK: &str = "serves at ";

#[cfg(unix)]
#[test]
fn ten_thousand_long_polls_are_answered() {
    // One socket for each poll, in this process and in that of the API.
    let wanted = POLLS as u64 + 1_000;
    let allowed = rlimit::increase_nofile_limit(wanted).expect("the limit can be read");
    assert!(
        allowed >= wanted,
        "this test opens {wanted} files; raise the limit with `ulimit -Hn`"
    );
    if std::env::var_os(SERVES).is_some() {
        let mut limits = Limits::default();
        // All polls are open at once, and an unoptimized build needs time to open them.
        limits.wait = WITHIN;
        let control = Control::builder()
            .limits(limits)
            .start()
            .expect("it starts");
        println!("{MARK}{}", control.address());
        // Until the test ends.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let this = std::env::current_exe().expect("it is a file");
    let mut api = Command::new(this)
        .args(["--exact", NAME, "--nocapture"])
        .env(SERVES, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let stdout = BufReader::new(api.stdout.take().expect("it is piped"));
    let mut lines = stdout.lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once(MARK)?.1.to_owned()));
    let address: SocketAddr = address
        .expect("it serves")
        .parse()
        .expect("it is an address");
    let mut client = Client::at(address);
    client.server(json!({}));
    let body =
        json!({"matcher": {"kind": "wrote", "path": "/go"}, "since": 0, "within_ms": WITHIN.as_secs() * 1_000})
            .to_string();
    let request = format!(
        "POST /v1/servers/s1/waits HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut polls: Vec<Client> = (0..POLLS)
        .map(|_| {
            let mut poll = Client::at(address);
            poll.write(request.as_bytes());
            poll
        })
        .collect();
    client.post("/servers/s1/tree/create", json!({"path": "/go"}));
    for poll in &mut polls {
        let mut answer = poll.answer().expect("an answer").json();
        if answer["outcome"] == "timed_out" {
            // On a slow machine 25 s pass before the last poll is sent. A client asks again, and misses nothing.
            poll.write(request.as_bytes());
            answer = poll.answer().expect("an answer").json();
        }
        assert_eq!(answer["outcome"], "matched", "{answer}");
    }
    drop(polls);
    assert_eq!(client.get("")["waits"], 0);
    // The process that serves ends with its standard input.
    drop(api.stdin.take());
    let mut rest = lines;
    assert!(rest.any(|line| line.starts_with("test result: ok")));
    assert!(api.wait().expect("it ends").success());
}
