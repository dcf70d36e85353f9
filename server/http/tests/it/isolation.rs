//! Many tests at once: they see nothing of each other, and nothing remains.

use std::thread;

use minikeeper_http::Control;
use serde_json::json;

use crate::client::Client;
use crate::powers::connect;

/// Number of clients at the same time.
const CLIENTS: usize = 200;

/// One test: a server, five steps, and the end of the server. With `data`, the server has that data folder.
fn play(control: &Control, number: usize, data: Option<&String>) {
    let mut client = Client::of(control);
    let own = number.to_string();
    let server = client.post(
        "/servers",
        json!({"clock": "manual", "name": own, "seed": {"/own": own}, "data_dir": data}),
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
    // The seed of a data folder is a snapshot there, and no write.
    let nth = if data.is_some() { 1 } else { 2 };
    let wrote = client.post(
        &format!("{path}/waits"),
        json!({"matcher": {"kind": "wrote"}, "nth": nth, "since": 0}),
    );
    assert_eq!(wrote["entries"][0]["paths"], json!([format!("/{number}")]));
    let expired = client.post(&format!("{path}/sessions/{session}/expire"), json!({}));
    assert_eq!(expired["effects"]["expired"], json!([session]));
    client.post(&format!("{path}/clock/advance"), json!({"by_ms": number}));
    drop(socket);
    assert_eq!(client.delete(&path), json!({"failures": []}));
}

#[test]
fn parallel_tests_are_apart() {
    let control = Control::builder().start().expect("it starts");
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let control = &control;
            scope.spawn(move || play(control, number, None));
        }
    });
    let mut client = Client::of(&control);
    assert_eq!(client.get("/servers"), json!({"servers": []}));
    assert_eq!(client.get("")["waits"], 0);
}

/// Checks of a whole process, which has no other tests.
#[cfg(target_os = "linux")]
mod alone {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use minikeeper_http::Control;
    use serde_json::json;

    use super::play;
    use crate::client::Client;

    /// Variable of the process that runs only one test: its folder.
    const FOLDER: &str = "MINIKEEPER_TEST_ALONE";
    /// Memory that may remain, in KiB: an allocator gives some pages back late, or never.
    const MEMORY_KIB: usize = 5 << 10;
    /// Every server of this number has a data folder.
    const STORED: usize = 10;

    /// Names of the threads of this process.
    fn threads() -> Vec<String> {
        let tasks = fs::read_dir("/proc/self/task").expect("Linux has it");
        let names = tasks.map(|task| fs::read_to_string(task.expect("a task").path().join("comm")));
        // A thread may end while the names are read.
        let mut names: Vec<String> = names.map(Result::unwrap_or_default).collect();
        names.sort();
        names
    }

    /// Number of open files, and the threads without those that wait for a request: there are sometimes more of them,
    /// sometimes fewer, and they end when they have nothing to do.
    fn files_and_threads() -> (usize, Vec<String>) {
        let mut threads = threads();
        threads.retain(|name| !name.starts_with("minikeeper-call"));
        (entries(Path::new("/proc/self/fd")), threads)
    }

    /// Resident memory of this process, in KiB.
    fn memory_kib() -> usize {
        let text = status("VmRSS:");
        let number = text.strip_suffix(" kB").expect("it has a unit");
        number.parse().expect("it is a number")
    }

    fn status(name: &str) -> String {
        let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
        let mut lines = status.lines();
        let value = lines.find_map(|line| line.strip_prefix(name));
        value.expect("Linux has it").trim().to_owned()
    }

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).expect("it can be listed").count()
    }

    /// Runs a test in a process of its own. Temporary files of that process are in a folder of their own too.
    fn run_alone(test: &str) {
        let folder = tempfile::tempdir().expect("there is a folder");
        let this = std::env::current_exe().expect("it is a file");
        let ended = Command::new(this)
            .args(["--exact", test, "--include-ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .env("TMPDIR", folder.path())
            .output()
            .expect("it runs");
        let (stdout, stderr) = (
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
        let passed = ended.status.success() && stdout.contains("1 passed");
        assert!(passed, "alone, {test} fails:\n{stdout}\n{stderr}");
        eprint!("{stderr}");
    }

    /// Plays so many tests, one after the other, and checks that nothing of them remains.
    fn nothing_remains_of(tests: usize, test: &str) {
        let Some(folder) = std::env::var_os(FOLDER) else {
            return run_alone(test);
        };
        let folder = Path::new(&folder);
        // The first runtime opens files that the process has once: tokio's pipe for signals, if that feature is on.
        drop(Control::builder().start().expect("it starts"));
        let at_first = files_and_threads();
        let control = Control::builder().files(folder).start().expect("it starts");
        let mut client = Client::of(&control);
        let mut play_many = |tests| {
            for number in 1..=tests {
                let data = format!("data-{number}");
                let is_stored = number % STORED == 0;
                play(&control, number, is_stored.then_some(&data));
                if is_stored {
                    // Its files are the user's, and nothing uses them any more.
                    fs::remove_dir_all(folder.join(data)).expect("it can be removed");
                }
            }
            // The thread for connections has closed those of the tests when it answers this.
            assert_eq!(client.get("/servers"), json!({"servers": []}));
            (files_and_threads(), memory_kib())
        };
        // Some memory is there from the first tests on: that of the allocator, and of the threads for requests.
        let before = play_many(tests / 10);
        let after = play_many(tests);
        eprintln!("files and threads, KiB: {before:?} before {tests} servers, {after:?} after");
        assert_eq!(client.get("")["waits"], 0);
        assert_eq!(after.0, before.0);
        let grown = after.1.saturating_sub(before.1);
        assert!(grown < MEMORY_KIB, "{grown} KiB more after {tests} servers");
        assert_eq!(entries(folder), 0, "files remain in {}", folder.display());
        drop((client, control));
        assert!(!threads().iter().any(|name| name.starts_with("minikeeper")));
        assert_eq!(files_and_threads(), at_first);
    }

    #[test]
    fn nothing_remains_of_a_thousand_servers() {
        nothing_remains_of(
            1_000,
            "isolation::alone::nothing_remains_of_a_thousand_servers",
        );
    }

    /// In an optimized build: `cargo test --release -p minikeeper-http --test it -- --ignored --nocapture
    /// ten_thousand_servers`.
    #[ignore = "takes long in an unoptimized build; the command is in the comment of this test"]
    #[test]
    fn nothing_remains_of_ten_thousand_servers() {
        nothing_remains_of(
            10_000,
            "isolation::alone::nothing_remains_of_ten_thousand_servers",
        );
    }
}
