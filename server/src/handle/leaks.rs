//! What clients have left behind.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Server, WaitFor};
use crate::net::{Condition, Journal, What};
use crate::protocol::{SessionId, Timestamp};

/// Something that a client has left behind, or still has.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let _client = std::net::TcpStream::connect(server.addr())?;
/// # server.wait_for(minikeeper::Matcher::any()).since(minikeeper::Mark::BEGINNING).blocking()?;
/// assert!(server.leaks()[0].to_string().starts_with("connection 1 from 127.0.0.1:"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Leak {
    /// What it is: `connection 1 from 127.0.0.1:40000`, `session 0x1`, `ephemeral /leader`, `watch on /leader (Data)`.
    pub what: String,
    /// The session that has it, or that it is.
    pub session: Option<SessionId>,
    /// The label of the address that its client came by.
    pub label: Option<String>,
    /// Since when. Of sessions and watches only the journal knows.
    pub since: Option<Timestamp>,
    /// The same from the start of the server on.
    elapsed: Option<Duration>,
}

/// `session 0x1 of worker, since +0.250s`.
impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (&self.label, self.session) {
            (Some(label), _) => write!(f, " of {label}")?,
            (None, Some(session)) if !self.what.starts_with("session") => {
                write!(f, " of session {session}")?;
            }
            (None, _) => {}
        }
        if let Some(elapsed) = self.elapsed {
            write!(f, ", since +{:.3}s", elapsed.as_secs_f64())?;
        }
        Ok(())
    }
}

impl Server {
    /// What clients have left behind so far: connections, sessions, ephemerals, watches.
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
        let leak = |what, session, label: Option<String>, since: Option<Timestamp>| Leak {
            what,
            session,
            label: label.or_else(|| label_of(&journal, session?)),
            since,
            elapsed: since.map(|since| since.since(started)),
        };
        let mut leaks = Vec::new();
        for connection in self.connections() {
            let what = format!("connection {} from {}", connection.number, connection.peer);
            let since = Some(connection.since);
            leaks.push(leak(what, connection.session, connection.label, since));
        }
        for session in self.sessions() {
            let id = Some(session.id);
            let what = format!("session {}", session.id);
            let since = began(&journal, session.id);
            leaks.push(leak(what, id, session.label.clone(), since));
            for path in session.ephemerals {
                let since = self.znode(&path).map(|znode| znode.stat.ctime);
                let what = format!("ephemeral {path}");
                leaks.push(leak(what, id, session.label.clone(), since));
            }
        }
        for watch in self.watches() {
            let what = format!("watch on {} ({:?})", watch.path, watch.kind);
            let since = watched(&journal, watch.session, &watch.path);
            leaks.push(leak(what, Some(watch.session), None, since));
        }
        leaks
    }

    /// No client has left anything behind.
    ///
    /// A client that was dropped a moment ago may still be about to close its session: await
    /// [`wait_for_no_leaks`](Self::wait_for_no_leaks) before, or instead.
    ///
    /// # Panics
    ///
    /// If one has: the message lists what, whose it is, and since when.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.assert_no_leaks();
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn assert_no_leaks(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "clients have left behind{}", list(&leaks));
    }

    /// Waits until every client has closed its session and its connection, now or later: then nothing is left of any.
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
        WaitFor::new(self.waiting(Condition::Quiet), |_| ())
    }
}

fn list(leaks: &[Leak]) -> String {
    leaks.iter().map(|leak| format!("\n  {leak}")).collect()
}

fn label_of(journal: &Journal, session: SessionId) -> Option<String> {
    let mut entries = journal.iter().rev();
    let label = entries.find(|entry| entry.session == Some(session) && entry.label.is_some());
    label?.label.as_deref().map(str::to_owned)
}

fn began(journal: &Journal, session: SessionId) -> Option<Timestamp> {
    let begins = |what: &What| matches!(what, What::Connected { granted, new: true, .. } if *granted == session);
    let mut entries = journal.iter();
    entries
        .find(|entry| begins(&entry.what))
        .map(|entry| entry.time)
}

fn watched(journal: &Journal, session: SessionId, path: &str) -> Option<Timestamp> {
    let asks = |what: &What| matches!(what, What::Request { watch: true, paths, .. } if paths.iter().any(|it| it == path));
    let mut entries = journal.iter().rev();
    entries
        .find(|entry| entry.session == Some(session) && asks(&entry.what))
        .map(|entry| entry.time)
}
