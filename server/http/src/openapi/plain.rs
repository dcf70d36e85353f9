//! Plain text from the documentation of Rust types.

use serde_json::Value;

/// Makes plain text of every description: without examples in Rust, and with the text of a link instead of the link.
pub(super) fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Value::String(text) = value
                    && name == "description"
                {
                    *text = plain(text);
                } else {
                    strip(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn plain(text: &str) -> String {
    // The parts between the fences are in turn text and code.
    let text: String = text.split("```").step_by(2).collect();
    let text = without_links(text.trim_end());
    let paragraphs = text
        .split("\n\n")
        .map(|lines| lines.trim().replace('\n', " "));
    paragraphs
        .filter(|paragraph| !paragraph.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Replaces `[text](target)` and `[text]` by the text.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('[') {
        plain += before;
        let Some((link, behind)) = inside.split_once(']') else {
            rest = inside;
            continue;
        };
        plain += link;
        let target = behind
            .strip_prefix('(')
            .and_then(|target| target.split_once(')'));
        rest = target.map_or(behind, |(_, behind)| behind);
    }
    plain + rest
}

#[test]
fn examples_in_rust_and_links_are_removed() {
    let text = "Limit, see [`Server::budget`](crate::Server::budget)\nand [`Claim`].\n\n```\nuse x;\n```\n\nMore.";
    assert_eq!(
        plain(text),
        "Limit, see `Server::budget` and `Claim`.\n\nMore."
    );
}
