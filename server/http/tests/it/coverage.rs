//! Every public verb of the library has a route, or a reason why it has none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Types whose verbs are powers of a test.
const TYPES: [&str; 5] = ["Server", "Ensemble", "Snapshot", "Journal", "Tree"];

/// The table: a method, then the operation that has its power, or `-` and the reason.
const TABLE: &str = include_str!("coverage.txt");

/// Lists the public methods of the types.
fn methods() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it can be listed") {
            let path: PathBuf = entry.expect("it can be listed").path();
            if path.is_dir() {
                // The rules have trees of their own.
                if !path.ends_with("keeper") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("it can be read");
                collect(&text, &mut methods);
            }
        }
    }
    methods
}

fn collect(text: &str, methods: &mut BTreeSet<String>) {
    let mut of = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("impl ") {
            let name = rest.strip_suffix(" {").unwrap_or_default();
            of = TYPES.iter().find(|known| **known == name);
        } else if line == "}" {
            of = None;
        } else if let (Some(of), Some(rest)) = (of, line.strip_prefix("    pub fn ")) {
            let end = rest.find(['(', '<']).unwrap_or(rest.len());
            methods.insert(format!("{of}::{}", &rest[..end]));
        }
    }
}

#[test]
fn every_method_has_a_route_or_a_reason() {
    let document: Value =
        serde_json::from_str(include_str!("../../openapi.json")).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("an object").values();
    let operations: BTreeSet<&str> = paths
        .flat_map(|methods| methods.as_object().expect("an object").values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let mut table = BTreeMap::new();
    for line in TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (method, rest) = line.split_once(' ').expect("a method and its operation");
        let rest = rest.trim();
        match rest.strip_prefix('-') {
            Some(reason) => assert!(reason.len() > 10, "{method} has no reason"),
            None => rest
                .split(", ")
                .for_each(|id| assert!(operations.contains(id), "{method}: no operation {id}")),
        }
        assert!(
            table.insert(method, rest).is_none(),
            "{method} is there twice"
        );
    }
    let methods = methods();
    assert!(methods.len() > 100, "the sources were not read");
    let missing: Vec<&String> = methods
        .iter()
        .filter(|method| !table.contains_key(method.as_str()))
        .collect();
    assert!(missing.is_empty(), "no line in coverage.txt: {missing:#?}");
    let stale: Vec<&&str> = table
        .keys()
        .filter(|method| !methods.contains(**method))
        .collect();
    assert!(stale.is_empty(), "no such method: {stale:#?}");
}
