//! Cases as text: what named clients do, one step a line. The language says everything that a client can send, proper or
//! not; it is what chapters are written in (`harness/cases/*.txt`) and what the search writes its findings in.
//!
//! ```text
//! == 7 a deleted znode fires its data watch once
//! needs: since 3.5
//! a: create /x "1"
//! b: getData /x watch
//! a: delete /x
//! ```
//!
//! A client that has not connected does so before its first step. Nothing waits for events: after every step each
//! client pings, and what came before the answer is in the transcript, so an event too many shows as one too few does.

mod action;
mod chapter;
mod lexer;
mod request;

pub(crate) use action::quoted;
pub use action::{Action, Connect, Password, Since, Step};
pub use chapter::{ChapterText, Headers};
pub(crate) use request::AclText;

use std::fmt;
use std::str::FromStr;

use semver::Version;

use crate::client::{Request, op};

/// No operation is looked for in anything older.
const OLDEST: Version = Version::new(3, 4, 0);

/// What was wrong with a line of a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}: `{text}`")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
    /// The line.
    pub text: String,
}

/// A case: what it is called, what it needs, and its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it shows, as a sentence.
    pub title: String,
    /// What it needs.
    pub headers: Headers,
    /// What is done.
    pub steps: Vec<Step>,
}

impl Script {
    /// The first version that can play it: that of its headers, or the first that knows every operation it asks for.
    #[must_use]
    pub fn since(&self) -> Option<Version> {
        let ops = self.requests().into_iter().map(Request::op);
        ops.filter_map(op::since)
            .chain(self.headers.since.clone())
            .max()
            .filter(|since| *since > OLDEST)
    }

    /// Every request in it, those of a multi too.
    #[must_use]
    pub fn requests(&self) -> Vec<&Request> {
        let mut found = Vec::new();
        for step in &self.steps {
            let Step::Act { action, .. } = step else {
                continue;
            };
            match action {
                Action::Ask(request) | Action::SetWatches(_, request) => {
                    add(&mut found, request);
                }
                Action::Pipeline(requests) => {
                    requests.iter().for_each(|request| add(&mut found, request));
                }
                Action::Connect(_)
                | Action::Bytes(_)
                | Action::Mark(_)
                | Action::Cut
                | Action::Silent => {}
            }
        }
        found
    }
}

fn add<'a>(found: &mut Vec<&'a Request>, request: &'a Request) {
    found.push(request);
    if let Request::Multi(inside) | Request::MultiRead(inside) = request {
        inside.iter().for_each(|request| add(found, request));
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.headers)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    /// Reads headers and steps; the title stays empty.
    fn from_str(text: &str) -> Result<Self, ScriptError> {
        chapter::script(String::new(), text.lines().enumerate())
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[track_caller]
    fn check(text: &str) {
        let script: Script = text.parse().expect("a script");
        assert_eq!(script.to_string(), text);
    }

    #[test]
    fn a_script_is_written_as_it_was_read() {
        check(
            "needs: since 3.5, restart\nserver: quotas\nquiet\nreal-time\na: connect timeout=4000\na: create /x \"1\"\n\
             a: create2 /x/s- null sequential acl=[r world anyone, cdrwa digest \"u:p\"]\n\
             b: getData /x watch\na: delete /x v=2\na: multi [create /y null; check /y v=0; setData /y \"x\"*100]\n\
             pass 1500ms\nb: cut\nc: resume b timeout=4000\nc: setWatches since=seen data=[/x, /y]\nrestart\n4lw ruok\n",
        );
    }

    #[test]
    fn bytes_and_odd_paths_survive() {
        check(
            "a: create \"\" \"\\x00\\xff\\\"\" flags=77\na: raw 999 00ff\na: bytes 0000000400\n\
             a: pipeline [exists /a watch; getChildren2 /a]\na: addWatch /a recursive\na: removeWatches /a type=9\n\
             a: exists \"/a b\"\na: silent\na: mark m\na: setWatches2 since=m persistent=[/q]\n4lw \"stmk\\x00\"\n",
        );
    }

    #[test]
    fn a_raw_body_may_be_written_as_fields() {
        let read = |text: &str| text.parse::<Script>().expect("a script").to_string();
        assert_eq!(
            read("a: raw 4 null 00\na: bytes 0000 0004 \"ab\"\n"),
            "a: raw 4 ffffffff00\na: bytes 00000004000000026162\n"
        );
        check("a: pipeline [raw 9 ffffffff; raw 11]\n");
    }

    #[test]
    fn an_error_names_its_line() {
        let error = "a: create /x\nb: fly /y\n"
            .parse::<Script>()
            .expect_err("no such step");
        assert_eq!(error.line, 2);
        assert!(error.to_string().contains("`b: fly /y`"), "{error}");
    }
}
