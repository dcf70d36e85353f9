//! Many tests at once: they see nothing of each other, and nothing remains.

use std::thread;

use minikeeper_http::Control;
use serde_json::json;

use crate::client::Client;
use crate::powers::connect;

/// Number of clients at the same time.
const CLIENTS: usize = 200;

/// One test: a server, five steps, and the end of the server.
fn play(control: &Control, number: usize) {
    let mut client = Client::of(control);
    let own = number.to_string();
    let server = client.post(
        "/servers",
        json!({"clock": "manual", "name": own, "seed": {"/own": own}}),
    );
    let id = server["id"].as_str().expect("an id");
    let path = format!("/servers/{id}");
    let (socket, session) = connect(server["connect_string"].as_str().expect("an address"));
    assert_eq!(
        client.get(&format!("{path}/tree")),
        json!({"tree": {"/own": own}})
    );
    client.post(
        &format!("{path}/tree/create"),
        json!({"path": format!("/{number}")}),
    );
    let wrote = client.post(
        &format!("{path}/waits"),
        json!({"matcher": {"kind": "wrote"}, "nth": 2, "since": 0}),
    );
    assert_eq!(wrote["entries"][0]["paths"], json!([format!("/{number}")]));
    let expired = client.post(&format!("{path}/sessions/{session}/expire"), json!({}));
    assert_eq!(expired["effects"]["expired"], json!([session]));
    client.post(&format!("{path}/clock/advance"), json!({"by_ms": number}));
    drop(socket);
    assert_eq!(client.delete(&path), json!({"failures": []}));
}

/// Number of open files and of threads of this process.
#[cfg(target_os = "linux")]
fn open_files_and_threads() -> (usize, usize) {
    let count = |folder| std::fs::read_dir(folder).expect("it can be listed").count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

#[test]
fn parallel_tests_are_apart() {
    let control = Control::builder().start().expect("it starts");
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let control = &control;
            scope.spawn(move || play(control, number));
        }
    });
    let mut client = Client::of(&control);
    assert_eq!(client.get("/servers"), json!({"servers": []}));
    assert_eq!(client.get("")["waits"], 0);
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_remains_in_a_process_of_its_own() {
    const NAME: &str = "isolation::nothing_remains_in_a_process_of_its_own";
    const ALONE: &str = "MINIKEEPER_TEST_ALONE";
    // Other tests of this process have files and threads too.
    if std::env::var_os(ALONE).is_none() {
        let this = std::env::current_exe().expect("it is a file");
        let mut alone = std::process::Command::new(this);
        let ended = alone
            .args(["--exact", NAME])
            .env(ALONE, "1")
            .output()
            .expect("it runs");
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stdout)
        );
        return;
    }
    let play_many = |tests| {
        let control = Control::builder().start().expect("it starts");
        for number in 0..tests {
            play(&control, number);
        }
    };
    // The first runtime opens files that the process has once: tokio's pipe for signals, if that feature is on.
    play_many(1);
    let before = open_files_and_threads();
    play_many(200);
    assert_eq!(open_files_and_threads(), before);
}
