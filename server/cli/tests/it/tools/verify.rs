//! `minikeeper snapshot verify`.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Folder, output};
use crate::binary::run;

fn verified(folder: &Folder, code: i32) -> Vec<String> {
    let printed = output(&["snapshot", "verify", folder.text()], code);
    let lines = printed.lines();
    lines
        .map(|line| line.replace(folder.text(), "DIR"))
        .collect()
}

#[test]
fn every_file_has_a_line_and_the_folder_too() {
    assert_eq!(
        verified(&Folder::new(), 0),
        [
            "DIR/version-2/snapshot.8: ok: zxid 0x8, 12 znodes, 0 sessions",
            "DIR/version-2/log.9: ok: 5 transactions, 0x9 to 0xd",
            "DIR: ok: a server loads zxid 0xd, 13 znodes, 1 session",
        ]
    );
}

#[test]
fn damage_is_reported_with_file_offset_and_reason() {
    let folder = Folder::new();
    let log = folder.file("log.9");
    let mut bytes = fs::read(&log).expect("it can be read");
    bytes[16 + 8 + 4 + 3] ^= 1;
    fs::write(&log, &bytes).expect("it can be written");
    let damage = "DIR/version-2/log.9: damaged at offset 16: the entry's checksum does not match";
    assert_eq!(
        verified(&folder, 1),
        [
            "DIR/version-2/snapshot.8: ok: zxid 0x8, 12 znodes, 0 sessions",
            damage,
            &format!("DIR: cannot be loaded: {damage}"),
        ]
    );
    let printed = output(&["snapshot", "verify", &log], 1);
    assert_eq!(printed.replace(folder.text(), "DIR"), format!("{damage}\n"));
}

/// Loses the end mark of the last entry, and what is behind.
fn tear(log: &str) {
    let mut bytes = fs::read(log).expect("it can be read");
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(end.expect("there is an entry"));
    fs::write(log, bytes).expect("it can be written");
}

#[test]
fn a_torn_log_is_damage_but_at_the_end_of_the_newest() {
    let folder = Folder::new();
    tear(&folder.file("log.9"));
    let output = run(&["snapshot", "verify", folder.text()], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = printed.lines().nth(1).expect("the log has a line");
    let (what, torn_at) = line.split_once("; torn by a crash at ").expect(line);
    assert!(
        what.ends_with("log.9: ok: 4 transactions, 0x9 to 0xc"),
        "{line}"
    );
    assert!(
        torn_at.starts_with("offset ")
            && torn_at.ends_with(": the last batch was not written completely"),
        "{line}"
    );
    let server = folder.serve();
    server.create("/later", b"").expect("it is created");
    drop(server);

    let log = folder.file("log.9");
    tear(&log);
    let printed = verified(&folder, 1);
    let damage = printed
        .iter()
        .find(|line| line.starts_with("DIR/version-2/log.9: "));
    let damage = damage.expect("it has a line");
    assert!(damage.contains("log.9: damaged at offset "), "{damage}");
    let last = printed.last().expect("the folder has a line");
    assert!(last.starts_with("DIR: "), "{last}");
    // And alone, for there is a newer one beside it.
    let alone = output_of(&log, 1).replace(folder.text(), "DIR");
    assert_eq!(alone.trim_end(), damage);
    fs::remove_file(folder.file("log.d")).expect("it is there");
    assert!(output_of(&log, 0).contains(": ok: 3 transactions"));
}

fn output_of(file: &str, code: i32) -> String {
    output(&["snapshot", "verify", file], code)
}

#[test]
fn a_log_is_one_under_any_name() {
    let folder = Folder::new();
    let copy = folder.path().join("copy");
    fs::copy(folder.file("log.9"), &copy).expect("it can be copied");
    let copy = copy.to_str().expect("the path is Unicode");
    let expected = format!("{copy}: ok: 5 transactions, 0x9 to 0xd\n");
    assert_eq!(output_of(copy, 0), expected);
}

#[test]
fn a_state_that_is_most_likely_stale_is_warned_of() {
    let folder = Folder::new();
    fs::copy(folder.file("snapshot.8"), folder.file("snapshot.7")).expect("it can be copied");
    let stderr = |tool: &str| {
        let printed = run(&["snapshot", tool, folder.text()], &[]);
        assert_eq!(printed.status.code(), Some(0), "{printed:?}");
        String::from_utf8_lossy(&printed.stderr).into_owned()
    };
    assert_eq!(stderr("summary"), "");
    fs::remove_file(folder.file("log.9")).expect("it is there");
    let printed = stderr("summary");
    assert!(
        printed.contains("snapshots but no logs") && printed.contains("dataLogDir"),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 1);
}

/// The last line on a folder that is not in order, of which warnings tell too.
fn last_line(folder: &Folder) -> String {
    let output = run(&["snapshot", "verify", folder.text()], &[]);
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8(output.stdout).expect("it is text");
    let last = printed.lines().last().expect("there is a line");
    last.replace(folder.text(), "DIR")
}

#[test]
fn a_removed_log_is_reported_as_missing() {
    let folder = Folder::new();
    for path in ["/first", "/second"] {
        let server = folder.serve();
        server.create(path, b"").expect("it is created");
    }
    for name in ["log.e", "snapshot.d", "snapshot.e"] {
        fs::remove_file(folder.file(name)).expect("it is there");
    }
    assert_eq!(
        last_line(&folder),
        "DIR: cannot be loaded: DIR/version-2/log.f: transaction 0xe is missing before offset 16: \
         a transaction log is missing; restore it, or rerun with --recover (`Storage::recover`) \
         to ignore all later transactions (their logs are saved as damaged-log.*)"
    );
}

#[test]
fn writes_of_two_servers_at_once_are_detected() {
    let folder = Folder::new();
    fs::copy(folder.file("log.9"), folder.file("log.e")).expect("it is copied");
    assert_eq!(
        last_line(&folder),
        "DIR: 0x9 comes again after later transactions: two servers wrote here at once"
    );
}

#[test]
fn a_folder_without_logs_is_said_to_have_none() {
    let folder = Folder::new();
    fs::remove_file(folder.file("log.9")).expect("it is there");
    let printed = verified(&folder, 0);
    let expected = "DIR: ok: a server loads zxid 0x8, 12 znodes, 0 sessions; there are no logs";
    assert_eq!(printed.last().map(String::as_str), Some(expected));
}

#[test]
fn a_folder_is_in_order_while_a_server_writes_to_it() {
    let folder = Folder::new();
    let server = folder.serve();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0_u64.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let data = vec![b'x'; usize::try_from(number * 37 % 5000).unwrap_or(0)];
                server.set("/app/db", &data).expect("it can be written");
            }
        });
        let printed = [(); 5].map(|()| run(&["snapshot", "verify", folder.text()], &[]));
        done.store(true, Ordering::Relaxed);
        for printed in printed {
            assert_eq!(printed.status.code(), Some(0), "{printed:?}");
        }
    });
}

#[test]
fn the_folders_of_every_real_release_are_in_order() {
    let folders = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/folders");
    let mut count = 0;
    for folder in fs::read_dir(folders).expect("they are there") {
        let folder = folder.expect("it can be listed").path();
        if !folder.is_dir() {
            continue;
        }
        let path = folder.to_str().expect("the path is Unicode");
        // 3.4 writes no snapshot before it has to.
        let printed = output(&["snapshot", "verify", "--trust-empty", path], 0);
        assert!(
            printed.lines().all(|line| line.contains(": ok: ")),
            "{printed}"
        );
        count += 1;
    }
    assert!(count >= 6, "{count} folders");
}
