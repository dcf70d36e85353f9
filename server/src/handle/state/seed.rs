//! Seeding a server with a tree, and reading the tree of a server.

use super::{SeedError, Tree, Znode, ZnodeKind};
use crate::handle::Server;
use crate::protocol::{
    Acl, AclEntry, AclList, CreateMode, CreateOperation, CreateRequest, ErrorCode, Request,
    SetDataRequest,
};

const ANY_VERSION: i32 = -1;

impl Server {
    /// Returns the tree as a value, without the znodes of ZooKeeper itself, to compare it with an expected tree or to
    /// write it to a file.
    ///
    /// ```
    /// use minikeeper::tree;
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// server.create("/config/db", b"")?;
    /// assert_eq!(server.tree(), tree! { "/config" => ("v1", { "db" => "" }) });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of_server(self.shared.engine.indexed_snapshot().tree())
    }

    /// Writes the znodes of `tree` to the server. A missing znode is created. An existing znode gets the data and the
    /// ACL of `tree` if they differ. An existing parent that `tree` does not name remains unchanged, and so do all
    /// other znodes. Ephemeral znodes of `tree` are skipped, since they would have no session.
    ///
    /// Each znode is a write of its own, in the order of the paths: it takes a zxid and fires watches. The first znode
    /// of the seed of a [new server](crate::ServerBuilder::seed) therefore has zxid 1, the next has 2, and the first
    /// session takes the zxid after the last znode. In an ensemble the zxids count from the first one of its epoch.
    ///
    /// # Errors
    ///
    /// If the server refuses a write, as it would refuse that of a client. The writes before it remain. An existing
    /// znode of another kind is refused with [`ErrorCode::NodeExists`].
    ///
    /// ```
    /// use minikeeper::{Server, tree};
    ///
    /// let server = Server::builder().seed(tree! { "/a/b" => "1" }).start()?;
    /// server.seed(&tree! { "/a/b" => "2", "/a/c" => "3" })?;
    /// assert_eq!(server.tree(), tree! { "/a" => { "b" => "2", "c" => "3" } });
    /// assert_eq!(server.znode("/a").map(|znode| znode.stat.version), Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn seed(&self, tree: &Tree) -> Result<(), SeedError> {
        for (path, znode, named) in tree.entries() {
            if znode.kind != ZnodeKind::Ephemeral {
                self.seed_znode(path, znode, named)
                    .map_err(|code| SeedError::new(path, code))?;
            }
        }
        if self.shared.engine.flush() {
            Ok(())
        } else {
            Err(SeedError::new("/", ErrorCode::SystemError))
        }
    }

    fn seed_znode(&self, path: &str, znode: &Znode, named: bool) -> Result<(), ErrorCode> {
        let there = self.shared.engine.with_keeper(|keeper| {
            let tree = keeper.tree();
            tree.get(path).map(|there| Znode::of_server(tree, there))
        });
        let Some(there) = there else {
            return self.create_like(path, znode);
        };
        if !named {
            return Ok(());
        }
        if there.kind != znode.kind {
            return Err(ErrorCode::NodeExists);
        }
        if there.data != znode.data {
            self.write_unflushed(&Request::SetData(SetDataRequest {
                path: Some(path.into()),
                data: znode.data.as_deref(),
                version: ANY_VERSION,
            }))?;
        }
        if there.acl != znode.acl {
            self.write_unflushed(&Request::SetAcl {
                path: Some(path.into()),
                acl: Some(acl_list(&znode.acl)),
                version: ANY_VERSION,
            })?;
        }
        Ok(())
    }

    fn create_like(&self, path: &str, znode: &Znode) -> Result<(), ErrorCode> {
        let (operation, mode, ttl_ms) = match znode.kind {
            ZnodeKind::Persistent => (CreateOperation::Create2, CreateMode::Persistent, -1),
            ZnodeKind::Ephemeral => (CreateOperation::Create2, CreateMode::Ephemeral, -1),
            ZnodeKind::Container => (CreateOperation::CreateContainer, CreateMode::Container, -1),
            ZnodeKind::Ttl(ttl) => (
                CreateOperation::CreateTtl,
                CreateMode::PersistentWithTtl,
                i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX),
            ),
        };
        self.write_unflushed(&Request::Create(CreateRequest {
            operation,
            path: Some(path.into()),
            data: znode.data.as_deref(),
            acl: Some(acl_list(&znode.acl)),
            flags: mode.flags(),
            ttl_ms,
        }))
        .map(|_| ())
    }
}

fn acl_list(acl: &[Acl]) -> AclList<'_> {
    let entries = acl.iter().map(|entry| AclEntry {
        permissions: entry.permissions.0,
        scheme: Some((&*entry.id.scheme).into()),
        id: Some((&*entry.id.id).into()),
    });
    AclList::Entries(entries.collect())
}
