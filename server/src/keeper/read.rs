//! Reads: exists, getData, getChildren, getACL and so on. None of them checks a path: an invalid path is a missing
//! znode.

use std::borrow::Cow;
use std::sync::Arc;

use super::access::Ids;
use super::long_list::{Below, LONG};
use super::output::Outputs;
use super::tree::Tree;
use super::watch::Watches;
use super::znode::Znode;
use super::{ConnectionId, Rules, access};
use crate::protocol::{
    AddWatchMode, AuthId, ClientInfo, ClientText, ErrorCode, EventType, LongCount, MultiReadOp,
    MultiResult, Names, Permissions, Request, Response, SessionId, SetWatches, Text,
    is_ephemeral_prefix,
};

/// Reports the znodes that were read, for the metrics: `DataTree.updateReadStat`. The names of a list that is read
/// after the turn are not counted.
#[inline]
pub(super) fn report(request: &Request<'_>, response: &Response<'_>, out: &mut impl Outputs) {
    let length = |data: &Option<&Arc<[u8]>>| data.map_or(0, |data| data.len());
    let names = |names: &Names<'_>| match names {
        Names::Short(names) => names.iter().map(|name| name.len()).sum(),
        Names::Long { .. } => 0,
    };
    if let Request::GetData {
        path: Some(path), ..
    } = request
        && let Response::Data(data, _) = response
    {
        out.has_read(*path, length(data));
    } else if let Request::Exists {
        path: Some(path), ..
    } = request
    {
        out.has_read(*path, 0);
    } else if let Request::GetChildren {
        path: Some(path), ..
    }
    | Request::GetChildren2 {
        path: Some(path), ..
    } = request
        && let Response::Children(children) | Response::ChildrenAndStat(children, _) = response
    {
        out.has_read(*path, names(children));
    } else if let Request::MultiRead(operations) = request
        && let Response::Multi(results) | Response::MultiReadBrokenOff(results) = response
    {
        for (operation, result) in operations.iter().zip(results) {
            let bytes = match result {
                MultiResult::Data(data, _) => length(data),
                MultiResult::Children(children) => names(children),
                MultiResult::Create(_)
                | MultiResult::Create2(..)
                | MultiResult::Delete
                | MultiResult::SetData(_)
                | MultiResult::Check
                | MultiResult::Error(_) => continue,
            };
            if let MultiReadOp::GetData { path: Some(path) }
            | MultiReadOp::GetChildren { path: Some(path) } = operation
            {
                out.has_read(*path, bytes);
            }
        }
    }
}

/// The reader of one request: its client, and the state that it reads.
pub(super) struct Reader<'r> {
    pub(super) rules: &'r Rules,
    pub(super) tree: &'r Tree,
    pub(super) connection: ConnectionId,
    pub(super) session: SessionId,
    pub(super) ids: &'r Ids,
    /// Whether the znodes are shared, so that a long list can be read after the turn.
    pub(super) reads_after_turn: bool,
}

/// Whether a request may ask for a long list.
pub(super) fn may_be_long(request: &Request<'_>) -> bool {
    matches!(
        request,
        Request::GetChildren { .. }
            | Request::GetChildren2 { .. }
            | Request::GetAllChildrenNumber { .. }
            | Request::MultiRead(_)
    )
}

impl<'r> Reader<'r> {
    /// Answers a read, and sets the watch that it asks for.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the dispatch, which names every operation, sends only reads"
    )]
    // Longer than 60 lines: one arm for each request.
    pub(super) fn read(
        &self,
        request: &'r Request<'_>,
        watches: &mut Watches,
    ) -> Result<Response<'r>, ErrorCode> {
        match request {
            Request::Exists { path, watch } => self.exists(text(*path)?, *watch, watches),
            Request::GetData { path, watch } => {
                let path = text(*path)?;
                let znode = self.readable(path)?;
                if *watch {
                    watches.add_data(&path.decode(), self.connection);
                }
                Ok(Response::Data(znode.shared_data().as_ref(), znode.stat()))
            }
            Request::GetChildren { path, watch } => {
                Ok(Response::Children(self.children(*path, *watch, watches)?.1))
            }
            Request::GetChildren2 { path, watch } => {
                let (znode, children) = self.children(*path, *watch, watches)?;
                Ok(Response::ChildrenAndStat(children, znode.stat()))
            }
            Request::GetAcl { path } => self.get_acl(text(*path)?),
            Request::GetAllChildrenNumber { path } => self.all_children_number(text(*path)?),
            Request::GetEphemerals { prefix } => {
                let prefix = prefix.map(ClientText::decode);
                let paths = self
                    .tree
                    .ephemerals(self.session)
                    .filter(|path| is_ephemeral_prefix(prefix.as_deref(), path));
                Ok(Response::Paths(paths.collect()))
            }
            Request::MultiRead(operations) => Ok(self.multi_read(operations)),
            // A sync is ordered behind earlier writes, and a standalone server has nothing else to do for it.
            Request::Sync { path } => Ok(Response::Path(path.map(ClientText::decode))),
            Request::Ping => Ok(Response::Empty),
            Request::AddWatch { path, mode } => {
                // A null path is allowed.
                watches.add(
                    path.map(ClientText::decode).as_deref(),
                    self.connection,
                    *mode,
                );
                Ok(Response::WatchAdded)
            }
            Request::CheckWatches { path, watcher_type } => found(watches.contains(
                path.map(ClientText::decode).as_deref(),
                self.connection,
                *watcher_type,
            )),
            Request::RemoveWatches { path, watcher_type } => found(watches.remove(
                path.map(ClientText::decode).as_deref(),
                self.connection,
                *watcher_type,
            )),
            Request::WhoAmI => {
                let info = |id: &'r AuthId| ClientInfo {
                    scheme: &id.scheme,
                    user: access::user_name(id),
                };
                Ok(Response::WhoAmI(self.ids.iter().map(info).collect()))
            }
            other => unreachable!(
                "the dispatch sends only reads here, and {:?} is none",
                other.operation()
            ),
        }
    }

    /// Registers watches again, and notifies the client of everything that it missed since the last zxid that it has
    /// seen (`DataTree.setWatches`). A path with a missed event is not registered. ACLs are not checked.
    pub(super) fn set_watches(
        &self,
        request: &SetWatches<'_>,
        watches: &mut Watches,
        mut notify: impl FnMut(EventType, &str),
    ) -> Result<Response<'static>, ErrorCode> {
        for path in list(request.data.as_ref())? {
            let path = &*text(*path)?.decode();
            match self.tree.get(path) {
                None => notify(EventType::NodeDeleted, path),
                Some(znode) if znode.mzxid() > request.relative_zxid => {
                    notify(EventType::NodeDataChanged, path)
                }
                Some(_) => watches.add_data(path, self.connection),
            }
        }
        for path in list(request.exist.as_ref())? {
            let path = &*text(*path)?.decode();
            if self.tree.get(path).is_some() {
                notify(EventType::NodeCreated, path);
            } else {
                watches.add_data(path, self.connection);
            }
        }
        for path in list(request.child.as_ref())? {
            let path = &*text(*path)?.decode();
            match self.tree.get(path) {
                None => notify(EventType::NodeDeleted, path),
                Some(znode) if znode.pzxid() > request.relative_zxid => {
                    notify(EventType::NodeChildrenChanged, path)
                }
                Some(_) => watches.add_child(path, self.connection),
            }
        }
        for path in list(request.persistent.as_ref())? {
            watches.add(
                path.map(ClientText::decode).as_deref(),
                self.connection,
                AddWatchMode::Persistent,
            );
        }
        for path in list(request.persistent_recursive.as_ref())? {
            watches.add(
                path.map(ClientText::decode).as_deref(),
                self.connection,
                AddWatchMode::PersistentRecursive,
            );
        }
        Ok(Response::Empty)
    }

    fn allow(&self, znode: &Znode, wanted: Permissions) -> Result<(), ErrorCode> {
        access::check(self.rules, self.tree.acl_of(znode), wanted, self.ids)
    }

    #[inline]
    fn readable(&self, path: ClientText<'_>) -> Result<&'r Znode, ErrorCode> {
        let znode = self.tree.find(path).ok_or(ErrorCode::NoNode)?;
        self.allow(znode, Permissions::READ)?;
        Ok(znode)
    }

    fn exists(
        &self,
        path: ClientText<'_>,
        watch: bool,
        watches: &mut Watches,
    ) -> Result<Response<'r>, ErrorCode> {
        if path.bytes().contains(&0) {
            return Err(ErrorCode::BadArguments);
        }
        let znode = self.tree.find(path);
        if let Some(znode) = znode {
            self.allow(znode, Permissions::READ)?;
        }
        // The watch is set even if the znode is missing: clients wait for its creation so.
        if watch {
            watches.add_data(&path.decode(), self.connection);
        }
        znode
            .map(|znode| Response::Stat(znode.stat()))
            .ok_or(ErrorCode::NoNode)
    }

    fn children(
        &self,
        path: Text<'_>,
        watch: bool,
        watches: &mut Watches,
    ) -> Result<(&'r Znode, Names<'r>), ErrorCode> {
        let path = text(path)?;
        let znode = self.readable(path)?;
        if watch {
            watches.add_child(&path.decode(), self.connection);
        }
        Ok((znode, self.names(znode)))
    }

    /// Returns the names of a znode's children.
    fn names(&self, znode: &'r Znode) -> Names<'r> {
        let count = usize::try_from(znode.num_children()).unwrap_or(0);
        if self.reads_after_turn && count > LONG {
            let list = Below::children(self.tree, znode);
            return Names::Long { count, list };
        }
        let mut names = Vec::with_capacity(count);
        names.extend(self.tree.children(znode));
        Names::Short(names)
    }

    fn get_acl(&self, path: ClientText<'_>) -> Result<Response<'r>, ErrorCode> {
        let znode = self.tree.find(path).ok_or(ErrorCode::NoNode)?;
        self.allow(znode, Permissions::READ | Permissions::ADMIN)?;
        let acl = self.tree.acl(znode.acl());
        let acl = match self.allow(znode, Permissions::ADMIN) {
            Ok(()) => Cow::Borrowed(&**acl),
            Err(_) => Cow::Owned(access::masked(acl)),
        };
        Ok(Response::Acl(acl, znode.stat()))
    }

    fn all_children_number(&self, path: ClientText<'_>) -> Result<Response<'r>, ErrorCode> {
        let znode = self.readable(path)?;
        // DataTree.getAllChildrenNumber looks for keys that start with "/", and the root's own key does.
        let itself = usize::from(path.bytes().is_empty());
        if self.reads_after_turn {
            let list = Below::descendants(self.tree, znode);
            let plus = itself;
            return Ok(Response::LongNumber(LongCount { list, plus }));
        }
        let number = self.tree.below(znode).count() + itself;
        Ok(Response::Number(i32::try_from(number).unwrap_or(i32::MAX)))
    }

    fn multi_read(&self, operations: &[MultiReadOp<'_>]) -> Response<'r> {
        let mut results = Vec::with_capacity(operations.len());
        let mut size = 0;
        for operation in operations {
            if size > MOST_READ {
                return Response::MultiReadBrokenOff(results);
            }
            // multiRead ignores the flags that ask for a watch.
            let result = match operation {
                MultiReadOp::GetData { path: Some(path) } => self
                    .readable(*path)
                    .map(|znode| MultiResult::Data(znode.shared_data().as_ref(), znode.stat())),
                MultiReadOp::GetChildren { path: Some(path) } => self
                    .readable(*path)
                    .map(|znode| MultiResult::Children(self.names(znode))),
                MultiReadOp::GetData { path: None }
                | MultiReadOp::GetChildren { path: None }
                | MultiReadOp::Write => {
                    return Response::MultiReadBrokenOff(results);
                }
            };
            if let Ok(result) = &result {
                size += size_of_read(result);
            }
            results.push(result.unwrap_or_else(|code| MultiResult::Error(Some(code))));
        }
        Response::Multi(results)
    }
}

/// Size in bytes of the results at which a multiRead breaks off. A frame of fifty thousand reads of a megabyte each
/// would exhaust the memory of a real server too.
const MOST_READ: usize = 16 << 20;

fn size_of_read(result: &MultiResult<'_>) -> usize {
    match result {
        MultiResult::Data(data, _) => data.map_or(0, |data| data.len()),
        MultiResult::Children(Names::Short(names)) => names
            .iter()
            .map(|name| name.len() + size_of::<&str>())
            .sum(),
        // These names are read after the turn and never all in memory. Each still counts.
        MultiResult::Children(Names::Long { count, .. }) => count * size_of::<&str>(),
        MultiResult::Create(_)
        | MultiResult::Create2(..)
        | MultiResult::Delete
        | MultiResult::SetData(_)
        | MultiResult::Check
        | MultiResult::Error(_) => 0,
    }
}

/// Refuses a null path, at which a real server fails.
fn text(path: Text<'_>) -> Result<ClientText<'_>, ErrorCode> {
    path.ok_or(ErrorCode::MarshallingError)
}

/// Refuses a null list, at which a real server fails. The lists before it are processed by then.
fn list<T>(list: Option<&Vec<T>>) -> Result<&[T], ErrorCode> {
    list.map(Vec::as_slice).ok_or(ErrorCode::MarshallingError)
}

fn found(found: bool) -> Result<Response<'static>, ErrorCode> {
    if found {
        Ok(Response::Empty)
    } else {
        Err(ErrorCode::NoWatcher)
    }
}
