//! Answers for people: lists as tables, objects as lines.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Whether an answer says that the test has failed: a failure, a wait that timed out, a broken claim, a difference.
pub(super) fn is_failure(value: &Value) -> bool {
    let has_failures = value
        .get("failures")
        .and_then(Value::as_array)
        .is_some_and(|failures| !failures.is_empty());
    let outcome = value.get("outcome").and_then(Value::as_str);
    let is_bad = matches!(outcome, Some("timed_out" | "broken"));
    let is_no = |name: &str| value.get(name) == Some(&Value::Bool(false));
    has_failures || is_bad || is_no("equal") || is_no("possible")
}

/// Writes an answer for people.
pub(super) fn readable(value: &Value) -> String {
    let mut text = String::new();
    if let Value::Object(fields) = value {
        // The only list or object of an answer needs no title.
        let only = fields.values().next().filter(|_| fields.len() == 1);
        match only {
            Some(Value::Object(inner)) if !inner.is_empty() => object(inner, "", false, &mut text),
            Some(_) | None => object(fields, "", only.is_some(), &mut text),
        }
    } else {
        line(&mut text, "", &inline(value));
    }
    harmless(&text)
}

/// Escapes control characters, which could change the terminal: names and data of znodes can have any.
fn harmless(text: &str) -> String {
    let is_harmful = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
    let mut harmless = String::with_capacity(text.len());
    for char in text.chars() {
        if is_harmful(char) {
            harmless.extend(char.escape_default());
        } else {
            harmless.push(char);
        }
    }
    harmless
}

fn line(text: &mut String, indent: &str, content: &str) {
    // A text takes everything.
    let _ = writeln!(text, "{indent}{content}");
}

/// Writes the fields of an object, a line for each; a list that is alone has no title.
fn object(fields: &Map<String, Value>, indent: &str, is_alone: bool, text: &mut String) {
    let deeper = format!("{indent}  ");
    for (name, value) in fields {
        match value {
            Value::Array(items) if items.is_empty() => {
                // `released` is no noun.
                let none = if is_alone && !name.ends_with("ed") {
                    format!("no {name}")
                } else {
                    format!("{name}: none")
                };
                line(text, indent, &none);
            }
            Value::Array(items) if is_alone => list(items, indent, text),
            Value::Array(items)
                if items
                    .iter()
                    .all(|item| !item.is_object() && !has_breaks(item)) =>
            {
                let items: Vec<String> = items.iter().map(inline).collect();
                line(text, indent, &format!("{name}: {}", items.join(", ")));
            }
            Value::Array(items) => {
                line(text, indent, &format!("{name}:"));
                list(items, &deeper, text);
            }
            Value::Object(inner) if inner.is_empty() => {
                // In a tree, it is a znode without data.
                let none = if name.starts_with('/') { "{}" } else { "none" };
                line(text, indent, &format!("{name}: {none}"));
            }
            Value::Object(inner) => {
                line(text, indent, &format!("{name}:"));
                object(inner, &deeper, false, text);
            }
            Value::String(several) if several.contains('\n') => {
                line(text, indent, &format!("{name}:"));
                several.lines().for_each(|one| line(text, &deeper, one));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                line(text, indent, &format!("{name}: {}", inline(value)));
            }
        }
    }
}

fn has_breaks(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() > 40 || text.contains('\n'))
}

fn list(items: &[Value], indent: &str, text: &mut String) {
    let rows: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
    if rows.len() < items.len() {
        items
            .iter()
            .for_each(|item| line(text, indent, &inline(item)));
        return;
    }
    let mut columns: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    // The column that tells one row from another comes first.
    columns.sort_by_key(|name| !matches!(*name, "id" | "number" | "member"));
    let mut table = vec![
        columns
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    ];
    table.extend(rows.iter().map(|row| {
        let cells = columns
            .iter()
            .map(|name| row.get(*name).map_or_else(String::new, inline));
        cells.collect()
    }));
    let mut widths = vec![0; columns.len()];
    for row in &table {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in table {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        line(text, indent, cells.join("  ").trim_end());
    }
}

/// Writes a value in one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.replace('\n', " "),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            items.join(", ")
        }
        Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let text = readable(&json!({"data": "\u{1b}[31mred"}));
        assert_eq!(text, "data: \\u{1b}[31mred\n");
    }

    #[test]
    fn a_list_is_a_table_and_an_object_is_lines() {
        let sessions = json!({"sessions": [
            {"id": "0x1", "connected": true, "label": "worker"},
            {"id": "0x10", "connected": false, "label": null}
        ]});
        assert_eq!(
            readable(&sessions),
            "id    connected  label\n0x1   yes        worker\n0x10  no         -\n"
        );
        let effects = json!({"effects": {"expired": ["0x1"], "deleted": [], "leading": null}});
        assert_eq!(
            readable(&effects),
            "deleted: none\nexpired: 0x1\nleading: -\n"
        );
        assert_eq!(readable(&json!({"servers": []})), "no servers\n");
        assert_eq!(readable(&json!({"released": []})), "released: none\n");
        let tree = json!({"tree": {"/leader": {"ephemeral": true}}});
        assert_eq!(readable(&tree), "/leader:\n  ephemeral: yes\n");
    }

    #[test]
    fn a_failed_test_is_a_failure() {
        assert!(is_failure(&json!({"failures": [{}]})));
        assert!(is_failure(&json!({"outcome": "timed_out"})));
        assert!(!is_failure(&json!({"failures": [], "equal": true})));
    }
}
