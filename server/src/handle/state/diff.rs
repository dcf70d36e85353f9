//! Difference of two trees or snapshots, as text for people.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::text::{fields, json};
use super::{Snapshot, Tree, Znode};
use crate::handle::Server;
use crate::handle::inspect::{SessionView, ZnodeView};
use crate::protocol::Acl;

/// Difference of two [trees](Tree::diff) or [snapshots](Snapshot::diff). The text has a line for each znode or
/// session that differs, sorted by path: `-` for one that only the first has, `+` for one that only the second has,
/// and `~` for one that both have, with the fields that differ.
///
/// ```
/// use minikeeper::{state::Znode, tree};
///
/// let first = tree! { "/config" => "v1", "/locks" => {}, "/old" => "x" };
/// let second = tree! { "/config" => "v2", "/locks" => Znode::new("").container(), "/new" => {} };
/// let diff = first.diff(&second);
/// assert_eq!(diff.paths().collect::<Vec<_>>(), ["/config", "/locks", "/new", "/old"]);
/// assert_eq!(
///     diff.to_string(),
///     r#"~ /config: data "v1" -> "v2"
/// ~ /locks: container false -> true
/// + /new
/// - /old: data "x"
/// "#
/// );
/// # Ok::<(), minikeeper::state::TreeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    lines: Vec<Line>,
}

/// Difference at a path, or of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    mark: char,
    /// The path of a znode; a session has none.
    path: Option<String>,
    /// Text after the mark.
    text: String,
}

impl Diff {
    /// Whether nothing differs.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.tree().diff(&server.tree()).is_empty());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The paths of the znodes that differ, sorted.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let before = server.snapshot();
    /// server.create("/config", b"v1")?;
    /// let diff = before.diff(&server.snapshot());
    /// // The root has another child now.
    /// assert_eq!(diff.paths().collect::<Vec<_>>(), ["/", "/config"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.path.as_deref())
    }

    /// Adds a line for each of these named things that differs, given the fields of each as text.
    fn note<'n>(
        &mut self,
        (first, second): (&BTreeMap<String, Fields>, &BTreeMap<String, Fields>),
        path: impl Fn(&'n str) -> Option<&'n str>,
        names: impl Iterator<Item = &'n String>,
    ) {
        for name in names {
            let (mark, text) = match (first.get(name), second.get(name)) {
                (Some(first), Some(second)) => match changes(first, second) {
                    changed if changed.is_empty() => continue,
                    changed => ('~', changed),
                },
                (Some(first), None) => ('-', all(first)),
                (None, Some(second)) => ('+', all(second)),
                (None, None) => continue,
            };
            let text = match text.as_str() {
                "" => name.clone(),
                text => format!("{name}: {text}"),
            };
            let path = path(name).map(str::to_owned);
            self.lines.push(Line { mark, path, text });
        }
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.lines.iter();
        lines.try_for_each(|line| writeln!(f, "{} {}", line.mark, line.text))
    }
}

/// Fields as text, in the order in which they are printed.
type Fields = Vec<(&'static str, String)>;

/// Fields that differ: `data "v1" -> "v2", ttl_ms none -> 60000`.
fn changes(first: &Fields, second: &Fields) -> String {
    let value = |fields: &Fields, name: &str| {
        let mut found = fields.iter().filter(|(other, _)| *other == name);
        found.next().map(|(_, value)| value.clone())
    };
    let missing = |name| match name {
        "container" | "ephemeral" => "false",
        "acl" => "open",
        "data" => "\"\"",
        _ => "none",
    };
    let mut text = String::new();
    let only_second = second
        .iter()
        .filter(|(name, _)| value(first, name).is_none());
    for (name, _) in first.iter().chain(only_second) {
        let (one, other) = (value(first, name), value(second, name));
        if one != other {
            let one = one.as_deref().unwrap_or(missing(*name));
            let other = other.as_deref().unwrap_or(missing(*name));
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{name} {one} -> {other}");
        }
    }
    text
}

fn all(fields: &Fields) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    fields.join(", ")
}

fn fields_of(znode: &Znode) -> Fields {
    let fields = fields(znode).into_iter();
    fields
        .map(|(name, value)| match name {
            "base64" => ("data", data(znode.data.as_deref())),
            _ => (name, json(&value)),
        })
        .collect()
}

fn data(data: Option<&[u8]>) -> String {
    data.map_or_else(
        || "null".to_owned(),
        |data| format!("\"{}\"", data.escape_ascii()),
    )
}

/// All fields of a znode, with its stat.
fn fields_with_stat(znode: &ZnodeView) -> Fields {
    let ZnodeView {
        data: held,
        stat,
        acl,
        container,
        ttl,
        ..
    } = znode;
    let acl: Vec<String> = acl.iter().map(Acl::to_string).collect();
    let ttl = ttl.map_or_else(|| "none".to_owned(), |ttl| ttl.as_millis().to_string());
    vec![
        ("data", data(held.as_deref())),
        ("acl", acl.join(",")),
        ("container", container.to_string()),
        ("ttl_ms", ttl),
        ("czxid", stat.czxid.to_string()),
        ("mzxid", stat.mzxid.to_string()),
        ("pzxid", stat.pzxid.to_string()),
        ("version", stat.version.to_string()),
        ("cversion", stat.cversion.to_string()),
        ("aversion", stat.aversion.to_string()),
        ("ephemeral_owner", stat.ephemeral_owner.to_string()),
        ("ctime", stat.ctime.0.to_string()),
        ("mtime", stat.mtime.0.to_string()),
    ]
}

fn fields_of_session(session: &SessionView) -> Fields {
    vec![
        ("timeout", format!("{:?}", session.timeout)),
        ("muted", session.muted.to_string()),
    ]
}

/// Names that occur in either, sorted.
fn names<'f>(
    first: &'f BTreeMap<String, Fields>,
    second: &'f BTreeMap<String, Fields>,
) -> impl Iterator<Item = &'f String> {
    let mut names: Vec<&String> = first.keys().chain(second.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}

impl Tree {
    /// Returns the difference to another tree. It is empty if the two are equal.
    ///
    /// ```
    /// use minikeeper::tree;
    ///
    /// let diff = tree! { "/config" => "v1" }.diff(&tree! { "/config" => "v2" });
    /// assert_eq!(diff.to_string(), "~ /config: data \"v1\" -> \"v2\"\n");
    /// ```
    #[must_use]
    pub fn diff(&self, other: &Self) -> Diff {
        let fields = |tree: &Self| {
            let znodes = tree.iter();
            let znodes = znodes.map(|(path, znode)| (path.to_owned(), fields_of(znode)));
            znodes.collect::<BTreeMap<_, _>>()
        };
        let (first, second) = (fields(self), fields(other));
        let mut diff = Diff::default();
        diff.note((&first, &second), Some, names(&first, &second));
        diff
    }

    /// Asserts that the tree is equal to an expected one.
    ///
    /// # Panics
    ///
    /// If they differ. The message has the [difference](Self::diff) from the expected tree to this one.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.snapshot().tree().assert_eq(minikeeper::tree! {});
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn assert_eq(&self, expected: impl Borrow<Self>) {
        let diff = expected.borrow().diff(self);
        assert!(
            diff.is_empty(),
            "the tree differs from the expected one (- expected, + actual):\n{diff}the tree is {self:?}"
        );
    }
}

impl Snapshot {
    /// Returns the difference to another snapshot, including the zxids and times of each znode and the sessions. It
    /// may be empty where the two are not equal: the counters of the server are not compared.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let before = server.snapshot();
    /// server.set("/config", b"v2")?;
    /// let diff = before.diff(&server.snapshot()).to_string();
    /// assert!(diff.starts_with("~ /config: data \"v1\" -> \"v2\", mzxid 0x1 -> 0x2, version 0 -> 1"), "{diff}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn diff(&self, other: &Self) -> Diff {
        let znodes = |snapshot: &Self| {
            let znodes = snapshot.znodes().into_iter();
            let znodes = znodes.map(|znode| {
                let fields = fields_with_stat(&znode);
                (znode.path, fields)
            });
            znodes.collect::<BTreeMap<_, _>>()
        };
        let sessions = |snapshot: &Self| {
            let sessions = snapshot.sessions().into_iter();
            let sessions = sessions.map(|session| {
                (
                    format!("session {}", session.id),
                    fields_of_session(&session),
                )
            });
            sessions.collect::<BTreeMap<_, _>>()
        };
        let mut diff = Diff::default();
        let (first, second) = (znodes(self), znodes(other));
        diff.note((&first, &second), Some, names(&first, &second));
        let (first, second) = (sessions(self), sessions(other));
        diff.note((&first, &second), |_| None, names(&first, &second));
        diff
    }

    /// Asserts that the snapshot is equal to an expected one.
    ///
    /// # Panics
    ///
    /// If they differ. The message has the [difference](Self::diff) from the expected snapshot to this one.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let before = server.snapshot();
    /// let _only_read = server.tree();
    /// server.snapshot().assert_eq(&before);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn assert_eq(&self, expected: &Self) {
        assert!(
            self == expected,
            "the snapshot of zxid {} differs from the expected one of zxid {} (- expected, + actual):\n{}",
            self.zxid(),
            expected.zxid(),
            expected.diff(self)
        );
    }
}

impl Server {
    /// Asserts that the server has exactly these znodes. ZooKeeper's own are left out.
    ///
    /// # Panics
    ///
    /// If it has others. The message has the [difference](Tree::diff) from the expected tree to that of the server.
    ///
    /// ```
    /// use minikeeper::tree;
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// server.assert_tree(tree! { "/config" => "v1" });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_tree(&self, expected: impl Borrow<Tree>) {
        self.tree().assert_eq(expected);
    }
}
