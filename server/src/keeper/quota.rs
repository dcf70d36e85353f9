//! Quotas: limits that a client writes below `/zookeeper/quota`, and the usage that is counted next to them.
//!
//! Usage is data of ordinary znodes, but counting is not a write: no version changes and no watch fires
//! (`DataTree.updateQuotaStat`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::java;
use super::tree::Tree;
use super::undo::UndoLog;
use super::znode::{Data, Znode, length};
use crate::protocol::{ErrorCode, ancestors, name_of, parent_of};

const QUOTA: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// A path that a real server does not survive: a limit for the root of the quotas themselves stops it, and every later
/// start (`PathTrie.addPath` refuses an empty path).
pub(super) const LETHAL_LIMITS: &str = "/zookeeper/quota/zookeeper_limits";

/// Longest usage text that is parsed. Every write below a quota parses the usage, and one frame of fifty thousand
/// writes below a usage of a megabyte would block all clients for minutes.
const LONGEST: usize = 256;

/// The parsed text `count=1,bytes=2` (`StatsTrack`).
#[derive(Debug, Default)]
struct Track(BTreeMap<Box<str>, i64>);

impl Track {
    fn parse(text: &str) -> Option<Self> {
        let mut values = BTreeMap::new();
        // Java's split drops empty pieces at the end, and takes several separators for one.
        let text = text.trim_end_matches([',', ';']);
        let mut rest = (!text.is_empty()).then_some(text);
        while let Some(text) = rest {
            let (pair, behind) = match text.split_once([',', ';']) {
                Some((pair, behind)) => (pair, Some(behind.trim_start_matches([',', ';']))),
                None => (text, None),
            };
            let mut parts = pair.trim_end_matches('=').split('=');
            let key = parts.next()?;
            let value = parts.next()?;
            let value = if value.is_empty() {
                -1
            } else {
                java::long(value)?
            };
            values.insert(key.into(), value);
            rest = behind;
        }
        Some(Self(values))
    }

    fn of(data: &Data) -> Option<Self> {
        let text = data.as_deref().filter(|data| data.len() <= LONGEST)?;
        Self::parse(&String::from_utf8_lossy(text))
    }

    fn get(&self, key: &str) -> i64 {
        self.0.get(key).copied().unwrap_or(-1)
    }

    fn add(&mut self, key: &str, difference: i64) {
        let value = self.get(key).wrapping_add(difference);
        self.0.insert(key.into(), value);
    }

    fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.get("count"), self.get("bytes"));
        let mut others = self
            .0
            .iter()
            .filter(|(key, _)| !matches!(&***key, "count" | "bytes"))
            .peekable();
        // StatsTrack.toString: a stray "=" makes parsers of 3.4 and older ignore what follows.
        if others.peek().is_some() {
            text.push('=');
        }
        for (key, value) in others {
            text.push_str(&format!(";{key}={value}"));
        }
        text
    }

    fn data(&self) -> Data {
        Some(Arc::from(self.text().into_bytes()))
    }
}

/// Returns a path as `PathTrie.split` reads it: components of blanks do not count.
fn in_trie(path: &str) -> Cow<'_, str> {
    let is_blank = |component: &str| component.chars().all(|c| c <= ' ');
    if path.starts_with('/') && !path.contains("/ ") && !path.contains("//") && !path.ends_with('/')
    {
        return Cow::Borrowed(path);
    }
    let components = path.split('/').filter(|component| !is_blank(component));
    Cow::Owned(components.flat_map(|component| ["/", component]).collect())
}

/// Returns the nearest path with a quota, at `path` or above it.
fn limited_prefix<'a>(tree: &Tree, path: &'a str) -> Option<&'a str> {
    ancestors(path).find(|path| tree.limited.contains(*path))
}

/// Limits and usage of all quotas whose paths have the same first name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct QuotaSums {
    pub(crate) count_limit: i64,
    pub(crate) bytes_limit: i64,
    pub(crate) count: i64,
    pub(crate) bytes: i64,
}

/// Returns the limits and the usage of the quotas, by the first name of their paths: `QuotaMetricsUtils`. A hard limit
/// precedes a soft one.
pub(crate) fn sums(tree: &Tree) -> BTreeMap<String, QuotaSums> {
    let mut sums: BTreeMap<String, QuotaSums> = BTreeMap::new();
    for prefix in &tree.limited {
        let Some(name) = prefix.split('/').nth(1).filter(|name| !name.is_empty()) else {
            continue;
        };
        let track = |of: &str| {
            let znode = tree.get(&format!("{QUOTA}{prefix}/{of}"));
            znode.and_then(|znode| Track::of(znode.shared_data()))
        };
        let limits = track(LIMITS).unwrap_or_default();
        let limit = |hard: &str, soft: &str| match limits.get(hard) {
            hard if hard > -1 => hard,
            _ => limits.get(soft),
        };
        let sum = sums.entry(name.to_owned()).or_default();
        sum.count_limit = sum
            .count_limit
            .wrapping_add(limit("countHardLimit", "count"));
        sum.bytes_limit = sum
            .bytes_limit
            .wrapping_add(limit("byteHardLimit", "bytes"));
        if let Some(usage) = track(STATS) {
            sum.count = sum.count.wrapping_add(usage.get("count"));
            sum.bytes = sum.bytes.wrapping_add(usage.get("bytes"));
        }
    }
    sums
}

/// Records data that quotas depend on, before it changes.
pub(super) fn about_to_change(undo: &mut UndoLog, path: &str, data: Option<&Data>) {
    if path.starts_with(QUOTA) {
        undo.note_quota(path, data, name_of(path) == LIMITS);
    }
}

/// Returns the path that limits at `path` are for, if the znode at `path` is limits.
fn limits_for(path: &str) -> Option<Box<str>> {
    let parent = parent_of(path)?;
    let prefix = parent.strip_prefix(QUOTA)?;
    // "X" and "/X" are one place. The root is a place too, but nothing looks there.
    (name_of(path) == LIMITS)
        .then(|| in_trie(prefix))
        .filter(|prefix| !prefix.is_empty())
        .map(Into::into)
}

/// Refuses a write that would exceed an enforced limit, as `ZooKeeperServer.checkQuota` does: against the limits and
/// the usage before the transaction, the count first, and only for what changes.
pub(super) fn check(
    tree: &Tree,
    undo: &UndoLog,
    path: &str,
    count_difference: i64,
    bytes_difference: i64,
) -> Result<(), ErrorCode> {
    let before = |path: &str| undo.quota_before(path, tree.get(path).map(Znode::shared_data));
    let limits_at = |prefix: &str| before(&format!("{QUOTA}{prefix}/{LIMITS}"));
    if tree.limited.is_empty() && !undo.limits_changed() {
        return Ok(());
    }
    let path = in_trie(path);
    let prefix = if undo.limits_changed() {
        ancestors(&path).find(|prefix| limits_at(prefix).is_some())
    } else {
        limited_prefix(tree, &path)
    };
    let Some(prefix) = prefix else {
        return Ok(());
    };
    let Some(limits) = limits_at(prefix) else {
        return Ok(());
    };
    let limits = Track::of(limits).ok_or(ErrorCode::MarshallingError)?;
    let limited = |soft: &str, hard: &str| limits.get(soft) > -1 || limits.get(hard) > -1;
    let counted = count_difference != 0 && limited("count", "countHardLimit");
    let weighed = bytes_difference != 0 && limited("bytes", "byteHardLimit");
    if !counted && !weighed {
        return Ok(());
    }
    let Some(usage) = before(&format!("{QUOTA}{prefix}/{STATS}")) else {
        return Ok(());
    };
    let usage = Track::of(usage).ok_or(ErrorCode::MarshallingError)?;
    for (wanted, key, hard, difference) in [
        (counted, "count", "countHardLimit", count_difference),
        (weighed, "bytes", "byteHardLimit", bytes_difference),
    ] {
        let hard = limits.get(hard);
        // A sum beyond the largest number wraps around, as in Java.
        let after = usage.get(key).wrapping_add(difference);
        if wanted && hard > -1 && after > hard {
            return Err(ErrorCode::QuotaExceeded);
        }
    }
    Ok(())
}

pub(super) fn znode_created(tree: &mut Tree, path: &str, bytes: usize, undo: &mut UndoLog) {
    if path.starts_with(QUOTA) {
        add_limits(tree, path);
        stats_created(tree, path, undo);
    }
    count(
        tree,
        path,
        1,
        i64::try_from(bytes).unwrap_or(i64::MAX),
        undo,
    );
}

pub(super) fn znode_deleted(tree: &mut Tree, path: &str, bytes: i32, undo: &mut UndoLog) {
    remove_limits(tree, path);
    count(tree, path, -1, -i64::from(bytes), undo);
}

/// Finds all limits and recounts all usage, as a server does after reading a snapshot (`DataTree.setupQuota`).
pub(super) fn recount(tree: &mut Tree) {
    let end = format!("/{LIMITS}");
    let prefix = |znode: &Znode| {
        let path = znode.path().strip_prefix(QUOTA)?;
        let is_it = !znode.has_children() && path.ends_with(&end);
        let (prefix, _) = path.split_once(&end)?;
        (is_it && !prefix.is_empty()).then(|| Box::from(prefix))
    };
    let quotas = tree.get(QUOTA).into_iter();
    // Several limits may be for the same path, which is counted once.
    let prefixes: BTreeSet<Box<str>> = quotas
        .flat_map(|quotas| tree.below(quotas))
        .filter_map(prefix)
        .collect();
    tree.limited.clear();
    for prefix in prefixes {
        let usage = usage_of(tree, &prefix).data();
        tree.replace_data(
            &format!("{QUOTA}{prefix}/{STATS}"),
            usage,
            &mut UndoLog::default(),
        );
        let prefix = in_trie(&prefix);
        if !prefix.is_empty() {
            tree.limited.insert(prefix.into());
        }
    }
}

/// Returns the usage at and below a path.
fn usage_of(tree: &Tree, prefix: &str) -> Track {
    // getCounts looks the node up by this very text, and a prefix like "X" matches none.
    let counted = tree
        .get(prefix)
        .map_or((0, 0), |znode| usage_below(tree, znode));
    let mut usage = Track::default();
    usage.0.insert("count".into(), counted.0);
    usage.0.insert("bytes".into(), counted.1);
    usage
}

pub(super) fn data_set(tree: &mut Tree, path: &str, grown: i64, undo: &mut UndoLog) {
    count(tree, path, 0, grown, undo);
}

/// Puts limits into force when the znode at `path` appears.
pub(super) fn add_limits(tree: &mut Tree, path: &str) {
    if let Some(prefix) = limits_for(path) {
        tree.limited.insert(prefix);
    }
}

/// Ends limits when the znode at `path` disappears.
pub(super) fn remove_limits(tree: &mut Tree, path: &str) {
    if !tree.limited.is_empty()
        && let Some(prefix) = limits_for(path)
    {
        tree.limited.remove(&prefix);
    }
}

/// Writes the true usage into a new `zookeeper_stats`, in place of the client's data (`DataTree.updateQuotaForPath`).
fn stats_created(tree: &mut Tree, path: &str, undo: &mut UndoLog) {
    let Some(prefix) = parent_of(path).and_then(|parent| parent.strip_prefix(QUOTA)) else {
        return;
    };
    if name_of(path) != STATS {
        return;
    }
    let usage = usage_of(tree, prefix);
    undo.visit(usize::try_from(usage.get("count")).unwrap_or(usize::MAX));
    // The prefix as it is written in the path, so that /zookeeper/quotaX/zookeeper_stats is overwritten too.
    let data = usage.data();
    tree.replace_data(path, data, undo);
}

/// Most znodes that the usages created by one multi may visit. The next usage is refused.
const MOST_VISITED: usize = 1_000_000;

/// Refuses a usage in a multi that has visited enough znodes: a frame that creates and deletes the same usage ten
/// thousand times would count the same million znodes each time.
pub(super) fn check_counting(undo: &UndoLog, path: &str) -> Result<(), ErrorCode> {
    if undo.visited() > MOST_VISITED && path.starts_with(QUOTA) && name_of(path) == STATS {
        Err(ErrorCode::MarshallingError)
    } else {
        Ok(())
    }
}

/// Returns the number of znodes at and below a znode, and the number of their bytes.
fn usage_below(tree: &Tree, znode: &Znode) -> (i64, i64) {
    std::iter::once(znode)
        .chain(tree.below(znode))
        .fold((0, 0), |(znodes, bytes), znode| {
            (znodes + 1, bytes + i64::from(length(znode.shared_data())))
        })
}

fn count(tree: &mut Tree, path: &str, znodes: i64, bytes: i64, undo: &mut UndoLog) {
    if tree.limited.is_empty() {
        return;
    }
    let path = in_trie(path);
    let Some(prefix) = limited_prefix(tree, &path) else {
        return;
    };
    let stats = format!("{QUOTA}{prefix}/{STATS}");
    let Some(usage) = tree.get(&stats) else {
        return;
    };
    // A real server dies of a text that it cannot parse here. An empty text is its initial value.
    let mut usage = Track::of(usage.shared_data()).unwrap_or_default();
    usage.add("count", znodes);
    usage.add("bytes", bytes);
    let data = usage.data();
    tree.replace_data(&stats, data, undo);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_text_keeps_what_it_does_not_know() {
        let track = Track::parse("count=2,bytes=5=;countHardLimit=10;byteHardLimit=20")
            .expect("it is well formed");
        assert_eq!(track.get("countHardLimit"), 10);
        assert_eq!(
            track.text(),
            "count=2,bytes=5=;byteHardLimit=20;countHardLimit=10"
        );
    }

    #[test]
    fn a_usage_text_is_read_as_java_does() {
        assert_eq!(
            Track::parse("").map(|track| track.text()),
            Some("count=-1,bytes=-1".to_owned())
        );
        assert_eq!(Track::parse("count==;bytes=3").map(|_| ()), None);
        assert_eq!(
            Track::parse(";,").map(|track| track.text()),
            Some("count=-1,bytes=-1".to_owned())
        );
        assert!(Track::parse("count").is_none());
        assert!(Track::parse("count=x").is_none());
        assert!(Track::parse(",count=1").is_none());
        assert_eq!(
            Track::parse("count=1,,").map(|track| track.get("count")),
            Some(1)
        );
    }

    #[test]
    fn a_text_may_be_too_long_to_be_taken_apart() {
        let of = |length: usize| {
            let text = format!("count=1{}", ",".repeat(length - 7));
            Track::of(&Some(Arc::from(text.into_bytes()))).is_some()
        };
        assert!(of(LONGEST));
        assert!(!of(LONGEST + 1));
    }

    #[test]
    fn limits_name_the_path_they_are_for() {
        assert_eq!(
            limits_for("/zookeeper/quota/a/b/zookeeper_limits").as_deref(),
            Some("/a/b")
        );
        assert_eq!(
            limits_for("/zookeeper/quotaX/zookeeper_limits").as_deref(),
            Some("/X")
        );
        assert_eq!(limits_for("/a/zookeeper_limits"), None);
        assert_eq!(
            limits_for("/zookeeper/quota/a/ /b c/zookeeper_limits").as_deref(),
            Some("/a/b c")
        );
        assert_eq!(limits_for("/zookeeper/quota/ /zookeeper_limits"), None);
    }
}
