//! `minikeeper snapshot export`.

use std::fs;

use minikeeper::{Snapshot, Tree};

use super::{Folder, output, refused};

#[test]
fn an_exported_tree_can_be_a_seed() {
    let folder = Folder::new();
    let tree = Snapshot::open(folder.path())
        .expect("it is in order")
        .tree();
    let json = output(&["snapshot", "export", folder.text()], 0);
    assert_eq!(Tree::from_json(&json).expect("it is a tree"), tree);
    let line = "\n  \"/lease\": {\"data\":\"mine\",\"ttl_ms\":60000},\n";
    assert!(json.contains(line), "{json}");
    let yaml = output(
        &["snapshot", "export", "--format", "yaml", folder.text()],
        0,
    );
    assert_eq!(Tree::from_yaml(&yaml).expect("it is a tree"), tree);
    for name in ["a.json", "a.yaml", "a.yml"] {
        let file = folder.path().join(name);
        let path = file.to_str().expect("the path is Unicode");
        assert_eq!(output(&["snapshot", "export", folder.text(), path], 0), "");
        assert_eq!(Tree::from_file(&file).expect("it is a tree"), tree);
        let (line, _) = refused(&["snapshot", "export", folder.text(), path], 1);
        assert!(line.starts_with(&format!("{path}: ")), "{line}");
        assert!(line.contains("File exists"), "{line}");
    }
}

#[test]
fn an_exported_folder_can_be_opened_by_a_server() {
    let folder = Folder::new();
    let before = Snapshot::open(folder.path()).expect("it is in order");
    let to = folder.path().join("new/folder");
    let path = to.to_str().expect("the path is Unicode");
    output(&["snapshot", "export", folder.text(), path], 0);
    assert_eq!(Snapshot::open(&to).expect("it is in order"), before);
    let (line, _) = refused(&["snapshot", "export", folder.text(), path], 1);
    assert_eq!(line, format!("{path}: the folder is not empty"));
}

#[test]
fn state_that_a_release_cannot_hold_is_refused_in_one_line() {
    let folder = Folder::new();
    let to = folder.path().join("old");
    let path = to.to_str().expect("the path is Unicode");
    let (line, _) = refused(
        &[
            "snapshot",
            "export",
            "--data-format",
            "3.4",
            folder.text(),
            path,
        ],
        1,
    );
    let expected = format!(
        "{path}: ZooKeeper 3.4 cannot store /lease, a znode with a time to live; choose a later data format"
    );
    assert_eq!(line, expected);
    let json = folder.path().join("a.json");
    let json = json.to_str().expect("the path is Unicode");
    let (line, _) = refused(
        &[
            "snapshot",
            "export",
            "--data-format",
            "3.9",
            folder.text(),
            json,
        ],
        1,
    );
    assert!(line.contains("--data-format needs a folder"), "{line}");
    assert!(!fs::exists(json).expect("it can be looked for"));
}
