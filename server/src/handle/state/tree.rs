//! A tree as a person writes it: paths, data, ACLs, kinds; no stats and no sessions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::fmt;
use std::ops::Bound;
use std::time::Duration;

use super::TreeError;
use crate::keeper;
use crate::protocol::{Acl, open_acl, parent_of, validate_path};

/// Znodes as a person writes them: by path, each with its data, its ACL and its kind. It has no stats, no zxids and no
/// sessions, so it says what a test cares about: what a server is to begin with, or what it should have come to.
///
/// [`tree!`](crate::tree) makes one in an expression, [`from_json`](Self::from_json) and
/// [`from_file`](Self::from_file) read one, [`Server::tree`](crate::Server::tree) is that of a server.
/// [`ServerBuilder::seed`](crate::ServerBuilder::seed) starts a server with it.
///
/// The parents that nobody named are in it too, persistent and empty. Two trees are equal if they have the same znodes,
/// named or not.
///
/// # As text
///
/// JSON and YAML have one form: an object of paths. A znode is a text, its data; or `null`, which is ZooKeeper's null; or
/// an object, in which everything can be left out:
///
/// | field | what it says |
/// |---|---|
/// | `data` | the data as text, or `null`; without it there are none, which is not the same as null |
/// | `base64` | data that are no text |
/// | `acl` | a list of entries as `zkCli` writes them, `"world:anyone:r"`; without it everybody may do everything |
/// | `container` | `true` for a container |
/// | `ttl_ms` | a time to live in milliseconds |
/// | `ephemeral` | `true` for an ephemeral; it is left out where the tree becomes a seed, which has no sessions |
/// | `children` | an object of znodes, by their paths from here |
///
/// An empty `acl` comes only from a data folder: it compares, and a tree with one is refused as a seed.
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
    /// The length of all paths that nobody named.
    implied: usize,
}

/// What stands at a path.
#[derive(Clone, Debug)]
struct Entry {
    znode: Znode,
    /// Whether nobody named it, and it is there only as the parent of another.
    implied: bool,
}

/// One znode of a [`Tree`]. A text or bytes become a persistent one that is open to everybody.
///
/// ```
/// use std::time::Duration;
/// use minikeeper::state::Znode;
///
/// assert_eq!(Znode::from("v1").data.as_deref(), Some(&b"v1"[..]));
/// assert_ne!(Znode::new("lease"), Znode::new("lease").ttl(Duration::from_secs(60)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Znode {
    /// What it holds; `None` is ZooKeeper's null, which is not the same as empty.
    pub data: Option<Vec<u8>>,
    /// Its ACL.
    pub acl: Vec<Acl>,
    /// How long it stays.
    pub kind: ZnodeKind,
}

/// How long a znode stays.
///
/// ```
/// use minikeeper::state::{Znode, ZnodeKind};
///
/// assert_eq!(Znode::new("").container().kind, ZnodeKind::Container);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ZnodeKind {
    /// Until it is deleted.
    #[default]
    Persistent,
    /// As long as the session that created it.
    Ephemeral,
    /// Until its last child has gone.
    Container,
    /// As long as it has children or changes within this time, to the millisecond.
    Ttl(Duration),
}

impl Znode {
    /// A persistent znode that holds these data and is open to everybody.
    ///
    /// ```
    /// assert_eq!(minikeeper::state::Znode::new(b"\x00\x01"), minikeeper::state::Znode::from(vec![0, 1]));
    /// ```
    #[must_use]
    pub fn new(data: impl AsRef<[u8]>) -> Self {
        Self::of(Some(data.as_ref().to_vec()))
    }

    /// One that holds ZooKeeper's null.
    ///
    /// ```
    /// assert_ne!(minikeeper::state::Znode::null(), minikeeper::state::Znode::new(""));
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

    /// The same with this ACL.
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

    /// The same as a container.
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

    /// The same with a time to live, which counts in milliseconds.
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

    /// The same as an ephemeral: to compare with the tree of a server. Where a tree becomes a seed its ephemerals are
    /// left out, since it has no sessions that they could go with.
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

    /// Whether everybody may do everything with it.
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

/// How long all paths together may be that nobody named. One short line can ask for any number of parents, each with a
/// path of its own.
const LONGEST_IMPLIED: usize = 16 << 20;

impl Tree {
    /// A tree of the root alone.
    ///
    /// ```
    /// assert!(minikeeper::Tree::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a znode at a path, in place of the one that is there. Its parents are made if they are missing.
    ///
    /// # Errors
    ///
    /// For a path that no znode can have, and for what would be the child of an ephemeral.
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

    /// The same, where nobody may have named the path before.
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
                    return Err(TreeError::new(format!("{path} is there twice")));
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

    /// The znode at a path. The root is there only if it has data or an ACL of its own.
    ///
    /// ```
    /// let tree = minikeeper::tree! { "/config" => "v1" };
    /// assert_eq!(tree.get("/config"), Some(&minikeeper::state::Znode::new("v1")));
    /// ```
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path).map(|entry| &entry.znode)
    }

    /// Every znode with its path, sorted by path: so parents come before their children.
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

    /// The same, and whether somebody named it.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Znode, bool)> {
        self.znodes
            .iter()
            .map(|(path, entry)| (&**path, &entry.znode, !entry.implied))
    }

    /// How many znodes there are, parents that nobody named among them.
    ///
    /// ```
    /// assert_eq!(minikeeper::tree! { "/a/b" => "" }.len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.znodes.len()
    }

    /// Whether there is none.
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

    /// What a server has, ZooKeeper's own znodes left out.
    pub(super) fn of_server(tree: &keeper::Tree) -> Self {
        let znodes = crate::handle::inspect::users_znodes(tree).into_iter();
        let znodes = znodes.map(|znode| {
            let entry = Entry {
                znode: Znode::of_server(tree, znode),
                implied: false,
            };
            (znode.path().into(), entry)
        });
        // A root that nobody has touched is nothing to speak of.
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

/// Who named what makes no difference.
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

/// Makes a [`Tree`](crate::Tree) in one expression: `path => znode`, by comma.
///
/// A znode is its data (a text or bytes), a [`Znode`](crate::state::Znode), `{ }` with its children in it, or both by comma in
/// parentheses. Children are named by their paths from there. Parents that are missing are made.
///
/// # Panics
///
/// For a path that no znode can have or that is there twice, and for a child of an ephemeral.
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
/// Data and children without parentheses are refused when it is compiled:
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
        let above = $tree.plant($above, $path, $znode);
        let _ = &above;
        $crate::tree!(@in $tree &above ; $($below)*);
    }};
    (@one $tree:ident $above:expr ; $path:expr => ($znode:expr)) => {
        $tree.plant($above, $path, $znode)
    };
    (@one $tree:ident $above:expr ; $path:expr => $znode:expr) => {
        $tree.plant($above, $path, $znode)
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
            let above = $tree.plant($above, $path, $znode);
            let _ = &above;
            $crate::tree!(@in $tree &above ; $($below)*);
        }
        $crate::tree!(@in $tree $above ; $($($rest)*)?);
    };
    (@in $tree:ident $above:expr ; $path:expr => $znode:expr $(, $($rest:tt)*)?) => {
        $tree.plant($above, $path, $znode);
        $crate::tree!(@in $tree $above ; $($($rest)*)?);
    };
    (@in $tree:ident $above:expr ; $($rest:tt)+) => {
        compile_error!(
            "a tree is `\"/path\" => \"data\"`, `\"/path\" => { below }` or `\"/path\" => (\"data\", { below })`, with commas between"
        )
    };
    ($($body:tt)*) => {{
        #[allow(unused_mut, reason = "it may be empty")]
        let mut tree = $crate::Tree::new();
        $crate::tree!(@in tree "" ; $($body)*);
        tree
    }};
}

impl Tree {
    /// What [`tree!`](crate::tree) is made of: adds a znode below another, and gives its path.
    #[doc(hidden)]
    #[track_caller]
    pub fn plant(&mut self, above: &str, path: impl AsRef<str>, znode: impl Into<Znode>) -> String {
        let path = below(above, path.as_ref());
        if let Err(error) = self.add(&path, znode.into()) {
            panic!("{error}");
        }
        path
    }
}

/// The path of what is named from another znode; at the top all of it.
pub(super) fn below(above: &str, path: &str) -> String {
    match above {
        "" => path.to_owned(),
        "/" => format!("/{path}"),
        _ => format!("{above}/{path}"),
    }
}
