//! Session that the test itself owns.

use std::thread;

use crate::handle::inspect::users_znodes;
use crate::handle::{Server, last_error};
use crate::protocol::{CreateMode, ErrorCode, SessionId, Stat, parent_of, validate_path};

/// Session that the test itself owns, for ephemeral znodes that no client has created: another leader, another holder
/// of a lock. It needs no client, and is closed when it is dropped.
///
/// Only the test ends the session: its timeout is the longest possible, 24 days. To let it expire instead of closing
/// it, use [`Server::expire`] with its [id](Self::id). It is listed by [`Server::sessions`] and [`Server::leaks`]
/// while it lasts, and a [snapshot](Server::snapshot) contains it.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let other = server.open_session();
/// other.create_ephemeral("/leader", b"other")?;
/// // The client under test does not lead. Then the other one goes:
/// server.expire(other.id());
/// assert!(server.znode("/leader").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the session is closed when this is dropped"]
pub struct TestSession {
    server: Server,
    id: SessionId,
}

impl TestSession {
    /// Id of the session.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let session = server.open_session();
    /// assert_eq!(server.sessions()[0].id, session.id());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Creates an ephemeral znode of this session.
    ///
    /// # Errors
    ///
    /// As [`Server::create`], and [`ErrorCode::SessionExpired`] if the session has ended.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let session = server.open_session();
    /// let stat = session.create_ephemeral("/leader", b"me")?;
    /// assert_eq!(stat.ephemeral_owner, session.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_ephemeral(&self, path: &str, data: &[u8]) -> Result<Stat, ErrorCode> {
        let created = self
            .server
            .create_as(Some(self.id), path, data, CreateMode::Ephemeral);
        created.map(|created| created.stat)
    }

    /// Creates an ephemeral znode of this session whose name ends in a number from the server, and returns its path.
    ///
    /// # Errors
    ///
    /// As [`create_ephemeral`](Self::create_ephemeral).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/lock", b"")?;
    /// let other = server.open_session();
    /// let ahead = other.create_ephemeral_sequential("/lock/lock-", b"")?;
    /// assert_eq!(ahead, "/lock/lock-0000000000");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_ephemeral_sequential(
        &self,
        path: &str,
        data: &[u8],
    ) -> Result<String, ErrorCode> {
        let mode = CreateMode::EphemeralSequential;
        let created = self.server.create_as(Some(self.id), path, data, mode);
        created.map(|created| created.path)
    }

    /// Closes the session as a client does, which deletes its ephemeral znodes. Has no effect on a session that has
    /// ended.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let session = server.create_ephemeral("/leader", b"me")?;
    /// session.end();
    /// assert!(server.znode("/leader").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for TestSession {
    fn drop(&mut self) {
        self.server.report_if_panicking();
        let engine = &self.server.shared.engine;
        if !thread::panicking() || engine.is_sound() {
            engine.close_test_session(self.id);
            engine.flush();
        }
    }
}

impl Server {
    /// Opens a session that the test itself owns.
    pub fn open_session(&self) -> TestSession {
        let id = self.shared.engine.open_test_session();
        self.shared.engine.flush();
        TestSession {
            server: self.clone(),
            id,
        }
    }

    /// Creates an ephemeral znode in a new [session of the test](TestSession). The znode lasts as long as the session
    /// that this returns.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let other = server.create_ephemeral("/leader", b"other")?;
    /// assert_eq!(server.znode("/leader").and_then(|znode| znode.owner()), Some(other.id()));
    /// drop(other);
    /// assert!(server.znode("/leader").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_ephemeral(&self, path: &str, data: &[u8]) -> Result<TestSession, ErrorCode> {
        let session = self.open_session();
        session.create_ephemeral(path, data)?;
        Ok(session)
    }

    /// Creates a persistent znode whose name ends in a number from the server, and returns its path.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/queue", b"")?;
    /// assert_eq!(server.create_sequential("/queue/item-", b"x")?, "/queue/item-0000000000");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_sequential(&self, path: &str, data: &[u8]) -> Result<String, ErrorCode> {
        let created = self.create_as(None, path, data, CreateMode::PersistentSequential);
        created.map(|created| created.path)
    }

    /// Creates a znode as [`create`](Self::create) does, after all missing parents, which are persistent and empty.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create). Parents that were created before the error remain.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create_all("/app/config/db", b"localhost:5432")?;
    /// assert_eq!(server.data("/app/config").as_deref(), Some(&b""[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_all(&self, path: &str, data: &[u8]) -> Result<Stat, ErrorCode> {
        if validate_path(path).is_ok() {
            let missing: Vec<&str> = self.shared.engine.with_keeper(|keeper| {
                let above = std::iter::successors(parent_of(path), |above| parent_of(above));
                let above = above.filter(|above| !above.is_empty());
                above
                    .take_while(|above| keeper.tree().get(above).is_none())
                    .collect()
            });
            for parent in missing.into_iter().rev() {
                match self.create(parent, b"") {
                    Ok(_) | Err(ErrorCode::NodeExists) => {}
                    Err(code) => return Err(code),
                }
            }
        }
        self.create(path, data)
    }

    /// Deletes a znode and everything below it, children first, each by a delete of its own. For `/`, the root itself
    /// and ZooKeeper's own znodes remain.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete). Deletes before the error remain. A znode that another client deletes meanwhile is
    /// no error, and a znode that another client creates meanwhile is deleted too.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create_all("/app/config/db", b"localhost:5432")?;
    /// server.delete_all("/app")?;
    /// assert!(server.tree().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_all(&self, path: &str) -> Result<(), ErrorCode> {
        if path == "/zookeeper" {
            return self.delete(path);
        }
        loop {
            let mut below: Vec<String> = self.shared.engine.with_keeper(|keeper| {
                let tree = keeper.tree();
                let znodes = if path == "/" {
                    users_znodes(tree).into_iter().skip(1).collect()
                } else {
                    let top = tree.get(path);
                    top.map_or_else(Vec::new, |top| tree.below(top).collect())
                };
                znodes.iter().map(|znode| znode.path().to_owned()).collect()
            });
            // A path sorts after those of its parents, so this begins with the deepest.
            below.sort_unstable_by(|one, other| other.cmp(one));
            let deleted = below
                .iter()
                .try_for_each(|path| match self.delete_unflushed(path) {
                    Err(ErrorCode::NoNode) => Ok(()),
                    deleted => deleted,
                });
            let deleted = match deleted {
                Ok(()) if path != "/" => self.delete_unflushed(path),
                deleted => deleted,
            };
            if deleted != Err(ErrorCode::NotEmpty) {
                let flushed = self.shared.engine.flush();
                let outcome = deleted.and(if flushed {
                    Ok(())
                } else {
                    Err(ErrorCode::SystemError)
                });
                return outcome.map_err(last_error::note);
            }
        }
    }
}
