//! The command lines of the pages, run as they are written.
//!
//! A block marked `console` has commands behind `$ ` and their output. A line `...` stands for any number of lines, and
//! `...` at the end of a line for the rest of it. A command with `&` at its end serves until the page ends; the page's
//! port 2180 is the port of its control API. A block marked `sh` has commands alone, of which the flags are checked.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::{Serving, command, run};

/// A block of code in a page.
struct Block {
    page: String,
    language: String,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the blocks of code of all pages, in the order of the pages' names.
fn blocks() -> Vec<Block> {
    let mut pages = vec![root().join("README.md"), root().join("docker/README.md")];
    for folder in ["docs", "docs/guide"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages.iter().flat_map(|page| blocks_of(page)).collect()
}

fn blocks_of(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).expect("the page can be read");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block {
                    page: page.display().to_string(),
                    language: language.to_owned(),
                    lines: Vec::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    blocks
}

/// Returns the arguments of a command line of the binary, up to a comment or an ampersand.
fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let rest = line.strip_prefix("minikeeper ").or_else(|| {
        let rest = line.strip_prefix("cargo run --release")?.trim_start();
        rest.strip_prefix("-- ")
            .or_else(|| rest.is_empty().then_some(""))
    })?;
    Some(
        words(rest)
            .into_iter()
            .take_while(|word| word != "&")
            .collect(),
    )
}

/// Splits a command line at white space outside of single quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted, mut is_word) = (Vec::new(), false, false);
    for char in line.chars() {
        if char == '\'' {
            is_quoted = !is_quoted;
        }
        let is_part = is_quoted || !char.is_whitespace();
        if is_part && !is_word {
            words.push(String::new());
        }
        is_word = is_part;
        if is_part && char != '\'' {
            words.last_mut().expect("a word has begun").push(char);
        }
    }
    words
}

/// Server of a page, and the URL of its control API.
struct Started {
    _serving: Serving,
    url: String,
}

/// Starts the binary, and checks its greeting.
fn start(arguments: &[&str], expected: &[&str], place: &str) -> Started {
    let serving = Serving::start(arguments, &[("MINIKEEPER_CONTROL", "127.0.0.1:0")]);
    let greeting = serving.greeting.join("\n");
    let (_, address) = greeting
        .split_once("http://127.0.0.1:")
        .expect("it has the URL");
    let digits = address
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(address.len());
    let url = format!(
        "http://127.0.0.1:{}",
        address.get(..digits).unwrap_or_default()
    );
    let printed = greeting.replace(&url, "http://127.0.0.1:2180");
    let printed: Vec<&str> = printed.lines().collect();
    assert!(is_like(&printed, expected), "{place}: {greeting}");
    Started {
        _serving: serving,
        url,
    }
}

#[test]
fn the_output_of_console_examples_is_what_the_binary_prints() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let backup = folder.path().join("backup/version-2");
    fs::create_dir_all(&backup).expect("the folder can be made");
    let golden = root().join("server/tests/golden/folders/3.9.5/version-2");
    for entry in fs::read_dir(golden).expect("the golden folder can be read") {
        let entry = entry.expect("the golden folder can be read");
        fs::copy(entry.path(), backup.join(entry.file_name())).expect("the file can be copied");
    }
    let mut commands = 0;
    let mut started: Option<(String, Started)> = None;
    for block in blocks().iter().filter(|block| block.language == "console") {
        started = started.filter(|(page, _)| *page == block.page);
        let mut lines = block.lines.iter().peekable();
        while let Some(line) = lines.next() {
            let command = line
                .strip_prefix("$ ")
                .expect("a block begins with a command");
            let arguments = arguments(command).expect("the command is one of the binary");
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line.as_str());
            }
            let place = format!("{}: {line}", block.page);
            if line.ends_with(" &") {
                started = Some((block.page.clone(), start(&arguments, &expected, &place)));
            } else {
                let url = started
                    .as_ref()
                    .map(|(_, started)| ("MINIKEEPER_CONTROL_URL", started.url.as_str()));
                check(&arguments, url.as_slice(), folder.path(), &expected, &place);
            }
            commands += 1;
        }
    }
    assert!(commands > 0, "no page has a console example");
}

/// Runs the binary to its end, and checks what it prints.
fn check(
    arguments: &[&str],
    variables: &[(&str, &str)],
    folder: &Path,
    expected: &[&str],
    place: &str,
) {
    let output = command(arguments, variables)
        .current_dir(folder)
        .output()
        .expect("the binary is built");
    let printed = String::from_utf8(output.stdout).expect("the output is UTF-8");
    let printed: Vec<&str> = printed.lines().collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        is_like(&printed, expected),
        "{place}\nexpected\n{}\nprinted\n{}\n{errors}",
        expected.join("\n"),
        printed.join("\n")
    );
}

/// Whether the printed lines are the expected ones, where `...` stands for any number of lines.
fn is_like(printed: &[&str], expected: &[&str]) -> bool {
    match (expected, printed) {
        (["...", expected @ ..], _) => (0..=printed.len())
            .any(|from| is_like(printed.get(from..).unwrap_or_default(), expected)),
        ([first, expected @ ..], [line, printed @ ..]) => {
            let is_same = match first.strip_suffix("...") {
                Some(beginning) => line.starts_with(beginning),
                None => first == line,
            };
            is_same && is_like(printed, expected)
        }
        _ => expected.is_empty() && printed.is_empty(),
    }
}

#[test]
fn the_flags_of_shell_examples_exist() {
    let mut commands = 0;
    for block in blocks().iter().filter(|block| block.language == "sh") {
        for line in &block.lines {
            let Some(mut arguments) = arguments(line) else {
                continue;
            };
            arguments.push("--help".to_owned());
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let output = run(&arguments, &[]);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {line}\n{errors}", block.page);
            commands += 1;
        }
    }
    assert!(commands > 0, "no page has a shell example");
}
