//! Trees as YAML.

use std::fmt::Write as _;

use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};

use super::text::{fields, json};
use super::{Tree, TreeError};

/// Limits above the needs of a tree of a million znodes. The number of aliases is small, so that a short text cannot
/// expand to a long one.
const MOST: usize = 100_000_000;
const MOST_ALIASES: usize = 1000;

impl Tree {
    /// Reads a tree from YAML, in the [form of trees](Self#as-text). Data are text here too: put numbers in quotes.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    ///
    /// ```
    /// use minikeeper::{Tree, tree};
    ///
    /// let text = "
    /// /config: v1
    /// /app:
    ///   acl: [world:anyone:r]
    ///   children:
    ///     db: localhost:5432
    ///     port: '8080'
    /// ";
    /// let tree = Tree::from_yaml(text)?;
    /// assert_eq!(tree.get("/app/port").and_then(|znode| znode.data.as_deref()), Some(&b"8080"[..]));
    /// # Ok::<(), minikeeper::state::TreeError>(())
    /// ```
    pub fn from_yaml(text: &str) -> Result<Self, TreeError> {
        read(text)
    }

    /// Writes the tree as YAML, sorted by path.
    ///
    /// ```
    /// let tree = minikeeper::tree! { "/config" => "v1", "/locks" => {} };
    /// assert_eq!(tree.to_yaml(), "/config: \"v1\"\n/locks: {}\n");
    /// ```
    #[must_use]
    pub fn to_yaml(&self) -> String {
        write(self)
    }
}

fn read(text: &str) -> Result<Tree, TreeError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MOST,
            max_nodes: MOST,
            max_total_scalar_bytes: usize::MAX,
            max_aliases: MOST_ALIASES,
            // Longest possible path.
            simple_key_max_lookahead: 1 << 20,
        },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let position = error
            .location()
            .map(|at| (number(at.line()), number(at.column())));
        let text = error.to_string();
        let reason = match position {
            _ if text.starts_with("multiple YAML documents") => {
                "expected one document, not several"
            }
            Some((line, column)) => {
                let behind = format!(" at line {line}, column {column}");
                text.strip_suffix(&behind).unwrap_or(&text)
            }
            None => &text,
        };
        TreeError::at(position, reason.to_owned())
    })
}

fn write(tree: &Tree) -> String {
    let mut text = String::new();
    for (path, znode) in tree.iter() {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
        let key = if path.bytes().all(is_plain) {
            path.to_owned()
        } else {
            json(&path)
        };
        // Texts, numbers and lists in JSON are also YAML.
        let _ = match &*fields(znode) {
            [] => writeln!(text, "{key}: {{}}"),
            [("data", data)] => writeln!(text, "{key}: {}", json(data)),
            fields => {
                let _ = writeln!(text, "{key}:");
                fields
                    .iter()
                    .try_for_each(|(name, value)| writeln!(text, "  {name}: {}", json(value)))
            }
        };
    }
    if text.is_empty() {
        text.push_str("{}\n");
    }
    text
}
