//! Files that are neither snapshots nor logs of ZooKeeper.

use std::fs;

use super::{Folder, output, refused};

const TOOLS: &[&[&str]] = &[
    &["snapshot", "show"],
    &["snapshot", "summary"],
    &["snapshot", "export"],
    &["log", "show"],
];

#[test]
fn a_file_that_is_not_there_is_named_in_one_line() {
    for tool in TOOLS {
        let (line, printed) = refused(&[tool, &["/nowhere/snapshot.0"][..]].concat(), 1);
        assert!(line.starts_with("/nowhere/snapshot.0: "), "{line}");
        assert!(line.contains("No such file"), "{line}");
        assert_eq!(printed, "");
    }
    let (line, _) = refused(&["snapshot", "diff", "/nowhere/a", "/nowhere/b"], 2);
    assert!(line.starts_with("/nowhere/a: "), "{line}");
}

#[test]
fn a_file_that_is_none_of_zookeepers_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let random: Vec<u8> = (0..5000_u32).flat_map(|n| (n * n).to_be_bytes()).collect();
    let header = [&b"ZKSN"[..], &2_i32.to_be_bytes(), &[0xff; 8], &[0x7f; 64]].concat();
    for (name, bytes) in [
        ("snapshot.1", &b""[..]),
        ("snapshot.2", b"ZKSN"),
        ("snapshot.3", &random),
        ("snapshot.4", &header),
        ("snapshot.5.gz", &random),
        ("snapshot.6.snappy", &random),
        ("log.2", &random),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("it can be written");
        let path = path.to_str().expect("the path is Unicode");
        for tool in TOOLS {
            if (tool[0] == "log") != name.starts_with("log") {
                continue;
            }
            let (line, printed) = refused(&[tool, &[path][..]].concat(), 1);
            assert!(line.starts_with(&format!("{path}: ")), "{line}");
            assert_eq!(printed, "", "{name}");
        }
    }
}

#[test]
fn an_empty_folder_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().to_str().expect("the path is Unicode");
    let check = |missing: &str| {
        let others: [&[&str]; 2] = [&["snapshot", "verify"], &["--open-copy"]];
        let tools = TOOLS.iter().filter(|tool| tool[0] == "snapshot");
        for tool in tools.chain(&others) {
            let (line, printed) = refused(&[tool, &[path][..]].concat(), 1);
            assert!(line.contains(&format!("{missing} here")), "{line}");
            assert!(line.contains(path), "{line}");
            assert_eq!(printed, "");
        }
    };
    check("there is no version-2");
    fs::create_dir(folder.path().join("version-2")).expect("it can be made");
    check("there is neither a snapshot nor a log");
}

#[test]
fn a_folder_of_logs_is_for_a_folder_and_must_be_there() {
    let folder = Folder::new();
    fs::remove_file(folder.file("log.9")).expect("it is there");
    let show = ["snapshot", "show", "--data-log-dir", "/nowhere"];
    let (line, _) = refused(&[&show[..], &[folder.text()]].concat(), 1);
    assert!(
        line.starts_with("/nowhere: there is no version-2 here"),
        "{line}"
    );
    let file = folder.file("snapshot.8");
    let (line, _) = refused(&[&show[..], &[&file]].concat(), 1);
    assert!(
        line.starts_with(&format!("{file} is a file without logs")),
        "{line}"
    );
}

#[test]
fn reading_changes_nothing() {
    let folder = Folder::new();
    let names = || {
        let files = fs::read_dir(folder.path().join("version-2")).expect("it is there");
        let mut files: Vec<_> = files
            .map(|file| file.expect("it can be listed").path())
            .map(|path| (fs::read(&path).expect("it can be read"), path))
            .collect();
        files.sort_by(|one, other| one.1.cmp(&other.1));
        files
    };
    let before = names();
    for tool in TOOLS {
        output(&[tool, &[folder.text()][..]].concat(), 0);
    }
    output(&["snapshot", "verify", folder.text()], 0);
    output(&["snapshot", "diff", folder.text(), folder.text()], 0);
    assert!(names() == before);
}
