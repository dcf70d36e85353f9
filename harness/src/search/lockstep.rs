//! Comparison of two servers during a run, line by line, by the rules of the transcripts.
//!
//! Zxids and sessions are compared through the pairs seen so far, which is equivalent to their numbers in the
//! finished transcripts. Between the phases of a sequence that waits, other sequences run, and ZooKeeper does
//! not define the order in which things expire. In such a sequence
//!
//! - header zxids are compared only for writes, since a read has the zxid of the last transaction on the
//!   server;
//!
//! - the zxids of everything that expires during one wait count as one;
//!
//! - the events of a wait are sorted.

use std::collections::{BTreeMap, HashMap};

use crate::client::Request;
use crate::script::{Action, Step};
use crate::transcript::{Line, Notes, Piece};

#[derive(Debug, Default)]
pub(super) struct Lockstep {
    waits: bool,
    left: Side,
    right: Side,
    sessions: Vec<(i64, i64)>,
    /// The zxids of the left server, each with that of the same transaction on the right server.
    zxids: BTreeMap<i64, i64>,
}

/// State of one server.
#[derive(Debug, Default)]
struct Side {
    /// Number of compared lines.
    lines: usize,
    highest: i64,
    /// The time of each transaction.
    times: HashMap<i64, i64>,
    /// The zxids before and after each wait.
    gaps: Vec<(i64, i64)>,
}

/// A zxid in comparable form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A transaction of the sequence.
    Of(i64),
    /// An expiry during this wait.
    Due(usize),
}

impl Lockstep {
    /// Creates a comparison for a sequence in which time passes, or for one without time.
    pub(super) fn new(waits: bool) -> Self {
        Self {
            waits,
            ..Self::default()
        }
    }

    /// Whether the lines recorded since the last call are equal on both sides.
    pub(super) fn agrees(&mut self, step: Option<&Step>, left: &Notes, right: &Notes) -> bool {
        let mut left = self.left.news(left);
        let mut right = self.right.news(right);
        let wait = matches!(step, Some(Step::Pass(_)));
        if wait {
            self.left.open_gap();
            self.right.open_gap();
        }
        if wait || step.is_none_or(ends_a_session) {
            sort_events(&mut left, wait);
            sort_events(&mut right, wait);
        }
        let header = !self.waits || step.is_some_and(is_one_write);
        left.len() == right.len()
            && left
                .iter()
                .zip(&right)
                .all(|(left, right)| self.same_line(header, left, right))
    }

    fn same_line(&mut self, header: bool, left: &Line, right: &Line) -> bool {
        if left.0.len() != right.0.len() {
            return false;
        }
        let mut at = false;
        left.0.iter().zip(&right.0).all(|(left, right)| {
            let in_header = at;
            at = matches!(left, Piece::Text(text) if text == " at ");
            match (left, right) {
                (Piece::Text(left), Piece::Text(right)) => left == right,
                (Piece::Session(left), Piece::Session(right)) => self.same_session(*left, *right),
                (Piece::Zxid(left), Piece::Zxid(right)) if in_header && *left > 0 && *right > 0 => {
                    if !header {
                        return true;
                    }
                    if self.waits {
                        self.left.close_gap(*left);
                        self.right.close_gap(*right);
                    }
                    self.same_zxid(*left, *right)
                }
                (Piece::Zxid(left), Piece::Zxid(right)) => self.same_zxid(*left, *right),
                (Piece::Time { zxid: l, ms: lms }, Piece::Time { zxid: r, ms: rms }) => {
                    let left = self.left.is_the_time(*l, *lms);
                    let right = self.right.is_the_time(*r, *rms);
                    left == right && (left || lms == rms)
                }
                _ => false,
            }
        })
    }

    fn same_session(&mut self, left: i64, right: i64) -> bool {
        if left == 0 || right == 0 {
            return left == right;
        }
        match self
            .sessions
            .iter()
            .find(|(l, r)| *l == left || *r == right)
        {
            Some(pair) => *pair == (left, right),
            None => {
                self.sessions.push((left, right));
                true
            }
        }
    }

    fn same_zxid(&mut self, left: i64, right: i64) -> bool {
        if left <= 0 || right <= 0 {
            return left == right;
        }
        match (self.left.place(left), self.right.place(right)) {
            (Place::Of(left), Place::Of(right)) => {
                if let Some(known) = self.zxids.get(&left) {
                    return *known == right;
                }
                let before = self.zxids.range(..left).next_back();
                let behind = self.zxids.range(left..).next();
                let fits = before.is_none_or(|(_, before)| *before < right)
                    && behind.is_none_or(|(_, behind)| right < *behind);
                self.zxids.insert(left, right);
                fits
            }
            (left, right) => left == right,
        }
    }
}

impl Side {
    fn news(&mut self, notes: &Notes) -> Vec<Line> {
        let news = notes.lines().get(self.lines..).unwrap_or_default().to_vec();
        self.lines += news.len();
        news
    }

    fn open_gap(&mut self) {
        self.gaps.push((self.highest, i64::MAX));
    }

    fn close_gap(&mut self, zxid: i64) {
        if let Some((_, end)) = self.gaps.last_mut()
            && *end == i64::MAX
        {
            *end = zxid;
        }
    }

    fn place(&mut self, zxid: i64) -> Place {
        let gap = self
            .gaps
            .iter()
            .position(|&(start, end)| start < zxid && zxid < end);
        match gap {
            Some(wait) => Place::Due(wait),
            None => {
                self.highest = self.highest.max(zxid);
                Place::Of(zxid)
            }
        }
    }

    /// Whether this is the time of its transaction, as far as it is known.
    fn is_the_time(&mut self, zxid: i64, ms: i64) -> bool {
        ms != 0 && *self.times.entry(zxid).or_insert(ms) == ms
    }
}

fn is_one_write(step: &Step) -> bool {
    let Step::Act {
        action: Action::Ask(request),
        ..
    } = step
    else {
        return false;
    };
    !request.only_reads() && !matches!(request, Request::Raw { .. })
}

fn ends_a_session(step: &Step) -> bool {
    matches!(
        step,
        Step::Act {
            action: Action::Ask(Request::CloseSession),
            ..
        }
    )
}

/// Sorts the ephemerals of one session, which have no order. While time passes, all events are sorted,
/// otherwise those that are consecutive.
fn sort_events(lines: &mut [Line], all: bool) {
    let text = |line: &Line| -> String {
        let texts = line.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Session(_) | Piece::Zxid(_) | Piece::Time { .. } => "",
        });
        texts.collect()
    };
    if all {
        lines.sort_by_cached_key(text);
        return;
    }
    for run in lines.chunk_by_mut(|a, b| is_event(a) && is_event(b)) {
        run.sort_by_cached_key(text);
    }
}

fn is_event(line: &Line) -> bool {
    matches!(line.0.get(1), Some(Piece::Text(text)) if text.starts_with("   ! "))
}
