//! Rust sources as text: files, paths named in them, comments blanked.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns all Rust files below a folder, sorted by path.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Returns the library's sources: the path of each file relative to `src`, and its text.
pub(super) fn library() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    files_below(&folder)
        .iter()
        .map(|file| {
            let name = file
                .strip_prefix(&folder)
                .expect("the file is in the folder");
            let name = name.to_str().expect("the path is UTF-8").replace('\\', "/");
            (
                name,
                fs::read_to_string(file).expect("the source can be read"),
            )
        })
        .collect()
}

/// Whether the file holds tests only.
pub(super) fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// Cuts off the test module at the end of a source.
pub(super) fn without_tests(code: &str) -> &str {
    let tests = code.match_indices("#[cfg(test)]\n").find(|(at, marker)| {
        let behind = &code[at + marker.len()..];
        behind
            .lines()
            .next()
            .is_some_and(|line| line.ends_with("mod tests {"))
    });
    tests.map_or(code, |(at, _)| &code[..at])
}

/// A path that a source names.
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) path: String,
    /// The name that a `use` gives to the path; `None` outside of `use`.
    pub(super) imported_as: Option<String>,
}

/// Lists every path that begins with one of the roots; the lists of a `use` are written out as single paths.
pub(super) fn mentions(code: &str, roots: &[&str]) -> Vec<Mention> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let mut mentions = Vec::new();
    let mut before = ' ';
    let mut in_use = false;
    let mut rest = code;
    while let Some(char) = rest.chars().next() {
        let word = &rest[..rest.find(|char| !is_word(char)).unwrap_or(rest.len())];
        if word.is_empty() {
            if char == ';' {
                in_use = false;
            }
            before = char;
            rest = &rest[char.len_utf8()..];
            continue;
        }
        let behind = &rest[word.len()..];
        if word == "use" {
            in_use = true;
        }
        let ahead = &code[..code.len() - rest.len()];
        // A path behind a dollar sign belongs to a macro that names public items, and the path of a visibility imports
        // nothing.
        let is_import = !matches!(before, ':' | '$') && !ahead.ends_with("pub(in ");
        if is_import && roots.contains(&word) && behind.starts_with("::") {
            let line = 1 + ahead.matches('\n').count();
            let mut paths = Vec::new();
            expand(word.to_owned(), &behind[2..], &mut paths);
            mentions.extend(paths.into_iter().map(|(path, name)| Mention {
                line,
                path,
                imported_as: in_use.then_some(name),
            }));
        }
        before = 'a';
        rest = behind;
    }
    mentions
}

/// Writes out the paths that follow `prefix::`, each with the name that it has here, and returns the text behind them.
fn expand<'c>(prefix: String, code: &'c str, paths: &mut Vec<(String, String)>) -> &'c str {
    let code = code.trim_start();
    if let Some(mut inner) = code.strip_prefix('{') {
        loop {
            inner = inner.trim_start_matches(|char: char| char.is_whitespace() || char == ',');
            if let Some(behind) = inner.strip_prefix('}') {
                return behind;
            }
            let behind = expand(prefix.clone(), inner, paths);
            let end = behind.find([',', '}', ';']).unwrap_or(behind.len());
            inner = &behind[end..];
            if inner.is_empty() || inner.starts_with(';') {
                return inner;
            }
        }
    }
    let end = code
        .find(|char: char| !(char.is_alphanumeric() || char == '_' || char == '*'))
        .unwrap_or(code.len());
    let (word, behind) = code.split_at(end);
    let path = if word == "self" || word.is_empty() {
        prefix
    } else {
        format!("{prefix}::{word}")
    };
    match behind.strip_prefix("::") {
        Some(further) if !word.is_empty() => expand(path, further, paths),
        _ => {
            let alias = behind.strip_prefix(" as ").map(|alias| {
                let end = alias.find(|char: char| !(char.is_alphanumeric() || char == '_'));
                &alias[..end.unwrap_or(alias.len())]
            });
            let last = path.rsplit("::").next().unwrap_or_default().to_owned();
            let name = alias.map_or(last, str::to_owned);
            paths.push((path, name));
            behind
        }
    }
}

/// Blanks comments and string literals; lines and columns stay where they are.
pub(super) fn without_comments(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(char) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if char == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|char| {
                let ends = char == '"' && !escaped;
                escaped = char == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") {
            3
        } else {
            code.push(char);
            rest = &rest[char.len_utf8()..];
            continue;
        };
        let (gone, behind) = rest.split_at(length);
        code.extend(
            gone.chars()
                .map(|char| if char == '\n' { '\n' } else { ' ' }),
        );
        rest = behind;
    }
    code
}
