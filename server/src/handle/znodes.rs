//! Reading and writing the tree without a client.
//!
//! A write here is like any other write: it takes a zxid and fires watches. ACLs are not checked.

use std::sync::Arc;

use super::Server;
use super::inspect::ZnodeView;
use super::last_error;
use crate::protocol::{
    AclList, CreateMode, CreateOperation, CreateRequest, DeleteRequest, ErrorCode, Names, Request,
    Response, SessionId, SetDataRequest, Stat, Text,
};

const ANY_VERSION: i32 = -1;

impl Server {
    /// Returns the data of a znode: empty if it holds null, `None` if it does not exist.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// assert_eq!(server.data("/config").as_deref(), Some(&b"v1"[..]));
    /// assert_eq!(server.data("/none"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn data(&self, path: &str) -> Option<Vec<u8>> {
        let request = Request::GetData {
            path: Some(path.into()),
            watch: false,
        };
        self.shared.engine.ask(&request, |answer| match answer {
            Ok(Response::Data(data, _)) => Some(data.map_or_else(Vec::new, |data| data.to_vec())),
            _ => None,
        })
    }

    /// Returns a view of a znode.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let znode = server.znode("/config").expect("it was just created");
    /// assert_eq!(znode.stat.data_length, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn znode(&self, path: &str) -> Option<ZnodeView> {
        self.shared.engine.with_keeper(|keeper| {
            let tree = keeper.tree();
            tree.get(path).map(|znode| ZnodeView::of(tree, znode))
        })
    }

    /// Returns the names of the children of a znode, sorted; `None` if it does not exist.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.children("/"), Some(vec!["zookeeper".to_owned()]));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn children(&self, path: &str) -> Option<Vec<String>> {
        let request = Request::GetChildren {
            path: Some(path.into()),
            watch: false,
        };
        let listed = self.shared.engine.ask(&request, |answer| match answer {
            Ok(Response::Children(Names::Long { count, list })) => Some(Err(Names::Long {
                count: *count,
                list: Arc::clone(list),
            })),
            Ok(Response::Children(names)) => Some(Ok(names.to_vec())),
            _ => None,
        })?;
        // A long list is read while the server already serves other clients.
        let mut names = listed.unwrap_or_else(|long: Names<'_>| long.to_vec());
        names.sort_unstable();
        Some(names)
    }

    /// Creates a persistent znode with an ACL that allows everything to every client.
    ///
    /// # Errors
    ///
    /// As for a client: [`ErrorCode::NodeExists`], [`ErrorCode::NoNode`] without a parent,
    /// [`ErrorCode::BadArguments`] for a bad path, [`ErrorCode::NoChildrenForEphemerals`], and
    /// [`ErrorCode::ConnectionLoss`] for a request longer than [`Config::max_frame`](crate::Config::max_frame), at
    /// which the server closes the connection of a client.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let stat = server.create("/config", b"v1")?;
    /// assert_eq!(stat.version, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(&self, path: &str, data: &[u8]) -> Result<Stat, ErrorCode> {
        let created = self.create_as(None, path, data, CreateMode::Persistent);
        created.map(|created| created.stat)
    }

    /// Creates a znode of this kind with an open ACL, in a session of the test if one is given.
    pub(super) fn create_as(
        &self,
        session: Option<SessionId>,
        path: &str,
        data: &[u8],
        mode: CreateMode,
    ) -> Result<Written, ErrorCode> {
        let request = Request::Create(CreateRequest {
            operation: CreateOperation::Create2,
            path: Some(path.into()),
            data: Some(data),
            acl: Some(AclList::Open),
            flags: mode.flags(),
            ttl_ms: -1,
        });
        self.write_with(session, &request)
    }

    /// Sets the data of a znode, regardless of its version.
    ///
    /// # Errors
    ///
    /// As for a client: [`ErrorCode::NoNode`], [`ErrorCode::BadArguments`] for a bad path, and
    /// [`ErrorCode::ConnectionLoss`] for a request longer than [`Config::max_frame`](crate::Config::max_frame).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// assert_eq!(server.set("/config", b"v2")?.version, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(&self, path: &str, data: &[u8]) -> Result<Stat, ErrorCode> {
        self.write(&Request::SetData(SetDataRequest {
            path: Some(path.into()),
            data: Some(data),
            version: ANY_VERSION,
        }))
    }

    /// Deletes a znode, regardless of its version.
    ///
    /// # Errors
    ///
    /// As for a client: [`ErrorCode::NoNode`], [`ErrorCode::NotEmpty`], [`ErrorCode::BadArguments`] for a bad path or
    /// one of ZooKeeper itself.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// server.delete("/config")?;
    /// assert!(server.znode("/config").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(&self, path: &str) -> Result<(), ErrorCode> {
        self.write(&delete_request(path)).map(|_| ())
    }

    /// Deletes a znode without waiting until the delete is durable.
    pub(super) fn delete_unflushed(&self, path: &str) -> Result<(), ErrorCode> {
        self.write_unflushed(&delete_request(path)).map(|_| ())
    }

    pub(super) fn write(&self, request: &Request<'_>) -> Result<Stat, ErrorCode> {
        self.write_with(None, request).map(|written| written.stat)
    }

    fn write_with(
        &self,
        session: Option<SessionId>,
        request: &Request<'_>,
    ) -> Result<Written, ErrorCode> {
        if frame_length(request) > self.config().max_frame {
            return Err(last_error::note(ErrorCode::ConnectionLoss));
        }
        let written = self.ask_to_write(session, request);
        if self.shared.engine.flush() {
            written.map_err(last_error::note)
        } else {
            Err(last_error::note(ErrorCode::SystemError))
        }
    }

    /// Writes without waiting until the write is durable.
    pub(super) fn write_unflushed(&self, request: &Request<'_>) -> Result<Stat, ErrorCode> {
        self.ask_to_write(None, request).map(|written| written.stat)
    }

    fn ask_to_write(
        &self,
        session: Option<SessionId>,
        request: &Request<'_>,
    ) -> Result<Written, ErrorCode> {
        let written = |response: &Response<'_>| {
            if let Response::PathAndStat(path, stat) = response {
                Written {
                    path: (*path).to_string(),
                    stat: *stat,
                }
            } else if let Response::Stat(stat) = response {
                Written {
                    stat: *stat,
                    ..Written::default()
                }
            } else {
                Written::default()
            }
        };
        let engine = &self.shared.engine;
        let answer = engine.ask_as(session, request, |answer| answer.map(written));
        answer.unwrap_or(Err(ErrorCode::SessionExpired))
    }
}

/// Answer of the server to a write.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Path of the znode that was created.
    pub(super) path: String,
    pub(super) stat: Stat,
}

fn delete_request(path: &str) -> Request<'_> {
    Request::Delete(DeleteRequest {
        path: Some(path.into()),
        version: ANY_VERSION,
    })
}

/// Length of the frame in which a client would send this request, or 0 for a request that is never too long.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the test itself makes these requests of a client, and no others"
)]
fn frame_length(request: &Request<'_>) -> usize {
    // The length field of a text, a number or a list.
    const INT: usize = 4;
    // xid and operation.
    const HEADER: usize = 2 * INT;
    // An ACL entry: permissions, `world`, `anyone`.
    const OPEN_ACL: usize = INT + INT + INT + 5 + INT + 6;
    let text = |path: &Text<'_>| INT + path.map_or(0, |path| path.bytes().len());
    let buffer = |data: &Option<&[u8]>| INT + data.map_or(0, <[u8]>::len);
    match request {
        Request::Create(CreateRequest { path, data, .. }) => {
            HEADER + text(path) + buffer(data) + OPEN_ACL + INT
        }
        Request::SetData(SetDataRequest { path, data, .. }) => {
            HEADER + text(path) + buffer(data) + INT
        }
        Request::Delete(DeleteRequest { path, .. }) => HEADER + text(path) + INT,
        _ => 0,
    }
}
