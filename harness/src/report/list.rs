//! Lists of the cases: for a terminal, as JSON, and as the page of the documentation.

use std::fmt::Write;

use serde::Serialize;

use crate::suite::{Case, Suite};

/// Returns chapters and cases, a line each.
#[must_use]
pub fn list(suite: &Suite) -> String {
    let mut text = String::new();
    for chapter in &suite.chapters {
        let _ = writeln!(text, "{}: {}", chapter.name, chapter.title);
        for case in &chapter.cases {
            let id = case.id.to_string();
            let _ = writeln!(text, "  {id:<16} {}{}", case.title, needs(case, " [", "]"));
        }
        text.push('\n');
    }
    let many = |number: usize, what: &str| {
        format!("{number} {what}{}", if number == 1 { "" } else { "s" })
    };
    let (cases, chapters) = (suite.cases().count(), suite.chapters.len());
    let _ = writeln!(
        text,
        "{} in {}",
        many(cases, "case"),
        many(chapters, "chapter")
    );
    text
}

/// Returns chapters and cases as JSON: an array of `{name, title, about, cases: [{id, title, needs: [TEXT],
/// script}]}`, where `script` is `null` for a case that is written in Rust.
///
/// # Errors
///
/// If the suite cannot be serialized, for which none is known.
pub fn list_json(suite: &Suite) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Chapter<'a> {
        name: &'a str,
        title: &'a str,
        about: &'a str,
        cases: Vec<Listed<'a>>,
    }
    #[derive(Serialize)]
    struct Listed<'a> {
        id: String,
        title: &'a str,
        needs: Vec<String>,
        script: Option<String>,
    }
    let chapters: Vec<Chapter<'_>> = suite
        .chapters
        .iter()
        .map(|chapter| Chapter {
            name: &chapter.name,
            title: &chapter.title,
            about: &chapter.about,
            cases: chapter
                .cases
                .iter()
                .map(|case| Listed {
                    id: case.id.to_string(),
                    title: &case.title,
                    needs: case
                        .headers
                        .to_string()
                        .lines()
                        .map(str::to_owned)
                        .collect(),
                    script: case.script().map(ToString::to_string),
                })
                .collect(),
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&chapters)?;
    text.push('\n');
    Ok(text)
}

/// Returns chapters and cases as the page `docs/conformance.md`.
#[must_use]
pub fn list_markdown(suite: &Suite) -> String {
    let mut page = String::from(PREFACE);
    page.push_str("\n| chapter | cases | about |\n|---|---:|---|\n");
    for chapter in &suite.chapters {
        let _ = writeln!(
            page,
            "| [{0}](#{0}) | {1} | {2} |",
            chapter.name,
            chapter.cases.len(),
            markdown(&chapter.title)
        );
    }
    let _ = writeln!(page, "| together | {} | |", suite.cases().count());
    for chapter in &suite.chapters {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n",
            chapter.name,
            markdown(&chapter.title)
        );
        if !chapter.about.is_empty() {
            let _ = write!(page, "\n{}\n", markdown(&chapter.about));
        }
        page.push_str("\n| case | title |\n|---|---|\n");
        for case in &chapter.cases {
            let _ = writeln!(
                page,
                "| {} | {}{} |",
                case.id,
                markdown(&case.title),
                needs(case, " (", ")")
            );
        }
    }
    page
}

const PREFACE: &str = "\
# The cases

<!-- Written by `cargo run -p minikeeper-harness -- list --markdown`; a test compares the two. -->

All cases that the harness runs on embedded minikeeper and on real ZooKeeper. The number of a case never changes, so any
issue can cite `watch/17`. To see the behaviour of the servers, run
`cargo run -p minikeeper-harness -- run --only watch/17 --show`; its script is in `harness/cases`.
";

/// Describes the requirements of a case in a few words.
fn needs(case: &Case, before: &str, after: &str) -> String {
    let headers = case.headers.to_string();
    let needs: Vec<&str> = headers
        .lines()
        .map(|line| line.strip_prefix("needs: ").unwrap_or(line))
        .collect();
    if needs.is_empty() {
        return String::new();
    }
    format!("{before}{}{after}", needs.join("; "))
}

/// Escapes text for Markdown.
fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut in_code = false;
    for letter in text.chars() {
        in_code ^= letter == '`';
        match letter {
            // In code, only the end of a table cell has a meaning.
            _ if in_code && letter != '|' => safe.push(letter),
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '*' | '_' | '[' | ']' | '\\' => {
                safe.push('\\');
                safe.push(letter);
            }
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{list, list_json, list_markdown};
    use crate::suite::{Chapter, Suite};

    fn suite() -> Suite {
        let text = "# Watches | all\n\nEvery <kind>.\n\n== 1 one *fires*\na: exists /a watch\n\n== 12 two fire\n\
                    needs: since 3.5, restart\nvirgin\na: exists /a watch\n";
        Suite::new().with(Chapter::parse("watch", text).expect("a chapter"))
    }

    #[test]
    fn a_list_has_a_line_for_every_case() {
        assert_eq!(
            list(&suite()),
            "watch: Watches | all\n  watch/1          one *fires*\n\
             \x20 watch/12         two fire [since 3.5, restart; virgin]\n\n\
             2 cases in 1 chapter\n"
        );
    }

    #[test]
    fn the_page_shows_titles_unchanged() {
        let page = list_markdown(&suite());
        assert!(
            page.contains("| [watch](#watch) | 2 | Watches \\| all |\n"),
            "{page}"
        );
        assert!(page.contains("\nEvery &lt;kind>.\n"), "{page}");
        assert!(page.contains("| watch/1 | one \\*fires\\* |\n"), "{page}");
        assert!(
            page.contains("| watch/12 | two fire (since 3.5, restart; virgin) |\n"),
            "{page}"
        );
    }

    #[test]
    fn the_json_has_the_scripts() {
        let text = list_json(&suite()).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let at = |pointer| value.pointer(pointer).and_then(serde_json::Value::as_str);
        assert_eq!(at("/0/cases/0/id"), Some("watch/1"));
        assert_eq!(at("/0/cases/0/script"), Some("a: exists /a watch\n"));
        assert_eq!(at("/0/cases/1/needs/1"), Some("virgin"));
    }

    #[test]
    fn the_committed_page_lists_the_present_cases() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
        let committed = std::fs::read_to_string(&page).unwrap_or_default();
        let listed = list_markdown(&Suite::builtin());
        let differs = committed
            .lines()
            .zip(listed.lines())
            .find(|(committed, listed)| committed != listed);
        assert!(
            committed == listed,
            "docs/conformance.md is out of date ({differs:?}); write it by\n\
             cargo run -p minikeeper-harness -- list --markdown > docs/conformance.md"
        );
    }
}
