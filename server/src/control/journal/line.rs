//! An entry as one line, for people: `17 +0.250s worker create /locks/lock- -> /locks/lock-0000000001 zxid 0x5`.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde_json::Value;

use super::{Entry, What};
use crate::control::HeldMessage;
use crate::protocol::{Operation, SessionId};

/// More paths than this are counted.
const SHOWN_PATHS: usize = 4;

/// Number, time since the server started, who, what. The line of a request ends with what it asks; the line of its reply
/// has the same words, ` -> ` and what became of it.
impl Display for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.elapsed_ms / 1000, self.elapsed_ms % 1000);
        write!(f, "{} +{seconds}.{ms:03}s ", self.number)?;
        match (&self.label, self.session, self.connection) {
            (Some(label), ..) => write!(f, "{label} ")?,
            (None, Some(session), _) => write!(f, "{session} ")?,
            (None, None, Some(connection)) => write!(f, "connection {connection} ")?,
            (None, None, None) => f.write_str(
                if matches!(self.what, What::Reaped { .. } | What::Committed { .. }) {
                    "server "
                } else if matches!(self.what, What::Leading { .. }) {
                    "ensemble "
                } else {
                    "test "
                },
            )?,
        }
        self.what.fmt(f)
    }
}

impl Display for What {
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
                asked(f, *operation, paths)?;
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
                asked(f, *operation, paths)?;
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
            Self::Event {
                event_type,
                path,
                zxid,
            } => write!(f, "event {event_type:?} {} zxid {zxid}", Path(path)),
            Self::SessionClosed { zxid, deleted } => {
                write!(f, "session closed{} zxid {zxid}", Deleted(deleted))
            }
            Self::SessionExpired { zxid, deleted } => {
                write!(f, "session expired{} zxid {zxid}", Deleted(deleted))
            }
            Self::Committed {
                zxid,
                change,
                paths,
            } => write!(f, "committed {change}{} zxid {zxid}", Paths(paths)),
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
                asked(f, Some(*operation), paths)?;
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
            Self::Cut {
                cut,
                whose,
                direction,
            } => {
                write!(f, "cut {cut} {} of {whose}", Word(direction))
            }
            Self::Healed { cut } => write!(f, "healed {cut}"),
            Self::Stopped => f.write_str("stopped the server"),
            Self::Started => f.write_str("started the server again"),
            Self::Leading { leader, epoch } => match leader {
                Some(leader) => write!(f, "member {leader} leads, epoch {epoch}"),
                None => write!(f, "nobody leads, epoch {epoch}"),
            },
            Self::Ensemble { action } => write!(f, "ensemble {}", Word(action)),
        }
    }
}

/// What it is and what it is about: `event NodeCreated /leader`, `reply create /a`.
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
                asked(f, *operation, paths)
            }
            Self::Request { operation, paths } => {
                f.write_str("request ")?;
                asked(f, *operation, paths)
            }
            Self::Connect { session } if *session == SessionId::NONE => {
                f.write_str("request connect")
            }
            Self::Connect { session } => write!(f, "request connect session {session}"),
            Self::Connected => f.write_str("reply connect"),
        }
    }
}

fn asked(f: &mut Formatter<'_>, operation: Option<Operation>, paths: &[String]) -> fmt::Result {
    match operation {
        Some(operation) => Word(operation).fmt(f)?,
        None => f.write_str("unknown operation")?,
    }
    Paths(paths).fmt(f)
}

/// The paths of a session's ephemerals that went.
struct Deleted<'a>(&'a [String]);

impl Display for Deleted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ", deleted{}", Paths(self.0))
    }
}

struct Paths<'a>(&'a [String]);

impl Display for Paths<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for path in self.0.iter().take(SHOWN_PATHS) {
            write!(f, " {}", Path(path))?;
        }
        if self.0.len() > SHOWN_PATHS {
            write!(f, " and {} more", self.0.len() - SHOWN_PATHS)?;
        }
        Ok(())
    }
}

/// A path that breaks no line, whatever a client sent as one.
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

/// A value's name as JSON has it, and what else is in it, if it has more than a name.
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

/// Where the JSON of a fault has its name, and that of what is done to an ensemble.
const NAMES: [&str; 2] = ["fault", "action"];
