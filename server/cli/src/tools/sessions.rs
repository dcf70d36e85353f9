//! Differences between the sessions of two states.

use std::collections::BTreeMap;

use minikeeper::{SessionId, Snapshot, inspect::SessionView};

use super::filter::PathFilter;
use super::flags::{Diff, Ignore};
use super::value::Value;
use super::words;

/// Difference of one session: only in one state, or with another timeout. Its ephemerals are differences of znodes.
#[derive(Debug)]
pub(crate) struct Difference {
    id: SessionId,
    sessions: [Option<SessionView>; 2],
}

/// Returns the differences in the order of session ids.
pub(crate) fn differences(flags: &Diff, one: &Snapshot, other: &Snapshot) -> Vec<Difference> {
    if flags.ignore.contains(&Ignore::Sessions) {
        return Vec::new();
    }
    let mut all: BTreeMap<SessionId, [Option<SessionView>; 2]> = BTreeMap::new();
    for session in one.sessions() {
        let [first, _] = all.entry(session.id).or_default();
        *first = Some(session);
    }
    for session in other.sessions() {
        let [_, second] = all.entry(session.id).or_default();
        *second = Some(session);
    }
    let is_meant = |session: &SessionView| {
        let mut ephemerals = session.ephemerals.iter();
        flags.path.is_empty() || ephemerals.any(|path| PathFilter::any(&flags.path, path))
    };
    let all = all
        .into_iter()
        .map(|(id, sessions)| Difference { id, sessions });
    all.filter(|difference| {
        let [one, other] = difference.sessions.each_ref();
        let timeout = |session: &Option<SessionView>| session.as_ref().map(|it| it.timeout);
        timeout(one) != timeout(other) && [one, other].into_iter().flatten().any(is_meant)
    })
    .collect()
}

impl Difference {
    pub(crate) fn line(&self) -> String {
        let timeout = |session: &SessionView| format!("{} ms", session.timeout.as_millis());
        let (mark, what) = match &self.sessions {
            [Some(one), Some(other)] => ('~', format!("{} -> {}", timeout(one), timeout(other))),
            [Some(one), None] => ('-', timeout(one)),
            [None, Some(other)] => ('+', timeout(other)),
            [None, None] => (' ', String::new()),
        };
        format!("{mark} session {} timeout {what}", self.id)
    }

    pub(crate) fn value(&self) -> Value {
        let timeout = |session: &SessionView| Value::count(session.timeout.as_millis());
        let (change, more) = match &self.sessions {
            [Some(one), Some(other)] => {
                let values = vec![("from", timeout(one)), ("to", timeout(other))];
                let fields = vec![("timeout_ms", Value::Fields(values))];
                ("changed", Some(("fields", Value::Fields(fields))))
            }
            [Some(one), None] => ("removed", Some(("session", words::session(one)))),
            [None, Some(other)] => ("added", Some(("session", words::session(other)))),
            [None, None] => ("none", None),
        };
        let mut value = vec![
            ("id", Value::text(&self.id)),
            ("change", Value::text(change)),
        ];
        value.extend(more);
        Value::Fields(value)
    }
}
