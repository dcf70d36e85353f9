//! Entries as lines for people: `17 +0.250s worker create /locks/lock- -> /locks/lock-0000000001 zxid 0x5`.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde_json::Value;

use super::Entry;
use crate::control::event::Event;
use crate::control::held_message::HeldMessage;
use crate::control::paths::Paths;
use crate::protocol::{Operation, SessionId, Zxid};

/// Maximum number of paths that a line shows; more are only counted.
const SHOWN_PATHS: usize = 4;

/// Number, time since the server started, client, event. The line of a request ends with its arguments; the line of its
/// reply has the same words, ` -> ` and the result.
impl Display for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.elapsed_ms / 1000, self.elapsed_ms % 1000);
        write!(f, "{} +{seconds}.{ms:03}s ", self.number)?;
        match (&self.label, self.session, self.connection) {
            (Some(label), ..) => write!(f, "{label} ")?,
            (None, Some(session), _) => write!(f, "{session} ")?,
            (None, None, Some(connection)) => write!(f, "connection {connection} ")?,
            (None, None, None) => f.write_str(
                if matches!(self.event, Event::Reaped { .. } | Event::Committed { .. }) {
                    "server "
                } else if matches!(self.event, Event::Leading { .. }) {
                    "ensemble "
                } else {
                    "test "
                },
            )?,
        }
        self.event.fmt(f)
    }
}

/// Same words as the line of an entry.
impl Display for Event<'_> {
    // Longer than 60 lines: one arm for each kind of event.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { peer } => write!(f, "accepted from {peer}"),
            Self::Disconnected => f.write_str("disconnected"),
            Self::Closing { reason } => write!(f, "closing {}", Word(reason)),
            Self::Connect {
                asked,
                timeout_ms,
                last_zxid_seen,
                read_only,
            } => {
                f.write_str("connect")?;
                if *asked != SessionId::NONE {
                    write!(f, " session {asked}")?;
                }
                write!(f, " timeout {timeout_ms}ms")?;
                if last_zxid_seen.0 != 0 {
                    write!(f, " seen zxid {last_zxid_seen}")?;
                }
                if *read_only {
                    f.write_str(" read-only")?;
                }
                Ok(())
            }
            Self::Connected { granted, .. } if *granted == SessionId::NONE => {
                f.write_str("connect -> refused")
            }
            Self::Connected {
                granted,
                timeout_ms,
                new,
            } => {
                let which = if *new {
                    "new session"
                } else {
                    "resumed session"
                };
                write!(f, "connect -> {which} {granted} timeout {timeout_ms}ms")
            }
            Self::Request {
                operation,
                paths,
                watch,
                data,
                ..
            } => {
                asked(f, *operation, paths.iter())?;
                if let Some(data) = data {
                    write!(f, " {data}")?;
                }
                if *watch {
                    f.write_str(" watch")?;
                }
                Ok(())
            }
            Self::Reply {
                operation,
                paths,
                zxid,
                error,
                created,
                data,
                children,
                ..
            } => {
                asked(f, *operation, paths.iter())?;
                match (error, created, data, children) {
                    (Some(code), ..) => write!(f, " -> {}", code.name())?,
                    (_, Some(path), ..) => write!(f, " -> {}", Path(path))?,
                    (_, _, Some(data), _) => write!(f, " -> {data}")?,
                    (.., Some(1)) => f.write_str(" -> 1 child")?,
                    (.., Some(children)) => write!(f, " -> {children} children")?,
                    (None, None, None, None) => f.write_str(" -> ok")?,
                }
                write!(f, " zxid {zxid}")
            }
            Self::WatchEvent {
                event_type,
                path,
                zxid,
            } => write!(f, "event {event_type:?} {} zxid {zxid}", Path(path)),
            Self::SessionClosed { zxid, deleted } => ended(f, "closed", deleted, *zxid),
            Self::SessionExpired { zxid, deleted } => ended(f, "expired", deleted, *zxid),
            Self::Committed {
                zxid,
                change,
                paths,
            } => {
                write!(f, "committed {change}")?;
                write_paths(f, paths.iter())?;
                write!(f, " zxid {zxid}")
            }
            Self::Reaped { path, zxid } => write!(f, "reaped {} zxid {zxid}", Path(path)),
            Self::Fault { name, then } => write!(f, "fault {name:?}: {}", Word(then)),
            Self::Held { item, message } => write!(f, "held {item}: {message}"),
            Self::Released { item, message } => write!(f, "released {item}: {message}"),
            Self::Clock { from, to } => write!(f, "clock {:+}ms", to.0.saturating_sub(from.0)),
            Self::Wrote {
                operation,
                paths,
                data,
                zxid,
                error,
            } => {
                asked(f, Some(*operation), paths.iter())?;
                if let Some(data) = data {
                    write!(f, " {data}")?;
                }
                match error {
                    Some(code) => write!(f, " -> {}", code.name())?,
                    None => f.write_str(" -> ok")?,
                }
                write!(f, " zxid {zxid}")
            }
            Self::Muted => f.write_str("muted"),
            Self::Unmuted => f.write_str("unmuted"),
            Self::Cut { cut, on, direction } => {
                write!(f, "cut {cut} {} of {on}", Word(direction))
            }
            Self::Healed { cut } => write!(f, "healed {cut}"),
            Self::Stopped => f.write_str("stopped the server"),
            Self::Started => f.write_str("started the server again"),
            Self::Leading { leader, epoch } => match leader {
                Some(leader) => write!(f, "member {leader} leads, epoch {epoch}"),
                None => write!(f, "no member leads, epoch {epoch}"),
            },
            Self::Ensemble { action } => write!(f, "ensemble {}", Word(action)),
        }
    }
}

/// Type and paths of the message: `event NodeCreated /leader`, `reply create /a`.
impl Display for HeldMessage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::WatchEvent {
                event_type, path, ..
            } => write!(f, "event {event_type:?} {}", Path(path)),
            Self::Reply {
                operation, paths, ..
            } => {
                f.write_str("reply ")?;
                asked(f, *operation, paths.iter().map(String::as_str))
            }
            Self::Request { operation, paths } => {
                f.write_str("request ")?;
                asked(f, *operation, paths.iter().map(String::as_str))
            }
            Self::Connect { session } if *session == SessionId::NONE => {
                f.write_str("request connect")
            }
            Self::Connect { session } => write!(f, "request connect session {session}"),
            Self::Connected => f.write_str("reply connect"),
        }
    }
}

fn asked<'p>(
    f: &mut Formatter<'_>,
    operation: Option<Operation>,
    paths: impl Iterator<Item = &'p str>,
) -> fmt::Result {
    match operation {
        Some(operation) => Word(operation).fmt(f)?,
        None => f.write_str("unknown operation")?,
    }
    write_paths(f, paths)
}

/// Writes the first paths, and the number of the others.
fn write_paths<'p>(f: &mut Formatter<'_>, mut paths: impl Iterator<Item = &'p str>) -> fmt::Result {
    for path in paths.by_ref().take(SHOWN_PATHS) {
        write!(f, " {}", Path(path))?;
    }
    match paths.count() {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

/// Writes the end of a session, with the ephemerals that were deleted with it.
fn ended(f: &mut Formatter<'_>, end: &str, deleted: &Paths<'_>, zxid: Zxid) -> fmt::Result {
    write!(f, "session {end}")?;
    if !deleted.is_empty() {
        f.write_str(", deleted")?;
        write_paths(f, deleted.iter())?;
    }
    write!(f, " zxid {zxid}")
}

/// Path on one line, also if a client sent line breaks in it.
struct Path<'a>(&'a str);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("\"\"");
        }
        if self.0.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return write!(f, "{:?}", self.0);
        }
        f.write_str(self.0)
    }
}

/// Name of a value as JSON has it, with the other fields of the value.
struct Word<T>(T);

impl<T: Serialize> Display for Word<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(&self.0).map_err(|_| fmt::Error)? {
            Value::String(name) => f.write_str(&name),
            Value::Object(fields) => {
                let mut words = Vec::new();
                for name in NAMES {
                    words.extend(fields.get(name).and_then(Value::as_str).map(str::to_owned));
                }
                let others = fields
                    .iter()
                    .filter(|(key, _)| !NAMES.contains(&key.as_str()));
                words.extend(others.map(|(key, value)| match value.as_str() {
                    Some(text) => format!("{key} {text}"),
                    None => format!("{key} {value}"),
                }));
                f.write_str(&words.join(" "))
            }
            value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
                write!(f, "{value}")
            }
        }
    }
}

/// Fields with the name in the JSON of a fault, and of an action on an ensemble.
const NAMES: [&str; 2] = ["fault", "action"];
