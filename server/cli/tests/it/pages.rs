//! The command lines of the pages, run as they are written.
//!
//! A block marked `console` has commands behind `$ ` and their output; a line `...` stands for any number of lines. A
//! block marked `sh` has commands alone, of which the flags are checked.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::{command, run};

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
fn arguments(line: &str) -> Option<Vec<&str>> {
    let line = line.split('#').next().unwrap_or_default();
    let rest = line.strip_prefix("minikeeper ").or_else(|| {
        let rest = line.strip_prefix("cargo run --release")?.trim_start();
        rest.strip_prefix("-- ")
            .or_else(|| rest.is_empty().then_some(""))
    })?;
    Some(
        rest.split_whitespace()
            .take_while(|word| *word != "&")
            .collect(),
    )
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
    for block in blocks().iter().filter(|block| block.language == "console") {
        let mut lines = block.lines.iter().peekable();
        while let Some(line) = lines.next() {
            let line = line
                .strip_prefix("$ ")
                .expect("a block begins with a command");
            let arguments = arguments(line).expect("the command is one of the binary");
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line.as_str());
            }
            let output = command(&arguments, &[])
                .current_dir(folder.path())
                .output()
                .expect("the binary is built");
            let printed = String::from_utf8(output.stdout).expect("the output is UTF-8");
            let printed: Vec<&str> = printed.lines().collect();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                is_like(&printed, &expected),
                "{}: {line}\nexpected\n{}\nprinted\n{}\n{errors}",
                block.page,
                expected.join("\n"),
                printed.join("\n")
            );
            commands += 1;
        }
    }
    assert!(commands > 0, "no page has a console example");
}

/// Whether the printed lines are the expected ones, where `...` stands for any number of lines.
fn is_like(printed: &[&str], expected: &[&str]) -> bool {
    match (expected, printed) {
        (["...", expected @ ..], _) => (0..=printed.len())
            .any(|from| is_like(printed.get(from..).unwrap_or_default(), expected)),
        ([first, expected @ ..], [line, printed @ ..]) => {
            first == line && is_like(printed, expected)
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
            arguments.push("--help");
            let output = run(&arguments, &[]);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {line}\n{errors}", block.page);
            commands += 1;
        }
    }
    assert!(commands > 0, "no page has a shell example");
}
