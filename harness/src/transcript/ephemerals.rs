//! Order of the ephemeral znodes that end with one session: ZooKeeper stores them in a hash set.

use super::Line;
use crate::client::Event;

/// An event that arrived while a session may have ended.
#[derive(Clone, Debug)]
pub(super) struct EndEvent {
    /// Index of the event's line.
    pub(super) line: usize,
    who: String,
    zxid: i64,
    /// The znode whose children changed: the parent of a deleted znode.
    parent: String,
    /// The znode, if it was deleted.
    gone: Option<String>,
}

/// The type of a NodeDeleted event.
const NODE_DELETED: i32 = 2;

impl EndEvent {
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

    fn is_followed_by(&self, next: &Self) -> bool {
        self.line + 1 == next.line && self.who == next.who && self.zxid == next.zxid
    }
}

/// Sorts the events of one session's end, for each client: by parent. For each parent, the order of the kinds
/// of events stays, and the deleted znodes are sorted by path.
pub(super) fn sort(lines: &mut [Line], events: &[EndEvent]) {
    for run in events.chunk_by(EndEvent::is_followed_by) {
        let mut order: Vec<&EndEvent> = run.iter().collect();
        order.sort_by(|a, b| a.parent.cmp(&b.parent));
        let mut gone: Vec<&EndEvent> = run.iter().filter(|event| event.gone.is_some()).collect();
        gone.sort_by(|a, b| (&a.parent, &a.gone).cmp(&(&b.parent, &b.gone)));
        let mut gone = gone.into_iter();
        let sorted: Vec<Line> = order
            .into_iter()
            .map(|event| match event.gone {
                Some(_) => gone.next().unwrap_or(event),
                None => event,
            })
            .filter_map(|event| lines.get(event.line).cloned())
            .collect();
        for (event, line) in run.iter().zip(sorted) {
            if let Some(place) = lines.get_mut(event.line) {
                *place = line;
            }
        }
    }
}
