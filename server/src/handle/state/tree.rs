//! Trees: paths, data, ACLs and kinds of znodes, without stats and sessions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::fmt;
use std::ops::Bound;
use std::time::Duration;

use super::TreeError;
use crate::keeper;
use crate::protocol::{Acl, open_acl, parent_of, validate_path};

/// Tree of znodes, each with its path, data, ACL and kind. It has no stats, zxids or sessions, so it has only the
/// properties that a test sets or checks: the initial state of a server, or the expected one.
///
/// Trees come from the macro [`tree!`](crate::tree), from text ([`from_json`](Self::from_json),
/// [`from_file`](Self::from_file)) or from a server ([`Server::tree`](crate::Server::tree)).
/// [`ServerBuilder::seed`](crate::ServerBuilder::seed) starts a server with a tree.
///
/// Missing parents are added to the tree, persistent and empty. Two trees are equal if they have the same znodes,
/// whether named or added.
///
/// # As text
///
/// JSON and YAML have the same form: an object of znodes by path. A znode is a text, which is its data; `null`, which
/// is ZooKeeper's null; or an object with these fields, all optional:
///
/// | field | meaning |
/// |---|---|
/// | `data` | the data as text, or `null`; the default is empty data, which differs from null |
/// | `base64` | binary data |
/// | `acl` | a list of entries as in `zkCli`, `"world:anyone:r"`; the default allows everything to all |
/// | `container` | `true` for a container |
/// | `ttl_ms` | time to live, in milliseconds |
/// | `ephemeral` | `true` for an ephemeral znode; a seed skips it, since it has no session |
/// | `children` | an object of znodes, by relative path |
///
/// An empty `acl` comes only from a data folder. It can be compared, and is refused in a seed.
///
/// ```
/// use minikeeper::{Tree, tree};
///
/// let text = r#"{
///   "/config": "v1",
///   "/app": {"data": "x", "acl": ["world:anyone:r"], "children": {"db": "localhost:5432", "log/level": "info"}},
///   "/locks": {"container": true},
///   "/binary": {"base64": "AAEC"},
///   "/null": null
/// }"#;
/// let written = Tree::from_json(text)?;
/// assert_eq!(written.len(), 8);
/// assert_eq!(Tree::from_json(&written.to_json())?, written);
/// assert_eq!(
///     Tree::from_json(r#"{"/a/b": "1"}"#)?,
///     tree! { "/a" => { "b" => "1" } }
/// );
/// # Ok::<(), minikeeper::state::TreeError>(())
/// ```
#[derive(Clone, Default)]
pub struct Tree {
    znodes: BTreeMap<Box<str>, Entry>,
    /// Total length of the paths of added parents, in bytes.
    implied: usize,
}

/// Znode at a path.
#[derive(Clone, Debug)]
struct Entry {
    znode: Znode,
    /// Whether the znode was added as a missing parent.
    implied: bool,
}

/// Znode of a [`Tree`]. Text or bytes convert to a persistent znode with an open ACL.
///
/// ```
/// use std::time::Duration;
/// use minikeeper::state::Znode;
///
/// let lease = Znode::new("held by A").ttl(Duration::from_secs(60));
/// let server = minikeeper::Server::builder().seed(minikeeper::tree! { "/lease" => lease }).start()?;
/// assert_eq!(server.data("/lease").as_deref(), Some(&b"held by A"[..]));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Znode {
    /// Data of the znode; `None` is ZooKeeper's null, which differs from empty data.
    pub data: Option<Vec<u8>>,
    /// ACL of the znode.
    pub acl: Vec<Acl>,
    /// Kind of the znode.
    pub kind: ZnodeKind,
}

/// Kind of a znode, which determines when the server removes it.
///
/// ```
/// use minikeeper::state::{Znode, ZnodeKind};
///
/// assert_eq!(Znode::new("").container().kind, ZnodeKind::Container);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ZnodeKind {
    /// The znode exists until it is deleted.
    #[default]
    Persistent,
    /// The znode is deleted with the session that created it.
    Ephemeral,
    /// The znode is deleted when its last child is.
    Container,
    /// The znode is deleted when it had no children and no changes for this time, in milliseconds.
    Ttl(Duration),
}

impl Znode {
    /// Creates a persistent znode with these data and an open ACL.
    ///
    /// ```
    /// use minikeeper::state::Znode;
    ///
    /// let server = minikeeper::Server::builder().seed(minikeeper::tree! { "/raw" => Znode::new([0, 1]) }).start()?;
    /// assert_eq!(server.data("/raw"), Some(vec![0, 1]));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn new(data: impl AsRef<[u8]>) -> Self {
        Self::of(Some(data.as_ref().to_vec()))
    }

    /// Creates a persistent znode with ZooKeeper's null and an open ACL.
    ///
    /// ```
    /// use minikeeper::state::Znode;
    ///
    /// let server = minikeeper::Server::builder().seed(minikeeper::tree! { "/null" => Znode::null() }).start()?;
    /// assert_eq!(server.znode("/null").and_then(|znode| znode.data), None);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn null() -> Self {
        Self::of(None)
    }

    fn of(data: Option<Vec<u8>>) -> Self {
        Self {
            data,
            acl: open_acl().to_vec(),
            kind: ZnodeKind::Persistent,
        }
    }

    /// Sets the ACL.
    ///
    /// ```
    /// let znode = minikeeper::state::Znode::new("v1").acl(["world:anyone:r".parse()?]);
    /// assert_eq!(znode.acl[0].permissions, minikeeper::protocol::Permissions::READ);
    /// # Ok::<(), minikeeper::ErrorCode>(())
    /// ```
    #[must_use]
    pub fn acl(mut self, acl: impl Into<Vec<Acl>>) -> Self {
        self.acl = acl.into();
        self
    }

    /// Makes the znode a container.
    ///
    /// ```
    /// let locks = minikeeper::state::Znode::new("").container();
    /// let server = minikeeper::Server::builder().seed(minikeeper::tree! { "/locks" => locks }).start()?;
    /// assert!(server.znode("/locks").is_some_and(|znode| znode.container));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn container(mut self) -> Self {
        self.kind = ZnodeKind::Container;
        self
    }

    /// Makes the znode a TTL znode with this time to live, in milliseconds.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lease = minikeeper::state::Znode::new("me").ttl(Duration::from_secs(60));
    /// let server = minikeeper::Server::builder().seed(minikeeper::tree! { "/lease" => lease }).start()?;
    /// assert_eq!(server.znode("/lease").and_then(|znode| znode.ttl), Some(Duration::from_secs(60)));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.kind = ZnodeKind::Ttl(ttl);
        self
    }

    /// Makes the znode ephemeral, to compare it with the tree of a server. A seed skips ephemeral znodes, since they
    /// would have no session.
    ///
    /// ```
    /// use minikeeper::{Server, state::Znode, tree};
    ///
    /// let tree = tree! { "/members" => { "a" => Znode::new("me").ephemeral() } };
    /// let server = Server::builder().seed(tree).start()?;
    /// assert_eq!(server.tree(), tree! { "/members" => {} });
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.kind = ZnodeKind::Ephemeral;
        self
    }

    /// Whether the ACL allows everything to every client.
    pub(super) fn is_open(&self) -> bool {
        *self.acl == *open_acl()
    }

    pub(super) fn of_server(tree: &keeper::Tree, znode: &keeper::Znode) -> Self {
        Self {
            data: znode.data().map(<[u8]>::to_vec),
            acl: tree.acl(znode.acl()).to_vec(),
            kind: match znode.owner() {
                keeper::Owner::Unowned => ZnodeKind::Persistent,
                keeper::Owner::Session(_) => ZnodeKind::Ephemeral,
                keeper::Owner::Container => ZnodeKind::Container,
                keeper::Owner::Ttl { ms } => {
                    ZnodeKind::Ttl(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
                }
            },
        }
    }
}

macro_rules! from_data {
    ($([$($generics:tt)*] $type:ty;)*) => {
        $(
            impl<$($generics)*> From<$type> for Znode {
                fn from(data: $type) -> Self {
                    Self::new(data)
                }
            }
        )*
    };
}

from_data! {
    [] &str;
    [] String;
    [] &String;
    [] &[u8];
    [] Vec<u8>;
    [] &Vec<u8>;
    [const LENGTH: usize] &[u8; LENGTH];
}

/// Maximum total length of the paths of added parents, in bytes. One short line can require any number of parents, each
/// with a long path.
const LONGEST_IMPLIED: usize = 16 << 20;

impl Tree {
    /// Creates a tree with only the root.
    ///
    /// ```
    /// assert!(minikeeper::Tree::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a znode at a path, in place of an existing one. Missing parents are added.
    ///
    /// # Errors
    ///
    /// If the path is invalid, or the parent is ephemeral.
    ///
    /// ```
    /// use minikeeper::{Tree, tree};
    ///
    /// let mut tree = Tree::new();
    /// for shard in 0..3 {
    ///     tree.insert(&format!("/shards/{shard}"), "free")?;
    /// }
    /// assert_eq!(tree, tree! { "/shards" => { "0" => "free", "1" => "free", "2" => "free" } });
    /// assert!(tree.insert("shards", "").is_err());
    /// # Ok::<(), minikeeper::state::TreeError>(())
    /// ```
    pub fn insert(&mut self, path: &str, znode: impl Into<Znode>) -> Result<(), TreeError> {
        self.put(path, znode.into(), true)
    }

    /// Adds a znode whose path has not been named before.
    pub(super) fn add(&mut self, path: &str, znode: Znode) -> Result<(), TreeError> {
        self.put(path, znode, false)
    }

    fn put(&mut self, path: &str, znode: Znode, again: bool) -> Result<(), TreeError> {
        if validate_path(path).is_err() {
            return Err(TreeError::new(format!(
                "{path:?} is not the path of a znode"
            )));
        }
        if znode.kind == ZnodeKind::Ephemeral && (path == "/" || self.has_children(path)) {
            return Err(child_of_ephemeral(path));
        }
        self.imply_parents(path)?;
        let entry = Entry {
            znode,
            implied: false,
        };
        match self.znodes.entry(path.into()) {
            Place::Vacant(place) => {
                place.insert(entry);
            }
            Place::Occupied(mut place) => {
                if !place.get().implied && !again {
                    return Err(TreeError::new(format!("{path} occurs twice")));
                }
                if place.get().implied {
                    self.implied = self.implied.saturating_sub(path.len());
                }
                place.insert(entry);
            }
        }
        Ok(())
    }

    fn has_children(&self, path: &str) -> bool {
        let first = format!("{path}/");
        let mut behind = self
            .znodes
            .range::<str, _>((Bound::Included(&*first), Bound::Unbounded));
        behind
            .next()
            .is_some_and(|(path, _)| path.starts_with(&first))
    }

    fn imply_parents(&mut self, path: &str) -> Result<(), TreeError> {
        let mut above = path;
        while let Some(parent) = parent_of(above).filter(|parent| !parent.is_empty()) {
            if let Some(there) = self.znodes.get(parent) {
                return if there.znode.kind == ZnodeKind::Ephemeral {
                    Err(child_of_ephemeral(parent))
                } else {
                    Ok(())
                };
            }
            self.implied = self.implied.saturating_add(parent.len());
            if self.implied > LONGEST_IMPLIED {
                return Err(TreeError::new(String::from(
                    "the paths of missing parents come to more than 16 MiB",
                )));
            }
            let entry = Entry {
                znode: Znode::new(""),
                implied: true,
            };
            self.znodes.insert(parent.into(), entry);
            above = parent;
        }
        Ok(())
    }

    /// Returns the znode at a path. The tree has the root only if the root has data or an ACL of its own.
    ///
    /// ```
    /// let tree = minikeeper::tree! { "/config" => "v1" };
    /// assert_eq!(tree.get("/config"), Some(&minikeeper::state::Znode::new("v1")));
    /// ```
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path).map(|entry| &entry.znode)
    }

    /// Returns all znodes with their paths, sorted by path; parents come before their children.
    ///
    /// ```
    /// let tree = minikeeper::tree! { "/b" => "2", "/a/c" => "1" };
    /// let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
    /// assert_eq!(paths, ["/a", "/a/c", "/b"]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Znode)> {
        self.znodes
            .iter()
            .map(|(path, entry)| (&**path, &entry.znode))
    }

    /// Returns all znodes with their paths, and whether each was named.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Znode, bool)> {
        self.znodes
            .iter()
            .map(|(path, entry)| (&**path, &entry.znode, !entry.implied))
    }

    /// Returns the number of znodes, including added parents.
    ///
    /// ```
    /// assert_eq!(minikeeper::tree! { "/a/b" => "" }.len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.znodes.len()
    }

    /// Returns whether the tree has no znodes.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.tree().is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.znodes.is_empty()
    }

    /// Tree of a server, without the znodes of ZooKeeper itself.
    pub(super) fn of_server(tree: &keeper::Tree) -> Self {
        let znodes = crate::handle::inspect::users_znodes(tree).into_iter();
        let znodes = znodes.map(|znode| {
            let entry = Entry {
                znode: Znode::of_server(tree, znode),
                implied: false,
            };
            (znode.path().into(), entry)
        });
        // A root without data or an ACL of its own is not part of the tree.
        let znodes = znodes.filter(|(path, entry): &(Box<str>, Entry)| {
            **path != *"/" || entry.znode != Znode::new("")
        });
        Self {
            znodes: znodes.collect(),
            implied: 0,
        }
    }
}

fn child_of_ephemeral(path: &str) -> TreeError {
    TreeError::new(format!("{path} is ephemeral and cannot have children"))
}

/// Compares the znodes; whether a znode was named or added makes no difference.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tree {}

/// Prints the [`tree!`](crate::tree) expression that makes this tree, to be copied from a failed test into its
/// source: one line for each znode. `tree`, [`Znode`] and [`Duration`] must be in scope there.
///
/// ```
/// use minikeeper::{Tree, state::Znode, tree};
///
/// let tree = Tree::from_json(r#"{"/config": "v1", "/locks": {"container": true}, "/raw": {"base64": "/wA="}}"#)?;
/// assert_eq!(
///     format!("{tree:?}"),
///     r#"tree! {
///     "/config" => "v1",
///     "/locks" => (Znode::new("").container()),
///     "/raw" => b"\xff\x00",
/// }"#
/// );
/// assert_eq!(
///     tree,
///     tree! {
///         "/config" => "v1",
///         "/locks" => (Znode::new("").container()),
///         "/raw" => b"\xff\x00",
///     }
/// );
/// # Ok::<(), minikeeper::state::TreeError>(())
/// ```
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("tree! {}");
        }
        f.write_str("tree! {\n")?;
        for (path, znode) in self.iter() {
            write!(f, "    {path:?} => ")?;
            write_value(f, znode)?;
            f.write_str(",\n")?;
        }
        f.write_str("}")
    }
}

/// Writes a znode as a value of `tree!`. A znode with more than data is put in parentheses: the macro takes a value
/// of one token tree without recursion, so a tree of any size compiles.
fn write_value(f: &mut fmt::Formatter<'_>, znode: &Znode) -> fmt::Result {
    if znode.is_open() && znode.kind == ZnodeKind::Persistent && znode.data.is_some() {
        return write_data(f, znode);
    }
    f.write_str("(")?;
    if znode.data.is_some() {
        f.write_str("Znode::new(")?;
        write_data(f, znode)?;
        f.write_str(")")?;
    } else {
        f.write_str("Znode::null()")?;
    }
    match znode.acl.as_slice() {
        [] => f.write_str(".acl(Vec::new())")?,
        _ if znode.is_open() => {}
        [first, others @ ..] => {
            write!(f, ".acl([{:?}.parse().unwrap()", first.to_string())?;
            for other in others {
                write!(f, ", {:?}.parse().unwrap()", other.to_string())?;
            }
            f.write_str("])")?;
        }
    }
    match znode.kind {
        ZnodeKind::Persistent => {}
        ZnodeKind::Ephemeral => f.write_str(".ephemeral()")?,
        ZnodeKind::Container => f.write_str(".container()")?,
        ZnodeKind::Ttl(ttl) if ttl == Duration::from_millis(millis(ttl)) => {
            write!(f, ".ttl(Duration::from_millis({}))", millis(ttl))?;
        }
        ZnodeKind::Ttl(ttl) => {
            let (seconds, nanoseconds) = (ttl.as_secs(), ttl.subsec_nanos());
            write!(f, ".ttl(Duration::new({seconds}, {nanoseconds}))")?;
        }
    }
    f.write_str(")")
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Writes the data as a string literal if they are text, and as a byte string literal otherwise.
fn write_data(f: &mut fmt::Formatter<'_>, znode: &Znode) -> fmt::Result {
    let data = znode.data.as_deref().unwrap_or_default();
    match std::str::from_utf8(data) {
        Ok(text) => write!(f, "{text:?}"),
        Err(_) => write!(f, "b\"{}\"", data.escape_ascii()),
    }
}

/// Creates a [`Tree`](crate::Tree): a list of `path => znode`, separated by commas.
///
/// A znode is its data (text or bytes), a [`Znode`](crate::state::Znode), its children in `{ }`, or a pair of a znode
/// and its children in parentheses. Children have paths relative to their parent. Missing parents are added.
///
/// # Panics
///
/// If a path is invalid or occurs twice, or a znode has an ephemeral parent.
///
/// ```
/// use minikeeper::{Server, state::Znode, tree};
///
/// let server = Server::builder()
///     .seed(tree! {
///         "/config" => "v1",
///         "/app" => ("x", { "db" => "localhost:5432", "log/level" => "info" }),
///         "/locks" => {},
///         "/queue" => Znode::new("").container(),
///     })
///     .start()?;
/// server.set("/config", b"v2")?;
/// server.delete("/locks")?;
/// assert_eq!(
///     server.tree(),
///     tree! {
///         "/config" => "v2",
///         "/app" => ("x", { "db" => "localhost:5432", "log" => { "level" => "info" } }),
///         "/queue" => Znode::new("").container(),
///     }
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Data and children without parentheses do not compile:
///
/// ```compile_fail
/// let tree = minikeeper::tree! { "/app" => "8080" { "db" => "x" } };
/// ```
#[macro_export]
macro_rules! tree {
    (@one $tree:ident $above:expr ; $path:expr => { $($below:tt)* }) => {
        $crate::tree!(@one $tree $above ; $path => ("", { $($below)* }))
    };
    (@one $tree:ident $above:expr ; $path:expr => ($znode:expr, { $($below:tt)* } $(,)?)) => {{
        let above = $tree.add_below($above, $path, $znode);
        let _ = &above;
        $crate::tree!(@in $tree &above ; $($below)*);
    }};
    (@one $tree:ident $above:expr ; $path:expr => ($znode:expr)) => {
        $tree.add_below($above, $path, $znode)
    };
    (@one $tree:ident $above:expr ; $path:expr => $znode:expr) => {
        $tree.add_below($above, $path, $znode)
    };
    (@in $tree:ident $above:expr ;) => {};
    // Siblings that are one token tree each need no recursion, so their number is not limited.
    (@in $tree:ident $above:expr ; $($path:expr => $znode:tt),+ $(,)?) => {
        $($crate::tree!(@one $tree $above ; $path => $znode);)+
    };
    (@in $tree:ident $above:expr ; $path:expr => { $($below:tt)* } $(, $($rest:tt)*)?) => {
        $crate::tree!(@in $tree $above ; $path => ("", { $($below)* }) $(, $($rest)*)?);
    };
    (@in $tree:ident $above:expr ; $path:expr => ($znode:expr, { $($below:tt)* } $(,)?) $(, $($rest:tt)*)?) => {
        {
            let above = $tree.add_below($above, $path, $znode);
            let _ = &above;
            $crate::tree!(@in $tree &above ; $($below)*);
        }
        $crate::tree!(@in $tree $above ; $($($rest)*)?);
    };
    (@in $tree:ident $above:expr ; $path:expr => $znode:expr $(, $($rest:tt)*)?) => {
        $tree.add_below($above, $path, $znode);
        $crate::tree!(@in $tree $above ; $($($rest)*)?);
    };
    (@in $tree:ident $above:expr ; $($rest:tt)+) => {
        compile_error!(
            "a tree is `\"/path\" => \"data\"`, `\"/path\" => { below }` or `\"/path\" => (\"data\", { below })`, \
             with commas between"
        )
    };
    ($($body:tt)*) => {{
        #[allow(unused_mut, reason = "an empty tree is not changed")]
        let mut tree = $crate::Tree::new();
        $crate::tree!(@in tree "" ; $($body)*);
        tree
    }};
}

impl Tree {
    /// Adds a znode below another, and returns its path. For [`tree!`](crate::tree).
    #[doc(hidden)]
    #[track_caller]
    pub fn add_below(
        &mut self,
        above: &str,
        path: impl AsRef<str>,
        znode: impl Into<Znode>,
    ) -> String {
        let path = below(above, path.as_ref());
        if let Err(error) = self.add(&path, znode.into()) {
            panic!("{error}");
        }
        path
    }
}

/// Joins a relative path to that of its parent; `above` is empty for a full path.
pub(super) fn below(above: &str, path: &str) -> String {
    match above {
        "" => path.to_owned(),
        "/" => format!("/{path}"),
        _ => format!("{above}/{path}"),
    }
}
