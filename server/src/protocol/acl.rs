//! Who may do what to a znode.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// The permissions of an ACL entry: a sum of the constants. ZooKeeper stores any number it is given, so does this.
///
/// ```
/// use minikeeper::Permissions;
///
/// assert!(Permissions::ALL.intersects(Permissions::READ));
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Permissions(pub i32);

impl Permissions {
    /// Read the data, list the children.
    pub const READ: Self = Self(1);
    /// Change the data.
    pub const WRITE: Self = Self(2);
    /// Create a child.
    pub const CREATE: Self = Self(4);
    /// Delete a child.
    pub const DELETE: Self = Self(8);
    /// Change the ACL.
    pub const ADMIN: Self = Self(16);
    /// All of them.
    pub const ALL: Self = Self(31);

    /// Whether the two share a permission.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Somebody, as a scheme of authentication knows them: `world:anyone`, `digest:user:hash`, `ip:10.0.0.0/8`.
///
/// ```
/// let anyone = minikeeper::AuthId::new("world", "anyone");
/// assert_eq!(anyone.to_string(), "world:anyone");
/// ```
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct AuthId {
    /// The scheme.
    pub scheme: Box<str>,
    /// The id within the scheme.
    pub id: Box<str>,
}

impl AuthId {
    /// An id in a scheme.
    #[must_use]
    pub fn new(scheme: impl Into<Box<str>>, id: impl Into<Box<str>>) -> Self {
        Self {
            scheme: scheme.into(),
            id: id.into(),
        }
    }
}

impl std::fmt::Display for AuthId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.scheme, self.id)
    }
}

/// One entry of an ACL: these permissions for this id.
///
/// ```
/// use minikeeper::{Acl, AuthId, Permissions};
///
/// let server = minikeeper::Server::start()?;
/// server.create("/open", b"")?;
/// let open = Acl { permissions: Permissions::ALL, id: AuthId::new("world", "anyone") };
/// assert_eq!(server.znode("/open").map(|znode| znode.acl), Some(vec![open]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Acl {
    /// What is allowed.
    pub permissions: Permissions,
    /// To whom.
    pub id: AuthId,
}

/// An entry of an ACL as a client sent it, where a text may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AclEntry<'a> {
    pub(crate) permissions: i32,
    pub(crate) scheme: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
}

/// An ACL as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AclList<'a> {
    /// Everything for `world:anyone`, as nearly every client sends it.
    Open,
    Entries(Vec<AclEntry<'a>>),
}

impl<'a> std::ops::Deref for AclList<'a> {
    type Target = [AclEntry<'a>];

    fn deref(&self) -> &[AclEntry<'a>] {
        match self {
            Self::Open => &OPEN,
            Self::Entries(entries) => entries,
        }
    }
}

static OPEN: [AclEntry<'static>; 1] = [AclEntry {
    permissions: Permissions::ALL.0,
    scheme: Some(Cow::Borrowed("world")),
    id: Some(Cow::Borrowed("anyone")),
}];

/// Everything for `world:anyone`, one shared value.
pub(crate) fn open_acl() -> Arc<[Acl]> {
    static OPEN: LazyLock<Arc<[Acl]>> = LazyLock::new(|| {
        Arc::from([Acl {
            permissions: Permissions::ALL,
            id: AuthId::new("world", "anyone"),
        }])
    });
    Arc::clone(&OPEN)
}
