//! The files that `ARCHITECTURE.md` and `docs/design.md` name exist.

use std::fs;
use std::path::{Path, PathBuf};

/// Lists the named files and folders that do not exist. A name without a folder is also looked for in the folder of the
/// previous one.
fn missing(page: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut missing = Vec::new();
    let mut folder = PathBuf::new();
    for name in page.split('`').skip(1).step_by(2) {
        let is_path = name.ends_with(".rs") || (name.ends_with('/') && !name.contains(' '));
        if !is_path || name.contains(['(', '*', '<']) {
            continue;
        }
        let found = [Path::new(""), Path::new("server/src"), &folder]
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| exists(path));
        match found {
            Some(path) => folder = path.parent().unwrap_or(Path::new("")).to_path_buf(),
            None => missing.push(name.to_owned()),
        }
    }
    missing
}

#[test]
fn every_named_file_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for page in ["ARCHITECTURE.md", "docs/design.md"] {
        let text = fs::read_to_string(root.join(page)).expect("the page can be read");
        let missing = missing(&text, |path| root.join(path).exists());
        assert!(
            missing.is_empty(),
            "{page} names files that do not exist: {missing:?}"
        );
    }
}

#[test]
fn a_missing_file_is_named() {
    let page = "see `keeper/a.rs`, `b.rs`, `c.rs`, `Type`, `net/`";
    let exists = |path: &Path| {
        let existing = [
            "server/src/keeper/a.rs",
            "server/src/keeper/b.rs",
            "server/src/net/",
        ];
        existing.iter().any(|existing| path == Path::new(existing))
    };
    assert_eq!(missing(page, exists), ["c.rs"]);
}
