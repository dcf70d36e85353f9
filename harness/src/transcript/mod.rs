//! Everything that a run returned, as lines of text. Transcripts of two runs can be compared.
//!
//! Only what differs between any two servers is replaced, by the rules below. Everything else is compared as it
//! is.
//!
//! - session ids: `session-1`, `session-2`, … in the order of their first appearance; 0 stays 0
//! - zxids: `z1`, `z2`, … by size, so that their order is compared; values up to 0 stay unchanged
//! - times: `time(zN)`. A transaction has one time, so its zxid identifies the time. A time that differs from
//!   that of its zxid stays a number, and so does 0. The delay after the earliest time counts as the number of
//!   `pass` steps that fit into it: `time(zN)+1`.
//! - passwords: only the length
//! - children: sorted, since ZooKeeper promises no order
//! - identities: sorted, like children
//! - ephemerals of one session: while time passes or a session closes, the events of one zxid that a client
//!   receives are ordered by parent, and the deleted znodes of each parent are sorted; the order of the kinds
//!   of events stays
//! - four-letter words, addresses, versions, folders and the environment: `<address>`, `<version>`, `<folder>`,
//!   `<text>`
//! - four-letter words, numbers: latencies, times, sizes and counters by their kind, `<int>`, `<double>`,
//!   `0x<hex>`. On a new server, numbers that follow from the operations are compared, and after an `srst` the
//!   number of received packets too. A negative number of outstanding requests is 0.
//! - four-letter words, order: connections, watches, due items and the lines of `mntr` are sorted
//! - four-letter words, moments: `dump` omits the time at which something falls due, and the number of sets
//! - four-letter words, namespaces: the lines of `mntr` for each name below the root are omitted
//! - clients while time passes: their events are grouped by client, since the order in which the harness reads
//!   from them is random
//! - control characters: escaped, so that a line stays one line

mod ephemerals;
mod http;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::alignment;
use crate::backend::{HttpAnswer, HttpRequest};
use crate::client::{Answer, ConnectResponse, Event, MultiResult, Reply, Stat, error_name, op};
use crate::script::{AclText, Step, quoted};
use crate::transcribe::Transcribe;
use ephemerals::EndEvent;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Session(i64),
    Zxid(i64),
    /// The time of the transaction with this zxid.
    Time {
        zxid: i64,
        ms: i64,
    },
}

/// Record of a running scenario.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    lines: Vec<Line>,
    absolute_zxids: bool,
    /// Durations of the `pass` steps.
    passes: Vec<Duration>,
    /// Whether a session may end in the current step.
    session_may_end: bool,
    end_events: Vec<EndEvent>,
    /// Ranges of the lines recorded while time passed; the last range may still be open.
    passing: Vec<Range<usize>>,
    /// Whether `srst` has reset the server's packet counters in this case.
    packets_known: bool,
}

/// A line under construction. Values that differ between two servers are stored separately until the record is
/// complete.
#[derive(Clone, Debug, Default)]
pub struct Line(pub(crate) Vec<Piece>);

impl Line {
    fn of(who: &str) -> Self {
        let mut line = Self::default();
        line.text(format!("{who}:"));
        line
    }

    /// Appends text that is the same on every server.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    /// Appends a zxid, which is compared by its rank among all zxids.
    pub fn zxid(&mut self, zxid: i64) -> &mut Self {
        self.0.push(Piece::Zxid(zxid));
        self
    }

    /// Appends a session id, which is compared by the order of its first appearance.
    pub fn session(&mut self, id: i64) -> &mut Self {
        self.0.push(Piece::Session(id));
        self
    }

    pub(crate) fn stat(&mut self, stat: &Stat) {
        let time = |zxid, ms| Piece::Time { zxid, ms };
        self.text(" czxid=").zxid(stat.czxid);
        self.text(" mzxid=").zxid(stat.mzxid);
        self.text(" pzxid=").zxid(stat.pzxid);
        self.text(" ctime=").0.push(time(stat.czxid, stat.ctime));
        self.text(" mtime=").0.push(time(stat.mzxid, stat.mtime));
        self.text(format!(
            " version={} cversion={} aversion={} owner=",
            stat.version, stat.cversion, stat.aversion
        ));
        self.0.push(Piece::Session(stat.ephemeral_owner));
        self.text(format!(
            " length={} children={}",
            stat.data_length, stat.num_children
        ));
    }

    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Path(path) => {
                self.text(match path {
                    None => " null".to_owned(),
                    // A sync returns the path of its request.
                    Some(path) if path.is_empty() || path.contains(char::is_control) => {
                        format!(" {}", quoted(path.as_bytes()))
                    }
                    Some(path) => format!(" {path}"),
                });
            }
            Answer::PathStat(path, stat) => {
                self.text(format!(" {path}")).stat(stat);
            }
            Answer::Stat(stat) => self.stat(stat),
            Answer::Data(data, stat) => {
                self.text(format!(" {}", bytes(data.as_deref()))).stat(stat);
            }
            Answer::Acl(acl, stat) => {
                self.text(format!(" {}", AclText(acl))).stat(stat);
            }
            Answer::Children(children) => {
                self.text(format!(" {}", list(children)));
            }
            Answer::ChildrenStat(children, stat) => {
                self.text(format!(" {}", list(children))).stat(stat);
            }
            Answer::Multi(results) => {
                for result in results {
                    self.result(result);
                }
            }
            Answer::Token(token) => {
                self.text(format!(" token {}", bytes(token.as_deref())));
            }
            Answer::Ephemerals(paths) => {
                self.text(format!(" {}", list(paths)));
            }
            Answer::Number(number) | Answer::Error(number) => {
                self.text(format!(" {number}"));
            }
            Answer::Identities(identities) => {
                let names: Vec<String> = identities
                    .iter()
                    .map(|identity| format!("{}:{}", identity.scheme, identity.user))
                    .collect();
                self.text(format!(" {}", list(&names)));
            }
        }
    }

    fn result(&mut self, result: &MultiResult) {
        let name = if result.op == -1 {
            "error"
        } else {
            op::name(result.op)
        };
        self.text(format!(" [{name} {}", result.err));
        if let Some(answer) = &result.answer {
            self.answer(answer);
        }
        self.text("]");
    }
}

impl Notes {
    /// Creates a record of a new server, whose zxids are compared unchanged.
    #[must_use]
    pub fn of_a_new_server() -> Self {
        Self {
            absolute_zxids: true,
            ..Self::default()
        }
    }

    /// Returns the lines before the rules are applied.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Appends a line that is not part of a step.
    pub fn heading(&mut self, text: &str) {
        let mut line = Line::default();
        line.text(format!("== {text}"));
        self.lines.push(line);
    }

    /// Appends a line of a client's own, such as a conclusion from its replies.
    pub fn remark(&mut self, who: &str, text: &str) {
        let mut line = Line::of(who);
        line.text(format!(" {text}"));
        self.lines.push(line);
    }

    /// Records the result of a client's action.
    pub fn saw(&mut self, who: &str, what: &str, seen: &impl Transcribe) {
        let mut line = Line::of(who);
        line.text(format!(" {what} ->"));
        seen.note(&mut line);
        self.lines.push(line);
    }

    /// Records a step of a script.
    pub fn step(&mut self, step: &Step) {
        self.session_may_end = step.may_end_a_session();
        if let Some(last) = self.passing.last_mut() {
            last.end = last.end.min(self.lines.len());
        }
        let mut line = Line::default();
        line.text(step.to_string());
        self.lines.push(line);
        if let Step::Pass(span) = step {
            self.passes.push(*span);
            self.passing.push(self.lines.len()..usize::MAX);
        }
    }

    /// Records the response to a connect request.
    pub fn connected(&mut self, who: &str, response: &ConnectResponse) {
        let mut line = Line::of(who);
        line.text("   -> ");
        line.0.push(Piece::Session(response.session_id));
        line.text(format!(
            " timeout={} password of {} bytes read-only={} protocol={}",
            response.timeout_ms,
            response.password.as_ref().map_or(0, Vec::len),
            match response.read_only {
                Some(true) => "yes",
                Some(false) => "no",
                None => "none",
            },
            response.protocol_version,
        ));
        self.lines.push(line);
    }

    /// Records a frame that is not a reply.
    pub fn frame(&mut self, who: &str, frame: &[u8]) {
        let mut line = Line::of(who);
        line.text(format!("   -> a frame of {} bytes", frame.len()));
        self.lines.push(line);
    }

    /// Records the answer to a four-letter word.
    pub fn four_letter_word(&mut self, word: &str, text: &str) {
        let known = words::Known {
            state: self.absolute_zxids,
            packets: self.packets_known,
        };
        self.lines.append(&mut words::lines(word, text, known));
        self.packets_known |= word == "srst";
    }

    /// Records the answer to a request over HTTP.
    pub fn http(&mut self, request: &HttpRequest, answer: &HttpAnswer) {
        let known = words::Known {
            state: self.absolute_zxids,
            packets: false,
        };
        self.lines.append(&mut http::lines(request, answer, known));
    }

    /// Records a reply.
    pub fn answered(&mut self, who: &str, reply: &Reply) {
        let mut line = Line::of(who);
        let err = reply.header.err;
        line.text(format!("   -> {}", error_name(err)));
        if err != 0 {
            line.text(format!(" ({err})"));
        }
        line.text(" at ").zxid(reply.header.zxid);
        if let Some(answer) = &reply.answer {
            line.answer(answer);
        }
        self.lines.push(line);
    }

    /// Records a watch event.
    pub fn notified(&mut self, who: &str, event: &Event) {
        let mut line = Line::of(who);
        line.text(format!(
            "   ! {} {} state={} at ",
            event.kind_name(),
            event.path,
            event.state
        ));
        line.zxid(event.zxid);
        if self.session_may_end {
            let end_event = EndEvent::new(self.lines.len(), who, event);
            self.end_events.push(end_event);
        }
        self.lines.push(line);
    }

    /// Applies the rules and returns the transcript.
    #[must_use]
    pub fn finish(&self) -> Transcript {
        let pieces = || self.lines.iter().flat_map(|line| &line.0);
        let mut sessions = Vec::new();
        let mut zxids = BTreeSet::new();
        let mut times = BTreeMap::new();
        for piece in pieces() {
            match *piece {
                Piece::Session(id) if id != 0 && !sessions.contains(&id) => sessions.push(id),
                Piece::Zxid(zxid) => {
                    zxids.insert(zxid);
                }
                Piece::Time { zxid, ms } => {
                    times.entry(zxid).or_insert(ms);
                }
                Piece::Session(_) | Piece::Text(_) => {}
            }
        }
        zxids.retain(|&zxid| zxid > 0);
        let names = Names {
            absolute_zxids: self.absolute_zxids,
            sessions,
            zxids: zxids.into_iter().collect(),
            earliest: times.values().copied().filter(|&ms| ms > 0).min(),
            times,
            passes: &self.passes,
        };
        let mut lines = self.lines.clone();
        ephemerals::sort(&mut lines, &self.end_events);
        for Range { start, end } in &self.passing {
            let end = (*end).min(lines.len());
            if let Some(lines) = lines.get_mut(*start..end) {
                lines.sort_by_key(who);
            }
        }
        Transcript(lines.iter().map(|line| names.write(line)).collect())
    }
}

struct Names<'a> {
    absolute_zxids: bool,
    sessions: Vec<i64>,
    zxids: Vec<i64>,
    times: BTreeMap<i64, i64>,
    earliest: Option<i64>,
    passes: &'a [Duration],
}

impl Names<'_> {
    fn write(&self, line: &Line) -> String {
        let text: String = line.0.iter().map(|piece| self.name(piece)).collect();
        // A path may hold any character, and a line must stay one line.
        if text.contains(is_control) {
            text.chars().fold(String::new(), |mut text, c| {
                if is_control(c) {
                    text.extend(c.escape_default());
                } else {
                    text.push(c);
                }
                text
            })
        } else {
            text
        }
    }

    fn name(&self, piece: &Piece) -> String {
        match piece {
            Piece::Text(text) => text.clone(),
            Piece::Session(id) => match self.sessions.iter().position(|seen| seen == id) {
                Some(place) => format!("session-{}", place + 1),
                None => id.to_string(),
            },
            Piece::Zxid(zxid) if self.absolute_zxids => zxid.to_string(),
            Piece::Zxid(zxid) => match self.zxids.binary_search(zxid) {
                Ok(place) => format!("z{}", place + 1),
                Err(_) => zxid.to_string(),
            },
            Piece::Time { zxid, ms } => {
                if *ms != 0 && self.times.get(zxid) == Some(ms) {
                    let later = match self.passes_before(*ms) {
                        0 => String::new(),
                        passes => format!("+{passes}"),
                    };
                    format!("time({}){later}", self.name(&Piece::Zxid(*zxid)))
                } else {
                    ms.to_string()
                }
            }
        }
    }
}

impl Names<'_> {
    /// Returns how many of the `pass` steps, from the first on, fit between the earliest time and this one. A
    /// slow server lengthens the span, but hardly by the length of the next step.
    fn passes_before(&self, ms: i64) -> usize {
        let Some(earliest) = self.earliest else {
            return 0;
        };
        // Both times are truncated to the millisecond.
        let span = Duration::from_millis(u64::try_from(ms - earliest + 1).unwrap_or(0));
        let mut sum = Duration::ZERO;
        self.passes
            .iter()
            .take_while(|pass| {
                sum += **pass;
                sum <= span
            })
            .count()
    }
}

fn bytes(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), quoted)
}

fn list(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    format!("[{}]", names.join(", "))
}

/// The normalised record of a scenario on one backend. Two runs agree if their transcripts are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript(Vec<String>);

impl Transcript {
    /// Returns the lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// Appends a line.
    pub(crate) fn push(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }

    /// Formats both transcripts in columns of `width` characters, equal lines in one row. `|` marks lines that
    /// differ, `<` and `>` a line that only one of them has.
    #[must_use]
    pub fn side_by_side(&self, other: &Self, width: usize) -> String {
        alignment::side_by_side(&self.0, &other.0, width)
    }
}

impl<'a> FromIterator<&'a str> for Transcript {
    fn from_iter<T: IntoIterator<Item = &'a str>>(lines: T) -> Self {
        Self(lines.into_iter().map(str::to_owned).collect())
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Returns the client of a line: the text before its colon.
fn who(line: &Line) -> String {
    match line.0.first() {
        Some(Piece::Text(text)) => text.split(':').next().unwrap_or_default().to_owned(),
        Some(_) | None => String::new(),
    }
}

/// Whether a character is invisible or ends the line.
fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Notes;
    use crate::client::{Answer, ConnectResponse, Event, Reply, ReplyHeader, Stat};
    use crate::script::Step;

    /// Returns a stat whose fields are zero, except for those that the rules replace.
    fn stat(czxid: i64, ctime: i64, mzxid: i64, mtime: i64, owner: i64) -> Stat {
        Stat {
            czxid,
            mzxid,
            ctime,
            mtime,
            version: 0,
            cversion: 0,
            aversion: 0,
            ephemeral_owner: owner,
            data_length: 0,
            num_children: 0,
            pzxid: czxid,
        }
    }

    fn reply(zxid: i64, answer: Answer) -> Reply {
        Reply {
            header: ReplyHeader {
                xid: 1,
                zxid,
                err: 0,
            },
            answer: Some(answer),
        }
    }

    #[track_caller]
    fn check(write: impl FnOnce(&mut Notes), lines: &[&str]) {
        let mut notes = Notes::default();
        write(&mut notes);
        assert_eq!(notes.finish().lines(), lines);
    }

    #[test]
    fn session_ids_are_numbered_by_first_appearance() {
        let response = |session_id| ConnectResponse {
            protocol_version: 0,
            timeout_ms: 1000,
            session_id,
            password: Some(vec![7; 16]),
            read_only: Some(false),
        };
        check(
            |notes| {
                notes.connected("a", &response(900));
                notes.connected("b", &response(77));
                notes.connected("c", &response(0));
                notes.connected("d", &response(900));
            },
            &[
                "a:   -> session-1 timeout=1000 password of 16 bytes read-only=no protocol=0",
                "b:   -> session-2 timeout=1000 password of 16 bytes read-only=no protocol=0",
                "c:   -> 0 timeout=1000 password of 16 bytes read-only=no protocol=0",
                "d:   -> session-1 timeout=1000 password of 16 bytes read-only=no protocol=0",
            ],
        );
    }

    #[test]
    fn zxids_are_numbered_by_size_and_other_values_stay() {
        check(
            |notes| {
                for zxid in [40, 7, 0, -1, 40] {
                    notes.notified(
                        "a",
                        &Event {
                            zxid,
                            kind: 2,
                            state: 3,
                            path: "/x".to_owned(),
                        },
                    );
                }
            },
            &[
                "a:   ! NodeDeleted /x state=3 at z2",
                "a:   ! NodeDeleted /x state=3 at z1",
                "a:   ! NodeDeleted /x state=3 at 0",
                "a:   ! NodeDeleted /x state=3 at -1",
                "a:   ! NodeDeleted /x state=3 at z2",
            ],
        );
    }

    #[test]
    fn a_time_is_named_by_its_zxid_or_stays_a_number() {
        let line = |times: &str| {
            format!(
                "a:   -> ok at z3 czxid=z1 mzxid=z2 pzxid=z1 {times} version=0 cversion=0 aversion=0 owner=0 \
                 length=0 children=0"
            )
        };
        check(
            |notes| {
                notes.answered("a", &reply(9, Answer::Stat(stat(5, 1000, 6, 1001, 0))));
                notes.answered("a", &reply(9, Answer::Stat(stat(5, 1000, 6, 1002, 0))));
                notes.answered("a", &reply(9, Answer::Stat(stat(5, 0, 6, 1001, 0))));
            },
            &[
                &line("ctime=time(z1) mtime=time(z2)"),
                &line("ctime=time(z1) mtime=1002"),
                &line("ctime=0 mtime=time(z2)"),
            ],
        );
    }

    #[test]
    fn a_time_counts_the_passes_before_it() {
        let mut notes = Notes::default();
        notes.step(&Step::Pass(Duration::from_secs(2)));
        notes.step(&Step::Pass(Duration::from_secs(1)));
        notes.answered("a", &reply(9, Answer::Stat(stat(5, 1000, 6, 3100, 0))));
        notes.answered("a", &reply(9, Answer::Stat(stat(5, 1000, 7, 3999, 0))));
        let transcript = notes.finish();
        let has = |text: &str| transcript.lines().iter().any(|line| line.contains(text));
        assert!(has("ctime=time(z1) mtime=time(z2)+1 "), "{transcript}");
        assert!(has("mtime=time(z3)+2 "), "{transcript}");
    }

    #[test]
    fn the_ephemerals_of_one_session_are_sorted_and_the_kinds_of_events_stay() {
        let event = |kind, path: &str| Event {
            zxid: 9,
            kind,
            state: 3,
            path: path.to_owned(),
        };
        let came = [(2, "/p/e3"), (4, "/p"), (2, "/e2"), (2, "/p/e1"), (4, "/")];
        let tell = |notes: &mut Notes| {
            for (kind, path) in came {
                notes.notified("a", &event(kind, path));
            }
        };
        check(
            |notes| {
                notes.step(&Step::Pass(Duration::from_secs(2)));
                tell(notes);
            },
            &[
                "pass 2000ms",
                "a:   ! NodeDeleted /e2 state=3 at z1",
                "a:   ! NodeChildrenChanged / state=3 at z1",
                "a:   ! NodeDeleted /p/e1 state=3 at z1",
                "a:   ! NodeChildrenChanged /p state=3 at z1",
                "a:   ! NodeDeleted /p/e3 state=3 at z1",
            ],
        );
        let mut notes = Notes::default();
        tell(&mut notes);
        let first = notes.finish().lines().first().cloned();
        assert_eq!(
            first.as_deref(),
            Some("a:   ! NodeDeleted /p/e3 state=3 at z1")
        );
    }

    #[test]
    fn children_are_sorted_and_null_differs_from_empty_data() {
        let children = Answer::Children(vec!["b".to_owned(), "a".to_owned()]);
        check(
            |notes| notes.answered("a", &reply(1, children)),
            &["a:   -> ok at z1 [a, b]"],
        );
        let data = |data| reply(0, Answer::Data(data, stat(0, 0, 0, 0, 0)));
        let mut notes = Notes::default();
        notes.answered("a", &data(None));
        notes.answered("a", &data(Some(vec![])));
        let transcript = notes.finish();
        assert_ne!(transcript.lines().first(), transcript.lines().last());
    }
}
