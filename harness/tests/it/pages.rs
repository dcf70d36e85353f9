//! Command lines of the harness in the pages of the repository: each must be one that the harness accepts.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::command;

/// Checks the arguments of every command line in the pages. No command is run.
pub(crate) fn command_lines_are_accepted() -> Result<Completion, Failed> {
    let mut count = 0;
    let mut wrong = Vec::new();
    for page in pages()? {
        let text = fs::read_to_string(&page)?;
        for (number, line) in text.lines().enumerate() {
            for words in command_lines(line) {
                count += 1;
                if let Err(error) = command::check(words) {
                    wrong.push(format!("{}:{}: {error}", page.display(), number + 1));
                }
            }
        }
    }
    if count == 0 {
        return Err("no page has a command line".into());
    }
    match wrong.is_empty() {
        true => Ok(Completion::Completed),
        false => Err(wrong.join("\n").into()),
    }
}

pub(crate) fn command_lines_are_found() -> Result<Completion, Failed> {
    for (line, expected) in [
        (
            "minikeeper-harness run --on a  # a comment",
            &["run --on a"][..],
        ),
        (
            "$ minikeeper-harness list && minikeeper-harness",
            &["list", ""],
        ),
        ("cargo run --release -p minikeeper-harness", &[""]),
        (
            "| x | `cargo run -p minikeeper-harness -- bench`, or `minikeeper-harness crash` |",
            &["bench", "crash"],
        ),
        (
            "cargo run -p minikeeper-harness --example election -- 7",
            &[],
        ),
        (
            "cargo test -p minikeeper-harness --test mistakes -- edit",
            &[],
        ),
        (
            "The crate `minikeeper-harness` is `minikeeper-harness = { path = \"x\" }`.",
            &[""],
        ),
    ] {
        let found: Vec<String> = command_lines(line)
            .into_iter()
            .map(|words| words.into_iter().skip(1).collect::<Vec<_>>().join(" "))
            .collect();
        if found != expected {
            return Err(format!("{line}: {found:?}").into());
        }
    }
    Ok(Completion::Completed)
}

/// Returns the pages of the repository, except the changelog, which names old options.
fn pages() -> Result<Vec<PathBuf>, Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = Vec::new();
    for folder in [
        "",
        "docs",
        "docs/guide",
        "docker",
        "harness",
        "server/tests/golden",
    ] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let is_page = path.extension().is_some_and(|extension| extension == "md");
            if is_page && !path.ends_with("CHANGELOG.md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

/// Returns the words of each command line of the harness in a line of a page. The first word is the program's name.
fn command_lines(line: &str) -> Vec<Vec<&str>> {
    // A line of a code block is one command; in a text, commands are between backticks.
    let codes: Vec<&str> = match line.contains('`') {
        true => line.split('`').skip(1).step_by(2).collect(),
        false => vec![line],
    };
    let commands = codes.iter().flat_map(|code| {
        let code = code.split(" #").next().unwrap_or_default();
        code.split("&&")
    });
    commands.filter_map(words).collect()
}

fn words(command: &str) -> Option<Vec<&str>> {
    const NAME: &str = "minikeeper-harness";
    let mut words = command.split_whitespace().filter(|word| *word != "$");
    let arguments: Vec<&str> = match words.next()? {
        // The name of the crate counts as a command without arguments.
        NAME => words.collect(),
        "cargo" if words.next() == Some("run") => {
            let mut options = words.by_ref().take_while(|word| *word != "--");
            let options: Vec<&str> = options.by_ref().collect();
            if !options.contains(&NAME) || options.contains(&"--example") {
                return None;
            }
            words.collect()
        }
        _ => return None,
    };
    if arguments.first() == Some(&"=") {
        return None;
    }
    Some([&[NAME], &arguments[..]].concat())
}
