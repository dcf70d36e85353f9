//! `--seed FILE`: a server that starts with znodes.

use std::fs;
use std::path::PathBuf;

use crate::binary::{Serving, ask, run};

const JSON: &str = r#"{"/config": "v1", "/app": {"children": {"db": "localhost"}}}"#;
const YAML: &str = "/config: v1\n/app:\n  children:\n    db: localhost\n";

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("it can be written");
    path
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

#[test]
fn a_server_begins_with_the_znodes_of_a_file() {
    let folder = folder();
    for (name, text) in [("a.json", JSON), ("b.yaml", YAML), ("c.yml", YAML)] {
        let path = file(&folder, name, text);
        let path = path.to_str().expect("the path is Unicode");
        let server = Serving::start(&["--listen", "127.0.0.1:0", "--seed", path], &[]);
        let answer = ask(server.address(), "srvr");
        // Three, and the five that every server counts. They took a zxid each.
        assert!(answer.contains("Node count: 8\n"), "{name}: {answer}");
        assert!(answer.contains("Zxid: 0x3\n"), "{name}: {answer}");
    }
}

#[test]
fn a_bad_seed_is_refused_in_one_line() {
    let folder = folder();
    let check = |name: &str, text: Option<&str>, code: i32, expected: &str| {
        let path = match text {
            Some(text) => file(&folder, name, text),
            None => folder.path().join(name),
        };
        let path = path.to_str().expect("the path is Unicode");
        let output = run(&["--listen", "127.0.0.1:0", "--seed", path], &[]);
        assert_eq!(output.status.code(), Some(code), "{name}");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            format!("minikeeper: {}\n", expected.replace("FILE", path))
        );
        assert!(output.stdout.is_empty());
    };
    let missing = "FILE: cannot read the file: No such file or directory (os error 2)";
    check("none.json", None, 2, missing);
    let ending = "FILE: unknown extension: a tree is read from .json, .yaml or .yml";
    check("seed.txt", Some(JSON), 2, ending);
    let number = "FILE:2:12: /a: data are text: put 8080 in quotes";
    check("number.json", Some("{\n  \"/a\": 8080}"), 2, number);
    check(
        "number.yaml",
        Some("/b: x\n/a: 8080\n"),
        2,
        "FILE:2:5: /a: data are text: put 8080 in quotes",
    );
    check(
        "acl.json",
        Some(r#"{"/a": {"acl": ["sasl:me:r"]}}"#),
        1,
        "cannot serve: cannot write the seed: /a cannot be written: the ACL is not valid",
    );
}

#[test]
fn an_ephemeral_in_a_seed_is_ignored_with_a_warning() {
    let folder = folder();
    let text = r#"{"/members/a": {"data": "me", "ephemeral": true}}"#;
    let path = file(&folder, "seed.json", text);
    let path = path.to_str().expect("the path is Unicode");
    let server = Serving::start(&["--listen", "127.0.0.1:0", "--seed", path], &[]);
    assert!(ask(server.address(), "srvr").contains("Node count: 6\n"));
    let (_, stderr) = server.end("TERM");
    assert!(
        stderr.contains("ephemeral /members/a of the seed is ignored"),
        "{stderr}"
    );
}
