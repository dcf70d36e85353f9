//! State that outlasts the process.

use std::fs;
use std::path::Path;

use crate::binary::{Serving, ask, run};
use crate::client::Client;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is Unicode")
}

fn served(arguments: &[&str]) -> Serving {
    let listen = ["--listen", "127.0.0.1:0"];
    Serving::start(&[&listen, arguments].concat(), &[])
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    let folder = folder();
    let arguments = ["--data-dir", text(folder.path())];
    let server = served(&arguments);
    let mut before = Client::connect(server.address());
    before.create("/kept", b"v1", false);
    before.create("/mine", b"", true);
    before.set("/kept", b"v2").expect("it can be written");
    server.end("KILL");

    let server = served(&arguments);
    let mut after = before.resume(server.address());
    assert!(after.has_session_of(&before));
    assert_eq!(after.get("/kept").as_deref(), Some(&b"v2"[..]));
    assert_eq!(after.get("/mine").as_deref(), Some(&b""[..]));
    let (status, _) = server.end("TERM");
    assert_eq!(status.code(), Some(0));

    let server = served(&arguments);
    let mut again = after.resume(server.address());
    assert_eq!(again.get("/kept").as_deref(), Some(&b"v2"[..]));
}

#[test]
fn the_greeting_names_the_place_of_the_state() {
    let folder = folder();
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    let check = |arguments: &[&str], place: &str| {
        let server = served(arguments);
        let [first, second] = server.greeting.clone();
        assert!(
            first.contains(&format!(", {place}; connect with")),
            "{first}"
        );
        assert!(second.ends_with("; the state is saved."), "{second}");
        server.end("TERM");
    };
    let (data, logs) = (text(&data), text(&logs));
    check(&["--data-dir", data], &format!("state in {data}"));
    check(
        &["--data-dir", data, "--data-log-dir", logs],
        &format!("state in {data}, logs in {logs}"),
    );
}

#[test]
fn every_way_of_naming_a_folder_keeps_state_there() {
    let folder = folder();
    let check = |name: &str, arguments: &[&str], variables: &[(&str, &str)]| {
        let start = || Serving::start(arguments, variables);
        let server = start();
        Client::connect(server.address()).create("/kept", name.as_bytes(), false);
        server.end("KILL");
        let server = start();
        let data = Client::connect(server.address()).get("/kept");
        assert_eq!(data.as_deref(), Some(name.as_bytes()), "{name}");
        let files = folder.path().join(name).join("version-2");
        assert!(files.is_dir(), "{}", files.display());
    };
    let data = |name: &str| String::from(text(&folder.path().join(name)));

    check("arguments", &["0", &data("arguments")], &[]);

    let file = folder.path().join("zoo.cfg");
    let lines = format!("clientPort=0\ndataDir={}\n", data("file"));
    fs::write(&file, lines).expect("it can be written");
    check("file", &[text(&file)], &[]);

    let variables = [
        ("ZOO_SERVERS", "server.1=localhost:2888:3888;0"),
        ("ZOO_DATA_DIR", &data("variables")),
        ("ZOO_DATA_LOG_DIR", &data("logs")),
    ];
    check("variables", &[], &variables);
    assert!(folder.path().join("logs/version-2").is_dir());
}

#[test]
fn in_memory_keeps_nothing_whatever_the_configuration_says() {
    let folder = folder();
    let data = folder.path().join("data");
    let server = Serving::start(&["--in-memory", "0", text(&data)], &[]);
    Client::connect(server.address()).create("/gone", b"", false);
    assert!(
        server.greeting[0].contains(", in memory;"),
        "{:?}",
        server.greeting
    );
    server.end("TERM");
    assert!(!data.exists());
}

#[test]
fn a_copy_begins_with_the_existing_state_and_changes_nothing_in_the_folder() {
    let folder = folder();
    let data = text(folder.path());
    let server = served(&["--data-dir", data]);
    Client::connect(server.address()).create("/config", b"v1", false);
    server.end("TERM");
    let files = || {
        let files = fs::read_dir(folder.path().join("version-2")).expect("it is there");
        let mut files: Vec<_> = files
            .map(|file| file.expect("it can be listed").path())
            .map(|path| (fs::read(&path).expect("it can be read"), path))
            .collect();
        files.sort_by(|one, other| one.1.cmp(&other.1));
        files
    };
    let before = files();
    let copy = served(&["--open-copy", data]);
    let place = format!(", in memory, from a copy of {data} with 1 log at zxid 0x2;");
    assert!(copy.greeting[0].contains(&place), "{:?}", copy.greeting);
    let mut client = Client::connect(copy.address());
    assert_eq!(client.get("/config").as_deref(), Some(&b"v1"[..]));
    client.set("/config", b"v2").expect("it can be written");
    copy.end("TERM");
    assert_eq!(files(), before);
}

#[test]
fn a_copy_finds_logs_that_lie_elsewhere() {
    let folder = folder();
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    let (data, logs) = (text(&data), text(&logs));
    let server = served(&["--data-dir", data, "--data-log-dir", logs]);
    Client::connect(server.address()).create("/config", b"v1", false);
    server.end("KILL");
    let copy = served(&["--open-copy", data, "--data-log-dir", logs]);
    let found = Client::connect(copy.address()).get("/config");
    assert_eq!(found.as_deref(), Some(&b"v1"[..]));
    for flags in [
        &["--data-log-dir", logs][..],
        &["--open-copy", data, "--data-dir", data],
        &["--in-memory", "--data-dir", data],
    ] {
        let output = run(flags, &[]);
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
}

#[test]
fn a_second_server_on_a_folder_is_refused_in_one_line() {
    let folder = folder();
    let data = text(folder.path());
    let _server = served(&["--data-dir", data]);
    check_refused(data, "in use by another server");
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_in_one_line() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("it can be written");
    check_refused(text(&file), "");
    check_refused(text(&file.join("below")), "");
}

#[test]
fn a_damaged_log_is_refused_with_its_place_and_cut_if_asked() {
    let folder = folder();
    let data = text(folder.path());
    let server = served(&["--data-dir", data]);
    let mut client = Client::connect(server.address());
    for path in ["/a", "/b", "/c"] {
        client.create(path, b"data of a znode", false);
    }
    server.end("KILL");
    let log = folder.path().join("version-2/log.1");
    let mut bytes = fs::read(&log).expect("there is a log");
    let place = bytes
        .windows(2)
        .position(|window| window == b"/b")
        .expect("it is in the log");
    bytes[place + 1] = b'x';
    fs::write(&log, &bytes).expect("it can be written");

    let line = check_refused(data, "damaged at offset ");
    assert!(line.contains(text(&log)), "{line}");
    assert_eq!(fs::read(&log).expect("it is there"), bytes);

    let server = served(&["--data-dir", data, "--recover"]);
    let mut client = Client::connect(server.address());
    assert!(client.get("/a").is_some());
    assert!(client.get("/b").is_none() && client.get("/x").is_none());
    let copy = log.with_file_name("damaged-log.1");
    assert_eq!(fs::read(&copy).expect("the copy is saved"), bytes);
}

#[test]
fn a_disk_that_refuses_a_write_ends_it_and_nothing_acknowledged_is_lost() {
    let folder = folder();
    let file = folder.path().join("zoo.cfg");
    let data = folder.path().join("data");
    let lines = format!(
        "clientPort=0\ndataDir={}\npreAllocSize=16\n",
        data.display()
    );
    fs::write(&file, lines).expect("it can be written");
    let server = Serving::start_with_file_limit(400, &["--log", "off", text(&file)]);
    let mut client = Client::connect(server.address());
    client.create("/count", b"", false);
    let acknowledged = client.set_until_it_ends("/count", 1000);
    let (status, stderr) = server.ended();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("minikeeper: stopped: "), "{stderr}");
    assert!(stderr.contains("/version-2/log.1: "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");

    let server = Serving::start(&[text(&file)], &[]);
    let found = Client::connect(server.address()).get("/count");
    let found = found.and_then(|data| data.first_chunk().map(|number| u32::from_be_bytes(*number)));
    // What was on its way when the disk refused may be there or not.
    let found = found.expect("many writes were acknowledged");
    assert!(
        acknowledged > 50 && (acknowledged..=acknowledged + 1).contains(&found),
        "{acknowledged} {found}"
    );
}

#[test]
fn a_seed_is_for_an_empty_folder() {
    let folder = folder();
    let seed = folder.path().join("seed.json");
    fs::write(&seed, r#"{"/config": "seed"}"#).expect("it can be written");
    let data = folder.path().join("data");
    let arguments = ["--data-dir", text(&data), "--seed", text(&seed)];
    let server = served(&arguments);
    let mut client = Client::connect(server.address());
    client
        .set("/config", b"changed")
        .expect("the seed was sown");
    let (_, log) = server.end("TERM");
    assert!(!log.contains("seed"), "{log}");

    let server = served(&arguments);
    let found = Client::connect(server.address()).get("/config");
    assert_eq!(found.as_deref(), Some(&b"changed"[..]));
    let (_, log) = server.end("TERM");
    let printed = format!("the seed is ignored: {} already has a state", text(&data));
    assert!(log.contains(&printed), "{log}");
}

/// Refused with exit code 1 and one line, which is given.
fn check_refused(data: &str, reason: &str) -> String {
    let output = run(&["--listen", "127.0.0.1:0", "--data-dir", data], &[]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    let [line] = lines[..] else {
        panic!("one line was expected: {stderr}")
    };
    assert!(line.starts_with("minikeeper: cannot serve: "), "{line}");
    assert!(line.contains(data) && line.contains(reason), "{line}");
    assert!(output.stdout.is_empty());
    String::from(line)
}

#[test]
fn state_that_a_release_cannot_hold_is_not_written_for_it() {
    let folder = folder();
    let data = text(folder.path());
    let server = served(&["--data-dir", data, "--data-format", "3.4"]);
    assert!(ask(server.address(), "srvr").contains("Mode: standalone"));
    server.end("TERM");
    let output = run(
        &[
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            data,
            "--data-format",
            "3.3",
        ],
        &[],
    );
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("there are 3.4, 3.5, 3.6, 3.7, 3.8 and 3.9"),
        "{stderr}"
    );
}
