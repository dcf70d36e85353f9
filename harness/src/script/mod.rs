//! Cases as text: the actions of named clients, one step per line.
//!
//! The language can express everything that a client can send, valid or not. Chapters are written in it
//! (`harness/cases/*.txt`), and the search reports its findings in it.
//!
//! ```text
//! == 7 a deleted znode fires its data watch once
//! needs: since 3.5
//! a: create /x "1"
//! b: getData /x watch
//! a: delete /x
//! ```
//!
//! A client that is not connected connects before its first step. Steps do not wait for events. Instead, every
//! client pings after every step, and everything that arrives before the answer is in the transcript. So the
//! transcript shows a missing event as well as an extra one.

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

/// The oldest version whose operations are known.
const OLDEST: Version = Version::new(3, 4, 0);

/// An invalid line of a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}: `{text}`")]
pub struct ScriptError {
    /// Line number, from 1.
    pub line: usize,
    /// The error.
    pub what: String,
    /// The line.
    pub text: String,
}

/// A case: its title, requirements and steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The fact that the case shows, as a sentence.
    pub title: String,
    /// Requirements of the case.
    pub headers: Headers,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Script {
    /// Returns the first version that can run the case: that of its headers, or the first that knows all of its
    /// operations.
    #[must_use]
    pub fn since(&self) -> Option<Version> {
        let ops = self.requests().into_iter().map(Request::op);
        ops.filter_map(op::since)
            .chain(self.headers.since.clone())
            .max()
            .filter(|since| *since > OLDEST)
    }

    /// Returns every request of the script, including those in a multi.
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

    /// Parses headers and steps; the title stays empty.
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
    fn a_script_is_formatted_as_it_was_parsed() {
        check(
            "needs: since 3.5, restart\nserver: quotas\nquiet\nreal-time\na: connect timeout=4000\na: create /x \"1\"\n\
             a: create2 /x/s- null sequential acl=[r world anyone, cdrwa digest \"u:p\"]\n\
             b: getData /x watch\na: delete /x v=2\na: multi [create /y null; check /y v=0; setData /y \"x\"*100]\n\
             pass 1500ms\nb: cut\nc: resume b timeout=4000\nc: setWatches since=seen data=[/x, /y]\n\
             restart\n4lw ruok\n",
        );
    }

    #[test]
    fn bytes_and_unusual_paths_are_formatted_as_they_were_parsed() {
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
            .expect_err("an unknown step");
        assert_eq!(error.line, 2);
        assert!(error.to_string().contains("`b: fly /y`"), "{error}");
    }
}
