//! Words, doc lines and lines of text that the repository does not use; `CONTRIBUTING.md` has the words to use instead.

use std::fs;
use std::path::{Path, PathBuf};

use super::source::without_comments;

/// Words with no clear meaning here, in comments, names, texts and pages, alone or as a part of an identifier.
const REFUSED_WORDS: [&str; 25] = [
    "whoever",
    "somebody",
    "nobody",
    "crew",
    "crews",
    "lookout",
    "lookouts",
    "entrance",
    "entrances",
    "wish",
    "wishes",
    "wished",
    "sight",
    "sights",
    "verdict",
    "verdicts",
    "treatment",
    "treatments",
    "hosted",
    "garden",
    "gardens",
    "dice",
    "told",
    "untold",
    "retold",
];

/// Participles that name no thing, as a part of an identifier.
const REFUSED_IN_IDENTIFIERS: [&str; 5] = ["kept", "left", "fed", "unfed", "beside"];

/// First words of a doc comment that begin a clause instead of naming a thing or an action.
const REFUSED_DOC_STARTS: [&str; 4] = ["What", "How", "Who", "Where"];

/// Longest line of a Rust source, in characters.
const LONGEST_LINE: usize = 120;

/// Paths that are written by a program, quote ZooKeeper, or hold the words themselves.
const EXEMPT: [&str; 3] = [
    "CONTRIBUTING.md",
    "harness/recorded/",
    "server/tests/it/architecture/language.rs",
];

/// A line that is refused.
#[derive(Debug, PartialEq)]
struct Refusal {
    line: usize,
    reason: String,
}

/// Lists the refused lines of a file.
fn refusals(file: &str, text: &str) -> Vec<Refusal> {
    let is_rust = file.ends_with(".rs");
    let code = if is_rust {
        without_comments(text)
    } else {
        String::new()
    };
    // `left` is the counterpart of `right`, where the file has both.
    let has_right = code
        .split(|char: char| !char.is_alphanumeric())
        .any(|word| word.contains("right"));
    let mut refusals = Vec::new();
    let mut refuse = |at: usize, reason: String| {
        refusals.push(Refusal {
            line: at + 1,
            reason,
        })
    };
    for (at, line) in text.lines().enumerate() {
        for word in words(line).filter(|word| REFUSED_WORDS.contains(&&**word)) {
            refuse(at, format!("`{word}`"));
        }
        if is_rust && line.chars().count() > LONGEST_LINE && !line.contains("://") {
            refuse(at, format!("more than {LONGEST_LINE} columns"));
        }
        let doc = line.trim_start();
        let doc = doc
            .strip_prefix("/// ")
            .or_else(|| doc.strip_prefix("//! "));
        if let Some(start) = doc
            .and_then(|doc| doc.split([' ', ',']).next())
            .filter(|_| is_rust)
            && REFUSED_DOC_STARTS.contains(&start)
        {
            refuse(at, format!("doc line that begins with {start}"));
        }
    }
    for (at, line) in code.lines().enumerate() {
        let words = words(line).filter(|word| REFUSED_IN_IDENTIFIERS.contains(&&**word));
        for word in words.filter(|word| word != "left" || !has_right) {
            refuse(at, format!("identifier with `{word}`"));
        }
    }
    refusals.sort_by_key(|refusal| refusal.line);
    refusals
}

/// Returns the words of a line in lower case; identifiers are split at underscores and capitals.
fn words(line: &str) -> impl Iterator<Item = String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for char in line.chars().chain([' ']) {
        let begins = char.is_uppercase() && before.is_lowercase();
        let ends = !char.is_alphabetic() || begins;
        if ends && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if char.is_alphabetic() {
            word.extend(char.to_lowercase());
        }
        before = char;
    }
    words.into_iter()
}

/// Returns the text files of the workspace, as paths from its root.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !matches!(&*name, "target" | ".git" | "node_modules" | "golden") {
                    folders.push(path);
                }
            } else if is_text(&name) {
                files.push(path);
            }
        }
    }
    files.sort();
    let relative = files.iter().map(|file| {
        let name = file
            .strip_prefix(&root)
            .expect("the file is in the workspace");
        let name = name.to_str().expect("the path is UTF-8").replace('\\', "/");
        (name, fs::read_to_string(file).expect("the file is UTF-8"))
    });
    relative.collect()
}

fn is_text(name: &str) -> bool {
    const EXTENSIONS: [&str; 12] = [
        "rs", "md", "toml", "txt", "html", "css", "js", "py", "java", "yml", "yaml", "sh",
    ];
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// Lists the refused lines of the workspace.
fn report() -> Vec<String> {
    texts()
        .iter()
        .filter(|(file, _)| !EXEMPT.iter().any(|exempt| file.starts_with(exempt)))
        .flat_map(|(file, text)| {
            let lines: Vec<&str> = text.lines().collect();
            let is_case = file.starts_with("harness/cases/");
            let refusals = refusals(file, text).into_iter().filter(|refusal| {
                // The steps of a case are data.
                !is_case || lines[refusal.line - 1].starts_with(['=', '#'])
            });
            let refusals = refusals.map(|Refusal { line, reason }| {
                let text: String = lines[line - 1].trim().chars().take(100).collect();
                format!("{file}:{line}: {reason}: {text}")
            });
            refusals.collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_language_is_plain() {
    let found = report();
    assert!(
        found.is_empty(),
        "\n{}\nCONTRIBUTING.md has a glossary\n",
        found.join("\n")
    );
}

#[test]
fn a_refused_line_is_named() {
    let check = |file: &str, text: &str, expected: &[(usize, &str)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|&(line, reason)| Refusal {
                line,
                reason: reason.to_owned(),
            })
            .collect();
        assert_eq!(refusals(file, text), expected, "{text}");
    };
    check("a.md", "Nobody is told.", &[(1, "`nobody`"), (1, "`told`")]);
    check(
        "a.rs",
        "// Insight.\nfn lost_sight() {}\nstruct CrewMember;\n",
        &[(2, "`sight`"), (3, "`crew`")],
    );
    check("a.rs", "let text = \"a wish\";\n", &[(1, "`wish`")]);
    check(
        "a.rs",
        "// what is left\nlet left_over = kept;\n",
        &[(2, "identifier with `left`"), (2, "identifier with `kept`")],
    );
    check("a.rs", "fn swap(left: u8, right: u8) {}\n", &[]);
    check(
        "a.rs",
        "/// What it is.\n/// Whether it is.\n//! How, then.\n",
        &[
            (1, "doc line that begins with What"),
            (3, "doc line that begins with How"),
        ],
    );
    let long = "x".repeat(LONGEST_LINE);
    check(
        "a.rs",
        &format!("{long}\n{long}y\n{long}://y\n"),
        &[(2, "more than 120 columns")],
    );
}
