//! Limits on the size of layers and functions, and on repeated lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::source::{files_below, is_test_file, library, without_comments, without_tests};

/// Largest share of the library's lines that one layer may have, in percent; lines of tests do not count.
const LARGEST_LAYER: usize = 25;

/// Longest function, in lines from `fn` to the closing brace.
const LONGEST_FUNCTION: usize = 60;

/// Comment above a longer function; the reason follows on the same line.
const LONG_MARK: &str = "// Longer than 60 lines:";

/// Longest run of equal lines in two places; blank lines and comments do not count.
const LONGEST_REPETITION: usize = 10;

/// Comment above a longer repetition; the reason follows on the same line.
const REPEATED_MARK: &str = "// Repeated:";

/// Folders of the workspace whose functions and repetitions are checked.
const CHECKED: [&str; 3] = ["harness/src", "server/cli/src", "server/src"];

/// A source file without its tests.
struct Source {
    file: String,
    /// All lines as they are written.
    lines: Vec<String>,
    /// All lines with comments and string literals blanked.
    code: Vec<String>,
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = Vec::new();
    for file in folders
        .iter()
        .flat_map(|folder| files_below(&root.join(folder)))
    {
        let name = file
            .strip_prefix(&root)
            .expect("the file is in the workspace");
        let name = name.to_str().expect("the path is UTF-8").replace('\\', "/");
        if is_test_file(&name) {
            continue;
        }
        let source = fs::read_to_string(&file).expect("the source can be read");
        sources.push(Source::new(name, &source));
    }
    sources
}

impl Source {
    fn new(file: String, source: &str) -> Self {
        let code = without_comments(source);
        let code: Vec<String> = without_tests(&code).lines().map(str::to_owned).collect();
        let lines = source.lines().take(code.len()).map(str::to_owned).collect();
        Self { file, lines, code }
    }

    /// Lists functions over the limit that have no reason above them.
    fn long_functions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, line) in self.code.iter().enumerate() {
            let Some(name) = function_name(line) else {
                continue;
            };
            let length = self.length_from(at);
            if length > LONGEST_FUNCTION && !self.has_mark_above(at, LONG_MARK) {
                found.push(format!(
                    "{}:{}: fn {name} has {length} lines",
                    self.file,
                    at + 1
                ));
            }
        }
        found
    }

    /// Returns the number of lines up to the brace that closes the first one from here on; 1 without a body.
    fn length_from(&self, at: usize) -> usize {
        let mut depth = 0;
        for (offset, line) in self.code[at..].iter().enumerate() {
            for char in line.chars() {
                match char {
                    '{' => depth += 1,
                    '}' => {
                        depth -= 1;
                        if depth == 0 {
                            return offset + 1;
                        }
                    }
                    ';' if depth == 0 => return 1,
                    _ => {}
                }
            }
        }
        1
    }

    /// Whether the comments and attributes directly above a line have a mark with a reason behind it.
    fn has_mark_above(&self, at: usize, mark: &str) -> bool {
        self.lines[..at]
            .iter()
            .rev()
            .map(|line| line.trim_start())
            .take_while(|line| {
                line.starts_with("//") || line.starts_with("#[") || line.starts_with(")]")
            })
            .any(|line| {
                line.strip_prefix(mark)
                    .is_some_and(|reason| reason.trim().len() > 10)
            })
    }
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub")
            || matches!(*word, "const" | "async" | "extern" | "in" | "default")
            || word.ends_with(')')
    });
    if words.next()? != "fn" {
        return None;
    }
    let name = words.next()?;
    Some(&name[..name.find(['(', '<']).unwrap_or(name.len())])
}

/// Lists runs of equal lines that are longer than the limit and have no reason above either place.
fn repetitions(sources: &[Source]) -> Vec<String> {
    const WINDOW: usize = LONGEST_REPETITION + 1;
    // Line numbers and texts of the lines that count.
    let counted: Vec<Vec<(usize, &str)>> = sources
        .iter()
        .map(|source| {
            let lines = source.code.iter().zip(&source.lines).enumerate();
            lines
                .filter(|(_, (code, _))| !code.trim().is_empty())
                .map(|(at, (_, line))| (at, line.trim()))
                .collect()
        })
        .collect();
    let mut windows: BTreeMap<Vec<&str>, (usize, usize)> = BTreeMap::new();
    let mut found = Vec::new();
    for (number, lines) in counted.iter().enumerate() {
        // The window before this one was a repetition of the same place, and has been reported.
        let mut before = None;
        for (at, window) in lines.windows(WINDOW).enumerate() {
            let texts: Vec<&str> = window.iter().map(|(_, text)| *text).collect();
            if texts.iter().all(|text| is_boilerplate(text)) {
                continue;
            }
            let Some(&(first, first_at)) = windows.get(&texts) else {
                windows.insert(texts, (number, at));
                before = None;
                continue;
            };
            let continues =
                before.is_some_and(|(file, line)| file == first && line + 1 == first_at);
            before = Some((first, first_at));
            if continues {
                continue;
            }
            let (here, there) = (window[0].0, counted[first][first_at].0);
            let has_reason = is_marked(&sources[number], here) || is_marked(&sources[first], there);
            if !has_reason {
                found.push(format!(
                    "{}:{}: repeats {}:{}: {}",
                    sources[number].file,
                    here + 1,
                    sources[first].file,
                    there + 1,
                    window[1].1
                ));
            }
        }
    }
    found
}

/// Imports and brackets, which are alike in many files.
fn is_boilerplate(line: &str) -> bool {
    line.starts_with("use ")
        || line.starts_with("mod ")
        || line.chars().all(|char| !char.is_alphanumeric())
}

/// Whether one of the three lines above a line is a mark with a reason behind it.
fn is_marked(source: &Source, at: usize) -> bool {
    source.lines[at.saturating_sub(3)..=at].iter().any(|line| {
        let reason = line.trim_start().strip_prefix(REPEATED_MARK);
        reason.is_some_and(|reason| reason.trim().len() > 10)
    })
}

/// Returns the number of lines of each layer of the library; tests do not count.
fn layers() -> BTreeMap<String, usize> {
    let mut layers = BTreeMap::new();
    for (file, source) in library() {
        if is_test_file(&file) {
            continue;
        }
        let layer = file.split_once('/').map_or("lib.rs", |(layer, _)| layer);
        let lines = without_tests(&source).lines().count();
        *layers.entry(layer.to_owned()).or_default() += lines;
    }
    layers
}

#[test]
fn no_layer_has_more_than_a_quarter_of_the_lines() {
    let layers = layers();
    let all: usize = layers.values().sum();
    for (layer, lines) in &layers {
        assert!(
            lines * 100 <= all * LARGEST_LAYER,
            "{layer} has {lines} of {all} lines, more than {LARGEST_LAYER} %: divide it"
        );
    }
}

#[test]
fn long_functions_and_repetitions_have_a_reason() {
    let sources = sources(&CHECKED);
    let mut found: Vec<String> = sources.iter().flat_map(Source::long_functions).collect();
    found.extend(repetitions(&sources));
    assert!(
        found.is_empty(),
        "\n{}\ncut or share these, or write `{LONG_MARK} reason.` or `{REPEATED_MARK} reason.` above\n",
        found.join("\n")
    );
}

/// Prints the sizes: `cargo test --test it sizes -- --ignored --nocapture`.
#[test]
#[ignore = "a report, not a test"]
fn report() {
    let layers = layers();
    let all: usize = layers.values().sum();
    for (layer, lines) in &layers {
        println!("{layer}: {lines} lines, {} %", lines * 100 / all);
    }
    for folder in ["server/src", "server/cli/src", "harness/src"] {
        let sources = sources(&[folder]);
        for source in &sources {
            source
                .long_functions()
                .iter()
                .for_each(|line| println!("{line}"));
        }
        repetitions(&sources)
            .iter()
            .for_each(|line| println!("{line}"));
    }
}

#[test]
fn a_long_function_needs_a_reason() {
    let body = "    step();\n".repeat(LONGEST_FUNCTION);
    let long = format!("pub(super) fn long() {{\n{body}}}\n\nfn short() {{\n}}\n");
    let found = Source::new("a.rs".to_owned(), &long).long_functions();
    assert_eq!(found, ["a.rs:1: fn long has 62 lines"]);
    let reasoned =
        format!("/// Does it.\n// Longer than 60 lines: one arm for each case.\n#[inline]\n{long}");
    assert_eq!(
        Source::new("a.rs".to_owned(), &reasoned).long_functions(),
        [""; 0]
    );
}

#[test]
fn a_long_repetition_needs_a_reason() {
    let run: String = (0..=LONGEST_REPETITION)
        .map(|number| format!("step({number});\n\n"))
        .collect();
    let source = |file: &str, text: String| Source::new(file.to_owned(), &text);
    let twice = [
        source("a.rs", run.clone()),
        source("b.rs", format!("start();\n{run}")),
    ];
    assert_eq!(repetitions(&twice), ["b.rs:2: repeats a.rs:1: step(1);"]);
    let reasoned = format!("start();\n// Repeated: the two are generated.\n{run}");
    assert_eq!(
        repetitions(&[source("a.rs", run), source("b.rs", reasoned)]),
        [""; 0]
    );
}
