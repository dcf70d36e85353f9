//! `minikeeper snapshot verify`.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Folder, output};
use crate::binary::run;

fn verified(folder: &Folder, code: i32) -> Vec<String> {
    let told = output(&["snapshot", "verify", folder.text()], code);
    let lines = told.lines();
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
fn damage_is_told_with_file_offset_and_reason() {
    let folder = Folder::new();
    let log = folder.file("log.9");
    let mut bytes = fs::read(&log).expect("it can be read");
    bytes[16 + 8 + 4 + 3] ^= 1;
    fs::write(&log, &bytes).expect("it can be written");
    let damage =
        "DIR/version-2/log.9: damaged at offset 16: an entry's checksum is not that of its bytes";
    assert_eq!(
        verified(&folder, 1),
        [
            "DIR/version-2/snapshot.8: ok: zxid 0x8, 12 znodes, 0 sessions",
            damage,
            &format!("DIR: no server loads it: {damage}"),
        ]
    );
    let told = output(&["snapshot", "verify", &log], 1);
    assert_eq!(told.replace(folder.text(), "DIR"), format!("{damage}\n"));
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
        let told = [(); 5].map(|()| run(&["snapshot", "verify", folder.text()], &[]));
        done.store(true, Ordering::Relaxed);
        for told in told {
            assert_eq!(told.status.code(), Some(0), "{told:?}");
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
        let told = output(&["snapshot", "verify", "--trust-empty", path], 0);
        assert!(told.lines().all(|line| line.contains(": ok: ")), "{told}");
        count += 1;
    }
    assert!(count >= 6, "{count} folders");
}
