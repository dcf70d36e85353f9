//! The examples of `docs/guide/control.md`, as printed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::api;

/// Address that the page uses.
const ADDRESS: &str = "http://127.0.0.1:2180/v1";

/// Fenced blocks of a page: their language and text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, behind)) = rest.split_once("```") {
        let (language, behind) = behind.split_once('\n').expect("a block has lines");
        let (text, behind) = behind.split_once("```").expect("a block ends");
        blocks.push((language, text.trim()));
        rest = behind;
    }
    blocks
}

/// Splits a command at blanks outside of quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for char in command.chars() {
        match char {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            char => words.last_mut().expect("there is one").push(char),
        }
    }
    words
}

/// Whether a value has everything that is expected of it. `"..."` is any text.
fn has(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::String(_), Value::String(any)) if any == "..." => true,
        (Value::Object(fields), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| fields.get(name).is_some_and(|value| has(value, expected))),
        (Value::Array(items), Value::Array(expected)) => {
            items.len() == expected.len()
                && items
                    .iter()
                    .zip(expected)
                    .all(|(item, expected)| has(item, expected))
        }
        (value, expected) => value == expected,
    }
}

#[test]
fn every_example_answers_as_printed() {
    let page = include_str!("../../../../docs/guide/control.md");
    let (_control, mut client) = api();
    let mut last = Value::Null;
    let mut played = 0;
    for (language, text) in blocks(page) {
        match language {
            "sh" => {
                let words = words(text);
                let (path, body, method) =
                    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                        ["curl", "--json", body, url] => (url, body, "POST"),
                        ["curl", "-X", method, url] => (url, "{}", method),
                        ["curl", url] => (url, "{}", "GET"),
                        _ => panic!("an unknown form of command: {text}"),
                    };
                let path = path
                    .strip_prefix(ADDRESS)
                    .expect("it is the page's address");
                let answer = client.send(method, path, &[], body.as_bytes());
                assert!(
                    answer.status < 300,
                    "{text}: {}",
                    String::from_utf8_lossy(&answer.body)
                );
                last = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                played += 1;
            }
            "json" => {
                let expected: Value = serde_json::from_str(text).expect("it is JSON");
                assert!(has(&last, &expected), "expected {expected}, found {last}");
            }
            _ => {}
        }
    }
    assert!(played > 7, "{played} examples were found");
    assert_eq!(client.get("/servers"), json!({"servers": []}));
}

#[test]
fn the_table_of_powers_names_routes() {
    let page = include_str!("../../../../docs/guide/control.md");
    let document = include_str!("../../openapi.json");
    let (_, table) = page
        .split_once("| power | routes")
        .expect("there is a table");
    let (table, _) = table.split_once("\n\n").expect("it ends");
    for name in table
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| !name.contains(['{', '/']))
    {
        assert!(
            document.contains(&format!("/{name}\"")),
            "no route ends in {name}"
        );
    }
}

/// All Markdown files of the project, without the files of builds.
fn pages(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_skipped = name
            .is_none_or(|name| name.starts_with('.') || matches!(name, "target" | "node_modules"));
        if path.is_dir() && !is_skipped {
            self::pages(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// The examples of docs/json.md are in tables; tests of the library parse them. The tests of the fixtures check the
/// example of the contract.
#[test]
fn no_other_page_has_json_that_no_test_checks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    pages(&root, &mut found);
    assert!(found.len() > 20, "{found:?}");
    found.retain(|page| {
        let text = fs::read_to_string(page).expect("it can be read");
        let is_checked = ["docs/guide/control.md", "fixtures/contract/README.md"]
            .iter()
            .any(|checked| page.ends_with(checked));
        text.contains("```json") && !is_checked
    });
    assert_eq!(
        found,
        Vec::<PathBuf>::new(),
        "blocks of JSON belong to a page that a test plays"
    );
}
