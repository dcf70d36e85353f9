//! Leaks: connections, sessions, ephemeral znodes and watches that clients have not closed or removed.

use std::fmt;

use serde::Serialize;

use crate::control::{Condition, Event, Journal};
use crate::handle::{Server, WaitFor};
use crate::protocol::{SessionId, Timestamp};

/// Leak: a connection, session, ephemeral znode or watch that a client still has.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let _client = std::net::TcpStream::connect(server.addr())?;
/// # server.wait_for(minikeeper::Matcher::any()).since(minikeeper::journal::Mark::BEGINNING).blocking()?;
/// assert!(server.leaks()[0].to_string().starts_with("connection 1, since +0."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Leak {
    /// Kind of the leak.
    pub kind: LeakKind,
    /// Path of the ephemeral znode or watch.
    pub path: Option<String>,
    /// Number of the connection.
    pub connection: Option<u64>,
    /// Session that is leaked, or that has the leaked znode, watch or connection.
    pub session: Option<SessionId>,
    /// Label of the client.
    pub label: Option<String>,
    /// Time at which it began. For sessions and watches the time is known only from the journal.
    pub since: Option<Timestamp>,
    /// Value of `since`, in milliseconds since the start of the server.
    pub elapsed_ms: Option<u64>,
}

/// Kind of a [`Leak`].
///
/// ```
/// use minikeeper::inspect::LeakKind;
///
/// let server = minikeeper::Server::start()?;
/// let leaks = server.leaks();
/// assert!(leaks.iter().all(|leak| leak.kind != LeakKind::Ephemeral), "a client has not released its lock");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeakKind {
    /// Open connection.
    Connection,
    /// Live session.
    Session,
    /// Ephemeral znode.
    Ephemeral,
    /// Watch.
    Watch,
}

/// `session 0x1 of worker, since +0.250s`.
impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or_default();
        let session = self.session.unwrap_or_default();
        match self.kind {
            LeakKind::Connection => write!(f, "connection {}", self.connection.unwrap_or(0))?,
            LeakKind::Session => write!(f, "session {session}")?,
            LeakKind::Ephemeral => write!(f, "ephemeral {path}")?,
            LeakKind::Watch => write!(f, "watch on {path}")?,
        }
        match &self.label {
            Some(label) => write!(f, " of {label}")?,
            None if self.session.is_some() && self.kind != LeakKind::Session => {
                write!(f, " of session {session}")?;
            }
            None => {}
        }
        if let Some(ms) = self.elapsed_ms {
            write!(f, ", since +{}.{:03}s", ms / 1000, ms % 1000)?;
        }
        Ok(())
    }
}

impl Server {
    /// Returns the connections, sessions, ephemeral znodes and watches that clients have now.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.leaks(), []);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn leaks(&self) -> Vec<Leak> {
        let journal = self.journal();
        let started = self.shared.engine.started();
        let leak = |kind, session: Option<SessionId>, since: Option<Timestamp>| Leak {
            kind,
            path: None,
            connection: None,
            session,
            label: session.and_then(|session| label_of(&journal, session)),
            since,
            elapsed_ms: since
                .and_then(|since| u64::try_from(since.since(started).as_millis()).ok()),
        };
        let mut leaks = Vec::new();
        for connection in self.connections() {
            let since = Some(connection.since);
            leaks.push(Leak {
                connection: Some(connection.number),
                label: connection.label,
                ..leak(LeakKind::Connection, connection.session, since)
            });
        }
        for session in self.sessions() {
            let id = Some(session.id);
            let of_session = leak(LeakKind::Session, id, began(&journal, session.id));
            let label = session.label.or_else(|| of_session.label.clone());
            leaks.push(Leak {
                label: label.clone(),
                ..of_session
            });
            for path in session.ephemerals {
                let since = self.znode(&path).map(|znode| znode.stat.ctime);
                leaks.push(Leak {
                    path: Some(path),
                    label: label.clone(),
                    ..leak(LeakKind::Ephemeral, id, since)
                });
            }
        }
        for watch in self.watches() {
            let since = watched(&journal, watch.session, &watch.path);
            leaks.push(Leak {
                path: Some(watch.path),
                ..leak(LeakKind::Watch, Some(watch.session), since)
            });
        }
        leaks
    }

    /// Asserts that clients have no connections, sessions, ephemeral znodes or watches.
    ///
    /// A client that was dropped a moment ago may still be about to close its session: await
    /// [`wait_for_no_leaks`](Self::wait_for_no_leaks) before, or instead.
    ///
    /// # Panics
    ///
    /// If a client still has one. The message lists each leak with its client and its time.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.assert_no_leaks();
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn assert_no_leaks(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "clients still have{}", list(&leaks));
    }

    /// Waits until all clients have closed their sessions and connections, now or later. The message of a timeout lists
    /// the leaks.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let client = std::net::TcpStream::connect(server.addr())?;
    /// drop(client);
    /// server.wait_for_no_leaks().blocking()?;
    /// server.assert_no_leaks();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_no_leaks(&self) -> WaitFor<()> {
        WaitFor::new(self, Condition::Quiet, |_| ()).explained_by(Box::new(|server| {
            let leaks = server.leaks();
            (!leaks.is_empty()).then(|| format!("clients still have{}", list(&leaks)))
        }))
    }
}

pub(super) fn list(leaks: &[Leak]) -> String {
    leaks.iter().map(|leak| format!("\n  {leak}")).collect()
}

fn label_of(journal: &Journal, session: SessionId) -> Option<String> {
    let mut entries = journal.iter().rev();
    let label = entries.find(|entry| entry.session == Some(session) && entry.label.is_some());
    label?.label.as_deref().map(str::to_owned)
}

fn began(journal: &Journal, session: SessionId) -> Option<Timestamp> {
    let begins = |event: &Event<'_>| {
        if let Event::Connected { granted, new, .. } = event {
            *new && *granted == session
        } else {
            false
        }
    };
    let mut entries = journal.iter();
    entries
        .find(|entry| begins(&entry.event))
        .map(|entry| entry.time)
}

fn watched(journal: &Journal, session: SessionId, path: &str) -> Option<Timestamp> {
    let asks = |event: &Event<'_>| {
        if let Event::Request { watch, paths, .. } = event {
            *watch && paths.contains(path)
        } else {
            false
        }
    };
    let mut entries = journal.iter().rev();
    entries
        .find(|entry| entry.session == Some(session) && asks(&entry.event))
        .map(|entry| entry.time)
}
