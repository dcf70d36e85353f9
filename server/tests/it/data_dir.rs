//! State in ZooKeeper's own data folder, which survives the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use minikeeper::{
    Config, Server, ServerBuilder, SessionId, Snapshot, StartError,
    folder::{
        Change, Compression, DataFormat, Log, OpenOptions, Storage, StorageError, Transaction,
    },
    protocol::{Timestamp, Zxid},
    tree,
};

use crate::client::{Client, EPHEMERAL, PERSISTENT};

const SECOND: Duration = Duration::from_secs(1);

/// Folder of one test, which is removed with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("minikeeper-it-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // An earlier process with the same id may have left the folder.
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    pub(crate) fn start(&self) -> Server {
        Server::builder()
            .data_dir(&self.0)
            .start()
            .expect("a server starts")
    }

    /// All files with their bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let folder = std::fs::read_dir(self.0.join("version-2")).expect("it is there");
        for entry in folder {
            let path = entry.expect("it can be read").path();
            let bytes = std::fs::read(&path).expect("it can be read");
            files.insert(path, bytes);
        }
        files
    }

    fn names(&self) -> Vec<String> {
        let files = self.files().into_keys();
        files
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .filter(|name| name.starts_with("snapshot.") || name.starts_with("log."))
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_restart_loads_the_whole_state_with_all_stats() {
    let folder = Folder::new();
    let server = folder.start();
    let mut client = Client::connect(server.addr());
    client.create("/config", b"v1", PERSISTENT);
    client.set("/config", b"v2");
    client.create("/config/mine", b"", EPHEMERAL);
    server.create("/by-hand", b"").expect("it is created");
    server.delete("/by-hand").expect("it is deleted");
    let before = server.snapshot();
    drop(server);

    let server = folder.start();
    assert_eq!(server.snapshot(), before);
    assert_eq!(server.data("/config").as_deref(), Some(&b"v2"[..]));
    let after = server.create("/after", b"").expect("it goes on");
    assert_eq!(after.czxid, Zxid(before.zxid().0 + 1));
}

#[test]
fn a_session_of_the_old_server_is_resumed_on_the_new_one() {
    let folder = Folder::new();
    let server = folder.start();
    let mut client = Client::connect(server.addr());
    client.create("/mine", b"", EPHEMERAL);
    let granted = client.granted.clone();
    drop(server);
    let server = folder.start();
    let client = Client::resume(server.addr(), &granted).expect("the session is known");
    client.close();
    assert!(server.znode("/mine").is_none());
}

#[test]
fn a_fresh_folder_has_a_snapshot_before_its_first_log() {
    let folder = Folder::new();
    let server = folder.start();
    assert_eq!(folder.names(), ["snapshot.0"]);
    server.create("/a", b"").expect("it is created");
    assert_eq!(folder.names(), ["log.1", "snapshot.0"]);
}

/// Answer to a four-letter word.
fn word(server: &Server, word: &[u8; 4]) -> String {
    let mut socket = crate::client::open(server.addr());
    crate::client::send(&mut socket, word);
    let answer = crate::client::receive_rest(&mut socket);
    String::from_utf8(answer).expect("it is text")
}

#[test]
fn hash_tells_the_digest_after_each_128th_transaction() {
    let folder = Folder::new();
    let server = folder.start();
    assert_eq!(word(&server, b"hash"), "");
    server.create("/a", b"").expect("it is created");
    for _ in 0..300 {
        server.set("/a", b"again").expect("it is set");
        assert!(server.create("/a", b"").is_err());
    }
    let digests = word(&server, b"hash");
    let logged = Log::open(&folder.0)
        .expect("there are logs")
        .map(|txn| txn.expect("they are whole"))
        .filter(|txn| txn.zxid.0 % 128 == 0)
        .map(|txn| (txn.zxid, txn.digest));
    let logged: Vec<(Zxid, Option<u64>)> = logged.collect();
    assert_eq!(logged.len(), 4, "{logged:?}");
    let lines: Vec<&str> = digests.lines().collect();
    assert_eq!(lines.len(), 4, "{digests}");
    for ((zxid, digest), line) in logged.iter().zip(lines) {
        // The log has no digest for a refused write.
        let digest = digest.map(u64::cast_signed);
        let number = digest.map_or(String::new(), |digest| digest.to_string());
        assert!(
            line.starts_with(&format!("{:x}: {number}", zxid.0)),
            "{line}"
        );
    }
    // Transactions that are read from the log have digests, too.
    drop(server);
    assert_eq!(word(&folder.start(), b"hash"), digests);
}

#[test]
fn conf_shows_the_folders_and_their_sizes() {
    let folder = Folder::new();
    let server = folder.start();
    let text = word(&server, b"conf");
    let name = name_of(&folder.0);
    assert!(
        text.contains(&format!("dataDir={name}/version-2\n")),
        "{text}"
    );
    let size: usize = folder.files().values().map(Vec::len).sum();
    assert!(text.contains(&format!("dataDirSize={size}\n")), "{text}");
}

/// A real server shows the folder of its files, from the root.
#[test]
fn conf_shows_the_folder_that_the_files_are_in() {
    let folder = Folder::new();
    let files = format!("{}/version-2", name_of(&folder.0));
    let here = std::env::current_dir().expect("there is a working directory");
    let relative = "../".repeat(here.components().count() - 1) + files.trim_start_matches('/');
    for (data_dir, shown) in [
        (&files, files.clone()),
        (&relative, format!("{}/{relative}", here.display())),
    ] {
        let server = Server::builder().data_dir(data_dir).start();
        let text = word(&server.expect("it starts"), b"conf");
        assert!(text.contains(&format!("dataDir={shown}\n")), "{text}");
        assert!(text.contains(&format!("dataLogDir={shown}\n")), "{text}");
    }
}

#[test]
fn only_one_server_can_use_a_folder() {
    let folder = Folder::new();
    let server = folder.start();
    let other = Server::builder().data_dir(&folder.0).start();
    let error = other.expect_err("it is taken");
    assert!(
        matches!(error, StartError::Storage(StorageError::InUse { .. })),
        "{error}"
    );
    assert_eq!(error.to_string().lines().count(), 1);
    drop(server);
    folder.start();
}

#[test]
fn the_log_continues_while_the_server_is_stopped_and_restarted() {
    let folder = Folder::new();
    let server = folder.start();
    server.create("/a", b"").expect("it is created");
    server.restart().expect("it starts");
    server.create("/b", b"").expect("it is created");
    server.stop();
    server.create("/c", b"").expect("the handle writes still");
    let before = server.snapshot();
    drop(server);
    assert_eq!(folder.start().snapshot(), before);
}

#[test]
fn a_copy_never_writes() {
    let folder = Folder::new();
    let server = folder.start();
    server.create("/config", b"v1").expect("it is created");
    let before = server.snapshot();
    // A server may be using the folder.
    assert_eq!(
        Server::open_copy(&folder.0).expect("it starts").snapshot(),
        before
    );
    drop(server);
    let files = folder.files();
    let copy = Server::open_copy(folder.0.join("version-2")).expect("it starts");
    copy.set("/config", b"v2").expect("it is set");
    copy.restart().expect("it starts");
    drop(copy);
    assert_eq!(folder.files(), files);
    assert_eq!(folder.start().snapshot(), before);
}

#[test]
fn an_export_can_be_opened_and_continued() {
    let (folder, export) = (Folder::new(), Folder::new());
    let server = Server::builder()
        .seed(tree! { "/a/b" => "1" })
        .start()
        .expect("a server starts");
    let mut client = Client::connect(server.addr());
    client.create("/mine", b"", EPHEMERAL);
    server.export(&export.0).expect("it is written");
    assert!(matches!(
        server.export(&export.0),
        Err(StorageError::NotEmpty { .. })
    ));
    let before = server.snapshot();
    let file = export.0.join("version-2/snapshot.4");
    for path in [&export.0, &file] {
        let opened = Snapshot::open(path).expect("it can be read");
        assert_eq!(opened, before, "{}", path.display());
    }
    let other = export.start();
    assert_eq!(other.snapshot(), before);
    other.create("/a/c", b"").expect("it goes on");
    before
        .write_with(&folder.0, DataFormat::V3_5, Compression::None)
        .expect("it is written");
    assert_eq!(Snapshot::open(&folder.0).expect("it can be read"), before);
    drop(other);
}

#[test]
fn a_snapshot_starts_in_an_empty_folder_and_is_refused_in_another() {
    let folder = Folder::new();
    let before = Server::builder()
        .seed(tree! { "/config" => "v1" })
        .start()
        .expect("a server starts")
        .snapshot();
    let begin = || {
        Server::builder()
            .snapshot(before.clone())
            .data_dir(&folder.0)
            .start()
    };
    let server = begin().expect("a server starts");
    assert_eq!(server.snapshot(), before);
    drop(server);
    assert_eq!(folder.names(), ["snapshot.1"]);
    assert_eq!(folder.start().snapshot(), before);
    assert!(matches!(begin(), Err(StartError::Config(_))));
}

#[test]
fn a_seed_is_written_only_to_an_empty_folder() {
    let folder = Folder::new();
    let seeded = || {
        Server::builder()
            .seed(tree! { "/config" => "v1" })
            .data_dir(&folder.0)
            .start()
            .expect("a server starts")
    };
    let server = seeded();
    let config = server.znode("/config").expect("it was sown");
    assert_eq!(config.stat.czxid, Zxid(1));
    server.set("/config", b"v2").expect("it is set");
    drop(server);
    assert_eq!(seeded().data("/config").as_deref(), Some(&b"v2"[..]));
}

#[test]
fn the_log_has_every_transaction_with_file_and_offset() {
    let folder = Folder::new();
    let server = folder.start();
    server.create("/a", b"1").expect("it is created");
    assert!(server.create("/a", b"").is_err());
    server.set("/a", b"2").expect("it is set");
    drop(server);
    let server = folder.start();
    server.delete("/a").expect("it is deleted");
    let all: Vec<Transaction> = Log::open(&folder.0)
        .expect("there are logs")
        .collect::<Result<_, _>>()
        .expect("they are whole");
    let changes: Vec<String> = all.iter().map(|txn| txn.change.to_string()).collect();
    let expected = [
        "create /a \"1\"",
        "error -110 NODEEXISTS",
        "setData /a \"2\" version 1",
        "delete /a",
    ];
    assert_eq!(changes, expected);
    let zxids: Vec<i64> = all.iter().map(|txn| txn.zxid.0).collect();
    assert_eq!(zxids, [1, 2, 3, 4]);
    assert!(all[0].file.ends_with("log.1") && all[3].file.ends_with("log.4"));
    assert_eq!(all[0].offset, 16);
    assert_eq!(all[2].paths(), ["/a"]);
    assert!(matches!(&all[3].change, Change::Delete { path } if path == "/a"));
    let json = serde_json::to_string(&all).expect("it is plain data");
    assert_eq!(
        serde_json::from_str::<Vec<Transaction>>(&json).expect("it is plain data"),
        all
    );
    for (txn, name) in all.iter().zip(["create", "error", "setData", "delete"]) {
        assert_eq!(txn.change.name(), name);
        let value = serde_json::to_value(&txn.change).expect("it is plain data");
        assert_eq!(value["type"], name);
    }
    // One file.
    let one = Log::open(&all[3].file).expect("it is there");
    assert_eq!(one.count(), 1);
    assert!(Log::open(folder.0.join("none")).is_err());
}

#[test]
fn a_change_has_the_name_that_zookeeper_uses() {
    let of = |json: &str| -> Change { serde_json::from_str(json).expect("it is a change") };
    let acl = r#""path":"/a","acl":[],"aversion":1"#;
    let ttl = r#""path":"/a","data":null,"acl":[],"parent_cversion":1,"ttl_ms":5"#;
    for (name, rest, text) in [
        ("setACL", acl, "setACL /a aversion 1 acl "),
        ("createTTL", ttl, "createTTL /a null ttl 5 ms"),
        (
            "closeSession",
            r#""deleted":["/e"]"#,
            "closeSession deletes /e",
        ),
        ("deleteContainer", r#""path":"/c""#, "deleteContainer /c"),
        ("multi", r#""changes":[]"#, "multi []"),
    ] {
        let change = of(&format!(r#"{{"type":"{name}",{rest}}}"#));
        assert_eq!(change.name(), name);
        assert_eq!(change.to_string(), text);
    }
    let operation = serde_json::to_string(&minikeeper::protocol::Operation::SetAcl);
    assert_eq!(operation.expect("it is plain data"), r#""setACL""#);
}

/// Folder with two logs of one transaction each.
fn with_two_logs() -> Folder {
    let folder = Folder::new();
    for path in ["/a", "/b"] {
        folder.start().create(path, b"").expect("it is created");
    }
    assert!(
        folder
            .names()
            .starts_with(&["log.1".into(), "log.2".into()])
    );
    folder
}

/// Removes the end mark of the only entry in a log, and everything after it.
fn tear(log: &Path) {
    let mut bytes = std::fs::read(log).expect("it can be read");
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(end.expect("there is an entry"));
    std::fs::write(log, bytes).expect("it can be written");
}

#[test]
fn a_torn_end_is_damage_except_in_the_newest_log() {
    let folder = with_two_logs();
    let [older, newer] = ["log.1", "log.2"].map(|name| folder.0.join("version-2").join(name));
    tear(&newer);
    let mut log = Log::open(&folder.0).expect("there are logs");
    let zxids: Vec<i64> = (&mut log)
        .map(|txn| txn.expect("it is whole").zxid.0)
        .collect();
    assert_eq!(zxids, [1]);
    let torn = log.torn().expect("the newest ends torn").to_string();
    let expected = format!("{}: damaged at offset 16: ", newer.display());
    assert!(torn.starts_with(&expected), "{torn}");

    let folder = with_two_logs();
    let older = folder
        .0
        .join("version-2")
        .join(older.file_name().expect("it has one"));
    tear(&older);
    let mut log = Log::open(&folder.0).expect("there are logs");
    let all: Vec<_> = (&mut log).collect();
    let [Err(damage), Ok(after)] = &all[..] else {
        panic!("damage and what comes after it: {all:?}")
    };
    let expected = format!("{}: damaged at offset 16: ", older.display());
    assert!(damage.to_string().starts_with(&expected), "{damage}");
    assert_eq!((after.zxid, log.torn().is_none()), (Zxid(2), true));
    // A single file has no newer log.
    let mut alone = Log::open(&older).expect("it is there");
    assert_eq!((&mut alone).count(), 0);
    assert!(alone.torn().is_some());
}

#[test]
fn a_copy_of_an_empty_folder_is_refused() {
    let check = |path: &Path, expected: &str| {
        let text = format!("{expected}; check the path");
        let error = Server::open_copy(path).expect_err("there is nothing");
        assert!(
            matches!(&error, StartError::Storage(StorageError::Empty { .. })),
            "{error}"
        );
        assert_eq!(error.to_string(), text);
        assert!(Snapshot::open(path).is_err());
    };
    let folder = Folder::new();
    let name = folder.0.display();
    std::fs::create_dir_all(&folder.0).expect("it can be made");
    check(&folder.0, &format!("{name}: there is no version-2 here"));
    let error = Log::open(&folder.0).expect_err("there is nothing");
    assert!(matches!(error, StorageError::Empty { .. }), "{error}");
    let inside = folder.0.join("version-2");
    std::fs::create_dir_all(&inside).expect("it can be made");
    let nothing = format!("{name}/version-2: there is neither a snapshot nor a log here");
    check(&folder.0, &nothing);
    check(&inside, &nothing);
    assert_eq!(Log::open(&folder.0).expect("it may be empty").count(), 0);
    // A server can start in the empty folder.
    let server = folder.start();
    server.create("/a", b"").expect("it is created");
    drop(server);
    assert!(Server::open_copy(&folder.0).is_ok());
    let mut options = OpenOptions::default();
    options.data_log_dir = Some(folder.0.join("typo"));
    let error = Snapshot::open_with(&folder.0, &options).expect_err("the logs are not there");
    assert!(matches!(error, StorageError::Misplaced { .. }), "{error}");
    std::fs::remove_file(inside.join("log.1")).expect("it is there");
    let error = Snapshot::open_with(&folder.0, &options).expect_err("the logs are not there");
    assert!(
        error.to_string().contains("/typo: there is no version-2"),
        "{error}"
    );
}

#[test]
fn the_error_for_a_file_that_is_not_a_snapshot_says_so() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).expect("it can be made");
    let path = folder.0.join("snapshot.5");
    for (bytes, why) in [
        (&b""[..], "the file is empty"),
        (b"abc", "it does not begin with ZKSN"),
        (b"no snapshot, but a text", "it does not begin with ZKSN"),
    ] {
        std::fs::write(&path, bytes).expect("it can be written");
        let error = Snapshot::open(&path).expect_err("it is none").to_string();
        let name = path.display();
        let expected = format!("{name}: damaged at offset 0: not a snapshot: {why}");
        assert_eq!(error, expected);
    }
}

#[test]
fn logs_can_be_in_another_folder() {
    let (data, logs) = (Folder::new(), Folder::new());
    let start = || {
        Server::builder()
            .data_dir(&data.0)
            .data_log_dir(&logs.0)
            .start()
            .expect("a server starts")
    };
    let server = start();
    server.create("/a", b"").expect("it is created");
    let before = server.snapshot();
    drop(server);
    assert_eq!(data.names(), ["snapshot.0"]);
    assert_eq!(logs.names(), ["log.1"]);
    assert_eq!(start().snapshot(), before);
    let mut options = OpenOptions::default();
    options.data_log_dir = Some(logs.0.clone());
    let opened = Snapshot::open_with(&data.0, &options).expect("it can be read");
    assert!(opened.znode("/a").is_some());
}

#[cfg(unix)]
#[test]
fn a_log_folder_that_links_to_the_data_folder_is_one_folder() {
    use std::os::unix::fs::symlink;
    let (data, link) = (Folder::new(), Folder::new());
    symlink(&data.0, &link.0).expect("a link is made");
    let mut storage = Storage::default();
    storage.data_log_dir = Some(link.0.clone());
    let start = || {
        let builder = Server::builder().storage(storage.clone());
        builder.data_dir(&data.0).start()
    };
    // The link is dangling at first, then it has a target.
    for _ in 0..2 {
        let server = start().expect("a server starts");
        server.set("/", b"again").expect("it is set");
        let before = server.snapshot();
        drop(server);
        assert_eq!(start().expect("a server starts").snapshot(), before);
        let mut options = OpenOptions::default();
        options.data_log_dir.clone_from(&storage.data_log_dir);
        let opened = Snapshot::open_with(&data.0, &options).expect("it can be read");
        assert_eq!(opened, before);
    }
    std::fs::remove_file(&link.0).expect("it is removed");
}

#[test]
fn a_relative_folder_survives_a_change_of_the_working_directory() {
    if !crate::alone::is_alone(
        "data_dir::a_relative_folder_survives_a_change_of_the_working_directory",
    ) {
        return;
    }
    let (folder, other) = (Folder::new(), Folder::new());
    for folder in [&folder, &other] {
        std::fs::create_dir_all(&folder.0).expect("it is made");
    }
    let go_to = |folder: &Folder| std::env::set_current_dir(&folder.0).expect("it is there");
    go_to(&folder);
    let mut storage = Storage::default();
    storage.snap_count = 10;
    let server = Server::builder().storage(storage).data_dir("data").start();
    let server = server.expect("a server starts");
    server.create("/a", b"").expect("it is created");
    go_to(&other);
    for _ in 0..30 {
        server.set("/a", b"again").expect("it is set");
    }
    let before = server.snapshot();
    drop(server);
    assert!(!other.0.join("data").exists());
    let found = Snapshot::open(folder.0.join("data")).expect("it is there");
    assert_eq!(found, before);
}

/// Writes until a write fails, and returns the number of acknowledged writes.
#[cfg(unix)]
fn set_until_it_fails(server: &Server) -> u32 {
    const MOST: u32 = 100_000;
    let written = (0..MOST).take_while(|number| server.set("/a", &number.to_be_bytes()).is_ok());
    u32::try_from(written.count()).expect("there are few")
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_removed_while_the_server_runs_is_noticed_at_the_next_write() {
    type Removal = fn(&Folder);
    let all: Removal = |folder| std::fs::remove_dir_all(&folder.0).expect("it is removed");
    let version: Removal =
        |folder| std::fs::remove_dir_all(folder.0.join("version-2")).expect("it is removed");
    let log: Removal =
        |folder| std::fs::remove_file(folder.0.join("version-2/log.1")).expect("it is removed");
    let lock: Removal =
        |folder| std::fs::remove_file(folder.0.join("minikeeper.lock")).expect("it is removed");
    for (what, remove) in [
        ("all", all),
        ("version-2", version),
        ("log", log),
        ("lock", lock),
    ] {
        for force_sync in [true, false] {
            let folder = Folder::new();
            let mut storage = Storage::default();
            storage.force_sync = force_sync;
            let builder = Server::builder().storage(storage);
            let server = builder.data_dir(&folder.0).start().expect("it starts");
            server.create("/a", b"").expect("it is created");
            remove(&folder);
            let acknowledged = set_until_it_fails(&server);
            // The log is checked with every flush. Without a flush, and for the lock, the check comes every 10 ms.
            let at_once = force_sync && what != "lock";
            assert!(!at_once || acknowledged == 0, "{what}: {acknowledged}");
            let failure = server.failure().expect("it has stopped");
            assert!(
                matches!(failure, StorageError::Gone { .. }),
                "{what}: {failure}"
            );
            assert!(!server.is_running());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_server_never_writes_to_a_folder_that_replaced_its_own() {
    let (folder, renamed) = (Folder::new(), Folder::new());
    let mut storage = Storage::default();
    storage.snap_count = 10;
    let builder = Server::builder().storage(storage);
    let server = builder.data_dir(&folder.0).start().expect("it starts");
    server.create("/a", b"").expect("it is created");
    std::fs::rename(&folder.0, &renamed.0).expect("it is renamed");
    let other = folder.start();
    other.create("/other", b"").expect("it is created");
    let before = folder.files();
    let mut acknowledged = 0;
    for number in 0..100_u32 {
        let bytes = number.to_be_bytes();
        if server.set("/a", &bytes).is_err() || server.failure().is_some() {
            break;
        }
        acknowledged = number;
    }
    let failure = server.failure().expect("it has stopped");
    assert!(matches!(failure, StorageError::Gone { .. }), "{failure}");
    drop(server);
    assert_eq!(folder.files(), before);
    let data = renamed.start().data("/a").expect("it is there");
    let number = u32::from_be_bytes(data.try_into().expect("a number"));
    assert!((acknowledged..=acknowledged + 1).contains(&number));
}

#[test]
fn snapshots_are_written_and_logs_roll_while_clients_write() {
    let folder = Folder::new();
    let start = || {
        let mut config = Config::default();
        config.storage.data_dir = Some(folder.0.clone());
        config.storage.snap_count = 10;
        config.storage.force_sync = false;
        ServerBuilder::from(config)
            .start()
            .expect("a server starts")
    };
    let server = start();
    for number in 0..100 {
        server
            .create(&format!("/{number}"), b"")
            .expect("it is created");
    }
    let before = server.snapshot();
    // A snapshot that was begun is completed.
    drop(server);
    let logs = folder.names().into_iter();
    assert!(logs.filter(|name| name.starts_with("log.")).count() >= 10);
    assert!(folder.names().len() > 12, "{:?}", folder.names());
    assert_eq!(start().snapshot(), before);
}

#[test]
fn a_log_rolls_at_its_size_limit_without_a_snapshot() {
    let folder = Folder::new();
    let start = || {
        let mut config = Config::default();
        config.storage.data_dir = Some(folder.0.clone());
        config.storage.log_size_limit = 1024;
        config.storage.last_zxid = false;
        ServerBuilder::from(config)
            .start()
            .expect("a server starts")
    };
    let server = start();
    server.create("/a", &[b'a'; 1000]).expect("it is created");
    server.create("/b", b"").expect("it is created");
    server.create("/c", &[b'c'; 1000]).expect("it is created");
    let before = server.snapshot();
    drop(server);
    assert_eq!(folder.names(), ["log.1", "log.2", "snapshot.0"]);
    // The entry ends with the digest: its checksum, and the end mark.
    let first = &folder.files()[&folder.0.join("version-2/snapshot.0")];
    let digest = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    let at = first.len() - 13 - 8 - digest.len();
    assert_eq!(first[at..at + digest.len()], digest, "{first:x?}");
    assert_eq!(start().snapshot(), before);
}

#[test]
fn a_write_that_the_data_format_cannot_represent_is_refused() {
    let folder = Folder::new();
    let mut config = Config::default();
    config.storage.data_dir = Some(folder.0.clone());
    config.storage.data_format = Some(DataFormat::V3_4);
    let server = ServerBuilder::from(config)
        .start()
        .expect("a server starts");
    let container = tree! { "/c" => minikeeper::state::Znode::new("").container() };
    assert!(server.seed(&container).is_err());

    let special = tree! {
        "/b" => minikeeper::state::Znode::new("").ttl(SECOND),
        "/c" => minikeeper::state::Znode::new("").container(),
    };
    let server = Server::builder().seed(special).start();
    let snapshot = server.expect("a server starts").snapshot();
    let export = Folder::new();
    let old = || snapshot.write_with(&export.0, DataFormat::V3_4, Compression::None);
    let expected = format!(
        "{}: ZooKeeper 3.4 cannot store /b, a znode with a time to live; choose a later data format",
        export.0.display()
    );
    assert_eq!(old().expect_err("3.4 has none").to_string(), expected);
    assert!(!export.0.exists());
}

#[test]
fn a_folder_with_damaged_state_does_not_start_empty() {
    let folder = Folder::new();
    let server = Server::start().expect("a server starts");
    server.create("/a", b"").expect("it is created");
    server.export(&folder.0).expect("it is written");
    let snapshot = folder.0.join("version-2/snapshot.1");
    std::fs::write(&snapshot, b"ZKSN").expect("it can be written");
    let start = || Server::builder().data_dir(&folder.0).start();
    let error = start().expect_err("there was a state").to_string();
    let expected = format!(
        "none of the 1 snapshots is valid; restore one from a backup; the newest: {}: damaged at offset 0: incomplete, \
         or not a snapshot",
        snapshot.display()
    );
    assert!(error.ends_with(&expected), "{error}");
    // A real server that is killed while it writes its first snapshot has lost nothing.
    let first = folder.0.join("version-2/snapshot.0");
    std::fs::rename(&snapshot, first).expect("it is there");
    assert_eq!(start().expect("it begins").snapshot().zxid(), Zxid(0));
}

#[test]
fn time_continues_from_the_last_write() {
    let folder = Folder::new();
    let start = |at: i64| {
        Server::builder()
            .manual_clock()
            .start_time(Timestamp(at))
            .data_dir(&folder.0)
            .start()
            .expect("a server starts")
    };
    let server = start(1_000_000);
    server.advance(SECOND * 3600);
    let mtime = server.create("/a", b"").expect("it is created").mtime;
    let now = server.now();
    assert_eq!(mtime, now);
    drop(server);
    let server = start(1_000_000);
    assert_eq!(server.now(), now);
}

#[test]
fn an_expiry_survives_the_server() {
    let folder = Folder::new();
    let start = || {
        Server::builder()
            .manual_clock()
            .data_dir(&folder.0)
            .start()
            .expect("a server starts")
    };
    let server = start();
    let client = Client::connect(server.addr());
    let session = client.session();
    assert_ne!(session, SessionId(0));
    server.mute(session);
    server.advance(SECOND * 60);
    assert!(server.sessions().is_empty());
    drop(server);
    assert!(start().sessions().is_empty());
}

#[test]
fn session_ids_are_not_reused_although_the_clock_stands_still() {
    let folder = Folder::new();
    let mut before = Vec::new();
    // The second server finds the sessions in the log, and the third finds a snapshot without sessions.
    for run in 0..4 {
        let server = Server::builder()
            .manual_clock()
            .start_time(Timestamp(1_000_000_000_000))
            .data_dir(&folder.0)
            .start()
            .expect("a server starts");
        for _ in 0..run % 2 + 1 {
            let client = Client::connect(server.addr());
            let session = client.session();
            client.close();
            assert!(!before.contains(&session), "{session}: {before:?}");
            before.push(session);
            server.restart().expect("it starts");
        }
    }
}

#[test]
fn an_ensemble_has_no_folder_and_says_so() {
    let folder = Folder::new();
    let ensemble = Server::builder().data_dir(&folder.0).ensemble(3);
    assert!(matches!(ensemble, Err(StartError::Config(_))));
    let logs_alone = Server::builder().data_log_dir(&folder.0).start();
    assert!(matches!(logs_alone, Err(StartError::Config(_))));
    assert!(!folder.0.exists());
}

#[test]
fn a_state_that_cannot_be_written_creates_no_folder() {
    let (export, folder) = (Folder::new(), Folder::new());
    let snapshot = Server::start().expect("a server starts").snapshot();
    let of_3_5 = snapshot.write_with(&export.0, DataFormat::V3_5, Compression::Gzip);
    assert!(matches!(of_3_5, Err(StorageError::NotInFormat { .. })));
    if cfg!(not(feature = "compression")) {
        let compressed = snapshot.write_with(&export.0, DataFormat::V3_9, Compression::Snappy);
        assert!(matches!(
            compressed,
            Err(StorageError::NoCompression { .. })
        ));
    }
    assert!(!export.0.exists());

    // The error comes at the start, and not with the first snapshot.
    drop(folder.start());
    let mut storage = Storage::default();
    storage.data_dir = Some(folder.0.clone());
    storage.data_format = Some(DataFormat::V3_5);
    storage.compression = Compression::Gzip;
    let refused = Server::builder().storage(storage).start();
    assert!(matches!(
        refused,
        Err(StartError::Storage(StorageError::NotInFormat { .. }))
    ));
}

#[test]
fn the_error_for_a_folder_that_cannot_be_opened_has_one_line() {
    let folder = Folder::new();
    std::fs::write(&folder.0, "no folder").expect("it can be written");
    let error = Server::builder().data_dir(&folder.0).start();
    let error = error.expect_err("it is a file").to_string();
    assert!(error.contains(&name_of(&folder.0)), "{error}");
    assert_eq!(error.lines().count(), 1);
    std::fs::remove_file(&folder.0).expect("it is there");
    assert!(Server::open_copy(&folder.0).is_err());
    assert!(!folder.0.exists());
}

fn name_of(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn superseded_files_are_purged_if_configured() {
    let folder = Folder::new();
    let start = |purge_interval: Duration| {
        let mut config = Config::default();
        config.storage.data_dir = Some(folder.0.clone());
        config.storage.purge_interval = purge_interval;
        ServerBuilder::from(config)
            .start()
            .expect("a server starts")
    };
    let snapshots = || {
        let names = folder.names().into_iter();
        names.filter(|name| name.starts_with("snapshot.")).count()
    };
    for number in 0..5 {
        // Each start after a write writes a snapshot.
        let server = start(Duration::ZERO);
        server
            .create(&format!("/{number}"), b"")
            .expect("it is created");
    }
    let before = start(Duration::ZERO).snapshot();
    assert_eq!(snapshots(), 6);
    drop(start(SECOND * 3600));
    assert_eq!(snapshots(), 3);
    assert_eq!(start(Duration::ZERO).snapshot(), before);
}

#[test]
fn an_empty_folder_does_not_change_the_time_of_a_manual_clock() {
    let folder = Folder::new();
    let still = || Server::builder().manual_clock();
    let without = still().start().expect("a server starts");
    let with = still().data_dir(&folder.0).start();
    let later = with.expect("a server starts").now().0 - without.now().0;
    assert!((0..60_000).contains(&later), "{later} ms");
}

// ZooKeeper 3.4 writes no snapshot before there have been enough transactions, and has no /zookeeper/config.
#[test]
fn logs_of_3_4_without_a_snapshot_begin_with_what_3_4_has() {
    let folder = Folder::new();
    let mut storage = Storage::default();
    storage.data_format = Some(DataFormat::V3_4);
    storage.data_dir = Some(folder.0.clone());
    let server = Server::builder().storage(storage).start();
    let server = server.expect("a server starts");
    server.create("/a", b"1").expect("it is new");
    let zookeeper = server.znode("/zookeeper");
    drop(server);
    std::fs::remove_file(folder.0.join("version-2/snapshot.0")).expect("it is there");

    let mut options = OpenOptions::default();
    options.trust_empty = true;
    let found = Snapshot::open_with(&folder.0, &options).expect("logs are trusted");
    assert_eq!(found.znode("/zookeeper/config"), None);
    assert_eq!(found.znode("/zookeeper"), zookeeper);
    assert!(found.znode("/a").is_some());
}

#[cfg(unix)]
#[test]
fn special_files_with_names_of_snapshots_are_ignored() {
    let folder = Folder::new();
    let server = folder.start();
    server.create("/a", b"").expect("it is created");
    drop(server);
    let inside = folder.0.join("version-2");
    let make = |tool: &str, name: &str| {
        let made = std::process::Command::new(tool)
            .arg(inside.join(name))
            .status();
        assert!(made.expect("the tool is there").success(), "{tool} {name}");
    };

    // Ignored, as by a real server: not a snapshot.
    make("mkdir", "snapshot.ff");
    make("mkfifo", "snapshot.fe");
    let link = inside.join("snapshot.fd.gz");
    std::os::unix::fs::symlink("/nowhere", link).expect("it can be made");
    assert!(folder.start().znode("/a").is_some());
    let found = Snapshot::open(&folder.0).expect("it is in order");
    let origin = found.origin().expect("it was read");
    let passed_over: Vec<String> = origin.passed_over.iter().map(ToString::to_string).collect();
    assert_eq!(passed_over.len(), 3, "{passed_over:?}");
    let [.., link] = &passed_over[..] else {
        unreachable!("there are three")
    };
    assert!(
        link.contains("snapshot.fd.gz: ") && link.contains("does not exist"),
        "{link}"
    );

    make("mkfifo", "log.ff");
    let refused = Snapshot::open(&folder.0).expect_err("what it holds may be missing");
    let expected = format!("{}: not a file", inside.join("log.ff").display());
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn dirs_and_conf_show_the_sizes_of_the_files() {
    let (data, logs) = (Folder::new(), Folder::new());
    for separate in [false, true] {
        let mut builder = Server::builder().data_dir(&data.0);
        if separate {
            let mut storage = Storage::default();
            storage.data_log_dir = Some(logs.0.clone());
            std::fs::remove_dir_all(&data.0).expect("it is removed");
            builder = Server::builder().storage(storage).data_dir(&data.0);
        }
        let server = builder.start().expect("it starts");
        server.create("/a", b"x").expect("it is created");
        let size = |folder: &Path| -> u64 {
            let entries = std::fs::read_dir(folder.join("version-2")).expect("it is there");
            let sizes = entries.map(|entry| entry.and_then(|entry| entry.metadata()));
            sizes.map(|found| found.expect("it is a file").len()).sum()
        };
        let snapshots = size(&data.0);
        let of_logs = if separate { size(&logs.0) } else { snapshots };
        let ask = |word: &[u8]| {
            let mut socket = crate::client::open(server.addr());
            crate::client::send(&mut socket, word);
            String::from_utf8(crate::client::receive_rest(&mut socket)).expect("text")
        };
        let expected = format!("datadir_size: {snapshots}\nlogdir_size: {of_logs}\n");
        assert_eq!(ask(b"dirs"), expected);
        let conf = ask(b"conf");
        assert!(
            conf.contains(&format!("dataDirSize={snapshots}\n")),
            "{conf}"
        );
        assert!(conf.contains(&format!("dataLogSize={of_logs}\n")), "{conf}");
    }
}

#[test]
fn a_restored_state_takes_the_place_of_the_folder() {
    let folder = Folder::new();
    let server = folder.start();
    server.create("/a", b"1").expect("it is created");
    let old = server.snapshot();
    server.set("/a", b"2").expect("it is set");
    server.create("/b", b"").expect("it is created");
    server.admin().restore(&old).expect("it is restored");
    assert_eq!(server.data("/b"), None);
    server.create("/c", b"").expect("it is created");
    let expected = server.snapshot();
    drop(server);
    assert_eq!(folder.names(), ["log.2", "snapshot.1"]);
    let replaced = folder.files().into_keys().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("replaced-"))
    });
    assert_eq!(replaced.count(), 2);

    let server = folder.start();
    assert_eq!(server.snapshot(), expected);
    assert_eq!(server.data("/a").as_deref(), Some(&b"1"[..]));
    // A state that is newer than the folder.
    server.admin().restore(&expected).expect("it is restored");
    server.create("/d", b"").expect("it is created");
    drop(server);
    let server = folder.start();
    let paths = ["/a", "/b", "/c", "/d"].map(|path| server.data(path).is_some());
    assert_eq!(paths, [true, false, true, true]);
}

#[test]
fn a_state_that_the_format_of_the_folder_cannot_hold_is_not_restored() {
    let container = tree! { "/c" => minikeeper::state::Znode::new("").container() };
    let other = Server::builder()
        .seed(container)
        .start()
        .expect("it starts");
    let folder = Folder::new();
    let mut config = Config::default();
    config.storage.data_dir = Some(folder.0.clone());
    config.storage.data_format = Some(DataFormat::V3_4);
    let server = ServerBuilder::from(config).start().expect("it starts");
    server.create("/a", b"").expect("it is created");
    let error = server.admin().restore(&other.snapshot());
    let error = error.expect_err("3.4 has no containers").to_string();
    assert!(
        error.contains("ZooKeeper 3.4 cannot store /c, a container"),
        "{error}"
    );
    assert!(server.data("/a").is_some(), "nothing has changed");
}
