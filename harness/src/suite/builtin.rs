//! The built-in cases: `harness/cases/*.txt`, and the recipes.

use super::{Chapter, Suite};
use crate::recipe;

macro_rules! chapters {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../cases/", $name, ".txt")))),*]
    };
}

/// The chapters, in the order of the documentation.
const SCRIPTS: &[(&str, &str)] = &chapters![
    "create"
    "delete"
    "data"
    "children"
    "stat"
    "sequence"
    "path"
    "acl"
    "auth"
    "malformed"
    "session"
    "ephemeral"
    "watch"
    "multi"
    "multiread"
    "container"
    "quota"
    "words"
    "admin"
    "refused"
    "found"
];

pub(super) fn suite() -> Suite {
    let mut suite = Suite::new();
    for &(name, text) in SCRIPTS {
        let chapter = Chapter::parse(name, text)
            .unwrap_or_else(|error| panic!("harness/cases/{name}.txt, {error}"));
        suite = suite.with(chapter);
    }
    recipe::chapters().into_iter().fold(suite, Suite::with)
}
