//! `minikeeper log show`.

use super::{Folder, output};

fn shown(arguments: &[&str]) -> String {
    let folder = Folder::new();
    let shown = output(&[&["log", "show"], arguments, &[folder.text()]].concat(), 0);
    shown.replace(folder.text(), "DIR")
}

#[test]
fn every_transaction_is_a_line() {
    assert_eq!(shown(&[]), "TODO");
}

#[test]
fn data_are_shown_if_asked_for() {
    assert_eq!(shown(&["--path", "/app/db", "--data", "auto"]), "TODO");
}

#[test]
fn json_has_an_object_a_line() {
    let shown = shown(&["--format", "json", "--data", "auto"]);
    let lines: Vec<serde_json::Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    assert_eq!(lines[0], serde_json::Value::Null, "TODO");
}

#[test]
fn path_session_from_and_to_choose() {
    let zxids = |arguments: &[&str]| -> Vec<String> {
        let shown = shown(arguments);
        let zxids = shown.lines().filter_map(|line| line.split(' ').next());
        zxids.map(String::from).collect()
    };
    assert_eq!(zxids(&["--path", "/app/new"]), ["TODO"]);
    assert_eq!(zxids(&["--from", "0x3", "--to", "0x4"]), ["0x3", "0x4"]);
    assert_eq!(zxids(&["--session", "0"]), [""; 0]);
    assert_eq!(zxids(&["--from", "2030-01-01"]), [""; 0]);
    assert_eq!(zxids(&["--to", "2023-11-14T00:00:00Z"]), [""; 0]);
}
