//! One znode: its data, its stat and its owner.

use std::sync::Arc;

use super::acl_table::AclId;
pub(crate) use crate::protocol::Owner;
use crate::protocol::{SessionId, Stat, StatPersisted, Timestamp, Zxid};

/// Data of a znode, shared with copies of the tree.
pub(crate) type Data = Option<Arc<[u8]>>;

/// One znode, with ZooKeeper's persisted stat.
#[derive(Clone, Debug)]
pub(crate) struct Znode {
    pub(super) path: Box<str>,
    pub(super) data: Data,
    pub(super) czxid: Zxid,
    pub(super) mzxid: Zxid,
    pub(super) pzxid: Zxid,
    pub(super) ctime: Timestamp,
    pub(super) mtime: Timestamp,
    pub(super) version: i32,
    /// Number of children ever created here. The wire's `cversion` is computed from it and the number of children.
    pub(super) creates: i32,
    pub(super) aversion: i32,
    pub(super) children: Children,
    /// Number of the owner: see [`Owner`].
    pub(super) owner: i64,
    pub(super) acl: AclId,
    pub(super) first_child: u32,
    pub(super) next: u32,
    pub(super) previous: u32,
}

/// Number of children, and in the first bit whether the owner is a time to live, which the owner's number alone does
/// not tell. A field of its own for that bit would take eight bytes of each znode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Children(u32);

impl Children {
    const OWNER_IS_TTL: u32 = 1 << 31;

    /// No children.
    pub(super) fn none(owner: Owner) -> Self {
        let is_ttl = matches!(owner, Owner::Ttl { .. });
        Self(if is_ttl { Self::OWNER_IS_TTL } else { 0 })
    }

    fn count(self) -> i32 {
        (self.0 & !Self::OWNER_IS_TTL).cast_signed()
    }

    fn owner_is_ttl(self) -> bool {
        self.0 & Self::OWNER_IS_TTL != 0
    }

    pub(super) fn add(&mut self) {
        self.0 += 1;
    }

    pub(super) fn remove(&mut self) {
        self.0 -= 1;
    }
}

impl Znode {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn data(&self) -> Option<&[u8]> {
        self.data.as_deref()
    }

    pub(crate) fn shared_data(&self) -> &Data {
        &self.data
    }

    pub(crate) fn mzxid(&self) -> Zxid {
        self.mzxid
    }

    pub(crate) fn pzxid(&self) -> Zxid {
        self.pzxid
    }

    pub(crate) fn mtime(&self) -> Timestamp {
        self.mtime
    }

    pub(crate) fn version(&self) -> i32 {
        self.version
    }

    pub(crate) fn aversion(&self) -> i32 {
        self.aversion
    }

    /// Returns the number of children ever created here, which is the number of the next sequential child.
    pub(crate) fn creates(&self) -> i32 {
        self.creates
    }

    /// Returns the number of children.
    pub(crate) fn num_children(&self) -> i32 {
        self.children.count()
    }

    pub(crate) fn has_children(&self) -> bool {
        self.num_children() > 0
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner::of(self.owner, self.children.owner_is_ttl())
    }

    pub(crate) fn acl(&self) -> AclId {
        self.acl
    }

    /// Returns the stat as clients see it.
    pub(crate) fn stat(&self) -> Stat {
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            // DataNode.copyStat: `creates` counts creates only, so `cversion` adds a change for each child that is
            // gone.
            cversion: self
                .creates
                .wrapping_mul(2)
                .wrapping_sub(self.num_children()),
            aversion: self.aversion,
            ephemeral_owner: match self.owner() {
                Owner::Session(session) => session,
                Owner::Unowned | Owner::Container | Owner::Ttl { .. } => SessionId::NONE,
            },
            data_length: length(&self.data),
            num_children: self.num_children(),
            pzxid: self.pzxid,
        }
    }
}

/// Returns the number of bytes, 0 for null.
pub(super) fn length(data: &Data) -> i32 {
    data.as_ref()
        .map_or(0, |data| i32::try_from(data.len()).unwrap_or(i32::MAX))
}

impl Znode {
    /// Creates a znode of a snapshot. `extended_types` decides the kind of its owner.
    pub(super) fn restored(
        path: &str,
        data: Option<&[u8]>,
        acl: AclId,
        stat: &StatPersisted,
        extended_types: bool,
    ) -> Self {
        let owner = Owner::of(stat.ephemeral_owner, extended_types);
        Self {
            path: path.into(),
            data: data.map(Arc::from),
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            creates: stat.cversion,
            aversion: stat.aversion,
            children: Children::none(owner),
            owner: owner.number(),
            acl,
            first_child: NIL,
            next: NIL,
            previous: NIL,
        }
    }

    /// Returns the persisted part of the stat.
    pub(super) fn persisted(&self) -> StatPersisted {
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            pzxid: self.pzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.creates,
            aversion: self.aversion,
            ephemeral_owner: self.owner,
        }
    }

    /// Creates a znode that every server has from the start.
    pub(super) fn built_in(path: &str, acl: AclId, aversion: i32) -> Self {
        Self {
            path: path.into(),
            data: Some(Arc::from([])),
            czxid: Zxid(0),
            mzxid: Zxid(0),
            pzxid: Zxid(0),
            ctime: Timestamp(0),
            mtime: Timestamp(0),
            version: 0,
            creates: 0,
            aversion,
            children: Children::none(Owner::Unowned),
            owner: Owner::Unowned.number(),
            acl,
            first_child: NIL,
            next: NIL,
            previous: NIL,
        }
    }
}

/// The end of a link: no znode.
pub(super) const NIL: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_znode_takes_112_bytes() {
        assert!(size_of::<Option<Znode>>() <= 112);
    }

    #[test]
    fn children_do_not_change_what_the_owner_is() {
        let stat = StatPersisted {
            ephemeral_owner: Owner::Ttl { ms: 5 }.number(),
            ..Znode::built_in("/", AclId::OPEN, 0).persisted()
        };
        for (extended_types, owner) in [
            (true, Owner::Ttl { ms: 5 }),
            (false, Owner::Session(SessionId(stat.ephemeral_owner))),
        ] {
            let mut znode = Znode::restored("/a", None, AclId::OPEN, &stat, extended_types);
            znode.children.add();
            znode.children.add();
            znode.children.remove();
            assert_eq!((znode.num_children(), znode.owner()), (1, owner));
            assert_eq!(znode.persisted().ephemeral_owner, stat.ephemeral_owner);
        }
    }
}
