//! The order among the ephemerals that go with one session: ZooKeeper keeps them in a hash set.

use super::Line;
use crate::client::Event;

/// An event that came while a session may have ended.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// The place of its line.
    pub(super) line: usize,
    who: String,
    zxid: i64,
    /// The znode whose list of children it is about: the parent of one that is gone.
    parent: String,
    /// The znode, if it is gone.
    gone: Option<String>,
}

/// The type of a NodeDeleted event.
const NODE_DELETED: i32 = 2;

impl Heard {
    pub(super) fn new(line: usize, who: &str, event: &Event) -> Self {
        let gone = (event.kind == NODE_DELETED).then(|| event.path.clone());
        let parent = match &gone {
            Some(path) => path.rsplit_once('/').map_or("", |(parent, _)| parent),
            None => event.path.trim_end_matches('/'),
        };
        Self {
            line,
            who: who.to_owned(),
            zxid: event.zxid,
            parent: parent.to_owned(),
            gone,
        }
    }

    fn is_of_one_end_with(&self, next: &Self) -> bool {
        self.line + 1 == next.line && self.who == next.who && self.zxid == next.zxid
    }
}

/// Puts what a client hears of one session's end into an order of its own: parent by parent, and for each parent the
/// kinds of events in the order in which they came, the znodes that are gone by their paths.
pub(super) fn sort(lines: &mut [Line], heard: &[Heard]) {
    for run in heard.chunk_by(Heard::is_of_one_end_with) {
        let mut order: Vec<&Heard> = run.iter().collect();
        order.sort_by(|a, b| a.parent.cmp(&b.parent));
        let mut gone: Vec<&Heard> = run.iter().filter(|heard| heard.gone.is_some()).collect();
        gone.sort_by(|a, b| (&a.parent, &a.gone).cmp(&(&b.parent, &b.gone)));
        let mut gone = gone.into_iter();
        let sorted: Vec<Line> = order
            .into_iter()
            .map(|heard| match heard.gone {
                Some(_) => gone.next().unwrap_or(heard),
                None => heard,
            })
            .filter_map(|heard| lines.get(heard.line).cloned())
            .collect();
        for (heard, line) in run.iter().zip(sorted) {
            if let Some(place) = lines.get_mut(heard.line) {
                *place = line;
            }
        }
    }
}
