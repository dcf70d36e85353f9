//! Waits for a state: a znode, a watch, a session, or any condition of a test.

use super::WaitFor;
use crate::handle::Server;
use crate::handle::inspect::{SessionView, WatchView, ZnodeView};

impl Server {
    /// Waits until a condition holds: now, or after a change. The closure runs where this is awaited, without the
    /// server's lock. It runs again whenever a request, the clock or a call of the test may have changed the visible
    /// state of the server: znodes, sessions, watches, connections, held messages, the journal. It does not run
    /// between changes. A change outside of the server, such as to a variable of the test, wakes no wait. The closure
    /// must not change the server or block.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let two = server.wait_until(|server| server.children("/members").is_some_and(|all| all.len() == 2));
    /// server.create_all("/members/a", b"")?;
    /// server.create_all("/members/b", b"")?;
    /// two.blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_until(
        &self,
        mut question: impl FnMut(&Self) -> bool + Send + 'static,
    ) -> WaitFor<()> {
        let what = "the condition of wait_until to hold".to_owned();
        WaitFor::for_state(self, what, move |server| question(server).then_some(()))
    }

    /// Waits until a znode exists, and returns it. The znode may exist already.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let leader = server.wait_for_znode("/leader");
    /// server.create("/leader", b"a")?;
    /// assert_eq!(leader.blocking()?.data.as_deref(), Some(&b"a"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_znode(&self, path: &str) -> WaitFor<ZnodeView> {
        let (path, of) = (path.to_owned(), path.to_owned());
        let what = format!("the znode {path} to exist");
        WaitFor::for_state(self, what, move |server| server.znode(&path))
            .explained_by(Box::new(move |server| server.missing(&of)))
    }

    /// Waits until no znode exists at a path. It may be missing already.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/leader", b"a")?;
    /// let gone = server.wait_for_no_znode("/leader");
    /// server.delete("/leader")?;
    /// gone.blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_no_znode(&self, path: &str) -> WaitFor<()> {
        let path = path.to_owned();
        let what = format!("the znode {path} to be gone");
        WaitFor::for_state(self, what, move |server| {
            server.znode(&path).is_none().then_some(())
        })
    }

    /// Waits until a znode holds these data, and returns it. The message of a timeout has the data that the znode
    /// holds.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let second = server.wait_for_data("/config", "v2");
    /// server.set("/config", b"v2")?;
    /// assert_eq!(second.blocking()?.stat.version, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_data(&self, path: &str, data: impl AsRef<[u8]>) -> WaitFor<ZnodeView> {
        let (path, of) = (path.to_owned(), path.to_owned());
        let data = data.as_ref().to_vec();
        let what = format!("the znode {path} to hold \"{}\"", data.escape_ascii());
        WaitFor::for_state(self, what, move |server| {
            let znode = server.znode(&path)?;
            (znode.data.as_ref() == Some(&data)).then_some(znode)
        })
        .explained_by(Box::new(move |server| match server.znode(&of) {
            Some(znode) => Some(match znode.data {
                Some(data) => format!("{of} holds \"{}\"", data.escape_ascii()),
                None => format!("{of} holds null"),
            }),
            None => server.missing(&of),
        }))
    }

    /// Waits until a path has at least so many watches, and returns them, sorted by kind and then by the age of the
    /// connection. A watch counts from when the server has set it, which is before the reply to its request leaves. A
    /// change that a test makes after this wait therefore fires all of them. A persistent recursive watch counts at
    /// its own path only.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let watched = server.wait_for_watch("/leader", 2).within(Duration::ZERO);
    /// let error = watched.blocking().unwrap_err().to_string();
    /// assert!(error.contains("for 2 watches of /leader; "), "{error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_watch(&self, path: &str, number: usize) -> WaitFor<Vec<WatchView>> {
        let path = path.to_owned();
        let what = match number {
            1 => format!("a watch of {path}"),
            _ => format!("{number} watches of {path}"),
        };
        WaitFor::for_state(self, what, move |server| {
            let mut watches = server.watches();
            watches.retain(|watch| watch.path == path);
            (watches.len() >= number).then_some(watches)
        })
    }

    /// Waits until the client that connects by a label has a session, and returns it: see [`session`](Self::session).
    ///
    /// # Panics
    ///
    /// If no address has the label.
    #[track_caller]
    pub fn wait_for_session(&self, label: &str) -> WaitFor<SessionView> {
        if let Some(unknown) = self.shared.engine.unknown_label(label) {
            panic!("{unknown}");
        }
        let what = format!("a session that comes by the label {label:?}");
        let label = label.to_owned();
        WaitFor::for_state(self, what, move |server| {
            let mut sessions = server.sessions().into_iter();
            sessions.find(|it| it.connected && it.label.as_ref() == Some(&label))
        })
    }

    /// Nearest existing znode above a missing path, in words; `None` if the path exists.
    fn missing(&self, path: &str) -> Option<String> {
        if self.znode(path).is_some() {
            return None;
        }
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('/') {
            let parent = if parent.is_empty() { "/" } else { parent };
            if let Some(children) = self.children(parent) {
                return Some(if children.is_empty() {
                    format!("{path} does not exist; {parent} has no children")
                } else {
                    format!(
                        "{path} does not exist; {parent} has {}",
                        children.join(", ")
                    )
                });
            }
            above = parent;
        }
        None
    }
}
