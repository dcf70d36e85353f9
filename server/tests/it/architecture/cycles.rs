//! No two files of a layer import each other, directly or through others.
//!
//! A name that a `mod.rs` re-exports counts as the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{is_test_file, library, mentions, without_comments, without_tests};

/// The files of the library as modules.
struct Modules {
    /// Path of each module from the crate's root (`keeper::tree`), and its file.
    files: BTreeMap<String, String>,
    /// For each module, the path behind each name that a `use` brings into it.
    imports: BTreeMap<String, BTreeMap<String, String>>,
    /// For each module, every absolute path that it names, re-exports excepted.
    paths: BTreeMap<String, BTreeSet<String>>,
}

impl Modules {
    fn read(sources: &[(String, String)]) -> Self {
        let mut modules = Self {
            files: BTreeMap::new(),
            imports: BTreeMap::new(),
            paths: BTreeMap::new(),
        };
        let sources: Vec<_> = sources
            .iter()
            .filter(|(file, _)| !is_test_file(file) && file.contains('/'))
            .collect();
        for (file, _) in &sources {
            modules.files.insert(module_of(file), file.clone());
        }
        for (file, source) in &sources {
            modules.add(&module_of(file), source);
        }
        modules
    }

    fn add(&mut self, module: &str, source: &str) {
        let code = without_comments(source);
        let code = without_tests(&code);
        let children: Vec<&str> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(module)?.strip_prefix("::"))
            .filter(|child| !child.contains("::"))
            .collect();
        let mut roots = vec!["crate", "super", "self"];
        roots.extend(&children);
        let mut imports = BTreeMap::new();
        let mut paths = BTreeSet::new();
        for mention in mentions(code, &roots) {
            let Some(path) = absolute(module, &mention.path, &children) else {
                continue;
            };
            let is_reexport = code
                .lines()
                .nth(mention.line - 1)
                .is_some_and(|line| line.trim_start().starts_with("pub"));
            if let Some(name) = mention.imported_as {
                imports.insert(name, path.clone());
                if is_reexport {
                    continue;
                }
            }
            paths.insert(path);
        }
        self.imports.insert(module.to_owned(), imports);
        self.paths.insert(module.to_owned(), paths);
    }

    /// Returns the module that defines the item at the end of a path.
    fn home(&self, path: &str, depth: usize) -> Option<&str> {
        let mut module = self.files.keys().find(|module| {
            let first = path.split("::").next().unwrap_or_default();
            module.as_str() == first
        })?;
        let mut rest = path.split("::").skip(1);
        while let Some(word) = rest.next() {
            let child = format!("{module}::{word}");
            if let Some((child, _)) = self.files.get_key_value(&child) {
                module = child;
                continue;
            }
            let import = self.imports[module].get(word);
            if let Some(import) = import.filter(|_| depth < 8) {
                let further: String = rest.map(|word| format!("::{word}")).collect();
                return self.home(&format!("{import}{further}"), depth + 1);
            }
            break;
        }
        Some(module)
    }

    fn layers(&self) -> BTreeSet<&str> {
        let first = |module: &String| module.split("::").next().unwrap_or_default().len();
        let modules = self.files.keys();
        modules.map(|module| &module[..first(module)]).collect()
    }

    /// Returns, for each module of a layer, the modules of the same layer that it imports from.
    fn edges(&self, layer: &str) -> BTreeMap<&str, BTreeSet<&str>> {
        let is_inside = |module: &str| module == layer || module.starts_with(&format!("{layer}::"));
        self.paths
            .iter()
            .filter(|(module, _)| is_inside(module))
            .map(|(module, paths)| {
                let to = paths
                    .iter()
                    .filter_map(|path| self.home(path, 0))
                    .filter(|to| is_inside(to) && to != module)
                    .collect();
                (module.as_str(), to)
            })
            .collect()
    }
}

fn module_of(file: &str) -> String {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.replace('/', "::")
}

/// Turns a path as written in a module into one from the crate's root; `None` for paths of other crates.
fn absolute(module: &str, path: &str, children: &[&str]) -> Option<String> {
    let (first, rest) = path.split_once("::")?;
    match first {
        "crate" => Some(rest.to_owned()),
        "super" => {
            let (parent, _) = module.rsplit_once("::")?;
            Some(format!("{parent}::{rest}"))
        }
        "self" => Some(format!("{module}::{rest}")),
        _ if children.contains(&first) => Some(format!("{module}::{path}")),
        _ => None,
    }
}

/// Returns each group of modules that reach one another, in a stable order.
fn cycles(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    let reachable = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            for to in edges.get(module).into_iter().flatten() {
                if seen.insert(*to) {
                    open.push(to);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> = edges
        .keys()
        .map(|module| (*module, reachable(module)))
        .collect();
    let mut groups: Vec<Vec<String>> = Vec::new();
    for (module, to) in &reach {
        let is_grouped = groups.iter().flatten().any(|other| other == module);
        if to.contains(module) && !is_grouped {
            let group = to.iter().filter(|other| reach[*other].contains(module));
            groups.push(group.map(|other| (*other).to_owned()).collect());
        }
    }
    groups
}

/// Describes the cycles of a layer: each group, and the imports inside it.
fn describe(layer: &str, modules: &Modules) -> Vec<String> {
    let edges = modules.edges(layer);
    let mut lines = Vec::new();
    for group in cycles(&edges) {
        lines.push(format!("{layer}: cycle of {} files", group.len()));
        for module in &group {
            let to: Vec<&str> = edges[module.as_str()]
                .iter()
                .copied()
                .filter(|to| group.iter().any(|other| other == to))
                .collect();
            lines.push(format!("  {module} imports {}", to.join(", ")));
        }
    }
    lines
}

#[test]
fn no_layer_has_a_cycle_of_files() {
    let modules = Modules::read(&library());
    let found: Vec<String> = modules
        .layers()
        .iter()
        .flat_map(|layer| describe(layer, &modules))
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Prints the cycles of every layer: `cargo test --test it cycles -- --ignored --nocapture`.
#[test]
#[ignore = "a report, not a test"]
fn report() {
    let modules = Modules::read(&library());
    for layer in modules.layers() {
        println!("{layer}: {} files", modules.edges(layer).len());
        println!("{}", describe(layer, &modules).join("\n"));
    }
}

#[test]
fn a_cycle_through_a_reexport_is_found() {
    let sources = [
        (
            "room/mod.rs",
            "mod a;\nmod b;\nmod c;\npub use a::A;\npub use b::B;\n",
        ),
        ("room/a.rs", "use super::B;\npub struct A;\n"),
        ("room/b.rs", "use super::c::C;\npub struct B;\n"),
        ("room/c.rs", "use crate::room::{A, c};\n"),
    ]
    .map(|(file, source)| (file.to_owned(), source.to_owned()));
    assert_eq!(
        describe("room", &Modules::read(&sources)),
        [
            "room: cycle of 3 files",
            "  room::a imports room::b",
            "  room::b imports room::c",
            "  room::c imports room::a",
        ]
    );
}

#[test]
fn a_parent_that_only_reexports_is_no_part_of_a_cycle() {
    let sources = [
        (
            "room/mod.rs",
            "mod a;\nmod b;\npub use a::A;\nfn f() { b::g() }\n",
        ),
        ("room/a.rs", "pub struct A;\n"),
        (
            "room/b.rs",
            "use super::A;\npub(in crate::room) fn g() {}\n#[cfg(test)]\nmod tests {\n    use crate::room;\n}\n",
        ),
    ]
    .map(|(file, source)| (file.to_owned(), source.to_owned()));
    assert_eq!(describe("room", &Modules::read(&sources)), [""; 0]);
}
