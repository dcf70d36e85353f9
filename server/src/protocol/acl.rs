//! ACLs, permissions and identities.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use super::ErrorCode;

/// Permissions of an ACL entry: a sum of the constants. Like ZooKeeper, a server stores any number that it is given.
///
/// ```
/// use minikeeper::protocol::Permissions;
///
/// assert!(Permissions::ALL.intersects(Permissions::READ));
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Permissions(pub i32);

impl Permissions {
    /// Reading the data and listing the children.
    pub const READ: Self = Self(1);
    /// Changing the data.
    pub const WRITE: Self = Self(2);
    /// Creating a child.
    pub const CREATE: Self = Self(4);
    /// Deleting a child.
    pub const DELETE: Self = Self(8);
    /// Changing the ACL.
    pub const ADMIN: Self = Self(16);
    /// All permissions.
    pub const ALL: Self = Self(31);

    /// Whether the two have a permission in common.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Displays permissions as `zkCli` does, one letter each: create, delete, read, write, admin. A number without letters
/// is displayed as a number.
///
/// ```
/// use minikeeper::protocol::Permissions;
///
/// assert_eq!((Permissions::READ | Permissions::WRITE).to_string(), "rw");
/// ```
impl std::fmt::Display for Permissions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 & !Self::ALL.0 != 0 {
            return self.0.fmt(f);
        }
        let granted = LETTERS.iter().filter(|(_, one)| self.intersects(*one));
        granted
            .map(|(letter, _)| *letter)
            .try_for_each(|letter| f.write_char(letter))
    }
}

const LETTERS: [(char, Permissions); 5] = [
    ('c', Permissions::CREATE),
    ('d', Permissions::DELETE),
    ('r', Permissions::READ),
    ('w', Permissions::WRITE),
    ('a', Permissions::ADMIN),
];

/// Parses the letters or the number that `Display` writes.
///
/// ```
/// assert_eq!("cdrwa".parse(), Ok(minikeeper::protocol::Permissions::ALL));
/// ```
impl std::str::FromStr for Permissions {
    type Err = ErrorCode;

    fn from_str(text: &str) -> Result<Self, ErrorCode> {
        if let Ok(number) = text.parse() {
            return Ok(Self(number));
        }
        text.chars().try_fold(Self(0), |permissions, char| {
            let one = LETTERS.iter().find(|(letter, _)| *letter == char);
            one.map(|(_, one)| permissions | *one)
                .ok_or(ErrorCode::InvalidAcl)
        })
    }
}

impl std::ops::BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An identity in an authentication scheme: `world:anyone`, `digest:user:hash`, `ip:10.0.0.0/8`.
///
/// ```
/// let anyone = minikeeper::protocol::AuthId::new("world", "anyone");
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
    /// Creates an identity.
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
/// use minikeeper::protocol::{Acl, AuthId, Permissions};
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
    /// The granted permissions.
    pub permissions: Permissions,
    /// The identity that has them.
    pub id: AuthId,
}

impl Acl {
    /// Whether this is the placeholder for an ACL that a snapshot refers to by its number and does not list.
    ///
    /// A snapshot of a real server lists the ACLs first and the znodes later, while writes continue, so a znode may
    /// refer to an ACL that is not listed yet. Replaying the transaction log supplies it. Where no log does, the znode
    /// has this placeholder, shown as `unlisted-acl:7:`, and every request that needs its ACL fails with
    /// [`ErrorCode::MarshallingError`], as on a real server.
    ///
    /// ```
    /// let acl: minikeeper::protocol::Acl = "world:anyone:r".parse()?;
    /// assert!(!acl.is_unlisted());
    /// # Ok::<(), minikeeper::ErrorCode>(())
    /// ```
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        self.permissions == Permissions(0) && &*self.id.scheme == UNLISTED
    }
}

/// Scheme of the placeholder for an ACL that a snapshot does not list.
const UNLISTED: &str = "unlisted-acl";

/// Returns the placeholder for the ACL with this number, which a snapshot does not list.
pub(crate) fn unlisted_acl(number: i64) -> Arc<[Acl]> {
    Arc::from([Acl {
        permissions: Permissions(0),
        id: AuthId::new(UNLISTED, number.to_string()),
    }])
}

/// Returns the number for which an ACL is the placeholder, if it is one.
pub(crate) fn unlisted_number(acl: &[Acl]) -> Option<i64> {
    match acl {
        [only] if only.is_unlisted() => only.id.id.parse().ok(),
        _ => None,
    }
}

/// As `zkCli` writes it: `world:anyone:cdrwa`, `digest:user:hash:r`.
///
/// ```
/// use minikeeper::protocol::{Acl, AuthId, Permissions};
///
/// let anyone = AuthId::new("world", "anyone");
/// let acl = Acl { permissions: Permissions::READ | Permissions::ADMIN, id: anyone };
/// assert_eq!(acl.to_string(), "world:anyone:ra");
/// ```
impl std::fmt::Display for Acl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let AuthId { scheme, id } = &self.id;
        // The scheme ends at the first colon. A scheme with a colon, which no provider of a real server has, is
        // escaped.
        match scheme.contains([':', '%']) {
            false => f.write_str(scheme)?,
            true => f.write_str(&scheme.replace('%', "%25").replace(':', "%3A"))?,
        }
        write!(f, ":{id}:{}", self.permissions)
    }
}

/// From the text that is displayed. Whether the scheme is known and the id has its form, the server says.
///
/// ```
/// use minikeeper::{ErrorCode, protocol::Acl};
///
/// let acl: Acl = "ip:10.0.0.0/8:r".parse()?;
/// assert_eq!(&*acl.id.id, "10.0.0.0/8");
/// assert_eq!("world:anyone".parse::<Acl>(), Err(ErrorCode::InvalidAcl));
/// # Ok::<(), ErrorCode>(())
/// ```
impl std::str::FromStr for Acl {
    type Err = ErrorCode;

    fn from_str(text: &str) -> Result<Self, ErrorCode> {
        let (scheme, rest) = text.split_once(':').ok_or(ErrorCode::InvalidAcl)?;
        // Ids contain colons.
        let (id, permissions) = rest.rsplit_once(':').ok_or(ErrorCode::InvalidAcl)?;
        Ok(Self {
            permissions: permissions.parse()?,
            id: match scheme.contains('%') {
                false => AuthId::new(scheme, id),
                true => AuthId::new(scheme.replace("%3A", ":").replace("%25", "%"), id),
            },
        })
    }
}

/// An entry of an ACL as a client sent it. Its texts may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AclEntry<'a> {
    pub(crate) permissions: i32,
    pub(crate) scheme: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
}

/// An ACL as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AclList<'a> {
    /// Every permission for `world:anyone`, as nearly every client sends it.
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

/// Returns the ACL that grants every permission to `world:anyone`, as one shared value.
pub(crate) fn open_acl() -> Arc<[Acl]> {
    static OPEN: LazyLock<Arc<[Acl]>> = LazyLock::new(|| {
        Arc::from([Acl {
            permissions: Permissions::ALL,
            id: AuthId::new("world", "anyone"),
        }])
    });
    Arc::clone(&OPEN)
}
