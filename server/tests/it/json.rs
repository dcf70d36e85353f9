//! The page `docs/json.md`: every example is parsed and written back, and every name has an example.

use std::collections::BTreeMap;
use std::fmt::Debug;

use minikeeper::{
    ErrorCode, Fault, Matcher, Op, SessionId, Tree,
    ensemble::{EnsembleAction, Mode},
    fault::{Chaos, Direction, FaultRule},
    folder::{Change, Transaction},
    hold::{Held, HeldMessage, Release},
    journal::{Budget, Claim, CloseReason, Data, Entry, Event, JournalMode, Mark, MultiPart},
    matcher::{EventKind, PathPattern},
    protocol::{EventType, Operation, Zxid},
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/json.md");

/// Examples of each section: the text in backquotes in the first cell of each row.
fn examples() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut examples: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut section = "";
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim_matches('`');
        } else if let Some(row) = line.strip_prefix("| `") {
            let cell = row.split(" | ").next().unwrap_or_default();
            let parts = cell.split("`, `").map(|part| part.trim_end_matches('`'));
            examples.entry(section).or_default().extend(parts);
        }
    }
    examples
}

/// Reads an example as a `T`, and returns the JSON that is written of it.
fn round_trip<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) -> String {
    let read: T = match serde_json::from_str(text) {
        Ok(read) => read,
        Err(error) => panic!("{text}: {error}"),
    };
    let written = serde_json::to_string(&read).expect("it can be written");
    let again: T = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, read);
    written
}

/// Names that a `T` can have, from the error for an unknown name.
fn names<T: DeserializeOwned>(unknown: &str) -> Vec<String> {
    let Err(error) = serde_json::from_str::<T>(unknown) else {
        panic!("{unknown} is known");
    };
    let error = error.to_string();
    let (_, names) = error.split_once("expected ").expect(&error);
    let quoted = names.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// Types of a `Change`. An unknown type is tried as a create last, so that the error does not list them.
const CHANGES: [&str; 12] = [
    "createSession",
    "closeSession",
    "error",
    "create",
    "createContainer",
    "createTTL",
    "delete",
    "deleteContainer",
    "setData",
    "setACL",
    "check",
    "multi",
];

type RoundTrip = fn(&str) -> String;

/// Reader of each section, with every name that its examples must have.
fn sections() -> Vec<(&'static str, RoundTrip, Vec<String>)> {
    let tag = |tag: &str| format!(r#"{{"{tag}": "?"}}"#);
    let field = r#"{"?": 1}"#;
    let text = r#""?""#;
    vec![
        (
            "FaultRule",
            round_trip::<FaultRule>,
            names::<FaultRule>(field),
        ),
        ("Fault", round_trip::<Fault>, names::<Fault>(&tag("fault"))),
        ("Matcher", round_trip::<Matcher>, names::<Matcher>(field)),
        (
            "EventKind",
            round_trip::<EventKind>,
            names::<EventKind>(text),
        ),
        ("Op", round_trip::<Op>, names::<Op>(text)),
        ("PathPattern", round_trip::<PathPattern>, Vec::new()),
        (
            "Direction",
            round_trip::<Direction>,
            names::<Direction>(text),
        ),
        ("Chaos", round_trip::<Chaos>, names::<Chaos>(field)),
        ("Held", round_trip::<Held>, Vec::new()),
        (
            "HeldMessage",
            round_trip::<HeldMessage>,
            names::<HeldMessage>(&tag("kind")),
        ),
        (
            "Release",
            round_trip::<Release>,
            names::<Release>(&tag("release")),
        ),
        (
            "Budget",
            round_trip::<Budget>,
            names::<Budget>(&tag("budget")),
        ),
        ("Claim", round_trip::<Claim>, names::<Claim>(&tag("claim"))),
        (
            "JournalMode",
            round_trip::<JournalMode>,
            names::<JournalMode>(text),
        ),
        ("Entry", round_trip::<Entry>, Vec::new()),
        (
            "Event",
            round_trip::<Event<'static>>,
            names::<Event<'static>>(&tag("kind")),
        ),
        ("MultiPart", round_trip::<MultiPart>, Vec::new()),
        ("Data", round_trip::<Data>, names::<Data>(field)),
        ("Mark", round_trip::<Mark>, Vec::new()),
        ("Tree", round_trip::<Tree>, Vec::new()),
        (
            "EnsembleAction",
            round_trip::<EnsembleAction>,
            names::<EnsembleAction>(&tag("action")),
        ),
        ("Mode", round_trip::<Mode>, names::<Mode>(text)),
        ("Transaction", round_trip::<Transaction>, Vec::new()),
        (
            "Change",
            round_trip::<Change>,
            CHANGES.map(str::to_owned).to_vec(),
        ),
        (
            "ErrorCode",
            round_trip::<ErrorCode>,
            names::<ErrorCode>(text),
        ),
        (
            "EventType",
            round_trip::<EventType>,
            names::<EventType>(text),
        ),
        (
            "Operation",
            round_trip::<Operation>,
            names::<Operation>(text),
        ),
        (
            "CloseReason",
            round_trip::<CloseReason>,
            names::<CloseReason>(text),
        ),
        ("SessionId", round_trip::<SessionId>, Vec::new()),
        ("Zxid", round_trip::<Zxid>, Vec::new()),
    ]
}

#[test]
fn every_example_of_the_page_is_read_and_written_back() {
    let mut examples = examples();
    let mut faults = Vec::new();
    for (section, round_trip, names) in sections() {
        let examples = examples.remove(section).unwrap_or_default();
        if examples.is_empty() {
            faults.push(format!("{section} has no example"));
        }
        let value = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
        for example in &examples {
            let written = round_trip(example);
            if value(&written) != value(example) {
                faults.push(format!("{section}: {example} is written as {written}"));
            }
        }
        for name in names {
            let quoted = format!("\"{name}\"");
            if !examples.iter().any(|example| example.contains(&quoted)) {
                faults.push(format!("{section} has no example with {name}"));
            }
        }
    }
    let unread: Vec<_> = examples.keys().collect();
    assert!(unread.is_empty(), "sections that no test reads: {unread:?}");
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
