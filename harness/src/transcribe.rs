//! Results of users of the `zookeeper-client` crate as lines of a transcript, by the same rules as for raw
//! clients.

use std::fmt;

use zookeeper_client::{
    CheckWriteError, Client, CreateSequence, Error, EventType, MultiReadResult, MultiWriteError,
    MultiWriteResult, SessionState, WatchedEvent,
};

use crate::client::{Event, Stat};
use crate::script::quoted;
use crate::transcript::Line;

/// A value that can be written to a transcript. The transcript's rules normalise the parts that differ between
/// servers.
///
/// A type of a scenario implements it by writing to the line:
///
/// ```
/// use minikeeper_harness::transcribe::Transcribe;
/// use minikeeper_harness::transcript::Line;
///
/// struct Leader { name: String, since: i64 }
///
/// impl Transcribe for Leader {
///     fn note(&self, line: &mut Line) {
///         line.text(format!(" {} since ", self.name)).zxid(self.since);
///     }
/// }
/// ```
pub trait Transcribe {
    /// Appends the value to a line, beginning with a blank.
    fn note(&self, line: &mut Line);
}

impl<T: Transcribe + ?Sized> Transcribe for &T {
    fn note(&self, line: &mut Line) {
        (**self).note(line);
    }
}

impl<T: Transcribe, E: Transcribe> Transcribe for Result<T, E> {
    fn note(&self, line: &mut Line) {
        match self {
            Ok(value) => {
                line.text(" ok");
                value.note(line);
            }
            Err(error) => error.note(line),
        }
    }
}

impl<T: Transcribe> Transcribe for Option<T> {
    fn note(&self, line: &mut Line) {
        match self {
            Some(value) => value.note(line),
            None => {
                line.text(" nothing");
            }
        }
    }
}

impl Transcribe for () {
    fn note(&self, _line: &mut Line) {}
}

macro_rules! transcribe_by_display {
    ($($type:ty)*) => {
        $(impl Transcribe for $type {
            fn note(&self, line: &mut Line) {
                line.text(format!(" {self}"));
            }
        })*
    };
}

transcribe_by_display![bool i32 i64 usize str String SessionState];

/// Writes nothing for a znode without a sequence number.
impl Transcribe for CreateSequence {
    fn note(&self, line: &mut Line) {
        if self.into_i64() >= 0 {
            line.text(format!(" number {self}"));
        }
    }
}

impl Transcribe for [u8] {
    fn note(&self, line: &mut Line) {
        line.text(format!(" {}", quoted(self)));
    }
}

impl Transcribe for Vec<u8> {
    fn note(&self, line: &mut Line) {
        self.as_slice().note(line);
    }
}

/// Writes the names sorted, since ZooKeeper promises no order of children.
impl Transcribe for Vec<String> {
    fn note(&self, line: &mut Line) {
        let mut names: Vec<&str> = self.iter().map(String::as_str).collect();
        names.sort_unstable();
        line.text(format!(" [{}]", names.join(", ")));
    }
}

impl Transcribe for zookeeper_client::Stat {
    fn note(&self, line: &mut Line) {
        line.stat(&Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner: self.ephemeral_owner,
            data_length: self.data_length,
            num_children: self.num_children,
            pzxid: self.pzxid,
        });
    }
}

impl<A: Transcribe, B: Transcribe> Transcribe for (A, B) {
    fn note(&self, line: &mut Line) {
        self.0.note(line);
        self.1.note(line);
    }
}

impl<A: Transcribe, B: Transcribe, C: Transcribe> Transcribe for (A, B, C) {
    fn note(&self, line: &mut Line) {
        self.0.note(line);
        self.1.note(line);
        self.2.note(line);
    }
}

/// Writes nothing: a watcher has no content before it fires.
impl Transcribe for zookeeper_client::OneshotWatcher {
    fn note(&self, _line: &mut Line) {}
}

/// Writes nothing: a watcher has no content before it fires.
impl Transcribe for zookeeper_client::PersistentWatcher {
    fn note(&self, _line: &mut Line) {}
}

/// Writes the session and the negotiated timeout.
impl Transcribe for Client {
    fn note(&self, line: &mut Line) {
        line.text(" ")
            .session(self.session_id().0)
            .text(format!(" timeout={}", self.session_timeout().as_millis()));
    }
}

impl Transcribe for Error {
    fn note(&self, line: &mut Line) {
        line.text(format!(" {self:?}"));
    }
}

impl Transcribe for MultiWriteError {
    fn note(&self, line: &mut Line) {
        match self {
            Self::RequestFailed { source } => source.note(line),
            Self::OperationFailed { index, source } => {
                source.note(line);
                line.text(format!(" at operation {index}"));
            }
        }
    }
}

impl Transcribe for CheckWriteError {
    fn note(&self, line: &mut Line) {
        match self {
            Self::RequestFailed { source } => source.note(line),
            Self::CheckFailed { source } => {
                source.note(line);
                line.text(" at the check");
            }
            Self::OperationFailed { index, source } => {
                source.note(line);
                line.text(format!(" at operation {index}"));
            }
        }
    }
}

impl Transcribe for MultiWriteResult {
    fn note(&self, line: &mut Line) {
        match self {
            Self::Check => {
                line.text(" check");
            }
            Self::Delete => {
                line.text(" delete");
            }
            Self::Create { path, stat } => stat.note(line.text(format!(" create {path}"))),
            Self::SetData { stat } => stat.note(line.text(" setData")),
            other => {
                line.text(format!(" {other:?}"));
            }
        }
    }
}

impl Transcribe for Vec<MultiWriteResult> {
    fn note(&self, line: &mut Line) {
        for result in self {
            line.text(" [");
            result.note(line);
            line.text(" ]");
        }
    }
}

impl Transcribe for Vec<MultiReadResult> {
    fn note(&self, line: &mut Line) {
        for result in self {
            line.text(" [");
            match result {
                MultiReadResult::Data { data, stat } => {
                    data.note(line);
                    stat.note(line);
                }
                MultiReadResult::Children { children } => children.note(line),
                MultiReadResult::Error { err } => err.note(line),
                other => {
                    line.text(format!(" {other:?}"));
                }
            }
            line.text(" ]");
        }
    }
}

/// Converts an event of a znode to its wire form; returns the session's state as `Err` for an event of the
/// session.
pub(crate) fn event(event: &WatchedEvent) -> Result<Event, SessionState> {
    let kind = match event.event_type {
        EventType::Session => return Err(event.session_state),
        EventType::NodeCreated => 1,
        EventType::NodeDeleted => 2,
        EventType::NodeDataChanged => 3,
        EventType::NodeChildrenChanged => 4,
    };
    Ok(Event {
        zxid: event.zxid,
        kind,
        state: 3,
        path: event.path.clone(),
    })
}

/// Writes a scenario's own result, which must be the same on every server.
impl Transcribe for fmt::Arguments<'_> {
    fn note(&self, line: &mut Line) {
        line.text(format!(" {self}"));
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_client::{Error, MultiWriteError};

    use super::Transcribe;
    use crate::transcript::Notes;

    #[track_caller]
    fn check(seen: impl Transcribe, line: &str) {
        let mut notes = Notes::default();
        notes.saw("a", "looks", &seen);
        assert_eq!(notes.finish().lines(), [format!("a: looks ->{line}")]);
    }

    #[test]
    fn a_success_begins_with_ok() {
        check(Ok::<_, Error>(7_usize), " ok 7");
        check(Ok::<(), Error>(()), " ok");
        check(Ok::<Option<i32>, Error>(None), " ok nothing");
    }

    #[test]
    fn a_refusal_has_its_name() {
        check(Err::<(), _>(Error::BadVersion), " BadVersion");
        check(
            Err::<(), _>(MultiWriteError::OperationFailed {
                index: 2,
                source: Error::NoNode,
            }),
            " NoNode at operation 2",
        );
    }

    #[test]
    fn children_are_sorted_and_bytes_are_quoted() {
        check(vec!["b".to_owned(), "a".to_owned()], " [a, b]");
        check(b"one\n".to_vec(), " \"one\\n\"");
    }
}
