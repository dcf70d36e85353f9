//! `minikeeper snapshot verify`.

use std::fs;

use super::{Folder, output};

fn verified(folder: &Folder, code: i32) -> Vec<String> {
    let told = output(&["snapshot", "verify", folder.text()], code);
    let lines = told.lines();
    lines
        .map(|line| line.replace(folder.text(), "DIR"))
        .collect()
}

#[test]
fn every_file_has_a_line_and_the_folder_too() {
    assert_eq!(verified(&Folder::new(), 0), ["TODO"]);
}

#[test]
fn damage_is_told_with_file_offset_and_reason() {
    let folder = Folder::new();
    let log = fs::read_dir(folder.path().join("version-2"))
        .expect("it is there")
        .map(|file| file.expect("it can be listed").path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("log."))
        })
        .expect("there is a log");
    let mut bytes = fs::read(&log).expect("it can be read");
    bytes[16 + 8 + 4 + 3] ^= 1;
    fs::write(&log, &bytes).expect("it can be written");
    assert_eq!(verified(&folder, 1), ["TODO"]);
}
