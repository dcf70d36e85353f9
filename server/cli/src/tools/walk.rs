//! Walk through the znodes of a state.

use minikeeper::{Snapshot, inspect::ZnodeView};

/// Znodes in order, with ZooKeeper's own znodes: parents before their children, siblings by name. Only one znode and
/// the pending paths are in memory.
pub(crate) struct Walk<'s> {
    snapshot: &'s Snapshot,
    next: Vec<String>,
}

impl<'s> Walk<'s> {
    pub(crate) fn of(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            next: vec!["/".to_owned()],
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = ZnodeView;

    fn next(&mut self) -> Option<ZnodeView> {
        let path = self.next.pop()?;
        let znode = self.snapshot.znode(&path)?;
        let above = if path == "/" { "" } else { &path };
        let below = znode.children.iter().rev();
        self.next
            .extend(below.map(|name| format!("{above}/{name}")));
        Some(znode)
    }
}

/// Compares two paths by the order of a walk.
pub(crate) fn order(one: &str, other: &str) -> std::cmp::Ordering {
    // The name of the root is empty, so the root comes first.
    one.split('/').cmp(other.split('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_has_the_order_of_its_comparison() {
        let server = minikeeper::Server::builder()
            .seed(minikeeper::tree! { "/a/b" => "", "/a-b" => "", "/a/b-c" => "", "/b" => "" })
            .start()
            .expect("a server starts");
        let snapshot = server.snapshot();
        let paths: Vec<String> = Walk::of(&snapshot).map(|znode| znode.path).collect();
        assert_eq!(
            paths,
            [
                "/",
                "/a",
                "/a/b",
                "/a/b-c",
                "/a-b",
                "/b",
                "/zookeeper",
                "/zookeeper/config",
                "/zookeeper/quota"
            ]
        );
        assert!(paths.is_sorted_by(|one, other| order(one, other).is_lt()));
    }
}
